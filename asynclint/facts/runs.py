"""How often a function runs: once, per request, or unknown; and what shows it."""

from __future__ import annotations

from collections import deque

from asynclint.facts import guards, places
from asynclint.facts.conditions import Conditions
from asynclint.facts.decorators import decorator_value
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.filling import Filling
from asynclint.facts.graph import BRANCHES, Edge, EntryPoint, Graph, place_name
from asynclint.facts.known_calls import known_callee
from asynclint.facts.model import CallSite
from asynclint.facts.program import Function, Module
from asynclint.findings import Link

CACHES = frozenset({"functools.lru_cache", "functools.cache", "functools.cached_property"})

ROLE_WORDS = {
    "route": "is called for every request",
    "dependency": "is a dependency, called for every request",
    "middleware": "is middleware, called for every request",
    "websocket": "is called for every connection",
    "tool": "is called for every tool call",
    "background task": "is a background task, called for every request",
}


def _goes_on_for_ever(module: Module, site: CallSite) -> bool:
    """Whether a site is in a loop that counts nothing: `while True`, `while self.running`, `async for`."""
    return any(
        block.kind == "afor"
        or (block.kind == "while" and bool(block.info) and block.info[0] not in ("cmp", "any"))
        for block in module.chain(site.block)
    )


def conditional(module: Module, site: CallSite) -> bool:
    """Whether a site is passed only under a condition of its function."""
    return any(block.kind in BRANCHES for block in module.chain(site.block))


