"""GitHub Actions workflow commands: annotations on the lines of a pull request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from asynclint.findings import Finding

if TYPE_CHECKING:
    from asynclint.report import Context

COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def render(findings: Sequence[Finding], context: Context) -> str:
    """One command a finding; the chain stands below the message."""
    lines = []
    for f in findings:
        text = f.message
        for link in f.because:
            text += f"\n{link.path}:{link.span.line}: {link.text}"
        place = f"file={_property(f.path)},line={f.span.line},endLine={f.span.end_line}"
        if f.span.line == f.span.end_line:
            place += f",col={f.span.column},endColumn={f.span.end_column}"
        lines.append(
            f"::{COMMANDS[f.level]} {place},title={_property('asynclint ' + f.rule)}::{_data(text)}\n"
        )
    return "".join(lines)
