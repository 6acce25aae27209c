"""The files in which a project says what it is and needs: the nearest one that tells what is asked counts."""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Said = TypeVar("Said")

NAMES = ("pyproject.toml", "setup.cfg", "setup.py", "PKG-INFO")
INSTALLED = ".dist-info"
"""How the directory ends that says so beside an unpacked wheel."""


class Nearest(ABC, Generic[Said]):
    """What the project of each directory says of one thing."""

    names: ClassVar[tuple[str, ...]] = NAMES
    """The files of a directory that may say so, in the order in which they count."""

    def __init__(self, root: Path) -> None:
        """Nothing above `root` is looked at."""
        self._root = root
        self._known: dict[Path, Said | None] = {}
        self.asked: dict[str, str] = {}
        """The files below the root that were looked for, and what they said; "" where one is not there."""

    @property
    def of_root(self) -> Said | None:
        """What the project as a whole says."""
        return self._of(self._root)

    @property
    def files_of_root(self) -> list[str]:
        """The files that may say so."""
        return [os.fspath(path) for path in self._files(self._root)]

    def around(self, path: Path) -> Said | None:
        """What the project around a file says; None where it does not."""
        return self._of(path.parent)

    @abstractmethod
    def _said(self, path: Path) -> Said | None:
        """What one file says; None where it does not, or is not there."""

    def _of(self, directory: Path) -> Said | None:
        if directory not in self._known:
            said = map(self._said, self._files(directory))
            found = next((one for one in said if one is not None), None)
            if found is None and directory != self._root and self._root in directory.parents:
                found = self._of(directory.parent)
            self._known[directory] = found
        return self._known[directory]

    def _text(self, path: Path) -> str:
        """What a file says; "" where it is not there, or is no text."""
        text = text_of(path)
        if path.parent != self._root:
            self.asked[os.fspath(path)] = text
        return text

    def _files(self, directory: Path) -> list[Path]:
        found = [directory / name for name in self.names]
        if directory == self._root:
            try:
                names = [one for one in os.listdir(directory) if one.endswith(INSTALLED)]
            except OSError:
                names = []
            # Many stand beside each other where many projects are installed.
            found += [directory / one / "METADATA" for one in names if len(names) == 1]
        return found


def text_of(path: Path) -> str:
    """What a file says; "" where it is not there, or is no text."""
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError):
        return ""


def table_of(text: str) -> dict[str, Any]:
    """The tables of a TOML file; empty where it is none."""
    try:
        return dict(tomllib.loads(text))
    except ValueError:
        return {}


def table_in(table: dict[str, Any], name: str) -> dict[str, Any]:
    """The table of a name within another one; empty where there is none."""
    inner = table.get(name)
    return inner if isinstance(inner, dict) else {}


def needed_by_poetry(table: dict[str, Any]) -> dict[str, Any]:
    """What Poetry's table of a pyproject.toml says that the project needs, Python included."""
    return table_in(table_in(table_in(table, "tool"), "poetry"), "dependencies")
