"""Classes of the project: the order of their bases, what they and their instances have, what is below them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from asynclint.facts.annotations import annotation_type, is_vague, named_type
from asynclint.facts.containers import fuller
from asynclint.facts.contents import is_open
from asynclint.facts.program import Function, Klass
from asynclint.facts.set_outside import of_instances
from asynclint.facts.types import NONE, Cls, Coro, Inst, Lib, LibMethod, Super, Type, union

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator

EMPTY_BASES = {
    "builtins.object", "abc.ABC", "typing.Generic", "typing.Protocol", "typing_extensions.Protocol",
    "typing_extensions.Generic", "typing.NamedTuple", "typing.TypedDict", "typing_extensions.TypedDict",
    "pydantic.BaseModel", "pydantic.main.BaseModel", "enum.Enum", "enum.IntEnum", "enum.StrEnum",
    "builtins.Exception", "builtins.str", "builtins.int", "pydantic_settings.BaseSettings",
    "pydantic.v1.BaseModel", "pydantic.generics.GenericModel", "pydantic.RootModel",
}  # fmt: skip


def linearize(evaluator: Evaluator, klass: Klass) -> tuple[Klass | str | None, ...]:
    """See `Evaluator.mro`."""
    order: list[Klass | str | None] = [klass]
    scope = klass.module.functions[klass.facts.function]
    for base in klass.facts.bases:
        if base and base[0] == "sub":
            base = base[1]
        value = evaluator.eval(base, scope, (klass.facts.line, 0, scope.facts.root_block))
        if value is None and base and base[0] == "name":
            value = named_type(evaluator, base[1], scope)
        if isinstance(value, Cls):
            tail = evaluator.mro(value.klass)
        elif isinstance(value, Lib):
            if value.path in EMPTY_BASES:
                continue
            tail = (value.path,) if evaluator.known.cls(value.path) is not None else (None,)
        else:
            tail = (None,)
        for one in tail:
            if one in order and one is not None:
                order.remove(one)
            order.append(one)
    return tuple(order)


def library_bases(evaluator: Evaluator, klass: Klass) -> Iterator[str]:
    """The classes of libraries below which a class is, by path: those, too, that no order of lookup names."""
    for one in evaluator.mro(klass):
        if isinstance(one, Klass):
            scope = one.module.functions[one.facts.function]
            at = one.facts.line, 0, scope.facts.root_block
            for base in one.facts.bases:
                value = evaluator.eval(base, scope, at)
                if isinstance(value, Lib):
                    yield value.path


def find_member(evaluator: Evaluator, klass: Klass, name: str) -> tuple[Type, Klass | str | None]:
    """See `Evaluator.member`."""
    for one in evaluator.mro(klass):
        if one is None:
            return None, None
        if isinstance(one, str):
            known = evaluator.known.method(one, name)
            if known is not None:
                return LibMethod(one, name, known), one
            text = evaluator.known.attribute(one, name)
            if text is not None:
                return evaluator.parse_type(text, Inst(klass)), one
            continue
        found = own_member(evaluator, one, name)
        if found is not None:
            if found[0] == NONE:
                given = of_instances(evaluator, klass, name)
                if given is None:
                    given = _below(evaluator, klass, name)
                return (found[0] if given is None else union([found[0], given])), one
            return found[0], one
    if "Mixin" in klass.facts.name:
        return _mixed_in(evaluator, klass, name)
    if not name.startswith(("__", "model_")):
        given = of_instances(evaluator, klass, name)
        if given is not None:
            return given, klass
        return _mixed_in(evaluator, klass, name)
    return None, None


def own_member(evaluator: Evaluator, klass: Klass, name: str) -> tuple[Type] | None:
    """What the body of a class, and what its methods assign to `self`, say of a name; None where nothing does."""
    body = klass.body
    bindings = body.facts.bindings.get(name)
    assigned = klass.self_attributes().get(name)
    declared: Type = None
    if bindings:
        if any(b.recipe and b.recipe[0] == "def" for b in bindings):
            final = evaluator.program.final_bindings(klass.module, bindings)
            values = [evaluator.eval(b.recipe, body, (b.line, b.col, b.block)) for b in final[:3]]
            if assigned:
                # `self.fetch = cached(self.fetch)`.
                values.append(_assigned_type(evaluator, assigned))
            return (union(values),)
        declared = next(
            (
                t
                for b in bindings
                if b.annotation
                and (t := annotation_type(evaluator, b.annotation, body)) is not None
            ),
            None,
        )
        if declared is not None and not is_vague(declared):
            if assigned:
                exact = _assigned_type(evaluator, assigned)
                if isinstance(exact, Inst) and exact.exact:
                    return (fuller(declared, exact),)
            return (declared,)
    types: list[Type] = []
    if bindings:
        for b in bindings:
            if b.kind != "ann":
                types.append(evaluator.bound_type(body, b))
    if assigned:
        types.append(_assigned_type(evaluator, assigned))
    if not types and not bindings:
        return None
    known = [t for t in types if t is not None and t != NONE]
    if len(known) < len(types) and any(t is None for t in types):
        return (None,)
    return (union(types),)


def find_subclasses(evaluator: Evaluator, klass: Klass) -> list[Klass]:
    """See `Evaluator.subclasses`."""
    found: dict[Klass, None] = {}
    names = {klass.facts.name}
    looked: set[str] = set()
    while names - looked:
        name = min(names - looked)
        looked.add(name)
        for other in evaluator.program.based_on(name):
            if other is not klass and other not in found and klass in evaluator.mro(other):
                found[other] = None
                names.add(other.facts.name)
    return list(found)


def implementations(evaluator: Evaluator, function: Function) -> list[Function]:
    """The methods of subclasses that a call of a method may reach."""
    klass = function.klass
    if klass is None:
        return []
    result = []
    for sub in evaluator.subclasses(klass):
        own = sub.own_method(function.facts.name)
        if own is not None and not own.facts.stub:
            result.append(own)
    return result


def is_overridden_plainly(evaluator: Evaluator, function: Function, receiver: Type = None) -> bool:
    """Whether a call of a coroutine function may give no coroutine: a subclass has a plain one, a generator or a manager.

    `receiver` is what it is called on, where that is known: what stands beside it says nothing.
    """
    found = implementations(evaluator, function)
    if not found or (isinstance(receiver, Inst) and receiver.exact):
        return False
    if isinstance(receiver, Super):
        found = _reached(evaluator, receiver.klass, receiver.after, function)
    elif isinstance(receiver, Inst) and isinstance(receiver.of, Klass):
        found = _reached(evaluator, receiver.of, None, function)
    return any(
        not isinstance(evaluator.call(evaluator.function_value(one), None, one.module), Coro)
        for one in found
        if one is not function
    )


def _reached(
    evaluator: Evaluator, klass: Klass, after: Klass | None, function: Function
) -> list[Function]:
    """What a method's name means in a class and the classes below it, looked up behind one of their bases."""
    found: dict[Function, None] = {}
    for one in (klass, *evaluator.subclasses(klass)):
        order = evaluator.mro(one)
        for base in order[order.index(after) + 1 if after in order else 0 :]:
            own = base.own_method(function.facts.name) if isinstance(base, Klass) else None
            if own is not None and not own.facts.stub:
                found[own] = None
                break
    return list(found)


