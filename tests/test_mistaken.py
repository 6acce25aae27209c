"""Coroutine functions, coroutines and locks taken for others: what is put right, and what is left alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from fixing import dedented
from one_module import checked

from asynclint import check
from asynclint.config import from_table
from asynclint.findings import Finding, Safety
from asynclint.testing import in_memory

HEAD = """\
import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import anyio
import requests
from asgiref.sync import sync_to_async
from openai import OpenAI
from starlette.concurrency import run_in_threadpool

base = sqlite3.connect("")
sdk = OpenAI()


def many() -> Iterator[int]:
    yield 1


async def fetch(url: str = "", *more: str, **options: str) -> str:
    await asyncio.sleep(1)
    return url


def work(name: str = "", *more: str, **options: str) -> str:
    time.sleep(1)
    return name


"""


def _fixed(rule: str, code: str) -> tuple[Sequence[Finding], str]:
    text = HEAD + dedented(code)
    found, outcome = checked(rule, {"app.py": text})
    return found, outcome.after.get("app.py", text).removeprefix(HEAD)


def _line(rule: str, line: str) -> tuple[Sequence[Finding], str]:
    found, text = _fixed(rule, f"async def handler(urls: list[str]) -> None:\n    {line}\n")
    return found, text.split("\n    ", 1)[1].rstrip("\n")


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ("coroutine-in-thread", "await asyncio.to_thread(fetch)", "await fetch()"),
        ("coroutine-in-thread", "await asyncio.to_thread(fetch, *urls, a='b')", "await fetch(*urls, a='b')"),
        ("coroutine-in-thread", "await asyncio.to_thread(fetch, 'a',)  # now", "await fetch('a')  # now"),
        ("called-before-offload", "await asyncio.to_thread(work())", "await asyncio.to_thread(work)"),
        ("called-before-offload", "await asyncio.to_thread(work('a', *urls, b='c'))", "await asyncio.to_thread(work, 'a', *urls, b='c')"),
        ("called-before-offload", "await asyncio.get_running_loop().run_in_executor(None, work('a', *urls))", "await asyncio.get_running_loop().run_in_executor(None, work, 'a', *urls)"),
        ("called-before-offload", "await asyncio.get_running_loop().run_in_executor(None, work(a='b'))", "await asyncio.get_running_loop().run_in_executor(None, partial(work, a='b'))"),
        ("called-before-offload", "await asyncio.get_running_loop().run_in_executor(None, func=work())", "await asyncio.get_running_loop().run_in_executor(None, func=work)"),
        ("called-before-offload", "await asyncio.get_running_loop().run_in_executor(None, func=work('a'))", "await asyncio.get_running_loop().run_in_executor(None, func=partial(work, 'a'))"),
        ("called-before-offload", "await anyio.to_thread.run_sync(work('a'), limiter=None)", "await anyio.to_thread.run_sync(work, 'a', limiter=None)"),
        ("called-before-offload", "await anyio.to_thread.run_sync(work(*urls, a='b'))", "await anyio.to_thread.run_sync(partial(work, *urls, a='b'))"),
        ("called-before-offload", "await run_in_threadpool(work('a', func='b'))", "await run_in_threadpool(partial(work, 'a', func='b'))"),
        ("called-before-offload", "await run_in_threadpool(func=work('a'))", "await run_in_threadpool(func=partial(work, 'a'))"),
        ("called-before-offload", "await asyncio.to_thread(partial(work('a', b='c')))", "await asyncio.to_thread(partial(work, 'a', b='c'))"),
        ("called-before-offload", "await sync_to_async(work('a'))()", "await sync_to_async(work)('a')"),
        ("called-before-offload", "await sync_to_async(work(), thread_sensitive=False)()", "await sync_to_async(work, thread_sensitive=False)()"),
        ("called-before-offload", "await asyncio.to_thread(json.dumps(x for x in urls))", "await asyncio.to_thread(json.dumps, (x for x in urls))"),
        ("called-before-offload", "await asyncio.to_thread(work('a',),)", "await asyncio.to_thread(work, 'a',)"),
        ("called-before-offload", "await asyncio.to_thread(\n        work(\n            'a',\n            b='c',\n        ),\n    )", "await asyncio.to_thread(\n        work,\n        'a',\n        b='c',\n    )"),
        ("called-before-offload", "await asyncio.to_thread(work(\n        'a',  # first\n        'b'  # second\n    ))", "await asyncio.to_thread(\n        work,\n        'a',  # first\n        'b'  # second\n    )"),
        ("called-before-offload", "await asyncio.to_thread(\n        work(  # now\n            'a',  # first\n        ))", "await asyncio.to_thread(\n        work,  # now\n        'a',  # first\n        )"),
        ("called-before-offload", "await asyncio.to_thread(\n        work(\n            '''a\nb'''\n        )\n    )", "await asyncio.to_thread(\n        work,\n            '''a\nb'''\n    )"),
        ("bare-coroutine-in-wait", "await asyncio.wait((fetch(u) for u in urls))", "await asyncio.wait((asyncio.create_task(fetch(u)) for u in urls))"),
    ],
)  # fmt: skip
def test_put_right(rule: str, before: str, after: str) -> None:
    found, text = _line(rule, before)
    assert text == after
    assert [f.fixes[0].safety for f in found] == [Safety.SAFE]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ThreadPoolExecutor().submit(work('a'))", "ThreadPoolExecutor().submit(work, 'a')"),
        ("jobs = asyncio.to_thread(work('a'))", "jobs = asyncio.to_thread(work, 'a')"),
    ],
)
def test_what_nobody_waits_for_may_work_today(before: str, after: str) -> None:
    found, text = _line("called-before-offload", before)
    assert text == after
    assert [f.fixes[0].safety for f in found] == [Safety.UNSAFE]


@pytest.mark.parametrize(
    ("rule", "line", "reason"),
    [
        ("coroutine-in-thread", "threading.Thread(target=fetch).start()", "who calls it cannot await"),
        ("coroutine-in-thread", "job = asyncio.to_thread(fetch, 'a')", "what comes back is not awaited here"),
        ("coroutine-in-thread", "await asyncio.to_thread(fetch, 'a',\n        'b')", "the arguments stand on several lines"),
        ("called-before-offload", "await asyncio.to_thread(work(), 'a')", "it has other arguments already"),
        ("called-before-offload", "await asyncio.to_thread(fetch('a'))", "a coroutine function has nothing to do in a thread"),
        ("called-before-offload", "asyncio.create_task(work('a'))", "what is to run in a thread is not certain"),
        ("called-before-offload", "await asyncio.to_thread(partial(work('a'), 'b'))", "it has other arguments already"),
        ("called-before-offload", "await asyncio.get_running_loop().run_in_executor(None, work('a'), 'b')", "it has other arguments already"),
        ("called-before-offload", "await asyncio.to_thread(work('a') if urls else work)", "it is one of several values"),
        ("called-before-offload", "await asyncio.to_thread(many())", "it is a generator: its body runs where it is iterated"),
        ("called-before-offload", "job = sync_to_async(work('a'))", "what is made of it is not called here"),
        ("called-before-offload", "await sync_to_async(work('a'))('b')", "it has other arguments already"),
        ("called-before-offload", "threading.Thread(target=work('a')).start()", "the arguments of the thread are given by name"),
        ("called-before-offload", "ThreadPoolExecutor().map(work('a'), urls)", "what is to run in a thread is not certain"),
        ("called-before-offload", "await asyncio.to_thread((lambda: 'a')())", "a lambda is called"),
        ("called-before-offload", "await asyncio.to_thread(base.execute('a'))", "a `Connection` is used by one thread only"),
        ("called-before-offload", "await asyncio.to_thread(\n        work(\n            'a'  # first\n        ),\n    )", "a comment stands among the arguments"),
        ("blocking-http-call", "await asyncio.to_thread(requests.get(urls[0]).json())", "`asyncio.to_thread` takes what it gives for what to call"),
        ("blocking-http-call", "await asyncio.to_thread(requests.get(urls[0]))", "`asyncio.to_thread` takes what it gives for what to call"),
        ("blocking-http-call", "await asyncio.wait_for(requests.get(urls[0]), 5)", "`asyncio.wait_for` takes what it gives for a coroutine, to be run"),
        ("blocking-http-call", "asyncio.create_task(requests.get(urls[0]))", "`asyncio.create_task` takes what it gives for a coroutine, to be run"),
        ("blocking-sdk-call", "await asyncio.to_thread(sdk.models.list())", "`asyncio.to_thread` takes what it gives for what to call"),
        ("blocking-sleep", "await asyncio.to_thread(time.sleep(1))", "`asyncio.to_thread` takes what it gives for what to call"),
        ("bare-coroutine-in-wait", "jobs = [fetch()]; print(jobs); await asyncio.wait(jobs)", "where the coroutines are made could not be read"),
        ("mismatched-async-protocol", "print(sum(x for x in stream()))", "it stands in a generator expression, or in a comprehension within another one"),
    ],
)  # fmt: skip
def test_left_alone(rule: str, line: str, reason: str) -> None:
    stream = "async def stream():\n    yield 1\n\n\n"
    code = f"{stream}async def handler(urls: list[str]) -> None:\n    {line}\n"
    found, _ = _fixed(rule, code)
    assert [f.refusal for f in found] == [reason]


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ("def drop() -> None:\n    with lock:\n        print(1)\n", "the lock is used by more than coroutines"),
        ("async def drop() -> None:\n    lock.acquire()\n", "the lock is used by more than coroutines"),
        ("async def drop() -> None:\n    print(lock)\n", "the lock is used by more than coroutines"),
    ],
)  # fmt: skip
def test_locks_that_stay(other: str, reason: str) -> None:
    code = f"""lock = threading.Lock()


