"""For people: the source with the place underlined, and the chain below it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from asynclint.findings import Finding, Safety, Span

if TYPE_CHECKING:
    from asynclint.report import Context

WIDTH = 110
"""Longer source lines are cut around the place."""

COLOURS = {"error": "31", "warning": "33", "note": "36"}


def render(findings: Sequence[Finding], context: Context) -> str:
    """Every finding as a paragraph, then how many there are."""
    parts = [_finding(f, context) for f in findings]
    if not context.quiet:
        parts.append(_summary(findings))
    return "\n".join(parts)


def _paint(text: str, code: str, context: Context) -> str:
    return f"\033[{code}m{text}\033[0m" if context.colour else text


def _finding(f: Finding, context: Context) -> str:
    head = _paint(f"{f.level}[{f.rule}]", f"1;{COLOURS[f.level]}", context)
    places = [f.span.line, *(k.span.line for k in f.because)]
    margin = len(str(max(places)))
    lines = [f"{head}: {f.message}"]
    lines += _excerpt(f.path, f.span, "^", COLOURS[f.level], margin, context)
    for link in f.because:
        lines.append(f"{' ' * margin} = {link.text}")
        lines += _excerpt(link.path, link.span, "-", "34", margin, context)
    for fix in f.fixes:
        word = "fix available" if fix.safety is Safety.SAFE else "unsafe fix"
        lines.append(f"{' ' * margin} = [{word}] {fix.title}")
    if f.refusal:
        lines.append(f"{' ' * margin} = no fix: {f.refusal}")
    return "\n".join(lines) + "\n"


def _excerpt(
    path: str, span: Span, sign: str, colour: str, margin: int, context: Context
) -> list[str]:
    pad = " " * margin
    lines = [f"{pad}{_paint('-->', '34', context)} {path}:{span.line}:{span.column}"]
    source = context.line(path, span.line)
    if source is None:
        return lines
    source = _visible(source)
    start = min(span.column - 1, len(source))
    end = span.end_column - 1 if span.end_line == span.line else len(source.rstrip())
    end = max(min(end, len(source)), start + 1)
    before = source[:start].expandtabs(4)
    marked = source[:end].expandtabs(4)[len(before) :]
    after = source.expandtabs(4)[len(before + marked) :]
    if _columns(before + marked + after) > WIDTH:
        if len(before) > 40:
            before = "…" + before[-36:]
        if len(marked) > 60:
            marked = marked[:56] + "…"
        after = after[:10] + "…" if len(after) > 10 else after
    bar = _paint("|", "34", context)
    number = _paint(f"{span.line:>{margin}}", "34", context)
    lines.append(f"{number} {bar} {before}{marked}{after.rstrip()}")
    underline = sign * max(1, _columns(marked))
    lines.append(f"{pad} {bar} {' ' * _columns(before)}{_paint(underline, colour, context)}")
    return lines


def _visible(source: str) -> str:
    """One character for one, without those that would steer the terminal."""
    return "".join(
        c if c == "\t" or unicodedata.category(c) not in ("Cc", "Cf") else "\ufffd" for c in source
    )


def _columns(text: str) -> int:
    """Terminal columns: East Asian wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text.expandtabs(4)
    )


def _summary(findings: Sequence[Finding]) -> str:
    if not findings:
        return "All checks passed\n"
    counts = [
        (sum(f.level == level for f in findings), level) for level in ("error", "warning", "note")
    ]
    words = ", ".join(f"{n} {level}{'s' if n != 1 else ''}" for n, level in counts if n)
    total = len(findings)
    return f"Found {total} finding{'s' if total != 1 else ''} ({words})\n"
