"""A sleep that keeps the thread of the event loop."""

from __future__ import annotations

from asynclint.rule import BlockingRule


class BlockingSleep(BlockingRule):
    """Sleeping with `time.sleep` on the event loop."""

    name = "blocking-sleep"
    group = "blocking"
    level = "error"
    since = "0.1"

    yields_to = ("nested-event-loop",)
    kinds = ("sleep",)
