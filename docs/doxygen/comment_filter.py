"""Shows Doxygen the comments of a header: prints it with its plain // comments as Doxygen wants them.

A comment right above a declaration belongs to it; above a function also to the functions that follow
without a blank line in between. A comment behind a field or an enumerator belongs to that. The comment at the top is the file's,
and that of the class that it begins with. Lines stay where they are, so that warnings have the numbers
of the header itself.
"""

import itertools
import re
import sys

DIVIDER = re.compile(r"^\s*// ---- (.*?)\s*-*$")
COMMENT = re.compile(r"^(\s*)// ?(.*)$")
TRAILING = re.compile(r"^(\s*[^\s/#}].*?[\w,;)}\]])\s+// ?(.*)$")
# What is never looked up: destructors, and what is as the language makes it.
UNINTERESTING = re.compile(r"^\s*(virtual )?~|= (delete|default);$")
NO_DECLARATION = re.compile(r"^\s*([}#]|public:|private:|protected:|friend |template |static_assert)")


class Filter:
    def __init__(self, top):
        # The first paragraph at the top, and what it is about: "BufferCache: extent buffers by ..."
        self.about = " ".join(itertools.takewhile(str.strip, top))
        self.subject = re.match(r"\w*", self.about).group()
        self.output = []
        self.comment = []  # of the block being read
        self.comment_at = 0  # its first line, in output
        self.shared = None  # (indentation, text) of the comment that covers what comes next
        self.complete = True  # whether the last declaration has ended
        self.trailing_at = None  # column of the comment behind the last line

    def line(self, line):
        if not line.strip():
            self.blank()
        elif (match := COMMENT.match(line)) and not DIVIDER.match(line):
            self.comment_line(line, *match.groups())
        else:
            self.code(line)

    def blank(self):
        self.comment, self.shared, self.trailing_at = [], None, None
        self.complete = True
        self.output.append("")

    def comment_line(self, line, indentation, text):
        if self.trailing_at == len(indentation):  # goes on with the one behind the line before
            self.output.append(f"{indentation}///< {text.strip()}")
            return
        if not self.comment:
            self.comment_at = len(self.output)
        self.comment.append(text)
        self.output.append(line)

    def code(self, line):
        indentation = len(line) - len(line.lstrip())
        if UNINTERESTING.search(line):
            self.output.append("")
            self.comment = []
            return
        if self.comment:
            for i, text in enumerate(self.comment):
                at = self.comment_at + i
                blank = self.output[at][: self.output[at].index("//")]
                self.output[at] = f"{blank}/// {text}"
            self.shared = (indentation, " ".join(self.comment)) if "(" in line else None
            self.comment = []
        elif self.begins_declaration(line, indentation):
            line = f"/** {self.shared[1]} */ {line}"
        elif self.subject and re.match(rf"(class|struct) {self.subject}\b[^;]*$", line):
            line = f"/** {self.about} */ {line}"
        if match := TRAILING.match(line):
            self.trailing_at = line.index("//", len(match.group(1)))
            line = f"{match.group(1)} ///< {match.group(2)}"
        else:
            self.trailing_at = None
        self.complete = line.split("///<")[0].rstrip()[-1:] in (";", "}")
        self.output.append(line)

    def begins_declaration(self, line, indentation):
        return (
            self.shared is not None
            and self.complete
            and indentation == self.shared[0]
            and not NO_DECLARATION.match(line)
            and "(" in line.split("=")[0]
        )


def without_c_comments(lines):
    """The same lines, with /* comments */ that end a line as // comments."""
    inside = False
    for line in lines:
        if inside:
            text = re.sub(r"^\s*\*(?!/) ?", "", line)
            inside = "*/" not in text
            yield "// " + text.replace("*/", "").strip()
        elif match := re.match(r"^(.*?)/\*+ ?(.*)$", line):
            before, text = match.groups()
            inside = "*/" not in text
            if not inside and text.split("*/", 1)[1].strip():
                yield line  # something follows: a parameter's name, say
            else:
                yield before + "// " + text.replace("*/", "").strip()
        else:
            yield line


def filtered(lines):
    """The lines as Doxygen is to see them."""
    lines = list(without_c_comments(lines))
    top = [match.group(2) for match in map(COMMENT.match, itertools.takewhile(COMMENT.match, lines))]
    result = Filter(top)
    for line in lines[len(top) :]:
        result.line(line)
    # On one line with the first, so that the numbers of the others stay.
    head = [f"/// {text}" for text in top]
    if head:
        head[0] = f"/** \\file */ {head[0]}"
    return head + result.output


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        print("\n".join(filtered(file.read().splitlines())))


if __name__ == "__main__":
    main()
