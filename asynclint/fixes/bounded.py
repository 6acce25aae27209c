"""One semaphore around every coroutine of a fan-out."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from asynclint.findings import Edit, Fix, Refused
from asynclint.fixes.place import Place

STARTERS = frozenset({"create_task", "ensure_future"})


def bound(place: Place) -> Iterable[Fix]:
    """The fix of one fan-out. Raises Refused where its coroutines are not made in plain sight."""
    source, call = place.source, place.call
    function = place.tree.function(call)
    if not isinstance(function, ast.AsyncFunctionDef):
        raise Refused("the enclosing function is not `async def`")
    coroutines = list(_coroutines(place, call, function))
    if not coroutines:
        raise Refused("where its coroutines are made could not be read")
    first = min((_outermost(place, node, function) for node in coroutines), key=lambda s: s.lineno)
    if source.text[source.line_start(first.lineno) : source.start(first)].strip():
        raise Refused("something else stands on the line of the fan-out")
    limit = place.workshop.config.limit
    semaphore = place.free_name("semaphore", "limiter", "fan_out_limit")
    wrapper = place.free_name("bounded", "with_limit", "run_bounded")
    value = place.free_name("coroutine", "awaitable", "work")
    asyncio, edits = place.imported("asyncio")
    indent, unit = source.indent(first), source.unit(function)
    lines = [
        f"{semaphore} = {asyncio}.Semaphore({limit})",
        "",
        f"async def {wrapper}({value}):",
        f"{unit}async with {semaphore}:",
        f"{unit}{unit}return await {value}",
        "",
    ]
    text = "".join(f"{indent}{line}\n" if line else "\n" for line in lines)
    wraps: list[Edit] = []
    for node in coroutines:
        if isinstance(node, ast.Starred):
            inner = source.segment(node.value)
            wraps.append(source.replace(node.value, f"map({wrapper}, {inner})"))
        else:
            wraps.append(source.insert(source.start(node), f"{wrapper}("))
            wraps.append(source.insert(source.end(node), ")"))
    yield place.fix(
        f"let at most {limit} run at once, with a semaphore",
        source.insert(source.line_start(first.lineno), text),
        *wraps,
        *edits,
        once=f"{source.path}:{function.lineno}",
    )


def _coroutines(place: Place, call: ast.Call, function: ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    """The expressions that make the coroutines, or the `*map(…)` that does."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in STARTERS or name == "start_soon":
        if name == "start_soon" or not call.args or isinstance(call.args[0], ast.Starred):
            raise Refused("what it starts is not a coroutine in plain sight")
        yield _one(call.args[0])
        return
    for argument in call.args:
        if isinstance(argument, ast.Starred):
            yield from _members(place, argument.value, argument, function)
        elif len(call.args) == 1:
            yield from _members(place, argument, None, function)


def _members(
    place: Place, node: ast.expr, star: ast.Starred | None, function: ast.AsyncFunctionDef
) -> Iterator[ast.expr]:
    if isinstance(node, (ast.ListComp, ast.GeneratorExp, ast.SetComp)):
        yield _one(node.elt)
    elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "map" and star is not None:
        yield star
    elif isinstance(node, ast.Name):
        yield from _named(node.id, function)
    else:
        raise Refused("where its coroutines are made could not be read")


def _named(name: str, function: ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    """The members of a list of coroutines that the function builds."""
    found: list[ast.expr] = []
    for node in ast.walk(function):
        target, value = _assignment(node)
        if isinstance(target, ast.Name) and target.id == name:
            if isinstance(value, (ast.ListComp, ast.SetComp)):
                found.append(_one(value.elt))
            elif isinstance(value, (ast.List, ast.Tuple, ast.Set)):
                found += [_one(e) for e in value.elts]
            elif not (
                isinstance(value, ast.Call)
                and getattr(value.func, "id", "") in ("list", "set")
                and not value.args
            ):
                raise Refused(f"where the coroutines in `{name}` are made could not be read")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            base = node.func.value
            if isinstance(base, ast.Name) and base.id == name:
                if node.func.attr in ("append", "add") and len(node.args) == 1:
                    found.append(_one(node.args[0]))
                elif node.func.attr in ("extend", "insert", "update"):
                    raise Refused(f"where the coroutines in `{name}` are made could not be read")
    yield from found


def _assignment(node: ast.AST) -> tuple[ast.expr | None, ast.expr | None]:
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        return node.targets[0], node.value
    if isinstance(node, (ast.AnnAssign, ast.AugAssign)) and node.value is not None:
        return node.target, node.value
    return None, None


def _one(node: ast.expr) -> ast.expr:
    """The coroutine that a member is, or that the task in its place runs."""
    if isinstance(node, ast.Starred):
        raise Refused("where its coroutines are made could not be read")
    if isinstance(node, ast.Call):
        name = (
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        )
        if name in STARTERS:
            if not node.args or not isinstance(node.args[0], ast.Call):
                raise Refused("what its tasks run is not made in plain sight")
            return node.args[0]
        return node
    raise Refused("its coroutines are not made in plain sight")


def _outermost(place: Place, node: ast.expr, function: ast.AsyncFunctionDef) -> ast.stmt:
    """The statement before which the semaphore goes: that of the outermost loop, or of the expression."""
    found = place.tree.statement(node)
    for one in place.tree.above(found):
        if one is function:
            break
        if isinstance(one, (ast.For, ast.AsyncFor, ast.While)):
            found = one
        elif isinstance(one, (ast.With, ast.AsyncWith)) and found is not place.tree.statement(node):
            continue
    return found
