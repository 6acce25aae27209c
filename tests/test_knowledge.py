"""Knowledge: what a path means, how libraries are loaded, and what a user may add."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import asynclint.knowledge
from asynclint.knowledge import Knowledge, KnowledgeError, Shelf, describe
from asynclint.knowledge.compiled import FOLDER, parse
from asynclint.knowledge.described import overridden
from asynclint.knowledge.index import FILES
from asynclint.knowledge.lazy import Lazy
from asynclint.knowledge.load import library
from asynclint.knowledge.model import Function

SCRIPTS = Path(__file__).parent.parent / "scripts"


@pytest.fixture(scope="module")
def known() -> Knowledge:
    return Knowledge()


def function(known: Knowledge, path: str) -> Function:
    found = known.function(path)
    assert found is not None, path
    return found


def method(known: Knowledge, cls: str, name: str) -> Function:
    found = known.method(cls, name)
    assert found is not None, f"{cls}.{name}"
    return found


# -- every file ---------------------------------------------------------------------------------


@pytest.mark.parametrize("stem", sorted(path.stem for path in FOLDER.glob("*.toml")))
def test_a_file_loads_whole_and_its_types_are_expressions(stem: str) -> None:
    tables = parse((FOLDER / f"{stem}.toml").read_text("utf-8"))
    for root in (tables["roots"][0], *tables.get("twins", ())):
        lib = library(tables, root, stem)
        assert isinstance(lib.classes, Lazy)
        classes = lib.classes.everything()
        methods = [m for cls in classes.values() for m in cls.methods.values()]
        types = [f.returns for f in (*lib.functions.values(), *methods) if f.returns]
        types += [t for cls in classes.values() for t in cls.attributes.values()]
        for type_ in types:
            compile(type_, stem, "eval")


def test_every_root_has_something_below_it(known: Knowledge) -> None:
    for _, _, roots in FILES.values():
        for root in roots:
            paths: set[str] = set()
            for lib in known.libraries(root):
                assert isinstance(lib.classes, Lazy)
                paths |= {*lib.functions, *lib.classes.paths(), *lib.aliases}
            assert any(p == root or p.startswith(root + ".") for p in paths), root


def test_a_name_is_told_of_once(known: Knowledge) -> None:
    seen: dict[str, str] = {}
    for stem, (_, _, roots) in FILES.items():
        lib = library(parse((FOLDER / f"{stem}.toml").read_text("utf-8")), roots[0], stem)
        assert isinstance(lib.classes, Lazy)
        for path in {*lib.functions, *lib.classes.paths()}:
            if path in seen and {stem, seen[path]} != {"openai", "openai_sdk"}:
                pytest.fail(f"{path} is in {seen[path]}.toml and in {stem}.toml")
            seen[path] = stem


def test_what_moved_is_known_under_both_names(known: Knowledge) -> None:
    told = {}
    for root in known.roots:
        for lib in known.libraries(root):
            told |= lib.history
    for path, history in told.items():
        for name in filter(None, (path, history.earlier, history.later)):
            assert (
                known.cls(name)
                or known.function(name)
                or known.is_module(known.canonical(name))
                or known.canonical(name) != name
            ), f"{path}: {name}"
        for release in filter(None, (history.since, history.gone)):
            assert re.fullmatch(r"[\w-]+ \d+(\.\d+)*", release), f"{path}: {release}"


LISTED = """
    anthropic openai google.genai mistralai cohere groq together ollama litellm huggingface_hub replicate langchain_core langchain_openai
    langchain_anthropic llama_index instructor tavily exa_py httpx httpx2 requests urllib3 aiohttp niquests curl_cffi boto3 botocore
    aioboto3 aiobotocore google.cloud.storage google.cloud.bigquery google.cloud.pubsub_v1 google.cloud.firestore azure.storage.blob
    azure.storage.blob.aio azure.identity azure.identity.aio azure.cosmos azure.cosmos.aio minio s3fs fsspec psycopg psycopg2 asyncpg
    pymysql aiomysql mysql.connector sqlite3 aiosqlite sqlalchemy sqlmodel tortoise peewee django pymongo motor redis redis.asyncio
    elasticsearch opensearchpy cassandra neo4j clickhouse_connect duckdb influxdb_client qdrant_client chromadb weaviate pinecone
    pymilvus lancedb kafka confluent_kafka aiokafka pika aio_pika nats celery rq dramatiq arq taskiq grpc grpc.aio paramiko asyncssh
    docker kubernetes stripe twilio slack_sdk slack_bolt sendgrid discord aiogram telegram smtplib aiosmtplib tenacity backoff
    aiolimiter anyio trio asgiref aiofiles aiocache cachetools sse_starlette fastapi starlette litestar sanic quart flask aiohttp.web
    tornado channels strawberry chainlit gradio mcp fastmcp pydantic_ai agents langgraph PIL pandas polars numpy bcrypt argon2
    passlib sentence_transformers transformers