async def add() -> None:
    with lock:
        await fetch()


{other}"""
    found, _ = _fixed("lock-held-across-await", code)
    assert [f.refusal for f in found] == [reason]


GATHERED = """from sqlalchemy.ext.asyncio import AsyncSession


async def use(session: AsyncSession, name: str = "") -> None:
    await session.flush()


async def handler(session: AsyncSession, names: list[str]) -> None:
    {}
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("await asyncio.gather(use(session), use(session, 'a'))", "[await use(session), await use(session, 'a')]"),
        ("print(await asyncio.gather(*(use(session, n) for n in names)))", "print([await use(session, n) for n in names])"),
        ("await asyncio.gather(\n        use(session),\n        use(session),\n    )", "[\n        await use(session),\n        await use(session),\n    ]"),
    ],
)  # fmt: skip
def test_one_after_the_other(before: str, after: str) -> None:
    found, text = _fixed("session-shared-between-tasks", GATHERED.format(before))
    assert text == GATHERED.format(after)
    assert [f.fixes[0].safety for f in found] == [Safety.UNSAFE]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("await asyncio.gather(use(session), use(session), return_exceptions=True)", "what is to happen to errors is not certain"),
        ("both = asyncio.gather(use(session), use(session))", "the coroutines are not awaited here"),
        ("jobs = [use(session) for n in names]; await asyncio.gather(*jobs)", "where the coroutines are made could not be read"),
    ],
)  # fmt: skip
def test_at_once_all_the_same(line: str, reason: str) -> None:
    found, _ = _fixed("session-shared-between-tasks", GATHERED.format(line))
    assert [f.refusal for f in found] == [reason]


