"""What tests of the package share: programs run, and one installation for all tests of a file."""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ARGUMENTS = argparse.Namespace()
SYSTEM_PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"


def run(*command, cwd=None, **environment):
    """Runs a program that must succeed; returns what it wrote to stdout."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PATH": SYSTEM_PATH, **environment},
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"{command}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def declared_functions(include, header):
    """The functions that a header of the C face, or a part that it includes, declares; and these parts."""
    found = set()
    parts = set()
    todo = [header]
    while todo:
        text = (include / "ebcache" / todo.pop()).read_text(encoding="utf-8")
        found.update(re.findall(r"\bEBCACHE_API\b[^;]*?\b(ebcache_[a-z0-9_]+)\(", text))
        new = set(re.findall(r'^#include "ebcache/(c/\w+\.h)"$', text, re.M)) - parts
        parts |= new
        todo += sorted(new)
    return found, parts


def exported_functions(*nm_arguments):
    """What `nm` shows as defined, but for the names of versions."""
    names = set()
    for line in run("nm", "--defined-only", *nm_arguments).splitlines():
        words = line.split()
        if len(words) == 3 and words[1] != "A":
            names.add(words[2].split("@")[0])
    return names


class Installed(unittest.TestCase):
    """One installation for all tests."""

    @classmethod
    def setUpClass(cls):
        with open(ARGUMENTS.ebcache, "rb") as program:
            if re.search(rb"lib[atu]b?san\.so", program.read()):
                raise unittest.SkipTest("built with a sanitizer: programs without cannot load it")
        cls.scratch = pathlib.Path(tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR")))
        cls.addClassCleanup(shutil.rmtree, cls.scratch)
        cls.prefix = cls.scratch / "prefix"
        run(ARGUMENTS.install, f"--prefix={cls.prefix}", *cls.install_arguments())

    @classmethod
    def install_arguments(cls):
        return ()

    def environment(self):
        return {
            "PKG_CONFIG_PATH": str(self.prefix / "lib/pkgconfig"),
            "LD_LIBRARY_PATH": str(self.prefix / "lib"),
        }

    def flags(self, *arguments):
        """What pkg-config answers, as words."""
        return run("pkg-config", *arguments, **self.environment()).split()

    def copy_of(self, directory):
        """A directory of sources, where it can be built."""
        copy = pathlib.Path(tempfile.mkdtemp(dir=self.scratch)) / "sources"
        shutil.copytree(directory, copy)
        return copy


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    parser.add_argument("--install", required=True, type=os.path.abspath)
    parser.add_argument("--ebcache", required=True, type=os.path.abspath)
    _, rest = parser.parse_known_args(namespace=ARGUMENTS)
    unittest.main(module="__main__", argv=[sys.argv[0], *rest], verbosity=2)
