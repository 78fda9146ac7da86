"""Every node size, checksum and profile that mkfs.btrfs makes: tree-stats counts what is there."""

import dump_tree
import image_test
import make_images

NODE_BYTES = (4096, 8192, 16384, 32768, 65536)
CHECKSUMS = ("crc32c", "xxhash", "sha256", "blake2b")
# Metadata profile, number of devices.
PROFILES = (
    ("single", 1),
    ("dup", 1),
    ("single", 2),
    ("raid0", 2),
    ("raid0", 3),
    ("raid1", 2),
    ("raid1", 3),
    ("raid1c3", 3),
    ("raid1c4", 4),
    ("raid10", 4),
    ("raid10", 5),
)


class MkfsImagesTest(image_test.ImageTest):
    def setUp(self):
        super().setUp()
        self.rootdir = self.scratch / "rootdir"
        make_images.make_tree(self.rootdir, files=400)

    def devices(self, count=1):
        return [self.scratch / f"disk{number}.img" for number in range(count)]

    def check(self, devices, *arguments):
        report = self.tree_stats(*arguments, *devices)
        return self.check_against_dump_tree(report, devices)

    def test_node_sizes_and_checksums(self):
        for number, node_bytes in enumerate(NODE_BYTES):
            for checksum in CHECKSUMS:
                metadata = ("single", "dup")[number % 2]
                with self.subTest(node_bytes=node_bytes, checksum=checksum, metadata=metadata):
                    devices = make_images.mkfs(
                        self.devices(), node_bytes, checksum, metadata, rootdir=self.rootdir
                    )
                    trees = self.check(devices)
                    # The images are worth the name: the tree of files has inner nodes.
                    self.assertGreaterEqual(len(trees[5, 0][0]), 2)

    def test_profiles(self):
        # With several devices mkfs fills nothing in; kernel_images_test has full ones.
        for metadata, count in PROFILES:
            for node_bytes in (4096, 16384, 65536):
                with self.subTest(metadata=metadata, devices=count, node_bytes=node_bytes):
                    devices = make_images.mkfs(
                        self.devices(count),
                        node_bytes,
                        metadata=metadata,
                        rootdir=self.rootdir if count == 1 else None,
                    )
                    self.check(devices)

    def test_devices_in_any_order(self):
        devices = make_images.mkfs(self.devices(3), metadata="raid1c3")
        self.check(devices[::-1])
        self.check(devices[1:] + devices[:1])

    def test_features(self):
        cases = {
            "mixed block groups": {"features": ["mixed-bg"], "node_bytes": 4096, "data": "dup"},
            "quota tree": {"runtime_features": ["quota"]},
            "fat extent items": {"features": ["^skinny-metadata", "^extref"]},
            "no free space tree": {"runtime_features": ["^free-space-tree"]},
        }
        for name, options in cases.items():
            with self.subTest(name):
                devices = make_images.mkfs(self.devices(), rootdir=self.rootdir, **options)
                trees = self.check(devices)
                has_quota_tree = (dump_tree.TREE_IDS["QUOTA_TREE"], 0) in trees
                self.assertEqual(has_quota_tree, name == "quota tree")

    def test_allocators_and_page_sizes(self):
        for node_bytes in (4096, 16384, 65536):
            devices = make_images.mkfs(self.devices(), node_bytes, rootdir=self.rootdir)
            expected = self.check(devices)
            for allocator in image_test.ALLOCATORS:
                for page_bytes in (4096, 16384, 65536):
                    with self.subTest(
                        node_bytes=node_bytes, allocator=allocator, page_bytes=page_bytes
                    ):
                        report = self.tree_stats(
                            f"--allocator={allocator}", f"--page-size={page_bytes}", *devices
                        )
                        self.assertEqual(self.counts(report), expected)

    def test_cache_sizes(self):
        devices = make_images.mkfs(self.devices(), 4096, rootdir=self.rootdir)
        expected = self.check(devices)
        for cache_mib in (1, 2, 1024):
            with self.subTest(cache_mib=cache_mib):
                report = self.tree_stats(f"--cache-mib={cache_mib}", *devices)
                self.assertEqual(self.counts(report), expected)


if __name__ == "__main__":
    image_test.main()
