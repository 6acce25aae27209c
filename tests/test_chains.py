"""Chains of calls that prove a finding: each step is one that the code takes."""

from __future__ import annotations

from fixing import dedented, findings


def test_a_pool_runs_no_coroutine_function() -> None:
    """`pool.submit(load)` only makes a coroutine: what `load` builds is not built that way."""
    code = """
    from concurrent.futures import ProcessPoolExecutor

    import aiohttp
    from fastapi import FastAPI

    app = FastAPI()
    pool = ProcessPoolExecutor()


    async def load(url: str):
        async with aiohttp.ClientSession() as session:
            async with session.get(url) as answer:
                return await answer.text()


    @app.get("/start")
    async def start(url: str):
        pool.submit(load, url)


    @app.get("/load")
    async def both(url: str):
        pool.submit(load, url)
        return await load(url)
    """
    (found,) = findings({"app.py": dedented(code)}, "client-per-request")
    assert [link.text for link in found.because] == [
        "`both` is called for every request",
        "`both` calls `load`",
    ]
