"""Waiting for a child process keeps the thread."""

from __future__ import annotations

from asynclint.rule import BlockingRule


class BlockingSubprocess(BlockingRule):
    """Waiting for a child process on the event loop."""

    name = "blocking-subprocess"
    group = "blocking"
    level = "error"
    since = "0.1"

    yields_to = (
        "called-before-offload",
        "nested-event-loop",
        "blocking-sleep",
        "blocking-sdk-call",
        "blocking-http-call",
        "blocking-database-call",
    )
    kinds = ("subprocess",)
