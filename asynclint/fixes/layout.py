"""A call that replaces another one, broken over lines as ruff and black would, where its line would become too long."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from asynclint.findings import Edit
from asynclint.fixes.source import Source, Tree

PRAGMA = re.compile(r"\s*#\s*(?:noqa|type:|pyright:|pylint:|mypy:|nosec).*$")
"""A comment that no formatter counts."""

BEHIND = re.compile(r"(?:\s+as\s+[\w.]+)?:?\s*(?:#.*)?")
"""What may stand on the line behind an expression that is broken: `as name:`."""

BEFORE = re.compile(r"\s*(?:\w+\s*=\s*|\*{1,2}|[\w.\"']+:\s+|(?:and|or|[-+*/%|&]|[=!]=)\s+)?")
"""What may stand on the line before an element of a bracket that is broken already."""

Argument = ast.expr | ast.keyword

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp)
PLAIN = (ast.Name, ast.Constant, ast.Attribute)


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A call that is new: `function(part, part)`."""

    function: str
    parts: tuple[Part, ...]
    """What is handed over: text, arguments of the old call, or another call."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An entry of a dictionary."""

    key: ast.expr
    value: ast.expr
    text: str
    """All before the value: `"name": `."""


Part = str | ast.AST | Wrapper | Pair


def handed(source: Source, call: ast.Call) -> tuple[Part, ...]:
    """A call on one line as what is handed to the function that will make it: itself, then its arguments."""
    function = source.segment(call.func)
    some = _arguments(call)
    opening = source.text.index("(", source.end(call.func))
    inner = source.text[opening + 1 : source.end(call) - 1].strip()
    if not some:
        return (function, inner) if inner else (function,)
    first, last = source.start(some[0]), source.end(some[-1])
    around = source.text[opening + 1 : first] + source.text[last : source.end(call) - 1]
    if around.strip() or not _parted(source, some):
        return function, inner
    return function, *some


def rebroken(source: Source, call: ast.Call) -> str | None:
    """What `handed` gives of a call over several lines, laid out anew; None where its arguments stay as they stand.

    Arguments that share a line get the function beside them; a text of several lines that is the only one gets lines
    of its own.
    """
    some = _arguments(call)
    function = source.segment(call.func)
    if not some or "\n" in function:
        return None
    opening = source.text.index("(", source.end(call.func))
    gap = source.text[opening + 1 : source.start(some[0])]
    rest = source.text[source.end(some[-1]) : source.end(call) - 1]
    if gap.strip() or rest.strip() or not _parted(source, some):
        return None
    outer = source.indent(call)
    if "\n" not in gap:
        lone = some[0]
        if len(some) > 1 or "\n" in rest or not isinstance(lone, (ast.Constant, ast.JoinedStr)):
            return None
        inner = outer + ("\t" if outer.startswith("\t") else "    ")
        return f"\n{inner}{function},\n{inner}{source.segment(lone)},\n{outer}"
    if any(one.lineno != some[0].lineno or one.end_lineno != one.lineno for one in some):
        return None
    inner = source.indent(some[0])
    texts = [function, *map(source.segment, some)]
    flat = ", ".join(texts)
    if len((inner + flat).expandtabs(4)) > source.columns:
        flat = f",\n{inner}".join(texts) + ","
    return f"\n{inner}{flat}\n{outer}"


def _parted(source: Source, some: Sequence[Argument]) -> bool:
    """Whether nothing but a comma stands between arguments: no parentheses, no comment."""
    return all(
        source.text[source.end(a) : source.start(b)].strip() == "," for a, b in pairwise(some)
    )


