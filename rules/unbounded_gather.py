"""Starting a task for every item of the data starts as many as the data has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libcst as cst

from asynclint.findings import Fix
from asynclint.fixes import bounded
from asynclint.rule import Rule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


class UnboundedGather(Rule):
    """A fan-out over data without a bound on how much runs at once."""

    name = "unbounded-gather"
    group = "concurrency"
    level = "warning"
    since = "0.1"
    repairs = True
    yields_to = ("semaphore-per-call",)

    def visit_Call(self, node: cst.Call) -> None:
        facts = self.call(node)
        fan_out = facts.fan_out if facts else None
        if fan_out is None:
            return
        message = f"`{fan_out.name}` starts one task for every item without a bound"
        self.report(node, message, because=fan_out.because)

    def repair(self, place: Place) -> Iterable[Fix]:
        """One semaphore around each of its coroutines."""
        return bounded.bound(place)
