"""What the members of an enumeration of the project stand for: `Driver[name].value`, `Driver.MYSQL.value`, `driver.value`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynclint.facts.classes import library_bases
from asynclint.facts.model import Place, Recipe
from asynclint.facts.program import Function, Klass
from asynclint.facts.types import Cls, Func, Inst, Type, union

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator

ENUMERATIONS = frozenset({"enum.Enum", "enum.StrEnum", "enum.IntEnum", "enum.Flag"})

VALUE = "value"
"""The attribute of a member that gives what it stands for."""


def enumerated(evaluator: Evaluator, type_: Type) -> Klass | None:
    """The class, where a type is an enumeration of the project."""
    klass = type_.klass if isinstance(type_, Cls) else None
    return klass if klass is not None and _is_enumeration(evaluator, klass) else None


def member_value(
    evaluator: Evaluator, member: Recipe, type_: Type, function: Function, at: Place
) -> Type:
    """What a member stands for, which an expression gives; of one that is not written out, one of all."""
    if isinstance(type_, Inst) and isinstance(type_.of, Klass):
        return _values(evaluator, type_.of) if _is_enumeration(evaluator, type_.of) else None
    if member and member[0] == "attr":
        klass = enumerated(evaluator, evaluator.eval(member[1], function, at))
        if klass is not None and VALUE not in klass.body.facts.bindings:
            return type_
    return None


def _is_enumeration(evaluator: Evaluator, klass: Klass) -> bool:
    return not ENUMERATIONS.isdisjoint(library_bases(evaluator, klass))


def _values(evaluator: Evaluator, klass: Klass) -> Type:
    found: list[Type] = []
    for name, bindings in klass.body.facts.bindings.items():
        if name == VALUE:
            return None
        if name.startswith("_") or any(b.kind != "assign" for b in bindings):
            continue
        value = evaluator.member(klass, name)[0]
        if not isinstance(value, Func):
            found.append(value)
    return union(found) if found else None
