"""Steps that a new wait must not take apart, and what threads must not change."""

from __future__ import annotations

import pytest
from fixing import dedented
from one_module import checked, fixed, judged, refusals

from asynclint.findings import Safety

MEANWHILE = "which others may read or change meanwhile"
TWICE = "which two at once would both do"
BETWEEN = "and others would see what is between"


def service(body: str, helper: str = "pass") -> str:
    indented = "\n".join(f"            {line}" for line in body.split("\n"))
    helped = "\n".join(f"            {line}" for line in helper.split("\n"))
    return f"""
    import asyncio
    from pathlib import Path

    SEEN = {{}}
    COUNT = 0


    class Store:
        def __init__(self):
            self.rows = []
            self.size = 0
            self.lock = asyncio.Lock()

        def _helper(self, name):
{helped}

        async def load(self, name):
{indented}
    """


WHOLE = [
    # What a helper has set before is read behind the wait.
    (
        "self._helper(name)\nrows = Path(name).read_text()\nreturn self.size, rows",
        "self.size = len(name)",
        f"`self.size` is set before and after it, {BETWEEN}",
    ),
    # Read before, and set by a helper behind it.
    (
        "size = self.size\nrows = Path(name).read_text()\nself._helper(rows)\nreturn size",
        "self.size = len(name)",
        f"`self.size` is asked before and set afterwards, {TWICE}",
    ),
    (
        "self.size = self.size + len(Path(name).read_text())",
        "pass",
        f"`self.size` is asked before and set afterwards, {TWICE}",
    ),
    (
        "for one in name:\n    rows = Path(one).read_text()\n    self.size = self.size + len(rows)",
        "pass",
        f"`self.size` is set before and after it, {BETWEEN}",
    ),
    (
        "self.rows.append(name)\nrows = Path(name).read_text()\nself.rows.remove(name)",
        "pass",
        f"`self.rows` is set before and after it, {BETWEEN}",
    ),
    (
        "if name in SEEN:\n    return\nrows = Path(name).read_text()\nSEEN.update({name: rows})",
        "pass",
        f"`SEEN` is asked before and set afterwards, {TWICE}",
    ),
    (
        "known = self.rows\nif name in known:\n    return\nrows = Path(name).read_text()\nknown.append(rows)",
        "pass",
        f"`known` is asked before and set afterwards, {TWICE}",
    ),
    (
        "try:\n    size = self.size\n    rows = Path(name).read_text()\nfinally:\n    self.size = 0",
        "pass",
        f"`self.size` is asked before and set afterwards, {TWICE}",
    ),
]


@pytest.mark.parametrize(("body", "helper", "reason"), WHOLE)
def test_a_step_stays_whole(body: str, helper: str, reason: str) -> None:
    assert refusals("blocking-file-io", service(body, helper)) == [reason]


ANSWERED = """
    import asyncio
    from pathlib import Path

    TAKEN = set()


    def is_free(name):
        return name not in TAKEN


    class Ports:
        def __init__(self):
            self.used = set()
            self.names = []

        def _is_used(self, port):
            return self._knows(port)

        def _knows(self, port):
            return port in self.used

        def _refuse(self, port):
            if port in self.used:
                raise ValueError(port)

        def _note(self, port):
            print(self.used)

        def _mark(self, port):
            self.used.add(port)

        def _name(self, port):
            self.names.append(port)

        async def load(self, port):
            {body}
"""


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            "if self._is_used(port):\n                return\n            Path(port).read_text()\n            self._mark(port)",
            f"`self.used` is asked before and set afterwards, {TWICE}",
        ),
        (
            "free = not self._is_used(port)\n            Path(port).read_text()\n            if free:\n                self.used.add(port)",
            f"`self.used` is asked before and set afterwards, {TWICE}",
        ),
        (
            "self._refuse(port)\n            Path(port).read_text()\n            self._mark(port)",
            f"`self.used` is asked before and set afterwards, {TWICE}",
        ),
        (
            "if is_free(port):\n                Path(port).read_text()\n                TAKEN.add(port)",
            f"`TAKEN` is asked before and set afterwards, {TWICE}",
        ),
        # It gives no answer.
        (
            "self._note(port)\n            Path(port).read_text()\n            self._mark(port)",
            None,
        ),
        # It is about something else.
        (
            "if self._is_used(port):\n                return\n            Path(port).read_text()\n            self._name(port)",
            None,
        ),
        # Another wait is between them today.
        (
            "if self._is_used(port):\n                return\n            Path(port).read_text()\n            await asyncio.sleep(1)\n            self._mark(port)",
            None,
        ),
    ],
)
def test_what_a_helper_answers_is_asked(body: str, reason: str | None) -> None:
    code = ANSWERED.format(body=body)
    if reason is None:
        assert "await asyncio.to_thread(Path(port).read_text)" in fixed("blocking-file-io", code)
    else:
        assert refusals("blocking-file-io", code) == [reason]


@pytest.mark.parametrize(
    ("body", "helper"),
    [
        # A wait is between them today.
        ("size = self.size\nawait asyncio.sleep(0)\nrows = Path(name).read_text()\nself.size = 1", "pass"),
        ("size = self.size\nrows = Path(name).read_text()\nawait asyncio.sleep(0)\nself.size = 1", "pass"),
        # The coroutine leaves before.
        ("if self.size:\n    return Path(name).read_text()\nself.rows.append(name)", "pass"),
        # What it makes itself.
        ("rows = []\nrows.append(name)\ntext = Path(name).read_text()\nrows.append(text)\nreturn rows", "pass"),
        # Under a lock of the event loop's.
        ("async with self.lock:\n    self.size = self.size + len(Path(name).read_text())", "pass"),
        # The helper sets something else.
        ("self._helper(name)\nrows = Path(name).read_text()\nreturn self.size, rows", "self.rows.append(name)"),
        # `os.remove` changes no container.
        ("path = os.path.join(name)\ntext = Path(name).read_text()\nos.remove(path)\nreturn text", "pass"),
    ],
)  # fmt: skip
def test_what_may_be_taken_apart(body: str, helper: str) -> None:
    code = service(body, helper).replace("import asyncio", "import asyncio\n    import os")
    assert "await asyncio.to_thread(Path(name).read_text)" in fixed("blocking-file-io", code)


