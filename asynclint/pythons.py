"""Which Python a project says that it needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from asynclint.metadata import Nearest, needed_by_poetry, table_in, table_of

Version = tuple[int, int]

SETUP = re.compile(r"""python_requires\s*=\s*["']?([^"'\n]+)""")
"""What a setup.py or a setup.cfg says."""

METADATA = re.compile(r"^Requires-Python:\s*(.+)$", re.MULTILINE)
"""What a PKG-INFO or a METADATA says."""

CLASSIFIERS = re.compile(r"\bProgramming Language :: Python :: 3\.(\d+)")
"""What a project says that it runs on, which counts where it does not say what it needs."""

LOWEST = re.compile(r"(?:>=?|~=|==|\^|~|^)\s*(?:3(?:\.(\d+))?|2\b)")
"""The lower bound of a specifier: ">=3.12,<4", "^3.12", "3.12.*", ">=3"."""


class Pythons(Nearest[Version]):
    """The lowest Python of each directory's project, by the nearest file of metadata that names one."""

    def _said(self, path: Path) -> Version | None:
        text = self._text(path)
        if path.name in ("PKG-INFO", "METADATA"):
            return _lowest(METADATA.findall(text)) or _classified(text)
        if path.suffix != ".toml":
            return _named_in_setup(text)
        table = table_of(text)
        return (_lowest(_in_table(table)) or _classified(text)) if table else None


def _named_in_setup(text: str) -> Version | None:
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
    named = table_in(table, "project").get("requires-python")
    return [named, needed_by_poetry(table).get("python")]
