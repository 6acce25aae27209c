"""Databases and stores that a thread would share with the event loop: those within the process, what is asked of one and then changed, connections."""

from __future__ import annotations

import pytest
from one_module import judged


def reasons(rule: str, code: str, **files: str) -> list[str | None]:
    """Why each finding of a module is not handed to a thread; None where it is."""
    found = judged(rule, code, **files)
    assert found
    return [None if one.fixes else (one.refusal or "").partition(";")[0] for one in found]


# -- databases within the process --------------------------------------------------------------------

UNLOCKED = "is a database within the process without locks, which others use meanwhile"


@pytest.mark.parametrize(
    ("arguments", "local"),
    [
        ('":memory:"', True),
        ('location=":memory:"', True),
        ('path="data"', True),
        ("path=folder", True),
        ("folder", True),
        ("**options", True),
        ("url=url, path=folder", True),
        ("", False),
        ("url=url", False),
        ("url=None, path=None", False),
        ('"http://localhost:6333"', False),
        ('host="localhost", port=6333', False),
    ],
)
def test_a_local_qdrant_is_used_by_one_thread_at_a_time(arguments: str, local: bool) -> None:
    code = f"""
    from qdrant_client import QdrantClient


    class Driver:
        def __init__(self, url, folder, options):
            self._client = QdrantClient({arguments})

        async def count(self):
            return self._client.count("a")
    """
    refused = f"`self._client` {UNLOCKED}"
    assert reasons("blocking-sdk-call", code) == [refused if local else None]


def test_a_qdrant_that_nobody_builds_here_may_be_a_local_one() -> None:
    code = """
    from qdrant_client import QdrantClient


    class Driver:
        def __init__(self, client: QdrantClient):
            self._client = client

        async def count(self):
            return self._client.count("a")
    """
    assert reasons("blocking-sdk-call", code) == [f"`self._client` {UNLOCKED}"]
    remote = "from qdrant_client import QdrantClient\n\nCLIENT = QdrantClient(url='http://db')\n"
    assert reasons("blocking-sdk-call", code, clients=remote) == [None]


@pytest.mark.parametrize(
    ("uses", "refused"),
    [
        ("self._count()", "self._client"),
        ("count(self._client)", "client"),
        ("everywhere()", "CLIENT"),
        ("kept()", "shared()"),
        ("Counter(self._client)", "client"),
        ("alone()", None),
        ("Driver().direct()", None),
    ],
)
def test_a_database_of_the_process_that_is_used_below(uses: str, refused: str | None) -> None:
    code = f"""
    import asyncio
    import time
    from functools import lru_cache

    from qdrant_client import QdrantClient

    CLIENT = QdrantClient(":memory:")


    class Counter:
        def __init__(self, client: QdrantClient):
            time.sleep(1)
            client.count("a")


    @lru_cache
    def shared():
        return QdrantClient(":memory:")


    def kept():
        time.sleep(1)
        return shared().count("a")


    def count(client: QdrantClient):
        time.sleep(1)
        return client.count("a")


    def everywhere():
        time.sleep(1)
        return CLIENT.count("a")


    def alone():
        time.sleep(1)
        client = QdrantClient(":memory:")
        return client.count("a")


    class Driver:
        def __init__(self):
            self._client = QdrantClient(":memory:")

        def _count(self):
            return self.direct()

        def direct(self):
            time.sleep(1)
            return self._client.count("a")

        async def number(self):
            return {uses}
    """
    [reason] = reasons("blocking-sleep", code)
    if refused is None:
        assert reason is None
    elif refused == "shared()":
        assert reason is not None and "at its first call" in reason
    else:
        assert reason == f"`{refused}` {UNLOCKED}"


