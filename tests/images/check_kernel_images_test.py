"""`ebcache check` on what the kernel has written: no false alarm, on any profile, feature or state."""

import contextlib
import fcntl
import os
import pathlib
import random
import struct
import subprocess
import time

import image_test
import make_images
from make_images import MIB, run_tool

WHY_NOT = make_images.why_no_mounts()
QUOTA_CTL, ENABLE_SIMPLE_QUOTA = 0xC0109428, 4


def btrfs(*arguments):
    return run_tool("btrfs", *arguments)


def fill(top, seed=0, files=250, large=5):
    """Small files, larger ones, all kinds of inodes, some deletions."""
    rng = random.Random(seed)
    for number in range(files):
        directory = top / f"d{number % 7}"
        directory.mkdir(exist_ok=True)
        (directory / f"f{number}").write_bytes(rng.randbytes(rng.randrange(3000)))
    for number in range(large):
        (top / f"large{number}").write_bytes(rng.randbytes(rng.randrange(5000, 600000)))
    os.link(top / "large0", top / "hard")
    os.symlink("elsewhere", top / "symlink")
    os.mkfifo(top / "fifo")
    os.setxattr(top / "large0", "user.note", b"x" * 50)
    for number in range(0, files, 9):
        (top / f"d{number % 7}" / f"f{number}").unlink()


def overwrite(path, offset, size):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(os.urandom(size))


def reflinks(top):
    for number in range(5):
        run_tool("cp", "--reflink=always", top / "large1", top / f"clone{number}")
        overwrite(top / f"clone{number}", 4096 * number, 8192)
    os.truncate(top / "clone0", 5000)


def preallocation(top):
    run_tool("fallocate", "-l", "4M", top / "ahead")
    overwrite(top / "ahead", 1 << 20, 70000)
    (top / "behind").touch()
    run_tool("fallocate", "-n", "-l", "8M", top / "behind")
    run_tool("fallocate", "-p", "-o", "8192", "-l", "8192", top / "large2")
    run_tool("fallocate", "-z", "-o", "4096", "-l", "40960", top / "ahead")
    with open(top / "sparse", "wb") as file:
        file.seek(10 << 20)
        file.write(b"x")
    os.truncate(top / "sparse", 30 << 20)


def no_copies(top):
    (top / "nocow").touch()
    run_tool("chattr", "+C", top / "nocow")
    (top / "nocow").write_bytes(os.urandom(500000))
    btrfs("subvolume", "snapshot", top, top / "snapshot")
    overwrite(top / "nocow", 8192, 8192)


def compressible(top):
    (top / "text").write_bytes(b"hello world " * 200000)
    run_tool("cp", "--reflink=always", top / "text", top / "clone")
    overwrite(top / "clone", 300000, 10000)


def many_names(top):
    directory = top / "many"
    directory.mkdir()
    (directory / "one").write_bytes(b"x")
    names = [f"link-{number:05}-{'n' * 180}" for number in range(700)]
    for name in names:
        os.link(directory / "one", directory / name)
    for name in names[::3]:
        os.unlink(directory / name)
    directory.rename(top / "renamed")


def snapshots(top):
    btrfs("subvolume", "create", top / "s")
    fill(top / "s", 1)
    btrfs("subvolume", "create", top / "s" / "inner")
    for number in range(5):
        btrfs("subvolume", "snapshot", top / "s", top / f"at{number}")
        for path in sorted((top / "s" / "d1").iterdir())[:5]:
            path.unlink()
        (top / f"at{number}" / "new").write_bytes(os.urandom(90000))
    btrfs("subvolume", "snapshot", "-r", top / "at0", top / "read-only")
    btrfs("subvolume", "delete", top / "at3")
    btrfs("subvolume", "snapshot", top / "at2", top / "of-a-snapshot")
    run_tool("sync")


def quotas(top):
    btrfs("quota", "enable", top)
    snapshots(top)
    btrfs("qgroup", "create", "1/5", top)
    btrfs("qgroup", "assign", "0/258", "1/5", top)
    btrfs("quota", "rescan", "-w", top)
    (top / "s" / "later").write_bytes(os.urandom(50000))
    (top / "at1" / "large1").unlink()


def simple_quotas(top):
    descriptor = os.open(top, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, QUOTA_CTL, struct.pack("QQ", ENABLE_SIMPLE_QUOTA, 0))
    finally:
        os.close(descriptor)
    snapshots(top)
    for number in range(3):
        (top / "s" / f"large{number}").unlink()


