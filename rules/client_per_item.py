"""A client owns a connection pool: built for every item, it connects for every item."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from asynclint.findings import Fix
from asynclint.fixes import hoisted
from asynclint.rule import BuildingRule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


class ClientPerItem(BuildingRule):
    """A client that is built for every item of a loop or fan-out."""

    name = "client-per-item"
    group = "clients"
    level = "warning"
    since = "0.1"
    repairs = True
    often = "item"

    def repair(self, place: Place) -> Iterable[Fix]:
        """Build the client before the loop."""
        return hoisted.hoist(place)