"""


@pytest.mark.parametrize("name", LISTED.split())
def test_what_services_use_is_known(known: Knowledge, name: str) -> None:
    paths = {name}
    for lib in known.libraries(name):
        assert isinstance(lib.classes, Lazy)
        paths |= {*lib.functions, *lib.classes.paths(), *lib.aliases}
    assert any(path.startswith(name + ".") for path in paths)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("motor.motor_asyncio.AsyncIOMotorClient", "pymongo.AsyncMongoClient"),
        ("aioredis", "redis.asyncio"),
        ("httpx.AsyncClient", "httpx2.AsyncClient"),
        ("openai.ChatCompletion", "openai.OpenAI"),
        ("anthropic.resources.Completions", "anthropic.resources.Messages"),
        ("mistralai.Mistral", "mistralai.client.Mistral"),
        ("mistralai.client.MistralClient", "mistralai.Mistral"),
        ("mcp.server.fastmcp.FastMCP", "mcp.server.MCPServer"),
    ],
)
def test_old_names_say_what_stands_in_their_place(known: Knowledge, old: str, new: str) -> None:
    history = known.history(old)
    assert history is not None and history.later == new
    assert f"now {new}" in describe(old) or f"now {new}" in describe(old.partition(".")[0])


def test_bases_are_known(known: Knowledge) -> None:
    for stem, (_, _, roots) in FILES.items():
        lib = library(parse((FOLDER / f"{stem}.toml").read_text("utf-8")), roots[0], stem)
        assert isinstance(lib.classes, Lazy)
        for cls in lib.classes.everything().values():
            for base in cls.bases:
                if not base.rpartition(".")[2].startswith(("Base", "_")):
                    assert known.cls(base) is not None, f"{cls.name}: {base}"


def test_twins_are_known_and_answer_each_other(known: Knowledge) -> None:
    for root in sorted(known.roots):
        for lib in known.libraries(root):
            assert isinstance(lib.classes, Lazy)
            for cls in lib.classes.everything().values():
                if cls.client is not None and cls.client.twin is not None:
                    twin = known.cls(cls.client.twin) or known.function(cls.client.twin)
                    assert twin is not None, f"{cls.name}: {cls.client.twin}"


def test_the_index_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "knowledge_index.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_what_was_verified_can_be_installed_again(known: Knowledge) -> None:
    """Each file's distributions are pinned together, at these versions, in one file of requirements."""
    environments = []
    for path in SCRIPTS.glob("knowledge-requirements-*.txt"):
        pins = re.findall(r"(?m)^([\w.-]+)(?:\[.*\])?==(\S+)", path.read_text("utf-8"))
        environments.append({(re.sub(r"[-_.]+", "-", n).lower(), v) for n, v in pins})
    for stem in FILES:
        verified = parse((FOLDER / f"{stem}.toml").read_text("utf-8")).get("verified", {})
        wanted = {(re.sub(r"[-_.]+", "-", n).lower(), v) for n, v in verified.items()}
        assert any(wanted <= pins for pins in environments), f"{stem}.toml: {sorted(wanted)}"


def test_nothing_is_read_before_it_is_asked_for() -> None:
    shelf = Shelf()
    knowledge = Knowledge(shelf=shelf)
    assert {"asyncio", "openai", "google"} <= knowledge.roots
    assert not shelf.tables
    knowledge.function("time.sleep")
    assert list(shelf.tables) == ["threads"]
    knowledge.function("no_such_library.call")
    assert set(shelf.tables) <= {"threads", "builtins"}


def test_nothing_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Knowledge().cls("openai.AsyncOpenAI")
    monkeypatch.setattr("asynclint.knowledge.read", None)
    monkeypatch.setattr("asynclint.knowledge.library", None)
    assert Knowledge().cls("openai.AsyncOpenAI") == first


