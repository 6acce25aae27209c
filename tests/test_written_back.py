"""What belongs to one thread: files that are read and written back, open files, what a subclass keeps."""

from __future__ import annotations

import pytest
from one_module import fixed, judged, refusals


@pytest.mark.parametrize(
    ("lock", "reason"),
    [
        ("if True", "`NAMES` is read and written back"),
        ("with LOCK", None),
    ],
)
def test_a_file_that_is_written_back_is_no_work_for_two_threads(
    lock: str, reason: str | None
) -> None:
    code = f"""
    import asyncio
    import json
    import threading

    NAMES = "names.json"
    LOCK = threading.Lock()


    def add(name):
        {lock}:
            with open(NAMES) as file:
                names = json.load(file)
            names.append(name)
            with open(NAMES, "w") as file:
                json.dump(names, file)


    async def command(name):
        add(name)
    """
    if reason is None:
        assert "await asyncio.to_thread(add, name)" in fixed("blocking-file-io", code)
    else:
        assert reason in refusals("blocking-file-io", code)[0]


def test_a_store_that_is_loaded_and_saved_is_no_work_for_two_threads() -> None:
    code = """
    import json
    from pathlib import Path


    class Store:
        def __init__(self, path: Path) -> None:
            self.path = path

        def load(self):
            path = self.path / "names.json"
            return json.loads(path.read_text())

        def save(self, names):
            target = self.path / "names.json"
            new = target.with_suffix(".new")
            new.write_text(json.dumps(names))
            new.replace(target)

        def add(self, name):
            self.save([*self.load(), name])


    async def add(store: Store, name: str):
        store.add(name)


    async def names(store: Store):
        return store.load()
    """
    found = judged("blocking-file-io", code)
    added, read = found
    assert "what `Store.load` reads is read and written back" in (added.refusal or "")
    assert read.fixes


def test_a_coroutine_writes_back_what_it_read_without_a_wait() -> None:
    code = """
    import asyncio
    import json


    async def add(path, name):
        with open(path) as file:
            names = json.load(file)
        names.append(name)
        with open(path, "w") as file:
            json.dump(names, file)
    """
    reason = "`path` is read and written back, and what others write in the meantime would be lost"
    assert refusals("blocking-file-io", code) == [reason, reason]
    waits = code.replace("names.append(name)", "await asyncio.sleep(1)")
    assert "to_thread(read_file)" in fixed("blocking-file-io", waits)


def test_a_name_that_is_read_where_the_block_fails() -> None:
    code = """
    import asyncio
    import os
    import tempfile


    async def upload(text):
        path = None
        try:
            with tempfile.NamedTemporaryFile("w", delete=False) as file:
                path = file.name
                file.write(text)
            await asyncio.sleep(1)
        finally:
            if path:
                os.unlink(path)
    """
    assert "`path` is read where the block fails, too" in refusals("blocking-file-io", code)[0]


@pytest.mark.parametrize(
    ("line", "shared"),
    [
        ("self.file.write(text)", True),
        ("self.file.flush()", True),
        ("self.file.read()", False),
        ("sys.stdout.write(text)", False),
    ],
)
def test_an_open_file_is_no_work_for_two_threads(line: str, shared: bool) -> None:
    code = f"""
    import asyncio
    import sys


    class Output:
        def __init__(self, path):
            self.file = open(path, "a+")

        async def handle(self, text):
            {line}
            await asyncio.sleep(1)
    """
    if shared:
        assert "is used by one thread at a time" in refusals("blocking-file-io", code)[0]
    elif "read" in line:
        assert "asyncio.to_thread(self.file.read" in fixed("blocking-file-io", code)


def test_a_comment_that_says_where_code_runs() -> None:
    code = """
    import shutil


    async def first(stale):
        # Done here, on the event loop, so that a cancel has something to end.
        if stale is not None:
            shutil.rmtree(stale)
    """
    assert refusals("blocking-file-io", code) == [
        "a comment says that it is done on the event loop"
    ]
    text = fixed("blocking-file-io", code.replace("on the event loop", "first of all"))
    assert "await asyncio.to_thread(shutil.rmtree, stale)" in text


