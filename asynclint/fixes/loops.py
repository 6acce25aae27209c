"""Event loops: what outlives one of them must not be used in another."""

from __future__ import annotations

from collections.abc import Iterable

from asynclint.facts.program import Function
from asynclint.findings import Refused
from asynclint.fixes.place import Workshop


def refuse_loops(workshop: Workshop, functions: Iterable[Function]) -> None:
    """Raise Refused where what lasts longer than a loop would be used in several: `asyncio.run` in turn.

    `functions` are those that use it.
    """
    graph, runs = workshop.facts.graph, workshop.facts.runs
    queue = list(functions)
    if any(function.module.file.is_test for function in queue):
        raise Refused("each test runs in an event loop of its own")
    seen = set(queue)
    loops: set[tuple[Function, int, int]] = set()
    while queue:
        for edge in graph.into.get(queue.pop(), ()):
            if edge.caller.module.file.is_test:
                continue
            if edge.how == "run":
                once = edge.caller in runs.once or edge.caller in runs.commands
                if _takes_work(edge.caller) and edge.caller not in runs.commands:
                    once = once and bool(graph.into.get(edge.caller))
                if not once or runs.loops(edge.caller.module, edge.site):
                    raise Refused(
                        f"each call of `{edge.caller.name}` runs an event loop of its own"
                    )
                loops.add((edge.caller, edge.site.line, edge.site.col))
            elif edge.caller not in seen:
                seen.add(edge.caller)
                queue.append(edge.caller)
    if len({caller for caller, _, _ in loops}) > 1:
        names = sorted(caller.name for caller, _, _ in loops)
        raise Refused(f"`{names[0]}` and `{names[1]}` run event loops of their own")


def _takes_work(function: Function) -> bool:
    """Whether a function needs an argument: nobody's `main`, but a wrapper for code that is not asynchronous."""
    return any(p.default is None and p.kind in ("pos", "kw") for p in function.facts.params)