# -- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("time.sleep", "time.sleep"),
        ("asyncio.tasks.gather", "asyncio.gather"),
        ("posixpath.join", "os.path.join"),
        ("builtins.open", "builtins.open"),
        ("open", "builtins.open"),
        ("httpx._client.Client", "httpx.Client"),
        ("httpx2._client.Client", "httpx2.Client"),
        ("openai.lib.azure.AsyncAzureOpenAI", "openai.AsyncAzureOpenAI"),
        ("openai.AsyncClient", "openai.AsyncOpenAI"),
        ("fastapi.Request", "starlette.requests.Request"),
        ("fastapi.responses.StreamingResponse", "starlette.responses.StreamingResponse"),
        ("mistralai.Mistral", "mistralai.client.Mistral"),
        ("concurrent.futures.thread.ThreadPoolExecutor", "concurrent.futures.ThreadPoolExecutor"),
        ("openai.types.Completion", "openai.types.Completion"),
        ("myproject.module.name", "myproject.module.name"),
    ],
)
def test_canonical(known: Knowledge, path: str, canonical: str) -> None:
    assert known.canonical(path) == canonical


def test_modules(known: Knowledge) -> None:
    for path in ("httpx", "httpx2", "concurrent.futures", "concurrent", "os.path", "openai"):
        assert known.is_module(path), path
    for path in ("httpx.Client", "time.sleep", "pathlib.Path", "nothing"):
        assert not known.is_module(path), path


def test_unknown_is_none(known: Knowledge) -> None:
    assert known.function("httpx.no_such_function") is None
    assert known.cls("httpx.NoSuchClass") is None
    assert known.method("httpx.Client", "no_such_method") is None
    assert known.attribute("httpx.Client", "no_such_attribute") is None
    assert known.mro("no.such.Class") == ("no.such.Class",)


def test_twin_roots_are_one_table(known: Knowledge) -> None:
    assert method(known, "httpx2.AsyncClient", "get").returns == "httpx2.Response"
    cls = known.cls("httpx2.Client")
    assert cls is not None and cls.client is not None
    assert cls.client.twin == "httpx2.AsyncClient"


def test_inheritance(known: Knowledge) -> None:
    assert known.mro("asyncio.Task") == ("asyncio.Task", "asyncio.Future")
    assert method(known, "asyncio.Task", "add_done_callback").calls_on_loop == 0
    azure = known.cls("openai.AsyncAzureOpenAI")
    assert azure is not None and azure.client is not None and azure.client.is_async
    assert known.attribute("openai.AsyncAzureOpenAI", "chat") == "openai.resources.AsyncChat"


# -- what libraries do --------------------------------------------------------------------------


def test_the_standard_library(known: Knowledge) -> None:
    assert function(known, "time.sleep").blocks == "sleep"
    assert function(known, "asyncio.sleep").coroutine
    assert function(known, "asyncio.gather").gathers
    assert function(known, "asyncio.to_thread").offloads == 0
    assert not method(known, "asyncio.AbstractEventLoop", "run_in_executor").coroutine
    assert method(known, "asyncio.TaskGroup", "create_task").keeps
    assert ("block", "False") in method(known, "queue.Queue", "get").unless
    assert method(known, "queue.Queue", "put").blocks is None
    assert method(known, "pathlib.Path", "read_text").blocks == "file"
    assert method(known, "pathlib.Path", "exists").short
    assert method(known, "asyncio.Task", "result").blocks is None
    assert method(known, "concurrent.futures.Future", "result").blocks == "wait"
    walk = known.cls(function(known, "os.walk").returns or "")
    assert walk is not None and walk.iter_blocks == "file"
    executor = known.cls("concurrent.futures.ProcessPoolExecutor")
    assert executor is not None and executor.enter_blocks == "wait"


def test_frameworks_run_functions(known: Knowledge) -> None:
    (route,) = method(known, "fastapi.APIRouter", "get").registers
    assert (route.often, route.sync, route.param) == ("request", "thread", None)
    (dependency,) = function(known, "fastapi.Depends").registers
    assert (dependency.role, dependency.param) == ("dependency", 0)
    old = method(known, "mcp.server.fastmcp.FastMCP", "tool").registers[0]
    new = method(known, "mcp.server.MCPServer", "tool").registers[0]
    assert (old.sync, new.sync) == ("loop", "thread")


def follow(known: Knowledge, cls: str, *names: str) -> Function:
    for name in names[:-1]:
        found = known.attribute(cls, name)
        assert found is not None, f"{cls}.{name}"
        cls = found
    return method(known, cls, names[-1])


