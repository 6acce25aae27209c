"""Coroutines that a route puts into its response."""

from __future__ import annotations

import pytest
from fixing import findings

APP = """
from fastapi import FastAPI

app = FastAPI()


async def load(key: str) -> str:
    return key


@app.get("/")
async def route(keys: list[str]):
    return VALUE


def helper(keys: list[str]):
    return VALUE
"""

LOST = [
    "load(keys[0])",
    "[load(keys[0])]",
    '{"first": load(keys[0])}',
    "[load(key) for key in keys]",
    "{key: load(key) for key in keys}",
    '{"all": [load(key) for key in keys]}',
    '{"all": ({"one": load(keys[0])}, 1)}',
]


@pytest.mark.parametrize("value", LOST)
def test_a_response_holds_no_coroutine(value: str) -> None:
    code = APP.replace("VALUE", value).lstrip()
    (one,) = findings({"app.py": code})
    in_route = code.splitlines().index(f"    return {value}") + 1
    assert (one.rule, one.span.line) == ("unawaited-coroutine", in_route)


def test_who_gets_them_otherwise_may_await_them() -> None:
    assert findings({"app.py": APP.replace("VALUE", "(load(key) for key in keys)")}) == []
