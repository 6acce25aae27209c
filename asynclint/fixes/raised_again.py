"""A cancellation that a handler takes is raised again."""

from __future__ import annotations

import ast
import re

from asynclint.facts import body, cancelled
from asynclint.facts.program import Function
from asynclint.findings import Edit, Fix, Refused
from asynclint.fixes import caught, ended, left_out
from asynclint.fixes.place import Place
from asynclint.fixes.source import Tree, own_nodes

TITLE = "raise the cancellation again"
CLOSING = frozenset(
    {"__aexit__", "aclose", "close", "disconnect", "shutdown", "stop", "cleanup", "wait_closed"}
)
"""Methods that clean up, one of several that do as a rule."""

PUTS_AWAY = re.compile(
    r"(^|_)(a?close|cancel|stop|shutdown|disconnect|clean_?up|teardown|dispose|terminate|kill|fini)(_|$)"
)
"""What methods are called that put something away, whatever has happened before."""

WAITING = frozenset({"asyncio.wait_for", "asyncio.shield", "asyncio.gather"})
"""Functions that give the cancellation of what they wait for on."""

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
    _refuse_meant(place, handler)
    named, others = _kinds(place, handler)
    if others or not named:
        left_out.refuse_handling(handler)
        return _before(place, handler, named)
    last = handler.body[-1]
    if isinstance(last, LEAVING):
        if any(isinstance(n, (ast.Call, ast.Await)) for n in ast.walk(last)):
            raise Refused("what it returns instead is made by a call")
        given = last.value if isinstance(last, ast.Return) else None
        if isinstance(given, (ast.Name, ast.Attribute, ast.Subscript)):
            raise Refused(f"it returns `{ast.unparse(given)}`, what there is until then")
        return place.fix(TITLE, source.replace(last, "raise"))
    after = source.after(last)
    line = f"{source.indent(last)}raise\n"
    if not source.text[:after].endswith(("\n", "\r")):
        line = "\n" + line.rstrip("\n")
    return place.fix(TITLE, source.insert(after, line))


def _refuse_meant(place: Place, handler: ast.ExceptHandler) -> None:
    """Raise Refused where the text says that the cancellation is meant, or where only closing is tried, and more has to follow."""
    last = handler.end_lineno or handler.lineno
    lines = [place.source.line(number) for number in range(handler.lineno, last + 1)]
    if any("cancel" in line.partition("#")[2].lower() for line in lines):
        raise Refused("a comment says that it takes cancellations, too")
    tree = place.source.tree(place.site.line)
    function = tree.function(handler)
    if function is not None and not isinstance(function, ast.Lambda):
        if "cancel" in (ast.get_docstring(function) or "").lower():
            raise Refused("the docstring speaks of cancellations")
    tried = tree.parent(handler)
    _refuse_part(tree, tried)
    if _called_in_cleanup(place, place.function, 2):
        raise Refused(f"`{place.function.name}` is part of a clean-up, which has to go on")
    for one in tried.body if isinstance(tried, ast.Try) else ():
        if any(isinstance(n, ast.Call) and "shield" in _called(n) for n in ast.walk(one)):
            raise Refused("what is awaited is shielded from cancellations, which are meant then")
        task = _task_awaited(one)
        if task is not None:
            raise Refused(f"`{task}` may be what was cancelled, and the handler is then meant")
    closing = _only_closed(tried) if isinstance(tried, ast.Try) else None
    if closing is not None:
        raise Refused(f"what follows `{closing}` would not be cleaned up")
    _refuse_taken(tree, handler, tried)
    _refuse_put_away(place, handler, tried)
    _refuse_read(place, handler, tried)
    ended.refuse(place)
    ended.refuse_own(place, tried)
    left_out.refuse_behind(place, handler)


def _refuse_taken(tree: Tree, handler: ast.ExceptHandler, tried: ast.AST | None) -> None:
    """Raise Refused beside a handler of Ctrl-C, which cancels, too, and within a `try` that takes cancellations itself."""
    beside = tried.handlers if isinstance(tried, ast.Try) else []
    if any("KeyboardInterrupt" in body.caught(one) for one in beside if one is not handler):
        raise Refused(
            "it ends like the handler of `KeyboardInterrupt`, which is a cancellation in tasks"
        )
    below = tried
    for one in tree.above(tried) if tried is not None else ():
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            return
        for other in one.handlers if isinstance(one, ast.Try) and below in one.body else ():
            if body.takes(other):
                if not any(isinstance(node, ast.Raise) for node in own_nodes(other)):
                    raise Refused(f"the handler in line {other.lineno} would take it")
                break
        below = one


def _only_closed(tried: ast.Try) -> str | None:
    """The last method of those awaited in a `try`, where all of them close something."""
    names = [
        _called(_waited_for(node.value)) if isinstance(node.value, ast.Call) else ""
        for statement in tried.body
        for node in (statement, *own_nodes(statement))
        if isinstance(node, ast.Await)
    ]
    return names[-1] if names and CLOSING.issuperset(names) else None


def _waited_for(call: ast.Call) -> ast.Call:
    """`stream.aclose()` of `asyncio.wait_for(stream.aclose(), 5)`."""
    first = call.args[0] if call.args else None
    return first if ast.unparse(call.func) in WAITING and isinstance(first, ast.Call) else call


