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

LOWEST = re.compile(r"(?:>=|~=|==|\^|~|^)\s*3\.(\d+)")
"""The lower bound of a specifier: ">=3.12,<4", "^3.12", "3.12.*"."""


class Pythons:
    """The lowest Python of each directory's project, by the nearest pyproject.toml that names one."""

    def __init__(self, root: Path) -> None:
        """Nothing above `root` is looked at."""
        self._root = root
        self._known: dict[Path, Version | None] = {}
        self.asked: list[str] = []
        """The files that were looked for."""

    def lowest(self, path: Path) -> Version | None:
        """The lowest Python that the project around a file runs on; None where it does not say."""
        return self._of(path.parent)

    def _of(self, directory: Path) -> Version | None:
        if directory not in self._known:
            found = self._named(directory / "pyproject.toml")
            if found is None and directory != self._root and self._root in directory.parents:
                found = self._of(directory.parent)
            self._known[directory] = found
        return self._known[directory]

    def _named(self, path: Path) -> Version | None:
        self.asked.append(os.fspath(path))
        try:
            table: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            return None
        poetry = _table(_table(_table(table, "tool"), "poetry"), "dependencies")
        for named in (_table(table, "project").get("requires-python"), poetry.get("python")):
            bounds = LOWEST.findall(named) if isinstance(named, str) else []
            if bounds:
                return 3, max(int(bound) for bound in bounds)
        return None


def _table(table: dict[str, Any], name: str) -> dict[str, Any]:
    inner = table.get(name)
    return inner if isinstance(inner, dict) else {}
