"""What Bazel's BUILD files say about tests: sources, flags, libraries, arguments."""

import dataclasses
import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree

# Sources that are not C or C++ are headers, data or scripts.
COMPILED = (".cc", ".c")


@dataclasses.dataclass
class Unit:
    """A source with the flags that its target gives it."""
    source: str
    flags: tuple

    def __hash__(self):
        return hash((self.source, self.flags))


@dataclasses.dataclass
class Program:
    label: str
    path: str  # where scripts expect it, from the top of the tree
    units: list
    libraries: list

    def is_gtest(self):
        return "-lgtest_main" in self.libraries


@dataclasses.dataclass
class Test:
    label: str
    programs: list  # labels, the first of which runs unless there is a script
    script: str  # or ""
    arguments: list

    def name(self):
        return self.label.removeprefix("//tests/")


class Targets:
    def __init__(self, top, patterns):
        query = f"deps({' + '.join(patterns)}) intersect //..."
        done = subprocess.run(["./bazelw", "query", query, "--output=xml"], cwd=top,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"bazel query failed:\n{done.stderr}")
        self.rules = {}
        for rule in ElementTree.fromstring(done.stdout).iter("rule"):
            self.rules[rule.get("name")] = rule

    def tests(self, wanted):
        """Those whose labels `wanted` accepts."""
        return [self._test(label) for label, rule in sorted(self.rules.items())
                if rule.get("class") in ("cc_test", "sh_test") and wanted(label)]

    def program(self, label):
        closure = self._closure(label)
        units = []
        libraries = []
        defines = [d for dep in closure for d in self._list(dep, "defines")]
        for dep in closure:
            libraries += [o for o in self._list(dep, "linkopts") if "fuzzer" not in o]
            local = self._list(dep, "local_defines")
            # Defines come from what a target depends on.
            seen = [d for d in self._defines_of(dep) if d in defines]
            flags = [f"-D{d}" for d in dict.fromkeys(local + seen)]
            flags += [c for c in self._list(dep, "copts") if c.startswith(("-std", "-D"))]
            for source in self._sources(dep):
                if source.endswith(COMPILED):
                    units.append(Unit(source, tuple(flags)))
        return Program(label, label[2:].replace(":", "/"), list(dict.fromkeys(units)),
                       libraries)

    def _test(self, label):
        rule = self.rules[label]
        arguments = self._list(label, "args")
        if rule.get("class") == "cc_test":
            return Test(label, [label], "", arguments)
        programs = []
        expanded = []
        for argument in arguments:
            def place(match):
                named = self._absolute(match.group(1), label)
                if named in self.rules:
                    programs.append(named)
                return self._path(named)
            expanded.append(re.sub(r"\$\((?:rootpath|location) ([^)]+)\)", place, argument))
        return Test(label, programs, self._path(self._list(label, "srcs")[0]), expanded)

    def _absolute(self, label, near):
        package = near.split(":")[0]
        if label.startswith("//"):
            return label if ":" in label else f"{label}:{label.split('/')[-1]}"
        return f"{package}:{label.removeprefix(':')}"

    def _path(self, label):
        return label[2:].replace(":", "/").lstrip("/")

    def _sources(self, label):
        """Files, those of file groups among them."""
        files = []
        for source in self._list(label, "srcs"):
            if source in self.rules:
                files += self._sources(source)
            else:
                files.append(self._path(source))
        return files

    def _closure(self, label):
        order = []

        def visit(name):
            if name in order or name not in self.rules:
                return
            order.append(name)
            for dep in self._list(name, "deps"):
                visit(dep)
        visit(label)
        return order

    def _defines_of(self, label):
        return [d for dep in self._closure(label) for d in self._list(dep, "defines")]

    def _list(self, label, name):
        rule = self.rules.get(label)
        if rule is None:
            return []
        for element in rule.findall("list"):
            if element.get("name") == name:
                return [e.get("value") for e in element]
        return []


def copy_tree(top, to, but=()):
    """What Git knows of the checkout `but` some files, with the changes that are not committed."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=top,
                            check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, listed):
        source, target = os.path.join(top, name), os.path.join(to, name)
        if not os.path.isfile(source) or name in but:
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not _same(source, target):
            with open(source, "rb") as old, open(target, "wb") as new:
                new.write(old.read())
            os.chmod(target, os.stat(source).st_mode)


def _same(source, target):
    if not os.path.exists(target):
        return False
    with open(source, "rb") as a, open(target, "rb") as b:
        return a.read() == b.read()