HANDED = """
    import asyncio
    import threading
    from pathlib import Path

    KNOWN = {{}}
    LAST = None


    class Reader:
        def __init__(self, path):
            self.path = path
            self.last = None
            self.seen = []
            self.guard = threading.Lock()

        def read(self, name):
            text = Path(name).read_text()
            {change}
            return text


    def remember(reader, name, text):
        global LAST
        {deep}


    class Service:
        def __init__(self):
            self.reader = Reader("x")

        async def load(self, name):
            {made}
"""


@pytest.mark.parametrize(
    ("change", "deep", "made", "reason"),
    [
        ("if self.last != name:\n                self.last = text", "pass", "return self.reader.read(name)", f"`Reader.read` changes `self.last`, {MEANWHILE}"),
        ("self.last, self.path = text, name", "pass", "return self.reader.read(name)", f"`Reader.read` changes `self.last`, {MEANWHILE}"),
        ("self.seen.append(name)", "pass", "return self.reader.read(name)", f"`Reader.read` changes `self.seen`, {MEANWHILE}"),
        ("KNOWN[name] = text", "pass", "return self.reader.read(name)", f"`Reader.read` changes `KNOWN[…]`, {MEANWHILE}"),
        ("KNOWN[name] = text", "pass", "return Reader(name).read(name)", f"`Reader.read` changes `KNOWN[…]`, {MEANWHILE}"),
        ("remember(self, name, text)", "LAST = name", "return Reader(name).read(name)", f"`remember` changes `LAST`, {MEANWHILE}"),
        ("remember(self, name, text)", "reader.last = reader.seen = text", "return self.reader.read(name)", f"`remember` changes `reader.last`, {MEANWHILE}"),
        ("found = self.seen\n            found.append(name)", "pass", "return self.reader.read(name)", f"`Reader.read` changes `found`, {MEANWHILE}"),
        # One attribute, set at once.
        ("self.last = text", "pass", "return self.reader.read(name)", None),
        # Its own object, and what is changed under a lock.
        ("self.last = text", "pass", "return Reader(name).read(name)", None),
        ("remember(self, name, text)", "reader.last = text", "return Reader(name).read(name)", None),
        ("with self.guard:\n                self.seen.append(text)", "pass", "return self.reader.read(name)", None),
        ("found = list(self.seen)\n            found.append(name)", "pass", "return self.reader.read(name)", None),
    ],
)  # fmt: skip
def test_what_a_thread_changes_must_be_its_own(
    change: str, deep: str, made: str, reason: str | None
) -> None:
    code = HANDED.format(change=change, deep=deep, made=made)
    if reason is None:
        call = made.removeprefix("return ").removesuffix("(name)")
        assert f"await asyncio.to_thread({call}, name)" in fixed("blocking-file-io", code)
    else:
        assert refusals("blocking-file-io", code) == [reason]


def test_a_route_stays_on_the_loop_where_it_changes_what_others_see() -> None:
    code = """
    from pathlib import Path

    from fastapi import FastAPI

    app = FastAPI()
    LAST = {}


    @app.get("/")
    async def route(name: str):
        text = Path(name).read_text()
        LAST[name] = text
        return text
    """
    assert "async def route" in fixed("blocking-file-io", code)


def test_a_twin_takes_no_step_apart() -> None:
    code = """
    from anthropic import Anthropic


    class Chat:
        def __init__(self):
            self._client = Anthropic()
            self._turns = 0

        async def ask(self, text):
            turn = self._turns
            answer = self._client.messages.create(model="m", max_tokens=1, messages=[])
            self._turns = turn + 1
            return answer
    """
    [reason] = refusals("blocking-sdk-call", code)
    assert "`self._turns` is asked before and set afterwards" in reason


def test_a_client_may_be_closed_and_forgotten() -> None:
    code = """
    from anthropic import Anthropic


    class Chat:
        def __init__(self):
            self._client = Anthropic()

        async def ask(self, text):
            return self._client.messages.create(model="m", max_tokens=1, messages=[])

        async def close(self):
            if self._client is not None:
                self._client.close()
                self._client = None
    """
    assert "await self._client.close()" in fixed("blocking-sdk-call", code)


