"""What is asked of the environment, and saved under the same name where it is missing: done once for an installation."""

from __future__ import annotations

from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function
from asynclint.facts.types import Func

ASKS = ("getenv", "get")


def is_saved(evaluator: Evaluator, function: Function, site: CallSite, missing: Recipe) -> bool:
    """Whether a call saves what a variable of the environment did not hold: `if not key: save("KEY", key)`."""
    if not missing or missing[0] != "name" or (missing, None) not in site.args:
        return False
    return any(
        binding.recipe
        and binding.recipe[0] == "call"
        and binding.line < site.line
        and _is_asked(evaluator, function, function.module.site(binding.recipe[1]), site)
        for binding in function.facts.bindings.get(missing[1], ())
    )


def _is_asked(evaluator: Evaluator, function: Function, asked: CallSite, saved: CallSite) -> bool:
    """Whether a call asks the environment for the name under which another one saves."""
    name = asked.args[0][0] if asked.args else None
    if not name or name[0] != "const" or (name, None) not in saved.args:
        return False
    callee = evaluator.callee(function.module, asked)
    if not isinstance(callee, Func):
        return _asks(asked)
    return any(
        _asks(one)
        and one.args
        and one.args[0][0] in [("name", p) for p in callee.function.parameters]
        for one in callee.function.sites
    )


def _asks(site: CallSite) -> bool:
    """`os.getenv(…)`, `environ.get(…)`."""
    callee = site.callee
    if not callee or callee[-1] not in ASKS:
        return False
    return callee[-1] == "getenv" or (bool(callee[1]) and callee[1][-1] == "environ")
