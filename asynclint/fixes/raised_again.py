"""A cancellation that a handler takes is raised again."""

from __future__ import annotations

import ast

from asynclint.findings import Fix, Refused
from asynclint.fixes.place import Place

TITLE = "raise the cancellation again"
LEAVING = (ast.Return, ast.Break, ast.Continue, ast.Pass)


def of(place: Place) -> Fix:
    """`raise` at the end of the handler, or a handler of its own before one that takes other errors, too.

    Raises Refused for a `suppress`, and where the handler raises or gives something else.
    """
    mistake = place.facts.mistakes["swallowed"]
    if mistake.by:
        raise Refused(f"callers may wait for `{mistake.by}`")
    handler = _handler(place)
    source = place.source
    caught = handler.type
    if (
        caught is None
        or isinstance(caught, ast.Tuple)
        or ast.unparse(caught).endswith("BaseException")
    ):
        return _before(place, handler)
    last = handler.body[-1]
    if isinstance(last, LEAVING):
        if any(isinstance(n, (ast.Call, ast.Await)) for n in ast.walk(last)):
            raise Refused("what it returns instead is made by a call")
        return place.fix(TITLE, source.replace(last, "raise"))
    after = source.after(last)
    line = f"{source.indent(last)}raise\n"
    if not source.text[:after].endswith(("\n", "\r")):
        line = "\n" + line.rstrip("\n")
    return place.fix(TITLE, source.insert(after, line))


def _handler(place: Place) -> ast.ExceptHandler:
    site = place.site
    if site.kind != "except":
        raise Refused("without it nothing would be left of the `with`")
    for node in ast.walk(place.source.tree(site.line).root):
        if isinstance(node, ast.ExceptHandler) and (node.lineno, node.col_offset) == (
            site.line, site.col,
        ):  # fmt: skip
            return node
    raise Refused("the handler could not be read")


def _before(place: Place, handler: ast.ExceptHandler) -> Fix:
    """`except asyncio.CancelledError: raise` before the handler."""
    source = place.source
    indent = source.indent(handler)
    if source.line(handler.lineno)[: handler.col_offset].strip():
        raise Refused("something else stands on the line of the handler")
    body = source.indent(handler.body[0])
    unit = body[len(indent) :] if handler.body[0].lineno > handler.lineno else "    "
    asyncio, edits = place.imported("asyncio")
    text = f"{indent}except {asyncio}.CancelledError:\n{indent}{unit}raise\n"
    return place.fix(TITLE, source.insert(source.line_start(handler.lineno), text), *edits)
