"""What a project says that it needs beside Python, and of itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from asynclint.metadata import Nearest, needed_by_poetry, table_in, table_of, text_of

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


class Requirements(Nearest[frozenset[str]]):
    """The required distributions of each directory's project, by the nearest file that lists them.

    Their names are in lower case, with hyphens.
    """

    @cached_property
    def described(self) -> str:
        """What the files at the root say of the project in words, and in classifiers."""
        files = [self._root / name for name in DESCRIBING]
        files += [path for path in self._files(self._root) if path.name == "METADATA"]
        return "\n\n".join(map(text_of, files))

    @property
    def described_in(self) -> list[str]:
        """The files that may say so, METADATA left out."""
        return [os.fspath(self._root / name) for name in DESCRIBING]

    def _said(self, path: Path) -> frozenset[str] | None:
        text = text_of(path)
        if not text:
            return None
        if path.suffix == ".toml":
            return _in_table(table_of(text))
        if path.name in ("PKG-INFO", "METADATA"):
            listed = NEEDED.findall(text)
            # The metadata of a source archive may leave out what building it adds.
            return _names(listed) if listed or path.name == "METADATA" else None
        match = LISTED.search(text)
        if match is None:
            return None
        return _names(re.split(r"[,\n]", (match[1] or match[2]).replace('"', "").replace("'", "")))


def _in_table(table: dict[str, Any]) -> frozenset[str] | None:
    project = table_in(table, "project")
    listed = project.get("dependencies")
    if isinstance(listed, list):
        return _names(one for one in listed if isinstance(one, str))
    poetry = needed_by_poetry(table)
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
