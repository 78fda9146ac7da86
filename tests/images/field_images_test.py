"""Images from situations that people report, through tree-stats and verify: refused by the name of
the rule or of the feature, or read, each with the exit code and the words that are right."""


import image_test
import shared_images

GOOD, DAMAGED, FAILED = image_test.EXIT_GOOD, image_test.EXIT_DAMAGED, image_test.EXIT_FAILED

# One field each, with good checksums: what a kernel refuses, by the name of our rule.
RULES = {
    "data-ref-bad-objectid": "data-ref-object",
    "dir-item-location": "directory-location",
    "dir-nlink-2": "inode-links",
    "inline-refs-out-of-order": "inline-ref-order",
    "inode-item-missing": "inode-missing",
    "inode-unknown-flags": "inode-flags",
    "leaf-not-written": "not-written",
    "root-last-snapshot": "root-generation",
}

# What a kernel reads without a word.
SOUND = (
    "stricter-than-kernel-bg-type-0x8001",
    "stricter-than-kernel-extent-flags-0x81",
    "stricter-than-kernel-file-extent-other-encoding",
    "tree-ref-root-0",
)

# Superblocks whose mirror is damaged, and what is said of it.
MIRRORS = {
    "superblock-mirror-newer": "generation 36, that at 65536 has 31 and is used",
    "superblock-mirror-stale": "generation 29, that at 65536 has 31 and is used",
    "superblock-mirrors-missing": "no btrfs magic",
    "btrfs-image-restored": "no btrfs magic",
}

# One device of two: what can be read is good, and the rest cannot be told.
MISSING = {
    "raid0.1": "device 2 is missing",
    "raid0.2": "device 1 is missing",
    "sprout.new": "device 1 (seed) is missing",
}

# Features that cannot be read, and their names.
FEATURES = {
    "raid5-metadata.1 raid5-metadata.2 raid5-metadata.3": "metadata in chunks of profile RAID5",
    "raid5-metadata.1 raid5-metadata.2": "metadata in chunks of profile RAID5",
    "raid5-metadata.2 raid5-metadata.3": "metadata in chunks of profile RAID5",
    "remap-tree": "remap-tree",
    "sectorsize-2048": "sectors of 2048 bytes",
}


def field_images():
    """The directory of these images, where there is one."""
    return shared_images.directory("field")


class FieldImagesTest(image_test.ImageTest):
    def images(self, names):
        """The unpacked files of these, by name; loud where they are not."""
        paths = []
        for name in names.split():
            packed = field_images() / f"{name}.img.xz"
            if not packed.exists():
                self.skipTest(f"no {packed} (EBCACHE_SHARED says where)")
            path = self.scratch / f"{name}.img"
            if not path.exists():
                shared_images.unpack(packed, path)
            paths.append(path)
        return paths

    def both(self, names):
        """Runs of tree-stats and of verify."""
        paths = self.images(names)
        return self.run_tree_stats("--json", *paths), self.run_verify("--json", *paths)

    def check_clean(self, run):
        self.assertEqual(run.exit_code, GOOD, str(run))
        self.assertEqual(run.report()["damage"], [], str(run))
        self.assertEqual(run.stderr, "", str(run))

    def test_what_a_kernel_refuses(self):
        for name, rule in RULES.items():
            with self.subTest(name):
                stats, verify = self.both(name)
                for run in (stats, verify):
                    self.assertEqual(run.exit_code, DAMAGED, str(run))
                self.assertIn(f"[{rule}]", stats.stderr)
                self.assertEqual(stats.report()["totals"]["lost_blocks"], 1, str(stats))
                self.assertIn(f"[{rule}]", verify.stdout)
                self.assertEqual(verify.report()["lost_blocks"], 1, str(verify))

    def test_what_a_kernel_reads(self):
        for name in SOUND:
            with self.subTest(name):
                for run in self.both(name):
                    self.check_clean(run)

    def test_damaged_mirrors_of_superblocks(self):
        for name, words in MIRRORS.items():
            with self.subTest(name):
                stats, verify = self.both(name)
                self.assertEqual(stats.exit_code, GOOD, str(stats))
                self.assertEqual(verify.exit_code, DAMAGED, str(verify))
                self.assertEqual(verify.report()["damaged_copies"], 0, str(verify))
                self.assertEqual(verify.report()["lost_blocks"], 0, str(verify))
                expected = f"superblock at 67108864: {words}"
                self.assertIn(expected, stats.stderr)
                self.assertEqual(len(verify.report()["superblocks"]), 1, str(verify))
                self.assertTrue(verify.report()["superblocks"][0].endswith(expected), str(verify))
                used = stats.report()["filesystem"]["superblock"]
                self.assertEqual(used["physical"], 65536)
                self.assertEqual(used["generation"], 31)

    def test_features_are_named(self):
        for names, feature in FEATURES.items():
            with self.subTest(names):
                for run in self.both(names):
                    self.check_complaint(run)
                    self.assertIn(f"uses features that cannot be read: {feature}", run.stderr)

    def test_interrupted_change_of_data_checksums(self):
        stats, verify = self.both("interrupted-csum-change-data")
        words = "a change of the data checksums was interrupted"
        self.assertEqual(stats.exit_code, GOOD, str(stats))
        for run in (stats, verify):
            self.assertIn(words, run.stderr)
        self.assertIn(words, stats.report()["filesystem"]["notices"][0])
        self.assertIn(words, verify.report()["notices"][0])
        self.assertEqual(verify.report()["damaged_copies"], 0, str(verify))
        self.assertEqual(verify.report()["lost_blocks"], 0, str(verify))
        # It was interrupted between the two superblocks of a commit, and that is damage of one.
        self.assertEqual(len(verify.report()["superblocks"]), 1, str(verify))
        self.assertIn("generation 33, that at 65536 has 34", verify.report()["superblocks"][0])
        self.assertEqual(verify.exit_code, DAMAGED, str(verify))

    def test_interrupted_change_of_block_checksums(self):
        for run in self.both("interrupted-csum-change-meta"):
            self.assertEqual(run.exit_code, GOOD, str(run))
            self.assertEqual(run.report()["damage"], [], str(run))
            words = "a change of the checksums of tree blocks was interrupted"
            self.assertEqual(len(run.stderr.splitlines()), 1, str(run))
            self.assertIn(words, run.stderr)

    def test_seed_and_sprout(self):
        for names in ("sprout.new sprout.seed", "sprout.seed sprout.new", "sprout.seed"):
            with self.subTest(names):
                for run in self.both(names):
                    self.check_clean(run)

    def test_two_devices(self):
        for run in self.both("raid0.1 raid0.2"):
            self.check_clean(run)

    def test_missing_devices_are_no_damage(self):
        for name, words in MISSING.items():
            with self.subTest(name):
                for run in self.both(name):
                    self.assertEqual(run.exit_code, FAILED, str(run))
                    self.assertIn(f": {words}\n", run.stderr)
                    self.assertEqual(run.report()["damage"], [], str(run))

    def test_every_image_is_here(self):
        directory = field_images()
        if not directory.is_dir():
            self.skipTest(f"no {directory} (EBCACHE_SHARED says where)")
        here = {path.name.removesuffix(".img.xz") for path in directory.glob("*.img.xz")}
        tested = {name for names in FEATURES for name in names.split()}
        tested |= {*RULES, *SOUND, *MIRRORS, "raid0.1", "raid0.2", "sprout.new", "sprout.seed"}
        tested |= {"interrupted-csum-change-data", "interrupted-csum-change-meta"}
        self.assertEqual(here, tested)


if __name__ == "__main__":
    image_test.main()
