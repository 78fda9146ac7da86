"""Free space trees, block group trees and dropped trees, on filesystems that a kernel has written, and
goes on to write.

By hand, all of the matrix: EBCACHE_TRANSACTIONS_MATRIX=all; what has a word in its name: =raid10.
"""

import argparse
import collections
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unittest

import kernel_transactions_test as kernel
from kernel_transactions_test import kernel_view, make_images

ARGUMENTS = kernel.ARGUMENTS
TOTALS = kernel.TOTALS

Case = collections.namedtuple("Case", "profile devices node_bytes checksum features")
FEATURES = {name: kernel.FEATURES[name] for name in ("default", "fat-extents", "space-cache", "mixed")}
FEW = (
    Case("dup", 1, 16384, "crc32c", "default"),
    Case("raid1", 2, 4096, "xxhash", "space-cache"),
    Case("raid10", 4, 16384, "sha256", "fat-extents"),
)

# What is asked for in one commit, one after the other; and what there is then: (free space, groups).
STEPS = (
    (("--free-space-tree=off",), ("off", "off")),
    (("--free-space-tree=on",), ("on", "off")),
    (("--block-group-tree=on",), ("on", "on")),
    (("--block-group-tree=off",), ("on", "off")),
    (("--block-group-tree=on", "--label=both"), ("on", "on")),
    (("--block-group-tree=off", "--free-space-tree=off"), ("off", "off")),
    (("--free-space-tree=on", "--block-group-tree=on"), ("on", "on")),
    (("--block-group-tree=off",), ("on", "off")),
)


def whole_matrix():
    """Every profile with every node size; checksums take turns, and so do features."""
    cases = []
    for profile, devices in kernel.PROFILES:
        for node_bytes in kernel.NODE_BYTES:
            number = len(cases)
            checksum = kernel.CHECKSUMS[number % len(kernel.CHECKSUMS)]
            feature = ("default", "space-cache", "fat-extents", "default")[number % 4]
            cases.append(Case(profile, devices, node_bytes, checksum, feature))
    return [*cases, Case("dup", 1, 4096, "crc32c", "mixed"), Case("raid1", 2, 4096, "xxhash", "mixed")]


def chosen_cases():
    choice = os.environ.get("EBCACHE_TRANSACTIONS_MATRIX", "")
    if choice in ("", "all"):
        return list(FEW) if choice == "" else whole_matrix()
    cases = [case for case in whole_matrix() if choice in " ".join(map(str, case)).split()]
    if not cases:
        raise ValueError(f"EBCACHE_TRANSACTIONS_MATRIX={choice}: there is no such case")
    return cases


def features_on(devices):
    """What the superblock says, as others print it: (free space, groups)."""
    words = make_images.run_tool("btrfs", "inspect-internal", "dump-super", devices[0])
    flags = int(re.search(r"^compat_ro_flags\s+(0x[0-9a-f]+)", words, re.M).group(1), 16)
    free = "off" if not flags & 1 else "on" if flags & 2 else "not valid"
    return free, "on" if flags & 8 else "off"


