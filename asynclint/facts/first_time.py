"""Flags that are taken down for good by what they let through: `if self.first: self.first = False`, and what comes then."""

from __future__ import annotations

from collections.abc import Iterator

from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import AttributeBinding, CallSite, Recipe
from asynclint.facts.program import Function
from asynclint.facts.set_outside import bindings


def is_first_time(evaluator: Evaluator, function: Function, site: CallSite) -> bool:
    """Whether a site stands under a flag that lets it through once: it is taken down there, and nobody puts it up again."""
    module = function.module
    return any(
        _is_taken_down(function, index, flag) and not _is_put_up(evaluator, function, flag)
        for index in module.around(site.block)
        if module.blocks[index].kind == "if"
        for flag in _flags(module.blocks[index].info)
    )


def _flags(test: Recipe) -> Iterator[Recipe]:
    """The names and attributes that have to be true for a test to hold."""
    if test and test[0] == "any" and test[2] == "and":
        for part in test[1]:
            yield from _flags(part)
    elif test and test[0] in ("name", "attr"):
        yield test


def _is_taken_down(function: Function, index: int, flag: Recipe) -> bool:
    """Whether the function sets a flag of its object, its module or another one to nothing in a block."""
    assert flag is not None
    if flag[0] == "name":
        own = function.facts.bindings.get(flag[1], ()) if flag[1] in function.facts.globals else ()
        return any(b.block == index and _is_nothing(b.recipe) for b in own)
    return any(
        b.block == index and (b.base, b.attr) == flag[1:] and _is_nothing(b.recipe)
        for b in function.facts.attribute_bindings
    )


def _is_put_up(evaluator: Evaluator, function: Function, flag: Recipe) -> bool:
    """Whether a function sets the flag to something else, besides what makes the object."""
    assert flag is not None
    if flag[0] == "name":
        return any(
            not _is_nothing(b.recipe)
            for one in function.module.functions
            if flag[1] in one.facts.globals
            for b in one.facts.bindings.get(flag[1], ())
        )
    return any(not _is_nothing(b.recipe) for b in _set_elsewhere(evaluator, function, flag))


def _set_elsewhere(
    evaluator: Evaluator, function: Function, flag: Recipe
) -> Iterator[AttributeBinding]:
    """Where the attribute is set, of whatever object, but for what makes the function's own."""
    assert flag is not None
    if function.klass is not None and flag[1] == ("name", function.self_name):
        for method, binding in function.klass.self_attributes().get(flag[2], ()):
            if method.facts.name != "__init__":
                yield binding
    for _, binding in bindings(evaluator, flag[2]):
        yield binding


def _is_nothing(recipe: Recipe) -> bool:
    return bool(recipe) and recipe[0] == "const" and not recipe[1]
