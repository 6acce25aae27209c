"""Fixes within one function: what they write where the code is not as simple as on the pages, and where they refuse."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from fixing import dedented
from one_module import body, checked, fixed, judged, refusals, safety

from asynclint import check, fix
from asynclint.config import from_table
from asynclint.findings import Finding, Safety
from asynclint.testing import in_memory

# -- unbounded-gather --------------------------------------------------------------------------------

FETCH = """\
import asyncio


async def fetch(url: str = "", *, retries: int = 1) -> str:
    await asyncio.open_connection(url, 443)
    return url


"""


def _bounded(code: str) -> str:
    return body("unbounded-gather", FETCH + dedented(code), "async def handler")


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
    ) == dedented(
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


# -- handing over to a thread ------------------------------------------------------------------------

SLOW = """\
def load(path: str) -> str:
    time.sleep(1)
    return path


"""


def _slow(line: str, head: str = "import time\n\n\n" + SLOW) -> str:
    return f"{head}async def handler(path: str) -> str:\n    {line}\n"


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("return load(path)", "return await asyncio.to_thread(load, path)"),
        ("return load(path).strip()", "return (await asyncio.to_thread(load, path)).strip()"),
        ('return f"{load(path)}!"', 'return f"{await asyncio.to_thread(load, path)}!"'),
        ("return load(*[path])", "return await asyncio.to_thread(load, *[path])"),
        ("return load(path=path,)", "return await asyncio.to_thread(load, path=path,)"),
        ("return [load(p) for p in path][0]", "return [await asyncio.to_thread(load, p) for p in path][0]"),
        ("return '' if not load(path) else path", "return '' if not await asyncio.to_thread(load, path) else path"),
        ("return load(path) + load(path)", "return await asyncio.to_thread(load, path) + await asyncio.to_thread(load, path)"),
        ("if path: return load(path)", "if path: return await asyncio.to_thread(load, path)"),
    ],
)  # fmt: skip
def test_calls_that_are_handed_over(line: str, after: str) -> None:
    assert fixed("blocking-sleep", _slow(line)) == _slow(
        after, f"import asyncio\nimport time\n\n\n{SLOW}"
    )


def test_the_lines_of_a_call_stay() -> None:
    text = _slow("return load(\n        # which\n        path,  # this\n    )")
    assert "to_thread(\n        load,\n        # which\n        path,  # this\n    )" in fixed(
        "blocking-sleep", text
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            "return ''.join(load(p) for p in path)",
            "the enclosing function is not `async def`, so that nothing can be awaited in it",
        ),
        ("return load(path := path)", "its arguments do more than give values"),
        ("with lock: return load(path)", "`lock` would be held while other tasks run"),
        ("return load(c for c in path)", "its argument is a generator expression"),
    ],
)
def test_calls_that_stay(line: str, reason: str) -> None:
    head = f"import threading\nimport time\n\nlock = threading.Lock()\n\n\n{SLOW}"
    assert refusals("blocking-sleep", _slow(line, head)) == [reason]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("var.set(1)", "`work` sets a context variable, which a thread keeps to itself"),
        ("event.set()", "`work` needs the event loop's thread for `Event.set`"),
        ("asyncio.get_event_loop()", "`work` needs the event loop's thread for `get_event_loop`"),
        ("signal.signal(2, print)", "`work` needs the main thread for `signal.signal`"),
        (
            "sessions.commit()",
            "`work` uses a `scoped_session`, which is another one in each thread",
        ),
        (
            "connection.execute('select 1')",
            "`work` uses a `Connection` that belongs to another thread",
        ),
    ],
)
def test_functions_that_belong_to_a_thread(body: str, reason: str) -> None:
    code = f"""\
import asyncio
import signal
import sqlite3
import time
from contextvars import ContextVar

from sqlalchemy.orm import scoped_session, sessionmaker

var: ContextVar[int] = ContextVar("var")
event = asyncio.Event()
sessions = scoped_session(sessionmaker())
connection = sqlite3.connect("x")


def work():
    time.sleep(1)
    {body}


async def handler():
    return work()
"""
    assert refusals("blocking-sleep", code) == [reason]


def test_what_a_function_opens_itself_it_may_use_in_a_thread() -> None:
    text = fixed(
        "blocking-database-call",
        """
        import sqlite3


        def count(path: str) -> int:
            connection = sqlite3.connect(path)
            return connection.execute("select count(*) from t").fetchone()[0]


        async def handler(path: str) -> int:
            return count(path)
        """,
    )
    assert "return await asyncio.to_thread(count, path)" in text


def test_a_connection_stays_in_its_thread() -> None:
    assert refusals(
        "blocking-database-call",
        """
        import sqlite3


        def connect(path: str) -> sqlite3.Connection:
            return sqlite3.connect(path)


        async def handler(path: str) -> None:
            connection = connect(path)
            connection.execute("select 1")
        """,
    ) == [
        "the `Connection` that it gives is used by one thread at a time",
        "a `Connection` is used by one thread at a time",
    ]


def test_a_generator_below_the_call_runs_in_the_thread() -> None:
    text = fixed(
        "blocking-sleep",
        """
        import time


        def steps():
            time.sleep(1)
            yield 1


        def work() -> int:
            return sum(steps())


        async def handler() -> int:
            return work()
        """,
    )
    assert "return await asyncio.to_thread(work)" in text


@pytest.mark.parametrize(
    ("call", "after"),
    [
        ("socket.getaddrinfo(host, 443)", "await asyncio.get_running_loop().getaddrinfo(host, 443)"),
        (
            "socket.getaddrinfo(host, 443, socket.AF_INET, proto=6)",
            "await asyncio.get_running_loop().getaddrinfo(host, 443, family=socket.AF_INET, proto=6)",
        ),
        ("socket.getaddrinfo(*host)", "await asyncio.to_thread(socket.getaddrinfo, *host)"),
        ("input(host)", "await asyncio.to_thread(input, host)"),
    ],
)  # fmt: skip
def test_forms_of_the_loop(call: str, after: str) -> None:
    head = "import asyncio\nimport socket\n\n\nasync def handler(host: str):\n    return "
    gone = "import socket\n" if "socket." in call and "socket." not in after else ""
    kept = head.replace(gone, "")
    assert fixed("blocking-wait", f"{head}{call}\n") == f"{kept}{after}\n"


def test_routes_that_await_nothing_become_plain_where_a_thread_is_not_right() -> None:
    text = fixed(
        "blocking-database-call",
        """
        from fastapi import APIRouter, Depends
        from sqlalchemy.orm import Session

        router = APIRouter()


        @router.get("/users")
        async def users(db: Session = Depends(print)) -> list[int]:
            db.commit()
            with db.begin():
                db.execute("select 1")
            return []
        """,
    )
    assert "\ndef users(db: Session = Depends(print))" in text


@pytest.mark.parametrize("used", ["shared", "given"])
def test_routes_stay_where_their_connections_are(used: str) -> None:
    code = f"""
    import sqlite3

    from fastapi import APIRouter, Depends

    router = APIRouter()
    shared = sqlite3.connect("shared.db")


    async def connect():
        yield sqlite3.connect("given.db", isolation_level=None)


    @router.get("/users")
    async def users(given: sqlite3.Connection = Depends(connect)) -> None:
        {used}.execute("select 1")
    """
    reason = "a `Connection` is used by one thread at a time"
    assert refusals("blocking-database-call", code)[-1] == reason


def test_a_route_that_opens_what_it_uses_becomes_plain() -> None:
    text = fixed(
        "blocking-database-call",
        """
        import sqlite3

        from fastapi import APIRouter
        from sqlalchemy import create_engine, select
        from sqlalchemy.orm import sessionmaker

        router = APIRouter()
        SessionLocal = sessionmaker(create_engine("sqlite:///users.db"))


        @router.get("/users")
        async def users():
            return sqlite3.connect("users.db").execute("select 1").fetchall()


        @router.get("/names")
        async def names():
            with SessionLocal() as session:
                return session.execute(select(1)).all()
        """,
    )
    assert "\ndef users()" in text and "\ndef names()" in text


def test_routes_with_other_decorators_stay_coroutines() -> None:
    text = fixed(
        "blocking-sleep",
        """
        import time

        from fastapi import APIRouter

        from limits import limited

        router = APIRouter()


        def work() -> int:
            time.sleep(1)
            return 1


        @router.get("/a")
        @limited
        async def a() -> int:
            return work()
        """,
        limits="""
        def limited(function):
            async def wrapper(*args, **kwargs):
                return await function(*args, **kwargs)

            return wrapper
        """,
    )
    assert "async def a() -> int:\n    return await asyncio.to_thread(work)" in text


# -- unawaited-coroutine and nested-event-loop -------------------------------------------------------------


def _forgotten(line: str) -> str:
    return f"""\
