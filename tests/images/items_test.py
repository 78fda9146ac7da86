"""Every item of real images: parsed, encoded to the same bytes, and its fields held against what
`btrfs inspect-internal dump-tree` reads. dump_items does the first two and prints the fields."""

import collections
import os
import re

import dump_tree
import image_test
import make_images

WHY_NOT = make_images.why_no_mounts()

_LEAF = re.compile(r"^leaf (\d+) items ")
_ITEM = re.compile(r"^\titem (\d+) key \((.*)\) itemoff ")
_DATE = re.compile(r" \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\)")
_TREE = re.compile(r"\b[A-Z_]+_TREE\b(?<!FIRST_CHUNK_TREE)")

# What images have to have for the comparison to be worth something; by number of the key's type.
FILES = {1, 12, 84, 96, 108, 132, 168, 169, 192, 204, 216, 228}
KERNEL = FILES | {13, 24, 48, 128, 144, 156, 198, 199, 240, 242, 244, 246, 249, 251}
# Of these, dump_items prints no words: bytes, or nothing but the key.
WORDLESS = {0, 48, 128, 199, 200, 246, 248, 250}


def normal(words):
    """Without dates, and with trees by number: what both sides can say."""
    words = _DATE.sub("", " ".join(words.split()))
    words = _TREE.sub(lambda match: str(dump_tree.TREE_IDS[match.group()]), words)
    for name, number in (("UNKNOWN.0", "0"), ("DEV_ITEMS", "1"), ("FIRST_CHUNK_TREE", "256")):
        words = words.replace(name, number)
    return words


def dumped(devices):
    """{(leaf, slot): words} of all items that dump-tree prints."""
    items = {}
    leaf = None
    place = None
    for line in dump_tree.dump(devices).splitlines():
        if match := _LEAF.match(line):
            leaf = int(match.group(1))
        elif match := _ITEM.match(line):
            place = (leaf, int(match.group(1)))
            items[place] = ""
        elif line.startswith("\t") and place is not None:
            items[place] += " " + line.strip()
        else:
            place = None
    return {place: normal(words) for place, words in items.items()}


class ItemsTest(image_test.ImageTest):
    def check(self, devices, needed):
        """Of every item on the devices. Fails unless all types that are needed are there.

        Returns what dump_items printed."""
        run = self.run_program([image_test.arguments().dump_items, *map(str, devices)])
        self.assertEqual(run.exit_code, image_test.EXIT_GOOD, str(run))
        expected = dumped(devices)
        compared = collections.Counter()
        for line in run.stdout.splitlines():
            where, words = line.split(":", 1)
            leaf, slot, kind = map(int, where.split())
            # Blocks of snapshots come up in each of them.
            self.assertIn((leaf, slot), expected)
            if kind not in WORDLESS:
                self.assertEqual(normal(words), expected[leaf, slot], f"{leaf} {slot} {kind}")
            compared[kind] += 1
        self.assertEqual(needed - set(compared), set(), "types that the image does not have")
        self.assertGreaterEqual(sum(compared.values()), len(expected))
        return run.stdout

    def test_mkfs(self):
        top = self.scratch / "top"
        make_images.make_tree(top, 300)
        for features in (("skinny-metadata",), ("^skinny-metadata", "^no-holes")):
            with self.subTest(features=features):
                devices = make_images.mkfs(
                    [self.scratch / "disk.img"], rootdir=top, features=features
                )
                self.check(devices, FILES - ({169} if "^skinny-metadata" in features else set()))

    def test_mkfs_quotas_and_mixed(self):
        devices = make_images.mkfs(
            [self.scratch / "disk.img"],
            runtime_features=("quota", "free-space-tree"),
        )
        self.check(devices, {198, 199, 240, 242, 244})
        disk = make_images.make_device(self.scratch / "mixed.img")
        make_images.run_tool("mkfs.btrfs", "-q", "-f", "--mixed", "-n", 4096, disk)
        self.check([disk], {192, 228})

    def fill(self, top):
        """A subvolume with what items can say, a snapshot of it, quotas, and a log."""
        run = make_images.run_tool
        run("btrfs", "quota", "enable", top)
        subvolume = top / "subvolume"
        run("btrfs", "subvolume", "create", subvolume)
        for number in range(200):
            (subvolume / f"file{number}").write_bytes(os.urandom(300 * number))
        os.setxattr(subvolume / "file1", "user.note", b"hello world")
        os.symlink("nowhere", subvolume / "link")
        os.mkfifo(subvolume / "pipe")
        names = subvolume / "names"
        names.mkdir()
        for number in range(400):  # more than fit into one INODE_REF
            os.link(subvolume / "file3", names / f"{'l' * 200}{number}")
        run("btrfs", "subvolume", "snapshot", "-r", subvolume, top / "snapshot")
        run("btrfs", "qgroup", "limit", "1G", subvolume)
        run("btrfs", "qgroup", "create", "1/7", top)
        run("btrfs", "qgroup", "assign", "--no-rescan", "0/256", "1/7", top)
        with open(subvolume / "preallocated", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, 1 << 20)
        # Changed where the snapshot has it too, so that its leaves refer to data by themselves.
        for number in range(0, 200, 3):
            (subvolume / f"file{number}").write_bytes(os.urandom(9000))
        run("btrfs", "balance", "start", "--full-balance", top)
        run("btrfs", "filesystem", "sync", top)

    def test_kernel(self):
        if WHY_NOT is not None:
            self.skipTest(f"cannot mount images: {WHY_NOT}")
        # With small nodes the trees are so high that nodes refer to nodes by their addresses.
        inline = ("shared data backref", "prealloc data")
        small = (*inline, "shared block backref")
        for metadata, data, count, node_bytes, needed in (
            ("raid1", "raid0", 2, 4096, small),
            ("raid10", "raid5", 4, 16384, inline),
        ):
            with self.subTest(metadata=metadata, data=data):
                devices = make_images.mkfs(
                    [self.scratch / f"disk{number}.img" for number in range(count)],
                    metadata=metadata,
                    data=data,
                    node_bytes=node_bytes,
                    size_bytes=512 * make_images.MIB,
                )
                copies = [self.scratch / f"copy{number}.img" for number in range(count)]
                with make_images.mounted(devices, self.scratch / "mnt", ("commit=300",)) as top:
                    self.fill(top)
                    with open(top / "subvolume" / "gone", "wb") as gone:
                        gone.write(b"x" * 9000)
                        os.unlink(top / "subvolume" / "gone")
                        make_images.run_tool("btrfs", "filesystem", "sync", top)
                        with open(top / "subvolume" / "logged", "wb") as logged:
                            logged.write(b"x" * 5000)
                            logged.flush()
                            os.fsync(logged.fileno())
                        # As a crash would leave them: with an orphan and a log.
                        for device, copy in zip(devices, copies):
                            make_images.copy_sparse(device, copy)
                words = self.check(copies, KERNEL)
                for phrase in needed:
                    self.assertTrue(phrase in words, phrase)


if __name__ == "__main__":
    image_test.main()
