"""What a project says that it needs beside Python, and of itself."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from asynclint.pythons import INSTALLED, table_in

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAMES = ("pyproject.toml", "setup.cfg", "setup.py", "PKG-INFO")

DESCRIBING = (
    "README.md",
    "README.rst",
    "README.txt",
    "README",
    "pyproject.toml",
    "setup.cfg",
    "PKG-INFO",
)

NEEDED = re.compile(r"^Requires-Dist:\s*(.+)$", re.MULTILINE)
"""What a PKG-INFO or a METADATA says."""

LISTED = re.compile(r"\binstall_requires\s*=\s*(?:\[([^\]]*)\]|((?:\n[ \t]+\S.*)+))")
"""What a setup.py or a setup.cfg says, in its brackets or on the lines below."""

NAME = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?:\([^)]*\)|[^;]*)")
"""A requirement without a marker that says where it is needed: `httpx[http2]>=0.26`."""


class Requirements:
    """The required distributions of each directory's project, by the nearest file that lists them."""

    def __init__(self, root: Path) -> None:
        """Nothing above `root` is looked at."""
        self._root = root
        self._known: dict[Path, frozenset[str] | None] = {}
        self.asked: list[str] = []
        """The files below the root that were looked for."""

    @cached_property
    def described(self) -> str:
        """What the files at the root say of the project in words, and in classifiers."""
        files = [self._root / name for name in DESCRIBING]
        files += [path for path in self._files(self._root) if path.name == "METADATA"]
        return "\n\n".join(map(_text, files))

    @property
    def described_in(self) -> list[str]:
        """The files that may say so, METADATA left out."""
        return [os.fspath(self._root / name) for name in DESCRIBING]

    @property
    def of_root(self) -> frozenset[str] | None:
        """Those of the project as a whole."""
        return self._of(self._root)

    def around(self, path: Path) -> frozenset[str] | None:
        """The names, in lower case and with hyphens, that the project around a file needs; None where it does not say."""
        return self._of(path.parent)

    def _of(self, directory: Path) -> frozenset[str] | None:
        if directory not in self._known:
            found = next(
                (n for n in map(self._said, self._files(directory)) if n is not None), None
            )
            if found is None and directory != self._root and self._root in directory.parents:
                found = self._of(directory.parent)
            self._known[directory] = found
        return self._known[directory]

    def _files(self, directory: Path) -> list[Path]:
        found = [directory / name for name in NAMES]
        if directory == self._root:
            try:
                names = [one for one in os.listdir(directory) if one.endswith(INSTALLED)]
            except OSError:
                names = []
            found += [directory / one / "METADATA" for one in names if len(names) == 1]
        else:
            self.asked += [os.fspath(path) for path in found]
        return found

    def _said(self, path: Path) -> frozenset[str] | None:
        text = _text(path)
        if not text:
            return None
        if path.suffix == ".toml":
            return _in_table(_toml(text))
        if path.name in ("PKG-INFO", "METADATA"):
            listed = NEEDED.findall(text)
            # The metadata of a source archive may leave out what building it adds.
            return _names(listed) if listed or path.name == "METADATA" else None
        match = LISTED.search(text)
        if match is None:
            return None
        return _names(re.split(r"[,\n]", (match[1] or match[2]).replace('"', "").replace("'", "")))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError):
        return ""


def _toml(text: str) -> dict[str, Any]:
    try:
        return dict(tomllib.loads(text))
    except ValueError:
        return {}


def _in_table(table: dict[str, Any]) -> frozenset[str] | None:
    project = table_in(table, "project")
    listed = project.get("dependencies")
    if isinstance(listed, list):
        return _names(one for one in listed if isinstance(one, str))
    poetry = table_in(table_in(table_in(table, "tool"), "poetry"), "dependencies")
    if poetry:
        return _names(name for name, how in poetry.items() if not _is_optional(how))
    dynamic = project.get("dynamic")
    if not project or (isinstance(dynamic, list) and "dependencies" in dynamic):
        return None
    return frozenset()


def _is_optional(how: object) -> bool:
    return isinstance(how, dict) and bool(how.get("optional") or how.get("markers"))


def _names(listed: Iterable[str]) -> frozenset[str]:
    """The names of those that are needed everywhere."""
    found = (NAME.fullmatch(one.partition("#")[0].strip()) for one in listed)
    return frozenset(re.sub(r"[-_.]+", "-", one[1]).lower() for one in found if one is not None)
