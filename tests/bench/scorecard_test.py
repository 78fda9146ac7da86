"""The scorecard as a program: the shape of its output, and that what was not measured says so. Its
figures are the machine's, and are not looked at.

By hand: python3 tests/bench/scorecard_test.py PATH-OF-scorecard
"""

import html
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


def mkfs_image(folder):
    """The image of an empty filesystem."""
    image = os.path.join(folder, "image")
    with open(image, "wb") as file:
        file.truncate(128 << 20)
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    subprocess.run(["mkfs.btrfs", "-q", image], check=True, env={**os.environ, "PATH": path})
    return image


class OtherBuild:
    """A checkout with programs that print what they are told to. Its walks take half a second of the
    processor for one block."""

    def __init__(self, folder):
        self.place = os.path.join(folder, "bazel-bin")
        self.answers = {}
        self.write("examples/tree_stats",
                   "import json, time\nwhile time.process_time() < 0.5: pass\n"
                   "print(json.dumps({'totals': {'blocks': 1}, 'cache': {'reads': 1}}))\n")

    def write(self, name, text):
        path = os.path.join(self.place, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!{sys.executable}\n{text}")
        os.chmod(path, 0o755)

    def answer(self, benchmark, **figures):
        """What its cache_bench says of one benchmark; of all others it has none, and says nothing."""
        self.answers[f"--benchmark_filter=^{benchmark}$"] = {
            "benchmarks": [{"name": benchmark, **figures}]}
        self.write("bench/cache/cache_bench",
                   f"import json, sys\nanswers = {self.answers!r}\n"
                   "if sys.argv[1] in answers: print(json.dumps(answers[sys.argv[1]]))\n")


class ScorecardTest(unittest.TestCase):
    def test_rows_have_all_fields(self):
        with tempfile.TemporaryDirectory() as folder:
            page = os.path.join(folder, "card.html")
            done = run("--quick", "--repetitions=2", "--json", f"--rows={SOME_ROWS}", f"--html={page}")
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(page, encoding="utf-8") as file:
                markup = file.read()
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
        self.assertNotIn("src=", markup)
        self.assertNotIn("http", markup)
        self.assertGreaterEqual(markup.count("<svg"), 3)
        self.assertGreater(markup.count("<circle"), 10)
        self.assertNotIn("processor's own", markup, "escaped as all text is")
        for row in rows:
            self.assertIn(row["row"], html.unescape(markup))

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

    def test_rows_of_transactions(self):
        names = ("rewrite of all trees", "items in random order")
        with tempfile.TemporaryDirectory() as folder:
            image = mkfs_image(folder)
            with open(image, "rb") as file:
                before = file.read()
            done = run("--quick", "--repetitions=1", "--json", f"--rows={';'.join(names)}",
                       f"--image={image}")
            self.assertEqual(os.listdir(folder), ["image"], "nothing is left over")
            with open(image, "rb") as file:
                self.assertEqual(file.read(), before, "copies are written to")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = {row["row"]: row for row in json.loads(done.stdout)["rows"]}
        self.assertEqual(len(rows), 10)
        for name, row in rows.items():
            self.assertTrue(name.startswith(names), name)
            self.assertNotIn("not_measured", row)
            self.assertGreater(row["ours"], 0, row)
            self.assertGreater(row["theirs"], 0, row)
        # What is counted is what it is on every machine.
        stale = rows["rewrite of all trees, blocks put stale"]
        self.assertEqual(stale["ours"], stale["theirs"])
        self.assertGreater(stale["ours"], 5)
        written = rows["rewrite of all trees, blocks written"]
        self.assertGreaterEqual(written["ours"], written["theirs"])
        self.assertEqual(rows["rewrite of all trees, btrfs check finds it clean"]["ours"], 1)
        changed = rows["items in random order, bytes written for a changed block"]
        self.assertEqual(changed["theirs"], 16384)
        self.assertGreater(changed["ours"], 8192)

    def test_rows_of_transactions_without_an_image(self):
        done = run("--quick", "--json", "--rows=rewrite of all trees;items in random order")
        self.assertEqual(done.returncode, 1, "nothing was measured")
        rows = json.loads(done.stdout)["rows"]
        self.assertEqual(len(rows), 10)
        for row in rows:
            self.assertIn("no image", row["not_measured"])

    def test_text_is_a_table(self):
        done = run("--quick", "--repetitions=1", "--rows=nothing can be evicted;walk")
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], "| row | ours | theirs | ratio (spread) | goal | met |")
        self.assertEqual(sum(line.startswith("| nothing can be evicted") for line in lines), 2)
        self.assertEqual(sum("not measured:" in line for line in lines), 3)

    def test_against_another_build(self):
        # A build whose programs print what they are told to: every row is decided beforehand.
        with tempfile.TemporaryDirectory() as folder:
            image = mkfs_image(folder)
            other = OtherBuild(folder)
            other.answer("miss/ebcache/65536/real_time", cpu_time=1e15, real_time=1e-3)
            other.answer("drop_caches/ebcache/65536/real_time", cpu_time=1e-3, real_time=1e15)
            other.answer("visit/ebcache/65536/real_time", error_occurred=True,
                         error_message="too tired")
            done = run("--quick", "--repetitions=2", "--json", f"--against={folder}",
                       f"--image={image}", "--rows=a miss;drop caches;visit;release;cache hot, 1 thread")
            words = run("--quick", "--repetitions=1", f"--against={folder}", "--rows=a miss").stdout
        self.assertEqual(done.returncode, 0, done.stderr)
        card = json.loads(done.stdout)
        self.assertEqual(card["against"], folder)
        rows = {row["row"]: row for row in card["rows"]}
        self.assertEqual(len(rows), 5)
        for name, theirs, difference in (("a miss", 1e15, "better"),
                                         ("drop caches, a block", 1e-3, "worse")):
            row = rows[name]
            self.assertEqual(row["theirs"], theirs)
            self.assertEqual(row["difference"], difference, row)
            self.assertGreater(row["ours"], 0)
            self.assertLessEqual(row["spread"][0], row["spread"][1])
            self.assertEqual(row["ratio_is"], "ours / theirs")
            self.assertIsNone(row["met"])
        walk = rows["walk and verify, page cache hot, 1 thread"]
        self.assertGreater(walk["ours"], 0)
        self.assertGreaterEqual(walk["theirs"], 5e5, "its time of the processor, for one block")
        self.assertIn("too tired", rows["a visit of what is cached, a block"]["not_measured"])
        self.assertIn("no benchmark release/", rows["release, a block"]["not_measured"])
        lines = words.splitlines()
        self.assertEqual(lines[0], "| row | this build | that build | ratio (spread) | difference |")
        self.assertRegex(lines[2], r"^\| a miss \| .* ns \| .* \| .* \| better \|$")
        self.assertIn(f"that build: {folder}", words)

    def test_against_nothing(self):
        done = run("--quick", "--json", "--against=/nonexistent", "--rows=a miss;walk")
        self.assertEqual(done.returncode, 1, "nothing was measured")
        for row in json.loads(done.stdout)["rows"]:
            self.assertNotEqual(row["not_measured"], "")

    def test_a_full_device_is_told_of(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([SCORECARD, "--quick", "--json", "--rows=own instructions"],
                                  stdout=full, stderr=subprocess.PIPE, encoding="utf-8", check=False)
        self.assertEqual(done.returncode, 2, done)
        self.assertIn("cannot write the result: No space left on device", done.stderr)
        done = run("--quick", "--rows=own instructions", "--html=/dev/full")
        self.assertEqual(done.returncode, 2, done)
        self.assertIn("/dev/full: cannot be written: No space left on device", done.stderr)

    def test_bad_arguments_are_refused(self):
        for argument in ("--repetitions=0", "--repetitions=x", "operand", "--speed=fast"):
            done = run(argument)
            self.assertEqual(done.returncode, 2, argument)
            self.assertNotEqual(done.stderr, "")
            self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    SCORECARD = os.path.abspath(sys.argv.pop(1))
    unittest.main()
