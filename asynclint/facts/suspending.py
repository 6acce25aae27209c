"""Coroutine functions that never let others run: their tasks run one after the other, however many there are."""

from __future__ import annotations

from asynclint.facts.classes import implementations
from asynclint.facts.decorators import KEEPERS, decorator_paths
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.program import Function
from asynclint.facts.types import Func, members


class Suspending:
    """What is known of coroutine functions that wait for nothing."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._never: dict[Function, bool] = {}

    def never(self, function: Function) -> bool:
        """Whether nothing is waited for in a coroutine function, in what overrides it, and in what they await."""
        known = self._never.get(function)
        if known is None:
            known = self._never[function] = self._reaches_no_wait(function)
        return known

    def _reaches_no_wait(self, function: Function) -> bool:
        seen: set[Function] = set()
        left = [function]
        while left:
            bodies = self._bodies(left.pop())
            if not bodies:
                return False
            for one in bodies:
                if one in seen:
                    continue
                seen.add(one)
                awaited = self._awaited(one)
                if awaited is None:
                    return False
                left += awaited
        return True

    def _bodies(self, function: Function) -> list[Function]:
        """What a call may run: the function and what overrides it; nothing where it is only declared."""
        others = implementations(self.evaluator, function)
        return others if function.facts.stub else [function, *others]

    def _awaited(self, function: Function) -> list[Function] | None:
        """The coroutine functions that one awaits; None where it may wait for anything else."""
        facts = function.facts
        if facts.kind != "async" or facts.generator or not self._is_plain(function):
            return None
        awaited = [s for s in function.sites if s.kind == "call" and s.role[0] == "await"]
        if len(facts.awaits) != len(awaited):
            return None
        found: list[Function] = []
        for site in awaited:
            for member in members(self.evaluator.callee(function.module, site)):
                if not isinstance(member, Func):
                    return None
                found.append(member.function)
        return found

    def _is_plain(self, function: Function) -> bool:
        wanted = len(function.facts.decorators)
        return not wanted or len(decorator_paths(self.evaluator, function) & KEEPERS) == wanted
