"""An event loop cannot be run inside the one that is running."""

from __future__ import annotations

from asynclint.rule import BlockingRule


class NestedEventLoop(BlockingRule):
    """`asyncio.run` and its relatives, reached while a loop runs."""

    name = "nested-event-loop"
    group = "blocking"
    level = "error"
    since = "0.1"

    kinds = ("loop",)
    verb = "runs an event loop inside the running one"