@pytest.mark.parametrize(
    ("made", "used"),
    [
        ("faiss.IndexFlatL2(8)", "train([1.0])"),
        ('faiss.read_index("index")', "search([1.0], 3)"),
        ("duckdb.connect()", 'execute("select 1")'),
        ('FAISS.load_local("index", model)', 'similarity_search("a")'),
        ("InMemoryVectorStore(model)", 'similarity_search("a")'),
        ('QdrantVectorStore.from_documents([], model, path="data")', 'similarity_search("a")'),
    ],
)
def test_other_databases_without_locks(made: str, used: str) -> None:
    code = f"""
    import threading
    import time

    import duckdb
    import faiss
    from langchain_community.vectorstores import FAISS
    from langchain_core.vectorstores import InMemoryVectorStore
    from langchain_qdrant import QdrantVectorStore


    class Search:
        def __init__(self, model):
            self.index = {made}
            self.lock = threading.Lock()

        def find(self):
            time.sleep(1)
            return self.index.{used}

        def wait(self):
            time.sleep(1)
            with self.lock:
                return self.index.{used}

        async def first(self):
            return self.find()

        async def second(self):
            return self.wait()
    """
    found = reasons("blocking-sleep", code)
    assert found[0] is not None
    assert "belongs to another thread" in found[0] or found[0] == f"`self.index` {UNLOCKED}"
    if "belongs to another thread" not in found[0]:
        assert found[1] is None


@pytest.mark.parametrize(
    "made",
    [
        'chromadb.PersistentClient("data")',
        "chromadb.EphemeralClient()",
        "chromadb.HttpClient()",
        'lancedb.connect("data")',
        'MilvusClient("./milvus.db")',
    ],
)
def test_databases_of_the_process_with_locks_of_their_own(made: str) -> None:
    code = f"""
    import time

    import chromadb
    import lancedb
    from pymilvus import MilvusClient


    class Store:
        def __init__(self):
            self.client = {made}

        def names(self):
            time.sleep(1)
            return self.client.list_collections()

        async def all_names(self):
            return self.names()
    """
    assert reasons("blocking-sleep", code) == [None]


@pytest.mark.parametrize(
    ("lock", "refused"), [("async with self.lock:", False), ("if self.lock:", True)]
)
def test_those_who_wait_for_a_lock_use_a_database_in_turn(lock: str, refused: bool) -> None:
    code = f"""
    import asyncio

    from qdrant_client import QdrantClient


    class Driver:
        def __init__(self):
            self.lock = asyncio.Lock()
            self.client = QdrantClient(":memory:")

        async def count(self):
            {lock}
                return self.client.count("a")
    """
    assert (reasons("blocking-sdk-call", code) != [None]) is refused


@pytest.mark.parametrize(
    ("given", "refused"),
    [("CLIENT", True), ('QdrantClient(":memory:")', False)],
)
def test_a_database_that_a_coroutine_gets_is_shared_where_its_callers_share_it(
    given: str, refused: bool
) -> None:
    code = f"""
    from qdrant_client import QdrantClient

    CLIENT = QdrantClient(":memory:")


    async def count(client: QdrantClient):
        return client.count("a")


    async def main():
        return await count({given})
    """
    assert reasons("blocking-sdk-call", code) == [f"`client` {UNLOCKED}" if refused else None]


def test_a_route_with_a_database_of_the_process_stays_a_coroutine() -> None:
    code = """
    from fastapi import APIRouter, Depends
    from qdrant_client import QdrantClient

    router = APIRouter()
    shared = QdrantClient(path="data")


    def get_client() -> QdrantClient:
        return shared


    @router.get("/points")
    async def points(client: QdrantClient = Depends(get_client)):
        return client.count("a")


    @router.get("/names")
    async def names():
        return shared.get_collections()
    """
    assert reasons("blocking-sdk-call", code) == [f"`client` {UNLOCKED}", f"`shared` {UNLOCKED}"]


@pytest.mark.parametrize(
    ("opened", "refused"),
    [
        ('chromadb.PersistentClient("data")', True),
        ('QdrantClient(path="data")', True),
        ('QdrantClient(":memory:")', False),
        ("chromadb.HttpClient()", False),
        ('duckdb.connect("data")', False),
    ],
)
def test_a_database_that_only_one_thread_may_open_at_a_time(opened: str, refused: bool) -> None:
    code = f"""
    import chromadb
    import duckdb
    import time
    from qdrant_client import QdrantClient


    def names():
        time.sleep(1)
        client = {opened}
        return str(client)


    async def all_names():
        return names()
    """
    reason = "`names` opens a database, which two threads cannot do at the same time"
    assert reasons("blocking-sleep", code) == [reason if refused else None]


