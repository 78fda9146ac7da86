"""Transactions on filesystems that a kernel has written, and goes on to write.

By hand, all of the matrix (an hour or so): EBCACHE_TRANSACTIONS_MATRIX=all; a part of it, the third
of four: =2/4; what has a word in its name: =raid10. EBCACHE_TRANSACTIONS_COMMITS: of each
filesystem. EBCACHE_TRANSACTIONS_SEED: the first one.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent.parent / "images"))
import kernel_view  # pylint: disable=wrong-import-position
import make_images  # pylint: disable=wrong-import-position

WHY_NOT = make_images.why_no_mounts()
ARGUMENTS = argparse.Namespace()
TOTALS = collections.Counter()

PROFILES = (
    ("single", 1),
    ("dup", 1),
    ("raid0", 2),
    ("raid0", 3),
    ("raid1", 2),
    ("raid1", 3),
    ("raid1c3", 3),
    ("raid1c4", 4),
    ("raid10", 4),
    ("raid10", 5),
)
NODE_BYTES = (4096, 16384, 65536)
CHECKSUMS = ("crc32c", "xxhash", "sha256", "blake2b")
# Name: what mkfs is told, and what is done while it is mounted.
FEATURES = {
    "default": {},
    "fat-extents": {"features": ["^skinny-metadata"]},
    "space-cache": {"runtime": ["^free-space-tree"], "mount": ["space_cache=v1"]},
    "holes": {"features": ["^no-holes"]},
    "quotas": {"quotas": True},
    "balanced": {"balance": True},
    "old": {
        "features": ["^skinny-metadata", "^no-holes", "^extref"],
        "runtime": ["^free-space-tree"],
        "mount": ["space_cache=v1"],
        "balance": True,
    },
    # References to blocks and to data that no extent item has room for.
    "many-references": {"many": 30},
    # Unmounted while the kernel deletes a subvolume that shares blocks with others.
    "deleting": {"many": 3, "delete": True},
    # Made by us: not every mkfs.btrfs can.
    "block-group-tree": {"tune": ["--block-group-tree=on"]},
    # Nodes are as large as sectors there.
    "mixed": {"features": ["mixed-bg"], "mixed": True},
}

Case = collections.namedtuple("Case", "profile devices node_bytes checksum features")

# Those that are run each time.
FEW = (
    Case("dup", 1, 16384, "crc32c", "deleting"),
    Case("raid1", 2, 4096, "xxhash", "balanced"),
    Case("raid10", 4, 16384, "sha256", "old"),
    Case("raid0", 3, 65536, "blake2b", "quotas"),
    Case("single", 1, 4096, "crc32c", "mixed"),
    Case("raid1c3", 3, 4096, "blake2b", "block-group-tree"),
)


def whole_matrix():
    """Every profile with every node size and checksum; features take turns."""
    cases = []
    names = list(FEATURES)
    for profile, devices in PROFILES:
        for node_bytes in NODE_BYTES:
            for checksum in CHECKSUMS:
                name = names[len(cases) % len(names)]
                if node_bytes != 4096 and name == "mixed":
                    name = "default"
                cases.append(Case(profile, devices, node_bytes, checksum, name))
    for number, name in enumerate(names):
        for node_bytes in NODE_BYTES if name != "mixed" else (4096,):
            for profile, devices in (("dup", 1), ("raid1", 2)):
                checksum = CHECKSUMS[number % len(CHECKSUMS)]
                cases.append(Case(profile, devices, node_bytes, checksum, name))
    return list(dict.fromkeys(cases))


def chosen_cases():
    """By the environment."""
    choice = os.environ.get("EBCACHE_TRANSACTIONS_MATRIX", "")
    if choice == "":
        return list(FEW)
    if choice == "all":
        return whole_matrix()
    part = re.fullmatch(r"(\d+)/(\d+)", choice)
    if part is not None:
        return whole_matrix()[int(part.group(1)) :: int(part.group(2))]
    cases = [case for case in whole_matrix() if choice in " ".join(map(str, case)).split()]
    if not cases:
        raise ValueError(f"EBCACHE_TRANSACTIONS_MATRIX={choice}: there is no such case")
    return cases


def btrfs(*arguments):
    return make_images.run_tool("btrfs", *arguments)


def write_files(top, rng, count, large=6):
    """Small files, whose bytes are in the tree; some with extents of their own, and holes."""
    top.mkdir(exist_ok=True)
    for number in range(count):
        path = top / f"{rng.getrandbits(40):010x}-{number}"
        path.write_bytes(rng.randbytes(rng.randrange(1900)))
    for number in range(large):
        path = top / f"large-{rng.getrandbits(40):010x}-{number}"
        with open(path, "wb") as file:
            file.write(rng.randbytes(rng.randrange(5000, 300000)))
            file.seek(500000)
            file.write(rng.randbytes(20000))


def change_some(top, rng):
    """What lies in shared blocks goes other ways in one of the trees that share them."""
    paths = sorted(path for path in top.rglob("*") if path.is_file())
    for path in rng.sample(paths, min(len(paths), 25)):
        if rng.randrange(3) == 0:
            path.unlink()
        else:
            with open(path, "r+b") as file:
                file.seek(rng.randrange(2000))
                file.write(rng.randbytes(rng.randrange(1, 9000)))


def share_more(top, rng, count):
    """Snapshots, and clones of files, some inside others: many references to the same."""
    for path in sorted((top / "one").glob("large-*"))[:2]:
        for number in range(count):
            clone = path.with_name(f"clone-{number}-{path.name}")
            make_images.run_tool("cp", "--reflink=always", path, clone)
            if number % 5 == 0:
                with open(clone, "r+b") as file:
                    file.seek(4096)
                    file.write(rng.randbytes(4096))
    (top / "snapshots").mkdir()
    for number in range(count):
        btrfs("subvolume", "snapshot", top / "one", top / "snapshots" / str(number))
        if number % 10 == 0:
            change_some(top / "snapshots" / str(number), rng)


def fill(top, rng):
    """Subvolumes and snapshots that share blocks, and have gone different ways since."""
    write_files(top / "files", rng, 90)
    btrfs("subvolume", "create", top / "one")
    write_files(top / "one", rng, 180)
    btrfs("subvolume", "snapshot", top / "one", top / "two")
    change_some(top / "one", rng)
    btrfs("filesystem", "sync", top)
    btrfs("subvolume", "snapshot", top / "two", top / "three")
    change_some(top / "three", rng)
    btrfs("subvolume", "snapshot", top, top / "all")
    change_some(top / "files", rng)
    btrfs("subvolume", "snapshot", top / "three", top / "four")


def trees_of(top):
    """{tree id: directory} of the top and all subvolumes that have a path."""
    trees = {5: top}
    for line in btrfs("subvolume", "list", top).splitlines():
        words = line.split()
        trees[int(words[1])] = top / line.split(" path ", 1)[1]
    return trees


def kernel_complaints(top):
    log = kernel_view.log_since_mount(kernel_view.device_of(top))
    TOTALS["kernel logs read"] += 1 if log else 0
    return kernel_view.complaints_in(log)


class KernelTransactionsTest(unittest.TestCase):
    def setUp(self):
        if WHY_NOT is not None:
            self.skipTest(f"cannot mount images: {WHY_NOT}")

    def run_program(self, *words):
        done = subprocess.run(
            [str(word) for word in words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        said = f"{' '.join(map(str, words))}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
        self.assertEqual(done.returncode, 0, said)
        return done.stdout

    def check(self, devices, when):
        """Our own verify, and `btrfs check`, have nothing to say."""
        self.run_program(ARGUMENTS.ebcache, "verify", *devices)
        with kernel_view.loops_of(devices) as loops:
            self.assertEqual(kernel_view.check_complaint(loops[0]), "", when)
        TOTALS["btrfs checks"] += 1

    def check_backup(self, devices):
        """The newest backup of roots is of the superblock that has it."""
        words = make_images.run_tool("btrfs", "inspect-internal", "dump-super", "-f", devices[0])
        root = re.search(r"^root\s+(\d+)$", words, re.M).group(1)
        generation = re.search(r"^generation\s+(\d+)$", words, re.M).group(1)
        backups = re.findall(r"backup_tree_root:\s+(\d+)\s+gen: (\d+)", words)
        newest = max(backups, key=lambda backup: int(backup[1]))
        self.assertEqual(newest, (root, generation))

    def sizes_told(self, devices):
        """{tree: bytes that its root item says are more than it has}: no check looks at these."""
        with kernel_view.loops_of(devices) as loops:
            roots = make_images.run_tool("btrfs", "inspect-internal", "dump-tree", "-t", 1, loops[0])
        told = re.findall(r"key \((\w+) ROOT_ITEM \d+\) .*\n.* bytes_used (\d+)", roots)
        report = json.loads(self.run_program(ARGUMENTS.ebcache, "tree-stats", "--json", *devices))
        sizes = {}
        for tree in report["trees"]:
            sizes[tree["name"]] = sizes[str(tree["id"])] = tree["bytes"]
        found = {tree: int(size) - sizes[tree] for tree, size in told if tree in sizes}
        self.assertIn("FS_TREE", found)
        self.assertIn("256", found)
        return found

    def make(self, case, features, scratch):
        mixed = features.get("mixed", False)
        devices = [scratch / f"disk{number}.img" for number in range(case.devices)]
        return make_images.mkfs(
            devices,
            node_bytes=case.node_bytes,
            checksum=case.checksum,
            metadata=case.profile,
            data=case.profile if mixed else "single",
            features=features.get("features", ()),
            runtime_features=features.get("runtime", ()),
        )

    def look(self, top, hashes, printed):
        """All that was there is there, and what our program has left."""
        self.assertEqual(kernel_view.hashes_of(top), hashes)
        expected = {}
        for line in printed.splitlines():
            words = line.split()
            if words[0] == "attribute":
                value = words[4].encode() * int(words[3])
                expected.setdefault(int(words[1]), {})[words[2]] = value
        for tree, directory in trees_of(top).items():
            names = os.listxattr(directory)
            found = {name: os.getxattr(directory, name) for name in names}
            self.assertEqual(found, expected.get(tree, {}), f"tree {tree}")
            TOTALS["attributes read by the kernel"] += len(found)

    def one(self, case, seed, commits):
        features = FEATURES[case.features]
        rng = random.Random(seed)
        with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as directory:
            scratch = pathlib.Path(directory)
            devices = self.make(case, features, scratch)
            if "tune" in features:
                self.run_program(ARGUMENTS.ebcache, "tune", "--yes", *features["tune"], *devices)
            options = ["noatime", *features.get("mount", ())]
            with make_images.mounted(devices, scratch / "mnt", options) as top:
                if features.get("quotas"):
                    btrfs("quota", "enable", top)
                fill(top, rng)
                if features.get("balance"):
                    btrfs("balance", "start", "--full-balance", top)
                    change_some(top / "two", rng)
                if "many" in features:
                    share_more(top, rng, features["many"])
                if features.get("delete"):
                    btrfs("filesystem", "sync", top)
                    btrfs("subvolume", "delete", top / "two", top / "snapshots" / "1")
                if features.get("quotas"):
                    btrfs("quota", "rescan", "-w", top)
                hashes = kernel_view.hashes_of(top)
                # More of them would want more room than there is.
                trees = rng.sample(sorted(trees_of(top)), min(len(trees_of(top)), 6))
            self.check(devices, "before")
            told = self.sizes_told(devices)
            words = [seed, commits, ",".join(map(str, trees)), *devices]
            printed = self.run_program(ARGUMENTS.random_program, *words)
            for name, number in re.findall(r"(\w+)=(\d+)", printed.splitlines()[-1]):
                TOTALS[name] += int(number)
            self.check(devices, "after our program")
            self.check_backup(devices)
            self.assertEqual(self.sizes_told(devices), told)
            with make_images.mounted(devices, scratch / "mnt", options) as top:
                self.look(top, hashes, printed)
                for path in sorted(trees_of(top).values())[:6]:
                    change_some(path, rng)
                write_files(top / "more", rng, 60)
                btrfs("subvolume", "snapshot", top / "one", top / "five")
                btrfs("subvolume", "delete", "-c", top / "three")
                if features.get("quotas"):
                    btrfs("quota", "rescan", "-w", top)
                btrfs("filesystem", "sync", top)
                self.assertEqual(kernel_complaints(top), [])
            self.check(devices, "after the kernel")
        TOTALS["filesystems"] += 1

    def test_random_programs(self):
        cases = chosen_cases()
        seed = int(os.environ.get("EBCACHE_TRANSACTIONS_SEED", "1"))
        commits = int(os.environ.get("EBCACHE_TRANSACTIONS_COMMITS", "12"))
        known = make_images.mkfs_features() if WHY_NOT is None else ()
        for number, case in enumerate(cases):
            wanted = [name for name in FEATURES[case.features].get("features", ())]
            missing = [name for name in wanted if name.lstrip("^") not in known]
            if missing:
                print(f"SKIPPED: {case}: mkfs.btrfs has no {missing}", flush=True)
                continue
            with self.subTest(case=case, seed=seed + number):
                print(f"{number + 1} of {len(cases)}: {case}", flush=True)
                self.one(case, seed + number, commits)
        print(", ".join(f"{count} {name}" for name, count in TOTALS.items()), flush=True)


class LoudResult(unittest.TextTestResult):
    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.stream.writeln(f"\nSKIPPED: {test}: {reason}")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.stream.writeln(f"FAILED: {subtest}\n{str(err[1])[-5000:]}")
            self.stream.flush()


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    parser.add_argument("--ebcache", required=True, type=os.path.abspath)
    parser.add_argument("--random-program", required=True, type=os.path.abspath)
    _, rest = parser.parse_known_args(namespace=ARGUMENTS)
    unittest.main(
        argv=[sys.argv[0], *rest],
        testRunner=unittest.TextTestRunner(resultclass=LoudResult, verbosity=2),
    )


if __name__ == "__main__":
    main()
