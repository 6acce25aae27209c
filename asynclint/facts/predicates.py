"""Helpers that only ask something of what they are given: `exists(x)` for `x is not None`."""

from __future__ import annotations

from typing import Any

from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Module
from asynclint.facts.types import Func

ASKING = frozenset({"name", "const", "cmp", "not", "any"})
"""What such a question may be made of."""


def spelled_out(evaluator: Evaluator, function: Function, test: Recipe) -> Recipe:
    """A test with what helpers ask in the place of their calls, and what a name stands for that only holds an answer."""
    if not test:
        return test
    if test[0] == "not":
        return ("not", spelled_out(evaluator, function, test[1]))
    if test[0] == "any":
        return ("any", tuple(spelled_out(evaluator, function, t) for t in test[1]), *test[2:])
    if test[0] == "name":
        return _answer(function, test)
    if test[0] != "call":
        return test
    return _asked(evaluator, function.module, function.module.site(test[1])) or test


def _answer(function: Function, name: Recipe) -> Recipe:
    """`stale`, after `stale = cached is None or made_for != key`, as what it holds."""
    assert name is not None
    found = function.facts.bindings.get(name[1], ())
    recipe = found[0].recipe if len(found) == 1 else None
    if name[1] in function.parameters or name[1] in function.facts.globals:
        return name
    return recipe if recipe and recipe[0] in ("cmp", "not", "any") else name


def _asked(evaluator: Evaluator, module: Module, site: CallSite) -> Recipe:
    """What a call asks of its one argument; None where it does more."""
    callee = evaluator.callee(module, site)
    if not isinstance(callee, Func) or len(site.args) != 1 or site.args[0][1] is not None:
        return None
    function = callee.function
    if callee.bound is not None or function.is_async or function.facts.decorators:
        return None
    parameters, returns = list(function.parameters), function.facts.returns
    if len(parameters) != 1 or len(returns) != 1 or not _is_plain(function):
        return None
    return _with(returns[0][0], ("name", parameters[0]), site.args[0][0])


def _is_plain(function: Function) -> bool:
    """Whether a function only returns, and asks nobody."""
    return not function.facts.calls and not function.facts.bindings


def _with(question: Recipe, parameter: Recipe, given: Recipe) -> Recipe:
    """A question with what is given in the place of the parameter; None where it asks of something else."""
    if question == parameter:
        return given
    if not question or question[0] not in ASKING or question[0] == "name":
        return None
    parts: list[Any] = []
    for part in question:
        if not isinstance(part, tuple):
            parts.append(part)
        elif part and isinstance(part[0], tuple):
            inner = tuple(_with(one, parameter, given) for one in part)
            if None in inner:
                return None
            parts.append(inner)
        elif question[0] == "const":
            parts.append(part)
        else:
            inner_part = _with(part, parameter, given)
            if inner_part is None:
                return None
            parts.append(inner_part)
    return tuple(parts)
