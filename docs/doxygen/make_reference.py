"""Makes the reference of the public headers with Doxygen; any warning of it is an error.

    ./bazelw run //docs:reference -- --output=DIR
"""

import argparse
import os
import re
import subprocess
import sys

CONFIGURATION = "docs/doxygen/Doxyfile"

# What says by its name what it is, and has a comment only where that is not enough: fields and
# constants, accessors, constructors, operators, and what the language wants of an iterator.
NAMED_AFTER_ITSELF = re.compile(
    r": Member (?:"
    r".* \((?:variable|friend|typedef)\) of .*"
    r"|\w+\(\)(?: const)?(?: override)?(?: =0)? \(function\) of .*"
    r"|(\w+)\(.* \(function\) of \w+ (?:\S*::)?\1"
    r"|operator.* \(function\) of .*"
    r"|.* of class \S*::Iterator"
    r") is not documented\.$"
)


def warnings_of(text):
    """The warnings that count, each once."""
    lines = [line for line in text.splitlines() if line and not NAMED_AFTER_ITSELF.search(line)]
    return list(dict.fromkeys(lines))


def make_reference(output, include="include"):
    """Writes the pages to OUTPUT/html; what is wrong with the headers' comments."""
    with open(CONFIGURATION, encoding="utf-8") as file:
        configuration = file.read()
    # Later lines win.
    configuration += f'OUTPUT_DIRECTORY = "{output}"\nINPUT = "{include}/ebcache"\n'
    os.makedirs(output, exist_ok=True)
    done = subprocess.run(
        ["doxygen", "-"],
        input=configuration,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    warnings = warnings_of(done.stdout)
    if done.returncode != 0 and not warnings:
        return [f"doxygen ended with {done.returncode}"]
    return warnings


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", required=True, metavar="DIR", help="where the pages go")
    arguments = parser.parse_args()
    # `bazel run` starts programs in a directory of its own.
    caller = os.environ.get("BUILD_WORKING_DIRECTORY", os.getcwd())
    output = os.path.join(caller, arguments.output)
    warnings = make_reference(output)
    if warnings:
        print("\n".join(warnings), file=sys.stderr)
        return 1
    print(os.path.join(output, "html", "index.html"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
