"""Whether what one expression of a function gives decides about a place behind it: a lock that is stale is taken away."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from asynclint.fixes.source import own_nodes

Ends = tuple[int, int]
"""Where a call ends, which tells it from those among its arguments."""

LEAVES = (ast.Return, ast.Raise, ast.Continue, ast.Break)

MISSING = frozenset(
    {"OSError", "IOError", "FileNotFoundError", "FileExistsError", "PermissionError"}
)
"""Exceptions that say nothing of what stands in a file."""


def decides(function: ast.AST, first: Ends, second: Ends) -> bool:
    """Whether a test between two calls, or the handler around the second one, goes by what the first one gives."""
    nodes = list(own_nodes(function))
    calls = [one for one in nodes if isinstance(one, ast.Call) and ends(one) == first]
    if not calls:
        return False
    if any(True for _ in tests(nodes, calls[:1], second)):
        return True
    return any(
        isinstance(one, ast.Try)
        and any(holds(s, first) for s in one.body)
        and any(holds(h, second) and not _is_missing(h) for h in one.handlers)
        for one in nodes
    )


def tests(
    nodes: Sequence[ast.AST], firsts: Sequence[ast.AST], second: Ends
) -> Iterator[ast.If | ast.While | ast.IfExp]:
    """The tests that go by one of some expressions, and decide whether a place behind them is come to."""
    known = told(nodes, firsts, second)
    for one in nodes:
        if isinstance(one, (ast.If, ast.While, ast.IfExp)) and goes_by(one.test, known, firsts):
            if holds(one, second) or (_is_before(one, second) and _leaves(one)):
                yield one


def told(nodes: Sequence[ast.AST], firsts: Sequence[ast.AST], until: Ends) -> set[str]:
    """The names of what is made of some expressions before a place."""
    known: set[str] = set()
    size = -1
    while len(known) != size:
        size = len(known)
        for targets, value in _settings(nodes):
            if (value.lineno, value.col_offset) < until and goes_by(value, known, firsts):
                known.update(n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name))
    return known


def _settings(nodes: Sequence[ast.AST]) -> Iterator[tuple[list[ast.expr], ast.expr]]:
    """What names are set to."""
    for one in nodes:
        if isinstance(one, ast.Assign):
            yield one.targets, one.value
        elif isinstance(one, (ast.AnnAssign, ast.AugAssign, ast.NamedExpr)):
            if one.value is not None:
                yield [one.target], one.value
        elif isinstance(one, (ast.For, ast.AsyncFor)):
            yield [one.target], one.iter
        elif isinstance(one, (ast.With, ast.AsyncWith)):
            for item in one.items:
                if item.optional_vars is not None:
                    yield [item.optional_vars], item.context_expr


def goes_by(node: ast.AST, known: set[str], firsts: Sequence[ast.AST]) -> bool:
    """Whether one of some expressions, or a name of what is made of them, stands in another one."""
    return any(
        one in firsts or (isinstance(one, ast.Name) and one.id in known) for one in ast.walk(node)
    )


def holds(node: ast.AST, place: Ends) -> bool:
    """Whether what ends there stands in a statement, other than in its test."""
    inside = (n for part in _parts(node) for n in ast.walk(part))
    return any(isinstance(one, (ast.expr, ast.stmt)) and ends(one) == place for one in inside)


def _parts(node: ast.AST) -> list[ast.AST]:
    if isinstance(node, (ast.If, ast.While)):
        return [*node.body, *node.orelse]
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    return [node]


def _is_before(node: ast.AST, place: Ends) -> bool:
    return (getattr(node, "end_lineno", 0), getattr(node, "end_col_offset", 0)) < place


def _leaves(node: ast.AST) -> bool:
    """Whether the code behind a test is left in one of its branches."""
    return isinstance(node, ast.If) and any(
        isinstance(inner, LEAVES) for part in _parts(node) for inner in ast.walk(part)
    )


def _is_missing(handler: ast.ExceptHandler) -> bool:
    """Whether a handler takes nothing but that a file cannot be had."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return all(isinstance(one, ast.Name) and one.id in MISSING for one in kinds)


def ends(node: ast.expr | ast.stmt) -> Ends:
    """Where a node ends."""
    return node.end_lineno or 0, node.end_col_offset or 0
