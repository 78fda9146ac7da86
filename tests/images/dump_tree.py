"""What `btrfs inspect-internal dump-tree` says of an image: the measure for tree-stats."""

import dataclasses
import re

from make_images import run_tool

TREE_IDS = {
    "ROOT_TREE": 1,
    "EXTENT_TREE": 2,
    "CHUNK_TREE": 3,
    "DEV_TREE": 4,
    "FS_TREE": 5,
    "CSUM_TREE": 7,
    "QUOTA_TREE": 8,
    "UUID_TREE": 9,
    "FREE_SPACE_TREE": 10,
    "BLOCK_GROUP_TREE": 11,
    "TREE_LOG": 2**64 - 6,
    "TREE_RELOC": 2**64 - 8,
    "DATA_RELOC_TREE": 2**64 - 9,
}
LOG_TREE_ID = TREE_IDS["TREE_LOG"]

# Each block has two lines that begin like this; only the first has the number of items.
_NODE = re.compile(r"^node (\d+) level (\d+) items \d+ ")
_LEAF = re.compile(r"^leaf (\d+) items \d+ ")
_ITEM = re.compile(r"^\titem \d+ key ")
_TREE = re.compile(r"^(?:.* tree key \((\S+) ROOT_ITEM (\d+)\)|(root|chunk|log root) tree)\s*$")


@dataclasses.dataclass
class Tree:
    """Counts of one tree, and where its blocks are."""

    levels: list = dataclasses.field(default_factory=lambda: [0])  # blocks on each, leaves first
    items: int = 0
    blocks: list = dataclasses.field(default_factory=list)  # of (logical, level)

    def add_block(self, logical, level):
        self.levels += [0] * (level + 1 - len(self.levels))
        self.levels[level] += 1
        self.blocks.append((logical, level))

    def leaves(self):
        return [logical for logical, level in self.blocks if level == 0]

    def nodes(self):
        return [logical for logical, level in self.blocks if level > 0]


def _tree_key(match):
    """(id, offset of the root item where that tells trees apart, else 0)."""
    name, offset, special = match.groups()
    if special is not None:
        return {"root": (1, 0), "chunk": (3, 0), "log root": (LOG_TREE_ID, 0)}[special]
    tree_id = TREE_IDS.get(name)
    if tree_id is None:
        tree_id = int(name)
    return (tree_id, int(offset) if name in ("TREE_LOG", "TREE_RELOC") else 0)


def parse(text):
    """{(id, offset): Tree} of a dump."""
    trees = {}
    tree = None
    for line in text.splitlines():
        if line.startswith("\t"):
            if _ITEM.match(line):
                tree.items += 1
        elif match := _LEAF.match(line):
            tree.add_block(int(match.group(1)), 0)
        elif match := _NODE.match(line):
            tree.add_block(int(match.group(1)), int(match.group(2)))
        elif match := _TREE.match(line):
            tree = trees.setdefault(_tree_key(match), Tree())
    return trees


def dump(devices, *arguments):
    return run_tool("btrfs", "inspect-internal", "dump-tree", "--noscan", *arguments, *devices)


def all_trees(devices):
    """{(id, offset): Tree} of everything in a filesystem."""
    return parse(dump(devices))


def one_tree(devices, tree_id):
    """The tree that `-t ID` prints."""
    trees = parse(dump(devices, "-t", tree_id))
    assert len(trees) == 1, trees.keys()
    return next(iter(trees.values()))


@dataclasses.dataclass
class Chunk:
    start: int
    length: int
    type: str  # "METADATA|DUP"
    stripes: list  # of (devid, offset)


def chunks(devices):
    """The chunks of a filesystem, in order."""
    found = []
    for line in dump(devices, "-t", 3).splitlines():
        words = line.split()
        if match := re.search(r"CHUNK_ITEM (\d+)\)", line):
            found.append(Chunk(int(match.group(1)), 0, "", []))
        elif words[:1] == ["length"]:
            found[-1].length = int(words[1])
            found[-1].type = words[-1]
        elif words[:1] == ["stripe"]:
            found[-1].stripes.append((int(words[3]), int(words[5])))
    return found


def copies(devices, logical):
    """Where the copies of a block are: [(devid, physical)] in order of mirrors.

    REQUIRES: a profile in which every stripe is a whole copy.
    """
    for chunk in chunks(devices):
        if chunk.start <= logical < chunk.start + chunk.length:
            assert "RAID0" not in chunk.type and "RAID10" not in chunk.type, chunk
            return [(devid, offset + logical - chunk.start) for devid, offset in chunk.stripes]
    raise AssertionError(f"no chunk has {logical}")
