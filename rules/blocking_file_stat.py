"""Asking the file system takes as long as the file system takes."""

from __future__ import annotations

from asynclint.rule import BlockingRule


class BlockingFileStat(BlockingRule):
    """Short local file operations on the event loop."""

    name = "blocking-file-stat"
    group = "blocking"
    level = "note"
    default = False
    since = "0.1"

    yields_to = (
        "called-before-offload",
        "nested-event-loop",
        "blocking-sleep",
        "blocking-sdk-call",
        "blocking-http-call",
        "blocking-database-call",
        "blocking-subprocess",
        "blocking-wait",
        "blocking-file-io",
        "blocking-cpu-work",
    )
    kinds = ("stat",)
