"""What fields of dataclasses, attrs and pydantic make anew for each object: `field(default_factory=load)`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Klass
from asynclint.facts.types import Lib, Type

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator

FIELDS = frozenset(
    {
        "dataclasses.field",
        "pydantic.Field",
        "pydantic.PrivateAttr",
        "pydantic.dataclasses.Field",
        "attrs.field",
        "attr.field",
        "attr.ib",
        "attr.attrib",
    }
)
NAMES = frozenset(path.rpartition(".")[2] for path in FIELDS)
KEYWORDS = frozenset({"default_factory", "factory"})


def factory(evaluator: Evaluator, function: Function, site: CallSite) -> Type:
    """What a field in the body of a class calls for each object; None for another call, and where that is not known."""
    if function.facts.kind != "class" or not site.callee or site.callee[-1] not in NAMES:
        return None
    recipe: Recipe = next((given for given, keyword in site.args if keyword in KEYWORDS), None)
    if recipe is None:
        return None
    callee = evaluator.callee(function.module, site)
    if not isinstance(callee, Lib) or callee.path not in FIELDS:
        return None
    return evaluator.at_site(recipe, site, function.module)


def factories(evaluator: Evaluator, klass: Klass) -> Iterator[tuple[Function, Type]]:
    """What is called for each object of a class by its fields, and those above it, and the bodies in which they stand."""
    for one in evaluator.mro(klass):
        if isinstance(one, Klass):
            body = one.module.functions[one.facts.body]
            for site in body.sites:
                made = factory(evaluator, body, site)
                if made is not None:
                    yield body, made
