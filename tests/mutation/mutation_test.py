"""The mutation tool, on a sample whose mutants are known: one that changes nothing, one that a test
notices, one that the compiler refuses.

By hand: python3 tests/mutation/mutation_test.py
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

try:
    sys.path.append("/usr/lib/python3/dist-packages")
    import clang.cindex  # noqa: E402, F401
except ImportError:
    print("SKIPPED: clang's bindings for Python are not there (build/packages_clang.txt)")
    sys.exit(0)

import explained  # noqa: E402
import places  # noqa: E402
import report  # noqa: E402
import rewrite  # noqa: E402
import run  # noqa: E402
from build import Builder, BuildError  # noqa: E402
from campaign import Campaign  # noqa: E402
from running import Runner  # noqa: E402
from targets import Program, Test, Unit  # noqa: E402

SAMPLE = """\
#include "lib/sample/sample.h"

constexpr int kLimit = 10 + 5;

int Clamp(int value) {
  // At the limit both ways give the same: `>` and `>=` cannot be told apart.
  if (value > kLimit) return kLimit;
  return value;
}

int Sum(const int* values, int count) {
  const char* nothing = 0;
  int sum = nothing == nullptr ? 0 : 1;
  for (int i = 0; i < count; ++i) {
    sum += values[i];
  }
  return sum;
}

int Never(int value) { return value * 3; }

int Hinted(const int* values, int count) {
  if (count > 2000) count = 2000;
  __builtin_prefetch(values + 77);
  return std::min(count, values[0]) + std::max(count, 5);
}