import asyncio
import threading

lock = threading.Lock()


async def fetch(number: int = 0) -> dict[str, int]:
    return {{"a": number}}


async def work() -> None:
    while True:
        await asyncio.sleep(1)


class Shop:
    async def load(self) -> None: ...

    def count(self) -> int:
        return 1


async def shop() -> Shop:
    return Shop()


async def many() -> list:
    return []


async def handler(flag: bool) -> object:
    {line}
"""


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("fetch(); fetch()  # two", "await fetch(); await fetch()  # two"),
        ("if flag: fetch()", "if flag: await fetch()"),
        ('return fetch().get("a")', 'return (await fetch()).get("a")'),
        ('return fetch()["a"] ** 2', 'return (await fetch())["a"] ** 2'),
        ('return {"b": fetch()["a"]}', 'return {"b": (await fetch())["a"]}'),
        ("if not fetch(): pass", "if not await fetch(): pass"),
        ("return fetch() == 3 or flag", "return await fetch() == 3 or flag"),
        ('return f"{fetch()!r:>{10}}"', 'return f"{await fetch()!r:>{10}}"'),
        ("a, b = fetch()", "a, b = await fetch()"),
        ('return (fetch() if flag else {})["a"]', 'return (await fetch() if flag else {})["a"]'),
        ('return [fetch(i)["a"] for i in range(3)]', 'return [(await fetch(i))["a"] for i in range(3)]'),
        ('def inner(a=fetch()["a"]): return a', 'def inner(a=(await fetch())["a"]): return a'),
        ('await fetch().get("a")', '(await fetch()).get("a")'),
        ('return await fetch()["a"] or 1', 'return (await fetch())["a"] or 1'),
        ("await shop().load()", "await (await shop()).load()"),
        ('await shop().stock["a"]', 'await (await shop()).stock["a"]'),
        ("await shop().count()", "(await shop()).count()"),
        ("for key in fetch(): print(key)", "for key in await fetch(): print(key)"),
        ("assert fetch()", "assert await fetch()"),
        ("return -fetch()", "return -await fetch()"),
    ],
)  # fmt: skip
def test_awaits(line: str, after: str) -> None:
    assert fixed("unawaited-coroutine", _forgotten(line)) == _forgotten(after)


def test_what_a_library_answers_at_once_is_not_awaited() -> None:
    code = """
    import httpx


    async def create(client: httpx.AsyncClient, url):
        await client.post(url).raise_for_status()
        return await client.get(url).aread()
    """
    text = fixed("unawaited-coroutine", code)
    assert "        (await client.post(url)).raise_for_status()\n".lstrip() in text
    assert "await (await client.post" not in text
    assert "return await (await client.get(url)).aread()" in text


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('return sum(fetch(i)["a"] for i in range(3))', "it stands in a generator expression, which would become an asynchronous one"),
        ('return lambda: fetch()["a"]', "it stands in a lambda"),
        ('class A: b = fetch()["a"]', "it stands in the body of a class"),
        ("def inner(): fetch()", "the enclosing function is not `async def`"),
    ],
)  # fmt: skip
def test_places_without_await(line: str, reason: str) -> None:
    assert refusals("unawaited-coroutine", _forgotten(line)) == [reason]


@pytest.mark.parametrize(
    ("line", "how"),
    [
        ("fetch()", Safety.SAFE),
        ("fetch()['a']", Safety.SAFE),
        ("await fetch()['a']", Safety.SAFE),
        ("await fetch().get('a')", Safety.SAFE),
        ("await many()[0]", Safety.UNSAFE),
        ("await shop().load()", Safety.SAFE),
        ("await shop().stock", Safety.UNSAFE),
        ("await shop().count()", Safety.UNSAFE),
        ("if fetch(): pass", Safety.UNSAFE),
        ("asyncio.gather(fetch(), fetch())", Safety.UNSAFE),
        ("work()", Safety.UNSAFE),
        ("with lock: fetch()", Safety.UNSAFE),
    ],
)
def test_safety_of_awaits(line: str, how: Safety) -> None:
    assert safety("unawaited-coroutine", _forgotten(line)) == [how]


@pytest.mark.parametrize(
    ("parameter", "how"), [("store: Store", Safety.SAFE), ("store", Safety.UNSAFE)]
)
def test_what_only_callers_show_is_no_reason_to_change_code_unasked(
    parameter: str, how: Safety
) -> None:
    code = f"""
    class Store:
        async def save(self) -> None: ...


    async def handler({parameter}) -> None:
        store.save()


    async def main() -> None:
        await handler(Store())
    """
    assert safety("unawaited-coroutine", code) == [how]


def test_a_loop_that_a_try_expects_to_fail() -> None:
    code = """
    import asyncio


    async def fetch() -> int:
        return 1


    async def plain() -> int:
        return asyncio.run(fetch())


    async def tried() -> int:
        try:
            return asyncio.run(fetch())
        except OSError:
            return 0
    """
    assert safety("nested-event-loop", code) == [Safety.SAFE, Safety.UNSAFE]


def test_a_defect_that_is_said_in_a_milder_way_afterwards_was_there_before() -> None:
    files = {
        "app.py": dedented(
            """
            import asyncio

            import httpx


            async def fetch(url: str) -> int:
                async with httpx.AsyncClient() as client:
                    return (await client.get(url)).status_code


            async def handler(urls: list[str]) -> list[int]:
                return await asyncio.gather(*[fetch(url) for url in urls])
            """
        )
    }
    project = in_memory(files)
    config = from_table({}, project.root)

    def again(project: object) -> Sequence[Finding]:
        return check.check(project, config).kept  # type: ignore[arg-type]

    found = check.check(project, config).findings
    assert {f.rule for f in found} == {"client-per-item", "unbounded-gather"}
    outcome = fix.run(
        project, found, again, lambda f, _: f.rule == "unbounded-gather", check.yields(config)
    )
    assert outcome.problems == []
    assert "bounded(fetch, url)" in outcome.after["app.py"]
    both = fix.run(project, found, again, fix.allowed(False), check.yields(config))
    assert both.problems == []
    assert "    async with httpx.AsyncClient() as client:\n" in both.after["app.py"]
    assert "bounded(fetch, client, url)" in both.after["app.py"]


# -- lost-task ---------------------------------------------------------------------------------------------


def _lost(head: str, body: str) -> str:
    return f"{head}async def work() -> int:\n    return 1\n\n\nasync def handler(flag: bool) -> None:\n{body}"


KEPT = """\
    {0} = asyncio.create_task(work()){1}
    {2}.add({0})
    {0}.add_done_callback({2}.discard)
