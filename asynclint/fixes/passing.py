"""What is awaited and need not suspend: a lock of asyncio's that is free, and a coroutine that has a way without a wait."""

from __future__ import annotations

import ast

from asynclint.facts import syntax
from asynclint.facts.graph import Edge
from asynclint.facts.program import Function
from asynclint.facts.types import Inst, Type, members
from asynclint.fixes.effects import LOCK
from asynclint.fixes.place import Workshop
from asynclint.fixes.source import NESTED, own_nodes

WAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith)

FREE = frozenset(
    {"asyncio.Lock", "asyncio.Semaphore", "asyncio.BoundedSemaphore", "asyncio.Condition"}
)
"""Classes whose objects are entered without a suspension where nobody holds them; those of anyio and trio always suspend."""

DEEP = 2
"""Coroutines below one another that are looked at."""

FALLS, LEAVES = "falls", "leaves"


def is_lock(workshop: Workshop, function: Function, entered: ast.AST) -> bool:
    """Whether a function enters nothing but locks and semaphores of asyncio's: `async with self._lock:`."""
    if not isinstance(entered, ast.AsyncWith):
        return False
    return all(_is_free(workshop, function, item.context_expr) for item in entered.items)


def _is_free(workshop: Workshop, function: Function, node: ast.expr) -> bool:
    if not isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)):
        return False
    evaluator = workshop.facts.graph.evaluator
    site = next(
        (s for s in function.sites if s.kind == "awith" and (s.line, s.col) == _start(node)), None
    )
    found = members(evaluator.callee(function.module, site)) if site is not None else ()
    known = [one for one in found if one is not None]
    return all(map(_is_of_asyncio, known)) if known else bool(LOCK.search(ast.unparse(node)))


def _is_of_asyncio(value: Type) -> bool:
    return isinstance(value, Inst) and value.of in FREE


def _start(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


# -- coroutines --------------------------------------------------------------------------------------


def may_pass(workshop: Workshop, function: Function, statement: ast.stmt, deep: int = DEEP) -> bool:
    """Whether all that a simple statement of a function awaits is one coroutine of the project's that may suspend nobody."""
    awaits = [one for one in (statement, *own_nodes(statement)) if isinstance(one, WAITS)]
    only = awaits[0] if len(awaits) == 1 else None
    call = only.value if isinstance(only, ast.Await) else None
    if not isinstance(call, ast.Call):
        return False
    extent = syntax.extent(call)
    called: list[Edge] = [
        edge
        for edge in workshop.facts.graph.out.get(function, ())
        if edge.how == "async" and edge.site.extent == extent
    ]
    return bool(called) and all(workshop.each(_may_end, (edge.target, deep)) for edge in called)


def _may_end(workshop: Workshop, looked_at: tuple[Function, int]) -> bool:
    """Whether a coroutine may come to its end without a wait, as far as those are looked at that are so deep below it."""
    function, deep = looked_at
    node = syntax.definition(function) if deep else None
    return node is not None and _way(workshop, function, node.body, deep) is not None


def _way(workshop: Workshop, function: Function, suite: list[ast.stmt], deep: int) -> str | None:
    """How control gets through some statements without a wait; None where it does not."""
    for one in suite:
        if not _waits(one):
            if may_return(one):
                return LEAVES
            if isinstance(one, ast.Raise):
                return None
            continue
        how = _through(workshop, function, one, deep)
        if how != FALLS:
            return how
    return FALLS


def _through(workshop: Workshop, function: Function, one: ast.stmt, deep: int) -> str | None:
    """The same for a statement that holds a wait."""
    if isinstance(one, ast.If) and not _waits(one.test):
        ways = [_way(workshop, function, suite, deep) for suite in (one.body, one.orelse)]
        return LEAVES if LEAVES in ways else FALLS if FALLS in ways else None
    if isinstance(one, ast.While) and not isinstance(one.test, ast.Constant):
        return None if _waits(one.test) else FALLS
    if isinstance(one, ast.For):
        return None if _waits(one.iter) else FALLS
    if isinstance(one, (ast.Try, ast.With)) or is_lock(workshop, function, one):
        assert isinstance(one, (ast.Try, ast.With, ast.AsyncWith))
        last = one.finalbody if isinstance(one, ast.Try) else []
        return None if any(map(_waits, last)) else _way(workshop, function, one.body, deep)
    simple = isinstance(one, (ast.Expr, ast.Assign, ast.AnnAssign, ast.Return))
    if not simple or not may_pass(workshop, function, one, deep - 1):
        return None
    return LEAVES if isinstance(one, ast.Return) else FALLS


def _waits(node: ast.AST) -> bool:
    if isinstance(node, NESTED):
        return False
    return any(isinstance(one, WAITS) for one in (node, *own_nodes(node)))


def may_return(statement: ast.stmt) -> bool:
    """Whether a function may return in a statement."""
    if isinstance(statement, NESTED):
        return False
    return any(isinstance(one, ast.Return) for one in (statement, *own_nodes(statement)))
