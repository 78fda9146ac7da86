"""A workspace of its own that depends on //:ebcache: examples/consumer, copied away from the checkout, built by
this machine's Bazel as its user has set that up, and run on a filesystem.

By hand: python3 tests/package/consumer_test.py README.md
"""

import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = pathlib.Path(os.path.realpath(sys.argv.pop())).parent
EXAMPLE = TOP / "examples/consumer"
# All that a workspace has to have of ebcache's.
NAMES_THE_SOURCES = ("MODULE.bazel", "WORKSPACE", "debian.bazelrc")
# As with Bazel's strict environment; a user's .bazelrc may have a cache of what was compiled before.
ENVIRONMENT = {
    "HOME": pwd.getpwuid(os.getuid()).pw_dir,
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
}


def run(*command, **options):
    return subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env=ENVIRONMENT,
        check=False,
        **options,
    )


class ConsumerTest(unittest.TestCase):
    """One build for all tests."""

    @classmethod
    def setUpClass(cls):
        for program in ("bazel", "mkfs.btrfs"):
            if shutil.which(program, path=ENVIRONMENT["PATH"]) is None:
                raise unittest.SkipTest(f"SKIPPED: no {program} on the PATH")
        # A socket's path has to be short, and what Bazel unpacks is large.
        cls.scratch = pathlib.Path(tempfile.mkdtemp(prefix="consumer_test.", dir="/var/tmp"))
        cls.addClassCleanup(cls.clean_up)
        cls.workspace = cls.scratch / "workspace"
        shutil.copytree(EXAMPLE, cls.workspace)
        for name in NAMES_THE_SOURCES:
            path = cls.workspace / name
            text = path.read_text(encoding="utf-8")
            assert "../.." in text, name
            text = text.replace("../..", str(TOP))
            path.write_text(text, encoding="utf-8")
        cls.startup = [f"--output_user_root={cls.scratch}/bazel"]
        if cls.debian_7():
            cls.startup.append("--bazelrc=debian.bazelrc")
        # Linked as optimised programs are, without the time that it takes to compile such.
        done = cls.bazel("build", "-c", "opt", "--copt=-O0", "//:count_items")
        if done.returncode != 0 and "Unknown host" in done.stdout:
            raise unittest.SkipTest("SKIPPED: this Bazel fetches its rules from a network, which is not there")
        if done.returncode != 0:
            raise AssertionError(done.stdout)

    @staticmethod
    def debian_7():
        """Whether this is a Bazel 7 that has its rules beside it, which asks no network for them."""
        version = run("bazel", "--version", cwd="/").stdout
        return version.startswith("bazel 7.") and os.path.isdir("/usr/share/bazel/rules/cc")

    @classmethod
    def bazel(cls, *words):
        return run("bazel", *cls.startup, *words, cwd=cls.workspace)

    @classmethod
    def clean_up(cls):
        cls.bazel("shutdown")
        # What Bazel unpacks is read-only.
        run("chmod", "-R", "u+w", cls.scratch)
        shutil.rmtree(cls.scratch)

    def test_the_program_counts(self):
        image = self.scratch / "image"
        with open(image, "wb") as file:
            file.truncate(128 << 20)
        made = run("mkfs.btrfs", "-q", image)
        self.assertEqual(made.returncode, 0, made.stdout)
        done = run(self.workspace / "bazel-bin/count_items", image)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r"\Atree 1: [1-9]\d* items\ntree 2: [1-9]\d* items\ntree 5: \d+ items\n\Z")

    def test_an_error_is_told(self):
        done = run(self.workspace / "bazel-bin/count_items", "/dev/null")
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("/dev/null", done.stdout)

    def test_nothing_is_set_but_the_version_of_cxx(self):
        """docs/platforms.md says so."""
        self.assertFalse((EXAMPLE / ".bazelrc").exists())
        build = (EXAMPLE / "BUILD.bazel").read_text(encoding="utf-8")
        self.assertEqual(build.count("copts"), 1)
        for other in ("linkopts", "defines", "features", "includes"):
            self.assertNotIn(other, build)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main(verbosity=2)
