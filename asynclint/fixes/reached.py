"""What a thread comes to that runs a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from asynclint.facts.classes import implementations
from asynclint.facts.graph import SYNC
from asynclint.facts.program import Function
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
