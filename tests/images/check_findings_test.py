"""Each kind of finding of `ebcache check`, alone: one field, or those that belong together, changed in an
image that is sound, with checksums made good."""

import os
import struct

import dump_tree
import field_damage
import image_test
import make_images

WHY_NOT = make_images.why_no_mounts()
SUPERBLOCKS = (64 << 10, 64 << 20)
INODE, INODE_REF, DIR_ITEM, DIR_INDEX, EXTENT_DATA, CSUM = 1, 12, 84, 96, 108, 128
ROOT, ROOT_BACKREF, ROOT_REF, EXTENT, METADATA, GROUP = 132, 144, 156, 168, 169, 192
FREE_INFO, FREE_EXTENT, DEV_EXTENT, DEVICE, CHUNK = 198, 199, 204, 216, 228
QGROUP_INFO, UUID = 242, 251
UNKNOWN_TYPE = 1  # added to a key's type: one that no kernel knows, behind it
MODE, NLINK, NBYTES, SIZE, GENERATION, FLAGS = 52, 40, 24, 16, 0, 64
REGULAR, FIFO = 0o100000, 0o010000


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


class CheckFindingsTest(image_test.ImageTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.made = None

    def setUp(self):
        if WHY_NOT is not None:
            self.skipTest(f"cannot mount images: {WHY_NOT}")
        super().setUp()
        self.image = self.scratch / "disk.img"
        make_images.mkfs([self.image], features=("^no-holes",), size_bytes=256 << 20)
        with make_images.mounted([self.image], self.scratch / "mnt") as top:
            fill(top)
        self.assertEqual(self.counts(), {})
        self.leaves = field_damage.leaves(self.image)

    def counts(self):
        run = self.run_program(image_test.command("check", "--json", self.image))
        report = run.report()
        self.assertEqual(run.exit_code, 1 if report["counts"] else 0, str(run))
        self.assertEqual(report["total_findings"], sum(report["counts"].values()))
        return report["counts"]

    # ---- Changes --------------------------------------------------------------------------------

    def items(self, kind, tree=None):
        """(leaf, item) of that type, in order."""
        for leaf in self.leaves:
            if tree in (None, leaf.owner):
                yield from ((leaf, item) for item in leaf.items if item[0] == kind)

    def first(self, kind, tree=None, where=lambda key, data: True):
        for leaf, item in self.items(kind, tree):
            key = struct.unpack_from("<QBQ", leaf.block, item[1])
            data = leaf.block[item[2] : item[2] + item[3]]
            if where(key, data):
                return leaf, item
        raise AssertionError(f"no item of type {kind}")

    def put(self, place, offset, form, value):
        """A field of an item's data."""
        leaf, item = place
        block = bytearray(leaf.block)
        struct.pack_into(form, block, item[2] + offset, value)
        self.store(leaf, block)

    def put_key(self, place, offset, form, value):
        leaf, item = place
        block = bytearray(leaf.block)
        struct.pack_into(form, block, item[1] + offset, value)
        self.store(leaf, block)

    def store(self, leaf, block):
        leaf.block = field_damage.seal(bytes(block))
        leaf.write(leaf.block)

    def read(self, place, offset, form):
        leaf, item = place
        return struct.unpack_from(form, leaf.block, item[2] + offset)[0]

    def add(self, place, offset, form, value):
        self.put(place, offset, form, self.read(place, offset, form) + value)

    def hide(self, place):
        """Gives an item a type that nothing looks at."""
        self.put_key(place, 8, "<B", place[1][0] + UNKNOWN_TYPE)

    def add_to_superblocks(self, offset, value, form="<Q"):
        with open(self.image, "r+b") as image:
            for place in SUPERBLOCKS:
                image.seek(place)
                block = bytearray(image.read(4096))
                (old,) = struct.unpack_from(form, block, offset)
                struct.pack_into(form, block, offset, old + value)
                image.seek(place)
                image.write(field_damage.seal(bytes(block)))

    def generation(self):
        with open(self.image, "rb") as image:
            image.seek(SUPERBLOCKS[0] + 72)
            return struct.unpack("<Q", image.read(8))[0]

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

    def check(self, expected, *changes):
        """These changes together bring findings of that kind, and of no other."""
        for change in changes:
            change()
        counts = self.counts()
        self.assertEqual(list(counts), [expected], counts)

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

    # ---- Space ----------------------------------------------------------------------------------

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
        self.check("superblock-bytes-used", lambda: self.add_to_superblocks(120, 4096))

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
            lambda: self.add_to_superblocks(201 + 16, 4096),
        )

    def test_device_item(self):
        self.check("device-item", lambda: self.add_to_superblocks(201 + 16, 4096))

    def test_superblock_devices(self):
        self.check("superblock-devices", lambda: self.add_to_superblocks(112, -4096))

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

    def test_inode_items(self):
        place = self.regular()
        mode = self.read(place, MODE, "<I") & 0o7777
        entries = list(self.entries_of(place))
        self.check(
            "inode-items",
            lambda: self.put(place, MODE, "<I", FIFO | mode),
            *[lambda e=entry: self.put(e, 29, "<B", 5) for entry in entries],
        )

    def test_file_extent_gap(self):
        hole = self.first(
            EXTENT_DATA, 5, lambda key, data: data[20] == 1 and struct.unpack_from("<Q", data, 21)[0] == 0
        )
        self.check("file-extent-gap", lambda: self.add(hole, 45, "<Q", -4096))

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
