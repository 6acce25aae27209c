"""Startup handlers registered one by one are switched off by any lifespan, without a word."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libcst as cst

from asynclint.findings import Fix
from asynclint.fixes import startup_handlers
from asynclint.rule import Rule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


class StartupEventHandler(Rule):
    """A startup or shutdown handler that is registered outside of a lifespan."""

    name = "startup-event-handler"
    group = "clients"
    level = "warning"
    since = "0.1"
    repairs = True

    def visit_Call(self, node: cst.Call) -> None:
        facts = self.call(node)
        handler = facts.startup_handler if facts else None
        if handler is None:
            return
        if handler.hidden_by is None:
            message = f"`{handler.name}` registers a handler that a lifespan switches off"
            self.report(node, message, because=handler.because)
            return
        message = f"`{handler.name}` registers a handler that is never called: `{handler.hidden_by}` has a lifespan"
        self.report(node, message, because=handler.because, level="error")

    def repair(self, place: Place) -> Iterable[Fix]:
        """Call the handlers in a lifespan."""
        yield startup_handlers.move(place)
