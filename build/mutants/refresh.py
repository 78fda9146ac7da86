#!/usr/bin/env python3
"""Makes patches anew that follow code which has moved within its file: build/mutants/refresh.py FOLDER...

Each patch in the folders is applied by itself to a copy of the sources, with as much fuzz as it takes,
and written again from what it did. Those that do not apply, or whose change has landed in another function
than the patch names behind its @@, are named, and left as they are: such a bug is no longer that bug.
Exit code: 0 all are fresh, 1 some are to be written by hand.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]


# A line that a function, a class or a macro with a body begins with.
FUNCTION = r"^[A-Za-z_].*[({]"


def places(patch):
    """What each hunk says of where it is, behind its numbers; nothing, in a patch of before it did."""
    return re.findall(r"^@@ [^@]* @@ ?(.*)$", patch, re.MULTILINE)


def refresh(path):
    """What stands in the way of the patch; None: it is fresh now."""
    text = path.read_text()
    files = re.findall(r"^\+\+\+ b/(.*)$", text, re.MULTILINE)
    with tempfile.TemporaryDirectory() as scratch:
        for side in ("a", "b"):
            for name in files:
                if not (TOP / name).exists():
                    return f"there is no {name}"
                copy = pathlib.Path(scratch, side, name)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(TOP / name, copy)
        done = subprocess.run(
            ["patch", "--batch", "--forward", "--fuzz=2", "--no-backup-if-mismatch", "-p1", "-d",
             f"{scratch}/b"], input=text, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            return "does not apply"
        fresh = ""
        for name in files:
            made = subprocess.run(["diff", "-U2", "-F", FUNCTION, "--label", f"a/{name}", "--label", f"b/{name}",
                                   f"a/{name}", f"b/{name}"],
                                  cwd=scratch, text=True, capture_output=True, check=False)
            fresh += made.stdout
    for before, after in zip(places(text), places(fresh)):
        if before and before != after:
            return f"was in `{before}`, and would be in `{after}`"
    if len(places(text)) != len(places(fresh)):
        return "is in other hunks now"
    path.write_text(fresh)
    return None


def main(folders):
    if not folders or folders[0].startswith("-"):
        print(__doc__)
        return 0 if folders and folders[0] in ("-h", "--help") else 2
    patches = [p for folder in folders for p in sorted(pathlib.Path(folder).glob("*.patch"))]
    stale = 0
    for path in patches:
        if (why := refresh(path)) is not None:
            print(f"{path}: {why}; write it anew")
            stale += 1
    print(f"{len(patches)} patches, {stale} to be written by hand")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
