"""A route that awaits nothing becomes a plain function, which the framework runs in a thread."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from asynclint.facts.dependencies import dependency_of
from asynclint.facts.graph import SYNC
from asynclint.facts.program import Function
from asynclint.facts.types import Func, LibMethod, members
from asynclint.findings import Fix, Refused
from asynclint.fixes import (
    connections,
    embedded,
    gone_through,
    kept_files,
    lent,
    library_settings,
    no_thread,
    stores,
    thread_bound,
    thread_state,
    twice,
    written_back,
)
from asynclint.fixes.effects import GIVEN, effects, half_done
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.reached import reached

METHODS = frozenset(
    {"get", "post", "put", "patch", "delete", "head", "options", "trace", "route", "api_route"}
)

SETTINGS = re.compile(r"settings|config", re.IGNORECASE)
"""What functions are named that give values which nobody changes."""


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
    if graph.into.get(function) or not _only_routes(node):
        return
    if any(
        place.workshop.each(thread_bound.reason, one) is not None
        for one in reached(place.workshop, function)
    ) or _is_handed_a_connection(place.workshop, function):
        return
    if no_thread.keeps_connections(place) is not None or _works_on_shared(place):
        return
    if embedded.is_used(place.workshop, function) or connections.are_kept(place.workshop, function):
        return
    if thread_state.below(place.workshop, function) is not None:
        return
    found_effects = place.workshop.once(effects).of(function)
    if half_done(e for e in found_effects if e.root.whose != GIVEN):
        return
    try:
        written_back.refuse_below(reached(place.workshop, function))
        library_settings.refuse_below(place, reached(place.workshop, function))
        lent.refuse_below(place, reached(place.workshop, function))
        stores.refuse_below(place.workshop, function)
        kept_files.refuse_below(place.workshop, function)
        twice.refuse_below(place.workshop, function)
        for edge in graph.out.get(function, ()):
            if edge.how in SYNC:
                gone_through.refuse(place, edge.site, edge.target)
    except Refused:
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


def _works_on_shared(place: Place) -> bool:
    """Whether the blocking call works on what a dependency gives to all requests: `Depends(get_model)` of a cached function."""
    function, facts = place.function, place.workshop.facts
    evaluator = facts.graph.evaluator
    used = {node.id for node in ast.walk(place.call) if isinstance(node, ast.Name)}
    for parameter in function.facts.params:
        if parameter.name not in used:
            continue
        given = dependency_of(evaluator, parameter, function.parent or function.module.body)
        if isinstance(given, Func) and not SETTINGS.search(given.function.name):
            if _gives_kept(place.workshop, given.function):
                return True
    return False


def _gives_kept(workshop: Workshop, function: Function) -> bool:
    """Whether a function keeps its first result, or gives what another one keeps."""
    runs, evaluator = workshop.facts.runs, workshop.facts.graph.evaluator
    if runs.cached(function):
        return True
    for recipe, _, _ in function.facts.returns:
        if recipe and recipe[0] == "call":
            module = function.module
            callee = evaluator.callee(module, module.site(recipe[1]))
            if isinstance(callee, Func) and runs.cached(callee.function):
                return True
    return False


def _is_handed_a_connection(workshop: Workshop, function: Function) -> bool:
    """Whether a route works with a connection of SQLite's that a dependency opened, in another thread than the route's."""
    evaluator = workshop.facts.graph.evaluator
    return any(
        isinstance(member, LibMethod) and member.cls == "sqlite3.Connection"
        for site in function.sites
        if thread_bound.base_of(site.callee) in function.parameters
        for member in members(evaluator.callee(function.module, site))
    )


def _only_routes(node: ast.AsyncFunctionDef) -> bool:
    """Whether all decorators say which route it is: another one may await what it decorates."""
    return all(
        isinstance(d, ast.Call) and isinstance(d.func, ast.Attribute) and d.func.attr in METHODS
        for d in node.decorator_list
    )
