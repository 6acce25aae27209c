"""What a coroutine asks of a store, and then changes in it, in one step: two at once would both be told the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from asynclint.facts.graph import SYNC
from asynclint.facts.known_calls import known_callee
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Module, recipe_name
from asynclint.facts.syntax import extent
from asynclint.facts.types import Func, LibMethod, members
from asynclint.findings import Refused
from asynclint.fixes.effects import effects
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.reached import reached, run_at
from asynclint.fixes.source import Tree
from asynclint.fixes.sql import adds, statement

ASKS = re.compile(
    r"h?get|list|scroll|exists|has_|describe|find|retrieve|query|search|scan|count|fetch|select"
)
CHANGES = re.compile(r"create|upsert|h?set|put|update|insert|modify|save")
"""How the methods of a store begin that tell what it has, and those that change it by that."""

GIVES = re.compile(r"h?get|load|read|fetch|find|retrieve")
TAKES = re.compile(r"h?del|remove|pop|revoke|consume|invalidate|expire")
"""How the methods of a store begin that give what it has under a key, and those that take it away."""

MAKES = re.compile(r"(?:get_or_)?create|upsert|h?set|put|insert|save")
"""How those begin that put something under a key again."""

SPENDS = re.compile(r"(?:in|de)crement|charge|consume|deduct|debit|withdraw|spend|claim|reserve")
"""How methods of the project's own stores begin that count something, or take of it what was asked for before."""

NUMBERS = frozenset({"get_transaction_count"})
NUMBERED = frozenset({"send_transaction", "send_raw_transaction"})
"""Methods that tell the number of the next thing an account sends, and those that send it: of one account, through whatever object."""

KINDS = frozenset({"sdk", "database"})
"""What those wait for who use a store."""

DEEP = 2
"""Helpers of helpers that are looked at."""

REACH = 200
"""Functions that are looked at below a call."""


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
    given: tuple[tuple[str | int, Recipe], ...]
    """What it is called with, by keyword or place."""

    def is_elsewhere(self, other: Method) -> bool:
        """Whether the other one is given another table, bucket or key: another constant, or another attribute."""
        own = dict(self.given)
        return any(
            one != own[where] and _is_fixed(one) and _is_fixed(own[where])
            for where, one in other.given
            if where in own
        )


def refuse(place: Place) -> None:
    """Raise Refused where a wait at a place would come between what a store is asked and what is changed in it."""
    function = place.source.definition(place.function)
    if function is None or not isinstance(place.node, ast.Call):
        return
    tree, definition = function
    waits = [n for n in tree.own(definition) if isinstance(n, ast.Await)]
    found = _accesses(place, definition)
    _refuse_numbered(place, found, [n.lineno for n in waits])
    for first in found:
        for second in found:
            if place.node not in (first.call, second.call) or not _is_behind(place, first, second):
                continue
            if any(_is_between(tree, first.call, one, second.call) for one in waits):
                continue
            if not ((first.helped or second.helped) and place.is_locked):
                _refuse_pair(first, second)
    if not place.is_locked:
        _refuse_within(place)


def _is_between(tree: Tree, first: ast.Call, wait: ast.Await, second: ast.Call) -> bool:
    """Whether a wait comes between two calls: not where it leads away from the second, or back to the first."""
    if not first.lineno < wait.lineno <= second.lineno:
        return False
    before, behind = set(tree.above(first)), set(tree.above(second))
    below: ast.AST = wait
    goes_round = False
    for one in tree.above(wait):
        if one in behind:
            return True
        if isinstance(one, ast.While) and one in before:
            return not goes_round
        if isinstance(one, (ast.If, ast.ExceptHandler)):
            arm = one.orelse if isinstance(one, ast.If) and below in one.orelse else one.body
            if isinstance(arm[-1], (ast.Return, ast.Raise)):
                return False
            goes_round = goes_round or (
                isinstance(arm[-1], ast.Continue) and before.isdisjoint(arm)
            )
        below = one
    return True


def _refuse_numbered(place: Place, found: tuple[Access, ...], waits: list[int]) -> None:
    """Raise Refused where a wait would come between the number of what is sent next, and its sending."""
    here = place.call.lineno
    for first in found if not place.is_locked else ():
        for second in found if first.method in NUMBERS else ():
            if second.method not in NUMBERED or not _is_behind(place, first, second):
                continue
            lines = range(first.call.lineno, second.call.lineno + 1)
            if here in lines and not any(n in lines[1:] for n in waits):
                raise Refused(
                    f"`{first.method}` tells the number that `{second.method}` uses, which two at once would both do"
                )


