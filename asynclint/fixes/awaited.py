"""A forgotten `await` is put where the coroutine is made."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Iterator

from asynclint.facts.program import Function
from asynclint.facts.types import Coro, Gen, members
from asynclint.findings import Fix, Refused
from asynclint.fixes.place import Place

FAILS = frozenset({"stmt", "attr", "sub", "op", "unpack", "for", "call", "with", "raise", "in"})
"""How a coroutine stands where nobody can rely on what the code does today: it does nothing, or raises."""

ONE_LIST = frozenset({"extend", "extendleft"})
"""Methods that add all of what their one argument holds."""


def await_it(place: Place) -> Iterable[Fix]:
    """The fix of one forgotten `await`. Raises Refused where nothing can be awaited."""
    lost, call = place.facts.lost_coroutine, place.call
    if lost is None or not place.in_coroutine:
        raise Refused(_why_not(place))
    _refuse_one_of_several(place, call)
    _refuse_locked(place)
    safe = lost.how in FAILS and place.held is None and not _runs_today_or_on(place)
    evaluator = place.workshop.facts.graph.evaluator
    made = members(evaluator.call_type(place.function.module, place.site.index))
    safe = safe and not any(isinstance(one, Gen) for one in made)
    edit = place.source.replace(call, place.awaited(call, place.source.segment(call)))
    yield place.fix("await it", edit, safe=safe)


def _refuse_one_of_several(place: Place, call: ast.Call) -> None:
    """Raise Refused for `jobs.extend(f(1), f(2))`: they were to be added, and awaited elsewhere."""
    around = place.tree.parent(call)
    if isinstance(around, ast.Call) and isinstance(around.func, ast.Attribute):
        if around.func.attr in ONE_LIST and len(around.args) > 1:
            raise Refused(f"`{around.func.attr}` takes one list, and not several coroutines")


def _refuse_locked(place: Place) -> None:
    """Raise Refused where the coroutine would wait for a lock that is held around it."""
    held = {
        ast.unparse(item.context_expr).rpartition(".")[2]: ast.unparse(item.context_expr)
        for one in place.tree.above(place.node)
        if isinstance(one, ast.AsyncWith)
        for item in one.items
        if isinstance(item.context_expr, (ast.Name, ast.Attribute))
    }
    evaluator, graph = place.workshop.facts.graph.evaluator, place.workshop.facts.graph
    queue = [
        value.function
        for value in members(evaluator.call_type(place.function.module, place.site.index))
        if held and isinstance(value, Coro) and value.function is not None
    ]
    seen = set(queue)
    while queue:
        function = queue.pop()
        for site in function.sites:
            entered = site.callee[-1] if site.kind == "awith" and site.callee else None
            if entered in held:
                raise Refused(f"`{function.name}` waits for `{held[entered]}`, which is held here")
        for edge in graph.out.get(function, ()):
            if edge.target not in seen:
                seen.add(edge.target)
                queue.append(edge.target)


def _why_not(place: Place) -> str:
    for one in place.tree.above(place.node):
        if isinstance(one, ast.GeneratorExp):
            return "it stands in a generator expression, which would become an asynchronous one"
        if isinstance(one, ast.Lambda):
            return "it stands in a lambda"
        if isinstance(one, ast.ClassDef):
            return "it stands in the body of a class"
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
            break
    return "the enclosing function is not `async def`"


def _runs_today_or_on(place: Place) -> bool:
    """Whether the code does something today that waiting would change, or would wait without an end."""
    evaluator = place.workshop.facts.graph.evaluator
    for value in members(evaluator.call_type(place.function.module, place.site.index)):
        if isinstance(value, Coro):
            if value.eager or (value.function is not None and is_endless(value.function)):
                return True
    return False


def is_endless(function: Function) -> bool:
    """Whether a function has a `while True` that nothing in it leaves."""
    lines = function.module.lines[function.facts.first_line - 1 : function.facts.end_line]
    try:
        [node] = ast.parse(textwrap.dedent("\n".join(lines))).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(
        isinstance(one, ast.While)
        and isinstance(one.test, ast.Constant)
        and one.test.value
        and not any(isinstance(n, (ast.Break, ast.Return, ast.Raise)) for n in ast.walk(one))
        for one in _own(node)
    )


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions in it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield child
            yield from _own(child)
