"""What the knowledge tables say of a callee: its entry, the argument for one of its parameters, its name in messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.types import Cls, Inst, Lib, LibMethod, Type
from asynclint.knowledge.model import Function as Known

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator


def known_callee(evaluator: Evaluator, callee: Type) -> Known | None:
    """The knowledge of a library function, method or class constructor."""
    if isinstance(callee, Lib):
        known = evaluator.known.function(callee.path)
        if known is None:
            cls = evaluator.known.cls(callee.path)
            if cls is not None:
                return cls.construct
        return known
    if isinstance(callee, LibMethod):
        return callee.known
    if isinstance(callee, Inst) and isinstance(callee.of, str):
        return evaluator.known.method(callee.of, "__call__")
    if isinstance(callee, Cls):
        # A project class that inherits its constructor from a library class.
        for one in evaluator.mro(callee.klass):
            if isinstance(one, str):
                cls = evaluator.known.cls(one)
                return cls.construct if cls is not None else None
            if one is None:
                return None
    return None


def argument_for(site: CallSite, known: Known, param: int | str) -> Recipe:
    """The argument that a call passes for a parameter of a known function."""
    name: str | None
    if isinstance(param, str):
        name = param
        position = known.params.index(param) if param in known.params else None
    else:
        position = param
        name = known.params[param] if param < len(known.params) else None
    i = 0
    for recipe, keyword in site.args:
        if keyword is None:
            if recipe and recipe[0] == "star":
                position = None
            if position is not None and i == position:
                return recipe
            i += 1
        elif keyword == name:
            return recipe
    return None


def short_name(path: str) -> str:
    """The last part of a dotted name."""
    return path.rpartition(".")[2]


def short_call(path: str) -> str:
    """Names of the standard library and of modules keep their module: `asyncio.sleep`, `httpx.get`."""
    parts = path.split(".")
    return path if len(parts) <= 2 else ".".join((parts[0], parts[-1]))
