"""What a thread would change that others see, or that the coroutine reads in the same step."""

from __future__ import annotations

from collections.abc import Iterator

from asynclint.facts.model import CallSite
from asynclint.facts.program import Function
from asynclint.findings import Refused
from asynclint.fixes.awaiting import frames
from asynclint.fixes.effects import ALL, GIVEN, IN, all_effects, effects, half_done, shown
from asynclint.fixes.place import Place
from asynclint.fixes.step import Step, spot


def refuse(place: Place, site: CallSite, function: Function) -> None:
    """Raise Refused where what is called changes something that it did not make, and that others see, without a lock."""
    found = place.workshop.once(effects).across(place.function, site, function)
    # What a caller hands over, it can see; what hangs on that, and is set by its own methods, it cannot.
    changed = half_done(
        one
        for one in found
        if one.root.whose != GIVEN or one.text.startswith(f"{one.by.self_name}.")
    )
    if changed:
        raise Refused(
            f"`{changed[0].by.name}` changes `{changed[0].text}`, which others may read or change meanwhile"
        )


def refuse_filled(place: Place, function: Function) -> None:
    """Raise Refused where what is called fills something under a lock, and the coroutine reads that in the same step, without one."""
    at = spot(place)
    filled = set(_filled(place, function))
    if at is None or not filled:
        return
    readers = [("which is read behind it", Step(at).after())]
    readers += [(f"which `{one.function.name}` reads behind it", one.after) for one in frames(at)]
    for how, after in readers:
        for one in sorted(filled & (after.reads | after.tests | after.named)):
            raise Refused(
                f"`{function.name}` changes `{shown(one)}`, {how}, and others would change it in between"
            )


def _filled(place: Place, function: Function) -> Iterator[str]:
    """The keys of what a call fills that others know."""
    found = place.workshop.once(all_effects)
    for one in found.across(place.function, place.site, function):
        if one.replaced:
            continue
        if one.root.whose == ALL:
            yield f"{one.root.home}{IN}{one.root.name}" if one.root.home else one.root.name
        else:
            yield one.text
