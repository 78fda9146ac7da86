"""ebcache zero-log: the log goes, and nothing else."""

import struct

import dump_tree
import image_test
from writing_test_case import WritingTestCase, contents, digest

NODE_BYTES = 4096
SUPERBLOCK = 65536
TREE_LOG = (1 << 64) - 6


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def sealed(block):
    """The block with the checksum that it should have."""
    return struct.pack("<I", crc32c(block[32:])) + block[4:]


def read(path, offset, count):
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(count)


def write(path, offset, data):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


class ZeroLogTest(WritingTestCase):
    def give_log(self, device):
        """The log of no file: the tree of all logs, with nothing in it, in the place of a root that
        was there two commits ago. Returns its address, and where it is on the device."""
        self.written("tune", "--yes", "--label=first", device)
        (log_root,) = struct.unpack("<Q", read(device, SUPERBLOCK + 80, 8))
        self.written("tune", "--yes", "--label=second", device)
        (generation,) = struct.unpack("<Q", read(device, SUPERBLOCK + 72, 8))
        (_, physical) = dump_tree.copies([device], log_root)[0]
        head = bytearray(read(device, physical, 101))
        head[80:101] = struct.pack("<QQIB", generation + 1, TREE_LOG, 0, 0)
        write(device, physical, sealed(bytes(head) + bytes(NODE_BYTES - 101)))
        superblock = bytearray(read(device, SUPERBLOCK, 4096))
        superblock[96:104] = struct.pack("<Q", log_root)
        write(device, SUPERBLOCK, sealed(bytes(superblock)))
        return log_root, physical

    def log_root(self, device):
        return struct.unpack("<Q", read(device, SUPERBLOCK + 96, 8))[0]

    def setUp(self):
        super().setUp()
        (self.device,) = self.make(metadata="single")

    def check_dropped(self, device, log_root):
        before = contents([device], "fs")
        report = self.written("zero-log", "--preview", device)
        self.assertEqual(report["log_root"], log_root)
        self.assertEqual(self.log_root(device), log_root)
        report = self.written("zero-log", "--yes", device)
        self.assertEqual((report["log_root"], report["commits"]), (log_root, 1))
        self.assertEqual(self.log_root(device), 0)
        self.check_clean([device])
        self.assertEqual(contents([device], "fs"), before)
        self.written("rewrite", "--yes", device)
        self.check_clean([device])

    def test_a_log_is_dropped(self):
        log_root, _ = self.give_log(self.device)
        self.assertIn("TREE_LOG", self.run_tree_stats(self.device).stdout)
        for subcommand in (["rewrite", "--yes"], ["tune", "--yes", "--label=x"]):
            self.check_refused([self.device], "zero-log drops it", *subcommand)
        self.check_dropped(self.device, log_root)

    def test_a_log_that_is_damaged(self):
        log_root, physical = self.give_log(self.device)
        image_test.flip_byte(self.device, physical + 90)
        run = self.write("zero-log", "--yes", self.device)
        self.assertEqual(self.log_root(self.device), 0, str(run))
        self.check_clean([self.device])

    def test_without_a_log_nothing_is_changed(self):
        before = digest([self.device])
        for words in ([], ["--yes"], ["--preview"]):
            run = self.write("zero-log", *words, self.device)
            self.assertEqual((run.exit_code, run.stdout), (0, "there is no log\n"), str(run))
            report = self.written("zero-log", *words, self.device)
            self.assertEqual((report["log_root"], report["commits"]), (0, 0))
        self.assertEqual(digest([self.device]), before)

    def test_the_way_back_leads_to_the_log(self):
        log_root, _ = self.give_log(self.device)
        superblock = read(self.device, SUPERBLOCK, 4096)
        log = self.run_tree_stats("--json", self.device).report()
        undo_file = self.scratch / "before.undo"
        report = self.written("zero-log", "--yes", f"--undo={undo_file}", self.device)
        self.assertEqual(report["undo_file"], str(undo_file))
        self.assertEqual(self.log_root(self.device), 0)
        self.written("undo", "--yes", f"--file={undo_file}", self.device)
        self.assertEqual(self.log_root(self.device), log_root)
        self.assertEqual(read(self.device, SUPERBLOCK, 4096), superblock)
        again = self.run_tree_stats("--json", self.device).report()
        self.assertEqual(again["trees"], log["trees"])

    def test_it_asks(self):
        log_root, _ = self.give_log(self.device)
        reason = "would drop the log, what was synced since the last commit, of the btrfs filesystem"
        self.check_refused([self.device], reason, "zero-log")
        command = image_test.command("zero-log", self.device)
        exit_code, shown = self.on_terminal(command, "n\n")
        self.assertEqual((exit_code, self.log_root(self.device)), (2, log_root), shown)
        exit_code, shown = self.on_terminal(command, "y\n")
        self.assertEqual((exit_code, self.log_root(self.device)), (0, 0), shown)


if __name__ == "__main__":
    image_test.main()
