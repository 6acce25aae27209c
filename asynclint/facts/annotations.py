"""What the annotations of the project's code stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynclint.facts.containers import MAPPINGS, SEQUENCES
from asynclint.facts.model import END, Recipe
from asynclint.facts.program import Function, Klass
from asynclint.facts.types import NONE, Any_, Cls, Const, Coro, Gen, Inst, Lib, Tup, Type, union

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator

UNIONS = {"typing.Union", "typing.Optional"}
WRAPPERS = {
    "typing.Annotated", "typing.Final", "typing.ClassVar", "typing.Required", "typing.NotRequired",
    "typing_extensions.Annotated", "typing_extensions.Final", "typing_extensions.ClassVar",
    "pydantic.InstanceOf", "pydantic.SkipValidation",
}  # fmt: skip
SELF_TYPES = {"typing.Self", "typing_extensions.Self"}
COROUTINES = {"typing.Coroutine", "collections.abc.Coroutine"}
AWAITABLES = {"typing.Awaitable", "collections.abc.Awaitable"}
CALLABLES = {"typing.Callable", "collections.abc.Callable"}
ASYNC_ITERATORS = {
    "typing.AsyncIterator", "typing.AsyncIterable", "typing.AsyncGenerator",
    "collections.abc.AsyncIterator", "collections.abc.AsyncIterable", "collections.abc.AsyncGenerator",
}  # fmt: skip


def annotation_type(
    evaluator: Evaluator, recipe: Recipe, function: Function, depth: int = 0
) -> Type:
    """The type that an annotation stands for."""
    if not recipe or depth > 8:
        return None
    tag = recipe[0]
    if tag == "const":
        return NONE if recipe[1] is None else None
    if tag == "any":
        return _union([annotation_type(evaluator, r, function, depth + 1) for r in recipe[1]])
    if tag in ("name", "attr"):
        value = (
            evaluator.eval(recipe, function, (END, 0, -1))
            if tag == "attr"
            else named_type(evaluator, recipe[1], function)
        )
        type_ = as_instance(evaluator, value)
        bare = isinstance(type_, Inst) and not type_.args and isinstance(type_.of, str)
        if (type_ is None or bare) and tag == "name":
            alias = alias_of(evaluator, recipe[1], function)
            if alias is not None and alias[1] and alias[1][0] in ("sub", "any", "binop"):
                target = alias[1]
                if target[0] == "binop":
                    target = ("any", target[1:], "or")
                return annotation_type(evaluator, target, alias[0], depth + 1) or type_
        return type_
    if tag == "sub":
        return _generic(evaluator, recipe, function, depth)
    return None


def as_instance(evaluator: Evaluator, value: Type) -> Type:
    """A class as an annotation means its instances."""
    if isinstance(value, Cls):
        return Inst(value.klass)
    if isinstance(value, Lib):
        if value.path in SELF_TYPES:
            return None
        if value.path in SEQUENCES or value.path in MAPPINGS or value.path.startswith("builtins."):
            return Inst(value.path)
        if value.path in COROUTINES:
            return Coro(None, "")
        if evaluator.known.cls(value.path) is not None:
            return Inst(value.path)
        return None
    if isinstance(value, Any_):
        return union([as_instance(evaluator, m) for m in value.members])
    if isinstance(value, Const) and value.value is None:
        return NONE
    return None


def named_type(evaluator: Evaluator, name: str, function: Function) -> Type:
    """What a name stands for that an annotation, or a list of bases, has."""
    scope: Function | None = function
    while scope is not None and scope.facts.kind != "module":
        bindings = scope.facts.bindings.get(name)
        if bindings and bindings[-1].kind in ("class", "import"):
            return evaluator.bound_type(scope, bindings[-1])
        scope = scope.parent
    return evaluator.global_name(name, function.module)


def alias_of(evaluator: Evaluator, name: str, function: Function) -> tuple[Function, Recipe] | None:
    """Module scope and recipe of the value that a module-level name is bound to, through imports."""
    module = function.module
    for _ in range(6):
        bindings = module.body.facts.bindings.get(name)
        if not bindings:
            for level, star in module.facts.stars:
                target = evaluator.program.absolute(module, level, star)
                other = evaluator.program.find(target, module.file) if target else None
                if other is not None and name in other.body.facts.bindings:
                    module = other
                    break
            else:
                return None
            continue
        recipe = bindings[-1].recipe
        if recipe and recipe[0] == "from":
            target = evaluator.program.absolute(module, recipe[1], recipe[2])
            other = evaluator.program.find(target, module.file) if target else None
            if other is None:
                return None
            module, name = other, recipe[3]
            continue
        return (module.body, recipe) if recipe else None
    return None


def _generic(evaluator: Evaluator, recipe: Recipe, function: Function, depth: int) -> Type:
    base = recipe[1]
    inner = recipe[2]
    args = inner[2] if inner and inner[0] == "display" else (inner,)
    value = (
        evaluator.eval(base, function, (END, 0, -1))
        if base and base[0] == "attr"
        else (named_type(evaluator, base[1], function) if base and base[0] == "name" else None)
    )
    if isinstance(value, Lib):
        path = value.path
        if path in UNIONS:
            return _union([annotation_type(evaluator, a, function, depth + 1) for a in args])
        if path in WRAPPERS or path.rpartition(".")[2] in ("Mapped", "WriteOnlyMapped"):
            return annotation_type(evaluator, args[0], function, depth + 1)
        if path in ("typing.Type", "builtins.type"):
            made = annotation_type(evaluator, args[0], function, depth + 1)
            if isinstance(made, Inst):
                return Cls(made.of) if isinstance(made.of, Klass) else Lib(made.of)
            return None
        types = tuple(annotation_type(evaluator, a, function, depth + 1) for a in args)
        if path in COROUTINES:
            return Coro(types[-1] if len(types) == 3 else None, "")
        if path in CALLABLES and len(types) == 2:
            return Inst(path, (None, types[1])) if _is_object(types[1]) else None
        if path in AWAITABLES:
            return Inst("typing.Awaitable", types)
        if path in ASYNC_ITERATORS:
            return Gen(types[0], True)
        if path in ("builtins.tuple", "typing.Tuple") and len(args) > 1:
            if args[-1] != ("const", Ellipsis):
                return Tup(types)
            return Inst("builtins.tuple", types[:1])
        if path in SEQUENCES or path in MAPPINGS:
            return Inst(path, types)
        if evaluator.known.cls(path) is not None:
            return Inst(path, types)
        return None
    if isinstance(value, Cls):
        return Inst(
            value.klass, tuple(annotation_type(evaluator, a, function, depth + 1) for a in args)
        )
    return None


def _is_object(type_: Type) -> bool:
    """Whether a type is that of objects which have methods of their own: a callback may as well give a coroutine of None."""
    return isinstance(type_, Inst) and not str(type_.of).startswith(("builtins.", "typing."))


def _union(types: list[Type]) -> Type:
    known = [t for t in types if t != NONE]
    return union(known) if known else None


def is_vague(type_: Type) -> bool:
    """Annotations that say less than a look at the value: Any, object, bare callables, and functions in the place of types."""
    return isinstance(type_, Inst) and type_.of in (
        "builtins.object", "builtins.any", "builtins.callable",
        "typing.Any", "typing.Callable", "collections.abc.Callable",
    )  # fmt: skip


def holds_none(recipe: Recipe) -> bool:
    """Whether None is one of what an expression or an annotation stands for."""
    if not recipe:
        return False
    tag = recipe[0]
    if tag == "const":
        return recipe[1] is None
    if tag == "any":
        return any(holds_none(one) for one in recipe[1])
    if tag == "binop":
        return any(holds_none(one) for one in recipe[1:3])
    if tag != "sub" or not recipe[1]:
        return False
    inner = recipe[2] if recipe[1][-1] == "Union" else None
    among = inner[2] if inner and inner[0] == "display" else ()
    return recipe[1][-1] == "Optional" or any(holds_none(one) for one in among)
