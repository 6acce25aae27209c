"""Attributes that objects and modules get from outside: `state.client = Client()` where `state` is an object of the project."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from asynclint.facts.model import AttributeBinding
from asynclint.facts.program import Function, Klass, Module
from asynclint.facts.types import NONE, Cls, Inst, Mod, Type, members, union

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator


def of_instances(evaluator: Evaluator, klass: Klass, name: str) -> Type:
    """What code outside of a class, and of its bases, puts into an attribute of its objects or of the class itself."""
    return _values(evaluator, name, lambda base: _is_of(evaluator, base, klass))


def of_module(evaluator: Evaluator, module: Module, name: str) -> Type:
    """What other modules put into a global of a module."""
    return _values(evaluator, name, lambda base: isinstance(base, Mod) and base.module is module)


def _values(evaluator: Evaluator, name: str, is_meant: Callable[[Type], bool]) -> Type:
    """All values that are put there; unknown where one is, or where what it is put into is unknown and it is another one."""
    found: list[Type] = []
    doubtful: list[Type] = []
    for function, binding in bindings(evaluator, name):
        at = (binding.line, binding.col, binding.block)
        base = evaluator.eval(binding.base, function, at)
        if base is None:
            doubtful.append(evaluator.eval(binding.recipe, function, at))
        elif any(map(is_meant, members(base))):
            found.append(evaluator.eval(binding.recipe, function, at))
    value = union(found) if found else None
    if value is None or any(one not in (*members(value), NONE) for one in doubtful):
        return None
    return value


def bindings(evaluator: Evaluator, name: str) -> list[tuple[Function, AttributeBinding]]:
    """Where a name is set of what is not `self`."""
    kept = evaluator.set_by_name.get(name)
    if kept is None:
        signs = (f".{name} =", f".{name}=", f".{name}:")
        kept = evaluator.set_by_name[name] = []
        for file in evaluator.program.project.files:
            text = file.text or ""
            if f".{name}" not in text or not any(sign in text for sign in signs):
                continue
            module = evaluator.program.load(file)
            if module is None or name not in module.set_attributes:
                continue
            for function in module.functions:
                for binding in function.facts.attribute_bindings:
                    if binding.attr == name and binding.base != ("name", function.self_name):
                        kept.append((function, binding))
    return kept


def _is_of(evaluator: Evaluator, base: Type, klass: Klass) -> bool:
    of = base.of if isinstance(base, Inst) else base.klass if isinstance(base, Cls) else None
    return isinstance(of, Klass) and (klass in evaluator.mro(of) or of in evaluator.mro(klass))
