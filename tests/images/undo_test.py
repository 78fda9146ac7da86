"""--undo of subcommands that write, and ebcache undo: what was is there again, byte for byte where
superblocks are, also after a program that was killed."""

import json
import signal
import subprocess
import time

import dump_tree
import image_test
from writing_test_case import WritingTestCase, contents, digest

SUPERBLOCKS = (65536, 64 << 20)


def superblocks(devices):
    """The bytes of every copy."""
    found = []
    for device in devices:
        with open(device, "rb") as file:
            for offset in SUPERBLOCKS:
                file.seek(offset)
                found.append(file.read(4096))
    return found


def generation_of(device):
    with open(device, "rb") as file:
        file.seek(65536 + 72)
        return int.from_bytes(file.read(8), "little")


class UndoTest(WritingTestCase):
    def setUp(self):
        super().setUp()
        self.undo_file = self.scratch / "before.undo"
        self.option = f"--undo={self.undo_file}"
        self.file = f"--file={self.undo_file}"

    def remember(self, devices):
        self.before = superblocks(devices), contents(devices, "fs"), contents(devices, "extent")
        self.generation = generation_of(devices[0])

    def check_as_it_was(self, devices):
        self.assertEqual(superblocks(devices), self.before[0])
        self.assertEqual(contents(devices, "fs"), self.before[1])
        self.assertEqual(contents(devices, "extent"), self.before[2])
        self.assertFalse(self.undo_file.exists())
        self.check_clean(devices)

    def check_undone(self, devices, read_at_least=6):
        report = self.written("undo", "--yes", self.file, *devices)
        self.assertEqual((report["action"], report["done"]), ("undo", True))
        self.assertEqual(report["generation"], self.generation)
        self.assertGreaterEqual(report["read_blocks"], read_at_least)
        self.assertEqual(report["damaged_blocks"], 0)
        self.check_as_it_was(devices)
        return report

    def test_what_each_subcommand_has_done(self):
        for options in ({}, {"count": 2, "metadata": "raid1"}):
            devices = self.make(label="music", **options)
            self.remember(devices)
            for words in (["tune", "--label=films"], ["rewrite"], ["rewrite", "--blocks-per-commit=8"]):
                report = self.written(words[0], "--yes", self.option, *words[1:], *devices)
                self.assertEqual(report["undo_file"], str(self.undo_file))
                self.assertNotEqual(superblocks(devices), self.before[0])
                undone = self.check_undone(devices)
                self.assertEqual(undone["commits"], report["commits"])
                self.assertEqual(undone["found_generation"], report["generation"])

    def check_what_the_text_says(self):
        (device,) = self.make()
        self.remember([device])
        run = self.write("tune", "--yes", self.option, "--label=films", device)
        self.assertEqual((run.exit_code, run.stderr), (0, ""), str(run))
        (line,) = [line for line in run.stdout.splitlines() if line.startswith("back to generation")]
        where, words = line.split(": ", 1)
        self.assertEqual(where, f"back to generation {self.generation}")
        self.assertIn("ebcache undo --settle --file=", run.stdout)
        # As a shell takes it.
        ebcache = image_test.arguments().ebcache
        shell = f'ebcache() {{ "{ebcache}" "$@" --yes; }}; {words}'
        subprocess.run(["sh", "-c", shell], check=True, stdout=subprocess.DEVNULL)
        self.check_as_it_was([device])

    def test_the_text_says_how_to_go_back(self):
        self.check_what_the_text_says()

    def test_names_that_a_shell_would_take_apart(self):
        self.scratch = self.scratch / "it's a place"
        self.scratch.mkdir()
        self.undo_file = self.scratch / "$before"
        self.option = f"--undo={self.undo_file}"
        self.check_what_the_text_says()

    def test_a_program_that_was_killed(self):
        (device,) = self.make(files=3000)
        self.remember([device])
        killed = 0
        # Later and later, until it ends by itself: before, in and behind commits.
        for delay_ms in (30, 90, 150, 250, 400, 700):
            words = ["rewrite", "--yes", "--blocks-per-commit=16", self.option, device]
            program = subprocess.Popen(
                image_test.command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            # From when on there is something to go back from.
            begin = time.monotonic()
            while not self.undo_file.exists() and time.monotonic() < begin + 60:
                time.sleep(0.001)
            time.sleep(delay_ms / 1000)
            program.send_signal(signal.SIGKILL)
            killed += program.wait() == -signal.SIGKILL
            self.assertTrue(self.undo_file.exists())
            # Also when it is undone, and that is killed.
            undo = subprocess.Popen(
                image_test.command("undo", "--yes", self.file, device),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(delay_ms / 4000)
            undo.send_signal(signal.SIGKILL)
            undo.wait()
            if self.undo_file.exists():
                # Killed before its first commit, or when nearly all was undone, it has left nothing to read.
                self.check_undone([device], read_at_least=0)
            else:
                self.check_as_it_was([device])
        self.assertGreater(killed, 0)

    def test_preview_of_an_undo(self):
        (device,) = self.make()
        self.remember([device])
        report = self.written("rewrite", "--yes", self.option, device)
        changed = digest([device, self.undo_file])
        preview = self.written("undo", "--preview", self.file, device)
        self.assertEqual((preview["preview"], preview["done"]), (True, False))
        self.assertEqual(preview["generation"], self.generation)
        self.assertEqual(preview["found_generation"], report["generation"])
        run = self.write("undo", "--preview", self.file, device)
        self.assertIn(f"would go back to generation {self.generation}, as before", run.stdout)
        self.assertEqual(digest([device, self.undo_file]), changed)
        # Whether it may: not when something else has written.
        self.written("tune", "--yes", "--label=other", device)
        run = self.write("undo", "--preview", "--json", self.file, device)
        self.assertEqual(run.exit_code, image_test.EXIT_FAILED, str(run))
        report = json.loads(run.stdout)
        self.assertIn("was changed by something else", report["error"])
        self.assertEqual(report["generation"], self.generation)
        self.check_refused([device], "was changed by something else", "undo", "--yes", self.file)
        self.assertTrue(self.undo_file.exists())

    def test_it_asks(self):
        (device,) = self.make()
        self.remember([device])
        last = self.written("tune", "--yes", self.option, "--label=films", device)["generation"]
        reason = f"would go back from generation {last} to generation {self.generation}, as before 1 commit,"
        self.check_refused([device], reason, "undo", self.file)
        command = image_test.command("undo", self.file, device)
        changed = digest([device])
        exit_code, shown = self.on_terminal(command, "n\n")
        self.assertEqual((exit_code, digest([device])), (2, changed), shown)
        exit_code, shown = self.on_terminal(command, signal.SIGINT)
        self.assertEqual(digest([device]), changed, shown)
        exit_code, shown = self.on_terminal(command, "y\n")
        self.assertEqual(exit_code, 0, shown)
        self.check_as_it_was([device])

    def test_a_signal_ends_it_before_it_writes(self):
        (device,) = self.make()
        self.written("tune", "--yes", self.option, "--label=films", device)
        changed = digest([device, self.undo_file])
        run = self.run_interrupted(image_test.command("undo", "--yes", "--json", self.file, device))
        self.assertEqual(run.exit_code, 1, str(run))
        self.assertTrue(run.report()["interrupted"])
        self.assertEqual(digest([device, self.undo_file]), changed)

    def test_settle(self):
        (device,) = self.make()
        self.written("tune", "--yes", self.option, "--label=films", device)
        changed = digest([device])
        run = self.write("undo", "--settle", self.file)
        self.check_complaint(run)
        self.assertIn("would give up the way back to generation", run.stderr)
        self.assertTrue(self.undo_file.exists())
        report = self.written("undo", "--settle", "--yes", self.file)
        self.assertEqual((report["action"], report["done"]), ("settle", True))
        self.assertFalse(self.undo_file.exists())
        self.assertEqual(digest([device]), changed)
        self.check_complaint(self.write("undo", "--settle", "--yes", self.file))
        # What is no undo file is not removed.
        self.undo_file.write_text("my letters")
        run = self.write("undo", "--settle", "--yes", self.file)
        self.check_complaint(run)
        self.assertIn("not an undo file", run.stderr)
        self.assertEqual(self.undo_file.read_text(), "my letters")

    def test_what_is_refused(self):
        devices = self.make(count=2, metadata="raid1")
        refused = lambda reason, *words: self.check_refused(devices, reason, *words)
        for words in (["tune", "--label=x"], ["rewrite"], ["zero-log"]):
            refused("a preview writes nothing", *words, "--preview", self.option)
            preview = f"--preview-file={self.scratch / 'changes'}"
            refused("a preview writes nothing", *words, preview, self.option)
        refused("there is no --undo", "repair-copies", "--yes", self.option)
        refused("none was given", "tune", self.option)
        self.assertFalse(self.undo_file.exists())
        self.undo_file.write_text("here")
        for words in (["tune", "--label=x"], ["rewrite"]):
            refused("is there already", *words, "--yes", self.option)
            refused("is there already", *words, self.option)
        self.assertEqual(self.undo_file.read_text(), "here")
        self.undo_file.unlink()
        refused("no undo file given", "undo", "--yes")
        refused("No such file", "undo", "--yes", self.file)
        refused("takes no device", "undo", "--settle", "--yes", self.file)
        self.written("tune", "--yes", self.option, "--label=x", *devices)
        run = self.write("undo", "--yes", self.file, devices[0])
        self.assertIn("more devices than were given", run.stderr)
        self.assertEqual(run.exit_code, 2)
        self.assertTrue(self.undo_file.exists())

    def test_what_changes_nothing_leaves_no_file(self):
        (device,) = self.make()
        refused = self.write("tune", "--yes", self.option, "--label=" + "x" * 256, device)
        self.assertEqual(refused.exit_code, 2, str(refused))
        self.assertFalse(self.undo_file.exists())
        report = self.written("zero-log", "--yes", self.option, device)
        self.assertIsNone(report["undo_file"])
        self.assertFalse(self.undo_file.exists())

    def test_what_was_damaged_before(self):
        (device,) = self.make(metadata="single")
        leaf = dump_tree.all_trees([device])[5, 0].leaves()[-1]
        ((_, physical),) = dump_tree.copies([device], leaf)
        image_test.flip_byte(device, physical + 1000)
        before = superblocks([device])
        self.written("tune", "--yes", self.option, "--label=films", device)
        report = self.written("undo", "--yes", self.file, device)
        self.assertEqual(report["damaged_blocks"], 1)
        self.assertEqual(superblocks([device]), before)


if __name__ == "__main__":
    image_test.main()
