"""Services that call synchronous clients in coroutines, run before and after they got the asynchronous ones.

The loopback server behind them answers when the service's event loop has shown that it runs, or after some patience.
Run them alone with `pytest tests/test_twin_proof.py`, one of them with `-k streams`.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from proof.fixing import fix
from proof.service import Account, Answer, running
from proof.upstream import Asked, Authority, Upstream, environment

SERVICES = Path(__file__).with_name("proof") / "twins"
KEPT = 0.3
"""Seconds of patience with a loop that is kept: it is known not to answer."""

FREE = 60.0
"""Seconds of patience with a loop that is free: it answers at once, if the machine lets it."""

OWN = frozenset({"user-agent", "x-stainless-async", "x-stainless-read-timeout", "idempotency-key"})
"""Headers in which an SDK says which of its clients it is."""

TARGETS = {
    "plain": ("/claude?q={n}", "/gpt?q={n}", "/raw?q={n}", "/both?q={n}", "/web?q={n}"),
    "streams": ("/events?q={n}", "/tokens?q={n}", "/joined?q={n}", "/lines?q={n}"),
    "helpers": ("/twice?q={n}", "/method?q={n}", "/web?q={n}"),
    "kept": ("/assistant?q={n}", "/state?q={n}", "/depends?q={n}", "/search?q={n}"),
}
"""What each service is asked; `{n}` becomes the number of the request."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the services end on SIGTERM")


@dataclass(frozen=True)
class Run:
    """What a service answered, what reached the server, and whether the event loop ran while each answer was held back."""

    answers: list[Answer]
    asked: list[Asked]
    account: Account
    free: list[bool]


def run(directory: Path, authority: Authority, trusted: Path, patience: float) -> Run:
    """Ask a service everything twice: the second time everything is imported and connected."""
    targets = TARGETS[directory.name]
    upstream = Upstream(authority, patience=patience)
    with upstream.serving():
        variables = environment(upstream, trusted)
        with running(directory, "app:app", variables) as service:
            answers = service.ask([t.format(n=1) for t in targets])
            answers += service.ask([t.format(n=2) for t in targets])
        asked = [
            Asked(
                one.method,
                one.target,
                {k: v for k, v in one.headers.items() if k not in OWN},
                one.body,
            )
            for one in upstream.asked()
        ]
    assert service.account.errors == ""
    assert service.account.code == 0
    assert [a.status for a in answers] == [200] * len(answers), answers
    return Run(answers, sorted(asked, key=repr), service.account, upstream.free)


@pytest.mark.parametrize("name", TARGETS)
def test_twin(name: str, tmp_path: Path, authority: Authority, trusted: Path) -> None:
    """It answers the same, asks the same of the server, and no longer waits for it on the event loop."""
    before = run(SERVICES / name, authority, trusted, KEPT)
    directory = Path(shutil.copytree(SERVICES / name, tmp_path / name))
    done = fix(directory, "blocking")
    printed = done.stdout + done.stderr
    texts = "".join(path.read_text("utf-8") for path in sorted(directory.rglob("*.py")))
    assert done.returncode == 0, printed
    assert "to_thread" not in texts, printed
    after = run(directory, authority, trusted, FREE)
    assert after.answers == before.answers, texts
    assert after.asked == before.asked, texts
    assert set(before.account.built()) == {c.replace("Async", "") for c in after.account.built()}
    assert len(before.free) >= len(TARGETS[name]) * 2
    assert not any(before.free)
    assert len(after.free) == len(before.free)
    assert all(after.free), texts
