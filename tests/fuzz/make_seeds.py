"""Writes the seeds that are in corpus/: python3 make_seeds.py. What fuzzing found worth keeping lies
beside them, under names that are hashes."""

import pathlib
import struct

CORPUS = pathlib.Path(__file__).parent / "corpus"
MIB = 1 << 20


def write(target, name, data):
    directory = CORPUS / target
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(data)


def chunk_item(length=8 * MIB, kind=0x22, stripes=2, sub_stripes=1):
    item = struct.pack("<QQQQIIIHH", length, 2, 65536, kind, 4096, 4096, 4096, stripes, sub_stripes)
    for i in range(stripes):
        item += struct.pack("<QQ", i + 1, MIB + i * 64 * MIB) + bytes([0xD1 + i] * 16)
    return item


def chunk_array(*items):
    array = b""
    for number, item in enumerate(items):
        array += struct.pack("<QBQ", 256, 228, MIB * 64 * (number + 1)) + item
    return array


def superblock(array, node_bytes=16384, checksum_type=0, incompat=0x341):
    block = bytearray(811) + array
    struct.pack_into("<QQQQQ", block, 48, 65536, 1, 0, 7, 30408704)
    block[32:48] = b"\x11" * 16
    struct.pack_into("<QQ", block, 88, 22020096, 0)
    struct.pack_into("<QQQQ", block, 112, 256 * MIB, 131072, 6, 1)
    struct.pack_into("<IIIIIQQQQHBBB", block, 144, 4096, node_bytes, node_bytes, 4096, len(array),
                     6, 0, 0, incompat, checksum_type, 0, 0, 0)
    struct.pack_into("<QQ", block, 201, 1, 256 * MIB)
    block[267:299] = b"\xd1" * 16 + b"\x11" * 16
    return bytes(block)


def number(value):
    """As tree_block_target.cc takes numbers."""
    return b"\x03" + struct.pack("<Q", value % (1 << 64))


def item(index, objectid, offset, data):
    """`index` is into kTypes of tree_block_target.cc."""
    return bytes([index]) + number(objectid) + number(offset) + struct.pack("<H", len(data)) + data


def entry(name, kind, data=b""):
    location = struct.pack("<QBQ", 257, 0 if kind == 8 else 1, 0)
    return location + struct.pack("<QHHB", 7, len(data), len(name), kind) + name + data


def inode():
    data = bytearray(160)
    struct.pack_into("<QQ", data, 0, 5, 6)
    struct.pack_into("<I", data, 52, 0o100644)
    return bytes(data)


def root():
    data = bytearray(439)
    struct.pack_into("<Q", data, 160, 6)
    struct.pack_into("<Q", data, 176, MIB)
    return bytes(data)


def file_extent():
    return struct.pack("<QQBBHBQQQQ", 6, 16384, 0, 0, 0, 1, MIB, 16384, 0, 8192)


def leaves():
    name = b"name"
    yield "files", (
        item(0, 257, 0, inode())
        + item(1, 257, 256, struct.pack("<QH", 2, 4) + name)
        + item(2, 257, 99, struct.pack("<QQH", 256, 2, 4) + name)
        + item(3, 257, 0, entry(b"user.x", 8, b"value"))
        + item(4, 256, 0, entry(name, 1))
        + item(5, 256, 2, entry(name, 1))
        + item(6, 258, 0, file_extent())
        + item(6, 257, 0, struct.pack("<QQBBHB", 6, 4, 0, 0, 0, 0) + b"text")
        + item(7, -10, MIB, b"csumcsum")
    )
    data_ref = struct.pack("<BQQQI", 178, 5, 257, 0, 2)
    yield "extents", (
        item(11, MIB, 8192, struct.pack("<QQQ", 3, 6, 1) + data_ref + struct.pack("<BQI", 184, MIB, 1))
        + item(12, 2 * MIB, 0, struct.pack("<QQQBQ", 1, 6, 2, 176, 5))
        + item(11, 3 * MIB, 4096, struct.pack("<QQQ", 1, 6, 2) + bytes(18) + struct.pack("<BQ", 182, MIB))
        + item(14, MIB, 7, data_ref[1:])
        + item(16, MIB, 4096, struct.pack("<I", 1))
        + item(13, 2 * MIB, 5, b"")
        + item(17, 4 * MIB, MIB, struct.pack("<QQQ", 4096, 256, 4))
    )
    yield "roots", (
        item(8, 5, 0, root())
        + item(9, 5, 256, struct.pack("<QQH", 256, 2, 4) + name)
        + item(10, 256, 5, struct.pack("<QQH", 256, 2, 4) + name)
        + item(25, 257, 5, bytes(16))
    )
    yield "space", (
        item(21, 1, MIB, struct.pack("<QQQQ", 3, 256, MIB, MIB) + bytes(16))
        + item(22, 1, 1, struct.pack("<QQQ", 1, 256 * MIB, MIB) + bytes(74))
        + item(23, 256, MIB, chunk_item())
        + item(18, MIB, MIB, bytes(8))
        + item(19, MIB, 4096, b"")
        + item(20, 2 * MIB, 9 * 4096, b"bb")
    )