@pytest.mark.parametrize(
    ("method", "lost"),
    [
        ("def start(self):\n            self._reader = threading.Thread(target=print)", True),
        (
            "async def restart(self):\n            self._reader = other = threading.Thread(target=print)",
            True,
        ),
        ("def forget(self):\n            self._reader = None", False),
        ("def start(self):\n            self._other = threading.Thread(target=print)", False),
    ],
)
def test_what_is_closed_and_forgotten_may_be_another_one_meanwhile(method: str, lost: bool) -> None:
    """`start`, called while the old thread is waited for, puts a new one where None is put then."""
    code = f"""
    import threading


    class Channel:
        def __init__(self):
            self._reader = threading.Thread(target=print)

        {method}

        async def stop(self):
            if self._reader is not None:
                self._reader.join(timeout=5)
                self._reader = None
    """
    if lost:
        [reason] = refusals("blocking-wait", code)
        assert "`self._reader` is asked before and set afterwards" in reason
    else:
        assert "await asyncio.to_thread(self._reader.join, timeout=5)" in fixed(
            "blocking-wait", code
        )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            "self.bucket.put_object(Key=name)\nself.bucket.delete_objects(Delete={})",
            ["called twice in one step", "called twice in one step"],
        ),
        (
            "self.bucket.put_object(Key=name)\nawait asyncio.sleep(0)\nself.bucket.delete_objects(Delete={})",
            [None, None],
        ),
        ("found = self.bucket.put_object(Key=name)\nreturn found", [None]),
        (
            "found = self.bucket.put_object(Key=name)\nother = self.bucket.put_object(Key=found)\nreturn other",
            [None, None],
        ),
    ],
)
def test_what_is_told_one_object_twice_stays_together(body: str, reason: list[str | None]) -> None:
    code = f"""
    import asyncio
    import boto3


    class Store:
        def __init__(self):
            self.bucket = boto3.resource("s3").Bucket("b")

        async def load(self, name):
{chr(10).join("            " + line for line in body.split(chr(10)))}
    """
    found = judged("blocking-sdk-call", code)
    assert len(found) == len(reason)
    for one, expected in zip(found, reason, strict=True):
        assert (one.refusal is None) == (expected is None), one.refusal
        assert expected is None or expected in (one.refusal or "")


def test_an_if_that_may_wait_nowhere_belongs_to_the_step() -> None:
    body = (
        "if self.rows:\n    await asyncio.sleep(0)\ntext = Path(name).read_text()\nself.rows = text"
    )
    assert refusals("blocking-file-io", service(body)) == [
        f"`self.rows` is asked before and set afterwards, {TWICE}"
    ]
    left = body.replace("await asyncio.sleep(0)", "return\nelse:\n    await asyncio.sleep(0)")
    assert "to_thread" in fixed(
        "blocking-file-io", service(left).replace("self.rows = text", "self.size = text")
    )


def test_what_a_with_binds_is_set() -> None:
    body = "if self.rows:\n    return\ntext = Path(name).read_text()\nwith open(text) as self.rows:\n    pass"
    found = judged("blocking-file-io", service(body))
    assert f"`self.rows` is asked before and set afterwards, {TWICE}" in [f.refusal for f in found]


def test_what_a_function_around_was_given_is_everybodys() -> None:
    code = """
    import subprocess

    from fastapi import APIRouter


    class Terminal:
        def __init__(self):
            self.last = None

        def run(self, command):
            if self.last != command:
                self.last = command
            return subprocess.run(command)


    def router(terminal: Terminal):
        routes = APIRouter()

        @routes.post("/run")
        async def run(command: str):
            return terminal.run(command)

        return routes
    """
    assert refusals("blocking-subprocess", code) == [
        f"`Terminal.run` changes `self.last`, {MEANWHILE}"
    ]


@pytest.mark.parametrize(
    ("rule", "line", "reason"),
    [
        ("blocking-file-io", "json.dump(rows, Path(path).open('w'))", "a file is opened among its arguments, and nothing closes it in time"),
        ("blocking-file-io", "if not Path(path).exists():\n            Path(path).write_text('x')", "`path` is looked for and then written, which two at once would both do"),
        ("blocking-wait", "return getpass.getpass()", "it hides what is typed, and a thread would go on hiding it"),
    ],
)  # fmt: skip
def test_what_no_thread_does(rule: str, line: str, reason: str) -> None:
    code = f"""
    import getpass
    import json
    from pathlib import Path


    async def keep(path: str, rows: list[str]):
        {line}
    """
    assert refusals(rule, code) == [reason]


@pytest.mark.parametrize("mode", ["w", "rb"])
def test_no_file_stands_half_written(mode: str) -> None:
    code = f"""
    import shutil
    from pathlib import Path


    async def keep(made, path: Path):
        with made.open("{mode}") as file:
            text = shutil.copyfile(path, "x")
            await made.take(file, text)
    """
    found = judged("blocking-file-io", code)
    [copied] = [one for one in found if one.span.line == 7]
    reason = "others would meet the file half written" if mode == "w" else None
    assert copied.refusal == reason


def test_connections_of_one_thread() -> None:
    code = """
    from sqlalchemy import create_engine, text

    engine = create_engine("sqlite:///a.db", connect_args={"check_same_thread": SAME})


    def rows():
        with engine.connect() as connection:
            return connection.execute(text("select 1")).all()


    async def get():
        return rows()
    """
    assert refusals("blocking-database-call", code.replace("SAME", "True")) == [
        "the project's SQLite connections belong to the thread that opens them"
    ]
    assert "to_thread(rows)" in fixed("blocking-database-call", code.replace("SAME", "False"))


def test_sessions_of_each_thread() -> None:
    code = """
    from sqlalchemy import create_engine, select, text
    from sqlalchemy.orm import scoped_session, sessionmaker

    engine = create_engine("postgresql://")
    session = scoped_session(sessionmaker(engine))


    def rows():
        with engine.connect() as connection:
            return connection.execute(text("select 1")).all()


    async def get():
        return rows()
    """
    assert refusals("blocking-database-call", code) == [
        "the project keeps a session for each thread, and nothing would close that"
    ]


def test_no_thread_in_a_child_or_a_repository() -> None:
    code = """
    import os
    import subprocess

    import git


    async def start():
        child = os.fork()
        if child == 0:
            subprocess.run(["sh"])


    async def commit(text: str):
        repository = git.Repo(".")
        repository.index.commit(text)
    """
    assert refusals("blocking-subprocess", code) == [
        "the process may be a child here, which has none of its parent's threads"
    ]
    assert refusals("blocking-file-io", code) == [
        "it works in a git repository, whose index takes one writer at a time"
    ]


