"""What reading an attribute gives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from asynclint.facts.classes import own_member
from asynclint.facts.containers import MAPPINGS, SEQUENCES
from asynclint.facts.decorators import PROPERTIES, decorator_paths
from asynclint.facts.program import Function, Klass
from asynclint.facts.returns import call_function
from asynclint.facts.types import (
    NONE,
    Any_,
    Cls,
    Const,
    Func,
    Gen,
    Inst,
    Lib,
    LibManager,
    LibMethod,
    Mod,
    Super,
    Taking,
    Tup,
    Type,
    union,
)

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator


def attribute_type(evaluator: Evaluator, base: Type, name: str, function: Function | None) -> Type:
    """What reading an attribute gives: methods are bound, properties are called."""
    base = opened(base)
    if base is None:
        return None
    if isinstance(base, Inst):
        if isinstance(base.of, str):
            return _lib_attribute(evaluator, base, base.of, name)
        value, owner = evaluator.member(base.of, name)
        if value is None and owner is None:
            return None
        return _bind(evaluator, value, base, owner)
    if isinstance(base, Mod):
        found = evaluator.global_name(name, base.module)
        if found is None and name not in base.module.body.facts.bindings:
            sub = evaluator.program.find(f"{base.module.name}.{name}", base.module.file)
            return Mod(sub) if sub is not None else evaluator.set_outside(name, base.module)
        if found == NONE:
            given = evaluator.set_outside(name, base.module)
            return found if given is None else union([found, given])
        return found
    if isinstance(base, Lib):
        return _path_attribute(evaluator, base.path, name, function)
    if isinstance(base, Cls):
        value, owner = evaluator.member(base.klass, name)
        if isinstance(value, Func) and value.bound is None:
            paths = decorator_paths(evaluator, value.function)
            if "builtins.classmethod" in paths:
                return Func(value.function, base)
            return value
        if isinstance(value, LibMethod):
            return LibMethod(value.cls, value.name, value.known, base)
        return value
    if isinstance(base, Any_):
        values = [attribute_type(evaluator, m, name, function) for m in base.members]
        if None in values:
            # Reading it from an object that has no such attribute fails: it is one of the others.
            pairs = zip(values, base.members, strict=True)
            values = [v for v, m in pairs if v is not None or not _lacks(evaluator, m, name)]
        return union(values)
    if isinstance(base, Super):
        order = evaluator.mro(base.klass)
        try:
            start = order.index(base.after) + 1
        except ValueError:
            return None
        for one in order[start:]:
            if one is None:
                return None
            if isinstance(one, str):
                known = evaluator.known.method(one, name)
                if known is not None:
                    return LibMethod(one, name, known, Inst(base.klass))
                continue
            found_here = own_member(evaluator, one, name)
            if found_here is not None:
                return _bind(evaluator, found_here[0], Inst(base.klass), one)
        return None
    if isinstance(base, Const) and base.value is not None:
        return _lib_attribute(
            evaluator,
            Inst(f"builtins.{type(base.value).__name__}"),
            f"builtins.{type(base.value).__name__}",
            name,
        )
    if isinstance(base, Tup):
        return _lib_attribute(evaluator, Inst("builtins.tuple"), "builtins.tuple", name)
    if isinstance(base, Func) and base.function.facts.kind != "module":
        # `f.delay`, `f.retry`: attributes that decorators add are unknown.
        return None
    return None


def opened(type_: Type) -> Type:
    """What `open(…)` gives is the file itself, also without `with`: the call, and not the entering, does the work."""
    if isinstance(type_, LibManager) and not type_.is_async and type_.known is not None:
        if type_.known.blocks and not type_.known.enter_blocks:
            return type_.result
    return type_


def _lacks(evaluator: Evaluator, type_: Type, name: str) -> bool:
    """Whether an object is an instance of a class, all of which is in the project, that has no such attribute."""
    if not isinstance(type_, Inst) or isinstance(type_.of, str):
        return False
    if any(not isinstance(one, Klass) or one.facts.decorators for one in evaluator.mro(type_.of)):
        return False
    return all(
        evaluator.member(type_.of, one) == (None, None)
        for one in (name, "__getattr__", "__getattribute__")
    )


def _bind(evaluator: Evaluator, value: Type, receiver: Inst, owner: Klass | str | None) -> Type:
    if isinstance(value, Func) and value.bound is None and value.function.klass is not None:
        paths = decorator_paths(evaluator, value.function)
        if paths & PROPERTIES or any(p.endswith("cached_property") for p in paths):
            return call_function(evaluator, value.function, receiver)
        if "builtins.staticmethod" in paths:
            return value
        if "builtins.classmethod" in paths:
            return Func(
                value.function, Cls(receiver.of) if isinstance(receiver.of, Klass) else None
            )
        return Func(value.function, receiver)
    if isinstance(value, LibMethod):
        return LibMethod(value.cls, value.name, value.known, receiver)
    if isinstance(value, Any_):
        return union([_bind(evaluator, m, receiver, owner) for m in value.members])
    return value


def _lib_attribute(evaluator: Evaluator, receiver: Type, path: str, name: str) -> Type:
    known = evaluator.known.method(path, name)
    if known is not None:
        return LibMethod(path, name, known, receiver)
    text = evaluator.known.attribute(path, name)
    if text is not None:
        return evaluator.parse_type(text, receiver)
    dynamic = evaluator.known.method(path, "__getattr__")
    if dynamic is not None and not name.startswith("__"):
        if dynamic.blocks is not None or dynamic.coroutine:
            # Every method that is made at run time does the same.
            return LibMethod(path, name, replace(dynamic, name=f"{path}.{name}"), receiver)
        if dynamic.returns:
            return evaluator.parse_type(dynamic.returns, receiver)
    if path.rpartition(".")[2] == "State" and path.startswith(("starlette", "fastapi")):
        return evaluator.application_state.value(name)
    if name in ("get", "pop") and isinstance(receiver, Inst):
        known_class = evaluator.known.cls(path)
        if known_class is not None and known_class.items:
            return Taking(receiver, by_key=True)
    if isinstance(receiver, Inst) and path in MAPPINGS and name in ("get", "setdefault", "pop"):
        value = receiver.args[1] if len(receiver.args) > 1 else None
        return Taking(value) if value is not None else None
    if isinstance(receiver, Inst) and path in SEQUENCES and name in ("pop", "popleft"):
        value = receiver.args[0] if receiver.args else None
        return Taking(value) if value is not None else None
    if isinstance(receiver, Inst) and path in MAPPINGS and name == "popitem":
        return Taking(Tup(receiver.args)) if len(receiver.args) == 2 else None
    if isinstance(receiver, Inst) and path in MAPPINGS and name in ("items", "values"):
        if len(receiver.args) > 1 and receiver.args[1] is not None:
            element = Tup(receiver.args) if name == "items" else receiver.args[1]
            return Taking(Gen(element, False))
    return None


def _path_attribute(evaluator: Evaluator, path: str, name: str, function: Function | None) -> Type:
    if path.startswith("~"):
        # A namespace package of the project: only its modules are there.
        full = f"{path[1:]}.{name}"
        if function is not None:
            sub = evaluator.program.find(full, function.module.file)
            if sub is not None:
                return Mod(sub)
        return Lib("~" + full) if evaluator.program.is_package(full) else None
    if evaluator.known.cls(path) is not None:
        method = evaluator.known.method(path, name)
        if method is not None:
            return LibMethod(path, name, method, Lib(path))
        text = evaluator.known.attribute(path, name)
        return evaluator.parse_type(text, Lib(path)) if text is not None else None
    full = evaluator.known.canonical(f"{path}.{name}")
    text = evaluator.known.attribute(path, name)
    if (
        text is not None
        and evaluator.known.cls(full) is None
        and evaluator.known.function(full) is None
    ):
        # A module-level object (`openai.chat`).
        return evaluator.parse_type(text)
    return Lib(full)
