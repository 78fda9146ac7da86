"""`ebcache check` and `btrfs check --readonly` on the same images: the same verdict, but for what
docs/check.md explains.

By hand, with more changes: ... check_verdict_test.py --ebcache=PATH --rounds=300 --seed=7
"""

import re
import subprocess

import field_damage
import image_test
import make_images

# What we find and btrfs check does not look at, or lets pass. Each is told in docs/check.md.
OURS_ALONE = {
    "block-lost": "rules of today's kernels, which refuse the whole block",
    "uuid-missing": "the uuid tree",
    "uuid-stale": "the uuid tree",
    "device-extent-missing": "device extents that are not a chunk's",
    "root-orphan-missing": "orphan items of subvolumes",
    "block-record": "extent items of generation 0",
    "free-space-wrong": "lengths of bitmaps",
    "checksum-missing": "checksums of parts of an extent",
}
MOST_ROUNDS_HERE = 40


def btrfs_check(image):
    """(sound, what it says)."""
    tool = make_images.find_tool("btrfs")
    done = subprocess.run(
        [tool, "check", "--readonly", image],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=100,
        check=False,
    )
    return done.returncode == 0, done.stdout


class CheckVerdictTest(image_test.ImageTest):
    def setUp(self):
        super().setUp()
        make_images.make_tree(self.scratch / "rootdir", files=400)
        self.image = self.scratch / "disk.img"

    def mkfs(self, **options):
        make_images.mkfs([self.image], rootdir=self.scratch / "rootdir", **options)

    def report(self):
        run = self.run_program(image_test.command("check", "--json", "--memory-mib=32", self.image))
        if run.exit_code == image_test.EXIT_FAILED and not run.stdout:
            return False, {}, run
        return run.exit_code == image_test.EXIT_GOOD, run.report()["counts"], run

    def test_sound_images(self):
        for options in (
            {},
            {"metadata": "single", "node_bytes": 4096},
            {"node_bytes": 65536},
            {"features": ("mixed-bg",), "metadata": "single", "node_bytes": 4096},
            {"features": ("^no-holes",)},
            {"features": ("^skinny-metadata",)},
            {"runtime_features": ("^free-space-tree",)},
            {"checksum": "xxhash"},
            {"checksum": "sha256"},
            {"checksum": "blake2"},
            {"runtime_features": ("quota",)},
        ):
            with self.subTest(options):
                self.mkfs(**options)
                sound, counts, run = self.report()
                self.assertEqual((sound, counts), (True, {}), str(run))
                self.assertTrue(btrfs_check(self.image)[0])

    def explained(self, counts, theirs):
        """Why the two may differ, or None."""
        if theirs[0]:  # ours alone found something
            named = [OURS_ALONE[kind] for kind in counts if kind in OURS_ALONE]
            return named[0] if named else None
        if re.search(r"Failed to find a space info key", theirs[1]):
            return "free space of chunks that mkfs has left behind"
        return None

    def test_one_field_of_one_item(self):
        self.mkfs()
        seed = image_test.seeds().start
        count = min(len(image_test.seeds()), MOST_ROUNDS_HERE) if seed == 1 else len(image_test.seeds())
        damaged = 0
        reasons = {}
        for change in field_damage.changes(self.image, seed, count):
            with change:
                sound, counts, run = self.report()
                theirs = btrfs_check(self.image)
            damaged += 0 if sound else 1
            if sound == theirs[0]:
                continue
            reason = self.explained(counts, theirs)
            self.assertIsNotNone(reason, f"{change.text}\n{run}\n{theirs[1]}")
            reasons[reason] = reasons.get(reason, 0) + 1
        print(f"{count} changes, {damaged} found; other verdicts than btrfs check's: {reasons}")
        self.assertGreater(damaged, count // 3)
        self.assertTrue(self.report()[0], "each was taken back")


if __name__ == "__main__":
    image_test.main()
