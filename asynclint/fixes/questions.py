"""What a helper looks at before it answers: attributes of its object, and variables of modules."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from asynclint.facts import syntax
from asynclint.facts.graph import SYNC
from asynclint.facts.program import Function
from asynclint.fixes.effects import IN, effects
from asynclint.fixes.place import Workshop
from asynclint.fixes.source import own_nodes

OWN = "self."
"""What the attributes of a helper's object begin with, whatever the helper calls it."""

DEEP = 2
"""Helpers of helpers that are looked at."""


def looked_at(workshop: Workshop, function: Function) -> frozenset[str]:
    """What a function reads before it answers, itself or by other methods of its object: `self.rows`, and the keys of variables of modules.

    Nothing where it answers nothing.
    """
    node = syntax.definition(function)
    return read_by(workshop, function) if node is not None and _answers(node) else frozenset()


def read_by(workshop: Workshop, function: Function) -> frozenset[str]:
    """The same of any function, and of the methods that answer it."""
    return workshop.each(_looked_at, (function, DEEP))


def _looked_at(workshop: Workshop, asked: tuple[Function, int]) -> frozenset[str]:
    function, deep = asked
    node = syntax.definition(function)
    if node is None or not (deep == DEEP or _answers(node)):
        return frozenset()
    found = set(_read(workshop, function, node))
    for edge in workshop.facts.graph.out.get(function, ()) if deep else ():
        callee = edge.site.callee
        if edge.how not in SYNC or edge.target.is_async or edge.target is function or not callee:
            continue
        below = workshop.each(_looked_at, (edge.target, deep - 1))
        if callee == ("attr", ("name", function.self_name), callee[-1]):
            found |= below
        else:
            found |= {one for one in below if IN in one}
    return frozenset(found)


def _answers(node: ast.AST) -> bool:
    """Whether a function says something that its caller may go by: it gives a value, or raises."""
    return any(
        isinstance(one, ast.Raise) or (isinstance(one, ast.Return) and one.value is not None)
        for one in own_nodes(node)
    )


def _read(workshop: Workshop, function: Function, node: ast.AST) -> Iterator[str]:
    names = workshop.once(effects)
    for one in own_nodes(node):
        if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Load):
            if isinstance(one.value, ast.Name) and one.value.id == function.self_name:
                yield f"{OWN}{one.attr}"
        elif isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load):
            key = names.key(function, one.id)
            if IN in key:
                yield key
