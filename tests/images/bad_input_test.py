"""What is no filesystem: an answer, and no crash. Hostile ones are in fuzz_images_test.py."""

import os
import pathlib

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

    def test_truncated_image(self):
        rootdir = self.scratch / "rootdir"
        make_images.make_tree(rootdir, files=300)
        (image,) = make_images.mkfs([self.scratch / "cut.img"], rootdir=rootdir)
        for size in (1, 65535, 65536, 65536 + 2048, 65536 + 4096, 20 * MIB, 30 * MIB):
            with self.subTest(size=size):
                os.truncate(image, size)
                self.check_refused(image)
                make_images.mkfs([image], rootdir=rootdir)


if __name__ == "__main__":
    image_test.main()
