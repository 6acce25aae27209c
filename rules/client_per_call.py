"""A client owns a connection pool: built for every call, it connects for every call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from asynclint.findings import Fix
from asynclint.fixes import owned
from asynclint.rule import BuildingRule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


class ClientPerCall(BuildingRule):
    """A client that is built for every call of a coroutine and thrown away."""

    name = "client-per-call"
    group = "clients"
    level = "warning"
    since = "0.1"
    yields_to = ("client-per-item", "client-per-request")
    repairs = True
    often = "call"

    def repair(self, place: Place) -> Iterable[Fix]:
        """Keep the client in the object whose method builds it, where the project closes that object."""
        yield owned.keep(place)
