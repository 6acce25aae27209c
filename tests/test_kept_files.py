"""Files that keep a state: what is done with them in one step, or by helpers, is taken apart by no thread."""

from __future__ import annotations

import pytest
from one_module import checked, fixed, judged, refusals

LOST = "and what others write in the meantime would be lost"
TWICE = "which two at once would both do"
HALF = "would meet this one half written"
MET = "writes such files in place, and this would meet one half written"

STORE = """
    import asyncio
    import json
    import os
    import threading
    from pathlib import Path

    import yaml


    class Store:
        def __init__(self, folder: Path) -> None:
            self.folder = folder
            self.lock = threading.Lock()

        def _path(self, topic: str) -> Path:
            return self.folder / f"{{topic}}.json"

        def _load(self, topic: str) -> dict:
            {load}

        def _save(self, topic: str, value: dict) -> None:
            {save}

        async def get(self, topic: str) -> dict:
            return self._load(topic)

        async def put(self, topic: str, value: dict) -> None:
            self._save(topic, value)

        async def add(self, topic: str, name: str) -> None:
            found = self._load(topic)
            {between}
            found[name] = name
            self._save(topic, found)
"""

LOAD = "return json.loads(self._path(topic).read_text())"
IN_PLACE = "self._path(topic).write_text(json.dumps(value))"
REPLACED = """temporary = self._path(topic).with_suffix('.new')
            temporary.write_text(json.dumps(value))
            temporary.replace(self._path(topic))"""


def store(load: str = LOAD, save: str = IN_PLACE, between: str = "pass") -> list[str | None]:
    """Why the four calls of a store's helpers have no fix: to read, to write, to read and to write in one step."""
    code = STORE.format(load=load, save=save, between=between)
    found = judged("blocking-file-io", code)
    return [one.refusal for one in found]


@pytest.mark.parametrize(
    ("load", "save"),
    [
        (LOAD, IN_PLACE),
        ("with self._path(topic).open() as file:\n                return json.load(file)", "with self._path(topic).open('w') as file:\n                json.dump(value, file)"),
        ("with open(os.path.join(self.folder, f'{topic}.json')) as file:\n                return json.load(file)", IN_PLACE),
        ("with open(f'{self.folder}/{topic}.json') as file:\n                return json.load(file)", IN_PLACE),
        ("path = self._path(topic)\n            with open(path) as file:\n                return yaml.safe_load(file)", "path = self._path(topic)\n            with open(path, mode='w') as file:\n                yaml.safe_dump(value, file)"),
        (LOAD, "file = os.open(self._path(topic), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)\n            os.write(file, json.dumps(value).encode())\n            os.close(file)"),
        ("return {one.stem: one.read_text() for one in sorted(self.folder.glob('*.json'))}", IN_PLACE),
    ],
)  # fmt: skip
def test_a_store_whose_files_are_written_in_place(load: str, save: str) -> None:
    read, write, first, second = store(load, save)
    assert read == f"`Store._save` {MET}"
    assert write == f"`Store._load` reads such files, and {HALF}"
    reason = f"what `Store._load` reads is written back by `Store._save`, {LOST}"
    assert first == second == reason


def test_a_store_whose_files_are_replaced() -> None:
    read, write, first, second = store(save=REPLACED)
    assert read is write is None
    assert first == second == f"what `Store._load` reads is written back by `Store._save`, {LOST}"
    assert store(save=REPLACED, between="await asyncio.sleep(0)") == [None] * 4


@pytest.mark.parametrize(
    "save",
    [
        "(self.folder / 'names.json').write_text(json.dumps(value))",
        "(self.folder / topic / 'names.json').write_text(json.dumps(value))",
        "self._path(topic).with_suffix('.html').write_text(json.dumps(value))",
        "(self.folder.parent / f'{topic}.json').write_text(json.dumps(value))",
        "with open(self._path(topic), 'a') as file:\n                file.write(json.dumps(value))",
    ],
)
def test_other_files_of_the_same_folder(save: str) -> None:
    read, _, first, _ = store(save=save)
    assert read is first is None


