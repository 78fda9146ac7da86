"""Completion for bash offers what the program has: its subcommands, their options, and the words that
options take.

By hand: python3 tests/tools/completion_test.py --ebcache=PATH --completion=package/completion.bash
"""

import argparse
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ARGUMENTS = argparse.Namespace()
DEADLINE_S = 60

# Prints what is offered for the words given, of which the last is being typed.
ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
_ebcache "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def options(*words):
    """Options as the program's help has them: ["--json", "--threads=N"]."""
    help_text = subprocess.run(
        [ARGUMENTS.ebcache, *words, "--help"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    return re.findall(r"^ {4}(?:-[a-z], )?(--\S+)", help_text, re.MULTILINE)


def subcommands():
    help_text = subprocess.run(
        [ARGUMENTS.ebcache, "--help"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    return re.findall(r"^    ([a-z][a-z-]*)  +\w", help_text.split("Subcommands:")[1], re.MULTILINE)


class CompletionTest(unittest.TestCase):
    def ask(self, *words):
        """What bash is told for `ebcache WORDS`, typed as bash splits it."""
        done = subprocess.run(
            ["bash", "--norc", "-c", ASK, "bash", ARGUMENTS.completion, ARGUMENTS.ebcache, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_subcommands(self):
        names = subcommands()
        self.assertIn("verify", names)
        self.assertIn("help", names)
        self.assertEqual(self.ask(""), names)
        self.assertEqual(self.ask("help", ""), names)
        self.assertEqual(self.ask("ver"), ["verify"])
        self.assertEqual(self.ask("--help", "to"), ["top"])
        self.assertEqual(self.ask("-"), ["--help", "--version"])

    def test_every_option_of_every_subcommand(self):
        for name in subcommands():
            if name == "help":
                continue
            with self.subTest(name):
                expected = [re.sub(r"=.*", "=", option) for option in options(name)]
                self.assertGreater(len(expected), 4)
                self.assertEqual(self.ask(name, "--"), expected)
                # Behind other options and operands as well.
                self.assertEqual(self.ask(name, "--json", "disk.img", "--"), expected)
                for option in expected:
                    self.assertIn(option, self.ask(name, option.rstrip("=")))

    def test_words_that_an_option_takes(self):
        checked = 0
        for name in subcommands():
            for option in options(name) if name != "help" else ():
                flag, _, values = option.partition("=")
                words = values.split("|") if "|" in values else []
                with self.subTest(name, option=option):
                    if values:
                        self.assertEqual(self.ask(name, flag, "=", ""), words)
                        self.assertEqual(self.ask(name, flag, "="), words)
                        self.assertEqual(self.ask(name, flag, ""), words)
                    for word in words:
                        self.assertIn(word, self.ask(name, flag, "=", word[:2]))
                        checked += 1
        self.assertGreater(checked, 10)

    def test_operands_are_files(self):
        # Nothing is offered, and bash falls back to names of files.
        self.assertEqual(self.ask("verify", "d"), [])
        self.assertEqual(self.ask("verify", "--", "--j"), [])
        self.assertEqual(self.ask("verify", "--json", ""), [])
        self.assertEqual(self.ask("no-such-thing", "--"), [])

    def type(self, keys, until):
        """What an interactive bash shows when these keys are typed."""
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        scratch = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(shutil.rmtree, scratch)
        os.symlink(ARGUMENTS.ebcache, os.path.join(scratch, "ebcache"))
        with open(os.path.join(scratch, "picture.img"), "wb"):
            pass
        shell = subprocess.Popen(
            ["bash", "--norc", "-i"],
            cwd=scratch,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "TERM": "dumb", "PATH": f"{scratch}:{os.environ.get('PATH', '')}",
                 "INPUTRC": "/dev/null", "HOME": scratch},
        )
        os.close(theirs)
        self.addCleanup(shell.wait)
        self.addCleanup(shell.kill)
        os.write(ours, f"source {ARGUMENTS.completion}; echo rea''dy\n".encode())
        self.read_until(ours, "ready\r\n")
        os.write(ours, keys.encode())
        return self.read_until(ours, until)

    def read_until(self, terminal, enough):
        deadline = time.monotonic() + DEADLINE_S
        seen = ""
        while enough not in seen:
            self.assertLess(time.monotonic(), deadline, f"no {enough!r} in {seen!r}")
            if select.select([terminal], [], [], 0.1)[0]:
                seen += os.read(terminal, 65536).decode(errors="replace")
        return seen

    def test_typed(self):
        self.type("ebcache ver\t", "ebcache verify ")
        self.type("ebcache tree-stats --allocator=mov\t", "--allocator=movable ")
        self.type("ebcache verify --queue\t", "--queue-depth=")
        self.type("ebcache verify pict\t", "verify picture.img")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("--ebcache", "--completion"):
        parser.add_argument(name, required=True, type=os.path.abspath)
    _, rest = parser.parse_known_args(namespace=ARGUMENTS)
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
