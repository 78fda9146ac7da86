"""What tests of subcommands that write have in common."""

import hashlib
import os
import pty
import re
import select
import signal
import subprocess

import dump_tree
import image_test
import make_images

# Where blocks lie, and which commit wrote them.
_PLACES = re.compile(r"^(btrfs-progs|bytes used|leaf|node|fs uuid|chunk uuid|\s*key \(.*\) block )")


def digest(devices):
    """Of all bytes of the devices."""
    digests = []
    for device in devices:
        with open(device, "rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return digests


def contents(devices, tree):
    """The items of a tree, in order, wherever they lie."""
    text = dump_tree.dump(devices, "-t", tree)
    return [line for line in text.splitlines() if not _PLACES.match(line)]


class WritingTestCase(image_test.ImageTest):
    def make(self, files=400, count=1, node_bytes=4096, **options):
        if not (self.scratch / "rootdir").exists():
            make_images.make_tree(self.scratch / "rootdir", files=files)
        paths = [self.scratch / f"disk{number}.img" for number in range(count)]
        if count == 1:
            options["rootdir"] = self.scratch / "rootdir"
        return make_images.mkfs(paths, node_bytes, **options)

    def write(self, subcommand, *words, timeout_s=100):
        return self.run_program(image_test.command(subcommand, *words), timeout_s)

    def written(self, subcommand, *words):
        """The report of a run that did all that it was to do."""
        run = self.write(subcommand, "--json", *words)
        self.assertEqual(run.exit_code, image_test.EXIT_GOOD, str(run))
        self.assertEqual(run.stderr, "", str(run))
        report = run.report()
        self.assertIsNone(report["error"])
        self.assertFalse(report["interrupted"])
        return report

    def check_clean(self, devices):
        """By verify, and by btrfs check, which finds further devices by the kernel alone."""
        run = self.run_verify(*devices)
        self.assertEqual(run.exit_code, image_test.EXIT_GOOD, str(run))
        if len(devices) == 1:
            words = make_images.run_tool("btrfs", "check", "--readonly", devices[0])
            self.assertNotRegex(words, "ERROR|WARNING|mismatch")

    def check_refused(self, devices, reason, subcommand, *words):
        """Exit code 2, one line that has the reason, and no byte is changed."""
        before = digest(devices)
        run = self.write(subcommand, *words, *devices)
        self.check_complaint(run)
        self.assertIn(reason, run.stderr)
        self.assertEqual(digest(devices), before, str(run))
        return run

    def on_terminal(self, words, answer):
        """Runs with a terminal, and gives the answer, a text or a signal, when it is asked for it:
        (exit code, what was on the terminal)."""
        child, terminal = pty.fork()
        if child == 0:
            os.execv(words[0], words)
        shown = b""
        asked = False
        while True:
            if not select.select([terminal], [], [], 100)[0]:
                os.kill(child, signal.SIGKILL)
                self.fail(f"nothing more came: {shown!r}")
            try:
                more = os.read(terminal, 4096)
            except OSError:  # the other end is closed
                break
            if not more:
                break
            shown += more
            if not asked and b"[y/N] " in shown:
                asked = True
                if isinstance(answer, signal.Signals):
                    os.kill(child, answer)
                else:
                    os.write(terminal, answer.encode())
        os.close(terminal)
        _, status = os.waitpid(child, 0)
        self.assertTrue(asked, shown)
        return os.waitstatus_to_exitcode(status), shown.decode()

    def run_interrupted(self, words):
        """Runs with a SIGINT that waits from the beginning on."""

        def interrupt():
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
            os.kill(os.getpid(), signal.SIGINT)

        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            preexec_fn=interrupt,
            timeout=100,
            check=False,
        )
        return image_test.Run(words, done.returncode, done.stdout, done.stderr)