def test_what_is_read_and_written_under_one_lock_is_met_whole() -> None:
    lock = "with self.lock:\n                {}"
    read, write, first, second = store(lock.format(LOAD), lock.format(IN_PLACE))
    assert read is write is None
    assert first == second == f"what `Store._load` reads is written back by `Store._save`, {LOST}"


MODULE = """
    import json
    import os
    import tempfile
    from pathlib import Path

    FOLDER = Path("records")


    def path_of(key: str) -> Path:
        return FOLDER / f"{key}.json"


    def load(key: str) -> dict | None:
        path = path_of(key)
        if not path.exists():
            return None
        with path.open() as file:
            return json.load(file)


    def write_json(path: Path, value: dict) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w") as file:
            json.dump(value, file)
        os.replace(name, path)


    def save(key: str, value: dict) -> None:
        write_json(path_of(key), value)


    def note(key: str, value: dict) -> None:
        write_json(FOLDER / key / "note.json", value)


    def touch(key: str) -> None:
        save(key, {**(load(key) or {}), "seen": True})
"""


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        ("found = records.load(key)\nfound['name'] = name\nrecords.save(key, found)", [f"what `load` reads is written back by `write_json`, {LOST}"] * 2),
        ("if records.load(key) is not None:\n    raise KeyError(key)\nrecords.save(key, {})", [f"what `load` reads is written back by `write_json`, {LOST}"] * 2),
        ("if records.path_of(key).exists():\n    raise KeyError(key)\nrecords.save(key, {})", [f"`change` looks for what `write_json` then writes, {TWICE}"]),
        ("records.save(key, {**records.load(key), 'name': name})", [f"what `load` reads is written back by `write_json`, {LOST}"] * 2),
        ("records.touch(key)", [f"what `load` reads is read and written back, {LOST}"]),
        ("found = records.load(key)\nawait asyncio.sleep(0)\nrecords.save(key, found)", [None, None]),
        ("found = records.load(key)\nrecords.note(key, found)", [None, None]),
        ("records.save(key, {})\nreturn records.load(key)", [None, None]),
        ("return records.load(key)", [None]),
        ("records.save(key, {'name': name})", [None]),
    ],
)  # fmt: skip
def test_helpers_of_a_module_that_read_and_write_in_one_step(
    body: str, reasons: list[str | None]
) -> None:
    indented = "\n".join(f"        {line}" for line in body.split("\n"))
    code = f"""
    import asyncio

    import records


    async def change(key: str, name: str):
{indented}
    """
    found = judged("blocking-file-io", code, records=MODULE)
    assert [one.refusal for one in found] == reasons


def test_helpers_in_one_step_of_a_caller() -> None:
    code = """
    import records


    class Service:
        async def load(self, key: str) -> dict:
            return records.load(key)

        async def save(self, key: str, value: dict) -> None:
            records.save(key, value)

        async def rename(self, key: str, name: str) -> None:
            found = await self.load(key)
            found["name"] = name
            await self.save(key, found)
    """
    reason = (
        f"what `load` reads is written back by `write_json` in one step of `Service.rename`, {LOST}"
    )
    assert refusals("blocking-file-io", code, records=MODULE) == [reason, reason]


def test_two_objects_of_one_class() -> None:
    code = """
    from store import Store


    async def copy(old: Store, new: Store, key: str) -> None:
        found = old.load(key)
        new.save(key, found)


    async def touch(store: Store, key: str) -> None:
        found = store.load(key)
        store.save(key, found)
    """
    texts = """
    import os
    from pathlib import Path


    class Store:
        def __init__(self, folder: str) -> None:
            self.folder = folder

        def load(self, key: str) -> str:
            return Path(self.folder, key).read_text()

        def save(self, key: str, text: str) -> None:
            new = Path(self.folder, key + ".new")
            new.write_text(text)
            os.replace(new, Path(self.folder, key))
    """
    found = judged("blocking-file-io", code, store=texts)
    lost = f"what `Store.load` reads is written back by `Store.save`, {LOST}"
    assert [one.refusal for one in found] == [None, None, lost, lost]