INHERITED = """\
class Base:
    def __enter__(self):
        raise TypeError("Async client only supports `async with`")

    def __exit__(self, *args):
        pass

    @classmethod
    def from_url(cls, url):
        client = cls()
        return client

    def at(self, url):
        return self

    @classmethod
    def plain(cls):
        return Base()


class Client(Base):
    async def __aenter__(self):
        return self

    async def __aexit__(self, *args):
        pass


async def use(url: str) -> None:
    async with {expression} as client:
        print(client)
"""


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("Client.from_url(url)", 0),
        ("Client().at(url)", 0),
        ("Client.from_url(url).at(url)", 0),
        ("Base.from_url(url)", 1),
        ("Client.plain()", 1),
    ],
)
def test_what_a_class_inherits_gives_what_is_of_this_class(expression: str, found: int) -> None:
    project = in_memory({"app.py": INHERITED.replace("{expression}", expression)})
    kept = check.check(project, from_table({}, project.root)).kept
    assert [one.rule for one in kept] == ["mismatched-async-protocol"] * found


GIVES = """\
class Stream:
    def __aiter__(self):
        return self

    async def __anext__(self) -> str:
        return await fetch()

    async def __aenter__(self) -> "Stream":
        return self

    async def __aexit__(self, *error: object) -> None:
        await fetch()


class Plain:
    def __iter__(self) -> Iterator[str]:
        return iter(("a",))

    def __enter__(self) -> "Plain":
        return self

    def __exit__(self, *error: object) -> None:
        print(error)


async def numbers(count: int):
    while count:
        yield await fetch()


async def crawl({parameter}){returns}:
    await fetch()
    {last}


async def use(taken, given: Stream) -> None:
    {statement}
        print(1)
"""