class Layout:
    """The layout of one replacement."""

    def __init__(
        self, source: Source, tree: Tree, call: ast.Call, made: Wrapper, prefix: str, suffix: str
    ) -> None:
        """`prefix` and `suffix` stand around what is made: `await `, or `(await ` and `)`."""
        self._source = source
        self._tree = tree
        self._call = call
        self._made = made
        self._prefix, self._suffix = prefix, suffix
        self._width = source.columns
        line = source.line(call.lineno)
        self._indent = line[: len(line) - len(line.lstrip())]
        self._unit = "\t" if self._indent.startswith("\t") else "    "

    @property
    def flat(self) -> str:
        """What is made, on one line."""
        return self._flat(self._call)

    def edit(self) -> Edit:
        """The edit that puts it into the call's place, and breaks what stands around it where that is needed."""
        source, call = self._source, self._call
        start, end = source.line_start(call.lineno), source.end(call)
        behind = source.line(call.lineno)[end - start :]
        flat = self._flat(call)
        line = f"{source.text[start : source.start(call)]}{flat}{behind}"
        if self._fits(line) or self._is_quoted():
            return source.replace(call, flat)
        broken = self._around() or self._alone(behind)
        return broken if broken is not None else source.replace(call, flat)

    def _fits(self, line: str) -> bool:
        return len(PRAGMA.sub("", line).expandtabs(4)) <= self._width

    def _is_quoted(self) -> bool:
        """Whether it stands within an f-string."""
        return any(
            isinstance(one, ast.JoinedStr) or type(one).__name__ == "TemplateStr"
            for one in self._tree.above(self._call)
        )

    def _alone(self, behind: str) -> Edit | None:
        """The call itself broken, where nothing is known of what stands around it."""
        if behind.strip(")]}:, "):
            return None
        laid = self._broken(self._call, self._indent)
        return self._source.replace(self._call, laid) if laid is not None else None

    # -- what stands around ---------------------------------------------------------------------------

    def _around(self) -> Edit | None:
        """The whole expression on the line, or the elements on a line of a bracket that is broken already."""
        source, line = self._source, self._call.lineno
        root: ast.expr = self._call
        outer: ast.AST | None = None
        elements: ast.AST = self._call
        for outer in self._tree.above(self._call):
            if isinstance(outer, ast.comprehension):
                return None
            if isinstance(outer, (ast.keyword, ast.Starred)) and outer.lineno == outer.end_lineno:
                elements = outer
            elif isinstance(outer, ast.expr) and outer.lineno == outer.end_lineno:
                root = elements = outer
            elif not isinstance(outer, ast.withitem):
                break
        start = source.line_start(line)
        before = source.text[start : source.start(root)]
        behind = source.line(line)[source.end(root) - start :]
        if isinstance(outer, ast.stmt) and outer.lineno == line:
            message = isinstance(outer, ast.Assert) and outer.end_lineno == line
            if not BEHIND.fullmatch(behind) and not message:
                return None
            laid = self._broken(root, self._indent) or self._wrapped(root, self._indent)
            return source.replace(root, laid) if laid is not None else None
        if BEFORE.fullmatch(before) and behind.strip() in ("", ","):
            laid = self._broken(root, self._indent)
            return source.replace(root, laid) if laid is not None else None
        return self._exploded(outer, elements, line) if isinstance(outer, ast.Call) else None

    def _exploded(self, outer: ast.Call, element: ast.AST, line: int) -> Edit | None:
        """The arguments that share a line of their own, each on its own line."""
        some = _arguments(outer)
        source = self._source
        if any(one.lineno != line or one.end_lineno != line for one in some) or element not in some:
            return None
        first, last = source.offset(line, 0), source.end(some[-1])
        start = source.start(some[0])
        behind = source.line(line)[last - first :]
        if source.text[first:start].strip() or behind.strip() or not _parted(source, some):
            return None
        laid = [self._laid(one, self._indent, 1) for one in some]
        return source.edit(start, last, f",\n{self._indent}".join(laid) + ",")

    def _wrapped(self, root: ast.expr, indent: str) -> str | None:
        """`x == 1` in parentheses, broken before its operator where that is needed."""
        pair = _operands(root)
        if pair is None or not self._holds(pair[0]) or not isinstance(pair[1], PLAIN):
            return None
        inner, source = indent + self._unit, self._source
        flat = self._flat(root)
        if not self._fits(inner + flat):
            operator = source.text[source.end(pair[0]) : source.start(pair[1])].strip()
            left = self._laid(pair[0], inner, 0)
            flat = f"{left}\n{inner}{operator} {source.segment(pair[1])}"
        return f"(\n{inner}{flat}\n{indent})"

    # -- layout ---------------------------------------------------------------------------------------

    def _holds(self, node: Part) -> bool:
        """Whether the call is the node, or stands in it."""
        if not isinstance(node, ast.AST):
            return False
        return node is self._call or node in self._tree.above(self._call)

    def _flat(self, part: Part) -> str:
        """A part on one line."""
        if isinstance(part, str):
            return part
        if isinstance(part, Wrapper):
            return f"{part.function}({', '.join(map(self._flat, part.parts))})"
        if isinstance(part, Pair):
            return f"{part.text}{self._flat(part.value)}"
        source = self._source
        if part is self._call:
            return f"{self._prefix}{self._flat(self._made)}{self._suffix}"
        text = source.segment(part)
        if not self._holds(part):
            return text
        start = source.offset(part.lineno, part.col_offset)  # type: ignore[attr-defined]
        first, last = source.start(self._call) - start, source.end(self._call) - start
        return f"{text[:first]}{self._flat(self._call)}{text[last:]}"

    def _laid(self, part: Part, indent: str, behind: int) -> str:
        """A part that begins a line, broken where the line is too long with so many characters behind it."""
        flat = self._flat(part)
        if self._fits(indent + flat + "," * behind):
            return flat
        return self._broken(part, indent) or flat

    def _broken(self, part: Part, indent: str) -> str | None:
        """A part over several lines, the last of which is indented like the first; None where that is not known."""
        if isinstance(part, Wrapper):
            return self._bracket(f"{part.function}(", part.parts, ")", indent)
        if isinstance(part, Pair):
            laid = self._broken(part.value, indent)
            return f"{part.text}{laid}" if laid is not None else None
        if part is self._call:
            return self._broken_call(indent)
        if isinstance(part, ast.AST):
            for way in (self._led, self._based, self._comprehension, self._bracketed):
                text = way(part, indent)
                if text is not None:
                    return text
        return None

    def _broken_call(self, indent: str) -> str | None:
        if not self._suffix:
            laid = self._broken(self._made, indent)
            return f"{self._prefix}{laid}" if laid is not None else None
        inner = indent + self._unit
        word = self._prefix.removeprefix("(")
        flat = f"{word}{self._flat(self._made)}"
        if not self._fits(inner + flat):
            flat = f"{word}{self._broken(self._made, inner)}"
        return f"(\n{inner}{flat}\n{indent})"

    def _led(self, node: ast.AST, indent: str) -> str | None:
        """What ends with its last part: `await x`, `name=x`, `a or x`."""
        last: ast.expr | None = None
        if isinstance(node, (ast.Await, ast.keyword, ast.Starred, ast.NamedExpr)):
            last = node.value
        elif isinstance(node, ast.UnaryOp):
            last = node.operand
        elif (
            isinstance(node, ast.Tuple)
            and node.elts
            and not self._source.segment(node).startswith("(")
        ):
            last = node.elts[-1]
        elif (pair := _operands(node)) is not None and isinstance(pair[0], PLAIN):
            last = pair[1]
        if last is None or self._source.end(last) != self._source.end(node):
            return None
        if _operands(node) is not None and not self._holds(last):
            return None
        laid = self._broken(last, indent)
        if laid is None:
            return None
        start = self._source.offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]
        return self._source.text[start : self._source.start(last)] + laid

    def _based(self, node: ast.AST, indent: str) -> str | None:
        """What goes on behind a base which holds the call: `load(x).text`."""
        base: ast.expr | None = None
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            base = node.value
        elif isinstance(node, ast.Call):
            base = node.func
        if base is None or not self._holds(base):
            return None
        if self._source.start(base) != self._source.start(node):
            return None
        laid = self._broken(base, indent)
        return laid + self._behind(node, base) if laid is not None else None

    def _behind(self, node: ast.AST, base: ast.expr) -> str:
        return self._source.text[self._source.end(base) : self._source.end(node)]

    def _comprehension(self, node: ast.AST, indent: str) -> str | None:
        """`[x for x in y if z]`, each clause on its own line."""
        if not isinstance(node, COMPREHENSIONS) or not self._holds(node.elt):
            return None
        text, source = self._source.segment(node), self._source
        if text[0] not in "[{(" or source.start(node.elt) != source.start(node) + 1:
            return None
        inner = indent + self._unit
        flat = self._flat(node)
        if self._fits(inner + flat[1:-1]):
            return f"{flat[0]}\n{inner}{flat[1:-1]}\n{indent}{flat[-1]}"
        if len(node.generators) > 1 or node.generators[0].ifs:
            return None
        clause = source.text[source.end(node.elt) : source.end(node) - 1].strip()
        if not clause.startswith(("for ", "async for ")):
            return None
        return f"{flat[0]}\n{inner}{self._laid(node.elt, inner, 0)}\n{inner}{clause}\n{indent}{flat[-1]}"

    def _bracketed(self, node: ast.AST, indent: str) -> str | None:
        """A call, a list or the like, its elements on lines of their own."""
        source = self._source
        if isinstance(node, ast.Call):
            if any(isinstance(one, ast.Call) for one in ast.walk(node.func)):
                return None
            some = _arguments(node)
            opening = source.text.find("(", source.end(node.func))
            if some and isinstance(some[0], ast.GeneratorExp) and source.start(some[0]) == opening:
                laid = self._comprehension(some[0], indent)
                return self._since(node, opening) + laid if laid is not None else None
        elif isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            some, opening = list(node.elts), source.start(node)
        elif isinstance(node, ast.Dict) and None not in node.keys:
            return self._dictionary(node, indent)
        else:
            return None
        if not some or source.text[opening] not in "([{" or not _parted(source, some):
            return None
        if not self._closed(opening, some[0], some[-1], node):
            return None
        closing = source.text[source.end(node) - 1]
        return self._bracket(self._since(node, opening + 1), some, closing, indent)

    def _dictionary(self, node: ast.Dict, indent: str) -> str | None:
        source = self._source
        pairs = [
            Pair(key, value, source.text[source.start(key) : source.start(value)])
            for key, value in zip(node.keys, node.values, strict=True)
            if key is not None
        ]
        apart = all(
            source.text[source.end(a.value) : source.start(b.key)].strip() == ","
            for a, b in pairwise(pairs)
        )
        if (
            not pairs
            or not apart
            or any("(" in one.text.removeprefix(source.segment(one.key)) for one in pairs)
        ):
            return None
        if not self._closed(source.start(node), pairs[0].key, pairs[-1].value, node):
            return None
        return self._bracket("{", pairs, "}", indent)

    def _since(self, node: ast.AST, end: int) -> str:
        """A node's text up to an offset."""
        return self._source.text[self._source.start(node) : end]

    def _closed(self, opening: int, first: ast.AST, last: ast.AST, node: ast.AST) -> bool:
        """Whether nothing but a comma stands between a bracket and what it holds."""
        source = self._source
        if source.start(first) <= opening or source.end(last) >= source.end(node):
            return False
        before = source.text[opening + 1 : source.start(first)]
        behind = source.text[source.end(last) : source.end(node) - 1]
        return not before.strip() and behind.strip() in ("", ",")

    def _bracket(self, head: str, some: Sequence[Part], closing: str, indent: str) -> str:
        """A bracket with its elements on one line of their own, else each on one."""
        inner = indent + self._unit
        flat = ", ".join(map(self._flat, some))
        if not self._fits(inner + flat):
            comma = "," if len(some) > 1 else ""
            laid = [self._laid(one, inner, len(comma)).removesuffix(",") for one in some]
            flat = f",\n{inner}".join(laid) + comma
        return f"{head}\n{inner}{flat}\n{indent}{closing}"


def _arguments(call: ast.Call) -> list[Argument]:
    """The arguments of a call as they are written."""
    return sorted([*call.args, *call.keywords], key=lambda one: (one.lineno, one.col_offset))


def _operands(node: ast.AST) -> tuple[ast.expr, ast.expr] | None:
    """The two sides of a single operator."""
    if isinstance(node, ast.BinOp):
        return node.left, node.right
    if isinstance(node, ast.BoolOp) and len(node.values) == 2:
        return node.values[0], node.values[1]
    if isinstance(node, ast.Compare) and len(node.comparators) == 1:
        return node.left, node.comparators[0]
    return None
