"""From facts' positions (UTF-8 byte columns) to what findings and libcst say (characters)."""

from __future__ import annotations

from asynclint.facts.model import CallSite
from asynclint.facts.program import Function, Module
from asynclint.findings import Link, Span


def characters(module: Module, line: int, col: int) -> int:
    """The 0-based character column of a byte column."""
    if not col:
        return 0
    text = module.file.text or ""
    if text.isascii():
        return col
    return len(module.line(line).encode()[:col].decode(errors="replace"))


def span(module: Module, site: CallSite) -> Span:
    """Where a call site stands."""
    return Span(
        site.line,
        characters(module, site.line, site.col) + 1,
        site.end_line,
        characters(module, site.end_line, site.end_col) + 1,
    )


def link(function: Function, site: CallSite, text: str) -> Link:
    """A step of a chain at a call site."""
    return Link(function.module.file.name, span(function.module, site), text)


def head(function: Function, text: str) -> Link:
    """A step of a chain at the `def` of a function."""
    module = function.module
    line = function.facts.line
    start = characters(module, line, function.facts.col)
    width = len(module.line(line).rstrip()) or start + 1
    return Link(module.file.name, Span(line, start + 1, line, max(width, start + 1) + 1), text)
