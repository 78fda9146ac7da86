"""What is changed: the kinds of mutants, and what each makes of a piece of text.

Every function takes text and returns the texts that may stand in its place. Which places there are
is places.py's business.
"""

import re

# Infix operators, and what each may turn into.
COMPARISONS = {
    "<": ["<=", ">="],
    "<=": ["<", ">"],
    ">": [">=", "<="],
    ">=": [">", "<"],
    "==": ["!="],
    "!=": ["=="],
}
ARITHMETIC = {"+": ["-"], "-": ["+"], "*": ["+"], "/": ["*"], "%": ["/"]}
BITS = {"&": ["|"], "|": ["&"], "^": ["|"], "<<": [">>"], ">>": ["<<"]}
LOGIC = {"&&": ["||"], "||": ["&&"]}
ASSIGNMENTS = {
    "+=": ["-="],
    "-=": ["+="],
    "*=": ["/="],
    "/=": ["*="],
    "%=": ["/="],
    "&=": ["|="],
    "|=": ["&="],
    "^=": ["|="],
    "<<=": [">>="],
    ">>=": ["<<="],
}
NAMES = {}
for _name, _table in (("comparison", COMPARISONS), ("arithmetic", ARITHMETIC), ("bits", BITS),
                      ("logic", LOGIC), ("assignment", ASSIGNMENTS)):
    for _sign, _others in _table.items():
        NAMES[_sign] = (_name, _others)
# Those that classes define too; of the rest only the built-in ones are changed.
OVERLOADED = set(COMPARISONS)

INTEGER = re.compile(r"(0[xX][0-9a-fA-F']+|0[bB][01']+|[0-9][0-9']*)([uUlLzZ]*)$")


def integers(text):
    """What may stand for an integer literal."""
    match = INTEGER.match(text)
    if not match:
        return []  # a literal with a suffix of its own
    digits, suffix = match.groups()
    value = int(digits.replace("'", ""), 0 if digits[:2].lower() in ("0x", "0b") else 10)
    others = [value + 1]
    if value > 1:
        others.append(0)
    return [f"{other}{suffix}" for other in others]


def booleans(text):
    return {"true": ["false"], "false": ["true"]}.get(text, [])


def is_negated(text):
    return text.startswith("!") and not text.startswith("!=")