def test_a_tracker_that_writes_through_the_helpers_of_others() -> None:
    tracker = """
    from pathlib import Path

    from atomic import save_json
    from files import load_json


    class Tracker:
        def __init__(self, path: Path, names: Path) -> None:
            self._path = path
            self._names = names

        def begin(self, key: str) -> None:
            data = self._raw()
            data[key] = True
            save_json(self._path, data)

        def publish(self) -> None:
            save_json(self._names, list(self._raw()))

        def _raw(self) -> dict:
            return load_json(self._path) or {}
    """
    atomic = """
    import json
    import os
    import tempfile
    from pathlib import Path


    def save_json(path: Path, data) -> None:
        save_text(path, json.dumps(data))


    def save_text(path: Path, text: str) -> None:
        handle, name = tempfile.mkstemp(dir=str(path.parent))
        temporary = Path(name)
        with os.fdopen(handle, "w") as file:
            file.write(text)
        temporary.replace(path)
    """
    files = """
    import contextlib
    import json
    from pathlib import Path


    def load_json(path: Path):
        with contextlib.suppress(OSError):
            return json.loads(path.read_text())
    """
    code = """
    from tracker import Tracker


    async def begin(tracker: Tracker, key: str) -> None:
        _begin(tracker, key)


    def _begin(tracker: Tracker, key: str) -> None:
        tracker.begin(key)


    async def publish(tracker: Tracker) -> None:
        tracker.publish()
    """
    modules = {"tracker": tracker, "files": files, "atomic": atomic}
    found = judged("blocking-file-io", code, **modules)
    lost = f"what `load_json` reads is written back by `save_text`, {LOST}"
    assert [one.refusal for one in found] == [lost, None]


@pytest.mark.parametrize(
    ("temporary", "refused"),
    [
        ("self.path.with_suffix('.tmp')", True),
        ("self.path.with_name('state.tmp')", True),
        ("self.path.parent / 'state.tmp'", True),
        ("Path(str(self.path) + '.tmp')", True),
        ("self.path.with_suffix(f'.{name}')", False),
        ("self.path.with_name(uuid.uuid4().hex)", False),
        ("self.path.parent / name", False),
    ],
)
def test_a_temporary_file_of_one_name(temporary: str, refused: bool) -> None:
    code = f"""
    import uuid
    from pathlib import Path


    class State:
        def __init__(self, path: Path) -> None:
            self.path = path

        def keep(self, text: str, name: str) -> None:
            temporary = {temporary}
            temporary.write_text(text)
            temporary.replace(self.path)


    async def update(state: State, text: str, name: str) -> None:
        state.keep(text, name)
    """
    found = judged("blocking-file-io", code)
    reason = "`temporary` is written in place, and two threads would mix what they write"
    assert [one.refusal for one in found] == [reason if refused else None]


def test_a_plain_route_that_reads_and_writes_back() -> None:
    code = """
    import records
    from fastapi import FastAPI

    app = FastAPI()


    @app.post("/records/{key}")
    async def create(key: str):
        if records.load(key) is not None:
            return {"ok": False}
        records.save(key, {})
        return {"ok": True}
    """
    lost = f"what `load` reads is written back by `write_json`, {LOST}"
    assert refusals("blocking-file-io", code, records=MODULE) == [lost, lost]


def test_files_that_nobody_writes_keep_their_fix() -> None:
    code = """
    import json
    import uuid
    from pathlib import Path

    TEMPLATES = Path(__file__).parent / "templates"
    UPLOADS = Path("uploads")


    def template(name: str) -> str:
        return (TEMPLATES / f"{name}.html").read_text()


    def keep(content: bytes) -> Path:
        path = UPLOADS / f"{uuid.uuid4().hex}.bin"
        path.write_bytes(content)
        return path


    async def render(name: str) -> str:
        return template(name)


    async def upload(content: bytes) -> str:
        text = template("uploaded")
        return text + str(keep(content))
    """
    found = judged("blocking-file-io", code)
    assert [one.refusal for one in found] == [None, None, None]


