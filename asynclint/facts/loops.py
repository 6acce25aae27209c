"""Clients that outlive an event loop: kept by a module or a cache, and used by coroutines that run on one new loop after another."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass

from asynclint.facts import places
from asynclint.facts.clients import ClientFacts
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.graph import Edge, Graph, place_name
from asynclint.facts.guards import last_name
from asynclint.facts.known_calls import known_callee
from asynclint.facts.model import Binding, CallSite, Recipe
from asynclint.facts.program import Function, Module, recipe_name
from asynclint.facts.runs import Runs
from asynclint.facts.types import Func, Lib, LibMethod, Mod
from asynclint.facts.view import Mistake
from asynclint.findings import Link

RUNNERS = frozenset({"run", "run_until_complete"})
FOLLOWED = frozenset({"async", "call", "spawn", "enter", "iterate", "property"})
ENDS = frozenset({"close", "aclose", "dispose", "disconnect", "reset", "stop", "terminate"})
"""What a client is told at the end of a loop, so that the next one finds it without connections."""

UNPOOLED = frozenset({"NullPool"})
MAKERS = frozenset({"async_sessionmaker", "sessionmaker", "async_scoped_session"})
REACH = 400
"""As many functions are followed from the start of a loop."""


@dataclass(frozen=True, slots=True)
class Run:
    """A place that runs a coroutine on a new event loop."""

    function: Function
    site: CallSite
    target: Function
    why: str
    """What shows that it does so more than once in a process; empty where nothing does."""


@dataclass(frozen=True, slots=True)
class Use:
    """A place where a coroutine uses a client that somebody else made."""

    function: Function
    site: CallSite
    links: tuple[Link, ...]


class LoopFacts:
    """Every such client in the program."""

    def __init__(
        self, evaluator: Evaluator, graph: Graph, runs: Runs, clients: ClientFacts
    ) -> None:
        self.evaluator = evaluator
        self.graph = graph
        self.runs = runs
        self.clients = clients

    def crossing(self, functions: list[Function]) -> Iterator[tuple[Function, CallSite, Mistake]]:
        """The constructors of clients that are used on more than one loop."""
        seen: set[tuple[str, int]] = set()
        single: dict[tuple[str, int], list[Run]] = defaultdict(list)
        for run in self._starts(functions):
            ended: set[tuple[str, int]] = set()
            found: dict[tuple[str, int], tuple[Function, CallSite, Use]] = {}
            for use in self._reached(run.target):
                made = self._origin(use.function, use.site)
                if made is None:
                    continue
                key = (made[0].module.file.name, made[1].index)
                if use.site.callee and use.site.callee[-1] in ENDS:
                    ended.add(key)
                found.setdefault(key, (*made, use))
            for key, (function, site, use) in found.items():
                if key in ended or key in seen:
                    continue
                if not run.why and not self._follows(run, single[key]):
                    single[key].append(run)
                    continue
                seen.add(key)
                yield function, site, self._mistake(function, site, run, use)

    def _follows(self, run: Run, earlier: list[Run]) -> bool:
        """Whether a function that runs a loop has run another one before."""
        return any(
            one.function is run.function
            and one.site is not run.site
            and not run.function.module.excludes(one.site.block, run.site.block)
            and not run.function.module.leaves(one.site.block, run.site.block)
            for one in earlier
        )

    def _mistake(self, function: Function, site: CallSite, run: Run, use: Use) -> Mistake:
        built = self.clients.built(function.module, site)
        start = places.link(
            run.function,
            run.site,
            f"{run.why or 'again'} a new event loop runs `{run.target.name}`",
        )
        user = places.link(use.function, use.site, f"`{use.function.name}` uses it")
        name = built[1] if built is not None else recipe_name(site.callee)
        return Mistake("across loops", name, "", (start, *use.links, user))

    # -- loops --------------------------------------------------------------------------------------------

    def _starts(self, functions: list[Function]) -> Iterator[Run]:
        """The places that start loops."""
        for function in functions:
            if function.is_async or function.module.file.is_test:
                continue
            for site in self.graph.speaking[function]:
                if site.kind != "call" or not site.callee or site.callee[-1] not in RUNNERS:
                    continue
                if not site.args or not self._starts_loop(function, site):
                    continue
                yield from self._run(function, site, site.args[0][0], function, site, 0)

    def _starts_loop(self, function: Function, site: CallSite) -> bool:
        callee = self.evaluator.callee(function.module, site)
        known = known_callee(self.evaluator, callee)
        if known is None or not known.runs_loop:
            return False
        if isinstance(callee, Lib):
            return True
        if not isinstance(callee, LibMethod) or callee.name != "run_until_complete":
            return False
        called = {one.callee[-1] for one in function.sites if one.kind == "call" and one.callee}
        return "new_event_loop" in called and "get_event_loop" not in called

    def _run(
        self,
        function: Function,
        site: CallSite,
        given: Recipe,
        at: Function,
        where: CallSite,
        depth: int,
    ) -> Iterator[Run]:
        """What is run at a place: the coroutine that is made there, or what the callers of a wrapper make."""
        if (
            given
            and given[0] == "name"
            and given[1] in at.parameters
            and not at.facts.bindings.get(given[1])
        ):
            if depth > 2:
                return
            for edge in self.graph.into.get(at, ()):
                if edge.how == "call" and not edge.caller.module.file.is_test:
                    passed = self._passed(edge, given[1])
                    yield from self._run(function, site, passed, edge.caller, edge.site, depth + 1)
            return
        target = self._coroutine(at, where, given)
        if target is None:
            return
        yield Run(at, where, target, self._repeats(at, where, 0) or "")

    def _passed(self, edge: Edge, name: str) -> Recipe:
        names = [p.name for p in edge.target.facts.params if p.kind == "pos"]
        if edge.target.self_name is not None:
            names = names[1:]
        for recipe, keyword in edge.site.args:
            if keyword == name:
                return recipe
        if name not in names:
            return None
        index = names.index(name)
        given = [recipe for recipe, keyword in edge.site.args if keyword is None]
        return given[index] if index < len(given) else None

    def _coroutine(self, function: Function, site: CallSite, given: Recipe) -> Function | None:
        if not given:
            return None
        if given[0] == "call":
            value = self.evaluator.callee(function.module, function.module.site(given[1]))
        else:
            value = self.evaluator.at_site(given, site, function.module)
        if isinstance(value, Func) and value.function.is_async:
            return value.function
        return None

    def _repeats(self, function: Function, site: CallSite, depth: int) -> str | None:
        """What shows that a place is passed more than once in a process."""
        if self.runs.loops(function.module, site):
            return "in a loop,"
        if function in self.runs.reached or self.runs.entry_often(function) in ("request", "item"):
            return (
                "for every call of the task," if self._is_task(function) else "for every request,"
            )
        if depth > 3 or function in self.runs.commands:
            return None
        callers: set[Function] = set()
        for edge in self.graph.into.get(function, ()):
            if edge.caller.module.file.is_test or edge.how != "call":
                continue
            if edge.caller in callers:
                return "more than once,"
            callers.add(edge.caller)
            why = self._repeats(edge.caller, edge.site, depth + 1)
            if why is not None:
                return why
        return None

    def _is_task(self, function: Function) -> bool:
        return any(p.entry.role == "task" for p in self.graph.entries.get(function, ()))

    # -- uses ---------------------------------------------------------------------------------------------

    def _reached(self, target: Function) -> Iterator[Use]:
        """All that runs on a loop, with the calls that lead there."""
        chains: dict[Function, tuple[Link, ...]] = {target: ()}
        queue = deque([target])
        while queue and len(chains) < REACH:
            function = queue.popleft()
            links = chains[function]
            for site in self.graph.speaking.get(function, ()):
                if site.kind in ("awith", "afor") or self._is_awaited(site):
                    yield Use(function, site, links)
            for edge in self.graph.out.get(function, ()):
                if edge.how not in FOLLOWED or not edge.certain or edge.target in chains:
                    continue
                text = f"`{function.name}` calls `{place_name(edge.site, edge.target)}`"
                chains[edge.target] = (*links, places.link(function, edge.site, text))
                queue.append(edge.target)

    def _is_awaited(self, site: CallSite) -> bool:
        return site.role[0] == "await" and bool(site.callee) and site.callee[0] == "attr"

    def _origin(self, function: Function, site: CallSite) -> tuple[Function, CallSite] | None:
        """The constructor of the client that a site uses, where a module or a cache keeps the client."""
        recipe = site.callee
        if site.kind in ("awith", "afor") and recipe and recipe[0] == "name":
            # `async with client:` opens it, and closes it.
            return None
        while recipe:
            if recipe[0] == "attr":
                if recipe[1] and recipe[1][0] == "name":
                    value = self.evaluator.at_site(recipe[1], site, function.module)
                    if isinstance(value, Mod):
                        return self._global(value.module, recipe[2], 0)
                recipe = recipe[1]
            elif recipe[0] == "call":
                made = function.module.site(recipe[1])
                kept = self._cached(self.evaluator.callee(function.module, made))
                if kept is not None:
                    return kept
                recipe = made.callee
            elif recipe[0] == "name":
                return self._named(function, str(recipe[1]), 0)
            else:
                return None
        return None

    def _named(self, function: Function, name: str, depth: int) -> tuple[Function, CallSite] | None:
        """The same for a name in a function."""
        current: Function | None = function
        while current is not None and current.facts.kind != "module":
            bindings = current.facts.bindings.get(name)
            if name in current.facts.globals:
                break
            if bindings:
                if len(bindings) != 1:
                    return None
                return self._bound(current, bindings[0], depth)
            if name in current.parameters:
                return None
            current = current.parent
        return self._global(function.module, name, depth)

    def _bound(
        self, function: Function, binding: Binding, depth: int
    ) -> tuple[Function, CallSite] | None:
        """A local name for what a cached function gives, for another name, or for what a module has."""
        recipe = binding.recipe
        if not recipe or depth > 4:
            return None
        if recipe[0] == "call":
            return self._cached(
                self.evaluator.callee(function.module, function.module.site(recipe[1]))
            )
        if recipe[0] == "enter" and recipe[1] and recipe[1][0] == "call":
            inner = function.module.site(recipe[1][1])
            if inner.callee and inner.callee[0] == "name":
                return self._named(function, inner.callee[1], depth + 1)
        if recipe[0] == "name":
            return self._named(function, recipe[1], depth + 1)
        if recipe[0] == "from":
            return self._imported(function.module, recipe, depth)
        return None

    def _imported(
        self, module: Module, recipe: Recipe, depth: int
    ) -> tuple[Function, CallSite] | None:
        _, level, source, name = recipe
        target = self.evaluator.program.absolute(module, level, source)
        other = self.evaluator.program.find(target, module.file) if target else None
        return self._global(other, name, depth + 1) if other is not None else None

    def _global(self, module: Module, name: str, depth: int) -> tuple[Function, CallSite] | None:
        """The constructor of the client that a module keeps under a name for good."""
        if depth > 4:
            return None
        made: list[tuple[Function, CallSite]] = []
        holders = [(module.body, b) for b in module.body.facts.bindings.get(name, ())]
        for function, binding in (*holders, *module.global_bindings.get(name, ())):
            recipe = binding.recipe
            if recipe == ("const", None) or (binding.kind == "ann" and recipe is None):
                continue
            if recipe and recipe[0] == "from" and len(holders) == 1:
                return self._imported(module, recipe, depth)
            site = self._call(function, recipe)
            if site is None:
                return None
            if function is not module.body and not self.runs.guarded(function, site):
                return None
            made.append((function, site))
        if len(made) != 1:
            return None
        function, site = made[0]
        if last_name(site.callee) in MAKERS:
            for recipe, _ in site.args:
                if recipe and recipe[0] == "name":
                    engine = self._named(function, recipe[1], depth + 1)
                    if engine is not None:
                        return engine
            return None
        return made[0] if self._is_bound_to_loop(function, site) else None

    def _call(self, function: Function, recipe: Recipe) -> CallSite | None:
        if recipe and recipe[0] == "await":
            recipe = recipe[1]
        return function.module.site(recipe[1]) if recipe and recipe[0] == "call" else None

    def _cached(self, callee: object) -> tuple[Function, CallSite] | None:
        """The constructor in a function that makes its client once."""
        if not isinstance(callee, Func) or callee.function.facts.kind != "def":
            return None
        function = callee.function
        facts = function.facts
        if any("loop" in name for name in (*facts.loaded, *facts.uses, *function.parameters)):
            return None
        if any("loop" in str(site.callee[-1]) for site in function.sites if site.callee):
            return None
        for recipe, _, _ in facts.returns:
            if recipe and recipe[0] == "name":
                if recipe[1] in facts.globals:
                    return self._global(function.module, recipe[1], 1)
                bindings = facts.bindings.get(recipe[1], ())
                recipe = bindings[0].recipe if len(bindings) == 1 else None
            site = self._call(function, recipe)
            if site is None or not self.runs.cached(function):
                return None
            return (function, site) if self._is_bound_to_loop(function, site) else None
        return None

    def _is_bound_to_loop(self, function: Function, site: CallSite) -> bool:
        built = self.clients.built(function.module, site)
        if built is None or not built[0].is_async:
            return False
        return not any(last_name(recipe) in UNPOOLED for recipe, _ in site.args if recipe)
