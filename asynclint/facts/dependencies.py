"""What a framework calls to fill a parameter: `Depends(get_session)`, in the default or in the annotation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynclint.facts.annotations import alias_of
from asynclint.facts.attributes import attribute_type
from asynclint.facts.known_calls import known_callee
from asynclint.facts.model import END, Parameter, Recipe
from asynclint.facts.operations import awaited_type
from asynclint.facts.program import Function
from asynclint.facts.returns import call_function
from asynclint.facts.types import Cls, Const, Coro, Func, Gen, Inst, Type

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator


def dependency_of(evaluator: Evaluator, parameter: Parameter, outer: Function) -> Type:
    """The function or class that a framework calls to fill a parameter (`Depends(f)`), as a value."""
    found = depends_call(evaluator, parameter.default, outer)
    if found is not None:
        return found
    return _depends_in(evaluator, parameter.annotation, outer, 0)


def depends_call(
    evaluator: Evaluator, recipe: Recipe, function: Function, bare: bool = False
) -> Type:
    """What `Depends(f)` has a framework call; where it is `bare`, something true for `Depends()`."""
    if not recipe or recipe[0] != "call":
        return None
    site = function.module.site(recipe[1])
    callee = evaluator.at_site(site.callee, site, function.module)
    known = known_callee(evaluator, callee)
    if known is None or not any(e.role == "dependency" for e in known.registers):
        return None
    if not site.args:
        return Const(True) if bare else None
    if bare:
        return None
    return evaluator.at_site(site.args[0][0], site, function.module)


def provided(evaluator: Evaluator, provider: Type) -> Type:
    """What calling a dependency gives the parameter: generators give what they yield."""
    if isinstance(provider, Cls):
        return Inst(provider.klass, exact=True)
    if isinstance(provider, Func):
        result = call_function(evaluator, provider.function, provider.bound)
        if isinstance(result, Gen):
            return result.element
        return awaited_type(evaluator, result) if isinstance(result, Coro) else result
    if isinstance(provider, Inst):
        method = attribute_type(evaluator, provider, "__call__", None)
        return provided(evaluator, method) if isinstance(method, Func) else None
    return None


def _depends_in(evaluator: Evaluator, recipe: Recipe, function: Function, depth: int) -> Type:
    if not recipe or depth > 4:
        return None
    if recipe[0] == "sub":
        inner = recipe[2]
        parts: tuple[Recipe, ...] = (inner,)
        if inner and inner[0] == "display":
            parts = inner[2]
        for part in parts:
            found = depends_call(evaluator, part, function)
            if found is not None:
                return found
            second = parts[1] if len(parts) > 1 else None
            if (
                part is not None
                and part is parts[0]
                and depends_call(evaluator, second, function, bare=True)
            ):
                # Annotated[Service, Depends()]: the class itself.
                return evaluator.eval(part, function, (END, 0, -1))
        return None
    if recipe[0] == "name":
        # An alias: SessionDep = Annotated[Session, Depends(get_session)].
        home = alias_of(evaluator, recipe[1], function)
        if home is not None:
            return _depends_in(evaluator, home[1], home[0], depth + 1)
    return None