"""


def test_the_set_stands_below_all_imports() -> None:
    text = fixed(
        "lost-task",
        _lost(
            '"""Doc."""\n\nimport asyncio\n\nLIMIT = 1\nif True:\n    import json\nSIZE = 2\n\n\n',
            "    asyncio.create_task(work())  # later\n    _ = asyncio.create_task(work())\n",
        ),
    )
    kept = "\n\nbackground_tasks: set[asyncio.Task[Any]] = set()\n"
    assert f"    import json\n{kept[1:]}SIZE = 2\n" in text
    assert text.count(kept) == 1
    assert KEPT.format("task", "  # later", "background_tasks") in text
    assert text.endswith(KEPT.format("task", "", "background_tasks"))


@pytest.mark.parametrize(
    ("head", "top"),
    [
        ("", "import asyncio\nfrom typing import Any\n\n\nbackground_tasks"),
        ('"""Doc."""\n\n\n', '"""Doc."""\n\nimport asyncio\nfrom typing import Any\n\nbackground_tasks'),
        ("#!/bin/python\n# Licence\n\n", "#!/bin/python\n# Licence\n\nimport asyncio\n"),
        ("from typing import Any, List\n\n\n", "import asyncio\nfrom typing import Any, List\n\nbackground_tasks"),
        ("import typing\n\n\n", "import asyncio\nimport typing\n\nbackground_tasks: set[asyncio.Task[typing.Any]]"),
    ],
)  # fmt: skip
def test_what_the_set_needs_is_imported(head: str, top: str) -> None:
    body = "    import asyncio\n\n    asyncio.create_task(work())\n"
    text = fixed("lost-task", _lost(head, body))
    assert text.startswith(top)
    assert text.endswith("    import asyncio\n\n" + KEPT.format("task", "", "background_tasks"))


def test_imports_without_sections_stay_one_block() -> None:
    head = "from pydantic import Field\nfrom typing import Any\n\n\n"
    text = fixed(
        "lost-task", _lost(head, "    import asyncio\n\n    asyncio.create_task(work())\n")
    )
    assert text.startswith("import asyncio\nfrom pydantic import Field\nfrom typing import Any\n\n")
    parted = "from typing import List\n\nfrom pydantic import Field\n\n\n"
    body = "    import asyncio\n\n    asyncio.create_task(work())\n"
    text = fixed("lost-task", _lost(parted, body))
    assert text.startswith("import asyncio\nfrom typing import Any, List\n\nfrom pydantic")


@pytest.mark.parametrize("first", ["", '"""Doc."""\n', "# Words.\n"])
def test_nothing_comes_before_the_future(first: str) -> None:
    head = f"{first}from __future__ import annotations\nfrom .texts import one\nfrom typing import Any\n\n\n"
    body = "    import asyncio\n\n    asyncio.create_task(work())\n"
    text = fixed("lost-task", _lost(head, body))
    assert text.startswith(
        f"{first}from __future__ import annotations\n\nimport asyncio\nfrom .texts"
    )


def test_a_docstring_behind_the_future_stays_there() -> None:
    head = 'from __future__ import annotations\n\n"""Doc."""\n\nfrom typing import Any, List\n\n\n'
    body = "    import asyncio\n\n    asyncio.create_task(work())\n"
    text = fixed("lost-task", _lost(head, body))
    start = 'from __future__ import annotations\n\n"""Doc."""\n\nimport asyncio\nfrom typing import Any, List\n'
    assert text.startswith(start)


def test_what_a_stack_enters_stays_in_its_thread() -> None:
    code = """
    import time
    from contextlib import ExitStack, contextmanager


    @contextmanager
    def slot():
        time.sleep(1)
        yield


    async def work():
        with ExitStack() as stack:
            stack.enter_context(slot())
    """
    assert refusals("blocking-sleep", code) == [
        "what a thread has entered would be left in another one"
    ]


@pytest.mark.parametrize(
    ("handler", "always"),
    [
        ("except ImportError:\n    raise", True),
        ('except ImportError:\n    raise ImportError("not installed")', True),
        ("finally:\n    pass", True),
        ("except ImportError:\n    asyncio = None", False),
        ("except ImportError:\n    pass", False),
        ("except KeyError:\n    raise\nexcept ImportError:\n    pass", False),
    ],
)
def test_an_import_that_has_run_or_nothing_has(handler: str, always: bool) -> None:
    code = f"""try:
    import asyncio
    import missing
{handler}
import time


def load():
    time.sleep(1)


async def work():
    load()
"""
    if always:
        assert "await asyncio.to_thread(load)" in fixed("blocking-sleep", code)
    else:
        assert refusals("blocking-sleep", code) == ["`asyncio` means something else in `app`"]


def test_names_that_mean_something_else_are_left_alone() -> None:
    text = fixed(
        "lost-task",
        _lost(
            "import asyncio\n\nbackground_tasks = []\n\n\n",
            "    task = flag\n    asyncio.create_task(work())\n    print(task)\n",
        ),
    )
    assert KEPT.format("background_task", "", "running_tasks") in text


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("flag and asyncio.create_task(work())", "the task is made within an expression"),
        ("if flag: asyncio.create_task(work())", "something else stands on the line of the statement"),
        ("print(flag); asyncio.create_task(work())", "something else stands on the line of the statement"),
    ],
)  # fmt: skip
def test_tasks_that_stay_lost(line: str, reason: str) -> None:
    assert refusals("lost-task", _lost("import asyncio\n\n\n", f"    {line}\n")) == [reason]


CHILD = """
import subprocess


async def run(command, log):
    {}
"""


def _second(statement: str) -> str | None:
    """The statement after the second fix of its finding; None where there is none."""
    text = dedented(CHILD.format(statement))
    [found] = judged("blocking-subprocess", text)
    second = [f for f in found.fixes if "create_subprocess_exec" in f.title]
    if not second:
        return None
    assert found.fixes[0].title == "hand it to a thread with `asyncio.to_thread`"
    after = fix.edited(text, second[0].edits)
    assert fix.compiles(after)
    return after.splitlines()[-1].strip()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('subprocess.run(["git", "gc"])', 'await (await asyncio.create_subprocess_exec("git", "gc")).wait()'),
        ('subprocess.run([*command, "-q"], cwd="/")', 'await (await asyncio.create_subprocess_exec(*command, "-q", cwd="/")).wait()'),
        ('code = subprocess.call(("true",), stdout=subprocess.DEVNULL)', 'code = await (await asyncio.create_subprocess_exec("true", stdout=subprocess.DEVNULL)).wait()'),
        ('return subprocess.run(["true"]).returncode == 0', 'return await (await asyncio.create_subprocess_exec("true")).wait() == 0'),
        ('subprocess.run(["git", "gc"], check=True)', None),
        ('subprocess.run(["git", "gc"], timeout=3)', None),
        ('subprocess.run(["git", "gc"], capture_output=True)', None),
        ('subprocess.run(["git", "gc"], stdout=subprocess.PIPE)', None),
        ('subprocess.run(["git", "gc"], stdout=log)', None),
        ('subprocess.run("git gc", shell=True)', None),
        ("subprocess.run(command)", None),
        ('subprocess.check_call(["git", "gc"])', None),
        ('done = subprocess.run(["git", "gc"])', None),
    ],
)  # fmt: skip
def test_child_that_is_only_waited_for(before: str, after: str | None) -> None:
    assert _second(before) == after


def test_awaited_child_gives_the_same_exit_code() -> None:
    for program in ("import sys; sys.exit(3)", "print(1)"):
        statement = f"return subprocess.call([{sys.executable!r}, '-c', {program!r}])"
        codes = []
        for line in (statement, _second(statement)):
            space: dict[str, Any] = {"asyncio": asyncio}
            exec(CHILD.format(line), space)  # noqa: S102 - the text is what is tested
            codes.append(asyncio.run(space["run"](None, None)))
        assert codes[0] == codes[1]


# -- where a thread is not right, and how a fix is written ----------------------------------------------


CLEANUP = """
import shutil
{imports}

async def work(path, encode):
    try:
        return await encode(path)
    {handler}:
        shutil.rmtree(path)
        raise
"""


@pytest.mark.parametrize(
    "handler", ["except BaseException", "except (OSError, asyncio.CancelledError)", "except"]
)
def test_an_await_may_cut_short_what_is_done_after_a_cancellation(handler: str) -> None:
    code = CLEANUP.format(imports="import asyncio\n", handler=handler)
    assert "cleans up after a cancellation" in refusals("blocking-file-io", code)[0]
    code = CLEANUP.format(imports="import asyncio\n", handler="except Exception")
    assert "await asyncio.to_thread(shutil.rmtree, path)" in fixed("blocking-file-io", code)


def test_a_cancelled_scope_of_anyio_lets_nothing_wait() -> None:
    code = CLEANUP.format(imports="import anyio\n", handler="finally").replace(
        "        raise\n", ""
    )
    assert "cleans up after a cancellation" in refusals("blocking-file-io", code)[0]
    code = code.replace("import anyio", "import asyncio")
    assert "await asyncio.to_thread(shutil.rmtree, path)" in fixed("blocking-file-io", code)


@pytest.mark.parametrize(
    "use",
    [
        "server = await Server(path)",
        "async with Server(path):\n        pass",
        "server = Server(path)",
    ],
)
def test_objects_of_the_event_loop_are_made_in_its_thread(use: str) -> None:
    code = f"""
class Server:
    def __init__(self, path):
        with open(path) as file:
            self.settings = file.read()

    def __await__(self):
        return self.start().__await__()

    async def __aenter__(self):
        return await self

    async def __aexit__(self, *exc):
        pass

    async def start(self):
        return self


async def main(path):
    {use}
"""
    [reason] = refusals("blocking-file-io", code)
    assert "thread" in reason


def test_a_block_goes_where_the_module_has_its_threads_from() -> None:
    code = """
import anyio


async def read(path):
    await anyio.sleep(0)
    with open(path) as file:
        text = file.read()
    return text
"""
    after = """
async def read(path):
    await anyio.sleep(0)

    def read_file():
        with open(path) as file:
            return file.read()

    text = await anyio.to_thread.run_sync(read_file)
    return text