def test_a_step_under_a_lock_of_the_event_loop() -> None:
    code = """
    import asyncio

    import records

    LOCK = asyncio.Lock()


    async def change(key: str, name: str):
        async with LOCK:
            found = records.load(key)
            found["name"] = name
            records.save(key, found)
    """
    found = judged("blocking-file-io", code, records=MODULE)
    assert [one.refusal for one in found] == [None, None]


SETTINGS = """
    import json
    import time
    import uuid
    from pathlib import Path

    FOLDER = Path("settings")


    def load(name: str) -> dict:
        return json.loads((FOLDER / f"{name}.json").read_text())


    def save(name: str, value: dict) -> None:
        (FOLDER / f"{name}.json").write_text(json.dumps(value))


    def read_log(name: str) -> str:
        return (FOLDER / "log" / f"{name}.log").read_text()


    def begin_log(name: str) -> None:
        (FOLDER / "log" / f"{name}.log").write_text(str(time.time()))


    def keep(content: str) -> str:
        key = uuid.uuid4().hex
        (FOLDER / "kept" / f"{key}.txt").write_text(content)
        return key


    def kept(key: str) -> str:
        return (FOLDER / "kept" / f"{key}.txt").read_text()
"""


@pytest.mark.parametrize(
    ("code", "refused"),
    [
        ("async def get(name):\n    return settings.load(name)\n\n\nasync def put(name, value):\n    settings.save(name, value)", True),
        ("async def get(name):\n    return settings.load(name)\n\n\ndef main():\n    settings.save('all', {})\n\n\nif __name__ == '__main__':\n    main()", False),
        ("async def get(name):\n    return settings.read_log(name)\n\n\nasync def put(name):\n    settings.begin_log(name)", False),
        ("async def get(key):\n    return settings.kept(key)\n\n\nasync def put(content):\n    return settings.keep(content)", False),
    ],
)  # fmt: skip
def test_who_writes_meanwhile(code: str, refused: bool) -> None:
    found = judged("blocking-file-io", f"import settings\n\n\n{code}\n", settings=SETTINGS)
    met = f"`save` {MET}"
    half = f"`load` reads such files, and {HALF}"
    assert [one.refusal for one in found] == [met, half] if refused else [None] * len(found)


def test_coroutines_that_are_awaited_under_a_lock() -> None:
    code = """
    import asyncio
    from pathlib import Path


    class Wiki:
        def __init__(self, path: Path) -> None:
            self.path = path
            self.lock = asyncio.Lock()

        async def pages(self) -> str:
            async with self.lock:
                return await self._read()

        async def _read(self) -> str:
            return self.path.read_text()

        async def write(self, text: str) -> None:
            async with self.lock:
                self.path.write_text(text)
    """
    found = judged("blocking-file-io", code)
    assert found[0].refusal is None
    free = code.replace("return await self._read()", "pass\n            return await self._read()")
    found = judged("blocking-file-io", free)
    assert found[0].refusal == f"`Wiki.write` {MET}"


def test_a_block_that_a_helper_writes_back() -> None:
    code = """
    import json

    import records


    async def change(key: str, name: str) -> None:
        with records.path_of(key).open() as file:
            found = json.load(file)
        found["name"] = name
        records.save(key, found)
    """
    reason = f"what `change` reads is written back by `write_json`, {LOST}"
    assert refusals("blocking-file-io", code, records=MODULE) == [reason, reason]


def test_a_path_that_is_made_of_itself() -> None:
    code = """
    from pathlib import Path


    def below(path: Path) -> Path:
        return path / "names.txt"


    def read(path: Path) -> str:
        path = below(path)
        path = below(below(path))
        return path.read_text()


    def chain(path: Path) -> Path:
        inner = chain(path.parent)
        return inner


    async def names(path: Path) -> str:
        for folder in sorted(path.iterdir()):
            folder = below(folder)
        name = below(name)
        return read(chain(path)) + name.read_text() + folder.read_text()
    """
    found = judged("blocking-file-io", code)
    assert found


JOURNAL = """
    import os
    import shutil
    import threading
    from pathlib import Path

    LIMIT = 4000
    FOLDER = Path("journal")
    LOCK = threading.Lock()


    def file_of(name: str) -> Path:
        return FOLDER / f"{{name}}.txt"


    def note(name: str, text: str, given: Path) -> None:
        path = file_of(name)
        {rotate}
        with path.open("a") as file:
            file.write(text)


    async def serve(name: str, given: Path) -> None:
        note(name, "served", given)
"""


