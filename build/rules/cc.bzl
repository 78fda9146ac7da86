"""The rules of C and C++, as every Bazel from 4 on has them under @rules_cc.

A workspace that depends on this one does not read its .bazelrc: what the sources cannot do without is said
here, for targets of C++, unless it is said for everything anyway.
"""

load(
    "@rules_cc//cc:defs.bzl",
    _cc_binary = "cc_binary",
    _cc_import = "cc_import",
    _cc_library = "cc_library",
    _cc_test = "cc_test",
)

def _with_language(attributes):
    """The attributes of a rule, with the version of C++; those of one that has sources of C as they are."""
    sources = attributes.get("srcs", [])
    if type(sources) == "list" and [name for name in sources if name.endswith(".c")]:
        return attributes
    language = select({
        "//build/rules:cxx20": [],
        "//conditions:default": ["-std=c++20"],
    })
    return dict(attributes, copts = language + attributes.get("copts", []))

def cc_library(**attributes):
    _cc_library(**_with_language(attributes))

def cc_binary(**attributes):
    _cc_binary(**_with_language(attributes))

def cc_test(**attributes):
    _cc_test(**_with_language(attributes))

cc_import = _cc_import
