"""What a coroutine asks of a store, and then changes in it, in one step: two at once would both be told the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Module, recipe_name
from asynclint.facts.types import Func, LibMethod, members
from asynclint.findings import Refused
from asynclint.fixes.effects import effects
from asynclint.fixes.place import Place, Workshop

ASKS = re.compile(r"h?get|list|scroll|exists|has_|describe|find|retrieve")
CHANGES = re.compile(r"create|upsert|h?set|put|update|insert|modify|save")
"""How the methods of a store begin that tell what it has, and those that change it by that."""

GIVES = re.compile(r"h?get|load|read|fetch|find|retrieve")
TAKES = re.compile(r"h?del|remove|pop|revoke|consume|invalidate|expire")
"""How the methods of a store begin that give what it has under a key, and those that take it away."""

MAKES = re.compile(r"(?:get_or_)?create|upsert|h?set|put|insert|save")
"""How those begin that put something under a key again."""

KINDS = frozenset({"sdk", "database"})
"""What those wait for who use a store."""

DEEP = 2
"""Helpers of helpers that are looked at."""


@dataclass(frozen=True, slots=True)
class Access:
    """A method of a store that a call of a coroutine calls, itself or in a helper."""

    store: str
    method: str
    key: str
    call: ast.Call
    block: int
    helped: bool


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a store that a helper calls."""

    own: bool
    """It is kept in the helper's object, and not in a global."""
    store: str
    """As the helper writes it; without its `self`, where that owns it."""
    name: str
    locked: bool
    """It is called under a lock."""
    block: int
    """Of the call in the helper itself."""


def refuse(place: Place) -> None:
    """Raise Refused where a wait at a place would come between what a store is asked and what is changed in it."""
    function = place.source.definition(place.function)
    if function is None or not isinstance(place.node, ast.Call):
        return
    tree, definition = function
    waits = [n.lineno for n in tree.own(definition) if isinstance(n, ast.Await)]
    found = _accesses(place, definition)
    for first in found:
        for second in found:
            if place.node not in (first.call, second.call) or not _is_behind(place, first, second):
                continue
            if any(first.call.lineno < n <= second.call.lineno for n in waits):
                continue
            if not ((first.helped or second.helped) and place.is_locked):
                _refuse_pair(first, second)
    if not place.is_locked:
        _refuse_within(place)


def _refuse_within(place: Place) -> None:
    """Raise Refused where what is called asks a store and changes it, which today nobody comes between."""
    evaluator = place.workshop.facts.graph.evaluator
    for member in members(evaluator.callee(place.function.module, place.site)):
        if not isinstance(member, Func) or member.function.is_async:
            continue
        store = _asked_first(place.workshop, member.function)
        if store is not None:
            raise Refused(
                f"`{member.function.name}` asks `{store}` and then changes it, which two threads would both do"
            )


def _asked_first(workshop: Workshop, function: Function) -> str | None:
    """The store that a function asks, and changes behind that, without a lock."""
    called = [one for one in _called(workshop, function) if not one.locked]
    for index, first in enumerate(called):
        for second in called[index + 1 :] if ASKS.match(first.name) else ():
            if (first.own, first.store) == (second.own, second.store) and CHANGES.match(
                second.name
            ):
                if _is_way(function.module, first.block, second.block):
                    return f"{function.self_name}.{first.store}" if first.own else first.store
    return None


def _refuse_pair(first: Access, second: Access) -> None:
    if first.store != second.store:
        return
    if ASKS.match(first.method) and CHANGES.match(second.method):
        raise Refused(
            f"`{first.store}` is asked and then changed without a wait in between, which two at once would both do"
        )
    if first.key != second.key:
        return
    if GIVES.match(first.method) and TAKES.match(second.method):
        raise Refused(
            f"`{first.store}` gives `{first.key}` once: it is read and taken away without a wait in between"
        )
    if TAKES.match(first.method) and MAKES.match(second.method):
        raise Refused(
            f"`{first.store}` has no `{first.key}` until it is made again, which others would see"
        )


def _is_behind(place: Place, first: Access, second: Access) -> bool:
    """Whether the second is called in a line behind the first, on a way that comes by both."""
    if second.call.lineno <= first.call.lineno:
        return False
    if min(first.block, second.block) < 0:
        return True
    return _is_way(place.function.module, first.block, second.block)


