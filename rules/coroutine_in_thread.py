"""A coroutine function that is called by whoever does not await makes a coroutine and runs nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libcst as cst

from asynclint.findings import Fix
from asynclint.fixes import mistaken
from asynclint.rule import Rule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


class CoroutineInThread(Rule):
    """A coroutine function handed to a thread, or to another caller that does not await."""

    name = "coroutine-in-thread"
    group = "coroutines"
    level = "error"
    since = "0.1"
    repairs = True

    def visit_Call(self, node: cst.Call) -> None:
        facts = self.call(node)
        mistake = facts.mistakes.get("in thread") if facts else None
        if mistake is not None:
            message = (
                f"`{mistake.by}` calls `{mistake.name}`, a coroutine function, and never awaits it"
            )
            self.report(node, message, because=mistake.because)

    def repair(self, place: Place) -> Iterable[Fix]:
        """`await to_thread(f, x)` → `await f(x)`."""
        yield mistaken.await_directly(place)
