"""A semaphore that every call makes for itself is never full."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libcst as cst

from asynclint.findings import Fix
from asynclint.fixes import shared_bound
from asynclint.rule import Rule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


class SemaphorePerCall(Rule):
    """A semaphore or lock that bounds nothing: made by each call, or held around a whole `gather`."""

    name = "semaphore-per-call"
    group = "concurrency"
    level = "warning"
    since = "0.1"
    repairs = True

    def visit_Call(self, node: cst.Call) -> None:
        facts = self.call(node)
        if facts is None:
            return
        if mistake := facts.mistakes.get("per call"):
            self.report(node, f"`{mistake.name}` is made by every call, and nobody else takes it")
        elif mistake := facts.mistakes.get("around"):
            message = (
                f"`{mistake.name}` is held around `{mistake.by}`, which starts everything at once"
            )
            self.report(node, message, because=mistake.because)

    def repair(self, place: Place) -> Iterable[Fix]:
        """Make it once for the module."""
        yield shared_bound.hoist(place)
