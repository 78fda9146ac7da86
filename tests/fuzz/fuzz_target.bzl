"""Fuzz targets: libFuzzer programs under --config=fuzz, tests that replay inputs otherwise."""

def fuzz_target(name, deps = [], real_deps = [], planted_deps = [], size = "small"):
    """A target from NAME_target.cc, its replay test, and the variant with a planted bug.

    NAME_fuzz is the program: libFuzzer's under --config=fuzz; else one that runs the files it is
    given. NAME_replay_test runs it on corpus/NAME and regressions/NAME. NAME_planted_fuzz has a bug
    in it, and NAME_planted_test holds it to dying of planted/NAME.
    """
    variants = (("", [], real_deps), ("_planted", ["EBCACHE_PLANTED_BUG"], planted_deps))
    for suffix, defines, more_deps in variants:
        native.cc_binary(
            name = name + suffix + "_fuzz",
            testonly = True,
            srcs = [name + "_target.cc"] + select({
                ":libfuzzer": [],
                "//conditions:default": ["replay_main.cc"],
            }),
            local_defines = defines,
            linkopts = select({
                ":libfuzzer": ["-fsanitize=fuzzer"],
                "//conditions:default": [],
            }),
            deps = deps + more_deps + [":fuzz_input"],
        )
    inputs = native.glob([
        "corpus/" + name + "/*",
        "regressions/" + name + "/*",
    ])
    native.sh_test(
        name = name + "_replay_test",
        size = size,
        srcs = ["replay_test.sh"],
        args = ["$(rootpath :" + name + "_fuzz)"] + ["$(rootpath %s)" % path for path in inputs],
        data = [":" + name + "_fuzz"] + inputs,
    )
    planted = "planted/" + name
    native.sh_test(
        name = name + "_planted_test",
        size = size,
        srcs = ["planted_test.sh"],
        args = [
            "$(rootpath :%s_planted_fuzz)" % name,
            "$(rootpath :%s_fuzz)" % name,
            "$(rootpath %s)" % planted,
        ],
        data = [
            planted,
            ":" + name + "_fuzz",
            ":" + name + "_planted_fuzz",
        ],
    )
