"""A coroutine that is never awaited never runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libcst as cst

from asynclint.findings import Fix
from asynclint.fixes import awaited
from asynclint.rule import Rule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


class UnawaitedCoroutine(Rule):
    """A coroutine that nothing will ever run."""

    name = "unawaited-coroutine"
    group = "coroutines"
    level = "error"
    since = "0.1"
    yields_to = ("mismatched-async-protocol", "bare-coroutine-in-wait", "coroutine-in-thread")
    repairs = True

    def visit_Call(self, node: cst.Call) -> None:
        self._judge(node)

    def visit_Attribute(self, node: cst.Attribute) -> None:
        self._judge(node)

    def _judge(self, node: cst.CSTNode) -> None:
        facts = self.call(node)
        lost = facts.lost_coroutine if facts else None
        if lost is None:
            return
        message = f"`{lost.name}` is never awaited"
        if lost.detail:
            message = f"{message}: the coroutine {lost.detail}"
        self.report(node, message, because=lost.because)

    def repair(self, place: Place) -> Iterable[Fix]:
        """Await it where it is made."""
        return awaited.await_it(place)
