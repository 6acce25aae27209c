"""What is asked first and set afterwards: done in one go, nobody else does the same meanwhile."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from asynclint.findings import Refused
from asynclint.fixes.place import Place
from asynclint.fixes.source import own_nodes

WAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith)
TESTS = (ast.If, ast.While, ast.IfExp)


def refuse(place: Place) -> None:
    """Raise Refused where a coroutine asks for something that others share, and sets it behind the place, without a wait."""
    found = place.source.definition(place.function)
    if found is None or _is_locked(place):
        return
    own = list(own_nodes(found[1]))
    here = place.node.lineno
    waits = [n.lineno for n in own if isinstance(n, WAITS)]
    shared = set(_set_behind(own, here, _local(place)))
    if not shared:
        return
    since = max((n for n in waits if n < here), default=0)
    for one in _set(own, since, here - 1, _local(place)):
        if one in shared:
            raise Refused(
                f"`{one}` is set before and after it, and others would see what is between"
            )
    for node in own:
        line = getattr(node, "lineno", 0)
        if not 0 < line <= here or any(line <= n < here for n in waits):
            continue
        for asked in _asked(node):
            if asked in shared:
                raise Refused(
                    f"`{asked}` is asked before and set afterwards, which two at once would both do"
                )


def _is_locked(place: Place) -> bool:
    return any(
        isinstance(one, (ast.AsyncWith, ast.With))
        and any("lock" in ast.unparse(item.context_expr).lower() for item in one.items)
        for one in place.tree.above(place.node)
    )


def _local(place: Place) -> set[str]:
    facts = place.function.facts
    return ({p.name for p in facts.params} | set(facts.bindings)) - {
        *facts.globals,
        place.function.self_name or "self",
        "self",
        "cls",
    }


def _set(own: list[ast.AST], since: int, until: int, local: set[str]) -> Iterator[str]:
    """The same between two lines."""
    for node in own:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and since < node.lineno <= until:
            if (node.end_lineno or 0) <= until:
                yield from _targets(node, local)


def _targets(node: ast.Assign | ast.AnnAssign, local: set[str]) -> Iterator[str]:
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        one = target.value if isinstance(target, ast.Subscript) else target
        if isinstance(target, ast.Name) and target.id in local:
            continue
        # `request.app.state.model`: what hangs on a parameter's attribute is not the call's own.
        far = isinstance(one, ast.Attribute) and isinstance(one.value, ast.Attribute)
        if (far or _root(one) not in local) and isinstance(one, (ast.Attribute, ast.Name)):
            yield ast.unparse(one)


def _set_behind(own: list[ast.AST], here: int, local: set[str]) -> Iterator[str]:
    """The attributes and containers that are set from a line on, as far as others see them."""
    for node in own:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and (node.end_lineno or 0) >= here:
            yield from _targets(node, local)
        elif isinstance(node, ast.Call) and node.lineno >= here:
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("add", "setdefault"):
                if _root(node.func.value) not in local:
                    yield ast.unparse(node.func.value)


def _asked(node: ast.AST) -> Iterator[str]:
    """What a test, or a `get`, looks at."""
    if isinstance(node, TESTS):
        for one in ast.walk(node.test):
            if isinstance(one, (ast.Attribute, ast.Name)):
                yield ast.unparse(one)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "get":
            yield ast.unparse(node.func.value)


def _root(node: ast.expr) -> str:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
