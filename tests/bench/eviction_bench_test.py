"""The eviction benchmark as a program: its figures are possible ones, and the command line is checked.

By hand: python3 tests/bench/eviction_bench_test.py PATH-OF-eviction_bench
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile
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
        printed = json.loads(done.stdout)
        (walk,) = printed["comparisons"]
        self.assertIsNone(printed["cross_validation"])
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

    def test_all_loads_are_told_of_with_the_worst_first(self):
        done = run("--json", "--generated", "64", "256")
        self.assertEqual(done.returncode, 0, done.stderr)
        printed = json.loads(done.stdout)
        self.assertGreater(len(printed["comparisons"]), 10)
        cells = printed["worst_first"]
        self.assertEqual(len(cells), 2 * len(printed["comparisons"]))
        points = [cell["points_over_lru"] for cell in cells]
        self.assertEqual(points, sorted(points))
        worst = min(
            size["points_over_lru"]
            for comparison in printed["comparisons"]
            for order in comparison["orders"]
            for size in order["sizes"]
            if order["name"] == "ebcache"
        )
        self.assertEqual(points[0], worst)
        summaries = {order["order"]: order for order in printed["orders"]}
        self.assertEqual(summaries["ebcache"]["worst_points"], min(worst, 0))
        self.assertEqual(summaries["LRU"]["worst_points"], 0)
        self.assertAlmostEqual(summaries["optimum"]["mean_gap_closed_percent"], 100)
        below = [order["worst_points"] for order in printed["orders"]]
        self.assertEqual(below, sorted(below))

    def test_constants_are_judged_where_they_were_not_chosen(self):
        with tempfile.TemporaryDirectory() as folder:
            traces = []
            for name, blocks in (("a", 100), ("b", 300)):
                traces.append(os.path.join(folder, name + ".gz"))
                with gzip.open(traces[-1], "wt", encoding="ascii") as file:
                    for i in range(5000):
                        file.write(f"f{i % blocks:x}\n")
            done = run("--json", "--cross-validate", "-t", traces[0], "-t", traces[1], "64")
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)["cross_validation"]
        self.assertGreater(len(found["variants"]), 5)
        self.assertEqual(
            [fold["chosen_on"] for fold in found["folds"]],
            ["all but a.gz", "all but b.gz", "all but made-up loads", "a.gz", "b.gz", "made-up loads"],
        )
        variants = {summary["order"]: summary for summary in found["variants"]}
        for fold in found["folds"]:
            self.assertIn(fold["variant"], variants)
            # Each gap is either chosen on or judged.
            self.assertEqual(fold["chosen"]["gaps"] + fold["judged"]["gaps"],
                             variants[fold["variant"]]["gaps"])

    def test_what_is_printed_follows_the_schema(self):
        schema = json.loads(run("--json-schema").stdout)

        def check(value, rule, place):
            if "$ref" in rule:
                rule = schema["$defs"][rule["$ref"].rsplit("/", 1)[1]]
            if "enum" in rule:
                self.assertIn(value, rule["enum"], place)
                return
            types = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
            kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool,
                     "number": (int, float), "null": type(None)}
            self.assertTrue(any(isinstance(value, kinds[kind]) for kind in types), place)
            if isinstance(value, dict):
                self.assertEqual(set(rule["required"]), set(value), place)
                for name, member in value.items():
                    check(member, rule["properties"][name], f"{place}.{name}")
            if isinstance(value, list):
                for item in value:
                    check(item, rule["items"], place + "[]")

        check(json.loads(run("--json", "--generated", "64").stdout), schema, "")

    def test_text_is_a_table(self):
        lines = run("64").stdout.splitlines()
        self.assertEqual(sum(line.startswith(("LRU ", "ebcache ", "optimum ")) for line in lines), 6)

    def test_bad_arguments_are_refused(self):
        for argument in ("--sizes=3", "15", "many", "--seed=x", "--trace=/nonexistent"):
            done = run(argument)
            self.assertEqual(done.returncode, 2, argument)
            self.assertNotEqual(done.stderr, "")
            self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    BENCH = os.path.abspath(sys.argv.pop(1))
    unittest.main()
