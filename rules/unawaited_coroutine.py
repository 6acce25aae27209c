"""A coroutine that is never awaited never runs."""

from __future__ import annotations

import libcst as cst

from asynclint.rule import Rule


class UnawaitedCoroutine(Rule):
    """A coroutine that nothing will ever run."""

    name = "unawaited-coroutine"
    group = "coroutines"
    level = "error"
    since = "0.1"

    def visit_Call(self, node: cst.Call) -> None:
        facts = self.call(node)
        lost = facts.lost_coroutine if facts else None
        if lost is None:
            return
        message = f"`{lost.name}` is never awaited"
        if lost.detail:
            message = f"{message}: the coroutine {lost.detail}"
        refusal = None if lost.in_coroutine else "the enclosing function is not `async def`"
        self.report(node, message, because=lost.because, refusal=refusal)