def _refuse_within(place: Place) -> None:
    """Raise Refused where what is called asks a store and changes it, which today nobody comes between."""
    for function in run_at(place.workshop, place.function, place.site):
        if place.function in place.workshop.facts.runs.once:
            _refuse_helper(place.workshop, function)
        else:
            refuse_below(place.workshop, function)


def refuse_below(workshop: Workshop, function: Function) -> None:
    """Raise Refused where a function, or one that its thread comes to, asks a store and changes it."""
    for one in unlocked(workshop, function):
        _refuse_helper(workshop, one)


def _refuse_helper(workshop: Workshop, function: Function) -> None:
    asked = _asked_first(workshop, function) or _spent(workshop, function)
    if asked is not None:
        raise Refused(f"`{function.name}` asks {asked}, which two threads would both do")


def unlocked(workshop: Workshop, function: Function) -> Iterator[Function]:
    """A function, and those that its thread comes to below it without a lock."""
    queue, seen = [function], {function}
    while queue and len(seen) < REACH:
        one = queue.pop()
        yield one
        for edge in workshop.facts.graph.out.get(one, ()):
            if edge.how not in SYNC or edge.target in seen:
                continue
            if not workshop.once(effects).is_locked(one, edge.site):
                seen.add(edge.target)
                queue.append(edge.target)


def _asked_first(workshop: Workshop, function: Function) -> str | None:
    """What a function asks a store, and then does by that, without a lock."""
    called = [one for one in _called(workshop, function) if not one.locked]
    for index, first in enumerate(called):
        for second in called[index + 1 :] if first.name in NUMBERS else ():
            if second.name in NUMBERED and _is_way(function.module, first.block, second.block):
                return f"`{first.name}` for a number and then uses it"
        for second in called[index + 1 :] if ASKS.match(first.name) else ():
            if not CHANGES.match(second.name) or first.is_elsewhere(second):
                continue
            if (first.own, first.store) == (second.own, second.store):
                if _is_way(function.module, first.block, second.block):
                    store = f"{function.self_name}.{first.store}" if first.own else first.store
                    return f"`{store}` and then changes it"
    return None


def _spent(workshop: Workshop, function: Function) -> str | None:
    """What a function asks a store of the project's, and then takes from it by that, without a lock around both."""
    sites = [s for s in function.sites if s.kind == "call" and s.callee and s.callee[0] == "attr"]
    sites = [s for s in sites if not workshop.once(effects).is_locked(function, s)]
    for second in sites:
        if not SPENDS.match(second.callee[2]) or not _works_on_store(workshop, function, second):
            continue
        for first in sites:
            if first.callee[1] != second.callee[1] or not ASKS.match(first.callee[2]):
                continue
            before = (first.end_line, first.end_col) <= (second.line, second.col)
            if before and _is_way(function.module, first.block, second.block):
                if _works_on_store(workshop, function, first):
                    return f"`{recipe_name(first.callee[1])}` and then takes from it"
    return None


def _works_on_store(workshop: Workshop, function: Function, site: CallSite) -> bool:
    """Whether a call is one of a method of the project's that calls a store."""
    found = members(workshop.facts.graph.evaluator.callee(function.module, site))
    return any(isinstance(m, Func) and workshop.each(_uses_store, m.function) for m in found)


def _uses_store(workshop: Workshop, function: Function) -> bool:
    """Whether a function, or one below it, calls a store."""
    evaluator = workshop.facts.graph.evaluator
    called = (
        known_callee(evaluator, member)
        for one in reached(workshop, function)
        for site in one.sites
        for member in members(evaluator.callee(one.module, site))
    )
    return any(known is not None and known.blocks in KINDS for known in called)


def _is_fixed(recipe: Recipe) -> bool:
    """Whether an argument is the same one at each call: a text, or an attribute of `self`."""
    if not recipe:
        return False
    if recipe[0] == "attr":
        return bool(recipe[1]) and recipe[1][0] == "name"
    return recipe[0] == "const" and isinstance(recipe[1], str)


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
    sites = {s.extent: s for s in function.sites if s.kind == "call"}
    for call in calls:
        site = sites.get(extent(call))
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
        for one in place.workshop.each(_called, member.function):
            if not one.own and member.function.module is place.function.module:
                yield one.store, one.name
            elif one.own and isinstance(call.func, ast.Attribute):
                yield f"{ast.unparse(call.func.value)}.{one.store}", one.name


