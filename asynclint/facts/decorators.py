"""What the decorators of a function are, and what its name gives once they are applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynclint.facts.classes import library_bases
from asynclint.facts.known_calls import known_callee
from asynclint.facts.model import Recipe
from asynclint.facts.program import Function, Klass
from asynclint.facts.types import Any_, Cls, Func, Inst, Lib, LibMethod, Threaded, Type
from asynclint.facts.wrappers import EITHER, FACTORY

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator

ASYNC_MANAGERS = {"contextlib.asynccontextmanager"}
SYNC_MANAGERS = {"contextlib.contextmanager"}
PROPERTIES = {
    "builtins.property", "functools.cached_property", "abc.abstractproperty",
    "django.utils.functional.cached_property", "werkzeug.utils.cached_property",
}  # fmt: skip
KEEPERS = {
    "builtins.staticmethod", "builtins.classmethod", "abc.abstractmethod", "typing.overload", "typing.override",
    "typing_extensions.override", "typing.final", "typing_extensions.overload", "typing.no_type_check",
    "abc.abstractclassmethod", "abc.abstractstaticmethod", "warnings.deprecated", "typing_extensions.deprecated",
}  # fmt: skip


CONTEXT = "contextlib.ContextDecorator"
"""The base of context managers that are decorators, too."""


def decorator_paths(evaluator: Evaluator, function: Function) -> frozenset[str]:
    """Canonical paths of the library decorators of a function, called or not."""
    if not function.facts.decorators:
        return frozenset()
    paths = []
    for recipe in function.facts.decorators:
        value = decorator_value(evaluator, recipe, function)
        if isinstance(value, Lib):
            paths.append(value.path)
        elif isinstance(value, LibMethod):
            paths.append(value.known.name)
        elif recipe and recipe[0] == "attr" and recipe[2] in ("setter", "deleter", "getter"):
            paths.append("builtins.property")
    return frozenset(paths)


def decorator_value(evaluator: Evaluator, recipe: Recipe, function: Function) -> Type:
    """The decorator itself: for `@factory(…)`, the factory."""
    outer = function.parent or function
    if recipe and recipe[0] == "call":
        site = function.module.site(recipe[1])
        return evaluator.at_site(site.callee, site, function.module)
    return evaluator.eval(recipe, outer, (function.facts.first_line, 0, outer.facts.root_block))


def is_veiled(evaluator: Evaluator, function: Function) -> bool:
    """Whether something is wrapped around a function of which nothing is known, but that it is awaited all the same."""
    return bool(function.facts.decorators) and _unveiled(evaluator, function) is None


def decorated(evaluator: Evaluator, function: Function) -> Type:
    """A function with its decorators applied; unknown where one of them is."""
    value = _unveiled(evaluator, function)
    if value is None and _is_awaited(evaluator, function):
        return Func(function)
    return value


def _is_awaited(evaluator: Evaluator, function: Function) -> bool:
    """Whether a coroutine function stays one, as what calls it shows, under decorators that are not known."""
    if evaluator.callers is None or not function.is_async or function.facts.generator:
        return False
    if function.module.file.is_test:
        return False
    for recipe in function.facts.decorators:
        known = known_callee(evaluator, decorator_value(evaluator, recipe, function))
        if known is not None and known.changes_result:
            return False
    return evaluator.callers.await_it(function)


def _unveiled(evaluator: Evaluator, function: Function) -> Type:
    value: Type = Func(function)
    for recipe in reversed(function.facts.decorators):
        decorator = decorator_value(evaluator, recipe, function)
        called = bool(recipe) and recipe[0] == "call"
        value = _decorate(evaluator, decorator, value, function, called)
        if value is None:
            return None
    return value


def _calling(evaluator: Evaluator, klass: object) -> Type:
    """The method that runs where an object of a class is called."""
    return evaluator.member(klass, "__call__")[0] if isinstance(klass, Klass) else None


def _object(evaluator: Evaluator, klass: Klass) -> Type:
    """What `@timed` of a class makes of a function: an object that is called in its place. Unknown where it may be bound."""
    plain = all(isinstance(one, Klass) for one in evaluator.mro(klass))
    if not plain or not isinstance(_calling(evaluator, klass), Func):
        return None
    return Inst(klass) if evaluator.member(klass, "__get__")[0] is None else None


def decorating(evaluator: Evaluator, recipe: Recipe, function: Function) -> Function | None:
    """The function of the project that takes what is decorated: `@timed`, `@retry(3)`, and `@Retry(3)` of a class."""
    decorator = decorator_value(evaluator, recipe, function)
    called = bool(recipe) and recipe[0] == "call"
    if isinstance(decorator, (Cls, Inst)) and called == isinstance(decorator, Cls):
        decorator = _calling(
            evaluator, decorator.klass if isinstance(decorator, Cls) else decorator.of
        )
    return decorator.function if isinstance(decorator, Func) else None


def _decorate(
    evaluator: Evaluator, decorator: Type, value: Type, function: Function, called: bool
) -> Type:
    if isinstance(decorator, Any_):
        found = [_decorate(evaluator, one, value, function, called) for one in decorator.members]
        return found[0] if all(one == found[0] for one in found) else None
    if isinstance(decorator, (Lib, LibMethod)):
        path = decorator.path if isinstance(decorator, Lib) else decorator.known.name
        if path in KEEPERS or path in PROPERTIES or path in ASYNC_MANAGERS or path in SYNC_MANAGERS:
            return value
        known = known_callee(evaluator, decorator)
        if known is None:
            return None
        if known.changes_result:
            # `@celery.task` makes an object of which something may be known.
            return evaluator.parse_type(known.returns) if known.returns else None
        if known.makes_async:
            return Threaded(value, function.name)
        if known.transparent or known.caches or known.registers or known.decorator_blocks:
            return value
        return None
    if isinstance(decorator, Cls) and not called:
        return _object(evaluator, decorator.klass)
    if isinstance(decorator, (Cls, Inst)) and called == isinstance(decorator, Cls):
        # `@Retry(3)` and `@limiter`: what the object's `__call__` does.
        klass = decorator.klass if isinstance(decorator, Cls) else decorator.of
        method = _calling(evaluator, klass)
        if method is None and isinstance(klass, Klass):
            # `class Timed(ContextDecorator)`: its `__enter__` and `__exit__` run around the function.
            return value if CONTEXT in library_bases(evaluator, klass) else None
        decorator, called = method, False
    if isinstance(decorator, Func):
        kind = evaluator.wrapper_kind(decorator.function)
        if kind.startswith(EITHER):
            kind = kind[len(EITHER) :]
        elif called and kind.startswith(FACTORY):
            kind = kind[len(FACTORY) :]
        elif called:
            # `@decorator()` of a decorator that also works without arguments.
            kind = kind if kind == "transparent" else "unknown"
        if kind == "transparent":
            return value
        if kind == "async":
            return value if function.is_async else Threaded(value, function.name)
        if kind == "coroutines":
            return value if function.is_async else None
        if kind == "thread":
            return Threaded(value, function.name)
        return None
    if decorator is None and function.facts.decorators:
        recipe = function.facts.decorators[-1]
        if recipe and recipe[0] == "attr" and recipe[2] in ("setter", "deleter"):
            return value
    return None