def test_no_thread_as_the_process_ends() -> None:
    code = """
    import asyncio
    import atexit
    from pathlib import Path


    async def clean():
        Path("x").write_text("")


    atexit.register(lambda: asyncio.run(clean()))
    """
    assert refusals("blocking-file-io", code) == [
        "the module does work as the process ends, when no thread can be started"
    ]


def test_a_sleep_that_takes_a_step_apart_is_no_safe_fix() -> None:
    code = """
    import time


    class Limit:
        def __init__(self):
            self.last = 0.0

        async def wait(self):
            if time.monotonic() - self.last < 1:
                time.sleep(1)
            self.last = time.monotonic()
    """
    [found] = judged("blocking-sleep", code)
    assert [fix.safety for fix in found.fixes] == [Safety.UNSAFE]
    assert "await asyncio.sleep(1)" in fixed("blocking-sleep", code)


def reasons(rule: str, code: str) -> list[str | None]:
    """Why each finding has no fix, in their order; None for one that has."""
    found = judged(rule, code)
    assert all(bool(one.fixes) != bool(one.refusal) for one in found)
    return [one.refusal for one in found]


def test_what_a_coroutine_does_at_its_end_begins_the_step() -> None:
    code = """
    import asyncio
    import time


    def load(name):
        time.sleep(3)
        return name


    async def unload(request):
        request.app.state.model = None
        request.app.state.call = None


    class Routes:
        async def update(self, request):
            await asyncio.sleep(0)
            await unload(request)
            request.app.state.model = load("a")
            request.app.state.call = len

        async def later(self, request):
            await unload(request)
            await asyncio.sleep(0)
            request.app.state.model = load("a")
    """
    reason = f"`request.app.state.call` is set before and after it, {BETWEEN}"
    assert reasons("blocking-sleep", code) == [reason, None]


def test_a_mapping_whose_values_are_known_is_changed_by_its_methods() -> None:
    code = """
    import asyncio
    import os


    class State:
        def __init__(self) -> None:
            self.seen = 0
            self.dirty = False


    class Scanner:
        def __init__(self) -> None:
            self.states: dict[str, State] = {}

        def _state(self, key: str) -> State:
            return self.states.setdefault(key, State())

        def update(self, key: str, root: str) -> bool:
            state = self._state(key)
            state.seen = 1
            for _ in os.walk(root):
                state.dirty = True
            return state.dirty


    scanner = Scanner()


    async def scan() -> None:
        await asyncio.sleep(1)
        print(scanner.update("a", "b"))
    """
    assert reasons("blocking-file-io", code) == [
        f"`Scanner._state` changes `self.states`, {MEANWHILE}"
    ]


HALF = "others would meet the directory as it is between two steps"
TAKEN = "`path` is looked for and then read, and others may take it away in between"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("shutil.rmtree(folder)", None),
        ("if folder.exists():\n    shutil.rmtree(folder)\nawait asyncio.sleep(1)\nfolder.mkdir()", None),
        ("shutil.rmtree(folder)\nfolder.mkdir()", HALF),
        ("for one in folder.iterdir():\n    shutil.rmtree(one)", HALF),
        ("folder.mkdir()\nshutil.copytree('a', folder)", HALF),
        ("folder.mkdir()\nawait asyncio.sleep(1)\nshutil.copytree('a', folder)", None),
        ("async with self.lock:\n    folder.mkdir()\n    shutil.copytree('a', folder)", None),
        ("folder = Path(tempfile.mkdtemp())\nshutil.copytree('a', folder)\nos.remove('b')", None),
        (
            "shutil.rmtree(folder)\nself.names.pop(folder)",
            "`self.names` is changed as soon as the directory is done, and others would meet the one without the other",
        ),
        ("self._renew(folder)", "`Store._renew` changes a directory in several steps, and others would meet it in between"),
    ],
)  # fmt: skip
def test_a_directory_is_met_whole(body: str, reason: str | None) -> None:
    indented = "\n".join(f"            {line}" for line in body.split("\n"))
    code = f"""
    import asyncio
    import os
    import shutil
    import tempfile
    from pathlib import Path


    class Store:
        def __init__(self):
            self.names = {{}}
            self.lock = asyncio.Lock()

        def _renew(self, folder):
            shutil.rmtree(folder)
            folder.mkdir()

        async def work(self, folder: Path):
{indented}
    """
    assert reasons("blocking-file-io", code) == [reason]


@pytest.mark.parametrize(("taken", "reason"), [("path.unlink()", TAKEN), ("path.touch()", None)])
def test_a_file_that_others_take_away_is_read_in_the_step_that_looks_for_it(
    taken: str, reason: str | None
) -> None:
    code = f"""
    import asyncio
    import json
    from pathlib import Path


    async def look(path: Path):
        if not path.exists():
            return None
        return path.read_text()


    async def open_it(path: Path):
        if not path.exists():
            return None
        with path.open() as file:
            return json.load(file)


    async def look_later(path: Path):
        if not path.exists():
            return None
        await asyncio.sleep(1)
        return path.read_text()


    def forget(path: Path) -> None:
        {taken}
    """
    assert reasons("blocking-file-io", code) == [reason, reason, None]


def test_what_is_entered_is_not_what_is_made() -> None:
    code = """
    import time


    class Cache:
        def __enter__(self):
            time.sleep(1)

        def __exit__(self, *error):
            pass


    class Slow(Cache):
        def __init__(self):
            time.sleep(2)


    async def work():
        with Slow():
            pass
    """
    assert sorted(reasons("blocking-sleep", code), key=str) == [
        None,
        "entering or leaving it is what blocks",
    ]


def test_a_database_of_the_process_is_opened_once() -> None:
    code = """
    from functools import lru_cache

    import chromadb
    from fastapi import FastAPI

    app = FastAPI()


    @lru_cache
    def client():
        return chromadb.PersistentClient("data")


    def names():
        return client().list_collections()


    @app.get("/names")
    async def all_names():
        return names()
    """
    [reason] = reasons("blocking-sdk-call", code)
    assert reason is not None
    assert "`client` opens a database at its first call" in reason