"""
    assert body("blocking-file-io", code, "async def read") == after.lstrip("\n")


def test_a_line_that_would_be_too_long_is_broken() -> None:
    code = """
import requests


async def publish(session, address, payload):
    response = requests.post(address, json=payload, timeout=session.timeout, verify=True)
    answer = f"{requests.post(address, json=payload, timeout=session.timeout, verify=True)}"
    return response, answer
"""
    after = """
    response = await asyncio.to_thread(
        requests.post, address, json=payload, timeout=session.timeout, verify=True
    )
"""
    assert after in fixed("blocking-http-call", code)


def test_what_waits_for_a_place_already_gets_no_second_bound() -> None:
    code = """
import asyncio

import httpx

places = asyncio.Semaphore(5)
client = httpx.AsyncClient()


async def search(queries, slowly):
    if slowly:

        async def one(query):
            async with places:
                return await client.get(query)

        tasks = [one(query) for query in queries]
    else:
        tasks = [client.get(query) for query in queries]
    tasks.append(asyncio.sleep(0, None))
    return await asyncio.gather(*tasks)
"""
    text = fixed("unbounded-gather", code)
    assert "tasks = [one(query) for query in queries]" in text
    assert "tasks = [bounded(client.get, query) for query in queries]" in text
    assert "tasks.append(asyncio.sleep(0, None))" in text


def test_a_bound_would_keep_some_from_ever_starting() -> None:
    code = """
import asyncio


async def serve(queue):
    while True:
        print(await queue.get())


async def main(queues):
    await asyncio.gather(*(serve(queue) for queue in queues))
"""
    assert "`serve` never ends" in refusals("unbounded-gather", code)[0]
    started = code.replace(
        "await asyncio.gather(*(serve(queue) for queue in queues))",
        "async with anyio.create_task_group() as group:\n"
        "        for queue in queues:\n            group.start_soon(serve, queue)",
    ).replace("import asyncio", "import anyio")
    assert "`serve` never ends" in refusals("unbounded-gather", started)[0]


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("blocking-sleep", "time.sleep(1)"),
        ("blocking-http-call", "requests.get(url)"),
        ("blocking-file-io", "with open(url) as file:\n        file.read()"),
    ],
)
def test_the_event_loop_of_another_library(rule: str, line: str) -> None:
    code = f"""
import time

import requests


async def work(url):
    {line}
"""
    reactor = "from twisted.internet import reactor\n\nreactor.run()\n"
    [reason] = refusals(rule, code, server=reactor)
    assert "event loop of twisted" in reason
    [reason] = refusals(rule, f"from twisted.internet import defer\nimport asyncio\n{code}")
    assert "event loop of twisted" in reason
    also = {f"part{i}": "import asyncio\n\nasyncio.run(print())\n" for i in range(2)}
    assert "await asyncio." in fixed(rule, code, server=reactor, **also)


def test_a_module_without_a_loop_of_its_own_runs_on_the_others() -> None:
    code = """
import time


async def pause():
    time.sleep(1)
"""
    main = """
import trio

import app

trio.run(app.pause)
"""
    assert "await trio.sleep(1)" in fixed("blocking-sleep", code, main=main)
    assert "await anyio.sleep(1)" in fixed(
        "blocking-sleep", code, main=main.replace("trio", "anyio")
    )


@pytest.mark.parametrize(
    ("awaited", "comment", "reason"),
    [
        ("self.stack.aclose()", "", "what follows `aclose` would not be cleaned up"),
        ("self.work()", "  # cancellation included", "a comment says that it takes cancellations"),
    ],
)
def test_cancellations_that_are_taken_on_purpose(awaited: str, comment: str, reason: str) -> None:
    code = f"""
class Tools:
    async def clean_up(self):
        try:
            await {awaited}
        except BaseException:
            pass{comment}
        self.stack = None
"""
    assert reason in refusals("swallowed-cancellation", code)[0]
    assert "CancelledError" in fixed(
        "swallowed-cancellation", code.replace(awaited, "self.work()").replace(comment or "#", "")
    )


def test_a_sleep_that_a_test_replaces_is_no_safe_fix() -> None:
    code = {"app.py": "import time\n\n\nasync def poll():\n    time.sleep(1)\n"}
    [finding], _ = checked("blocking-sleep", code)
    assert [f.safety for f in finding.fixes] == [Safety.SAFE]
    test = "from unittest import mock\n\n\ndef test_poll():\n    mock.patch('app.time.sleep')\n"
    [finding], _ = checked("blocking-sleep", {**code, "tests/test_app.py": test})
    assert [f.safety for f in finding.fixes] == [Safety.UNSAFE]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[n for n in numbers()]", "[n async for n in numbers()]"),
        ("{n: 1 for n in numbers() if n}", "{n: 1 async for n in numbers() if n}"),
        ("[n async for n in plain()]", "[n for n in plain()]"),
        ("sum(n for n in numbers())", None),
        ("[[n for n in numbers()] for _ in [1]]", None),
    ],
)
def test_comprehensions_over_the_wrong_kind(before: str, after: str | None) -> None:
    code = f"""
async def numbers():
    yield 1


def plain():
    yield 1


async def collect():
    return {before}
"""
    if after is None:
        assert refusals("mismatched-async-protocol", code)
    else:
        assert f"    return {after}\n" in fixed("mismatched-async-protocol", code)


FILES = """
import json


async def both(paths, data):
    with open(paths[0]) as f:
        first = f.read()
    with open(paths[1]) as f:
        second = json.load(f)
    with open(paths[2], "w") as f:
        json.dump(data, f)
    {more}
    return first, second
"""


def test_blocks_that_call_their_files_the_same() -> None:
    after = """
async def both(paths, data):
    def read_file():
        with open(paths[0]) as f:
            return f.read()

    first = await asyncio.to_thread(read_file)

    def load_file():
        with open(paths[1]) as f:
            return json.load(f)

    second = await asyncio.to_thread(load_file)

    def write_file():
        with open(paths[2], "w") as f:
            json.dump(data, f)

    await asyncio.to_thread(write_file)
    return first, second
"""
    code = FILES.replace("    {more}\n", "")
    assert body("blocking-file-io", code, "async def both") == after.lstrip("\n")


@pytest.mark.parametrize("more", ["print(f.closed)", "del f", "f = 1", "global f"])
def test_a_file_that_is_looked_at_after_its_block(more: str) -> None:
    text = FILES.format(more=more) if more != "global f" else FILES.replace("    {more}\n", "")
    if more == "global f":
        text = text.replace("data):\n", "data):\n    global f\n")
    assert all(refusals("blocking-file-io", text))


def test_blocks_within_each_other() -> None:
    code = """
async def copy(path, other):
    with open(path) as f:
        text = f.read()
        with open(other, "w") as f:
            f.write(text)
"""
    after = """
async def copy(path, other):
    def write_file():
        with open(path) as f:
            text = f.read()
            with open(other, "w") as f:
                f.write(text)

    await asyncio.to_thread(write_file)
"""
    assert body("blocking-file-io", code, "async def copy") == after.lstrip("\n")


def test_a_test_that_replaces_threads_keeps_the_call() -> None:
    code = """
import time


async def poll() -> None:
    wait()


def wait() -> None:
    time.sleep(1)
"""
    test = """
import asyncio

import app


def test_poll(monkeypatch):
    loop = asyncio.new_event_loop()
    monkeypatch.setattr(loop, "run_in_executor", lambda *args: asyncio.Future())
    loop.run_until_complete(app.poll())
