"""Where output goes: whatever a program prints either arrives, or the program says why it did not and
ends with exit code 2."""

import os
import subprocess

import image_test
import make_images


class OutputTest(image_test.ImageTest):
    def setUp(self):
        super().setUp()
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        make_images.make_tree(self.scratch / "rootdir", files=50)
        (self.image,) = make_images.mkfs(
            [self.scratch / "disk.img"], rootdir=self.scratch / "rootdir"
        )

    def commands(self):
        programs = image_test.arguments()
        for words in (["--help"], ["--version"], ["help"], ["help", "verify"], ["--help", "verify"]):
            yield [programs.ebcache, *words]
        for subcommand in ("tree-stats", "verify"):
            for words in (
                ["--help"],
                ["--version"],
                ["--json-schema"],
                [self.image],
                ["--json", self.image],
            ):
                yield image_test.command(subcommand, *words)
        for subcommand in ("repair-copies", "rewrite", "tune", "undo", "zero-log"):
            for words in (["--help"], ["--version"], ["--json-schema"]):
                yield image_test.command(subcommand, *words)
        for words in ([self.image], ["--json", self.image], ["--preview", "--label=x", self.image]):
            yield image_test.command("tune", *words)
        for subcommand in ("repair-copies", "zero-log"):
            for words in ([self.image], ["--json", self.image]):
                yield image_test.command(subcommand, *words)
        for words in (["--preview"], ["--preview", "--json"], ["--yes"], ["--yes", "--json"]):
            yield image_test.command("rewrite", *words, self.image)
        for words in (["--help"], ["--version"], [self.image, 30408704], ["--json", self.image, 30408704]):
            yield image_test.command("find-block", *words)
        for words in (
            ["--help"],
            ["--version"],
            ["--once", self.image],
            ["--json", self.image],
            # Without end, but for that of its output.
            ["--passes=0", "--interval-ms=20", self.image],
            ["--passes=0", "--interval-ms=20", "--json", self.image],
        ):
            yield image_test.command("top", *words)
        for words in (["--help"], ["--version"], ["--files=50"]):
            yield [programs.quickstart, *words]
        for words in (["--help"], [self.image], ["--counts", self.image]):
            yield [programs.mini_dump, *words]

    def run_to(self, stdout, command):
        return subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    def check_complaint_once(self, done, reason):
        self.assertEqual(done.stderr.count(f"cannot write the result: {reason}"), 1, done)

    def test_a_full_device(self):
        for command in self.commands():
            with self.subTest(command):
                with open("/dev/full", "w", encoding="ascii") as full:
                    done = self.run_to(full, command)
                self.assertEqual(done.returncode, 2, done)
                self.check_complaint_once(done, "No space left on device")

    def test_no_stdout(self):
        for command in self.commands():
            with self.subTest(command):
                shell = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
                done = self.run_to(None, shell)
                self.assertEqual(done.returncode, 2, done)
                self.check_complaint_once(done, "Bad file descriptor")


if __name__ == "__main__":
    image_test.main()
