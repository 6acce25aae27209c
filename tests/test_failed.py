"""What asynclint itself fails on costs what it says of one function."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynclint.check import check
from asynclint.config import load
from asynclint.facts import evaluate
from asynclint.facts.answers import Answers
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import CallSite
from asynclint.facts.program import Function, Module
from asynclint.facts.types import Type
from asynclint.findings import Finding
from asynclint.fixes.place import Place
from asynclint.project import discover

pytestmark = pytest.mark.skipif(
    not (evaluate.__file__ or "").endswith(".py"), reason="what is compiled cannot be replaced"
)

TEXT = """\
import time


async def good():
    time.sleep(1)


async def broken():
    time.sleep(2)  # asynclint: ignore[blocking-sleep] known
"""


def found(project: Path) -> list[Finding]:
    config = load(project)
    return check(discover([str(project)], config), config).findings


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("ASYNCLINT_TRACEBACK")
    (tmp_path / "app.py").write_text(TEXT, "utf-8")
    return tmp_path


def fails(function: Function) -> None:
    if function.facts.name == "broken":
        raise TypeError("unhashable type:\n 'list'")


def said(findings: list[Finding]) -> list[tuple[int, str, str]]:
    return [(f.span.line, f.rule, f.message) for f in findings]


EXPECTED = [
    (5, "blocking-sleep", "`time.sleep` blocks the event loop"),
    (
        8,
        "internal-error",
        "`broken` is not judged, because asynclint fails on it: TypeError: unhashable type: 'list'",
    ),
]


def test_reading_a_function(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    callee = Evaluator.callee

    def broken(self: Evaluator, module: Module, site: CallSite) -> Type:
        fails(module.functions[site.function])
        return callee(self, module, site)

    monkeypatch.setattr(Evaluator, "callee", broken)
    assert said(found(project)) == EXPECTED


def test_answering_for_a_function(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Answers._blocking

    def broken(self: Answers, function: Function, facts: object) -> None:
        fails(function)
        answer(self, function, facts)  # type: ignore[arg-type]

    monkeypatch.setattr(Answers, "_blocking", broken)
    assert said(found(project)) == EXPECTED
    monkeypatch.setenv("ASYNCLINT_TRACEBACK", "1")
    with pytest.raises(TypeError, match="unhashable"):
        found(project)


def test_repairing_a_finding(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(place: Place) -> None:
        raise LookupError("nowhere")

    monkeypatch.setattr(Place, "refuse_held", broken)
    [finding] = found(project)
    assert finding.refusal == "asynclint fails on it: LookupError: nowhere"
