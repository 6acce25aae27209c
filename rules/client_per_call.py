"""A client owns a connection pool: built for every call, it connects for every call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libcst as cst

from asynclint.findings import Fix
from asynclint.fixes import owned
from asynclint.rule import Rule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


class ClientPerCall(Rule):
    """A client that is built for every call of a coroutine and thrown away."""

    name = "client-per-call"
    group = "clients"
    level = "warning"
    since = "0.1"
    yields_to = ("client-per-item", "client-per-request")
    repairs = True

    def visit_Call(self, node: cst.Call) -> None:
        facts = self.call(node)
        building = facts.building if facts else None
        if building is None or building.often != "call":
            return
        message = f"`{building.name}` is built for every call"
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
        """Keep the client in the object whose method builds it, where the project closes that object."""
        yield owned.keep(place)
