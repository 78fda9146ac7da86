"""What tests of single findings of `ebcache check` have in common: an image that is sound, and changes of its
items, with checksums made good."""

import struct

import field_damage
import image_test
import make_images

WHY_NOT = make_images.why_no_mounts()
SUPERBLOCKS = (64 << 10, 64 << 20)
INODE, DIR_ITEM, DIR_INDEX, EXTENT_DATA, CSUM = 1, 84, 96, 108, 128
ROOT, ROOT_BACKREF, ROOT_REF, EXTENT, METADATA = 132, 144, 156, 168, 169
DATA_REF, GROUP = 178, 192
FREE_INFO, FREE_EXTENT, DEV_EXTENT, DEVICE, CHUNK = 198, 199, 204, 216, 228
QGROUP_INFO, UUID = 242, 251
UNKNOWN_TYPE = 1  # added to a key's type: one that no kernel knows, behind it
KEY = "<QBQ"
# In a superblock.
BYTES_USED, LOG_ROOT, DEVICE_BYTES_USED, SYSTEM_CHUNKS = 120, 96, 201 + 16, 811
# In an inode.
MODE, NLINK, NBYTES, SIZE, GENERATION, FLAGS = 52, 40, 24, 16, 0, 64
# In a file extent.
RAM_BYTES, EXTENT_KIND, DISK_BYTENR, DISK_BYTES, FILE_BYTES = 8, 20, 21, 29, 45
PREALLOC = 2


def data_extent(generation, root, inode, offset):
    """An extent item of data with one reference."""
    return struct.pack("<QQQBQQQI", 1, generation, 1, DATA_REF, root, inode, offset, 1)


class FindingsTestCase(image_test.ImageTest):
    """self.image is a sound image, self.leaves are its leaves, by trees, in order of keys."""

    def setUp(self):
        if WHY_NOT is not None:
            self.skipTest(f"cannot mount images: {WHY_NOT}")
        super().setUp()
        self.image = self.scratch / "disk.img"

    def use(self, image):
        """Changes are of that image, which must be sound."""
        self.image = image
        self.assertEqual(self.counts(), {})
        with open(image, "rb") as file:
            file.seek(SUPERBLOCKS[0] + 148)
            (node_bytes,) = struct.unpack("<I", file.read(4))
        self.leaves = field_damage.leaves(image, node_bytes)

    def counts(self, *options):
        run = self.run_program(image_test.command("check", "--json", *options, self.image))
        report = run.report()
        self.assertEqual(run.exit_code, 1 if report["counts"] else 0, str(run))
        self.assertEqual(report["total_findings"], sum(report["counts"].values()))
        return report["counts"]

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

    def add_to_superblocks(self, offset, value, form="<Q", places=SUPERBLOCKS):
        with open(self.image, "r+b") as image:
            for place in places:
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

    # ---- Items that come and go -----------------------------------------------------------------

    def leaves_of(self, tree):
        return [leaf for leaf in self.leaves if leaf.owner == tree]

    def leaf_for(self, tree, key):
        """Where an item of that key belongs."""
        return [leaf for leaf in self.leaves_of(tree) if self.entries(leaf)[0][0] <= key][-1]

    @staticmethod
    def key(place):
        leaf, item = place
        return struct.unpack_from(KEY, leaf.block, item[1])

    @staticmethod
    def data(place):
        leaf, item = place
        return leaf.block[item[2] : item[2] + item[3]]

    @staticmethod
    def entries(leaf):
        """[(key, data)]"""
        return [
            (struct.unpack_from(KEY, leaf.block, head), leaf.block[data : data + size])
            for _, head, data, size in leaf.items
        ]

    def store_entries(self, leaf, entries):
        """Places in the leaf that were looked up before are no more."""
        block = bytearray(leaf.block)
        struct.pack_into("<I", block, 96, len(entries))
        end = len(block)
        for slot, (key, data) in enumerate(entries):
            end -= len(data)
            block[end : end + len(data)] = data
            head = field_damage.HEADER + slot * field_damage.HEAD
            struct.pack_into(KEY, block, head, *key)
            struct.pack_into("<II", block, head + 17, end - field_damage.HEADER, len(data))
        self.assertGreaterEqual(end, field_damage.HEADER + len(entries) * field_damage.HEAD)
        self.store(leaf, block)
        leaf.find_items()

    def insert(self, leaf, key, data):
        entries = self.entries(leaf)
        self.assertGreater(key, entries[0][0], "the node above has the first key")
        self.store_entries(leaf, sorted([*entries, (key, data)]))

    def remove(self, place):
        key = self.key(place)
        entries = self.entries(place[0])
        self.assertNotEqual(key, entries[0][0], "the node above has the first key")
        self.store_entries(place[0], [entry for entry in entries if entry[0] != key])

    def check(self, expected, *changes, options=()):
        """These changes together bring findings of that kind, and of no other."""
        for change in changes:
            change()
        counts = self.counts(*options)
        self.assertEqual(list(counts), [expected], counts)
