"""Harvested client APIs: one short string for a synchronous class and its asynchronous twin.

A string is a list of words, written by `scripts/harvest.py`. Of a method that exists on both sides:

    create          talks to the network: blocks on one side, is a coroutine on the other
    create?         and gives a stream with `stream=True`
    create:Type     and gives an object of this class (of the twin's class on the other side)
    list>Page       gives pages; the other side's result may be awaited or iterated
    iter_lines*     gives an iterator that blocks at each step; an async iterator on the other side
    stream=Type     does nothing but build an object, often a manager whose `with` talks to the network
    .files:Type     an attribute
    -name… +name…   of the synchronous, of the asynchronous side only: `name~` is a coroutine, `name=` is not

Words that start with `!` speak of the class: `!client` or `!client=cost`, `!async=Name` (where the twin is not called AsyncName),
`!alone` (one class for both sides), `!bases=A,B`, `!enter` or `!enter=Type` (entering gives that type and waits),
`!iter`, `!aiter` (of a class for both sides), and `!raw`: it has `with_raw_response` and `with_streaming_response`, whose classes are derived here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from typing import Any, Literal, NamedTuple, cast

from asynclint.knowledge.lazy import Lazy
from asynclint.knowledge.model import Class, Client, Function, Library

WORD = re.compile(r"([-+.]?)(\w+)([?>:*=~]?)(.*)")
DERIVED = {"raw": "WithRawResponse", "streaming": "WithStreamingResponse"}


class Entry(NamedTuple):
    twin: str | None
    words: list[str]
    about: dict[str, str]


class Expansion:
    """The classes of one harvested file, read and built when they are asked for."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self.root: str = table["name"]
        self.raw: str = table["raw"]
        self.streamed: str = table["streamed"]
        self.texts: dict[str, str] = dict(table["classes"])
        for name, text in table.get("earlier", {}).items():
            self.texts[name] = f"{self.texts[name]} {text}" if name in self.texts else text

    @cached_property
    def twins(self) -> dict[str, str]:
        """Name of an asynchronous class → that of the synchronous one."""
        named = ((name, self.entry(name)) for name, text in self.texts.items() if "!async=" in text)
        special = {name: entry.twin for name, entry in named if entry is not None}
        return {
            special.get(name) or twin_name(name): name
            for name, text in self.texts.items()
            if "!alone" not in text
        }

    def entry(self, name: str) -> Entry | None:
        """What is told of a class by its synchronous name."""
        found = self._entries.get(name)
        if found is None and name in self.texts:
            words = self.texts[name].split()
            about = {}
            for word in words:
                if word[0] == "!":
                    key, _, value = word[1:].partition("=")
                    about[key] = value
            twin = None if "alone" in about else about.get("async") or twin_name(name)
            found = self._entries[name] = Entry(twin, words, about)
        return found

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        return {}

    def earlier(self, table: Mapping[str, Any]) -> Iterator[str]:
        """Paths that only other releases have."""
        for name, text in table.items():
            for is_async in (False, True):
                path = self.path(name, is_async)
                yield from (path, path + DERIVED["raw"], path + DERIVED["streaming"])
                for _, member, _, _ in self._members(Entry(None, text.split(), {}), is_async):
                    yield f"{path}.{member}"

    def path(self, name: str, is_async: bool = False) -> str:
        """The full path of a class, of its twin where asked and there is one."""
        if name in ("", "Self", "Any"):
            return name
        if name == "Iterator":
            return "AsyncIterator[Any]" if is_async else f"{self.root}.Iterator"
        if name == "AsyncIterator":
            return "AsyncIterator[Any]"
        entry = self.entry(name) if is_async else None
        if entry is not None and entry.twin is not None:
            name = entry.twin
        return f"{self.root}.{name}"

    def maker(self, path: str) -> Callable[[], Class] | None:
        """What builds the class at a path; None where there is none."""
        name = path.removeprefix(f"{self.root}.")
        if name == path:
            return None
        if name == "Iterator":
            return self._iterator
        if name not in self.texts and name not in self.twins:
            kind = next((k for k, suffix in DERIVED.items() if name.endswith(suffix)), None)
            if kind is None:
                return None
            owner = name.removesuffix(DERIVED[kind])
            one = self.entry(self.twins.get(owner, owner))
            if one is None or "raw" not in one.about:
                return None
            return partial(
                self._derived, path, self.twins.get(owner, owner), owner in self.twins, kind
            )
        is_async = name not in self.texts
        return partial(self._class, path, self.twins[name] if is_async else name, is_async)

    def paths(self) -> Iterator[str]:
        """The names of all classes."""
        yield f"{self.root}.Iterator"
        for name in (*self.texts, *self.twins):
            path = f"{self.root}.{name}"
            yield path
            entry = self.entry(self.twins.get(name, name))
            if entry is not None and "raw" in entry.about:
                yield from (path + suffix for suffix in DERIVED.values())

    def _iterator(self) -> Class:
        return Class(f"{self.root}.Iterator", iter="sync", iter_blocks="sdk", yields="Any")

    def _class(self, path: str, name: str, is_async: bool) -> Class:
        entry = self.entry(name)
        assert entry is not None
        about = entry.about
        methods: dict[str, Function] = {}
        attributes: dict[str, str] = {}
        for side, member, mark, type_ in self._members(entry, is_async):
            if side == ".":
                attributes[member] = self.path(type_, is_async)
            else:
                methods[member] = self._method(path, member, mark, type_, is_async)
        if "raw" in about:
            attributes["with_raw_response"] = path + DERIVED["raw"]
            attributes["with_streaming_response"] = path + DERIVED["streaming"]
        bases = about.get("bases")
        way: Literal["sync", "async"] = "async" if is_async else "sync"
        waits = bool(about.get("enter")) or ("enter" in about and name.endswith("Manager"))
        return Class(
            path,
            bases=tuple(self.path(b, is_async) for b in bases.split(",")) if bases else (),
            client=self._client(entry, name, is_async) if "client" in about else None,
            methods=methods,
            attributes=attributes,
            enter=way if "enter" in about else None,
            enters_as=self.path(about["enter"], is_async) if about.get("enter") else None,
            enter_blocks="sdk" if waits and not is_async else None,
            iter=way if "iter" in about else "async" if "aiter" in about else None,
            iter_blocks="sdk" if "iter" in about and not is_async else None,
            yields="Any" if "iter" in about or "aiter" in about else None,
        )

    def _members(self, entry: Entry, is_async: bool) -> list[tuple[str, str, str, str]]:
        other = "-" if is_async else "+"
        result = []
        for word in entry.words:
            match = WORD.fullmatch(word) if word[0] != "!" else None
            if match is not None and match[1] != other:
                result.append((match[1], match[2], match[3], match[4]))
        return result

    def _method(self, owner: str, name: str, mark: str, type_: str, is_async: bool) -> Function:
        path = f"{owner}.{name}"
        returns = self.path(type_, is_async) or None
        if mark == "*":
            return Function(path, returns=self.path("Iterator", is_async))
        if name == "close" and not is_async:
            return Function(path)  # Lets go of a connection, without waiting for anyone.
        if mark == "~":
            return Function(path, coroutine=True, returns=returns)
        if mark == "=":
            target = self.entry(type_)
            if target is None or "enter" not in target.about:
                return Function(path, returns=returns)
            waits = bool(target.about["enter"]) or type_.endswith("Manager")
            inside = self.path(target.about["enter"] or type_, is_async)
            return Function(
                path,
                blocks="sdk" if waits and not is_async else None,
                enter_blocks=waits and not is_async,
                enters="async" if is_async else "sync",
                returns=inside,
            )
        streams = (("stream", "True", self.path("Stream", is_async)),) if mark == "?" else ()
        if is_async:
            iterates: Literal["async"] | None = "async" if mark == ">" else None
            return Function(
                path, coroutine=True, returns=returns, returns_if=streams, iterates=iterates
            )
        return Function(path, blocks="sdk", returns=returns, returns_if=streams)

    def _client(self, entry: Entry, name: str, is_async: bool) -> Client:
        return Client(
            is_async=is_async,
            twin=self.path(name, not is_async),
            cost=cast(Any, entry.about["client"] or "tls"),
            close="close",
            close_async=is_async,
            cheap_with=("http_client",),
            tenant_args=("api_key", "auth_token", "organization", "default_headers"),
        )

    def _derived(self, path: str, name: str, is_async: bool, kind: str) -> Class:
        """`with_raw_response` and `with_streaming_response`: the same methods with other results."""
        methods: dict[str, Function] = {}
        attributes: dict[str, str] = {}
        entry = self.entry(name)
        assert entry is not None
        for side, member, mark, type_ in self._members(entry, is_async):
            if side == ".":
                target = self.entry(type_)
                if target is not None and "raw" in target.about:
                    attributes[member] = self.path(type_, is_async) + DERIVED[kind]
            elif mark in ("=", "*"):
                continue
            elif kind == "raw":
                methods[member] = Function(
                    f"{path}.{member}",
                    blocks=None if is_async else "sdk",
                    coroutine=is_async,
                    returns=self.path(self.raw) or None,
                )
            else:
                methods[member] = Function(
                    f"{path}.{member}",
                    blocks=None if is_async else "sdk",
                    enter_blocks=not is_async,
                    enters="async" if is_async else "sync",
                    returns=self.path(self.streamed, is_async),
                )
        return Class(path, methods=methods, attributes=attributes)


def twin_name(name: str) -> str:
    """The usual name of an async twin: resources.Files → resources.AsyncFiles, pagination.SyncPage → AsyncPage."""
    head, dot, last = name.rpartition(".")
    return f"{head}{dot}Async{last.removeprefix('Sync')}"


def expand(result: Library, table: Mapping[str, Any], classes: Lazy) -> None:
    """Add the harvested classes to a library; with `module`, the client's attributes are the module's too."""
    expansion = Expansion(table)
    classes.later(expansion)
    if module := table.get("module"):
        result.modules[expansion.root] = {
            name: type_
            for name, type_ in classes[f"{expansion.root}.{module}"].attributes.items()
            if type_.startswith(f"{expansion.root}.resources.")
        }
    known = table["classes"]
    for path in expansion.earlier(table.get("earlier", {})):
        name = path.removeprefix(f"{expansion.root}.")
        if name not in known and name.replace("Async", "") not in known:
            result.old.add(path)
