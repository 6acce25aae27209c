"""What tests with `isinstance` around a place leave of a type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynclint.facts.annotations import as_instance
from asynclint.facts.model import Place, Recipe
from asynclint.facts.program import Function
from asynclint.facts.types import Any_, Inst, Type, members, union

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator


def narrowed(
    evaluator: Evaluator, recipe: Recipe, type_: Type, function: Function, at: Place
) -> Type:
    """What the `isinstance` tests around the place leave of a type."""
    module = function.module
    block = at[2]
    if block < 0 or "isinstance" not in function.facts.loaded:
        return type_
    for one in module.chain(block):
        if one.kind not in ("if", "else", "while") or not one.info:
            continue
        if one.info[0] not in ("call", "not", "any"):
            continue
        type_ = _tested(evaluator, one.info, recipe, type_, function, one.kind != "else", one.line)
    return type_


def _tested(
    evaluator: Evaluator,
    test: Recipe,
    recipe: Recipe,
    type_: Type,
    function: Function,
    holds: bool,
    line: int,
) -> Type:
    tag = test[0] if test else None
    if tag == "not":
        return _tested(evaluator, test[1], recipe, type_, function, not holds, line)
    if tag == "any" and test[2] == "and" and holds:
        for part in test[1]:
            type_ = _tested(evaluator, part, recipe, type_, function, True, line)
        return type_
    if tag != "call":
        return type_
    site = function.module.site(test[1])
    if site.callee != ("name", "isinstance") or len(site.args) != 2 or site.args[0][0] != recipe:
        return type_
    wanted = site.args[1][0]
    recipes = wanted[2] if wanted and wanted[0] == "display" else (wanted,)
    types = [as_instance(evaluator, evaluator.at_site(r, site, function.module)) for r in recipes]
    if holds:
        if type_ is not None:
            kept = [m for m in members(type_) if m in types]
            if kept:
                return union(kept)
        return union(types)
    if isinstance(type_, Any_):
        left = [m for m in type_.members if _plain(m) not in [_plain(t) for t in types]]
        return union(left) if left else type_
    return type_


def _plain(type_: Type) -> Type:
    return Inst(type_.of) if isinstance(type_, Inst) else type_