"""
    assert refusals("blocking-sleep", code, test_app=test) == [
        "`test_app.py` puts something else in the place of threads"
    ]
    assert "await asyncio.to_thread(wait)" in fixed("blocking-sleep", code)


# -- what a thread or a handler would change -------------------------------------------------------


def test_a_pool_is_not_held_while_a_thread_works() -> None:
    code = """
    from psycopg_pool import ConnectionPool

    pool = ConnectionPool("")


    async def drop() -> None:
        with pool.connection() as conn, conn.cursor() as cur:
            cur.execute("DROP TABLE a")
    """
    reasons = refusals("blocking-database-call", code)
    assert "`pool.connection()` would be held while other tasks run" in reasons


def test_cursors_of_a_shared_connection_are_shared() -> None:
    code = """
    from pyodbc import Connection


    class Store:
        def __init__(self, connection: Connection) -> None:
            self.connection = connection

        async def read(self) -> None:
            cur = self.connection.cursor()
            cur.execute("SELECT 1")
    """
    assert all(
        "one thread at a time" in reason for reason in refusals("blocking-database-call", code)
    )


def test_what_is_done_where_no_thread_can_be_had_is_not_done_in_one() -> None:
    code = """
    import asyncio
    import time


    def close(wait):
        time.sleep(wait)


    async def stop() -> None:
        try:
            await asyncio.to_thread(close, 1)
        except RuntimeError:
            close(1)
    """
    assert refusals("blocking-sleep", code) == ["it is what is done where no thread can be had"]


def test_a_handler_of_tornado_stays_on_its_loop() -> None:
    code = """
    import shutil

    from tornado.web import RequestHandler


    def respond(handler, name):
        shutil.make_archive(name, "zip", name)
        handler.finish(b"")


    class Archive(RequestHandler):
        async def get(self, name):
            respond(self, name)
    """
    reason = "a request's handler belongs to the event loop's thread"
    assert refusals("blocking-file-io", code) == [reason]


def test_a_cancellation_that_is_raised_again_would_cut_a_clean_up_short() -> None:
    code = """
    import asyncio


    async def run(finish):
        try:
            await asyncio.sleep(1)
        finally:
            try:
                await asyncio.sleep(2)
            except BaseException:
                print("not saved")
            await finish()
    """
    reason = "it is part of a clean-up, and what follows would be left out"
    assert refusals("swallowed-cancellation", code) == [reason]


@pytest.mark.parametrize(
    "body",
    [
        "for number in range(2):\n            try:\n                await work()\n            except BaseException:\n                print(number)",
        "if work:\n            try:\n                await work()\n            except BaseException:\n                print(1)\n            print(2)",
    ],
)
@pytest.mark.parametrize("start", ["finally", "except ValueError"])
def test_a_clean_up_goes_on_within_its_own_blocks(body: str, start: str) -> None:
    code = f"""
    async def run(work):
        try:
            await work()
        {start}:
            {body.replace(chr(10), chr(10) + "    ")}
    """
    reason = "it is part of a clean-up, and what follows would be left out"
    assert refusals("swallowed-cancellation", code) == [reason]


def test_a_function_that_is_called_in_a_clean_up_goes_on() -> None:
    code = """
    import asyncio


    async def outcome(client):
        try:
            await asyncio.wait_for(client.read(), 1)
        except BaseException:
            print("not read")
        await asyncio.sleep(1)


    async def reconcile(client):
        return await outcome(client)


    async def update(client):
        try:
            await client.write()
        except ValueError:
            await reconcile(client)
    """
    reason = "`outcome` is part of a clean-up, which has to go on"
    assert refusals("swallowed-cancellation", code) == [reason]


def test_what_a_block_asks_of_an_unknown_base_stays_on_the_loop() -> None:
    code = """
    from somewhere import Handler


    class Icon(Handler):
        async def get(self, name):
            with open(name, "rb") as file:
                self.write(file.read())
    """
    reason = "what `self.write` does is not known, and a thread would do it"
    assert set(refusals("blocking-file-io", code)) == {reason}


def test_a_connection_is_not_opened_apart_from_its_work() -> None:
    code = """
    from sqlalchemy import create_engine, text

    engine = create_engine("postgresql://db/app")


    async def count():
        with engine.connect() as connection:
            return connection.execute(text("SELECT count(*) FROM users")).scalar()
    """
    reason = "only the connection would be opened in a thread, and not what is asked of it"
    assert reason in refusals("blocking-database-call", code)


@pytest.mark.parametrize("opened", ["await launch()", "launch()"])
@pytest.mark.parametrize(
    ("between", "offered"), [("key = path.read_text()", False), ("await asyncio.sleep(0)", True)]
)
def test_no_wait_before_the_try_that_closes(opened: str, between: str, offered: bool) -> None:
    code = f"""
    import asyncio
    from pathlib import Path


    async def start(launch, path: Path):
        browser = {opened}
        {between}
        text = path.read_text()
        try:
            return await browser.page(text)
        except BaseException:
            await browser.close()
            raise
    """
    found = judged("blocking-file-io", code)
    reason = "nothing closes `browser` yet, and who is cancelled here would leave it open"
    assert {one.refusal for one in found} == {None if offered else reason}


@pytest.mark.parametrize(
    ("cleanup", "refused"),
    [
        ("path.write_text('')\n            path.unlink()", True),
        ("if path.suffix:\n                path.write_text('')\n            path.unlink()", True),
        ("path.write_text('')", False),
        ("path.unlink()\n            path.write_text('')", False),
        ("path.write_text('')\n            logger.info('done')", False),
        ("await fetch()\n            path.write_text('')\n            path.unlink()", False),
    ],
)
def test_a_clean_up_that_nothing_interrupts_is_done_to_its_end(cleanup: str, refused: bool) -> None:
    code = f"""
    import asyncio
    import logging
    from pathlib import Path

    logger = logging.getLogger(__name__)


    async def load(path: Path, fetch):
        try:
            await asyncio.sleep(1)
        finally:
            {cleanup}
    """
    [found] = judged("blocking-file-io", code)
    reason = "it cleans up after a cancellation, which could cut it short"
    assert found.refusal == (reason if refused else None)


@pytest.mark.parametrize(("beside", "refused"), [("import fastmcp", True), ("import httpx", False)])
def test_a_clean_up_that_is_cancelled_again_stays(beside: str, refused: bool) -> None:
    code = """
    import asyncio
    import shutil


    async def load(folder):
        try:
            await asyncio.sleep(1)
        finally:
            shutil.rmtree(folder)
    """
    [found] = judged("blocking-file-io", code, server=f"{beside}\n")
    reason = "it cleans up after a cancellation, which could cut it short"
    assert found.refusal == (reason if refused else None)


def test_an_archive_that_an_object_keeps_is_for_one_thread() -> None:
    code = """
    import asyncio
    import zipfile


    class Store:
        def __init__(self, path):
            self.file = zipfile.ZipFile(path, "w")
            self.lock = asyncio.Lock()

        async def add(self, name, data):
            async with self.lock:
                self.file.writestr(name, data)

        async def close(self):
            self.file.close()
    """
    assert "a `ZipFile` is used by one thread at a time" in refusals("blocking-file-io", code)


def test_what_is_only_told_at_the_end_is_not_closed() -> None:
    code = """
    import logging
    import time
    from pathlib import Path


    async def load(path: Path, fetch):
        begun = time.monotonic()
        name = str(path)
        text = path.read_text()
        try:
            return await fetch(text)
        finally:
            logging.info("%s %s", name, time.monotonic() - begun)
    """
    [found] = judged("blocking-file-io", code)
    assert found.refusal is None


WORKER = """
    import asyncio
    import logging
    import sqlite3

    log = logging.getLogger(__name__)


    class Board:
        def mark(self, key: str, how: str) -> None:
            with sqlite3.connect("board.db") as connection:
                connection.execute("update cards set how = ? where key = ?", (how, key))

        def read(self, key: str) -> str:
            with sqlite3.connect("board.db") as connection:
                return str(connection.execute("select how from cards where key = ?", (key,)))


    class Worker:
        def __init__(self, board: Board, queue: asyncio.Queue[str]) -> None:
            self.board = board
            self.queue = queue
            self.busy: set[str] = set()

        async def run(self, key: str, card) -> None:
            done = []
            try:
                await asyncio.sleep(1)
                {call}
                await asyncio.sleep(1)
            except {caught}:
                {answer}
                raise
