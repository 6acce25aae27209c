"""The example service starts and answers; asynclint finds what was planted in it, no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SERVICE = ROOT / "examples" / "service"


@dataclass(frozen=True)
class Planted:
    """A defect, where its finding starts, and the files through which its chain leads, in order."""

    rule: str
    file: str
    starts: str
    """Text that occurs once in the file; the finding starts at its first character."""
    chain: tuple[str, ...]
    proof: str = ""
    """Text on the line that the chain ends at."""


PLANTED = [
    Planted(
        "client-per-request",
        "dependencies.py",
        "AsyncAnthropic(api_key",
        ("routers/tickets.py", "dependencies.py"),
    ),
    Planted(
        "client-per-request",
        "services/notify.py",
        "httpx.AsyncClient(timeout=5)",
        ("routers/tickets.py", "services/notify.py"),
    ),
    Planted(
        "blocking-sdk-call",
        "routers/articles.py",
        "retrieval.rank(q)",
        ("routers/articles.py", "services/retrieval.py", "services/embeddings.py"),
        proof="get_client().embeddings.create(",
    ),
    Planted(
        "blocking-sleep",
        "services/crm.py",
        "backoff.pause(attempt)",
        ("services/crm.py", "services/backoff.py"),
        proof="time.sleep(",
    ),
    Planted(
        "unawaited-coroutine",
        "routers/exports.py",
        'permissions.allowed(user, "tickets:export")',
        ("routers/exports.py", "services/permissions.py"),
        proof="async def allowed(",
    ),
    Planted(
        "unawaited-coroutine",
        "routers/tickets.py",
        'history.record(ticket.id, "replied")',
        ("routers/tickets.py", "services/history.py"),
        proof="async def record(",
    ),
    Planted(
        "unbounded-gather",
        "services/summaries.py",
        "asyncio.gather(",
        ("services/summaries.py",),
    ),
]


def place(file: str, text: str) -> tuple[int, int]:
    """1-based line and column at which a text starts that occurs once in the file."""
    source = (SERVICE / "helpdesk" / file).read_text("utf-8")
    assert source.count(text) == 1, f"{text!r} must occur once in {file}"
    before = source[: source.index(text)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"} | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def found() -> list[dict[str, Any]]:
    result = run("-m", "asynclint", "check", "examples/service", "--output-format", "json")
    assert result.returncode == 1, result.stdout + result.stderr
    payload = json.loads(result.stdout)
    findings = payload["findings"] if isinstance(payload, dict) else payload
    return list(findings)


def test_planted_defects_and_nothing_else(found: list[dict[str, Any]]) -> None:
    expected = {
        (
            planted.rule,
            f"examples/service/helpdesk/{planted.file}",
            *place(planted.file, planted.starts),
        )
        for planted in PLANTED
    }
    assert {
        (finding["rule"], finding["path"], finding["span"]["line"], finding["span"]["column"])
        for finding in found
    } == expected
    assert len(found) == len(PLANTED)


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: f"{planted.file}-{planted.rule}")
def test_chain_leads_to_the_proof(planted: Planted, found: list[dict[str, Any]]) -> None:
    line, _ = place(planted.file, planted.starts)
    finding = next(
        finding
        for finding in found
        if finding["path"].endswith(f"/{planted.file}") and finding["span"]["line"] == line
    )
    visited = {finding["path"]} | {link["path"] for link in finding["because"]}
    assert visited >= {f"examples/service/helpdesk/{file}" for file in planted.chain}
    in_order = list(dict.fromkeys(link["path"] for link in finding["because"]))
    wanted = [f"examples/service/helpdesk/{file}" for file in planted.chain]
    assert [path for path in in_order if path in wanted] == [
        path for path in wanted if path in in_order
    ]
    for link in finding["because"]:
        assert link["text"]
        assert (ROOT / link["path"]).is_file()
    if planted.proof:
        last = finding["because"][-1]
        source = (ROOT / last["path"]).read_text("utf-8").splitlines()
        assert planted.proof in source[last["span"]["line"] - 1]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: f"{planted.file}-{planted.rule}")
def test_readme_names_the_defect(planted: Planted) -> None:
    assert f"`helpdesk/{planted.file}`" in (SERVICE / "README.md").read_text("utf-8")


TOUR = """
import warnings

warnings.simplefilter("ignore", RuntimeWarning)  # the planted forgotten awaits

from fastapi.testclient import TestClient

from helpdesk.app import app

with TestClient(app) as client:
    assert client.get("/health").json() == {"status": "ok"}
    new = {"customer_id": "7", "subject": "Hello", "body": "It does not work."}
    assert client.post("/tickets", json=new).json()["id"] == 1
    assert client.get("/tickets/1").json()["subject"] == "Hello"
    assert client.get("/tickets/2").status_code == 404
    assert client.post("/tickets/digest", json={"ticket_ids": []}).json() == []
    assert len(client.get("/exports/tickets").json()) == 1
    assert client.post("/exports/archive").status_code == 403
    assert client.app.state.crm.is_closed is False
assert client.app.state.crm.is_closed is True
"""


def test_service_starts_and_answers() -> None:
    for package in ("anthropic", "fastapi", "httpx", "openai", "requests"):
        pytest.importorskip(package)
    result = run("-B", "-c", TOUR, PYTHONPATH=str(SERVICE))
    assert result.returncode == 0, result.stderr