class KernelConversionsTest(kernel.KernelTransactionsTest):
    test_random_programs = None  # they have a test of their own

    def check(self, devices, when):
        """As elsewhere; a `btrfs check` that has no block group tree is told from one that complains."""
        if features_on(devices)[1] == "off":
            super().check(devices, when)
            return
        self.run_program(ARGUMENTS.ebcache, "verify", *devices)
        with kernel_view.loops_of(devices) as loops:
            done = subprocess.run(
                [make_images.find_tool("btrfs"), "check", "--readonly", loops[0]],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        if re.search(r"unsupported|can't be mounted|cannot be opened|unrecognized", done.stdout, re.I):
            TOTALS["btrfs checks that have no block group tree"] += 1
            return
        self.assertEqual(done.returncode, 0, f"{when}: {done.stdout[-6000:]}")
        self.assertIn("no error found", done.stdout, when)
        TOTALS["btrfs checks of block group trees"] += 1

    def convert(self, devices, words):
        self.run_program(ARGUMENTS.ebcache, "tune", "--yes", *words, *devices)
        TOTALS["conversions"] += len([word for word in words if "-tree=" in word])

    def use(self, devices, top, rng, options):
        """A kernel mounts it, reads all, writes, and has nothing to complain of."""
        hashes = self.hashes
        with make_images.mounted(devices, top, options) as mounted:
            self.assertEqual(kernel_view.hashes_of(mounted), hashes)
            TOTALS["files read by the kernel"] += len(hashes)
            for path in rng.sample(sorted(kernel.trees_of(mounted).values()), 3):
                kernel.change_some(path, rng)
            kernel.write_files(mounted / "more", rng, 20, large=8)
            kernel.btrfs("filesystem", "sync", mounted)
            # Holes between the extents of data, more than a small block group has as extents.
            for path in sorted((mounted / "more").glob("large-*"))[::2]:
                path.unlink()
            kernel.btrfs("filesystem", "sync", mounted)
            self.assertEqual(kernel.kernel_complaints(mounted), [])
            self.hashes = kernel_view.hashes_of(mounted)
        TOTALS["mounts"] += 1

    def free_space_of_data(self, devices):
        """What the free space tree has of block groups of data: (keys, info items)."""
        with kernel_view.loops_of(devices) as loops:
            extents = make_images.run_tool(
                "btrfs", "inspect-internal", "dump-tree", "-t", "extent", loops[0]
            )
            free = make_images.run_tool(
                "btrfs", "inspect-internal", "dump-tree", "-t", "10", loops[0]
            )
        groups = re.findall(
            r"key \((\d+) BLOCK_GROUP_ITEM (\d+)\).*\n.*flags DATA\b(?!\|METADATA)", extents
        )
        found = []
        pattern = r"key \((\d+) (FREE_SPACE_\w+) (\d+)\).*\n\s*(free space .*)"
        for start, kind, length, words in re.findall(pattern, free):
            if any(int(at) <= int(start) < int(at) + int(size) for at, size in groups):
                found.append((int(start), kind, int(length), words))
        return found

    def compare_with_kernel(self, devices, top):
        """A tree that a kernel has just made, and ours of the same extents, are the same."""
        with make_images.mounted(devices, top, ["noatime", "clear_cache", "space_cache=v2"]) as mounted:
            self.assertEqual(kernel.kernel_complaints(mounted), [])
        kernels = self.free_space_of_data(devices)
        self.convert(devices, ["--free-space-tree=off"])
        self.convert(devices, ["--free-space-tree=on"])
        self.assertEqual(self.free_space_of_data(devices), kernels)
        TOTALS["items as a kernel makes them"] += len(kernels)
        kinds = {kind for _, kind, _, _ in kernels}
        TOTALS["filesystems with bitmaps"] += 1 if "FREE_SPACE_BITMAP" in kinds else 0

    def one(self, case, seed, commits=0):
        features = FEATURES[case.features]
        rng = random.Random(seed)
        with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as directory:
            scratch = pathlib.Path(directory)
            top = scratch / "mnt"
            devices = self.make(case, features, scratch)
            options = ["noatime", *features.get("mount", ())]
            with make_images.mounted(devices, top, options) as mounted:
                kernel.fill(mounted, rng)
                self.hashes = kernel_view.hashes_of(mounted)
            self.check(devices, "before")
            for words, expected in STEPS:
                when = f"after {' '.join(words)}"
                self.convert(devices, words)
                self.assertEqual(features_on(devices), expected, when)
                self.check(devices, when)
                self.use(devices, top, rng, ["noatime"])
                self.assertEqual(features_on(devices), expected, f"{when}, and a kernel")
                self.check(devices, f"{when}, and a kernel")
            self.compare_with_kernel(devices, top)
            self.check(devices, "at the end")
        TOTALS["filesystems"] += 1

    def test_conversions(self):
        cases = chosen_cases()
        for number, case in enumerate(cases):
            with self.subTest(case=case, seed=number):
                print(f"{number + 1} of {len(cases)}: {case}", flush=True)
                self.one(case, number)
        print(", ".join(f"{count} {name}" for name, count in TOTALS.items()), flush=True)

    # ---- Trees that are dropped ----

    def share(self, top, rng):
        """Trees that share blocks in all ways, of which some are deleted: those that own shared blocks,
        and those that have blocks of others."""
        kernel.fill(top, rng)
        kernel.share_more(top, rng, 12)
        for number in range(0, 12, 3):
            path = top / "snapshots" / str(number)
            kernel.change_some(path, rng)
            kernel.btrfs("subvolume", "snapshot", path, top / f"again-{number}")
        kernel.change_some(top / "one", rng)
        kernel.btrfs("subvolume", "create", top / "big")
        kernel.write_files(top / "big", rng, 8000)
        # Nodes that are shared, and not their leaves alone.
        kernel.btrfs("subvolume", "create", top / "wide")
        kernel.write_files(top / "wide", rng, 4000)
        kernel.btrfs("subvolume", "snapshot", top / "wide", top / "wide-kept")
        # Of few: the ways to many are soon all of them.
        next((top / "wide-kept").glob("*-0")).write_bytes(rng.randbytes(1000))
        kernel.btrfs("filesystem", "sync", top)
        gone = [top / "big", top / "wide", top / "one", top / "two", top / "again-3"]
        gone += [top / "snapshots" / str(number) for number in (0, 1, 2, 5, 6, 7)]
        rng.shuffle(gone)
        return gone

    def copy_begun(self, devices, copies, mounted):
        """Copies images when a kernel is in the middle of a tree; whether it was caught at it."""
        for _ in range(60):
            make_images.run_tool("fsfreeze", "--freeze", mounted)
            try:
                with kernel_view.loops_of(devices) as loops:
                    roots = make_images.run_tool(
                        "btrfs", "inspect-internal", "dump-tree", "-t", 1, loops[0]
                    )
                if re.search(r"drop_progress key \((?!0 )", roots):
                    for device, copy in zip(devices, copies):
                        make_images.copy_sparse(device, copy)
                    return True
            finally:
                make_images.run_tool("fsfreeze", "--unfreeze", mounted)
            if not re.search(r"refs 0\b", roots):
                return False
        return False

    def drop(self, devices, scratch, seed, begun):
        """Images as a crash leaves them, before a kernel deletes trees, or when it has begun to."""
        rng = random.Random(seed)
        top = scratch / "mnt"
        copies = [scratch / f"copy{number}.img" for number in range(len(devices))]
        commit = "commit=1" if begun else "commit=300"
        with make_images.mounted(devices, top, ["noatime", commit]) as mounted:
            gone = self.share(mounted, rng)
            kernel.btrfs("subvolume", "delete", *gone)
            if begun and not self.copy_begun(devices, copies, mounted):
                return None
            if not begun:
                make_images.run_tool("fsfreeze", "--freeze", mounted)
                try:
                    for device, copy in zip(devices, copies):
                        make_images.copy_sparse(device, copy)
                finally:
                    make_images.run_tool("fsfreeze", "--unfreeze", mounted)
            self.hashes = kernel_view.hashes_of(mounted)
        self.check(copies, "before")
        said = self.run_program(ARGUMENTS.drop_dead_trees, *copies)
        dropped = {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", said)}
        for name, number in dropped.items():
            TOTALS[f"dropped {name}"] += number
        self.check(copies, "after dropping")
        with kernel_view.loops_of(copies) as loops:
            roots = make_images.run_tool("btrfs", "inspect-internal", "dump-tree", "-t", 1, loops[0])
        self.assertNotRegex(roots, r"refs 0\b|ORPHAN_ITEM")
        self.use(copies, top, rng, ["noatime"])
        self.check(copies, "after the kernel")
        return dropped

    def test_dropped_trees(self):
        shapes = (("dup", 1, 4096), ("raid1", 2, 16384), ("single", 1, 4096))
        for number, (profile, count, node_bytes) in enumerate(shapes):
            for begun in (False, True) if count == 1 else (False,):
                features = "fat-extents" if profile == "single" else "default"
                case = Case(profile, count, node_bytes, "crc32c", features)
                with self.subTest(case=case, begun=begun):
                    with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as directory:
                        scratch = pathlib.Path(directory)
                        devices = self.make(case, FEATURES[features], scratch)
                        dropped = self.drop(devices, scratch, number, begun)
                    if begun:
                        TOTALS["kernels caught in the middle of a tree"] += dropped is not None
                        continue
                    # 11, but for those that a kernel has found the time for.
                    self.assertGreater(dropped["trees"], 0)
                    self.assertGreater(dropped["blocks"], 0)
        print(", ".join(f"{count} {name}" for name, count in TOTALS.items()), flush=True)


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    parser.add_argument("--ebcache", required=True, type=os.path.abspath)
    parser.add_argument("--drop-dead-trees", required=True, type=os.path.abspath)
    _, rest = parser.parse_known_args(namespace=ARGUMENTS)
    unittest.main(
        argv=[sys.argv[0], *rest],
        testRunner=unittest.TextTestRunner(resultclass=kernel.LoudResult, verbosity=2),
    )


if __name__ == "__main__":
    main()