@pytest.mark.parametrize(
    ("rotate", "how"),
    [
        ("if path.stat().st_size > LIMIT:\n            path.replace(path.with_suffix('.old'))", 'takes it away'),
        ("if path.exists() and path.stat().st_size > LIMIT:\n            path.rename(path.with_suffix('.old'))", 'takes it away'),
        ("if os.path.getsize(path) > LIMIT:\n            os.replace(path, f'{path}.1')", 'takes it away'),
        ("if os.stat(path).st_size > LIMIT:\n            shutil.move(path, FOLDER / 'old')", 'takes it away'),
        ("if path.stat().st_size > LIMIT:\n            with path.open('w') as file:\n                file.write('')", 'writes it anew'),
        ("with LOCK:\n            if path.stat().st_size > LIMIT:\n                path.replace(path.with_suffix('.old'))", None),
        ("if given.stat().st_size > LIMIT:\n            given.replace(given.with_suffix('.old'))", None),
        ("if path.stat().st_size > LIMIT:\n            given.replace(given.with_suffix('.old'))", None),
        ("if path.stat().st_size > LIMIT:\n            return", None),
        ("if path.stat().st_size > LIMIT:\n            path.replace(path.with_suffix('.old'))\n            path.write_text('begun anew')", 'takes it away'),
        # Put aside, because it cannot be read.
        ("try:\n            path.stat()\n        except OSError:\n            path.replace(path.with_suffix('.bad'))", None),
        # Made elsewhere, and put into its place.
        ("draft = FOLDER / f'{name}.draft'\n        draft.write_text(text)\n        if draft.stat().st_size:\n            draft.replace(FOLDER / name)", None),
        ("part = FOLDER / f'{name}.part'\n        os.system(f'fetch {name}')\n        if part.stat().st_size:\n            part.replace(FOLDER / name)", None),
    ],
)  # fmt: skip
def test_a_file_that_is_looked_at_and_moved_away(rotate: str, how: str | None) -> None:
    code = JOURNAL.format(rotate=rotate)
    found = judged("blocking-file-io", code)
    reason = f"`note` looks at a file and {how}, {TWICE}"
    assert [one.refusal for one in found] == [reason if how else None]


def test_a_coroutine_looks_at_a_file_and_moves_it_away() -> None:
    code = """
    import shutil
    from pathlib import Path

    JOURNAL = Path("journal.txt")


    async def serve() -> None:
        if JOURNAL.stat().st_size > 4000:
            shutil.move(JOURNAL, "journal.old")
    """
    reason = f"`serve` looks at a file and takes it away, {TWICE}"
    assert set(refusals("blocking-file-io", code)) == {reason}


SLOTS = """
    import asyncio
    import json
    import os
    import tempfile
    import time
    from pathlib import Path

    SLOTS = Path("slots")


    def is_dead(pid: object) -> bool:
        return pid is None


    def owner_of(slot: Path) -> object:
        return json.loads(slot.read_text())["pid"]


    def drop(slot: Path) -> None:
        slot.unlink(missing_ok=True)


    async def acquire(name: str, given: Path) -> bool:
        slot = SLOTS / f"{{name}}.lock"
        {body}
        return False
"""

BY_THEN = "and by then it may be another one"


