"""Images with damage: what can be read is read, and what cannot is named."""

import shutil

import dump_tree
import image_test
import make_images

SUPERBLOCK, SUPERBLOCK_MIRROR = 64 << 10, 64 << 20
NODE_BYTES = 4096  # small, so that trees are high


class DamageTest(image_test.ImageTest):
    def setUp(self):
        super().setUp()
        make_images.make_tree(self.scratch / "rootdir", files=400)
        self.image = self.scratch / "disk.img"
        make_images.mkfs(
            [self.image], NODE_BYTES, metadata="dup", rootdir=self.scratch / "rootdir"
        )
        self.trees = dump_tree.all_trees([self.image])
        self.expected = {key: (tree.levels, tree.items) for key, tree in self.trees.items()}

    def damage_block(self, logical, mirrors, offset=NODE_BYTES // 2):
        """Flips a byte in the given mirrors, from 1, of a block; where they are on the device."""
        physicals = [physical for _, physical in dump_tree.copies([self.image], logical)]
        self.assertEqual(len(physicals), 2)
        for mirror in mirrors:
            image_test.flip_byte(self.image, physicals[mirror - 1] + offset)
        return physicals

    def check_recovery(self, logical, mirror):
        """The counts are those of the sound image; whether the damage was met and told."""
        physicals = self.damage_block(logical, [mirror])
        run = self.run_tree_stats("--json", self.image)
        self.assertEqual(run.exit_code, image_test.EXIT_GOOD, str(run))
        report = run.report()
        self.assertEqual(self.counts(report), self.expected)
        self.damage_block(logical, [mirror])  # a second flip undoes the first
        if not report["damage"]:
            return False
        (damage,) = report["damage"]
        self.assertEqual(damage["logical"], logical)
        for part in (f"mirror {mirror}", str(physicals[mirror - 1]), "disk.img", "checksum"):
            self.assertIn(part, damage["reason"])
        self.assertNotIn(str(physicals[2 - mirror]), damage["reason"])
        # People are told too, and in so many words.
        self.assertIn(str(logical), run.stderr, str(run))
        return True

    def check_loss(self, tree_id, logical, level, lost_levels, lost_items):
        """Both copies damaged: named in full, exit 1, and all the rest is counted."""
        physicals = self.damage_block(logical, [1, 2])
        run = self.run_tree_stats("--json", self.image)
        self.damage_block(logical, [1, 2])
        self.assertEqual(run.exit_code, image_test.EXIT_DAMAGED, str(run))
        report = run.report()
        (damage,) = report["damage"]
        self.assertEqual(damage["logical"], logical)
        self.assertEqual(damage["tree"], tree_id)
        self.assertEqual(damage["level"], level)
        name = {value: key for key, value in dump_tree.TREE_IDS.items()}[tree_id]
        (line,) = [line for line in run.stderr.splitlines() if str(logical) in line]
        for part in (name, f"level {level}", "mirror 1", "mirror 2", "disk.img", "checksum"):
            self.assertIn(part, line)
        for physical in physicals:
            self.assertIn(str(physical), line)

        expected = dict(self.expected)
        levels, items = expected[tree_id, 0]
        levels = [count - lost for count, lost in zip(levels, lost_levels)]
        expected[tree_id, 0] = (levels, items - lost_items)
        self.assertEqual(self.counts(report), expected)


    def test_one_copy_of_a_block(self):
        tree = self.trees[5, 0]
        for logical in (tree.leaves()[7], tree.nodes()[1], tree.nodes()[0]):
            with self.subTest(logical=logical):
                met = [self.check_recovery(logical, mirror) for mirror in (1, 2)]
                # One mirror is read first, and only damage there is ever met.
                self.assertTrue(any(met))

    def test_one_copy_of_every_tree(self):
        for (tree_id, _), tree in self.trees.items():
            with self.subTest(tree=tree_id):
                logical, _ = tree.blocks[0]
                met = [self.check_recovery(logical, mirror) for mirror in (1, 2)]
                self.assertTrue(any(met))

    def test_both_copies_of_a_leaf(self):
        leaf = self.trees[5, 0].leaves()[7]
        items = count_items(self.image, leaf)
        self.check_loss(5, leaf, 0, [1, 0, 0], items)

    def test_both_copies_of_a_node(self):
        tree = self.trees[5, 0]
        node = tree.nodes()[1]
        self.assertIn((node, 1), tree.blocks)
        leaves = children(self.image, node)
        items = sum(count_items(self.image, leaf) for leaf in leaves)
        self.check_loss(5, node, 1, [len(leaves), 1, 0], items)

    def test_both_copies_of_the_root_of_a_tree(self):
        tree = self.trees[2, 0]
        self.check_loss(2, tree.blocks[0][0], len(tree.levels) - 1, tree.levels, tree.items)

    def test_every_byte_of_the_header_counts(self):
        # In the header a flip may also meet another check than the checksum's; never none.
        leaf = self.trees[5, 0].leaves()[3]
        # Of the 32 bytes for a checksum, crc32c takes 4.
        for offset in (0, 3, 32, 47, 48, 55, 56, 63, 64, 79, 80, 87, 88, 95, 96, 99, 100):
            with self.subTest(offset=offset):
                self.damage_block(leaf, [1, 2], offset)
                run = self.run_tree_stats("--json", self.image)
                self.damage_block(leaf, [1, 2], offset)
                self.assertEqual(run.exit_code, image_test.EXIT_DAMAGED, str(run))
                self.assertEqual([damage["logical"] for damage in run.report()["damage"]], [leaf])

    def test_a_block_in_the_place_of_another(self):
        # Sound, but not what the parent asks for: a write that went astray.
        leaves = self.trees[5, 0].leaves()
        source = dump_tree.copies([self.image], leaves[2])
        target = dump_tree.copies([self.image], leaves[9])
        with open(self.image, "r+b") as image:
            image.seek(source[0][1])
            block = image.read(NODE_BYTES)
            for _, physical in target:
                image.seek(physical)
                image.write(block)
        run = self.run_tree_stats("--json", self.image)
        self.assertEqual(run.exit_code, image_test.EXIT_DAMAGED, str(run))
        (damage,) = run.report()["damage"]
        self.assertEqual(damage["logical"], leaves[9])
        self.assertIn(str(leaves[2]), damage["reason"])

    def test_a_block_of_zeroes(self):
        leaf = self.trees[5, 0].leaves()[5]
        with open(self.image, "r+b") as image:
            for _, physical in dump_tree.copies([self.image], leaf):
                image.seek(physical)
                image.write(bytes(NODE_BYTES))
        run = self.run_tree_stats("--json", self.image)
        self.assertEqual(run.exit_code, image_test.EXIT_DAMAGED, str(run))
        self.assertEqual([damage["logical"] for damage in run.report()["damage"]], [leaf])

    def test_superblocks(self):
        # The mirror is as good as the primary; without either there is no filesystem.
        image_test.flip_byte(self.image, SUPERBLOCK + 100)
        run = self.run_tree_stats("--json", self.image)
        self.assertEqual(run.exit_code, image_test.EXIT_GOOD, str(run))
        self.assertEqual(self.counts(run.report()), self.expected)
        image_test.flip_byte(self.image, SUPERBLOCK_MIRROR + 100)
        run = self.run_tree_stats("--json", self.image)
        self.check_complaint(run)
        self.assertIn("disk.img", run.stderr)
        self.assertIn("checksum", run.stderr)


class DevicesTest(image_test.ImageTest):
    """Devices that are missing, too many, or of another filesystem."""

    def make(self, metadata, count):
        devices = [self.scratch / f"disk{number}.img" for number in range(count)]
        make_images.mkfs(devices, metadata=metadata, data="single")
        return devices

    def test_missing_where_redundancy_allows(self):
        for metadata, count, missing in (
            ("raid1", 2, 1),
            ("raid1c3", 3, 2),
            ("raid1c4", 4, 3),
            ("raid10", 4, 1),
        ):
            devices = self.make(metadata, count)
            expected = self.check_against_dump_tree(self.tree_stats(*devices), devices)
            for first in range(count):
                with self.subTest(metadata=metadata, count=count, first=first):
                    rest = [devices[(first + i) % count] for i in range(count - missing)]
                    run = self.run_tree_stats("--json", *rest)
                    self.assertEqual(run.exit_code, image_test.EXIT_GOOD, str(run))
                    self.assertEqual(self.counts(run.report()), expected)

    def test_missing_without_redundancy(self):
        devices = self.make("raid0", 2)
        for device in devices:
            with self.subTest(device=device.name):
                run = self.run_tree_stats("--json", device)
                self.assertNotEqual(run.exit_code, image_test.EXIT_GOOD, str(run))
                self.assertIn("missing", run.stderr, str(run))

    def test_damage_on_one_of_two_devices(self):
        devices = self.make("raid1", 2)
        expected = self.check_against_dump_tree(self.tree_stats(*devices), devices)
        logical = dump_tree.all_trees(devices)[5, 0].blocks[0][0]
        copies = dump_tree.copies(devices, logical)
        for devid, physical in copies:
            image_test.flip_byte(devices[devid - 1], physical + 1000)
            run = self.run_tree_stats("--json", *devices)
            self.assertEqual(run.exit_code, image_test.EXIT_GOOD, str(run))
            self.assertEqual(self.counts(run.report()), expected)
            # Alone, the device with the damage is not enough; the other one is.
            alone = self.run_tree_stats("--json", devices[devid - 1])
            self.assertEqual(alone.exit_code, image_test.EXIT_DAMAGED, str(alone))
            self.assertIn(devices[devid - 1].name, alone.stderr)
            self.assertIn(str(physical), alone.stderr)
            image_test.flip_byte(devices[devid - 1], physical + 1000)

    def test_device_of_another_filesystem(self):
        ours, other = self.scratch / "ours.img", self.scratch / "other.img"
        make_images.mkfs([ours])
        make_images.mkfs([other])
        run = self.run_tree_stats("--json", ours, other)
        self.check_complaint(run)
        self.assertIn("other.img", run.stderr)

    def test_the_same_device_twice(self):
        (ours,) = make_images.mkfs([self.scratch / "ours.img"])
        copy = self.scratch / "copy.img"
        shutil.copyfile(ours, copy)
        run = self.run_tree_stats("--json", ours, copy)
        self.check_complaint(run)
        self.assertIn("copy.img", run.stderr)


def count_items(image, leaf):
    """How many items a leaf has."""
    dump = dump_tree.dump([image], "-b", leaf)
    return sum(line.startswith("\titem ") for line in dump.splitlines())


def children(image, node):
    """Where the children of a node are."""
    dump = dump_tree.dump([image], "-b", node)
    keys = [line.split() for line in dump.splitlines() if line.startswith("\tkey ")]
    return [int(words[words.index("block") + 1]) for words in keys]


if __name__ == "__main__":
    image_test.main()
