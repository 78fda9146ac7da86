"""The static tracepoints: all that there should be are in the notes of a program, each is one nop, and its
arguments are operands in memory, for which nothing is loaded. That find and put have no other instruction more
is held by fast_path_counts_test.py, which counts no nops.

    tracepoints_test.py PROGRAM BPFTRACE_SCRIPT
"""

import os
import re
import subprocess
import sys
import unittest

PROGRAM = SCRIPT = ""


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def built_without():
    """Why the program has no tracepoints; None when it should have them."""
    compiler = output(PROGRAM).strip()
    if "sanitizer" in compiler:
        return "SKIPPED: no tracepoints under sanitizers"
    if not any(os.path.exists(f"/usr/include/{where}sys/sdt.h") for where in ("", "x86_64-linux-gnu/")):
        return "SKIPPED: no sys/sdt.h (Debian: systemtap-sdt-dev)"
    if "without tracepoints" in compiler:
        return "SKIPPED: built without tracepoints"
    return None


def tracepoints():
    """[(name, address, arguments)] of the notes."""
    notes = output("readelf", "-n", PROGRAM)
    found = re.findall(
        r"Provider: ebcache\s+Name: (\w+)\s+Location: 0x([0-9a-f]+),.*\s+Arguments: (.*)", notes
    )
    return [(name, int(address, 16), arguments.strip()) for name, address, arguments in found]


def instructions():
    """{address: (function, text)}."""
    found, function = {}, ""
    for line in output("objdump", "-d", "-C", "--no-show-raw-insn", PROGRAM).splitlines():
        header = re.match(r"^[0-9a-f]+ <(.*)>:$", line)
        if header:
            function = header.group(1)
        text = re.match(r"^\s+([0-9a-f]+):\s+(.*\S)", line)
        if text:
            found[int(text.group(1), 16)] = (function, text.group(2))
    return found


class TracepointsTest(unittest.TestCase):
    def setUp(self):
        reason = built_without()
        if reason:
            self.skipTest(reason)

    def test_every_step_has_one_and_the_script_prints_it(self):
        names = {name for name, _, _ in tracepoints()}
        with open(SCRIPT, encoding="utf-8") as file:
            printed = re.findall(r"^usdt:\$1:ebcache:(\w+)", file.read(), re.MULTILINE)
        self.assertEqual(len(printed), len(set(printed)))
        self.assertEqual(names, set(printed))
        self.assertGreaterEqual(len(names), 16)

    def test_each_is_a_nop(self):
        code = instructions()
        for name, address, _ in tracepoints():
            self.assertIn(address, code, name)
            self.assertEqual(code[address][1], "nop", f"{name} in {code[address][0]}")

    def test_find_and_put_have_one_where_nearly_all_of_them_go_through(self):
        code = instructions()
        functions = {}
        for name, address, _ in tracepoints():
            functions.setdefault(name, []).append(code[address][0])
        self.assertEqual(
            sum(f.startswith("ebcache::BufferCache::FindBuffer(") for f in functions["find"]), 1
        )
        self.assertEqual(
            functions["put"].count("ebcache::ExtentBufferRef::PutBuffer(ebcache::ExtentBuffer*)"), 1
        )

    def test_arguments_are_in_memory(self):
        self.assertNotEqual(tracepoints(), [])
        for name, _, arguments in tracepoints():
            # An address of eight bytes, references and flags of four each.
            self.assertRegex(arguments, r"^8@\S*\(\S+\) 4@\S*\(\S+\) 4@\S*\(\S+\)$", name)


if __name__ == "__main__":
    SCRIPT = os.path.abspath(sys.argv.pop(2))
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
