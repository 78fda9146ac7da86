"""Documents against the tree: links lead somewhere, headers exist, and README's code compiles.

By hand, from the top of the checkout: python3 tests/docs/docs_test.py
"""

import os
import pathlib
import re
import subprocess
import tempfile
import textwrap
import unittest

DOCUMENTS = ["README.md", "CHANGELOG.md"] + sorted(
    os.path.join("docs", name) for name in os.listdir("docs") if name.endswith(".md")
)

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]

# What the snippets take for granted.
STUBS = """
[[maybe_unused]] int Fail(const absl::Status&) { return 1; }
void Print(const ebcache::Key&, absl::Span<const std::byte>) {}
void Use(...) {}
"""
PARAMETERS = (
    "[[maybe_unused]] ebcache::BlockSource& my_source,"
    " [[maybe_unused]] absl::Span<const std::byte> header, [[maybe_unused]] uint64_t bytenr"
)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class DocumentsTest(unittest.TestCase):
    def test_relative_links_lead_somewhere(self):
        checked = 0
        for path in DOCUMENTS:
            for target in re.findall(r"\]\(([^)#]+)\)", read(path)):
                if "://" in target:
                    continue
                full = os.path.normpath(os.path.join(os.path.dirname(path), target))
                self.assertTrue(os.path.exists(full), f"{path} links to {target}")
                checked += 1
        self.assertGreater(checked, 0)

    def test_no_path_leaves_the_checkout(self):
        for path in DOCUMENTS:
            self.assertNotRegex(read(path), r"\.\./\.\.|\(/(?!/)|/home/|/tmp/", path)

    def test_headers_named_in_the_readme_exist(self):
        named = set(re.findall(r"`([a-z0-9_]+\.h)`", read("README.md")))
        self.assertGreater(len(named), 5)
        for name in named:
            self.assertTrue(list(pathlib.Path("include/ebcache").rglob(name)), name)

    def test_headers_warn_of_nothing(self):
        headers = sorted(pathlib.Path("include/ebcache").rglob("*.h"))
        self.assertGreater(len(headers), 40)
        source = "".join(f'#include "{path.relative_to("include")}"\n' for path in headers)
        done = subprocess.run(
            ["c++", "-std=c++20", *WARNINGS, "-fsyntax-only", "-Iinclude", "-xc++", "-"],
            input=source,
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_code_in_the_readme_compiles(self):
        # In a list, code is indented.
        found = re.findall(r"^ *```cpp\n(.*?)^ *```", read("README.md"), re.S | re.M)
        blocks = [textwrap.dedent(block) for block in found]
        self.assertGreater(len(blocks), 1)
        for number, block in enumerate(blocks):
            includes = "\n".join(re.findall(r"^#include.*$", block, re.M))
            body = re.sub(r"^#include.*$", "", block, flags=re.M)
            body = re.sub(r"\)\s*\.\.\.", ") Use(verdict, buffers);", body)
            source = (
                f'{includes}\n#include "ebcache/filesystem.h"\n{STUBS}\n'
                f"int Snippet{number}({PARAMETERS}) {{\n{body}\nreturn 0;\n}}\n"
            )
            with tempfile.NamedTemporaryFile("w", suffix=".cc") as file:
                file.write(source)
                file.flush()
                done = subprocess.run(
                    ["g++", "-std=c++20", "-fsyntax-only", *WARNINGS, "-Iinclude", file.name],
                    capture_output=True,
                    text=True,
                )
            self.assertEqual(done.returncode, 0, f"{block}\n{done.stderr}")

    def test_c_code_in_the_readme_compiles(self):
        blocks = re.findall(r"^```c\n(.*?)^```", read("README.md"), re.S | re.M)
        self.assertGreater(len(blocks), 0)
        for block in blocks:
            includes = "\n".join(re.findall(r"^#include.*$", block, re.M))
            body = re.sub(r"^#include.*$", "", block, flags=re.M)
            source = (
                f"{includes}\nstatic int fail(const char *words) {{ return words != NULL; }}\n"
                "int snippet(const char *const *paths, size_t count, uint64_t bytenr) {\n"
                f"{body}\nreturn 0;\n}}\n"
            )
            done = subprocess.run(
                ["cc", "-std=c11", *WARNINGS, "-fsyntax-only", "-Iinclude", "-xc", "-"],
                input=source,
                capture_output=True,
                text=True,
            )
            self.assertEqual(done.returncode, 0, f"{block}\n{done.stderr}")


if __name__ == "__main__":
    unittest.main()
