"""GitLab's code quality report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from asynclint.findings import Finding
from asynclint.report.fingerprint import fingerprints

if TYPE_CHECKING:
    from asynclint.report import Context

SEVERITIES = {"error": "major", "warning": "minor", "note": "info"}


def render(findings: Sequence[Finding], context: Context) -> str:
    """An array with a fingerprint for each finding that does not change when lines move."""
    rows = [
        {
            "description": f.message,
            "check_name": f.rule,
            "fingerprint": mark,
            "severity": SEVERITIES[f.level],
            "location": {
                "path": f.path,
                "positions": {
                    "begin": {"line": f.span.line, "column": f.span.column},
                    "end": {"line": f.span.end_line, "column": f.span.end_column},
                },
            },
        }
        for f, mark in zip(findings, fingerprints(findings, context), strict=True)
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
