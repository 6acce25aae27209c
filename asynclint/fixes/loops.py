"""Event loops: what outlives one of them must not be used in another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from asynclint.facts.known_calls import known_callee
from asynclint.facts.model import CallSite
from asynclint.facts.program import Function
from asynclint.facts.types import Func, members
from asynclint.findings import Refused
from asynclint.fixes.place import Workshop


def refuse_loops(workshop: Workshop, functions: Iterable[Function]) -> None:
    """Raise Refused where what lasts longer than a loop would be used in several: `asyncio.run` in turn.

    `functions` are those that use it.
    """
    graph = workshop.facts.graph
    queue = list(functions)
    if any(function.module.file.is_test for function in queue):
        raise Refused("each test runs in an event loop of its own")
    seen = set(queue)
    loops: set[tuple[Function, int, int]] = set()
    while queue:
        function = queue.pop()
        for edge in graph.into.get(function, ()):
            if edge.caller.module.file.is_test:
                continue
            if edge.how == "run":
                _refuse_loop_each(workshop, edge.caller, edge.site)
                loops.add((edge.caller, edge.site.line, edge.site.col))
            elif edge.caller not in seen:
                seen.add(edge.caller)
                queue.append(edge.caller)
        for caller, site in _handed_to_loops(workshop, function):
            _refuse_loop_each(workshop, caller, site)
            loops.add((caller, site.line, site.col))
    if len({caller for caller, _, _ in loops}) > 1:
        names = sorted(caller.name for caller, _, _ in loops)
        raise Refused(f"`{names[0]}` and `{names[1]}` run event loops of their own")


def _refuse_loop_each(workshop: Workshop, caller: Function, site: CallSite) -> None:
    """Raise Refused where a call that runs an event loop is made more than once."""
    graph, runs = workshop.facts.graph, workshop.facts.runs
    once = caller in runs.once or caller in runs.commands
    if _takes_work(caller) and caller not in runs.commands:
        once = once and bool(graph.into.get(caller))
    if not once or runs.loops(caller.module, site):
        raise Refused(f"each call of `{caller.name}` runs an event loop of its own")


def _handed_to_loops(workshop: Workshop, function: Function) -> Iterator[tuple[Function, CallSite]]:
    """The calls that hand a coroutine function, or a lambda, to a plain function of the project which runs event loops."""
    graph = workshop.facts.graph
    evaluator = graph.evaluator
    is_lambda = function.facts.kind == "lambda"
    files = [function.module.file] if is_lambda else workshop.saying(function.facts.name)
    for file in files:
        module = graph.evaluator.program.load(file)
        for site in module.facts.calls if module is not None and not file.is_test else ():
            given = [
                r for r, _ in site.args if r and (r[0] == "lambda" or r[-1] == function.facts.name)
            ]
            if module is None or site.kind != "call" or not given:
                continue
            if not any(
                isinstance(one, Func) and one.function is function
                for recipe in given
                for one in members(evaluator.at_site(recipe, site, module))
            ):
                continue
            for one in members(evaluator.callee(module, site)):
                if isinstance(one, Func) and _runs_loops(workshop, one.function, 2):
                    yield module.functions[site.function], site


def _runs_loops(workshop: Workshop, function: Function, deep: int) -> bool:
    """Whether a plain function, or one that it calls, runs an event loop."""
    graph = workshop.facts.graph
    if function.is_async:
        return False
    for site in function.sites:
        known = known_callee(graph.evaluator, graph.evaluator.callee(function.module, site))
        if known is not None and known.runs_loop:
            return True
    below = (edge.target for edge in graph.out.get(function, ()) if edge.how == "call")
    return deep > 0 and any(_runs_loops(workshop, one, deep - 1) for one in below)


def _takes_work(function: Function) -> bool:
    """Whether a function needs an argument: nobody's `main`, but a wrapper for code that is not asynchronous."""
    return any(p.default is None and p.kind in ("pos", "kw") for p in function.facts.params)