# -- what is asked of a store and then changed ---------------------------------------------------------

ASKED = "`self._client` is asked and then changed without a wait in between, which two at once would both do"


@pytest.mark.parametrize(
    ("body", "reasons_wanted"),
    [
        ("found = self._read(key)\n            self._write(key, found)", [ASKED, ASKED]),
        ("found = self._deeper(key)\n            self._write(key, found)", [ASKED, ASKED]),
        (
            "found = self._client.get_item(Key=key)\n            self._write(key, found)",
            [ASKED, ASKED],
        ),
        ("self._write(key, {})\n            return self._read(key)", [None, None]),
        (
            "found = self._read(key)\n            await asyncio.sleep(0)\n            self._write(key, found)",
            [None, None],
        ),
        ("found = self._read(key)\n            self._log(key, found)", [None, None]),
        (
            "async with self._lock:\n                found = self._read(key)\n                self._write(key, found)",
            [None, None],
        ),
        (
            "if key:\n                return self._read(key)\n            self._write(key, {})",
            [None, None],
        ),
        (
            "if key:\n                self._read(key)\n            else:\n                self._write(key, {})",
            [None, None],
        ),
        (
            "found = self._read(key)\n            self._forget(key)\n            return found",
            ["`self._client` gives `key` once: it is read and taken away without a wait in between"]
            * 2,
        ),
        ("found = self._read(key)\n            self._forget(found)", [None, None]),
    ],
)
def test_helpers_that_ask_a_store_and_change_it(
    body: str, reasons_wanted: list[str | None]
) -> None:
    code = f"""
    import asyncio

    import boto3


    class Table:
        def __init__(self):
            self._client = boto3.client("dynamodb")
            self._other = boto3.client("dynamodb")
            self._lock = asyncio.Lock()

        def _read(self, key):
            return self._client.get_item(TableName="t", Key=key)

        def _deeper(self, key):
            return self._read(key)

        def _write(self, key, item):
            client = self._client
            client.put_item(TableName="t", Item=item)

        def _log(self, key, item):
            self._other.put_item(TableName="t", Item=item)

        def _forget(self, key):
            self._client.delete_item(TableName="t", Key=key)

        async def update(self, key):
            {body}
    """
    assert reasons("blocking-sdk-call", code) == reasons_wanted


def test_helpers_of_another_object_and_of_the_module() -> None:
    code = """
    import boto3

    client = boto3.client("dynamodb")


    class Table:
        def __init__(self):
            self.client = boto3.client("dynamodb")

        def read(self, key):
            return self.client.get_item(TableName="t", Key=key)

        def write(self, item):
            self.client.put_item(TableName="t", Item=item)


    def read(key):
        return client.get_item(TableName="t", Key=key)


    def write(item):
        client.put_item(TableName="t", Item=item)


    async def update(table: Table, key):
        table.write(table.read(key))


    async def copy(table: Table, other: Table, key):
        found = table.read(key)
        other.write(found)


    async def mine(table: Table, key):
        found = table.read(key)
        table.write(found)


    async def everybodys(key):
        found = read(key)
        write(found)
    """
    asked = "is asked and then changed without a wait in between, which two at once would both do"
    found = reasons("blocking-sdk-call", code)
    assert found[2:4] == [None, None]
    assert found[4:] == [f"`table.client` {asked}"] * 2 + [f"`client` {asked}"] * 2


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        ("if not self._has(key):\n                self._client.put_item(Item={})", True),
        ("with self._lock:\n                self._change(key)", False),
        ("self._change(key)", True),
        ("self._client.put_item(Item={})\n            return self._has(key)", False),
        (
            "if key:\n                return self._has(key)\n            self._client.put_item(Item={})",
            False,
        ),
        (
            "if key:\n                self._has(key)\n            else:\n                self._client.put_item(Item={})",
            False,
        ),
        ("if self._has(key):\n                self._other.put_item(Item={})", False),
    ],
)
def test_a_helper_that_asks_a_store_and_changes_it(lines: str, refused: bool) -> None:
    code = f"""
    import threading

    import boto3


    class Table:
        def __init__(self):
            self._client = boto3.client("dynamodb")
            self._other = boto3.client("dynamodb")
            self._lock = threading.Lock()

        def _has(self, key):
            return "Item" in self._client.get_item(Key=key)

        def _change(self, key):
            if not self._has(key):
                self._client.put_item(Item={{}})

        def work(self, key):
            {lines}

        async def run(self, key):
            self.work(key)
    """
    reason = "`Table.work` asks `self._client` and then changes it, which two threads would both do"
    assert reasons("blocking-sdk-call", code) == [reason if refused else None]