@pytest.mark.parametrize("base", ["@abstractmethod", "# Does nothing."])
def test_what_a_subclass_keeps_belongs_to_a_thread(base: str) -> None:
    code = f"""
    import sqlite3
    from abc import ABC, abstractmethod


    class Database(ABC):
        {base}
        def add(self, name): ...


    class Sqlite(Database):
        def __init__(self, path):
            self.connection = sqlite3.connect(path)

        def add(self, name):
            cursor = self.connection.cursor()
            cursor.execute("insert into names values (?)", (name,))
            self.connection.commit()


    async def add(database: Database, name):
        database.add(name)
    """
    reason = "`Sqlite.add` uses a `Connection` that belongs to another thread"
    assert refusals("blocking-database-call", code) == [reason]


def test_a_file_that_is_taken_away_after_it_was_read_is_no_work_for_two_threads() -> None:
    code = """
    import json
    import time
    from pathlib import Path


    class Locks:
        def __init__(self, folder: Path) -> None:
            self.folder = folder

        def _info(self, key):
            with open(self.folder / key) as file:
                return json.load(file)

        def is_locked(self, key):
            info = self._info(key)
            if info["until"] < time.time():
                (self.folder / key).unlink()
                return False
            return True

        def size(self, key):
            return len(self._info(key))


    async def wait(locks: Locks, key: str):
        return locks.is_locked(key)


    async def size(locks: Locks, key: str):
        return locks.size(key)
    """
    found = judged("blocking-file-io", code)
    locked, size = found
    assert "what `Locks._info` reads decides what is taken away" in (locked.refusal or "")
    assert size.fixes


def test_a_file_that_a_helper_writes_back() -> None:
    code = """
    import asyncio
    import json


    class Leases:
        def write_json(self, path, data):
            with open(path + ".new", "w") as file:
                json.dump(data, file)

        async def renew(self, path, until):
            with open(path) as file:
                lease = json.load(file)
            lease["until"] = until
            self.write_json(path, lease)
    """
    reason = "`path` is read and written back, and what others write in the meantime would be lost"
    assert refusals("blocking-file-io", code) == [reason, reason]
    waits = code.replace('lease["until"] = until', "await asyncio.sleep(1)")
    assert fixed("blocking-file-io", waits).count("await asyncio.to_thread") == 2


@pytest.mark.parametrize(
    ("path", "mode", "refused"),
    [
        ("self.path", "w", "`self.path`"),
        ("STATE", "w", "`STATE`"),
        ("str(STATE)", "wb", "`STATE`"),
        ("self.path", "a", None),
        ("path", "w", None),
        ("str(path) + '.json'", "w", None),
    ],
)
def test_a_file_of_one_name_that_is_written_in_place(
    path: str, mode: str, refused: str | None
) -> None:
    code = f"""
    import json
    from pathlib import Path

    STATE = Path("state.json")


    class State:
        def __init__(self, path: Path) -> None:
            self.path = path

        def keep(self, values, path):
            with open({path}, "{mode}") as file:
                json.dump(values, file)

        async def update(self, values, path):
            self.keep(values, path)

        async def write(self, values, path):
            with open({path}, "{mode}") as file:
                file.write(values)
    """
    found = judged("blocking-file-io", code)
    reason = f"{refused} is written in place, and two threads would mix what they write"
    assert [one.refusal for one in found] == ([reason, reason] if refused else [None, None])


def test_code_of_others_that_is_imported() -> None:
    code = """
    import asyncio
    import importlib
    import json


    def load(name, path):
        with open(path) as file:
            json.load(file)
        return importlib.import_module(name)


    async def plugin(name, path):
        return load(name, path)
    """
    [reason] = refusals("blocking-file-io", code)
    assert reason == "`load` imports code by name, which may count on the event loop's thread"
    assert "to_thread(load" in fixed(
        "blocking-file-io", code.replace("importlib.import_module", "str")
    )


