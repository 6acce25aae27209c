"""What was read before an `await` may be old behind it."""

from __future__ import annotations

import libcst as cst

from asynclint.rule import Rule


class StateChangedAcrossAwait(Rule):
    """State of an object or a module that is written from what it was before an `await`."""

    name = "state-changed-across-await"
    group = "concurrency"
    level = "warning"
    default = False
    since = "0.1"

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        self._judge(node, node.target)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._judge(node, node.target)

    def _judge(self, node: cst.CSTNode, target: cst.CSTNode) -> None:
        facts = self.call(node)
        mistake = facts.mistakes.get("stale") if facts else None
        if mistake is not None:
            self.report(
                target,
                f"`{mistake.name}` is written from what it was before an `await`",
                refusal="whether a lock or another order is right depends on what else changes it",
            )