@pytest.mark.parametrize(
    ("behind", "reason"),
    [
        (
            "return SKILLS.get(name)",
            "`load` changes `SKILLS`, which is read behind it, and others would change it in between",
        ),
        ("await asyncio.sleep(0)\n        return SKILLS.get(name)", None),
        ("return name", None),
    ],
)
def test_what_is_filled_under_a_lock_is_read_in_the_same_step(
    behind: str, reason: str | None
) -> None:
    code = f"""
    import asyncio
    import threading
    from pathlib import Path

    SKILLS: dict[str, str] = {{}}
    skills_lock = threading.Lock()


    def load(folder):
        with skills_lock:
            SKILLS.clear()
            for one in folder.iterdir():
                SKILLS[one.name] = one.read_text()


    async def use(folder: Path, name: str):
        load(folder)
        {behind}
    """
    assert reasons("blocking-file-io", code) == [reason]


TRIO = """
try:
    import trio
except ImportError:
    trio = None
"""


@pytest.mark.parametrize(
    ("imported", "beside", "wanted"),
    [
        ("asyncio", "", "await asyncio.to_thread(path.read_text)"),
        ("asyncio", TRIO, None),
        ("asyncio, anyio", "", "await asyncio.to_thread(path.read_text)"),
        ("asyncio, anyio", TRIO, "await anyio.to_thread.run_sync(path.read_text)"),
    ],
)
@pytest.mark.parametrize("name", ["loops", "test_loops"])
def test_a_project_for_two_loops(imported: str, beside: str, wanted: str | None, name: str) -> None:
    code = f"""
    import {imported}
    from pathlib import Path


    async def load(path: Path):
        return path.read_text()
    """
    if wanted is None:
        assert "runs on trio, too" in refusals("blocking-file-io", code, **{name: beside})[0]
    else:
        assert wanted in fixed("blocking-file-io", code, **{name: beside})


def test_of_loops_that_are_used_alike_the_first_by_name_is_taken() -> None:
    code = """
    from pathlib import Path


    async def load(path: Path):
        return path.read_text()
    """
    for beside in ("import trio\nimport anyio\n", "import anyio\nimport trio\n"):
        text = fixed("blocking-file-io", code, loops=beside)
        assert "await anyio.to_thread.run_sync(path.read_text)" in text


STORE = """
    import threading
    from pathlib import Path

    SKILLS: dict[str, str] = {}
    skills_lock = threading.Lock()


    def load(folder: Path):
        with skills_lock:
            SKILLS.clear()
            for one in folder.iterdir():
                SKILLS[one.name] = one.read_text()
"""


@pytest.mark.parametrize(
    ("imported", "behind", "told"),
    [
        ("from store import SKILLS, load", "return SKILLS.get(name)", "SKILLS"),
        ("from store import SKILLS as known, load", "return known.get(name)", "SKILLS"),
        ("import store\n        from store import load", "return store.SKILLS.get(name)", "SKILLS"),
        ("from package import SKILLS, load", "return SKILLS.get(name)", "SKILLS"),
        ("from store import SKILLS, load", "await asyncio.sleep(0)\n        return SKILLS.get(name)", None),
        ("from store import load\n        from other import SKILLS", "return SKILLS.get(name)", None),
        ("from store import load, skills_lock", "return skills_lock", None),
    ],
)  # fmt: skip
def test_what_is_imported_in_the_function_is_shared(
    imported: str, behind: str, told: str | None
) -> None:
    code = f"""
    import asyncio


    async def use(folder, name: str):
        {imported}

        load(folder)
        {behind}
    """
    others = {
        "store.py": dedented(STORE),
        "package/__init__.py": "from store import SKILLS, load\n",
        "other.py": "SKILLS = {}\n",
    }
    found, _ = checked("blocking-file-io", {"app.py": dedented(code), **others})
    expected = (
        f"`load` changes `{told}`, which is read behind it, and others would change it in between"
    )
    assert [one.refusal for one in found] == [expected if told else None]


def test_what_is_imported_in_the_function_is_asked_and_set() -> None:
    code = """
    from pathlib import Path


    async def use(name: str):
        from store import SKILLS

        if name not in SKILLS:
            SKILLS[name] = Path(name).read_text()
        return SKILLS[name]
    """
    assert refusals("blocking-file-io", code, store="SKILLS = {}\n") == [
        f"`SKILLS` is asked before and set afterwards, {TWICE}"
    ]


def callers(body: str, helper: str, more: str = "") -> str:
    """A coroutine `use` that awaits another one, `_load`, which reads a file."""
    return f"""
    import asyncio
    from pathlib import Path

    SEEN = {{}}


    class Store:
        def __init__(self):
            self.rows = None
            self.size = 0
            self.path = Path("x")
            self.lock = asyncio.Lock()

        def _count(self):
            self.size = self.size + 1

        async def use(self, name):
            {_indented(body)}

        async def _load(self, name):
            {_indented(helper)}
{more}
    """


def _indented(text: str) -> str:
    return text.replace("\n", "\n            ")


def once(what: str, caller: str = "Store.use") -> str:
    return f"`{what}` is asked before and set afterwards in one step of `{caller}`, {TWICE}"


READ = "text = Path(name).read_text()"


