"""A semaphore that each call makes for itself becomes one of the module."""

from __future__ import annotations

import ast

from asynclint.findings import Edit, Fix, Refused
from asynclint.fixes.place import Place
from asynclint.fixes.reached import REACH

NAMES = {"Lock": "lock", "CapacityLimiter": "limiter", "AsyncLimiter": "limiter"}


def hoist(place: Place) -> Fix:
    """The fix of one that is made in a function. Raises Refused where the call or the object says how many."""
    if "around" in place.facts.mistakes:
        raise Refused("each of the coroutines has to take it")
    mistake = place.facts.mistakes["per call"]
    call, source = place.call, place.source
    if place.function.method_around() is not None:
        raise Refused("whether the object or the module is to own it is not certain")
    values = (*call.args, *(k.value for k in call.keywords))
    if not all(isinstance(one, ast.Constant) for one in values):
        raise Refused("what it is made with is known to the call alone")
    if isinstance(call.func, ast.Name) and place.is_local(call.func.id):
        raise Refused("its class is imported within a function")
    _refuse_endless(place)
    edits: list[Edit] = []
    comment = ""
    if mistake.by:
        name = mistake.by
        _refuse_twins(place, name)
        statement = place.tree.statement(call)
        if len(place.tree.suite(statement)) < 2:
            raise Refused("nothing else stands in its block")
        edits.append(source.edit(source.line_start(statement.lineno), source.after(statement), ""))
        behind = source.text[source.end(statement) : source.after(statement)].strip()
        comment = f"  {behind}" if behind else ""
    else:
        kind = NAMES.get(mistake.name, "semaphore")
        name = place.free_name(f"{place.function.facts.name.strip('_')}_{kind}")
        edits.append(source.replace(call, name))
    if name in place.function.module.body.facts.bindings or _is_bound_around(place, name):
        raise Refused(f"`{name}` means something else here")
    line = f"{name} = {source.segment(call)}{comment}\n"
    return place.fix("make it once for the module", *edits, source.declare(line))


def _refuse_twins(place: Place, name: str) -> None:
    """Raise Refused where another function has a local variable that is called so: one of the module would stand for both."""
    for one in place.function.module.functions:
        if one is not place.function and one.facts.kind != "module" and name in one.facts.bindings:
            raise Refused(
                f"another function of the module makes a `{name}`, too, and they would be one"
            )


def _refuse_endless(place: Place) -> None:
    """Raise Refused where the function comes to itself: what it holds then, it would wait for."""
    queue, seen = [place.function], {place.function}
    for one in queue:
        for edge in place.workshop.facts.graph.out.get(one, ()):
            if edge.target is place.function:
                name = place.function.name
                raise Refused(
                    f"`{name}` comes to itself while it holds it, and would wait for itself"
                )
            if edge.target not in seen and len(seen) < REACH:
                seen.add(edge.target)
                queue.append(edge.target)


def _is_bound_around(place: Place, name: str) -> bool:
    current = place.function.parent
    while current is not None:
        if name in current.facts.bindings or name in current.parameters:
            return True
        current = current.parent
    return False
