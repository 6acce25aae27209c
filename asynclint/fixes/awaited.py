"""A forgotten `await` is put where the coroutine is made."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Iterator

from asynclint.facts.attributes import attribute_type
from asynclint.facts.program import Function
from asynclint.facts.types import Const, Coro, Func, Gen, Inst, LibMethod, Type, members
from asynclint.findings import Fix, Refused
from asynclint.fixes import results
from asynclint.fixes.place import Place

FAILS = frozenset({"stmt", "attr", "sub", "op", "unpack", "for", "call", "with", "raise", "in"})
"""How a coroutine stands where nobody can rely on what the code does today: it does nothing, or raises."""

ONE_LIST = frozenset({"extend", "extendleft"})
"""Methods that add all of what their one argument holds."""


def await_it(place: Place) -> Iterable[Fix]:
    """The fix of one forgotten `await`. Raises Refused where nothing can be awaited."""
    lost = place.facts.lost_coroutine
    if lost is None or not place.in_coroutine:
        raise Refused(_why_not(place))
    if place.site.kind == "attr":
        read = place.attribute
        text = place.awaited(read, place.source.segment(read))
        yield place.fix("await it", place.source.replace(read, text), safe=lost.how in FAILS)
        return
    call = place.call
    _refuse_one_of_several(place, call)
    _refuse_locked(place)
    results.refuse_useless(place, lost.name, lost.how)
    safe = lost.how in FAILS and place.held is None and not _runs_today_or_on(place)
    evaluator = place.workshop.facts.graph.evaluator
    made = members(evaluator.call_type(place.function.module, place.site.index))
    safe = safe and not any(isinstance(one, Gen) for one in made)
    part, source = _awaited_part(place, call), place.source
    if part is None:
        edit = place.awaiting(call)
    elif all(_is_plain(_result(one)) or _answers_at_once(place, one, part) for one in made):
        # What it gives has nothing in it to wait for: the `await` that is there belongs to the coroutine.
        around = place.tree.parent(part)
        assert around is not None
        rest = source.text[source.end(call) : source.end(part)]
        edit = source.replace(around, f"(await {source.segment(call)}){rest}")
        safe = safe and all(_holds_values(_result(one)) for one in made)
    else:
        edit = place.awaiting(call)
        safe = safe and all(_answers_with_coroutine(place, one, part) for one in made)
    yield place.fix("await it", edit, safe=safe)


def _awaited_part(place: Place, call: ast.Call) -> ast.expr | None:
    """What is awaited today of `await f()[0]` or `await f().x()`: something of what the coroutine gives."""
    part: ast.expr = call
    around = place.tree.parent(call)
    while isinstance(around, (ast.Subscript, ast.Attribute, ast.Call)):
        if (around.func if isinstance(around, ast.Call) else around.value) is not part:
            return None
        part, around = around, place.tree.parent(around)
    return part if part is not call and isinstance(around, ast.Await) else None


def _result(made: Type) -> Type:
    return made.result if isinstance(made, Coro) else None


def _is_plain(value: Type) -> bool:
    """Whether a value is a string, a number or a container."""
    of = value.of if isinstance(value, Inst) else None
    return isinstance(of, str) and of.startswith("builtins.")


def _holds_values(value: Type) -> bool:
    """Whether a container holds nothing that can be awaited."""
    return isinstance(value, Inst) and bool(value.args) and _is_plain(value.args[-1])


def _answers_with_coroutine(place: Place, made: Type, part: ast.expr) -> bool:
    """Whether `await f().method()` awaits a coroutine once `f()` is awaited, too."""
    evaluator = place.workshop.facts.graph.evaluator
    methods = _methods(place, made, part)
    given = [evaluator.result_of(one, place.function.module) for one in methods]
    return bool(given) and all(isinstance(one, Coro) for one in given)


def _answers_at_once(place: Place, made: Type, part: ast.expr) -> bool:
    """Whether `await f().method()` would await what is no coroutine: the answer of a plain method that is known."""
    methods = _methods(place, made, part)
    return bool(methods) and all(
        (isinstance(one, LibMethod) and not one.known.coroutine and one.known.enters is None)
        or (isinstance(one, Func) and not one.function.is_async and _gives_value(place, one))
        for one in methods
    )


def _gives_value(place: Place, method: Type) -> bool:
    """Whether a function of the project is seen to give a string, a number, a container or nothing."""
    evaluator = place.workshop.facts.graph.evaluator
    given = members(evaluator.result_of(method, place.function.module))
    return all(isinstance(one, Const) or _is_plain(one) for one in given)


def _methods(place: Place, made: Type, part: ast.expr) -> list[Type]:
    """What `method` is of `f().method()`, once `f()` is awaited."""
    result = _result(made)
    if not isinstance(part, ast.Call) or not isinstance(part.func, ast.Attribute):
        return []
    if not isinstance(part.func.value, ast.Call) or result is None:
        return []
    evaluator = place.workshop.facts.graph.evaluator
    return list(members(attribute_type(evaluator, result, part.func.attr, place.function)))


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
