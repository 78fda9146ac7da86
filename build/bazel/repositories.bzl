"""The repositories that this workspace is built from: for WORKSPACE, and by extension.bzl for MODULE.bazel."""

load("//build/libs:system.bzl", "system")
load("//build/mutants:patched_copy.bzl", "patched_copy")

# The native rules of Bazel before 8, under the names by which those of later ones are found.
_RULES = ["rules_cc", "rules_shell"]

# Debian's Bazel 4 asks for these before it builds anything, and would fetch them from the network.
_ASKED_FOR = ["remote_coverage_tools", "rules_java", "rules_proto"]

def _stand_in_impl(context):
    for file in context.path(context.attr.workspace_file).dirname.readdir():
        context.symlink(file, file.basename)

_stand_in = repository_rule(
    implementation = _stand_in_impl,
    attrs = {"workspace_file": attr.label(mandatory = True)},
    local = True,
)

def ebcache_repositories():
    """What a WORKSPACE needs that depends on @ebcache; what it has already stays as it is."""
    names = list(_RULES)

    # Debian's says no version of itself.
    if not native.bazel_version[:1].isdigit():
        names += _ASKED_FOR
    for name in names:
        if not native.existing_rule(name):
            _stand_in(
                name = name,
                workspace_file = Label("//build/bazel/%s:WORKSPACE" % name),
            )
    if not native.existing_rule("system"):
        system(name = "system")

def mutant_repositories():
    """The workspace with planted bugs: those that interleavings find, fuzzing, and crashes and failures of devices."""
    patched_copy(
        name = "model_mutants",
        patches = ["tests/model/mutants"],
    )

    # One library for both. The bugs have to be there, not to be quick: see .bazelrc.
    patched_copy(
        name = "mutants",
        patches = [
            "tests/crash/mutants",
            "tests/fuzz/mutants",
        ],
        switch = "build/mutants/planted.h",
    )
