"""Ctrl-C comes to the main thread: a handler around a wait is told of it there only while that thread itself is what waits."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from asynclint.facts import body
from asynclint.facts.graph import Edge
from asynclint.facts.program import Function
from asynclint.findings import Refused
from asynclint.fixes.awaiting import await_of, awaits
from asynclint.fixes.passing import WAITS
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.source import NESTED, Tree, own_nodes

INTERRUPT = "KeyboardInterrupt"

MANY = 100
"""Coroutines above one another that are looked at."""


def refuse(place: Place) -> None:
    """Raise Refused where the coroutine, or for what takes as long as it likes a caller, answers Ctrl-C around the place."""
    patient = place.facts.blocks_as("wait", "sleep", "subprocess") is not None
    answering = _answering(place.tree, place.node)
    if answering is not None and (patient or _does_not_wait(answering)):
        raise Refused("Ctrl-C is answered here, which only the main thread gets")
    if patient:
        caller = next(_callers_that_answer(place.workshop, place.function), None)
        if caller is not None:
            raise Refused(f"`{caller.name}` answers Ctrl-C, which only the main thread gets")


def is_answered(place: Place) -> bool:
    """Whether a handler of Ctrl-C stands around the place."""
    return _answering(place.tree, place.node) is not None


def _answering(tree: Tree, node: ast.AST) -> ast.Try | ast.With | None:
    """The innermost statement around a node that answers Ctrl-C."""
    below = node
    for one in tree.above(node):
        if isinstance(one, NESTED):
            return None
        if isinstance(one, ast.Try) and below in one.body:
            if any(INTERRUPT in body.caught(handler) for handler in one.handlers):
                return one
        if isinstance(one, ast.With) and below in one.body:
            if any(INTERRUPT in ast.unparse(item.context_expr) for item in one.items):
                return one
        below = one
    return None


def _does_not_wait(around: ast.Try | ast.With) -> bool:
    """Whether the event loop has no other part in what a statement does."""
    return not any(
        isinstance(node, WAITS) for one in around.body for node in (one, *own_nodes(one))
    )


def _callers_that_answer(workshop: Workshop, function: Function) -> Iterator[Function]:
    """The coroutines that await one, or one that awaits it, with a handler of Ctrl-C around."""
    queue, seen = [function], {function}
    for one in queue:
        for edge in awaits(workshop, one) if len(seen) < MANY else ():
            if _is_awaited_under_answer(workshop, edge):
                yield edge.caller
            if edge.caller not in seen:
                seen.add(edge.caller)
                queue.append(edge.caller)


def _is_awaited_under_answer(workshop: Workshop, edge: Edge) -> bool:
    facts = edge.caller.facts
    lines = edge.caller.module.span(facts.line, facts.end_line)
    if not any(INTERRUPT in line for line in lines):
        return False
    found = await_of(workshop, edge)
    return found is not None and _answering(found[0], found[2]) is not None
