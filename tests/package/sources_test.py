"""Bazel and CMake build the same: cmake/sources.cmake against the build files. And what build files may say to be
read by every Bazel.

By hand: python3 tests/package/sources_test.py README.md
"""

import glob
import os
import pathlib
import re
import sys
import unittest

TOP = pathlib.Path(os.path.realpath(sys.argv.pop())).parent
ROOMS = sorted(path.name for path in (TOP / "lib").iterdir() if path.is_dir())


class Labels(list):
    """A list of files and labels; what select() gives is not looked at."""

    def __add__(self, other):
        return Labels(list(self) + list(other))


def rules(folder):
    """The rules of a build file by name: its kind, and its attributes. Ours are Python."""
    found = {}

    def rule(**attributes):
        if "name" in attributes:
            found[attributes["name"]] = attributes

    def glob_files(patterns, exclude=()):
        names = set()
        for pattern in patterns:
            names.update(glob.glob(pattern, root_dir=TOP / folder, recursive=True))
        for pattern in exclude:
            names.difference_update(glob.glob(pattern, root_dir=TOP / folder, recursive=True))
        return Labels(sorted(names))

    text = (TOP / folder / "BUILD.bazel").read_text(encoding="utf-8")
    names = {"glob": glob_files, "select": lambda _: Labels(), "package": lambda **_: None}
    for kind in set(re.findall(r"^([a-z_]+)\(", text, re.M)) - {"package", "load"}:
        names[kind] = rule
    names["load"] = lambda *_: None
    exec(compile(text, f"{folder}/BUILD.bazel", "exec"), names)  # pylint: disable=exec-used
    return found


def cmake_lists(text):
    """The lists of cmake/sources.cmake, by name."""
    return {
        name: files.split() for name, files in re.findall(r"^set\((\w+)\n(.*?)^\)", text, re.M | re.S)
    }


def sources(folder, attributes):
    return {f"{folder}/{name}" for name in attributes.get("srcs", []) if name.endswith(".cc")}


def program_sources():
    """Of //tools:ebcache and all that it stands on in tools/."""
    seen = set()
    files = set()
    todo = ["//tools:ebcache"]
    while todo:
        label = todo.pop()
        if label in seen:
            continue
        seen.add(label)
        folder, _, name = label.removeprefix("//").partition(":")
        attributes = rules(folder)[name or folder.split("/")[-1]]
        files |= sources(folder, attributes)
        for dep in attributes.get("deps", []):
            full = f"//{folder}{dep}" if dep.startswith(":") else dep
            if full.startswith("//tools"):
                todo.append(full)
    return files


class SourcesTest(unittest.TestCase):
    """Each list of the one, from the other."""

    def setUp(self):
        self.lists = cmake_lists((TOP / "cmake/sources.cmake").read_text(encoding="utf-8"))

    def compare(self, name, expected):
        files = self.lists[name]
        self.assertEqual(files, sorted(set(files)), name)
        self.assertEqual(set(files), expected, name)
        self.assertTrue(expected, name)

    def test_rooms(self):
        self.assertGreater(len(ROOMS), 8)
        for room in ROOMS:
            folder = f"lib/{room}"
            # The room, and other libraries of its own.
            files = set()
            for attributes in rules(folder).values():
                if "hdrs" in attributes:
                    files |= sources(folder, attributes)
            self.compare(f"EBCACHE_{room.upper()}_SOURCES", files)
            self.assertEqual(
                files, {str(path.relative_to(TOP)) for path in (TOP / folder).rglob("*.cc")}
            )

    def test_the_core(self):
        for room in ("base", "mm", "cache"):
            found = sources(f"lib/{room}", rules(f"lib/{room}")["core_sources"])
            self.compare(f"EBCACHE_{room.upper()}_SOURCES", found)
        self.compare("EBCACHE_CORE_CAPI_SOURCES", sources("lib/capi", rules("lib/capi")["core_sources"]))

    def test_the_program(self):
        self.compare("EBCACHE_PROGRAM_SOURCES", program_sources())

    def test_headers(self):
        found = rules("include/ebcache")
        core = {f"include/ebcache/{name}" for name in found["core_c_headers"]["srcs"]}
        self.compare("EBCACHE_CORE_C_HEADERS", core)
        every = {f"include/ebcache/{name}" for name in found["sources"]["srcs"]}
        self.compare("EBCACHE_HEADERS", every - core)

    def test_cmake_includes_what_it_lists(self):
        used = "".join(path.read_text() for path in (TOP / "cmake").glob("*.cmake"))
        for name in self.lists:
            self.assertIn("${" + name + "}", used)


class EveryBazelTest(unittest.TestCase):
    """What Bazel 9 refuses, and no Bazel that is at hand: docs/platforms.md."""

    def build_files(self, *patterns):
        folders = ("bench", "build", "core", "debugging", "docs", "examples", "include", "lib", "package")
        folders += ("tests", "tools")
        found = [TOP / "BUILD.bazel"]
        found += [path for folder in folders for name in patterns for path in (TOP / folder).rglob(name)]
        # Stand-ins for Bazels that have the rules themselves.
        found = [path for path in found if not path.is_relative_to(TOP / "build/bazel")]
        self.assertGreater(len(found), 5)
        return [(str(path.relative_to(TOP)), path.read_text(encoding="utf-8")) for path in found]

    def test_rules_of_languages_are_loaded(self):
        called = re.compile(r"^(?:\[|    )?((?:cc|py|sh)_[a-z]+)\(", re.M)
        for path, text in self.build_files("BUILD.bazel"):
            loaded = re.findall(r'"(\w+)"', "".join(re.findall(r"^load\((.*?)\)", text, re.M | re.S)))
            self.assertLessEqual(set(called.findall(text)), set(loaded), path)

    def test_nothing_else_is_native(self):
        for path, text in self.build_files("BUILD.bazel", "*.bzl"):
            self.assertNotRegex(text, r"native\.(cc|py|sh)_|@bazel_tools//tools/cpp|use_toolchain_transition", path)
            if "CcInfo" in text or "cc_common" in text:
                self.assertRegex(text, r'load\([^)]*"CcInfo"', path)

    def test_loads_come_first(self):
        for path, text in self.build_files("BUILD.bazel"):
            last = max((found.start() for found in re.finditer(r"^load\(", text, re.M)), default=0)
            first = re.search(r"^(?!load\b)\[?[a-z_]+\(", text, re.M)
            if first:
                self.assertLess(last, first.start() + 1, path)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main(verbosity=2)
