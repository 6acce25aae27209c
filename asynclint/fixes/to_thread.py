"""A blocking call in a coroutine is handed to a worker thread, or the route around it runs in one."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from asynclint.facts.graph import SYNC
from asynclint.facts.program import Function
from asynclint.facts.types import Cls, Func, Inst, Lib, LibMethod, Type, members
from asynclint.findings import Fix, Refused
from asynclint.fixes.place import Place

THREAD_BOUND = (
    "sqlite3.",
    "sqlalchemy.orm.",
    "sqlmodel.",
    "psycopg2.",
    "pymysql.",
    "peewee.",
)
"""Roots of classes whose objects belong to the thread, or the transaction, that uses them."""

LOCKS = frozenset({"acquire", "release", "__enter__", "__exit__"})

ON_LOOP = frozenset(
    {
        "get_event_loop",
        "get_running_loop",
        "create_task",
        "ensure_future",
        "call_soon",
        "call_later",
        "run_until_complete",
    }
)
"""Calls that need the event loop's own thread."""

IMPLICIT = {
    "with": "entering or leaving it is what blocks",
    "for": "each step of the iteration blocks",
    "attr": "it is a property",
}
"""Why calls that are not written as calls cannot be handed over."""

REACH = 200
"""Functions looked at below the call."""


def hand_over(place: Place) -> Iterable[Fix]:
    """The fixes of a blocking call. Raises Refused with the reason where a thread is not right."""
    reason = IMPLICIT.get(place.site.kind)
    if reason is not None:
        raise Refused(reason)
    place.narrow()
    call = place.call
    if not place.in_coroutine:
        raise Refused(
            "the enclosing function is not `async def`, so that nothing can be awaited in it"
        )
    _refuse_bound(place, call)
    if place.uses("trio") and not place.uses("asyncio"):
        raise Refused("the module uses trio")
    yield _awaited(place, call)
    yield from plain_route(place)


def _awaited(place: Place, call: ast.Call) -> Fix:
    source = place.source
    if len(call.args) == 1 and isinstance(call.args[0], ast.GeneratorExp):
        raise Refused("its argument is a generator expression")
    arguments = place.handed(call)
    if place.uses("anyio") and not place.uses("asyncio"):
        name, edits = place.imported("anyio")
        if call.keywords:
            partial, more = place.imported("functools", "partial")
            arguments, edits = f"{partial}({arguments})", (*edits, *more)
        text, title = f"{name}.to_thread.run_sync({arguments})", "anyio.to_thread.run_sync"
    else:
        name, edits = place.imported("asyncio")
        text, title = f"{name}.to_thread({arguments})", "asyncio.to_thread"
    return place.fix(
        f"hand it to a thread with `{title}`",
        source.replace(call, place.awaited(call, text)),
        *edits,
    )


# -- what must stay in its thread ----------------------------------------------------------------------


def _refuse_bound(place: Place, call: ast.Call) -> None:
    evaluator = place.workshop.facts.graph.evaluator
    module = place.function.module
    callee = evaluator.callee(module, place.site)
    for member in members(callee):
        if isinstance(member, LibMethod):
            if member.cls.startswith(THREAD_BOUND):
                raise Refused(
                    f"a `{member.cls.rpartition('.')[2]}` is used by one thread at a time"
                )
            if member.name in LOCKS:
                raise Refused("a lock taken in another thread would not be held by this one")
        if isinstance(member, (Cls, Lib)) and any(
            b.name.startswith(THREAD_BOUND) for b in place.facts.blocking.values()
        ):
            raise Refused("what it opens is used by the thread that opens it")
        if isinstance(member, Func):
            _refuse_loop(place, member.function)
            _refuse_object(member.bound)
    for recipe, _ in place.site.args:
        inner = recipe[1] if recipe and recipe[0] == "star" else recipe
        for value in members(evaluator.at_site(inner, place.site, module)):
            _refuse_object(value)
    for node in ast.walk(call):
        if isinstance(node, (ast.Yield, ast.YieldFrom, ast.NamedExpr)):
            raise Refused("its arguments do more than give values")


def _refuse_object(value: Type) -> None:
    if isinstance(value, Inst) and isinstance(value.of, str) and value.of.startswith(THREAD_BOUND):
        raise Refused(f"a `{value.of.rpartition('.')[2]}` is used by one thread at a time")


def _refuse_loop(place: Place, function: Function) -> None:
    """A function that speaks with the event loop works only in the loop's thread."""
    graph = place.workshop.facts.graph
    seen = {function}
    queue = [function]
    while queue and len(seen) < REACH:
        one = queue.pop()
        if one.facts.generator:
            raise Refused(f"`{one.name}` is a generator: its body runs where it is iterated")
        for site in one.sites:
            last = site.callee[-1] if site.callee else None
            if isinstance(last, str) and last in ON_LOOP:
                raise Refused(f"`{one.name}` needs the event loop's thread for `{last}`")
        for edge in graph.out.get(one, ()):
            if edge.how in SYNC and edge.target not in seen:
                seen.add(edge.target)
                queue.append(edge.target)


# -- the route as a plain function ------------------------------------------------------------------------


def plain_route(place: Place) -> Iterator[Fix]:
    """`async def` → `def` for a route that awaits nothing: the framework runs it in a thread."""
    function = place.function
    graph = place.workshop.facts.graph
    points = graph.entries.get(function, ())
    if not points or any(p.entry.role != "route" or p.entry.sync != "thread" for p in points):
        return
    found = place.source.definition(function)
    if found is None or not isinstance(found[1], ast.AsyncFunctionDef):
        return
    node = found[1]
    waits = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield, ast.YieldFrom, ast.AsyncFunctionDef)
    if any(isinstance(n, waits) for s in node.body for n in ast.walk(s)):
        return
    if any(getattr(n, "is_async", 0) for s in node.body for n in ast.walk(s)):
        return
    if graph.into.get(function) or any(
        isinstance(last := (s.callee[-1] if s.callee else None), str) and last in ON_LOOP
        for s in function.sites
    ):
        return
    start = place.source.offset(node.lineno, node.col_offset)
    text = place.source.text[start : start + 40]
    if not text.startswith("async "):
        return
    width = len("async ") + len(text[len("async ") :]) - len(text[len("async ") :].lstrip())
    yield place.fix(
        "make the route a plain `def`, which the framework runs in a thread",
        place.source.edit(start, start + width, ""),
    )
