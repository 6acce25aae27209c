"""Tests of projects that never start the application: what they ask for is still answered once a client is shared, or is not shared."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import nursery
import pytest
from fixing import applied, findings

RULE = "client-per-request"

APP = """
from fastapi import FastAPI

from shop import pages


def create_app() -> FastAPI:
    app = FastAPI()
    app.include_router(pages.router, prefix="/api")
    return app


app = create_app()
"""

PAGES = """
import asyncio

import httpx
from fastapi import APIRouter

router = APIRouter()


@router.get("/health")
def health() -> str:
    return "well"


def load(address: str) -> int:
    with httpx.Client() as client:
        return client.get(address).status_code


class Loader:
    async def load(self, address: str) -> int:
        async with httpx.AsyncClient() as client:
            return (await client.get(address)).status_code


@router.get("/pages/{name}")
def page(name: str) -> int:
    return load(f"http://127.0.0.1:9/{name}")


@router.get("/later/{name}")
async def later(name: str) -> int:
    return await Loader().load(f"http://127.0.0.1:9/{name}")
"""

HEAD = """
import asyncio

import httpx
import pytest
from fastapi.testclient import TestClient

from shop import pages
from shop.app import app, create_app


class Fake:
    status_code = 299

    def __init__(self, *args, **kwargs): ...
    def __enter__(self): return self
    def __exit__(self, *exc): ...
    def get(self, address): return self


@pytest.fixture(autouse=True)
def reachable(monkeypatch):
    async def answer(self, request):
        return httpx.Response(200)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answer)
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda *_: httpx.Response(200))

