"""An array of objects, for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from asynclint.findings import Finding, Span

if TYPE_CHECKING:
    from asynclint.report import Context


def _place(path: str, span: Span) -> dict[str, Any]:
    numbers = {
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }
    return {"path": path, **numbers, "span": numbers}


def render(findings: Sequence[Finding], context: Context) -> str:
    """Lines and columns are 1-based, columns count characters, ends are exclusive."""
    known = context.rules() if findings else {}
    # As it lies in its pack, not on this machine: the same findings are the same bytes everywhere.
    pages = {name: f"{meta.page.parent.name}/{meta.page.name}" for name, meta in known.items()}
    rows = [
        {
            "rule": f.rule,
            "level": f.level,
            **_place(f.path, f.span),
            "message": f.message,
            "because": [{**_place(link.path, link.span), "text": link.text} for link in f.because],
            "fixes": [
                {
                    "title": fix.title,
                    "safety": fix.safety.value,
                    "edits": [
                        {"path": e.path, "start": e.start, "end": e.end, "text": e.text}
                        for e in fix.edits
                    ],
                }
                for fix in f.fixes
            ],
            "refusal": f.refusal,
            "page": pages.get(f.rule),
        }
        for f in findings
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
