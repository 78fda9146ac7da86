"""How long the files and the functions of C and C++ sources are, as clang-format lays them out."""

import re

# What is no code: comments, raw strings, strings and characters. A quote between digits is part of a
# number.
NO_CODE = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<end>\w*)\(.*?\)(?P=end)"|"(?:\\.|[^"\\\n])*"|'
    r"(?<!\d)'(?:\\.|[^'\\\n])+'",
    re.S,
)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
# Scopes that have functions in them.
HOUSES = re.compile(r'(?:^|[>;\s])(?:namespace|class|struct|union|enum|extern "")(?:\b|(?<="))[^()=]*$')
# What stands in front of the first function of a class.
LABELS = re.compile(r"(?:\s*(?:public|private|protected):)*\s*")
ATTRIBUTE = re.compile(r"\b(?:alignas|__attribute__|EBCACHE_[A-Z_]+)\((?:[^()]|\([^()]*\))*\)+")


def bare(text):
    """The code alone, with as many lines."""

    def blank(match):
        return ("\"\"" if match.group(0)[0] in "\"R" else "") + "\n" * match.group(0).count("\n")

    text = NO_CODE.sub(blank, text)
    return DIRECTIVE.sub(lambda match: "\n" * match.group(0).count("\n"), text)


def functions(text):
    """(name, first line, lines) of each function that has a body, those of classes among them. What
    is inside of a function is part of it. Lines are counted from where the name of the function
    begins to the last brace."""
    code = bare(text)
    found = []
    houses = 0  # scopes open that are no function
    inside = 0  # braces open in the function
    values = 0  # braces open of values outside of functions
    head_at = 0  # where what stands before the next brace begins
    for match in re.finditer(r"[{};]", code):
        at = match.start()
        brace = match.group(0)
        if brace == ";":
            if not inside and not values:
                head_at = at + 1
            continue
        if brace == "}":
            if values:
                values -= 1
                continue
            if inside:
                inside -= 1
                if inside == 0:
                    last = code.count("\n", 0, at) + 1
                    found.append((name, first, last - first + 1))
            else:
                houses -= 1
            if not inside:
                head_at = at + 1
            continue
        if inside:
            inside += 1
            continue
        head = ATTRIBUTE.sub("", code[head_at:at])
        # Values stand behind a sign or close to what they are of: `= {`, `({`, `member_{`.
        if values or not head.strip() or not head[-1].isspace() or head.rstrip()[-1] in "=(,{":
            values += 1
        elif HOUSES.search(head):
            houses += 1
            head_at = at + 1
        else:
            inside = 1
            begin = head_at + LABELS.match(code[head_at:at]).end()
            first = code.count("\n", 0, begin) + 1
            words = re.search(r"([~\w:]+(?:\([^()]*\))?|operator\W+)\s*\(", code[begin:at])
            name = words.group(1) if words else code[begin:at].split("\n")[0].strip()
            if name in ("TEST", "TEST_F", "TEST_P", "TYPED_TEST", "RC_GTEST_PROP"):
                name = re.sub(r"\s+", " ", code[begin:at].strip())
    return found
