"""Synchronous HTTP stops the event loop until the other side answers."""

from __future__ import annotations

from asynclint.rule import BlockingRule


class BlockingHttpCall(BlockingRule):
    """A synchronous HTTP or network request on the event loop."""

    name = "blocking-http-call"
    group = "blocking"
    level = "error"
    since = "0.1"

    yields_to = (
        "called-before-offload",
        "nested-event-loop",
        "blocking-sleep",
        "blocking-sdk-call",
    )
    kinds = ("http",)
