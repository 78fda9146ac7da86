"""Builds the programs of the tests from a copy of the tree that has mutants in it.

The compiler is run directly: -O1, no sanitizers, an object each unit of targets.py; objects that
are newer than everything they were made of are kept. A mutant that the compiler refuses is dropped: the
error's line tells which (rewrite.py), its file is written again without it, and the build goes on.
"""

import concurrent.futures
import hashlib
import json
import os
import re
import subprocess

import rewrite
from targets import Unit

# The compiler that the project is built with: clang 14 refuses some of the tests.
CXX = ["g++", "-std=c++20", "-Wno-narrowing"]
C = ["gcc", "-std=c11"]
# With the assertions of the library: an index one too large need not be felt, and is wrong.
FLAGS = ["-O1", "-w", "-D_GNU_SOURCE", "-D_GLIBCXX_ASSERTIONS", "-I.", "-Iinclude", "-include",
         "tests/mutation/switch.h"]
ERROR = re.compile(r"^(?:\./)?([^\s:]+):(\d+):\d+: +(?:fatal )?(error|note|required from)",
                   re.MULTILINE)


class BuildError(Exception):
    pass


class Builder:
    """Works on `tree`, a copy of `top`, and puts objects into `objects`."""

    def __init__(self, top, tree, objects, mutants, jobs, progress):
        self.tree = tree
        self.objects = objects
        self.jobs = jobs
        self.progress = progress
        os.makedirs(objects, exist_ok=True)
        self.refused_path = f"{objects}/refused.json"
        refused = self._refused_before()
        self.alive = {}
        self.dropped = {}  # by number: the compiler's words
        for mutant in mutants:
            words = refused.get(repr(mutant.key()))
            if words is None:
                self.alive[mutant.number] = mutant
            else:
                self.dropped[mutant.number] = words
        self.mutants = mutants
        self.originals = {}
        self.rewritten = {}
        for file in sorted({m.file for m in mutants}):
            with open(f"{top}/{file}", encoding="latin-1") as source:
                self.originals[file] = source.read()
            self._write(file)

    def build(self, programs):
        """Compiles and links `programs`; drops mutants until all of them build."""
        units = list(dict.fromkeys(u for p in programs for u in p.units))
        # The sources of mutants first: those without one do not have to be compiled twice.
        units.sort(key=lambda u: (u.source not in self.rewritten, u.source))
        while True:
            failed = self._compile_all([u for u in units if not self._is_current(u)])
            if not failed:
                break
            self._drop(failed)
        self._link_all(programs)

    # ---- Mutants --------------------------------------------------------------------------------

    def _write(self, file):
        mutants = [m for m in self.alive.values() if m.file == file]
        result = rewrite.rewrite(self.originals[file], mutants)
        self.rewritten[file] = result
        path = f"{self.tree}/{file}"
        if os.path.exists(path):
            with open(path, encoding="latin-1") as there:
                if there.read() == result.text:
                    return  # its objects stay current
        with open(path, "w", encoding="latin-1") as target:
            target.write(result.text)

    def _refused_before(self):
        """What an earlier run in the same place found out."""
        if not os.path.exists(self.refused_path):
            return {}
        with open(self.refused_path, encoding="utf-8") as file:
            return json.load(file)

    def _drop(self, failed):
        victims = {}
        for unit, words in failed:
            found = ERROR.findall(words)
            # Where a template of a header is at fault, notes tell who asked for it.
            own = (self._owners(found, "error") or self._owners(found, "required from") or
                   self._owners(found, "note"))
            if not own:
                raise BuildError(f"{unit.source} does not compile, and no mutant is to blame:\n"
                                 + words[:3000])
            for number in own:
                victims[number] = words[:300]
        files = {self.alive[number].file for number in victims}
        for number, words in victims.items():
            self.dropped[number] = words
            del self.alive[number]
        for file in files:
            self._write(file)
        refused = self._refused_before()
        refused.update({repr(m.key()): self.dropped[m.number] for m in self.mutants
                        if m.number in self.dropped})
        with open(self.refused_path, "w", encoding="utf-8") as file:
            json.dump(refused, file, indent=1)

    def _owners(self, found, severity):
        owners = {self.rewritten[path].owner(int(line)) for path, line, kind in found
                  if kind == severity and path in self.rewritten}
        return {number for number in owners if number in self.alive}

    # ---- Compiler and linker --------------------------------------------------------------------

    def object_of(self, unit):
        name = unit.source.replace("/", "_")
        if unit.flags:
            name += "." + hashlib.sha1(" ".join(unit.flags).encode()).hexdigest()[:8]
        return f"{self.objects}/{name}.o"

    def _is_current(self, unit):
        made = self.object_of(unit)
        try:
            stamp = os.stat(made).st_mtime_ns
            with open(made + ".d", encoding="utf-8") as file:
                needed = file.read().replace("\\\n", " ").split()[1:]
            return all(os.stat(os.path.join(self.tree, n)).st_mtime_ns < stamp for n in needed)
        except OSError:
            return False

    def _compile(self, unit):
        made = self.object_of(unit)
        tool = C if unit.source.endswith(".c") else CXX
        # A target's own -std comes last, and is the one that counts.
        done = subprocess.run([*tool, *FLAGS, *unit.flags, "-MD", "-MF", made + ".d", "-c",
                               unit.source, "-o", made], cwd=self.tree, capture_output=True,
                              text=True)
        return done.returncode, done.stderr

    def _compile_all(self, units):
        failed = []
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            for done, (unit, (code, words)) in enumerate(zip(units, pool.map(self._compile, units)),
                                                         start=1):
                self.progress.step("compiling", done, len(units))
                if code != 0:
                    failed.append((unit, words))
        return failed

    def binary_of(self, program):
        return f"{self.tree}/{program.path}"

    def digest(self, programs):
        """Changes when one of the binaries does."""
        digest = hashlib.sha1()
        for program in programs:
            with open(self.binary_of(program), "rb") as file:
                digest.update(hashlib.sha1(file.read()).digest())
        return digest.hexdigest()

    def _link(self, program):
        made = self.binary_of(program)
        objects = [self.object_of(u) for u in program.units] + [
            self.object_of(u) for u in self.own_units(program)]
        if os.path.exists(made) and all(os.stat(o).st_mtime_ns < os.stat(made).st_mtime_ns
                                        for o in objects):
            return 0, ""
        libraries = list(dict.fromkeys(reversed(program.libraries)))[::-1]
        done = subprocess.run(["g++", *objects, *libraries, "-lpthread", "-o", made],
                              cwd=self.tree, capture_output=True, text=True)
        return done.returncode, done.stderr

    def _link_all(self, programs):
        own = list(dict.fromkeys(u for p in programs for u in self.own_units(p)))
        failed = self._compile_all([u for u in own if not self._is_current(u)])
        if failed:
            raise BuildError(failed[0][1])
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            for done, (program, (code, words)) in enumerate(
                    zip(programs, pool.map(self._link, programs)), start=1):
                self.progress.step("linking", done, len(programs))
                if code != 0:
                    raise BuildError(f"{program.label} does not link:\n{words[:3000]}")

    def own_units(self, program):
        names = ["switch.cc"] + (["listener.cc"] if program.is_gtest() else [])
        return [Unit(f"tests/mutation/{name}", ()) for name in names]
