"""ebcache tune: the label, as btrfs filesystem label has it."""

import image_test
import make_images
from writing_test_case import WritingTestCase, contents, digest


def label_of(device):
    """As btrfs-progs prints it, which leaves out the last byte of 255."""
    lines = make_images.run_tool("btrfs", "filesystem", "label", device).splitlines()
    return "\n".join(line for line in lines if not line.startswith("warning, device "))


def label_at(device, superblock):
    with open(device, "rb") as image:
        image.seek(superblock + 299)
        return image.read(256).rstrip(b"\0")


class TuneTest(WritingTestCase):
    def test_label(self):
        devices = self.make(count=2, metadata="raid1", label="music")
        before = contents(devices, "fs")
        old = "music"
        for label in ("films", "x" * 255, "a/b c", "\u00e9t\u00e9", ""):
            report = self.written("tune", "--yes", f"--label={label}", *devices)
            self.assertEqual((report["label"], report["old_label"]), (label, old))
            self.assertEqual(report["commits"], 1)
            for device in devices:
                self.assertEqual(label_of(device), label[:254])
                self.assertEqual(label_at(device, 65536), label.encode())
            self.check_clean(devices)
            old = label
        self.assertEqual(contents(devices, "fs"), before)

    def test_every_superblock_has_it(self):
        devices = self.make()
        self.written("tune", "--yes", "--label=second", *devices)
        for offset in (65536, 64 << 20):
            self.assertEqual(label_at(devices[0], offset), b"second")

    def test_without_a_change_it_prints(self):
        devices = self.make(label="music")
        before = digest(devices)
        run = self.write("tune", *devices)
        self.assertEqual((run.exit_code, run.stdout, run.stderr), (0, "label: music\n", ""), str(run))
        report = self.written("tune", *devices)
        self.assertEqual((report["label"], report["old_label"]), ("music", "music"))
        self.assertEqual(report["commits"], 0)
        self.assertEqual(digest(devices), before)

    def test_labels_that_there_cannot_be(self):
        devices = self.make()
        refused = lambda reason, label: self.check_refused(
            devices, reason, "tune", "--yes", f"--label={label}"
        )
        refused("at most 255 bytes, not 256", "x" * 256)
        refused("at most 255 bytes, not 256", "\u00e9" * 128)
        refused("no newline", "a\nb")

    def test_preview_changes_nothing(self):
        devices = self.make(label="music")
        before = digest(devices)
        report = self.written("tune", "--preview", "--label=films", *devices)
        self.assertEqual((report["label"], report["old_label"]), ("films", "music"))
        self.assertTrue(report["check"]["clean"])
        self.assertGreater(report["check"]["changed_bytes"], 0)
        self.assertEqual(digest(devices), before)
        self.check_refused(devices, "at most 255", "tune", "--preview", "--label=" + "x" * 256)

    def test_it_asks(self):
        devices = self.make(label="music")
        reason = "would change the label to 'films' of the btrfs filesystem"
        self.check_refused(devices, reason, "tune", "--label=films")
        command = image_test.command("tune", "--label=films", *devices)
        exit_code, shown = self.on_terminal(command, "n\n")
        self.assertEqual((exit_code, label_of(devices[0])), (2, "music"), shown)
        exit_code, shown = self.on_terminal(command, "yes\n")
        self.assertEqual((exit_code, label_of(devices[0])), (0, "films"), shown)


if __name__ == "__main__":
    image_test.main()
