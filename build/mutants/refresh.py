#!/usr/bin/env python3
"""Makes patches anew that follow code which has moved within its file: build/mutants/refresh.py FOLDER...

Each patch in the folders is applied by itself to a copy of the sources, with as much fuzz as it takes,
and written again from what it did. Those that do not apply at all are named, and left as they are. Look
at what `git diff` says afterwards: a bug that has landed in another function is no longer that bug.
Exit code: 0 all are fresh, 1 some are to be written by hand.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]


def refresh(path):
    """Whether the patch applied."""
    text = path.read_text()
    files = re.findall(r"^\+\+\+ b/(.*)$", text, re.MULTILINE)
    with tempfile.TemporaryDirectory() as scratch:
        for side in ("a", "b"):
            for name in files:
                if not (TOP / name).exists():
                    return False
                copy = pathlib.Path(scratch, side, name)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(TOP / name, copy)
        done = subprocess.run(
            ["patch", "--batch", "--forward", "--fuzz=2", "--no-backup-if-mismatch", "-p1", "-d",
             f"{scratch}/b"], input=text, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            return False
        fresh = ""
        for name in files:
            made = subprocess.run(["diff", "-U2", "--label", f"a/{name}", "--label", f"b/{name}",
                                   f"a/{name}", f"b/{name}"],
                                  cwd=scratch, text=True, capture_output=True, check=False)
            fresh += made.stdout
        path.write_text(fresh)
    return True


def main(folders):
    if not folders or folders[0].startswith("-"):
        print(__doc__)
        return 0 if folders and folders[0] in ("-h", "--help") else 2
    patches = [p for folder in folders for p in sorted(pathlib.Path(folder).glob("*.patch"))]
    stale = [p for p in patches if not refresh(p)]
    for path in stale:
        print(f"{path}: does not apply; write it anew")
    print(f"{len(patches)} patches, {len(stale)} do not apply")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
