"""One line a finding: `path:line:column: level rule message`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from asynclint.findings import Finding

if TYPE_CHECKING:
    from asynclint.report import Context


def render(findings: Sequence[Finding], context: Context) -> str:
    """Lines that an editor's error format can read."""
    return "".join(
        f"{f.path}:{f.span.line}:{f.span.column}: {f.level} {f.rule} {f.message}\n"
        for f in findings
    )