"""


@pytest.mark.parametrize(
    ("call", "caught", "answer", "with_what"),
    [
        ("self.board.mark(key, 'done')", "asyncio.CancelledError", "self.queue.put_nowait(key)", "key"),
        ("self.board.mark('a', 'done')", "asyncio.CancelledError", "self.board.mark('b', 'left')", "self.board"),
        ("self.board.mark(card.key, 'done')", "BaseException", "card.how = 'left'", "card.key"),
        ("x = self.board.mark(key, 'done')", "(OSError, asyncio.CancelledError)", "self.seen[key] = 1", "key"),
        ("self.board.mark(key, 'done')", "BaseException", "os.unlink(f'/cards/{key}'), os.unlink(key)", "key"),
        ("self.board.mark(key, 'done')", "Exception", "self.board.mark(key, 'failed')", None),
        ("self.board.mark(key, 'done')", "asyncio.CancelledError", "log.info('%s', key)", None),
        ("self.board.mark(key, 'done')", "asyncio.CancelledError", "self.busy.discard(key)", None),
        ("self.board.mark(key, 'done')", "asyncio.CancelledError", "done.append(key)", None),
        ("self.board.mark(key, 'done')", "asyncio.CancelledError", "cancelled = True", None),
        ("self.board.mark(key, 'done')", "asyncio.CancelledError", "card.process.kill()", None),
        ("self.board.mark(key, 'done')", "asyncio.CancelledError", "print(self.board.read(key))", None),
        ("x = self.board.read(key)", "asyncio.CancelledError", "self.queue.put_nowait(key)", None),
    ],
)  # fmt: skip
def test_who_is_cancelled_counts_on_nobody_who_works_on(
    call: str, caught: str, answer: str, with_what: str | None
) -> None:
    code = WORKER.format(call=call, caught=caught, answer=answer)
    found = judged("blocking-database-call", code)
    if with_what is None:
        assert found[0].refusal is None
        assert found[0].fixes
    else:
        refusal = found[0].refusal or ""
        assert refusal.endswith(f"and the thread would still work with `{with_what}`")


def test_who_awaits_what_is_cancelled_counts_on_nobody_who_works_on() -> None:
    code = """
    import asyncio
    import sqlite3


    def mark(key: str) -> None:
        with sqlite3.connect("board.db") as connection:
            connection.execute("update cards set done = 1 where key = ?", (key,))


    async def finish(key: str) -> None:
        mark(key)


    async def run(queue: asyncio.Queue[str]) -> None:
        card = await queue.get()
        try:
            await asyncio.sleep(1)
            await finish(card)
        except asyncio.CancelledError:
            queue.put_nowait(card)
            raise
    """
    reason = (
        "who is cancelled here calls `queue.put_nowait`, and the thread would still work with `key`"
    )
    assert refusals("blocking-database-call", code) == [reason]


def test_ctrl_c_is_answered_in_the_main_thread() -> None:
    code = """
    def agreed():
        try:
            return input("Sure? ") == "y"
        except (KeyboardInterrupt, EOFError):
            return False


    async def drop(table):
        if agreed():
            await table.drop()
    """
    reason = "`agreed` answers Ctrl-C, which only the main thread gets"
    assert refusals("blocking-wait", code) == [reason]


@pytest.mark.parametrize(("name", "said"), [("jobs", Safety.UNSAFE), ("test_jobs", Safety.SAFE)])
def test_a_sleep_in_a_project_that_changes_the_working_directory(name: str, said: Safety) -> None:
    moving = "import os\n\n\ndef enter(folder):\n    os.chdir(folder)\n"
    code = "import time\n\n\nasync def poll():\n    time.sleep(1)\n"
    assert safety("blocking-sleep", code, **{name: moving}) == [said]


PROMPT = """
import asyncio
import contextlib
import shutil
import subprocess
import time


def asked():
    return input("> ")


async def ask(events):
    {inner}


async def session(events):
    while True:
        {middle}
        print(line)


async def main(events):
    {outer}


