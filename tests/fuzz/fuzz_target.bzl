"""Fuzz targets: libFuzzer programs under --config=fuzz, tests that replay inputs otherwise."""

load("//build/rules:cc.bzl", "cc_binary")
load("//build/rules:sh.bzl", "sh_test")

def fuzz_target(name, oracle_sources, deps, size = "small"):
    """A target from NAME_target.cc, its replay test, and the test of what it can find.

    NAME_fuzz is the program: libFuzzer's under --config=fuzz; else one that runs the files it is
    given. NAME_replay_test runs it on corpus/NAME and regressions/NAME.

    NAME_planted_fuzz is the same program from a copy of the workspace that has bugs planted in it
    (mutants/, and others). planted/NAME.txt has a bug for each oracle of the `oracle_sources`, and
    planted/NAME/BUG is an input that shows it; NAME_planted_test is planted_test.sh.
    """
    cc_binary(
        name = name + "_fuzz",
        testonly = True,
        srcs = [name + "_target.cc"] + select({
            ":libfuzzer": [],
            "//conditions:default": ["replay_main.cc"],
        }),
        linkopts = select({
            ":libfuzzer": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        visibility = ["//visibility:public"],  # from the workspace that this is copied to
        deps = deps + [
            ":fuzz_input",
            ":oracle",
        ],
    )
    inputs = native.glob(
        [
            "corpus/" + name + "/*",
            "regressions/" + name + "/*",
        ],
        allow_empty = True,  # nothing was ever found in some
    )
    sh_test(
        name = name + "_replay_test",
        size = size,
        srcs = ["replay_test.sh"],
        args = ["$(rootpath :" + name + "_fuzz)"] + ["$(rootpath %s)" % path for path in inputs],
        data = [":" + name + "_fuzz"] + inputs,
    )
    programs = [":" + name + "_planted_fuzz", ":" + name + "_fuzz"]
    planted = "planted/" + name
    native.alias(
        name = name + "_planted_fuzz",
        testonly = True,
        actual = "@mutants//tests/fuzz:" + name + "_fuzz",
    )
    files = programs + [planted + ".txt"] + oracle_sources
    sh_test(
        name = name + "_planted_test",
        size = size,
        srcs = ["planted_test.sh"],
        args = ["$(rootpath %s)" % file for file in files],
        data = files + native.glob([planted + "/*"]),
        # Without its oracle a bug goes on, and a sanitizer would stop it.
        tags = ["no-sanitizer"],
    )