"""


def _files(test: str, conftest: str = "") -> dict[str, str]:
    files = {
        "shop/__init__.py": "",
        "shop/app.py": APP,
        "shop/pages.py": PAGES,
        "tests/test_pages.py": HEAD + textwrap.dedent(test),
    }
    return {**files, "tests/conftest.py": HEAD + textwrap.dedent(conftest)} if conftest else files


OWN_TESTS = nursery.Program(
    (str(Path(__file__).with_name("own_tests.py")),),
    "own_tests:main",
    "import fastapi.testclient, httpx, uvicorn.importer, anyio._backends._asyncio",
)


def _assert_both_pass(root: Path, files: dict[str, str]) -> dict[str, str]:
    """The project's own tests pass before and after all fixes; the files that these change."""
    after = applied(files, RULE).after
    projects = {"before": files, "after": files | after} if after else {"before": files}
    for folder, texts in projects.items():
        for name, text in texts.items():
            path = root / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    done = nursery.run(
        OWN_TESTS,
        [str(root / folder) for folder in projects],
        cwd=root,
        env={**os.environ, "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    assert done.stdout.decode().count(" passed") == len(projects)
    return after


def _refusals(files: dict[str, str]) -> dict[str, str]:
    """Why the sync and the async client of the project are not shared; those that are, are left out."""
    found = sorted(findings(files, RULE), key=lambda f: f.span.line)
    assert len(found) == 2
    return {
        kind: one.refusal or ""
        for kind, one in zip(("sync", "async"), found, strict=True)
        if not one.fixes
    }


ASKS = "`tests/test_pages.py` asks for `{}` without starting the application"
CALLS = "`tests/test_pages.py` uses `{}` without an application"
REPLACES = "`tests/test_pages.py` puts something else in the place of `httpx.{}`"


@pytest.mark.parametrize(
    ("test", "sync", "later"),
    [
        pytest.param(
            """
            def test_page():
                assert TestClient(create_app()).get("/api/pages/one").json() == 200
            """,
            ASKS.format("/pages/{name}"),
            None,
            id="one",
        ),
        pytest.param(
            """
            client = TestClient(app)

            def test_page():
                assert client.get("/api/pages/one").json() == 200

            def test_later():
                for name in ("one", "two"):
                    assert client.get(f"/api/later/{name}?again=1").json() == 200
            """,
            ASKS.format("/pages/{name}"),
            ASKS.format("/later/{name}"),
            id="of-the-module",
        ),
        pytest.param(
            """
            client = TestClient(app)

            def test_page():
                for kind in ("pages", "later"):
                    assert client.get(f"/api/{kind}/one").json() == 200
            """,
            ASKS.format("/pages/{name}"),
            ASKS.format("/later/{name}"),
            id="kinds",
        ),
        pytest.param(
            """
            BASE = "/api"

            async def fetched():
                transport = httpx.ASGITransport(app=app)
                async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                    return await client.request("GET", BASE + "/later/one")

            def test_later():
                assert asyncio.run(fetched()).json() == 200
            """,
            None,
            ASKS.format("/later/{name}"),
            id="transport",
        ),
        pytest.param(
            """
            @pytest.fixture
            def client():
                yield TestClient(app)

            def ask(client, path):
                return client.get(path).json()

            def test_both(client):
                assert ask(client, "/api/pages/one") == ask(client, "/api/later/one") == 200
            """,
            ASKS.format("/pages/{name}"),
            ASKS.format("/later/{name}"),
            id="paths-of-a-helper",
        ),
        pytest.param(
            """
            def test_load():
                read = pages.load
                assert read("http://shop") == 200
            """,
            CALLS.format("load"),
            None,
            id="by-another-name",
        ),
        pytest.param(
            """
            from shop.pages import load as read

            def test_load():
                assert read("http://shop") == 200
            """,
            CALLS.format("load"),
            None,
            id="imported-as",
        ),
        pytest.param(
            """
            import threading
            from threading import Thread

            def test_load():
                failed = []
                threading.excepthook = failed.append
                thread = Thread(target=pages.load, args=("http://shop",))
                thread.start()
                thread.join()
                assert not failed
            """,
            CALLS.format("load"),
            None,
            id="handed-over",
        ),
        pytest.param(
            """
            @pytest.fixture
            def loader():
                return pages.Loader()

            def test_loader(loader):
                assert asyncio.run(loader.load("http://shop")) == 200
            """,
            None,
            CALLS.format("Loader.load"),
            id="method",
        ),
        pytest.param(
            """
            @pytest.fixture
            def client():
                return TestClient(app)

            def test_page(client):
                with client:
                    assert client.get("/api/health").json() == "well"

            @pytest.fixture
            def another():
                return TestClient(app)

            def test_pages(another):
                assert another.get("/api/pages/one").json() == 200
            """,
            ASKS.format("/pages/{name}"),
            None,
            id="one-of-two",
        ),
        pytest.param(
            """
            def test_page(monkeypatch):
                with TestClient(app) as client:
                    monkeypatch.setattr(pages.httpx, "Client", Fake)
                    assert client.get("/api/pages/one").json() == 299
            """,
            REPLACES.format("Client"),
            None,
            id="patched",
        ),
        pytest.param(
            """
            from unittest.mock import patch

            def test_page():
                with TestClient(app) as client, patch("httpx.Client", Fake):
                    assert client.get("/api/pages/one").json() == 299
            """,
            REPLACES.format("Client"),
            None,
            id="patched-by-name",
        ),
        pytest.param(
            """
            from unittest.mock import patch

            def test_page():
                with TestClient(app) as client:
                    with patch.object(httpx.Client, "__enter__", lambda self: Fake()):
                        assert client.get("/api/pages/one").json() == 299
            """,
            REPLACES.format("Client"),
            None,
            id="patched-entering",
        ),
    ],
)
def test_what_is_tested_without_a_start_is_not_shared(
    tmp_path: Path, test: str, sync: str | None, later: str | None
) -> None:
    files = _files(test)
    reasons = {"sync": sync, "async": later}
    assert _refusals(files) == {kind: reason for kind, reason in reasons.items() if reason}
    _assert_both_pass(tmp_path, files)


@pytest.mark.parametrize(
    "test",
    [
        pytest.param(
            """
            def test_pages():
                with TestClient(create_app()) as client:
                    assert client.get("/api/pages/one").json() == 200
                    assert client.get("/api/later/one").json() == 200
            """,
            id="with",
        ),
        pytest.param(
            """
            client = TestClient(app)

            def test_pages():
                with client:
                    assert client.get("/api/pages/one").json() == 200
                    assert client.get("/api/later/one").json() == 200
            """,
            id="entered-later",
        ),
        pytest.param(
            """
            @pytest.fixture
            def started():
                return TestClient(app)

            def test_pages(started):
                with started as client:
                    assert client.get("/api/pages/one").json() == 200
            """,
            id="entered-by-the-test",
        ),
        pytest.param(
            """
            def make_client():
                return TestClient(app)

            def test_pages():
                with make_client() as client:
                    assert client.get("/api/pages/one").json() == 200
            """,
            id="made-and-entered",
        ),
        pytest.param(
            """
            from unittest.mock import patch

            def read(address):
                return asyncio.run(asyncio.sleep(0, address))

            def test_pages():
                with patch("shop.pages.load", return_value=201), TestClient(app) as client:
                    assert client.get("/api/pages/one").json() == 201
                assert read("one") == "one"
            """,
            id="patched-function",
        ),
        pytest.param(
            """
            from contextlib import ExitStack

            def test_pages():
                with ExitStack() as stack:
                    client = stack.enter_context(TestClient(app))
                    assert client.get("/api/pages/one").json() == 200
            """,
            id="entered-by-a-stack",
        ),
        pytest.param(
            """
            async def asked():
                transport = httpx.ASGITransport(app=app)
                async with app.router.lifespan_context(app):
                    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                        return await client.get("/api/pages/one")

            def test_pages():
                assert asyncio.run(asked()).json() == 200
            """,
            id="lifespan",
        ),
        pytest.param(
            """
            def test_health():
                assert TestClient(app).get("/api/health").json() == "well"

            def test_settings():
                assert {"/pages/one": 1}.get("/pages/{name}") is None
                assert {}.get("key") is None
            """,
            id="another-route",
        ),
        pytest.param(
            """
            def test_page(monkeypatch):
                monkeypatch.setattr(pages, "page", lambda name: 200)
                monkeypatch.setattr(httpx.Client, "get", lambda self, address: httpx.Response(201))
                client: httpx.Client = None
                with TestClient(app) as client:
                    assert client.get("/api/pages/one").json() == 201
            """,
            id="patched-method",
        ),
    ],
)
def test_what_is_started_is_shared(tmp_path: Path, test: str) -> None:
    files = _files(test)
    assert _refusals(files) == {}
    after = _assert_both_pass(tmp_path, files)
    assert "httpx.Client()" not in after["shop/pages.py"]


@pytest.mark.parametrize(
    ("conftest", "test", "reasons"),
    [
        pytest.param(
            """
            @pytest.fixture
            def client():
                return TestClient(app)
            """,
            """
            def test_page(client):
                assert client.get("/api/pages/one").json() == 200
            """,
            {"sync": ASKS.format("/pages/{name}")},
            id="client",
        ),
        pytest.param(
            """
            @pytest.fixture
            def loader():
                return pages.Loader()
            """,
            """
            def test_loader(loader):
                assert asyncio.run(loader.load("http://shop")) == 200
            """,
            {"async": CALLS.format("Loader.load")},
            id="object",
        ),
        pytest.param(
            """
            @pytest.fixture
            def client():
                with TestClient(app) as client:
                    yield client
            """,
            """
            def test_page(client):
                assert client.get("/api/pages/one").json() == 200
            """,
            {},
            id="started",
        ),
    ],
)
def test_fixtures_of_all_tests(
    tmp_path: Path, conftest: str, test: str, reasons: dict[str, str]
) -> None:
    files = _files(test, conftest)
    assert _refusals(files) == reasons
    _assert_both_pass(tmp_path, files)


SERVER = """
import httpx
from mcp.server.fastmcp import FastMCP

mcp = FastMCP("pages")


@mcp.tool()
async def page(address: str) -> int:
    async with httpx.AsyncClient() as client:
        return (await client.get(address)).status_code
"""


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        (
            "import server\n\n\nasync def test_page():\n    await server.mcp.call_tool('page', {})\n",
            "`tests/test_server.py` calls tools of `mcp` without a session",
        ),
        (
            "from server import mcp\n\n\nasync def test_page(session):\n    await session.call_tool('page', {})\n",
            None,
        ),
    ],
)
def test_tools_that_are_called_without_a_session(test: str, reason: str | None) -> None:
    [found] = findings({"server.py": SERVER, "tests/test_server.py": test}, RULE)
    assert found.refusal == reason
