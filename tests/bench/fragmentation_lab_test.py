"""The lab's claims, on a machine of 8 GiB: all that can be recovered is, with the hint more than
without it, and the same figures for the same seed.

By hand: python3 tests/bench/fragmentation_lab_test.py PATH-OF-fragmentation_lab
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

LAB = ""


def run_lab(*flags):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "lab.json")
        page = os.path.join(folder, "lab.html")
        proc = os.path.join(folder, "lab.proc")
        done = subprocess.run(
            [LAB, "--memory-gib=8", "--btree-gib=1", f"--json={path}", f"--html={page}",
             f"--proc={proc}", *flags],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        with open(path, encoding="utf-8") as file:
            figures = json.load(file)
        with open(page, encoding="utf-8") as file:
            html = file.read()
        with open(proc, encoding="utf-8") as file:
            figures["proc"] = file.read()
        return figures, done.stdout, html, done.stderr


def without_times(figures):
    return [{k: v for k, v in run.items() if k != "seconds"} for run in figures["runs"]]


class FragmentationLabTest(unittest.TestCase):
    def test_a_full_device_is_told_of(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([LAB, "--help"], stdout=full, stderr=subprocess.PIPE,
                                  encoding="utf-8", check=False)
        self.assertEqual(done.returncode, 2, done)
        self.assertIn("cannot write the result: No space left on device", done.stderr)

    @classmethod
    def setUpClass(cls):
        cls.figures, cls.text, cls.html, cls.messages = run_lab()
        cls.runs = {(run["policy"], run["hint"]): run for run in cls.figures["runs"]}

    def test_four_runs_with_all_fields(self):
        self.assertEqual(len(self.runs), 4)
        for run in self.figures["runs"]:
            self.assertEqual(
                set(run),
                {"hint", "policy", "superpageblocks", "tainted", "holding_btree", "recoverable",
                 "huge_1g_obtained", "pages_migrated", "buffers_released", "skipped", "seconds",
                 "lucky_share_made", "lucky_share_cached"},
            )
            self.assertGreater(run["lucky_share_made"], 0.1)
            self.assertLess(run["lucky_share_made"], 1)
            self.assertLess(run["lucky_share_cached"], 1)
            self.assertEqual(run["superpageblocks"], 8)
        self.assertEqual(self.figures["assumptions"]["memory_gib"], 8)
        self.assertGreater(self.figures["peak_rss_bytes"], 0)
        self.assertLess(self.figures["peak_rss_bytes"], 1 << 30)

    def test_what_is_free_is_free_once_by_place_and_by_kind(self):
        machines = re.split(r"^(\w+), hint (on|off):$", self.figures["proc"], flags=re.MULTILINE)
        self.assertEqual(len(machines), 1 + 3 * 4)
        for policy, text in zip(machines[1::3], machines[3::3]):
            zones = re.findall(r"^Node 0, zone +\d+((?: +\d+)+)$", text, re.MULTILINE)
            kinds = re.findall(r"^Node +0, zone +Normal, type +\w+ +((?: +\d+)+)$", text,
                               re.MULTILINE)
            self.assertEqual(len(kinds), 4, text)
            self.assertGreaterEqual(len(zones), 2 if policy == "superpageblock" else 1, text)
            by_zone, by_kind = (
                [sum(column) for column in zip(*(map(int, row.split()) for row in rows))]
                for rows in (zones, kinds)
            )
            self.assertEqual(by_zone, by_kind)
            self.assertGreater(sum(by_zone), 0)
            blocks = re.search(r"^Node 0, zone +Normal ((?: +\d+)+)$", text, re.MULTILINE)
            self.assertEqual(sum(map(int, blocks[1].split())), 8 * 512)  # of 2 MiB in 8 GiB

    def test_with_the_hint_everything_recoverable_is_obtained(self):
        run = self.runs["superpageblock", True]
        self.assertEqual(run["huge_1g_obtained"], run["recoverable"])
        self.assertGreater(run["pages_migrated"], 0)
        self.assertGreater(run["holding_btree"], run["tainted"])

    def test_without_the_hint_btree_pages_pin_theirs(self):
        on = self.runs["superpageblock", True]
        off = self.runs["superpageblock", False]
        self.assertGreater(off["tainted"], on["tainted"])
        self.assertLess(off["huge_1g_obtained"], on["huge_1g_obtained"])
        self.assertEqual(off["buffers_released"], 0)
        # Where btree pages are, nothing is recovered.
        self.assertLessEqual(off["huge_1g_obtained"], 8 - off["holding_btree"])

    def test_page_blocks_alone_keep_kinds_less_apart(self):
        for hint in (False, True):
            self.assertGreater(
                self.runs["pageblock", hint]["tainted"],
                self.runs["superpageblock", hint]["tainted"],
            )

    def test_same_seed_same_figures(self):
        again, _, _, _ = run_lab("--policy=superpageblock", "--hint=on", "--seed=1")
        self.assertEqual(
            without_times(again), [r for r in without_times(self.figures)
                                   if r["hint"] and r["policy"] == "superpageblock"])
        other, _, _, _ = run_lab("--policy=superpageblock", "--hint=on", "--seed=2")
        self.assertNotEqual(without_times(other), without_times(again))

    def test_text_says_what_is_assumed_and_nothing_else_is_printed(self):
        self.assertIn("It is assumed:", self.text)
        self.assertEqual(len(re.findall(r"^(?:page|superpage)block ", self.text, re.M)), 4)
        self.assertEqual(self.messages, "")

    def test_page_is_self_contained(self):
        self.assertEqual(re.findall(r"(?:src|href)\s*=", self.html), [])
        self.assertEqual(self.html.count("<canvas"), 8)
        for run in self.figures["runs"]:
            self.assertIn(f"<td>{run['lucky_share_made'] * 100:.1f} %</td>", self.html)
        self.assertIn("66.3 %", self.html)
        (maps,) = re.findall(r"const maps = (.*);</script>", self.html)
        names, cells, columns = zip(*json.loads(maps))
        self.assertEqual(sorted(names), sorted(re.findall(r'<canvas id="(\w+)"', self.html)))
        self.assertEqual([len(cell) for cell in cells], [8 * 512] * 8)
        self.assertRegex("".join(cells), "^[a-i]*$")
        self.assertEqual(columns, (512,) * 8)

    def test_bad_flags_are_refused(self):
        for flag in ("--memory-gib=2", "--btree-gib=0", "--btree-gib=5", "--hint=maybe", "--json="):
            done = subprocess.run([LAB, "--memory-gib=8", "--btree-gib=1", flag],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 2, flag)
            self.assertNotEqual(done.stderr, "")


if __name__ == "__main__":
    LAB = os.path.abspath(sys.argv.pop(1))
    unittest.main()
