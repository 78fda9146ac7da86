"""The scorecard as a program: the shape of its output, and that what was not measured says so. Its
figures are the machine's, and are not looked at.

By hand: python3 tests/bench/scorecard_test.py PATH-OF-scorecard
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

SCORECARD = ""
# One row of each kind: timed, counted, against the peers, against libraries.
SOME_ROWS = "nothing can be evicted;allocate + free;find + put, 65,536 blocks, 1 thread, tree;crc32c"


def run(*arguments):
    environment = {k: v for k, v in os.environ.items() if k != "EBCACHE_SHARED"}
    return subprocess.run([SCORECARD, *arguments], capture_output=True, text=True, env=environment)


class ScorecardTest(unittest.TestCase):
    def test_rows_have_all_fields(self):
        with tempfile.TemporaryDirectory() as folder:
            page = os.path.join(folder, "card.html")
            done = run("--quick", "--repetitions=2", "--json", f"--rows={SOME_ROWS}", f"--html={page}")
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(page, encoding="utf-8") as file:
                html = file.read()
        card = json.loads(done.stdout)
        # Which of them the machine is, it is in all places.
        self.assertEqual(card["not_quiet"] != "", "the machine was not quiet" in done.stderr)
        rows = card["rows"]
        self.assertEqual(
            [row["row"] for row in rows],
            ["allocate + free a 16 KiB buffer, recycled memory",
             "nothing can be evicted",
             "nothing can be evicted, growth",
             "find + put, 65,536 blocks, 1 thread, tree-and-list",
             "crc32c runs on the processor's own instructions",
             "checksum of a node body, crc32c"],
        )
        for row in rows:
            self.assertLessEqual({"row", "ours", "theirs", "ratio", "spread", "goal", "met"}, set(row))
            self.assertGreater(row["ours"], 0, row)
            self.assertGreater(row["theirs"], 0, row)
            low, high = row["spread"]
            self.assertLessEqual(low, row["ratio"])
            self.assertLessEqual(row["ratio"], high)
            self.assertIn(row["met"], (True, False))
            self.assertRegex(row["goal"], "^at (least|most) [0-9.]+")
        # A page by itself, with the rows and the plots.
        self.assertNotIn("src=", html)
        self.assertNotIn("http", html)
        self.assertGreaterEqual(html.count("<svg"), 3)
        self.assertGreater(html.count("<circle"), 10)
        for row in rows:
            self.assertIn(row["row"], html)

    def test_counted_rows_are_what_they_are_on_every_machine(self):
        done = run("--quick", "--json", "--rows=nothing can be evicted;own instructions")
        rows = {row["row"]: row for row in json.loads(done.stdout)["rows"]}
        self.assertTrue(rows["nothing can be evicted"]["met"])
        # Twice the blocks: the walk past all of them is twice as long, and ours is not.
        growth = rows["nothing can be evicted, growth"]
        self.assertTrue(growth["met"])
        self.assertGreater(growth["theirs"], 1.5)

    def test_what_was_not_measured_says_why(self):
        done = run("--quick", "--json", "--rows=walk;hit ratio, cache of 256;lab: memory")
        self.assertEqual(done.returncode, 1, "nothing was measured")
        rows = json.loads(done.stdout)["rows"]
        self.assertEqual(len(rows), 5)
        for row in rows:
            self.assertIsNone(row["ours"])
            self.assertIsNone(row["met"])
            self.assertIsNone(row["spread"])
            self.assertNotEqual(row["not_measured"], "")
            self.assertIn(f"NOT MEASURED: {row['row']}", done.stderr)

    def test_text_is_a_table(self):
        done = run("--quick", "--repetitions=1", "--rows=nothing can be evicted;walk")
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], "| row | ours | theirs | ratio (spread) | goal | met |")
        self.assertEqual(sum(line.startswith("| nothing can be evicted") for line in lines), 2)
        self.assertEqual(sum("not measured:" in line for line in lines), 3)

    def test_bad_arguments_are_refused(self):
        for argument in ("--repetitions=0", "--repetitions=x", "operand", "--speed=fast"):
            done = run(argument)
            self.assertEqual(done.returncode, 2, argument)
            self.assertNotEqual(done.stderr, "")
            self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    SCORECARD = os.path.abspath(sys.argv.pop(1))
    unittest.main()