@pytest.mark.parametrize(
    ("body", "reader", "taker"),
    [
        ("pid = json.loads(slot.read_text())['pid']\n        if is_dead(pid):\n            slot.unlink()", "acquire", "acquire"),
        ("raw = slot.read_text()\n        owner = json.loads(raw) if raw else None\n        pid = owner.get('pid') if owner else None\n        try:\n            os.kill(pid, 0)\n            return False\n        except OSError:\n            pass\n        if isinstance(pid, int):\n            os.remove(slot)", "acquire", "acquire"),
        ("pid = slot.read_text()\n        if not is_dead(pid):\n            return False\n        os.unlink(slot)", "acquire", "acquire"),
        ("with slot.open() as file:\n            pid = json.load(file)\n        if is_dead(pid):\n            slot.unlink()", "acquire", "acquire"),
        ("try:\n            pid = json.loads(slot.read_text())\n        except ValueError:\n            slot.unlink()", "acquire", "acquire"),
        ("pid = slot.read_text()\n        if is_dead(pid):\n            drop(slot)", "acquire", "drop"),
        ("pid = owner_of(slot)\n        if is_dead(pid):\n            drop(slot)", "owner_of", "drop"),
        ("pid = given.read_text()\n        if is_dead(pid):\n            given.unlink()", "acquire", "acquire"),
        ("for one in SLOTS.glob('*.lock'):\n            if is_dead(one.read_text()):\n                one.unlink()", "acquire", "acquire"),
        ("age = time.time() - slot.stat().st_mtime\n        limit = Path('limit').read_text()\n        if age > int(limit):\n            slot.unlink()", "acquire", "acquire"),
    ],
)  # fmt: skip
def test_what_is_read_decides_what_is_taken_away(body: str, reader: str, taker: str) -> None:
    other = "it" if taker == reader else f"`{taker}`"
    reason = f"what `{reader}` reads decides whether {other} takes the file away, {BY_THEN}"
    found = judged("blocking-file-io", SLOTS.format(body=body))
    assert reason in [one.refusal for one in found]


@pytest.mark.parametrize(
    "body",
    [
        # Whatever it says.
        "text = slot.read_text()\n        slot.unlink()\n        print(text)",
        # Another file.
        "pid = slot.read_text()\n        if is_dead(pid):\n            given.unlink()",
        # Something else decides.
        "text = slot.read_text()\n        if name:\n            slot.unlink()\n        print(text)",
        # It is not there, or may not be read.
        "try:\n            text = slot.read_text()\n        except PermissionError:\n            slot.unlink()",
        # Nothing is sure behind another wait.
        "pid = slot.read_text()\n        await asyncio.sleep(0)\n        if is_dead(pid):\n            slot.unlink()",
        # Its own one.
        "copy = Path(tempfile.mktemp())\n        os.system(f'fetch {copy}')\n        text = copy.read_text()\n        if text:\n            copy.unlink()",
    ],
)  # fmt: skip
def test_what_is_read_does_not_decide_what_is_taken_away(body: str) -> None:
    code = SLOTS.format(body=body)
    assert "asyncio.to_thread" in fixed("blocking-file-io", code)


def test_what_the_awaiting_coroutine_takes_away() -> None:
    body = "if await self_owner(slot) is None:\n            slot.unlink()"
    code = SLOTS.format(body=body) + (
        "\n\n    async def self_owner(slot: Path) -> object:\n        return json.loads(slot.read_text())['pid']\n"
    )
    found = judged("blocking-file-io", code)
    reason = f"what `self_owner` reads decides whether `acquire` takes the file away in one step of `acquire`, {BY_THEN}"
    assert reason in [one.refusal for one in found]


ELSEWHERE = """
    import asyncio
    import json
    import tempfile
    from pathlib import Path

    from writers import Writer, write

    STATE_FILE = Path("data") / "a"


    class Reader:
        def __init__(self, base: Path, cache_dir: Path) -> None:
            self.base = base
            self.cache_dir = cache_dir

        def load(self, name: str) -> dict:
            return json.loads({read}.read_text())


    class App:
        def __init__(self) -> None:
            self.reader = Reader(Path("."), Path("c"))
            self.writer = Writer()

        async def show(self, name: str) -> dict:
            return self.reader.load(name)

        async def change(self, text: str) -> None:
            await asyncio.sleep(0)
            {change}
"""

WRITERS = """
    import tempfile
    from pathlib import Path

    STATE_FILE = Path("data") / "a"


    class Writer:
        def __init__(self) -> None:
            self.base = Path(".")
            self.cache_dir = Path("c")

        def write(self, text: str) -> None:
            {write}


    def write(path: Path, text: str) -> None:
        path.write_text(text)
"""


