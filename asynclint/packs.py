"""Finds and loads rule packs: directories of rules, the built-in one and the user's, through the same functions."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ast

    from asynclint.rule import Rule

LEVELS = ("note", "warning", "error")


class PackError(Exception):
    """A rule that cannot be used; the message is one line that names the file and what to do."""


@dataclass(frozen=True, slots=True)
class Meta:
    """What a rule file says of itself, read without importing it."""

    name: str
    group: str
    level: str
    default: bool
    since: str
    summary: str
    page: Path
    yields_to: tuple[str, ...] = ()


def builtin() -> Path:
    """The directory of the rules that ship with asynclint: inside the package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "rules"
    return installed if installed.is_dir() else package.parent / "rules"


def _files(directories: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for directory in directories:
        if not directory.is_dir():
            raise PackError(f"{directory}: no such directory; `rules` names directories of rules")
        names = sorted(p.name for p in directory.glob("*.py"))
        found += [directory / name for name in names if not name.startswith("_")]
    return found


def known(directories: Sequence[Path]) -> dict[str, Meta]:
    """The rules of some directories by name, read from their text alone.

    Raises PackError for a file that is no rule.
    """
    result: dict[str, Meta] = {}
    shipped = builtin()
    for path in _files(directories):
        meta = _shipped(path) if path.parent == shipped else _meta(path)
        if meta.name in result:
            raise PackError(f"{path}: a second rule named `{meta.name}`; rename one of them")
        result[meta.name] = meta
    return result


@cache
def _shipped(path: Path) -> Meta:
    """What a rule of asynclint's own says; it says the same as long as asynclint runs."""
    return _meta(path, whole=False)


def _meta(path: Path, whole: bool = True) -> Meta:
    import ast

    try:
        text = path.read_text(encoding="utf-8")
        if not whole:
            # What a rule says of itself stands above its methods.
            start = text.index("\nclass ")
            text = text[: text.find("\n    def ", start)]
        tree = ast.parse(text)
    except OSError as error:
        raise PackError(f"{path}: cannot be read as a rule: {error.strerror}") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise PackError(f"{path}: cannot be read as a rule: {_first_line(error)}") from None
    found: list[tuple[ast.ClassDef, dict[str, Any]]] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            values = _attributes(node)
            if "name" in values:
                found.append((node, values))
    if len(found) != 1:
        raise PackError(f"{path}: has {len(found)} rule classes with a `name`; a rule file has one")
    node, values = found[0]
    for key in ("group", "level", "since"):
        if not isinstance(values.get(key), str):
            raise PackError(f"{path}: `{node.name}` has no `{key}`; set it to a string")
    expected = path.stem.replace("_", "-")
    if values["name"] != expected:
        raise PackError(
            f"{path}: `name` is {values['name']!r}; name the rule {expected!r} after its file"
        )
    if values["level"] not in LEVELS:
        raise PackError(
            f"{path}: `level` is {values['level']!r}; choose one of {', '.join(LEVELS)}"
        )
    doc = (ast.get_docstring(node) or "").strip()
    if not doc:
        raise PackError(
            f"{path}: `{node.name}` has no docstring; its first line is the rule's summary"
        )
    page = path.with_suffix(".md")
    if not page.is_file():
        raise PackError(f"{path}: has no page beside it; write {page.name}")
    return Meta(
        values["name"],
        values["group"],
        values["level"],
        bool(values.get("default", True)),
        values["since"],
        doc.splitlines()[0],
        page,
        values.get("yields_to", ()),
    )


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]


def _attributes(node: ast.ClassDef) -> dict[str, Any]:
    import ast

    values: dict[str, Any] = {}
    for statement in node.body:
        target: ast.expr | None = None
        value: ast.expr | None = None
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target, value = statement.targets[0], statement.value
        elif isinstance(statement, ast.AnnAssign):
            target, value = statement.target, statement.value
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant):
            values[target.id] = value.value
        elif isinstance(target, ast.Name) and target.id == "yields_to" and value is not None:
            with contextlib.suppress(ValueError):
                values[target.id] = ast.literal_eval(value)
    return values


class Pack:
    """The rules that are wanted, imported when they are first needed."""

    def __init__(self, directories: Sequence[Path], wanted: set[str]) -> None:
        self._directories = directories
        self.wanted = wanted

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """By name."""
        if not self.wanted:
            return {}
        return {c.name: c() for c in load(self._directories) if c.name in self.wanted}


def load(directories: Sequence[Path]) -> list[type[Rule]]:
    """The rule classes of some directories, imported by path under names of their own.

    Raises PackError where a file cannot be imported.
    """
    import importlib.util

    from asynclint.rule import Rule

    known(directories)
    rules: list[type[Rule]] = []
    for path in _files(directories):
        name = f"_asynclint_rules.{abs(hash(str(path.parent)))}.{path.stem}"
        module = sys.modules.get(name)
        if module is None:
            spec = importlib.util.spec_from_file_location(name, path)
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            try:
                spec.loader.exec_module(module)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's rule may fail in any way
                del sys.modules[name]
                raise PackError(
                    f"{path}: cannot be imported: {type(error).__name__}: {_first_line(error)}"
                ) from None
        own = [
            v
            for v in vars(module).values()
            if isinstance(v, type) and issubclass(v, Rule) and v.__module__ == name
        ]
        if len(own) != 1:
            raise PackError(f"{path}: has {len(own)} subclasses of Rule; a rule file has one")
        rules.append(own[0])
    return rules
