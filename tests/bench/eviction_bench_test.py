"""The eviction benchmark as a program: its figures are possible ones, and the command line is checked.

By hand: python3 tests/bench/eviction_bench_test.py PATH-OF-eviction_bench
"""

import json
import os
import subprocess
import sys
import unittest

BENCH = ""


def run(*arguments):
    environment = {k: v for k, v in os.environ.items() if k != "EBCACHE_SHARED"}
    return subprocess.run([BENCH, *arguments], capture_output=True, text=True, env=environment)


class EvictionBenchTest(unittest.TestCase):
    def test_no_order_beats_the_optimum(self):
        done = run("--json", "64", "300")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("left out", done.stderr)
        (walk,) = json.loads(done.stdout)["comparisons"]
        orders = {order["name"]: order["sizes"] for order in walk["orders"]}
        self.assertEqual(len(orders), 9)
        for name, sizes in orders.items():
            self.assertEqual([size["cache_blocks"] for size in sizes], [64, 300], name)
            for size, best in zip(sizes, orders["optimum"]):
                self.assertGreater(size["hits"], 0, name)
                self.assertLessEqual(size["hits"], best["hits"], name)
            # No order here loses by having more room.
            self.assertLess(sizes[0]["hits"], sizes[1]["hits"], name)
        self.assertEqual(run("--json", "64", "300").stdout, done.stdout)

    def test_a_full_device_is_told_of(self):
        for words in (["16"], ["--json", "16"], ["--help"]):
            with open("/dev/full", "w", encoding="ascii") as full:
                done = subprocess.run([BENCH, *words], stdout=full, stderr=subprocess.PIPE,
                                      encoding="utf-8", check=False)
            self.assertEqual(done.returncode, 2, done)
            self.assertIn("cannot write the result: No space left on device", done.stderr)

    def test_text_is_a_table(self):
        lines = run("64").stdout.splitlines()
        self.assertEqual(sum(line.startswith(("LRU ", "ebcache ", "optimum ")) for line in lines), 3)

    def test_bad_arguments_are_refused(self):
        for argument in ("--sizes=3", "15", "many", "--seed=x", "--trace=/nonexistent"):
            done = run(argument)
            self.assertEqual(done.returncode, 2, argument)
            self.assertNotEqual(done.stderr, "")
            self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    BENCH = os.path.abspath(sys.argv.pop(1))
    unittest.main()
