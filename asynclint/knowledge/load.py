"""TOML tables → the vocabulary of `model`: one notation for the shipped files and for a user's configuration.

A file describes modules and classes, and both kinds of table share one notation. A key that is a block kind, or
`coroutines`, or `plain`, holds names: `http = "get,post:httpx.Response head"` says that three functions block so,
and what two of them return. A name that ends in `!` belongs to other releases than the verified one. What needs
more words has a table of its own under `functions` (in a module) or `methods` (in a class), whose keys are the
fields of `Function`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from functools import partial
from typing import Any, TypeAlias, cast, get_args

from asynclint.knowledge.lazy import Lazy, LazyFunctions
from asynclint.knowledge.model import (
    BlockKind,
    Class,
    Client,
    Entry,
    Function,
    History,
    Library,
)

Table = Mapping[str, Any]

KINDS: frozenset[str] = frozenset(get_args(BlockKind))
NAMES = KINDS | {"coroutines", "plain"}
"""Keys whose value is a string of names."""

FILE_KEYS = (
    "library",
    "roots",
    "twins",
    "verified",
    "aliases",
    "modules",
    "classes",
    "sdk",
    "reexports",
    "history",
)
MARKS = ("old",)

CHOICES: dict[str, tuple[object, ...]] = {
    "blocks": (*KINDS,),
    "decorator_blocks": (*KINDS,),
    "Class.enter_blocks": (*KINDS,),
    "iter_blocks": (*KINDS,),
    "enters": ("sync", "async"),
    "iterates": ("sync", "async"),
    "enter": ("sync", "async", "both"),
    "iter": ("sync", "async", "both"),
    "offloads_to": ("thread", "process"),
    "lock": ("thread", "async"),
    "what": ("client", "pool", "engine", "session", "connection", "channel", "producer"),
    "cost": ("tls", "connect", "light", "none"),
    "often": ("request", "item", "once", "test"),
    "sync": ("thread", "loop", "process", "plain"),
}


class KnowledgeError(Exception):
    """A table says something that cannot be understood; the message is one line that names table and key."""


def library(tables: Table, root: str, where: str) -> Library:
    """Everything a file says of one of its roots; the names of a twin root are rewritten."""
    known = _keys(tables, FILE_KEYS, where)
    roots = tuple(known["roots"])
    if root in known.get("twins", ()):
        known = cast("dict[str, Any]", _renamed(known, roots[0], root))
    verified = known.get("verified", {})
    classes = Lazy()
    old: set[str] = set()
    result = Library(
        known["library"],
        roots,
        ", ".join(f"{name} {version}" for name, version in verified.items()) or None,
        LazyFunctions(),
        classes,
        dict(known.get("aliases", {})),
        old=old,
        history=dict(_history(tables, root, where)),
    )
    fill(result, known, where, classes, old)
    for target, modules in known.get("reexports", {}).items():
        name = target.rpartition(".")[2]
        for module in modules.split():
            result.aliases[f"{module}.{name}"] = target
    if "sdk" in known:
        from asynclint.knowledge.sdk import expand

        expand(result, known["sdk"], classes)
    return result


def _history(tables: Table, root: str, where: str) -> Iterator[tuple[str, History]]:
    """What is told of the root's names; those of a twin are told of by themselves."""
    twins = tables.get("twins", ())
    for path, table in _tables(tables, "history", where):
        owner = path.partition(".")[0]
        if owner == root or (root not in twins and owner not in twins):
            yield path, _record(History, table, f"{where}: history.{path}")


def fill(result: Library, tables: Table, where: str, classes: Lazy, old: set[str]) -> None:
    """Add the `modules` and `classes` of some tables to a library."""
    assert isinstance(result.functions, LazyFunctions)
    for module, table in _tables(tables, "modules", where):
        at = f"{where}: modules.{module}"
        result.modules[module] = dict(_table(table, "attributes", at))
        if table.get("old"):
            old.add(module)
        result.functions.later(module, partial(_module, table, module, at, old))
    classes.later(Classes(_table(tables, "classes", where), where, old))


class Classes:
    """The `classes` of some tables; one is looked into when it is asked for."""

    def __init__(self, tables: Table, where: str, old: set[str]) -> None:
        self.tables = tables
        self.where = where
        self.old = old

    def maker(self, path: str) -> Callable[[], Class] | None:
        """What builds the class at a path; None where there is none."""
        if path not in self.tables:
            return None
        return partial(_class, self.tables, path, f"{self.where}: classes.{path}", self.old)

    def paths(self) -> Iterator[str]:
        """The names of all classes."""
        yield from self.tables


