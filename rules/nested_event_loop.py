"""An event loop cannot be run inside the one that is running."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import TYPE_CHECKING

from asynclint.findings import Fix, Refused
from asynclint.fixes import taken
from asynclint.rule import BlockingRule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place

RUNNERS = frozenset({"run", "run_until_complete"})


class NestedEventLoop(BlockingRule):
    """`asyncio.run` and its relatives, reached while a loop runs."""

    name = "nested-event-loop"
    group = "blocking"
    level = "error"
    since = "0.1"

    yields_to = ("called-before-offload",)
    kinds = ("loop",)
    verb = "runs an event loop inside the running one"

    def repair(self, place: Place) -> Iterable[Fix]:
        """`asyncio.run(work())` → `await work()`."""
        blocking = place.facts.blocks_as("loop")
        call = place.call
        if blocking is None or blocking.through is not None:
            raise Refused("the loop is run inside a function that is not `async def`")
        if not place.in_coroutine:
            raise Refused("the enclosing function is not `async def`")
        taken.refuse(place)
        name = (
            call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        )
        if name not in RUNNERS or blocking.name.startswith(("anyio", "trio")):
            raise Refused("what it runs is not a coroutine in plain sight")
        if len(call.args) != 1 or call.keywords or isinstance(call.args[0], ast.Starred):
            raise Refused("the loop is run with options")
        [work] = call.args
        text = place.source.segment(work)
        if not isinstance(work, (ast.Call, ast.Name, ast.Attribute, ast.Subscript)):
            text = f"({text})"
        edit = place.source.replace(call, place.awaited(call, text))
        # Whoever catches the error that is certain today may do so on purpose.
        safe = place.held is None and not place.is_tried
        yield place.fix("await it instead", edit, safe=safe)