TO_ITERATE = ("async for one in {}crawl(given):", "for _ in [one async for one in {}crawl(given)]:")
TO_ENTER = ("async with {}crawl(given):", "async with {}crawl(given) as one:")


def _given(statement: str, returns: str, last: str) -> tuple[Sequence[Finding], str, str]:
    code = GIVES.replace("{parameter}", "given").replace("{returns}", returns)
    code = code.replace("{last}", last)
    code = code.replace("{statement}", statement)
    found, text = _fixed("mismatched-async-protocol", code.replace("{}", ""))
    return found, text, code.replace("{}", "await ")


@pytest.mark.parametrize(
    ("returns", "last", "statements"),
    [
        ("", "return Stream()", (*TO_ITERATE, *TO_ENTER)),
        (" -> Stream | None", "return given", (*TO_ITERATE, *TO_ENTER)),
        ("", "return numbers(1)", TO_ITERATE),
        ("", "return anyio.Lock()", TO_ENTER),
        ("", "return numbers(1) if given else Stream()", TO_ITERATE),
    ],
)
def test_a_coroutine_that_gives_what_can_be_used_so_is_awaited_first(
    returns: str, last: str, statements: tuple[str, ...]
) -> None:
    for statement in statements:
        found, text, wanted = _given(statement, returns, last)
        assert [f.fixes[0].title for f in found] == ["await it first"]
        assert text == wanted


@pytest.mark.parametrize(
    ("returns", "last"),
    [
        (" -> None", "print(given)"),
        ("", "print(given)"),
        (" -> str", "return given"),
        (" -> list[str]", "return [given]"),
        ("", "return given.other()"),
        ("", "return Plain()"),
        ("", "return Stream() if given else Plain()"),
        ("", "return asyncio.Lock"),
    ],
)
def test_a_coroutine_that_may_give_something_else_is_not_awaited_first(
    returns: str, last: str
) -> None:
    for statement in (*TO_ITERATE, *TO_ENTER):
        found, _, _ = _given(statement, returns, last)
        word = "with" if "with" in statement else "for"
        assert [f.refusal for f in found] == [
            f"what `crawl` gives is not seen to be something for `async {word}`"
        ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("for one in nothing():\n        print(one)", "`nothing` gives nothing, whoever awaits it"),
        ("with nothing():\n        print(1)", "`nothing` gives nothing, whoever awaits it"),
        ("first, second = nothing()", "`nothing` gives nothing, whoever awaits it"),
        ("print(nothing().name)", "`nothing` gives nothing, whoever awaits it"),
        ("print(nothing()['a'])", "`nothing` gives nothing, whoever awaits it"),
        ("for one in several():\n        print(one)", "what `several` gives is asynchronous"),
        ("with locked():\n        print(1)", "what `locked` gives is asynchronous"),
    ],
)
def test_a_lost_coroutine_that_gives_nothing_of_use_is_not_awaited(line: str, reason: str) -> None:
    found, _ = _fixed(
        "unawaited-coroutine",
        f"""
        async def nothing() -> None:
            await fetch()


        async def numbers():
            yield await fetch()


        async def several():
            return numbers()


        async def locked():
            return anyio.Lock()


        async def handler() -> None:
            {line.replace(chr(10), chr(10) + "        ")}
        """,
    )
    assert [f.refusal for f in found] == [reason]


@pytest.mark.parametrize("called", ["exists", "self.exists"])
def test_a_function_that_hands_itself_to_a_thread_meant_another_one(called: str) -> None:
    code = f"""
    import asyncio


    async def exists(name: str) -> bool:
        return await asyncio.to_thread(exists, name)


    class Store:
        async def exists(self, name: str) -> bool:
            return await asyncio.to_thread({called}, name)
    """
    found, outcome = checked("coroutine-in-thread", {"app.py": dedented(code)})
    reasons = [one.refusal for one in found]
    assert reasons[0] == "it would call itself without an end"
    assert len(reasons) == 2
    if called == "self.exists":
        assert set(reasons) == {"it would call itself without an end"}
        assert outcome.after == {}
