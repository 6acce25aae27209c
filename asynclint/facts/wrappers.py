"""What a decorator of the project makes of a function, as its code shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynclint.facts.known_calls import known_callee
from asynclint.facts.model import Recipe
from asynclint.facts.program import Function
from asynclint.facts.types import Func, Lib

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator


FACTORY, EITHER = "factory:", "either:"
"""What stands before the kind of the decorator that a function gives, and before that of one which may be called, or not."""

CASTS = frozenset({"typing.cast", "typing_extensions.cast"})


def find_wrapper_kind(evaluator: Evaluator, function: Function, depth: int) -> str:
    """See `Evaluator.wrapper_kind`; `depth` counts the functions around this one that are looked at, too."""
    if depth > 2 or function.facts.kind not in ("def",) or not function.facts.returns:
        return "unknown"
    kinds = {
        _returned_kind(evaluator, function, recipe, depth)
        for recipe, _, _ in function.facts.returns
    }
    kinds.discard("skip")
    if len(kinds) == 1:
        return kinds.pop()
    if (
        kinds == {"transparent", "async"}
        or kinds == {"async", "sync"}
        or kinds == {"transparent", "sync"}
    ):
        # `return async_wrapper if iscoroutinefunction(f) else sync_wrapper`.
        return "transparent"
    if kinds == {"async", "unknown"}:
        return "coroutines"
    for kind in kinds:
        if kind.startswith(FACTORY):
            if kinds == {kind, kind[len(FACTORY) :]}:
                # `return decorator if function is None else decorator(function)`.
                return f"{EITHER}{kind[len(FACTORY) :]}"
            if kinds <= {kind, "transparent", "skip", "unknown"}:
                return kind
    return "unknown"


def _returned_kind(evaluator: Evaluator, function: Function, recipe: Recipe, depth: int) -> str:
    if not recipe:
        return "unknown"
    own = function.self_name
    first = next((p.name for p in function.facts.params if p.kind == "pos" and p.name != own), None)
    if recipe[0] == "any" and recipe[2] == "if":
        inner = {_returned_kind(evaluator, function, r, depth) for r in recipe[1]}
        if inner == {"async", "unknown"}:
            return "coroutines"
        if inner <= {"transparent", "async", "sync"}:
            return "transparent" if len(inner) > 1 else inner.pop()
        return "unknown"
    if recipe[0] == "name":
        if recipe[1] == first:
            return "transparent"
        inner_function = _nested(function, recipe[1])
        if inner_function is None:
            return "unknown"
        return _nested_kind(evaluator, function, inner_function, first, depth)
    if recipe[0] == "call":
        site = function.module.site(recipe[1])
        callee = evaluator.at_site(site.callee, site, function.module)
        if isinstance(callee, Lib) and callee.path in CASTS and len(site.args) == 2:
            return _returned_kind(evaluator, function, site.args[1][0], depth)
        known = known_callee(evaluator, callee)
        if len(site.args) == 1 and site.args[0][0] == ("name", first):
            # `return decorator(f)`: whatever the inner decorator does.
            if isinstance(callee, Func):
                return evaluator.wrapper_kind(callee.function)
            if known is not None and (known.transparent or known.caches):
                return "transparent"
        elif known is not None and known.transparent and site.args:
            # `return retry(stop=…)`: a decorator of a library.
            if all(name and name != "**" for _, name in site.args):
                return f"{FACTORY}transparent"
    return "unknown"


def _nested(function: Function, name: str) -> Function | None:
    bindings = function.facts.bindings.get(name)
    if not bindings:
        return None
    for binding in reversed(bindings):
        if binding.recipe and binding.recipe[0] == "def":
            return function.module.functions[int(binding.recipe[1])]
    return None


def _nested_kind(
    evaluator: Evaluator, function: Function, inner: Function, first: str | None, depth: int
) -> str:
    inner_first = next((p.name for p in inner.facts.params if p.kind == "pos"), None)
    calls_outer = any(site.callee == ("name", first) for site in inner.sites)
    if calls_outer or (inner.is_async and first in inner.facts.loaded):
        if inner.is_async:
            return "async"
        for recipe, _, _ in inner.facts.returns:
            if recipe and recipe[0] == "call":
                site = inner.module.site(recipe[1])
                if site.callee in (("name", first), ("name", inner.facts.name)):
                    continue
            if recipe and recipe[0] in ("name", "const", "any"):
                continue
            return "sync"
        return "transparent"
    for site in inner.sites:
        if any(a == ("name", first) for a, _ in site.args):
            known = known_callee(evaluator, evaluator.at_site(site.callee, site, inner.module))
            if known is not None and known.offloads is not None:
                return "thread"
    nested = find_wrapper_kind(evaluator, inner, depth + 1)
    if inner_first is not None and nested in ("transparent", "async", "thread", "coroutines"):
        return f"{FACTORY}{nested}"
    return "unknown"