STORE = """
from pymilvus import MilvusClient


class Store:
    def __init__(self, address):
        self.client = MilvusClient(address)
        self.people = "people"
        self.links = "links"

    def person(self, key):
        return self.client.query(collection_name=self.people, ids=[key])

    def link(self, key):
        return self.client.query(collection_name=self.links, ids=[key])

    def save(self, row):
        self.client.upsert(collection_name=self.people, data=[row])

    def rename(self, key, name):
        [row] = self.person(key)
        self.save({**row, "name": name})
"""


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        ("self._store.person(key)", None),
        ("self._store.save({})", None),
        ("self._store.rename(key, '')", "Graph.work"),
        ("for one in [key]:\n                self._rename(one)", "Graph._rename"),
        ("self._deep(key)", "Graph._rename"),
        ("self._store.save(self._store.person(key)[0])", "Graph.work"),
        ("self._store.save(self._store.link(key)[0])", None),
        ("self._store.save({})\n            return self._store.person(key)", None),
        ("with self._lock:\n                self._store.rename(key, '')", None),
        ("with self._lock:\n                self._deep(key)", None),
        ("self._other.save(self._store.person(key)[0])", None),
    ],
)
def test_what_is_asked_and_changed_through_the_projects_own_store(
    lines: str, refused: str | None
) -> None:
    code = f"""
    import threading

    from fastapi import FastAPI

    from store import Store

    app = FastAPI()


    class Graph:
        def __init__(self):
            self._store = Store("http://localhost:19530")
            self._other = Store("http://localhost:19531")
            self._lock = threading.Lock()

        def _rename(self, key):
            self._store.rename(key, "")

        def _deep(self, key):
            self._deeper(key)

        def _deeper(self, key):
            self._deepest(key)

        def _deepest(self, key):
            self._rename(key)

        def work(self, key):
            {lines}


    graph = Graph()


    @app.delete("/{{key}}")
    async def remove(key: str):
        graph.work(key)
    """
    reason = "asks `self._store.client` and then changes it, which two threads would both do"
    wanted = None if refused is None else f"`{refused}` {reason}"
    assert reasons("blocking-sdk-call", code, store=STORE) == [wanted]


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        ("if not find(key):\n            write(key)", True),
        ("if not find(key):\n            log(key)", False),
        ("if not find(key):\n            other(key)", False),
        ("write(key)\n        find(key)", False),
    ],
)
def test_helpers_that_each_get_the_client(lines: str, refused: bool) -> None:
    code = f"""
    import functools

    import boto3
    from fastapi import FastAPI

    app = FastAPI()


    @functools.cache
    def table():
        return boto3.client("dynamodb")


    def logs():
        return boto3.client("dynamodb")


    def find(key):
        client = table()
        return client.get_item(TableName="t", Key=key).get("Item")


    def write(key):
        table().put_item(TableName="t", Item=key)


    def log(key):
        logs().put_item(TableName="t", Item=key)


    def other(key):
        table().put_item(TableName="other", Item=key)


    def work(key):
        {lines}


    @app.post("/")
    async def run(key: str):
        work(key)
    """
    reason = "`work` asks `table()` and then changes it, which two threads would both do"
    assert reasons("blocking-sdk-call", code) == [reason if refused else None]


