"""A wait on other threads or people keeps the thread that waits."""

from __future__ import annotations

from asynclint.rule import BlockingRule


class BlockingWait(BlockingRule):
    """Waiting for another thread, process or person on the event loop."""

    name = "blocking-wait"
    group = "blocking"
    level = "error"
    since = "0.1"

    yields_to = (
        "called-before-offload",
        "lock-held-across-await",
        "nested-event-loop",
        "blocking-sleep",
        "blocking-sdk-call",
        "blocking-http-call",
        "blocking-database-call",
        "blocking-subprocess",
    )
    kinds = ("wait",)
