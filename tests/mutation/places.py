"""Finds the places of a source that can be changed, in clang's syntax tree.

Left out, by a rule that each of those mutants names, is what no test can tell from the original, or
what no run reaches: docs/mutation.md has the rules and their reasons.
"""

import os
import re
import subprocess
import sys

import operators
from mutant import CONDITION, EXPRESSION, REMOVAL, STATEMENT, Mutant, count_occurrences

# Debian's bindings belong to Debian's Python, which need not be the one that runs this.
sys.path.append("/usr/lib/python3/dist-packages")
import clang.cindex  # noqa: E402
from clang.cindex import CursorKind as K  # noqa: E402
from clang.cindex import TypeKind  # noqa: E402

FUNCTIONS = {K.FUNCTION_DECL, K.CXX_METHOD, K.CONSTRUCTOR, K.DESTRUCTOR, K.FUNCTION_TEMPLATE,
             K.CONVERSION_FUNCTION}
LOOPS = {K.WHILE_STMT, K.FOR_STMT, K.DO_STMT, K.CXX_FOR_RANGE_STMT}
BODIES = {K.COMPOUND_STMT, K.CASE_STMT, K.DEFAULT_STMT}
UNCHANGED = {K.STATIC_ASSERT, K.ENUM_CONSTANT_DECL, K.PARM_DECL, K.CXX_UNARY_EXPR,
             K.TEMPLATE_NON_TYPE_PARAMETER, K.TEMPLATE_TYPE_PARAMETER, K.ALIGNED_ATTR}
# The rules.
EVALUATED = "evaluated by the compiler"
MACRO_ARGUMENT = "arguments of macros"
HINT = "hints and speed"
ORDER = "memory orders"
WORDS = "words of messages"
EITHER_WAY = "min and max"
SPREAD = "constants of hash mixes"

# Calls whose absence is not to be seen in what a program does, or only by the address sanitizer.
INVISIBLE = ("reserve(", "yield()", "Pause(", "__builtin_prefetch(", "shrink_to_fit(", "Prefetch",
             "PoisonPages(", "UnpoisonPages(", "ZeroUpperHalves(")
