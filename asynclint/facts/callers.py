"""What a parameter without an annotation is: what the project's own calls hand to it, where they agree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.facts.decorators import decorator_paths
from asynclint.facts.model import MISSING, CallSite, Parameter, Recipe
from asynclint.facts.program import Function, Klass, Module, base_name
from asynclint.facts.types import Cls, Func, Type, agreed

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator

Call = tuple[Module, CallSite]

NAMED = frozenset({"name", "attr"})

PLAIN = frozenset({"builtins.staticmethod", "builtins.classmethod"})

AWAITED = 2
"""Calls that await what a function gives, from which on it is taken to be a coroutine whatever decorates it."""

MAX_CALLS = 24
"""Calls of one name. Of a name that is called more often, most calls are those of other functions."""


class Callers:
    """The calls of the modules that matter, by the last name of what is called."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._calls: dict[str, list[Call]] | None = None
        self._below: dict[str | None, list[Klass]] = defaultdict(list)
        """Classes by the last names of their bases."""
        self._inside: dict[Klass, list[Call]] = defaultdict(list)
        """By class: where its methods call `super().__init__` or `cls`."""
        self._awaited: Counter[str] = Counter()
        """How often what has a name is awaited where it is called."""
        self._named: Counter[str] = Counter()
        """How many functions have a name."""

    def handed(self, function: Function, parameter: Parameter) -> Type:
        """The object that every call hands over, tests aside; unknown where that is not known of one of them."""
        if function.facts.kind not in ("def", "async") or parameter.annotation:
            return None
        if parameter.kind not in ("pos", "kw") or not self._is_plain(function):
            return None
        return agreed(self._values(function, parameter))

    def await_it(self, function: Function) -> bool:
        """Whether the project awaits what a function gives that no other one shares its name with."""
        name = function.facts.name
        self._by_name()
        return self._named[name] == 1 and self._awaited[name] >= AWAITED

    def _values(self, function: Function, parameter: Parameter) -> Iterator[Type]:
        """What each call hands over, and the default."""
        if parameter.default:
            outer = function.parent or function
            yield self.evaluator.eval(parameter.default, outer, (function.facts.line, 0, -1))
        for module, site in self._candidates(function):
            skipped = self._skipped(function, module, site)
            if skipped is None:
                continue
            if any(
                keyword == "**" or (recipe and recipe[0] == "star") for recipe, keyword in site.args
            ):
                yield None
                continue
            recipe = _argument(function, parameter, site, skipped)
            if recipe != MISSING:
                yield self.evaluator.at_site(recipe, site, module)

    def _is_plain(self, function: Function) -> bool:
        """Whether nothing is wrapped around a function, and no framework calls it."""
        wanted = len(function.facts.decorators)
        return not wanted or len(decorator_paths(self.evaluator, function) & PLAIN) == wanted

    def _candidates(self, function: Function) -> list[Call]:
        """The calls that may be calls of a function, by name."""
        calls = self._by_name()
        name = function.facts.name
        klass = function.klass
        if klass is not None and name == "__init__":
            found = self._constructions(klass, calls)
        elif name.startswith("__"):
            return []
        else:
            found = calls.get(name, [])
        return found if len(found) <= MAX_CALLS else []

    def _constructions(self, klass: Klass, calls: dict[str, list[Call]]) -> list[Call]:
        """The calls that may build an instance of a class, or of one below it."""
        family = [klass]
        for one in family:
            family += [k for k in self._below.get(one.facts.name, ()) if k not in family]
        found: list[Call] = []
        for name in dict.fromkeys(one.facts.name for one in family):
            found += calls.get(name, ())
        for one in family:
            found += self._inside.get(one, ())
        return found

    def _by_name(self) -> dict[str, list[Call]]:
        if self._calls is None:
            self._calls = defaultdict(list)
            for module in self.evaluator.program.loaded():
                if module.file.is_test:
                    continue
                for klass in module.klasses:
                    for base in klass.facts.bases:
                        self._below[base_name(base)].append(klass)
                self._named.update([function.name for function in module.facts.functions])
                for site in module.facts.calls:
                    callee = site.callee
                    if site.kind != "call" or not callee or callee[0] not in NAMED:
                        continue
                    if site.role[0] == "await":
                        self._awaited[callee[-1]] += 1
                    if not site.args:
                        continue
                    self._calls[callee[-1]].append((module, site))
                    if callee[-1] in ("__init__", "cls"):
                        method = module.functions[site.function].method_around()
                        if method is not None and method.klass is not None:
                            self._inside[method.klass].append((module, site))
        return self._calls

    def _skipped(self, function: Function, module: Module, site: CallSite) -> int | None:
        """How many parameters a call of the function fills without an argument; None where it is a call of another one."""
        value = self.evaluator.at_site(site.callee, site, module)
        if isinstance(value, Cls):
            target, _ = self.evaluator.member(value.klass, "__init__")
            bound = True
        else:
            target = value
            bound = isinstance(value, Func) and value.bound is not None
        if not isinstance(target, Func) or target.function is not function:
            return None
        return 1 if bound and function.klass is not None else 0


def _argument(function: Function, parameter: Parameter, site: CallSite, skipped: int) -> Recipe:
    """What a call hands over for a parameter; MISSING where it hands over nothing."""
    for recipe, keyword in site.args:
        if keyword == parameter.name:
            return recipe
    names = [p.name for p in function.facts.params if p.kind == "pos"]
    if parameter.name not in names:
        return MISSING
    index = names.index(parameter.name) - skipped
    positional = [recipe for recipe, keyword in site.args if keyword is None]
    return positional[index] if 0 <= index < len(positional) else MISSING
