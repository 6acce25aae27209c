"""A coroutine that is never awaited never runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libcst as cst

from asynclint.findings import Fix, Refused
from asynclint.rule import Rule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place

FAILS = frozenset({"stmt", "attr", "sub", "op", "unpack", "for", "call", "with", "raise"})
"""How a coroutine stands where nobody can rely on what the code does today: it does nothing, or raises."""


class UnawaitedCoroutine(Rule):
    """A coroutine that nothing will ever run."""

    name = "unawaited-coroutine"
    group = "coroutines"
    level = "error"
    since = "0.1"
    repairs = True

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

    def repair(self, place: Place) -> Iterable[Fix]:
        """Await it where it is made."""
        lost = place.facts.lost_coroutine
        place.narrow()
        call = place.call
        if lost is None or not place.in_coroutine:
            raise Refused("nothing can be awaited here: the enclosing function is not `async def`")
        edit = place.source.replace(call, place.awaited(call, place.source.segment(call)))
        yield place.fix("await it", edit, safe=lost.how in FAILS)
