"""A module in memory under one rule, with others beside it: what its fixes write, and why there are none."""

from __future__ import annotations

from collections.abc import Sequence

from fixing import dedented

from asynclint import check, fix
from asynclint.config import from_table
from asynclint.findings import Finding, Safety
from asynclint.project import Project
from asynclint.testing import in_memory


def checked(rule: str, files: dict[str, str]) -> tuple[list[Finding], fix.Outcome]:
    """The findings of a rule in files that stand as they are, and all of its fixes."""
    project = in_memory(files)
    config = from_table({"select": [rule]}, project.root)

    def again(project: Project) -> Sequence[Finding]:
        return check.check(project, config).kept

    found = check.check(project, config).findings
    outcome = fix.run(project, found, again, fix.allowed(False), check.yields(config))
    assert outcome.problems == []
    return found, outcome


def judged(rule: str, code: str, **files: str) -> list[Finding]:
    """The findings of a rule in a module."""
    return checked(rule, _texts(code, files))[0]


def fixed(rule: str, code: str, **files: str) -> str:
    """A module after all fixes of a rule; fixing it again must change nothing."""
    texts = _texts(code, files)
    _, outcome = checked(rule, texts)
    texts.update(outcome.after)
    assert checked(rule, texts)[1].after == {}
    return texts["app.py"]


def body(rule: str, code: str, start: str, **files: str) -> str:
    """The fixed lines of one definition."""
    text = fixed(rule, code, **files)
    begin = text.index(start)
    end = text.find("\n\n\n", begin)
    return text[begin : end if end >= 0 else len(text)].rstrip("\n") + "\n"


def refusals(rule: str, code: str, **files: str) -> list[str]:
    """Why the findings of a module have no fix."""
    found = judged(rule, code, **files)
    assert found and not any(f.fixes for f in found), [f.fixes for f in found]
    return [f.refusal or "" for f in found]


def safety(rule: str, code: str, **files: str) -> list[Safety]:
    """How safe the first fix of each finding is."""
    return [f.fixes[0].safety for f in judged(rule, code, **files)]


def _texts(code: str, files: dict[str, str]) -> dict[str, str]:
    beside = {f"{name}.py": dedented(text) for name, text in files.items()}
    return {**beside, "app.py": dedented(code)}
