"""What a crash leaves of a commit or of an undo, by `btrfs check` and by a kernel that mounts it.

crash_test.cc holds all of these states to what this library finds in them; here a sample of them, of
filesystems that a kernel has filled, is held to what others find. By hand, all of the sample (some
minutes): EBCACHE_CRASH_STATES=all; EBCACHE_CRASH_STATES=raid1: disks or commits of that name;
EBCACHE_CRASH_SEED: others of them.
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
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
SUPERBLOCKS = set()

# Of each kind of disks and commits, where all are looked at.
STATES_OF_EACH = 5
# Else: of so many kinds, so many.
FEW_KINDS = 12
STATES_OF_FEW = 2
# One in so many is written to by the kernel.
ONE_IS_WRITTEN_TO = 2


def run_program(*words):
    done = subprocess.run(
        [ARGUMENTS.crash_state_images, *map(str, words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"{words}: exit code {done.returncode}: {done.stderr[-3000:]}")
    return json.loads(done.stdout)


def all_kinds():
    """(kind of disks, kind of commits)."""
    kinds = run_program("kinds")
    smallest = min(kinds["disks"], key=lambda disks: disks["device_bytes"])
    pairs = [(disks, commits) for disks in kinds["disks"] for commits in kinds["commits"]]
    return [*pairs, (smallest, kinds["smallest"])]


def chosen_kinds():
    """[(kind of disks, kind of commits)], and how many states of each, by the environment."""
    choice = os.environ.get("EBCACHE_CRASH_STATES", "")
    kinds = all_kinds()
    if choice == "":
        # Each kind of disks and of commits is among them.
        step = len(kinds) // FEW_KINDS
        return kinds[::step][:FEW_KINDS], STATES_OF_FEW
    if choice == "all":
        return kinds, STATES_OF_EACH
    kinds = [
        (disks, commits)
        for disks, commits in kinds
        if choice.lower() in (disks["name"].lower(), commits.lower())
    ]
    if not kinds:
        raise ValueError(f"EBCACHE_CRASH_STATES={choice}: there is no such kind")
    return kinds, STATES_OF_EACH


def fill(top, rng):
    """Files in the tree and in extents of their own, and a snapshot that shares blocks."""
    for folder in (top / "files", top / "one"):
        if folder.name == "one":
            make_images.run_tool("btrfs", "subvolume", "create", folder)
        else:
            folder.mkdir()
        for number in range(60):
            size = rng.randrange(1500) if number % 10 else rng.randrange(5000, 60000)
            (folder / f"{rng.getrandbits(40):010x}-{number}").write_bytes(rng.randbytes(size))
    make_images.run_tool("btrfs", "subvolume", "snapshot", top, top / "all")
    for path in sorted((top / "files").iterdir())[::7]:
        path.write_bytes(rng.randbytes(700))


def recover_torn(loops, superblocks):
    """Kernels look at a device's first superblock only: where that one is torn, its mirror is to be
    put there first."""
    for loop, copies in zip(loops, superblocks):
        if copies[0] is None:
            done = subprocess.run(
                [make_images.find_tool("btrfs"), "rescue", "super-recover", "-y", loop],
                capture_output=True,
                check=False,
            )
            # 2: some were bad, and all are good now.
            if done.returncode != 2:
                raise AssertionError(f"super-recover: exit code {done.returncode}: {done.stderr}")
            TOTALS["torn superblocks brought back from mirrors"] += 1


def generation_of(loops):
    """Of the state that a kernel uses: that of the newest first superblock."""
    generations = []
    for loop in loops:
        words = make_images.run_tool("btrfs", "inspect-internal", "dump-super", loop)
        lines = [line.split() for line in words.splitlines()]
        generations.append(int(next(line[1] for line in lines if line[:1] == ["generation"])))
    return max(generations)


@contextlib.contextmanager
def mounted(loops, mount_point):
    mount_point.mkdir(exist_ok=True)
    options = ",".join(["noatime", *(f"device={loop}" for loop in loops)])
    make_images.run_tool("mount", "-t", "btrfs", "-o", options, loops[0], mount_point)
    try:
        yield mount_point
    finally:
        make_images.run_tool("umount", mount_point)


class KernelCrashTest(unittest.TestCase):
    def setUp(self):
        if WHY_NOT is not None:
            self.skipTest(f"cannot mount images: {WHY_NOT}")

    def make(self, kind, folder, rng):
        """Files of a filesystem that a kernel has filled, and the hashes of what it has."""
        folder.mkdir()
        devices = [
            make_images.make_device(folder / f"{number}.img", kind["device_bytes"])
            for number in range(kind["devices"])
        ]
        make_images.run_tool("mkfs.btrfs", "-q", "-f", *kind["options"].split(), *devices)
        with make_images.mounted(devices, folder / "mnt", ["noatime"]) as top:
            fill(top, rng)
            hashes = kernel_view.hashes_of(top)
        return devices, hashes

    def look(self, top, hashes, attributes):
        self.assertEqual(kernel_view.hashes_of(top), hashes)
        found = {name: os.getxattr(top, name).decode() for name in os.listxattr(top)}
        self.assertEqual(found, {name: letter * size for name, (size, letter) in attributes.items()})
        TOTALS["files read"] += len(hashes)
        TOTALS["attributes read"] += len(found)

    def one(self, state, attributes, hashes, mount_point, written):
        """A state, which files hold. `written`: what the kernel is to write, or None."""
        with kernel_view.loops_of(
            state["files"], lambda loops: recover_torn(loops, state["superblocks"])
        ) as loops:
            self.assertEqual(kernel_view.check_complaint(loops[0], "--check-data-csum"), "")
            generation = generation_of(loops)
            begin = max((seconds for seconds, _ in kernel_view.kernel_log()), default=0)
            self.assertIn(str(generation), attributes)
            with mounted(loops, mount_point) as top:
                self.look(top, hashes, attributes[str(generation)])
                if written is not None:
                    (top / "written").write_bytes(written)
                    make_images.run_tool("btrfs", "filesystem", "sync", top)
                    TOTALS["states written to by the kernel"] += 1
            log = kernel_view.log_of_devices(loops, begin)
            TOTALS["kernel logs read"] += 1 if log else 0
            self.assertEqual(kernel_view.complaints_in(log), [])
            self.assertEqual(kernel_view.check_complaint(loops[0], "--check-data-csum"), "")
        TOTALS["states"] += 1
        TOTALS["states in which this library and the kernel find the same"] += (
            generation == state["generation"]
        )
        newest = max(map(int, attributes))
        ages = [[None if of is None else newest - of for of in copies] for copies in state["superblocks"]]
        SUPERBLOCKS.add(str(ages))

    def test_states(self):
        kinds, count = chosen_kinds()
        seed = int(os.environ.get("EBCACHE_CRASH_SEED", "20261129"))
        with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as directory:
            scratch = pathlib.Path(directory)
            made = {}
            for number, (disks, commits) in enumerate(kinds):
                print(f"{number + 1} of {len(kinds)}: {disks['name']}, {commits}", flush=True)
                rng = random.Random(seed + number)
                if disks["name"] not in made:
                    made[disks["name"]] = self.make(disks, scratch / disks["name"], rng)
                devices, hashes = made[disks["name"]]
                with tempfile.TemporaryDirectory(dir=scratch) as folder:
                    found = run_program(commits, count, seed + number, folder, *devices)
                    self.assertEqual(len(found["states"]), count)
                    for at, state in enumerate(found["states"]):
                        written = rng.randbytes(20000) if at % ONE_IS_WRITTEN_TO == 0 else None
                        with self.subTest(disks=disks["name"], commits=commits, state=state):
                            self.one(
                                state, found["attributes"], hashes, scratch / "mnt", written
                            )
        TOTALS["ways in which superblocks differ"] = len(SUPERBLOCKS)
        print(", ".join(f"{number} {name}" for name, number in TOTALS.items()), flush=True)


class _LoudResult(unittest.TextTestResult):
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
    parser.add_argument("--crash-state-images", required=True, type=os.path.abspath)
    _, rest = parser.parse_known_args(namespace=ARGUMENTS)
    unittest.main(
        argv=[sys.argv[0], *rest],
        testRunner=unittest.TextTestRunner(resultclass=_LoudResult, verbosity=2),
    )


if __name__ == "__main__":
    main()