# Functions that do nothing else.
HINTS = ("ExpectCopy",)
# Calls of which not even the arguments can be told.
UNSEEN = ("__builtin_prefetch", "reserve")
COMMUTE = ("min", "max")
# Functions that spread keys over a table. That they do is tested; one constant does it as another.
MIXES = ("ghost_table.cc: Hash", "window_pool.h: WindowPool::HashOf")
CHECK = "EBCACHE_CHECK("
MACRO = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]*\(")
PARENTHESIS = re.compile(r'"(?:[^"\\]|\\.)*"|[()]')


def arguments(top):
    resources = subprocess.run(["clang", "-print-resource-dir"], check=True, text=True,
                               capture_output=True).stdout.strip()
    return ["-x", "c++", "-std=c++20", "-D_GNU_SOURCE", f"-I{top}", f"-I{top}/include",
            "-resource-dir", resources]


def find(top, file):
    """All mutants of `file` (a path inside the tree `top`)."""
    return Finder(top, file).mutants()


class Finder:
    def __init__(self, top, file):
        self.file = file
        self.path = f"{top}/{file}"
        with open(self.path, encoding="latin-1") as source:  # a character a byte
            self.text = source.read()
        self.found = []
        self.rule = ""  # by which the place that is visited is left out
        self.unit = clang.cindex.Index.create().parse(self.path, args=arguments(top))
        errors = [d for d in self.unit.diagnostics if d.severity >= clang.cindex.Diagnostic.Error]
        if errors:
            raise RuntimeError(f"{file} does not parse: {errors[0]}")
        # By the look of them: clang's own record of macros takes longer than all the rest.
        self.macros = [self._call(match) for match in MACRO.finditer(self.text)]
        self.checks = [(b, e) for b, e in self.macros if self.text.startswith(CHECK, b)]

    def _call(self, match):
        """From the macro's name to the parenthesis that ends its arguments."""
        depth = 0
        for part in PARENTHESIS.finditer(self.text, match.end() - 1):
            depth += {"(": 1, ")": -1}.get(part.group(), 0)
            if depth == 0:
                return match.start(), part.end()
        raise RuntimeError(f"{self.file}: {match.group()} has no end")

    def mutants(self):
        for cursor in self.unit.cursor.get_children():
            if cursor.location.file is not None and cursor.location.file.name == self.path:
                self._visit(cursor, None, "")
        unique = {}
        for mutant in sorted(self.found, key=lambda m: m.rule == ""):  # one by no rule comes last
            unique[mutant.begin, mutant.end, mutant.form, mutant.new] = mutant
        result = list(unique.values())
        count_occurrences([m for m in result if not m.rule])
        return sorted(result, key=lambda m: (m.begin, m.end, m.operator, m.new))

    # ---- The walk -------------------------------------------------------------------------------

    def _visit(self, cursor, parent, function):
        outer = self.rule
        self.rule = outer or self._rule_of(cursor)
        self._walk(cursor, parent, function)
        self.rule = outer

    def _rule_of(self, cursor):
        """By which the cursor and all below it is left out."""
        if cursor.kind in UNCHANGED or (cursor.is_definition() and self._is_constexpr(cursor)):
            return EVALUATED
        if cursor.spelling in UNSEEN or (cursor.kind in FUNCTIONS and cursor.spelling in HINTS):
            return HINT
        return ""

    def _walk(self, cursor, parent, function):
        kind = cursor.kind
        if kind in FUNCTIONS:
            owner = cursor.semantic_parent
            scope = owner.spelling + "::" if owner and owner.kind in (
                K.CLASS_DECL, K.STRUCT_DECL, K.CLASS_TEMPLATE) else ""
            function = scope + cursor.spelling
        children = self._children(cursor)
        if function:
            self._expressions(cursor, children, function)
            self._statements(cursor, children, function)
        for child in children:
            self._visit(child, cursor, function)

    def _is_constexpr(self, cursor):
        if cursor.kind != K.VAR_DECL:
            return False
        return "constexpr" in self.text[cursor.extent.start.offset:cursor.location.offset].split()

    def _children(self, cursor):
        """Those that run: no template arguments, no conditions of `if constexpr`."""
        children = list(cursor.get_children())
        if cursor.kind in (K.VAR_DECL, K.FIELD_DECL):
            if cursor.kind == K.FIELD_DECL and cursor.is_bitfield():
                return []
            return [c for c in children if c.extent.start.offset > cursor.location.offset]
        if cursor.kind in (K.DECL_REF_EXPR, K.TYPE_REF, K.TEMPLATE_REF):
            return []
        if cursor.kind == K.MEMBER_REF_EXPR:
            return [c for c in children if c.extent.start.offset < cursor.location.offset]
        if cursor.kind == K.IF_STMT and self._text(cursor).split("(")[0].split() == ["if",
                                                                                   "constexpr"]:
            return children[1:]
        if cursor.kind == K.CASE_STMT:
            return children[1:]
        return children

    # ---- Expressions ----------------------------------------------------------------------------

    def _expressions(self, cursor, children, function):
        kind = cursor.kind
        if kind == K.INTEGER_LITERAL:
            self._add(cursor, function, "constant", EXPRESSION,
                      operators.integers(self._text(cursor)))
        elif kind == K.CXX_BOOL_LITERAL_EXPR:
            self._add(cursor, function, "constant", EXPRESSION,
                      operators.booleans(self._text(cursor)))
        elif kind in (K.BINARY_OPERATOR, K.COMPOUND_ASSIGNMENT_OPERATOR):
            self._infix(cursor, children, function, overloaded=False)
        elif kind == K.UNARY_OPERATOR:
            self._unary(cursor, children, function)
        elif kind == K.CALL_EXPR:
            if cursor.spelling.startswith("operator"):
                self._infix(cursor, children, function, overloaded=True)
            else:
                self._swap(cursor, function)
        elif kind == K.CONDITIONAL_OPERATOR and children:
            self._condition(children[0], function, ("negated",))

    def _infix(self, cursor, children, function, overloaded):
        if len(children) < 2:
            return
        left, right = children[0], children[-1]
        between = self.text[left.extent.end.offset:right.extent.start.offset]
        sign = between.split("//")[0].strip()
        if sign not in operators.NAMES or (overloaded and sign not in operators.OVERLOADED):
            return
        left_text, right_text = self._text(left), self._text(right)
        name, others = operators.NAMES[sign]
        prefix = self.text[cursor.extent.start.offset:left.extent.end.offset]
        suffix = self.text[right.extent.start.offset:cursor.extent.end.offset]
        changed = [prefix + between.replace(sign, other, 1) + suffix for other in others]
        if name == "logic":
            changed += [left_text, right_text]
        self._add(cursor, function, name, EXPRESSION, changed)

    def _unary(self, cursor, children, function):
        text = self._text(cursor)
        if operators.is_negated(text) and children:
            self._add(cursor, function, "not", CONDITION, [self._text(children[0])])
        elif text.startswith("~") and children:
            self._add(cursor, function, "bits", EXPRESSION, [self._text(children[0])])
        for sign, other in (("++", "--"), ("--", "++")):
            if text.startswith(sign):
                self._add(cursor, function, "step", EXPRESSION, [other + text[2:]])
            elif text.endswith(sign):
                self._add(cursor, function, "step", EXPRESSION, [text[:-2] + other])

    def _swap(self, cursor, function):
        """Two arguments next to each other, of one type."""
        name = cursor.spelling
        rule = WORDS if name.startswith("Str") else EITHER_WAY if name in COMMUTE else ""
        given = [a for a in cursor.get_arguments() if a is not None]
        begin, end = self._span(cursor)
        for a, b in zip(given, given[1:]):
            (a_begin, a_end), (b_begin, b_end) = self._span(a), self._span(b)
            if not begin < a_begin < a_end <= b_begin < b_end < end:
                continue
            if a.type.get_canonical().spelling != b.type.get_canonical().spelling:
                continue
            first, second = self.text[a_begin:a_end], self.text[b_begin:b_end]
            if first == second:
                continue
            by_order = ORDER if "memory_order" in first + second else ""
            changed = (self.text[begin:a_begin] + second + self.text[a_end:b_begin] + first +
                       self.text[b_end:end])
            self._add(cursor, function, "swap", EXPRESSION, [changed], rule or by_order)

    def _condition(self, cursor, function, ways):
        text = self._text(cursor)
        if not cursor.kind.is_expression():
            return
        changed = []
        for way in ways:
            # Of a comparison the opposite is there already.
            if way == "negated" and not operators.is_negated(text) and not self._compares(cursor):
                changed.append(f"!({text})")
            if way in ("true", "false") and text not in ("true", "false"):
                changed.append(way)
        self._add(cursor, function, "condition", CONDITION, changed)

    def _compares(self, cursor):
        children = list(cursor.get_children())
        if len(children) < 2:
            return False
        between = self.text[children[0].extent.end.offset:children[-1].extent.start.offset]
        return between.strip() in operators.COMPARISONS

    # ---- Statements -----------------------------------------------------------------------------

    def _statements(self, cursor, children, function):
        kind = cursor.kind
        branches = []
        if kind == K.IF_STMT:
            asked = [c for c in children if c.kind.is_expression()]
            has_else = len(children) > 2 and self._has_else(children)
            branches = children[-2:] if has_else else children[-1:]
            if asked and asked[0] not in branches:
                self._condition(asked[0], function, ("negated", "true", "false"))
        elif kind == K.WHILE_STMT and len(children) >= 2:
            self._condition(children[-2], function, ("false",))
            branches = children[-1:]
        elif kind == K.DO_STMT and len(children) == 2:
            self._condition(children[1], function, ("false",))
        elif kind in (K.FOR_STMT, K.CXX_FOR_RANGE_STMT) and children:
            branches = children[-1:]
        elif kind in BODIES:
            branches = children
        for branch in branches:
            self._statement(branch, function)
        if kind == K.COMPOUND_STMT:
            begin, end = self._span(cursor)
            for check_begin, check_end in self.checks:
                inner = any(b <= check_begin and check_end <= e for b, e in
                            (self._span(c) for c in children if c.kind != K.DO_STMT))
                if begin <= check_begin and check_end <= end and not inner:
                    self._remove(check_begin, check_end, function, "check removed")

    def _has_else(self, children):
        between = self.text[children[-2].extent.end.offset:children[-1].extent.start.offset]
        return "else" in between

    def _statement(self, cursor, function):
        kind = cursor.kind
        begin, end = self._span(cursor)
        if kind == K.RETURN_STMT:
            value = next(iter(cursor.get_children()), None)
            if value is None:
                self._remove(begin, end, function, "removed")
            else:
                self._return(cursor, value, function)
        elif kind in (K.BREAK_STMT, K.CONTINUE_STMT):
            self._remove(begin, end, function, "removed")
        elif kind.is_expression():
            invisible = any(word in self.text[begin:end] for word in INVISIBLE)
            self._remove(begin, end, function, "removed", HINT if invisible else "")

    def _return(self, cursor, value, function):
        begin, end = self._span(cursor)
        text = self._text(value)
        spelling = value.type.get_canonical().spelling
        changed = []
        if value.type.get_canonical().kind == TypeKind.BOOL and text not in ("true", "false"):
            changed = ["return true;", "return false;"]
        elif spelling in ("absl::Status", "const absl::Status") and "OkStatus" not in text:
            changed = ["return absl::OkStatus();"]
        end = self._behind_semicolon(end)
        if end is not None:
            rule = MACRO_ARGUMENT if self._in_macro(begin, end) else ""
            self._append(begin, end, function, "return", STATEMENT, changed, rule)

    def _remove(self, begin, end, function, operator, rule=""):
        end = self._behind_semicolon(end)
        if end is None:
            return
        if operator != "check removed" and self._in_macro(begin, end):
            rule = MACRO_ARGUMENT
        self._append(begin, end, function, operator, REMOVAL, [""], rule)

    def _behind_semicolon(self, end):
        rest = self.text[end:end + 80]
        return end + len(rest) - len(rest.lstrip()) + 1 if rest.lstrip().startswith(";") else None

    # ---- Text -----------------------------------------------------------------------------------

    def _span(self, cursor):
        return cursor.extent.start.offset, cursor.extent.end.offset

    def _text(self, cursor):
        begin, end = self._span(cursor)
        return self.text[begin:end]

    def _in_macro(self, begin, end):
        return any(b < end and begin < e for b, e in self.macros)

    def _add(self, cursor, function, operator, form, changed, rule=""):
        begin, end = self._span(cursor)
        file = cursor.extent.start.file
        if file is not None and file.name == self.path:
            if self._in_macro(begin, end):
                rule = MACRO_ARGUMENT
            self._append(begin, end, function, operator, form, changed, rule)

    def _append(self, begin, end, function, operator, form, changed, rule=""):
        if operator == "constant" and f"{os.path.basename(self.file)}: {function}" in MIXES:
            rule = SPREAD
        old = self.text[begin:end]
        line = self.text.count("\n", 0, begin) + 1
        for new in changed:
            if new != old:
                self.found.append(Mutant(self.file, function, operator, form, begin, end, old, new,
                                         line, rule=self.rule or rule))
