"""Devices that are in use: the programs say so and stop; with --force they go on, and read what is on
the device and not what its page cache had before."""

import os
import pathlib
import re
import subprocess

import image_test
import make_images

WHY_NOT = make_images.why_no_mounts()


def loops_of(image):
    """The loop devices that read this file."""
    found = []
    for entry in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            backing = entry.read_text().strip()
        except OSError:  # it went meanwhile
            continue
        if os.path.exists(backing) and os.path.samefile(backing, image):
            found.append(f"/dev/{entry.parts[3]}")
    return found


class InUseTest(image_test.ImageTest):
    def setUp(self):
        if WHY_NOT is not None:
            self.skipTest(f"cannot mount images: {WHY_NOT}")
        super().setUp()
        self.mount_point = self.scratch / "mount point"

    def make(self, count=1, **options):
        devices = [self.scratch / f"disk{number}.img" for number in range(count)]
        if count == 1:
            make_images.make_tree(self.scratch / "rootdir", files=100)
            options["rootdir"] = self.scratch / "rootdir"
        return make_images.mkfs(devices, **options)

    def attach(self, image):
        """A loop device that goes when the test ends."""
        loop = make_images.run_tool("losetup", "--find", "--show", image).strip()
        self.addCleanup(make_images.run_tool, "losetup", "--detach", loop)
        return loop

    def block_in_use(self):
        """Address of the root of the chunk tree."""
        image = self.scratch / "disk0.img"
        said = make_images.run_tool("btrfs", "inspect-internal", "dump-super", image)
        return int(re.search(r"^chunk_root\s+(\d+)", said, re.MULTILINE).group(1))

    def run_all(self, *devices, flags=()):
        """{program: run} of every program that reads devices."""
        return {
            "tree_stats": self.run_tree_stats(*flags, *devices),
            "verify": self.run_verify(*flags, *devices),
            "find_block": self.run_find_block(*flags, *devices, self.block_in_use()),
            "cachetop": self.run_cachetop("--once", *flags, *devices),
            "mini_dump": self.run_mini_dump(*flags, *devices),
        }

    def check_all_refuse(self, *devices, word):
        for name, run in self.run_all(*devices).items():
            with self.subTest(name, devices=devices):
                self.check_complaint(run)
                self.assertIn(word, run.stderr)

    def check_all_read(self, *devices, flags=()):
        for name, run in self.run_all(*devices, flags=flags).items():
            with self.subTest(name, devices=devices):
                self.assertEqual(run.exit_code, image_test.EXIT_GOOD, str(run))
                if flags:
                    self.assertIn(str(self.mount_point), run.stderr)
                else:
                    self.assertEqual(run.stderr, "")

    def test_mounted(self):
        (image,) = self.make()
        with make_images.mounted([image], self.mount_point):
            (loop,) = loops_of(image)
            self.check_all_refuse(loop, word=f"{loop} is mounted at {self.mount_point}")
            self.check_all_refuse(image, word=f"is what {loop} reads, which is mounted at")
            make_images.run_tool("sync")
            self.check_all_read(image, flags=["--force"])
            self.check_all_read(loop, flags=["--force"])
        self.check_all_read(image)

    def test_second_device(self):
        devices = self.make(2, metadata="raid1")
        with make_images.mounted(devices, self.mount_point):
            # mount tells of one of them only.
            for device in devices:
                self.check_all_refuse(device, word=f"is mounted at {self.mount_point}")

    def test_mounted_where_nobody_here_can_see_it(self):
        (image,) = self.make()
        loop = self.attach(image)
        script = 'mount -t btrfs "$1" "$2" && echo mounted && read done'
        self.mount_point.mkdir()
        elsewhere = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script, "sh", loop, str(self.mount_point)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.assertEqual(elsewhere.stdout.readline(), "mounted\n")
            self.assertFalse(os.path.ismount(self.mount_point))
            self.check_all_refuse(loop, word="belongs to a filesystem that is mounted")
        finally:
            elsewhere.communicate("done\n")

    def test_what_is_only_attached_is_not_in_use(self):
        (image,) = self.make()
        loop = self.attach(image)
        self.check_all_read(loop)
        self.check_all_read(image)

    def test_open_for_one_user_alone(self):
        (image,) = self.make()
        loop = self.attach(image)
        holder = os.open(loop, os.O_RDONLY | os.O_EXCL)
        try:
            self.check_all_refuse(loop, word="is in use by the kernel or by another program")
            self.check_all_refuse(image, word=f"is what {loop} reads, which is in use by")
        finally:
            os.close(holder)

    def test_stale_page_cache(self):
        """The kernel writes a mounted device past its page cache."""
        (image,) = self.make()
        with make_images.mounted([image], self.mount_point) as top:
            (loop,) = loops_of(image)
            for round_number in range(3):
                with open(loop, "rb") as device:  # all of it into the page cache
                    while device.read(1 << 20):
                        pass
                for number in range(300):
                    (top / f"file{round_number}-{number}").write_bytes(b"x" * 1000)
                make_images.run_tool("sync")
                self.check_all_read(loop, flags=["--force"])


if __name__ == "__main__":
    image_test.main()
