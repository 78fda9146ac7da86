"""Manual pages against the program: the same subcommands and options, the same version, and sound
troff. And what other documents tell people to type.

By hand, from the top of the checkout:
python3 tests/docs/man_test.py --ebcache=PATH --quickstart=PATH
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
# Pages may have more; those are there, in this order.
SECTIONS = (
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "OPTIONS",
    "EXIT STATUS",
    "EXAMPLES",
    "SEE ALSO",
)
# An option where its explanation is indented below or beside it, with its short form.
OPTION = re.compile(r"^ {4,7}((?:-[a-z], )?--[a-z]\S*)", re.MULTILINE)
GLOBAL = ["-h, --help", "-v, --version"]
ARGUMENTS = argparse.Namespace()


def run(*command):
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False
    )


def help_of(subcommand=None):
    done = run(ARGUMENTS.ebcache, *([subcommand] if subcommand else []), "--help")
    if done.returncode != 0:
        raise AssertionError(done)
    return done.stdout


def subcommands():
    """{name: summary}, of those that have a page of their own."""
    section = re.search(r"^ +Subcommands:\n(.*?)\n\n", help_of(), re.MULTILINE | re.DOTALL).group(1)
    found = dict(re.findall(r"^ {4}([a-z][a-z-]*) +(.*)$", section, re.MULTILINE))
    del found["help"]
    return found


def commands():
    """(page, subcommand): None is the program itself."""
    yield "ebcache", None
    for name in subcommands():
        yield f"ebcache-{name}", name


def path_of(page):
    return os.path.join(DIRECTORY, f"{page}.8")


def rendered(page):
    """The page as text, in lines long enough that no option is broken."""
    return run("groff", "-man", "-Tascii", "-P-cbou", "-rLL=200n", path_of(page)).stdout


def section(text, title):
    match = re.search(rf"^{title}\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    return match.group(1) if match else ""


class ManTest(unittest.TestCase):
    def test_every_subcommand_has_a_page_and_the_other_way_round(self):
        pages = {name[:-2] for name in os.listdir(DIRECTORY) if name.endswith(".8")}
        self.assertEqual(pages, {page for page, _ in commands()})
        self.assertGreater(len(pages), 4)

    def test_sections(self):
        pages = [page for page, _ in commands()]
        for page, subcommand in commands():
            text = rendered(page)
            titles = re.findall(r"^([A-Z][A-Z ]+)$", text, re.MULTILINE)
            self.assertEqual([title for title in titles if title in SECTIONS], [*SECTIONS], page)
            self.assertRegex(section(text, "NAME"), rf"^ +{page} - \w")
            called = f"ebcache {subcommand}" if subcommand else "ebcache"
            for line in section(text, "SYNOPSIS").strip().splitlines():
                self.assertRegex(line, rf"^ *{called} \[options\]")
            others = re.findall(r"(ebcache(?:-[a-z-]+)?)\(8\)", section(text, "SEE ALSO"))
            self.assertEqual(sorted(others), sorted(set(pages) - {page}), page)

    def test_the_program_s_page_names_the_subcommands_of_its_help(self):
        for text in (help_of(), section(rendered("ebcache"), "SUBCOMMANDS")):
            for name in subcommands():
                self.assertRegex(text, rf"(?m)^ {{4,7}}{name}\b")
        named = re.findall(r"^ {7}([a-z-]+)", section(rendered("ebcache"), "SUBCOMMANDS"), re.M)
        self.assertEqual(named, [*subcommands(), "help"])

    def test_options_are_those_of_the_help(self):
        for page, subcommand in commands():
            options = OPTION.findall(help_of(subcommand))
            self.assertEqual(options[-2:], GLOBAL, page)
            self.assertEqual(OPTION.findall(section(rendered(page), "OPTIONS")), options, page)

    def test_what_json_prints_has_a_schema_that_is_told(self):
        having = set()
        for page, subcommand in commands():
            options = OPTION.findall(help_of(subcommand))
            self.assertEqual("--json" in options, "--json-schema" in options, page)
            if "--json" not in options:
                continue
            having.add(f"{subcommand}.json")
            path = f"docs/schema/{subcommand}.json"
            with open(path, encoding="utf-8") as file:
                printed = run(ARGUMENTS.ebcache, subcommand, "--json-schema")
                self.assertEqual((printed.returncode, printed.stdout), (0, file.read()), path)
            self.assertIn(f"share/ebcache/schema/{subcommand}.json", rendered(page))
        self.assertEqual(having, set(os.listdir("docs/schema")))

    def test_defaults_are_those_of_the_help(self):
        for page, subcommand in commands():
            said, told = (
                re.findall(r"\(default ([\w-]+)\)", " ".join(text.split()))
                for text in (help_of(subcommand), section(rendered(page), "OPTIONS"))
            )
            self.assertEqual(told, said, page)

    def test_exit_status_has_what_the_help_has(self):
        for page, subcommand in commands():
            help_text = " ".join(help_of(subcommand).split())
            codes = re.findall(r"(?:Exit code:|;) (\d) ", help_text)
            self.assertEqual(codes, ["0", "1", "2"], help_text)
            told = section(rendered(page), "EXIT STATUS")
            self.assertEqual(re.findall(r"^ {7}(\d) ", told, re.MULTILINE), codes, page)

    def check_command(self, words, where):
        """That a command line which a document shows names what there is."""
        words = words.split()
        if words[:1] == ["help"]:
            words = words[1:] or ["--help"]
        subcommand = next((word for word in words if word[0] not in "-<"), None)
        if subcommand is not None:
            self.assertIn(subcommand, subcommands(), where)
        known = set(re.findall(r"--[a-z-]+", help_of(subcommand)))
        for word in words:
            if word.startswith("--") and word != "--":
                self.assertIn(word.strip("[]").split("=")[0], known, where)

    def test_commands_in_documents_exist(self):
        checked = 0
        for path in DOCUMENTS:
            with open(path, encoding="utf-8") as file:
                text = file.read()
            for words in re.findall(r"(?://tools:ebcache --|`ebcache) ([^\n`|]*)", text):
                self.check_command(words, f"{path}: {words}")
                checked += 1
            for words in re.findall(r"//examples:quickstart -- ([^\n`]*)", text):
                offered = run(ARGUMENTS.quickstart, "--help").stdout
                for option in re.findall(r"--[a-z-]+", words):
                    self.assertIn(option, offered, path)
        self.assertGreater(checked, 4)

    def test_commands_in_pages_exist(self):
        for page, _ in commands():
            examples = re.findall(r"^ +ebcache (.*?)(?: \|.*)?$", section(rendered(page), "EXAMPLES"), re.M)
            self.assertGreater(len(examples), 0, page)
            for words in examples:
                self.check_command(words, f"{page}: {words}")

    def test_no_program_of_an_old_name(self):
        """What these were until they became subcommands is told in CHANGELOG.md alone."""
        for path in [*DOCUMENTS, *(path_of(page) for page, _ in commands())]:
            with open(path, encoding="utf-8") as file:
                self.assertNotRegex(file.read(), r"examples:(?!quickstart)\w|cachetop", path)

    def test_version(self):
        version = run(ARGUMENTS.ebcache, "--version").stdout
        self.assertRegex(version, r"^ebcache v\d+\.\d+\.\d+\n$")
        for page, subcommand in commands():
            self.assertIn(version.strip(), rendered(page))
            if subcommand:
                self.assertEqual(run(ARGUMENTS.ebcache, subcommand, "-v").stdout, version)

    def test_groff_has_nothing_to_complain_of(self):
        for page, _ in commands():
            done = run("groff", "-ww", "-man", "-Tutf8", "-z", path_of(page))
            self.assertEqual((done.returncode, done.stderr), (0, ""), page)


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for program in ("--ebcache", "--quickstart"):
        parser.add_argument(program, required=True, type=os.path.abspath)
    _, rest = parser.parse_known_args(namespace=ARGUMENTS)
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
