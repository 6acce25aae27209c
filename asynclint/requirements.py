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

HIGHEST = re.compile(r"<=?\s*v?(\d+(?:\.\d+)*)")
"""An upper bound."""

FOR_PIP = (
    "requirements.txt",
    "requirements.in",
    "requirements/requirements.txt",
    "requirements/base.txt",
    "requirements/main.txt",
    "requirements/prod.txt",
    "requirements/production.txt",
)
"""The files in which services list for pip what they need, in the order in which they count."""

INCLUDED = re.compile(r"\s*(?:-r|--requirement)[ =]\s*(\S+)")
"""A line of such a file that names another one."""

DEEPEST = 4
"""How deep they are followed."""

Version = tuple[int, ...]
Bounds = tuple[Version | None, Version | None]
"""The lowest version that is allowed, and the one above all that are; None where it is not said."""


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
    def _versions(self) -> tuple[Nearest[dict[str, Bounds]], ...]:
        return Versions(self._root, self.asked), ForPip(self._root, self.asked)

    def lowest(self, path: Path, name: str) -> Version | None:
        """The lowest version of a distribution that the project around a file allows; None where it names none."""
        return self._bounds(path, name)[0]

    def older(self, path: Path, name: str, first: Version) -> Version | None:
        """A version before another one, which the project around a file allows; None where it names none.

        Where it only says what is too new, it has about the newest that is not.
        """
        lowest, above = self._bounds(path, name)
        if lowest is not None:
            return lowest if lowest < first else None
        return above if above is not None and above <= first else None

    def _bounds(self, path: Path, name: str) -> Bounds:
        said = (one.around(path) or {} for one in self._versions)
        return next((one[name] for one in said if name in one), (None, None))

    def _said(self, path: Path) -> frozenset[str] | None:
        listed = _listed(path, self._text(path))
        return _names(listed) if listed is not None else None


class Versions(Nearest[dict[str, Bounds]]):
    """Between which versions each distribution has to be that a directory's project needs, where it says so.

    What is needed under some condition, or for an extra, counts, too.
    """

    def __init__(self, root: Path, asked: dict[str, str]) -> None:
        """The files that are looked for are added to `asked`."""
        super().__init__(root)
        self.asked = asked

    def _said(self, path: Path) -> dict[str, Bounds] | None:
        listed = _listed(path, self._text(path), every=True)
        return _bounds(listed) if listed is not None else None


class ForPip(Nearest[dict[str, Bounds]]):
    """The same as services list it for pip, which counts where the project's metadata says nothing of a distribution."""

    names = FOR_PIP

    def __init__(self, root: Path, asked: dict[str, str]) -> None:
        """The files that are looked for are added to `asked`, those of the root, too."""
        super().__init__(root)
        self.asked = asked

    def _said(self, path: Path) -> dict[str, Bounds] | None:
        return _bounds(self._lines(path)) or None

    def _lines(self, path: Path, depth: int = 0) -> Iterator[str]:
        """What a file lists, and the files that it includes."""
        text = self.asked[os.fspath(path)] = text_of(path)
        for line in text.splitlines():
            included = INCLUDED.match(line)
            if included is not None and depth < DEEPEST:
                yield from self._lines(path.parent / included[1], depth + 1)
            elif not line.lstrip().startswith("-"):
                yield line


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


def _bounds(listed: Iterable[str]) -> dict[str, Bounds]:
    """What is said of versions; of a distribution that is listed twice, the lowest version counts."""
    found: dict[str, Bounds] = {}
    for one in listed:
        match = BOUNDED.match(one.partition("#")[0])
        if match is None:
            continue
        lowest = max(_versions(LOWEST, match[2]), default=None)
        above = min(_versions(HIGHEST, match[2]), default=None)
        if lowest is not None or above is not None:
            known, _ = found.setdefault(_plain(match[1]), (lowest, above))
            if lowest is not None and (known is None or lowest < known):
                found[_plain(match[1])] = (lowest, above)
    return found


def _versions(bound: re.Pattern[str], text: str) -> list[Version]:
    return [tuple(map(int, one.split("."))) for one in bound.findall(text)]


def _plain(name: str) -> str:
    """A distribution's name in lower case, with hyphens."""
    return re.sub(r"[-_.]+", "-", name).lower()
