"""Synchronous SDK clients stop the event loop until the service answers."""

from __future__ import annotations

from asynclint.rule import BlockingRule


class BlockingSdkCall(BlockingRule):
    """A request through a synchronous SDK client on the event loop."""

    name = "blocking-sdk-call"
    group = "blocking"
    level = "error"
    since = "0.1"

    yields_to = ("called-before-offload", "nested-event-loop", "blocking-sleep")
    kinds = ("sdk",)
