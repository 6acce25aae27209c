"""JUnit XML: one test case a finding."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from asynclint.findings import Finding

if TYPE_CHECKING:
    from asynclint.report import Context


# What XML 1.0 cannot hold, not even escaped.
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(findings: Sequence[Finding], context: Context) -> str:
    """A suite named asynclint; without findings it holds one case that passes."""
    failures = sum(f.level != "note" for f in findings)
    rows = []
    for f in findings:
        name = quoteattr(f"{f.rule} {f.path}:{f.span.line}:{f.span.column}")
        text = "\n".join([f.message, *(f"{k.path}:{k.span.line}: {k.text}" for k in f.because)])
        if f.level == "note":
            body = f"<system-out>{escape(text)}</system-out>"
        else:
            body = f"<failure type={quoteattr(f.level)} message={quoteattr(f.message)}>{escape(text)}</failure>"
        rows.append(
            f"    <testcase classname={quoteattr(f.path)} name={name} line={quoteattr(str(f.span.line))}>{body}</testcase>\n"
        )
    if not rows:
        rows.append('    <testcase classname="asynclint" name="no findings"/>\n')
    total = max(1, len(findings))
    text = (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<testsuites name="asynclint" tests="{total}" failures="{failures}">\n'
        f'  <testsuite name="asynclint" tests="{total}" failures="{failures}">\n'
        + "".join(rows)
        + "  </testsuite>\n</testsuites>\n"
    )
    return FORBIDDEN.sub("\ufffd", text)
