"""Text in the syntax of a newer Python, spelled so that the running one reads it, every name at its place.

Only what the older parser cannot read is respelled, with as many characters: type parameters become blanks, `type X = Y` an
assignment, an f-string that holds its own quotes one with other quotes, or a plain string, `except A, B:` a tuple.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from asynclint.facts.extract import parse

if TYPE_CHECKING:
    import libcst as cst

Edit = tuple[int, int, str]
"""Start, end, and the text to put there, of the same length."""

Version = tuple[int, int]

BRACKETS = re.compile(r"[()\[\]{}]")
OPERATORS = re.compile(r"[-+*/%|&^@<>=.(\[~]|\b(?:and|or|not|if|in|is|await|lambda)\b")
NESTED = 80
CHAINED = 500
LONGEST = 1_000_000
"""The parser of libcst recurses: it is not given text with deeper brackets, more operators in one statement, more arms of one `if`,
or more characters."""


EXCEPT = re.compile(r"^[ \t]*except( [\w.]+(?:, *[\w.]+)+)(?=[ \t]*:)", re.MULTILINE)
STAR = re.compile(r"^[ \t]*except[ \t]?(\*)", re.MULTILINE)
ALIAS = re.compile(r"^[ \t]*(type[ \t]+(\w+)(?:\[[^\]\n]*\])?[ \t]*)=", re.MULTILINE)
PARAMETERS = re.compile(
    r"^[ \t]*(?:async[ \t]+def|def|class)[ \t]+\w+(\[(?:[^\[\]]|\[[^\[\]]*\])*\])", re.MULTILINE
)


def older(text: str) -> tuple[str, Version] | None:
    """The text as an older Python reads it, and the one that it was written for; None where nothing of it is too new."""
    return _by_lines(text) or _by_tree(text)


def _by_lines(text: str) -> tuple[str, Version] | None:
    """The same where only lines that look like it are too new; what a string holds may change with them.

    To parse a text with libcst takes several times as long.
    """
    edits: list[Edit] = []
    needed: list[Version] = []

    def edit(match: re.Match[str], new: str | None, version: Version) -> None:
        if new is not None and match[0].isascii():
            edits.append((*match.span(1), new))
            needed.append(version)

    for found in EXCEPT.finditer(text):
        edit(found, _tuple(found[1][1:]), (3, 14))
    for found in STAR.finditer(text):
        edit(found, " ", (3, 11))
    for found in ALIAS.finditer(text):
        edit(found, found[2].ljust(len(found[1])), (3, 12))
    for found in PARAMETERS.finditer(text):
        edit(found, _blank(found[1]), (3, 13) if "=" in found[1] else (3, 12))
    if not edits:
        return None
    spelled = _applied(text, edits)
    return (spelled, max(needed)) if _parses(spelled) else None


def _tuple(written: str) -> str | None:
    """`A, B` as `(A,B)`, which takes the blank in front; None where there is none to leave out."""
    gap = written.find(", ")
    return f"({written[: gap + 1]}{written[gap + 2 :]})" if gap >= 0 else None


def _by_tree(text: str) -> tuple[str, Version] | None:
    """The same for everything that is too new."""
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider

    if len(text) > LONGEST or _is_deep(text):
        return None
    try:
        wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
        positions = wrapper.resolve(PositionProvider)
    except Exception:  # noqa: BLE001 - its parser fails in many ways on text that is no Python
        return None
    starts = _starts(text)

    def span(node: cst.CSTNode) -> tuple[int, int]:
        where = positions[node]
        return (
            starts[where.start.line - 1] + where.start.column,
            starts[where.end.line - 1] + where.end.column,
        )

    edits: list[Edit] = []
    needed: list[Version] = []
    for node in _newer_nodes(wrapper.module):
        start, end = span(node)
        found = _respelled(node, text, start, end, span)
        if found is not None:
            edits.append(found[0])
            needed.append(found[1])
    if not edits:
        return None
    return _applied(text, edits), max(needed)


def _is_deep(text: str) -> bool:
    """Whether a text may be too much for a parser that recurses; brackets and operators in strings count, too."""
    if len(re.findall(r"^[ \t]*elif\b", text, re.MULTILINE)) > CHAINED:
        return True
    depth = operators = 0
    for line in text.split("\n"):
        for bracket in BRACKETS.findall(line):
            depth = depth + 1 if bracket in "([{" else max(0, depth - 1)
            if depth > NESTED:
                return True
        operators += len(OPERATORS.findall(line))
        if operators > CHAINED:
            return True
        if depth == 0 and not line.endswith("\\"):
            operators = 0
    return False


def _starts(text: str) -> list[int]:
    """Where each line begins."""
    return [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", text))]


def _newer_nodes(tree: cst.Module) -> list[cst.CSTNode]:
    """The nodes that may be too new, outermost first."""
    import libcst as cst

    class Finder(cst.CSTVisitor):
        def __init__(self) -> None:
            super().__init__()
            self.found: list[cst.CSTNode] = []

        def visit_TypeParameters(self, node: cst.TypeParameters) -> None:
            self.found.append(node)

        def visit_TypeAlias(self, node: cst.TypeAlias) -> bool:
            self.found.append(node)
            return False

        def visit_FormattedString(self, node: cst.FormattedString) -> bool:
            self.found.append(node)
            return False

        def visit_ExceptHandler(self, node: cst.ExceptHandler) -> None:
            if isinstance(node.type, cst.Tuple) and not node.type.lpar:
                self.found.append(node.type)

        def visit_ExceptStarHandler(self, node: cst.ExceptStarHandler) -> None:
            self.found.append(node)

    finder = Finder()
    tree.visit(finder)
    return finder.found


def _respelled(
    node: cst.CSTNode, text: str, start: int, end: int, span: Any
) -> tuple[Edit, Version] | None:
    import libcst as cst

    if isinstance(node, cst.TypeParameters):
        version = (3, 13) if any(one.default is not None for one in node.params) else (3, 12)
        blank = _blank(text[start:end])
        return ((start, end, blank), version) if blank is not None else None
    if isinstance(node, cst.TypeAlias):
        return _assignment(node, text, start, span)
    if isinstance(node, cst.FormattedString):
        written = text[start:end]
        if _parses(f"({written})"):
            return None
        plain = _other_quotes(node, text, start, end, span) or _plain(node, written)
        return ((start, end, plain), (3, 12)) if plain is not None else None
    if isinstance(node, cst.ExceptStarHandler):
        star = text.index("*", start)
        return (star, star + 1, " "), (3, 11)
    # `except A, B:` has room for the parentheses where blanks stand before and within.
    inside = _tuple(text[start:end])
    if text[start - 1] != " " or inside is None:
        return None
    return (start - 1, end, inside), (3, 14)


def _blank(written: str) -> str | None:
    """Blanks and continued lines; None where a line has no room for the backslash."""
    blank = "".join(c if c in "\r\n" else " " for c in written)
    if not written.isascii() or re.search(r"(^|\n|\r)(\r\n|\r|\n)", blank):
        return None
    return re.sub(r" (?=\r\n|\r|\n)", lambda _: "\\", blank)


def _assignment(node: Any, text: str, start: int, span: Any) -> tuple[Edit, Version] | None:
    """`type Name[T] = value` as `Name         = value`."""
    end = text.index("=", span(node.type_parameters or node.name)[1])
    name = node.name.value
    if "\n" in text[start:end] or not text[start:end].isascii():
        return None
    return (start, end, name.ljust(end - start)), (3, 12)


def _other_quotes(node: Any, text: str, start: int, end: int, span: Any) -> str | None:
    """An f-string with other quotes in what it formats: `f"{row["name"]}"`."""
    import libcst as cst

    quote = node.end
    other = "'" if '"' in quote else '"'
    edits: list[Edit] = []
    for part in node.parts:
        if isinstance(part, cst.FormattedStringExpression):
            first, last = span(part)
            edits.append((first, last, text[first:last].replace(quote[0], other)))
    respelled = _applied(text, edits)[start:end]
    return respelled if _parses(f"({respelled})") else None


def _plain(node: Any, written: str) -> str | None:
    """A string without what an f-string formats."""
    quote = node.end
    inside = re.sub(r"[\\'\"]", "x", written[len(node.start) : len(written) - len(quote)])
    if len(quote) == 1:
        # Lines go on behind a backslash.
        inside = re.sub(r".(?=\r\n|\r|\n)", lambda _: "\\", inside)
    filler = "x" * (len(node.start) - len(quote))
    plain = f"{quote}{filler}{inside}{quote}"
    return plain if _parses(f"({plain})") else None


def _parses(text: str) -> bool:
    try:
        parse(text)
    except (SyntaxError, RecursionError, MemoryError):
        return False
    return True


def _applied(text: str, edits: list[Edit]) -> str:
    """Outer edits win over those inside them."""
    parts: list[str] = []
    at = 0
    for start, end, new in sorted(edits):
        if start >= at:
            parts += [text[at:start], new]
            at = end
    return "".join(parts) + text[at:]
