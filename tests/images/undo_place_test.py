"""--undo=FILE where the file would be on the filesystem that is changed, or on a copy of it, which is
mounted though the devices are not."""

import image_test
import make_images
from writing_test_case import WritingTestCase

WHY_NOT = make_images.why_no_mounts()


class UndoPlaceTest(WritingTestCase):
    def setUp(self):
        if WHY_NOT is not None:
            self.skipTest(f"cannot mount images: {WHY_NOT}")
        super().setUp()

    def test_on_the_filesystem_itself(self):
        (device,) = self.make()
        copy = make_images.copy_sparse(device, self.scratch / "copy.img")
        other = self.scratch / "other.img"
        make_images.mkfs([other])
        with make_images.mounted([copy], self.scratch / "mounted") as mounted:
            undo_file = mounted / "before.undo"
            for words in (["tune", "--label=x"], ["rewrite"]):
                self.check_refused(
                    [device],
                    "is on the filesystem that is to be changed, or on a copy of it",
                    *words,
                    "--yes",
                    f"--undo={undo_file}",
                )
            self.assertFalse(undo_file.exists())
            # Another filesystem of the same kind is a place like any other.
            self.written("tune", "--yes", "--label=x", f"--undo={undo_file}", other)
            self.assertTrue(undo_file.exists())
            self.written("undo", "--yes", f"--file={undo_file}", other)


if __name__ == "__main__":
    image_test.main()
