"""What each kind of expression is, by the tag of its recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from asynclint.facts.attributes import attribute_type
from asynclint.facts.containers import shallow
from asynclint.facts.enumerations import VALUE, member_value
from asynclint.facts.model import Place, Recipe
from asynclint.facts.names import imported, module_value, name_type
from asynclint.facts.narrowing import narrowed
from asynclint.facts.operations import (
    awaited_type,
    element_type,
    entered_type,
    item_type,
    subscript_type,
)
from asynclint.facts.program import Function
from asynclint.facts.types import NONE, Cls, Const, Func, Gen, Inst, LibMethod, Tup, Type, union

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator


def _name(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    return name_type(evaluator, recipe[1], function, at)


def _attr(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    base = evaluator.eval(recipe[1], function, at)
    if recipe[2] == VALUE:
        value = member_value(evaluator, recipe[1], base, function, at)
        if value is not None:
            return value
    result = attribute_type(evaluator, base, recipe[2], function)
    if result is None and base is None:
        return None
    if isinstance(result, (Func, LibMethod)) and _replaced(recipe, function):
        return None
    return narrowed(evaluator, recipe, result, function, at)


def _call(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    return evaluator.call_type(function.module, recipe[1])


def _awaited(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    return awaited_type(evaluator, evaluator.eval(recipe[1], function, at))


def _subscript(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    return subscript_type(
        evaluator, evaluator.eval(recipe[1], function, at), recipe[2], function, at
    )


def _one_of(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    parts = recipe[1]
    mode = recipe[2]
    if mode == "and":
        return evaluator.eval(parts[-1], function, at)
    types = [evaluator.eval(p, function, at) for p in parts]
    if any(t is None for t in types):
        # `client or Client()`, `Client() if client is None else client`: an unknown parameter stands for the
        # same kind of thing as its default.
        shown = [t for t, p in zip(types, parts, strict=False) if t is not None and t != NONE]
        unknown = [p for t, p in zip(types, parts, strict=False) if t is None]
        if shown and all(_stands_in(p, function, mode) for p in unknown):
            return union(shown)
        return None
    return union(types)


def _const(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    return Const(recipe[1])


def _display(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    items = recipe[2]
    starred = any(i and i[0] == "star" for i in items)
    if len(items) > 30:
        return Inst(f"builtins.{recipe[1]}", (None,), True)
    types = tuple(
        shallow(
            element_type(evaluator, evaluator.eval(i[1], function, at))
            if i and i[0] == "star"
            else evaluator.eval(i, function, at)
        )
        for i in items
    )
    if recipe[1] == "tuple" and not starred:
        return Tup(types)
    return Inst(f"builtins.{recipe[1]}", (union(list(types)) if types else None,), True)


def _dict(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    values = recipe[2]
    if not values or len(values) > 30 or None in recipe[1]:
        return Inst("builtins.dict", (None, None), True)
    return Inst(
        "builtins.dict",
        (None, shallow(union([evaluator.eval(v, function, at) for v in values]))),
        True,
    )


def _comp(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    element = recipe[2]
    type_ = (
        evaluator.eval(element, function, at)
        if element and element[0] in ("call", "await", "iter")
        else None
    )
    type_ = shallow(type_)
    if recipe[1] == "generator":
        return Gen(type_, False)
    if recipe[1] == "dict":
        return Inst("builtins.dict", (None, type_), True)
    return Inst(f"builtins.{recipe[1]}", (type_,), True)


def _lambda(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    return Func(function.module.functions[recipe[1]])


def _def(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    return evaluator.function_value(function.module.functions[recipe[1]])


def _class(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    return Cls(function.module.klasses[recipe[1]])


def _import(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    return module_value(evaluator, recipe[1], function.module)


def _from(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    return imported(evaluator, function.module, recipe[1], recipe[2], recipe[3])


def _entered(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    return entered_type(evaluator, evaluator.eval(recipe[1], function, at), recipe[2])


def _iterated(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    return element_type(evaluator, evaluator.eval(recipe[1], function, at))


def _item(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    return item_type(evaluator, evaluator.eval(recipe[1], function, at), recipe[2])


def _truth(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    return Inst("builtins.bool")


def _text(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    return Inst("builtins.str")


def _binop(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place) -> Type:
    left = evaluator.eval(recipe[1], function, at)
    if isinstance(left, Inst) and isinstance(left.of, str) and left.of.endswith("Path"):
        return left
    if isinstance(left, Const) and isinstance(left.value, (str, int, float)):
        return Inst(f"builtins.{type(left.value).__name__}")
    right = evaluator.eval(recipe[2], function, at)
    if isinstance(left, Inst) and left.of in JOINING:
        return _joined(left, right)
    for operand, method in ((left, "__or__"), (right, "__ror__")):
        if isinstance(operand, Inst) and isinstance(operand.of, str):
            known = evaluator.known.method(operand.of, method)
            if known is not None and known.returns:
                return evaluator.parse_type(known.returns, operand)
    if left is None and recipe[3:] and _is_text(right) and not function.module.file.is_test:
        # Where paths are awaited, it may be one of those.
        if ASYNC_PATHS.isdisjoint(function.module.imported_roots):
            return Inst(JOINED)
    return None


JOINING = frozenset(
    {"builtins.list", "builtins.set", "builtins.dict", "typing.List", "typing.Set", "typing.Dict"}
)
"""Containers that operators put together or repeat."""


def _joined(left: Inst, right: Type) -> Type:
    """`rows + more`, `rows * 3`, `names | others`."""
    if isinstance(right, Const) and isinstance(right.value, int):
        return left
    if not isinstance(right, Inst) or right.of not in JOINING or len(right.args) != len(left.args):
        return None
    return replace(left, args=tuple(map(_either, left.args, right.args)), exact=False)


def _either(one: Type, other: Type) -> Type:
    return None if one is None or other is None else union([one, other])


JOINED = "pathlib.joined.Path"
"""What `unknown / "name"` gives."""

ASYNC_PATHS = frozenset({"anyio", "trio", "aiopath", "asyncpath", "apath"})
"""Libraries with paths whose methods are coroutines."""


def _is_text(type_: Type) -> bool:
    value = type_.value if isinstance(type_, Const) else None
    return isinstance(value, str) or type_ == Inst("builtins.str")


def _replaced(recipe: Recipe, function: Function) -> bool:
    """Whether a method is assigned anew on the object that it is read from, here or in the module: `crawler.run = traced`."""
    scopes = (function, function.module.functions[0])
    return any(
        one.attr == recipe[2] and one.base == recipe[1]
        for scope in scopes
        for one in scope.facts.attribute_bindings
    )


def _stands_in(recipe: Recipe, function: Function, mode: str) -> bool:
    """Whether a value is a parameter for which another one is taken where it is not given."""
    if not recipe or recipe[0] != "name" or recipe[1] not in function.parameters:
        return False
    return mode == "or" or function.parameters[recipe[1]].default == ("const", None)


RECIPES: dict[str, Callable[[Evaluator, Recipe, Function, Place], Type]] = {
    "name": _name,
    "attr": _attr,
    "call": _call,
    "await": _awaited,
    "sub": _subscript,
    "any": _one_of,
    "const": _const,
    "display": _display,
    "dict": _dict,
    "comp": _comp,
    "lambda": _lambda,
    "def": _def,
    "class": _class,
    "import": _import,
    "from": _from,
    "enter": _entered,
    "iter": _iterated,
    "item": _item,
    "cmp": _truth,
    "not": _truth,
    "str": _text,
    "binop": _binop,
}
