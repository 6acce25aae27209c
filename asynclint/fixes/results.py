"""What a coroutine gives has to be of use where the coroutine stands: else all of its work is done, and the error comes then."""

from __future__ import annotations

import ast

from asynclint.facts.protocol import is_asynchronous
from asynclint.facts.types import NONE, Coro, Type, members
from asynclint.findings import Refused
from asynclint.fixes.place import Place

NEEDS = frozenset({"attr", "sub", "unpack", "for", "call", "with", "raise", "in"})
"""How a coroutine stands where None would fail as it does."""


def refuse_other(place: Place, name: str) -> None:
    """Raise Refused where what a coroutine in `async with` or `async for` gives is not seen to be made for that."""
    kind = "with" if isinstance(place.tree.parent(place.node), ast.withitem) else "for"
    evaluator = place.workshop.facts.graph.evaluator
    if not all(is_asynchronous(evaluator, one, kind) for one in _results(place)):
        raise Refused(f"what `{name}` gives is not seen to be something for `async {kind}`")


def refuse_useless(place: Place, name: str, how: str) -> None:
    """Raise Refused where what a lost coroutine gives is seen to fail as the coroutine does."""
    if how not in NEEDS:
        return
    results = _results(place)
    if all(one == NONE for one in results):
        raise Refused(f"`{name}` gives nothing, whoever awaits it")
    evaluator = place.workshop.facts.graph.evaluator
    if how in ("for", "with") and all(is_asynchronous(evaluator, one, how) for one in results):
        raise Refused(f"what `{name}` gives is asynchronous")


def _results(place: Place) -> list[Type]:
    """What awaiting gives, one for each of what the place may call; unknown where that is no coroutine."""
    evaluator, module, site = (
        place.workshop.facts.graph.evaluator,
        place.function.module,
        place.site,
    )
    if site.kind == "call":
        made = evaluator.call_type(module, site.index)
    else:
        made = evaluator.callee(module, site)
    return [one.result if isinstance(one, Coro) else None for one in members(made)]
