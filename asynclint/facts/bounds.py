"""What keeps down how many coroutines of a function run at once: a semaphore, a pool, a thread for each."""

from __future__ import annotations

import re

from asynclint.facts import pools
from asynclint.facts.decorators import decorator_value
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.graph import Edge, Graph
from asynclint.facts.guards import last_name
from asynclint.facts.known_calls import known_callee
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Klass, Module
from asynclint.facts.suspending import Suspending
from asynclint.facts.types import (
    Coro,
    Func,
    Inst,
    Lib,
    LibMethod,
    Part,
    Threaded,
    Type,
    members,
)

BOUND_WORDS = ("sem", "limit", "throttle", "lock", "slot", "bound", "capacity", "concurren")
"""What the names of unknown guards say."""

GUARD = re.compile(r"sem|limit|throttle|(?<![bc])lock|slot|bound|concurren", re.IGNORECASE)
"""What the project's own guards are named."""

TIMEOUTS = frozenset({"asyncio.timeout", "asyncio.timeout_at"})

STARTING = frozenset({"create_task", "ensure_future", "wait_for", "shield"})
"""Calls that start a coroutine, and give what can be waited for."""


class Bounds:
    """Bounds of a program's functions."""

    def __init__(self, evaluator: Evaluator, graph: Graph) -> None:
        self.evaluator = evaluator
        self.graph = graph
        self.suspending = Suspending(evaluator)
        self._bounded: dict[Function, bool] = {}

    def coroutine(self, function: Function, recipe: Recipe) -> bool:
        """Whether a member is a coroutine that nothing in it bounds. Unknown callees count when called."""
        if not recipe:
            return False
        if recipe[0] == "any":
            return any(self.coroutine(function, r) for r in recipe[1])
        if recipe[0] != "call":
            return False
        module = function.module
        site = module.site(recipe[1])
        callee = self.evaluator.callee(module, site)
        if callee is None:
            type_ = self.evaluator.call_type(module, site.index)
            if type_ is not None:
                return isinstance(type_, Coro)
            local = self._local_function(function, site)
            if local is not None and self.is_bounded(local):
                return False
            return self._looks_new(site)
        for member in members(callee):
            value = member.of if isinstance(member, Part) else member
            if isinstance(value, Func):
                if not value.function.is_async:
                    type_ = self.evaluator.call_type(module, site.index)
                    if not isinstance(type_, Coro) and not (
                        is_task(type_) and self._given(function, site, value.function)
                    ):
                        return False
                if self.is_bounded(value.function):
                    return False
            elif isinstance(value, (Lib, LibMethod)):
                known = known_callee(self.evaluator, value)
                if known is None:
                    return False
                if known.offloads is not None:
                    # Worker threads: the pool is the bound.
                    return False
                path = value.path if isinstance(value, Lib) else ""
                if path in ("asyncio.wait_for", "asyncio.shield", "asyncio.ensure_future"):
                    inner = site.args[0][0] if site.args else None
                    return self.coroutine(function, inner)
                if path.startswith("asyncio.") or (
                    isinstance(value, LibMethod) and value.cls.startswith("asyncio.")
                ):
                    return False
                if not known.coroutine:
                    return False
            elif isinstance(value, Threaded) or value is None:
                return False
        return True

    def _local_function(self, function: Function, site: CallSite) -> Function | None:
        """The function defined beside a call, whatever its decorators make of it."""
        if not site.callee or site.callee[0] != "name":
            return None
        bindings = function.facts.bindings.get(site.callee[1], ())
        if len(bindings) != 1 or not bindings[0].recipe or bindings[0].recipe[0] != "def":
            return None
        return function.module.functions[int(bindings[0].recipe[1])]

    def _given(self, function: Function, site: CallSite, maker: Function) -> bool:
        """Whether a function of the project that makes tasks is given a coroutine, and does not bound it."""
        if any(self._bounds(edge.target, 1) for edge in self.graph.out.get(maker, ())):
            return False
        return any(
            recipe and recipe[0] == "call" and self.coroutine(function, recipe)
            for recipe, _ in site.args
        )

    def _looks_new(self, site: CallSite) -> bool:
        """An unknown callee: the coroutine is made here, for this item, from it or with it."""
        callee = site.callee
        if not callee:
            return False
        last = callee[-1]
        if not isinstance(last, str):
            return False
        return not any(
            w in last.lower()
            for w in (
                "close",
                "stop",
                "cancel",
                "bound",
                "limit",
                "semaphore",
                "throttle",
                "shutdown",
                "disconnect",
                "wait",
                "finished",
                "put",
                "join",
                "executor",
                "thread",
            )
        )

    def mapped(self, function: Function, site: CallSite) -> bool:
        """Whether `map` is given a coroutine function that nothing in it bounds."""
        value = self.evaluator.at_site(site.args[0][0], site, function.module)
        if not isinstance(value, Func):
            return False
        if value.function.facts.kind == "lambda":
            return any(
                self.coroutine(value.function, r) for r, _, _ in value.function.facts.returns
            )
        return value.function.is_async and not self.is_bounded(value.function)

    def is_bounded(self, function: Function) -> bool:
        """Whether a coroutine function waits for a place, in it or in what it awaits, or for nothing at all."""
        if function in self._bounded:
            return self._bounded[function]
        self._bounded[function] = False
        result = (
            self._bounds(function, 0)
            or self._decorated_with_bound(function)
            or self._only_offloads(function)
            or self._only_waits(function)
            or self._left_to_others(function)
            or self.suspending.never(function)
        )
        self._bounded[function] = result
        return result

    def _bounds(self, function: Function, depth: int) -> bool:
        ev = self.evaluator
        module = function.module
        for site in function.sites:
            if site.kind in ("awith", "with"):
                if self._is_bound(ev.callee(module, site), site, module):
                    return True
            elif (
                (
                    site.kind == "call"
                    and site.callee
                    and site.callee[0] == "attr"
                    and site.callee[2] in ("acquire", "get")
                )
                and site.role[0] == "await"
                and site.callee[2] == "acquire"
            ):
                return True
        if pools.borrows(ev, function):
            return True
        if depth >= 3:
            return False
        return any(
            e.how == "async" and self._waited_for(e) and self._bounds(e.target, depth + 1)
            for e in self.graph.out.get(function, ())
            if e.target is not function and not self._own_fan_out(e)
        )

    def _waited_for(self, edge: Edge) -> bool:
        """Whether a function waits for the coroutine of a call: itself, or the task that it starts of it."""
        role, function = edge.site.role, edge.caller
        if role[0] != "arg":
            return role[0] in ("await", "awith", "return")
        outer = function.module.site(role[1])
        if last_name(outer.callee) not in STARTING or not function.facts.awaits:
            return False
        if outer.role[0] == "assign":
            uses = function.facts.uses.get(str(outer.role[1]), ())
            return any(use.role[0] == "await" for use in uses)
        return outer.role[0] in ("await", "return")

    def _only_offloads(self, function: Function) -> bool:
        """Whether all that a coroutine function waits for is work in threads, of which a pool has so many."""
        awaited = [s for s in function.sites if s.role[0] == "await"]
        if not awaited or len(function.facts.awaits) != len(awaited):
            return False
        for site in awaited:
            known = known_callee(self.evaluator, self.evaluator.callee(function.module, site))
            if known is None or known.offloads is None:
                return False
        return True

    def _only_waits(self, function: Function) -> bool:
        """Whether all that a coroutine function does is to wait for events, which is no work."""
        awaited = [s for s in function.sites if s.role[0] == "await"]
        entered = [s for s in function.sites if s.kind == "awith"]
        if not awaited or len(function.facts.awaits) != len(awaited) + len(entered):
            return False
        module = function.module
        return all(self._is_event_wait(module, s) for s in awaited) and all(
            self._is_timeout(module, s) for s in entered
        )

    def _is_event_wait(self, module: Module, site: CallSite) -> bool:
        """`event.wait()`, and `wait_for(event.wait(), seconds)`."""
        found = members(self.evaluator.callee(module, site))
        if any(isinstance(one, Lib) and one.path == "asyncio.wait_for" for one in found):
            given = site.args[0][0] if site.args else None
            if not given or given[0] != "call":
                return False
            found = members(self.evaluator.callee(module, module.site(given[1])))
        return bool(found) and all(map(_is_event, found))

    def _is_timeout(self, module: Module, site: CallSite) -> bool:
        """Whether what is entered is `asyncio.timeout(seconds)`."""
        entered = site.callee
        if not entered or entered[0] != "call":
            return False
        callee = self.evaluator.callee(module, module.site(entered[1]))
        return isinstance(callee, Lib) and callee.path in TIMEOUTS

    def _left_to_others(self, function: Function) -> bool:
        """Whether all that a coroutine waits for was handed to an object whose coroutines take a semaphore of its own."""
        around = function.method_around()
        awaited = [s for s in function.sites if s.role[0] == "await"]
        if around is None or around.klass is None or not function.facts.awaits:
            return False
        if any(e.how == "async" for e in self.graph.out.get(function, ())):
            return False
        if any(self.evaluator.callee(function.module, s) is not None for s in awaited):
            return False
        return any(
            one.is_async and one.klass is around.klass and self._takes_own(one)
            for one in function.module.functions
        )

    def _takes_own(self, method: Function) -> bool:
        """Whether a method enters a bound that its object keeps."""
        return any(
            site.kind == "awith"
            and bool(site.callee)
            and site.callee[0] == "attr"
            and site.callee[1] == ("name", method.self_name)
            and self._is_bound(self.evaluator.callee(method.module, site), site, method.module)
            for site in method.sites
        )

    def _decorated_with_bound(self, function: Function) -> bool:
        """A decorator of the project whose wrapper waits for a place, or an unknown one that is named for it."""
        for recipe in function.facts.decorators:
            value = decorator_value(self.evaluator, recipe, function)
            if isinstance(value, Func):
                maker = value.function
                for inner in maker.module.functions[maker.facts.index + 1 :]:
                    if inner.facts.line > maker.facts.end_line:
                        break
                    if self._bounds(inner, 2):
                        return True
            else:
                text = recipe
                if text and text[0] == "call":
                    text = function.module.site(text[1]).callee
                name = text[-1] if text and text[0] in ("name", "attr") else None
                if isinstance(name, str) and any(w in name.lower() for w in BOUND_WORDS):
                    return True
        return False

    def _own_fan_out(self, edge: Edge) -> bool:
        """A bound inside a callee's own fan-out bounds that one only."""
        return any(
            (k := known_callee(self.evaluator, self.evaluator.callee(edge.target.module, s)))
            is not None
            and (k.gathers or k.gathers_iterable)
            for s in edge.target.sites
            if s.kind == "call"
        )

    def _is_bound(self, value: Type, site: CallSite, module: Module) -> bool:
        for member in members(value):
            if isinstance(member, Inst) and isinstance(member.of, str):
                for path in self.evaluator.known.mro(member.of):
                    cls = self.evaluator.known.cls(path)
                    if cls is not None and (cls.bounds or cls.lock):
                        return True
            elif isinstance(member, Inst) and isinstance(member.of, Klass):
                enter = member.of.own_method("__aenter__")
                if enter is not None and GUARD.search(member.of.facts.name):
                    return True
            elif member is None:
                recipe = site.callee
                while recipe and recipe[0] in ("call", "sub"):
                    recipe = module.site(recipe[1]).callee if recipe[0] == "call" else recipe[1]
                name = recipe[-1] if recipe and recipe[0] in ("name", "attr") else None
                if isinstance(name, str) and any(w in name.lower() for w in BOUND_WORDS):
                    # An unknown guard: quiet.
                    return True
        return False


def _is_event(value: Type) -> bool:
    """`event.wait`, of whichever library."""
    return (
        isinstance(value, LibMethod)
        and value.name == "wait"
        and value.cls.rpartition(".")[2] in ("Event", "Condition", "Barrier")
    )


def is_task(type_: Type) -> bool:
    """Whether a value is a task of asyncio's, which runs already."""
    return isinstance(type_, Inst) and type_.of == "asyncio.Task"
