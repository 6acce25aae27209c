"""What builtins, and functions of the standard library like them, give for their arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from asynclint.facts.annotations import annotation_type
from asynclint.facts.attributes import attribute_type
from asynclint.facts.known_calls import short_call
from asynclint.facts.model import CallSite
from asynclint.facts.operations import awaited_type, element_type
from asynclint.facts.program import Function, Klass, Module
from asynclint.facts.types import Cls, Coro, Func, Gen, Inst, Lib, Part, Super, Tup, Type, members

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator

CONSUMERS = frozenset(
    {
        "builtins.list",
        "builtins.set",
        "builtins.tuple",
        "builtins.sorted",
        "builtins.sum",
        "builtins.max",
        "builtins.min",
        "builtins.any",
        "builtins.all",
        "builtins.dict",
        "builtins.next",
        "builtins.frozenset",
    }
)
"""Builtins that run a generator handed to them."""

APPLIERS: dict[str, tuple[int | None, str]] = {
    "builtins.sorted": (None, "key"),
    "builtins.min": (None, "key"),
    "builtins.max": (None, "key"),
    "functools.reduce": (0, "function"),
    "re.sub": (1, "repl"),
    "re.subn": (1, "repl"),
}
"""Functions that call an argument at once: its place, and its name."""

DRAINING = frozenset({"join", "extend", "writelines", "writerows"})
"""Methods that run a generator handed to them, whatever they are methods of."""

Special = Callable[["Evaluator", str, "CallSite | None", Module], Type]
"""What a call gives: of a function with a path, at a call site of a module."""


def _first(evaluator: Evaluator, site: CallSite | None, module: Module, index: int = 0) -> Type:
    if site is None or len(site.args) <= index or site.args[index][1] is not None:
        return None
    return evaluator.at_site(site.args[index][0], site, module)


def _super(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    if site is None:
        return None
    method = module.functions[site.function].method_around()
    if method is None or method.klass is None:
        return None
    return Super(method.klass, method.klass)


def _type(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    value = _first(e, site, module)
    if isinstance(value, Inst):
        return Cls(value.of) if isinstance(value.of, Klass) else Lib(value.of)
    return None


def _getattr(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    if site is None or len(site.args) < 2 or not site.args[1][0] or site.args[1][0][0] != "const":
        return None
    name = site.args[1][0][1]
    function = module.functions[site.function]
    return (
        attribute_type(e, _first(e, site, module), name, function)
        if isinstance(name, str)
        else None
    )


def _partial(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    value = _first(e, site, module)
    return Part(value, site) if value is not None else None


def _cast(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    if site is None or len(site.args) != 2 or _is_attempt(site, module):
        return None
    function = module.functions[site.function]
    target = site.args[0][0]
    if target and target[0] == "const" and isinstance(target[1], str):
        target = ("name", target[1]) if target[1].isidentifier() else None
    return annotation_type(e, target, function)


def _is_attempt(site: CallSite, module: Module) -> bool:
    """Whether a call stands in a `try` that takes into account that the attribute is not there."""
    for index in module.around(site.block):
        tried = module.blocks[index]
        if tried.kind == "try":
            for block in module.blocks[index + 1 :]:
                if block.parent == tried.parent and block.kind == "except":
                    return bool(block.info) and block.info[-1] == "AttributeError"
    return False


def _same(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    return _first(e, site, module)


def _sequence(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    kind = (
        path
        if path in ("builtins.set", "builtins.tuple", "builtins.frozenset")
        else "builtins.list"
    )
    return Inst(kind, (element_type(e, _first(e, site, module)),), True)


def _iterator(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    return Gen(element_type(e, _first(e, site, module)), False)


def _iter(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    """`iter(rows)`, and `iter(lambda: file.read(1024), b"")`, which calls the function at each step."""
    if site is None or len(site.args) != 2:
        return _iterator(e, path, site, module)
    value = _first(e, site, module)
    return Gen(e.result_of(value, module), False, _applied(value))


def _enumerate(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    return Gen(Tup((Inst("builtins.int"), element_type(e, _first(e, site, module)))), False)


def _zip(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    if site is None:
        return None
    items = tuple(
        element_type(e, e.at_site(r, site, module)) if not (r and r[0] == "star") else None
        for r, k in site.args
        if k is None
    )
    return Gen(Tup(items), False)


def _next(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    return element_type(e, _first(e, site, module))


def _one(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    """`max(rows, key=…)`, `random.choice(rows)`."""
    given = [r for r, k in site.args if k is None] if site is not None else []
    return element_type(e, _first(e, site, module)) if len(given) == 1 else None


def _default_dict(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    made = e.result_of(_first(e, site, module), module) if site is not None and site.args else None
    return Inst("collections.defaultdict", (None, made if _is_object(made) else None), True)


def _is_object(type_: Type) -> bool:
    """Whether something is an object of a class of the project, and no container that others fill."""
    return isinstance(type_, Inst) and isinstance(type_.of, Klass)


def _anext(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    return Coro(element_type(e, _first(e, site, module)), "anext")


def _wait_for(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    return Coro(awaited_type(e, _first(e, site, module)), short_call(path))


def _shield(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    """What is shielded runs already, but for a coroutine, which is made a task."""
    value = _first(e, site, module)
    if any(isinstance(m, Coro) for m in members(value)):
        return Coro(awaited_type(e, value), short_call(path))
    return value


def _gather(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    result: Type = Inst("builtins.list", (None,))
    if site is not None:
        positional = [r for r, k in site.args if k is None]
        if (
            positional
            and not any(r and r[0] == "star" for r in positional)
            and len(positional) <= 12
        ):
            result = Tup(tuple(awaited_type(e, e.at_site(r, site, module)) for r in positional))
        elif len(positional) == 1 and positional[0]:
            values = element_type(e, e.at_site(positional[0][1], site, module))
            result = Inst("builtins.list", (awaited_type(e, values),))
    return Coro(result, "asyncio.gather", eager=True)


def _map(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    value = _first(e, site, module)
    return Gen(e.result_of(value, module), False, _applied(value))


def _filter(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    return Gen(
        element_type(e, _first(e, site, module, 1)), False, _applied(_first(e, site, module))
    )


def _applied(value: Type) -> Function | None:
    """The plain function of the project that runs at each step of `map` and `filter`."""
    if isinstance(value, Part):
        value = value.of
    if not isinstance(value, Func) or value.function.is_async or value.function.facts.generator:
        return None
    return value.function


def _dict(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    return Inst("builtins.dict", (None, None), True)


SPECIAL: dict[str, Special] = {
    "builtins.super": _super,
    "builtins.type": _type,
    "builtins.getattr": _getattr,
    "functools.partial": _partial,
    "functools.partialmethod": _partial,
    "typing.cast": _cast,
    "copy.copy": _same,
    "copy.deepcopy": _same,
    "builtins.list": _sequence,
    "builtins.set": _sequence,
    "builtins.tuple": _sequence,
    "builtins.frozenset": _sequence,
    "builtins.sorted": _sequence,
    "builtins.iter": _iter,
    "builtins.aiter": _same,
    "builtins.reversed": _iterator,
    "builtins.filter": _filter,
    "itertools.islice": _iterator,
    "builtins.enumerate": _enumerate,
    "builtins.zip": _zip,
    "builtins.next": _next,
    "builtins.max": _one,
    "builtins.min": _one,
    "random.choice": _one,
    "collections.defaultdict": _default_dict,
    "builtins.anext": _anext,
    "builtins.map": _map,
    "builtins.dict": _dict,
    "asyncio.wait_for": _wait_for,
    "asyncio.shield": _shield,
    "asyncio.gather": _gather,
}
