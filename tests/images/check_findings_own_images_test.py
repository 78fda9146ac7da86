"""Findings of `ebcache check`, each alone, that need an image of their own: overlaps of items in two leaves
(within one the rules for leaves refuse them, and the finding is block-lost), logs, block groups in a tree of their own,
and more references than memory has room for."""

import fcntl
import os
import struct

import findings_test_case
import image_test
import make_images
from findings_test_case import (
    BYTES_USED,
    CHUNK,
    CSUM,
    DEV_EXTENT,
    DISK_BYTENR,
    DISK_BYTES,
    EXTENT,
    EXTENT_DATA,
    FILE_BYTES,
    GROUP,
    LOG_ROOT,
    RAM_BYTES,
)

SECTOR = 4096
FAR = 1 << 40  # behind all chunks
FICLONERANGE = 0x4020940D
BLOCK_GROUP_TREE = 11
STRIPE = 64 << 10


class CheckFindingsOwnImagesTest(findings_test_case.FindingsTestCase):
    def mounted(self, options=()):
        return make_images.mounted([self.image], self.scratch / "mnt", options)

    # ---- Overlaps -------------------------------------------------------------------------------

    def make_many_leaves(self):
        """Small nodes; so much data that extents, checksums and device extents have several leaves each."""
        make_images.mkfs([self.image], node_bytes=SECTOR, size_bytes=80 << 30)
        with self.mounted() as top:
            for number in range(200):
                (top / f"file{number}").write_bytes(os.urandom(24 << 10))
            make_images.run_tool("sync")
            make_images.run_tool("fallocate", "-l", 60 << 30, top / "large")
        self.use(self.image)

    def neighbours(self, tree, kind, where=lambda key: True):
        """The last item of a leaf, if the first of the next one is of that kind as well and goes on at its end."""
        leaves = self.leaves_of(tree)
        for leaf, after in zip(leaves, leaves[1:]):
            last, first = (leaf, leaf.items[-1]), (after, after.items[0])
            if (last[1][0], first[1][0]) == (kind, kind) and where(self.key(last)):
                return last, first
        raise AssertionError(f"no two leaves of tree {tree} meet in items of type {kind}")

    def test_extent_overlap(self):
        """An extent of data gets a sector longer; its file, its block group and the superblock know of it."""
        self.make_many_leaves()
        last, first = self.neighbours(2, EXTENT)
        start, _, length = self.key(last)
        self.assertEqual(self.key(first)[0], start + length)
        place = self.first(
            EXTENT_DATA, 5, lambda key, data: data[20] == 1 and struct.unpack_from("<Q", data, 21)[0] == start
        )
        group = self.first(GROUP, 2, lambda key, data: key[0] <= start < key[0] + key[2])
        self.check(
            "extent-overlap",
            lambda: self.put_key(last, 9, "<Q", length + SECTOR),
            lambda: self.add(place, DISK_BYTES, "<Q", SECTOR),
            lambda: self.add(place, RAM_BYTES, "<Q", SECTOR),
            lambda: self.add(group, 0, "<Q", SECTOR),
            lambda: self.add_to_superblocks(BYTES_USED, SECTOR),
        )

    def test_checksum_overlap(self):
        """An item of checksums has one more, of the sector that the next item begins with."""
        self.make_many_leaves()
        last, first = self.neighbours(7, CSUM)
        leaf = last[0]
        entries = self.entries(leaf)
        key, checksums = entries[-1]
        self.assertEqual(self.key(first)[2], key[2] + len(checksums) // 4 * SECTOR)
        (again,) = struct.unpack_from("<I", first[0].block, first[1][2])
        entries[-1] = (key, checksums + struct.pack("<I", again))
        self.check("checksum-overlap", lambda: self.store_entries(leaf, entries))

    def test_device_extent_overlap(self):
        """A chunk moves on the device, with its device extent, into the one behind."""
        self.make_many_leaves()
        last, first = self.neighbours(4, DEV_EXTENT)
        _, _, start = self.key(last)
        self.assertEqual(self.key(first)[2], start + self.read(last, 24, "<Q"))
        number = self.read(last, 16, "<Q")
        chunk = self.first(CHUNK, 3, lambda key, data: key[2] == number and data[24] == 1)
        self.assertEqual(self.read(chunk, 56, "<Q"), start)
        self.check(
            "device-extent-overlap",
            lambda: self.put_key(last, 9, "<Q", start + STRIPE),
            lambda: self.put(chunk, 56, "<Q", start + STRIPE),
        )

    def test_file_extent_overlap(self):
        """A part of a file begins a sector later, and ends as much later; its reference says so as well."""
        self.make_many_leaves()
        last, first = self.neighbours(5, EXTENT_DATA)
        number, _, offset = self.key(last)
        self.assertEqual(self.key(first), (number, EXTENT_DATA, offset + self.read(last, FILE_BYTES, "<Q")))
        start = self.read(last, DISK_BYTENR, "<Q")
        extent = self.first(EXTENT, 2, lambda key, data: key[0] == start)
        self.assertEqual(struct.unpack("<QQQ", self.data(extent)[25:49]), (5, number, offset))
        self.check(
            "file-extent-overlap",
            lambda: self.put_key(last, 9, "<Q", offset + SECTOR),
            lambda: self.put(extent, 41, "<Q", offset + SECTOR),
        )

    # ---- Others ---------------------------------------------------------------------------------

    def physical(self, address):
        """Where all copies of that address are."""
        for place in self.items(CHUNK, 3):
            start = self.key(place)[2]
            if start <= address < start + self.read(place, 0, "<Q"):
                stripes = self.read(place, 44, "<H")
                return [self.read(place, 56 + 32 * i, "<Q") + address - start for i in range(stripes)]
        raise AssertionError(f"{address} is in no chunk")

    def make_log(self):
        """A kernel commits for reasons of its own, too, and then there is no log: it gets more than one chance."""
        make_images.mkfs([self.image])
        made = self.image
        with self.mounted(("commit=300",)) as top:
            make_images.run_tool("fallocate", "-l", 64 << 10, top / "extent")
            for attempt in range(20):
                make_images.run_tool("sync")
                with open(top / f"synced{attempt}", "wb") as file:
                    file.write(os.urandom(20000))
                    os.fsync(file.fileno())
                copy = make_images.copy_sparse(made, self.scratch / "log.img")
                self.image = copy
                if self.superblock_word(LOG_ROOT) != 0:
                    break
                self.image = made
        self.use(copy)

    def superblock_word(self, offset):
        with open(self.image, "rb") as image:
            image.seek(findings_test_case.SUPERBLOCKS[0] + offset)
            return struct.unpack("<Q", image.read(8))[0]

    def move_log_root(self, to):
        """The block that the superblock has as the log's root, in another place."""
        root = self.superblock_word(LOG_ROOT)
        self.assertNotEqual(root, 0)
        with open(self.image, "r+b") as image:
            image.seek(self.physical(root)[0])
            block = bytearray(image.read(16384))
            struct.pack_into("<Q", block, 48, to)
            for place in self.physical(to):
                image.seek(place)
                image.write(findings_test_case.field_damage.seal(bytes(block)))
        # A log is written without the other copies of the superblock.
        self.add_to_superblocks(LOG_ROOT, to - root, places=findings_test_case.SUPERBLOCKS[:1])

    def preallocated(self):
        place = self.first(EXTENT_DATA, 5, lambda key, data: data[20] == findings_test_case.PREALLOC)
        return self.read(place, DISK_BYTENR, "<Q")

    def test_log_block_in_use(self):
        self.make_log()
        self.check("log-block-in-use", lambda: self.move_log_root(self.preallocated()))

    def test_log_block_inside_extent(self):
        """The extent begins before the block, and ends behind it."""
        self.make_log()
        self.check("log-block-in-use", lambda: self.move_log_root(self.preallocated() + (32 << 10)))

    def test_block_group_surplus_in_its_tree(self):
        make_images.mkfs([self.image])
        run = self.run_program(image_test.command("tune", "--yes", "--block-group-tree=on", self.image))
        self.assertEqual(run.exit_code, 0, str(run))
        self.use(self.image)
        item = struct.pack("<QQQ", 0, 256, 1)
        leaf = self.leaves_of(BLOCK_GROUP_TREE)[-1]
        self.check("block-group-surplus", lambda: self.insert(leaf, (FAR, GROUP, 8 << 20), item))

    def make_many_references(self, count):
        """An extent that a file refers to in that many places."""
        make_images.mkfs([self.image])
        with self.mounted() as top:
            (top / "one").write_bytes(os.urandom(SECTOR))
            make_images.run_tool("sync")
            with open(top / "one", "rb") as source, open(top / "many", "wb") as copies:
                for number in range(count):
                    place = struct.pack("<qQQQ", source.fileno(), 0, SECTOR, number * SECTOR)
                    fcntl.ioctl(copies, FICLONERANGE, place)
        self.use(self.image)

    def test_reference_bucket(self):
        """An eighth of 16 MiB has room for fewer references than the bucket has that differs."""
        self.make_many_references(12000)
        extent = self.first(EXTENT, 2, lambda key, data: struct.unpack_from("<Q", data)[0] == 12001)
        self.assertEqual(self.read(extent, 24, "<B"), findings_test_case.DATA_REF)
        self.add(extent, 0, "<Q", 1)
        self.check("reference-bucket", lambda: self.add(extent, 49, "<I", 1), options=("--memory-mib=16",))
        self.check("reference-surplus")  # with room for all


if __name__ == "__main__":
    image_test.main()
