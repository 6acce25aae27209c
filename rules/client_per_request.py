"""A client owns a connection pool: built for every request, it connects for every request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libcst as cst

from asynclint.findings import Fix
from asynclint.fixes import shared_client
from asynclint.rule import Rule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


class ClientPerRequest(Rule):
    """A client, pool or engine that is built for every request."""

    name = "client-per-request"
    group = "clients"
    level = "error"
    since = "0.1"
    yields_to = ("client-per-item",)
    repairs = True

    def visit_Call(self, node: cst.Call) -> None:
        facts = self.call(node)
        building = facts.building if facts else None
        if building is None or building.often != "request":
            return
        message = f"`{building.name}` is built for every request"
        if building.depends is None:
            self.report(node, message, because=building.because)
            return
        # It cannot simply be shared: what another caller needs differs.
        self.report(
            node,
            f"{message}, with arguments that depend on {building.depends}",
            because=building.because,
            refusal=f"the arguments depend on {building.depends}",
            level="note",
        )

    def repair(self, place: Place) -> Iterable[Fix]:
        """Build the client once in the application's lifespan, and share it."""
        yield shared_client.share(place)
