"""Buffers of ebcache as gdb prints them: states, references, descriptors, folios.

gdb loads this file by itself where it lies beside the library (libebcache.so.*-gdb.py) and the folder is on
its auto-load safe path; else by hand:

    (gdb) source ebcache-gdb.py
    (gdb) print block                    an ExtentBufferRef, an ExtentBuffer, or an ebcache_buffer* of C
    (gdb) ebcache-buffer ADDRESS         the descriptor at an address
    (gdb) ebcache-state WORD             what a state word says

The program must have its debug information (bazel's -g1 has no types: build with --copt=-g), but for
`ebcache-state`, which needs none.
"""

import gdb
import gdb.printing

# As BufferFlag has them; debugging/gdb_test.py holds the two together.
FLAGS = (
    "UPTODATE",
    "DIRTY",
    "WRITEBACK",
    "TREE_REF",
    "STALE",
    "UNMAPPED",
    "WRITE_ERR",
    "ZONED_ZEROOUT",
    "READING",
    "MIGRATING",
    "ACCESSED",
    "PARKED",
)
NO_FOLIO = 0xFFFFFFFF


def flag_names(flags):
    names = [name for bit, name in enumerate(FLAGS) if flags >> bit & 1]
    unknown = flags >> len(FLAGS) << len(FLAGS)
    if unknown:
        names.append(hex(unknown))
    return "|".join(names) or "none"


def state_text(refs, flags):
    return f"refs {refs} {flag_names(flags)}"


def word_text(word):
    return state_text(word & 0xFFFFFFFF, word >> 32)


def atomic(value):
    """What a std::atomic holds."""
    for field in value.type.strip_typedefs().fields():
        if field.is_base_class:
            return atomic(value[field])
        if field.name == "_M_i":
            return value[field]
    return value["_M_i"]


def fields_of(buffer):
    """The members of an ExtentBuffer, which are those of its base."""
    return buffer[buffer.type.strip_typedefs().fields()[0]]


def buffer_text(buffer):
    fields = fields_of(buffer)
    word = int(atomic(fields["state_"]))
    length = 1 << int(fields["length_shift_"])
    text = f"block {int(fields['start_'])}, {length} bytes, {word_text(word)}"
    mirror = int(fields["mirror_"])
    if mirror != 0:
        text += f", of mirror {mirror}"
    if word & 0xFFFFFFFF == 0:
        text += ", not in use"
    elif int(fields["front_bytes_"]) != length:
        text += f", in pieces of {int(fields['front_bytes_'])} bytes"
    return text


class StatePrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return state_text(int(self.value["refs"]), int(self.value["flags"]))


class BufferPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return buffer_text(self.value)

    def children(self):
        fields = fields_of(self.value)
        yield "front", fields["front_"]
        yield "folios", fields["folios_"]
        yield "cache", fields["cache_"]


class RefPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        pointer = self.value["buffer_"]
        if int(pointer) == 0:
            return "no reference"
        return f"reference to {buffer_text(pointer.dereference())}"


class CBufferPrinter:
    """A pointer that C code has, whose struct C knows nothing of."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        address = int(self.value)
        if address == 0:
            return "NULL"
        try:
            kind = gdb.lookup_type("ebcache::ExtentBuffer").pointer()
        except gdb.error:
            return f"{address:#x} (the library has no debug information)"
        return f"{address:#x}: {buffer_text(self.value.cast(kind).dereference())}"


class FolioPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        frame = int(self.value["pfn_"])
        return "no folio" if frame == NO_FOLIO else f"folio at frame {frame}"


class Printers(gdb.printing.PrettyPrinter):
    BY_NAME = {
        "ebcache::BufferState": StatePrinter,
        "ebcache::ExtentBuffer": BufferPrinter,
        "ebcache::ExtentBufferRef": RefPrinter,
        "ebcache::Folio": FolioPrinter,
    }

    def __init__(self):
        super().__init__("ebcache", [])

    def __call__(self, value):
        kind = value.type.unqualified()
        # By the name that C code uses: behind typedefs both are structs.
        if kind.strip_typedefs().code == gdb.TYPE_CODE_PTR:
            target = kind.strip_typedefs().target().unqualified().strip_typedefs()
            return CBufferPrinter(value) if target.tag == "ebcache_buffer" else None
        printer = self.BY_NAME.get(kind.strip_typedefs().unqualified().tag)
        return printer(value) if printer else None


class BufferCommand(gdb.Command):
    """ebcache-buffer ADDRESS: the descriptor there, as a buffer of ebcache."""

    def __init__(self):
        super().__init__("ebcache-buffer", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        kind = gdb.lookup_type("ebcache::ExtentBuffer").pointer()
        print(buffer_text(gdb.parse_and_eval(argument).cast(kind).dereference()))


class StateCommand(gdb.Command):
    """ebcache-state WORD: references and flags of a state word."""

    def __init__(self):
        super().__init__("ebcache-state", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        print(word_text(int(gdb.parse_and_eval(argument))))


gdb.printing.register_pretty_printer(gdb.current_objfile(), Printers(), replace=True)
BufferCommand()
StateCommand()
