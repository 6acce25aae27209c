"""A thread's lock that is held over an `await` stops the event loop as soon as another task wants it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libcst as cst

from asynclint.findings import Fix
from asynclint.fixes import mistaken
from asynclint.rule import Rule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


class LockHeldAcrossAwait(Rule):
    """A thread's lock that is held while other tasks run."""

    name = "lock-held-across-await"
    group = "blocking"
    level = "error"
    since = "0.1"
    repairs = True

    def visit_WithItem(self, node: cst.WithItem) -> None:
        facts = self.call(node)
        mistake = facts.mistakes.get("held") if facts else None
        if mistake is not None:
            message = f"`{mistake.name}`, a lock of threads, is held across an `await`"
            self.report(node.item, message, because=mistake.because)

    def repair(self, place: Place) -> Iterable[Fix]:
        """Make it a lock of `asyncio`, where only coroutines use it."""
        yield mistaken.async_lock(place)
