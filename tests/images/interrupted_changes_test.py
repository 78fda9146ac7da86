"""Changes of a whole filesystem that btrfstune began and was killed in: at every write, and what is
left is read, all of it, and said to be what it is."""

import contextlib
import os
import re
import subprocess

import image_test
import make_images

GOOD, DAMAGED = image_test.EXIT_GOOD, image_test.EXIT_DAMAGED
MIB = 1 << 20
FILES = 40  # enough for a node above the leaves


def run(*command, check=True):
    """Runs a program of somebody else's; what it prints."""
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, "PATH": make_images.SEARCH_PATH},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=check,
    )
    return done.stdout


class InterruptedChangesTest(image_test.ImageTest):
    def setUp(self):
        super().setUp()
        for program in ("mkfs.btrfs", "btrfstune", "strace"):
            if make_images.find_tool(program) is None:
                self.skipTest(f"{program} is not installed")

    def make(self, *names, options):
        """Images of one filesystem."""
        images = [self.scratch / name for name in names]
        for image in images:
            image.touch()
            os.truncate(image, 128 * MIB)
        run("mkfs.btrfs", "-q", "-n", 4096, *options, *images)
        return images

    def files(self):
        """A directory of a few files."""
        files = self.scratch / "files"
        files.mkdir()
        for number in range(FILES):
            (files / f"file{number}").write_text("x" * number * 50)
        return files

    def writes_of(self, *command):
        """How many writes a command makes that is let end."""
        trace = self.scratch / "trace"
        run("strace", "-f", "-e", "trace=pwrite64", "-o", trace, *command)
        return len(re.findall(r"pwrite64\(", trace.read_text()))

    def kill_at(self, write, *command):
        """Runs a command up to that write, counted from 1, which is not made."""
        inject = f"inject=pwrite64:error=EIO:signal=KILL:when={write}"
        trace = self.scratch / "trace"
        run("strace", "-f", "-e", "trace=pwrite64", "-e", inject, "-o", trace, *command, check=False)
        self.assertIn("killed by SIGKILL", trace.read_text())

    def test_change_of_the_fsid_killed_at_every_write(self):
        (image,) = self.make("disk.img", options=("-m", "single", "-r", self.files()))
        whole = self.tree_stats(image)
        copy = self.scratch / "copy.img"

        def begin():
            run("cp", "--sparse=always", image, copy)

        begin()
        writes = self.writes_of("btrfstune", "-f", "-u", copy)
        self.assertGreater(writes, 20)
        said = 0
        for write in range(1, writes + 1):
            with self.subTest(write=write, writes=writes):
                begin()
                self.kill_at(write, "btrfstune", "-f", "-u", copy)
                stats = self.run_tree_stats("--json", copy)
                self.assertEqual(stats.exit_code, GOOD, str(stats))
                self.assertEqual(stats.report()["totals"]["items"], whole["totals"]["items"])
                verify = self.run_verify("--json", copy)
                report = verify.report()
                self.assertEqual(report["damaged_copies"], 0, str(verify))
                self.assertEqual(report["lost_blocks"], 0, str(verify))
                # Between the two superblocks the mirror is behind, and is told to be.
                damaged = bool(report["superblocks"])
                self.assertEqual(verify.exit_code, DAMAGED if damaged else GOOD, str(verify))
                changing = any("a change of the fsid was inter" in line for line in report["notices"])
                for line in report["superblocks"]:
                    self.assertIn("a change of the fsid was interrupted", line)
                said += changing
        # All but those before the first superblock and after the last one.
        self.assertGreaterEqual(said, writes - 5)
        print(f"{writes} writes, {said} of them in the middle of the change")

    def test_change_of_the_metadata_uuid_killed_at_every_write(self):
        if os.geteuid() != 0:
            self.skipTest("loop devices need root")
        images = self.make("one.img", "two.img", options=("-m", "raid1", "-d", "single"))
        whole = self.tree_stats(*images)
        copies = [self.scratch / "copy1.img", self.scratch / "copy2.img"]
        between = 0
        writes = 1
        write = 0
        while write < writes:
            write += 1
            with self.subTest(write=write):
                with self.devices(images, copies) as devices:
                    command = ("btrfstune", "-f", "-m", devices[0])
                    if write == 1:
                        writes = self.writes_of(*command)
                        self.assertGreater(writes, 8)
                    else:
                        self.kill_at(write, *command)
                if write > 1:
                    between += self.check_pair(copies, whole)
        self.assertGreaterEqual(between, 1)
        print(f"{writes} writes, {between} of them between two devices")

    def check_pair(self, copies, whole):
        """What is left of two devices is read; whether the change is told to be between them."""
        stats = self.run_tree_stats("--json", *copies)
        self.assertEqual(stats.exit_code, GOOD, str(stats))
        report = stats.report()
        self.assertEqual(report["totals"]["trees"], whole["totals"]["trees"], str(stats))
        words = "a change of the fsid (metadata_uuid) was interrupted between devices: "
        between = [line for line in report["filesystem"]["notices"] if line.startswith(words)]
        for line in between:
            self.assertIn(line, stats.stderr)
        return len(between)

    @contextlib.contextmanager
    def devices(self, images, copies):
        """Loop devices with copies of the images; gone at the end, whatever happens."""
        with contextlib.ExitStack() as stack:
            devices = []
            for image, copy in zip(images, copies):
                run("cp", "--sparse=always", image, copy)
                device = run("losetup", "--find", "--show", copy).strip()
                stack.callback(run, "losetup", "--detach", device)
                stack.callback(run, "btrfs", "device", "scan", "--forget", device, check=False)
                devices.append(device)
            run("btrfs", "device", "scan", *devices)
            yield devices


if __name__ == "__main__":
    image_test.main()
