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
        uuid = self.written("tune", *devices)["uuid"]
        shown = (
            f"label: music\nuuid: {uuid}\nfree space tree: on\nblock group tree: off\n"
        )
        self.assertEqual((run.exit_code, run.stdout, run.stderr), (0, shown, ""), str(run))
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


    def settings(self, device):
        report = self.written("tune", device)
        return report["free_space_tree"], report["block_group_tree"]

    def test_space(self):
        devices = self.make()
        before = contents(devices, "fs")
        for words, free_space, groups in (
            (["--free-space-tree=off"], "off", "off"),
            (["--free-space-tree=on", "--label=music"], "on", "off"),
            (["--block-group-tree=on"], "on", "on"),
            (["--block-group-tree=off", "--free-space-tree=off"], "off", "off"),
            (["--block-group-tree=on", "--free-space-tree=on"], "on", "on"),
            (["--block-group-tree=off"], "on", "off"),
        ):
            old = self.settings(devices[0])
            report = self.written("tune", "--yes", *words, *devices)
            self.assertEqual(report["commits"], 1)
            now = (report["free_space_tree"], report["block_group_tree"])
            self.assertEqual(now, (free_space, groups))
            self.assertEqual(self.settings(devices[0]), now)
            self.assertEqual((report["old_free_space_tree"], report["old_block_group_tree"]), old)
            if groups == "off":  # btrfs check of 2023 has no block group tree
                self.check_clean(devices)
        self.assertEqual(contents(devices, "fs"), before)
        self.assertEqual(label_of(devices[0]), "music")

    def test_what_is_so_already(self):
        devices = self.make(label="music")
        before = digest(devices)
        words = ["--free-space-tree=on", "--block-group-tree=off", "--label=music"]
        run = self.write("tune", *words, *devices)
        self.assertEqual((run.exit_code, run.stderr), (0, ""), str(run))
        self.assertTrue(run.stdout.startswith("nothing is to be changed\n"), str(run))
        self.assertEqual(self.written("tune", "--yes", *words, *devices)["commits"], 0)
        self.assertEqual(digest(devices), before)

    def test_space_that_cannot_be_kept_so(self):
        devices = self.make(features=["^no-holes"])
        refused = lambda reason, *words: self.check_refused(
            devices, reason, "tune", "--yes", *words
        )
        refused("no-holes", "--block-group-tree=on")
        refused("free space tree", "--block-group-tree=on", "--free-space-tree=off")
        refused("is one of on, off", "--free-space-tree=maybe")

    def test_preview_of_space(self):
        devices = self.make()
        before = digest(devices)
        report = self.written("tune", "--preview", "--block-group-tree=on", *devices)
        self.assertTrue(report["check"]["clean"])
        self.assertEqual(report["block_group_tree"], "on")
        self.assertEqual(digest(devices), before)
        reason = "would make the block group tree of the btrfs filesystem"
        self.check_refused(devices, reason, "tune", "--block-group-tree=on")


if __name__ == "__main__":
    image_test.main()