{start}
"""

ASKS = ("line = input()", "line = asked()", "events.lines.append(input())")
PLAIN = {
    "inner": "return input()",
    "middle": "line = await ask(events)",
    "outer": "await session(events)",
    "start": "asyncio.run(main(None))",
}
ANSWERED = "try:\n{0}    {1}\n{0}except {2}:\n{0}    print('Goodbye!')\n{0}    {3}"
HERE = "Ctrl-C is answered here, which only the main thread gets"


def _prompt(**parts: str) -> str:
    return PROMPT.format(**{**PLAIN, **parts})


@pytest.mark.parametrize("asking", ASKS)
@pytest.mark.parametrize(
    "caught",
    [
        "KeyboardInterrupt",
        "(KeyboardInterrupt, EOFError)",
        "(EOFError, asyncio.CancelledError, KeyboardInterrupt)",
    ],
)
def test_a_prompt_whose_ctrl_c_is_answered_around_it_stays(asking: str, caught: str) -> None:
    inner = ANSWERED.format(" " * 4, asking, caught, "return None")
    assert refusals("blocking-wait", _prompt(inner=inner)) == [HERE]
    inner = f"with contextlib.suppress(KeyboardInterrupt):\n        {asking}"
    assert refusals("blocking-wait", _prompt(inner=inner)) == [HERE]


def test_a_prompt_whose_ctrl_c_a_caller_answers_stays() -> None:
    middle = ANSWERED.format(" " * 8, PLAIN["middle"], "(KeyboardInterrupt, EOFError)", "break")
    reason = "`session` answers Ctrl-C, which only the main thread gets"
    assert refusals("blocking-wait", _prompt(middle=middle)) == [reason]
    outer = ANSWERED.format(" " * 4, PLAIN["outer"], "KeyboardInterrupt", "return None")
    reason = "`main` answers Ctrl-C, which only the main thread gets"
    assert refusals("blocking-wait", _prompt(outer=outer)) == [reason]


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"inner": ANSWERED.format(" " * 4, "line = input()", "EOFError", "return None")},
        # Who runs the loop is told after it, as before.
        {"start": ANSWERED.format("", "asyncio.run(main(None))", "KeyboardInterrupt", "raise")},
        # The answer is to something else.
        {
            "inner": f"line = input()\n    {ANSWERED.format(' ' * 4, 'events.run()', 'KeyboardInterrupt', 'return')}"
        },
        {
            "outer": f"await session(events)\n    {ANSWERED.format(' ' * 4, 'events.run()', 'KeyboardInterrupt', 'return')}"
        },
    ],
)
def test_a_prompt_whose_ctrl_c_nobody_answers_is_handed_over(parts: dict[str, str]) -> None:
    assert "await asyncio.to_thread(input)" in fixed("blocking-wait", _prompt(**parts))


@pytest.mark.parametrize(
    ("rule", "line", "kept"),
    [
        ("blocking-subprocess", "subprocess.run(['make'])", True),
        ("blocking-subprocess", "subprocess.run(['make']); await events.told()", True),
        ("blocking-file-io", "shutil.copytree('a', 'b')", True),
        ("blocking-file-io", "await events.told(); shutil.copytree('a', 'b')", False),
    ],
)
def test_what_a_handler_of_ctrl_c_is_there_for(rule: str, line: str, kept: bool) -> None:
    code = _prompt(inner=ANSWERED.format(" " * 4, line, "KeyboardInterrupt", "return None"))
    if kept:
        assert refusals(rule, code) == [HERE]
    else:
        assert "to_thread" in fixed(rule, code)


def test_a_sleep_whose_ctrl_c_is_answered_is_no_safe_fix() -> None:
    for caught, safe in (("KeyboardInterrupt", Safety.UNSAFE), ("ValueError", Safety.SAFE)):
        inner = ANSWERED.format(" " * 4, "time.sleep(3)", caught, "return None")
        assert safety("blocking-sleep", _prompt(inner=inner)) == [safe]


@pytest.mark.parametrize(
    ("provider", "plain"),
    [("kept_model", False), ("given_on", False), ("own_model", True), ("kept_settings", True)],
)
def test_a_route_stays_on_the_loop_with_what_all_requests_share(provider: str, plain: bool) -> None:
    code = f"""
    import time
    from functools import lru_cache

    from fastapi import Depends, FastAPI

    app = FastAPI()


    @lru_cache
    def kept_model() -> object:
        return object()


    @lru_cache
    def kept_settings() -> object:
        return object()


    def given_on() -> object:
        return kept_model()


    def own_model() -> object:
        return object()


    def answer(question, holder):
        time.sleep(1)
        return question


    @app.get("/ask")
    async def ask(question: str, holder: object = Depends({provider})) -> str:
        return answer(question, holder)
    """
    found = judged("blocking-sleep", code)
    titles = [fix.title for one in found for fix in one.fixes]
    assert any("plain `def`" in title for title in titles) == plain


def test_a_cancellation_that_ends_like_an_interrupt() -> None:
    code = """
    import asyncio


    async def poll(bot):
        while True:
            try:
                await bot.updates()
            except KeyboardInterrupt:
                print("stopped")
            except asyncio.CancelledError:
                print("stopped")
    """
    reason = "it ends like the handler of `KeyboardInterrupt`, which is a cancellation in tasks"
    assert refusals("swallowed-cancellation", code) == [reason]


@pytest.mark.parametrize(
    ("end", "reason"),
    [("break", "the handler in line 12 would take it"), ("raise", None)],
)
def test_a_cancellation_that_another_handler_takes(end: str, reason: str | None) -> None:
    code = f"""
    import asyncio


    async def run(queue):
        while True:
            try:
                try:
                    await queue.get()
                except asyncio.CancelledError:
                    print("stopped")
                    continue
            except asyncio.CancelledError:
                {end}
    """
    if reason is None:
        assert fixed("swallowed-cancellation", code).count("raise\n") == 2
    else:
        assert reason in refusals("swallowed-cancellation", code)


def test_what_is_shielded_is_meant_to_be_cancelled() -> None:
    code = """
    import asyncio


    async def save(store):
        try:
            await asyncio.shield(store.write())
        except BaseException:
            print("not saved")
    """
    reason = "what is awaited is shielded from cancellations, which are meant then"
    assert refusals("swallowed-cancellation", code) == [reason]


TAKEN = "takes a lock, which nobody gives back who is cancelled meanwhile"


@pytest.mark.parametrize(
    "made",
    [
        "os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)\n        open(path).read()",
        'open(f"{path}.lock", "x").write("1")',
        "path.with_suffix('.lock').touch(exist_ok=False)\n        open(path).read()",
        "os.mkdir(f'{path}.lock')\n        open(path).read()",
        "fcntl.flock(self.file, fcntl.LOCK_EX)\n        open(path).read()",
    ],
)
def test_a_lock_that_is_a_file_is_not_taken_in_a_thread(made: str) -> None:
    code = f"""
    import fcntl
    import os


    class Lock:
        def take(self, path):
            {made.replace(chr(10), chr(10) + "    ")}
            self.taken = True


    async def acquire(path, lock: Lock):
        lock.take(path)
    """
    assert refusals("blocking-file-io", code) == [f"`Lock.take` {TAKEN}"]


def test_a_block_or_a_call_that_is_a_lock_stays() -> None:
    code = """
    async def acquire(path):
        with open(path + ".lock", "x") as file:
            file.write("1")
    """
    assert refusals("blocking-file-io", code) == [f"the block {TAKEN}"]


def test_a_lock_that_ends_with_its_block_is_taken_in_a_thread() -> None:
    code = """
    import fcntl


    def save(path, text):
        with open(path, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(text)


    async def run(path, text):
        save(path, text)
    """
    assert "await asyncio.to_thread(save, path, text)" in fixed("blocking-file-io", code)


def test_a_fan_out_of_a_fan_out_into_itself_is_not_bounded_on_each_level() -> None:
    code = """
    import asyncio


    async def visit(node) -> None:
        children = []
        for child in await node.children():
            children.append(visit(child))
        await asyncio.gather(*children)


    async def walk(roots: list) -> None:
        await asyncio.gather(*[visit(root) for root in roots])
    """
    reason = "`visit` fans out into itself, and each level would have a bound"
    assert set(refusals("unbounded-gather", code)) == {reason}


def test_nothing_waits_among_the_arguments_of_gather() -> None:
    code = """
    import asyncio


    def load(name):
        with open(name) as file:
            return file.read()


    async def send(text):
        await asyncio.sleep(1)


    async def run():
        await asyncio.gather(send("a"), send(load("b")))
    """
    reason = "the coroutines beside it are made first, and would wait unstarted"
    assert refusals("blocking-file-io", code) == [reason]


@pytest.mark.parametrize(
    ("handling", "reason"),
    [
        ("yield 'interrupted'", "it yields what is to be said of the cancellation"),
        ("ended = True", "what follows goes by `ended`"),
    ],
)
def test_a_stream_that_tells_of_its_cancellation_goes_on(handling: str, reason: str) -> None:
    code = f"""
    import asyncio


    async def stream(chunks):
        ended = False
        try:
            async for chunk in chunks:
                yield chunk
        except asyncio.CancelledError:
            {handling}
        if ended:
            yield "interrupted"
        await asyncio.sleep(1)
    """
    assert refusals("swallowed-cancellation", code) == [reason]


def test_a_docstring_that_speaks_of_cancellations_says_that_they_are_meant() -> None:
    code = """
    import asyncio


    async def settle(reservation):
        \"\"\"May be called on every cancellation path.\"\"\"
        try:
            await asyncio.sleep(1)
        except (asyncio.CancelledError, Exception):
            pass
        await reservation.work()
    """
    reason = "the docstring speaks of cancellations"
    assert refusals("swallowed-cancellation", code) == [reason]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("self.total += load()", "what other tasks do to `self.total` in the meantime would be lost"),
        ("self.jobs[load()] += load()", "what other tasks do to `self.jobs[load()]` in the meantime"),
        ("for _ in self.jobs.items(): load()", "could change `self.jobs` while it is gone through"),
        ("for _ in enumerate(JOBS): load()", "could change `JOBS` while it is gone through"),
        ("return [load() for _ in self.jobs]", "could change `self.jobs` while it is gone through"),
        ("total = 0; total += load()", None),
        ("for _ in list(self.jobs): load()", None),
        ("for _ in self.names: load()", None),
        ("for _ in self.jobs: load(); await other()", None),
        ("return [one for one in self.jobs if one == 1] + [load()]", None),
    ],
)  # fmt: skip
def test_other_tasks_run_at_an_await(lines: str, reason: str | None) -> None:
    code = f"""
import time

from other import other

JOBS = {{}}


def load():
    time.sleep(1)
    return 1


class Worker:
    def add(self, key):
        self.jobs[key] = 0
        JOBS[key] = 0

    async def work(self):
        {lines}
"""
    if reason is None:
        assert "await asyncio.to_thread(load)" in fixed("blocking-sleep", code)
    else:
        assert reason in refusals("blocking-sleep", code)[-1]
        direct = code.replace(lines, lines.replace("load()", "time.sleep(1)"))
        assert reason.replace("load()", "time.sleep(1)") in refusals("blocking-sleep", direct)[-1]


@pytest.mark.parametrize(
    ("fan_out", "reason"),
    [
        ("await asyncio.wait_for(asyncio.gather(*[ask(u) for u in urls]), 5)", "share a deadline"),
        ("async with asyncio.timeout(5): await asyncio.gather(*[ask(u) for u in urls])", "share a"),
        (
            "await asyncio.gather(*[ask(u) for u in urls]) if not slowly else None",
            None,
        ),
        ("tasks = [asyncio.create_task(ask(u)) for u in urls]; await asyncio.wait(tasks, timeout=5)", "share a"),
        ("if not slowly.max_concurrency: await asyncio.gather(*[ask(u) for u in urls])", "asked already"),
    ],
)  # fmt: skip
def test_fan_outs_that_have_their_own_limit(fan_out: str, reason: str | None) -> None:
    code = f"""
import asyncio


async def ask(url):
    await asyncio.open_connection(url, 443)


async def work(urls, slowly):
    {fan_out}
"""
    if reason is None:
        assert "Semaphore(10)" in fixed("unbounded-gather", code)
    else:
        assert reason in refusals("unbounded-gather", code)[0]


def test_what_waits_for_a_lock_is_not_awaited_where_that_is_held() -> None:
    code = """
    import asyncio


    class Database:
        def __init__(self):
            self._lock = asyncio.Lock()

        async def _save(self):
            async with self._lock:
                await asyncio.sleep(1)

        async def _count(self):
            await self._save()

        async def insert(self):
            async with self._lock:
                self._count()
    """
    reason = "`Database._save` waits for `self._lock`, which is held here"
    assert refusals("unawaited-coroutine", code) == [reason]
    text = fixed(
        "unawaited-coroutine",
        code.replace("async with self._lock:\n                self", "if 1:\n                self"),
    )
    assert "await self._count()" in text


@pytest.mark.parametrize(
    ("code", "later"),
    [
        ("from discord.ext import commands\n\n\nasync def leave(bot: commands.Bot):\n    bot.remove_cog('a')\n",
         "async def setup(bot):\n    pass\n"),
        ("from telegram import Bot\n\n\nasync def send(bot: Bot):\n    bot.send_message(1, 'a')\n",
         "from telegram.ext import ApplicationBuilder\n"),
        ("import aioredis\n\n\nasync def leave(redis: aioredis.Redis):\n    redis.close()\n",
         "import aioredis\n\naioredis.from_url('redis://')\n"),
    ],
)  # fmt: skip
def test_methods_that_earlier_releases_have_as_plain_ones(code: str, later: str) -> None:
    found = judged("unawaited-coroutine", code)
    assert not found
    found = judged("unawaited-coroutine", code, later=later)
    assert found[0].fixes[0].safety is Safety.SAFE


JOBS = """
import json


class Jobs:
    def __init__(self):
        self.jobs = {}
        self.names = []
        self.seen = set()

    def add(self, name, job):
        self.jobs[name] = job
        self.names.append(name)

    def __SAVE__


async def later(jobs: Jobs, name: str):
    jobs.save(name)
"""


@pytest.mark.parametrize(
    ("save", "named"),
    [
        ("def save(self, path):\n        with open(path, 'w') as f:\n            json.dump(self.jobs, f)", "self.jobs"),
        ("def save(self, path):\n        with open(path, 'w') as f:\n            for name, job in self.jobs.items():\n                f.write(name)", "self.jobs"),
        ("def save(self, path):\n        with open(path, 'w') as f:\n            f.write(self.text())\n\n    def text(self):\n        return ''.join(n for n in self.jobs)", "self.jobs"),
        ("def save(self, path):\n        with open(path, 'w') as f:\n            json.dump(self.names, f)", ""),
        ("def save(self, path):\n        with open(path, 'w') as f:\n            json.dump(list(self.seen), f)", ""),
        ("def save(self, path):\n        with open(path, 'w') as f:\n            json.dump(dict(self.jobs), f)", ""),
    ],
)  # fmt: skip
def test_a_thread_does_not_go_through_what_the_loop_changes(save: str, named: str) -> None:
    code = JOBS.replace("def __SAVE__", save)
    if not named:
        assert "await asyncio.to_thread(jobs.save" in fixed("blocking-file-io", code)
        return
    reason = f"the event loop could change `{named}` while a thread goes through it"
    assert refusals("blocking-file-io", code) == [reason]


def test_an_object_of_the_coroutine_s_own_is_not_changed_by_others() -> None:
    save = "def save(self, path):\n        with open(path, 'w') as f:\n            json.dump(self.jobs, f)"
    code = JOBS.replace("def __SAVE__", save).replace(
        "jobs: Jobs, name: str):", "name: str):\n    jobs = Jobs()"
    )
    assert "await asyncio.to_thread(jobs.save" in fixed("blocking-file-io", code)


def test_a_block_is_not_moved_to_a_thread_with_what_the_loop_changes() -> None:
    code = """
    import json

    STATE = {}


    class Scheduler:
        def __init__(self):
            self.workers = {}

        def add(self, name):
            self.workers[name] = 1

        def identity(self):
            return {n: w for n, w in self.workers.items()}

        async def start(self, path):
            with open(path, "w") as f:
                json.dump(self.identity(), f)


    def put(name):
        STATE[name] = 1


    async def save(path):
        with open(path, "w") as f:
            json.dump(STATE, f)
    """
    assert refusals("blocking-file-io", code) == [
        f"the event loop could change `{name}` while a thread goes through it"
        for name in ("self.workers", "STATE")
    ]


def test_a_block_that_uses_a_thread_s_own_object_stays() -> None:
    code = """
    from sqlalchemy.orm import Session


    async def export(session: Session, path):
        with open(path, "w") as f:
            for row in session.execute("select 1"):
                f.write(str(row))
    """
    reason = "a `Session` is used by one thread at a time"
    assert reason in refusals("blocking-file-io", code)


KEEPS = """
import asyncio

_sent: set[asyncio.Task[None]] = set()


async def send(name) -> None:
    await asyncio.sleep(1)


async def first(name) -> None:
    task = asyncio.create_task(send(name))
    _sent.add(task)
    task.add_done_callback(_sent.discard)


async def second(name) -> None:
    asyncio.create_task(send(name))
"""


def test_the_module_s_own_set_keeps_the_task() -> None:
    text = fixed("lost-task", KEEPS)
    assert text.count("_sent.add(task)") == 2
    assert "background_tasks" not in text


@pytest.mark.parametrize(
    "more", ["async def stop():\n    await asyncio.gather(*_sent)\n", "print(len(_sent))\n"]
)
def test_a_set_with_another_purpose_is_left_alone(more: str) -> None:
    assert "background_tasks.add(task)" in fixed("lost-task", f"{KEEPS}\n\n{more}")


POLLS = """
import asyncio
import contextlib


class Poller:
    async def run(self):
        while True:
            try:
                await asyncio.sleep(1)
                print("poll")
            except asyncio.CancelledError:
                break
        await asyncio.sleep(0)

    async def start(self):
        self.task = asyncio.create_task(self.run())
        self.tasks = [self.task]

    async def stop(self):
"""


@pytest.mark.parametrize(
    "stop",
    [
        "self.task.cancel()\n        await self.task",
        "if self.task:\n            self.task.cancel()\n            await asyncio.wait_for(self.task, 1)",
        "for one in self.tasks:\n            one.cancel()\n        await asyncio.gather(*self.tasks)",
        "try:\n            self.task.cancel()\n            await self.task\n        except ValueError:\n            pass",
    ],
)
def test_whoever_waits_for_what_it_cancelled_would_be_told(stop: str) -> None:
    reason = "`stop` waits for a task that it has cancelled, and would be told so"
    assert refusals("swallowed-cancellation", f"{POLLS}        {stop}\n") == [reason]


@pytest.mark.parametrize(
    "stop",
    [
        "self.task.cancel()",
        "self.task.cancel()\n        await asyncio.gather(self.task, return_exceptions=True)",
        "self.task.cancel()\n        with contextlib.suppress(asyncio.CancelledError):\n            await self.task",
        "self.task.cancel()\n        try:\n            await self.task\n        except asyncio.CancelledError:\n            pass",
        "self.task.cancel()\n        await asyncio.wait(self.tasks)",
    ],
)
def test_whoever_expects_the_cancellation_is_told(stop: str) -> None:
    assert "                raise\n" in fixed("swallowed-cancellation", f"{POLLS}        {stop}\n")


def test_what_there_is_until_a_cancellation_is_returned() -> None:
    code = """
    import asyncio


    async def collect(source):
        found = []
        while True:
            try:
                found.append(await source.read())
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                return found


    async def run(source):
        await collect(source)
        await asyncio.sleep(1)
    """
    reason = "it returns `found`, what there is until then"
    assert refusals("swallowed-cancellation", code) == [reason]


def test_what_counts_its_own_time_has_no_bound() -> None:
    code = """
    import asyncio
    import time


    async def result(task, timeout=None):
        until = time.monotonic() + timeout
        while not await task.done():
            if time.monotonic() > until:
                raise TimeoutError


    async def results(tasks: list, timeout):
        return await asyncio.gather(*[result(task, timeout) for task in tasks])
    """
    assert refusals("unbounded-gather", code) == ["`result` counts its time from when it starts"]


@pytest.mark.parametrize(
    "waits",
    ["await events[name].wait()", "await asyncio.gather(*(events[n].wait() for n in name.needs))",
     "await gate.wait()", "await queue.get()", "await queue.put(name)", "await first(name, events)"],
)  # fmt: skip
def test_those_that_wait_for_each_other_have_no_bound(waits: str) -> None:
    code = f"""
    import asyncio

    gate = asyncio.Event()
    queue = asyncio.Queue()


    async def first(name, events):
        await events[name].wait()


    async def run(name, events):
        {waits}
        await asyncio.sleep(1)
        print(name)


    async def run_all(names: list, events):
        await asyncio.gather(*[run(name, events) for name in names])
    """
    reason = "`run` waits for what another one may have to do first"
    assert refusals("unbounded-gather", code) == [reason]


def test_a_race_has_no_bound() -> None:
    code = """
    import asyncio


    async def fetch(url):
        await asyncio.sleep(1)


    async def fastest(urls: list):
        tasks = [asyncio.create_task(fetch(url)) for url in urls]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return done
    """
    reason = "the first one that is done is waited for: they may run against each other"
    assert refusals("unbounded-gather", code) == [reason]


@pytest.mark.parametrize(
    "change",
    [
        "os.chdir(path)",
        "os.umask(0)",
        "sys.stdout = path",
        "os.environ['A'] = path\n        del os.environ['A']",
    ],
)
def test_what_changes_the_process_for_a_time_stays_on_the_loop(change: str) -> None:
    code = f"""
    import os
    import subprocess
    import sys


    def build(path):
        {change}
        subprocess.run(["make"])


    async def run(path):
        build(path)


    async def itself(path):
        {change}
        subprocess.run(["make"])
    """
    assert refusals("blocking-subprocess", code) == [
        f"`{name}` changes for a time what the whole process sees" for name in ("build", "itself")
    ]


def test_what_is_set_for_good_may_be_set_in_a_thread() -> None:
    code = """
    import os
    import subprocess


    def build(path):
        os.environ["A"] = "1"
        subprocess.run(["make"])


    async def run(path):
        build(path)
    """
    assert "await asyncio.to_thread(build, path)" in fixed("blocking-subprocess", code)
