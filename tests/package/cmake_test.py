"""The build by CMake, of the core: taken in by another project, tested by ctest, and installed beside what
Bazel's package installs. The whole library is built like that by package/debian_packages.sh.

By hand: python3 tests/package/cmake_test.py README.md
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = pathlib.Path(os.path.realpath(sys.argv.pop())).parent
# As with Bazel's strict environment.
ENVIRONMENT = {**os.environ, "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}


def run(*command, **environment):
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env={**ENVIRONMENT, **environment},
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"{command}\n{done.stdout}")
    return done.stdout


class CMakeTest(unittest.TestCase):
    """One build for all tests: unoptimised, so that it takes a minute."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = pathlib.Path(tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR")))
        cls.addClassCleanup(shutil.rmtree, cls.scratch)
        cls.build = cls.scratch / "build"
        cls.prefix = cls.scratch / "prefix"
        cls.configured = run(
            "cmake",
            "-S",
            TOP / "tests/package/fetch",
            "-B",
            cls.build,
            f"-DEBCACHE={TOP}",
            f"-DCMAKE_INSTALL_PREFIX={cls.prefix}",
            "-DCMAKE_INSTALL_LIBDIR=lib",
            "-DCMAKE_BUILD_TYPE=Debug",
            "-DCMAKE_CXX_FLAGS_DEBUG=-O0 -Werror -Wall",
            "-DEBCACHE_INSTALL=ON",
            "-DEBCACHE_TESTS=ON",
        )
        run("cmake", "--build", cls.build, "--parallel", "2")

    def test_a_project_that_takes_it_in(self):
        for library in ("core", "core-static"):
            self.assertIn("last 64", run(self.build / f"tool_{library}"))

    def test_the_core_asks_for_no_other_library(self):
        for line in self.configured.splitlines():
            self.assertNotRegex(line, r"(?i)absl|gcrypt|libisal|xxhash|liburing|pkg-?config")
        # Lines of // are the words of options, which name what the whole library needs.
        for line in (self.build / "CMakeCache.txt").read_text(encoding="utf-8").splitlines():
            if not line.startswith("//"):
                self.assertNotRegex(line, r"(?i)absl|gcrypt|libisal")

    def test_ctest(self):
        tests = self.build / "_deps/ebcache-build"
        words = run("ctest", "--test-dir", tests, "--output-on-failure")
        self.assertRegex(words, r"100% tests passed, 0 tests failed out of (1[0-9]|[2-9][0-9])")

    def test_what_is_installed(self):
        run("cmake", "--install", self.build)
        there = {
            str(path.relative_to(self.prefix)) for path in self.prefix.rglob("*") if not path.is_dir()
        }
        headers = (TOP / "include/ebcache/BUILD.bazel").read_text(encoding="utf-8")
        core = re.search(r'name = "core_c_headers",\n    srcs = \[(.*?)\]', headers, re.S).group(1)
        self.assertEqual(
            there,
            {f"include/ebcache/{name}" for name in re.findall(r'"([^"]+)"', core)}
            | {
                "lib/cmake/ebcache/ebcacheConfig.cmake",
                "lib/cmake/ebcache/ebcacheConfigVersion.cmake",
                "lib/libebcache-core.a",
                "lib/libebcache-core.so",
                "lib/libebcache-core.so.0",
                "lib/libebcache-core.so.0.1.0",
                "lib/pkgconfig/ebcache-core.pc",
                "share/doc/ebcache/LICENSE",
            },
        )
        flags = run(
            "pkg-config",
            "--static",
            "--cflags",
            "--libs",
            "ebcache-core",
            PKG_CONFIG_PATH=str(self.prefix / "lib/pkgconfig"),
        ).split()
        source = TOP / "tests/package/programs/core_tool.c"
        run("cc", "-static", "-o", self.scratch / "tool", source, *flags)
        self.assertIn("last 64", run(self.scratch / "tool"))
        names = run("nm", "--extern-only", "--defined-only", self.prefix / "lib/libebcache-core.a")
        names = [line.split()[2] for line in names.splitlines() if len(line.split()) == 3]
        self.assertGreater(len(names), 60)
        self.assertEqual([name for name in names if not name.startswith("ebcache_")], [])


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main(verbosity=2)
