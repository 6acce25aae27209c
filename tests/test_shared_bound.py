"""Semaphores and locks of the module's instead of each call's own: one for each function, and none that would wait for itself."""

from __future__ import annotations

import pytest
from one_module import fixed, refusals

PROGRESS = """
    import asyncio


    async def progress(count):
        async with asyncio.Lock():
            print(count)


    async def stats(count):
        async with asyncio.Lock():
            await progress(count)
            await asyncio.sleep(1)
"""


def test_locks_of_two_functions_stay_two() -> None:
    text = fixed("semaphore-per-call", PROGRESS)
    assert "progress_lock = asyncio.Lock()\n" in text
    assert "stats_lock = asyncio.Lock()\n" in text
    assert text.count("async with progress_lock:") == text.count("async with stats_lock:") == 1


def test_what_two_functions_call_alike_stays_two() -> None:
    code = """
    import asyncio


    async def first(fetch, url):
        limit = asyncio.Semaphore(10)
        async with limit:
            return await fetch(url)


    async def second(fetch, url):
        limit = asyncio.Semaphore(3)
        async with limit:
            return await fetch(url)
    """
    reason = "another function of the module makes a `limit`, too, and they would be one"
    assert refusals("semaphore-per-call", code) == [reason, reason]


@pytest.mark.parametrize(
    ("inner", "helper"),
    [
        ("await visit(fetch, page)", "pass"),
        ("await follow(fetch, page)", "await visit(fetch, page)"),
        ("await asyncio.gather(*(visit(fetch, one) for one in page))", "pass"),
    ],
)
def test_who_comes_to_himself_would_wait_for_himself(inner: str, helper: str) -> None:
    code = f"""
    import asyncio


    async def follow(fetch, page):
        {helper}


    async def visit(fetch, url):
        async with asyncio.Semaphore(3):
            page = await fetch(url)
            {inner}
    """
    reason = "`visit` comes to itself while it holds it, and would wait for itself"
    assert refusals("semaphore-per-call", code) == [reason]
