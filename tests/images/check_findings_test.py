"""Each kind of finding of `ebcache check`, alone: one field, or those that belong together, changed in an
image that is sound, with checksums made good."""

import os
import struct

import dump_tree
import findings_test_case
import image_test
import make_images
from findings_test_case import (
    BYTES_USED,
    CHUNK,
    CSUM,
    DEVICE,
    DEVICE_BYTES_USED,
    DEV_EXTENT,
    DIR_INDEX,
    DIR_ITEM,
    DISK_BYTENR,
    DISK_BYTES,
    EXTENT,
    EXTENT_DATA,
    EXTENT_KIND,
    FLAGS,
    FREE_EXTENT,
    FREE_INFO,
    GENERATION,
    GROUP,
    INODE,
    METADATA,
    MODE,
    NBYTES,
    NLINK,
    PREALLOC,
    QGROUP_INFO,
    ROOT,
    ROOT_BACKREF,
    ROOT_REF,
    SIZE,
    SYSTEM_CHUNKS,
    UUID,
)

REGULAR, FIFO = 0o100000, 0o010000
INODE_REF, ORPHAN, ORPHANS = 12, 48, 2**64 - 5
UNKNOWN = 253  # a type that no kernel knows
FAR = 1 << 40  # behind all chunks


def fill(top):
    """What each change below needs: a file in several extents of one, holes, names, subvolumes, quotas."""
    make_images.run_tool("btrfs", "quota", "enable", top)
    make_images.make_tree(top / "files", files=150)
    (top / "large").write_bytes(os.urandom(400000))
    make_images.run_tool("sync")
    with open(top / "large", "r+b") as file:
        file.seek(100 << 10)
        file.write(os.urandom(8192))
    with open(top / "hole", "wb") as file:
        file.seek(1 << 20)
        file.write(b"x" * 4096)
    make_images.run_tool("btrfs", "subvolume", "create", top / "sub")
    (top / "sub" / "file").write_bytes(b"y" * 9000)
    make_images.run_tool("sync")
    make_images.run_tool("btrfs", "quota", "rescan", "-w", top)
    make_images.run_tool("sync")


