"""A copy of this workspace with patches applied, as a repository of its own.

Planted bugs are patches (tests/{model,fuzz,crash}/mutants/): the sources know nothing of
them. What is built from a copy has all bugs of its kind, each behind a switch; @NAME//tests/... are
the tests' own programs, built a second time.

The copy is made anew when any file of the workspace has changed that it was made from; a new file is seen
when another one changes with it, as one that includes it or a build file does. A patch that
does not apply, without fuzz, fails everything that needs the copy.
"""

# What programs are built from.
_FOLDERS = ["build", "docs", "examples", "include", "lib", "package", "tests", "tools"]

def _label_of(path, packages):
    """The label of a file: its package is the deepest folder above it that has a BUILD.bazel."""
    parts = path.split("/")
    for depth in range(len(parts) - 1, -1, -1):
        package = "/".join(parts[:depth])
        if package in packages:
            return Label("@ebcache//" + package + ":" + "/".join(parts[depth:]))
    fail("no package has " + path)

def _run(context, *arguments):
    done = context.execute(arguments, quiet = True)
    if done.return_code != 0:
        fail("\n".join([" ".join([str(word) for word in arguments]), done.stdout, done.stderr]))
    return done.stdout

def _patched_copy_impl(context):
    top = context.path(Label("@ebcache//:WORKSPACE")).dirname
    found = _run(
        context,
        "find",
        *([str(top) + "/" + folder for folder in _FOLDERS] + ["-type", "f"])
    ).splitlines()
    files = sorted([path[len(str(top)) + 1:] for path in found])
    packages = {"": True}
    for path in files:
        if path.endswith("/BUILD.bazel"):
            packages[path[:-len("/BUILD.bazel")]] = True
    patches = []
    for path in files:
        context.path(_label_of(path, packages))  # asks to be called again when it changes
        if path.endswith(".patch") and path[:path.rfind("/")] in context.attr.patches:
            patches.append(path)

    # Hard links would be patched in both places.
    for folder in _FOLDERS:
        _run(context, "cp", "-R", str(top) + "/" + folder, folder)
    _run(context, "cp", str(top) + "/BUILD.bazel", "BUILD.bazel")
    context.file("WORKSPACE", "workspace(name = \"%s\")\n" % context.name)
    touched = {}
    for path in patches:
        for line in context.read(context.path(str(top) + "/" + path)).splitlines():
            if line.startswith("+++ b/"):
                touched[line[len("+++ b/"):]] = True
        done = context.execute([
            "patch", "--batch", "--forward", "--fuzz=0", "--no-backup-if-mismatch", "-p1",
            "--input=" + str(top) + "/" + path,
        ])
        if done.return_code != 0:
            fail("%s does not apply any more; docs/races.md says how it is made anew.\n%s%s" %
                 (path, done.stdout, done.stderr))
    if context.attr.switch != "":
        # Patches of one file would be in each other's way with this line.
        _run(context, "cp", str(top) + "/" + context.attr.switch, "lib/base/planted.h")
        _run(context, "sed", "-i", "1i #include \"lib/base/planted.h\"", *sorted(touched))

patched_copy = repository_rule(
    implementation = _patched_copy_impl,
    attrs = {
        "patches": attr.string_list(
            mandatory = True,
            doc = "The folders with the patches, from the top of the workspace.",
        ),
        "switch": attr.string(
            doc = "A header that all patched files include, as lib/base/planted.h.",
        ),
    },
    local = True,
)
