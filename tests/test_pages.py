"""Every example of every page behaves as its comments say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from asynclint import testing
from asynclint.findings import Finding

FACTS_OF: testing.FactsOf | None = None
"""How the engine tells its facts, once a page asserts one."""

RULES = Path(__file__).resolve().parent.parent / "rules"


@pytest.mark.parametrize("example", testing.examples(RULES), ids=str)
def test_example(
    example: testing.Example, findings_of: Callable[[testing.Example], Sequence[Finding]]
) -> None:
    report = testing.problems(example, findings_of(example))
    report += testing.fact_problems(example, FACTS_OF)
    report += testing.fix_problems(example)
    if report:
        pytest.fail("\n".join(report), pytrace=False)
