"""Projects in memory, their fixes, and what must hold of every fix."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from asynclint import check, fix
from asynclint.config import from_table
from asynclint.findings import Finding
from asynclint.project import Project
from asynclint.testing import in_memory


def dedented(code: str) -> str:
    """A module as it stands in a test, without the margin and the first line."""
    return textwrap.dedent(code).lstrip("\n")


def findings(files: Mapping[str, str], *rules: str) -> Sequence[Finding]:
    """The findings of some rules, or of all that are on, with their fixes."""
    return check.check(*_project(files, rules)).kept


def applied(files: Mapping[str, str], *rules: str) -> fix.Outcome:
    """All fixes, safe and unsafe. None may be refused when it is made; all must compile, and a second run change nothing."""
    project, config = _project(files, rules)
    yields = check.yields(config)

    def checked(project: Project) -> Sequence[Finding]:
        return check.check(project, config).kept

    outcome = fix.run(project, checked(project), checked, fix.allowed(False), yields)
    assert outcome.problems == []
    texts = {f.name: f.text or "" for f in project.files} | outcome.after
    for name, text in texts.items():
        compile(text, name, "exec")
    again = in_memory(texts)
    assert fix.run(again, checked(again), checked, fix.allowed(False), yields).after == {}
    return outcome


def fixed(files: Mapping[str, str], *rules: str) -> dict[str, str]:
    """The changed files after all fixes, which must leave no finding."""
    outcome = applied(files, *rules)
    assert outcome.findings == []
    return outcome.after


def refusal(files: Mapping[str, str], *rules: str) -> str:
    """Why the one finding has no fix."""
    [found] = findings(files, *rules)
    assert not found.fixes, found.fixes[0].title
    assert found.refusal
    return found.refusal


def offered(files: Mapping[str, str], *rules: str) -> bool:
    """Whether the one finding has a fix."""
    [found] = findings(files, *rules)
    return bool(found.fixes)


def _project(files: Mapping[str, str], rules: Sequence[str]) -> tuple[Project, check.Config]:
    project = in_memory({name: dedented(text) for name, text in files.items()})
    return project, from_table({"select": list(rules)} if rules else {}, project.root)