@pytest.mark.parametrize(
    ("body", "helper", "reason"),
    [
        # Asked by the caller, set by the coroutine.
        ("if self.rows is None:\n    await self._load(name)\nreturn self.rows", f"{READ}\nself.rows = text", once("self.rows")),
        ("if name in SEEN:\n    return\nawait self._load(name)", f"{READ}\nSEEN[name] = text", once("SEEN")),
        # Asked and set by the caller.
        ("if name in SEEN:\n    return\nSEEN[name] = await self._load(name)", f"{READ}\nreturn text", once("SEEN")),
        # Read by the coroutine, set by the caller.
        ("await self._load(name)\nself.size = 2", f"size = self.size\n{READ}\nreturn size, text", once("self.size")),
        # The coroutine waits before, or behind; or the caller does.
        ("if self.rows is None:\n    await self._load(name)\nreturn self.rows", f"await asyncio.sleep(0)\n{READ}\nself.rows = text", None),
        ("await self._load(name)\nself.size = 2", f"size = self.size\n{READ}\nawait asyncio.sleep(size)\nreturn text", None),
        ("if self.rows is None:\n    await asyncio.sleep(0)\n    await self._load(name)\nreturn self.rows", f"{READ}\nself.rows = text", None),
        ("await self._load(name)\nawait asyncio.sleep(0)\nself.size = 2", f"size = self.size\n{READ}\nreturn size, text", None),
        # A lock around all of it.
        ("async with self.lock:\n    if self.rows is None:\n        await self._load(name)", f"{READ}\nself.rows = text", None),
        # A task of its own.
        ("if self.rows is None:\n    await asyncio.create_task(self._load(name))", f"{READ}\nself.rows = text", None),
        # Another object's.
        ("other = Store()\nif self.rows is None:\n    await other._load(name)", f"{READ}\nself.rows = text", None),
        # Left in the midst of something that waits as it is left; a function that is only defined returns nothing.
        ("await self._load(name)\nself.size = 2", f"async with name:\n    size = self.size\n    {READ}\n    return size, text", None),
        ("await self._load(name)\nself.size = 2", f"size = self.size\n{READ}\ndef shown():\n    return size\nawait name(shown)", None),
        ("await self._load(name)\nself.size = 2", f"size = self.size\n{READ}\nif text:\n    return size\nawait name", once("self.size")),
        # What helpers set on both sides, and nobody asks for here, is theirs.
        ("await self._load(name)\nself._count()", f"self._count()\n{READ}\nreturn text", None),
        # Parts of one container; and what stands around the caller's own `await`, which others are to see.
        ("SEEN['a'] = name\nawait self._load(name)", f"{READ}\nSEEN['b'] = text", None),
        ("self.size = 1\nawait self._load(name)\nself.size = 2", f"{READ}\nreturn text", None),
        ("self.rows = None\nawait self._load(name)", f"{READ}\nself.rows = text", f"`self.rows` is set before and after it in one step of `Store.use`, {BETWEEN}"),
        # Emptied by the caller, and filled by the coroutine.
        ("SEEN.clear()\nawait self._load(name)", f"{READ}\nSEEN[name] = text", f"`SEEN` is set before and after it in one step of `Store.use`, {BETWEEN}"),
        ("self.rows = {}\nawait self._load(name)", f"{READ}\nself.rows[name] = text", f"`self.rows` is set before and after it in one step of `Store.use`, {BETWEEN}"),
        ("SEEN.clear()\nawait asyncio.sleep(0)\nawait self._load(name)", f"{READ}\nSEEN[name] = text", None),
        ("self.rows = name\nawait self._load(name)\nreturn self.rows", f"{READ}\nreturn text", None),
        ("self.rows.append(name)\nawait self._load(name)", f"{READ}\nself.rows = self.rows or [text]", None),
        ("await self._load(name)\nreturn self.rows", f"self.rows = name\n{READ}\nreturn text", f"`self.rows` is set before and after it in one step of `Store.use`, {BETWEEN}"),
        # Who returns does nothing behind it.
        ("if name:\n    return await self._load(name)\nself.size = 2", f"size = self.size\n{READ}\nreturn size, text", None),
    ],
)  # fmt: skip
def test_a_step_reaches_into_the_callers(body: str, helper: str, reason: str | None) -> None:
    assert reasons("blocking-file-io", callers(body, helper)) == [reason]


LOCKED = """
    import asyncio
    from pathlib import Path

    import anyio


    class Store:
        def __init__(self):
            self.rows = {{}}
            self.lock = asyncio.Lock()
            self.slots = asyncio.Semaphore(2)
            self.slow = anyio.Lock()

        async def _shrink(self):
            while len(self.rows) > 8:
                await self._drop()

        async def _drop(self):
            await asyncio.sleep(0)

        async def use(self, name):
            {body}

        async def start(self, name):
            {caller}
"""

BEFORE = "`self.rows` is asked before the lock is taken and set under it, which two at once would both do"
TEST = "if name in self.rows:\n    return"


def _under(lock: str, *lines: str) -> str:
    return "\n".join((f"async with {lock}:", *(f"    {one}" for one in lines)))


READS = "text = Path(name).read_text()", "self.rows[name] = text"