def user_tables(user: Table) -> tuple[Library, dict[str, frozenset[str]]]:
    """A user's configuration, in the simple forms and in the tables; and which fields each class table gives."""
    where = "tool.asynclint.knowledge"
    parts = _keys(user, (*SIMPLE, "modules", "classes", "aliases"), where)
    classes = Lazy()
    functions = LazyFunctions()
    result = Library("configuration", (), None, functions, classes, {})
    fill(result, parts, where, classes, set())
    classes.everything()
    functions.everything()
    for key, read_form in SIMPLE.items():
        if key in parts:
            at = f"{where}.{key}"
            for path, function, cls in read_form(parts[key], at):
                _tell(result, path, function, cls, at)
    for name, target in _table(parts, "aliases", where).items():
        result.aliases[_path(name, f"{where}.aliases")] = _path(target, f"{where}.aliases.{name}")
    _check_types(result, where)
    given = {path: frozenset(table) for path, table in _tables(parts, "classes", where)}
    return result, given


Told: TypeAlias = "tuple[str, Function, Class | None]"


def _tell(result: Library, path: str, function: Function, cls: Class | None, where: str) -> None:
    """Add what a simple form says; an error where the configuration says something else, too."""
    owner, _, name = path.rpartition(".")
    others: list[object] = [result.functions.get(path, function)]
    if owner in result.classes:
        others.append(result.classes[owner].methods.get(name, function))
    if any(other != function for other in others):
        raise KnowledgeError(f"{where}: {path!r} is there twice, with different meanings")
    result.functions[path] = function
    if cls is not None:
        result.classes.setdefault(path, cls)


def _check_types(result: Library, where: str) -> None:
    """Types are expressions, as in annotations."""
    types = {function.name: function.returns for function in result.functions.values()}
    for path, cls in result.classes.items():
        types |= {f"{path}.{name}": method.returns for name, method in cls.methods.items()}
        types |= {f"{path}.{name}": type_ for name, type_ in cls.attributes.items()}
        types |= {f"{path}[{name}]": type_ for name, type_ in cls.items.items()}
    for path, type_ in types.items():
        try:
            compile(type_ or "None", path, "eval")
        except (SyntaxError, ValueError):
            raise KnowledgeError(f"{where}: {path}: {type_!r} is no type") from None


# -- the simple forms of configuration ----------------------------------------------------------


def _user_blocking(value: object, where: str) -> Iterator[Told]:
    if not isinstance(value, Mapping):
        raise KnowledgeError(
            f'{where} must be a table of functions and kinds, like {{ "mylib.fetch" = "http" }}'
        )
    for path, kind in value.items():
        if kind not in KINDS:
            raise KnowledgeError(f'{where}."{path}": {_unknown("kind", kind, KINDS)}')
        _path(path, where)
        yield path, Function(path, blocks=cast(BlockKind, kind)), None


def _user_clients(value: object, where: str) -> Iterator[Told]:
    for path in _paths(value, where):
        client = Client(
            is_async=path.rpartition(".")[2].startswith(("Async", "Aio", "create_async"))
        )
        yield path, Function(path, client=client, returns=path), Class(path, client=client)


def _user_entry_points(value: object, where: str) -> Iterator[Told]:
    entry = Entry(sync="loop", role="handler")
    for path in _paths(value, where):
        yield path, Function(path, registers=(entry,), transparent=True), None


def _user_offloaders(value: object, where: str) -> Iterator[Told]:
    for path in _paths(value, where):
        yield path, Function(path, offloads=0), None


def _user_task_keepers(value: object, where: str) -> Iterator[Told]:
    for path in _paths(value, where):
        yield path, Function(path, spawns=0, keeps=True), None


SIMPLE: dict[str, Callable[[object, str], Iterator[Told]]] = {
    "blocking": _user_blocking,
    "clients": _user_clients,
    "entry-points": _user_entry_points,
    "offloaders": _user_offloaders,
    "task-keepers": _user_task_keepers,
}


def _paths(value: object, where: str) -> Iterator[str]:
    if not isinstance(value, (list, tuple)):
        raise KnowledgeError(f'{where} must be a list of dotted names, like ["mylib.Name"]')
    for path in value:
        yield _path(path, where)


