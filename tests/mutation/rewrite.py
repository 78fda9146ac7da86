"""Puts mutants into a source, each behind a switch that is asked at run time.

One build then holds all mutants (mutant schemata), and EBCACHE_MUTANT chooses (switch.h). The
changed text holds the original of everything around it, since one mutant at a time is active; the
original's side holds the switches of the places inside it.
"""

import dataclasses

from mutant import CONDITION, EXPRESSION, REMOVAL, STATEMENT

SWITCH = "EBCACHE_MUTANT"
# Of places with the same text, the outer ones come first.
LAYERS = (REMOVAL, STATEMENT, CONDITION, EXPRESSION)


@dataclasses.dataclass
class Rewritten:
    text: str
    # The mutant of each line that has a switch.
    line_owners: dict

    def owner(self, line):
        """The mutant behind what a compiler says about `line`: the nearest switch before it."""
        before = [number for number in self.line_owners if number <= line]
        return self.line_owners[max(before)] if before else None


def rewrite(text, mutants):
    """`text` with a switch for each of `mutants`, all of which are places in it."""
    sites = {}
    for mutant in mutants:
        sites.setdefault((mutant.begin, -mutant.end, LAYERS.index(mutant.form)), []).append(mutant)
    order = sorted(sites)
    body, rest = _render(text, 0, len(text), [sites[key] for key in order])
    assert not rest
    owners = {}
    lines = body.split("\n")
    for number, line in enumerate(lines, start=1):
        if SWITCH + "(" in line:
            owners[number] = int(line.split(SWITCH + "(")[1].split(")")[0])
    return Rewritten(body, owners)


def _render(text, begin, end, sites):
    """[begin, end) of `text` with the switches of the first of `sites`; and the sites behind it."""
    pieces = []
    at = begin
    while sites and sites[0][0].begin < end and sites[0][0].end <= end:
        site, sites = sites[0], sites[1:]
        first = site[0]
        assert first.begin >= at, f"places overlap: {first.describe()}"
        pieces.append(text[at:first.begin])
        inner, sites = _render(text, first.begin, first.end, sites)
        pieces.append(_guard(site, inner))
        at = first.end
    pieces.append(text[at:end])
    return "".join(pieces), sites


def _guard(site, inner):
    form = site[0].form
    # Each switch on a line of its own, so that an error's line names its mutant.
    if form == REMOVAL:
        tests = "".join(f"\nif (!{SWITCH}({m.number}))\n" for m in site)
        return "{" + tests + "{ " + inner + " } }"
    if form == STATEMENT:
        return "{" + "".join(f"\nif ({SWITCH}({m.number})) {m.new}\n"
                             for m in site) + inner + " }"
    if form == CONDITION:
        inner = f"static_cast<bool>({inner})"
    return "(" + "".join(f"\n{SWITCH}({m.number}) ? ({m.new}) :\n"
                         for m in site) + f"({inner}))"
