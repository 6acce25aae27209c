"""Which fan-outs get a bound: those whose coroutines ask somebody, whose tasks stay, and whose number nobody has chosen."""

from __future__ import annotations

import pytest
from fixing import applied, refusal

RULE = "unbounded-gather"

CODE = """
import asyncio

import anyio
import httpx
from sqlalchemy.ext.asyncio import AsyncSession

http = httpx.AsyncClient()


class Api:
    def __init__(self) -> None:
        self.http = httpx.AsyncClient()

    async def read(self, path: str) -> str:
        return await self._send("GET", path)

    async def _send(self, method: str, path: str) -> str:
        async with self.http.stream(method, path) as response:
            return await response.aread()


class Source:
    async def read(self, path: str) -> str:
        raise NotImplementedError


class Remote(Source):
    async def read(self, path: str) -> str:
        return (await http.get(path)).text


class Handing:
    async def put(self, path: str) -> None:
        await self._send(http.put, path)

    async def _send(self, method, path: str) -> None:
        await method(path)


async def run(name: str) -> None:
    await asyncio.create_subprocess_exec("convert", name)


async def page(session, name: str) -> bytes:
    async with session.get(name) as response:
        return await response.read()


async def nap(name: str) -> str:
    while not name:
        await asyncio.sleep(1)
    return name


async def score(name: str) -> int:
    await asyncio.sleep(0.1)
    return len(name)


async def announce(name: str) -> None:
    await asyncio.to_thread(print, name)
    await anyio.sleep(1)


async def fetch_all(names: list[str], api: Api, source: Source, session: AsyncSession, call):
    {line}
"""


@pytest.mark.parametrize(
    "call",
    [
        "http.get(name)",
        "api.read(name)",
        "source.read(name)",
        "session.execute(name)",
        "run(name)",
        "page(call, name)",
        "Handing().put(name)",
        "call.client.items.read(name)",
        "score(name)",
    ],
)
def test_what_asks_others_is_bounded(call: str) -> None:
    code = CODE.format(line=f"await asyncio.gather(*({call} for name in names))")
    assert "asyncio.Semaphore(10)" in applied({"app.py": code}, RULE).after["app.py"]


@pytest.mark.parametrize("name", ["nap", "announce", "call"])
@pytest.mark.parametrize(
    "line",
    [
        "await asyncio.gather(*({}(name) for name in names))",
        "await asyncio.gather(*[{}(name) for name in names])",
    ],
)
def test_what_is_not_seen_to_ask_others_has_no_bound(name: str, line: str) -> None:
    reason = refusal({"app.py": CODE.format(line=line.format(name))}, RULE)
    assert reason.startswith(f"`{name}` is not seen to ask a server, a database or a program")


GROUP = """async with anyio.create_task_group() as group:
        for name in names:
            group.start_soon({}, name)"""


def test_the_functions_of_map_and_of_start_soon_are_read() -> None:
    for function, bounded in (("run", True), ("nap", False)):
        for line in (
            f"await asyncio.gather(*map({function}, names))",
            GROUP.format(function),
        ):
            code = {"app.py": CODE.format(line=line)}
            if bounded:
                assert "bounded" in applied(code, RULE).after["app.py"]
            else:
                assert "`nap` is not seen to ask" in refusal(code, RULE)


@pytest.mark.parametrize(
    ("parameters", "knob"),
    [
        ("names: list[str], *, concurrency_limit: int | None = None", "concurrency_limit"),
        ("names: list[str], max_concurrent=5", "max_concurrent"),
        ("names: list[str], batch_size: int = 32", "batch_size"),
        ("names: list[str], limit: int", "limit"),
        ("names: list[str], max_workers: int", "max_workers"),
    ],
)
def test_who_says_how_many_run_at_once_is_asked(parameters: str, knob: str) -> None:
    code = f"""
    import asyncio

    import httpx

    http = httpx.AsyncClient()


    async def fetch_all({parameters}):
        return await asyncio.gather(*(http.get(name) for name in names))
    """
    assert refusal({"app.py": code}, RULE) == f"`{knob}` is there to say how many run at once"


def test_what_options_say_of_it_counts_too() -> None:
    code = """
    import asyncio

    import httpx

    http = httpx.AsyncClient()


    async def fetch_all(names: list[str], options):
        for some in divided(names, options.max_parallel_requests):
            await asyncio.gather(*(http.get(name) for name in some))


    def divided(names, size):
        return [names[start : start + size] for start in range(0, len(names), size)]
    """
    reason = "`options.max_parallel_requests` is there to say how many run at once"
    assert refusal({"app.py": code}, RULE) == reason