def _below(evaluator: Evaluator, klass: Klass, name: str) -> Type:
    """What the classes below one put in the place of its None: `model = None`, and `model = User` in a subclass."""
    found = (own_member(evaluator, one, name) for one in _subclasses(evaluator, klass))
    values = [one[0] for one in found if one is not None and one[0] != NONE]
    return union(values) if values else None


def _subclasses(evaluator: Evaluator, klass: Klass) -> list[Klass]:
    """The classes below one that tell what it is for: those of tests say little of the others."""
    found = evaluator.subclasses(klass)
    if klass.module.file.is_test:
        return found
    return [one for one in found if not one.module.file.is_test]


def _mixed_in(evaluator: Evaluator, klass: Klass, name: str) -> tuple[Type, Klass | str | None]:
    """What a mixin finds in the classes that it is mixed into, where all have the same."""
    found = [evaluator.member(one, name) for one in _subclasses(evaluator, klass)]
    kinds = {value for value, _ in found}
    return found[0] if found and len(kinds) == 1 else (None, None)


def _assigned_type(evaluator: Evaluator, assigned: list[Any]) -> Type:
    types: list[Type] = []
    for function, binding in assigned:
        if binding.annotation is not None:
            declared = annotation_type(evaluator, binding.annotation, function)
            if declared is not None and not is_vague(declared):
                value = evaluator.eval(
                    binding.recipe, function, (binding.line, binding.col, binding.block)
                )
                if len(assigned) == 1 and isinstance(value, Inst) and value.exact:
                    return fuller(declared, value)
                return declared
        type_ = evaluator.eval(binding.recipe, function, (binding.line, binding.col, binding.block))
        if evaluator.contents is not None and is_open(type_):
            type_ = evaluator.contents.of_attribute(function, binding.recipe, binding.attr, type_)
        if type_ is None and binding.recipe and binding.recipe[0] == "name":
            if binding.recipe[1] in function.parameters and len(assigned) > 1:
                # `self.session = session` beside `self.session = Session()`: the same kind of thing.
                continue
        types.append(type_)
    return union(types)
