"""What a coroutine holds while a thread works, and where there are no threads."""

from __future__ import annotations

import pytest
from test_local_fixes import fixed, refusals, safety

from asynclint.findings import Safety


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ("before = sys.stdout\n    sys.stdout = io.StringIO()\n    yield\n    sys.stdout = before", True),
        ("os.chdir('/tmp')\n    yield", True),
        ("os.environ['A'] = 'b'\n    yield", True),
        ("global depth\n    depth += 1\n    yield", True),
        ("print(sys.stdout == sys.stderr)\n    yield", False),
    ],
)  # fmt: skip
def test_what_changes_the_process_is_not_held_while_others_run(body: str, changes: bool) -> None:
    code = f"""
import io
import os
import sys
import time
from contextlib import contextmanager

depth = 0


@contextmanager
def captured():
    {body}


def load():
    time.sleep(1)


async def work():
    with captured():
        load()
"""
    if changes:
        assert refusals("blocking-sleep", code) == [
            "`captured()` would be held while other tasks run"
        ]
    else:
        assert "await asyncio.to_thread(load)" in fixed("blocking-sleep", code)


def test_a_browser_has_no_threads() -> None:
    code = """
    import json


    async def load(path):
        with open(path) as file:
            return json.load(file)
    """
    session = "import js\n\nfrom app import load\n\n\nasync def main():\n    await load('a')\n"
    reason = "it may run in a browser, which has no threads"
    assert refusals("blocking-file-io", code, session=session) == [reason]
    asks = code + "\n    def web():\n        return sys.platform == 'emscripten'\n"
    assert refusals("blocking-file-io", asks) == [reason]
    other = session.replace("import js", "import json")
    assert "to_thread(read_file)" in fixed("blocking-file-io", code, session=other)


@pytest.mark.parametrize("line", ["time.sleep(2)", "load()"])
def test_nothing_waits_on_a_loop_that_was_stopped(line: str) -> None:
    code = f"""
    import os
    import time


    def load():
        time.sleep(2)


    async def leave(app):
        try:
            app.io_loop.stop()
        finally:
            {line}
            os._exit(0)
    """
    assert refusals("blocking-sleep", code) == ["`app.io_loop.stop` stops the event loop before"]
    assert "await" in fixed("blocking-sleep", code.replace("io_loop", "server"))


@pytest.mark.parametrize(
    ("around", "reason"),
    [
        ("with lock", "`lock` would be held while other tasks run"),
        ("for key in self.jobs", "other tasks could change `self.jobs` while it is gone through"),
        ("if self.jobs", None),
    ],
)
def test_what_stands_around_a_sleep_on_other_lines(around: str, reason: str | None) -> None:
    code = f"""
    import threading
    import time

    lock = threading.Lock()


    class Worker:
        def __init__(self):
            self.jobs = {{}}

        def add(self, key):
            self.jobs[key] = 1

        async def work(self):
            {around}:
                print("work")
                time.sleep(1)
    """
    if reason is None:
        assert safety("blocking-sleep", code) == [Safety.SAFE]
    else:
        assert refusals("blocking-sleep", code) == [reason]


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("coroutine-in-thread", "await asyncio.to_thread(work, 1)"),
        ("called-before-offload", "await asyncio.to_thread(plain())"),
    ],
)
def test_what_a_try_answers_today_is_no_safe_fix(rule: str, line: str) -> None:
    code = f"""
    import asyncio
    import time


    def plain():
        time.sleep(1)


    async def work(number):
        await asyncio.sleep(number)


    async def main():
        try:
            print("start")
            {line}
        except TypeError:
            print("failed")
    """
    assert safety(rule, code) == [Safety.UNSAFE]
    body = code.replace("except TypeError", "finally")
    assert safety(rule, body) == [Safety.SAFE]
