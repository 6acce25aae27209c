"""Coroutines that the project steps by hand: they must not wait."""

from __future__ import annotations

import pytest
from one_module import fixed, refusals

DRIVER = """
def drive(coro):
    try:
        coro.send(None)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("it waits")
"""

WORK = """
import asyncio
import subprocess

from driver import drive


def prepare():
    subprocess.run(["prepare"])


async def launch(job):
    prepare()
    return job


async def report(job):
    prepare()
"""

REASON = "`drive` steps coroutines by hand, of which none may wait"


def _refused(code: str, driver: str = DRIVER) -> bool:
    reasons = refusals("blocking-subprocess", code, driver=driver)
    assert set(reasons) == {REASON}
    return True


@pytest.mark.parametrize(
    "use",
    [
        "def add(job):\n    return drive(launch(job)), drive(report(job))",
        "def add(job):\n    one, two = launch(job), report(job)\n    return drive(one), drive(coro=two)",
        "async def both(job):\n    await launch(job)\n    await report(job)\n\n\ndef add(job):\n    return drive(both(job))",
        "def run(coro):\n    return drive(coro)\n\n\ndef add(job):\n    return run(launch(job)), run(report(job))",
        "def call(function, *args):\n    return drive(function(*args))\n\n\ndef add(job):\n    return call(launch, job), call(report, job)",
        "def add(executor, job):\n    return drive(executor.launch(job)), drive(executor.report(job))",
        "def add(executor, job):\n    return drive(executor.do(job))\n\n\nKNOWN = {'a': launch, 'b': report}",
    ],
)  # fmt: skip
def test_a_coroutine_that_is_stepped_by_hand_does_not_wait(use: str) -> None:
    assert _refused(f"{WORK}\n\n{use}\n")


@pytest.mark.parametrize(
    "driver",
    [
        "def drive(coro):\n    try:\n        while True:\n            coro.send(None)\n    except StopIteration as stop:\n        return stop.value",
        "def drive(work: Awaitable[int]):\n    steps = work.__await__()\n    try:\n        next(steps)\n    except StopIteration as stop:\n        return stop.value\n    raise RuntimeError('it waits')",
        "def drive(work):\n    try:\n        work.send(None)\n    except StopIteration as stop:\n        return stop.value\n    else:\n        work.close()\n        raise RuntimeError('it waits')",
        "def drive(work: Coroutine[None, None, int]):\n    try:\n        waits = work.send(None)\n    except StopIteration:\n        return None\n    raise RuntimeError(waits)",
    ],
)  # fmt: skip
def test_how_coroutines_are_stepped(driver: str) -> None:
    use = "def add(job):\n    return drive(launch(job)), drive(report(job))"
    assert _refused(f"{WORK}\n\n{use}\n", driver)


def test_a_coroutine_is_stepped_where_it_is_made() -> None:
    use = """
def add(job):
    for coro in (launch(job), report(job)):
        try:
            coro.send(None)
        except StopIteration as stop:
            print(stop.value)
"""
    reasons = refusals("blocking-subprocess", f"{WORK}\n{use}", driver=DRIVER)
    assert set(reasons) == {"`add` steps coroutines by hand, of which none may wait"}


@pytest.mark.parametrize(
    ("driver", "use"),
    [
        (DRIVER, "async def other(job):\n    return job\n\n\ndef add(job):\n    return drive(other(job))"),
        (DRIVER, "async def main(job):\n    await launch(job)\n    await report(job)"),
        (DRIVER, "def add(executor, job):\n    return drive(executor.do(job))"),
        (DRIVER, "async def lifespan(job):\n    await launch(job)\n    await report(job)\n    yield\n\n\ndef add(executor, job):\n    return drive(executor.do(job))\n\n\nserver = Server(lifespan)"),
        ("def drive(stream):\n    stream.send(None)", "def add(job):\n    return drive(launch(job)), drive(report(job))"),
        ("def drive(coro):\n    try:\n        future = coro.send(None)\n    except StopIteration as stop:\n        return stop.value\n    return asyncio.ensure_future(future)", "def add(job):\n    return drive(launch(job)), drive(report(job))"),
        ("class drive:\n    def __init__(self, coro):\n        self.coro = coro\n\n    def __await__(self):\n        try:\n            yield self.coro.send(None)\n        except StopIteration as stop:\n            return stop.value", "async def add(job):\n    return await drive(launch(job)), await drive(report(job))"),
    ],
)  # fmt: skip
def test_a_coroutine_that_a_loop_runs_may_wait(driver: str, use: str) -> None:
    text = fixed("blocking-subprocess", f"{WORK}\n\n{use}\n", driver=driver)
    assert "await asyncio.to_thread(prepare)" in text


@pytest.mark.parametrize("rule", ["blocking-sleep", "blocking-file-io", "blocking-http-call"])
def test_no_fix_makes_it_wait(rule: str) -> None:
    code = """
    import time

    import requests

    from driver import drive


    async def launch(path):
        time.sleep(1)
        with open(path) as file:
            text = file.read()
        return requests.get(text)


    def add(path):
        return drive(launch(path))
    """
    assert refusals(rule, code, driver=DRIVER)[0].startswith(REASON)