@pytest.mark.parametrize(
    ("body", "caller", "reason"),
    [
        (f"{TEST}\n{_under('self.lock', *READS)}", "pass", BEFORE),
        (f"old = self.rows.get(name)\nif old:\n    await self.use('')\n    return\n{_under('self.lock', *READS)}", "pass", BEFORE),
        (f"{TEST}\n{_under('self.slots', *READS)}", "pass", f"`self.rows` is asked before and set afterwards, {TWICE}"),
        # What is awaited under the lock waits only now and then, or always.
        (f"{TEST}\n{_under('self.lock', 'await self._shrink()', *READS)}", "pass", BEFORE),
        (f"{TEST}\n{_under('self.lock', 'await self._drop()', *READS)}", "pass", None),
        # A free lock of anyio's suspends, too, and so does one that is far away.
        (f"{TEST}\n{_under('self.slow', *READS)}", "pass", None),
        (f"{TEST}\n{_under('name.lock(1)', *READS)}", "pass", None),
        # Asked again under the lock, before or behind.
        (f"{TEST}\n{_under('self.lock', 'if name in self.rows:', '    return', *READS)}", "pass", None),
        (f"{TEST}\n{_under('self.lock', READS[0], 'if name not in self.rows:', '    ' + READS[1])}", "pass", None),
        # Asked under the lock only, and set by nobody.
        (_under("self.lock", "if name in self.rows:", "    return", *READS), "pass", None),
        (f"{TEST}\n{_under('self.lock', READS[0], 'return text')}", "pass", None),
        # Asked by the caller.
        (_under("self.lock", *READS), "if name not in self.rows:\n    await self.use(name)", "`self.rows` is asked in `Store.start` and set under the lock, which two at once would both do"),
        (_under("self.lock", "if name in self.rows:", "    return", *READS), "if name not in self.rows:\n    await self.use(name)", None),
        (_under("self.lock", *READS), "async with self.lock:\n    if name not in self.rows:\n        await self.use(name)", None),
    ],
)  # fmt: skip
def test_what_is_asked_before_a_free_lock_is_taken(
    body: str, caller: str, reason: str | None
) -> None:
    code = LOCKED.format(body=_indented(body), caller=_indented(caller))
    assert reasons("blocking-file-io", code) == [reason]


def test_a_step_reaches_through_several_callers() -> None:
    more = """
        async def start(self, name):
            if self.rows is None:
                await self.use(name)
"""
    code = callers("return await self._load(name)", f"{READ}\nself.rows = text", more)
    assert reasons("blocking-file-io", code) == [once("self.rows", "Store.start")]


def test_names_are_those_of_the_callers() -> None:
    code = """
    from pathlib import Path

    from store import LAST


    class Job:
        def __init__(self):
            self.text = None


    class Reader:
        def __init__(self):
            self.text = None

        async def read(self):
            self.text = Path("x").read_text()


    async def fill(job: Job):
        job.text = Path("x").read_text()


    async def keep(name: str):
        from store import LAST as last

        last[name] = Path(name).read_text()


    class Service:
        def __init__(self):
            self.reader = Reader()
            self.job = Job()
            self.text = None

        async def one(self):
            if self.reader.text is None:
                await self.reader.read()

        async def two(self):
            if self.job.text is None:
                await fill(self.job)

        async def three(self, name: str):
            if name not in LAST:
                await keep(name)
    """
    assert refusals("blocking-file-io", code, store="LAST = {}\n") == [
        once("self.text", "Service.one"),
        once("job.text", "Service.two"),
        once("LAST", "Service.three"),
    ]
    other = code.replace("self.reader.text is", "self.text is").replace(
        "self.job.text is", "self.text is"
    )
    other = other.replace("not in LAST", "not in self.text")
    assert "await asyncio.to_thread" in fixed("blocking-file-io", other, store="LAST = {}\n")


def test_the_object_of_super_and_of_a_closure_is_the_same() -> None:
    code = """
    from pathlib import Path


    class Base:
        def __init__(self):
            self.text = None
            self.size = 0

        async def load(self):
            self.text = Path("x").read_text()


    class Store(Base):
        async def load(self):
            if self.text is None:
                await super().load()

        async def grow(self):
            async def read():
                text = Path("y").read_text()
                self.size = len(text)

            if not self.size:
                await read()
    """
    assert reasons("blocking-file-io", code) == [
        once("self.text", "Store.load"),
        once("self.size", "Store.grow"),
    ]


@pytest.mark.parametrize(
    ("before", "behind", "reason"),
    [
        ("register(name)", "return SKILLS[name]", f"`SKILLS` is set before and after it, {BETWEEN}"),
        ("known = SKILLS.get(name)", "register(name)\n        return known", f"`SKILLS` is asked before and set afterwards, {TWICE}"),
        ("register(name)", "register(name)", None),
        ("register(name)", "return name", None),
    ],
)  # fmt: skip
def test_what_helpers_of_another_module_fill(before: str, behind: str, reason: str | None) -> None:
    code = f"""
    from pathlib import Path

    from store import SKILLS, register


    async def use(name: str):
        {before}
        text = Path(name).read_text()
        {behind}
    """
    store = "SKILLS = {}\n\n\ndef register(name):\n    SKILLS[name] = name\n"
    found = judged("blocking-file-io", code, store=store)
    assert [one.refusal for one in found] == [reason]


PULLED = f"`{{}}` changes the directory in the same step, and {HALF}"


def test_a_directory_is_met_whole_by_the_callers_of_others() -> None:
    code = """
    import asyncio
    import shutil
    from pathlib import Path


    class Block:
        async def pull(self, folder: Path):
            shutil.copytree("a", folder, dirs_exist_ok=True)

        async def pull_later(self, folder: Path):
            await asyncio.sleep(0)
            shutil.copytree("a", folder, dirs_exist_ok=True)


    class Adapter:
        def __init__(self, block: Block):
            self.block = block
            self.folder = Path("b")

        async def renew(self):
            for one in self.folder.iterdir():
                one.unlink()
            await self.block.pull(self.folder)

        async def renew_later(self):
            for one in self.folder.iterdir():
                one.unlink()
            await self.block.pull_later(self.folder)
    """
    assert reasons("blocking-file-io", code) == [PULLED.format("Adapter.renew"), None]


