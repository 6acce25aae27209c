"""SARIF 2.1.0, with the chain of each finding as a code flow."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from asynclint import __version__
from asynclint.findings import Edit, Finding, Fix, Span
from asynclint.report.fingerprint import fingerprints

if TYPE_CHECKING:
    from asynclint.report import Context

LINE_END = re.compile("\r\n|\r|\n")

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

ENGINE = {
    "syntax-error": "The file does not parse.",
    "unreadable-file": "The file cannot be read.",
    "internal-error": "asynclint fails on a function, and says nothing of it.",
    "unused-ignore": "A suppression that suppresses nothing.",
}


def _units(context: Context, path: str, line: int, column: int) -> int:
    """A 1-based column in UTF-16 code units."""
    text = context.line(path, line)
    if text is None or text.isascii():
        return column
    return len(text[: column - 1].encode("utf-16-le", "surrogatepass")) // 2 + 1


def _uri(path: str) -> str:
    return quote(path, errors="surrogateescape")


def _artifact(path: str) -> dict[str, Any]:
    if path.startswith("/"):
        return {"uri": "file://" + _uri(path)}
    return {"uri": _uri(path), "uriBaseId": "SRCROOT"}


def _region(context: Context, path: str, span: Span) -> dict[str, Any]:
    return {
        "startLine": span.line,
        "startColumn": _units(context, path, span.line, span.column),
        "endLine": span.end_line,
        "endColumn": _units(context, path, span.end_line, span.end_column),
    }


def _physical(context: Context, path: str, span: Span) -> dict[str, Any]:
    return {"artifactLocation": _artifact(path), "region": _region(context, path, span)}


def _fix(fix: Fix, context: Context) -> dict[str, Any] | None:
    """None where the text of a file that it changes is not at hand."""
    changes: dict[str, list[dict[str, Any]]] = {}
    for edit in fix.edits:
        span = _span(edit, context.texts.get(edit.path))
        if span is None:
            return None
        changes.setdefault(edit.path, []).append(
            {
                "deletedRegion": _region(context, edit.path, span),
                "insertedContent": {"text": edit.text},
            }
        )
    return {
        "description": {"text": fix.title},
        "artifactChanges": [
            {"artifactLocation": _artifact(path), "replacements": replacements}
            for path, replacements in changes.items()
        ],
        "properties": {"safety": fix.safety.value},
    }


def _span(edit: Edit, text: str | None) -> Span | None:
    if text is None:
        return None
    places = []
    for offset in (edit.start, edit.end):
        ends = list(LINE_END.finditer(text, 0, offset))
        places += [len(ends) + 1, offset - (ends[-1].end() if ends else 0) + 1]
    return Span(*places)


def _rules(findings: Sequence[Finding], context: Context) -> list[dict[str, Any]]:
    known = context.rules()
    rules = []
    for name in sorted({f.rule for f in findings}):
        meta = known.get(name)
        one: dict[str, Any] = {"id": name, "name": name}
        if meta is not None:
            page = meta.page.read_text(encoding="utf-8")
            one["shortDescription"] = {"text": meta.summary}
            one["help"] = {"text": page, "markdown": page}
            one["defaultConfiguration"] = {"level": meta.level}
            one["properties"] = {"tags": [meta.group]}
        else:
            one["shortDescription"] = {"text": ENGINE.get(name, name)}
        rules.append(one)
    return rules


def render(findings: Sequence[Finding], context: Context) -> str:
    """One run; columns count UTF-16 code units."""
    rules = _rules(findings, context)
    index = {rule["id"]: i for i, rule in enumerate(rules)}
    results = []
    for f, mark in zip(findings, fingerprints(findings, context), strict=True):
        here = {
            "physicalLocation": _physical(context, f.path, f.span),
            "message": {"text": f.message},
        }
        result: dict[str, Any] = {
            "ruleId": f.rule,
            "ruleIndex": index[f.rule],
            "level": f.level,
            "message": {"text": f.message},
            "locations": [{"physicalLocation": _physical(context, f.path, f.span)}],
            "partialFingerprints": {"asynclint/v1": mark},
        }
        if f.because:
            chain = [
                {
                    "physicalLocation": _physical(context, k.path, k.span),
                    "message": {"text": k.text},
                }
                for k in f.because
            ]
            steps = [{"location": here}, *({"location": one} for one in chain)]
            result["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
            result["relatedLocations"] = [{"id": i, **one} for i, one in enumerate(chain)]
        fixes = [one for fix in f.fixes if (one := _fix(fix, context)) is not None]
        if fixes:
            result["fixes"] = fixes
        results.append(result)
    document = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "asynclint",
                        "version": __version__,
                        "semanticVersion": __version__,
                        "rules": rules,
                    }
                },
                "columnKind": "utf16CodeUnits",
                "originalUriBaseIds": {
                    "SRCROOT": {"description": {"text": "the working directory"}}
                },
                "results": results,
            }
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
