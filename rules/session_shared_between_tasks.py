"""A database session does one thing at a time; two tasks in it at once are an error, or worse."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libcst as cst

from asynclint.findings import Fix
from asynclint.fixes import mistaken
from asynclint.rule import Rule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


class SessionSharedBetweenTasks(Rule):
    """A session or connection that several coroutines of one `gather` use."""

    name = "session-shared-between-tasks"
    group = "concurrency"
    level = "error"
    since = "0.1"
    repairs = True

    def visit_Call(self, node: cst.Call) -> None:
        facts = self.call(node)
        mistake = facts.mistakes.get("shared") if facts else None
        if mistake is not None:
            message = f"`{mistake.name}` is shared by several coroutines of `{mistake.by}`"
            self.report(node, message, because=mistake.because)

    def repair(self, place: Place) -> Iterable[Fix]:
        """Await them one after the other."""
        yield mistaken.in_turn(place)
