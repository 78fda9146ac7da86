"""Filesystems of which devices are missing: what is there is read, and what cannot be read without
the others is told apart from damage."""

import dump_tree
import image_test
import make_images


class MissingDevicesTest(image_test.ImageTest):
    def make(self, metadata, count=2, **options):
        self.devices = make_images.mkfs(
            [self.scratch / f"disk{number}.img" for number in range(count)],
            metadata=metadata,
            **options,
        )
        self.chunks = dump_tree.chunks(self.devices)
        self.trees = dump_tree.all_trees(self.devices)
        return self.devices

    def blocks(self):
        return {logical for tree in self.trees.values() for logical, _ in tree.blocks}

    def check_text(self, run, missing, exit_code=2):
        name = f"ebcache {run.command[1]}"
        self.assertEqual(run.exit_code, exit_code, str(run))
        self.assertEqual(
            [line for line in run.stderr.splitlines() if "missing" in line][:1],
            [f"{name}: device {missing} is missing"],
            str(run),
        )
        self.assertEqual(run.stderr.count("is missing\n"), 1, str(run))
        for part in (run.stdout, run.stderr):
            self.assertNotIn("lost:", part)
            self.assertNotIn("damaged:", part)
            self.assertNotRegex(part, r"(?m)^damaged$")

    def test_raid0(self):
        """Every block has one copy: of those on the other device nothing can be told."""
        self.make("raid0")
        self.assertEqual(self.run_verify(*self.devices).exit_code, 0)
        for given, missing in ((0, 2), (1, 1)):
            device = self.devices[given]
            with self.subTest(missing=missing):
                report = self.run_tree_stats("--json", device).report()
                self.assertEqual(report["damage"], [])
                self.assertEqual(report["totals"]["lost_blocks"], 0)
                count = report["totals"]["missing_device_blocks"]
                self.assertGreater(count, 0)
                unread = {one["logical"] for one in report["unread"]}
                self.assertEqual(len(unread), count, "told twice")
                self.assertLess(unread, self.blocks())
                self.assertEqual({one["cause"] for one in report["unread"]}, {"missing device"})
                verified = self.run_verify("--json", device).report()
                for key in ("damage", "lost", "superblocks", "no_memory"):
                    self.assertEqual(verified[key], [], verified)
                self.assertEqual(verified["missing_devices"], [missing])
                self.assertEqual(verified["missing_device_blocks"], count)
                self.assertEqual(verified["damaged_copies"], 0)
                for run in (self.run_tree_stats, self.run_verify):
                    self.check_text(run(device), missing)
                self.check_text(self.run_top("--once", device), missing)
                self.assertEqual(self.run_mini_dump(device).exit_code, 2)

    def test_damage_beside_it_is_damage(self):
        # A filesystem that has both, on the device that is there: raid0 puts elements of 64 KiB in
        # turn, so one of the leaves is on either.
        self.make("raid0", node_bytes=65536)
        unread = {
            one["logical"]
            for one in self.run_tree_stats("--json", self.devices[0]).report()["unread"]
        }
        for logical in sorted(self.blocks() - unread):
            chunk = next(c for c in self.chunks if c.start <= logical < c.start + c.length)
            if len(chunk.stripes) != 2:
                continue
            element, offset = divmod(logical - chunk.start, 65536)
            device, physical = chunk.stripes[element % 2]
            tree = [t for t in self.trees if logical in dict(self.trees[t].blocks)]
            if device == 1 and tree == [(dump_tree.TREE_IDS["FS_TREE"], 0)]:
                image_test.flip_byte(
                    self.devices[0], physical + element // 2 * 65536 + offset + 300
                )
                break
        else:
            self.skipTest("no leaf of files is on the first device")
        run = self.run_verify("--json", self.devices[0])
        self.assertEqual(run.exit_code, 1, str(run))
        report = run.report()
        self.assertEqual(report["lost_blocks"], 1)
        self.assertGreater(report["missing_device_blocks"], 0)

    def test_with_copies_elsewhere(self):
        self.make("raid1")
        for given, missing in ((0, 2), (1, 1)):
            run = self.run_tree_stats(self.devices[given])
            self.check_text(run, missing, exit_code=0)
            self.check_text(self.run_verify(self.devices[given]), missing)
            run = self.run_find_block(self.devices[given], self.trees[5, 0].leaves()[0])
            self.check_text(run, missing, exit_code=0)

    def test_the_same_device_twice(self):
        (image,) = make_images.mkfs([self.scratch / "one.img"])
        link = self.scratch / "link.img"
        link.symlink_to(image)
        for other, words in (
            (image, f"{image} is given twice"),
            (link, f"{image} and {link} are the same device"),
        ):
            run = self.run_verify(image, other)
            self.check_complaint(run)
            self.assertIn(words, run.stderr)


if __name__ == "__main__":
    image_test.main()
