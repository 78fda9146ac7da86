"""Arrows between rooms run one way: in the build files, in every include, and in the page that
tells of them."""

import pathlib
import sys
import unittest

from rooms import House, below

HOUSE = House(".")


class RoomsTest(unittest.TestCase):
    def test_the_page_has_every_room(self):
        there = {path.name for path in pathlib.Path("lib").iterdir() if path.is_dir()}
        self.assertEqual(there, set(HOUSE.rooms))

    def test_no_arrow_leads_back(self):
        for room, uses in HOUSE.rooms.items():
            for other in uses:
                self.assertNotIn(room, below(HOUSE.rooms, other), f"{room} and {other}")

    def test_the_page_has_every_public_header_once(self):
        page = pathlib.Path("docs/architecture.md").read_text(encoding="utf-8")
        for header, owners in HOUSE.room_of_header.items():
            self.assertEqual(len(owners), 1, header)
            if "/" not in header:
                self.assertIn(f"`{header}`", page)
        there = {
            str(path.relative_to("include/ebcache"))
            for path in pathlib.Path("include/ebcache").rglob("*.h")
        }
        self.assertEqual(there, set(HOUSE.room_of_header))

    def test_dependencies(self):
        for room, library in HOUSE.libraries.items():
            self.assertEqual(HOUSE.wrong_dependencies(room, library), [], f"lib/{room}")
        for name, headers in HOUSE.headers.items():
            if name != "c_header":
                self.assertEqual(HOUSE.wrong_dependencies(name, headers), [], name)

    def test_visibility(self):
        for room, library in HOUSE.libraries.items():
            self.assertEqual(HOUSE.wrong_visibility(room, library), [], f"lib/{room}")
        for name, headers in HOUSE.headers.items():
            room = "capi" if name == "c_header" else name
            self.assertEqual(HOUSE.wrong_visibility(room, headers), [], name)

    def test_includes(self):
        seen = 0
        for room, path, text in HOUSE.sources():
            seen += 1
            self.assertEqual(HOUSE.wrong_includes(room, text), [], path)
        self.assertGreater(seen, 150)

    def test_what_is_not_to_know_buffers_does_not(self):
        for room, path, text in HOUSE.sources():
            if room in ("base", "format", "device", "mm"):
                code = "\n".join(line.split("//")[0] for line in text.splitlines())
                self.assertNotIn("ExtentBuffer", code, path)

    # The checks above can fail.

    def test_an_include_against_the_arrows_is_seen(self):
        for room in HOUSE.rooms:
            for other in HOUSE.rooms:
                header = next((h for h, o in HOUSE.room_of_header.items() if o == [other]), None)
                for name in (f"lib/{other}/some.h", header and f"ebcache/{header}"):
                    if name is None:
                        continue
                    wrong = HOUSE.wrong_includes(room, f'#include "{name}"\n')
                    self.assertEqual(wrong == [], other in below(HOUSE.rooms, room), (room, name))

    def test_a_dependency_against_the_arrows_is_seen(self):
        for room in HOUSE.rooms:
            for other in HOUSE.rooms:
                allowed = other in below(HOUSE.rooms, room)
                for label in (f"//lib/{other}", f"//include/ebcache:{other}"):
                    wrong = HOUSE.wrong_dependencies(room, {"deps": [label]})
                    self.assertEqual(wrong == [], allowed, (room, label))
                # Seen from the other side: who may see whom.
                wrong = HOUSE.wrong_visibility(other, {"visibility": [f"//lib/{room}:__pkg__"]})
                self.assertEqual(wrong == [], allowed, (room, other))


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main(verbosity=2)
