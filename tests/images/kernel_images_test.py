"""Images that the kernel wrote: snapshots, deletions, many devices, a log tree."""

import os
import random

import dump_tree
import image_test
import make_images

WHY_NOT = make_images.why_no_mounts()


def write_many_files(top, count, seed=1):
    """Small files, hard links, extended attributes, some rewritten and deleted again."""
    rng = random.Random(seed)
    files = []
    for number in range(count):
        directory = top / f"d{number % 17}"
        directory.mkdir(exist_ok=True)
        path = directory / f"{rng.getrandbits(48):012x}"
        path.write_bytes(rng.randbytes(rng.randrange(1800)))
        files.append(path)
        if number % 10 == 0:
            os.link(path, top / f"link{seed}-{number}")
        if number % 7 == 0:
            os.setxattr(path, "user.note", rng.randbytes(rng.randrange(1, 1000)))
    rng.shuffle(files)
    for path in files[: count // 5]:
        path.unlink()
    for path in files[count // 5 : count // 3]:
        path.write_bytes(rng.randbytes(20000))


def btrfs(*arguments):
    make_images.run_tool("btrfs", *arguments)


class KernelImagesTest(image_test.ImageTest):
    def setUp(self):
        if WHY_NOT is not None:
            self.skipTest(f"cannot mount images: {WHY_NOT}")
        super().setUp()
        self.mount_point = self.scratch / "mnt"

    def make(self, count=1, **options):
        devices = [self.scratch / f"disk{number}.img" for number in range(count)]
        return make_images.mkfs(devices, **options)

    def mounted(self, devices, *options):
        return make_images.mounted(devices, self.mount_point, options)

    def check(self, devices, *arguments):
        report = self.tree_stats(*arguments, *devices)
        return self.check_against_dump_tree(report, devices)

    def test_profiles(self):
        for metadata, count, node_bytes in (
            ("single", 2, 16384),
            ("raid0", 2, 4096),
            ("raid0", 3, 65536),
            ("raid1", 2, 16384),
            ("raid1", 3, 4096),
            ("raid1c3", 3, 16384),
            ("raid1c4", 4, 16384),
            ("raid10", 4, 16384),
            ("raid10", 5, 4096),
        ):
            with self.subTest(metadata=metadata, devices=count, node_bytes=node_bytes):
                devices = self.make(count, metadata=metadata, node_bytes=node_bytes)
                with self.mounted(devices) as top:
                    write_many_files(top, 800)
                trees = self.check(devices)
                self.assertGreaterEqual(len(trees[5, 0][0]), 2)
                if metadata in ("raid1", "raid1c3", "raid1c4", "raid10"):
                    run = self.run_tree_stats("--json", *devices[1:])
                    self.assertEqual(run.exit_code, image_test.EXIT_GOOD, str(run))
                    self.assertEqual(self.counts(run.report()), trees)

    def test_snapshots_and_deletions(self):
        for node_bytes in (4096, 16384):
            with self.subTest(node_bytes=node_bytes):
                devices = self.make(node_bytes=node_bytes)
                # The deleted one goes with the commits that follow.
                with self.mounted(devices, "commit=1") as top:
                    subvolume = top / "subvolume"
                    btrfs("subvolume", "create", subvolume)
                    write_many_files(subvolume, 1000)
                    btrfs("subvolume", "snapshot", subvolume, top / "before")
                    write_many_files(subvolume, 200, seed=2)
                    btrfs("subvolume", "snapshot", "-r", subvolume, top / "after")
                    btrfs("subvolume", "snapshot", subvolume, top / "gone")
                    btrfs("filesystem", "sync", top)
                    btrfs("subvolume", "delete", top / "gone")
                    btrfs("subvolume", "sync", top)
                trees = self.check(devices)
                self.assertEqual({256, 257, 258}, {key[0] for key in trees} & {256, 257, 258, 259})
                # Snapshots share blocks, which each of them counts.
                blocks = [set(dump_tree.one_tree(devices, i).blocks) for i in (256, 257, 258)]
                self.assertTrue(blocks[0] & blocks[2])

    def test_checksums(self):
        for checksum in ("xxhash", "sha256", "blake2b"):
            with self.subTest(checksum=checksum):
                devices = self.make(checksum=checksum)
                with self.mounted(devices) as top:
                    write_many_files(top, 500)
                self.check(devices)

    def test_quotas(self):
        devices = self.make()
        with self.mounted(devices) as top:
            btrfs("quota", "enable", top)
            btrfs("subvolume", "create", top / "subvolume")
            write_many_files(top / "subvolume", 300)
        trees = self.check(devices)
        self.assertIn((dump_tree.TREE_IDS["QUOTA_TREE"], 0), trees)

    def test_log_tree(self):
        devices = self.make()
        copy = self.scratch / "copy.img"
        # No commit by the clock: the log must last until it is copied.
        with self.mounted(devices, "commit=300") as top:
            btrfs("subvolume", "create", top / "subvolume")
            write_many_files(top, 500)
            btrfs("filesystem", "sync", top)
            for directory in (top, top / "subvolume"):
                for number in range(50):
                    with open(directory / f"logged{number}", "wb") as file:
                        file.write(os.urandom(1500))
                        file.flush()
                        os.fsync(file.fileno())
            # What a crash now would leave: the log is there until the next commit.
            make_images.copy_sparse(devices[0], copy)
        trees = self.check([copy])
        log = dump_tree.LOG_TREE_ID
        self.assertLessEqual({(log, 0), (log, 5), (log, 256)}, set(trees))
        self.assertGreater(trees[log, 5][1], 100)
        # The log has been replayed or dropped where the filesystem was unmounted.
        self.assertNotIn((log, 0), self.check(devices))

    def test_grown_and_balanced(self):
        # Chunks that moved: their addresses no longer follow from the order they were made in.
        devices = self.make(2, metadata="raid1")
        with self.mounted(devices) as top:
            write_many_files(top, 600)
            btrfs("balance", "start", "--full-balance", top)
            write_many_files(top, 300, seed=3)
            btrfs("balance", "start", "-mconvert=raid0", "--force", top)
        self.check(devices)


if __name__ == "__main__":
    image_test.main()