def balance(top):
    snapshots(top)
    btrfs("balance", "start", "--full-balance", top)


def other_profile(top):
    btrfs("balance", "start", "-mconvert=single", "-dconvert=single", "-f", top)


def profile(metadata, data, devices):
    return {"mkfs": {"metadata": metadata, "data": data}, "devices": devices}


def feature(*features):
    return {"mkfs": {"features": features}}


CASES = {
    "single": profile("single", "single", 1),
    "dup": profile("dup", "dup", 1),
    "raid0": profile("raid0", "raid0", 2),
    "raid1": profile("raid1", "raid1", 2),
    "raid1c3": profile("raid1c3", "raid1c3", 3),
    "raid1c4": profile("raid1c4", "raid1c4", 4),
    "raid10": profile("raid10", "raid10", 4),
    "data on raid5": profile("raid1", "raid5", 3),
    "data on raid6": profile("raid1", "raid6", 4),
    "mixed groups": {"mkfs": {"features": ("mixed-bg",), "metadata": "single", "node_bytes": 4096}},
    "no skinny metadata": feature("^skinny-metadata", "^no-holes"),
    "holes with items": feature("^no-holes"),
    "space cache v1": {"mkfs": {"runtime_features": ("^free-space-tree",)}, "options": ["space_cache=v1"]},
    "no space cache": {"mkfs": {"runtime_features": ("^free-space-tree",)}, "options": ["nospace_cache"]},
    "no data checksums": {"options": ["nodatasum"]},
    "reflinks": {"more": reflinks},
    "reflinks, holes with items": {"more": reflinks, **feature("^no-holes")},
    "preallocation": {"more": preallocation},
    "preallocation, holes with items": {"more": preallocation, **feature("^no-holes")},
    "files without copies": {"more": no_copies},
    "many names": {"more": many_names},
    "snapshots": {"more": snapshots},
    "snapshots in small blocks": {"more": snapshots, "mkfs": {"node_bytes": 4096}},
    "quotas": {"more": quotas},
    "balanced": {"more": balance},
    "another profile": {"more": other_profile},
    **{f"{node} B": {"mkfs": {"node_bytes": node}} for node in (4096, 8192, 32768, 65536)},
    **{name: {"mkfs": {"checksum": name}} for name in ("xxhash", "sha256", "blake2")},
    **{
        name: {"more": compressible, "options": [f"compress-force={name}"]} for name in ("zlib", "lzo", "zstd")
    },
}


@contextlib.contextmanager
def loop(image, *options):
    device = run_tool("losetup", "-f", "--show", *options, image).strip()
    try:
        yield device
    finally:
        run_tool("losetup", "-d", device)


