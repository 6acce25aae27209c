"""Applies the fixes that findings carry: text edits against the text that was checked."""

from __future__ import annotations

import io
import os
import tempfile
import tokenize
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from asynclint.findings import Edit, Finding, Safety
from asynclint.project import Project


def apply(findings: Sequence[Finding], project: Project) -> tuple[list[Finding], list[str]]:
    """Write the safe fixes; the findings that are left, and why any fix was not written.

    A fix is written whole or not at all. Of fixes that touch each other the first is written.
    A file is written only while it still has the text that was checked, and only if the result compiles where the
    text did before.
    """
    texts = {f.name: f for f in project.files if f.text is not None and f.reported}
    chosen: dict[str, list[Edit]] = defaultdict(list)
    fixed: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        for fix in finding.fixes:
            paths = {e.path for e in fix.edits}
            if fix.safety is not Safety.SAFE or len(paths) != 1 or not paths <= texts.keys():
                continue
            path = paths.pop()
            if not any(_touch(a, b) for a in fix.edits for b in chosen[path]):
                chosen[path] += fix.edits
                fixed[path].append(finding)
                break
    done: list[Finding] = []
    problems: list[str] = []
    for path, edits in sorted(chosen.items()):
        if not edits:
            continue
        file = texts[path]
        why = _write(file.path, file.text or "", edits)
        if why is None:
            done += fixed[path]
        else:
            problems.append(f"{path}: not fixed: {why}")
    return [f for f in findings if f not in done], problems


def _touch(one: Edit, other: Edit) -> bool:
    return one.start <= other.end and other.start <= one.end


def _write(path: Path, text: str, edits: list[Edit]) -> str | None:
    """Why a file was not written; None when it was."""
    new = text
    for edit in sorted(edits, key=lambda e: e.start, reverse=True):
        new = new[: edit.start] + edit.text + new[edit.end :]
    if _compiles(text) and not _compiles(new):
        return "the result would not compile"
    try:
        data = path.read_bytes()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        if encoding == "utf-8-sig" and text.startswith("\ufeff"):
            encoding = "utf-8"
        if data.decode(encoding) != text:
            return "the file has changed since it was read"
        mode = path.stat().st_mode
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".asynclint-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(new.encode(encoding))
            os.chmod(name, mode & 0o7777)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except (OSError, SyntaxError, UnicodeError) as error:
        return str(error)
    return None


def _compiles(text: str) -> bool:
    from asynclint.facts.extract import parse

    try:
        parse(text)
    except (SyntaxError, RecursionError, MemoryError):
        return False
    return True
