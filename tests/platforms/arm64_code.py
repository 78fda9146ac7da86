#!/usr/bin/env python3
"""The barriers that finding and putting have on arm64: tests/platforms/arm64_code.py [--compiler=CXX]

Compiles the two functions by Debian's cross compiler (g++-aarch64-linux-gnu), for a processor with atomic
instructions (armv8.1), and prints each instruction of theirs that orders memory, with its line of the source. Then it
holds these against the table in docs/races.md. Exit code: 0 they are those, 1 they are others, 2 there is no such
compiler.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
FUNCTIONS = {
    "find": ("lib/cache/buffer_cache.cc", "ebcache::BufferCache::FindBuffer(unsigned long)"),
    "put": ("lib/cache/references.cc", "ebcache::ExtentBufferRef::PutBuffer(ebcache::ExtentBuffer*)"),
}
# Loads that acquire, stores that release, both in one, exclusive ones, atomic ones, and barriers.
ORDERS = re.compile(r"\t((?:lda[pr]?x?r|stl[lx]?x?r|ld[a]?xr|st[l]?xr|cas|swp|ldadd|ldset|ldclr|dmb|dsb|isb)\w*)\t?")
FLAGS = ["-march=armv8.1-a", "-std=c++20", "-O2", "-g1", "-fPIC", "-fno-semantic-interposition",
         "-DEBCACHE_NO_TRACEPOINTS", "-I.", "-Iinclude"]


def ordering_instructions(compiler, source, function, scratch):
    """(instruction, "file:line") for each, in the order of addresses; what calls out of line is not there."""
    objdump = compiler.replace("g++", "objdump")
    # Abseil's headers are the same for every processor; the rest of /usr/include is not.
    headers = pathlib.Path(scratch, "headers")
    headers.mkdir(exist_ok=True)
    if not (headers / "absl").exists():
        (headers / "absl").symlink_to("/usr/include/absl")
    made = pathlib.Path(scratch, "object.o")
    subprocess.run([compiler, *FLAGS, "-isystem", headers, "-c", source, "-o", made], cwd=TOP, check=True)
    text = subprocess.run([objdump, "-dlC", "--inlines", f"--disassemble={function}", made], check=True,
                          capture_output=True, text=True).stdout
    found, place, new, inside = [], "", True, False
    for line in text.splitlines():
        if re.match(r"[0-9a-f]+ <", line):
            inside = f"<{function}>:" in line
        if not inside:
            continue
        # The innermost place of ours: each instruction's come from the inside out.
        if re.match(r"\s*[0-9a-f]+:\t", line):
            if match := ORDERS.search(line):
                found.append((match.group(1), place))
            new = True
        elif match := re.match(r"(?:inlined by )?\S*?(?:^|[ /])((?:lib|include/ebcache)/\S+:\d+)", line):
            place = match.group(1) if new else place
            new = False
    return found


def promised():
    """What docs/races.md says: lines "| find | `ldar` | ... |"."""
    rows = re.findall(r"^\| (find|put) \| `(\w+)` \|", (TOP / "docs/races.md").read_text(encoding="utf-8"), re.M)
    return {name: [what for of, what in rows if of == name] for name in FUNCTIONS}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="aarch64-linux-gnu-g++")
    options = parser.parse_args()
    if shutil.which(options.compiler) is None:
        print(f"arm64_code.py: no {options.compiler}; on Debian it is of g++-aarch64-linux-gnu", file=sys.stderr)
        return 2
    same = True
    with tempfile.TemporaryDirectory() as scratch:
        for name, (source, function) in FUNCTIONS.items():
            found = ordering_instructions(options.compiler, source, function, scratch)
            for instruction, place in found:
                print(f"{name:5} {instruction:6} {place}")
            expected = promised()[name]
            if [instruction for instruction, _ in found] != expected:
                print(f"{name}: docs/races.md says {' '.join(expected) or 'nothing'}", file=sys.stderr)
                same = False
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
