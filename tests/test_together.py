"""Fan-outs whose coroutines have to start, or to run, together: a bound would keep some of them waiting."""

from __future__ import annotations

import pytest
from fixing import applied, findings, refusal

RULE = "unbounded-gather"


REPLAY = """
import asyncio
import time

import anyio
from asyncio import sleep


async def send(message):
    await asyncio.open_connection(message.host, 443)


async def until(moment):
    await asyncio.sleep(max(0, moment - time.monotonic()))


async def until_in_steps(moment):
    while time.monotonic() < moment:
        await asyncio.sleep(0.01)


async def replay(messages: list, start, pace):
    async def timed(number, message):
        {body}

    return await asyncio.gather(*[timed(n, m) for n, m in enumerate(messages)])
"""


@pytest.mark.parametrize(
    "body",
    [
        "await asyncio.sleep(max(0, start + message.at - time.perf_counter())); await send(message)",
        "wait = max(0, start + message.at - time.time())\n        if wait: await asyncio.sleep(wait * pace)\n        await send(message)",
        "await sleep(number * 0.1); await send(message)",
        "await anyio.sleep(message['delay'] / pace); await send(message)",
        "await anyio.sleep_until(start + message.at); await send(message)",
        "await until(start + message.at); await send(message)",
        "await until_in_steps(start + message.at); await send(message)",
        "while time.monotonic() < start + message.at:\n            await asyncio.sleep(0.1)\n        await send(message)",
    ],
)  # fmt: skip
def test_what_starts_at_its_own_time_has_no_bound(body: str) -> None:
    reason = "`replay.timed` waits for a time that it is told, and the others would wait with it"
    assert refusal({"app.py": REPLAY.format(body=body)}, RULE) == reason


@pytest.mark.parametrize(
    "body",
    [
        "await asyncio.sleep(0.1); await send(message)",
        "await asyncio.sleep(random.uniform(0, 1)); await send(message)",
        "await send(message); await asyncio.sleep(0.1 * number)",
        "await send(message); await until(start + message.at)",
        "await send(message)\n        for attempt in range(3):\n            await asyncio.sleep(2 ** number)",
        "for attempt in range(3):\n            await send(message)\n            await asyncio.sleep(attempt * 2)",
        "await asyncio.sleep(last.get(message.host, 0) + 1 - time.time()); await send(message)",
        "await asyncio.sleep(last[message.host] + 1 - time.time()); await send(message)",
    ],
)  # fmt: skip
def test_a_pause_is_no_time_of_its_own(body: str) -> None:
    code = "import random\nlast = {}\n" + REPLAY.format(body=body)
    assert "bounded(timed, n, m)" in applied({"app.py": code}, RULE).after["app.py"]


WAITING = """
import asyncio

barrier = asyncio.Barrier(20)
inbox: asyncio.Queue[str] = asyncio.Queue()


class Node:
    def __init__(self, name, needs):
        self.name = name
        self.needs = needs
        self.future = asyncio.get_running_loop().create_future()


async def work(node: Node):
    await asyncio.open_connection(node.name, 443)


async def run_all(nodes: list[Node], events, futures):
    tasks = {{}}

    async def run(node: Node):
        {body}
        await work(node)

    for node in nodes:
        tasks[node.name] = asyncio.create_task(run(node))
    await asyncio.gather(*tasks.values())


async def run_later(nodes: list[Node], events, futures):
    tasks = {{}}

    async def run(node: Node):
        {body}
        await work(node)

    tasks = {{node.name: asyncio.create_task(run(node)) for node in nodes}}
    await asyncio.gather(*tasks.values())
"""


@pytest.mark.parametrize(
    "body",
    [
        "await asyncio.gather(*(tasks[name] for name in node.needs))",
        "await asyncio.wait([tasks[name] for name in node.needs])",
        "await tasks[node.needs[0]]",
        "await tasks.get(node.needs[0])",
        "await futures[node.name]",
        "await asyncio.shield(node.future)",
        "await node.future",
        "event = events[node.name]; await event.wait()",
        "event = events.setdefault(node.name, asyncio.Event()); await event.wait()",
        "await asyncio.wait_for(events[node.name].wait(), 5)",
        "await barrier.wait()",
        "async with barrier: pass",
        "await inbox.join()",
    ],
)
def test_those_that_wait_for_each_other_have_no_bound(body: str) -> None:
    found = findings({"app.py": WAITING.format(body=body)}, RULE)
    assert {f.refusal for f in found} == {
        f"`{name}.run` waits for what another one may have to do first"
        for name in ("run_all", "run_later")
    }


@pytest.mark.parametrize(
    "body",
    [
        "task = asyncio.create_task(work(node)); await task",
        "event = asyncio.Event(); event.set(); await event.wait()",
        "pending = [asyncio.create_task(work(node))]; await pending[0]",
        "process = await asyncio.create_subprocess_exec(node.name); await process.wait()",
    ],
)
def test_what_waits_for_its_own_is_bounded(body: str) -> None:
    text = applied({"app.py": WAITING.format(body=body)}, RULE).after["app.py"]
    assert text.count("asyncio.create_task(bounded(run, node))") == 2


STREAMS = """
import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing


async def cleaned(stream):
    await asyncio.open_connection("log.example", 443)
    async for part in stream:
        yield part


async def collect({parameter}):
    text = ""
    async for part in {iterated}:
        text += part
    return text


async def complete(prompts: list[str], engine):
    streams = []
    for prompt in prompts:
        streams.append(engine.generate(prompt))
    return await asyncio.gather(*[collect(stream) for stream in streams])
"""


@pytest.mark.parametrize(
    ("parameter", "iterated"),
    [
        ("stream", "stream"),
        ("generator", "cleaned(generator)"),
        ("parts: AsyncIterator[str]", "cleaned(parts)"),
        ("parts", "parts"),
    ],
)
def test_streams_that_are_made_before_have_no_bound(parameter: str, iterated: str) -> None:
    code = STREAMS.format(parameter=parameter, iterated=iterated)
    reason = "`collect` reads a stream that is made before, and the others would stay unread"
    assert refusal({"app.py": code}, RULE) == reason


def test_a_stream_that_is_opened_by_the_coroutine_is_bounded() -> None:
    code = STREAMS.format(parameter="prompt", iterated="cleaned(engine.generate(prompt))")
    assert "bounded(collect" in applied({"app.py": code}, RULE).after["app.py"]


def test_what_is_generated_is_not_read_for_it() -> None:
    client = """
    # Code generated by a generator. DO NOT EDIT.
    import httpx


    class Client:
        async def get(self, url: str) -> str:
            async with httpx.AsyncClient() as client:
                return (await client.get(url)).text
    """
    app = """
    import asyncio

    from client import Client


    async def pages(client: Client, urls: list[str]):
        return await asyncio.gather(*[client.get(url) for url in urls])
    """
    files = {"app.py": app, "client.py": client}
    assert "bounded(client.get, url)" in applied(files, RULE).after["app.py"]
