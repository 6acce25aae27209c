"""A timeout of `wait_for` cancels the step of the stream, and with it the stream."""

from __future__ import annotations

import libcst as cst

from asynclint.rule import Rule


class WaitForOnStream(Rule):
    """A stream whose steps are timed with `wait_for`, in a loop that goes on after a timeout."""

    name = "wait-for-on-stream"
    group = "cancellation"
    level = "error"
    since = "0.1"

    def visit_Call(self, node: cst.Call) -> None:
        facts = self.call(node)
        mistake = facts.mistakes.get("timed") if facts else None
        if mistake is not None:
            self.report(
                node,
                f"`asyncio.wait_for` ends `{mistake.name}` at a timeout, and the loop goes on reading",
                refusal="what is to happen at a timeout is not certain: keep one task and `asyncio.wait` for it",
            )
