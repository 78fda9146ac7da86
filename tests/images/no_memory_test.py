"""Reads for which the kernel has no memory: the programs cannot tell, and say so. That is no damage,
and no reason to open an older filesystem."""

import os
import subprocess

import dump_tree
import image_test
import make_images

FIRST = (*range(1, 16), 20, 30, 50)
# A read that fails is tried once more, and then the other copy: all that, or less, or for ever.
COUNTS = (1, 2, 3, 4, 1 << 30)


class NoMemoryTest(image_test.ImageTest):
    def setUp(self):
        super().setUp()
        if image_test.sanitizer() is not None:
            self.skipTest(f"{image_test.sanitizer()} wants to be the first library")
        make_images.make_tree(self.scratch / "rootdir", files=400)
        (self.image,) = make_images.mkfs(
            [self.scratch / "disk.img"], 4096, rootdir=self.scratch / "rootdir"
        )

    def run_failing(self, first, count, subcommand, *arguments):
        command = image_test.command(subcommand, *arguments, self.image)
        if subcommand == "find-block":
            command.append(str(self.block))
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=100,
            check=False,
            env={
                **os.environ,
                "LD_PRELOAD": image_test.arguments().failing_reads,
                "EBCACHE_FAIL_FROM": str(first),
                "EBCACHE_FAIL_COUNT": str(count),
            },
        )
        return image_test.Run(command, done.returncode, done.stdout, done.stderr)

    def check(self, summary, subcommand, *arguments):
        """0 and all that there is, or 2 and why; and the latter where all reads fail."""
        whole = self.run_failing(0, 0, subcommand, *arguments)
        self.assertEqual(whole.exit_code, image_test.EXIT_GOOD, str(whole))
        for count in COUNTS:
            for first in FIRST:
                with self.subTest(first=first, count=count):
                    run = self.run_failing(first, count, subcommand, *arguments)
                    self.assertNotRegex(run.stdout, "lost:|damaged:", str(run))
                    self.assertNotRegex(run.stderr, "recovered|lost", str(run))
                    if run.exit_code == image_test.EXIT_GOOD:
                        self.assertEqual(summary(run), summary(whole), str(run))
                        self.assertTrue(first > 1 or count == 1, "a superblock was not read")
                    else:
                        self.assertEqual(run.exit_code, image_test.EXIT_FAILED, str(run))
                        self.assertIn("memory", run.stderr, str(run))

    def test_tree_stats(self):
        self.check(
            lambda run: (run.report()["totals"], run.report()["damage"]),
            "tree-stats",
            "--json",
            "--threads=1",
        )

    def test_verify(self):
        self.check(
            lambda run: (run.report()["blocks"], run.report()["damage"]),
            "verify",
            "--json",
            "--threads=1",
        )

    def test_top(self):
        self.check(lambda run: None, "top", "--once")

    def test_find_block(self):
        trees = dump_tree.all_trees([self.image])
        self.block = max(trees.values(), key=lambda tree: len(tree.blocks)).blocks[-1][0]
        self.check(
            lambda run: (run.report()["verdict"], run.report()["copies"]),
            "find-block",
            "--json",
        )


if __name__ == "__main__":
    image_test.main()
