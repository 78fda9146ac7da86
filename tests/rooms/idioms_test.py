"""What there is one way for is done in that way: places on devices, file descriptors, rounding, locks,
what may be absent.

Usage: idioms_test.py README, which is where the checkout is.
"""

import os
import pathlib
import re
import sys
import unittest

from source_text import bare

CHECKOUT = pathlib.Path(os.path.realpath(sys.argv.pop(1))).parent
PLACES = ("include", "lib", "tools")

# (what, what it looks like by hand, the files that have it all the same). Nothing is added to the
# files: what is found is to be done in the way of the first of them.
IDIOMS = {
    "a place on a device is a DevicePlace": (
        # On disk it is two fields, as the format has them.
        re.compile(r"^\s+uint64_t (?:device_id|devid|physical)\b[^()]*;", re.M),
        {
            "include/ebcache/block_device.h",
            "include/ebcache/c/filesystem.h",
            "include/ebcache/c/items_space.h",
            "include/ebcache/items_device.h",
            "include/ebcache/items_space.h",
            "include/ebcache/on_disk.h",
        },
    ),
    "a file descriptor has a UniqueFd": (
        re.compile(r"(?<![\w.>:*(])(?:::)?close\("),
        {"lib/base/unique_fd.h", "lib/cache/pressure_monitor.cc", "lib/mm/os_calls.cc"},
    ),
    "a number is made a multiple by rounding.h": (
        re.compile(r"\+ \w+ - 1\) ?(?:/|& ?~)"),
        set(),
    ),
    "a lock is one that the thread-safety analysis knows": (
        re.compile(r"\bstd::(?:mutex|shared_mutex|lock_guard|unique_lock|scoped_lock)\b"),
        {"include/ebcache/internal/sync.h", "tools/mutex.h"},
    ),
    "what may be absent is a pointer or an optional": (
        # A bool, and the value where the caller says.
        re.compile(
            r"\bbool\s+(?:\w+::)*\w+\((?:[^(){};]*,)?\s*(?!const\b)"
            r"(?:[\w:<>]+&|(?:u?int\d+_t|size_t|int|bool|double|std::string) ?\*)\s*\w+\s*[,)]"
        ),
        {
            # What is done to the parameter; the bool says whether it was.
            "include/ebcache/btree.h",  # a path moves
            "lib/cache/buffer_io.h",  # a buffer joins a batch
            "lib/cache/buffer_writes.cc",
            "lib/cache/calls_under_way.cc",  # a waiter joins
            "lib/cache/reclaim_list.cc",  # a kill is counted
            "lib/cache/reclaim_list.h",
            "lib/cache/state_word.h",  # a word changes
            "lib/mm/owner_table.h",  # an owner is asked
        },
    ),
}


class IdiomsTest(unittest.TestCase):
    maxDiff = None

    def test_sources(self):
        texts = {
            str(path.relative_to(CHECKOUT)): bare(path.read_text(encoding="utf-8"))
            for place in PLACES
            for path in sorted((CHECKOUT / place).rglob("*"))
            if path.suffix in (".h", ".cc")
        }
        self.assertGreater(len(texts), 300)
        for idiom, (by_hand, known) in IDIOMS.items():
            with self.subTest(idiom):
                found = {path for path, text in texts.items() if by_hand.search(text)}
                self.assertEqual(found - known, set(), idiom)
                self.assertEqual(known - found, set(), "these are exceptions no more")

    def test_what_is_by_hand_is_seen(self):
        samples = {
            "a place on a device is a DevicePlace": "  uint64_t physical = 0;\n",
            "a file descriptor has a UniqueFd": "  close(fd);\n",
            "a number is made a multiple by rounding.h": "x = (a + unit - 1) / unit * unit;\n",
            "a lock is one that the thread-safety analysis knows": "  std::mutex mutex_;\n",
            "what may be absent is a pointer or an optional": "bool Load(size_t offset, T& value) const;\n",
        }
        for idiom, (by_hand, _) in IDIOMS.items():
            self.assertTrue(by_hand.search(bare(samples[idiom])), idiom)
            self.assertFalse(by_hand.search(bare("// " + samples[idiom])), idiom)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main(verbosity=2)
