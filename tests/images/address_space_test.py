"""Too little address space, or memory: the programs cannot tell, and say what may help. Blocks that
there was no room for are not lost."""

import resource
import subprocess

import dump_tree
import image_test
import make_images

MIB = 1 << 20


class AddressSpaceTest(image_test.ImageTest):
    def setUp(self):
        super().setUp()
        if image_test.sanitizer() is not None:
            self.skipTest(f"{image_test.sanitizer()} wants the address space for itself")
        make_images.make_tree(self.scratch / "rootdir", files=2000)
        (self.image,) = make_images.mkfs(
            [self.scratch / "disk.img"], 4096, rootdir=self.scratch / "rootdir"
        )
        self.blocks = len(
            {b for tree in dump_tree.all_trees([self.image]).values() for b, _ in tree.blocks}
        )

    def run_within(self, limit_bytes, subcommand, *arguments):
        """As under `ulimit -v`."""
        command = image_test.command(subcommand, *arguments)
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=100,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes)),
        )
        return image_test.Run(command, done.returncode, done.stdout, done.stderr)

    def check_sane(self, run):
        """All was read, or the program cannot tell and gives advice: nothing between."""
        self.assertNotIn("lost:", run.stdout + run.stderr, str(run))
        if run.exit_code == image_test.EXIT_GOOD:
            return
        self.assertEqual(run.exit_code, image_test.EXIT_FAILED, str(run))
        self.assertRegex(run.stderr, "--allocator=heap|--memory-mib", str(run))

    def commands(self):
        yield ["tree-stats"]
        yield ["tree-stats", "--threads=4"]
        yield ["verify"]
        yield ["top", "--once"]

    def test_where_the_usual_arena_is_not_to_be_had(self):
        # That is 64 GiB.
        for subcommand, *flags in self.commands():
            with self.subTest(subcommand=subcommand, flags=flags):
                run = self.run_within(4096 * MIB, subcommand, *flags, self.image)
                self.assertEqual(run.exit_code, image_test.EXIT_GOOD, str(run))

    def test_any_limit(self):
        for mib in (24, 48, 96, 128, 192, 256, 384, 512, 1024):
            for allocator in image_test.ALLOCATORS:
                with self.subTest(mib=mib, allocator=allocator):
                    run = self.run_within(
                        mib * MIB,
                        "tree-stats",
                        f"--allocator={allocator}",
                        self.image,
                    )
                    self.check_loaded(run)

    def test_any_limit_for_the_others(self):
        for mib in (32, 96, 128, 256, 512):
            for subcommand, *flags in self.commands():
                with self.subTest(subcommand=subcommand, mib=mib):
                    self.check_loaded(self.run_within(mib * MIB, subcommand, *flags, self.image))

    def check_loaded(self, run):
        if run.exit_code == 127 and "error while loading shared libraries" in run.stderr:
            return  # it never began
        self.check_sane(run)

    def test_memory_that_the_allocator_does_not_have(self):
        # 2 MiB for nodes of 4 KiB: the cache has to go round, and does.
        for allocator in ("order0", "heap"):
            with self.subTest(allocator):
                report = self.tree_stats(
                    f"--allocator={allocator}", "--memory-mib=2", "--cache-mib=1", self.image
                )
                self.assertEqual(report["totals"]["unique_blocks"], self.blocks)
        # With a budget beyond the memory: either it goes round as well, or it cannot tell.
        for allocator in image_test.ALLOCATORS:
            with self.subTest(allocator):
                self.check_sane(
                    self.run_tree_stats(f"--allocator={allocator}", "--memory-mib=2", self.image)
                )


if __name__ == "__main__":
    image_test.main()
