"""What identifies a finding when lines move: its rule, its file, its message and the text of its line."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from asynclint.findings import Finding

if TYPE_CHECKING:
    from asynclint.report import Context


def fingerprints(findings: Sequence[Finding], context: Context) -> list[str]:
    """32 hex digits for each finding, different for equal findings on equal lines."""
    seen: Counter[str] = Counter()
    result = []
    for f in findings:
        line = (context.line(f.path, f.span.line) or "").strip()
        base = f"{f.rule}\0{f.path}\0{f.message}\0{line}"
        seen[base] += 1
        digest = hashlib.sha256(f"{base}\0{seen[base]}".encode(errors="surrogatepass")).hexdigest()
        result.append(digest[:32])
    return result
