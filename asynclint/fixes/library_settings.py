"""What a step sets in a library for the whole process, and uses then: `stripe.api_key = key`. Others would set it in between."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from asynclint.facts.graph import SYNC
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, recipe_name
from asynclint.facts.types import Lib, LibMethod, members
from asynclint.findings import Refused
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.reached import reached, refuse_any

SETS = re.compile(
    r"google\.generativeai\.configure|boto3\.setup_default_session|cloudinary\.config"
)
"""Functions that set for the whole process what they are given."""

SEEDS = re.compile(
    r"random\.seed|numpy\.random\.seed|torch\.(?:cuda\.)?manual_seed(?:_all)?|transformers\.set_seed"
)
"""Functions that begin a series of numbers, which all take from."""

DEEP = 4
"""Names behind names that are looked at."""


def refuse(place: Place) -> None:
    """Raise Refused where the coroutine has set something before, or a helper has for a library that the step uses."""
    workshop, function = place.workshop, place.function
    if function in workshop.facts.runs.once:
        return
    for name, _, line in _settings(workshop, function):
        if line <= place.site.line:
            raise Refused(_reason(function, name))
    used: frozenset[str] | None = None
    for one in _helpers_before(place):
        for name, library, _ in workshop.each(_all_settings, one):
            used = used if used is not None else _used(place)
            if library in used:
                raise Refused(_reason(one, name))


def _helpers_before(place: Place) -> Iterator[Function]:
    """The functions that the coroutine has called before the place, and what they call."""
    workshop = place.workshop
    for edge in workshop.facts.graph.out.get(place.function, ()):
        if edge.how in SYNC and edge.site is not place.site and edge.site.line <= place.site.line:
            yield from reached(workshop, edge.target)


def _used(place: Place) -> frozenset[str]:
    """The libraries that the step at a place calls."""
    workshop = place.workshop
    graph = workshop.facts.graph
    found = set(_libraries(workshop, place.function, [place.site]))
    for edge in graph.out.get(place.function, ()):
        if edge.site is place.site and edge.how in SYNC:
            for one in reached(workshop, edge.target):
                found |= workshop.each(_called_libraries, one)
    return frozenset(found)


def _called_libraries(workshop: Workshop, function: Function) -> frozenset[str]:
    return frozenset(_libraries(workshop, function, function.sites))


def _libraries(workshop: Workshop, function: Function, sites: Iterable[CallSite]) -> Iterator[str]:
    """The top packages of what is called at some sites."""
    for site in sites:
        for member in members(workshop.facts.graph.evaluator.callee(function.module, site)):
            if isinstance(member, (Lib, LibMethod)):
                path = member.path if isinstance(member, Lib) else member.cls
                yield path.partition(".")[0]


def refuse_below(place: Place, functions: Iterable[Function]) -> None:
    """Raise Refused where one of the functions that a thread comes to sets something."""
    if place.function not in place.workshop.facts.runs.once:
        refuse_any(place.workshop, functions, _set)


def _set(workshop: Workshop, function: Function) -> str | None:
    return next((_reason(function, name) for name, _, _ in _settings(workshop, function)), None)


def _all_settings(workshop: Workshop, function: Function) -> list[tuple[str, str, int]]:
    return list(_settings(workshop, function))


def _reason(function: Function, name: str) -> str:
    return f"`{function.name}` sets `{name}`, which is for the whole process, and others would come between"


def _settings(workshop: Workshop, function: Function) -> Iterator[tuple[str, str, int]]:
    """What a function sets, as it writes that, of which top package, and the line. What is the same in each call does not count."""
    evaluator = workshop.facts.graph.evaluator
    for site in function.sites:
        if site.kind != "call" or not site.callee or site.callee[0] not in ("attr", "name"):
            continue
        for member in members(evaluator.callee(function.module, site)):
            path = member.path if isinstance(member, Lib) else ""
            given = any(_varies(function, recipe) for recipe, _ in site.args)
            if SEEDS.fullmatch(path) or (SETS.fullmatch(path) and given):
                yield recipe_name(site.callee), path.partition(".")[0], site.line
    for one in function.facts.attribute_bindings:
        if one.base and one.base[0] in ("name", "attr") and one.attr != "[]":
            found = evaluator.eval(one.base, function, (one.line, one.col, one.block))
            if isinstance(found, Lib) and _varies(function, one.recipe):
                yield f"{recipe_name(one.base)}.{one.attr}", found.path.partition(".")[0], one.line


def _varies(function: Function, recipe: Recipe, deep: int = 0) -> bool:
    """Whether a value may be another one in each call: it hangs on a parameter, or is not known."""
    if not isinstance(recipe, tuple) or not recipe or deep > DEEP:
        return True
    if recipe[0] == "name":
        name = recipe[1]
        if name in function.parameters:
            return bool(name != function.self_name)
        return any(
            _varies(function, one.recipe, deep + 1) for one in function.facts.bindings.get(name, ())
        )
    if recipe[0] == "call":
        site = function.module.site(recipe[1])
        parts = [site.callee, *(given for given, _ in site.args)]
    else:
        parts = [part for part in recipe if isinstance(part, tuple)]
    return any(_varies(function, part, deep) for part in parts if part != ())
