"""What `asynclint knowledge` prints: which libraries are known, and what is known of one name."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from asynclint.knowledge.index import FILES
from asynclint.knowledge.load import KnowledgeError, user_tables
from asynclint.knowledge.model import Class, Entry, Function

if TYPE_CHECKING:
    from asynclint.knowledge import Knowledge

STANDARD = sys.stdlib_module_names | {"builtins"}


def libraries() -> str:
    """One line a library: its name, its import roots, the versions that it was verified with."""
    lines: dict[str, tuple[list[str], list[str]]] = {}
    for name, versions, roots in FILES.values():
        known = lines.setdefault(name, ([], []))
        known[0].extend(root for root in roots if root not in known[0])
        known[1].extend(v for v in versions.split(", ") if v and v not in known[1])
    width = max(len(name) for name in lines)
    return "\n".join(
        f"{name:{width}}  {' '.join(roots)}  ({', '.join(versions) or _unversioned(roots)})"
        for name, (roots, versions) in sorted(lines.items())
    )


def _unversioned(roots: list[str]) -> str:
    return "standard library" if roots[0] in STANDARD else "not verified"


def one(knowledge: Knowledge, name: str) -> str:
    """What is known of a library, a module, a class or a function.

    Raises KnowledgeError, with the nearest name, where nothing is.
    """
    path = knowledge.canonical(name)
    cls = knowledge.cls(path)
    if cls is not None:
        return "\n".join(_class(knowledge, name, cls))
    function = knowledge.function(path)
    if function is not None:
        return "\n".join(
            (
                *_also(knowledge, name, function.name),
                f"{function.name}: {told(function)}{_moved(knowledge, function.name)}",
            )
        )
    lines = list(_below(knowledge, path))
    if lines:
        return "\n".join(lines)
    near = get_close_matches(name, sorted(knowledge.roots | {n for n, _, _ in FILES.values()}), 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise KnowledgeError(f"nothing is known of {name!r}{hint}")


def _listed(knowledge: Knowledge, path: str) -> bool:
    return any(path in lib.functions or path in lib.classes for lib in knowledge.libraries(path))


def overridden(user: Mapping[str, object]) -> list[str]:
    """Where a user's tables say something else than what ships: one line for each name."""
    from asynclint.knowledge import Knowledge

    mine, given = user_tables(user)
    ours = Knowledge()
    functions = dict(mine.functions)
    lines = []
    for path, cls in mine.classes.items():
        functions |= {f"{path}.{name}": method for name, method in cls.methods.items()}
        shipped = ours.cls(path)
        if shipped is None:
            continue
        if given.get(path, frozenset()) - {"methods", "attributes"} or path in functions:
            lines.append(_differs(path, list(_about(cls)), list(_about(shipped))))
        for name, type_ in cls.attributes.items():
            known = ours.attribute(path, name)
            lines.append(_differs(f"{path}.{name}", [type_], [known or type_]))
    for path, function in functions.items():
        known_function = ours.function(path)
        if known_function is not None:
            lines.append(_differs(path, [told(function)], [told(known_function)]))
    for path, target in mine.aliases.items():
        known = ours.canonical(path)
        if known != path:
            lines.append(_differs(path, [ours.canonical(target)], [known]))
    return sorted(line for line in lines if line)


def _differs(path: str, mine: list[str], ours: list[str]) -> str:
    """Empty where both say the same, or nothing of yours is new."""
    if not mine or all(word in ours for word in mine):
        return ""
    return f"{path}: {', '.join(mine)}; what ships says: {', '.join(ours) or 'nothing'}"


def _also(knowledge: Knowledge, name: str, canonical: str) -> Iterator[str]:
    if name != canonical:
        yield f"{name} is {canonical}{_moved(knowledge, name)}"


def _moved(knowledge: Knowledge, path: str) -> str:
    """Which releases have a name, and what stood or stands in its place."""
    told = knowledge.history(path)
    if told is None:
        return ""
    parts = {
        "since": told.since,
        "gone since": told.gone,
        "earlier": told.earlier,
        "now": told.later,
    }
    words = [f"{word} {value}" for word, value in parts.items() if value]
    return ", " + ", ".join((*words, *([told.note] if told.note else [])))


