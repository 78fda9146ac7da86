"""The rooms of lib/ and the arrows between them: as the architecture page has them, as the build
files have them, and as includes have them."""

import pathlib
import re

# Seen by all rooms, whatever the arrows.
LIBRARIES = "//build/libs:"
INCLUDE = re.compile(r'^\s*#\s*include\s+"((?:lib|ebcache)/[^"]+)"', re.M)


def table(page):
    """What each room may use by itself: the table of the architecture page."""
    rooms = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 3 and re.fullmatch(r"`[a-z]+`", cells[0]):
            rooms[cells[0].strip("`")] = set(re.findall(r"`([a-z]+)`", cells[2]))
    return rooms


def below(rooms, room):
    """All that a room may use, by way of others as well, and itself."""
    seen = {room}
    todo = [room]
    while todo:
        for other in rooms[todo.pop()]:
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


class Glob(list):
    """What glob() gives, which is not looked at here."""

    def __add__(self, other):
        return Glob(list(self) + list(other))


def targets(build_file):
    """The cc_library rules of a build file, by name. Build files are Python as far as ours go."""
    found = {}

    def cc_library(**attributes):
        found[attributes["name"]] = attributes

    names = {
        "cc_library": cc_library,
        "filegroup": lambda **_: None,
        "glob": lambda *_, **__: Glob(),
        "load": lambda *_: None,
        "package": lambda **_: None,
        "select": lambda _: Glob(),
    }
    exec(compile(build_file, "BUILD.bazel", "exec"), names)  # pylint: disable=exec-used
    return found


def room_of(label):
    """`fs` of //lib/fs, //lib/fs:fs, //lib/fs:__pkg__ and //include/ebcache:fs; else None."""
    inside = re.fullmatch(r"//lib/([a-z]+)(:\w+)?", label)
    if inside:
        return inside.group(1)
    header = re.fullmatch(r"//include/ebcache:([a-z]+)", label)
    return header.group(1) if header else None


class House:
    """A checkout, as far as this is about."""

    def __init__(self, top):
        self.top = pathlib.Path(top)
        page = (self.top / "docs/architecture.md").read_text(encoding="utf-8")
        self.rooms = table(page)
        build = (self.top / "include/ebcache/BUILD.bazel").read_text(encoding="utf-8")
        self.headers = targets(build)
        self.room_of_header = {}
        for name, attributes in self.headers.items():
            for header in attributes["hdrs"]:
                room = "capi" if name == "c_header" else name
                if header != "version.h":  # which C has as well
                    self.room_of_header.setdefault(header, []).append(room)
        self.room_of_header["version.h"] = ["base"]
        self.libraries = {
            room: targets((self.top / f"lib/{room}/BUILD.bazel").read_text(encoding="utf-8"))[room]
            for room in self.rooms
        }

    def sources(self):
        """(room, path, text) of every source of the rooms and of every public header."""
        for room in self.rooms:
            for path in sorted((self.top / "lib" / room).rglob("*")):
                if path.suffix in (".h", ".cc"):
                    yield room, path.relative_to(self.top), path.read_text(encoding="utf-8")
        for header, owners in self.room_of_header.items():
            path = self.top / "include/ebcache" / header
            yield owners[0], path.relative_to(self.top), path.read_text(encoding="utf-8")

    def room_of_include(self, name):
        """The room that an include by that name comes from; None where there is none."""
        if name.startswith("lib/"):
            return name.split("/")[1]
        owners = self.room_of_header.get(name.removeprefix("ebcache/"))
        return owners[0] if owners else None

    def wrong_includes(self, room, text):
        """The includes of a source of that room which are against the arrows."""
        allowed = below(self.rooms, room)
        return [
            name for name in INCLUDE.findall(text) if self.room_of_include(name) not in allowed
        ]

    def wrong_dependencies(self, room, attributes):
        """The dependencies of a target of that room which are against the arrows."""
        allowed = below(self.rooms, room)
        if room == "capi":
            allowed = allowed | {"c_header"}
        return [
            label
            for label in attributes.get("deps", [])
            if not label.startswith(LIBRARIES)
            and room_of(label) not in allowed
            and not (room == "capi" and label == "//include/ebcache:c_header")
            and not (label.startswith(":") and label[1:] in allowed)
        ]

    def wrong_visibility(self, room, attributes):
        """The rooms that see a target of that room and are not to."""
        return [
            label
            for label in attributes["visibility"]
            if label.startswith("//lib/")
            and room not in below(self.rooms, label.removeprefix("//lib/").split(":")[0])
        ]
