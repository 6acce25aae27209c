"""Whether a coroutine may wait for a thread at a place: what is asked before a call is handed over, and before a block is."""

from __future__ import annotations

import ast

from asynclint.findings import Refused
from asynclint.fixes import browser, in_order, interleaved, kept_files
from asynclint.fixes.generated import synchronous_twin
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.step import spot

ALONE = "nobody else waits for the event loop of a test, and a thread would gain nothing"
SYNCHRONOUS = "the enclosing function is not `async def`, so that nothing can be awaited in it"


def refuse(place: Place) -> None:
    """Raise Refused where no `await` may stand, or other tasks must not run, or there are no threads, or nobody gains."""
    if not place.in_coroutine:
        raise Refused(SYNCHRONOUS)
    if place.function.module.file.is_test:
        raise Refused(ALONE)
    twin = synchronous_twin(place.function.module.file.name, place.workshop.once(_names))
    if twin is not None:
        raise Refused(
            f"`{twin}` seems to be made of this file, and would know no thread to wait for"
        )
    place.refuse_held()
    place.refuse_meant()
    browser.refuse(place)
    place.refuse_cleanup()


def _names(workshop: Workshop) -> frozenset[str]:
    return frozenset(file.name for file in workshop.facts.program.project.files)


def refuse_between(place: Place, work: ast.AST) -> None:
    """Raise Refused where others would come between some work of a thread and what the coroutine does in the same step."""
    kept_files.refuse(place, work)
    in_order.refuse(place)
    interleaved.refuse(spot(place))
