"""What find, put, burials and the typed accessors are made of: instructions, locked operations, branches and
calls, counted in the disassembly and held against fast_path_counts.txt.

A change is no mistake by itself; it must be one that somebody meant. Counts are of whole functions,
what the compiler has moved away as cold left out.

    ./bazelw run //tests/cache:fast_path_counts_test -- --show     the code that is counted
    ./bazelw run //tests/cache:fast_path_counts_test -- --update   the counts are right as they are
"""

import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
COUNTS_NAME = "fast_path_counts.txt"
# A path is all functions whose names begin with one of these: what the compiler inlines into what is
# its own business. What nearly every find and put goes through is one function each; what the others
# go on to is counted by itself.
PATHS = {
    "find": ("ebcache::BufferCache::FindBuffer(",),
    "put": ("ebcache::ExtentBufferRef::PutBuffer(",),
    "find, where there is more to it": (
        "ebcache::BufferPool::FindSlowly(",
        "ebcache::ExtentBuffer* ebcache::BufferIndex::Find<",
        "ebcache::state::Get(",
    ),
    "a look whether a block is cached": ("ebcache::BufferCache::MayBeCached(",),
    "put, where there is more to it": (
        "ebcache::BufferPool::Put(",
        "ebcache::state::Put(",
    ),
    "a burial, and its part in the index": (
        "ebcache::BufferPool::Bury(",
        "ebcache::BufferIndex::Remove(",
        "ebcache::BufferIndex::RemoveLocked(",
    ),
    "find, look and put, as a user": ("probe_find_look_put",),
    "load of one byte": ("probe_load_u8",),
    "load of eight bytes": ("probe_load_u64",),
    "view": ("probe_view",),
}
COLUMNS = ("instructions", "locked", "branches", "calls")
# Padding inside and behind functions.
NOTHING = re.compile(r"^(nop|data16|cs nop|xchg +%ax,%ax|endbr64|add +%al,\(%rax\))")

PROBE = ""


def disassembled(program):
    """Instructions of each function, without addresses: {name: [text]}."""
    listing = subprocess.run(
        ["objdump", "-d", "-C", "--no-show-raw-insn", program],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    functions, current = {}, None
    for line in listing.splitlines():
        header = re.match(r"^[0-9a-f]+ <(.*)>:$", line)
        if header:
            current = functions.setdefault(header.group(1), [])
            continue
        instruction = re.match(r"^\s+[0-9a-f]+:\s+(.*\S)", line)
        if instruction and current is not None and not NOTHING.match(instruction.group(1)):
            current.append(instruction.group(1))
    return functions


def count(instructions):
    locked = sum(
        text.startswith("lock ") or re.match(r"^xchg\b.*\(", text) is not None for text in instructions
    )
    branches = sum(re.match(r"^(bnd |notrack )?j[a-z]+\b", text) is not None for text in instructions)
    calls = sum(re.match(r"^(bnd )?call", text) is not None for text in instructions)
    return (len(instructions), locked, branches, calls)


def built_by():
    return subprocess.run([PROBE], capture_output=True, text=True, check=True).stdout.strip()


def read_counts(path):
    """The compiler, and {function: counts}."""
    compiler, counts = "", {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("compiler: "):
                compiler = line.split(": ", 1)[1].strip()
            elif line.strip() and not line.startswith("#"):
                *numbers, name = line.split(None, len(COLUMNS))
                counts[name.strip()] = tuple(map(int, numbers))
    return compiler, counts


def counts_text(counts):
    lines = [
        "# Held against the disassembly by fast_path_counts_test.py, which also says how to look at the",
        "# code, and how to accept other counts.",
        f"compiler: {built_by()}",
        "# " + " ".join(f"{column:>12}" for column in COLUMNS),
    ]
    for name, numbers in counts.items():
        lines.append("  " + " ".join(f"{number:12}" for number in numbers) + "  " + name)
    return "\n".join(lines) + "\n"


def functions_of(path, functions):
    """The parts of a path that are there, the cold ones left out: {name: [text]}."""
    return {
        name: code
        for name, code in functions.items()
        if name.startswith(PATHS[path]) and ".cold" not in name
    }


def counted():
    functions = disassembled(PROBE)
    counts = {}
    for path in PATHS:
        parts = [count(code) for code in functions_of(path, functions).values()]
        if parts:
            counts[path] = tuple(map(sum, zip(*parts)))
    return counts


class FastPathCountsTest(unittest.TestCase):
    def test_counts_are_those_that_somebody_accepted(self):
        compiler, accepted = read_counts(os.path.join(HERE, COUNTS_NAME))
        if built_by() != compiler:
            self.skipTest(f"SKIPPED: built by {built_by()}, and the counts are of {compiler}")
        now = counted()
        self.assertEqual(list(now), list(PATHS), "a path is not there: was it renamed?")
        self.assertEqual(list(accepted), list(PATHS), f"{COUNTS_NAME} lists other paths")
        changes = [
            f"{path}: {column} {was} -> {is_now}"
            for path in PATHS
            for column, was, is_now in zip(COLUMNS, accepted[path], now[path])
            if was != is_now
        ]
        if changes:
            self.fail("the fast path changed:\n" + "\n".join(changes) + "\n\n" + __doc__)

    def test_what_is_counted(self):
        code = ["lock cmpxchg %rdx,(%rdi)", "je 10", "jmp 20", "call 30", "xchg %rax,(%rdi)", "ret"]
        self.assertEqual(count(code), (6, 2, 2, 1))
        self.assertEqual(count(["xchg %rax,%rdx", "mov (%rdi),%rax"]), (2, 0, 0, 0))


def show():
    functions = disassembled(PROBE)
    for path, counts in counted().items():
        print(f"{path}: {dict(zip(COLUMNS, counts))}")
        for name, code in functions_of(path, functions).items():
            print(f"  {name}")
            for text in code:
                print(f"    {text}")


def update():
    top = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    folder = os.path.join(top, "tests", "cache") if top else HERE
    counts = counted()
    if list(counts) != list(PATHS):
        sys.exit(f"not in the program: {set(PATHS) - set(counts)}")
    with open(os.path.join(folder, COUNTS_NAME), "w", encoding="utf-8") as file:
        file.write(counts_text(counts))


if __name__ == "__main__":
    PROBE = os.path.abspath(sys.argv.pop(1))
    if "--show" in sys.argv:
        show()
    elif "--update" in sys.argv:
        update()
    else:
        unittest.main()
