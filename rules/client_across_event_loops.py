"""The connections of an asynchronous client belong to the event loop on which they were opened."""

from __future__ import annotations

import libcst as cst

from asynclint.rule import Rule


class ClientAcrossEventLoops(Rule):
    """A client that is kept while the event loops that use it come and go."""

    name = "client-across-event-loops"
    group = "clients"
    level = "error"
    since = "0.1"

    def visit_Call(self, node: cst.Call) -> None:
        facts = self.call(node)
        mistake = facts.mistakes.get("across loops") if facts else None
        if mistake is None:
            return
        self.report(
            node,
            f"`{mistake.name}` outlives the event loops on which it is used",
            because=mistake.because,
            refusal="the coroutine that each loop runs has to build it and close it, or one loop has to run them all",
        )
