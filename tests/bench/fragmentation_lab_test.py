"""The lab's claims, on a machine of 8 GiB: all that can be recovered is, with the hint more than
without it, and the same figures for the same seed. And the preset that a kernel was measured with:
what its mechanisms promise, and the comparison, with a kernel file made here.

By hand: python3 tests/bench/fragmentation_lab_test.py PATH-OF-fragmentation_lab SCHEMA
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

LAB = ""
SCHEMA = ""


def run_lab(*flags, size=("--memory-gib=8", "--btree-gib=1")):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "lab.json")
        page = os.path.join(folder, "lab.html")
        proc = os.path.join(folder, "lab.proc")
        done = subprocess.run(
            [LAB, *size, f"--json={path}", f"--html={page}", f"--proc={proc}", *flags],
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


def run_kernel_preset(*flags):
    return run_lab("--preset=kernel-6.12", *flags, size=("--memory-gib=2.3",))


def without_times(figures):
    return [{k: v for k, v in run.items() if k != "seconds"} for run in figures["runs"]]


def faults(value, schema, path=""):
    """What of a value is not as the schema has it; of the words that the schema uses."""
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
             "integer": int, "number": (int, float)}
    wanted = schema.get("type")
    if wanted is not None:
        wanted = wanted if isinstance(wanted, list) else [wanted]
        if not any(isinstance(value, kinds[w]) and not (w in ("integer", "number") and
                   isinstance(value, bool)) for w in wanted):
            return [f"{path}: is no {wanted}"]
    found = []
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        found += [f"{path}: lacks {k}" for k in schema.get("required", []) if k not in value]
        rest = schema.get("additionalProperties", True)
        for key, item in value.items():
            if key in properties:
                found += faults(item, properties[key], f"{path}/{key}")
            elif rest is False:
                found.append(f"{path}: {key} is not in the schema")
            elif isinstance(rest, dict):
                found += faults(item, rest, f"{path}/{key}")
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            found += faults(item, schema["items"], f"{path}/{i}")
    return found


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

    def test_json_is_as_its_schema_says(self):
        with open(SCHEMA, encoding="utf-8") as file:
            schema = json.load(file)
        figures = {k: v for k, v in self.figures.items() if k != "proc"}
        self.assertEqual(faults(figures, schema), [])
        self.assertNotEqual(faults(dict(figures, unknown=1), schema), [])

    def test_four_runs(self):
        self.assertEqual(len(self.runs), 4)
        for run in self.figures["runs"]:
            self.assertGreater(run["lucky_share_made"], 0.1)
            self.assertLess(run["lucky_share_made"], 1)
            self.assertLess(run["lucky_share_cached"], 1)
            self.assertEqual(run["superpageblocks"], 8)
        self.assertEqual(self.figures["assumptions"]["memory_gib"], 8)
        self.assertGreater(self.figures["peak_rss_bytes"], 0)
        self.assertLess(self.figures["peak_rss_bytes"], 1 << 30)

    def test_a_census_accounts_for_every_page(self):
        for run in self.figures["runs"]:
            for stage, census in {**run["stages"], **run["huge_2m_stages"]}.items():
                pages = {k: v for k, v in census["pages"].items()
                         if k not in ("btree_busy", "btree_bare")}  # parts of btree
                all_pages = 512 * census["usable_pageblocks"]
                # The other users' private buffers are not counted by themselves.
                self.assertLessEqual(sum(pages.values()), all_pages, stage)
                self.assertGreater(sum(pages.values()), 0.99 * all_pages, stage)

    def test_ranges_are_what_the_page_blocks_are(self):
        for run in self.figures["runs"]:
            census = run["stages"]["end"]
            ranges = census["ranges_mib"]
            blocks, clean, neither, btree = ranges["2"]
            self.assertEqual(blocks, census["usable_pageblocks"])
            self.assertEqual(clean, blocks - census["usable_with_kernel_pages"])
            self.assertEqual(btree, census["usable_with_btree"])
            sizes = sorted(map(int, ranges))
            self.assertEqual(sizes, [2 << i for i in range(10)])
            for small, large in zip(sizes, sizes[1:]):
                # A clean range is made of clean halves.
                self.assertLessEqual(2 * ranges[str(large)][1], ranges[str(small)][1])
                self.assertLessEqual(ranges[str(large)][2], ranges[str(large)][1])

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

    def test_with_superpageblocks_btree_pages_without_the_hint_pin_theirs(self):
        on = self.runs["superpageblock", True]
        off = self.runs["superpageblock", False]
        self.assertGreater(off["tainted"], on["tainted"])
        self.assertLess(off["huge_1g_obtained"], on["huge_1g_obtained"])
        self.assertLessEqual(off["huge_1g_obtained"], 8 - off["holding_btree"])

    def test_page_blocks_alone_keep_kinds_less_apart(self):
        self.assertGreater(self.runs["pageblock", True]["tainted"],
                           self.runs["superpageblock", True]["tainted"])

    def test_same_seed_same_figures(self):
        again, _, _, _ = run_lab("--policy=superpageblock", "--hint=on", "--seed=1")
        self.assertEqual(
            without_times(again), [r for r in without_times(self.figures)
                                   if r["hint"] and r["policy"] == "superpageblock"])
        other, _, _, _ = run_lab("--policy=superpageblock", "--hint=on", "--seed=2")
        self.assertNotEqual(without_times(other), without_times(again))

    def test_text_says_what_is_assumed_and_nothing_else_is_printed(self):
        self.assertIn("It is assumed, of the workload:", self.text)
        for name in self.figures["assumptions"]:
            if name not in ("memory_gib", "btree_gib", "preset", "seed", "seeds"):
                self.assertIn(f"  {name}: ", self.text)
        self.assertEqual(self.messages, "")

    def test_page_is_self_contained(self):
        self.assertEqual(re.findall(r"(?:src|href)\s*=", self.html), [])
        self.assertEqual(self.html.count("<canvas"), 12)
        self.assertEqual(self.html.count("<svg"), 5)
        for word in ("GiB", "job ended", "full", "churned", "size of the range"):
            self.assertIn(word, self.html)
        (maps,) = re.findall(r"const maps = (.*);</script>", self.html)
        names, cells = zip(*json.loads(maps))
        self.assertEqual(sorted(names), sorted(re.findall(r'<canvas id="(\w+)"', self.html)))
        self.assertEqual([len(cell) for cell in cells], [8 * 512] * 12)
        self.assertRegex("".join(cells), "^[a-i]*$")

    def test_bad_flags_are_refused(self):
        for flag in ("--memory-gib=0.5", "--memory-gib=much", "--btree-gib=0", "--btree-gib=5",
                     "--hint=maybe", "--json=", "--set=slabs", "--set=slabs=-1", "--set=slobs=1",
                     "--set=job=0.8", "--preset=kernel-2.4", "--seeds=0"):
            done = subprocess.run([LAB, "--memory-gib=8", "--btree-gib=1", flag],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 2, flag)
            self.assertNotEqual(done.stderr, "")


class KernelPresetTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.figures = run_kernel_preset()[0]
        cls.runs = {run["hint"]: run for run in cls.figures["runs"]}

    def end(self, hint):
        return self.runs[hint]["stages"]["end"]

    def test_the_hint_takes_btree_pages_out_of_unmovable_blocks(self):
        off, on = self.end(False), self.end(True)
        self.assertGreater(off["pageblocks_by_type"]["unmovable"],
                           2 * on["pageblocks_by_type"]["unmovable"])
        self.assertGreater(off["usable_with_kernel_pages"], 2 * on["usable_with_kernel_pages"])
        self.assertGreater(on["usable_with_btree"], off["usable_with_btree"])

    def test_slab_frames_stay_after_the_peak(self):
        census = self.end(True)
        pages = 512 * census["usable_pageblocks"]
        self.assertGreater(census["pages"]["slab"], 1.8 * 0.027 * pages)
        without = run_kernel_preset("--hint=on", "--set=slab_objects=1")[0]["runs"][0]
        self.assertLess(without["stages"]["end"]["pages"]["slab"], 1.4 * 0.027 * pages)

    @staticmethod
    def lost_in_compaction(run):
        """Pages that had a buffer before; what was copied on write had none."""
        return (run["huge_2m_stages"]["compacted"]["pages"]["btree_bare"] -
                run["stages"]["end"]["pages"]["btree_bare"])

    def test_a_move_loses_the_buffer_unless_it_is_told_to_keep_it(self):
        self.assertGreater(self.lost_in_compaction(self.runs[True]), 0)
        keeping = run_kernel_preset("--hint=on", "--set=keep_buffer=1")[0]["runs"][0]
        self.assertEqual(self.lost_in_compaction(keeping), 0)
        self.assertLess(keeping["rereads"]["read"], self.runs[True]["rereads"]["read"])

    def test_unhinted_btree_pages_move_unless_they_are_told_to_stay(self):
        self.assertGreater(self.lost_in_compaction(self.runs[False]), 0)
        pinned = run_kernel_preset("--hint=off", "--set=unhinted_moves=0")[0]["runs"][0]
        self.assertEqual(self.lost_in_compaction(pinned), 0)

    def test_claiming_single_page_blocks_leaves_fewer_large_clean_ranges(self):
        single = run_kernel_preset("--hint=on", "--set=claim_largest=0")[0]["runs"][0]
        ours, theirs = (r["stages"]["end"]["ranges_mib"]["4"] for r in (self.runs[True], single))
        self.assertGreater(ours[1] / ours[0], theirs[1] / theirs[0])

    def test_reclaim_takes_btree_pages_beside_page_cache(self):
        for run in self.runs.values():
            self.assertGreater(run["reclaimed_pages"]["btree"], 0)
        none = run_kernel_preset("--hint=on", "--set=reclaim_btree=0")[0]["runs"][0]
        self.assertEqual(none["reclaimed_pages"]["btree"], 0)

    def test_comparison(self):
        """A kernel that did just what the lab does is matched; half of that is an error of 100 %."""
        def kernel_run(run, half):
            stages = json.loads(json.dumps(run["stages"]))
            if half:
                stages["end"]["usable_with_kernel_pages"] /= 2
            return {"series": "made here", "hint": run["hint"], "stages": stages,
                    "variants": {"idle2m": {
                        "huge_pages": [f"got2m {ask['got']}" for ask in run["huge_2m"]],
                        "stages": {"v1": run["huge_2m_stages"]["compacted"]}}}}

        for half in (False, True):
            with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
                json.dump({"kernel_runs": [
                    dict(kernel_run(self.runs[True], half)),
                    {"series": "another size", "hint": True, "stages": {
                        "end": {"usable_pageblocks": 9000}}}]}, file)
                file.flush()
                figures, text, _, _ = run_kernel_preset(f"--compare={file.name}", "--hint=on")
            comparison = figures["comparison"]
            self.assertEqual((comparison["series"], comparison["kernel_runs"]), ("made here", 1))
            errors = {f["figure"]: f["error"] for f in comparison["figures"]}
            wanted = 1 if half else 0
            self.assertAlmostEqual(errors.pop("blocks with kernel pages"), wanted, places=2)
            self.assertEqual({e for e in errors.values() if e is not None}, {0})
            self.assertEqual(sum(f["judged"] for f in comparison["figures"]), 6)
            self.assertIn("* blocks with kernel pages", text)

    def test_nothing_to_compare_with(self):
        for content, wanted in (("{}", "no file of kernel runs"), ("rubbish", "no file of"),
                                ('{"kernel_runs": []}', "no series"), (None, "cannot read")):
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "kernel.json")
                if content is not None:
                    with open(path, "w", encoding="utf-8") as file:
                        file.write(content)
                done = subprocess.run([LAB, "--preset=kernel-6.12", "--memory-gib=1", "--hint=on",
                                       f"--compare={path}"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn(wanted, done.stderr)


if __name__ == "__main__":
    LAB = os.path.abspath(sys.argv.pop(1))
    SCHEMA = os.path.abspath(sys.argv.pop(1))
    unittest.main()