@pytest.mark.parametrize(
    ("second", "refused"),
    [
        ("client.get_or_create_collection(name)", True),
        ("client.create_collection(name=name)", True),
        ("client.create_collection(other)", False),
        ("client.list_collections()", False),
    ],
)
def test_what_is_taken_away_and_made_again_in_one_step(second: str, refused: bool) -> None:
    code = f"""
    import chromadb

    client = chromadb.HttpClient()


    async def again(name, other):
        client.delete_collection(name)
        {second}
    """
    reason = "`client` has no `name` until it is made again, which others would see"
    assert reasons("blocking-sdk-call", code) == [reason if refused else None] * 2


# -- connections that outlive the call that opens them --------------------------------------------------

KEPT = "what `{}` gives keeps a connection that belongs to the thread which opens it"


@pytest.mark.parametrize(
    ("opened", "kept"),
    [
        ("return cls(sqlite3.connect(path))", True),
        ("return cls(connection=sqlite3.connect(path))", True),
        ("return cls(sqlite3.connect(path, check_same_thread=False))", False),
        ("return cls(sqlite3.connect(path, check_same_thread=threads))", False),
        ("connection = sqlite3.connect(path)\n            return cls(connection)", True),
        ("return cls(connect(path))", True),
        ("connection, found = both(path)\n            return cls(connection)", True),
        ("return both(path)", True),
        ("return both(path)[1]", False),
        (
            "store = cls(None)\n            store.connection = connect(path)\n            return store",
            True,
        ),
        ("return Opened(path)", True),
        ("return Later(path)", False),
        ("return [cls(connect(path))]", True),
        (
            "connection = sqlite3.connect(path)\n            return connection.execute('').fetchall()",
            False,
        ),
        (
            "with sqlite3.connect(path) as connection:\n                return connection.execute('').fetchall()",
            False,
        ),
        (
            "store = cls(connect(path))\n            rows = store.rows()\n            close(store)\n            return rows",
            False,
        ),
        ("store = cls(connect(path))\n            return store.rows()", False),
    ],
)
def test_a_connection_of_sqlite_is_not_opened_for_another_thread(opened: str, kept: bool) -> None:
    code = f"""
    import asyncio
    import sqlite3
    import time


    def connect(path):
        return sqlite3.connect(path)


    def close(store):
        pass


    def both(path):
        connection = sqlite3.connect(path)
        return connection, True


    class Opened:
        def __init__(self, path):
            self._connect(path)

        def _connect(self, path):
            self.connection = connect(path)


    class Later:
        def __init__(self, path):
            self.path = path
            with sqlite3.connect(path) as connection:
                connection.execute("create table if not exists names (name)")

        def open(self):
            self.connection = connect(self.path)


    class Store:
        def __init__(self, connection):
            self.connection = connection

        @classmethod
        def open(cls, path, threads=False):
            time.sleep(1)
            {opened}

        def rows(self):
            return list(self.connection)


    async def serve(path):
        return Store.open(path)
    """
    [reason] = reasons("blocking-sleep", code)
    if "both(path)" not in opened or "[1]" in opened or "cls" in opened:
        assert reason == (KEPT.format("Store.open") if kept else None)
    assert (reason is not None) is kept


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("Opened(path)", "what it opens is used by the thread that opens it"),
        ("Child(path)", "what it opens is used by the thread that opens it"),
        ("Waiting(path)", "what it opens is used by the thread that opens it"),
        (
            "self.connect(path)",
            "`Server.connect` keeps a connection that belongs to the thread which opens it",
        ),
        (
            "connect_all(path)",
            "`connect_all` changes `CONNECTION`, which others may read or change meanwhile",
        ),
        (
            "connect_given(self, path)",
            "`connect_given` keeps a connection that belongs to the thread which opens it",
        ),
        ("self.work(path)", None),
    ],
)
def test_a_connection_that_is_kept_in_an_object(call: str, reason: str | None) -> None:
    code = f"""
    import sqlite3
    import time

    CONNECTION = None


    class Opened:
        def __init__(self, path):
            time.sleep(1)
            self.connection = sqlite3.connect(path)


    class Waiting:
        def __init__(self, path):
            time.sleep(1)
            self.opened = make(path)


    def make(path):
        return Opened(path)


    class Child(Opened):
        def __init__(self, path):
            super().__init__(path)
            self.path = path


    def connect_all(path):
        global CONNECTION
        time.sleep(1)
        CONNECTION = sqlite3.connect(path)


    def connect_given(server, path):
        time.sleep(1)
        server.connection = sqlite3.connect(path)


    class Server:
        def connect(self, path):
            time.sleep(1)
            self.connection = sqlite3.connect(path)

        def work(self, path):
            opened = Opened(path)
            return opened.connection.execute("select 1").fetchone()

        async def start(self, path):
            {call}
    """
    assert reasons("blocking-sleep", code) == [reason]


