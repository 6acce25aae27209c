"""What calling a function of the project gives: what it returns, yields or passes through."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from asynclint.facts.annotations import annotation_type, as_instance, is_vague
from asynclint.facts.classes import implementations
from asynclint.facts.containers import SEQUENCES
from asynclint.facts.decorators import ASYNC_MANAGERS, SYNC_MANAGERS, decorator_paths
from asynclint.facts.model import END, CallSite, FunctionFacts, Recipe
from asynclint.facts.program import Function, Klass, Module, base_name
from asynclint.facts.types import (
    NONE,
    Cls,
    Coro,
    Func,
    Gen,
    Inst,
    Manager,
    Tup,
    Type,
    members,
    union,
)

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator

ABSTRACT = "abc.abstractmethod"

WHICH = re.compile(r"async|aio")
"""Parameters that say which of two things a function gives."""


def call_function(evaluator: Evaluator, function: Function, bound: Type = None) -> Type:
    """The type of the result of calling a project function."""
    facts = function.facts
    paths = decorator_paths(evaluator, function)
    if paths & ASYNC_MANAGERS:
        return Manager(_yielded(evaluator, function), True, function)
    if paths & SYNC_MANAGERS:
        return Manager(_yielded(evaluator, function), False, function)
    if facts.kind == "async":
        if facts.generator:
            return Gen(_yielded(evaluator, function), True, function)
        result = evaluator.return_type(function)
        if facts.stub and isinstance(result, Gen):
            return None  # What is declared so is written with a `yield` where it has a body.
        return Coro(
            _self_typed(result, function, bound),
            function.name,
            function,
        )
    if facts.generator:
        return Gen(_yielded(evaluator, function), False, function)
    if facts.stub and ABSTRACT in paths and isinstance(bound, Inst):
        coroutine = _implemented(evaluator, function)
        if coroutine is not None:
            return coroutine
    return _self_typed(evaluator.return_type(function), function, bound)


def _implemented(evaluator: Evaluator, function: Function) -> Coro | None:
    """The coroutine of an abstract method that is declared plain, and that each class that has it makes a coroutine function."""
    found = implementations(evaluator, function)
    made = [call_function(evaluator, one) for one in found if not one.facts.decorators]
    if len(made) < len(found) or all(one.module.file.is_test for one in found):
        return None
    coroutines = [one for one in made if isinstance(one, Coro) and one.function is not None]
    return coroutines[0] if coroutines and len(coroutines) == len(made) else None


def passed_through(
    evaluator: Evaluator, callee: Func, site: CallSite | None, module: Module
) -> Type:
    """What `def load(kind: type[T], …) -> type[T]` gives: the type of the argument that has the variable's place."""
    from asynclint.facts.operations import element_type

    function = callee.function
    wanted = function.facts.returns_annotation
    if site is None or wanted is None or not _is_variable(wanted, function):
        return None
    shift = 1 if callee.bound is not None and function.klass is not None else 0
    positional = [p for p in function.facts.params if p.kind == "pos"][shift:]
    for parameter in function.facts.params:
        within = _holding(parameter.annotation, wanted)
        if parameter.annotation != wanted and not within:
            continue
        recipe = next((r for r, k in site.args if k == parameter.name), None)
        if recipe is None and parameter in positional:
            given = [r for r, k in site.args if k is None]
            index = positional.index(parameter)
            if index < len(given) and not any(r and r[0] == "star" for r in given):
                recipe = given[index]
        if recipe is None:
            continue
        value = evaluator.at_site(recipe, site, module)
        if within:
            made = within in ("Type", "type")
            value = as_instance(evaluator, value) if made else element_type(evaluator, value)
        if value is None or isinstance(value, Coro):
            return None
        return Coro(value, function.name, function) if function.is_async else value
    return None


HOLDING = frozenset(
    {"Type", "type", "List", "list", "Sequence", "Iterable", "Iterator", "Set", "set", "Collection"}
)
"""Names of types with one argument, of which or in which what has that type is made or held."""


def _holding(annotation: Recipe, wanted: Recipe) -> str:
    """`list` where a parameter is annotated as `list[T]`, and `T` is wanted; empty otherwise."""
    if not annotation or annotation[0] != "sub" or annotation[2] != wanted or not annotation[1]:
        return ""
    name = annotation[1][-1]
    return name if name in HOLDING else ""


def find_return_type(evaluator: Evaluator, function: Function) -> Type:
    """See `Evaluator.return_type`: what is declared, or else what the `return` statements give."""
    facts = function.facts
    outer = function.parent or function
    if facts.returns_annotation is not None:
        declared = annotation_type(evaluator, facts.returns_annotation, outer)
        if declared is not None and not is_vague(declared):
            if isinstance(declared, Coro):
                return Coro(declared.result, function.name, function)
            if isinstance(declared, Inst) and declared.of == "typing.Awaitable":
                return _awaitable(evaluator, function, declared)
            if (
                isinstance(declared, Inst)
                and isinstance(declared.of, str)
                and len(facts.returns) == 1
            ):
                exact = _returned(evaluator, function)
                if isinstance(exact, Inst) and exact.exact:
                    return exact
            if isinstance(declared, Inst) and len(facts.returns) > 1 and _is_told_which(facts):
                found = _returned(evaluator, function)
                return None if found is None else union([declared, found])
            if isinstance(declared, Tup) and any(map(_says_little, declared.items)):
                return _filled(declared, members(_returned(evaluator, function)))
            return declared
        if facts.returns_annotation == ("const", None):
            return NONE
    if facts.stub:
        return None
    return _returned(evaluator, function)