def edit(block, at, value, width=3, kind=0, which=0, unsealed=False):
    """As image_target.cc takes edits: bytes 1 << width at `at`."""
    how = width | kind << 2 | which << 4 | 0x40 * unsealed
    value = struct.pack("<Q", value) if kind == 0 else bytes([value])
    return bytes([block, how]) + struct.pack("<H", at) + value


# As item_types.h has the types, by index: those of fixed size, and what to put where a length is.
ITEM_SIZES = {
    0: 17, 1: 101, 2: 25, 3: 33, 4: 0, 5: 160, 9: 53, 10: 8, 11: 25, 12: 41, 14: 8, 15: 24, 16: 18,
    18: 28, 19: 4, 20: 8, 21: 36, 22: 8, 23: 256, 24: 16, 25: 8, 28: 48, 29: 40, 30: 72, 31: 448,
    32: 40, 33: 40, 34: 40, 35: 439, 36: 98, 37: 168, 38: 4096,
}


def items():
    """(name, input) of items_target.cc."""
    for index in range(39):
        yield f"struct-{index}", bytes([1, index]) + bytes((7 * i + index) % 256 for i in range(300))
    for index, size in ITEM_SIZES.items():
        yield f"bytes-{index}", bytes([0, index]) + bytes(size)
    refs = b"".join(struct.pack("<BQ", kind, 5) for kind in (172, 176, 182))
    refs += struct.pack("<BQQQI", 178, 5, 257, 0, 1) + struct.pack("<BQI", 184, MIB, 1)
    names = struct.pack("<QH", 2, 4) + b"name" + struct.pack("<QH", 3, 1) + b"n"
    entries = entry(b"one", 1) + entry(b"two", 8, b"value")
    for index, data in ((6, names), (8, entries), (14, bytes(16)), (17, refs), (24, bytes(32)),
                        (27, chunk_array(chunk_item(), chunk_item()))):
        yield f"records-{index}", bytes([2, index]) + data


# ---- Programs of edits (tests/tree/edit/edit_program.cc) ----


def edit_insert(key, *sizes, side=0):
    """Items of 5 to 68 bytes side by side, from key number `key` on."""
    program = bytes([0, side]) + struct.pack("<HBBB", key, 0, len(sizes), 0)
    return program + b"".join(bytes([5, size - 5]) for size in sizes) + b"\x10"


def edit_insert_pointers(key, *blocks, side=0):
    program = bytes([0, side]) + struct.pack("<HBBB", key, 0, len(blocks), 0)
    return program + bytes(blocks) + b"\x10"


def edit_remove(slot, count, side=0):
    return struct.pack("<BBHB", 2, side, slot, count)


EDIT_NO_ROOM = bytes([0, 0]) + struct.pack("<HBBB", 9000, 0, 1, 0) + b"\x01\x10"
EDIT_REPLACE = struct.pack("<BBHBB", 4, 0, 0, 5, 40)
EDIT_POINTER_TO_0 = struct.pack("<BBHBB", 3, 0, 0, 16, 0)
EDIT_LOOK = struct.pack("<BBHB", 11, 0, 0, 16)
EDIT_LOOK_AT_EMPTY = struct.pack("<BBHBH", 11, 0, 0, 0, 7)
EDIT_COPY = struct.pack("<BBHB", 10, 0, 9, 8)
EDIT_PUSH_RIGHT, EDIT_PUSH_LEFT, EDIT_MERGE = b"\x06\x00\x00", b"\x07\x00\x00", b"\x08\x00"
EDIT_SPLIT = struct.pack("<BBHBBB", 9, 0, 1, 5, 9, 0)
EDIT_SPLIT_TO_RESIZE = struct.pack("<BBHBB", 12, 0, 1, 4, 0)


