"""ebcache rewrite: all blocks go to new places, and what is in them stays."""

import fcntl
import signal

import dump_tree
import image_test
import make_images
from writing_test_case import WritingTestCase, contents, digest

FS_TREE = (5, 0)


def blocks_of(devices, tree):
    return [start for start, _ in dump_tree.all_trees(devices)[tree].blocks]


class RewriteTest(WritingTestCase):
    def check_rewrite(self, devices, *words):
        trees = ["fs", "csum", "uuid"]
        before = {tree: contents(devices, tree) for tree in trees}
        items = {key: tree.items for key, tree in dump_tree.all_trees(devices).items()}
        report = self.written("rewrite", "--yes", *words, *devices)
        self.check_clean(devices)
        self.assertTrue(all(tree["done"] for tree in report["trees"]), report)
        for tree in trees:
            self.assertEqual(contents(devices, tree), before[tree], tree)
        after = dump_tree.all_trees(devices)
        self.assertEqual(after.keys(), items.keys())
        self.assertEqual(after[FS_TREE].items, items[FS_TREE])
        return report

    def test_every_block_of_every_tree_moves(self):
        devices = self.make()
        old = {key: set(blocks_of(devices, key)) for key in dump_tree.all_trees(devices)}
        report = self.check_rewrite(devices, "--blocks-per-commit=100000")
        self.assertEqual(report["commits"], 1)
        self.assertFalse(report["preview"])
        self.assertIsNone(report["check"])
        self.assertEqual(len(report["trees"]), len(old))
        before = set().union(*old.values())
        for key in old:
            self.assertEqual(before & set(blocks_of(devices, key)), set(), key)
        self.assertGreaterEqual(report["copied_blocks"], len(before))
        self.assertGreaterEqual(report["written_bytes"], 4096 * len(before))

    def test_leaves_lie_in_the_order_of_keys(self):
        devices = self.make()
        self.check_rewrite(devices, "-t", "fs", "--blocks-per-commit=100000")
        leaves = dump_tree.all_trees(devices)[FS_TREE].leaves()
        self.assertGreater(len(leaves), 50)
        self.assertEqual(leaves, sorted(leaves))

    def test_small_commits(self):
        devices = self.make()
        blocks = len(blocks_of(devices, FS_TREE))
        report = self.check_rewrite(devices, "--blocks-per-commit=8", "--cache-mib=1")
        self.assertGreater(report["commits"], blocks // 64)
        again = self.check_rewrite(devices, "--blocks-per-commit=8")
        self.assertGreater(again["generation"], report["generation"])

    def test_profiles(self):
        for options in (
            {"count": 2, "metadata": "raid1", "checksum": "xxhash"},
            {"count": 2, "metadata": "raid0", "node_bytes": 16384, "checksum": "sha256"},
            {"count": 4, "metadata": "raid10", "checksum": "blake2"},
            {"count": 1, "metadata": "single", "node_bytes": 65536},
        ):
            with self.subTest(options):
                self.check_rewrite(self.make(**options))

    def test_trees_by_name_and_number(self):
        devices = self.make()
        for words, expected in (
            (["-t", "5"], [5]),
            (["--tree=FS_TREE", "-t", "extent", "-t", "fs"], [5, 2]),
            (["-t", "root", "-t", "CSUM_TREE"], [7, 1]),
        ):
            report = self.check_rewrite(devices, *words)
            self.assertEqual([tree["id"] for tree in report["trees"]], expected)
        self.check_refused(devices, "there is no tree fsck", "rewrite", "--yes", "-t", "fsck")
        self.check_refused(devices, "there is no tree 999", "rewrite", "--yes", "--tree=999")

    def test_text(self):
        devices = self.make()
        run = self.write("rewrite", "--yes", *devices)
        self.assertEqual((run.exit_code, run.stderr), (image_test.EXIT_GOOD, ""), str(run))
        self.assertRegex(run.stdout, r"^(\d+) of \1 trees rewritten\n1 commit in .* blocks copied")

    def test_preview_changes_nothing(self):
        devices = self.make()
        before = digest(devices)
        kept = self.scratch / "changes"
        for words in (["--preview"], [f"--preview-file={kept}"], ["--preview", "--blocks-per-commit=8"]):
            report = self.written("rewrite", *words, *devices)
            self.assertEqual(digest(devices), before, words)
            self.assertFalse(kept.exists())
            self.assertTrue(report["preview"])
            self.assertTrue(report["check"]["clean"])
            # Each copy of each block, and superblocks.
            self.assertGreater(report["check"]["changed_bytes"], report["copied_blocks"] * 4096)
        run = self.write("rewrite", "--preview", *devices)
        self.assertRegex(run.stdout, "preview: all trees read afterwards, .*: clean")
        kept.write_bytes(b"mine")
        self.check_refused(devices, str(kept), "rewrite", f"--preview-file={kept}")
        self.assertEqual(kept.read_bytes(), b"mine")

    def test_preview_tells_what_is_damaged_before(self):
        devices = self.make(metadata="single")
        _, physical = dump_tree.copies(devices, dump_tree.all_trees(devices)[FS_TREE].leaves()[3])[0]
        image_test.flip_byte(devices[0], physical + 1000)
        before = digest(devices)
        run = self.write("rewrite", "--preview", "--json", *devices)
        self.assertEqual(run.exit_code, image_test.EXIT_FAILED, str(run))
        self.assertIn("checksum mismatch", run.report()["error"])
        self.assertEqual(digest(devices), before)
        # The tree that comes first is good.
        run = self.write("rewrite", "--preview", "--json", "-t", "csum", *devices)
        self.assertEqual(run.exit_code, image_test.EXIT_DAMAGED, str(run))
        self.assertEqual(run.report()["check"]["lost_blocks"], 1)

    def test_it_asks(self):
        devices = self.make(label="music")
        trees = len(dump_tree.all_trees(devices))
        run = self.check_refused(devices, "there is no terminal to ask on; --yes", "rewrite")
        self.assertRegex(
            run.stderr,
            rf"would rewrite {trees} trees of the btrfs filesystem [0-9a-f-]+ "
            rf"\(label 'music'\) on {devices[0]}, and",
        )
        command = image_test.command("rewrite", *devices)
        before = digest(devices)
        for answer in ("n\n", "\n", "yesterday\n", signal.SIGINT):
            exit_code, shown = self.on_terminal(command, answer)
            interrupted = isinstance(answer, signal.Signals)
            self.assertEqual(exit_code, -signal.SIGINT if interrupted else 2, shown)
            self.assertEqual(digest(devices), before)
            if not interrupted:
                self.assertIn("nothing was changed", shown)
        exit_code, shown = self.on_terminal(command, "y\n")
        self.assertEqual(exit_code, 0, shown)
        self.assertIn(f"{trees} of {trees} trees rewritten", shown)
        self.check_clean(devices)
        self.assertNotEqual(digest(devices), before)

    def test_an_interrupt_ends_it_with_a_commit(self):
        devices = self.make(files=1500)
        before = contents(devices, "fs")
        run = self.run_interrupted(image_test.command("rewrite", "--yes", "--json", *devices))
        self.assertEqual(run.exit_code, image_test.EXIT_DAMAGED, str(run))
        self.assertIn("interrupted", run.stderr)
        report = run.report()
        self.assertTrue(report["interrupted"])
        self.assertEqual(report["commits"], 1)
        self.assertGreater(report["copied_blocks"], 0)
        self.assertFalse(all(tree["done"] for tree in report["trees"]))
        self.check_clean(devices)
        self.assertEqual(contents(devices, "fs"), before)
        # A preview as well, which is not looked at then.
        unchanged = digest(devices)
        run = self.run_interrupted(image_test.command("rewrite", "--preview", "--json", *devices))
        self.assertEqual(run.exit_code, image_test.EXIT_DAMAGED, str(run))
        self.assertIsNone(run.report()["check"])
        self.assertEqual(digest(devices), unchanged)

    def test_an_image_that_another_program_writes(self):
        devices = self.make()
        with open(devices[0], "rb") as holder:
            fcntl.flock(holder, fcntl.LOCK_EX)
            reason = "is open for writing by another program"
            self.check_refused(devices, reason, "rewrite", "--yes")
        self.written("rewrite", "--yes", *devices)

    def test_wrong_command_lines(self):
        for words in ([], ["--yes"], ["--tree=", "x"], ["-t"], ["--blocks-per-commit=x", "x"]):
            self.check_complaint(self.write("rewrite", *words))


if __name__ == "__main__":
    image_test.main()
