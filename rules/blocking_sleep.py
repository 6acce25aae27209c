"""A sleep that keeps the thread of the event loop."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import TYPE_CHECKING

from asynclint.findings import Fix, Refused
from asynclint.fixes import driven, interrupted, taken
from asynclint.fixes.interleaved import broken
from asynclint.fixes.mocked import refuse_replaced
from asynclint.fixes.step import spot
from asynclint.rule import BlockingRule

if TYPE_CHECKING:
    from asynclint.fixes.place import Place


class BlockingSleep(BlockingRule):
    """Sleeping with `time.sleep` on the event loop."""

    name = "blocking-sleep"
    group = "blocking"
    level = "error"
    since = "0.1"

    yields_to = (
        "called-before-offload",
        "nested-event-loop",
    )
    kinds = ("sleep",)
    repairs = True

    def repair(self, place: Place) -> Iterable[Fix]:
        """`time.sleep(x)` → `await asyncio.sleep(x)`, or the sleep of the library that the module uses."""
        blocking = place.facts.blocks_as("sleep")
        if blocking is None or blocking.through is not None or blocking.name != "time.sleep":
            yield from super().repair(place)
            return
        taken.refuse(place)
        driven.refuse(place)
        call = place.call
        if not place.in_coroutine:
            raise Refused("the enclosing function is not `async def`")
        place.refuse_held()
        place.refuse_meant()
        if len(call.args) != 1 or call.keywords or isinstance(call.args[0], ast.Starred):
            raise Refused("the arguments are not those of `time.sleep`")
        place.refuse_cleanup()
        library = place.loop
        name, edits = place.imported(library)
        arguments = place.source.text[place.source.end(call.func) : place.source.end(call)]
        sleep = place.source.replace(call, place.awaited(call, f"{name}.sleep{arguments}"))
        title = f"await `{library}.sleep` instead"
        # What an object holds may be another sleep in a subclass or a test.
        named = not isinstance(call.func, ast.Attribute) or place.is_module(call.func.value)
        alone = named and not _replaced(place) and not _interrupts(place)
        alone = alone and not interrupted.is_answered(place) and not _moves_about(place)
        yield place.fix(title, sleep, *edits, safe=alone)


def _replaced(place: Place) -> bool:
    """Whether a test puts something else in the place of `time.sleep`, which would no longer be called."""
    try:
        refuse_replaced(place.workshop, "time", "sleep")
    except Refused:
        return True
    return False


def _moves_about(place: Place) -> bool:
    """Whether the project changes the working directory, which all tasks share, while it runs."""
    return any(not file.is_test for file in place.workshop.saying("chdir"))


def _interrupts(place: Place) -> bool:
    """Whether others would see, or change, what the coroutine does in one step today."""
    at = spot(place)
    return at is not None and broken(at) is not None
