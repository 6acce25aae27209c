"""What a coroutine holds while a thread works, and where there are no threads."""

from __future__ import annotations

import pytest
from one_module import fixed, refusals, safety

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
    served = code.replace("io_loop", "server").replace("os._exit(0)", "pass")
    assert "await" in fixed("blocking-sleep", served)


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


POOL = """
import threading
import time
from contextlib import ExitStack, asynccontextmanager, contextmanager


class Session:
    def __init__(self):
        self._lock = threading.Lock()
        self.size = 0

    def _take(self):
        self._lock.acquire()

    def _give(self):
        self._lock.release()


session = Session()
"""


@pytest.mark.parametrize(
    ("manager", "held"),
    [
        ("with session._lock:\n        yield session", "session._lock"),
        ("one = session\n    with one._lock:\n        one.size += 1\n        try:\n            yield one\n        finally:\n            one.size -= 1", "one._lock"),
        ("session._lock.acquire()\n    try:\n        yield session\n    finally:\n        session._lock.release()", "session._lock"),
        ("if session.size:\n        with session._lock:\n            yield session\n    else:\n        yield session", "session._lock"),
        ("with engine.begin() as connection:\n        yield connection", "engine.begin()"),
        ("with ExitStack() as stack:\n        stack.enter_context(session._lock)\n        yield session", "session._lock"),
        ("file = open('lock')\n    fcntl.flock(file, fcntl.LOCK_EX)\n    yield\n    file.close()", "fcntl.flock"),
        ("with session._lock:\n        session.size += 1\n    yield session", None),
        ("session._lock.acquire()\n    session.size += 1\n    session._lock.release()\n    yield session", None),
        ("with suppress(OSError):\n        yield session", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("deep", [False, True])
def test_a_manager_holds_what_it_has_entered_as_it_yields(
    manager: str, held: str | None, deep: bool
) -> None:
    outer = "    with opened() as one:\n        yield one"
    code = f"""{POOL}

@contextmanager
def opened():
    {manager}


@contextmanager
def ready():
{outer if deep else ""}


def load():
    time.sleep(1)


async def work():
    with {"ready" if deep else "opened"}() as one:
        load()
"""
    if not deep:
        code = code.replace("@contextmanager\ndef ready():\n\n", "")
    if held is None:
        assert "await asyncio.to_thread(load)" in fixed("blocking-sleep", code)
    else:
        assert refusals("blocking-sleep", code) == [
            f"`{held}`, which `opened` takes, would be held while other tasks run"
        ]


@pytest.mark.parametrize(
    ("enter", "leave", "held"),
    [
        ("self._lock.acquire()", "self._lock.release()", True),
        ("self._lock.__enter__()", "self._lock.__exit__(*error)", True),
        ("self._take()", "self._give()", True),
        ("self._lock.acquire()\n        try:\n            self.open()\n        except OSError:\n            self._lock.release()\n            raise", "self._lock.release()", True),
        ("with self._lock:\n            self.size += 1", "with self._lock:\n            self.size -= 1", False),
        ("self._lock.acquire()\n        self.size += 1\n        self._lock.release()", "self._lock.acquire()\n        self.size -= 1\n        self._lock.release()", False),
        ("self._lock.acquire()\n        try:\n            self.open()\n        finally:\n            self._lock.release()", "self._lock.release()", False),
    ],
)  # fmt: skip
def test_an_object_holds_what_it_takes_and_gives_back_when_it_is_left(
    enter: str, leave: str, held: bool
) -> None:
    code = f"""{POOL}

class Guard(Session):
    def __enter__(self):
        {enter}
        return self

    def open(self):
        self.size += 1

    def __exit__(self, *error):
        {leave}


def load():
    time.sleep(1)


async def work(guard: Guard):
    with guard:
        load()
"""
    if held:
        [reason] = refusals("blocking-sleep", code)
        assert reason.startswith("`self._lock`, which `")
        assert reason.endswith("` takes, would be held while other tasks run")
    else:
        assert "await asyncio.to_thread(load)" in fixed("blocking-sleep", code)


@pytest.mark.parametrize(
    ("inner", "held"), [("with session._lock", True), ("async with lock", False)]
)
def test_an_asynchronous_manager_may_hold_a_lock_of_threads(inner: str, held: bool) -> None:
    code = f"""{POOL}
import asyncio

lock = asyncio.Lock()


@asynccontextmanager
async def opened():
    {inner}:
        yield session


def load():
    time.sleep(1)


async def work():
    async with opened():
        load()
"""
    if held:
        assert refusals("blocking-sleep", code) == [
            "`session._lock`, which `opened` takes, would be held while other tasks run"
        ]
    else:
        assert "await asyncio.to_thread(load)" in fixed("blocking-sleep", code)