int Measured(int count) {
  static_assert(5000 + 1 > 5000);
  return count;
}
"""
HEADER = """\
#include <algorithm>
int Clamp(int value);
int Sum(const int* values, int count);
int Never(int value);
"""
MAIN = """\
#include "lib/sample/sample.h"
int main() {
  const int values[] = {1, 2, 3};
  return Sum(values, 3) == 6 && Clamp(3) == 3 && Clamp(15) == 15 && Clamp(99) == 15 ? 0 : 1;
}
"""
FILE = "lib/sample/sample.cc"


class Silent:
    def step(self, *_):
        pass


def write(top, name, text):
    path = os.path.join(top, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def find(mutants, operator, old, new):
    found = [m for m in mutants if (m.operator, m.old, m.new) == (operator, old, new)]
    assert len(found) == 1, (operator, old, new, [m.describe() for m in mutants])
    return found[0]


# Test cases that ask switches, and one that is asked when all of them are done.
CASES = """
#include <gtest/gtest.h>
#include "tests/mutation/switch.h"
TEST(Sample, Two) { EXPECT_FALSE(EBCACHE_MUTANT(2) || EBCACHE_MUTANT(1)); }
TEST(Sample, Fails) { EXPECT_TRUE(EBCACHE_MUTANT(1)); }
class Last : public testing::Environment {
  void TearDown() override { (void)EBCACHE_MUTANT(5); }
};
const auto* const kLast = testing::AddGlobalTestEnvironment(new Last);
"""


class MutationTest(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.top)
        self.tree = self.top + "/tree"
        for top in (self.top, self.tree):
            write(top, FILE, SAMPLE)
            write(top, "lib/sample/sample.h", HEADER)
            write(top, "tests/sample/main.cc", MAIN)
        for name in ("switch.h", "switch.cc", "reached.h"):
            os.makedirs(self.tree + "/tests/mutation", exist_ok=True)
            shutil.copy(f"{HERE}/{name}", f"{self.tree}/tests/mutation/{name}")
        self.program = Program("//tests/sample:main", "tests/sample/main",
                               [Unit(FILE, ()), Unit("tests/sample/main.cc", ())], [])
        self.test = Test(self.program.label, [self.program.label], "", [])

    def places(self):
        mutants = [m for m in places.find(self.top, FILE) if not m.rule]
        for number, mutant in enumerate(mutants):
            mutant.number = number
        return mutants

    def builder(self, mutants):
        return Builder(self.top, self.tree, self.top + "/objects", mutants, 2, Silent())

    def run_all(self, mutants):
        builder = self.builder(mutants)
        builder.build([self.program])
        digests = {self.test.label: builder.digest([self.program])}
        runner = Runner(self.tree, [self.test], {self.program.label: self.program}, len(mutants),
                        digests)
        reaches = runner.record(self.test.label)
        campaign = Campaign(runner, reaches, self.top + "/results.jsonl", 2, Silent())
        alive = [m for m in mutants if m.number in builder.alive]
        return builder, alive, campaign.run(alive)

    def test_each_kind_of_mutant_comes_to_its_end(self):
        mutants = self.places()
        builder, alive, results = self.run_all(mutants)

        killed = find(mutants, "assignment", "sum += values[i]", "sum -= values[i]")
        self.assertEqual(results[killed.number]["outcome"], "killed")
        self.assertEqual(results[killed.number]["how"], "failed")
        self.assertEqual(results[killed.number]["test"], self.test.label)

        equivalent = find(mutants, "comparison", "value > kLimit", "value >= kLimit")
        self.assertEqual(results[equivalent.number]["outcome"], "survived")
        self.assertTrue(results[equivalent.number]["reached"])

        never = find(mutants, "arithmetic", "value * 3", "value + 3")
        self.assertEqual(results[never.number]["outcome"], "survived")
        self.assertFalse(results[never.number]["reached"])

        # An integer that is no null pointer.
        refused = [m for m in mutants if m.number in builder.dropped]
        self.assertEqual([(m.old, m.new, m.line) for m in refused], [("0", "1", 12)])

        # One that never ends is stopped by its time.
        endless = find(mutants, "step", "++i", "--i")
        self.assertEqual(results[endless.number]["outcome"], "killed")

        data = report.summary(alive, results, builder.dropped,
                              {equivalent.key(): "at the limit both give it"}, [], 0)
        self.assertEqual(data["survived_explained"], 1)
        self.assertEqual(data["did_not_build"], 1)
        self.assertEqual(data["killed"] + data["survived"], len(alive))
        self.assertIn("equivalent: at the limit both give it", report.text(data))

    def test_nothing_that_the_compiler_evaluates_is_changed(self):
        self.assertFalse([m for m in self.places() if m.line == 3])

    def test_without_a_mutant_the_sample_is_the_original(self):
        mutants = self.places()
        rewritten = rewrite.rewrite(SAMPLE, mutants)
        self.assertEqual(rewritten.text.count("EBCACHE_MUTANT("), len(mutants))
        self.assertEqual(rewrite.rewrite(SAMPLE, []).text, SAMPLE)

    def test_results_of_the_same_binaries_stand(self):
        mutants = self.places()[:3]
        self.run_all(mutants)
        with open(self.top + "/results.jsonl", encoding="utf-8") as file:
            lines = file.readlines()
        self.run_all(mutants)
        with open(self.top + "/results.jsonl", encoding="utf-8") as file:
            self.assertEqual(file.readlines(), lines)

    def test_an_error_that_no_mutant_makes_stops_the_build(self):
        write(self.tree, "tests/sample/main.cc", "int main() { return unknown; }\n")
        with self.assertRaisesRegex(BuildError, "no mutant is to blame"):
            self.builder(self.places()).build([self.program])

    def test_each_case_tells_what_it_reaches(self):
        write(self.tree, "cases.cc", CASES)
        here = os.path.realpath(HERE)
        os.makedirs(f"{self.tree}/tests/mutation", exist_ok=True)
        shutil.copy(f"{here}/listener.cc", f"{self.tree}/tests/mutation/listener.cc")
        subprocess.run(["g++", "-std=c++20", "-I.", "-o", "cases", "cases.cc",
                        "tests/mutation/listener.cc", "tests/mutation/switch.cc", "-lgtest",
                        "-lgtest_main", "-lpthread"], cwd=self.tree, check=True)
        write(self.tree, "bits", "\0" * 8)
        done = subprocess.run(["./cases"], cwd=self.tree, stdout=subprocess.DEVNULL, check=False,
                              env={**os.environ, "EBCACHE_MUTATION_CASES": "cases.jsonl",
                                   "EBCACHE_MUTANTS_REACHED": "bits"})
        self.assertEqual(done.returncode, 1, "one case fails")
        with open(f"{self.tree}/cases.jsonl", encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        self.assertEqual(
            [(line["case"], line["outcome"], line["mutants"]) for line in lines],
            [("", "passed", []), ("Sample.Two", "passed", [1, 2]), ("", "passed", []),
             ("Sample.Fails", "failed", [1]), ("", "passed", [5])])
        self.assertTrue(all(line["ms"] >= 0 for line in lines))

    def test_the_tool_is_a_program(self):
        self.assertTrue(os.access(f"{HERE}/run.py", os.X_OK))

    def test_what_no_run_can_tell_is_left_alone(self):
        mutants = [m for m in self.places() if m.function == "Hinted"]
        olds = {m.old for m in mutants}
        self.assertIn("count > 2000", olds)
        self.assertIn("2000", olds)
        for old in olds:
            self.assertNotIn("77", old)
        self.assertEqual([m for m in mutants if m.operator == "swap"], [])

    def test_what_is_left_out_says_by_which_rule(self):
        rules = {}
        for mutant in places.find(self.top, FILE):
            rules.setdefault(mutant.old, set()).add(mutant.rule)
        self.assertEqual(rules["77"], {places.HINT})
        self.assertEqual(rules["5000"], {places.EVALUATED})
        self.assertEqual(rules["std::max(count, 5)"], {places.EITHER_WAY})
        self.assertEqual(rules["value * 3"], {""})

    def test_of_a_hash_mix_only_the_constants_are_left_out(self):
        write(self.top, "lib/sample/ghost_table.cc",
              "unsigned Hash(unsigned key) { return key * 77u; }\n")
        rules = {m.old: m.rule for m in places.find(self.top, "lib/sample/ghost_table.cc")}
        self.assertEqual(rules["77u"], places.SPREAD)
        self.assertEqual(rules["key * 77u"], "")

    def test_a_room_that_moves_changes_neither_the_draw_nor_what_is_explained(self):
        before = self.places()
        drawn = [m.key() for m in run.draw(before, 5, 20)]
        for mutant in before:
            mutant.file = mutant.file.replace("lib/sample/", "elsewhere/sample/deeper/")
        self.assertEqual([m.key() for m in run.draw(before, 5, 20)], drawn)

    def test_a_draw_depends_on_each_mutant_alone(self):
        before = self.places()
        drawn = run.draw(before, 5, 20)
        text = SAMPLE.replace("int Never", "int Between(int a) { return a + 1; }\n\nint Never")
        write(self.top, FILE, text)
        after = self.places()
        self.assertGreater(len(after), len(before))
        keys = {m.key() for m in run.draw(after, 5, 20)}
        new = {m.key() for m in after} - {m.key() for m in before}
        self.assertEqual(keys - new - {m.key() for m in drawn}, set())
        self.assertNotEqual([m.key() for m in run.draw(before, 6, 20)], [m.key() for m in drawn])

    def test_survivors_of_a_report_are_found_again(self):
        places_now = self.places()
        survivor = find(places_now, "arithmetic", "value * 3", "value + 3")
        gone = dict(vars(survivor), function="Gone")
        write(self.top, "report.json", json.dumps({"survivors": [vars(survivor), gone]}))
        again = run.survivors(self.places(), self.top + "/report.json")
        self.assertEqual([m.key() for m in again], [survivor.key()])
        self.assertEqual(again[0].number, 0)

    def test_explanations_survive_moved_lines_and_go_stale_with_the_code(self):
        place = find(self.places(), "comparison", "value > kLimit", "value >= kLimit")
        entry = {"file": FILE, "function": "Clamp", "operator": "comparison",
                 "old": "value  >  kLimit", "new": "value >= kLimit", "why": "the limit is the limit"}
        path = self.top + "/explained.json"
        write(self.top, "explained.json", json.dumps([entry]))
        known = explained.load(path)
        write(self.top, FILE, "// A line more.\n\n" + SAMPLE)
        moved = self.places()
        self.assertNotIn(place.line, [m.line for m in moved if m.key() == place.key()])
        self.assertEqual(explained.stale(known, moved, {FILE}), [])

        write(self.top, FILE, SAMPLE.replace("value > kLimit", "value > 15"))
        self.assertEqual(len(explained.stale(known, self.places(), {FILE})), 1)
        self.assertEqual(explained.stale(known, self.places(), {"lib/other.cc"}), [])

        write(self.top, "explained.json", json.dumps([{**entry, "why": " "}]))
        with self.assertRaisesRegex(ValueError, "no reason"):
            explained.load(path)


if __name__ == "__main__":
    unittest.main()
