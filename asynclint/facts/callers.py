"""What a parameter without an annotation is: what the project's own calls hand to it, where they agree."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from asynclint.facts.model import CallSite, Parameter, Recipe
from asynclint.facts.program import Function, Module
from asynclint.facts.types import NONE, Cls, Func, Inst, Type

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator

NAMED = frozenset({"name", "attr"})

PLAIN = frozenset({"builtins.staticmethod", "builtins.classmethod"})

MAX_CALLS = 24
"""Calls of one name. Of a name that is called more often, most calls are those of other functions."""


class Callers:
    """The calls of the modules that matter, by the last name of what is called."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._calls: dict[str, list[tuple[Module, CallSite]]] | None = None

    def handed(self, function: Function, parameter: Parameter) -> Type:
        """The object that every call hands over, tests aside; unknown where that is not known of one of them.

        Only objects that have a class of their own count: what is true of a text or a number is true of any.
        """
        if function.facts.kind not in ("def", "async") or parameter.annotation:
            return None
        if parameter.kind not in ("pos", "kw") or not self._is_plain(function):
            return None
        found: Type = None
        for module, site in self._candidates(function):
            recipe = self._argument(function, parameter, module, site)
            if recipe is None:
                continue
            value = self.evaluator.at_site(recipe, site, module)
            if value == NONE:
                continue
            if not isinstance(value, Inst) or str(value.of).startswith("builtins."):
                return None
            # Calls that are not seen may hand over an instance of a subclass.
            value = Inst(value.of, value.args)
            if found not in (None, value):
                return None
            found = value
        return found

    def _is_plain(self, function: Function) -> bool:
        """Whether nothing is wrapped around a function, and no framework calls it."""
        wanted = len(function.facts.decorators)
        return not wanted or len(self.evaluator.decorator_paths(function) & PLAIN) == wanted

    def _candidates(self, function: Function) -> list[tuple[Module, CallSite]]:
        """The calls that may be calls of a function, by name."""
        name = function.facts.name
        klass = function.klass
        if klass is not None and name == "__init__":
            name = klass.facts.name
        elif name.startswith("__"):
            return []
        calls = self._by_name().get(name, [])
        return calls if len(calls) <= MAX_CALLS else []

    def _by_name(self) -> dict[str, list[tuple[Module, CallSite]]]:
        if self._calls is None:
            self._calls = defaultdict(list)
            for module in self.evaluator.program.loaded():
                if module.file.is_test:
                    continue
                for site in module.facts.calls:
                    callee = site.callee
                    if site.kind == "call" and site.args and callee and callee[0] in NAMED:
                        self._calls[callee[-1]].append((module, site))
        return self._calls

    def _argument(
        self, function: Function, parameter: Parameter, module: Module, site: CallSite
    ) -> Recipe:
        """What a call hands over for a parameter, if it is a call of that function."""
        names = [p.name for p in function.facts.params if p.kind == "pos"]
        given = None
        for recipe, keyword in site.args:
            if keyword == "**" or (recipe and recipe[0] == "star"):
                return None
            if keyword == parameter.name:
                given = recipe
        positional = [recipe for recipe, keyword in site.args if keyword is None]
        value = self.evaluator.at_site(site.callee, site, module)
        if isinstance(value, Cls):
            target, _ = self.evaluator.member(value.klass, "__init__")
            skipped = 1
        else:
            target = value
            bound = isinstance(value, Func) and value.bound is not None
            skipped = 1 if bound and function.klass is not None else 0
        if not isinstance(target, Func) or target.function is not function:
            return None
        if given is not None:
            return given
        if parameter.name not in names:
            return None
        index = names.index(parameter.name) - skipped
        return positional[index] if 0 <= index < len(positional) else None
