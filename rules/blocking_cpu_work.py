"""Work of the processor keeps the event loop for as long as it takes."""

from __future__ import annotations

from asynclint.rule import BlockingRule


class BlockingCpuWork(BlockingRule):
    """Hashing, decoding, parsing and inference on the event loop."""

    name = "blocking-cpu-work"
    group = "blocking"
    level = "warning"
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
    )
    kinds = ("cpu",)
    verb = "keeps the event loop busy"
