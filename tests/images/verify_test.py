"""ebcache verify: on a sound image it reads every copy and finds nothing; on a damaged one it names exactly
the copies that are damaged."""

import random
import shutil

import dump_tree
import image_test
import make_images

NODE_BYTES = 4096
SUPERBLOCK_MIRROR = 64 << 20
# Of the 32 bytes in front of a block a crc32c uses four; the others mean nothing.
UNUSED_CHECKSUM_BYTES = range(4, 32)
COPIES = {"DUP": 2, "RAID1": 2, "RAID1C3": 3, "RAID1C4": 4, "RAID10": 2}


class VerifyTest(image_test.ImageTest):
    def make(self, count=1, files=400, **options):
        devices = [self.scratch / f"disk{number}.img" for number in range(count)]
        if count == 1:
            options["rootdir"] = self.scratch / "rootdir"
            shutil.rmtree(options["rootdir"], ignore_errors=True)
            make_images.make_tree(options["rootdir"], files=files)
        devices = make_images.mkfs(devices, **options)
        self.chunks = dump_tree.chunks(devices)
        self.trees = dump_tree.all_trees(devices)
        return devices

    def blocks(self):
        """{logical: level} of all blocks, those that trees share once."""
        return dict(block for tree in self.trees.values() for block in tree.blocks)

    def chunk_of(self, logical):
        return next(c for c in self.chunks if c.start <= logical < c.start + c.length)

    def copies(self, logical):
        """Where the copies are, by mirror - 1. REQUIRES: a profile without stripes."""
        chunk = self.chunk_of(logical)
        return [offset + logical - chunk.start for _, offset in chunk.stripes]

    def count_copies(self):
        words = [self.chunk_of(logical).type.split("|")[-1] for logical in self.blocks()]
        return sum(COPIES.get(word, 1) for word in words)

    def verify(self, *arguments, exit_code):
        run = self.run_verify("--json", *arguments)
        self.assertEqual(run.exit_code, exit_code, str(run))
        return run.report()

    def check_clean(self, devices):
        report = self.verify(*devices, exit_code=0)
        for key in ("damage", "lost", "superblocks"):
            self.assertEqual(report[key], [], report)
        self.assertEqual(report["blocks"], len(self.blocks()))
        self.assertEqual(report["read_copies"], self.count_copies())
        self.assertEqual(report["damaged_copies"] + report["missing_copies"], 0)
        self.assertEqual(report["read_bytes"], report["read_copies"] * report["node_bytes"])
        return report

    def test_sound_images(self):
        for metadata, count in (
            ("single", 1),
            ("dup", 1),
            ("raid0", 2),
            ("raid1", 3),
            ("raid1c3", 3),
            ("raid1c4", 4),
            ("raid10", 4),
        ):
            for node_bytes in (4096, 16384):
                with self.subTest(metadata=metadata, node_bytes=node_bytes):
                    devices = self.make(count, metadata=metadata, node_bytes=node_bytes)
                    report = self.check_clean(devices)
                    self.assertTrue(all(one["read_copies"] for one in report["devices"]), report)

    def test_checksums(self):
        for checksum in ("xxhash", "sha256", "blake2b"):
            with self.subTest(checksum):
                self.check_clean(self.make(checksum=checksum, files=100))

    def flip_at_random(self, rng, image, count):
        """Flips `count` bytes; the copies that this damages, and the blocks with no good one."""
        blocks = self.blocks()
        # One mirror of a block at the most, so that what is below it can be reached; but leaves of
        # files may lose both.
        mirror_of = {logical: rng.randrange(2) for logical in blocks}
        leaves = set(self.trees[5, 0].leaves())
        places = set()
        while len(places) < count:
            logical = rng.choice(sorted(blocks))
            mirror = rng.randrange(2) if logical in leaves else mirror_of[logical]
            places.add((logical, mirror, rng.randrange(NODE_BYTES)))
        for logical, mirror, offset in places:
            image_test.flip_byte(image, self.copies(logical)[mirror] + offset)
        damaged = {
            (logical, mirror + 1)
            for logical, mirror, offset in places
            if offset not in UNUSED_CHECKSUM_BYTES
        }
        lost = {logical for logical, _ in damaged if {(logical, 1), (logical, 2)} <= damaged}
        return damaged, lost

    def test_random_bytes(self):
        (image,) = self.make(metadata="dup", node_bytes=NODE_BYTES)
        sound = image.with_suffix(".sound")
        make_images.copy_sparse(image, sound)
        for seed, count in enumerate((1, 1, 1, 3, 10, 30, 100, 300, 1000, 1000)):
            with self.subTest(seed=seed, count=count):
                make_images.copy_sparse(sound, image)
                damaged, lost = self.flip_at_random(random.Random(seed), image, count)
                report = self.verify(image, exit_code=1 if damaged else 0)
                found = {(one["logical"], one["mirror"]) for one in report["damage"]}
                self.assertEqual(found, damaged)
                self.assertEqual(len(report["damage"]), len(damaged), "told twice")
                self.assertEqual(report["damaged_copies"], len(damaged))
                self.assertEqual(report["read_copies"], self.count_copies())
                self.assertEqual(len(report["lost"]), len(lost), report["lost"])
                for one in report["damage"]:
                    self.assertEqual(one["physical"], self.copies(one["logical"])[one["mirror"] - 1])
                    good = 0 if one["logical"] in lost else 3 - one["mirror"]
                    self.assertEqual(one["good_mirror"], good)
                if count >= 1000:
                    self.assertTrue(lost, "the seed shows no loss")

    def test_superblock_copies(self):
        (image,) = self.make(files=50)
        image_test.flip_byte(image, SUPERBLOCK_MIRROR + 100)
        report = self.verify(image, exit_code=1)
        self.assertEqual(len(report["superblocks"]), 1, report)
        self.assertIn("superblock at 67108864: checksum mismatch", report["superblocks"][0])

    def test_missing_devices(self):
        devices = self.make(2, metadata="raid1")
        report = self.verify(devices[0], exit_code=2)
        self.assertEqual(report["missing_copies"], len(self.blocks()))
        self.assertEqual(report["read_copies"], len(self.blocks()))
        # Damage is damage, whatever else there may be.
        logical = self.trees[5, 0].leaves()[0]
        chunk = self.chunk_of(logical)
        offset = dict(chunk.stripes)[1] + logical - chunk.start
        image_test.flip_byte(devices[0], offset + 200)
        report = self.verify(devices[0], exit_code=1)
        self.assertEqual([one["device_id"] for one in report["damage"]], [1], report)
        self.assertEqual(len(report["lost"]), 1, report)
        self.assertEqual(report["missing_copies"], len(self.blocks()))

    def test_text(self):
        (image,) = self.make(metadata="dup", files=100)
        run = self.run_verify(image)
        self.assertEqual(run.exit_code, 0, str(run))
        self.assertEqual(run.stderr, "")
        self.assertEqual(run.stdout.splitlines()[-1], "clean")
        logical = self.trees[5, 0].leaves()[0]
        image_test.flip_byte(image, self.copies(logical)[1] + 300)
        run = self.run_verify(image)
        self.assertEqual(run.exit_code, 1, str(run))
        self.assertRegex(
            run.stdout,
            rf"damaged: tree FS_TREE, level 0, block {logical}, mirror 2 on .*disk0.img at "
            rf"{self.copies(logical)[1]}: checksum mismatch .*; mirror 1 is good",
        )

    def test_help_and_complaints(self):
        run = self.run_verify("--help")
        self.assertEqual(run.exit_code, 0)
        self.assertIn("Exit code: 0 clean; 1 damage; 2 cannot tell", run.stdout)
        self.check_complaint(self.run_verify())
        self.check_complaint(self.run_verify("--no-such-flag", "x"))
        self.check_complaint(self.run_verify(self.scratch / "nowhere"))


if __name__ == "__main__":
    image_test.main()