@pytest.mark.parametrize("start", ["asyncio.create_task({})", "await {}"])
def test_calls_that_are_started_in_their_order(start: str) -> None:
    created = start.format('layer.create("a", {})')
    updated = start.format('layer.update("a", {})')
    code = f"""
    import asyncio

    import boto3


    class Layer:
        def __init__(self) -> None:
            self.table = boto3.client("dynamodb")

        async def create(self, key, item):
            self.table.put_item(TableName="t", Item=item)

        async def update(self, key, item):
            self.table.update_item(TableName="t", Key=item)


    async def handle(layer: Layer):
        task = {created}
        other = {updated}
        print(task, other)
    """
    if start.startswith("await"):
        assert fixed("blocking-sdk-call", code).count("to_thread") == 2
    else:
        assert refusals("blocking-sdk-call", code) == [
            "`Layer.create` is started as a task beside `Layer.update`: without a wait, they run in their order",
            "`Layer.update` is started as a task beside `Layer.create`: without a wait, they run in their order",
        ]


def test_what_is_read_and_taken_away_in_one_step() -> None:
    code = """
    import asyncio

    import boto3

    store = boto3.client("s3")


    async def log_in(code):
        flow = store.get_object(Bucket="b", Key=code)
        if flow is None:
            return None
        store.delete_object(Bucket="b", Key=code)
        return flow


    async def forget(code):
        store.delete_object(Bucket="b", Key=code)
    """
    taken = "`store` gives `'b', code` once: it is read and taken away without a wait in between"
    found = judged("blocking-sdk-call", code)
    assert [one.refusal for one in found[:2]] == [taken, taken]
    assert found[2].fixes


@pytest.mark.parametrize(
    ("emptied", "reason"),
    [
        ("self.workers = {}", "empties `self.workers`, which others read meanwhile"),
        ("self.workers.clear()", "empties `self.workers`, which others read meanwhile"),
        ("self.found = {}", "changes `self.found`, which others may read or change meanwhile"),
    ],
)
def test_what_is_emptied_and_filled_again(emptied: str, reason: str) -> None:
    code = f"""
    import requests


    class Controller:
        def __init__(self):
            self.workers = {{}}
            self.found = {{}}

        def refresh(self, names):
            {emptied}
            for name in names:
                self.workers[name] = requests.get(name).json()

        async def worker(self, name):
            return self.workers[name]


    async def refresh(controller: Controller, names: list[str]):
        controller.refresh(names)
    """
    assert refusals("blocking-http-call", code) == [f"`Controller.refresh` {reason}"]


def test_what_a_thread_changes_for_the_whole_process() -> None:
    code = """
    import sys
    import threading


    def work():
        before = sys.getrecursionlimit()
        sys.setrecursionlimit(50)
        print(before)
        sys.setrecursionlimit(before)


    def run(code):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()


    async def tool(code: str):
        run(code)
    """
    assert refusals("blocking-wait", code) == [
        "`work` changes for a time what the whole process sees"
    ]


def test_a_repository_takes_one_writer() -> None:
    code = """
    import git


    def record(path, text):
        repository = git.Repo(path)
        repository.index.add([text])
        repository.archive(open(text, "wb"))


    def fetched(address, path):
        return git.Repo.clone_from(address, path)


    async def note(path: str, text: str):
        record(path, text)


    async def get(address: str, path: str):
        return fetched(address, path)
    """
    found = judged("blocking-subprocess", code)
    assert [one.refusal for one in found] == [
        "`record` works in a git repository, whose index takes one writer at a time",
        None,
    ]


def test_a_parser_of_the_whole_module() -> None:
    code = """
    from pathlib import Path

    from ruamel.yaml import YAML

    yaml = YAML()


    def meta(path: Path):
        return yaml.load(path.read_text())


    async def upload(path: Path):
        return meta(path)
    """
    assert refusals("blocking-file-io", code) == [
        "`meta` uses `yaml`, a parser for one thread at a time"
    ]
    own = code.replace("    return yaml.load", "    yaml = YAML()\n        return yaml.load")
    assert "to_thread(meta, path)" in fixed("blocking-file-io", own)


def test_attributes_that_belong_together() -> None:
    code = """
    import json


    class Index:
        def __init__(self, path: str) -> None:
            self.path = path
            self.rows = None
            self.names = None

        def reload(self):
            with open(self.path) as file:
                found = json.load(file)
            self.rows = found["rows"]
            self.names = found["names"]

        def alone(self):
            with open(self.path) as file:
                self.rows = json.load(file)

        async def query(self, at):
            return self.rows[at], self.names[at]


    async def update(index: Index):
        index.reload()


    async def fill(index: Index):
        index.alone()
    """
    found = judged("blocking-file-io", code)
    whole, part = found
    assert whole.refusal == (
        "`Index.reload` sets `self.rows` and `self.names` one after the other, which `Index.query` reads together"
    )
    assert part.fixes