@pytest.mark.parametrize("package", ["openai", "anthropic"])
def test_sdk_pages_streams_and_wrappers(known: Knowledge, package: str) -> None:
    sync, twin = (
        ("OpenAI", "AsyncOpenAI") if package == "openai" else ("Anthropic", "AsyncAnthropic")
    )
    create = ("chat", "completions", "create") if package == "openai" else ("messages", "create")
    one = follow(known, f"{package}.{sync}", *create)
    assert one.blocks == "sdk"
    assert one.returns_if == (("stream", "True", f"{package}.Stream"),)
    other = follow(known, f"{package}.{twin}", *create)
    assert other.coroutine and other.blocks is None
    stream = known.cls(f"{package}.Stream")
    assert stream is not None and stream.iter_blocks == "sdk"
    pages = follow(known, f"{package}.{twin}", "models", "list")
    assert pages.coroutine and pages.iterates == "async"
    manager = follow(known, f"{package}.{sync}", *create[:-1], "stream")
    assert manager.enters == "sync" and manager.enter_blocks and manager.blocks == "sdk"
    manager = follow(known, f"{package}.{twin}", *create[:-1], "stream")
    assert manager.enters == "async" and not manager.coroutine and manager.blocks is None
    raw = follow(known, f"{package}.{sync}", "with_raw_response", *create)
    assert raw.blocks == "sdk"
    streaming = follow(
        known, f"{package}.{twin}", *create[:-1], "with_streaming_response", create[-1]
    )
    assert streaming.enters == "async" and not streaming.coroutine
    assert method(known, f"{package}.{twin}", "with_options").returns == "Self"
    assert method(known, f"{package}.{twin}", "close").coroutine
    assert method(known, f"{package}.{sync}", "close").blocks is None


def test_methods_made_at_run_time_are_not_listed(known: Knowledge) -> None:
    dynamic = method(known, "botocore.client.BaseClient", "__getattr__")
    assert dynamic.blocks == "sdk" and known.method("botocore.client.BaseClient", "invoke") is None
    assert method(known, "aiobotocore.client.AioBaseClient", "__getattr__").coroutine


def test_openai_module_and_old_names(known: Knowledge) -> None:
    assert function(known, "openai.chat.completions.create").blocks == "sdk"
    assert function(known, "openai.ChatCompletion.create").blocks == "sdk"
    assert function(known, "openai.ChatCompletion.acreate").coroutine


# -- a user's own -------------------------------------------------------------------------------


def test_simple_forms() -> None:
    known = Knowledge(
        {
            "blocking": {"mylib.fetch": "http", "httpx.Client.sip": "http"},
            "clients": ["mylib.Client", "mylib.AsyncClient"],
            "entry-points": ["mylib.handler"],
            "offloaders": ["mylib.in_thread"],
            "task-keepers": ["hass.async_create_task"],
        }
    )
    assert {"mylib", "hass"} <= known.roots
    assert function(known, "mylib.fetch").blocks == "http"
    assert method(known, "httpx.Client", "sip").blocks == "http"
    assert method(known, "httpx.Client", "get").blocks == "http"
    client = known.cls("mylib.AsyncClient")
    assert client is not None and client.client is not None and client.client.is_async
    assert function(known, "mylib.handler").registers[0].often == "request"
    assert function(known, "mylib.in_thread").offloads == 0
    assert function(known, "hass.async_create_task").keeps


def test_the_users_word_wins() -> None:
    known = Knowledge(
        {
            "modules": {"time": {"plain": "sleep"}},
            "classes": {"httpx.Client": {"plain": "get", "client": {"cost": "light"}}},
            "aliases": {"mylib.Http": "httpx.Client"},
        }
    )
    assert function(known, "time.sleep").blocks is None
    assert method(known, "httpx.Client", "get").blocks is None
    assert method(known, "mylib.Http", "post").blocks == "http"
    cls = known.cls("mylib.Http")
    assert cls is not None and cls.client is not None
    assert (cls.client.cost, cls.enter) == ("light", "sync")