def _path(value: object, where: str) -> str:
    if not isinstance(value, str) or not all(part.isidentifier() for part in value.split(".")):
        raise KnowledgeError(f'{where}: {value!r} is no dotted name; write it like "mylib.Name"')
    return value


# -- functions and classes ----------------------------------------------------------------------


def names(text: str) -> Iterator[tuple[str, str | None, bool]]:
    """ "get,post:T head!" → ("get", "T", False), ("post", "T", False), ("head", None, True)."""
    for group in text.split():
        left, _, type_ = group.partition(":")
        for name in left.split(","):
            if name.endswith("!"):
                yield name[:-1], type_ or None, True
            else:
                yield name, type_ or None, False


def _named(parts: Table, prefix: str, where: str, old: set[str]) -> Iterator[Function]:
    for key in NAMES:
        if key not in parts:
            continue
        if not isinstance(parts[key], str):
            raise KnowledgeError(f'{where}.{key} must be one string of names: "get post:Type"')
        for name, returns, is_old in names(parts[key]):
            path = prefix + name
            if is_old:
                old.add(path)
            if key == "coroutines":
                yield Function(path, coroutine=True, returns=returns)
            elif key == "plain":
                yield Function(path, returns=returns)
            else:
                yield Function(
                    path, blocks=cast(BlockKind, key), short=key == "stat", returns=returns
                )


def _module(table: Table, module: str, where: str, old: set[str]) -> Iterator[Function]:
    """The functions of one module."""
    parts = _keys(table, (*NAMES, "functions", "attributes", *MARKS), where)
    found = _once(_named(parts, module + ".", where, old), where)
    for name, inner in _tables(parts, "functions", where):
        path = f"{module}.{name}"
        _add(found, _function(inner, path, f"{where}.functions.{name}", old), where)
    yield from found.values()


def _once(functions: Iterable[Function], where: str) -> dict[str, Function]:
    """Functions by their last names; an error where one is told of twice."""
    found: dict[str, Function] = {}
    for function in functions:
        _add(found, function, where)
    return found


def _add(found: dict[str, Function], function: Function, where: str) -> None:
    name = function.name.rpartition(".")[2]
    if found.setdefault(name, function) != function:
        raise KnowledgeError(f"{where}: {name!r} is there twice, with different meanings")


def _class(tables: Table, path: str, where: str, old: set[str]) -> Class:
    parts = _keys(tables[path], (*NAMES, *CLASS_FIELDS, *MARKS), where)
    if parts.get("old"):
        old.add(path)
    methods = _once(_named(parts, path + ".", where, old), where)
    for name, inner in _tables(parts, "methods", where):
        _add(methods, _function(inner, f"{path}.{name}", f"{where}.methods.{name}", old), where)
    values: dict[str, Any] = {}
    for key, value in parts.items():
        if key in NAMES or key in MARKS or key == "methods":
            continue
        at = f"{where}.{key}"
        if key == "client":
            values[key] = _record(Client, value, at)
        elif key == "construct":
            values[key] = _function(value, path, at, old)
        elif key == "entry_methods":
            values[key] = {
                name: _record(Entry, entry, f"{at}.{group}")
                for group, entry in _table(parts, key, where).items()
                for name in group.split()
            }
        elif key in ("attributes", "items"):
            values[key] = dict(_table(parts, key, where))
        else:
            values[key] = _value(Class, key, value, at)
    return Class(path, methods=methods, **values)


def _function(table: object, path: str, where: str, old: set[str]) -> Function:
    if not isinstance(table, Mapping):
        raise KnowledgeError(f"{where} must be a table of what is known of the function")
    parts = _keys(table, (*FUNCTION_FIELDS, *MARKS), where)
    if parts.pop("old", False):
        old.add(path)
    values: dict[str, Any] = {}
    for key, value in parts.items():
        at = f"{where}.{key}"
        if key == "client":
            values[key] = _record(Client, value, at)
        elif key == "registers":
            entries = value if isinstance(value, list) else [value]
            values[key] = tuple(_record(Entry, entry, at) for entry in entries)
        elif key in ("unless", "only_if"):
            values[key] = tuple(_conditions(value, at))
        elif key in ("returns_if", "blocks_if"):
            values[key] = tuple(_cases(value, at))
        elif key == "blocks_if_built":
            values[key] = tuple(_conditions(value, at))
        else:
            values[key] = _value(Function, key, value, at)
    if values.get("blocks") == "stat":
        values.setdefault("short", True)
    return Function(path, **values)