@pytest.mark.parametrize("call", ["torch.cuda.set_device(index)", "torch.set_grad_enabled(False)"])
def test_what_is_set_for_a_thread(call: str) -> None:
    code = f"""
    import torch


    def load(path, index):
        {call}
        with open(path) as file:
            return file.read()


    async def start(path, index):
        return load(path, index)
    """
    name = call.partition("(")[0].rpartition(".")[2]
    assert refusals("blocking-file-io", code) == [
        f"`load` sets something for its thread with `{name}`"
    ]


def test_threads_that_are_counted() -> None:
    code = """
    import asyncio
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path


    async def test_busy(path: Path):
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        return path.read_text()
    """
    assert refusals("blocking-file-io", code) == [
        "the module gives the loop threads of its own, which may all be taken"
    ]


def test_a_route_that_goes_through_what_others_change_stays_a_coroutine() -> None:
    code = """
    import requests
    from fastapi import FastAPI

    app = FastAPI()


    class Controller:
        def __init__(self):
            self.workers = {}

        def status(self):
            return [requests.get(name).json() for name in self.workers]

        async def register(self, name):
            self.workers[name] = 1


    controller = Controller()


    @app.get("/status")
    async def status():
        return controller.status()
    """
    [reason] = refusals("blocking-http-call", code)
    assert reason == "the event loop could change `self.workers` while a thread goes through it"


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ("await asyncio.sleep(delay)", True),
        ("for _ in range(3):\n                await asyncio.sleep(delay)", False),
        ("await asyncio.sleep(1)", False),
    ],
)
def test_those_that_wait_as_they_are_told_get_no_bound(body: str, refused: bool) -> None:
    code = f"""
    import asyncio


    async def stop(name, delay):
        {body.replace(chr(10) + "                ", chr(10) + "            ")}
        await asyncio.open_connection(name, 443)


    async def stop_all(names: list[str], delay: float):
        await asyncio.gather(*[stop(name, delay) for name in names])
    """
    if refused:
        reason = "`stop` waits for a time that it is told, and the others would wait with it"
        assert refusals("unbounded-gather", code) == [reason]
    else:
        assert "bounded(stop, name, delay)" in fixed("unbounded-gather", code)


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [
        ("if self.rows is not None:\n                return", "self.rows = rows", "self.rows"),
        ("if name in self.known:\n                return", "self.known[name] = rows", "self.known"),
        ("found = self.known.get(name)\n            if found:\n                return", "self.known[name] = rows", "self.known"),
        ("if name in SEEN:\n                return", "SEEN.add(name)", "SEEN"),
        ("if self.rows is not None:\n                return\n            await asyncio.sleep(0)", "self.rows = rows", None),
        ("if name in self.known:\n                return", "self.rows = rows", None),
        ("if name in self.known:\n                return", "known = {}\n            known[name] = rows", None),
    ],
)  # fmt: skip
def test_what_is_asked_before_and_set_afterwards(
    before: str, after: str, refused: str | None
) -> None:
    code = f"""
    import asyncio
    from pathlib import Path

    SEEN = set()


    class Store:
        def __init__(self):
            self.rows = None
            self.known = {{}}

        async def load(self, name):
            {before}
            rows = Path(name).read_text()
            {after}
    """
    if refused is None:
        assert "asyncio.to_thread(Path(name).read_text)" in fixed("blocking-file-io", code)
        return
    reason = f"`{refused}` is asked before and set afterwards, which two at once would both do"
    assert refusals("blocking-file-io", code) == [reason]


def test_what_a_lock_keeps_from_others_may_be_asked_and_set() -> None:
    code = """
    import asyncio
    from pathlib import Path


    class Store:
        def __init__(self):
            self.rows = None
            self.lock = asyncio.Lock()

        async def load(self, name):
            async with self.lock:
                if self.rows is None:
                    self.rows = Path(name).read_text()
    """
    assert "await asyncio.to_thread(Path(name).read_text)" in fixed("blocking-file-io", code)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            "return await maybe_future(read(path))",
            "`maybe_future` takes what may have to be awaited",
        ),
        ("return open(path).read()", "the file is opened on the event loop"),
        ("return read(path)  # noqa: ASYNC230", "a comment says that it is done on the event loop"),
    ],
)
def test_places_that_are_meant(line: str, reason: str) -> None:
    code = f"""
    from pathlib import Path

    from jupyter_core import maybe_future


    def read(path):
        return Path(path).read_text()


    async def handle(path):
        {line}
    """
    assert reason in refusals("blocking-file-io", code)[0]


