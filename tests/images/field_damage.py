"""Changes one field of one item of a btrfs image, with checksums made good, and takes it back.

What can be changed comes from the format: fields by item type, as (offset, bytes) in the item; and of each
item's key the offset. A change is drawn from a seed. Only crc32c.
"""

import random
import struct

import dump_tree

HEADER = 101
HEAD = 25
CSUM_AREA = 32


def _crc32c_table():
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def seal(block):
    """The block with a checksum that is right."""
    return struct.pack("<I", crc32c(block[CSUM_AREA:])).ljust(CSUM_AREA, b"\0") + block[CSUM_AREA:]


def words(*sizes, start=0, names=""):
    """Fields one behind the other: [(name, offset, bytes)]."""
    fields = []
    at = start
    for name, size in zip(names.split(), sizes):
        fields.append((name, at, size))
        at += size
    return fields


EXTENT = words(8, 8, 8, names="refs generation flags")
# By item type, in the order of the format's structs.
FIELDS = {
    1: words(
        8, 8, 8, 8, 8, 4, 4, 4, 4, 8, 8, 8,
        names="generation transid size nbytes block_group nlink uid gid mode rdev flags sequence",
    ),
    12: words(8, 2, 1, names="index name_len name"),
    13: words(8, 8, 2, 1, names="parent index name_len name"),
    24: words(8, 1, 8, 8, 2, 2, 1, 1, names="objectid type offset transid data_len name_len kind name"),
    84: words(8, 1, 8, 8, 2, 2, 1, 1, names="objectid type offset transid data_len name_len kind name"),
    96: words(8, 1, 8, 8, 2, 2, 1, 1, names="objectid type offset transid data_len name_len kind name"),
    108: words(
        8, 8, 1, 1, 2, 1, 8, 8, 8, 8,
        names="generation ram_bytes compression encryption other type "
        "disk_bytenr disk_num_bytes offset num_bytes",
    ),
    128: words(4, names="sum"),
    132: words(8, 8, 8, 8, 8, 8, 8, 4, start=160, names="generation dirid bytenr limit used last flags refs")
    + [("level", 238, 1), ("generation_v2", 239, 8), ("uuid", 247, 8), ("parent_uuid", 263, 8)],
    144: words(8, 8, 2, 1, names="dirid sequence name_len name"),
    156: words(8, 8, 2, 1, names="dirid sequence name_len name"),
    168: EXTENT + words(1, 8, 8, 8, 4, start=24, names="inline_type root objectid offset count"),
    169: EXTENT + words(1, 8, start=24, names="inline_type root"),
    178: words(8, 8, 8, 4, names="root objectid offset count"),
    184: words(4, names="count"),
    192: words(8, 8, 8, names="used chunk_objectid flags"),
    198: words(4, 4, names="count flags"),
    200: words(1, 1, names="bits more_bits"),
    204: words(8, 8, 8, 8, names="chunk_tree chunk_objectid chunk_offset length"),
    216: words(
        8, 8, 8, 4, 4, 4, 8, 8, 8, 4, 1, 1,
        names="devid total used align width sector type generation start group seek bandwidth",
    ),
    228: words(
        8, 8, 8, 8, 4, 4, 4, 2, 2, 8, 8,
        names="length owner stripe type align width sector stripes sub devid physical",
    ),
    240: words(8, 8, 8, 8, names="version generation flags rescan"),
    242: words(8, 8, 8, 8, 8, names="generation rfer rfer_cmpr excl excl_cmpr"),
    244: words(8, 8, 8, 8, 8, names="flags max_rfer max_excl rsv_rfer rsv_excl"),
    251: words(8, names="id"),
    252: words(8, names="id"),
}
KEY_OFFSET = ("key_offset", None, 8)


class Leaf:
    """A leaf, where its copies are, and its items as (type, head's offset, data's offset, size)."""

    def __init__(self, device, chunks, logical, node_bytes):
        self.device = device
        chunk = next(one for one in chunks if one.start <= logical < one.start + one.length)
        self.places = [offset + logical - chunk.start for _, offset in chunk.stripes]
        with open(device, "rb") as image:
            image.seek(self.places[0])
            self.block = image.read(node_bytes)
        self.logical = logical
        self.find_items()

    def find_items(self):
        self.owner, count = struct.unpack_from("<QI", self.block, 88)
        self.items = []
        for slot in range(count):
            at = HEADER + slot * HEAD
            offset, size = struct.unpack_from("<II", self.block, at + 17)
            self.items.append((self.block[at + 8], at, HEADER + offset, size))

    def write(self, block):
        with open(self.device, "r+b") as image:
            for place in self.places:
                image.seek(place)
                image.write(block)


class Change:
    """One field of one item, with another value."""

    def __init__(self, rng, leaf, item, field):
        kind, head, data, _ = item
        name, offset, size = field
        self.leaf = leaf
        at = head + 9 if offset is None else data + offset
        old = int.from_bytes(leaf.block[at : at + size], "little")
        bits = 8 * size
        new = old
        while new == old:
            new = rng.choice(
                [old + 1, old - 1, old ^ (1 << rng.randrange(bits)), old + 4096, old * 2, 0, rng.getrandbits(bits)]
            ) % (1 << bits)
        objectid = struct.unpack_from("<Q", leaf.block, head)[0]
        key_offset = struct.unpack_from("<Q", leaf.block, head + 9)[0]
        self.text = (
            f"tree {leaf.owner} block {leaf.logical} key ({objectid} {kind} {key_offset}) {name}: {old} -> {new}"
        )
        block = bytearray(leaf.block)
        block[at : at + size] = new.to_bytes(size, "little")
        self.block = seal(bytes(block))

    def __enter__(self):
        self.leaf.write(self.block)
        return self

    def __exit__(self, *_):
        self.leaf.write(self.leaf.block)


def leaves(device, node_bytes=16384):
    """Of all trees that dump-tree shows, each once. REQUIRES: one device; every stripe a whole copy."""
    found = {}
    chunks = dump_tree.chunks([device])
    for line in dump_tree.dump([device]).splitlines():
        if line.startswith("leaf "):
            logical = int(line.split()[1])
            if logical not in found:
                found[logical] = Leaf(device, chunks, logical, node_bytes)
    return list(found.values())


def draw(rng, all_leaves, kind=None):
    """A change of an item of that type, or of any."""
    by_kind = {}
    for leaf in all_leaves:
        for item in leaf.items:
            by_kind.setdefault(item[0], []).append((leaf, item))
    kinds = sorted(set(by_kind))
    while True:
        of = rng.choice(kinds) if kind is None else kind
        leaf, item = rng.choice(by_kind[of])
        fields = [field for field in FIELDS.get(of, []) if field[1] + field[2] <= item[3]] + [KEY_OFFSET]
        return Change(rng, leaf, item, rng.choice(fields))


def changes(device, seed, count, node_bytes=16384):
    """`count` changes, each to be entered and left before the next; all types of items by turns."""
    rng = random.Random(seed)
    all_leaves = leaves(device, node_bytes)
    kinds = sorted({item[0] for leaf in all_leaves for item in leaf.items})
    for number in range(count):
        yield draw(rng, all_leaves, kinds[number % len(kinds)])
