"""A client that a coroutine builds for itself, of which a `gather` starts one for each item, is built around the `gather`."""

from __future__ import annotations

import ast
import re

from asynclint.facts.graph import Edge
from asynclint.facts.program import Function
from asynclint.findings import Edit, Fix, Refused
from asynclint.fixes.place import Place
from asynclint.fixes.usage import Usage, unwrapped


def pass_on(place: Place) -> Fix:
    """The client as a parameter of the coroutine function. Raises Refused where it has other callers, or none in sight."""
    building = place.facts.building
    assert building is not None
    function = place.function
    edge = _only_caller(place, function)
    source, tree, call = place.source, place.tree, place.call
    item = tree.parent(call)
    statement = tree.parent(item) if item is not None else None
    node = tree.function(call)
    if (
        not isinstance(item, ast.withitem)
        or not isinstance(statement, ast.AsyncWith)
        or not isinstance(item.optional_vars, ast.Name)
        or not isinstance(node, ast.AsyncFunctionDef)
    ):
        raise Refused("the client is not entered with `async with`")
    name = item.optional_vars.id
    _static(call, function, edge)
    if node.decorator_list or len(statement.items) != 1:
        raise Refused("the coroutine function has decorators, or enters more than the client")
    usage = Usage(source, tree, statement, name)
    usage.settle()
    stores = [
        n
        for n in ast.walk(node)
        if isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load)
    ]
    if usage.edits or len(stores) != 1 or name in function.parameters:
        raise Refused(f"`{name}` means something else, too")
    edits = unwrapped(source, tree, statement, item, None)
    edits.append(_parameter(place, node, f"{name}: {source.segment(call.func)}"))
    edits += _around(place, edge, name, source.segment(call))
    return place.fix(f"build `{building.name}` around the fan-out", *edits)


def _only_caller(place: Place, function: Function) -> Edge:
    """The place that starts the coroutines, and nothing else of this name in the project."""
    graph = place.workshop.facts.graph
    edges = graph.into.get(function, [])
    fanned = graph.fanned.get(function, [])
    name = function.facts.name
    mentions = sum(
        len(re.findall(rf"\b{re.escape(name)}\b", file.text or ""))
        for file in place.workshop.facts.program.project.files
        if name in (file.text or "")
    )
    if not fanned:
        raise Refused("the function is started for every item, and the client belongs to it")
    if len(edges) != 1 or mentions != 2 or function in graph.entries:
        raise Refused("the function is started for every item, and called elsewhere, too")
    if edges[0].caller.module is not function.module or not edges[0].caller.is_async:
        raise Refused("the function is started for every item in another module")
    return edges[0]


def _static(call: ast.Call, function: Function, edge: Edge) -> None:
    """Raise Refused where the arguments read what belongs to the function; the `self` of both methods is the same."""
    own = {*function.parameters, *function.facts.bindings}
    same = function.klass is not None and function.klass is edge.caller.klass
    if same and edge.site.callee[1] == ("name", edge.caller.self_name):
        if function.self_name == edge.caller.self_name:
            own.discard(str(function.self_name))
    for node in ast.walk(call):
        if isinstance(node, ast.Name) and node.id in own:
            raise Refused(f"`{node.id}` belongs to the function that is started for every item")
        if isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr, ast.Lambda)):
            raise Refused("the arguments are computed for every item")


def _parameter(place: Place, node: ast.AsyncFunctionDef, text: str) -> Edit:
    """One more parameter, in front of the others but `self`."""
    source = place.source
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args]
    method = place.function.klass is not None
    if arguments.posonlyargs or (method and not every):
        raise Refused("the parameters could not be read")
    if method:
        return source.insert(source.end(every[0]), f", {text}")
    opening = source.text.index("(", source.text.index(node.name, source.start(node))) + 1
    rest = bool(every or arguments.vararg or arguments.kwonlyargs or arguments.kwarg)
    return source.insert(opening, f"{text}, " if rest else text)


def _around(place: Place, edge: Edge, name: str, constructor: str) -> list[Edit]:
    """The client around the statement that gathers, and handed to each coroutine."""
    source, site = place.source, edge.site
    caller = edge.caller
    tree = source.tree(site.line)
    call = tree.at(site.extent, ast.Call)
    if call is None:
        raise Refused("where the coroutines are started could not be read")
    statement = tree.statement(call)
    awaited = any(
        isinstance(one, ast.Await)
        and isinstance(one.value, ast.Call)
        and source.segment(one.value.func).rpartition(".")[2] == "gather"
        for one in tree.above(call)
    )
    loop = next(
        (n for n in tree.above(call) if isinstance(n, (ast.For, ast.AsyncFor, ast.While))), None
    )
    if (
        not awaited
        or loop is not None
        or not isinstance(statement, (ast.Expr, ast.Assign, ast.Return))
    ):
        raise Refused("the coroutines are not awaited where they are started")
    function: Function | None = caller
    while function is not None:
        facts = function.facts
        if name in facts.bindings or name in function.parameters or name in facts.loaded:
            raise Refused(f"`{name}` means something else in `{caller.name}`")
        function = function.parent
    node = tree.function(call)
    if not isinstance(node, ast.AsyncFunctionDef):
        raise Refused("where the coroutines are started could not be read")
    indent, unit = source.indent(statement), source.unit(node)
    source.after(statement)
    header = f"{indent}async with {constructor} as {name}:\n"
    opening = source.text.index("(", source.end(call.func)) + 1
    edits = [
        source.insert(source.line_start(statement.lineno), header + unit),
        source.insert(opening, f"{name}, " if call.args or call.keywords else name),
    ]
    last = statement.end_lineno or statement.lineno
    return [*edits, *source.push(statement.lineno + 1, last, unit, statement)]
