"""What was just opened, and is not yet under the `try` that closes it: an `await` in between may be cancelled, and leak it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from asynclint.facts import body
from asynclint.findings import Refused
from asynclint.fixes.answered import TELLS
from asynclint.fixes.passing import WAITS
from asynclint.fixes.place import Place
from asynclint.fixes.source import own_nodes


def refuse(place: Place) -> None:
    """Raise Refused between `x = open()`, awaited or not, and a `try` that closes `x` whatever happens."""
    statement = place.tree.statement(place.node)
    suite = place.tree.suite(statement)
    if not suite:
        return
    at = suite.index(statement)
    closing = next(
        (one for one in suite[at + 1 :] if isinstance(one, ast.Try) or _waits(one)), None
    )
    if not isinstance(closing, ast.Try):
        return
    ends = [*closing.finalbody, *(s for h in closing.handlers if body.takes(h) for s in h.body)]
    closed = {name for one in ends for name in _closed(one)}
    for name in _opened(suite[:at]):
        if name in closed:
            raise Refused(
                f"nothing closes `{name}` yet, and who is cancelled here would leave it open"
            )


def _closed(statement: ast.stmt) -> Iterator[str]:
    """What a statement calls a method of, or hands to a function that does more than tell."""
    for one in ast.walk(statement):
        if not isinstance(one, ast.Call):
            continue
        if isinstance(one.func, ast.Attribute):
            yield from body.names(one.func.value)
        if not TELLS.search(ast.unparse(one.func)):
            yield from map(ast.unparse, one.args)


def _opened(before: list[ast.stmt]) -> Iterator[str]:
    """What some statements before a place have got by calls, up to the last one that waits."""
    for one in reversed(before):
        value = one.value if isinstance(one, ast.Assign) else None
        if isinstance(one, ast.Assign) and isinstance(value, (ast.Await, ast.Call)):
            if isinstance(one.targets[0], (ast.Name, ast.Attribute)):
                yield ast.unparse(one.targets[0])
        if _waits(one):
            return


def _waits(statement: ast.stmt) -> bool:
    """Whether a statement suspends."""
    nodes = (statement, *own_nodes(statement))
    return any(isinstance(node, WAITS) for node in nodes)
