"""Tests that the type of what they ask settles: `hasattr(client, "aclose")` always holds for a class that has it."""

from __future__ import annotations

from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Klass
from asynclint.facts.types import Inst, members


def is_settled_against(evaluator: Evaluator, function: Function, site: CallSite) -> bool:
    """Whether a site stands where a test would have to fail that always holds."""
    for block in function.module.chain(site.block):
        if block.kind == "else" and _always_holds(evaluator, function, block.info, True):
            return True
        if block.kind == "if" and _always_holds(evaluator, function, block.info, False):
            return True
    return False


def _always_holds(evaluator: Evaluator, function: Function, test: Recipe, holds: bool) -> bool:
    """Whether a test, or its contrary, asks for an attribute that whatever it asks has."""
    if not test:
        return False
    if test[0] == "not":
        return _always_holds(evaluator, function, test[1], not holds)
    if test[0] != "call" or not holds:
        return False
    module = function.module
    asked = module.site(test[1])
    if asked.callee != ("name", "hasattr") or len(asked.args) != 2:
        return False
    (subject, _), (name, _) = asked.args
    if not name or name[0] != "const" or not isinstance(name[1], str):
        return False
    some = members(evaluator.at_site(subject, asked, module))
    return bool(some) and all(
        isinstance(one, Inst)
        and isinstance(one.of, Klass)
        and any(isinstance(k, Klass) and k.own_method(name[1]) for k in evaluator.mro(one.of))
        for one in some
    )
