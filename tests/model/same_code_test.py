"""ebcache/internal/sync.h costs nothing: what finds and puts compiles to the same machine code as without it.

The sources are copied twice. In the second copy the types of sync.h are written as the standard
library's, by text, and sync.h is not there. Both are compiled alike, and disassembled.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

# Lookup, references, their end. Paths begin at the top of the workspace, which is where tests run.
SOURCES = ("lib/cache/buffer_cache.cc", "lib/cache/references.cc", "lib/cache/buffer_pool.cc")
FUNCTIONS = ("ebcache::BufferCache::FindBuffer(", "ebcache::ExtentBufferRef::PutBuffer(")
FOLDERS = ("include/ebcache", "lib/base", "lib/cache", "lib/mm")
COMPILER = os.environ.get("CXX", "c++")

STANDARD_HEADERS = (
    "#include \"ebcache/internal/thread_annotations.h\"\n"
    "#include <atomic>\n#include <condition_variable>\n#include <mutex>\n#include <thread>\n"
)
REPLACEMENTS = (
    ('#include "ebcache/internal/sync.h"', '#include "ebcache/standard.h"'),  # lines keep their numbers
    (r"sync::Atomic\b", "std::atomic"),
    (r"sync::MutexLock\b", "std::lock_guard"),
    (r"sync::UniqueLock\b", "std::unique_lock"),
    (r"sync::Mutex\b", "std::mutex"),
    (r"sync::ConditionVariable\b", "std::condition_variable"),
    (r"sync::Thread\b", "std::thread"),
    (r"sync::Add\((\w+), ([^;]+)\);", r"\1.fetch_add(\2, std::memory_order_relaxed);"),
    (
        r"sync::OfThisThread<\w+, ([^>]*)>\(\)",
        r"*[] { static thread_local \1 value{}; return &value; }()",
    ),
    (
        r"sync::ThreadNumber\(\)",
        "[] { static std::atomic<uint32_t> next{0}; thread_local const uint32_t number = next++; return number; }()",
    ),
    (r"sync::ModelOr<[^>]*>\([^,]*, ([^()]*)\)", r"(\1)"),
)
# What must make a difference: every counter counts one more.
ONE_MORE = (r"(fetch_add\()", r"\g<1>1 + ")


def copy(top, replacements):
    """Copies the sources; without sync.h if there are replacements for what it has."""
    for folder in FOLDERS:
        for source in pathlib.Path(folder).rglob("*"):
            if source.suffix in (".h", ".cc"):
                (top / source).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, top / source)
    if replacements is None:
        return
    (top / "include/ebcache/internal/sync.h").unlink()
    for folder in FOLDERS:
        for path in (top / folder).rglob("*.*"):
            text = path.read_text(encoding="utf-8")
            for pattern, replacement in replacements:
                text = re.sub(pattern, replacement, text)
            if re.search(r"^[^/\n]*\bsync::", text, re.MULTILINE):
                raise AssertionError(f"{path.name} has more of sync.h than this test knows")
            path.write_text(text, encoding="utf-8")
    (top / "include/ebcache/standard.h").write_text("#pragma once\n" + STANDARD_HEADERS)


def code(top, source):
    """The disassembly of a source file."""
    flags = ["-std=c++20", "-O2", "-Iinclude", "-I.", "-includecstdlib", "-c", "-o", "object.o"]
    subprocess.run([COMPILER, *flags, source], cwd=top, check=True)
    done = subprocess.run(
        ["objdump", "-drC", "--no-show-raw-insn", "object.o"],
        cwd=top,
        check=True,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    return done.stdout


class SameCodeTest(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        for tool in (COMPILER, "objdump"):
            if shutil.which(tool) is None:
                self.skipTest(f"no {tool}")
        scratch = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(scratch.cleanup)
        self.scratch = pathlib.Path(scratch.name)

    def code(self, name, replacements, source):
        top = self.scratch / name
        if not top.exists():
            copy(top, replacements)
        return code(top, source)

    def test_same_code(self):
        everything = ""
        for source in SOURCES:
            ours = self.code("ours", None, source)
            self.assertEqual(ours, self.code("standard", REPLACEMENTS, source), source)
            everything += ours
        for function in FUNCTIONS:
            self.assertIn(f"<{function}", everything)
        print(f"{len(everything.splitlines())} lines of disassembly, the same")

    def test_a_difference_is_seen(self):
        source = SOURCES[-1]
        self.assertNotEqual(
            self.code("ours", None, source), self.code("more", (*REPLACEMENTS, ONE_MORE), source)
        )


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main(verbosity=2)
