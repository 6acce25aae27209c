"""The event loop holds tasks weakly: one that nobody keeps may vanish before it is done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libcst as cst

from asynclint.findings import Fix
from asynclint.fixes import kept_task
from asynclint.rule import Rule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


class LostTask(Rule):
    """A task whose result nothing keeps."""

    name = "lost-task"
    group = "coroutines"
    level = "error"
    since = "0.1"
    repairs = True

    def visit_Call(self, node: cst.Call) -> None:
        facts = self.call(node)
        lost = facts.lost_task if facts else None
        if lost is None:
            return
        detail = f": {lost.detail}" if lost.detail else ""
        self.report(node, f"`{lost.name}` is not kept{detail}", because=lost.because)

    def repair(self, place: Place) -> Iterable[Fix]:
        """Keep the task in a set of the module until it is done."""
        return kept_task.keep(place)
