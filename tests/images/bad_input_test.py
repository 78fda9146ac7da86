"""What is no filesystem: an answer, and no crash. Hostile ones are in fuzz_images_test.py."""

import os
import pathlib

import dump_tree
import image_test
import make_images

MIB = 1 << 20


class NotAFilesystemTest(image_test.ImageTest):
    """One clear line on stderr, exit 2."""

    def check_refused(self, path, *parts):
        run = self.run_tree_stats(path)
        self.check_complaint(run)
        for part in (pathlib.Path(path).name, *parts):
            self.assertIn(part, run.stderr)
        # The same, whatever form of answer was asked for.
        self.check_complaint(self.run_tree_stats("--json", path))

    def test_empty_file(self):
        path = self.scratch / "empty.img"
        path.touch()
        self.check_refused(path)

    def test_directory(self):
        self.check_refused(self.scratch, "directory")

    def test_text_file(self):
        path = self.scratch / "text.img"
        path.write_text("This is no filesystem.\n" * 10000, encoding="ascii")
        self.check_refused(path)

    def test_zeroes(self):
        self.check_refused(make_images.make_device(self.scratch / "zeroes.img"))

    def test_missing_file(self):
        self.check_refused(self.scratch / "nowhere.img", "No such file")

    def test_unreadable_file(self):
        if os.geteuid() == 0:
            self.skipTest("root may read everything")
        path = self.scratch / "secret.img"
        path.touch(mode=0)
        self.check_refused(path, "Permission denied")

    def test_no_device_at_all(self):
        self.check_complaint(self.run_tree_stats())

    def test_bad_flags(self):
        (image,) = make_images.mkfs([self.scratch / "good.img"])
        for flag in ("--no-such-flag", "--cache-mib=lots", "--allocator=slab", "--page-size=5000"):
            with self.subTest(flag):
                self.check_complaint(self.run_tree_stats(flag, image))

    def test_image_without_its_superblock(self):
        (image,) = make_images.mkfs([self.scratch / "cut.img"])
        for size in (65536 + 4095, 65536 + 2048, 65536, 65535, 1):
            with self.subTest(size=size):
                os.truncate(image, size)
                self.check_refused(image)


class TruncatedTest(image_test.ImageTest):
    """An image that ends too early is looked at as far as it goes. What lies behind the end is lost,
    so that is damage; and so is the device as such, which no kernel mounts."""

    def setUp(self):
        super().setUp()
        rootdir = self.scratch / "rootdir"
        make_images.make_tree(rootdir, files=300)
        (self.image,) = make_images.mkfs([self.scratch / "cut.img"], rootdir=rootdir)
        self.trees = dump_tree.all_trees([self.image])

    def ends(self):
        """Where copies of blocks end: {logical: [end of each copy]}."""
        chunks = dump_tree.chunks([self.image])
        ends = {}
        for logical, _ in {block for tree in self.trees.values() for block in tree.blocks}:
            chunk = next(c for c in chunks if c.start <= logical < c.start + c.length)
            ends[logical] = [offset + logical - chunk.start + 16384 for _, offset in chunk.stripes]
        return ends

    def check_words(self, run, size):
        self.assertIn(f"truncated: {size} bytes, its superblock says {256 * MIB}", run)

    def test_behind_all_copies(self):
        size = max(max(copies) for copies in self.ends().values())
        os.truncate(self.image, size)
        run = self.run_tree_stats("--json", self.image)
        self.assertEqual(run.exit_code, 0, str(run))
        self.assertEqual(self.counts(run.report()).keys(), self.trees.keys())
        self.check_words(run.stderr, size)
        run = self.run_verify(self.image)
        self.assertEqual(run.exit_code, 1, str(run))
        self.check_words(run.stdout, size)

    def test_behind_the_first_copies(self):
        ends = self.ends()
        size = max(copies[0] for copies in ends.values())
        behind = sum(end > size for copies in ends.values() for end in copies)
        self.assertGreater(behind, 0, "the test's image has its copies elsewhere")
        os.truncate(self.image, size)
        self.assertEqual(self.run_tree_stats(self.image).exit_code, 0)
        run = self.run_verify("--json", self.image)
        self.assertEqual(run.exit_code, 1, str(run))
        self.assertEqual(len(run.report()["damage"]), behind)
        self.assertEqual(run.report()["lost"], [])
        self.assertEqual({one["good_mirror"] for one in run.report()["damage"]}, {1})

    def test_anywhere(self):
        for size in (30 * MIB, 22 * MIB, 5 * MIB, 65536 + 4096):
            with self.subTest(size=size):
                os.truncate(self.image, size)
                for run in (self.run_tree_stats(self.image), self.run_verify(self.image)):
                    self.assertEqual(run.exit_code, 1, str(run))
                    self.check_words(run.stdout + run.stderr, size)


if __name__ == "__main__":
    image_test.main()