def test_a_session_that_is_kept_in_an_object() -> None:
    code = """
    import time

    from sqlalchemy.orm import Session, sessionmaker

    make = sessionmaker()


    class Work:
        def __init__(self, session: Session):
            self.session = session


    class Makers:
        def __init__(self, maker):
            self.maker = maker


    def work():
        time.sleep(1)
        return Work(make())


    class Waiting:
        def __init__(self):
            time.sleep(1)
            self.work = Work(make())


    def makers():
        time.sleep(1)
        return Makers(sessionmaker())


    async def begin():
        return work()


    async def wait():
        return Waiting()


    async def prepare():
        return makers()
    """
    assert reasons("blocking-sleep", code) == [KEPT.format("work"), KEPT.format("Waiting"), None]


def test_a_route_that_keeps_a_connection_stays_a_coroutine() -> None:
    code = """
    import sqlite3

    from fastapi import FastAPI

    app = FastAPI()


    @app.post("/open")
    async def open_database(path: str):
        app.state.database = sqlite3.connect(path)


    @app.get("/names")
    async def names(path: str):
        database = sqlite3.connect(path)
        return database.execute("select name from names").fetchall()
    """
    found = reasons("blocking-database-call", code)
    assert found[0] is not None and found[1:] == [None] * (len(found) - 1)


@pytest.mark.parametrize(
    ("opened", "refused"),
    [
        ('chromadb.PersistentClient("data")', True),
        ('lancedb.connect("data")', True),
        ('QdrantClient(":memory:")', True),
        ("chromadb.HttpClient()", False),
        ('QdrantClient(url="http://db")', False),
    ],
)
def test_a_database_that_is_opened_at_the_first_call(opened: str, refused: bool) -> None:
    code = f"""
    import time
    from functools import lru_cache

    import chromadb
    import lancedb
    from qdrant_client import QdrantClient


    @lru_cache
    def client():
        return {opened}


    def names():
        time.sleep(1)
        return str(client())


    async def all_names():
        return names()
    """
    reason = "`client` opens a database at its first call, which two threads would both do"
    assert reasons("blocking-sleep", code) == [reason if refused else None]


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        ("number = {web}.get_transaction_count(name)\n{web}.send_raw_transaction(number)", True),
        ("number = {web}.get_transaction_count(name)\n{web}.send_transaction(number)", True),
        ("{web}.get_transaction_count(name)", False),
        ("{web}.get_transaction_receipt(name)\n{web}.send_raw_transaction(name)", False),
        ("{web}.send_raw_transaction(name)\n{web}.get_transaction_count(name)", False),
    ],
)
@pytest.mark.parametrize("web", ["self.web.eth", "Web3(Web3.HTTPProvider(name)).eth"])
def test_the_number_of_what_an_account_sends_next(lines: str, refused: bool, web: str) -> None:
    lines = lines.replace("{web}", web)
    below = lines.replace("\n", "\n            ")
    locked = lines.replace("\n", "\n                ")
    code = f"""
    import threading

    from web3 import Web3


    class Wallet:
        def __init__(self, url):
            self.web = Web3(Web3.HTTPProvider(url))
            self.lock = threading.Lock()

        def _send(self, name):
            {below}

        def _in_turn(self, name):
            with self.lock:
                {locked}

        async def run(self, name):
            self._send(name)

        async def run_in_turn(self, name):
            self._in_turn(name)

        async def here(self, name):
            {below}
    """
    number = "which two threads would both do"
    reason = f"`Wallet._send` asks `get_transaction_count` for a number and then uses it, {number}"
    found = reasons("blocking-sdk-call", code)
    assert found[:2] == [reason if refused else None, None]
    assert all((one is not None and "tells the number" in one) is refused for one in found[2:])