@pytest.mark.parametrize("kept", [True, False])
def test_what_the_object_says_of_it_counts_too(kept: bool) -> None:
    code = """
    import asyncio

    import httpx

    http = httpx.AsyncClient()


    class Crawler:
        def __init__(self, max_concurrent: int) -> None:
            self.max_concurrent = max_concurrent

        async def crawl(self, names: list[str]):
            return await asyncio.gather(*(http.get(name) for name in names))

        def concurrent_semaphore(self) -> None:
            print(self)
    """
    if not kept:
        other = code.replace("max_concurrent", "most")
        assert "asyncio.Semaphore(10)" in applied({"app.py": other}, RULE).after["app.py"]
        return
    assert (
        refusal({"app.py": code}, RULE) == "`max_concurrent` is there to say how many run at once"
    )


TASKS = """
import asyncio

import httpx

http = httpx.AsyncClient()
running = set()


async def fetch(name: str) -> None:
    await http.get(name)


class Crawler:
    def __init__(self) -> None:
        self.tasks = []

    async def crawl(self, names: list[str], when=None, **options):
        {lines}
"""


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("return [asyncio.create_task(fetch(name)) for name in names]", "outlive"),
        ("tasks = [asyncio.create_task(fetch(name)) for name in names]; await asyncio.sleep(1); return tasks", "outlive"),
        ("tasks = [asyncio.ensure_future(fetch(name)) for name in names]; self.tasks = list(tasks)", "outlive"),
        ("for name in names: self.tasks.append(asyncio.create_task(fetch(name)))", "outlive"),
        ("for name in names:\n            task = asyncio.create_task(fetch(name))\n            running.add(task)", "outlive"),
        ("for name in names: asyncio.create_task(fetch(name))", "outlive"),
        ("tasks = [asyncio.create_task(fetch(name)) for name in names]; await asyncio.wait(tasks, **options)", "told"),
        ("tasks = [asyncio.create_task(fetch(name)) for name in names]; await asyncio.wait(tasks, return_when=when)", "told"),
        ("tasks = [asyncio.create_task(fetch(name)) for name in names]\n        try:\n            await options['ended'].wait()\n        finally:\n            for task in tasks:\n                task.cancel()", "cancelled"),
        ("tasks = [asyncio.create_task(fetch(name)) for name in names]; await asyncio.wait(tasks, return_when=asyncio.ALL_COMPLETED)", None),
        ("tasks = [asyncio.create_task(fetch(name)) for name in names]; await asyncio.wait(tasks); return [t.result() for t in tasks]", None),
        ("tasks = [asyncio.create_task(fetch(name)) for name in names]; return await asyncio.gather(*tasks)", None),
        ("tasks = {}\n        for name in names:\n            tasks[name] = asyncio.create_task(fetch(name))\n        await asyncio.wait(tasks.values())", None),
        ("async with asyncio.TaskGroup() as group:\n            tasks = [group.create_task(fetch(name)) for name in names]\n        return tasks", None),
    ],
)  # fmt: skip
def test_tasks_that_leave_the_function_have_no_bound(lines: str, reason: str | None) -> None:
    code = {"app.py": TASKS.format(lines=lines)}
    if reason is None:
        assert "asyncio.Semaphore(10)" in applied(code, RULE).after["app.py"]
    elif reason == "outlive":
        assert refusal(code, RULE) == "its tasks outlive the function that makes them"
    elif reason == "cancelled":
        assert refusal(code, RULE) == "its tasks run until they are cancelled"
    else:
        assert refusal(code, RULE) == "how long it waits for them is told by the caller"


def test_a_deadline_of_all_is_no_time_of_each() -> None:
    code = """
    import asyncio
    import time

    import httpx

    http = httpx.AsyncClient()


    async def results(names: list[str], seconds: float):
        deadline = time.monotonic() + seconds

        async def poll(name: str):
            while (await http.get(name)).status_code != 200:
                if time.monotonic() >= deadline:
                    raise TimeoutError
                await asyncio.sleep(2)

        await asyncio.gather(*(poll(name) for name in names))
    """
    reason = "`results.poll` has a deadline from before it starts"
    assert refusal({"app.py": code}, RULE) == reason


@pytest.mark.parametrize(
    ("read", "refused"),
    [("self.config.max_concurrency", True), ("self.config.timeout", False)],
)
def test_what_another_method_takes_for_its_bound(read: str, refused: bool) -> None:
    code = f"""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    import httpx


    class Model:
        def __init__(self, config):
            self.config = config
            self.client = httpx.AsyncClient()

        def batch(self, words):
            with ThreadPoolExecutor({read}) as executor:
                return list(executor.map(str, words))

        async def ask(self, word):
            return await self.client.get(word)

        async def ask_all(self, words):
            return await asyncio.gather(*[self.ask(word) for word in words])
    """
    if refused:
        reason = "`self.config.max_concurrency` is there to say how many run at once"
        assert refusal({"app.py": code}, RULE) == reason
    else:
        assert "asyncio.Semaphore(10)" in applied({"app.py": code}, RULE).after["app.py"]
