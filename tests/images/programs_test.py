"""The programs as people use them: output to read, help, relative paths."""

import os
import re
import shutil
import subprocess

import dump_tree
import image_test
import make_images


def run(*command, **environment):
    """Runs a program; the environment is ours with changes."""
    return subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, **environment},
        timeout=100,
        check=False,
    )


class QuickstartTest(image_test.ImageTest):
    def quickstart(self):
        path = image_test.arguments().quickstart
        if path is None:
            self.skipTest("no --quickstart=PATH given")
        return path

    def test_shows_everything_and_leaves_nothing(self):
        done = run(self.quickstart(), TMPDIR=str(self.scratch))
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(done.stderr, "")  # no progress where nobody watches
        files = int(re.search(r"image of (\d+) files", done.stdout).group(1))
        self.assertGreaterEqual(files, 20000)
        row = re.search(r"^FS_TREE +(\d+) +(\d+) +(\d+) +(\d+) ", done.stdout, re.MULTILINE)
        # Each file has an inode, a name in it, two entries in its directory, and its bytes.
        self.assertGreater(int(row.group(4)), 5 * files)
        steady = re.search(
            r"of (\d+) buffers, (\d+) have refs == 1 and (\d+) are eligible", done.stdout
        )
        self.assertEqual(len(set(steady.groups())), 1, done.stdout)
        self.assertGreater(int(steady.group(1)), 1000)
        self.assertRegex(done.stdout, rf"DropCaches: {steady.group(1)} buffers went, 0 are left")
        self.assertEqual(list(self.scratch.iterdir()), [])

    def test_image_that_stays_is_what_it_was_said_to_be(self):
        done = run(self.quickstart(), "--files=500", "--keep", TMPDIR=str(self.scratch))
        self.assertEqual(done.returncode, 0, done)
        image = re.search(r"the image stays: (.*)$", done.stdout, re.MULTILINE).group(1)
        self.check_against_dump_tree(self.tree_stats(image), [image])
        tree = dump_tree.one_tree([image], 5)
        self.assertRegex(done.stdout, rf"FS_TREE .* {tree.items} ")

    def test_nowhere_to_put_the_image(self):
        done = run(self.quickstart(), TMPDIR=str(self.scratch / "nowhere"))
        self.assertEqual(done.returncode, 2, done)
        self.assertEqual(len(done.stderr.splitlines()), 1, done)
        self.assertTrue(done.stderr.startswith("quickstart: "), done)


class TreeStatsTest(image_test.ImageTest):
    def setUp(self):
        super().setUp()
        make_images.make_tree(self.scratch / "rootdir", files=300)
        self.image = self.scratch / "disk.img"
        make_images.mkfs([self.image], rootdir=self.scratch / "rootdir")

    def test_text_has_the_counts_of_the_json(self):
        report = self.tree_stats(self.image)
        done = self.run_tree_stats(self.image)
        self.assertEqual(done.exit_code, image_test.EXIT_GOOD, str(done))
        self.assertEqual(done.stderr, "")
        for tree in report["trees"]:
            (row,) = re.findall(rf"^{tree['name']} +(.*)$", done.stdout, re.MULTILINE)
            words = row.split()
            self.assertEqual(int(words[0]), tree["items"])
            self.assertEqual([int(word) for word in words[3:]], tree["levels"])

    def test_json_has_what_it_promises(self):
        report = self.tree_stats("--cache-mib=4", self.image)
        for key in ("filesystem", "trees", "totals", "cache", "damage", "elapsed_s"):
            self.assertIn(key, report)
        self.assertGreater(report["peak_rss_bytes"], 1 << 20)
        for tree in report["trees"]:
            self.assertLessEqual({"id", "name", "levels", "items", "bytes"}, tree.keys())
            self.assertEqual(tree["bytes"], sum(tree["levels"]) * 16384)

    def test_relative_paths_are_those_of_the_caller(self):
        # `bazel run` starts programs elsewhere, and says where the caller stands.
        command = image_test.command("tree-stats", "--json", "disk.img")
        done = run(*command, BUILD_WORKING_DIRECTORY=str(self.scratch))
        self.assertEqual(done.returncode, 0, done)

    def test_names_that_look_like_flags(self):
        shutil.copyfile(self.image, self.scratch / "--json")
        command = image_test.command("tree-stats", "--", "--json")
        done = run(*command, BUILD_WORKING_DIRECTORY=str(self.scratch))
        self.assertEqual(done.returncode, 0, done)
        self.assertIn("FS_TREE", done.stdout)

    def test_help_and_version(self):
        for flag, part in (("--help", "--cache-mib"), ("-h", "Exit code"), ("--version", "ebcache")):
            done = run(*image_test.command("tree-stats", flag))
            self.assertEqual(done.returncode, 0, done)
            self.assertIn(part, done.stdout)
            self.assertEqual(done.stderr, "")

    def test_full_output_is_an_error(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run(
                image_test.command("tree-stats", self.image),
                stdout=full,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                timeout=60,
                check=False,
            )
        self.assertEqual(done.returncode, image_test.EXIT_FAILED, done)
        self.assertIn("cannot write", done.stderr)


if __name__ == "__main__":
    image_test.main()
