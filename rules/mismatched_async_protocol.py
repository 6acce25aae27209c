"""`with` and `for` need other methods than `async with` and `async for`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libcst as cst

from asynclint.findings import Fix
from asynclint.fixes import mistaken
from asynclint.rule import Rule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


class MismatchedAsyncProtocol(Rule):
    """A `with` or `for` with, or without, an `async` that it must not, or must, have."""

    name = "mismatched-async-protocol"
    group = "coroutines"
    level = "error"
    since = "0.1"
    repairs = True

    def visit_WithItem(self, node: cst.WithItem) -> None:
        self._judge(node, node.item, "enter")

    def visit_For(self, node: cst.For) -> None:
        self._judge(node, node.iter, "iterate over")

    def visit_CompFor(self, node: cst.CompFor) -> None:
        self._judge(node, node.iter, "iterate over")

    def _judge(self, node: cst.CSTNode, place: cst.CSTNode, verb: str) -> None:
        facts = self.call(node)
        mistake = facts.mistakes.get("mismatched") if facts else None
        if mistake is None:
            return
        word = "with" if verb == "enter" else "for"
        if mistake.by == "coroutine":
            message = f"`async {word}` cannot {verb} the coroutine of `{mistake.name}`"
        elif mistake.by == "async":
            message = f"`{word}` cannot {verb} `{mistake.name}`, which is asynchronous"
        else:
            message = f"`async {word}` cannot {verb} `{mistake.name}`, which is not asynchronous"
        self.report(place, message, because=mistake.because)

    def repair(self, place: Place) -> Iterable[Fix]:
        """Add the `async` or take it away, or await the coroutine."""
        yield mistaken.match_protocol(place)
