"""No source file is longer than 500 lines, and no function longer than 60.

Usage: length_test.py README, which is where the checkout is.
"""

import os
import pathlib
import sys
import unittest

from source_text import functions

CHECKOUT = pathlib.Path(os.path.realpath(sys.argv.pop(1))).parent
PLACES = ("bench", "examples", "include", "lib", "package", "tests", "tools")
CODE = {".c", ".cc", ".h"}
SOURCES = CODE | {".bzl", ".py", ".sh"}
MOST_LINES = 500
MOST_LINES_OF_A_FUNCTION = 60


def sources(suffixes):
    """(path, text) of each."""
    for place in PLACES:
        for path in sorted((CHECKOUT / place).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                yield str(path.relative_to(CHECKOUT)), path.read_text(encoding="utf-8")


def lengths(text):
    """The lines of each function, by name."""
    return {name: lines for name, _, lines in functions(text)}


class LengthTest(unittest.TestCase):
    maxDiff = None

    def test_files(self):
        seen = {path: text.count("\n") for path, text in sources(SOURCES)}
        self.assertGreater(len(seen), 500)
        self.assertEqual({p: lines for p, lines in seen.items() if lines > MOST_LINES}, {})

    def test_functions(self):
        seen = 0
        long = {}
        for path, text in sources(CODE):
            for name, first, lines in functions(text):
                seen += 1
                if lines > MOST_LINES_OF_A_FUNCTION:
                    long[path, name] = f"{lines} lines from {first} on"
        self.assertGreater(seen, 4000)
        self.assertEqual(long, {})

    # The counting can fail.

    def test_lengths_are_counted(self):
        filler = "  f();\n" * 59
        self.assertEqual(lengths(f"void a() {{\n{filler}}}\n"), {"a": 61})
        self.assertEqual(lengths(f"TEST(A, B) {{\n{filler}}}\n"), {"TEST(A, B)": 61})
        inside = f"namespace n {{\nclass C : D {{\n public:\n  int a() const {{\n{filler}  }}\n}};\n}}\n"
        self.assertEqual(lengths(inside), {"a": 61})
        c = f'#ifdef __cplusplus\nextern "C" {{\n#endif\nvoid a(void) {{\n{filler}}}\n}}\n'
        self.assertEqual(lengths(c), {"a": 61})
        head = f"C::C(int a,\n     int b)\n    : a_{{a}}, b_(b) {{\n{filler}}}\n"
        self.assertEqual(lengths(head), {"C::C": 63})

    def test_what_is_no_function_is_not_counted(self):
        for text in (
            "struct S {\n  int a = 0;\n  int b{1};\n};\n",
            "enum class E { kA, kB };\nconstexpr int kTable[] = {\n  1,\n  2,\n};\n",
            "namespace n {\nint a();\n}  // namespace n\n",
            "// void a() {\n// }\n",
        ):
            self.assertEqual(lengths(text), {}, text)

    def test_braces_in_words_are_none(self):
        for word in ('"{"', "'{'", 'R"(\n{\n)"', "/* { */ 0", '"\\"{"', "1'000"):
            lines = 3 + word.count("\n")
            text = f"void a() {{\n  f({word});\n}}\nvoid b() {{\n}}\n"
            self.assertEqual(lengths(text), {"a": lines, "b": 2}, text)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main(verbosity=2)