def _filled(declared: Tup, returned: tuple[Type, ...]) -> Tup:
    """A tuple as it is declared, with what is returned in it where the declaration says little: `tuple[Browser, callable]`."""
    if not all(isinstance(o, Tup) and len(o.items) == len(declared.items) for o in returned):
        return declared
    items = []
    for index, said in enumerate(declared.items):
        found = [one.items[index] for one in returned if isinstance(one, Tup)]
        known = found and None not in found
        items.append(union(found) if known and _says_little(said) else said)
    return replace(declared, items=tuple(items))


def _says_little(said: Type) -> bool:
    return said is None or is_vague(said)


def _self_typed(type_: Type, function: Function, bound: Type) -> Type:
    if type_ is None and isinstance(bound, (Inst, Cls)):
        annotation = function.facts.returns_annotation
        if annotation and base_name(annotation) == "Self":
            return bound if isinstance(bound, Inst) else Inst(bound.klass)
    if isinstance(type_, Inst) and type_.of is function.klass and _gives_its_own(function):
        # What a class inherits gives what is of this class.
        receiver = bound.klass if isinstance(bound, Cls) else bound and getattr(bound, "of", None)
        if isinstance(receiver, Klass) and receiver is not function.klass:
            return replace(type_, of=receiver)
    return type_


def _gives_its_own(function: Function) -> bool:
    """Whether all that a method returns is the object or the class that it is called on: `self`, `cls(…)`, or a name of it."""
    facts = function.facts
    if not facts.params or not facts.returns:
        return False
    own: Recipe = ("name", facts.params[0].name)
    for recipe, _, _ in facts.returns:
        if recipe and recipe[0] == "name" and recipe != own:
            bindings = facts.bindings.get(recipe[1], ())
            recipe = bindings[0].recipe if len(bindings) == 1 else None
        if recipe and recipe[0] == "call":
            recipe = function.module.site(recipe[1]).callee
        if recipe != own:
            return False
    return True


def _yielded(evaluator: Evaluator, function: Function) -> Type:
    declared = annotation_type(
        evaluator, function.facts.returns_annotation, function.parent or function
    )
    if isinstance(declared, Gen) and declared.element is not None:
        return declared.element
    if (
        isinstance(declared, Inst)
        and declared.of in SEQUENCES
        and declared.args
        and declared.args[0]
    ):
        return declared.args[0]
    types = [
        evaluator.eval(r, function, (line, END, block)) for r, line, block in function.facts.yields
    ]
    return union([t for t in types if t != NONE] or types)


def _awaitable(evaluator: Evaluator, function: Function, declared: Inst) -> Type:
    """What is declared as an `Awaitable`: a coroutine where that is all that it returns."""
    for one in members(_returned(evaluator, function)):
        if not isinstance(one, Coro) or one.eager or one.enters or one.iterates or one.answers:
            return declared
    return Coro(declared.args[0] if declared.args else None, function.name, function)


def _returned(evaluator: Evaluator, function: Function) -> Type:
    returns = function.facts.returns
    if not returns:
        return NONE
    if len(returns) > 12:
        return None
    found = [evaluator.eval(r, function, (line, END, block)) for r, line, block in returns]
    if any(isinstance(m, Coro) for one in found for m in members(one)):
        # `if self.is_async: return work()`, and else nothing.
        if _may_end(function) or (NONE in found and not function.is_async):
            return None
    return union(found)


def _is_variable(recipe: Recipe, function: Function) -> bool:
    """Whether an annotation is a type variable of the module, or `type[…]` of one."""
    if recipe[0] == "sub" and recipe[1] in (("name", "type"), ("name", "Type")):
        recipe = recipe[2]
    if not recipe or recipe[0] != "name":
        return False
    bindings = function.module.body.facts.bindings.get(recipe[1], ())
    return any(
        b.recipe
        and b.recipe[0] == "call"
        and (found := function.module.site(b.recipe[1]).callee)
        and found[-1] == "TypeVar"
        for b in bindings
    )


def _may_end(function: Function) -> bool:
    """Whether control may come to the end of a function without a `return`."""
    blocks = function.module.blocks
    root = function.facts.root_block
    if blocks[root].ends or function.facts.kind == "lambda":
        return False
    inner = [b for b in blocks[root + 1 :] if b.parent == root]
    tried = [b for b in inner if b.kind in ("try", "except", "tryelse", "finally")]
    return not tried or tried[-1] is not inner[-1] or not all(b.ends for b in tried)


def _is_told_which(facts: FunctionFacts) -> bool:
    """`def channel(address, asyncio=False) -> grpc.Channel`: a flag says whether what it gives is asynchronous."""
    return any(p.default is not None and WHICH.search(p.name) for p in facts.params)
