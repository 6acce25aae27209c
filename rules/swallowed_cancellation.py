"""A cancellation is a request to stop; who catches it and goes on cannot be stopped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libcst as cst

from asynclint.findings import Fix
from asynclint.fixes import raised_again
from asynclint.rule import Rule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


class SwallowedCancellation(Rule):
    """A cancellation that is caught around an `await` and not raised again."""

    name = "swallowed-cancellation"
    group = "cancellation"
    level = "error"
    since = "0.1"
    repairs = True

    def visit_ExceptHandler(self, node: cst.ExceptHandler) -> None:
        self._judge(node, node)

    def visit_WithItem(self, node: cst.WithItem) -> None:
        self._judge(node, node.item)

    def _judge(self, node: cst.CSTNode, place: cst.CSTNode) -> None:
        facts = self.call(node)
        mistake = facts.mistakes.get("swallowed") if facts else None
        if mistake is None:
            return
        message = f"`{mistake.name}` swallows the cancellation of its task"
        if mistake.by:
            message = f"`{mistake.name}` turns the cancellation of its task into `{mistake.by}`"
        self.report(place, message, because=mistake.because)

    def repair(self, place: Place) -> Iterable[Fix]:
        """Raise the cancellation again."""
        yield raised_again.of(place)
