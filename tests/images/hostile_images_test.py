"""Images changed at random with their checksums made good again: nothing but the checks of what is
inside stands between them and a crash."""

import random
import struct
import subprocess

import dump_tree
import image_test
import make_images

NODE_BYTES = 4096
HEADER_BYTES = 101
CHECKSUM_BYTES = 32
SUPERBLOCK_BYTES = 4096
SUPERBLOCKS = (64 << 10, 64 << 20)
TIMEOUT_S = 10
MEMORY_LIMIT_BYTES = 512 << 20

EXTREMES = (0, 1, 2, 255, 4095, 4096, 65535, 2**31, 2**32 - 1, 2**63, 2**64 - 4096, 2**64 - 1)


def _crc32c_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def seal(block):
    """Makes the checksum of a block or superblock that of its bytes."""
    block[:4] = struct.pack("<I", crc32c(block[CHECKSUM_BYTES:]))


def change(rng, block, first, end):
    """Changes a block between two offsets; what was done."""
    width = rng.choice((1, 1, 2, 4, 8))
    offset = rng.randrange(first, end - width + 1)
    if rng.random() < 0.5:
        value = rng.choice(EXTREMES) & (1 << 8 * width) - 1
    else:
        value = rng.getrandbits(8 * width)
    block[offset : offset + width] = value.to_bytes(width, "little")
    return f"{width} bytes at {offset} are {value}"


class HostileImagesTest(image_test.ImageTest):
    def setUp(self):
        super().setUp()
        make_images.make_tree(self.scratch / "rootdir", files=100)
        self.image = self.scratch / "disk.img"
        make_images.mkfs(
            [self.image], NODE_BYTES, metadata="single", rootdir=self.scratch / "rootdir"
        )
        self.trees = dump_tree.all_trees([self.image])
        self.chunks = dump_tree.chunks([self.image])

    def physicals(self, logical):
        for chunk in self.chunks:
            if chunk.start <= logical < chunk.start + chunk.length:
                return [offset + logical - chunk.start for _, offset in chunk.stripes]
        raise AssertionError(logical)

    def read(self, offset, length):
        with open(self.image, "rb") as image:
            image.seek(offset)
            return bytearray(image.read(length))

    def write(self, offsets, block):
        with open(self.image, "r+b") as image:
            for offset in offsets:
                image.seek(offset)
                image.write(block)

    def check(self, what):
        """Ends by itself, in time and memory, with a documented exit code."""
        try:
            run = self.run_tree_stats("--json", self.image, timeout_s=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.fail(f"does not end: {what}")
        except AssertionError as error:
            raise AssertionError(f"{what}\n{error}") from error
        if run.exit_code != image_test.EXIT_FAILED:
            damage = run.report()["damage"]
            self.assertEqual(
                run.exit_code == image_test.EXIT_DAMAGED,
                any(not one["recovered"] for one in damage),
                f"{what}\n{run}",
            )
        return run

    def check_memory(self):
        if image_test.sanitizer() is None:
            self.assertLess(image_test.peak_rss_of_children(), MEMORY_LIMIT_BYTES)

    def test_blocks(self):
        exit_codes = [0, 0, 0]
        for seed in image_test.seeds():
            with self.subTest(seed=seed):
                rng = random.Random(seed)
                tree_id, tree = rng.choice([(key[0], tree) for key, tree in self.trees.items()])
                logical, level = rng.choice(tree.blocks)
                physicals = self.physicals(logical)
                sound = self.read(physicals[0], NODE_BYTES)
                block = bytearray(sound)
                # Headers and the item table behind them are where the structure is.
                end = rng.choice((HEADER_BYTES, HEADER_BYTES + 300, NODE_BYTES))
                changes = [
                    change(rng, block, CHECKSUM_BYTES, end) for _ in range(rng.choice((1, 1, 2, 8)))
                ]
                seal(block)
                self.write(physicals, block)
                run = self.check(f"tree {tree_id}, level {level}, block {logical}: {changes}")
                exit_codes[run.exit_code] += 1
                self.write(physicals, sound)
        print(f"blocks: {exit_codes[0]} good, {exit_codes[1]} damaged, {exit_codes[2]} refused")
        # The changes do reach what the checks are for.
        self.assertGreater(exit_codes[1], sum(exit_codes) // 10)
        self.check_memory()

    def test_superblocks(self):
        exit_codes = [0, 0, 0]
        sound = self.read(SUPERBLOCKS[0], SUPERBLOCK_BYTES)
        for seed in image_test.seeds():
            with self.subTest(seed=seed):
                rng = random.Random(seed)
                block = bytearray(sound)
                # The fields in front, or the system chunk array.
                first, end = rng.choice(((CHECKSUM_BYTES, 300), (811, 811 + 200)))
                changes = [change(rng, block, first, end) for _ in range(rng.choice((1, 1, 2)))]
                seal(block)
                self.write(SUPERBLOCKS[:1], block)
                self.write(SUPERBLOCKS[1:], bytes(SUPERBLOCK_BYTES))
                run = self.check(f"superblock: {changes}")
                exit_codes[run.exit_code] += 1
        print(
            f"superblocks: {exit_codes[0]} good, {exit_codes[1]} damaged, {exit_codes[2]} refused"
        )
        self.assertGreater(exit_codes[2], sum(exit_codes) // 10)
        self.check_memory()

    def test_sealing_works(self):
        # If it did not, every change would be caught by the checksum and the rest prove nothing.
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)
        logical, _ = self.trees[5, 0].blocks[0]
        block = self.read(self.physicals(logical)[0], NODE_BYTES)
        before = bytes(block)
        seal(block)
        self.assertEqual(bytes(block), before)


if __name__ == "__main__":
    image_test.main()