class CheckFindingsTest(findings_test_case.FindingsTestCase):
    def setUp(self):
        super().setUp()
        make_images.mkfs([self.image], features=("^no-holes",), size_bytes=256 << 20)
        with make_images.mounted([self.image], self.scratch / "mnt") as top:
            fill(top)
        self.use(self.image)

    def regular(self, tree=5):
        return self.first(INODE, tree, lambda key, data: self.mode_of(data) == REGULAR)

    @staticmethod
    def mode_of(data):
        return struct.unpack_from("<I", data, MODE)[0] & 0o170000

    def large(self, kind=INODE):
        """An item of the file that has 400,000 bytes."""

        def is_large(_, data):
            return struct.unpack_from("<Q", data, SIZE)[0] == 400000

        leaf, item = self.first(INODE, 5, is_large)
        number = struct.unpack_from("<Q", leaf.block, item[1])[0]
        return self.first(kind, 5, lambda key, data: key[0] == number)

    # ---- References -----------------------------------------------------------------------------

    def shared_data(self):
        """A data extent that one file refers to twice."""
        return self.first(EXTENT, 2, lambda key, data: len(data) == 53 and data[0] == 2)

    def test_reference_missing(self):
        place = self.shared_data()
        self.check(
            "reference-missing", lambda: self.put(place, 0, "<Q", 1), lambda: self.put(place, 49, "<I", 1)
        )

    def test_reference_surplus(self):
        place = self.shared_data()
        self.check(
            "reference-surplus", lambda: self.put(place, 0, "<Q", 3), lambda: self.put(place, 49, "<I", 3)
        )

    def test_reference_count(self):
        self.check("reference-count", lambda: self.add(self.first(METADATA, 2), 0, "<Q", 1))

    def test_block_record(self):
        self.check("block-record", lambda: self.add(self.first(METADATA, 2), 8, "<Q", -1))

    def test_extent_generation(self):
        place = self.first(EXTENT, 2)
        self.check("extent-generation", lambda: self.put(place, 8, "<Q", self.generation() + 1))

    def test_block_lost(self):
        leaf = self.first(UUID, 9)[0]
        for place in leaf.places:
            image_test.flip_byte(self.image, place + 5000)
        self.check("block-lost")

    def test_block_misplaced(self):
        """The last key of a leaf, of an item that nothing looks at, lies behind the first of the next leaf."""
        leaves = self.leaves_of(5)
        number = self.entries(leaves[1])[0][0][0]
        self.check("block-misplaced", lambda: self.insert(leaves[0], (number, UNKNOWN, 0), b"\0" * 8))

    # ---- Space ----------------------------------------------------------------------------------

    def extent_for_hole(self, start):
        """A preallocated extent of 1 MiB, which a file has in place of its hole. All counts but a block group's."""
        hole = self.hole()
        number, _, offset = self.key(hole)
        self.put(hole, EXTENT_KIND, "<B", PREALLOC)
        self.put(hole, DISK_BYTENR, "<Q", start)
        self.put(hole, DISK_BYTES, "<Q", 1 << 20)
        self.add(self.first(INODE, 5, lambda key, data: key[0] == number), NBYTES, "<Q", 1 << 20)
        item = findings_test_case.data_extent(self.generation(), 5, number, offset)
        key = (start, EXTENT, 1 << 20)
        self.insert(self.leaf_for(2, key), key, item)
        group = self.first(QGROUP_INFO, 8, lambda key, data: key[2] == 5)
        for field in (8, 16, 24, 32):
            self.add(group, field, "<Q", 1 << 20)
        self.add_to_superblocks(BYTES_USED, 1 << 20)

    def test_extent_outside_chunk(self):
        self.check("extent-outside-chunk", lambda: self.extent_for_hole(FAR))

    def test_extent_behind_end_of_chunk(self):
        """Its first sector is the last one of a chunk, and free."""

        def has_free_end(key, data):
            return any(one[0] <= key[0] < key[0] + key[2] == one[0] + one[2] for one in groups)

        groups = [self.key(place) for place in self.items(GROUP, 2) if self.read(place, 16, "<Q") == 1]
        free = self.first(FREE_EXTENT, 10, has_free_end)
        start, _, length = self.key(free)
        end = start + length
        group = next(one for one in groups if one[0] + one[2] == end)
        self.check(
            "extent-outside-chunk",
            lambda: self.put_key(free, 9, "<Q", length - 4096),
            lambda: self.extent_for_hole(end - 4096),
            lambda: self.add(self.first(GROUP, 2, lambda key, data: key == group), 0, "<Q", 1 << 20),
        )

    def test_block_group_surplus(self):
        item = struct.pack("<QQQ", 0, 256, 1)
        last = self.leaves_of(2)[-1]
        self.check("block-group-surplus", lambda: self.insert(last, (FAR, GROUP, 8 << 20), item))

    def data_group(self):
        return self.first(GROUP, 2, lambda key, data: data[16] & 1)

    def test_extent_type(self):
        chunk = self.first(CHUNK, 3, lambda key, data: data[24] == 1)
        self.check(
            "extent-type",
            lambda: self.put(chunk, 24, "<Q", 4),
            lambda: self.put(self.data_group(), 16, "<Q", 4),
        )

    def test_block_group_used(self):
        self.check("block-group-used", lambda: self.add(self.data_group(), 0, "<Q", 4096))

    def test_block_group_missing(self):
        self.check("block-group-missing", lambda: self.hide(self.data_group()))

    def test_block_group_flags(self):
        self.check("block-group-flags", lambda: self.put(self.data_group(), 16, "<Q", 4))

    def test_superblock_bytes_used(self):
        self.check("superblock-bytes-used", lambda: self.add_to_superblocks(BYTES_USED, 4096))

    def test_free_space_wrong(self):
        place = self.large_free_extent()
        length = struct.unpack_from("<Q", place[0].block, place[1][1] + 9)[0]
        self.check("free-space-wrong", lambda: self.put_key(place, 9, "<Q", length - 4096))

    def large_free_extent(self):
        """One in a chunk that there is: mkfs leaves others behind."""
        chunks = dump_tree.chunks([self.image])
        return self.first(
            FREE_EXTENT,
            10,
            lambda key, data: any(c.start < key[0] < c.start + c.length for c in chunks) and key[2] > 65536,
        )

    def test_free_space_info(self):
        chunks = {chunk.start for chunk in dump_tree.chunks([self.image])}
        place = self.first(FREE_INFO, 10, lambda key, data: key[0] in chunks)
        self.check("free-space-info", lambda: self.add(place, 0, "<I", 1))

    def test_checksum_missing(self):
        place = list(self.items(CSUM, 7))[-1]  # keys stay in order
        self.check("checksum-missing", lambda: self.hide(place))

    def test_checksum_orphan(self):
        """The extent of a file becomes one without checksums, whose checksums begin too early."""
        (leaf, item) = self.first(CSUM, 7)
        start = struct.unpack_from("<Q", leaf.block, item[1] + 9)[0]
        last = start + (item[3] // 4 - 1) * 4096

        def has_last(_, data):
            place, length = struct.unpack_from("<QQ", data.ljust(37, b"\0"), 21)
            return data[20] == 1 and place <= last < place + length

        extent = self.first(EXTENT_DATA, None, has_last)
        number = struct.unpack_from("<Q", extent[0].block, extent[1][1])[0]
        inode = self.first(INODE, extent[0].owner, lambda key, data: key[0] == number)
        self.check(
            "checksum-orphan",
            lambda: self.put(inode, FLAGS, "<Q", 1),
            lambda: self.put_key((leaf, item), 9, "<Q", start - 4096),
        )

    def test_checksum_unwanted(self):
        place = self.large()
        self.check("checksum-unwanted", lambda: self.put(place, FLAGS, "<Q", 1))

    # ---- Devices --------------------------------------------------------------------------------

    def test_device_extent_missing(self):
        place = self.first(DEV_EXTENT, 4)
        self.check("device-extent-missing", lambda: self.add(place, 16, "<Q", 1 << 30))

    def test_device_bytes_used(self):
        place = self.first(DEVICE, 3)
        self.check(
            "device-bytes-used",
            lambda: self.add(place, 16, "<Q", 4096),
            lambda: self.add_to_superblocks(DEVICE_BYTES_USED, 4096),
        )

    def test_device_item(self):
        self.check("device-item", lambda: self.add_to_superblocks(DEVICE_BYTES_USED, 4096))

    def test_superblock_devices(self):
        self.check("superblock-devices", lambda: self.add_to_superblocks(112, -4096))

    def test_device_extent_surplus(self):
        item = struct.pack("<QQQQ16s", 3, 256, FAR, 1 << 20, b"")
        start = self.end_of_device_extents()
        self.check(
            "device-extent-surplus",
            lambda: self.insert(self.leaves_of(4)[-1], (1, DEV_EXTENT, start), item),
            lambda: self.add(self.first(DEVICE, 3), 16, "<Q", 1 << 20),
            lambda: self.add_to_superblocks(DEVICE_BYTES_USED, 1 << 20),
        )

    def end_of_device_extents(self):
        last = list(self.items(DEV_EXTENT, 4))[-1]
        return self.key(last)[2] + self.read(last, 24, "<Q")

    def test_system_chunk(self):
        """A system chunk, as it should be but for the superblock's list, and empty."""
        length = 8 << 20
        start = self.end_of_device_extents()
        device = self.first(DEVICE, 3)
        uuid = device[0].block[device[1][2] + 66 :][:16]
        chunk = struct.pack("<QQQQIIIHH", length, 2, 64 << 10, 2, 4096, 4096, 4096, 1, 1)
        chunk += struct.pack("<QQ16s", 1, start, uuid)
        extent = struct.pack("<QQQQ16s", 3, 256, FAR, length, b"")
        self.check(
            "system-chunk",
            lambda: self.insert(self.leaves_of(3)[-1], (256, CHUNK, FAR), chunk),
            lambda: self.insert(self.leaves_of(4)[-1], (1, DEV_EXTENT, start), extent),
            lambda: self.insert(self.leaves_of(2)[-1], (FAR, GROUP, length), struct.pack("<QQQ", 0, 256, 2)),
            lambda: self.insert(self.leaves_of(10)[-1], (FAR, FREE_INFO, length), struct.pack("<II", 1, 0)),
            lambda: self.insert(self.leaves_of(10)[-1], (FAR, FREE_EXTENT, length), b""),
            lambda: self.add(self.first(DEVICE, 3), 16, "<Q", length),
            lambda: self.add_to_superblocks(DEVICE_BYTES_USED, length),
        )

    def test_system_chunk_that_is_another(self):
        """What contradicts the superblock's list cannot be mounted: the leaf is lost, and the list is all there is."""
        second_copy = SYSTEM_CHUNKS + 17 + 48 + 32 + 8
        self.check("block-lost", lambda: self.add_to_superblocks(second_copy, 1 << 20))

    # ---- Files ----------------------------------------------------------------------------------

    def test_inode_link_count(self):
        self.check("inode-link-count", lambda: self.add(self.regular(), NLINK, "<I", 1))

    def test_inode_bytes(self):
        self.check("inode-bytes", lambda: self.add(self.regular(), NBYTES, "<Q", 4096))

    def test_inode_generation(self):
        place = self.regular()
        self.check("inode-generation", lambda: self.put(place, GENERATION, "<Q", self.generation() + 1))

    def test_directory_size(self):
        """Half of what it should be is what others have written."""
        place = self.first(INODE, 5, lambda key, data: key[0] == 256)
        size = self.read(place, SIZE, "<Q")
        self.check("directory-size", lambda: self.put(place, SIZE, "<Q", size // 2))

    def entries_of(self, place):
        """Both forms of the directory entry of an inode."""
        number = struct.unpack_from("<Q", place[0].block, place[1][1])[0]
        for kind in (DIR_ITEM, DIR_INDEX):
            yield self.first(kind, 5, lambda key, data: struct.unpack_from("<Q", data)[0] == number)

    def test_inode_kind(self):
        entries = list(self.entries_of(self.regular()))
        self.check("inode-kind", *[lambda e=entry: self.put(e, 29, "<B", 3) for entry in entries])

    def remove_entry(self, number, *forms):
        """Forms of the directory entry of an inode, and their parts of the directory's size."""
        for form in forms:
            entry = self.first(form, 5, lambda key, data: struct.unpack_from("<Q", data)[0] == number)
            directory, name = self.key(entry)[0], self.read(entry, 27, "<H")
            self.remove(entry)
            self.add(self.first(INODE, 5, lambda key, data: key[0] == directory), SIZE, "<Q", -name)

    def remove_name(self):
        """The inode's own name, and the count of it."""
        self.remove(self.large(INODE_REF))
        self.put(self.large(), NLINK, "<I", 0)

    def add_orphan(self, number):
        self.insert(self.leaves_of(5)[-1], (ORPHANS, ORPHAN, number), b"")

    def test_entry_without_index(self):
        """The inode has no name: one would be name-without-entry, as it says which index it has."""
        number = self.key(self.large())[0]
        self.check(
            "entry-without-index",
            lambda: self.remove_entry(number, DIR_INDEX),
            self.remove_name,
            lambda: self.add_orphan(number),
        )

    def test_index_without_entry(self):
        number = self.key(self.large())[0]
        self.check("index-without-entry", lambda: self.remove_entry(number, DIR_ITEM))

    def test_entry_without_name(self):
        number = self.key(self.large())[0]
        self.check("entry-without-name", self.remove_name, lambda: self.add_orphan(number))

    def test_name_without_entry(self):
        number = self.key(self.large())[0]
        self.check("name-without-entry", lambda: self.remove_entry(number, DIR_ITEM, DIR_INDEX))

    def test_orphan_missing(self):
        number = self.key(self.large())[0]
        self.check(
            "orphan-missing", lambda: self.remove_entry(number, DIR_ITEM, DIR_INDEX), self.remove_name
        )

    def test_inode_items(self):
        place = self.regular()
        mode = self.read(place, MODE, "<I") & 0o7777
        entries = list(self.entries_of(place))
        self.check(
            "inode-items",
            lambda: self.put(place, MODE, "<I", FIFO | mode),
            *[lambda e=entry: self.put(e, 29, "<B", 5) for entry in entries],
        )

    def hole(self):
        return self.first(
            EXTENT_DATA, 5, lambda key, data: data[20] == 1 and struct.unpack_from("<Q", data, 21)[0] == 0
        )

    def test_file_extent_gap(self):
        self.check("file-extent-gap", lambda: self.add(self.hole(), 45, "<Q", -4096))

    def test_file_extent_generation(self):
        place = self.large(EXTENT_DATA)
        self.check("file-extent-generation", lambda: self.put(place, 0, "<Q", self.generation() + 1))

    def test_file_extent_place(self):
        self.check("file-extent-place", lambda: self.put(self.large(EXTENT_DATA), 8, "<Q", 4096))

    # ---- Trees ----------------------------------------------------------------------------------

    def test_root_ref_missing(self):
        self.check("root-ref-missing", lambda: self.hide(self.first(ROOT_REF, 1)))

    def test_root_backref_missing(self):
        self.check("root-backref-missing", lambda: self.hide(self.first(ROOT_BACKREF, 1)))

    def test_root_ref_entry(self):
        self.check(
            "root-ref-entry",
            lambda: self.add(self.first(ROOT_REF, 1), 8, "<Q", 500),
            lambda: self.add(self.first(ROOT_BACKREF, 1), 8, "<Q", 500),
        )

    def subvolume(self):
        return self.first(ROOT, 1, lambda key, data: key[0] >= 256 and key[0] < 1 << 48)

    def test_root_ref_count(self):
        self.check("root-ref-count", lambda: self.put(self.subvolume(), 216, "<I", 2))

    def test_root_orphan_missing(self):
        """A subvolume without a place in any directory, as one that is being deleted."""

        def leads_to_subvolume(_, data):
            return struct.unpack_from("<QB", data) == (256, ROOT)

        self.check(
            "root-orphan-missing",
            lambda: self.put(self.subvolume(), 216, "<I", 0),
            lambda: self.remove(self.first(ROOT_REF, 1)),
            lambda: self.remove(self.first(ROOT_BACKREF, 1)),
            lambda: self.remove(self.first(DIR_ITEM, 5, leads_to_subvolume)),
            lambda: self.remove(self.first(DIR_INDEX, 5, leads_to_subvolume)),
            lambda: self.add(self.first(INODE, 5, lambda key, data: key[0] == 256), SIZE, "<Q", -2 * len("sub")),
        )

    def test_root_directory(self):
        self.check("root-directory", lambda: self.add(self.subvolume(), 168, "<Q", 1))

    def test_uuid_missing(self):
        self.check("uuid-missing", lambda: self.put_key(self.first(UUID, 9), 8, "<B", 254))

    def test_uuid_stale(self):
        place = self.subvolume()
        self.check(
            "uuid-stale", lambda: self.put(place, 247, "<Q", 0), lambda: self.put(place, 255, "<Q", 0)
        )

    def test_quota_count(self):
        place = self.first(QGROUP_INFO, 8)
        self.check("quota-count", lambda: self.add(place, 24, "<Q", 4096))

    # ---- Printing -------------------------------------------------------------------------------

    def test_findings_are_bounded_and_all_counted(self):
        for place in self.items(INODE, 5):
            if self.mode_of(place[0].block[place[1][2] : place[1][2] + place[1][3]]) == REGULAR:
                self.add(place, NBYTES, "<Q", 4096)
        run = self.run_program(image_test.command("check", "--json", "--findings=3", self.image))
        report = run.report()
        self.assertEqual(len(report["findings"]), 3)
        self.assertGreater(report["counts"]["inode-bytes"], 100)
        run = self.run_program(image_test.command("check", "--findings=3", self.image))
        self.assertIn(f"... and {report['counts']['inode-bytes'] - 3} more of inode-bytes", run.stdout)
        finding = report["findings"][0]
        self.assertEqual((finding["kind"], finding["tree"], finding["key"]["type"]), ("inode-bytes", 5, 1))
        self.assertEqual(int(finding["found"]), int(finding["expected"]) + 4096)


if __name__ == "__main__":
    image_test.main()
