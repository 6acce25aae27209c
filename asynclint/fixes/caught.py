"""What a handler catches, without some of it: the tuple of its exceptions keeps its layout and its comments."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from asynclint.findings import Refused
from asynclint.fixes.source import Source

COMMENTED = "a comment stands among the exceptions"


@dataclass(slots=True)
class Part:
    """One exception of a tuple, with the text that parts it from the next one, or that ends the tuple."""

    node: ast.expr
    text: str
    behind: str

    @property
    def comment(self) -> str:
        """What is said of it on its own line."""
        line = self.behind.partition("\n")[0]
        return line[line.index("#") :].strip() if "#" in line else ""


def without(source: Source, caught: ast.Tuple, dropped: list[ast.expr]) -> tuple[str, list[str]]:
    """The tuple without some of its members, and what comments said of these.

    The only one that is left stands without parentheses. Raises Refused where a comment has a line of its own there.
    """
    opening, parts = _parts(source, caught)
    comments = []
    for node in dropped:
        number = next(i for i, part in enumerate(parts) if part.node is node)
        part = parts.pop(number)
        comments.append(part.comment)
        above = parts[number - 1].behind if number else opening
        if "#" in above.partition("\n")[2]:
            raise Refused(COMMENTED)
        if number < len(parts):
            behind = part.behind.partition("\n")[2].lstrip(" \t")
            if number:
                parts[number - 1].behind += behind
            else:
                opening += behind
        else:
            parts[-1].behind = _closed(above, part.behind)
    text = opening + "".join(part.text + part.behind for part in parts)
    return _alone(parts, text), [one for one in comments if one]


def _parts(source: Source, caught: ast.Tuple) -> tuple[str, list[Part]]:
    """The members of a tuple, and the text before the first of them."""
    ends = [source.start(node) for node in caught.elts[1:]] + [source.end(caught)]
    parts = [
        Part(node, source.segment(node), source.text[source.end(node) : end])
        for node, end in zip(caught.elts, ends, strict=True)
    ]
    return source.text[source.start(caught) : source.start(caught.elts[0])], parts


def _closed(above: str, closing: str) -> str:
    """What follows a member that has become the last one."""
    if "\n" in closing:
        return above.rstrip() + closing[closing.index("\n") :]
    return above + closing.lstrip(", ") if "#" in above else closing


def _alone(parts: list[Part], text: str) -> str:
    """The tuple as it is written: one member alone needs no parentheses."""
    if len(parts) > 1 or "#" in text:
        if len(parts) == 1 and isinstance(parts[0].node, ast.Starred):
            raise Refused(COMMENTED)
        return text
    only = parts[0].text
    if isinstance(parts[0].node, ast.Starred):
        return f"({only},)"
    return only
