"""An include or a dependency against the arrows between rooms does not build.

Usage: refusal_test.py README, which is where the checkout is. Copies the checkout, breaks the copy in
one place at a time, and builds one room of it with a Bazel of its own.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

CHECKOUT = pathlib.Path(os.path.realpath(sys.argv.pop(1))).parent
COPIED = (
    *("BUILD.bazel", "MODULE.bazel", "WORKSPACE", "WORKSPACE.bzlmod", ".bazelrc", "bazelw"),
    *("build", "include", "lib"),
)


class RefusalTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if shutil.which("bazel") is None:
            raise unittest.SkipTest("SKIPPED: no bazel on the PATH")
        cls.scratch = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        cls.top = pathlib.Path(cls.scratch.name) / "copy"
        cls.top.mkdir()
        for name in COPIED:
            source = CHECKOUT / name
            if source.is_dir():
                shutil.copytree(source, cls.top / name)
            else:
                shutil.copy(source, cls.top / name)

    @classmethod
    def tearDownClass(cls):
        cls.bazel("shutdown")
        # What Bazel unpacks is read-only.
        subprocess.run(["chmod", "-R", "u+w", cls.scratch.name], check=False)
        cls.scratch.cleanup()

    @classmethod
    def bazel(cls, *words):
        return subprocess.run(
            ["./bazelw", f"--output_user_root={cls.scratch.name}/bazel", *words],
            cwd=cls.top,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            env={**os.environ, "HOME": cls.scratch.name},
        )

    def changed(self, path, before, after):
        """Changes a file of the copy for the rest of the test."""
        file = self.top / path
        text = file.read_text(encoding="utf-8")
        self.assertIn(before, text)
        file.write_text(text.replace(before, after, 1), encoding="utf-8")
        self.addCleanup(file.write_text, text, encoding="utf-8")

    def object_of(self, room, source):
        """The compilation of one source of a room."""
        done = self.bazel(
            "build", "--compile_one_dependency", "--copt=-O0", f"lib/{room}/{source}"
        )
        return done.returncode, done.stdout

    def test_as_it_is(self):
        status, words = self.object_of("format", "names.cc")
        self.assertEqual(status, 0, words)

    def test_a_public_header_of_a_room_above(self):
        self.changed("lib/format/names.cc", "#include", '#include "ebcache/buffer_cache.h"\n#include')
        status, words = self.object_of("format", "names.cc")
        self.assertNotEqual(status, 0)
        self.assertIn("ebcache/buffer_cache.h: No such file", words)

    def test_a_file_of_a_room_above(self):
        self.changed("lib/format/names.cc", "#include", '#include "lib/cache/buffer_state.h"\n#include')
        status, words = self.object_of("format", "names.cc")
        self.assertNotEqual(status, 0)
        self.assertIn("lib/cache/buffer_state.h", words)

    def test_a_dependency_on_a_room_above_or_beside(self):
        for label, words in (
            ("//lib/volume", "cycle in dependency graph"),
            ("//lib/device", "not visible from target '//lib/format:format'"),
            ("//include/ebcache:volume", "not visible from target '//lib/format:format'"),
        ):
            with self.subTest(label):
                self.changed("lib/format/BUILD.bazel", '"//lib/base"', f'"//lib/base", "{label}"')
                done = self.bazel("build", "--nobuild", "//lib/format")
                self.doCleanups()
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(words, done.stdout)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main(verbosity=2)
