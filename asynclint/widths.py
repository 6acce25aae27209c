"""How long a project's formatter lets lines be."""

from __future__ import annotations

import os
import re
from pathlib import Path

from asynclint.metadata import table_in, table_of, text_of

NAMES = (".ruff.toml", "ruff.toml", "pyproject.toml", "setup.cfg", "tox.ini", ".flake8")
USUAL = 88
"""What ruff and black go by where nothing else is said."""

LIMIT = re.compile(
    r"^\[(?:flake8|pycodestyle)\][^\[]*?^max[-_]line[-_]length\s*=\s*(\d+)", re.MULTILINE
)
"""What a setup.cfg, a tox.ini or a .flake8 says."""


class Width:
    """What the files at a project's root say."""

    def __init__(self, root: Path) -> None:
        """Nothing below or above `root` is looked at."""
        self.files = [os.fspath(root / name) for name in NAMES]
        """Those that may say so."""
        self.told: int | None = None
        """Columns that a formatter is told, or keeps by default; None where none is named."""
        self.allowed: int | None = None
        """Columns after which a linter complains."""
        texts = {name: text_of(root / name) for name in NAMES}
        tables = [table_of(texts[name]) for name in NAMES[:2]]
        tool = table_in(table_of(texts["pyproject.toml"]), "tool")
        tables += [table_in(tool, "ruff"), table_in(tool, "black")]
        named = [_columns(table.get("line-length")) for table in tables]
        self.told = next(filter(None, named), None)
        if self.told is None and ("black" in tool or any("format" in table for table in tables)):
            self.told = USUAL
        limits = [_flake8(texts[name]) for name in NAMES[3:]]
        self.allowed = next(filter(None, limits), None)


def _columns(value: object) -> int | None:
    """A width that can be meant."""
    return value if isinstance(value, int) and 40 <= value <= 320 else None


def _flake8(text: str) -> int | None:
    found = LIMIT.search(text)
    return _columns(int(found[1])) if found else None
