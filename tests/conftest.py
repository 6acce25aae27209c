"""Options and fixtures that several test files share."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from asynclint import testing
from asynclint.findings import Finding

if TYPE_CHECKING:
    from proof.upstream import Authority

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "rules"

# What asynclint itself fails on is an error of a test, not a finding.
os.environ["ASYNCLINT_TRACEBACK"] = "1"

# Tests start asynclint some hundred times: it is compiled once for all of them, whatever the environment says.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A test says the same of the same commit; `HYPOTHESIS_PROFILE=explore` looks for what nobody has seen yet.
_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile(
    "same", derandomize=True, max_examples=80, deadline=None, suppress_health_check=_SLOW
)
settings.register_profile("explore", max_examples=2000, deadline=None, suppress_health_check=_SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update",
        action="store_true",
        help="rewrite the expected output beside tests/fixtures instead of comparing with it",
    )
    parser.addoption(
        "--update-pages",
        action="store_true",
        help="regenerate the diff blocks on rule pages from what fixing does",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--update-pages") and not hasattr(config, "workerinput"):
        for page in sorted(RULES.glob("*.md")):
            testing.update_diffs(page)


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    """Whether expected output is to be rewritten."""
    return bool(request.config.getoption("--update"))


@functools.cache
def _checked(page: str, line: int) -> tuple[Finding, ...]:
    [example] = [example for example in testing.examples(page) if example.line == line]
    return tuple(testing.run(example))


@pytest.fixture(scope="session")
def findings_of() -> Callable[[testing.Example], tuple[Finding, ...]]:
    """The findings on a page's example, computed once in a session."""
    return lambda example: _checked(str(example.page), example.line)


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Signs the certificates of the loopback servers."""
    from proof.upstream import Authority

    return Authority()


@pytest.fixture(scope="module")
def trusted(authority: Authority) -> Iterator[Path]:
    """A file of certificates with which the authority is trusted."""
    from proof.upstream import trusting

    with trusting(authority) as path:
        yield path
