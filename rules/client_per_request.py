"""A client owns a connection pool: built for every request, it connects for every request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from asynclint.findings import Fix
from asynclint.fixes import shared_client
from asynclint.rule import BuildingRule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


class ClientPerRequest(BuildingRule):
    """A client, pool or engine that is built for every request."""

    name = "client-per-request"
    group = "clients"
    level = "error"
    since = "0.1"
    yields_to = ("client-per-item",)
    repairs = True
    often = "request"

    def repair(self, place: Place) -> Iterable[Fix]:
        """Build the client once in the application's lifespan, and share it."""
        yield shared_client.share(place)
