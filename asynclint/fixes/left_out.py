"""What would no longer be done if a handler raised the cancellation, and others wait for."""

from __future__ import annotations

import ast

from asynclint.facts import skipped, syntax
from asynclint.facts.body import Body, how_left
from asynclint.facts.program import Function
from asynclint.findings import Refused
from asynclint.fixes.passing import WAITS
from asynclint.fixes.place import Place

DEPTH = 2
"""Callers looked at above the function, which go on behind it."""


def refuse_behind(place: Place, handler: ast.ExceptHandler) -> None:
    """Raise Refused where what follows a handler, in the function or its callers, closes, answers or tells something."""
    body = _body(place.function)
    tried = body.handling(handler.lineno) if body is not None else None
    if body is None or tried is None:
        raise Refused("the function could not be read")
    name = skipped.serving(skipped.behind(body.parents, tried, how_left(handler.body)))
    if name is not None:
        raise Refused(f"`{name}` follows, and would be left out")
    relied = _waits_only(body, [tried])
    _refuse_callers(place, place.function, DEPTH, relied)


def refuse_handling(handler: ast.ExceptHandler) -> None:
    """Raise Refused where a handler, which cancellations then pass by, does more than to log."""
    for one in handler.body:
        for call in skipped.told(one):
            raise Refused(f"`{ast.unparse(call.func)}` would be left out")
        for node in syntax.own([one]):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                raise Refused(f"`{ast.unparse(node)}` would not be set")


def _refuse_callers(place: Place, function: Function, depth: int, relied: bool) -> None:
    """Raise Refused where callers go on with something that they could rely on, or that they save from other errors."""
    for edge in place.workshop.facts.graph.into.get(function, ()):
        caller = edge.caller
        if edge.how != "async" or caller.module.file.is_test:
            continue
        body = _body(caller)
        awaiting = body.statement(edge.site.line) if body is not None else None
        if body is None or awaiting is None:
            continue
        name = skipped.serving(skipped.behind(body.parents, awaiting, "falls"))
        if name is not None and (relied or _saves(body, awaiting)):
            raise Refused(f"`{name}` follows in `{caller.name}`, and would be left out")
        if depth > 1:
            only = relied and _waits_only(body, [awaiting])
            _refuse_callers(place, caller, depth - 1, only)


def _waits_only(body: Body, within: list[ast.stmt | ast.ExceptHandler]) -> bool:
    """Whether a function waits nowhere but there, so that no cancellation has come out of it."""
    inside = {id(node) for one in within for node in ast.walk(one)}
    return all(id(node) in inside for node in body.nodes if isinstance(node, WAITS))


def _saves(body: Body, statement: ast.stmt) -> bool:
    """Whether a `try` around a statement takes all errors, so that the function goes on."""
    current: ast.AST = statement
    while current in body.parents:
        parent, suite = body.parents[current]
        if isinstance(parent, ast.Try) and suite is parent.body:
            for handler in parent.handlers:
                kind = ast.unparse(handler.type) if handler.type is not None else "BaseException"
                if kind in ("Exception", "BaseException") and how_left(handler.body) == "falls":
                    return not any(isinstance(n, ast.Raise) for n in syntax.own(handler.body))
        current = parent
    return False


def _body(function: Function) -> Body | None:
    node = syntax.definition(function)
    return Body(node) if node is not None else None
