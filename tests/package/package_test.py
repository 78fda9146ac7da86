"""The package as its users have it: installed, found by pkg-config and CMake, built against.

By hand, after ./bazelw build //tests/package:package_test, from the top of its runfiles in bazel-bin:
python3 tests/package/package_test.py --install=package/install --ebcache=tools/ebcache
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from installed import ARGUMENTS, Installed, declared_functions, exported_functions, main, run

SUBCOMMANDS = (
    "check",
    "find-block",
    "repair-copies",
    "rewrite",
    "top",
    "tree-stats",
    "tune",
    "undo",
    "verify",
    "zero-log",
)


class PackageTest(Installed):
    """One installation, and one image, for all tests."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        files = cls.scratch / "files"
        files.mkdir()
        for number in range(2000):
            (files / f"file-{number}").write_text("x" * (number % 1500))
        cls.image = cls.scratch / "image"
        with open(cls.image, "wb") as image:
            image.truncate(128 << 20)
        run("mkfs.btrfs", "-q", "-f", "--rootdir", files, cls.image)
        report = json.loads(run(ARGUMENTS.ebcache, "tree-stats", "--json", cls.image))
        cls.expected = {
            tree["name"]: [tree["items"], tree["levels"][0], sum(tree["levels"][1:])]
            for tree in report["trees"]
        }

    def check_counts(self, program, *arguments):
        lines = run(program, *arguments, self.image, **self.environment()).splitlines()
        counts = {words[0]: [int(word) for word in words[1:4]] for words in map(str.split, lines)}
        self.assertEqual(counts, self.expected)

    def test_everything_is_where_it_belongs(self):
        there = {
            str(path.relative_to(self.prefix))
            for path in self.prefix.rglob("*")
            if not path.is_dir()
        }
        headers = {str(path) for path in pathlib.Path("include/ebcache").rglob("*.h")}
        self.assertIn("include/ebcache/ebcache.h", headers)
        expected = headers | {
            "lib/libebcache.so",
            "lib/libebcache.so.0",
            "lib/libebcache.so.0.1.0",
            "lib/libebcache.so.0.1.0-gdb.py",
            "lib/libebcache-core.so.0.1.0-gdb.py",
            "share/ebcache/lifecycle.bt",
            "share/ebcache/lifecycle_kernel.bt",
            "lib/libebcache.a",
            "lib/libebcache-core.so",
            "lib/libebcache-core.so.0",
            "lib/libebcache-core.so.0.1.0",
            "lib/libebcache-core.a",
            "lib/pkgconfig/ebcache.pc",
            "lib/pkgconfig/ebcache-core.pc",
            "lib/pkgconfig/ebcache-static.pc",
            "lib/cmake/ebcache/ebcacheConfig.cmake",
            "lib/cmake/ebcache/ebcacheConfigVersion.cmake",
            "share/doc/ebcache/LICENSE",
            "bin/ebcache",
            "share/bash-completion/completions/ebcache",
            "share/man/man8/ebcache.8",
            *(f"share/man/man8/ebcache-{name}.8" for name in SUBCOMMANDS),
            *(f"share/ebcache/schema/{name}.json" for name in SUBCOMMANDS),
        }
        self.assertEqual(expected - there, set())
        self.assertEqual(there - expected, set())
        self.assertEqual(run(self.prefix / "bin/ebcache", "--version"), "ebcache v0.1.0\n")
        for name in SUBCOMMANDS:
            schema = run(self.prefix / "bin/ebcache", name, "--json-schema")
            installed = self.prefix / f"share/ebcache/schema/{name}.json"
            self.assertEqual(installed.read_text(encoding="utf-8"), schema)

    def test_the_installed_completion_completes(self):
        script = """
            PATH=$1/bin:$PATH; source "$1/share/bash-completion/completions/ebcache"
            COMP_WORDS=(ebcache ver); COMP_CWORD=1; _ebcache; echo "${COMPREPLY[@]}"
        """
        self.assertEqual(run("bash", "--norc", "-c", script, "bash", self.prefix), "verify\n")

    def test_the_versions_are_the_headers(self):
        header = (self.prefix / "include/ebcache/version.h").read_text()
        version = ".".join(
            re.search(rf"#define EBCACHE_VERSION_{part} (\d+)", header).group(1)
            for part in ("MAJOR", "MINOR", "PATCH")
        )
        self.assertTrue((self.prefix / f"lib/libebcache.so.{version}").exists())
        found = run("pkg-config", "--modversion", "ebcache", **self.environment())
        self.assertEqual(found.strip(), version)
        dynamic = run("readelf", "-d", self.prefix / "lib/libebcache.so")
        self.assertIn(f"soname: [libebcache.so.{version.split('.', maxsplit=1)[0]}]", dynamic)

    def test_the_shared_library_has_the_functions_of_the_header_and_no_more(self):
        declared, parts = declared_functions(self.prefix / "include", "ebcache.h")
        # The parts that ebcache.h includes, and no others.
        there = {f"c/{path.name}" for path in (self.prefix / "include/ebcache/c").iterdir()}
        self.assertEqual(parts, there)
        self.assertGreater(len(declared), 80)
        exported = exported_functions("-D", self.prefix / "lib/libebcache.so")
        self.assertEqual(exported, declared)

    def test_make_and_pkg_config(self):
        sources = self.copy_of("tests/package/programs")
        run("make", cwd=sources, **self.environment())
        for program in ("count_c", "count_c_static", "count_cc"):
            self.check_counts(sources / program)
        needed = run("readelf", "-d", sources / "count_c_static")
        self.assertNotIn("libebcache", needed)

    def test_static_libraries_where_there_is_no_shared_one(self):
        without = self.scratch / "without/lib"
        shutil.copytree(self.prefix / "lib", without, symlinks=True)
        for shared in without.glob("libebcache.so*"):
            shared.unlink()
        sources = self.copy_of("tests/package/programs")
        found = {"PKG_CONFIG_PATH": str(without / "pkgconfig")}
        flags = run("pkg-config", "--static", "--libs", "ebcache", **found).split()
        run("cc", "-I", self.prefix / "include", "-o", "count", "count.c", *flags, cwd=sources)
        self.check_counts(sources / "count")

    def test_cmake(self):
        sources = self.copy_of("tests/package/programs")
        build = sources / "build"
        run("cmake", "-S", sources, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run("cmake", "--build", build)
        for program in ("count_c", "count_cc"):
            self.check_counts(build / program)

    def test_mini_progs_on_one_thread_and_on_two(self):
        sources = self.copy_of("examples/mini_progs")
        run("make", cwd=sources, **self.environment())
        program = sources / "mini_dump"
        for threads in (1, 2):
            self.check_counts(program, "--counts", f"--threads={threads}")
        one = run(program, self.image, **self.environment())
        two = run(program, "--threads=2", self.image, **self.environment())
        self.assertEqual(one, two)
        items = len(re.findall(r"^\titem ", one, re.MULTILINE))
        self.assertEqual(items, sum(counts[0] for counts in self.expected.values()))

    def test_a_program_that_changes_a_filesystem(self):
        program = self.scratch / "relabel"
        flags = run("pkg-config", "--cflags", "--libs", "ebcache", **self.environment()).split()
        run("cc", "-std=c11", "-o", program, "examples/relabel.c", *flags)
        image = self.scratch / "relabelled"
        shutil.copyfile(self.image, image)
        run(program, "installed", "1234567890", image, **self.environment())
        label = run("btrfs", "inspect-internal", "dump-super", image)
        self.assertRegex(label, r"(?m)^label\s+installed$")
        run("btrfs", "check", "--readonly", image)

    def test_destdir_stays_out_of_what_is_written(self):
        destdir = self.scratch / "destdir"
        run(ARGUMENTS.install, "--prefix=/usr", f"--destdir={destdir}")
        self.assertTrue((destdir / "usr/lib/libebcache.so.0").exists())
        for package in (destdir / "usr/lib").rglob("*.pc"):
            self.assertNotIn(str(destdir), package.read_text())

    def test_relative_prefixes_are_the_callers(self):
        here = self.scratch / "here"
        here.mkdir()
        run(ARGUMENTS.install, "--prefix=there", BUILD_WORKING_DIRECTORY=str(here))
        self.assertTrue((here / "there/lib/libebcache.a").exists())

    def test_wrong_arguments_install_nothing(self):
        done = subprocess.run(
            [ARGUMENTS.install, "--perfix=x"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"--perfix", done.stderr)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