def test_a_path_that_is_spelled_in_other_ways() -> None:
    code = """
    import json

    path = None


    async def save(values):
        with open(f"{path}", "w") as file:
            json.dump(values, file)
    """
    assert refusals("blocking-file-io", code) == [
        "`path` is written in place, and two threads would mix what they write"
    ]


def test_a_helper_that_blocks_on_purpose() -> None:
    code = """
    from pathlib import Path


    def change(path):
        # Intentionally blocks everything until the change is done.
        return Path(path).read_text()


    async def apply(path):
        return change(path)
    """
    assert refusals("blocking-file-io", code) == [
        "a comment in `change` says that it blocks on purpose"
    ]


def test_what_is_half_done_is_seen_by_nobody() -> None:
    code = """
    from pathlib import Path


    async def reload(app, path):
        app.state.model = None
        print("unloaded")
        text = Path(path).read_text()
        app.state.model = text


    class Store:
        async def reload(self, path):
            self.rows = None
            self.rows = Path(path).read_text()

        async def load(self, path):
            self.loading = True
            self.rows = Path(path).read_text()
    """
    found = judged("blocking-file-io", code)
    assert found[0].refusal == (
        "`app.state.model` is set before and after it, and others would see what is between"
    )
    assert found[1].refusal == (
        "`self.rows` is set before and after it, and others would see what is between"
    )
    assert found[2].fixes


def test_no_wait_in_a_transaction() -> None:
    code = """
    from pathlib import Path


    async def save(session, path):
        with session.begin():
            session.add(Path(path).read_text())
    """
    assert "would be held while other tasks run" in refusals("blocking-file-io", code)[0]


def test_no_wait_at_the_end_of_a_stream() -> None:
    code = """
    import asyncio
    from pathlib import Path


    async def stream(path):
        try:
            yield 1
        finally:
            Path(path).write_text("")
    """
    assert refusals("blocking-file-io", code) == [
        "it cleans up after a cancellation, which could cut it short"
    ]


@pytest.mark.parametrize("between", ["", "await asyncio.sleep(0)"])
def test_a_record_that_is_read_changed_and_written_back(between: str) -> None:
    code = f"""
    import asyncio

    import boto3


    class Versions:
        def __init__(self) -> None:
            self.table = boto3.client("dynamodb")

        async def bump(self, name):
            item = self.table.get_item(TableName="t", Key=name)
            {between}
            item["Item"]["version"] = 2
            self.table.put_item(TableName="t", Item=item)
    """
    if between:
        assert fixed("blocking-sdk-call", code).count("to_thread") == 2
    else:
        reason = "`self.table` is asked and then changed without a wait in between, which two at once would both do"
        assert refusals("blocking-sdk-call", code) == [reason, reason]


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        ("self._path_for(key).write_text(text)", "`Store.get` reads such files, and would meet this one half written"),
        ("path = self._path_for(key)\n            with open(path, 'w') as file:\n                file.write(text)", "`Store.get` reads such files, and would meet this one half written"),
        ("temporary = self._path_for(key + '.tmp')\n            temporary.write_text(text)\n            await asyncio.sleep(0)\n            os.replace(temporary, self._path_for(key))", None),
        ("(self.logs / key).write_text(text)", None),
        ("self.manifest().write_text(text)", "`self.manifest()` is written in place, and two threads would mix what they write"),
        ("path = self.folder / 'index.json'\n            path.write_text(text)", "`path` is written in place, and two threads would mix what they write"),
        ("path = Path('/tmp') / uuid.uuid4().hex\n            path.write_text(text)", None),
    ],
)  # fmt: skip
def test_a_file_is_met_whole(write: str, reason: str | None) -> None:
    code = f"""
    import asyncio
    import os
    import uuid
    from pathlib import Path


    class Store:
        def __init__(self, folder: Path) -> None:
            self.folder = folder
            self.logs = folder / "logs"

        def manifest(self) -> Path:
            return self.folder / "manifest.json"

        def _path_for(self, key: str) -> Path:
            return self.folder / key

        async def save(self, key: str, text: str) -> None:
            {write}

        async def get(self, key: str) -> str:
            path = self._path_for(key)
            return path.read_text()
    """
    found = judged("blocking-file-io", code)
    assert [one.refusal for one in found if one.span.line < 24][:1] == [reason]


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ("'last.json', values", True),
        ("values=values, name='last.json'", True),
        ("name, values", False),
    ],
)
def test_a_file_that_each_call_names_is_no_work_for_two_threads(given: str, refused: bool) -> None:
    code = f"""
    import asyncio
    import json
    import os

    FOLDER = os.environ.get("DUMPS", "")


    def dump(name, values):
        if not FOLDER:
            return
        path = os.path.join(FOLDER, name)
        with open(path, "w") as file:
            json.dump(values, file)


    async def handle(name, values):
        dump({given})
    """
    [found] = judged("blocking-file-io", code)
    reason = "`path` is written in place, and two threads would mix what they write"
    assert found.refusal == (reason if refused else None)


