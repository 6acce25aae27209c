"""A stream that is left before its end stays open until the garbage collector comes by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libcst as cst

from asynclint.findings import Fix
from asynclint.fixes import closing
from asynclint.rule import Rule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


class AbandonedStream(Rule):
    """A stream or asynchronous generator that a loop leaves early, and nothing closes."""

    name = "abandoned-stream"
    group = "cancellation"
    level = "warning"
    default = False
    since = "0.1"
    repairs = True

    def visit_For(self, node: cst.For) -> None:
        facts = self.call(node)
        mistake = facts.mistakes.get("abandoned") if facts else None
        if mistake is not None:
            self.report(
                node.iter, f"`{mistake.name}` is left before its end, and nothing closes it"
            )

    def repair(self, place: Place) -> Iterable[Fix]:
        """Close it behind the loop."""
        yield closing.around(place)