class CheckKernelImagesTest(image_test.ImageTest):
    def setUp(self):
        if WHY_NOT is not None:
            self.skipTest(f"cannot mount images: {WHY_NOT}")
        super().setUp()
        self.images = 0

    def sound(self, *devices):
        run = self.run_program(image_test.command("check", *devices), timeout_s=120)
        self.assertEqual(run.exit_code, image_test.EXIT_GOOD, str(run))
        self.images += 1

    def mkfs(self, name="disk", devices=1, size_bytes=400 * MIB, **options):
        return make_images.mkfs(
            [self.scratch / f"{name}{n}.img" for n in range(devices)], size_bytes=size_bytes, **options
        )

    def mounted(self, devices, *options):
        return make_images.mounted(devices, self.scratch / "mnt", list(options))

    def copy(self, image, name):
        """What is on disk while it is mounted, in one state: nothing is written meanwhile."""
        target = self.scratch / f"{name}.img"
        make_images.copy_sparse(image, target)
        return target

    def test_cases(self):
        for name, case in CASES.items():
            with self.subTest(name):
                devices = self.mkfs(devices=case.get("devices", 1), **case.get("mkfs", {}))
                with self.mounted(devices, *case.get("options", [])) as top:
                    fill(top)
                    case.get("more", lambda top: None)(top)
                self.sound(*devices)
                for device in devices:
                    device.unlink()
        self.assertEqual(self.images, len(CASES))
        self.assertGreater(self.images, 35)

    def test_simple_quotas(self):
        devices = self.mkfs()
        with self.mounted(devices) as top:
            fill(top)
            try:
                simple_quotas(top)
            except OSError as error:
                self.skipTest(f"SKIPPED: this kernel has no simple quotas: {error}")
        self.sound(*devices)

    def test_log_trees(self):
        devices = self.mkfs()
        with self.mounted(devices, "commit=300") as top:
            fill(top)
            run_tool("sync")
            for number in range(5):
                with open(top / f"synced{number}", "wb") as file:
                    file.write(os.urandom(20000))
                    os.fsync(file.fileno())
            copy = self.copy(devices[0], "log")
        self.sound(copy)

    def test_unlinked_files(self):
        devices = self.mkfs()
        with self.mounted(devices) as top, contextlib.ExitStack() as files:
            fill(top)
            for number in range(5):
                file = files.enter_context(open(top / f"gone{number}", "wb"))
                file.write(os.urandom(9000))
                file.flush()
                os.unlink(top / f"gone{number}")
            run_tool("sync")
            copy = self.copy(devices[0], "unlinked")
        self.sound(copy)

    def test_subvolumes_being_deleted(self):
        """Of several copies, some have a subvolume half deleted."""
        devices = self.mkfs(node_bytes=4096, size_bytes=600 * MIB)
        copies = []
        with self.mounted(devices, "commit=1") as top:
            btrfs("subvolume", "create", top / "s")
            fill(top / "s", files=5000)
            btrfs("subvolume", "snapshot", top / "s", top / "kept")
            run_tool("sync")
            btrfs("subvolume", "delete", top / "s")
            btrfs("filesystem", "sync", top)
            for number in range(4):
                copies.append(self.frozen_copy(top, devices[0], f"deleting{number}"))
        for copy in copies:
            self.sound(copy)

    def frozen_copy(self, top, image, name):
        run_tool("fsfreeze", "-f", top)
        try:
            return self.copy(image, name)
        finally:
            run_tool("fsfreeze", "-u", top)

    def test_interrupted_balance(self):
        devices = self.mkfs(size_bytes=900 * MIB)
        copies = []
        with self.mounted(devices) as top:
            snapshots(top)
            with subprocess.Popen(
                ["btrfs", "balance", "start", "--full-balance", top],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ) as balancing:
                for number in range(4):
                    time.sleep(0.05 * number)
                    copies.append(self.frozen_copy(top, devices[0], f"balancing{number}"))
                subprocess.run(["btrfs", "balance", "pause", top], capture_output=True, check=False)
                balancing.wait()
        for image in (*copies, *devices):
            self.sound(image)
        with self.mounted(devices) as top:
            subprocess.run(["btrfs", "balance", "resume", top], capture_output=True, check=False)
        self.sound(*devices)

    def test_seeds(self):
        devices = self.mkfs()
        with self.mounted(devices) as top:
            fill(top)
        run_tool("btrfstune", "-S", "1", "-f", *devices)
        self.sound(*devices)
        sprout = make_images.make_device(self.scratch / "sprout.img", 400 * MIB)
        mount_point = self.scratch / "mnt"
        mount_point.mkdir(exist_ok=True)
        with loop(sprout) as new, loop(devices[0], "-r") as seed:
            run_tool("mount", seed, mount_point)
            try:
                btrfs("device", "add", "-f", new, mount_point)
                run_tool("mount", "-o", "remount,rw", mount_point)
                (pathlib.Path(mount_point) / "new").write_bytes(os.urandom(100000))
            finally:
                run_tool("umount", mount_point)
        self.sound(sprout, *devices)

    def test_conversion_from_ext4(self):
        if make_images.find_tool("mkfs.ext4") is None or make_images.find_tool("btrfs-convert") is None:
            self.skipTest("SKIPPED: no mkfs.ext4 or no btrfs-convert")
        image = make_images.make_device(self.scratch / "ext4.img", 400 * MIB)
        run_tool("mkfs.ext4", "-q", "-F", "-b", "4096", image)
        mount_point = self.scratch / "mnt"
        mount_point.mkdir(exist_ok=True)
        with loop(image) as device:
            run_tool("mount", device, mount_point)
            try:
                fill(mount_point)
            finally:
                run_tool("umount", mount_point)
        run_tool("btrfs-convert", image)
        self.sound(image)
        with self.mounted([image]) as top:
            fill(top / "d2", 7, 60)
        self.sound(image)
        with self.mounted([image]) as top:
            btrfs("subvolume", "delete", top / "ext2_saved")
            btrfs("balance", "start", "--full-balance", top)
        self.sound(image)


if __name__ == "__main__":
    image_test.main()
