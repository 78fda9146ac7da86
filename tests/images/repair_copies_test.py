"""ebcache repair-copies: bad copies become what the good ones are, and nothing else changes."""

import fcntl

import dump_tree
import image_test
from writing_test_case import WritingTestCase, digest

FS_TREE = (5, 0)


def copies(devices, logical):
    """Of each copy of a block: (path, offset). REQUIRES: devices by id, from 1."""
    return [(devices[devid - 1], physical) for devid, physical in dump_tree.copies(devices, logical)]


class RepairCopiesTest(WritingTestCase):
    def places(self, devices, number=3):
        """Of each copy of a leaf: (path, offset)."""
        leaf = dump_tree.all_trees(devices)[FS_TREE].leaves()[number]
        return copies(devices, leaf)

    def check_repair(self, devices, damage):
        """Damages at (path, offset) and has it repaired: the bytes are those of before."""
        before = digest(devices)
        for path, offset in damage:
            image_test.flip_byte(path, offset)
        damaged = digest(devices)
        self.assertNotEqual(damaged, before)
        run = self.write("repair-copies", "--preview", "--json", *devices)
        self.assertEqual(run.exit_code, image_test.EXIT_DAMAGED, str(run))
        preview = run.report()
        self.assertEqual(digest(devices), damaged)
        report = self.written("repair-copies", "--yes", *devices)
        self.assertEqual(digest(devices), before)
        for one, repaired in ((preview, 0), (report, len(damage))):
            self.assertEqual(one["bad_copies"], len(damage))
            self.assertEqual(one["repairable_copies"], len(damage))
            self.assertEqual(one["repaired_copies"], repaired)
        again = self.written("repair-copies", *devices)  # nothing to ask about
        self.assertEqual((again["bad_copies"], again["repaired_copies"]), (0, 0))

    def test_each_mirror(self):
        devices = self.make()
        for mirror in (0, 1):
            path, physical = self.places(devices)[mirror]
            for offset in (0, 50, 1000, 4095):
                self.check_repair(devices, [(path, physical + offset)])

    def test_many_on_several_devices(self):
        devices = self.make(count=3, metadata="raid1c3")
        trees = dump_tree.all_trees(devices)
        damage = []
        for number, key in enumerate(sorted(trees)):
            path, physical = copies(devices, trees[key].blocks[0][0])[number % 3]
            damage.append((path, physical + 200))
        self.assertGreater(len(damage), 5)
        self.check_repair(devices, damage)

    def test_what_has_no_good_copy_stays(self):
        devices = self.make()
        lost = self.places(devices, 3)
        path_of_other, place_of_other = self.places(devices, 7)[1]
        for path, physical in lost:
            image_test.flip_byte(path, physical + 1000)
        before = digest(devices)
        run = self.write("repair-copies", "--yes", "--json", *devices)
        self.assertEqual(run.exit_code, image_test.EXIT_DAMAGED, str(run))
        self.assertEqual(digest(devices), before)
        image_test.flip_byte(path_of_other, place_of_other + 1000)
        run = self.write("repair-copies", "--yes", "--json", *devices)
        self.assertEqual(run.exit_code, image_test.EXIT_DAMAGED, str(run))
        self.assertEqual(digest(devices), before)
        report = run.report()
        self.assertEqual(
            (report["bad_copies"], report["repaired_copies"], report["lost_blocks"]), (3, 1, 1)
        )

    def test_a_device_that_is_missing(self):
        devices = self.make(count=2, metadata="raid1")
        run = self.write("repair-copies", "--yes", devices[0])
        self.assertEqual(run.exit_code, image_test.EXIT_FAILED, str(run))

    def test_it_asks_where_there_is_something_to_do(self):
        devices = self.make()
        path, physical = self.places(devices)[1]
        sound = digest(devices)
        image_test.flip_byte(path, physical + 1000)
        reason = "would write good copies over 1 bad one of the btrfs filesystem"
        self.check_refused(devices, reason, "repair-copies")
        command = image_test.command("repair-copies", *devices)
        exit_code, shown = self.on_terminal(command, "n\n")
        self.assertEqual(exit_code, 2, shown)
        self.assertNotEqual(digest(devices), sound)
        exit_code, shown = self.on_terminal(command, "y\n")
        self.assertEqual(exit_code, 0, shown)
        self.assertEqual(digest(devices), sound)

    def test_an_image_that_another_program_writes(self):
        devices = self.make()
        path, physical = self.places(devices)[1]
        image_test.flip_byte(path, physical + 1000)
        with open(devices[0], "rb") as holder:
            fcntl.flock(holder, fcntl.LOCK_EX)
            self.check_refused(
                devices, "is open for writing by another program", "repair-copies", "--yes"
            )


if __name__ == "__main__":
    image_test.main()
