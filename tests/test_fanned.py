"""A client for each item of a fan-out becomes one around it: what is written, and where it is refused."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import pytest

from asynclint import check, fix
from asynclint.config import from_table
from asynclint.findings import Finding
from asynclint.testing import in_memory

HEAD = """\
import asyncio

import httpx


"""


def _fixed(code: str, **files: str) -> tuple[Sequence[Finding], str]:
    text = HEAD + textwrap.dedent(code).lstrip("\n")
    texts = {f"{name}.py": textwrap.dedent(one).lstrip("\n") for name, one in files.items()}
    project = in_memory({**texts, "app.py": text})
    config = from_table({"select": ["client-per-item"]}, project.root)

    def again(project: object) -> Sequence[Finding]:
        return check.check(project, config).kept  # type: ignore[arg-type]

    found = check.check(project, config).findings
    outcome = fix.run(project, found, again, fix.allowed(False), check.yields(config))
    assert outcome.problems == []
    return found, outcome.after.get("app.py", text).removeprefix(HEAD)


FETCH = """\
async def fetch(url: str, retries: int = 1) -> int:
    async with httpx.AsyncClient(timeout=5) as client:
        # One page.
        return (await client.get(url)).status_code


"""


def test_one_client_for_all() -> None:
    _, text = _fixed(
        FETCH
        + """\
async def handler(urls: list[str]) -> list[int]:
    found = await asyncio.gather(
        *[fetch(url, retries=2) for url in urls],
    )
    return list(found)
"""
    )
    assert text == (
        """\
async def fetch(client: httpx.AsyncClient, url: str, retries: int = 1) -> int:
    # One page.
    return (await client.get(url)).status_code


async def handler(urls: list[str]) -> list[int]:
    async with httpx.AsyncClient(timeout=5) as client:
        found = await asyncio.gather(
            *[fetch(client, url, retries=2) for url in urls],
        )
    return list(found)
"""
    )


def test_a_method() -> None:
    _, text = _fixed(
        """
        class Pages:
            base = "https://example.com"

            async def _load(self, url: str) -> int:
                async with httpx.AsyncClient(base_url=self.base) as web:
                    return (await web.get(url)).status_code

            async def load(self, urls: list[str]) -> list[int]:
                return await asyncio.gather(*(self._load(url) for url in urls))
        """
    )
    assert "async def _load(self, web: httpx.AsyncClient, url: str) -> int:\n        return" in text
    assert (
        "        async with httpx.AsyncClient(base_url=self.base) as web:\n"
        "            return await asyncio.gather(*(self._load(web, url) for url in urls))\n" in text
    )


def test_a_method_of_another_object() -> None:
    found, _ = _fixed(
        """
        class Pages:
            base = "https://example.com"

            async def _load(self, url: str) -> int:
                async with httpx.AsyncClient(base_url=self.base) as web:
                    return (await web.get(url)).status_code


        async def load(pages: Pages, urls: list[str]) -> list[int]:
            return await asyncio.gather(*(pages._load(url) for url in urls))
        """
    )
    reason = "`self` belongs to the function that is started for every item"
    assert [f.refusal for f in found] == [reason]


GATHER = """
async def handler(urls: list[str]) -> None:
    {}
"""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (FETCH + GATHER.format("await fetch('a')\n    await asyncio.gather(*[fetch(u) for u in urls])"), "the function is started for every item, and called elsewhere, too"),
        (FETCH + GATHER.format("jobs = [fetch(u) for u in urls]\n    await asyncio.gather(*jobs)"), "the coroutines are not awaited where they are started"),
        (FETCH + GATHER.format("client = len(urls)\n    print(client, await asyncio.gather(*[fetch(u) for u in urls]))"), "`client` means something else in `handler`"),
        (FETCH.replace("timeout=5", "timeout=retries") + GATHER.format("await asyncio.gather(*[fetch(u) for u in urls])"), "`retries` belongs to the function that is started for every item"),
        ("@print\n" + FETCH + GATHER.format("await asyncio.gather(*[fetch(u) for u in urls])"), None),
    ],
)  # fmt: skip
def test_clients_that_stay(code: str, reason: str | None) -> None:
    found, _ = _fixed(code)
    if reason is not None:
        assert [f.refusal for f in found] == [reason]
    assert not any(f.fixes for f in found)