@pytest.mark.parametrize(
    ("read", "change", "write", "by"),
    [
        # One name of a file, wherever it lies.
        ("(self.base / 'state.json')", "self.writer.write(text)", "(self.base / 'state.json').write_text(text)", "Writer.write"),
        ("(self.base / name / 'state.json')", "(Path('x') / 'state.json').write_text(text)", "pass", "App.change"),
        # One place, as both modules call it.
        ("STATE_FILE", "self.writer.write(text)", "STATE_FILE.write_text(text)", "Writer.write"),
        ("(self.cache_dir / name)", "self.writer.write(text)", "(self.cache_dir / text).write_text(text)", "Writer.write"),
        ("(self.cache_dir / f'{name}.json')", "write(self.writer.cache_dir / f'{text}.json', text)", "pass", "write"),
        # Whoever uses the class may call it.
        ("(self.base / 'state.json')", "pass", "(self.base / 'state.json').write_text(text)", "Writer.write"),
        # Other files.
        ("(self.base / 'state.json')", "self.writer.write(text)", "(self.base / 'other.json').write_text(text)", None),
        ("(self.base / name)", "self.writer.write(text)", "(self.base / text).write_text(text)", None),
        ("(self.cache_dir / 'a' / name)", "self.writer.write(text)", "(self.cache_dir / 'b' / text).write_text(text)", None),
        ("(self.base / 'state.json')", "self.writer.write(text)", "(Path(tempfile.mkdtemp()) / 'state.json').write_text(text)", None),
        # What takes the place of another one is met whole.
        ("(self.base / 'state.json')", "self.writer.write(text)", "new = self.base / 'new'\n            new.write_text(text)\n            new.replace(self.base / 'state.json')", None),
    ],
)  # fmt: skip
def test_a_file_is_met_whole_though_others_write_it(
    read: str, change: str, write: str, by: str | None
) -> None:
    code = ELSEWHERE.format(read=read, change=change)
    found = judged("blocking-file-io", code, writers=WRITERS.format(write=write))
    [reader] = [one for one in found if "self.reader.load" in one.message]
    assert reader.refusal == (by and f"`{by}` {MET}")


BEHIND_LOCKS = """
    import asyncio
    import json
    import os
    from abc import ABC, abstractmethod


    class Storage(ABC):
        @abstractmethod
        async def get(self, name): ...

        @abstractmethod
        async def set(self, state): ...


    class FileStorage(Storage):
        def __init__(self, folder):
            self.folder = folder
            self._lock = asyncio.Lock()

        def _path(self, name):
            return f"{{self.folder}}/{{name}}.json"

        async def get(self, name):
            async with self._lock:
                path = self._path(name)
                with open(path) as file:
                    return json.load(file)

        async def set(self, state):
            async with self._lock:
                path = self._path(state.name)
                temporary = f"{{path}}.tmp"
                with open(temporary, "w") as file:
                    json.dump(state, file)
                os.rename(temporary, path)


    class Context:
        def __init__(self, storage: Storage):
            self.storage = storage
            self.lock = asyncio.Lock()

        async def add(self, name, text):
            {add}
"""


@pytest.mark.parametrize(
    ("add", "kept"),
    [
        ("state = await self.storage.get(name)\n            state.rows.append(text)\n            await self.storage.set(state)", True),
        ("state = await self.storage.get(name)\n            if text:\n                await asyncio.sleep(1)\n            await self.storage.set(state)", True),
        ("state = await self.storage.get(name)\n            if text:\n                await asyncio.sleep(1)\n            else:\n                return\n            await self.storage.set(state)", False),
        ("state = await self.storage.get(name)\n            await asyncio.sleep(1)\n            await self.storage.set(state)", False),
        ("async with self.lock:\n                state = await self.storage.get(name)\n                await self.storage.set(state)", False),
        ("return await self.storage.get(name)", False),
    ],
)  # fmt: skip
def test_a_free_lock_ends_no_step(add: str, kept: bool) -> None:
    read, write = judged("blocking-file-io", BEHIND_LOCKS.format(add=add))[:2]
    step = f"what `FileStorage.get` reads is written back by `FileStorage.set` in one step of `Context.add`, {LOST}"
    assert read.refusal == (step if kept else None)
    # Who reads meanwhile waits for the lock.
    assert write.refusal is None


