"""How long the lines of a module may be."""

from __future__ import annotations

import io
import tokenize

from asynclint.widths import USUAL, Width

STEPS = (79, 88, 100, 120)
LONG = 60
"""Columns: a shorter line says nothing."""
FEW = 20
"""Lines: fewer do not say that a formatter keeps less than it usually does."""
KEPT = 0.98
"""Which part of the long lines keeps a limit that was meant."""

OPENING = {"FSTRING_START", "TSTRING_START"}
CLOSING = {"FSTRING_END", "TSTRING_END"}


def columns(text: str, project: Width | None) -> int:
    """The width that a project's formatter is told, else the smallest usual one that the lines of a module keep."""
    told = project.told if project is not None else None
    if told is not None and max(map(len, text.splitlines()), default=0) <= told:
        return told
    lengths = _lengths(text)
    if told is not None and _keeps(lengths, told):
        return told
    many = len(lengths) >= FEW
    fitting = [w for w in STEPS if (many or w >= USUAL) and _keeps(lengths, w)]
    width = min(fitting, default=STEPS[-1])
    if width == STEPS[0] and any(length == width + 1 for length, _ in lengths):
        width += 1  # Some count to 80.
    allowed = project.allowed if project is not None else None
    return min(width, allowed) if allowed is not None else width


def _keeps(lengths: list[tuple[int, int]], width: int) -> bool:
    """Whether lines keep a limit, those aside that a long string pushes over it."""
    over = sum(length > width >= widest for length, widest in lengths)
    return over <= (1 - KEPT) * len(lengths)


def _lengths(text: str) -> list[tuple[int, int]]:
    """Of each long line of code: its columns without a comment, and how many a string alone would need there."""
    lines = text.splitlines()
    length = {number: len(line) for number, line in enumerate(lines, 1)}
    widest: dict[int, int] = {}
    starts: list[tuple[int, int]] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            kind, (first, start), (last, end) = (
                tokenize.tok_name[token.type],
                token.start,
                token.end,
            )
            if kind == "COMMENT":
                length[first] = len(token.line[:start].rstrip())
            elif kind in OPENING:
                starts.append((first, start))
            elif kind == "STRING" or (kind in CLOSING and starts):
                first, start = (first, start) if kind == "STRING" else starts.pop()
                if first != last:
                    length.update(dict.fromkeys(range(first, last + 1), 0))
                indent = len(lines[last - 1]) - len(lines[last - 1].lstrip())
                widest[last] = max(widest.get(last, 0), indent + end - start)
    except (tokenize.TokenError, SyntaxError, IndexError):
        pass
    return [(one, widest.get(number, 0)) for number, one in length.items() if one > LONG]


def within_strings(text: str) -> set[int] | None:
    """The lines of strings side by side, counted from 0, that begin within one of them; None where that cannot be told."""
    found: set[int] = set()
    starts: list[int] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(f"({text})").readline):
            kind, first, last = tokenize.tok_name[token.type], token.start[0], token.end[0]
            if kind in OPENING:
                starts.append(first)
            elif kind == "STRING" or (kind in CLOSING and starts):
                begun = first if kind == "STRING" else starts.pop()
                found.update(range(begun, last))
    except (tokenize.TokenError, SyntaxError, IndentationError):
        return None
    return found