def _refuse_put_away(place: Place, handler: ast.ExceptHandler, tried: ast.AST | None) -> None:
    """Raise Refused where the handler asks for the cancellation, or where what follows puts things away."""
    for node in ast.walk(handler):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
            if "CancelledError" in ast.unparse(node):
                raise Refused("it asks whether it was cancelled, and has an answer to that")
    tree = place.source.tree(place.site.line)
    function = tree.function(handler)
    if function is None or tried is None or isinstance(function, ast.Lambda):
        return
    end = getattr(tried, "end_lineno", 0) or 0
    after = [place.source.line(n) for n in range(end + 1, min(end + 3, _last(function) + 1))]
    if any("cancel" in line.partition("#")[2].lower() for line in after):
        raise Refused("a comment says that it takes cancellations, too")
    if not isinstance(tried, ast.Try) or _is_within_loop(tree, tried):
        return
    for node in ast.walk(function):
        if isinstance(node, ast.Await) and node.lineno > end:
            name = _called(node.value) if isinstance(node.value, ast.Call) else ""
            if PUTS_AWAY.search(name):
                raise Refused(f"`{name}` follows, and would be left out")


def _last(function: ast.AST) -> int:
    return getattr(function, "end_lineno", 0) or 0


def _is_within_loop(tree: Tree, node: ast.AST) -> bool:
    """Whether a loop of the same function stands around a node, which a cancellation ends."""
    for one in tree.above(node):
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            return False
        if isinstance(one, (ast.For, ast.AsyncFor, ast.While)):
            return True
    return False


def _refuse_read(place: Place, handler: ast.ExceptHandler, tried: ast.AST | None) -> None:
    """Raise Refused where the reader of a stream, or what follows, is told of the cancellation."""
    inside = [node for statement in handler.body for node in ast.walk(statement)]
    if any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in inside):
        raise Refused("it yields what is to be said of the cancellation")
    told = {n.id for n in inside if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    tree = place.source.tree(place.site.line)
    function = tree.function(handler)
    if not told or function is None or tried is None:
        return
    end = getattr(tried, "end_lineno", 0) or 0
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.lineno > end:
            if node.id in told:
                raise Refused(f"what follows goes by `{node.id}`")


def _refuse_part(tree: Tree, tried: ast.AST | None) -> None:
    """Raise Refused where a `try` is a part of a clean-up that goes on behind it."""
    follows = False
    below = tried
    for one in tree.above(tried) if tried is not None else ():
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            return
        for name in ("body", "orelse", "finalbody"):
            suite = getattr(one, name, None)
            if isinstance(suite, list) and below in suite:
                follows = follows or below is not suite[-1]
                handled = isinstance(one, ast.ExceptHandler) or name == "finalbody"
                if handled and follows:
                    raise Refused("it is part of a clean-up, and what follows would be left out")
        follows = follows or isinstance(one, (ast.For, ast.AsyncFor, ast.While))
        below = one


def _called_in_cleanup(place: Place, function: Function, depth: int) -> bool:
    """Whether a function, or one that calls it, is called where an exception is handled or a `finally` runs."""
    for edge in place.workshop.facts.graph.into.get(function, ()):
        kinds = {block.kind for block in edge.caller.module.chain(edge.site.block)}
        if kinds & {"except", "finally"}:
            return True
        if depth and edge.how == "async" and _called_in_cleanup(place, edge.caller, depth - 1):
            return True
    return False


def _task_awaited(tried: ast.stmt) -> str | None:
    """What `await` waits for in a statement where no call makes it there: a task, or another future."""
    for node in ast.walk(tried):
        if isinstance(node, ast.Await):
            waited = node.value
            if isinstance(waited, ast.Call) and ast.unparse(waited.func) in WAITING:
                first = waited.args[0] if waited.args else waited
                waited = first.value if isinstance(first, ast.Starred) else first
            if isinstance(waited, (ast.Name, ast.Attribute, ast.Subscript)):
                return ast.unparse(waited)
    return None


def _called(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


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


def _kinds(place: Place, handler: ast.ExceptHandler) -> tuple[list[ast.expr], bool]:
    """The cancellations that a handler names, and whether it takes more than these."""
    kind, recipe = handler.type, place.site.callee
    kinds, recipes = ([kind], [recipe]) if kind is not None else ([], [])
    if isinstance(kind, ast.Tuple) and recipe and recipe[0] == "display":
        kinds, recipes = kind.elts, recipe[2]
    evaluator = place.workshop.facts.graph.evaluator
    at = (handler.lineno, 0, place.function.module.blocks[place.site.block].parent)
    named = []
    for node, one in zip(kinds, recipes, strict=True):
        found = list(cancelled.classes(evaluator, one, place.function, at))
        if found and all(map(cancelled.is_cancellation, found)):
            named.append(node)
    return named, len(named) < len(kinds)


def _before(place: Place, handler: ast.ExceptHandler, named: list[ast.expr]) -> Fix:
    """`except asyncio.CancelledError: raise` before the handler, which names that no more."""
    source = place.source
    indent = source.indent(handler)
    if source.line(handler.lineno)[: handler.col_offset].strip():
        raise Refused("something else stands on the line of the handler")
    inner = source.indent(handler.body[0])
    unit = inner[len(indent) :] if handler.body[0].lineno > handler.lineno else "    "
    edits: tuple[Edit, ...]
    if isinstance(handler.type, ast.Tuple) and named:
        left, comments = caught.without(source, handler.type, named)
        tight = source.text[source.start(handler.type) - 1].isalpha()
        edits = (source.replace(handler.type, f" {left}" if tight else left),)
        texts = [source.segment(one) for one in named]
        name = texts[0] if len(texts) == 1 else f"({', '.join(texts)})"
    else:
        asyncio, edits = place.imported("asyncio")
        name, comments = f"{asyncio}.CancelledError", []
    header = "  ".join([f"{indent}except {name}:", *comments])
    text = f"{header}\n{indent}{unit}raise\n"
    return place.fix(TITLE, source.insert(source.line_start(handler.lineno), text), *edits)
