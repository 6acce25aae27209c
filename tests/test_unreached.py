"""Statements that never run: nothing is called there, and nothing else is taken for one of them."""

from __future__ import annotations

import pytest
from one_module import judged

REACHED = [
    "if a:\n        return 1\n    SLEEP",
    "if a:\n        return 1\n    elif b:\n        return 2\n    SLEEP",
    "while True:\n        if a:\n            break\n    SLEEP",
    "while True:\n        for b in a:\n            pass\n        else:\n            break\n    SLEEP",
    "while True:\n        with a:\n            break\n    SLEEP",
    "while True:\n        try:\n            a()\n        except OSError:\n            break\n    SLEEP",
    "while True:\n        match a:\n            case 1:\n                break\n    SLEEP",
    "while a:\n        return 1\n    SLEEP",
    "for b in a:\n        return b\n    SLEEP",
    "with a:\n        return b()\n    SLEEP",
    "with contextlib.suppress(KeyError):\n        return a[b]\n    SLEEP",
    "if a:\n        with contextlib.suppress(KeyError):\n            return a[b]\n    else:\n        return 1\n    SLEEP",
    "try:\n        return a()\n    except OSError:\n        pass\n    SLEEP",
    "try:\n        a()\n    except OSError:\n        raise\n    else:\n        SLEEP",
    "try:\n        return a()\n    finally:\n        SLEEP",
    "try:\n        return a()\n    except OSError:\n        SLEEP",
    "match a:\n        case 1:\n            return 1\n        case _ if b:\n            return 2\n    SLEEP",
    "match a:\n        case 1:\n            return 1\n        case [_]:\n            return 2\n    SLEEP",
    "if True:\n        SLEEP",
    "if not False:\n        SLEEP",
    "if a and True:\n        SLEEP",
    "if a or False:\n        SLEEP",
    "assert a\n    SLEEP",
    "if TYPE_CHECKING:\n        return 1\n    else:\n        SLEEP",
    "if False:\n        return 1\n    SLEEP",
    "while False:\n        return 1\n    SLEEP",
    "while False:\n        pass\n    else:\n        SLEEP",
    "def later():\n        return 1\n    SLEEP",
    "while True:\n        SLEEP",
    "for b in a:\n        if b:\n            continue\n        SLEEP",
]

UNREACHED = [
    "return 1\n    SLEEP",
    "return 1\n    for b in a:\n        SLEEP",
    "raise ValueError\n    SLEEP",
    "for b in a:\n        continue\n        SLEEP",
    "for b in a:\n        break\n        SLEEP",
    "if a:\n        return 1\n    elif b:\n        return 2\n    else:\n        raise ValueError\n    SLEEP",
    "if True:\n        return 1\n    SLEEP",
    "if True:\n        return 1\n    else:\n        SLEEP",
    "if not True:\n        SLEEP",
    "if a and False:\n        SLEEP",
    "if a or True:\n        return 1\n    SLEEP",
    "if a:\n        return 1\n    elif False:\n        SLEEP\n    else:\n        raise ValueError\n    SLEEP",
    "assert False, a\n    SLEEP",
    "if 0:\n        SLEEP",
    "while False:\n        SLEEP",
    "while 1:\n        a()\n    SLEEP",
    "while True:\n        while a:\n            break\n    else:\n        SLEEP\n    SLEEP",
    "while True:\n        if a:\n            return 1\n        else:\n            continue\n        SLEEP",
    "try:\n        return a()\n    except OSError:\n        raise\n    SLEEP",
    "try:\n        return a()\n    finally:\n        b()\n    SLEEP",
    "try:\n        return a()\n    except OSError:\n        return 1\n    else:\n        SLEEP",
    "try:\n        a()\n    finally:\n        return 1\n    SLEEP",
    "match a:\n        case 1:\n            return 1\n        case _:\n            return 2\n    SLEEP",
    "match a:\n        case 1:\n            return 1\n        case other:\n            raise ValueError(other)\n    SLEEP",
    "return 1\n    async def later():\n        SLEEP\n    await later()",
    "return 1\n    [SLEEP for b in a]",
]


def _module(body: str) -> str:
    return f"""
import contextlib
import time
from typing import TYPE_CHECKING


async def work(a, b):
    {body.replace("SLEEP", "time.sleep(1)")}
"""


@pytest.mark.parametrize("body", REACHED)
def test_what_may_run_is_reported(body: str) -> None:
    assert len(judged("blocking-sleep", _module(body))) == 1


@pytest.mark.parametrize("body", UNREACHED)
def test_what_never_runs_is_not_reported(body: str) -> None:
    assert judged("blocking-sleep", _module(body)) == []


@pytest.mark.parametrize(
    "yielded", ["raise NotImplementedError\n    yield 1", "if False:\n        yield 1"]
)
def test_what_never_runs_still_makes_a_generator(yielded: str) -> None:
    """A generator is no coroutine: nothing waits to be awaited."""
    code = f"""
async def numbers():
    {yielded}


async def work():
    return [one async for one in numbers()]
"""
    assert judged("unawaited-coroutine", code) == []


def test_names_that_are_bound_only_there_are_names_of_the_function() -> None:
    code = """
from time import sleep


async def work():
    sleep(1)
    return
    sleep = print
"""
    assert judged("blocking-sleep", code) == []


def test_what_is_not_called_there_is_not_kept_either() -> None:
    code = """
import asyncio


async def poll():
    return await asyncio.sleep(1)
    poll()
    asyncio.create_task(poll())
"""
    assert judged("lost-task", code) == judged("unawaited-coroutine", code) == []
