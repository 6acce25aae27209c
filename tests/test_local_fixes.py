"""Fixes within one function: what they write where the code is not as simple as on the pages, and where they refuse."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import pytest

from asynclint import check, fix
from asynclint.config import from_table
from asynclint.findings import Finding, Safety
from asynclint.testing import in_memory


def _checked(rule: str, files: dict[str, str]) -> tuple[list[Finding], fix.Outcome]:
    project = in_memory(files)
    config = from_table({"select": [rule]}, project.root)

    def again(project: object) -> Sequence[Finding]:
        return check.check(project, config).kept  # type: ignore[arg-type]

    found = check.check(project, config).findings
    outcome = fix.run(project, found, again, fix.allowed(False), check.yields(config))
    assert outcome.problems == []
    return found, outcome


def _text(code: str) -> str:
    return textwrap.dedent(code).lstrip("\n")


def fixed(rule: str, code: str, **files: str) -> str:
    """A module after all fixes of a rule; fixing it again must change nothing."""
    texts = {f"{name}.py": _text(text) for name, text in files.items()}
    texts["app.py"] = _text(code)
    _, outcome = _checked(rule, texts)
    texts.update(outcome.after)
    assert _checked(rule, texts)[1].after == {}
    return texts["app.py"]


def body(rule: str, code: str, start: str, **files: str) -> str:
    """The fixed lines of one definition."""
    text = fixed(rule, code, **files)
    begin = text.index(start)
    end = text.find("\n\n\n", begin)
    return text[begin : end if end >= 0 else len(text)].rstrip("\n") + "\n"


def refusals(rule: str, code: str, **files: str) -> list[str]:
    """Why the findings of a module have no fix."""
    texts = {f"{name}.py": _text(text) for name, text in files.items()}
    found, _ = _checked(rule, {**texts, "app.py": _text(code)})
    assert found and not any(f.fixes for f in found), [f.fixes for f in found]
    return [f.refusal or "" for f in found]


def safety(rule: str, code: str, **files: str) -> list[Safety]:
    """How safe the first fix of each finding is."""
    texts = {f"{name}.py": _text(text) for name, text in files.items()}
    found, _ = _checked(rule, {**texts, "app.py": _text(code)})
    return [f.fixes[0].safety for f in found]


# -- unbounded-gather --------------------------------------------------------------------------------

FETCH = """\
import asyncio


async def fetch(url: str = "", *, retries: int = 1) -> str:
    await asyncio.sleep(1)
    return url


"""


def _bounded(code: str) -> str:
    return body("unbounded-gather", FETCH + _text(code), "async def handler")


def test_the_semaphore_stands_before_all_branches() -> None:
    assert _bounded(
        """
        async def handler(flag: bool, urls: list[str]) -> list[str]:
            if flag:
                jobs = [fetch(url) for url in urls]
            elif urls:
                jobs = [fetch(url, retries=2) for url in urls]
            else:
                jobs = [fetch() for _ in urls]
            return await asyncio.gather(*jobs)
        """
    ) == _text(
        """
        async def handler(flag: bool, urls: list[str]) -> list[str]:
            semaphore = asyncio.Semaphore(10)

            async def bounded(function, /, *args, **kwargs):
                async with semaphore:
                    return await function(*args, **kwargs)

            if flag:
                jobs = [bounded(fetch, url) for url in urls]
            elif urls:
                jobs = [bounded(fetch, url, retries=2) for url in urls]
            else:
                jobs = [bounded(fetch) for _ in urls]
            return await asyncio.gather(*jobs)
        """
    )


def test_a_list_of_the_same_name_in_a_nested_function_is_another_one() -> None:
    text = _bounded(
        """
        async def handler(roots: list[list[str]]) -> None:
            async def visit(urls: list[str]) -> None:
                jobs = []
                for url in urls:
                    jobs.append(fetch(url))
                await asyncio.gather(*jobs)

            jobs = [visit(root) for root in roots]
            await asyncio.gather(*jobs)
        """
    )
    assert text.count("asyncio.Semaphore(10)") == 2
    outer = text.index("\n    semaphore = ")
    assert outer > text.index("jobs.append(bounded(fetch, url))")
    assert text.index("jobs = [bounded(visit, root) for root in roots]") > outer


def test_comments_and_lines_of_a_call_stay() -> None:
    text = _bounded(
        """
        async def handler(urls: list[str]) -> None:
            # all of them
            await asyncio.gather(
                *(
                    fetch(  # one
                        url,
                        retries=3,  # often
                    )
                    for url in urls
                )
            )
        """
    )
    assert "# all of them\n    await asyncio.gather(" in text
    assert (
        "bounded(fetch,  # one\n                url,\n                retries=3,  # often\n" in text
    )


def test_the_bound_of_an_outer_loop_is_one() -> None:
    text = _bounded(
        """
        async def handler(groups: list[list[str]]) -> None:
            for group in groups:
                await asyncio.gather(*[fetch(url) for url in group])
        """
    )
    assert text.index("semaphore = ") < text.index("for group in groups")


def test_a_function_for_several_iterables() -> None:
    text = _bounded(
        """
        async def handler(urls: list[str], item: list[str]) -> None:
            await asyncio.gather(*map(fetch, urls))
            await asyncio.gather(*map(fetch, urls, item))
        """
    )
    assert "*(bounded(fetch, one) for one in urls)" in text
    assert "*(bounded(fetch, *items) for items in zip(urls, item))" in text


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            "await asyncio.gather(*[asyncio.wait_for(fetch(url), 3) for url in urls])",
            "its coroutines are made before `wait_for` gets them",
        ),
        (
            "if urls: await asyncio.gather(*[fetch(url) for url in urls])",
            "something else stands on the line of the fan-out",
        ),
    ],
)
def test_fan_outs_that_are_refused(line: str, reason: str) -> None:
    code = f"{FETCH}async def handler(urls: list[str]) -> None:\n    {line}\n"
    assert refusals("unbounded-gather", code) == [reason]