def edit_seeds():
    leaf, node = b"\x00", b"\x04"
    two = edit_insert(600, 20, 30)
    for bug, program in {
        "pointer-refused-by-another-name": node + edit_insert_pointers(600, 1) + EDIT_POINTER_TO_0,
        "refusal-changes-the-header": leaf + edit_insert(600, 20) + EDIT_NO_ROOM,
        "last-byte-of-data-dropped": leaf + edit_insert(600, 20) + EDIT_REPLACE,
        "stale-data-left": leaf + edit_insert(600, 20) + edit_remove(0, 1),
        "removed-data-leaves-a-gap": leaf + two + edit_remove(0, 1),
        "one-item-less-fits": leaf + edit_insert(600, 20) + EDIT_PUSH_RIGHT,
        "split-planned-one-late": leaf + two + EDIT_SPLIT,
        "copy-keeps-flags": leaf + edit_insert(600, 20) + EDIT_COPY,
        "key-found-one-late": leaf + edit_insert(600, 20) + EDIT_LOOK,
        "empty-block-not-opened": leaf + EDIT_LOOK_AT_EMPTY,
    }.items():
        write("edit", bug, program)
        planted = CORPUS.parent / "planted" / "edit"
        planted.mkdir(parents=True, exist_ok=True)
        (planted / bug).write_bytes(program)
    for mode in range(8):
        program = bytes([mode])
        for key in range(600, 1800, 60):
            program += edit_insert(key, 20, 30) if mode < 4 else edit_insert_pointers(key, 1, 2)
        for step in (EDIT_SPLIT, EDIT_PUSH_LEFT, EDIT_LOOK, EDIT_COPY, EDIT_PUSH_RIGHT,
                     EDIT_REPLACE, edit_remove(3, 2), EDIT_MERGE,
                     EDIT_SPLIT_TO_RESIZE):
            program += step
        write("edit", f"pair{mode}", program)


def main():
    for name, data in items():
        write("items", name, data)
    dup, single = chunk_item(), chunk_item(kind=2, stripes=1)
    raid10 = chunk_item(kind=0x42, stripes=4, sub_stripes=2)
    for kind in range(4):
        write("superblock", f"checksum{kind}", b"\0" + superblock(chunk_array(dup), 16384, kind))
    write("superblock", "small-nodes", b"\0" + superblock(chunk_array(single, raid10), 4096))
    write("superblock", "raw", b"\1" + superblock(chunk_array(single)))
    for name, array in (("one", chunk_array(dup)), ("three", chunk_array(single, dup, raid10))):
        write("chunks", f"array-{name}", b"\0" + bytes(8) + array)
    for name, one in (("dup", dup), ("single", single), ("raid10", raid10)):
        write("chunks", f"item-{name}", b"\1" + struct.pack("<Q", 4 * MIB) + one)

    for name, leaf in leaves():
        write("tree_block", name, b"\0" + leaf)
        write("tree_block", f"{name}-pages", b"\2" + leaf)
    pointers = b"".join(b"\0" + number(256 + i) + number(0) + number(65536 * i) for i in (1, 2, 3))
    write("tree_block", "node", b"\4" + pointers)
    write("tree_block", "high-node", b"\x1c" + pointers)

    edit_seeds()

    write("image", "sound", b"")
    write("image", "generation", edit(5, 80, 6))
    write("image", "level", edit(6, 100, 2, width=0))
    write("image", "pointer", edit(7, 101 + 17, 7, kind=1))
    write("image", "one-copy", edit(5, 2000, 1, which=1, unsealed=True))
    write("image", "extreme", edit(1, 200, 4, kind=2) + edit(2, 96, 2, width=2, kind=2))

    for which in range(4):
        calls = b"".join(bytes([op % 8, op * 7 % 251]) for op in range(60))
        write("allocator", f"mixed{which}", bytes([which]) + calls)
        operations = b"".join(bytes([op * 5 % 29, op % 12, op * 7 % 251]) for op in range(60))
        write("cache", f"mixed{which}", bytes([which]) + operations)
        calls = b"".join(bytes([op * 11 % 256, op % 6, op * 7 % 251, op % 5]) for op in range(90))
        write("capi", f"mixed{which}", bytes([which % 3, which, 9]) + calls)
    write("capi", "image-sound", bytes([3, 0, 4, 1]))
    write("capi", "image-level", bytes([3, 1, 6]) + struct.pack("<HQB", 100, 2, 0) + bytes([7, 1, 2]))


if __name__ == "__main__":
    main()
