"""What belongs to one thread: files that are read and written back, open files, what a subclass keeps."""

from __future__ import annotations

import pytest
from test_local_fixes import _checked, _text, fixed, refusals


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
            target.write_text(json.dumps(names))

        def add(self, name):
            self.save([*self.load(), name])


    async def add(store: Store, name: str):
        store.add(name)


    async def names(store: Store):
        return store.load()
    """
    found, _ = _checked("blocking-file-io", {"app.py": _text(code)})
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