def test_who_awaits_a_twin_for_both_worlds_awaits_its_coroutine() -> None:
    code = """
    import asyncio
    import functools
    import shutil
    from pathlib import Path


    def dispatch(twin):
        def decorate(function):
            @functools.wraps(function)
            def either(*args, **kwargs):
                try:
                    asyncio.get_running_loop()
                except RuntimeError:
                    return function(*args, **kwargs)
                return twin(*args, **kwargs)

            return either

        return decorate


    class Source:
        async def pull(self, folder: Path): ...


    class Block(Source):
        async def apull(self, folder: Path):
            shutil.copytree("a", folder, dirs_exist_ok=True)

        @dispatch(apull)
        def pull(self, folder: Path):
            print(folder)


    async def renew(block: Source, folder: Path):
        for one in folder.iterdir():
            one.unlink()
        await block.pull(folder)
    """
    assert reasons("blocking-file-io", code) == [PULLED.format("renew")]


def test_what_is_filled_is_read_in_the_callers_step() -> None:
    code = """
    import asyncio

    from store import SKILLS, load


    async def refresh(folder):
        load(folder)


    async def use(folder, name: str):
        await refresh(folder)
        return SKILLS.get(name)
    """
    later = code.replace("return SKILLS", "await asyncio.sleep(0)\n        return SKILLS")
    for text, reason in (
        (
            code,
            "`load` changes `SKILLS`, which `use` reads behind it, and others would change it in between",
        ),
        (later, None),
    ):
        found = judged("blocking-file-io", text, store=STORE)
        assert [one.refusal for one in found] == [reason]


@pytest.mark.parametrize(
    ("body", "helper", "reason"),
    [
        (
            "if not self.path.exists():\n    return None\nreturn await self._load(name)",
            "return self.path.read_text()",
            "`self.path` is looked for and then read in one step of `Store.use`, and others may take it away in between",
        ),
        (
            "text = await self._load(name)\nself.path.write_text(text)",
            "return self.path.read_text()",
            "`self.path` is read and written back in one step of `Store.use`, and what others write in the meantime would be lost",
        ),
        (
            "text = await self._load(name)\nawait asyncio.sleep(0)\nself.path.write_text(text)",
            "return self.path.read_text()",
            "`Store.use` writes such files in place, and this would meet one half written",
        ),
        (
            "text = await self._load(name)\nawait asyncio.sleep(0)\nnew = Path(name)\nnew.write_text(text)\nnew.replace(self.path)",
            "return self.path.read_text()",
            None,
        ),
    ],
)  # fmt: skip
def test_a_file_is_read_and_written_back_by_callers(
    body: str, helper: str, reason: str | None
) -> None:
    more = "        def forget(self):\n            self.path.unlink()\n"
    found = reasons("blocking-file-io", callers(body, helper, more))
    assert found[-1] == reason or reason in found


@pytest.mark.parametrize(
    ("imported", "awaited", "refused"),
    [
        ("import functools", "await fn(name)", True),
        ("import functools", "await coroutine", True),
        ("import functools", "await other(name)", False),
        # What a framework hands over: `await call_next(request)`.
        ("import functools", "await coroutine(name)", False),
        ("import asyncio", "await fn(name)", False),
    ],
)
def test_who_drives_what_a_decorator_wraps_is_unknown(
    imported: str, awaited: str, refused: bool
) -> None:
    code = f"""
    {imported}
    from pathlib import Path


    async def other(name):
        return name


    def recorded(fn):
        async def wrapper(name, coroutine):
            result = {awaited}
            Path(name).write_text(result)
            return result

        return wrapper
    """
    if refused:
        [reason] = refusals("blocking-file-io", code)
        assert "imports no event loop" in reason
    else:
        assert "await asyncio.to_thread(Path(name).write_text, result)" in fixed(
            "blocking-file-io", code
        )


@pytest.mark.parametrize(
    ("before", "read"),
    [
        ("self.prepare(prompt)", True),
        ("self.body = {'text': prompt}", True),
        ("if prompt:\n            self.body = {}\n            await asyncio.sleep(0)\n        self.prepare(prompt)", True),
        ("self.prepare(prompt)\n        if prompt:\n            await asyncio.sleep(0)", True),
        ("self.prepare(prompt)\n        await asyncio.sleep(0)", False),
        ("self.asked += 1", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("call", ["self.send()", "self.send_again()"])
def test_what_the_thread_reads_is_not_set_by_another_task_meanwhile(
    call: str, before: str, read: bool
) -> None:
    """Two tasks of one object would both send what the second one has set."""
    code = f"""
import asyncio

import requests


class Model:
    def __init__(self, url):
        self.url = url
        self.body = {{}}
        self.asked = 0

    def prepare(self, prompt):
        self.body = {{"text": prompt}}

    def send(self):
        return requests.post(self.url, json=self.body)

    def send_again(self):
        return self.send()

    async def ask(self, prompt):
        {before}
        return {call}
"""
    if read:
        [reason] = refusals("blocking-http-call", code)
        assert "`self.body` is set before it and read in the thread" in reason
    else:
        assert "await asyncio.to_thread(self.send" in fixed("blocking-http-call", code)


def test_what_is_handed_over_is_read_before_the_thread_runs() -> None:
    code = """
import requests


class Model:
    def __init__(self, url):
        self.url = url
        self.body = {}

    async def ask(self, prompt):
        self.body = {"text": prompt}
        return requests.post(self.url, json=self.body)
"""
    assert "await asyncio.to_thread(requests.post, self.url, json=self.body)" in fixed(
        "blocking-http-call", code
    )


def test_what_a_helper_sets_in_a_part_of_what_it_is_given() -> None:
    code = """
from pathlib import Path


def show(page, text):
    page.parts["main"].text.value = text


async def load(page, path: Path):
    with path.open() as file:
        text = file.read()
    show(page, text)


async def start(app, path: Path):
    await load(app.page, path)
    show(app.page, "")
    print(app.page.parts)
"""
    assert "await asyncio.to_thread(read_file)" in fixed("blocking-file-io", code)
