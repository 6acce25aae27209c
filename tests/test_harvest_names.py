"""Completing lines of names: what came in a package is written at the end, and what is there stays."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parent.parent / "scripts"

PACKAGE = """\
from contextlib import asynccontextmanager

class Base:
    async def ping(self): ...

class Client(Base):
    async def get(self): ...
    async def put(self): ...
    async def watch(self):
        yield 1
    @property
    async def state(self): ...
    @asynccontextmanager
    async def session(self):
        yield self
    async def on_error(self): ...
    async def _hidden(self): ...
    def close(self): ...
    async def described(self): ...
"""
TABLES = """\
library = "shop"
roots = ["shop"]

[classes."shop.Client"]
coroutines = "gone! put:shop.Item"
methods.described = { coroutine = true }
"""


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text(PACKAGE, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(SCRIPTS))
    for name in ("harvest_names", "harvest"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import harvest_names

    assert isinstance(harvest_names, ModuleType)
    return harvest_names


def test_what_is_new_is_written_at_the_end(names: ModuleType) -> None:
    done = names.harvest(TABLES)
    assert 'coroutines = "gone! put:shop.Item get ping"' in done
    assert done.replace(" get ping", "") == TABLES


def test_again_gives_no_difference(names: ModuleType) -> None:
    done = names.harvest(TABLES)
    assert names.harvest(done) == done


def test_what_is_left_out_is_a_file(names: ModuleType) -> None:
    assert {f"{stem}.toml" for stem in names.LEFT_OUT} <= {
        path.name for path in names.KNOWLEDGE.glob("*.toml")
    }


REACHING = """\
class Session:
    def request(self): ...

class Api:
    def __init__(self):
        self.session = Session()
    def _send(self):
        return self.session.request()
    def fetch(self) -> "Item":
        return self._send()
    def fetch_all(self):
        return [self.fetch()]
    def pages(self):
        yield self._send()
    def later(self):
        return lambda: self._send()
    def url(self):
        return "/"
    @property
    def state(self):
        return self._send()

class Item:
    api: Api
    def reload(self):
        return self.shop.api.fetch()
    def name(self):
        return ""

class AsyncItem:
    async def reload(self): ...
    async def buy(self): ...
    async def name(self): ...
    async def close(self): ...
"""
WAITING = """\
library = "shop"
roots = ["shop"]

[classes."shop.Api"]
sdk = ""

[classes."shop.Item"]
sdk = ""
plain = "name"
"""


def write(names: ModuleType, tmp_path: Path, text: str) -> None:
    (tmp_path / "shop" / "__init__.py").write_text(text, "utf-8")
    names.package_of.cache_clear()
    names.packaged.cache_clear()


def test_what_leads_to_a_request_is_found_in_the_source(
    names: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(names, tmp_path, REACHING)
    monkeypatch.setitem(names.REACHES, "shop", ("self.session.request", "shop.api=shop.Api"))
    done = names.harvest(WAITING)
    assert 'sdk = "fetch:shop.Item fetch_all"' in done
    assert 'sdk = "reload"' in done
    assert names.harvest(done) == done


def test_what_the_asynchronous_class_awaits_waits_in_the_synchronous_one(
    names: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(names, tmp_path, REACHING)
    monkeypatch.setitem(names.TWINS, "shop", (r"^shop\.Item$ shop.AsyncItem",))
    assert 'sdk = "reload"' in names.harvest(WAITING)
