"""A client that nothing closes leaves its connections to the other side's timeouts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libcst as cst

from asynclint.findings import Fix
from asynclint.fixes import closed
from asynclint.rule import Rule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


class UnclosedClient(Rule):
    """A client that is built at startup, or in a program's main coroutine, and never closed."""

    name = "unclosed-client"
    group = "clients"
    level = "warning"
    since = "0.1"
    # Those of group `blocking` have a fix that makes a synchronous client asynchronous, which is then to be closed.
    yields_to = (
        "client-per-item",
        "client-per-request",
        "client-per-call",
        "blocking-sdk-call",
        "blocking-http-call",
        "blocking-database-call",
    )
    repairs = True

    def visit_Call(self, node: cst.Call) -> None:
        facts = self.call(node)
        unclosed = facts.unclosed if facts else None
        if unclosed is not None:
            self.report(node, f"`{unclosed.name}` is never closed", because=unclosed.because)

    def repair(self, place: Place) -> Iterable[Fix]:
        """Close it behind the `yield` of the lifespan, or enter it."""
        yield closed.close(place)
