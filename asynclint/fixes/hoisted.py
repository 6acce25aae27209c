"""A client that is built for every item of a loop is built before the loop."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from asynclint.findings import Edit, Fix, Refused
from asynclint.fixes import fanned
from asynclint.fixes.place import Place
from asynclint.fixes.usage import Usage

Loop = (ast.For, ast.AsyncFor, ast.While)


def hoist(place: Place) -> Iterable[Fix]:
    """The fix of one constructor. Raises Refused where what it needs changes with the item."""
    building = place.facts.building
    assert building is not None
    if building.depends is not None:
        raise Refused(f"the arguments depend on {building.depends}")
    place.refuse_field()
    call, tree, source = place.call, place.tree, place.source
    function = tree.function(call)
    loop = next((n for n in tree.above(call) if isinstance(n, (*Loop, ast.comprehension))), None)
    for one in tree.above(call):
        if isinstance(one, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            raise Refused("the client is built within a comprehension")
        if one is function or one is loop:
            break
    if not isinstance(loop, Loop) or tree.function(loop) is not function or function is None:
        yield fanned.pass_on(place)
        return
    if source.text[source.line_start(loop.lineno) : source.start(loop)].strip():
        raise Refused("something else stands on the line of the loop")
    outer = _outermost(place, loop)
    _independent(call, outer)
    parent = tree.parent(call)
    if isinstance(parent, ast.Await):
        parent = tree.parent(parent)
    if isinstance(parent, ast.withitem):
        statement = tree.parent(parent)
        assert isinstance(statement, (ast.With, ast.AsyncWith))
        if outer is not loop:
            raise Refused("the client is entered in a loop within a loop")
        edits = _entered(place, loop, statement, parent)
    elif isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name):
        if not isinstance(parent.value, (ast.Call, ast.Await)) or parent not in loop.body:
            raise Refused("the client is built under a condition")
        edits = _assigned(place, outer, parent, parent.targets[0].id)
    else:
        raise Refused("how the client is used could not be read")
    safe = building.client.state is None
    yield place.fix(f"build `{building.name}` before the loop", *edits, safe=safe)


def _outermost(
    place: Place, loop: ast.For | ast.AsyncFor | ast.While
) -> ast.For | ast.AsyncFor | ast.While:
    """The outermost of loops that stand in each other; one under a condition may not come to the inner ones."""
    around = place.tree.parent(loop)
    while isinstance(around, Loop) and loop in around.body:
        loop, around = around, place.tree.parent(around)
    return loop


def _independent(call: ast.Call, loop: ast.For | ast.AsyncFor | ast.While) -> None:
    """Raise Refused where the arguments read what the loop sets, or are computed."""
    set_inside = {
        n.id for n in ast.walk(loop) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)
    }
    set_inside |= {
        a.asname or a.name.partition(".")[0]
        for n in ast.walk(loop)
        if isinstance(n, (ast.Import, ast.ImportFrom))
        for a in n.names
    }
    for node in ast.walk(call):
        if isinstance(node, ast.Name) and node.id in set_inside:
            raise Refused(f"`{node.id}` changes in the loop")
        if isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr, ast.Lambda)):
            raise Refused("the arguments are computed for every item")
        if isinstance(node, ast.Call) and node is not call and _calls_more(node):
            raise Refused("the arguments are computed for every item")


def _calls_more(node: ast.Call) -> bool:
    """Whether a call may give something else next time: anything but a class or a reading of the environment."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return not (name[:1].isupper() or name in ("getenv", "get", "float", "int", "str", "bool"))


def _settled(place: Place, name: str, within: ast.AST) -> list[Edit]:
    usage = Usage(place.source, place.tree, within, name)
    usage.settle()
    return usage.edits


def _entered(
    place: Place,
    loop: ast.For | ast.AsyncFor | ast.While,
    statement: ast.With | ast.AsyncWith,
    item: ast.withitem,
) -> list[Edit]:
    """The `with` goes around the loop."""
    source, tree = place.source, place.tree
    if len(statement.items) != 1 or not isinstance(item.optional_vars, ast.Name):
        raise Refused("the client is entered together with others")
    if tree.parent(statement) is not loop or statement not in loop.body:
        raise Refused("the client is entered under a condition")
    if _settled(place, item.optional_vars.id, statement):
        raise Refused("the client is closed within the loop")
    if loop.orelse:
        raise Refused("the loop has an `else`")
    if any(
        n.id == item.optional_vars.id
        for n in ast.walk(loop)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and n is not item.optional_vars
    ):
        raise Refused(f"`{item.optional_vars.id}` is set again in the loop")
    start = source.offset(statement.lineno, statement.col_offset)
    first = statement.body[0]
    head_end = source.line_start(source.first_line(statement.body))
    head = source.text[start:head_end]
    if first.lineno == (item.optional_vars.end_lineno or 0):
        raise Refused("the header of the `with` could not be read")
    indent, own = source.indent(loop), source.indent(statement)
    unit = own[len(indent) :]
    inner = source.indent(first)
    if not unit or not own.startswith(indent) or not inner.startswith(own):
        raise Refused("the indentation is mixed")
    deeper = inner[len(own) :]
    if "\n" in head.rstrip():
        head = head.replace("\n" + own, "\n" + indent)
    edits = [source.insert(source.line_start(loop.lineno), f"{indent}{head.rstrip()}\n{unit}")]
    before = source.first_line(loop.body)
    edits += source.push(loop.lineno + 1, before - 1, unit, loop)
    edits += source.push(before, statement.lineno - 1, deeper, loop)
    edits.append(source.edit(source.line_start(statement.lineno), head_end, ""))
    edits += source.push((statement.end_lineno or 0) + 1, loop.end_lineno or 0, deeper, loop)
    return edits


def _assigned(
    place: Place, loop: ast.For | ast.AsyncFor | ast.While, statement: ast.Assign, name: str
) -> list[Edit]:
    """The assignment goes before the loop."""
    source, tree = place.source, place.tree
    inner = tree.parent(statement)
    if not isinstance(inner, Loop) or len(inner.body) < 2:
        raise Refused("the client is built under a condition")
    if len(statement.targets) != 1:
        raise Refused("the client has several names")
    end = source.after(statement)
    stores = [
        n
        for n in ast.walk(loop)
        if isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load)
    ]
    if len(stores) != 1:
        raise Refused(f"`{name}` is set again in the loop")
    if _settled(place, name, loop):
        raise Refused("the client is closed within the loop")
    indent = source.indent(loop)
    start = source.line_start(statement.lineno)
    text = source.text[source.start(statement) : end]
    if "\n" in text.rstrip():
        text = text.replace("\n" + source.indent(statement), "\n" + indent)
    return [
        source.insert(source.line_start(loop.lineno), f"{indent}{text.rstrip()}\n"),
        source.edit(start, end, ""),
    ]
