"""A mutant: one small change of one place in the sources."""

import dataclasses
import json

# How a mutant is put beside the original in the source (rewrite.py).
EXPRESSION = "expression"  # SWITCH ? (changed) : (original)
CONDITION = "condition"  # the same, for what is asked by if, while, for and ?:
STATEMENT = "statement"  # if (SWITCH) changed; original
REMOVAL = "removal"  # if (!SWITCH) original


@dataclasses.dataclass
class Mutant:
    file: str  # from the top of the tree
    function: str
    operator: str  # the kind of change: operators.py
    form: str
    begin: int  # bytes of the file, [begin, end)
    end: int
    old: str
    new: str
    line: int
    # Which of the places in this function that read the same, from 0.
    occurrence: int = 0
    number: int = -1  # of the run, for the switch
    rule: str = ""  # by which it is left out (places.py)

    def key(self):
        """What stays the same when lines shift: names the mutant in the list of explained ones."""
        return (short(self.file), self.function, self.operator, flat(self.old), flat(self.new),
                self.occurrence)

    def describe(self):
        return (f"{self.file}:{self.line} in {self.function}: {self.operator}: "
                f"`{flat(self.old)}` -> `{flat(self.new)}`")


# Rooms that were part of another when the order of the draws was fixed, and files of lib/base: a
# division of rooms changes no draw.
WERE_PART_OF = {"format": "disk", "device": "disk", "volume": "disk", "tree": "btree",
                "fs": "btree"}
FILES_OF_BASE = {"messages.h": "disk", "status_number.cc": "cache", "status_number.h": "cache"}


def short(file):
    """Of a path the room and the file, whatever the directories between them are."""
    parts = file.split("/")
    room = parts[1] if len(parts) > 2 else parts[0]
    if room == "base":
        room = FILES_OF_BASE.get(parts[-1], "mm")
    return f"{WERE_PART_OF.get(room, room)}/{parts[-1]}"


def flat(text):
    """Without what formatting changes."""
    return " ".join(text.split())


def count_occurrences(mutants):
    """Numbers those whose keys would be the same, in the order of the file."""
    seen = {}
    for mutant in sorted(mutants, key=lambda m: (m.file, m.begin, m.end)):
        mutant.occurrence = 0
        key = mutant.key()
        mutant.occurrence = seen.get(key, 0)
        seen[key] = mutant.occurrence + 1


def save(path, mutants):
    with open(path, "w", encoding="utf-8") as file:
        json.dump([dataclasses.asdict(m) for m in mutants], file, indent=1)


def load(path):
    with open(path, encoding="utf-8") as file:
        return [Mutant(**fields) for fields in json.load(file)]
