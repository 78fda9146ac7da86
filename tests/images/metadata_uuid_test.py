"""ebcache tune --metadata-uuid: what blkid, btrfs-progs and the kernel say of it, and btrfstune's own
change of the same."""

import re
import uuid

import image_test
import make_images
from writing_test_case import WritingTestCase, contents, digest

WHY_NOT = make_images.why_no_mounts()
NEW = "11111111-2222-4333-8444-555555555555"
FIELDS = ("fsid", "metadata_uuid", "incompat_flags", "dev_item.fsid")


def superblock(device):
    """What of it tells of UUIDs."""
    text = make_images.run_tool("btrfs", "inspect-internal", "dump-super", device)
    return {name: re.search(rf"^{re.escape(name)}\s+(\S+)", text, re.MULTILINE)[1] for name in FIELDS}


def items(device):
    """Of the tree of files; the last line is the UUID."""
    *lines, last = contents([device], "fs")
    if not last.startswith("uuid "):
        raise AssertionError(last)
    return lines


def at(device, offset, count):
    with open(device, "rb") as file:
        file.seek(65536 + offset)
        return file.read(count)


class MetadataUuidTest(WritingTestCase):
    def setUp(self):
        super().setUp()
        self.undo_file = self.scratch / "before.undo"

    def set_uuid(self, wanted, *words):
        return self.written("tune", "--yes", f"--metadata-uuid={wanted}", *words)

    def check_mounts(self, devices, expected):
        if WHY_NOT is not None:
            self.skipTest(f"cannot mount images: {WHY_NOT}")
        with make_images.mounted(devices, self.scratch / "mounted") as mounted:
            shown = make_images.run_tool("btrfs", "filesystem", "show", mounted)
            self.assertIn(f"uuid: {expected}", shown)
            (mounted / "written").write_text("by a kernel")
        with make_images.mounted(devices, self.scratch / "mounted") as mounted:
            self.assertEqual((mounted / "written").read_text(), "by a kernel")

    def test_as_others_have_it(self):
        (device,) = self.make()
        made = superblock(device)
        before = items(device)
        report = self.set_uuid(NEW, device)
        self.assertEqual((report["fsid"], report["uuid"]), (made["fsid"], NEW))
        self.assertEqual(report["metadata_uuid"], made["fsid"])
        self.assertEqual(make_images.run_tool("blkid", "-p", "-o", "value", "-s", "UUID", device).strip(), NEW)
        self.assertIn(f"uuid: {NEW}", make_images.run_tool("btrfs", "filesystem", "show", device))
        self.check_clean([device])
        self.assertEqual(items(device), before)
        run = self.write("tune", device)
        self.assertIn(f"uuid: {NEW}\nmetadata uuid: {made['fsid']}\n", run.stdout)
        self.check_mounts([device], NEW)
        # What a kernel has written since changes as well, and back.
        self.set_uuid(made["fsid"], device)
        self.assertEqual(superblock(device), made)
        self.assertEqual(at(device, 571, 16), bytes(16))
        self.check_clean([device])
        self.check_mounts([device], made["fsid"])

    def test_as_btrfstune_does(self):
        (device,) = self.make()
        theirs = make_images.copy_sparse(device, self.scratch / "theirs.img")
        for wanted in (NEW, NEW.replace("1", "a"), superblock(device)["fsid"]):
            self.set_uuid(wanted, device)
            make_images.run_tool("btrfstune", "-f", "-M", wanted, theirs)
            self.assertEqual(superblock(device), superblock(theirs))
            for offset, count in ((32, 16), (571, 16)):
                self.assertEqual(at(device, offset, count), at(theirs, offset, count))
            # One goes on where the other one has been.
            device, theirs = theirs, device

    def test_a_new_one(self):
        (device,) = self.make()
        found = {self.set_uuid("random", device)["uuid"] for _ in range(3)}
        self.assertEqual(len(found), 3)
        for one in found:
            self.assertEqual((uuid.UUID(one).version, uuid.UUID(one).variant), (4, uuid.RFC_4122))
        self.assertIn(superblock(device)["fsid"], found)
        self.check_clean([device])

    def test_with_a_label(self):
        (device,) = self.make(label="music")
        report = self.set_uuid(NEW.upper(), "--label=films", device)
        self.assertEqual((report["uuid"], report["label"], report["commits"]), (NEW, "films", 1))

    def test_several_devices(self):
        devices = self.make(count=2, metadata="raid1")
        made = superblock(devices[0])
        words = ("tune", "--yes", f"--metadata-uuid={NEW}")
        self.check_refused(devices, "with a way back only", *words)
        # A preview writes to no device.
        before = digest(devices)
        report = self.written("tune", "--preview", f"--metadata-uuid={NEW}", *devices)
        self.assertEqual(report["uuid"], NEW)
        self.assertTrue(report["check"]["clean"])
        self.assertEqual(digest(devices), before)
        run = self.write(*words, f"--undo={self.undo_file}", devices[0])
        self.assertEqual(run.exit_code, image_test.EXIT_FAILED, str(run))
        self.assertIn("cannot be changed while device 2 is missing", run.stderr)
        self.assertEqual(digest(devices), before)
        self.assertFalse(self.undo_file.exists())
        self.set_uuid(NEW, f"--undo={self.undo_file}", *devices)
        for device in devices:
            self.assertEqual(superblock(device)["fsid"], NEW)
        self.check_clean(devices)
        copies = [make_images.copy_sparse(device, f"{device}.copy") for device in devices]
        self.written("undo", "--yes", f"--file={self.undo_file}", *devices)
        for device in devices:
            self.assertEqual(superblock(device), made)
        self.check_mounts(copies, NEW)

    def test_what_is_none(self):
        devices = self.make()
        for wrong in ("new", NEW[:-1], NEW + "0", NEW.replace("-", "_"), NEW.replace("1", "g")):
            self.check_refused(devices, "is no UUID", "tune", "--yes", f"--metadata-uuid={wrong}")
        zero = "00000000-0000-0000-0000-000000000000"
        self.check_refused(devices, "of zeroes", "tune", "--yes", f"--metadata-uuid={zero}")

    def test_it_asks(self):
        devices = self.make()
        self.check_refused(devices, f"would change the UUID to {NEW} of", "tune", f"--metadata-uuid={NEW}")
        self.check_refused(
            devices,
            f"would change the label to 'x' and change the UUID to {NEW} of",
            "tune",
            "--label=x",
            f"--metadata-uuid={NEW}",
        )


if __name__ == "__main__":
    image_test.main()
