"""What comes of a value that is awaited, entered, iterated, unpacked or subscripted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynclint.facts.attributes import attribute_type, opened
from asynclint.facts.classes import library_bases
from asynclint.facts.containers import MAPPINGS, SEQUENCES
from asynclint.facts.enumerations import enumerated
from asynclint.facts.model import Place, Recipe
from asynclint.facts.program import Function, Klass
from asynclint.facts.returns import call_function
from asynclint.facts.types import (
    Any_,
    Cls,
    Coro,
    Func,
    Gen,
    Inst,
    Lib,
    LibManager,
    LibMethod,
    Manager,
    Tup,
    Type,
    union,
)

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator

TASKS = {"asyncio.Task", "asyncio.Future"}
NAMED_TUPLE = "typing.NamedTuple"
TYPED_DICTS = frozenset({"typing.TypedDict", "typing_extensions.TypedDict"})


def awaited_type(evaluator: Evaluator, type_: Type) -> Type:
    """What `await` gives."""
    if isinstance(type_, Coro):
        return type_.result
    if isinstance(type_, Inst):
        if type_.of in TASKS or type_.of == "typing.Awaitable":
            return type_.args[0] if type_.args else None
        if isinstance(type_.of, Klass):
            method = attribute_type(evaluator, type_, "__await__", None)
            if isinstance(method, Func):
                return (
                    evaluator.return_type(method.function)
                    if method.function.facts.kind == "async"
                    else None
                )
            return None
        known = evaluator.known.method(type_.of, "__await__")
        return evaluator.parse_type(known.returns, type_) if known is not None else None
    if isinstance(type_, Any_):
        return union([awaited_type(evaluator, m) for m in type_.members])
    return None


def entered_type(evaluator: Evaluator, type_: Type, is_async: bool) -> Type:
    """What `with … as` or `async with … as` binds."""
    if isinstance(type_, (Manager, LibManager)):
        return type_.result
    if isinstance(type_, Coro) and type_.enters:
        return type_.result
    if isinstance(type_, Inst):
        if isinstance(type_.of, str):
            cls = evaluator.known.cls(type_.of)
            if cls is not None:
                return evaluator.parse_type(cls.enters_as, type_) if cls.enters_as else type_
            return None
        method = attribute_type(evaluator, type_, "__aenter__" if is_async else "__enter__", None)
        if isinstance(method, Func):
            result = call_function(evaluator, method.function, type_)
            result = awaited_type(evaluator, result) if isinstance(result, Coro) else result
            if isinstance(result, Inst) and result.of is type_.of:
                return type_
            return result
        if isinstance(method, LibMethod):
            return type_
        for one in evaluator.mro(type_.of):
            if isinstance(one, str) and (cls := evaluator.known.cls(one)) is not None and cls.enter:
                return type_
        return None
    if isinstance(type_, Any_):
        return union([entered_type(evaluator, m, is_async) for m in type_.members])
    return None


def element_type(evaluator: Evaluator, type_: Type) -> Type:
    """What iterating gives at each step, with `for` or `async for`."""
    type_ = opened(type_)
    if isinstance(type_, Gen):
        return type_.element
    if isinstance(type_, Tup):
        return union(list(type_.items)) if type_.items else None
    if isinstance(type_, Coro) and type_.iterates:
        return element_type(evaluator, type_.result)
    if isinstance(type_, Inst):
        if isinstance(type_.of, str):
            if type_.of in SEQUENCES:
                return type_.args[0] if type_.args else None
            if type_.of in MAPPINGS:
                return type_.args[0] if type_.args else None
            for path in evaluator.known.mro(type_.of):
                cls = evaluator.known.cls(path)
                if cls is not None and cls.yields:
                    return evaluator.parse_type(cls.yields, type_)
            return None
        for name in ("__iter__", "__aiter__"):
            method = attribute_type(evaluator, type_, name, None)
            if isinstance(method, Func):
                made = call_function(evaluator, method.function, type_)
                if isinstance(made, Gen):
                    return made.element
        return None
    if isinstance(type_, Any_):
        return union([element_type(evaluator, m) for m in type_.members])
    klass = enumerated(evaluator, type_)
    return Inst(klass) if klass is not None else None


def item_type(evaluator: Evaluator, type_: Type, index: int) -> Type:
    """One of the values that something is unpacked into."""
    if isinstance(type_, Tup):
        return type_.items[index] if index < len(type_.items) else None
    if isinstance(type_, Any_):
        return union([item_type(evaluator, m, index) for m in type_.members])
    if isinstance(type_, Inst) and isinstance(type_.of, Klass):
        named = NAMED_TUPLE in library_bases(evaluator, type_.of)
        names = fields(evaluator, type_.of) if named else []
        return attribute_type(evaluator, type_, names[index], None) if index < len(names) else None
    if isinstance(type_, Inst) and type_.of in SEQUENCES:
        return type_.args[0] if type_.args else None
    return None


def fields(evaluator: Evaluator, klass: Klass) -> list[str]:
    """The fields of a dataclass or a named tuple in their order; none where a base is not known."""
    found: dict[str, None] = {}
    for one in reversed(evaluator.mro(klass)):
        if one is None:
            return []
        for name, bindings in one.body.facts.bindings.items() if isinstance(one, Klass) else ():
            if any(b.annotation and "ClassVar" not in str(b.annotation) for b in bindings):
                found[name] = None
    return list(found)


def kept_type(evaluator: Evaluator, type_: Type, key: Recipe) -> Type:
    """What an instance of a library's mapping keeps under a key, where that is known."""
    if not isinstance(type_, Inst) or not isinstance(type_.of, str):
        return None
    known = evaluator.known.cls(type_.of)
    if known is None or not known.items or not key or key[0] != "const":
        return None
    text = known.items.get(key[1]) if isinstance(key[1], str) else None
    return evaluator.parse_type(text, type_) if text is not None else None


def subscript_type(
    evaluator: Evaluator, type_: Type, index: Recipe, function: Function, at: Place
) -> Type:
    """What `value[index]` gives."""
    if isinstance(type_, Tup):
        if (
            index
            and index[0] == "const"
            and isinstance(index[1], int)
            and -len(type_.items) <= index[1] < len(type_.items)
        ):
            return type_.items[index[1]]
        return None
    if isinstance(type_, Inst):
        if isinstance(type_.of, Klass):
            key = index[1] if index and index[0] == "const" else None
            if isinstance(key, str) and TYPED_DICTS & set(library_bases(evaluator, type_.of)):
                return attribute_type(evaluator, type_, key, None)
            method = attribute_type(evaluator, type_, "__getitem__", None)
            if isinstance(method, Func):
                return call_function(evaluator, method.function, type_)
            return None
        if type_.of in MAPPINGS:
            return type_.args[1] if len(type_.args) > 1 else None
        if type_.of in SEQUENCES:
            if index and index[0] == "slice":
                return type_
            return type_.args[0] if type_.args else None
        known = evaluator.known.method(type_.of, "__getitem__")
        if known is None:
            return kept_type(evaluator, type_, index)
        return evaluator.parse_type(known.returns, type_)
    if isinstance(type_, (Lib, Cls)):
        klass = enumerated(evaluator, type_)
        return Inst(klass) if klass is not None else type_
    if isinstance(type_, Any_):
        return union([subscript_type(evaluator, m, index, function, at) for m in type_.members])
    return None
