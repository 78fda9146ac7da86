"""Over 100 MiB of metadata through a cache of 8 MiB: the same counts, and little memory."""

import image_test
import make_images

MIB = 1 << 20
FILES = 42000
FILE_BYTES = 2000  # inline in a leaf
PEAK_LIMIT_BYTES = 48 * MIB
NODE_BYTES = 16384


class MemoryTest(image_test.ImageTest):
    def make_image(self):
        rootdir = self.scratch / "rootdir"
        for number in range(FILES):
            if number % 1000 == 0:
                directory = rootdir / f"d{number}"
                directory.mkdir(parents=True)
            (directory / f"file{number:06}").write_bytes(b"%010d" % number * (FILE_BYTES // 10))
        return make_images.mkfs(
            [self.scratch / "disk.img"],
            NODE_BYTES,
            metadata="single",
            rootdir=rootdir,
            size_bytes=1024 * MIB,
        )

    def test_small_cache(self):
        devices = self.make_image()
        whole = self.tree_stats(*devices)
        blocks = sum(sum(tree["levels"]) for tree in whole["trees"])
        self.assertGreater(blocks * NODE_BYTES, 100 * MIB)
        self.check_against_dump_tree(whole, devices)
        for allocator in image_test.ALLOCATORS:
            with self.subTest(allocator=allocator):
                report = self.tree_stats("--cache-mib=8", f"--allocator={allocator}", *devices)
                self.assertEqual(self.counts(report), self.counts(whole))
                print(f"{allocator}: peak {report['peak_rss_bytes'] / MIB:.1f} MiB")
                self.assertGreater(report["peak_rss_bytes"], 8 * MIB)
                if image_test.sanitizer() is None:
                    self.assertLess(report["peak_rss_bytes"], PEAK_LIMIT_BYTES)
        if image_test.sanitizer() is not None:
            self.skipTest(f"peak memory is not judged under {image_test.sanitizer()}")


if __name__ == "__main__":
    image_test.main()