def _below(knowledge: Knowledge, path: str) -> Iterator[str]:
    """The names of a module, or of a library by its name."""
    roots = [path]
    for name, versions, known in FILES.values():
        if name == path or path in known:
            roots = list(known) if name == path else roots
            yield f"{name} {versions and f'(verified with {versions})'}".rstrip()
    for root in roots:
        for lib in knowledge.libraries(root):
            for function in lib.functions.values():
                if function.name.startswith(root + "."):
                    moved = _moved(knowledge, function.name)
                    yield f"  {function.name}: {told(function)}{moved}"
            classes = getattr(lib.classes, "paths", lib.classes.keys)
            for cls in sorted(classes()):
                if cls.startswith(root + "."):
                    yield f"  {cls}{_moved(knowledge, cls)}"
            for moved in lib.history:
                if not _listed(knowledge, moved) and f"{moved}.".startswith(f"{root}."):
                    yield f"  {moved}{_moved(knowledge, moved)}"


def _class(knowledge: Knowledge, name: str, cls: Class) -> Iterator[str]:
    yield from _also(knowledge, name, cls.name)
    yield f"{cls.name}: {', '.join(_about(cls)) or 'a class'}{_moved(knowledge, cls.name)}"
    shown: set[str] = set()
    for path in knowledge.mro(cls.name):
        above = knowledge.cls(path)
        for method in sorted(above.methods) if above else ():
            known = knowledge.method(path, method)
            if method not in shown and known is not None:
                shown.add(method)
                yield f"  .{method}(): {told(known)}{_moved(knowledge, f'{path}.{method}')}"
        for attribute, type_ in sorted(above.attributes.items()) if above else ():
            if attribute not in shown:
                shown.add(attribute)
                yield f"  .{attribute}: {type_}"
        for item, type_ in sorted(above.items.items()) if above else ():
            yield f"  [{item!r}]: {type_}"


def _about(cls: Class) -> Iterator[str]:
    if cls.bases:
        yield f"derives from {' and '.join(cls.bases)}"
    if cls.client is not None:
        article = "an async" if cls.client.is_async else "a"
        closes = f", closes with {cls.client.close}()" if cls.client.close else ""
        state = f", keeps {cls.client.state}" if cls.client.state else ""
        cost = "keeps no connections" if cls.client.cost == "none" else cls.client.cost
        yield f"{article} {cls.client.what} ({cost}){closes}{state}"
        if cls.client.twin:
            yield f"its twin is {cls.client.twin}"
    if cls.enter:
        yield f"a context manager ({cls.enter})" + (
            f", blocks there ({cls.enter_blocks})" if cls.enter_blocks else ""
        )
    if cls.iter:
        yield f"iterates ({cls.iter})" + (
            f", blocks ({cls.iter_blocks})" if cls.iter_blocks else ""
        )
    if cls.bounds:
        yield "bounds concurrency"
    if cls.lock:
        yield f"a lock ({cls.lock})"
    for name, entry in cls.entry_methods.items():
        yield f"{name}() is called by the framework ({_entry(entry)})"


def told(function: Function) -> str:
    """One function in words: every field that says something."""
    parts = list(_told(function))
    return ", ".join(parts) if parts else "neither blocks nor has to be awaited"


def _told(function: Function) -> Iterator[str]:
    if function.blocks:
        where = " when entered" if function.enter_blocks else ""
        yield f"blocks ({function.blocks}){where}" + (", shortly" if function.short else "")
        for param, literal in function.unless:
            yield f"not with {param}={literal}"
    if function.coroutine:
        yield "to be awaited"
    if function.enters:
        yield "a context manager" if function.enters == "sync" else "an async context manager"
    if function.client is not None:
        yield f"makes a {function.client.what}"
    for entry in function.registers:
        yield f"hands a function to the framework ({_entry(entry)})"
    said = {
        "name",
        "blocks",
        "enter_blocks",
        "short",
        "unless",
        "coroutine",
        "enters",
        "client",
        "registers",
        "params",
    }
    for f in fields(Function):
        value: Any = getattr(function, f.name)
        if (
            f.name not in said
            and value is not None
            and value is not False
            and value != ()
            and (f.name, value) != ("offloads_to", "thread")
        ):
            yield (
                f.name.replace("_", " ")
                if value is True
                else f"{f.name.replace('_', ' ')} {_plain(value)}"
            )


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return "; ".join(" ".join(str(part) for part in item) for item in value)
    return str(value)


def _entry(entry: Entry) -> str:
    where = {
        "thread": "in a thread",
        "loop": "on the loop",
        "process": "in a process",
        "plain": "without a loop",
    }
    return f"{entry.role}, per {entry.often}, a plain def {where[entry.sync]}"
