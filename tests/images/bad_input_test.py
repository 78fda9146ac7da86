"""What is no filesystem, or a hostile one: an answer in time, in little memory, and no crash."""

import lzma
import os
import pathlib

import image_test
import make_images

MIB = 1 << 20
HOSTILE_TIMEOUT_S = 10
MEMORY_LIMIT_BYTES = 256 * MIB


def shared_fuzz_images():
    """The directory of damaged images, where there is one; and what to say where there is none."""
    shared = os.environ.get("EBCACHE_SHARED")
    if shared is None:
        # Beside the checkout: this file is a link to its source when Bazel runs it.
        shared = pathlib.Path(os.path.realpath(__file__)).parents[3] / "shared"
    return pathlib.Path(shared) / "images" / "fuzz"


def unpack(packed, image):
    """Unpacks a .xz file with holes where there are zeroes."""
    with lzma.open(packed) as source, open(image, "wb") as target:
        while block := source.read(MIB):
            if block.count(0) == len(block):
                target.seek(len(block), os.SEEK_CUR)
            else:
                target.write(block)
        target.truncate(target.tell())


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


class HostileImagesTest(image_test.ImageTest):
    def test_images_that_crashed_others(self):
        directory = shared_fuzz_images()
        packed_images = sorted(directory.glob("*.raw.xz"))
        if not packed_images:
            self.skipTest(f"no damaged images in {directory} (EBCACHE_SHARED says where)")
        for packed in packed_images:
            with self.subTest(packed.name):
                image = self.scratch / "hostile.img"
                unpack(packed, image)
                run = self.run_tree_stats("--json", image, timeout_s=HOSTILE_TIMEOUT_S)
                self.check_honest(run)
                print(f"{packed.name}: exit {run.exit_code}: {run.stderr.strip()[:300]}")
                self.check_verify(image, run)
        self.check_memory()

    def check_honest(self, run):
        """Refused with one line, or walked; and then what is lost is told, twice."""
        if run.exit_code == image_test.EXIT_FAILED:
            self.check_complaint(run)
        elif run.exit_code == image_test.EXIT_DAMAGED:
            self.assertTrue(run.report()["damage"], str(run))
            self.assertNotEqual(run.stderr, "", str(run))

    def check_verify(self, image, stats):
        """Sees what tree_stats sees, and the copies that tree_stats had no need to read."""
        run = self.run_verify("--json", image, timeout_s=HOSTILE_TIMEOUT_S)
        if stats.exit_code == image_test.EXIT_FAILED:
            self.check_complaint(run)
        else:
            report = run.report()
            damage = report["damage"] or report["lost"] or report["superblocks"]
            self.assertEqual(run.exit_code == image_test.EXIT_DAMAGED, bool(damage), str(run))
        if stats.exit_code == image_test.EXIT_DAMAGED:
            self.assertEqual(run.exit_code, image_test.EXIT_DAMAGED, str(run))

    def test_damage_is_seen_where_it_is(self):
        """Three whose blocks are sound, with sound checksums, and whose items are not."""
        for name, reason in (
            ("bko-155151-bad-block-group-offset", "(0 BLOCK_GROUP_ITEM 0): length 0 "),
            ("bko-155181-unaligned-extent-item", "(131200 METADATA_ITEM 0): begins within a"),
            ("bko-161811", "(256 INODE_ITEM 0): generation 72060892572811264, "),
        ):
            with self.subTest(name):
                packed = shared_fuzz_images() / f"{name}.raw.xz"
                if not packed.exists():
                    self.skipTest(f"no {packed} (EBCACHE_SHARED says where)")
                image = self.scratch / "hostile.img"
                unpack(packed, image)
                run = self.run_tree_stats("--json", image)
                self.assertEqual(run.exit_code, image_test.EXIT_DAMAGED, str(run))
                self.assertIn(reason, run.stderr)

    def check_memory(self):
        if image_test.sanitizer() is None:
            self.assertLess(image_test.peak_rss_of_children(), MEMORY_LIMIT_BYTES)


if __name__ == "__main__":
    image_test.main()
