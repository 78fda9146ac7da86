"""What the system has, asked when Bazel loads the workspace: @system//:abseil.bzl.

Which libraries Abseil is made of changes from release to release: pkg-config knows those of the one that is
installed, in the order in which static ones are linked.
"""

# Of Abseil, by the names of its .pc files. Those that a release has no more, because they are part of
# another one or of the standard library, are left out.
_MODULES = [
    "absl_statusor",
    "absl_status",
    "absl_cord",
    "absl_str_format",
    "absl_strings",
    "absl_flat_hash_map",
    "absl_flat_hash_set",
    "absl_hash",
    "absl_inlined_vector",
    "absl_cleanup",
    "absl_function_ref",
    "absl_span",
    "absl_optional",
]

# Of these libraries our own code calls functions; the others are theirs to load. (A linker that takes only what
# is needed is no help: gold does not see what the shared libraries of a test need.)
_CALLED = [
    "statusor",
    "status",
    "cord",
    "str_format_internal",
    "strings",
    "strings_internal",
    "string_view",
    "int128",
    "throw_delegate",
    "hash",
    "city",
    "low_level_hash",
    "raw_hash_set",
    "raw_logging_internal",
    "base",
]

_TEXT = '''"""Of Abseil %s, as pkg-config has it."""

# What our code calls, for a program with shared libraries.
ABSEIL_CALLED = %s

# All, in the order in which static ones are linked.
ABSEIL_ALL = %s
'''

def _pkg_config(context, *arguments):
    return context.execute(["pkg-config"] + list(arguments))

def _system_impl(context):
    if context.which("pkg-config") == None:
        fail("pkg-config is not installed: ./bazelw installs what is missing on Debian")
    if _pkg_config(context, "--exists", "absl_status").return_code != 0:
        fail("pkg-config finds no Abseil: on Debian its package is libabsl-dev, which ./bazelw installs")
    modules = [name for name in _MODULES if _pkg_config(context, "--exists", name).return_code == 0]
    found = _pkg_config(context, "--libs", *modules)
    if found.return_code != 0:
        fail("pkg-config --libs of Abseil: " + found.stderr)
    version = _pkg_config(context, "--modversion", "absl_status").stdout.strip()
    flags = [flag.strip() for flag in found.stdout.split(" ") if flag.strip() != ""]
    called = ["-labsl_" + name for name in _CALLED if "-labsl_" + name in flags]
    context.file("abseil.bzl", _TEXT % (version, repr(called), repr(flags)))
    context.file("BUILD.bazel", "")

system = repository_rule(
    implementation = _system_impl,
    # Asked again when Bazel starts: packages are upgraded behind its back.
    local = True,
    environ = ["PKG_CONFIG_PATH"],
)
