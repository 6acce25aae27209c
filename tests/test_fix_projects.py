"""Small projects with a trap each: what is fixed, and why the rest is not, is what their `fixes.txt` says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from asynclint import check, fix
from asynclint.config import from_table
from asynclint.findings import Finding
from asynclint.project import Project
from asynclint.testing import in_memory

FIXTURES = Path(__file__).parent / "fixtures" / "fixes"
PROJECTS = sorted(path.name for path in FIXTURES.iterdir() if path.is_dir())


def _checked(project: Project) -> Sequence[Finding]:
    return check.check(project, from_table({}, project.root)).kept


def _fixed(project: Project) -> fix.Outcome:
    yields = check.yields(from_table({}, project.root))
    return fix.run(project, _checked(project), _checked, fix.allowed(False), yields)


@pytest.mark.parametrize("name", PROJECTS)
def test_project(name: str, request: pytest.FixtureRequest) -> None:
    root = FIXTURES / name
    texts = {p.relative_to(root).as_posix(): p.read_text("utf-8") for p in root.rglob("*.py")}
    project = in_memory(texts)
    outcome = _fixed(project)
    assert outcome.problems == []
    lines = list(fix.diff(outcome))
    for finding in outcome.findings:
        reason = finding.refusal or "?"
        lines.append(f"{finding.path}:{finding.span.line}: {finding.rule}: no fix: {reason}\n")
    found = "".join(lines)
    assert found, "nothing is found"
    assert "no fix: ?" not in found

    texts |= outcome.after
    for path, text in texts.items():
        compile(text, path, "exec")
    assert _fixed(in_memory(texts)).after == {}, "fixed twice"

    expected = root / "fixes.txt"
    if request.config.getoption("--update", default=False):
        expected.write_text(found, "utf-8")
    assert found == expected.read_text("utf-8")