def test_a_call_between_a_number_and_its_use() -> None:
    code = """
    from web3 import Web3

    WEB = Web3(Web3.HTTPProvider("http://localhost:8545"))


    async def send(name):
        number = WEB.eth.get_transaction_count(name)
        gas = WEB.eth.estimate_gas({})
        WEB.eth.send_raw_transaction({"nonce": number, "gas": gas})


    async def waits(name, sign):
        number = WEB.eth.get_transaction_count(name)
        WEB.eth.send_raw_transaction(await sign(number))
    """
    reason = "`get_transaction_count` tells the number that `send_raw_transaction` uses, which two at once would both do"
    assert reasons("blocking-sdk-call", code) == [reason] * 3 + [None] * 2


# -- what statements ask and change ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        ("""row = conn.execute("SELECT * FROM users WHERE name = ?", (name,)).fetchone()
                if row is None:
                    conn.execute("INSERT INTO users VALUES (?)", (name,))""", True),
        ("""sql = "select 1 from users where name = ?"
                if conn.execute(sql, (name,)).fetchone() is None:
                    conn.execute(ADD, (name,))""", True),
        ("""if not self._has(name):
                    conn.execute("INSERT INTO users VALUES (?)", (name,))""", True),
        ("""conn.execute("SELECT * FROM users WHERE name = ?", (name,)).fetchone()
                conn.execute(
                    "INSERT INTO users VALUES (?) "
                    "ON CONFLICT DO NOTHING",
                    (name,),
                )""", False),
        ("""conn.execute("SELECT * FROM users WHERE name = ?", (name,)).fetchone()
                conn.execute("INSERT OR IGNORE INTO users VALUES (?)", (name,))""", False),
        ("""conn.execute("SELECT * FROM users WHERE name = ?", (name,)).fetchone()
                conn.execute("INSERT INTO log VALUES (?)", (name,))""", False),
        ("""conn.execute("INSERT INTO users VALUES (?)", (name,))
                return conn.execute("SELECT * FROM users").fetchall()""", False),
        ("""return conn.execute("SELECT * FROM users").fetchall()""", False),
        ("""with self.lock:
                    if not conn.execute("SELECT * FROM users").fetchone():
                        conn.execute("INSERT INTO users VALUES (?)", (name,))""", False),
    ],
)  # fmt: skip
def test_rows_that_are_looked_for_and_then_added(lines: str, refused: bool) -> None:
    code = f"""
    import sqlite3
    import threading

    ADD = "INSERT INTO users VALUES (?)"


    class Users:
        def __init__(self, path):
            self.path = path
            self.lock = threading.Lock()

        def _has(self, name):
            with sqlite3.connect(self.path) as conn:
                return conn.execute("SELECT 1 FROM users WHERE name = ?", (name,)).fetchone()

        def add(self, name):
            with sqlite3.connect(self.path) as conn:
                {lines}

        async def join(self, name):
            self.add(name)
    """
    twice = "`Users.add` asks `sqlite3.connect(self.path)` and then changes it, which two threads would both do"
    assert reasons("blocking-database-call", code) == [twice if refused else None]


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        ("""if session.scalar(select(User).where(User.name == name)) is None:
                session.add(User(name=name))
                session.commit()""", True),
        ("""if session.get(User, name) is None:
                session.execute(insert(User).values(name=name))""", True),
        ("""session.add(User(name=name))
            session.commit()""", False),
        ("""return session.scalars(select(User)).all()""", False),
    ],
)  # fmt: skip
def test_objects_that_are_looked_for_and_then_added(lines: str, refused: bool) -> None:
    code = f"""
    from sqlalchemy import insert, select
    from sqlalchemy.orm import Session

    from models import User, engine


    def join(name):
        with Session(engine) as session:
            {lines}


    async def handle(name):
        return join(name)
    """
    found = reasons("blocking-database-call", code)
    assert [bool(one and "which two threads would both do" in one) for one in found] == [refused]


@pytest.mark.parametrize(
    ("made", "refused"),
    [
        ("create_client(url, key)", True),
        ("create_client(url, key, ClientOptions(httpx_client=httpx.Client(http2=False)))", False),
    ],
)
def test_a_client_over_one_connection_is_for_one_thread(made: str, refused: bool) -> None:
    code = f"""
    import httpx
    from supabase import Client, ClientOptions, create_client


    class Users:
        def __init__(self, url, key):
            self.client: Client = {made}

        def _names(self):
            return self.client.table("users").select("name").execute().data

        async def names(self):
            query = self.client.table("users").select("name")
            return query.execute().data

        async def all_names(self):
            return self._names()
    """
    why = "uses a client that sends over one HTTP/2 connection, which is for one thread at a time"
    wanted = [f"`Users.names` {why}", f"`Users._names` {why}"] if refused else [None, None]
    assert reasons("blocking-sdk-call", code) == wanted


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        ("""if self.keys.get_left(key) < cost:
                raise ValueError(key)
            self.keys.increment_usage(key, cost)""", True),
        ("""with self.lock:
                if self.keys.get_left(key) > cost:
                    self.keys.increment_usage(key, cost)""", False),
        ("""self.keys.increment_usage(key, cost)
            return self.keys.get_left(key)""", False),
        ("""self.other.get_left(key)
            self.keys.increment_usage(key, cost)""", False),
        ("return self.keys.get_left(key)", False),
    ],
)  # fmt: skip
def test_what_is_asked_of_a_store_of_the_project_and_taken_from_it(
    lines: str, refused: bool
) -> None:
    code = f"""
    import sqlite3
    import threading
    from contextlib import closing


    class Keys:
        def __init__(self, path):
            self.path = path
            self.lock = threading.Lock()

        def get_left(self, key):
            with self.lock, closing(sqlite3.connect(self.path)) as conn:
                return conn.execute("SELECT left FROM keys WHERE key = ?", (key,)).fetchone()[0]

        def increment_usage(self, key, cost):
            with self.lock, closing(sqlite3.connect(self.path)) as conn:
                conn.execute("UPDATE keys SET left = left - ? WHERE key = ?", (cost, key))


    class Service:
        def __init__(self, path):
            self.keys = Keys(path)
            self.other = Keys(path)
            self.lock = threading.Lock()

        def check(self, key, cost):
            {lines}

        async def answer(self, key):
            self.check(key, 1)
    """
    twice = (
        "`Service.check` asks `self.keys` and then takes from it, which two threads would both do"
    )
    assert reasons("blocking-database-call", code) == [twice if refused else None]


WAITED = """
    import asyncio

    import redis

    class Lock:
        def __init__(self, client: redis.Redis, key):
            self.client = client
            self.key = key

        def is_locked(self):
            return self.client.exists(self.key)

        def lock(self):
            self.client.set(self.key, "a")


    class Waiting:
        def __init__(self, client: redis.Redis, key):
            self.lock = Lock(client, key)

        async def enter(self, tries):
            {code}
"""


ROUND = """while True:
                if {test}:
                    {first}await asyncio.sleep(1)
                    continue
                break
            self.lock.lock()"""

ROUND_THE_TEST = """while self.lock.is_locked():
                if tries:
                    await asyncio.sleep(1)
                    continue
                break
            self.lock.lock()"""

AWAY = """if self.lock.is_locked():
                await asyncio.sleep(1)
                return
            self.lock.lock()"""


@pytest.mark.parametrize(
    ("code", "taken"),
    [
        (ROUND.format(test="self.lock.is_locked()", first=""), True),
        (ROUND.format(test="tries", first=f"self.lock.is_locked()\n{' ' * 20}"), False),
        (ROUND_THE_TEST, True),
        (AWAY, True),
        (AWAY.replace("                return\n", ""), False),
    ],
)
def test_a_wait_that_goes_round_is_not_between(code: str, taken: bool) -> None:
    found = judged("blocking-database-call", WAITED.format(code=code))
    locking = next(one for one in found if "self.lock.lock" in one.message)
    assert bool(locking.fixes) is not taken
    assert not taken or "which two at once would both do" in (locking.refusal or "")
