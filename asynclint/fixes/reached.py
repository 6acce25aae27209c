"""What a thread comes to that runs a function."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from asynclint.facts.classes import implementations
from asynclint.facts.graph import SYNC
from asynclint.facts.model import CallSite
from asynclint.facts.program import Function
from asynclint.facts.types import Func, members
from asynclint.findings import Refused
from asynclint.fixes.place import Workshop

REACH = 200
"""Functions looked at below the call."""


def beginning(workshop: Workshop, function: Function) -> list[Function]:
    """A function, and those that override it, tests aside."""
    others = implementations(workshop.facts.graph.evaluator, function)
    return [function, *(one for one in others if not one.module.file.is_test)]


def reached(workshop: Workshop, function: Function) -> Iterator[Function]:
    """A function, those that override it, and those that its thread executes below them."""
    graph = workshop.facts.graph
    queue = beginning(workshop, function)
    seen = set(queue)
    while queue and len(seen) < REACH:
        one = queue.pop()
        yield one
        for edge in graph.out.get(one, ()):
            if edge.how in SYNC and edge.target not in seen:
                seen.add(edge.target)
                queue.append(edge.target)


def run_at(workshop: Workshop, caller: Function, site: CallSite) -> list[Function]:
    """The plain functions of the project that a call runs: those that it names, what makes an object, or the `__call__` of one."""
    some = members(workshop.facts.graph.evaluator.callee(caller.module, site))
    named = [one.function for one in some if isinstance(one, Func)]
    if len(named) < len(some):
        named += workshop.each(_unnamed, caller).get(id(site), ())
    return [one for one in dict.fromkeys(named) if not one.is_async]


def _unnamed(workshop: Workshop, caller: Function) -> dict[int, list[Function]]:
    """What the calls of a function run, by the identity of their sites."""
    found: dict[int, list[Function]] = defaultdict(list)
    for edge in workshop.facts.graph.out.get(caller, ()):
        if edge.how in SYNC:
            found[id(edge.site)].append(edge.target)
    return found


def refuse_any(
    workshop: Workshop,
    functions: Iterable[Function],
    reason: Callable[[Workshop, Function], str | None],
) -> None:
    """Raise Refused with the first reason that one of some functions gives."""
    for one in functions:
        found = workshop.each(reason, one)
        if found is not None:
            raise Refused(found)
