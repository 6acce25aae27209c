"""A client owns a connection pool: built for every item, it connects for every item."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libcst as cst

from asynclint.findings import Fix
from asynclint.fixes import hoisted
from asynclint.rule import Rule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


class ClientPerItem(Rule):
    """A client that is built for every item of a loop or fan-out."""

    name = "client-per-item"
    group = "clients"
    level = "warning"
    since = "0.1"
    repairs = True

    def visit_Call(self, node: cst.Call) -> None:
        facts = self.call(node)
        building = facts.building if facts else None
        if building is None or building.often != "item":
            return
        message = f"`{building.name}` is built for every item"
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
        """Build the client before the loop."""
        return hoisted.hoist(place)
