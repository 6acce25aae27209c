"""What a thread comes to that runs a function."""

from __future__ import annotations

from collections.abc import Iterator

from asynclint.facts.classes import implementations
from asynclint.facts.graph import SYNC
from asynclint.facts.program import Function
from asynclint.fixes.place import Workshop

REACH = 200
"""Functions looked at below the call."""


def reached(workshop: Workshop, function: Function) -> Iterator[Function]:
    """A function, those that override it, and those that its thread executes below them."""
    graph = workshop.facts.graph
    queue = [function]
    queue += (o for o in implementations(graph.evaluator, function) if not o.module.file.is_test)
    seen = set(queue)
    while queue and len(seen) < REACH:
        one = queue.pop()
        yield one
        for edge in graph.out.get(one, ()):
            if edge.how in SYNC and edge.target not in seen:
                seen.add(edge.target)
                queue.append(edge.target)
