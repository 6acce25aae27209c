"""What is known of other people's code: which calls block, which objects are clients, which functions a framework calls.

A library's tables are read when a name of it is first asked for; `index` says which file knows which import root.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from functools import cache
from typing import Any

from asynclint.knowledge.compiled import read
from asynclint.knowledge.index import FILES
from asynclint.knowledge.load import KnowledgeError, library, user_tables
from asynclint.knowledge.model import Class, Function, History, Library

__all__ = ["Knowledge", "KnowledgeError", "describe"]

BUILTINS = "builtins."
INHERITED = (
    "client",
    "construct",
    "enter",
    "enters_as",
    "enter_blocks",
    "iter",
    "iter_blocks",
    "yields",
    "bounds",
    "lock",
    "keeps_tasks",
    "called",
    "entry_methods",
)


@cache
def _by_root() -> dict[str, list[tuple[str, str]]]:
    """First component → the (file, root) pairs that know something below it."""
    result: dict[str, list[tuple[str, str]]] = {}
    for stem, (_, _, roots) in FILES.items():
        for root in roots:
            result.setdefault(root.partition(".")[0], []).append((stem, root))
    return result


class Shelf:
    """The shipped files that were read, each when it was first asked for."""

    def __init__(self) -> None:
        self.tables: dict[str, Mapping[str, Any]] = {}
        self._libraries: dict[tuple[str, str], Library] = {}

    def library(self, stem: str, root: str) -> Library:
        """What a file says of one of its roots; of all that are no twins it says the same."""
        tables = self.tables.get(stem)
        if tables is None:
            tables = self.tables[stem] = read(stem)
        key = (stem, root if root in tables.get("twins", ()) else "")
        found = self._libraries.get(key)
        if found is None:
            found = self._libraries[key] = library(tables, root, f"{stem}.toml")
        return found


SHELF = Shelf()
"""What this process has read: a shipped file says the same as long as asynclint runs."""


class Knowledge:
    """Answers what a dotted path means; unknown is None.

    `user` holds the tables of `[tool.asynclint.knowledge]`, which win over the shipped ones. Raises KnowledgeError
    where they cannot be understood. Of the shipped ones, what is on the `shelf` is not read again.
    """

    def __init__(self, user: Mapping[str, object] | None = None, shelf: Shelf = SHELF) -> None:
        self._shelf = shelf
        self._files = _by_root()
        self._user, self._given = user_tables(user or {})
        mine = {*self._user.functions, *self._user.classes, *self._user.aliases}
        self.roots: frozenset[str] = frozenset(
            (*self._files, *(path.partition(".")[0] for path in mine))
        )
        """First components of all import roots that something is known of."""
        self._libraries: dict[str, tuple[Library, ...]] = {}
        self._canonical: dict[str, str] = {}
        self._functions: dict[str, Function | None] = {}
        self._classes: dict[str, Class | None] = {}
        self._methods: dict[tuple[str, str], Function | None] = {}
        self._attributes: dict[tuple[str, str], str | None] = {}
        self._mros: dict[str, tuple[str, ...]] = {}

    def canonical(self, path: str) -> str:
        """The one name under which a thing is known; a path that is not known comes back as it is."""
        found = self._canonical.get(path)
        if found is None:
            found = self._canonical[path] = self._resolve(path)
        return found

    def function(self, path: str) -> Function | None:
        """A function, or a method by its full path: through a class or a module's object (`openai.chat…create`)."""
        if path in self._functions:
            return self._functions[path]
        self._functions[path] = None  # An alias that leads to itself ends here.
        self._functions[path] = found = self._function(self.canonical(path))
        return found

    def cls(self, path: str) -> Class | None:
        """A class, with what the user says of it added."""
        if path in self._classes:
            return self._classes[path]
        name = self.canonical(path)
        found = next((lib.classes[name] for lib in self._known(name) if name in lib.classes), None)
        if found is not None and found.bases:
            self._classes[path] = found  # A class among its own bases ends here.
            found = self._inherited(found)
        mine = self._user.classes.get(name)
        if mine is not None:
            found = mine if found is None else self._merged(found, mine)
        self._classes[path] = found
        return found

    def method(self, cls_path: str, name: str) -> Function | None:
        """A method of a class or of one of its bases."""
        key = (cls_path, name)
        if key not in self._methods:
            self._methods[key] = next(self._find_methods(cls_path, name), None)
        return self._methods[key]

    def attribute(self, cls_path: str, name: str) -> str | None:
        """The type of an attribute or property of a class (or of a module's object), also of its bases'."""
        key = (cls_path, name)
        if key not in self._attributes:
            self._attributes[key] = next(self._find_attributes(cls_path, name), None)
        return self._attributes[key]

    def mro(self, cls_path: str) -> tuple[str, ...]:
        """The class and its bases, nearest first; bases outside the tables end the line."""
        path = self.canonical(cls_path)
        found = self._mros.get(path)
        if found is None:
            self._mros[path] = (path,)
            order = [path]
            cls = self.cls(path)
            for base in cls.bases if cls else ():
                order.extend(name for name in self.mro(base) if name not in order)
            found = self._mros[path] = tuple(order)
        return found

    def is_module(self, path: str) -> bool:
        """Whether the path names a module or package rather than something inside one."""
        if path in self._user.modules:
            return True
        if path.partition(".")[0] not in self._files:
            return False
        if any(path in lib.functions or path in lib.classes for lib in self._known(path)):
            return False
        dotted = path + "."
        return any(
            path in lib.modules
            or path in lib.roots
            or any(name.startswith(dotted) and name not in lib.classes for name in lib.modules)
            or lib.aliases.get(path) in lib.modules
            for lib in self._known(path)
        )

    def history(self, path: str) -> History | None:
        """Which releases have a name, where that is told."""
        return next((lib.history[path] for lib in self._known(path) if path in lib.history), None)

    def libraries(self, path: str) -> tuple[Library, ...]:
        """The tables that hold names below the path's first component."""
        return self._known(path)

    # -- private --------------------------------------------------------------------------------

    def _known(self, path: str) -> tuple[Library, ...]:
        root = path.partition(".")[0]
        found = self._libraries.get(root)
        if found is None:
            found = self._libraries[root] = tuple(
                dict.fromkeys(
                    self._shelf.library(stem, name) for stem, name in self._files.get(root, ())
                )
            )
        return found

    def _holds(self, path: str) -> bool:
        if path in self._user.functions or path in self._user.classes:
            return True
        return any(
            path in lib.functions or path in lib.classes or path in lib.modules
            for lib in self._known(path)
        )

    def _alias(self, path: str) -> str | None:
        if path in self._user.aliases:
            return self._user.aliases[path]
        return next((lib.aliases[path] for lib in self._known(path) if path in lib.aliases), None)

    def _resolve(self, path: str) -> str:
        if path.isidentifier() and self._holds(BUILTINS + path):
            path = BUILTINS + path
        self._canonical[path] = path
        if self._holds(path):
            return path
        target = self._alias(path)
        if target is not None:
            return self.canonical(target)
        head, _, tail = path.rpartition(".")
        while head:
            target = self._alias(head)
            if target is not None:
                return self.canonical(f"{target}.{tail}")
            head, _, part = head.rpartition(".")
            tail = f"{part}.{tail}"
        # Packages export what their modules define: httpx._client.Client is httpx.Client.
        parts = path.split(".")
        if parts[-1][:1].isupper() and "types" not in parts:
            for size in range(len(parts) - 2, 0, -1):
                shorter = ".".join((*parts[:size], parts[-1]))
                if self._holds(shorter):
                    return shorter
            return path
        # Private modules are where a package keeps what it exports: httpx._client.Client is httpx.Client.
        parts = path.split(".")
        public = ".".join(p for p in parts[:-1] if not p.startswith("_")) + "." + parts[-1]
        if len(parts) > 2 and public != path and self._holds(public):
            return public
        return path

    def _function(self, path: str) -> Function | None:
        if path in self._user.functions:
            return self._user.functions[path]
        for lib in self._known(path):
            if path in lib.functions:
                return lib.functions[path]
        head, _, name = path.rpartition(".")
        owner = self._type(head) if head else None
        return self.method(owner, name) if owner else None

    def _type(self, path: str) -> str | None:
        """The class whose methods are found below a path: the class itself, or the type of a module's object."""
        if self.cls(path) is not None:
            return path
        head, _, name = path.rpartition(".")
        if not head:
            return None
        for lib in self._known(path):
            if name in lib.modules.get(head, ()):
                return lib.modules[head][name]
        owner = self._type(head)
        return self.attribute(owner, name) if owner else None

    def _find_methods(self, cls_path: str, name: str) -> Iterator[Function]:
        for path in self.mro(cls_path):
            if f"{path}.{name}" in self._user.functions:
                yield self._user.functions[f"{path}.{name}"]
            cls = self.cls(path)
            if cls is not None and name in cls.methods:
                yield cls.methods[name]

    def _find_attributes(self, cls_path: str, name: str) -> Iterator[str]:
        for path in self.mro(cls_path):
            cls = self.cls(path)
            if cls is not None and name in cls.attributes:
                yield cls.attributes[name]
            for lib in self._known(path):
                if name in lib.modules.get(path, ()):
                    yield lib.modules[path][name]

    def _inherited(self, cls: Class) -> Class:
        """The class with what it takes over from its bases, methods and attributes aside."""
        changes: dict[str, Any] = {}
        for base in cls.bases:
            above = self.cls(base)
            if above is None:
                continue
            for name in INHERITED:
                value = getattr(above, name)
                if value and not getattr(cls, name) and name not in changes:
                    changes[name] = value
        return replace(cls, **changes) if changes else cls

    def _merged(self, ours: Class, mine: Class) -> Class:
        """Our class with the fields that the user gives."""
        given = self._given.get(mine.name, frozenset({"client"}))
        changes = {
            f.name: getattr(mine, f.name)
            for f in fields(Class)
            if f.name in given and f.name not in ("methods", "attributes", "name")
        }
        return replace(
            ours,
            methods={**ours.methods, **mine.methods},
            attributes={**ours.attributes, **mine.attributes},
            **changes,
        )


def describe(name: str | None) -> str:
    """What `asynclint knowledge [NAME]` prints: the libraries and their verified versions, or one library or name."""
    from asynclint.knowledge.described import libraries, one

    return libraries() if name is None else one(Knowledge(), name)
