"""What a project says that it needs beside Python, and of itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
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

BOUNDED = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*\(?([^;@)]*)(?:[;)]|$)")
"""A requirement and its versions, wherever it is needed."""

LOWEST = re.compile(r"(?:>=?|~=|={2,3}|\^|~)\s*v?(\d+(?:\.\d+)*)")
"""A lower bound: ">=1.2", "==1.2.*", Poetry's "^1.2"."""

Version = tuple[int, ...]


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

    @cached_property
    def _versions(self) -> Versions:
        return Versions(self._root, self.asked)

    def lowest(self, path: Path, name: str) -> Version | None:
        """The lowest version of a distribution that the project around a file allows; None where it names none."""
        return (self._versions.around(path) or {}).get(name)

    def _said(self, path: Path) -> frozenset[str] | None:
        listed = _listed(path, self._text(path))
        return _names(listed) if listed is not None else None


class Versions(Nearest[dict[str, Version]]):
    """The lowest version of each distribution that a directory's project allows, of those for which it names one.

    What is needed under some condition, or for an extra, counts, too.
    """

    def __init__(self, root: Path, asked: dict[str, str]) -> None:
        """The files that are looked for are added to `asked`."""
        super().__init__(root)
        self.asked = asked

    def _said(self, path: Path) -> dict[str, Version] | None:
        listed = _listed(path, self._text(path), every=True)
        if listed is None:
            return None
        found: dict[str, Version] = {}
        for name, lowest in _bounds(listed):
            found[name] = min(lowest, found.get(name, lowest))
        return found


def _listed(path: Path, text: str, every: bool = False) -> list[str] | None:
    """What a file says that the project needs, as pip would write it; None where it does not say.

    With `every` there is also what only some need.
    """
    if not text:
        return None
    if path.suffix == ".toml":
        return _in_table(table_of(text), every)
    if path.name in ("PKG-INFO", "METADATA"):
        listed = NEEDED.findall(text)
        # The metadata of a source archive may leave out what building it adds.
        return listed if listed or path.name == "METADATA" else None
    match = LISTED.search(text)
    if match is None:
        return None
    # A comma also stands between the bounds of one.
    marks = r"\n|(?<=[\"']),|,(?=\s*[\"'])" if match[1] else r"\n"
    parts = re.split(marks, match[1] or match[2])
    return [one.replace('"', "").replace("'", "").rstrip(", ") for one in parts]


def _in_table(table: dict[str, Any], every: bool) -> list[str] | None:
    project = table_in(table, "project")
    extras = table_in(project, "optional-dependencies").values() if every else ()
    more = [one for extra in extras if isinstance(extra, list) for one in extra]
    listed = project.get("dependencies")
    if isinstance(listed, list):
        return [one for one in (*listed, *more) if isinstance(one, str)]
    poetry = needed_by_poetry(table)
    if poetry:
        return [
            _written(name, how) for name, how in poetry.items() if every or not _is_optional(how)
        ]
    dynamic = project.get("dynamic")
    if not project or (isinstance(dynamic, list) and "dependencies" in dynamic):
        return None
    return []


def _written(name: str, how: object) -> str:
    """What Poetry lists, as pip would write it; of several versions for several Pythons none."""
    version = how.get("version") if isinstance(how, dict) else how
    if not isinstance(version, str):
        return name
    return f"{name}=={version}" if version[:1].isdigit() else f"{name} {version}"


def _is_optional(how: object) -> bool:
    return isinstance(how, dict) and bool(how.get("optional") or how.get("markers"))


def _names(listed: Iterable[str]) -> frozenset[str]:
    """The names of those that are needed everywhere."""
    found = (NAME.fullmatch(one.partition("#")[0].strip()) for one in listed)
    return frozenset(_plain(one[1]) for one in found if one is not None)


def _bounds(listed: Iterable[str]) -> Iterator[tuple[str, Version]]:
    """The names of those that have a lowest version, with that."""
    for one in listed:
        match = BOUNDED.match(one.partition("#")[0])
        bounds = LOWEST.findall(match[2]) if match is not None else []
        if match is not None and bounds:
            lowest = max(tuple(map(int, bound.split("."))) for bound in bounds)
            yield _plain(match[1]), lowest


def _plain(name: str) -> str:
    """A distribution's name in lower case, with hyphens."""
    return re.sub(r"[-_.]+", "-", name).lower()
