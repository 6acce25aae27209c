"""Clients that are closed after all: where a lifespan closes them, and in which order."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import pytest

from asynclint import check, fix
from asynclint.config import from_table
from asynclint.findings import Finding
from asynclint.testing import in_memory


def _fixed(code: str) -> tuple[Sequence[Finding], str]:
    text = textwrap.dedent(code).lstrip("\n")
    project = in_memory({"app.py": text})
    config = from_table({"select": ["unclosed-client"]}, project.root)

    def again(project: object) -> Sequence[Finding]:
        return check.check(project, config).kept  # type: ignore[arg-type]

    found = check.check(project, config).findings
    outcome = fix.run(project, found, again, fix.allowed(False), check.yields(config))
    assert outcome.problems == []
    return found, outcome.after.get("app.py", text)


HEAD = """\
import asyncio
from contextlib import asynccontextmanager

import aiohttp
import asyncpg
import httpx
from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app: FastAPI):
{}

app = FastAPI(lifespan=lifespan)
"""


def _lifespan(body: str) -> tuple[Sequence[Finding], str]:
    found, text = _fixed(HEAD.format(textwrap.indent(textwrap.dedent(body), "    ")))
    inner = text[text.index("async def lifespan") :].partition("\n")[2]
    return found, textwrap.dedent(inner[: inner.index("\n\napp = ")]).rstrip() + "\n"


def test_what_is_yielded_stays_whole() -> None:
    _, text = _lifespan(
        """\
        client: httpx.AsyncClient = httpx.AsyncClient()  # one for all
        app.state.web = client
        yield {
            "note": '''two
        lines''',
        }
        print("done")
        """
    )
    assert text == textwrap.dedent(
        """\
        client: httpx.AsyncClient = httpx.AsyncClient()  # one for all
        app.state.web = client
        try:
            yield {
                "note": '''two
            lines''',
            }
        finally:
            await client.aclose()
        print("done")
        """
    ).replace("    lines'''", "lines'''")


def test_a_finally_is_used() -> None:
    _, text = _lifespan(
        """\
        app.state.pool = await asyncpg.create_pool("postgresql://db")
        try:
            print("start")
            yield
        finally:
            # The end.
            print("done")
        """
    )
    assert text.endswith(
        'finally:\n    # The end.\n    await app.state.pool.close()\n    print("done")\n'
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("if app:\n    app.state.web = httpx.AsyncClient()\nyield\n", "it is built under a condition"),
        ("app.state.web = httpx.AsyncClient()\nif app:\n    yield\nelse:\n    yield\n", "the `yield` of the lifespan does not stand on a line of its own"),
        ("httpx.AsyncClient()\nyield\n", "nothing in reach holds the client"),
        ("app.state.web = app.web = httpx.AsyncClient()\nyield\n", "nothing in reach holds the client"),
    ],
)  # fmt: skip
def test_clients_that_stay_open(body: str, reason: str) -> None:
    found, _ = _lifespan(body)
    assert [f.refusal for f in found] == [reason]


def test_a_main_coroutine_enters_its_session() -> None:
    code = """
        import asyncio
        import aiohttp

        async def main() -> int:
            url = "https://example.com"
            try:
                session = aiohttp.ClientSession(headers={"a": "b"})
                await session.get(url)

                return 1
            except OSError:
                return 0

        asyncio.run(main())
    """
    _, text = _fixed(code)
    assert (
        '        async with aiohttp.ClientSession(headers={"a": "b"}) as session:\n'
        "            await session.get(url)\n\n"
        "            return 1\n"
        "    except OSError:" in text
    )