@pytest.mark.parametrize(
    ("temporary", "between", "refused"),
    [
        ("self.folder / f'{mode}.tmp'", "pass", True),
        ("(self.folder / mode).with_suffix('.tmp')", "pass", True),
        ("self.folder / f'{mode}.tmp'", "await asyncio.sleep(0)", False),
        ("self.folder / f'{uuid.uuid4()}.tmp'", "pass", False),
        ("Path(tempfile.mkdtemp()) / mode", "pass", False),
    ],
)
def test_what_is_written_and_moved_in_one_step(temporary: str, between: str, refused: bool) -> None:
    code = f"""
    import asyncio
    import tempfile
    import uuid
    from pathlib import Path


    class Modes:
        def __init__(self, folder: Path):
            self.folder = folder

        async def put(self, mode, text):
            new = {temporary}
            new.write_text(text)
            {between}
            new.replace(self.folder / mode)
    """
    [found] = judged("blocking-file-io", code)
    reason = (
        "`Modes.put` moves the file behind it, and two at once would write and move the same one"
    )
    assert found.refusal == (reason if refused else None)


@pytest.mark.parametrize(
    ("written", "refused"),
    [("_task_path(task)", True), ("base / 'all.json'", False), ("logs / task['id']", False)],
)
def test_paths_that_a_method_looks_for(written: str, refused: bool) -> None:
    code = f"""
    import json
    from pathlib import Path


    class Tasks:
        def __init__(self, base: Path):
            self.base = base
            self.logs = base / "logs"

        def _task_path(self, task):
            return self.base / task["agent"] / f"{{task['id']}}.json"

        def _find_task_path(self, key):
            for path in self.base.iterdir():
                if path.stem == key:
                    return path
            return None

        def _read(self, path):
            return json.loads(path.read_text())

        def _write(self, task):
            path = self.{written}
            path.write_text(json.dumps(task))

        async def get(self, key):
            path = self._find_task_path(key)
            return self._read(path)

        async def create(self, task):
            self._write(task)
    """
    get = next(f for f in judged("blocking-file-io", code) if "self._read" in f.message)
    assert get.refusal == (f"`Tasks._write` {MET}" if refused else None)


@pytest.mark.parametrize("twin", ["pkg/_sync/client.py", "pkg/client.py", "pkg/other.py"])
def test_a_file_of_which_a_synchronous_one_is_made(twin: str) -> None:
    code = """
from pathlib import Path


async def load(name: str) -> str:
    return Path(name).read_text()
"""
    plain = code.replace("async def", "def")
    files = {"pkg/_async/client.py": code, twin: plain}
    [found] = checked("blocking-file-io", files)[0]
    made = f"`{twin}` seems to be made of this file, and would know no thread to wait for"
    assert found.refusal == (None if "other" in twin else made)


SHOWN = """
    from pathlib import Path


    def show(path: str) -> str:
        with open(path) as file:
            return file.read()


    async def write({parameters}) -> str:
        {given}
        with open(path, "w") as file:  # noqa: ASYNC230
            file.write(text)
        {between}
        return show({shown})
"""


@pytest.mark.parametrize(
    ("parameters", "given", "between", "shown", "refused"),
    [
        ("path: str, text: str", "text += 'a'", "pass", "path", True),
        ("path: Path, text: str", "text += 'a'", "print(text)", "path", True),
        ("text: str", "path = 'state.txt'", "pass", "path", True),
        ("text: str", "path = tempfile.mktemp()", "pass", "path", False),
        ("path: str, text: str, other: str", "pass", "pass", "other", False),
    ],
)
def test_what_has_been_written_in_place_is_not_read_in_a_thread(
    parameters: str, given: str, between: str, shown: str, refused: bool
) -> None:
    code = SHOWN.format(parameters=parameters, given=given, between=between, shown=shown)
    found = judged("blocking-file-io", code)
    reasons = [one.refusal for one in found if one.refusal]
    assert any("while this reads it" in one for one in reasons) == refused
    assert any(one.fixes for one in found) != refused
