"""Manual pages against the programs: the same options, the same version, and sound troff. And what
other documents tell people to type.

By hand, from the top of the checkout:
python3 tests/docs/man_test.py --program=ebcache-verify:PATH ...
"""

import argparse
import os
import re
import subprocess
import sys
import unittest

DIRECTORY = "docs/man"
DOCUMENTS = ["README.md"] + [
    os.path.join("docs", name) for name in sorted(os.listdir("docs")) if name.endswith(".md")
]
SECTIONS = (
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "OPTIONS",
    "EXIT STATUS",
    "EXAMPLES",
    "SEE ALSO",
)
# An option where its explanation is indented below or beside it.
OPTION = re.compile(r"^ {4,7}(--[a-z]\S*)", re.MULTILINE)
PROGRAMS = {}


def run(*command):
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False
    )


def path_of(name):
    return os.path.join(DIRECTORY, f"{name}.8")


def rendered(name):
    """The page as text, in lines long enough that no option is broken."""
    return run("groff", "-man", "-Tascii", "-P-cbou", "-rLL=200n", path_of(name)).stdout


def section(text, title):
    match = re.search(rf"^{title}\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    return match.group(1) if match else ""


class ManTest(unittest.TestCase):
    def test_every_program_has_a_page_and_the_other_way_round(self):
        pages = {name[:-2] for name in os.listdir(DIRECTORY) if name.endswith(".8")}
        self.assertEqual(pages, set(PROGRAMS))

    def test_sections(self):
        for name in PROGRAMS:
            text = rendered(name)
            titles = re.findall(r"^([A-Z][A-Z ]+)$", text, re.MULTILINE)
            self.assertEqual(tuple(titles), SECTIONS, name)
            self.assertRegex(section(text, "NAME"), rf"^ +{name} - \w")
            self.assertRegex(section(text, "SYNOPSIS"), rf"^ +{name} \[options\]")
            for other in re.findall(r"(ebcache-[a-z-]+)\(8\)", section(text, "SEE ALSO")):
                self.assertIn(other, PROGRAMS)

    def test_options_are_those_of_the_help(self):
        for name, program in PROGRAMS.items():
            help_text = run(program, "--help")
            self.assertEqual(help_text.returncode, 0, help_text)
            options = OPTION.findall(help_text.stdout)
            self.assertIn("--json", options)
            self.assertEqual(OPTION.findall(section(rendered(name), "OPTIONS")), options, name)

    def test_defaults_are_those_of_the_help(self):
        for name, program in PROGRAMS.items():
            for text in (run(program, "--help").stdout, section(rendered(name), "OPTIONS")):
                defaults = re.findall(r"\(default ([\w-]+)\)", " ".join(text.split()))
                if text.startswith("usage"):
                    expected = defaults
            self.assertEqual(defaults, expected, name)

    def test_exit_status_has_what_the_help_has(self):
        for name, program in PROGRAMS.items():
            help_text = " ".join(run(program, "--help").stdout.split())
            codes = re.findall(r"(?:Exit code:|;) (\d) ", help_text)
            self.assertEqual(codes, ["0", "1", "2"], help_text)
            page = section(rendered(name), "EXIT STATUS")
            self.assertEqual(re.findall(r"^ {7}(\d) ", page, re.MULTILINE), codes, name)

    def test_options_in_documents_exist(self):
        options = {
            name: set(re.findall(r"--[a-z-]+", run(program, "--help").stdout))
            for name, program in PROGRAMS.items()
        }
        commands = 0
        for path in DOCUMENTS:
            with open(path, encoding="utf-8") as file:
                text = file.read()
            for name, words in re.findall(r"//examples:(\w+) -- ([^\n`]*)", text):
                program = "ebcache-" + name.replace("_", "-")
                if program not in options:
                    continue
                commands += 1
                for option in re.findall(r"--[a-z-]+", words):
                    self.assertIn(option, options[program], f"{path}: {name}")
        self.assertGreater(commands, 1)

    def test_version(self):
        for name, program in PROGRAMS.items():
            version = run(program, "--version").stdout
            match = re.search(r", part of (ebcache v\d+\.\d+\.\d+)$", version.strip())
            self.assertTrue(match, version)
            self.assertIn(match.group(1), rendered(name))

    def test_groff_has_nothing_to_complain_of(self):
        for name in PROGRAMS:
            done = run("groff", "-ww", "-man", "-Tutf8", "-z", path_of(name))
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--program", action="append", required=True, metavar="NAME:PATH")
    arguments, rest = parser.parse_known_args()
    for program in arguments.program:
        name, path = program.split(":", 1)
        PROGRAMS[name] = os.path.abspath(path)
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
