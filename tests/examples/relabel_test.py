"""examples/relabel.c: what it changes, and what others see of it then."""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ARGUMENTS = argparse.Namespace()
PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"


def run(*command):
    """The exit code of a program, and all that it wrote."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env={**os.environ, "PATH": PATH},
        check=False,
    )
    return done.returncode, done.stdout


@unittest.skipUnless(shutil.which("mkfs.btrfs", path=PATH), "SKIPPED: there is no mkfs.btrfs")
class RelabelTest(unittest.TestCase):
    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR")))
        self.addCleanup(shutil.rmtree, self.scratch)
        self.image = self.scratch / "image"
        with open(self.image, "wb") as image:
            image.truncate(128 << 20)
        self.check(0, "mkfs.btrfs", "-q", "-L", "before", self.image)

    def check(self, expected, *command):
        code, words = run(*command)
        self.assertEqual(code, expected, words)
        return words

    def label(self):
        words = self.check(0, "btrfs", "inspect-internal", "dump-super", self.image)
        return [line.split(maxsplit=1)[1:] for line in words.splitlines() if line[:5] == "label"]

    def time(self):
        words = self.check(0, "btrfs", "inspect-internal", "dump-tree", "-t", "5", self.image)
        return [line.split()[1] for line in words.splitlines() if line.split()[:1] == ["mtime"]]

    def test_it_changes_both(self):
        self.assertEqual(self.label(), [["before"]])
        self.check(0, ARGUMENTS.relabel, "a longer label", "1234567890", self.image)
        self.assertEqual(self.label(), [["a longer label"]])
        self.assertEqual(self.time(), ["1234567890.0"])
        self.check(0, "btrfs", "check", "--readonly", self.image)

    def test_what_is_refused_changes_nothing(self):
        before = self.image.read_bytes()
        words = self.check(1, ARGUMENTS.relabel, "x" * 256, "1", self.image)
        self.assertIn("255", words)
        self.assertEqual(self.image.read_bytes(), before)
        self.check(2, ARGUMENTS.relabel, "label", self.image)
        words = self.check(1, ARGUMENTS.relabel, "label", "1", self.scratch / "none")
        self.assertIn("none", words)

    def test_the_undo_file_is_left(self):
        undo = self.scratch / "undo"
        self.check(0, ARGUMENTS.relabel, f"--undo={undo}", "after", "1", self.image)
        self.assertTrue(undo.exists())
        words = self.check(1, ARGUMENTS.relabel, f"--undo={undo}", "again", "1", self.image)
        self.assertIn("undo", words)
        self.assertEqual(self.label(), [["after"]])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    parser.add_argument("--relabel", required=True, type=os.path.abspath)
    _, rest = parser.parse_known_args(namespace=ARGUMENTS)
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
