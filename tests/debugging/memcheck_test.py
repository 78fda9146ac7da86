"""What valgrind's memcheck says: nothing of a correct program; of one that looks at a buffer which it has put,
where.

    memcheck_test.py PROGRAM
"""

import os
import shutil
import subprocess
import sys
import unittest

PROGRAM = ""


class MemcheckTest(unittest.TestCase):
    def setUp(self):
        if shutil.which("valgrind") is None:
            self.skipTest("SKIPPED: no valgrind (Debian: valgrind)")

    def memcheck(self, *arguments):
        command = ["valgrind", "--error-exitcode=9", "--leak-check=full", PROGRAM, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)

    def test_nothing_is_wrong_with_a_correct_program(self):
        done = self.memcheck()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "done 1\n")
        self.assertIn("ERROR SUMMARY: 0 errors", done.stderr)

    def test_a_buffer_that_is_used_after_it_was_put(self):
        done = self.memcheck("used-after")
        self.assertEqual(done.returncode, 9, done.stderr)
        self.assertIn("Invalid read of size 1", done.stderr)
        # That of a block which has been freed, and where.
        self.assertRegex(done.stderr, r"is \d+ bytes inside a block of size 16,384 free'd")
        self.assertRegex(done.stderr, r"ERROR SUMMARY: 1 errors from 1 contexts")


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
