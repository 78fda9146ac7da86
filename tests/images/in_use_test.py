"""Devices that are in use: the programs say so and stop; with --force they go on, and read what is on
the device and not what its page cache had before."""

import os
import pathlib
import re
import shutil
import stat
import struct
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


def partition_table(start, count):
    """The first sector of a disk with one partition, of `count` sectors."""
    linux = 0x83
    entry = struct.pack("<B3xB3xII", 0, linux, start, count)
    return bytes(446) + entry + bytes(3 * 16) + b"\x55\xaa"


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

    def attach(self, image, *options):
        """A loop device that goes when the test ends, or this process, however that is."""
        loop = make_images.run_tool("losetup", "--find", "--show", *options, image).strip()
        try:
            self.addCleanup(os.close, os.open(loop, os.O_RDONLY))
        finally:
            # It goes with its last user.
            make_images.run_tool("losetup", "--detach", loop)
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
            "top": self.run_top("--once", *flags, *devices),
            "mini_dump": self.run_mini_dump(*flags, *devices),
        }

    def check_all_refuse(self, *devices, word):
        for name, run in self.run_all(*devices).items():
            with self.subTest(name, devices=devices):
                self.check_complaint(run)
                self.assertIn(word, run.stderr)

    def check_no_writer_begins(self, *devices, word):
        """Whether it asks, goes on, or previews."""
        for subcommand in (["tune", "--label=x"], ["rewrite"], ["zero-log"], ["repair-copies"]):
            for flags in ([], ["--yes"], ["--preview"]):
                with self.subTest(subcommand, flags=flags):
                    command = image_test.command(*subcommand, *flags, *devices)
                    run = self.run_program(command)
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
            self.check_no_writer_begins(loop, word=f"{loop} is mounted at {self.mount_point}")
            self.check_no_writer_begins(image, word=f"is what {loop} reads, which is mounted at")
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

    def test_mounted_by_a_name_that_is_gone(self):
        """The loop device goes on reading the file, which has another name."""
        (image,) = self.make()
        name = self.scratch / "mounted.img"
        os.link(image, name)
        copy = make_images.copy_sparse(image, self.scratch / "copy.img")
        with make_images.mounted([name], self.mount_point):
            (loop,) = loops_of(image)
            word = f"{image} is what {loop} reads, which is mounted at {self.mount_point}"
            os.unlink(name)
            self.check_all_refuse(image, word=word)
            os.rename(copy, name)  # a file that nothing else reads
            self.check_all_refuse(image, word=word)
            self.check_all_read(name)

    def test_mounted_in_a_mount_namespace_where_the_image_has_another_name(self):
        (image,) = self.make()
        elsewhere = self.scratch / "elsewhere"
        elsewhere.mkdir()
        self.mount_point.mkdir()
        # Its mounts go with the process, and the loop device with the last mount.
        script = """set -e
            PATH=$PATH:/usr/sbin:/sbin  # losetup
            mount --make-rprivate /
            mount --bind "$1" "$2"
            loop=$(losetup --find --show "$2/disk0.img")
            mount -t btrfs "$loop" "$3" || failed=1
            losetup --detach "$loop"
            [ -z "$failed" ]
            echo "$loop"
            read done"""
        there = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script, "sh"]
            + [str(path) for path in (self.scratch, elsewhere, self.mount_point)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            loop = there.stdout.readline().strip()
            self.assertRegex(loop, r"^/dev/loop\d+$")
            self.assertFalse(os.path.ismount(self.mount_point))
            self.check_all_refuse(
                image, word=f"is what {loop} reads, which belongs to a filesystem that is mounted"
            )
        finally:
            there.communicate("done\n")
        self.check_all_read(image)

    def test_a_loop_device_that_a_loop_device_reads(self):
        (image,) = self.make()
        loop = self.attach(image)
        self.check_all_read(loop)
        with make_images.mounted([loop], self.mount_point):
            (upper,) = loops_of(loop)
            reads = f"is what {upper} reads, which is mounted at {self.mount_point}"
            self.check_all_refuse(upper, word=f"{upper} is mounted at {self.mount_point}")
            self.check_all_refuse(loop, word=f"{loop} {reads}")
            self.check_all_refuse(image, word=f"{image} is what {loop} reads, which {reads}")
        self.check_all_read(loop)
        self.check_all_read(image)

    def test_ends_of_lines_in_names(self):
        (image,) = self.make()
        for name in ("two\nlines.img", "end\n"):
            odd = self.scratch / name
            os.link(image, odd)
            with make_images.mounted([odd], self.mount_point):
                run = self.run_verify(odd)
                self.assertEqual(run.exit_code, image_test.EXIT_FAILED, str(run))
                self.assertIn("reads, which is mounted at", run.stderr)
                self.check_all_refuse(image, word="reads, which is mounted at")
            os.unlink(odd)

    def test_partition(self):
        """Of a loop device, whose image is in use with it."""
        (image,) = self.make()
        disk = self.scratch / "disk.img"
        start = 1 << 20
        with open(disk, "wb") as file:
            file.truncate(start + image.stat().st_size)
            file.write(partition_table(start // 512, image.stat().st_size // 512))
        with open(image, "rb") as source, open(disk, "r+b") as file:
            file.seek(start)
            shutil.copyfileobj(source, file)
        loop = self.attach(disk, "--partscan")
        partition = f"{loop}p1"
        if not os.path.exists(partition):
            self.skipTest(f"SKIPPED: the kernel has not made {partition}")
        self.check_all_read(partition)
        self.mount_point.mkdir()
        make_images.run_tool("mount", "-t", "btrfs", partition, self.mount_point)
        try:
            mounted = f"{partition} is mounted at {self.mount_point}"
            has = f"has the partition {mounted.replace(' is', ', which is', 1)}"
            self.check_all_refuse(partition, word=mounted)
            self.check_all_refuse(loop, word=f"{loop} {has}")
            self.check_all_refuse(disk, word=f"{disk} is what {loop} reads, which {has}")
        finally:
            make_images.run_tool("umount", self.mount_point)

    def forbid(self, device):
        """As for users who may not open this device: only what may open all files still can."""
        node = self.scratch / "node"
        os.mknod(node, stat.S_IFBLK, os.stat(device).st_rdev)
        os.chmod(node, 0)
        # In the mount namespace of this process only.
        make_images.run_tool("mount", "--bind", node, device)
        self.addCleanup(make_images.run_tool, "umount", device)

    def verify_without_rights(self, *devices):
        rights = "-dac_override,-dac_read_search"
        tool = make_images.find_tool("setpriv")
        return self.run_program(
            [tool, f"--bounding-set={rights}", *image_test.command("verify", *devices)]
        )

    def test_a_loop_device_that_may_not_be_opened(self):
        """What it reads is known by the name; whether it is held is not known."""
        if make_images.find_tool("setpriv") is None:
            self.skipTest("SKIPPED: setpriv is not installed")
        (image,) = self.make()
        other = self.scratch / "other name.img"
        os.link(image, other)
        loop = self.attach(image)
        self.forbid(loop)
        run = self.verify_without_rights(loop)
        self.assertEqual(run.exit_code, image_test.EXIT_FAILED, str(run))
        self.assertIn("Permission denied", run.stderr)

        holder = os.open(loop, os.O_RDONLY | os.O_EXCL)
        try:
            self.check_all_refuse(image, word=f"is what {loop} reads, which is in use by")
            run = self.verify_without_rights(image)
            self.assertEqual(run.exit_code, image_test.EXIT_GOOD, str(run))
        finally:
            os.close(holder)

        self.mount_point.mkdir()
        make_images.run_tool("mount", "-t", "btrfs", loop, self.mount_point)
        try:
            for name in (image, other):
                run = self.verify_without_rights(name)
                self.assertEqual(run.exit_code, image_test.EXIT_FAILED, str(run))
                self.assertIn(f"is what {loop} reads, which is mounted at", run.stderr)
        finally:
            make_images.run_tool("umount", self.mount_point)

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
