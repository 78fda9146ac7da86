"""The reference of the public headers: Doxygen has nothing to complain of, and would if there were.

By hand, from the top of the checkout: python3 tests/docs/doxygen_test.py
"""

import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, "docs/doxygen")
sys.dont_write_bytecode = True

import comment_filter  # noqa: E402  (found by the line above)
import make_reference  # noqa: E402

# What goes wrong, and a part of the warning about it.
FAULTS = {
    "struct Bare {\n  int number;\n};\n": "Compound ebcache::Bare is not documented",
    "void Silent(int loud);\n": "Silent(int loud) (function)",
    "// One.\nenum class Told { kOne };\n\nenum class Untold { kTwo };\n": "Untold (enumeration)",
    "// Of \\param nobody a number.\nvoid Wrong(int somebody);\n": "nobody",
}
# What is covered by a comment that is not right above it, or by its own name.
GOOD = """
// What is known of a place.
struct Place {
  int number = 0;
  int street = 0;  // from the left
                   // or from the right

  // Copies in, and out.
  void Read(int length);
  void Write(int length);
  int width() const;
};

/* As C has it. */
int CStyle(int); /* to the end */
"""


class ReferenceTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(scratch.cleanup)
        self.scratch = scratch.name

    def warnings(self, text):
        """Of a header with this in it."""
        include = os.path.join(self.scratch, "include")
        shutil.rmtree(include, ignore_errors=True)
        os.makedirs(os.path.join(include, "ebcache"))
        with open(os.path.join(include, "ebcache", "test.h"), "w", encoding="utf-8") as header:
            header.write(f"// A header.\n\n// Ours.\nnamespace ebcache {{\n\n{text}\n}}\n")
        return make_reference.make_reference(os.path.join(self.scratch, "output"), include)

    def test_public_headers(self):
        output = os.path.join(self.scratch, "output")
        self.assertEqual(make_reference.make_reference(output), [])
        for page in ("index", "classebcache_1_1BufferCache", "structebcache_1_1WalkOptions"):
            self.assertTrue(os.path.exists(os.path.join(output, "html", page + ".html")), page)
        with open(
            os.path.join(output, "html", "classebcache_1_1BufferCache.html"), encoding="utf-8"
        ) as file:
            self.assertIn("Lets every idle buffer go", file.read())

    def test_faults_are_told(self):
        for fault, part in FAULTS.items():
            warnings = self.warnings(fault)
            self.assertTrue(any(part in line for line in warnings), (fault, warnings))

    def test_what_needs_no_comment_of_its_own(self):
        self.assertEqual(self.warnings(GOOD), [])

    def test_the_filter_keeps_lines_where_they_are(self):
        lines = GOOD.splitlines()
        filtered = comment_filter.filtered(lines)
        self.assertEqual(len(filtered), len(lines))
        self.assertIn("  int street = 0; ///< from the left", filtered)
        self.assertIn("/** Copies in, and out. */   void Write(int length);", filtered)
        self.assertNotIn("//", filtered[lines.index("  int number = 0;")])


if __name__ == "__main__":
    unittest.main()
