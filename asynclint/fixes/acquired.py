"""What was just opened, and is not yet under the `try` that closes it: an `await` in between may be cancelled, and leak it."""

from __future__ import annotations

import ast

from asynclint.facts import body
from asynclint.findings import Refused
from asynclint.fixes.passing import WAITS
from asynclint.fixes.place import Place
from asynclint.fixes.source import own_nodes


def refuse(place: Place) -> None:
    """Raise Refused between `x = await open()` and a `try` that closes `x` whatever happens."""
    statement = place.tree.statement(place.node)
    suite = place.tree.suite(statement)
    if not suite:
        return
    at = suite.index(statement)
    opened = next((one for one in reversed(suite[:at]) if _waits(one)), None)
    closing = next(
        (one for one in suite[at + 1 :] if isinstance(one, ast.Try) or _waits(one)), None
    )
    if not isinstance(opened, ast.Assign) or not isinstance(closing, ast.Try):
        return
    target = opened.targets[0]
    if not isinstance(opened.value, ast.Await) or not isinstance(target, (ast.Name, ast.Attribute)):
        return
    name = ast.unparse(target)
    ends = [*closing.finalbody, *(s for h in closing.handlers if body.takes(h) for s in h.body)]
    if any(name in body.names(one) for one in ends):
        raise Refused(f"nothing closes `{name}` yet, and who is cancelled here would leave it open")


def _waits(statement: ast.stmt) -> bool:
    """Whether a statement suspends."""
    nodes = (statement, *own_nodes(statement))
    return any(isinstance(node, WAITS) for node in nodes)
