"""The list of mutants that no test can kill, since they change nothing that was promised.

A JSON list of objects: file, function, operator, old, new, occurrence (0 if absent), and why.
"""

import json

from mutant import flat, short


def load(path):
    with open(path, encoding="utf-8") as file:
        entries = json.load(file)
    table = {}
    for entry in entries:
        if not entry.get("why", "").strip():
            raise ValueError(f"{path}: no reason given for {entry}")
        key = (short(entry["file"]), entry["function"], entry["operator"], flat(entry["old"]),
               flat(entry["new"]), entry.get("occurrence", 0))
        if key in table:
            raise ValueError(f"{path}: twice: {entry}")
        table[key] = entry["why"]
    return table


def stale(table, places, files):
    """Entries about `files` that no place of the sources has any more."""
    there = {place.key() for place in places}
    names = {short(file) for file in files}
    return [key for key in table if key[0] in names and key not in there]