def test_a_user_class_in_the_tables_notation() -> None:
    known = Knowledge(
        {
            "classes": {
                "mylib.Store": {
                    "database": "load,save:bytes",
                    "coroutines": "aload",
                    "attributes": {"http": "httpx.AsyncClient"},
                    "methods": {"watch": {"enters": "async", "returns": "mylib.Watch"}},
                }
            }
        }
    )
    assert method(known, "mylib.Store", "save").returns == "bytes"
    assert method(known, "mylib.Store", "aload").coroutine
    assert known.attribute("mylib.Store", "http") == "httpx.AsyncClient"
    assert method(known, "mylib.Store", "watch").enters == "async"


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {"blocked": {}},
            "tool.asynclint.knowledge: unknown key 'blocked'; did you mean 'blocking'?",
        ),
        (
            {"blocking": ["mylib.f"]},
            "tool.asynclint.knowledge.blocking must be a table of functions",
        ),
        (
            {"blocking": {"mylib.f": "htp"}},
            "tool.asynclint.knowledge.blocking.\"mylib.f\": unknown kind 'htp'; did you mean 'http'?",
        ),
        ({"clients": "mylib.Client"}, "tool.asynclint.knowledge.clients must be a list"),
        (
            {"offloaders": ["my lib"]},
            "tool.asynclint.knowledge.offloaders: 'my lib' is no dotted name",
        ),
        (
            {"classes": {"a.B": {"metods": {}}}},
            "tool.asynclint.knowledge: classes.a.B: unknown key 'metods'; did you mean 'methods'?",
        ),
        ({"classes": {"a.B": 1}}, "tool.asynclint.knowledge: classes.a.B must be a table"),
        (
            {"classes": {"a.B": {"methods": {"f": {"coroutine": 1}}}}},
            "tool.asynclint.knowledge: classes.a.B.methods.f.coroutine must be true or false",
        ),
        (
            {"modules": {"a": {"functions": {"f": {"blocks": "disk"}}}}},
            "tool.asynclint.knowledge: modules.a.functions.f.blocks: unknown value 'disk'",
        ),
        (
            {"modules": {"a": {"plain": "f", "http": "f"}}},
            "tool.asynclint.knowledge: modules.a: 'f' is there twice, with different meanings",
        ),
        (
            {"classes": {"a.B": {"plain": "f", "methods": {"f": {"coroutine": True}}}}},
            "tool.asynclint.knowledge: classes.a.B: 'f' is there twice, with different meanings",
        ),
        (
            {"blocking": {"a.f": "http"}, "offloaders": ["a.f"]},
            "tool.asynclint.knowledge.offloaders: 'a.f' is there twice, with different meanings",
        ),
        (
            {"blocking": {"a.f": "http"}, "modules": {"a": {"plain": "f"}}},
            "tool.asynclint.knowledge.blocking: 'a.f' is there twice, with different meanings",
        ),
        (
            {"blocking": {"a.B.f": "http"}, "classes": {"a.B": {"plain": "f"}}},
            "tool.asynclint.knowledge.blocking: 'a.B.f' is there twice, with different meanings",
        ),
        (
            {"modules": {"a": {"plain": "f:Foo["}}},
            "tool.asynclint.knowledge: a.f: 'Foo[' is no type",
        ),
        (
            {"classes": {"a.B": {"client": {"kost": "tls"}}}},
            "tool.asynclint.knowledge: classes.a.B.client: unknown key 'kost'; did you mean 'cost'?",
        ),
    ],
)
def test_bad_tables_say_where(tables: dict[str, object], message: str) -> None:
    with pytest.raises(KnowledgeError) as caught:
        Knowledge(tables)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_what_wins_over_what_ships_is_told() -> None:
    lines = overridden(
        {
            "blocking": {"httpx.get": "http", "mylib.f": "http", "asyncio.sleep": "sleep"},
            "modules": {"time": {"plain": "sleep"}},
            "classes": {
                "httpx.Client": {"plain": "get close", "client": {"cost": "light"}},
                "openai.OpenAI": {"attributes": {"chat": "mylib.Chat"}},
                "mylib.Client": {"http": "get"},
            },
            "aliases": {"openai.Client": "mylib.Client", "mylib.Http": "httpx.Client"},
        }
    )
    assert [line.partition(":")[0] for line in lines] == [
        "asyncio.sleep",
        "httpx.Client.get",
        "httpx.Client",
        "httpx.get",
        "openai.Client",
        "openai.OpenAI.chat",
        "time.sleep",
    ]
    assert lines[0] == "asyncio.sleep: blocks (sleep); what ships says: to be awaited"
    assert lines[1].startswith("httpx.Client.get: neither blocks nor has to be awaited; what ships")
    assert overridden({}) == []


# -- what is printed ----------------------------------------------------------------------------


def test_describe() -> None:
    assert describe is asynclint.knowledge.describe, "no module of this name takes its place"
    assert "openai 3.52.0" in describe(None)
    assert "blocks (sleep)" in describe("time.sleep")
    assert "offloads 0" in describe("asyncio.to_thread")
    assert ".get(): to be awaited" in describe("httpx.AsyncClient")
    assert "tavily.TavilyClient" in describe("tavily")
    assert "keeps no connections" in describe("slack_sdk.WebClient")
    listed = {line.split("  ")[0]: line for line in describe(None).splitlines()}
    assert listed["threads and processes"].endswith("(standard library)")
    assert listed["models in the process"].endswith("(not verified)")
    with pytest.raises(KnowledgeError, match="nothing is known of 'htpx'; did you mean 'httpx'"):
        describe("htpx")
