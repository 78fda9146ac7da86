"""Damaged images that crashed others, through every program that takes images, with every allocator:
an answer in time, in little memory, and always the same one."""

import image_test
import shared_images

MIB = 1 << 20
TIMEOUT_S = 10
MEMORY_LIMIT_BYTES = 256 * MIB


def answer(run):
    """What a run of tree-stats says of an image, whatever the memory it had."""
    if run.exit_code == image_test.EXIT_FAILED:
        return run.exit_code, run.complaints()
    report = run.report()
    return run.exit_code, report["trees"], report["totals"], report["damage"]


class FuzzImagesTest(image_test.ImageTest):
    def images(self):
        """Name and unpacked file of each; loud where there are none."""
        directory = shared_images.directory("fuzz")
        packed_images = sorted(directory.glob("*.raw.xz"))
        if not packed_images:
            self.skipTest(f"no damaged images in {directory} (EBCACHE_SHARED says where)")
        for packed in packed_images:
            image = self.scratch / "hostile.img"
            shared_images.unpack(packed, image)
            yield packed.name, image

    def stats(self, *arguments):
        return self.run_tree_stats("--json", *arguments, timeout_s=TIMEOUT_S)

    def test_every_program(self):
        for name, image in self.images():
            with self.subTest(name):
                run = self.stats(image)
                self.check_honest(run)
                print(f"{name}: exit {run.exit_code}: {run.stderr.strip()[:300]}")
                self.check_verify(image, run)
        self.check_memory()

    def test_the_same_answer_with_every_allocator(self):
        runs = 0
        for name, image in self.images():
            expected = answer(self.stats(image))
            for allocator in image_test.ALLOCATORS:
                choice = f"--allocator={allocator}"
                for arguments in ((), image_test.failures(allocator)):
                    with self.subTest(image=name, allocator=allocator, arguments=arguments):
                        run = self.stats(choice, *arguments, image)
                        self.assertEqual(answer(run), expected, str(run))
                        runs += 1
        print(f"{runs} runs, the same answers")
        self.check_memory()

    def check_honest(self, run):
        """Refused with one line, or walked; and then what is lost is told, twice."""
        if run.exit_code == image_test.EXIT_FAILED:
            self.check_complaint(run)
        elif run.exit_code == image_test.EXIT_DAMAGED:
            self.assertTrue(run.report()["damage"], str(run))
            self.assertNotEqual(run.stderr, "", str(run))

    def check_verify(self, image, stats):
        """Sees what tree-stats sees, and the copies that tree-stats had no need to read."""
        run = self.run_verify("--json", image, timeout_s=TIMEOUT_S)
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
                packed = shared_images.directory("fuzz") / f"{name}.raw.xz"
                if not packed.exists():
                    self.skipTest(f"no {packed} (EBCACHE_SHARED says where)")
                image = self.scratch / "hostile.img"
                shared_images.unpack(packed, image)
                run = self.run_tree_stats("--json", image)
                self.assertEqual(run.exit_code, image_test.EXIT_DAMAGED, str(run))
                self.assertIn(reason, run.stderr)

    def check_memory(self):
        peak_bytes = image_test.peak_rss_of_children()
        print(f"peak of all runs so far: {peak_bytes / MIB:.1f} MiB")
        self.assertLess(peak_bytes, MEMORY_LIMIT_BYTES)


if __name__ == "__main__":
    image_test.main()
