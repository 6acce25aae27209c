"""A client that nothing closes is closed behind the `yield` of the lifespan that built it, or entered."""

from __future__ import annotations

import ast

from asynclint.findings import Edit, Fix, Refused
from asynclint.fixes import lifespan
from asynclint.fixes.place import Place
from asynclint.fixes.source import Source


def close(place: Place) -> Fix:
    """The fix of one client. Raises Refused where the place that has to close it is another function."""
    unclosed = place.facts.unclosed
    assert unclosed is not None and unclosed.client.close is not None
    tree, source = place.tree, place.source
    statement = tree.statement(place.call)
    if isinstance(statement, ast.AnnAssign):
        holder: ast.expr = statement.target
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        [holder] = statement.targets
    else:
        raise Refused("nothing in reach holds the client")
    node = tree.function(statement)
    if not isinstance(node, ast.AsyncFunctionDef):
        raise Refused("the function that builds it does not outlive it")
    target = source.segment(holder)
    if place.function.facts.generator:
        wait = "await " if unclosed.client.close_async else ""
        return place.fix(
            "close it behind the `yield`",
            *_behind_yield(place, node, statement, f"{wait}{target}.{unclosed.client.close}()"),
        )
    if unclosed.kept:
        raise Refused("the function that builds it ends at startup")
    return place.fix("enter it with `async with`", *_entered(place, statement, target))


def _behind_yield(
    place: Place, node: ast.AsyncFunctionDef, statement: ast.stmt, call: str
) -> list[Edit]:
    tree, source = place.tree, place.source
    pause = lifespan.pause(source, tree, node)
    around = tree.parent(statement)
    if around not in (tree.parent(pause), *tree.above(pause)) or pause.lineno < statement.lineno:
        raise Refused("it is built under a condition")
    indent, unit = source.indent(pause), source.unit(node)
    holder = tree.parent(pause)
    if (
        isinstance(holder, ast.Try)
        and holder.finalbody
        and pause in holder.body
        and holder.lineno > statement.lineno
    ):
        first = holder.finalbody[0]
        if not source.alone(first) and source.line(first.lineno).strip().startswith("finally"):
            raise Refused("something else stands on the line of the `finally`")
        start = source.line_start(first.lineno)
        return [source.insert(start, f"{source.indent(first)}{call}\n")]
    begin = source.line_start(pause.lineno)
    edits = [source.insert(begin, f"{indent}try:\n{unit}")]
    edits += source.push(pause.lineno + 1, pause.end_lineno or pause.lineno, unit, pause)
    edits.append(source.insert(source.end(pause), f"\n{indent}finally:\n{indent}{unit}{call}"))
    return edits


def _entered(place: Place, statement: ast.Assign | ast.AnnAssign, target: str) -> list[Edit]:
    tree, source = place.tree, place.source
    evaluator = place.workshop.facts.graph.evaluator
    value = evaluator.call_type(place.function.module, place.site.index)
    known = evaluator.known.cls(getattr(value, "of", "")) if value is not None else None
    if statement.value is not place.call or known is None or known.enter not in ("async", "both"):
        raise Refused("it is no context manager")
    around = tree.parent(statement)
    body = tree.suite(statement)
    source.after(statement)
    rest = body[body.index(statement) + 1 :]
    if not rest:
        raise Refused("nothing is done with the client")
    if not all(_starts_line(source, one) for one in rest):
        raise Refused("something else stands on the line of a statement behind it")
    if around is not tree.function(statement) and not isinstance(around, ast.Try):
        raise Refused("it is built under a condition")
    unit = source.unit(_function(place))
    header = f"async with {source.segment(place.call)} as {target}:"
    last = rest[-1].end_lineno or rest[-1].lineno
    return [
        source.replace(statement, header),
        *source.push((statement.end_lineno or statement.lineno) + 1, last, unit, _function(place)),
    ]


def _function(place: Place) -> ast.AsyncFunctionDef:
    node = place.tree.function(place.call)
    assert isinstance(node, ast.AsyncFunctionDef)
    return node


def _starts_line(source: Source, statement: ast.stmt) -> bool:
    start = source.start(statement)
    return not source.text[source.line_start(statement.lineno) : start].strip()