def _is_way(module: Module, first: int, second: int) -> bool:
    """Whether who comes by one block may come by another one behind it."""
    return not module.excludes(first, second) and not module.leaves(first, second)


# -- who calls a store -------------------------------------------------------------------------------


def _accesses(place: Place, definition: ast.AST) -> tuple[Access, ...]:
    known = place.workshop.once(_known_accesses)
    if definition not in known:
        calls = [n for n in place.tree.own(definition) if isinstance(n, ast.Call)]
        known[definition] = tuple(_found(place, calls))
    return known[definition]


def _known_accesses(workshop: Workshop) -> dict[ast.AST, tuple[Access, ...]]:
    return {}


def _found(place: Place, calls: list[ast.Call]) -> Iterator[Access]:
    function = place.function
    sites = {(s.line, s.col, s.end_line, s.end_col): s for s in function.sites if s.kind == "call"}
    for call in calls:
        end = call.end_lineno or 0, call.end_col_offset or 0
        site = sites.get((call.lineno, call.col_offset, *end))
        block = site.block if site is not None else -1
        given = call.args[:1] or [k.value for k in call.keywords]
        key = ", ".join(ast.unparse(one) for one in given)
        if isinstance(call.func, ast.Attribute):
            yield Access(ast.unparse(call.func.value), call.func.attr, key, call, block, False)
        for store, method in _helped(place, call, site) if site is not None else ():
            yield Access(store, method, key, call, block, True)


def _helped(place: Place, call: ast.Call, site: CallSite) -> Iterator[tuple[str, str]]:
    """The stores, as the coroutine would write them, and their methods that a helper calls."""
    evaluator = place.workshop.facts.graph.evaluator
    for member in members(evaluator.callee(place.function.module, site)):
        if not isinstance(member, Func) or member.function.is_async:
            continue
        for one in _called(place.workshop, member.function):
            if not one.own and member.function.module is place.function.module:
                yield one.store, one.name
            elif one.own and isinstance(call.func, ast.Attribute):
                yield f"{ast.unparse(call.func.value)}.{one.store}", one.name


def _called(workshop: Workshop, function: Function) -> tuple[Method, ...]:
    known = workshop.once(_known)
    if function not in known:
        known[function] = tuple(_below(workshop, function, DEEP))
    return known[function]


def _known(workshop: Workshop) -> dict[Function, tuple[Method, ...]]:
    return {}


def _below(
    workshop: Workshop, function: Function, deep: int, locked: bool = False
) -> Iterator[Method]:
    """The methods of stores that a helper calls, itself or by other helpers of its object, in their order."""
    evaluator = workshop.facts.graph.evaluator
    for site in function.sites:
        held = locked or workshop.once(effects).is_locked(function, site)
        for member in members(evaluator.callee(function.module, site)):
            if isinstance(member, LibMethod) and member.known.blocks in KINDS:
                yield from _method(function, site, held)
            elif isinstance(member, Func) and deep and _is_own(function, site.callee):
                if member.function is not function and not member.function.is_async:
                    for one in _below(workshop, member.function, deep - 1, held):
                        yield replace(one, block=site.block)


def _is_own(function: Function, callee: Recipe) -> bool:
    """`self.helper`, or a function of the module."""
    if not callee:
        return False
    if callee[0] == "attr":
        return bool(callee[1] == ("name", function.self_name))
    return callee[0] == "name" and callee[1] not in function.facts.bindings


def _method(function: Function, site: CallSite, locked: bool) -> Iterator[Method]:
    """`self.client.get`, `CLIENT.get`, and `client.get` of a local name for one of them."""
    callee = site.callee
    if not callee or callee[0] != "attr":
        return
    store = callee[1]
    if store and store[0] == "name":
        bound = function.facts.bindings.get(store[1], ())
        store = bound[0].recipe if len(bound) == 1 else store if not bound else None
    text = recipe_name(store)
    owner, _, rest = text.partition(".")
    if "…" in text:
        return
    if owner == function.self_name:
        if rest:
            yield Method(True, rest, str(callee[2]), locked, site.block)
    elif owner not in function.parameters and owner not in function.facts.bindings:
        yield Method(False, text, str(callee[2]), locked, site.block)
