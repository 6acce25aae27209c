"""Which Python a project says that it needs."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Version = tuple[int, int]

NAMES = ("pyproject.toml", "setup.cfg", "setup.py", "PKG-INFO")
INSTALLED = ".dist-info"
"""How the directory ends that says so beside an unpacked wheel."""

SETUP = re.compile(r"""python_requires\s*=\s*["']?([^"'\n]+)""")
"""What a setup.py or a setup.cfg says."""

METADATA = re.compile(r"^Requires-Python:\s*(.+)$", re.MULTILINE)
"""What a PKG-INFO or a METADATA says."""

CLASSIFIERS = re.compile(r"\bProgramming Language :: Python :: 3\.(\d+)")
"""What a project says that it runs on, which counts where it does not say what it needs."""

LOWEST = re.compile(r"(?:>=?|~=|==|\^|~|^)\s*(?:3(?:\.(\d+))?|2\b)")
"""The lower bound of a specifier: ">=3.12,<4", "^3.12", "3.12.*", ">=3"."""


class Pythons:
    """The lowest Python of each directory's project, by the nearest file of metadata that names one."""

    def __init__(self, root: Path) -> None:
        """Nothing above `root` is looked at."""
        self._root = root
        self._known: dict[Path, Version | None] = {}
        self.asked: list[str] = []
        """The files below the root that were looked for."""

    @property
    def of_root(self) -> Version | None:
        """The lowest Python of the project as a whole."""
        return self._of(self._root)

    @property
    def files_of_root(self) -> list[str]:
        """The files that may say so."""
        return [os.fspath(path) for path in self._candidates(self._root)]

    def _candidates(self, directory: Path) -> list[Path]:
        found = [directory / name for name in NAMES]
        if directory == self._root:
            try:
                names = [one for one in os.listdir(directory) if one.endswith(INSTALLED)]
            except OSError:
                names = []
            # Many stand beside each other where many projects are installed.
            found += [directory / one / "METADATA" for one in names if len(names) == 1]
        return found

    def lowest(self, path: Path) -> Version | None:
        """The lowest Python that the project around a file runs on; None where it does not say."""
        return self._of(path.parent)

    def _of(self, directory: Path) -> Version | None:
        if directory not in self._known:
            found = next(filter(None, map(self._named, self._candidates(directory))), None)
            if found is None and directory != self._root and self._root in directory.parents:
                found = self._of(directory.parent)
            self._known[directory] = found
        return self._known[directory]

    def _named(self, path: Path) -> Version | None:
        if path.parent != self._root and path.name != "METADATA":
            self.asked.append(os.fspath(path))
        try:
            text = path.read_text("utf-8")
            if path.name in ("PKG-INFO", "METADATA"):
                return _lowest(METADATA.findall(text)) or _classified(text)
            if path.suffix != ".toml":
                return named_in_setup(text)
            return _lowest(_in_table(tomllib.loads(text))) or _classified(text)
        except (OSError, ValueError):
            return None


def named_in_setup(text: str) -> Version | None:
    """The lowest Python that the text of a setup.py or a setup.cfg names."""
    return _lowest(SETUP.findall(text)) or _classified(text)


def _classified(text: str) -> Version | None:
    """The lowest Python among the classifiers of a project."""
    return min(((3, int(minor)) for minor in CLASSIFIERS.findall(text)), default=None)


def _lowest(named: list[Any]) -> Version | None:
    for one in named:
        bounds = LOWEST.findall(one) if isinstance(one, str) else []
        if bounds:
            return 3, max(int(bound or 0) for bound in bounds)
    return None


def _in_table(table: dict[str, Any]) -> list[Any]:
    poetry = table_in(table_in(table_in(table, "tool"), "poetry"), "dependencies")
    return [table_in(table, "project").get("requires-python"), poetry.get("python")]


def table_in(table: dict[str, Any], name: str) -> dict[str, Any]:
    """The table of a name within another one; empty where there is none."""
    inner = table.get(name)
    return inner if isinstance(inner, dict) else {}
