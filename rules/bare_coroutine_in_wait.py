"""`asyncio.wait` takes tasks; coroutines have been a `TypeError` since Python 3.11."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libcst as cst

from asynclint.findings import Fix
from asynclint.fixes import mistaken
from asynclint.rule import Rule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


class BareCoroutineInWait(Rule):
    """Coroutines that are given to `asyncio.wait` as they are."""

    name = "bare-coroutine-in-wait"
    group = "coroutines"
    level = "error"
    since = "0.1"
    repairs = True

    def visit_Call(self, node: cst.Call) -> None:
        facts = self.call(node)
        mistake = facts.mistakes.get("in wait") if facts else None
        if mistake is not None:
            message = f"`asyncio.wait` gets the coroutines of `{mistake.name}`, which are no tasks"
            self.report(node, message, because=mistake.because)

    def repair(self, place: Place) -> Iterable[Fix]:
        """Make a task of each."""
        yield mistaken.make_tasks(place)
