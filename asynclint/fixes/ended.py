"""Tasks that code cancels and then waits for: today they end quietly."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from asynclint.facts.model import CallSite
from asynclint.facts.program import Function, Module
from asynclint.findings import Refused
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.source import Tree

TAKEN = ("CancelledError", "BaseException")

CANCELS = re.compile(r"\bself\.\w*(?:task|loop|future|job|worker|runner)\w*\.cancel\(")

QUIET = [("name", name) for name in ("asyncio", "anyio", "logger", "log", "logging", "print")]

DEPTH = 3
"""Callers looked at above a coroutine function, whose task may be the one."""


def refuse(place: Place) -> None:
    """Raise Refused where somebody cancels a task and waits for it as if it could not raise."""
    for module in _modules(place.workshop, place.function):
        name = place.workshop.each(_waiter, module)
        if name is not None:
            raise Refused(f"`{name}` waits for a task that it has cancelled, and would be told so")


def refuse_own(place: Place, tried: ast.AST | None) -> None:
    """Raise Refused where the class itself cancels its task, and something follows the `try` that is done then."""
    klass, module = place.function.klass, place.function.module
    found = place.source.definition(place.function)
    if klass is None or found is None or not isinstance(tried, ast.Try):
        return
    end = tried.end_lineno or 0
    if not any(s.line > end and _tells(s) for s in place.function.sites):
        return
    for method in klass.methods():
        text = "\n".join(module.span(method.facts.line, method.facts.end_line))
        if method is not place.function and CANCELS.search(text):
            raise Refused(
                f"`{method.name}` cancels its task, and what follows is meant to be done then"
            )


def _tells(site: CallSite) -> bool:
    """A call that is made for what it does, and not to wait or to log."""
    base = site.callee
    while base and base[0] in ("attr", "sub"):
        base = base[1]
    return site.role[0] in ("await", "stmt") and base not in QUIET


def _modules(workshop: Workshop, function: Function) -> Iterator[Module]:
    """The modules of a function and of those that call or start it."""
    seen = [function.module]
    level = {function}
    for _ in range(DEPTH):
        level = {e.caller for one in level for e in workshop.facts.graph.into.get(one, ())}
        seen += [one.module for one in level if not one.module.file.is_test]
    yield from dict.fromkeys(seen)


def _waiter(workshop: Workshop, module: Module) -> str | None:
    return next(_waiters(module), None)


def _waiters(module: Module) -> Iterator[str]:
    """The functions that cancel what they then wait for, with nothing around that takes the cancellation."""
    text = module.file.text or ""
    if ".cancel()" not in text:
        return
    try:
        tree = Tree(text)
    except Refused:
        return
    for node in ast.walk(tree.root):
        if isinstance(node, ast.AsyncFunctionDef) and _waits(tree, node):
            yield node.name


def _waits(tree: Tree, function: ast.AsyncFunctionDef) -> bool:
    cancelled: dict[str, int] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "cancel" and not node.args:
                cancelled.setdefault(_whole(tree, node.func.value), node.lineno)
    return any(
        isinstance(node, ast.Await)
        and any(name in cancelled and cancelled[name] < node.lineno for name in _waited(tree, node))
        and not _taken(tree, node)
        for node in ast.walk(function)
    )


def _whole(tree: Tree, node: ast.expr) -> str:
    """What is cancelled: for the target of a loop that which is gone through."""
    if isinstance(node, ast.Name):
        for one in tree.above(node):
            if isinstance(one, (ast.For, ast.comprehension)) and ast.unparse(one.target) == node.id:
                return ast.unparse(one.iter)
    return ast.unparse(node)


def _waited(tree: Tree, node: ast.Await) -> Iterator[str]:
    """`await task`, `await asyncio.gather(*tasks)`, `await asyncio.wait_for(task, 1)`."""
    value = node.value
    if isinstance(value, ast.Call):
        name = ast.unparse(value.func).rpartition(".")[2]
        if name not in ("gather", "wait_for", "shield"):
            return
        if any(k.arg == "return_exceptions" for k in value.keywords):
            return
        for argument in value.args:
            one = argument.value if isinstance(argument, ast.Starred) else argument
            yield ast.unparse(one)
    elif isinstance(value, (ast.Name, ast.Attribute, ast.Subscript)):
        yield _whole(tree, value)


def _taken(tree: Tree, node: ast.AST) -> bool:
    """Whether a `try` or a `suppress` takes the cancellation that an `await` may raise."""
    below = node
    for one in tree.above(node):
        if isinstance(one, ast.AsyncFunctionDef):
            return False
        if isinstance(one, ast.Try) and below in one.body:
            if any(h.type is None or _names(h.type) for h in one.handlers):
                return True
        if isinstance(one, ast.With) and any(_names(i.context_expr) for i in one.items):
            return True
        below = one
    return False


def _names(node: ast.expr) -> bool:
    return any(word in ast.unparse(node) for word in TAKEN)
