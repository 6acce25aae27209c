"""What building a client costs: measured on the clients that are here, and written down for all of them."""

from __future__ import annotations

import importlib
import importlib.util
import socket
import ssl
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from asynclint.knowledge.compiled import read
from asynclint.knowledge.index import FILES
from asynclint.knowledge.lazy import Lazy
from asynclint.knowledge.load import library

SCRIPT = Path(__file__).parent.parent / "scripts" / "construct.py"


@pytest.fixture(scope="module")
def construct() -> ModuleType:
    spec = importlib.util.spec_from_file_location("construct", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["construct"] = module
    spec.loader.exec_module(module)
    return module


def find(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def clients(stem: str) -> list[str]:
    """The clients of a file that the verified release has."""
    tables = read(stem)
    found: list[str] = []
    for root in (tables["roots"][0], *tables.get("twins", ())):
        lib = library(tables, root, stem)
        assert isinstance(lib.classes, Lazy)
        for path, cls in lib.classes.everything().items():
            methods = [m.name for m in cls.methods.values() if m.client is not None]
            found += [path] * (cls.client is not None) + methods
        found += [f.name for f in lib.functions.values() if f.client is not None]
        found = [p for p in found if not any(p == o or p.startswith(f"{o}.") for o in lib.old)]
    return found


@pytest.mark.parametrize("stem", [stem for stem in sorted(FILES) if clients(stem)])
def test_how_each_client_is_built_is_written_down(construct: ModuleType, stem: str) -> None:
    assert not [path for path in clients(stem) if construct.how(path) is None]


def test_what_is_written_down_is_of_a_client(construct: ModuleType) -> None:
    known = {path for stem in FILES for path in clients(stem)}
    assert not [path for path in construct.table() if "*" not in path and path not in known]


@pytest.mark.parametrize(
    ("path", "cost", "is_async"),
    [
        ("httpx.Client", "tls", False),
        ("httpx.AsyncClient", "tls", True),
        ("anthropic.AsyncAnthropic", "tls", True),
        ("openai.OpenAI", "tls", False),
        ("requests.Session", "light", False),
        ("aiohttp.ClientSession", "light", True),
    ],
)
def test_a_cost_that_holds_and_ones_that_do_not(
    construct: ModuleType, path: str, cost: str, is_async: bool
) -> None:
    pytest.importorskip(path.partition(".")[0])
    assert construct.judged(path, cost, is_async, find) is None
    other = "light" if cost == "tls" else "tls"
    wrong = construct.judged(path, other, is_async, find)
    assert wrong is not None and wrong.startswith(f"is said to cost '{other}', and building it")
    assert "connect" in construct.judged(path, "connect", is_async, find)


def test_a_client_that_cannot_be_built_is_a_problem(
    construct: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("httpx")
    monkeypatch.setattr(construct, "table", lambda: {"httpx.Client": {"make": "make(nonsense=1)"}})
    assert "cannot be built: TypeError" in construct.judged("httpx.Client", "tls", False, find)
    assert "nothing in scripts/constructions.toml" in construct.judged(
        "httpx.AsyncClient", "tls", True, find
    )


def test_nothing_is_reached_and_everything_is_put_back(construct: ModuleType) -> None:
    before = (socket.socket.connect, socket.getaddrinfo, ssl.SSLContext.load_verify_locations)
    cost = construct.Cost()
    with construct.refused(cost), pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", 9))
    assert cost.connections == 1
    assert before == (
        socket.socket.connect,
        socket.getaddrinfo,
        ssl.SSLContext.load_verify_locations,
    )
