"""What the tests on images have in common: the program under test, scratch space, comparison."""

import argparse
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import unittest

import dump_tree

EXIT_GOOD, EXIT_DAMAGED, EXIT_FAILED = 0, 1, 2
ALLOCATORS = ("heap", "order0", "high", "vmap", "movable")

_SANITIZER = re.compile(r"Sanitizer|runtime error:")
_ARGUMENTS = argparse.Namespace()


class Run:
    """A run of a program that has ended by itself."""

    def __init__(self, command, exit_code, stdout, stderr):
        self.command = command
        self.exit_code = exit_code
        self.stdout = stdout
        self.stderr = stderr

    def report(self):
        """What the program printed with --json."""
        return json.loads(self.stdout)

    def complaints(self):
        """The lines on stderr without the name of the program in front."""
        return [line.split(": ", 1)[1] for line in self.stderr.splitlines()]

    def __str__(self):
        return (
            f"{' '.join(self.command)}\nexit code {self.exit_code}\n"
            f"stdout:\n{self.stdout[:4000]}\nstderr:\n{self.stderr[:4000]}"
        )


def sanitizer():
    """The sanitizer that the program is built with: "asan", "tsan", "ubsan" or None."""
    with open(_ARGUMENTS.ebcache, "rb") as program:
        content = program.read()
    for name in ("asan", "tsan", "ubsan"):
        if b"lib" + name.encode() + b".so" in content:
            return name
    return None


def arguments():
    """What main() was given: `ebcache`, `quickstart`, ..."""
    return _ARGUMENTS


def command(subcommand, *words):
    """The words that run a subcommand; of the program that injects failures, if they are to be."""
    words = [str(word) for word in words]
    faulty = any(word.startswith("--inject-") for word in words)
    return [_ARGUMENTS.faulty if faulty else _ARGUMENTS.ebcache, subcommand, *words]


def failures(allocator):
    """Arguments with which half of all large folios, and a tenth of all windows, are not to be had."""
    windows = ("--inject-window-failures=10",) if allocator == "vmap" else ()
    return ("--inject-order-failures=50", *windows)


def seeds():
    """For tests that draw at random: one for each round."""
    return range(_ARGUMENTS.seed, _ARGUMENTS.seed + _ARGUMENTS.rounds)


def peak_rss_of_children():
    """Bytes; the largest of all programs run so far."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def flip_byte(path, offset):
    """Inverts one byte of a file."""
    with open(path, "r+b") as file:
        file.seek(offset)
        value = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([value ^ 0xFF]))


class ImageTest(unittest.TestCase):
    """A test with a scratch directory of its own."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(scratch.cleanup)
        self.scratch = pathlib.Path(scratch.name)

    def run_tree_stats(self, *arguments, timeout_s=60):
        return self.run_program(command("tree-stats", *arguments), timeout_s)

    def run_verify(self, *arguments, timeout_s=60):
        return self.run_program(command("verify", *arguments), timeout_s)

    def run_find_block(self, *arguments, timeout_s=60):
        return self.run_program(command("find-block", *arguments), timeout_s)

    def run_top(self, *arguments, timeout_s=60):
        return self.run_program(command("top", *arguments), timeout_s)

    def run_mini_dump(self, *arguments, timeout_s=60):
        return self.run_program([_ARGUMENTS.mini_dump, *map(str, arguments)], timeout_s)

    def run_program(self, words, timeout_s=60):
        """Runs a program, which must end in time, by itself, with an exit code it documents."""
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
        run = Run(words, done.returncode, done.stdout, done.stderr)
        self.assertNotRegex(run.stderr, _SANITIZER, str(run))
        self.assertNotIn("check failed", run.stderr, str(run))
        self.assertIn(run.exit_code, (EXIT_GOOD, EXIT_DAMAGED, EXIT_FAILED), str(run))
        return run

    def tree_stats(self, *arguments, timeout_s=60):
        """The report of a run that finds no damage."""
        run = self.run_tree_stats("--json", *arguments, timeout_s=timeout_s)
        self.assertEqual(run.exit_code, EXIT_GOOD, str(run))
        report = run.report()
        self.assertEqual(report["damage"], [], str(run))
        return report

    def counts(self, report):
        """{(id, offset): (levels, items)}, as dump_tree names trees."""
        counts = {}
        for tree in report["trees"]:
            offset = 0
            if tree["id"] in (dump_tree.LOG_TREE_ID, dump_tree.TREE_IDS["TREE_RELOC"]):
                words = tree["name"].split()  # "TREE_LOG 5"
                offset = int(words[1]) if len(words) > 1 else 0
            key = (tree["id"], offset)
            self.assertNotIn(key, counts, "a tree is there twice")
            counts[key] = (tree["levels"], tree["items"])
        return counts

    def check_against_dump_tree(self, report, devices):
        """Every tree is there, with the counts of both forms of dump-tree; totals add up."""
        counts = self.counts(report)
        expected = {
            key: (tree.levels, tree.items) for key, tree in dump_tree.all_trees(devices).items()
        }
        self.assertEqual(counts, expected)
        for tree_id, offset in counts:
            if offset == 0:  # -t cannot name the log of one subvolume
                tree = dump_tree.one_tree(devices, tree_id)
                self.assertEqual(
                    counts[tree_id, 0], (tree.levels, tree.items), f"dump-tree -t {tree_id}"
                )
        self.assertEqual(
            report["totals"]["items"], sum(items for _, items in counts.values()), "totals"
        )
        return expected

    def check_complaint(self, run):
        """The program refused: one clear line on stderr, nothing on stdout."""
        self.assertEqual(run.exit_code, EXIT_FAILED, str(run))
        self.assertEqual(run.stdout, "", str(run))
        self.assertEqual(len(run.stderr.splitlines()), 1, str(run))
        name = os.path.basename(run.command[0])
        if run.command[0] in (_ARGUMENTS.ebcache, _ARGUMENTS.faulty):
            name += " " + run.command[1]
        self.assertTrue(run.stderr.startswith(f"{name}: "), str(run))
        self.assertGreater(len(run.stderr), len(name) + 12, str(run))


class _LoudResult(unittest.TextTestResult):
    """Says at the end what was skipped, where it is not to be missed."""

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.stream.writeln(f"\nSKIPPED: {test}: {reason}")


def main():
    """Runs the tests of the calling script: our flags first, then those of unittest."""
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    parser.add_argument(
        "--ebcache", required=True, type=os.path.abspath, help="the program under test"
    )
    parser.add_argument("--faulty", type=os.path.abspath, help="the same, with --inject-...")
    parser.add_argument("--quickstart", type=os.path.abspath, help="another one")
    parser.add_argument("--mini-dump", type=os.path.abspath, help="and another one")
    parser.add_argument("--dump-items", type=os.path.abspath, help="and another one")
    parser.add_argument("--failing-reads", type=os.path.abspath, help="a library for LD_PRELOAD")
    parser.add_argument("--seed", type=int, default=1, help="first seed of random tests")
    parser.add_argument("--rounds", type=int, default=300, help="of random tests")
    _, rest = parser.parse_known_args(namespace=_ARGUMENTS)
    unittest.main(
        argv=[sys.argv[0], *rest],
        verbosity=2,
        testRunner=unittest.TextTestRunner(resultclass=_LoudResult, verbosity=2),
    )