class Runs:
    """How often each function runs, over the whole graph."""

    def __init__(self, evaluator: Evaluator, graph: Graph) -> None:
        self.evaluator = evaluator
        self.graph = graph
        self._tests = Conditions(evaluator)
        self.filling = Filling(evaluator)
        self.reached: dict[Function, Edge | EntryPoint] = {}
        """Functions that run per request, with the edge or the entry point through which."""
        self.conditions: dict[Function, int] = {}
        """For functions that run per request, how many steps from the entry point on are taken under a condition."""
        self.once: set[Function] = set()
        self.startup: set[Function] = set()
        """Functions that run only at startup or shutdown."""
        self.commands: set[Function] = set()
        """Functions that run only as, or for, a command of a command line."""
        self.serving: set[Function] = set()
        """Functions that such a command starts as tasks: in a loop without an end, they are servers."""
        self._cached: dict[Function, bool] = {}
        self._reach()
        self._settle_once()
        self._settle_commands()

    def cached(self, function: Function) -> bool:
        """Whether the function's first result is kept."""
        if not function.facts.decorators:
            return False
        found = self._cached.get(function)
        if found is None:
            found = self._cached[function] = self._has_cache(function)
        return found

    def _has_cache(self, function: Function) -> bool:
        for recipe in function.facts.decorators:
            value = decorator_value(self.evaluator, recipe, function)
            known = known_callee(self.evaluator, value)
            if known is not None and known.caches:
                return True
            if guards.last_name(recipe) in (
                "lru_cache",
                "cache",
                "cached",
                "alru_cache",
                "cached_property",
                "singleton",
            ):
                return True
        return False

    def entry_often(self, function: Function) -> str | None:
        """What the framework that calls a function says: request, item, once; None when none does."""
        points = self.graph.entries.get(function)
        if not points:
            return None
        often = {p.entry.often for p in points}
        for one in ("request", "item", "once", "test"):
            if one in often:
                return one
        return None

    def _reach(self) -> None:
        """From the entry points on, along the chains with the fewest conditions, of those the shortest."""
        now: deque[Function] = deque()
        later: list[Edge] = []
        excluded: list[Edge] = []
        for function in sorted(self.graph.entries, key=Function.key):
            for point in self.graph.entries[function]:
                if point.entry.often in ("request", "item") and not point.where.file.is_test:
                    if function not in self.reached and not self.cached(function):
                        self.reached[function] = point
                        now.append(function)
        conditions = 0
        while now:
            function = now.popleft()
            self.conditions[function] = conditions
            for edge in self.graph.out.get(function, ()):
                if edge.target in self.reached or not self._goes_on(edge):
                    continue
                if conditional(function.module, edge.site):
                    later.append(edge)
                else:
                    self.reached[edge.target] = edge
                    now.append(edge.target)
            if not now:
                conditions += 1
                later, waiting = [], excluded + later
                excluded = []
                for edge in waiting:
                    if edge.target in self.reached:
                        continue
                    if self.excluded(edge.caller, edge.site):
                        excluded.append(edge)
                        continue
                    self.reached[edge.target] = edge
                    now.append(edge.target)

    def excluded(self, function: Function, site: CallSite) -> bool:
        """Whether all calls of a function from code that runs per request keep it from reaching a site."""
        if isinstance(self.reached.get(function), EntryPoint):
            return False
        callers = [e for e in self.graph.into.get(function, ()) if e.caller in self.reached]
        return bool(callers) and all(self._tests.contradicts(e, site) for e in callers)

    def _goes_on(self, edge: Edge) -> bool:
        """Whether the target of an edge runs as often as its caller."""
        target = edge.target
        if edge.how == "run" or target.facts.kind in ("module", "class"):
            # `run`: a loop of its own, and clients that belong to it.
            return False
        if self.cached(target) or self.guarded(edge.caller, edge.site):
            return False
        return self.entry_often(target) != "once"

    def _settle_once(self) -> None:
        """Functions all of whose callers run once, and outside loops."""
        functions = self.graph.known_functions()
        for function in functions:
            often = self.entry_often(function)
            if (
                function.facts.kind in ("module", "class")
                or often in ("once", "test")
                or self.cached(function)
            ):
                self.once.add(function)
                if often == "once" and any(
                    p.entry.role in ("lifespan", "startup", "shutdown")
                    for p in self.graph.entries[function]
                ):
                    self.startup.add(function)
        changed = True
        left = [
            (function, self._callers(function))
            for function in functions
            if function not in self.once and self.entry_often(function) not in ("request", "item")
        ]
        while changed:
            changed = False
            for function, edges in left:
                if function in self.once:
                    continue
                if not edges:
                    if self._is_main(function):
                        self.once.add(function)
                        changed = True
                    continue
                if all(
                    e.how == "run"
                    or (e.caller in self.once and not self.loops(e.caller.module, e.site))
                    for e in edges
                ):
                    self.once.add(function)
                    changed = True
                    if all(e.caller in self.startup for e in edges):
                        self.startup.add(function)

    def _callers(self, function: Function) -> list[Edge]:
        """Where a function is called, tests aside."""
        return [e for e in self.graph.into.get(function, ()) if not e.caller.module.file.is_test]

    def _settle_commands(self) -> None:
        """Commands, and the functions all of whose callers are such."""
        for function, points in self.graph.entries.items():
            if all(p.entry.role == "command" and p.entry.often == "once" for p in points):
                self.commands.add(function)
        queue = list(self.commands)
        while queue:
            for edge in self.graph.out.get(queue.pop(), ()):
                target = edge.target
                if target in self.commands or target in self.graph.entries:
                    continue
                if all(e.caller in self.commands for e in self._callers(target)):
                    self.commands.add(target)
                    queue.append(target)
        queue = []
        for function in self.commands:
            if self._serves(function):
                self.serving.add(function)
                for edge in self.graph.out.get(function, ()):
                    if _goes_on_for_ever(function.module, edge.site):
                        queue.append(edge.target)
        while queue:
            function = queue.pop()
            if function in self.commands and function not in self.graph.entries:
                self.commands.discard(function)
                queue += [edge.target for edge in self.graph.out.get(function, ())]

    def _serves(self, function: Function) -> bool:
        """Whether a command runs a function as a task, beside others: what it does again and again keeps them waiting."""
        if not function.is_async:
            return False
        for edge in self._callers(function):
            role = edge.site.role
            if role[0] != "arg":
                continue
            module = edge.caller.module
            outer = self.evaluator.callee(module, module.site(role[1]))
            known = known_callee(self.evaluator, outer)
            if known is not None and (known.spawns is not None or known.gathers):
                return True
        return False

    def looks_like_lifespan(self, function: Function) -> bool:
        """A decorated generator called `lifespan`, whoever registers it: what blocks in it blocks once."""
        facts = function.facts
        return (
            function.is_async
            and facts.name.endswith("lifespan")
            and facts.generator
            and bool(facts.decorators)
        )

    def _is_main(self, function: Function) -> bool:
        """A function without callers that starts an event loop: a console script's `main`."""
        if function.is_async or function.facts.kind != "def" or function.klass is not None:
            return False
        for site in self.graph.speaking[function]:
            known = known_callee(self.evaluator, self.evaluator.callee(function.module, site))
            if known is not None and known.runs_loop and not self.graph.entries.get(function):
                return True
        return False

    def alone(self, function: Function, site: CallSite, kind: str, name: str) -> bool:
        """Whether short local work there is done once in a program's life: a command, a script's `main`."""
        if function in self.commands:
            if function in self.serving and _goes_on_for_ever(function.module, site):
                return False
            return kind in ("file", "stat", "subprocess", "wait", "sleep")
        if function not in self.once or self.cached(function):
            return False
        around = [function, *(e.caller for e in self.graph.into.get(function, ()))]
        if any(f.facts.decorators for f in around if f not in self.commands):
            # A decorator may call it again and again.
            return False
        if name == "input" or name.startswith("socket.get"):
            return True
        return kind in ("file", "stat", "subprocess") and not self.loops(function.module, site)

    # -- places -----------------------------------------------------------------------------------------

    def loops(self, module: Module, site: CallSite) -> bool:
        """Whether the site is in a loop or comprehension of its function."""
        return any(b.kind in ("for", "afor", "while", "comp") for b in module.chain(site.block))

    def guarded(self, function: Function, site: CallSite) -> bool:
        """Whether the site runs only while something is not there that is kept afterwards."""
        return guards.guarded(function, site, self.filling.filled)

    def request_chain(self, function: Function) -> tuple[Link, ...]:
        """From the entry point down to a function that runs per request."""
        links: list[Link] = []
        current: Function | None = function
        seen: set[Function] = set()
        while current is not None and current not in seen:
            seen.add(current)
            how = self.reached[current]
            if isinstance(how, EntryPoint):
                words = ROLE_WORDS.get(how.entry.role, "is called for every request")
                links.append(places.head(current, f"`{current.name}` {words}"))
                if how.user is not None and how.user is not current:
                    text = f"`{how.user.name}` depends on `{current.name}`"
                    links.append(places.head(how.user, text))
                current = None
            else:
                text = f"`{how.caller.name}` calls `{place_name(how.site, how.target)}`"
                links.append(places.link(how.caller, how.site, text))
                current = how.caller
        return tuple(reversed(links))
