"""Tasks that run in the order in which they are started, as long as none of them waits."""

from __future__ import annotations

from collections import defaultdict

from asynclint.facts.program import Function
from asynclint.findings import Refused
from asynclint.fixes.place import Place, Workshop

STARTS = frozenset({"create_task", "ensure_future", "start_soon"})


def refuse(place: Place) -> None:
    """Raise Refused where a method that waits for nothing is started as a task, like another one of its class."""
    function = place.function
    if function.klass is None or waits(function):
        return
    started = place.workshop.once(_started)
    if function.facts.name not in started:
        return
    for other in function.klass.methods():
        beside = started[function.facts.name] & started.get(other.facts.name, set())
        if other is not function and other.is_async and beside:
            raise Refused(
                f"`{function.name}` is started as a task beside `{other.name}`: without a wait, they run in their order"
            )


def waits(function: Function) -> bool:
    """Whether a coroutine awaits anything."""
    return bool(function.facts.awaits) or any(s.kind in ("awith", "afor") for s in function.sites)


def _started(workshop: Workshop) -> dict[str, set[str]]:
    """The names of methods whose coroutines become tasks, with the files where that is so, tests aside."""
    found: dict[str, set[str]] = defaultdict(set)
    for module in workshop.facts.program.loaded():
        if module.file.is_test:
            continue
        for site in module.facts.calls:
            if site.role[0] != "arg" or not site.callee or site.callee[0] != "attr":
                continue
            starter = module.site(site.role[1]).callee
            if starter and starter[-1] in STARTS:
                found[site.callee[-1]].add(module.file.name)
    return dict(found)
