"""Planted bugs are patches: each that is listed has one, each patch has one that is listed, and the
library itself has none."""

import pathlib
import re
import sys
import unittest

PLANTED = re.compile(r"\bPlanted\(([^)]*)\)")
NAME = re.compile(r'"([a-z0-9-]+)"')


def planted_by(folder):
    """The names of the bugs that the patches of a folder plant."""
    names = {}
    for path in pathlib.Path(folder).glob("*.patch"):
        added = [line[1:] for line in path.read_text().splitlines() if re.match(r"\+(?!\+\+ )", line)]
        found = {n for call in PLANTED.findall("\n".join(added)) for n in NAME.findall(call)}
        if not found and path.name != "are-planted.patch":
            raise AssertionError(f"{path} plants nothing")
        for name in found:
            if name in names:
                raise AssertionError(f"{name} is planted by {names[name]} and by {path}")
            names[name] = path
    return set(names)


class MutantsTest(unittest.TestCase):
    def test_canaries(self):
        listed = re.findall(r'^ +\{"([^"]+)",', pathlib.Path("tests/model/canaries.cc").read_text(), re.M)
        self.assertGreater(len(listed), 40)
        self.assertEqual(len(listed), len(set(listed)))
        self.assertEqual(set(listed), planted_by("tests/model/mutants"))

    def test_oracles(self):
        listed = set()
        for path in pathlib.Path("tests/fuzz/planted").glob("*.txt"):
            listed |= {line.split()[1] for line in path.read_text().splitlines()}
        self.assertGreater(len(listed), 40)
        self.assertEqual(listed, planted_by("tests/fuzz/mutants"))

    def test_crashes(self):
        text = pathlib.Path("tests/crash/planted/bugs.txt").read_text()
        listed = [line.split()[1] for line in text.splitlines()]
        self.assertGreater(len(listed), 10)
        self.assertEqual(len(listed), len(set(listed)))
        self.assertEqual(set(listed), planted_by("tests/crash/mutants"))

    def test_the_library_has_none(self):
        seen = 0
        for folder in ("include", "lib"):
            for path in pathlib.Path(folder).rglob("*"):
                if path.suffix not in (".h", ".cc"):
                    continue
                seen += 1
                self.assertNotRegex(path.read_text(encoding="utf-8"), "(?i)planted|mutant", str(path))
        self.assertGreater(seen, 150)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main(verbosity=2)
