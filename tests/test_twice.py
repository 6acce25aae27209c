"""What is asked under one lock and changed under another one: two threads come in between."""

from __future__ import annotations

import textwrap

import pytest
from one_module import judged
from test_stores import reasons

BODY = """
import threading

import requests

LOCK = threading.Lock()
SEEN = set()


class Vault:
    def __init__(self):
        self._guard = threading.Lock()
        self._used = set()
        self._known = {}
        self._left = 10

    def _is_used(self, tx):
        with self._guard:
            return tx in self._used

    def _check(self, tx):
        with self._guard:
            if tx in self._used:
                raise ValueError(tx)

    def _mark(self, tx):
        with self._guard:
            self._used.add(tx)

    def _claim(self, tx):
        with self._guard:
            if tx in self._used:
                return False
            self._used.add(tx)
            return True

    def verify(self, tx):
BODY


VAULT = Vault()


async def run(tx):
    return VAULT.verify(tx)
"""

ASKS = "with self._guard:\n    if tx in self._used:\n        return\n"
WORKS = "requests.get(tx)\n"
ADDS = "with self._guard:\n    self._used.add(tx)\n"


def vault(body: str) -> str:
    return BODY.replace("BODY", textwrap.indent(body, " " * 8))


def _reason(name: str, key: str) -> str:
    return f"`{name}` asks `{key}` and changes it behind that without a lock around both, which two threads would both do"


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (ASKS + WORKS + ADDS, "self._used"),
        ("if tx in self._used:\n    return\n" + WORKS + ADDS, "self._used"),
        ("if self._is_used(tx):\n    return\n" + WORKS + "self._mark(tx)", "self._used"),
        ("self._check(tx)\n" + WORKS + "self._mark(tx)", "self._used"),
        (
            "with self._guard:\n    used = tx in self._used\nif not used:\n    requests.get(tx)\n    self._mark(tx)",
            "self._used",
        ),
        (
            "with self._guard:\n    left = self._left\nrequests.get(tx)\nwith self._guard:\n    self._left = left - 1",
            "self._left",
        ),
        (
            "with self._guard:\n    if self._left < 1:\n        return\nrequests.get(tx)\nwith self._guard:\n    self._left -= 1",
            "self._left",
        ),
        ("if self._left < 1:\n    return\nrequests.get(tx)\nself._left -= 1", "self._left"),
        (
            "with self._guard:\n    rows = self._known.get(tx)\nif rows is not None:\n    return rows\nrows = requests.post(tx)\nwith self._guard:\n    self._known[tx] = rows\nreturn rows",
            "self._known",
        ),
        (
            "with LOCK:\n    if tx in SEEN:\n        return\nrequests.get(tx)\nwith LOCK:\n    SEEN.add(tx)",
            "SEEN",
        ),
    ],
)
def test_what_is_asked_before_a_lock_is_taken_again(body: str, key: str) -> None:
    assert reasons("blocking-http-call", vault(body)) == [_reason("Vault.verify", key)]


@pytest.mark.parametrize(
    "body",
    [
        # Under one lock.
        "with self._guard:\n    if tx in self._used:\n        return\n    requests.get(tx)\n    self._used.add(tx)",
        # Asked again under the second one.
        ASKS
        + WORKS
        + "with self._guard:\n    if tx not in self._used:\n        self._used.add(tx)",
        ASKS + WORKS + "return self._claim(tx)",
        # Taken before, and given back where that fails.
        "with self._guard:\n    if tx in self._used:\n        return\n    self._used.add(tx)\ntry:\n    requests.get(tx)\nexcept OSError:\n    with self._guard:\n        self._used.discard(tx)",
        "if not self._claim(tx):\n    return\nrequests.get(tx)\nself._mark(tx)",
        # Nothing goes by it.
        "with self._guard:\n    print(self._used)\nrequests.get(tx)\nself._mark(tx)",
        "requests.get(tx)\nwith self._guard:\n    self._left -= 1",
        # The other way round, and on another way.
        ADDS + WORKS + "return tx in self._used",
        "if tx:\n    return self._is_used(tx)\nrequests.get(tx)\nself._mark(tx)",
        # What is counted within the call.
        "left = 10\ndef count(one):\n    nonlocal left\n    if left < 1:\n        return\n    left -= 1\nrequests.get(tx)\ncount(tx)",
        # An object of the call's own.
        "other = Vault()\nother._check(tx)\nrequests.get(tx)\nother._mark(tx)",
    ],
)
def test_what_one_lock_or_one_claim_keeps_together(body: str) -> None:
    assert reasons("blocking-http-call", vault(body)) == [None]


def test_the_question_and_the_change_may_be_deeper_down() -> None:
    code = vault(ASKS + WORKS + ADDS) + textwrap.dedent("""

    def below(tx):
        VAULT.verify(tx)


    def locked(tx):
        with LOCK:
            VAULT.verify(tx)


    async def other(tx):
        below(tx)


    async def another(tx):
        locked(tx)


    async def alone(tx):
        Vault().verify(tx)
    """)
    reason = _reason("Vault.verify", "self._used")
    assert reasons("blocking-http-call", code)[:3] == [reason, reason, None]


def test_those_who_call_each_other_and_objects_without_a_name() -> None:
    body = "with self._guard:\n    self._used.add(tx)\nrequests.get(tx)\nself._again(tx)"
    code = vault(body) + textwrap.dedent("""

    class More(Vault):
        def _again(self, tx):
            with self._guard:
                self._known[tx] = 1
            self.verify(tx)

        def verify(self, tx):
            with self._guard:
                self._known[tx] = 1
            requests.get(tx)
            self._again(tx)


    MORE = More()


    def more():
        return MORE


    def through(tx):
        more()._check(tx)
        requests.get(tx)
        more()._mark(tx)


    async def each_other(tx):
        MORE.verify(tx)


    async def nameless(tx):
        through(tx)
    """)
    assert reasons("blocking-http-call", code)[-2:] == [None, _reason("through", "MORE._used")]


def test_a_route_that_asks_and_changes_stays_a_coroutine() -> None:
    body = textwrap.dedent("""
    import threading

    import requests
    from fastapi import FastAPI

    app = FastAPI()
    LOCK = threading.Lock()
    SEEN = set()


    @app.get("/{tx}")
    async def route(tx: str):
        with LOCK:
            if tx in SEEN:
                return
        requests.get("https://example.com")
        with LOCK:
            SEEN.add(tx)
    """)
    found = judged("blocking-http-call", body)
    assert [fix.title for one in found for fix in one.fixes] == []
