"""What is called within the arguments runs here and now, not in the thread."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libcst as cst

from asynclint.findings import Fix
from asynclint.fixes import handed_over
from asynclint.rule import Rule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


UNNAMED = frozenset({"…", "…()"})


class CalledBeforeOffload(Rule):
    """A call whose result is handed over where its function belongs."""

    name = "called-before-offload"
    group = "blocking"
    level = "error"
    since = "0.1"
    repairs = True

    def visit_Call(self, node: cst.Call) -> None:
        facts = self.call(node)
        mistake = facts.mistakes.get("too early") if facts else None
        if mistake is not None:
            name = "a function" if mistake.name in UNNAMED else f"`{mistake.name}`"
            message = f"{name} is called here, and `{mistake.by}` gets what it gives"
            self.report(node, message, because=mistake.because)

    def repair(self, place: Place) -> Iterable[Fix]:
        """`to_thread(f(x))` → `to_thread(f, x)`."""
        yield handed_over.of(place)
