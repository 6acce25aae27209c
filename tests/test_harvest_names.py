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