def _conditions(value: object, where: str) -> Iterator[tuple[str, str]]:
    """`{ block = "False", timeout = ["0", "0.0"] }` → pairs."""
    if not isinstance(value, Mapping):
        raise KnowledgeError(
            f'{where} must be a table of parameters and literals: {{ block = "False" }}'
        )
    for param, literals in value.items():
        for literal in literals if isinstance(literals, list) else [literals]:
            yield param, str(literal)


def _cases(value: object, where: str) -> Iterator[tuple[str, str, str]]:
    """`{ stream = { True = "lib.Stream" } }` → triples."""
    if not isinstance(value, Mapping) or not all(isinstance(v, Mapping) for v in value.values()):
        raise KnowledgeError(
            f'{where} must be a table of parameters: {{ stream = {{ True = "lib.Stream" }} }}'
        )
    for param, pairs in value.items():
        for literal, result in pairs.items():
            yield param, literal, str(result)


def _record(kind: type[Any], table: object, where: str) -> Any:
    if not isinstance(table, Mapping):
        raise KnowledgeError(f"{where} must be a table")
    parts = _keys(table, FIELDS[kind], where)
    return kind(**{key: _value(kind, key, value, f"{where}.{key}") for key, value in parts.items()})


def _value(kind: type[Any], key: str, value: object, where: str) -> Any:
    type_ = FIELDS[kind][key]
    if type_.startswith("tuple"):
        if isinstance(value, str):
            return tuple(value.split())
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise KnowledgeError(f"{where} must be a string or a list of strings")
    choices = CHOICES.get(f"{kind.__name__}.{key}")
    if choices is None and type_ != "bool":
        choices = CHOICES.get(key)
    if choices is not None:
        if value not in choices:
            raise KnowledgeError(f"{where}: {_unknown('value', value, choices)}")
        return value
    if type_ == "bool":
        if not isinstance(value, bool):
            raise KnowledgeError(f"{where} must be true or false")
    elif type_.startswith("Param"):
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise KnowledgeError(
                f"{where} must be a position (0 is the first) or a parameter's name"
            )
    elif not isinstance(value, str):
        raise KnowledgeError(f"{where} must be a string")
    return value


FIELDS: dict[type[Any], dict[str, str]] = {
    kind: {f.name: str(f.type) for f in fields(kind) if f.name != "name"}
    for kind in (Client, Entry, Function, Class, History)
}
FUNCTION_FIELDS = tuple(FIELDS[Function])
CLASS_FIELDS = tuple(FIELDS[Class])


# -- tables -------------------------------------------------------------------------------------


def _keys(table: Table, known: Iterable[str], where: str) -> dict[str, Any]:
    """The table as a dict; an unknown key is an error."""
    if not isinstance(table, Mapping):
        raise KnowledgeError(f"{where} must be a table")
    for key in table:
        if key not in known:
            raise KnowledgeError(f"{where}: {_unknown('key', key, known)}")
    return dict(table)


def _unknown(what: str, value: object, known: Iterable[object]) -> str:
    from difflib import get_close_matches

    options = sorted(str(k) for k in known)
    near = get_close_matches(str(value), options, 1)
    hint = f"did you mean {near[0]!r}?" if near else "known are " + ", ".join(options)
    return f"unknown {what} {value!r}; {hint}"


def _table(parts: Table, key: str, where: str) -> Table:
    table = parts.get(key, {})
    if not isinstance(table, Mapping):
        raise KnowledgeError(f"{where}: {key} must be a table")
    return table


def _tables(parts: Table, key: str, where: str) -> Iterator[tuple[str, Table]]:
    for name, table in _table(parts, key, where).items():
        if not isinstance(table, Mapping):
            raise KnowledgeError(f"{where}: {key}.{name} must be a table")
        yield name, table


def _renamed(value: object, old: str, new: str) -> object:
    """The same tables for a twin package: every path that starts with `old` starts with `new`."""
    pattern = re.compile(rf"(?<![\w.]){re.escape(old)}(?=\.|$)")

    def rename(item: object) -> object:
        if isinstance(item, str):
            return pattern.sub(new, item)
        if isinstance(item, Mapping):
            return {
                pattern.sub(new, key): inner
                if key in ("library", "roots", "verified")
                else rename(inner)
                for key, inner in item.items()
            }
        if isinstance(item, list):
            return [rename(inner) for inner in item]
        return item

    return rename(value)
