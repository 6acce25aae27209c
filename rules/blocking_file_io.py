"""File work takes as long as the disk takes."""

from __future__ import annotations

from asynclint.rule import BlockingRule


class BlockingFileIo(BlockingRule):
    """Reading or writing whole files on the event loop."""

    name = "blocking-file-io"
    group = "blocking"
    level = "warning"
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
    )
    kinds = ("file",)
