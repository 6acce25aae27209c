"""Semaphores and locks that each call makes for itself, and those that are held around what they are to bound."""

from __future__ import annotations

from asynclint.facts import places
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import CallSite, Use
from asynclint.facts.program import Function, recipe_name
from asynclint.facts.runs import Runs
from asynclint.facts.types import Func, Inst, Lib, Type, members
from asynclint.facts.view import FanOut, Mistake

TAKING = frozenset({"acquire", "acquire_nowait"})
OWN = frozenset({*TAKING, "release", "locked", "value", "statistics"})
"""What is asked of a bound by the one who takes it."""


class PerCallFacts:
    """Every such bound in the program."""

    def __init__(self, evaluator: Evaluator, runs: Runs) -> None:
        self.evaluator = evaluator
        self.runs = runs
        self._held: set[tuple[Function, str]] = set()
        """Names of those that are held around a fan-out, which says the defect better."""

    def made(self, function: Function, site: CallSite) -> Mistake | None:
        """A bound that is made in a coroutine and taken by nobody else."""
        if site.kind != "call" or not function.is_async or function.facts.generator:
            return None
        if site.role[0] not in ("assign", "awith") or function.module.file.is_test:
            return None
        path = self._class(self.evaluator.callee(function.module, site))
        if path is None:
            return None
        if function in self.runs.once and not self.runs.cached(function):
            return None
        name = path.rpartition(".")[2]
        if site.role[0] == "awith":
            return Mistake("per call", name, "", ())
        if (
            len(site.role) > 2
            or (function, site.role[1]) in self._held
            or not self._kept_to_itself(function, site.role[1])
        ):
            return None
        return Mistake("per call", name, site.role[1], ())

    def _class(self, callee: Type) -> str | None:
        """The class of the bound that a call makes: by its name, or in a function that makes a new one each time."""
        if isinstance(callee, Func) and not self.runs.cached(callee.function):
            facts, module = callee.function.facts, callee.function.module
            made = [recipe for recipe, _, _ in facts.returns]
            if facts.kind != "def" or len(made) != 1 or not made[0] or made[0][0] != "call":
                return None
            callee = self.evaluator.callee(module, module.site(made[0][1]))
        if not isinstance(callee, Lib) or not self._bounds(callee.path):
            return None
        return callee.path

    def _bounds(self, path: str) -> bool:
        cls = self.evaluator.known.cls(path)
        return cls is not None and (cls.bounds or cls.lock == "async") and "Condition" not in path

    def _kept_to_itself(self, function: Function, name: str) -> bool:
        """Whether a local name holds a bound that the function itself takes, and nothing else sees."""
        facts = function.facts
        if len(facts.bindings.get(name, ())) != 1:
            return False
        if name in facts.globals or name in facts.nonlocals:
            return False
        if name in facts.loaded or name in function.parameters:
            return False
        uses = facts.uses.get(name, ())
        if not any(self._takes(use) for use in uses) or not all(map(self._is_own, uses)):
            return False
        inner = (f for f in function.module.functions if f.is_within(function))
        return not any(name in f.facts.loaded or name in f.facts.uses for f in inner)

    def _takes(self, use: Use) -> bool:
        return use.role[0] == "awith" or (use.role[0] == "attr" and use.role[1] in TAKING)

    def _is_own(self, use: Use) -> bool:
        return use.role[0] == "awith" or (use.role[0] == "attr" and use.role[1] in OWN)

    def around(self, function: Function, site: CallSite, fan: FanOut) -> Mistake | None:
        """The semaphore that is held around a whole fan-out."""
        module = function.module
        for outer in function.sites:
            if outer.kind != "awith" or (outer.line, outer.col) > (site.line, site.col):
                continue
            value = self.evaluator.callee(module, outer)
            if not all(
                isinstance(m, Inst) and isinstance(m.of, str) and self._limits(m.of)
                for m in members(value)
            ):
                continue
            if any(module.inside(site.block, index) for index in module.entered(outer)):
                name = recipe_name(outer.callee)
                self._held.add((function, name))
                link = places.link(function, outer, f"`{name}` is taken here, once")
                return Mistake("around", name, fan.name, (link, *fan.because))
        return None

    def _limits(self, path: str) -> bool:
        return any(
            (cls := self.evaluator.known.cls(one)) is not None and cls.bounds
            for one in self.evaluator.known.mro(path)
        )
