"""What gdb prints of buffers, with the printers that are installed beside the library.

    gdb_test.py PROGRAM PRINTERS HEADER
"""

import os
import re
import shutil
import subprocess
import sys
import unittest

PROGRAM = PRINTERS = HEADER = ""


class GdbTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if shutil.which("gdb") is None:
            raise unittest.SkipTest("SKIPPED: no gdb (Debian: gdb)")
        wanted = ["first", "descriptor", "state", "folio", "no_folio", "empty", "c_buffer"]
        command = ["gdb", "--batch", "--nx", "-iex", "set debuginfod enabled off"]
        command += ["-ex", f"source {PRINTERS}", "-ex", "break StopHere", "-ex", "run", "-ex", "up"]
        for name in wanted:
            command += ["-ex", f"echo \\n@{name}=", "-ex", f"output {name}"]
        command += ["-ex", "echo \\n@word=", "-ex", "ebcache-state 0x900000002"]
        command += ["-ex", "echo \\n@command=", "-ex", "ebcache-buffer &descriptor", "-ex", "kill"]
        done = subprocess.run(
            command + [PROGRAM], capture_output=True, text=True, timeout=100, check=False
        )
        cls.said = done.stdout + done.stderr
        if "ptrace" in cls.said and "Operation not permitted" in cls.said:
            raise unittest.SkipTest("SKIPPED: this system lets no program be traced")
        cls.told = dict(re.findall(r"^@(\w+)=(.*)$", done.stdout, re.MULTILINE))

    def check(self, name, pattern):
        self.assertIn(name, self.told, self.said)
        self.assertRegex(self.told[name], pattern, self.said)

    def test_references_and_descriptors(self):
        # Two references of the program's, and the cache's own.
        self.check("first", r"reference to block 49152, 16384 bytes, refs 3 UPTODATE\|DIRTY\|TREE_REF")
        self.check("descriptor", r"block 81920, 16384 bytes, refs 2 TREE_REF")
        self.check("descriptor", r"front = 0x[0-9a-f]+")
        self.check("empty", r"^no reference$")

    def test_a_pointer_of_c(self):
        self.check("c_buffer", r"0x[0-9a-f]+: block 49152, 16384 bytes, refs 3 UPTODATE\|DIRTY")

    def test_states_and_folios(self):
        self.check("state", r"^refs 3 UPTODATE\|DIRTY\|TREE_REF")
        self.check("folio", r"^folio at frame 77$")
        self.check("no_folio", r"^no folio$")

    def test_commands(self):
        self.check("word", r"^refs 2 UPTODATE\|TREE_REF$")
        self.check("command", r"^block 81920, 16384 bytes, refs 2 TREE_REF")

    def test_flags_are_those_of_the_header(self):
        with open(HEADER, encoding="utf-8") as file:
            flags = re.search(r"enum class BufferFlag.*?\{(.*?)\};", file.read(), re.DOTALL).group(1)
        names = [
            re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()
            for name, bit in re.findall(r"k(\w+) = 1u << (\d+)", flags)
        ]
        with open(PRINTERS, encoding="utf-8") as file:
            known = re.search(r"^FLAGS = \((.*?)^\)", file.read(), re.DOTALL | re.MULTILINE).group(1)
        self.assertEqual(re.findall(r'"(\w+)"', known), names)


if __name__ == "__main__":
    HEADER = os.path.abspath(sys.argv.pop(3))
    PRINTERS = os.path.abspath(sys.argv.pop(2))
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