@pytest.mark.parametrize("waits", [False, True])
def test_a_file_that_was_found_by_what_stands_in_it_is_written_back(waits: bool) -> None:
    code = f"""
    import asyncio
    import os


    def find(folder, words):
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            with open(path) as file:
                content = file.read()
            if words in content:
                return path, content
        return None, None


    async def complete(folder, words):
        path, content = find(folder, words)
        if path is None:
            return
        {"await asyncio.sleep(1)" if waits else "content = content.strip()"}
        with open(path, "w") as file:
            file.write(content.replace(words, "done"))
    """
    if waits:
        assert "await asyncio.to_thread(find, folder, words)" in fixed("blocking-file-io", code)
    else:
        reason = (
            "`path` is read and written back, and what others write in the meantime would be lost"
        )
        assert refusals("blocking-file-io", code) == [reason, reason]


@pytest.mark.parametrize(
    ("second", "refused"), [("Path(self.config.image)", True), ("Path(name)", False)]
)
def test_each_of_the_files_that_a_name_stands_for_is_the_same_each_time(
    second: str, refused: bool
) -> None:
    code = f"""
    import asyncio
    from pathlib import Path


    class Page:
        def __init__(self, config):
            self.config = config

        async def keep(self, image, text, name):
            if image:
                place = {second}
                place.mkdir()
                await asyncio.sleep(0)
            if text:
                place = Path(self.config.text)
                place.write_text(text)
    """
    [found] = judged("blocking-file-io", code)
    reason = "`place` is written in place, and two threads would mix what they write"
    assert found.refusal == (reason if refused else None)


KEPT = """
import json

{imported}


class Loader:
    @staticmethod
    def save(path, config):
        with open(path, "w") as file:
            json.dump(config, file)

    @staticmethod
    def save_with_backup(path, config):
        Loader.save(path, config)

    def store(self, path, config):
        self.save(path, config)

    @staticmethod
    def save_beside(path, config, name):
        Loader.save(path / name, config)


async def change(config, path, name):
    {call}
"""


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("Loader.save(CONFIG, config)", True),
        ("Loader.save(path=CONFIG, config=config)", True),
        ('Loader.save("state.json", config)', True),
        ("Loader.save(settings.files.state, config)", True),
        ("Loader.save_with_backup(CONFIG, config)", True),
        ("Loader().store(CONFIG, config)", True),
        ("Loader.save(path, config)", False),
        ("Loader.save(path.parent, config)", False),
        ("Loader.save_with_backup(path, CONFIG)", False),
        ("Loader.save_beside(CONFIG, config, name)", False),
        ("file = name\n    Loader.save(file, config)", False),
    ],
)
def test_a_file_that_a_caller_names_each_time(call: str, told: bool) -> None:
    code = KEPT.format(imported="from settings import CONFIG, settings", call=call)
    [found] = judged("blocking-file-io", code)
    reason = "`path` is written in place, and two threads would mix what they write"
    assert ((found.refusal or "").partition(";")[0] if not found.fixes else None) == (
        reason if told else None
    )
