"""The event loop holds tasks weakly: one that nobody keeps may vanish before it is done."""

from __future__ import annotations

import libcst as cst

from asynclint.rule import Rule


class LostTask(Rule):
    """A task whose result nothing keeps."""

    name = "lost-task"
    group = "coroutines"
    level = "error"
    since = "0.1"

    def visit_Call(self, node: cst.Call) -> None:
        facts = self.call(node)
        lost = facts.lost_task if facts else None
        if lost is None:
            return
        detail = f": {lost.detail}" if lost.detail else ""
        self.report(node, f"`{lost.name}` is not kept{detail}", because=lost.because)
