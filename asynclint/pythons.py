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


PINS = {
    ".python-version": re.compile(r"^\s*(?:python-|cpython-)?3\.(\d+)", re.MULTILINE),
    "runtime.txt": re.compile(r"^\s*python-3\.(\d+)", re.MULTILINE),
    "Pipfile": re.compile(r"""^python_(?:full_)?version\s*=\s*["']3\.(\d+)""", re.MULTILINE),
    "environment.yml": re.compile(r"""^\s*-\s*["']?python\s*[<>=~]*\s*3\.(\d+)""", re.MULTILINE),
    "Dockerfile": re.compile(
        r"^\s*(?:FROM\s+(?:--platform=\S+\s+)?(?:\S+/)?python:|(?:ARG|ENV)\s+PYTHON_VERSION[\s=]+[\"']?)3\.(\d+)",
        re.MULTILINE | re.IGNORECASE,
    ),
}
"""What a project says that it is run with, by the file that says it."""


class Pythons(Nearest[Version]):
    """The lowest Python of each directory's project, by the nearest file of metadata that names one.

    Where none does, the nearest file counts that says with which Python the project is run.
    """

    def __init__(self, root: Path) -> None:
        """Nothing above `root` is looked at."""
        super().__init__(root)
        self._pins = _Pins(root, self.asked)

    @property
    def of_root(self) -> Version | None:
        """What the project as a whole says."""
        return super().of_root or self._pins.of_root

    @property
    def files_of_root(self) -> list[str]:
        """The files that may say so."""
        return super().files_of_root + self._pins.files_of_root

    def around(self, path: Path) -> Version | None:
        """What the project around a file says; None where it does not."""
        return super().around(path) or self._pins.around(path)

    def _said(self, path: Path) -> Version | None:
        text = self._text(path)
        if path.name in ("PKG-INFO", "METADATA"):
            return _lowest(METADATA.findall(text)) or _classified(text)
        if path.suffix != ".toml":
            return _named_in_setup(text)
        table = table_of(text)
        return (_lowest(_in_table(table)) or _classified(text)) if table else None


class _Pins(Nearest[Version]):
    """The lowest Python with which each directory's project is run."""

    names = tuple(PINS)

    def __init__(self, root: Path, asked: dict[str, str]) -> None:
        """The files that are looked for are added to `asked`."""
        super().__init__(root)
        self.asked = asked

    def _said(self, path: Path) -> Version | None:
        named = PINS[path.name].findall(self._text(path)) if path.name in PINS else []
        return min(((3, int(minor)) for minor in named), default=None)


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
