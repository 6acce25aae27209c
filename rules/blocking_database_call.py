"""Synchronous drivers stop the event loop for the whole query."""

from __future__ import annotations

from asynclint.rule import BlockingRule


class BlockingDatabaseCall(BlockingRule):
    """A synchronous database call on the event loop."""

    name = "blocking-database-call"
    group = "blocking"
    level = "error"
    since = "0.1"

    yields_to = (
        "called-before-offload",
        "nested-event-loop",
        "blocking-sleep",
        "blocking-sdk-call",
        "blocking-http-call",
    )
    kinds = ("database",)
