"""Calls whose result something takes for a function, or for a coroutine: to wait for them there puts nothing right."""

from __future__ import annotations

from asynclint.facts.early import EarlyFacts
from asynclint.facts.model import CallSite
from asynclint.facts.program import Function, recipe_name
from asynclint.findings import Refused
from asynclint.fixes.place import Place, Workshop


def refuse(place: Place) -> None:
    """Raise Refused for such a call."""
    refuse_at(place.workshop, place.function, place.site)


def refuse_at(workshop: Workshop, function: Function, site: CallSite) -> None:
    """Raise Refused for such a call of a function."""
    taker = workshop.once(_early).taker(function, site) if site.index >= 0 else None
    if taker is not None:
        outer, task = taker
        what = "a coroutine, to be run" if task else "what to call"
        raise Refused(f"`{recipe_name(outer.callee)}` takes what it gives for {what}")


def _early(workshop: Workshop) -> EarlyFacts:
    return EarlyFacts(workshop.facts.graph.evaluator)
