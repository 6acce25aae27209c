"""The type expressions of the knowledge tables: `Coroutine[None, None, T]`, `httpx.Response | None`."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from asynclint.facts.types import NONE, Coro, Gen, Inst, Lib, Tup, Type, union

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator

OF_RECEIVER = re.compile(r"\b(Self|T)\b")
"""What stands in a type of the knowledge tables for something of the receiver."""


def read_type(text: str) -> Type:
    """What a type expression stands for; unknown where it is none."""
    try:
        return _parsed(ast.parse(text, mode="eval").body)
    except SyntaxError:
        return None


def filled(evaluator: Evaluator, type_: Type, receiver: Type) -> Type:
    """A type with the receiver, or its type argument, in the place of `Self` and `T`."""
    if isinstance(type_, Coro):
        return Coro(filled(evaluator, type_.result, receiver), type_.name)
    if isinstance(type_, Gen):
        return Gen(filled(evaluator, type_.element, receiver), type_.is_async)
    if isinstance(type_, Tup):
        return Tup(tuple(filled(evaluator, item, receiver) for item in type_.items))
    if not isinstance(type_, Inst):
        return type_
    if type_.of == "builtins.Self":
        return evaluator.parse_type("Self", receiver)
    if type_.of == "builtins.T":
        return receiver.args[0] if isinstance(receiver, Inst) and receiver.args else None
    return Inst(type_.of, tuple(filled(evaluator, a, receiver) for a in type_.args))


def _parsed(node: ast.expr) -> Type:
    if isinstance(node, ast.Constant) and node.value is None:
        return NONE
    if isinstance(node, ast.BinOp):
        return union([_parsed(node.left), _parsed(node.right)])
    if isinstance(node, ast.Subscript):
        base = ast.unparse(node.value)
        elements = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        args = tuple(_parsed(e) for e in elements)
        if base == "AsyncIterator":
            return Gen(args[0], True)
        if base == "Iterator":
            return Gen(args[0], False)
        if base == "Coroutine":
            return Coro(args[-1], "")
        if base == "Optional":
            return args[0]
        if base == "tuple" and len(args) > 1:
            return Tup(args)
        if base == "type":
            return (
                Lib(args[0].of)
                if isinstance(args[0], Inst) and isinstance(args[0].of, str)
                else None
            )
        return Inst(base if "." in base else f"builtins.{base}", args)
    path = ast.unparse(node)
    if path in ("Any", "object", "Callable"):
        return None
    return Inst(path if "." in path else f"builtins.{path}")
