"""Every allocator, at its best and short of memory: the same counts, and the report says how."""

import image_test
import make_images

NODE_BYTES = (4096, 8192, 16384, 32768, 65536)
PROFILES = (
    ("single", 1),
    ("raid0", 2),
    ("raid1", 2),
    ("raid1c3", 3),
    ("raid1c4", 4),
    ("raid10", 4),
)
# Of 4 KiB pages, with 16 KiB nodes: a block is of order 2.
SCATTERED = ("--memory-mib=24", "--inject-scatter", "--cache-mib=256")


class AllocatorsTest(image_test.ImageTest):
    def make_image(self, node_bytes=16384, files=1200):
        rootdir = self.scratch / f"rootdir-{node_bytes}"
        make_images.make_tree(rootdir, files=files)
        return make_images.mkfs(
            [self.scratch / f"disk-{node_bytes}.img"], node_bytes, rootdir=rootdir
        )

    def check(self, expected, allocator, *arguments):
        """The counts are those expected; returns what the allocator says of itself."""
        report = self.tree_stats(f"--allocator={allocator}", *arguments)
        self.assertEqual(self.counts(report), expected)
        self.assertEqual(report["cache"]["read_failures"], 0)
        return report["cache"]["allocator"]

    def check_every_allocator(self, devices, **what):
        expected = self.check_against_dump_tree(self.tree_stats(*devices), devices)
        for allocator in image_test.ALLOCATORS:
            for arguments in ((), image_test.failures(allocator)):
                with self.subTest(**what, allocator=allocator, arguments=arguments):
                    self.check(expected, allocator, "--cache-mib=2", *arguments, *devices)

    def test_the_same_counts_with_every_allocator(self):
        for node_bytes in NODE_BYTES:
            self.check_every_allocator(
                self.make_image(node_bytes, files=300), node_bytes=node_bytes
            )

    def test_the_same_counts_on_every_profile(self):
        for metadata, count in PROFILES:
            # mkfs fills only filesystems of one device: these have their first blocks.
            disks = [self.scratch / f"{metadata}-{number}.img" for number in range(count)]
            devices = make_images.mkfs(disks, metadata=metadata)
            self.check_every_allocator(devices, metadata=metadata)

    def test_half_of_all_large_folios_and_a_tenth_of_all_windows_fail(self):
        devices = self.make_image()
        expected = self.check_against_dump_tree(self.tree_stats(*devices), devices)
        for allocator in image_test.ALLOCATORS:
            arguments = [*image_test.failures(allocator), "--cache-mib=2"]
            if allocator == "vmap":
                # Scattered, so that there are windows at all.
                arguments += ["--memory-mib=24", "--inject-scatter"]
            with self.subTest(allocator=allocator):
                pages = self.check(expected, allocator, *arguments, *devices)
                blocks = pages["allocated_blocks"]
                self.assertGreater(blocks, 50)
                if allocator == "high":
                    self.assertGreater(pages["large_blocks"], blocks * 0.2)
                    self.assertLess(pages["large_blocks"], blocks * 0.8)
                if allocator == "vmap":
                    self.assertGreater(pages["window_failures"], 0)
                    self.assertGreater(pages["mapped_blocks"], blocks * 0.6)

    def test_not_one_folio_of_order_two_to_be_had(self):
        devices = self.make_image()
        expected = self.check_against_dump_tree(self.tree_stats(*devices), devices)
        for allocator in image_test.ALLOCATORS:
            if allocator == "heap":
                continue  # malloc finds room elsewhere
            with self.subTest(allocator=allocator):
                pages = self.check(expected, allocator, *SCATTERED, *devices)
                blocks = pages["allocated_blocks"]
                self.assertGreater(blocks, 50)
                self.assertEqual(pages["large_blocks"] + pages["lucky_blocks"], 0)
                if allocator == "vmap":
                    self.assertEqual(pages["mapped_blocks"], blocks)
                else:
                    self.assertEqual(pages["page_array_blocks"], blocks)

    def test_less_memory_than_the_cache_would_like(self):
        devices = self.make_image(files=4000)
        whole = self.tree_stats(*devices)
        for allocator in image_test.ALLOCATORS:
            with self.subTest(allocator=allocator):
                arguments = ["--memory-mib=4", "--cache-mib=256"]
                report = self.tree_stats(f"--allocator={allocator}", *arguments, *devices)
                self.assertEqual(self.counts(report), self.counts(whole))
                self.assertGreater(report["cache"]["reclaimed"], 0)
                self.assertLessEqual(
                    report["cache"]["peak_cached_buffers"] * 16384, 4 << 20, "more than there is"
                )

    def test_choices_that_make_no_sense(self):
        for arguments in (
            ["--allocator=buddy"],
            ["--inject-scatter"],
            ["--allocator=heap", "--inject-scatter", "--memory-mib=8"],
            ["--memory-mib=3"],
            ["--allocator=order0", "--inject-window-failures=5"],
            ["--inject-order-failures=101"],
        ):
            with self.subTest(arguments=arguments):
                self.check_complaint(self.run_tree_stats(*arguments, "disk.img"))


if __name__ == "__main__":
    image_test.main()
