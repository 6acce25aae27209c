"""A stream that a loop may leave early is closed behind the loop."""

from __future__ import annotations

import ast

from asynclint.facts.types import Inst, members
from asynclint.findings import Edit, Fix, Refused
from asynclint.fixes.place import Place


def around(place: Place) -> Fix:
    """`async with aclosing(stream):` around the loop. Raises Refused where the lines cannot be moved in."""
    source, node = place.source, place.node
    loop = place.tree.parent(node)
    if not isinstance(loop, ast.AsyncFor):
        raise Refused("it stands in a comprehension")
    function = place.tree.function(loop)
    if not isinstance(function, (ast.AsyncFunctionDef, ast.FunctionDef)):
        raise Refused("the code around it could not be read")
    first = source.line_start(loop.lineno)
    start = source.offset(loop.lineno, loop.col_offset)
    if source.text[first:start].strip() or loop.iter.end_lineno != loop.lineno:
        raise Refused("the header of the loop stands on several lines, or beside something else")
    source.after(loop)
    indent, unit = source.indent(loop), source.unit(function)
    text = entered = source.segment(node)
    edits: tuple[Edit, ...] = ()
    if not _enters(place):
        closing, edits = place.imported("contextlib", "aclosing")
        entered = f"{closing}({text})"
    if isinstance(node, ast.Name):
        header, name = f"async with {entered}:", text
    else:
        name = place.free_name("stream", "items", "source")
        header = f"async with {entered} as {name}:"
    opening = source.text[start : source.start(node)]
    moved = source.edit(first, source.end(node), f"{indent}{header}\n{indent}{unit}{opening}{name}")
    rest = source.push(loop.lineno + 1, loop.end_lineno or loop.lineno, unit, loop)
    return place.fix("close it behind the loop", *edits, moved, *rest)


def _enters(place: Place) -> bool:
    """Whether `async with` closes it by itself."""
    evaluator = place.workshop.facts.graph.evaluator
    for value in members(evaluator.callee(place.function.module, place.site)):
        if not isinstance(value, Inst) or not isinstance(value.of, str):
            return False
        cls = evaluator.known.cls(value.of)
        if cls is None or cls.enter not in ("async", "both"):
            return False
    return True
