"""Small projects with a trap each: what is fixed, and why the rest is not, is what their `fixes.txt` says."""

from __future__ import annotations

from pathlib import Path

import fixing
import pytest

from asynclint import fix

FIXTURES = Path(__file__).parent / "fixtures" / "fixes"
PROJECTS = sorted(path.name for path in FIXTURES.iterdir() if path.is_dir())


@pytest.mark.parametrize("name", PROJECTS)
def test_project(name: str, update: bool) -> None:
    root = FIXTURES / name
    texts = {p.relative_to(root).as_posix(): p.read_text("utf-8") for p in root.rglob("*.py")}
    outcome = fixing.applied(texts)
    lines = list(fix.diff(outcome))
    for finding in outcome.findings:
        assert finding.refusal
        place = f"{finding.path}:{finding.span.line}"
        lines.append(f"{place}: {finding.rule}: no fix: {finding.refusal}\n")
    found = "".join(lines)
    assert found, "nothing is found"

    expected = root / "fixes.txt"
    if update:
        expected.write_text(found, "utf-8")
    assert found == expected.read_text("utf-8")
