"""Which exceptions are the cancellation of a task."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import Recipe
from asynclint.facts.program import Function
from asynclint.facts.types import Func, Lib, Tup, Type, members

CANCELLED = frozenset({
    "asyncio.CancelledError", "asyncio.exceptions.CancelledError", "trio.Cancelled",
    "anyio.get_cancelled_exc_class",
})  # fmt: skip
EVERYTHING = "builtins.BaseException"


def classes(
    evaluator: Evaluator, recipe: Recipe, function: Function, at: tuple[int, int, int]
) -> Iterator[Type]:
    """The exception classes that a handler names, but those that the caller says."""
    if recipe and recipe[0] == "display":
        for one in recipe[2]:
            yield from classes(evaluator, one, function, at)
    elif recipe and recipe[0] == "call":
        yield evaluator.callee(function.module, function.module.site(recipe[1]))
    elif recipe and not _is_parameter(recipe, function):
        for value in members(evaluator.eval(recipe, function, at)):
            yield from value.items if isinstance(value, Tup) else (value,)


def is_cancellation(value: Type) -> bool:
    """Whether a class is that of cancellations, or a function gives it."""
    if isinstance(value, Func):
        # Within anyio itself.
        return value.function.facts.name == "get_cancelled_exc_class"
    return isinstance(value, Lib) and value.path in CANCELLED


def takes(value: Type) -> bool:
    """Whether who catches a class gets cancellations."""
    return is_cancellation(value) or (isinstance(value, Lib) and value.path == EVERYTHING)


def named(node: ast.AST) -> Recipe:
    """`a.b.c` as a recipe; None for anything but names."""
    if isinstance(node, ast.Name):
        return ("name", node.id)
    base = named(node.value) if isinstance(node, ast.Attribute) else None
    return ("attr", base, node.attr) if base and isinstance(node, ast.Attribute) else None


def _is_parameter(recipe: Recipe, function: Function) -> bool:
    """Whether the caller says what is caught, in the call or in the object: an annotation names only the widest class."""
    if recipe[0] == "attr":
        return bool(recipe[1] == ("name", "self"))
    return recipe[0] == "name" and any(p.name == recipe[1] for p in function.facts.params)
