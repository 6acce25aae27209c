"""The tables as they are kept for reading: the same as their source, never older, and cheap."""

from __future__ import annotations

import marshal
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from asynclint.knowledge import Knowledge, Shelf, compiled
from asynclint.knowledge.index import FILES

ONE = 'library = "one"\nroots = ["one"]\n[classes."one.A"]\nhttp = "get"\n'
OTHER = ONE.replace("get", "put")
"""As long as ONE."""

MOST = 1_000_000
"""Bytes that a run may have to read of all tables."""


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test reads what is kept anew, and may keep something."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    forget()
    yield
    forget()


def forget() -> None:
    compiled._shipped.cache_clear()
    compiled._kept.cache_clear()


def plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    return value


def parsing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are parsed from now on."""
    texts: list[str] = []

    def counted(text: str, parse: Any = compiled.parse) -> Any:
        texts.append(text)
        return parse(text)

    monkeypatch.setattr(compiled, "parse", counted)
    return texts


@pytest.mark.parametrize("stem", sorted(FILES))
def test_packing_changes_nothing(stem: str) -> None:
    tables = compiled.parse((compiled.FOLDER / f"{stem}.toml").read_text("utf-8"))
    assert plain(compiled.read(stem)) == tables


def test_a_file_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one.toml").write_text(ONE, "utf-8")
    texts = parsing(monkeypatch)
    first = compiled.read("one", tmp_path)
    forget()
    assert plain(compiled.read("one", tmp_path)) == plain(first) == compiled.parse(ONE)
    assert texts[:-1] == [ONE]


def test_a_changed_file_is_read_again_though_its_size_and_time_are_the_same(tmp_path: Path) -> None:
    source = tmp_path / "one.toml"
    source.write_text(ONE, "utf-8")
    os.utime(source, (1, 1))
    (tmp_path / compiled.NAME).write_bytes(compiled.pack(tmp_path))
    assert compiled.read("one", tmp_path)["classes"]["one.A"] == {"http": "get"}
    source.write_text(OTHER, "utf-8")
    os.utime(source, (1, 1))
    assert compiled.read("one", tmp_path)["classes"]["one.A"] == {"http": "put"}
    forget()
    assert compiled.read("one", tmp_path)["classes"]["one.A"] == {"http": "put"}


def test_a_shipped_file_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a read-only installation needs: nothing is parsed and nothing is written."""
    (tmp_path / "one.toml").write_text(ONE, "utf-8")
    (tmp_path / compiled.NAME).write_bytes(compiled.pack(tmp_path))
    texts = parsing(monkeypatch)
    assert plain(compiled.read("one", tmp_path))["roots"] == ["one"]
    assert not texts
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.toml", compiled.NAME]


def test_where_nothing_can_be_written_it_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one.toml").write_text(ONE, "utf-8")

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "write_bytes", refused)
    assert plain(compiled.read("one", tmp_path)) == compiled.parse(ONE)
    assert not list(tmp_path.rglob("tables.bin*"))


@pytest.mark.parametrize(
    "content",
    [b"", b"nothing", marshal.dumps((0, {})), marshal.dumps(7), marshal.dumps((1, []))],
)
def test_a_damaged_file_is_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "one.toml").write_text(ONE, "utf-8")
    (tmp_path / compiled.NAME).write_bytes(content)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / compiled.NAME).write_bytes(content)
    assert plain(compiled.read("one", tmp_path)) == compiled.parse(ONE)


def test_a_prefix_for_compiled_modules_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "one.toml").write_text(ONE, "utf-8")
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "prefix"))
    compiled.read("one", folder)
    assert [path.name for path in folder.iterdir()] == ["one.toml"]
    assert list((tmp_path / "prefix").rglob(compiled.NAME))


def test_all_of_it_is_read_once_and_nothing_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every library's tables, read from the disk: the work is counted, as its time depends on the machine."""
    folder = tmp_path / "knowledge"
    shutil.copytree(compiled.FOLDER, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (folder / compiled.NAME).write_bytes(compiled.pack())
    read: list[str] = []

    def counted(stem: str) -> Mapping[str, Any]:
        read.append(stem)
        return compiled.read(stem, folder)

    monkeypatch.setattr("asynclint.knowledge.read", counted)
    texts = parsing(monkeypatch)
    forget()
    shelf = Shelf()
    knowledge = Knowledge(shelf=shelf)
    for root in knowledge.roots:
        knowledge.libraries(root)
    assert len(shelf.tables) == len(FILES)
    assert sorted(read) == sorted(set(read))
    assert len(read) == len(FILES)
    assert not texts
    assert (folder / compiled.NAME).stat().st_size < MOST
