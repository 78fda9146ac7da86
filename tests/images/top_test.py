"""ebcache top: its figures are those of the walk; on a terminal it redraws, and leaves it as it was."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time

import dump_tree
import image_test
import make_images

NODE_BYTES = 4096
FAST_MS = 20
DEADLINE_S = 60
SHOW_CURSOR, HIDE_CURSOR = b"\x1b[?25h", b"\x1b[?25l"


class TopTest(image_test.ImageTest):
    def make(self, files=1500, **options):
        make_images.make_tree(self.scratch / "rootdir", files=files)
        self.image = self.scratch / "disk.img"
        make_images.mkfs(
            [self.image], NODE_BYTES, rootdir=self.scratch / "rootdir", metadata="dup", **options
        )
        trees = dump_tree.all_trees([self.image])
        self.trees = trees
        self.blocks = sum(len(tree.blocks) for tree in trees.values())
        return self.image

    def objects(self, *arguments, exit_code=0):
        run = self.run_top("--json", f"--interval-ms={FAST_MS}", *arguments)
        self.assertEqual(run.exit_code, exit_code, str(run))
        return [json.loads(line) for line in run.stdout.splitlines()]

    def test_figures(self):
        self.make()
        for allocator in image_test.ALLOCATORS:
            with self.subTest(allocator):
                *_, last = self.objects("--passes=4", f"--allocator={allocator}", self.image)
                self.assertTrue(last["ended"])
                self.assertEqual(last["passes"], 4)
                self.assertEqual(last["total"]["blocks"], 4 * self.blocks)
                # The cache has room for all: each block is read once.
                self.assertEqual(last["cache"]["reads"], self.blocks)
                self.assertGreaterEqual(last["total"]["hit_percent"], 75)
                self.assertEqual(last["cache"]["cached_buffers"], self.blocks)
                # Nobody holds anything any more.
                pins = last["pins"]
                self.assertEqual(pins.pop("eligible"), self.blocks)
                self.assertEqual(set(pins.values()), {0})
                self.assertEqual(last["region"] is not None, allocator in ("high", "movable"))

    def test_region(self):
        self.make()
        (last,) = self.objects("--once", "--memory-mib=64", self.image)
        region = last["region"]
        self.assertEqual(region["pageblocks"], 32)
        self.assertEqual(len(region["map"]), 32)
        self.assertLessEqual(set(region["map"]), set(".mM"))
        self.assertGreaterEqual(region["map"].count("."), region["free_pageblocks"])
        self.assertIn("M", region["map"])
        free = sum(blocks << order for order, blocks in enumerate(region["free_blocks"]))
        self.assertEqual(free, region["free_frames"])
        in_use = last["allocator"]["in_use_bytes"] // last["allocator"]["page_bytes"]
        self.assertLessEqual(in_use, 32 * 512 - free)

    def test_threads_and_a_small_cache(self):
        self.make()
        samples = self.objects("--passes=30", "--threads=3", "--cache-mib=1", self.image)
        last = samples[-1]
        self.assertEqual(last["passes"], 90)
        self.assertEqual(last["total"]["blocks"], 90 * self.blocks)
        self.assertGreater(last["cache"]["reads"], self.blocks)
        self.assertGreater(last["cache"]["reclaimed"], 0)
        self.assertLessEqual(last["cache"]["cached_bytes"], 1 << 20)
        self.assertEqual([sample["ended"] for sample in samples[:-1]], [False] * (len(samples) - 1))

    def test_damage(self):
        self.make()
        leaf = self.trees[5, 0].leaves()[3]
        for _, physical in dump_tree.copies([self.image], leaf):
            image_test.flip_byte(self.image, physical + 1000)
        *_, last = self.objects("--passes=3", "--threads=2", self.image, exit_code=1)
        self.assertEqual(last["lost_blocks"], 1)
        run = self.run_top("--once", self.image)
        self.assertEqual(run.exit_code, 1, str(run))
        said = [line for line in run.stderr.splitlines() if f" {leaf}: " in line]
        self.assertEqual(len(said), 1, str(run))
        # A superblock that is not used is said as well, once.
        image_test.flip_byte(self.image, 65536 + 200)
        run = self.run_top("--once", self.image)
        self.assertIn("superblock at 65536", run.stderr)

    def test_several_devices(self):
        devices = [self.scratch / f"disk{number}.img" for number in range(2)]
        make_images.mkfs(devices, metadata="raid1")
        blocks = sum(len(tree.blocks) for tree in dump_tree.all_trees(devices).values())
        *_, last = self.objects(*devices)
        self.assertEqual(last["total"]["blocks"], blocks)
        run = self.run_top("--once", devices[1])
        self.assertEqual(run.exit_code, 0, str(run))
        self.assertIn("device 1 is missing", run.stderr)

    def test_plain_lines(self):
        self.make()
        run = self.run_top("--passes=200", f"--interval-ms={FAST_MS}", self.image)
        self.assertEqual(run.exit_code, 0, str(run))
        self.assertNotIn("\x1b", run.stdout)
        self.assertEqual(run.stderr, "")
        view = run.stdout[run.stdout.index("ebcache top  ") :]
        self.assertIn(f"walk    {200 * self.blocks} blocks, 200 passes, 0 lost", view)
        self.assertIn(f"pins    eligible {self.blocks}\n", view)
        self.assertRegex(view, r"(?m)^free    order:blocks  \d+:\d+")
        # --once is that view, and nothing else.
        run = self.run_top("--once", "--allocator=heap", self.image)
        self.assertTrue(run.stdout.startswith("ebcache top  "), str(run))
        self.assertNotIn("\nmap", run.stdout)

    def test_a_line_for_each_interval(self):
        self.make()
        command = image_test.command("top", "--passes=0", f"--interval-ms={FAST_MS}", self.image)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for _ in range(3):
                line = process.stdout.readline()
                self.assertRegex(line, r"^[\d.]+ s  \d+ blocks  \d+ passes  \d+ blocks/s  hits ")
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=DEADLINE_S)
            self.assertIn("ebcache top  ", rest)  # the view at the end
            self.assertEqual(process.returncode, 0)

    def start_on_terminal(self, *arguments):
        """The program with a terminal for its stdout; the terminal's other end."""
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        command = image_test.command("top", f"--interval-ms={FAST_MS}", *arguments)
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(theirs)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, ours

    def read_until(self, terminal, enough, what):
        deadline = time.monotonic() + DEADLINE_S
        seen = b""
        while not enough(seen):
            self.assertLess(time.monotonic(), deadline, f"{what}: {seen[-2000:]}")
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    seen += os.read(terminal, 65536)
                except OSError:  # the program has closed its end
                    break
        return seen

    def test_terminal(self):
        self.make()
        for interrupt in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(interrupt):
                process, terminal = self.start_on_terminal("--passes=0", self.image)
                seen = self.read_until(terminal, lambda s: s.count(b"\x1b[H") >= 5, "redraws")
                self.assertEqual(seen.count(HIDE_CURSOR), 1)
                self.assertEqual(seen.count(SHOW_CURSOR), 0)
                self.assertIn(b"\x1b[0;1;32mM", seen)  # the map, in colour
                process.send_signal(interrupt)
                seen = self.read_until(terminal, lambda s: SHOW_CURSOR in s, "the cursor")
                self.assertTrue(seen.endswith(SHOW_CURSOR), seen)
                self.assertEqual(process.wait(DEADLINE_S), 0)
                self.assertIn(b", ended", seen)

    def test_terminal_lines_fit(self):
        self.make()
        process, terminal = self.start_on_terminal("--passes=2", self.image)
        seen = self.read_until(terminal, lambda s: SHOW_CURSOR in s, "the end").decode()
        self.assertEqual(process.wait(DEADLINE_S), 0)
        plain = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", seen)
        lines = plain.splitlines()
        self.assertGreater(len(lines), 10)
        self.assertLessEqual(max(map(len, lines)), 80)

    def test_full_output_is_an_error(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        self.make(files=20)
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run(
                image_test.command("top", "--once", self.image),
                stdout=full,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                timeout=DEADLINE_S,
                check=False,
            )
        self.assertEqual(done.returncode, image_test.EXIT_FAILED, done)
        self.assertIn("cannot write", done.stderr)

    def test_help_and_complaints(self):
        self.make(files=10)
        run = self.run_top("--help")
        self.assertEqual(run.exit_code, 0)
        self.assertIn("--interval-ms=N", run.stdout)
        cut = shutil.copyfile(self.image, self.scratch / "cut.img")
        os.truncate(cut, 60000)
        for arguments in (
            [],
            ["--threads=0", self.image],
            ["--interval-ms=0", self.image],
            ["--allocator=slab", self.image],
            ["--memory-mib=3", self.image],
            ["--memory-mib=1048576", self.image],
            ["--no-such-option", self.image],
            [cut],
            [self.scratch / "nowhere"],
        ):
            with self.subTest(arguments=arguments):
                self.check_complaint(self.run_top(*arguments))


if __name__ == "__main__":
    image_test.main()
