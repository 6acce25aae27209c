"""What a method has put on its object before it asks for that: `self.share = share`, then `if self.share:`."""

from __future__ import annotations

from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import Block, Recipe
from asynclint.facts.program import Function, Klass


def as_set(evaluator: Evaluator, function: Function, block: Block, test: Recipe) -> Recipe:
    """The test of a block with what the function has set in the place of attributes that nobody else sets."""
    if not test or function.klass is None:
        return test
    if test[0] == "not":
        return ("not", as_set(evaluator, function, block, test[1]))
    if test[0] == "any":
        return ("any", tuple(as_set(evaluator, function, block, t) for t in test[1]), *test[2:])
    if test[0] == "cmp":
        return (*test[:2], as_set(evaluator, function, block, test[2]), *test[3:])
    if test[0] == "attr" and test[1] == ("name", function.self_name):
        return _set_before(evaluator, function.klass, function, block, test[2]) or test
    return test


def _set_before(
    evaluator: Evaluator, klass: Klass, function: Function, block: Block, attr: str
) -> Recipe:
    """What the only binding of an attribute gives it, where that is on the way to a block; None elsewhere."""
    kinds = [k for k in evaluator.mro(klass) if isinstance(k, Klass)]
    found = [
        one
        for kind in {*kinds, *evaluator.subclasses(klass)}
        for one in kind.self_attributes().get(attr, ())
    ]
    if len(found) != 1 or any(kind.own_method(attr) for kind in kinds):
        return None
    by, binding = found[0]
    if by is not function or binding.line >= block.line:
        return None
    return binding.recipe if binding.block in function.module.around(block.parent) else None
