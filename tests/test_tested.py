"""Calls that may wait behind a test which says that there is nothing to wait for."""

from __future__ import annotations

import pytest
from fixing import findings

HEAD = """
import asyncio
import multiprocessing
import queue
import subprocess
import threading
from concurrent.futures import Future
from multiprocessing.connection import Connection
from multiprocessing.pool import AsyncResult


async def run(
    q: queue.Queue,
    f: Future,
    t: threading.Thread,
    e: threading.Event,
    c: Connection,
    p: subprocess.Popen,
    r: AsyncResult,
    a: bool,
) -> None:
"""

QUIET = [
    "while not q.empty():\n        q.get()",
    "if q.qsize() > 0 and a:\n        q.get()",
    "while True:\n        if q.empty():\n            await asyncio.sleep(1)\n            continue\n        q.get()",
    "if q.empty() or a:\n        return\n    q.get()",
    "if q.empty():\n        pass\n    else:\n        q.get()",
    "if q.qsize() == 0:\n        return\n    q.get()",
    "if not f.done():\n        return\n    f.result()",
    "while not f.done():\n        await asyncio.sleep(1)\n    f.result()",
    "if not t.is_alive():\n        t.join()",
    "while t.is_alive():\n        await asyncio.sleep(1)\n    t.join()",
    "if e.is_set():\n        e.wait()",
    "if c.poll():\n        c.recv()",
    "while not c.poll():\n        await asyncio.sleep(1)\n    c.recv_bytes()",
    "while True:\n        if not c.poll():\n            await asyncio.sleep(1)\n            continue\n        c.recv()",
    "if p.poll() is not None:\n        p.wait()",
    "while p.poll() is None:\n        await asyncio.sleep(1)\n    p.communicate()",
    "if r.ready():\n        r.get()",
]

WAITING = [
    "if q.empty():\n        q.get()",
    "if q.empty() and a:\n        return\n    q.get()",
    "if not q.empty() or a:\n        q.get()",
    "if q.empty():\n        await asyncio.sleep(1)\n    q.get()",
    "if f.done():\n        return\n    f.result()",
    "if t.is_alive():\n        t.join()",
    "if t.is_alive():\n        t.join()\n        return",
    "while t.is_alive():\n        t.join()",
    "while q.empty():\n        q.get()",
    "while not t.is_alive():\n        await asyncio.sleep(1)\n    t.join()",
    "if c.poll():\n        pass\n    c.recv()",
    "if a:\n        while not c.poll():\n            await asyncio.sleep(1)\n    c.recv()",
    "if p.poll() is None:\n        p.wait()",
    "if p.poll() is not None:\n        return\n    p.communicate()",
    "if p.poll():\n        pass\n    p.wait()",
]


@pytest.mark.parametrize("code", QUIET)
def test_what_a_test_has_shown_to_be_ready_does_not_block(code: str) -> None:
    assert findings({"app.py": f"{HEAD}    {code}\n"}) == []


@pytest.mark.parametrize("code", WAITING)
def test_other_tests_say_nothing(code: str) -> None:
    rules = {one.rule for one in findings({"app.py": f"{HEAD}    {code}\n"})}
    assert len(rules & {"blocking-wait", "blocking-subprocess"}) == 1
