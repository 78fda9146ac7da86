"""Subvolumes that are deleted but still there, all of them or what is left: named as that, told apart
from live ones, and read where they can be."""

import struct

import dump_tree
import image_test
import make_images

ROOT_ITEM, FILES_TREE = 132, 5
WHY_NOT = make_images.why_no_mounts()


class DeletedSubvolumesTest(image_test.ImageTest):
    def setUp(self):
        if WHY_NOT is not None:
            self.skipTest(f"cannot mount images: {WHY_NOT}")
        super().setUp()
        self.image = self.scratch / "disk.img"
        make_images.mkfs([self.image], 4096, metadata="single")
        with make_images.mounted([self.image], self.scratch / "mnt") as top:
            for name in ("live", "deleted", "half"):
                make_images.run_tool("btrfs", "subvolume", "create", top / name)
                make_images.make_tree(top / name / "files", files=600)
            make_images.run_tool("sync")
        self.chunks = dump_tree.chunks([self.image])
        self.trees = dump_tree.all_trees([self.image])

    # ---- Writing by hand what the kernel leaves behind --------------------------------------------

    def offset(self, logical):
        chunk = next(c for c in self.chunks if c.start <= logical < c.start + c.length)
        return chunk.stripes[0][1] + logical - chunk.start

    def block(self, logical):
        with open(self.image, "rb") as file:
            file.seek(self.offset(logical))
            return bytearray(file.read(4096))

    def store(self, logical, block):
        block[0:4] = struct.pack("<I", crc32c(block[32:]))
        with open(self.image, "r+b") as file:
            file.seek(self.offset(logical))
            file.write(block)

    def change_root_item(self, tree, change):
        """Calls change(block, offset of the item) and stores the leaf."""
        for logical in self.trees[1, 0].leaves():
            block = self.block(logical)
            (count,) = struct.unpack_from("<I", block, 96)
            for slot in range(count):
                objectid, kind, _, offset, _ = struct.unpack_from("<QBQII", block, 101 + 25 * slot)
                if (objectid, kind) == (tree, ROOT_ITEM):
                    change(block, 101 + offset)
                    self.store(logical, block)
                    return
        self.fail(f"no root item of tree {tree}")

    def delete(self, tree):
        self.change_root_item(tree, lambda block, at: struct.pack_into("<I", block, at + 216, 0))

    def drop_half(self, tree):
        """Deletes the first half of the children of its root, as far as a deletion can be seen."""
        levels = self.trees[tree, 0].levels
        self.assertGreaterEqual(len(levels), 2)
        height = len(levels) - 1
        (root,) = [b for b, level in self.trees[tree, 0].blocks if level == height]
        node = self.block(root)
        (count,) = struct.unpack_from("<I", node, 96)
        half = count // 2
        pointers = [struct.unpack_from("<QBQQQ", node, 101 + 33 * slot) for slot in range(count)]
        gone = [bytenr for _, _, _, bytenr, _ in pointers[:half]]
        key = pointers[half][:3]

        def change(block, at):
            struct.pack_into("<I", block, at + 216, 0)
            struct.pack_into("<QBQ", block, at + 220, *key)
            struct.pack_into("<B", block, at + 237, height)

        self.change_root_item(tree, change)
        for bytenr in gone:
            with open(self.image, "r+b") as file:
                file.seek(self.offset(bytenr))
                file.write(bytes(4096))
        return len(gone)

    # ---- The tests --------------------------------------------------------------------------------

    def test_told_apart_and_read(self):
        live, deleted, half = 256, 257, 258
        before = {tree["id"]: tree for tree in self.tree_stats(self.image)["trees"]}
        self.assertEqual({tree["state"] for tree in before.values()}, {"live"})
        self.delete(deleted)
        self.drop_half(half)
        report = self.tree_stats(self.image)
        after = {tree["id"]: tree for tree in report["trees"]}
        self.assertEqual(
            {tree: after[tree]["state"] for tree in (FILES_TREE, live, deleted, half)},
            {FILES_TREE: "live", live: "live", deleted: "deleted", half: "being deleted"},
        )
        self.assertEqual(report["totals"]["deleted_trees"], 2)
        self.assertEqual(after[deleted]["items"], before[deleted]["items"])
        self.assertGreater(before[half]["items"], after[half]["items"])
        self.assertGreater(after[half]["items"], 0)
        text = self.run_tree_stats(self.image).stdout
        self.assertRegex(text, r"(?m)^257 \(deleted\) ")
        self.assertRegex(text, r"(?m)^258 \(being deleted\) ")
        self.assertRegex(text, r"(?m)^256  ")
        self.assertEqual(self.run_verify(self.image).exit_code, 0)

        counts = dict(
            (words[0], int(words[1]))
            for words in map(str.split, self.check_mini_dump("--counts").stdout.splitlines())
        )
        for tree in (live, deleted, half):
            self.assertEqual(counts[str(tree)], after[tree]["items"], tree)

    def check_mini_dump(self, *flags):
        run = self.run_mini_dump(*flags, self.image)
        self.assertEqual(run.exit_code, 0, str(run))
        self.assertEqual(run.stderr, "")
        return run

    def test_damage_in_one_is_named_as_that(self):
        self.delete(257)
        leaf = self.trees[257, 0].leaves()[3]
        image_test.flip_byte(self.image, self.offset(leaf) + 200)
        run = self.run_verify(self.image)
        self.assertEqual(run.exit_code, 1, str(run))
        self.assertIn(f"lost: tree 257 (deleted), level 0, block {leaf}", run.stdout)
        report = self.run_verify("--json", self.image).report()
        self.assertEqual([one["tree_deleted"] for one in report["damage"]], [True])
        (one,) = self.run_tree_stats("--json", self.image).report()["damage"]
        self.assertTrue(one["tree_deleted"])
        self.assertEqual(self.run_mini_dump(self.image).exit_code, 1)
        run = self.run_find_block("--json", self.image, self.trees[257, 0].leaves()[0])
        self.assertEqual(run.report()["path"]["tree_state"], "deleted")

    def test_a_shared_block_is_told_of_once(self):
        with make_images.mounted([self.image], self.scratch / "mnt") as top:
            for number in range(3):
                make_images.run_tool(
                    "btrfs", "subvolume", "snapshot", top / "live", top / f"snapshot{number}"
                )
        self.trees = dump_tree.all_trees([self.image])
        owners = {}
        for tree, found in self.trees.items():
            for leaf in found.leaves():
                owners.setdefault(leaf, []).append(tree)
        leaf = next(leaf for leaf, trees in owners.items() if len(trees) == 4)
        image_test.flip_byte(self.image, self.offset(leaf) + 200)
        report = self.run_tree_stats("--json", self.image).report()
        self.assertEqual(report["totals"]["lost_blocks"], 1)
        self.assertEqual([(one["logical"], one["places"]) for one in report["damage"]], [(leaf, 4)])
        run = self.run_tree_stats(self.image)
        self.assertEqual(run.stderr.count(f"block {leaf}: "), 1, str(run))
        self.assertIn("(4 pointers lead there)", run.stderr)
        report = self.run_verify("--json", self.image).report()
        self.assertEqual((len(report["damage"]), len(report["lost"])), (1, 1), report)


def crc32c(data):
    """Of a block, as btrfs has it."""
    table = crc32c.table
    value = 0xFFFFFFFF
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def _table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


crc32c.table = _table()


if __name__ == "__main__":
    image_test.main()