def _called(workshop: Workshop, function: Function) -> tuple[Method, ...]:
    return tuple(_below(workshop, function, DEEP))


def _below(
    workshop: Workshop, function: Function, deep: int, locked: bool = False
) -> Iterator[Method]:
    """The methods of stores that a helper calls, itself or by other helpers, in their order."""
    evaluator = workshop.facts.graph.evaluator
    for site in sorted(function.sites, key=lambda one: (one.end_line, one.end_col)):
        held = locked or workshop.once(effects).is_locked(function, site)
        for member in members(evaluator.callee(function.module, site)):
            if isinstance(member, LibMethod) and (member.known.blocks in KINDS or adds(member)):
                for one in _method(function, site, held):
                    yield _in_sql(one, function, site, member)
            elif isinstance(member, Func) and deep:
                if member.function is not function and not member.function.is_async:
                    for one in _below(workshop, member.function, deep - 1, held):
                        yield from _seen(function, site, one)


def _seen(function: Function, site: CallSite, below: Method) -> Iterator[Method]:
    """A method of a store that a helper calls, as the function that calls the helper would write it."""
    callee = site.callee
    if not callee or callee[0] not in ("name", "attr"):
        return
    if callee[0] == "name":
        if callee[1] not in function.facts.bindings:
            yield replace(below, block=site.block)
        return
    holder = _holder(function, callee[1])
    if holder is None:
        return
    own, name = holder
    if not below.own:
        yield replace(below, block=site.block)
    else:
        store = f"{name}.{below.store}" if name else below.store
        yield replace(below, own=own, store=store, block=site.block)


def _method(function: Function, site: CallSite, locked: bool) -> Iterator[Method]:
    """`self.client.get`, `CLIENT.get`, and `client.get` of a local name for one of them."""
    callee = site.callee
    holder = _holder(function, callee[1]) if callee and callee[0] == "attr" else None
    if callee and callee[0] == "attr" and callee[2] in NUMBERS | NUMBERED:
        holder = holder or (False, recipe_name(callee[1]))
    if holder is not None and holder[1]:
        given = tuple((keyword or at, recipe) for at, (recipe, keyword) in enumerate(site.args))
        yield Method(*holder, str(callee[2]), locked, site.block, given)


def _in_sql(method: Method, function: Function, site: CallSite, member: LibMethod) -> Method:
    """The same, called by what its statement does: `execute("INSERT INTO jobs …")` inserts into `jobs`."""
    found = statement(function, site, member)
    if found is None:
        return method
    given = (("table", ("const", found.table)),) if found.table else ()
    return replace(method, name=found.verb, given=given)


def _holder(function: Function, recipe: Recipe) -> tuple[bool, str] | None:
    """Whether an object is kept in the function's own, and its name there, or that of a global; "" for its own."""
    if recipe and recipe[0] == "name":
        bound = function.facts.bindings.get(recipe[1], ())
        recipe = bound[0].recipe if len(bound) == 1 else recipe if not bound else None
    if recipe and recipe[0] == "enter":
        recipe = recipe[1]
    call = ""
    if recipe and recipe[0] == "call":
        site = function.module.site(recipe[1])
        given = [_told(function, one) for one, _ in site.args]
        if None in given:
            return None
        recipe, call = site.callee, f"({', '.join(map(str, given))})"
    text = recipe_name(recipe)
    owner, _, rest = text.partition(".")
    if "…" in text:
        return None
    if owner == function.self_name:
        return True, rest + call
    if owner in function.parameters or owner in function.facts.bindings:
        return None
    return False, text + call


def _told(function: Function, recipe: Recipe) -> str | None:
    """An argument that is the same each time, as it is written: a text, a global, or an attribute of the function's object."""
    if recipe and recipe[0] == "const":
        return repr(recipe[1])
    text = recipe_name(recipe)
    owner = text.partition(".")[0]
    if not text or "…" in text or (owner == text == function.self_name):
        return None
    own = owner in function.parameters or owner in function.facts.bindings
    return text if owner == function.self_name or not own else None
