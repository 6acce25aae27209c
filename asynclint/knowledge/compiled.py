"""The shipped tables in the form that is read fastest: one file with the parts of all libraries.

A part is kept under the size and checksum of the text it was made from, so that it is never older than its `.toml`.
The wheel carries the file (`hatch_build.py`); a checkout keeps one where Python keeps compiled modules.
Inside a part each class is packed by itself, because few of a library's classes are ever asked for.
"""

from __future__ import annotations

import marshal
import os
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

Key = tuple[int, int]
Parts = dict[str, tuple[Key, bytes]]

FOLDER = Path(__file__).parent
NAME = "tables.bin"
FORMAT = 1
MARSHAL = 2
"""What every supported Python writes and reads alike."""
PACKED = ("classes",)


class Packed(Mapping[str, Any]):
    """Tables by name, each unpacked when it is asked for."""

    def __init__(self, packed: Mapping[str, bytes]) -> None:
        self._packed = packed

    def __getitem__(self, name: str) -> Any:
        return marshal.loads(self._packed[name])

    def __contains__(self, name: object) -> bool:
        return name in self._packed

    def __iter__(self) -> Iterator[str]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)


def read(stem: str, folder: Path = FOLDER) -> dict[str, Any]:
    """The tables of one shipped file."""
    text = (folder / f"{stem}.toml").read_bytes()
    key = _key(text)
    for parts in (_shipped(folder), _kept(folder)):
        if stem in parts and parts[stem][0] == key:
            return _unpacked(parts[stem][1])
    body = compiled(parse(text.decode("utf-8")))
    if not sys.dont_write_bytecode:
        _keep(folder, stem, (key, body))
    return _unpacked(body)


def parse(text: str) -> dict[str, Any]:
    """TOML → tables; the parser is imported only where it is needed."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]
    tables: dict[str, Any] = tomllib.loads(text)
    return tables


def compiled(tables: Mapping[str, Any]) -> bytes:
    """One file's tables, packed."""
    packed = {
        key: {name: marshal.dumps(inner, MARSHAL) for name, inner in value.items()}
        if key in PACKED and isinstance(value, dict)
        else value
        for key, value in tables.items()
    }
    return marshal.dumps(packed, MARSHAL)


def pack(folder: Path = FOLDER) -> bytes:
    """What a wheel carries: all files' parts."""
    parts = {}
    for path in sorted(folder.glob("*.toml")):
        text = path.read_bytes()
        parts[path.stem] = (_key(text), compiled(parse(text.decode("utf-8"))))
    return marshal.dumps((FORMAT, parts), MARSHAL)


def _key(text: bytes) -> Key:
    return len(text), zlib.crc32(text)


def _unpacked(body: bytes) -> dict[str, Any]:
    tables = cast("dict[str, Any]", marshal.loads(body))
    for key in PACKED:
        if key in tables:
            tables[key] = Packed(tables[key])
    return tables


@lru_cache(maxsize=4)
def _shipped(folder: Path) -> Parts:
    return _loaded(folder / NAME)


@lru_cache(maxsize=4)
def _kept(folder: Path) -> Parts:
    return _loaded(_place(folder))


def _loaded(path: Path) -> Parts:
    """The parts in a file; none where it is missing, of another format, or damaged."""
    try:
        form, parts = marshal.loads(path.read_bytes())
        return cast("Parts", parts) if form == FORMAT and isinstance(parts, dict) else {}
    except (OSError, ValueError, EOFError, TypeError):
        return {}


def _place(folder: Path) -> Path:
    """Where Python would keep what it compiles of this folder."""
    prefix = sys.pycache_prefix
    kept = Path(prefix, *folder.absolute().parts[1:]) if prefix else folder / "__pycache__"
    return kept / NAME


def _keep(folder: Path, stem: str, part: tuple[Key, bytes]) -> None:
    """Add a part to the kept ones, whole or not at all; where nothing can be written, it is parsed again next time."""
    path = _place(folder)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    parts = _kept(folder)
    parts[stem] = part
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(marshal.dumps((FORMAT, {**_loaded(path), **parts}), MARSHAL))
        new.replace(path)
    except OSError:
        with suppress(OSError):
            new.unlink(missing_ok=True)
