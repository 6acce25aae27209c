"""Small projects with a trap each: what is fixed, and why the rest is not, is what their `fixes.txt` says."""

from __future__ import annotations

from pathlib import Path

import fixing
import pytest

from asynclint import fix

FIXTURES = Path(__file__).parent / "fixtures" / "fixes"
PROJECTS = sorted(path.name for path in FIXTURES.iterdir() if path.is_dir())


@pytest.mark.parametrize("name", PROJECTS)
def test_project(name: str, update: bool) -> None:
    root = FIXTURES / name
    texts = {p.relative_to(root).as_posix(): p.read_text("utf-8") for p in root.rglob("*.py")}
    outcome = fixing.applied(texts)
    lines = list(fix.diff(outcome))
    for finding in outcome.findings:
        assert finding.refusal
        place = f"{finding.path}:{finding.span.line}"
        lines.append(f"{place}: {finding.rule}: no fix: {finding.refusal}\n")
    found = "".join(lines)
    assert found, "nothing is found"

    expected = root / "fixes.txt"
    if update:
        expected.write_text(found, "utf-8")
    assert found == expected.read_text("utf-8")


def test_a_line_written_among_lines_that_move_waits() -> None:
    app = """
        import asyncio

        import httpx
        from fastapi import FastAPI

        app = FastAPI()


        async def fetch(client: httpx.AsyncClient, url: str) -> str:
            return (await client.get(url)).text


        @app.get("/")
        async def pages(query: str) -> list[str]:
            async with httpx.AsyncClient() as client:
                urls = (await client.get(query)).json()
                if not urls:
                    return []

                # All of them at once
                tasks = [fetch(client, url) for url in urls]
                return await asyncio.gather(*tasks)
    """
    text = fixing.applied({"app.py": app}).after["app.py"]
    assert "    if not urls:\n        return []\n\n    semaphore = asyncio.Semaphore(10)\n" in text
    assert "[bounded(fetch, client, url) for url in urls]" in text
