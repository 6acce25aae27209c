"""Starting a task for every item of the data starts as many as the data has."""

from __future__ import annotations

import libcst as cst

from asynclint.rule import Rule


class UnboundedGather(Rule):
    """A fan-out over data without a bound on how much runs at once."""

    name = "unbounded-gather"
    group = "concurrency"
    level = "warning"
    since = "0.1"

    def visit_Call(self, node: cst.Call) -> None:
        facts = self.call(node)
        fan_out = facts.fan_out if facts else None
        if fan_out is None:
            return
        message = f"`{fan_out.name}` starts one task for every item without a bound"
        self.report(node, message, because=fan_out.because)
