"""Places that start one task for every item of something of unknown length, with no bound on the way."""

from __future__ import annotations

import re
from dataclasses import replace

from asynclint.facts import places, pools
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.graph import Edge, Graph
from asynclint.facts.model import Block, CallSite, Recipe
from asynclint.facts.program import Function, Klass, Module
from asynclint.facts.types import (
    Const,
    Coro,
    Func,
    Gen,
    Inst,
    Lib,
    LibMethod,
    Part,
    Threaded,
    Tup,
    Type,
    members,
)
from asynclint.facts.view import FanOut
from asynclint.findings import Link, Span

SMALL = 64
"""A constant range up to here is a bound in itself."""

SIZED = frozenset({"builtins.zip"})
SAME_LENGTH = frozenset({
    "builtins.enumerate", "builtins.sorted", "builtins.reversed", "builtins.list", "builtins.set", "builtins.tuple",
    "builtins.filter", "builtins.map", "builtins.iter", "builtins.dict", "builtins.frozenset",
})  # fmt: skip
LISTINGS = frozenset(
    {"glob.glob", "glob.iglob", "os.listdir", "os.scandir", "os.walk", "re.findall"}
)
"""What gives as much as is there."""

MAPS = frozenset({"builtins.map", "itertools.starmap"})
LIMITS = frozenset(
    {
        "itertools.islice",
        "itertools.batched",
        "heapq.nlargest",
        "heapq.nsmallest",
        "random.sample",
        "random.choices",
    }
)
SIZES = frozenset(
    {
        "limit",
        "batch",
        "batch_size",
        "page_size",
        "per_page",
        "max_batch_size",
        "max_count",
        "max_items",
        "max_messages",
        "max_records",
        "max_results",
        "max_size",
        "n_results",
        "num_results",
        "top_k",
    }
)
"""Keywords with which a call says how many it is to get."""

COUNT = re.compile(
    r"^[nk]$|^num|^n_|^top|^max(?!.*(?:time|second|wait|delay|age|length|chars))|limit|count|size|amount|results|how_many"
)
"""What the names of numbers say that tell how many a call is to get."""

BOUND_WORDS = ("sem", "limit", "throttle", "lock", "slot", "bound", "capacity", "concurren")
"""What the names of unknown guards say."""

GUARD = re.compile(r"sem|limit|throttle|(?<![bc])lock|slot|bound|concurren", re.IGNORECASE)
"""What the project's own guards are named."""

CHUNK_WORDS = ("chunk", "batch", "batched", "chunked", "grouper", "islice", "paginate", "window")


REGISTERED_WORDS = frozenset({
    "handler", "listener", "callback", "hook", "plugin", "middleware", "observer", "subscriber", "config",
    "coordinator", "integration", "component", "platform", "extension", "service", "provider", "backend", "guardrail",
    "capabilit", "toolset", "server", "factor", "registr", "validator", "scanner", "rail",
})  # fmt: skip
"""The last words, in the singular, of names for things that a program registers: as many as somebody wrote down."""


class FanOutFacts:
    """Unbounded concurrency of a program."""

    def __init__(self, evaluator: Evaluator, graph: Graph) -> None:
        self.evaluator = evaluator
        self.graph = graph
        self._bounded: dict[Function, bool] = {}

    # -- what is started ------------------------------------------------------------------------------------

    def at(self, function: Function) -> list[tuple[CallSite, FanOut]]:
        """The unbounded fan-outs of a function."""
        module = function.module
        if module.file.is_test:
            return []
        found: list[tuple[CallSite, FanOut]] = []
        asked: bool | None = None
        for site in self.graph.speaking[function]:
            if site.kind != "call":
                continue
            callee = self.evaluator.callee(module, site)
            for member in members(callee):
                known = self.evaluator.known_callee(member)
                if known is None:
                    continue
                if known.gathers or known.gathers_iterable:
                    made = self._gathered(function, site, known.gathers_iterable)
                elif known.spawns is not None:
                    made = self._spawned(function, site)
                else:
                    continue
                if made is not None:
                    if asked is None:
                        asked = self._bounded_on_demand(function)
                    if asked:
                        return []
                    name = known.name
                    if isinstance(member, LibMethod):
                        name = f"{member.cls.rpartition('.')[2]}.{member.name}"
                    found.append((site, FanOut(name, made)))
                break
        return found

    def _bounded_on_demand(self, function: Function) -> bool:
        """Whether a function makes a semaphore under a test: where it makes none, that is what was asked for."""
        module = function.module
        for site in function.sites:
            if site.kind != "call" or not any(
                b.kind in ("if", "else") for b in module.chain(site.block)
            ):
                continue
            callee = self.evaluator.callee(module, site)
            cls = self.evaluator.known.cls(callee.path) if isinstance(callee, Lib) else None
            if cls is not None and cls.bounds:
                return True
        return False

    def note_items(self, function: Function) -> None:
        """Tell the graph which coroutine functions run once for each item."""
        module = function.module
        facts = function.facts
        for site in function.sites if "map" in facts.loaded or "map" in facts.uses else ():
            if site.callee == ("name", "map") and site.role[0] == "star" and site.args:
                value = self.evaluator.at_site(site.args[0][0], site, module)
                if isinstance(value, Func) and value.function.is_async:
                    edge = Edge(function, site, value.function, "async")
                    self.graph.fanned[value.function].append(edge)
        for edge in self.graph.out.get(function, ()):
            if edge.how not in ("async", "spawn"):
                continue
            site = edge.site
            if not any(b.kind in ("for", "afor", "comp") for b in module.chain(site.block)):
                continue
            if (
                edge.how == "spawn"
                or self._handed_on(function, site)
                or self._in_turn(function, site)
            ):
                self.graph.fanned[edge.target].append(edge)

    def _in_turn(self, function: Function, site: CallSite) -> bool:
        """Awaited for one item after the other; not tried again and again."""
        module = function.module
        if site.role[0] != "await":
            return False
        for block in module.chain(site.block):
            if block.kind in ("for", "afor", "comp"):
                info = block.info
                if not info or info[0] != "call":
                    return True
                callee = module.site(info[1]).callee
                # `for attempt in range(3)`, `async for attempt in AsyncRetrying()`: tried again, not another item.
                return (
                    callee != ("name", "range")
                    and "retry" not in str(callee[-1] if callee else "").lower()
                )
        return False

    def _handed_on(self, function: Function, site: CallSite) -> bool:
        """Whether the coroutine of a call goes into a fan-out instead of being awaited in turn."""
        role = site.role
        if role[0] == "comp":
            return True
        if role[0] == "arg":
            outer = function.module.site(role[1])
            if outer.callee and outer.callee[0] == "attr" and outer.callee[2] in ("append", "add"):
                return True
            known = self.evaluator.known_callee(self.evaluator.callee(function.module, outer))
            return known is not None and known.spawns is not None
        return False

    def _gathered(
        self, function: Function, site: CallSite, iterable: bool
    ) -> tuple[Link, ...] | None:
        positional = [r for r, k in site.args if k is None]
        for recipe in positional:
            if iterable:
                target = recipe
            elif recipe and recipe[0] == "star":
                target = recipe[1]
            else:
                continue
            found = self._collection(function, site, target, 0)
            if found is not None:
                return found
            if iterable:
                break
        return None

    def _collection(
        self, function: Function, site: CallSite, recipe: Recipe, depth: int
    ) -> tuple[Link, ...] | None:
        """Why a collection of coroutines has as many members as the data; None when it has not, or is unknown."""
        if not recipe or depth > 4:
            return None
        module = function.module
        tag = recipe[0]
        if tag == "comp":
            if self._starts_tasks(function, recipe[2]):
                return None
            if not self._data(function, recipe[3], site):
                return None
            if not self._coroutine(function, recipe[2]):
                return None
            return ()
        if tag == "call":
            inner = module.site(recipe[1])
            callee = self.evaluator.callee(module, inner)
            path = callee.path if isinstance(callee, Lib) else ""
            if inner.callee and inner.callee[0] == "attr" and inner.callee[2] == "values":
                # `{x: f(x) for x in xs}.values()`
                return self._collection(function, inner, inner.callee[1], depth + 1)
            if path in MAPS and len(inner.args) >= 2:
                if all(self._data(function, r, inner) for r, _ in inner.args[1:]) and self._mapped(
                    function, inner
                ):
                    return ()
                return None
            if path in SAME_LENGTH and inner.args:
                return self._collection(function, inner, inner.args[0][0], depth + 1)
            return None
        if tag == "name":
            return self._named(function, site, recipe[1], depth)
        if tag == "any" and recipe[2] == "if":
            for part in recipe[1]:
                found = self._collection(function, site, part, depth + 1)
                if found is not None:
                    return found
        if tag == "binop":
            for part in recipe[1:]:
                found = self._collection(function, site, part, depth + 1)
                if found is not None:
                    return found
        return None

    def _named(
        self, function: Function, site: CallSite, name: str, depth: int
    ) -> tuple[Link, ...] | None:
        """`tasks = [f(x) for x in xs]`, or an empty list filled in a loop."""
        module = function.module
        bindings = function.facts.bindings.get(name)
        if not bindings:
            return None
        reaching, _ = self.evaluator.program.reaching_bindings(
            module, bindings, site.line, site.col, site.block
        )
        for binding in reaching:
            if binding.kind not in ("assign", "ann"):
                continue
            found = self._collection(function, site, binding.recipe, depth + 1)
            if found is not None:
                span = Span(binding.line, 1, binding.line, max(2, binding.col + 1))
                return (
                    Link(module.file.name, span, f"`{name}` has one member for every item"),
                    *found,
                )
            if binding.recipe and (
                (binding.recipe[0] == "display" and not binding.recipe[2])
                or (
                    binding.recipe[0] == "call"
                    and module.site(binding.recipe[1]).callee in (("name", "list"), ("name", "set"))
                )
            ):
                return self._filled(function, name, binding.block, site)
        return None

    def _filled(
        self, function: Function, name: str, home: int, gather: CallSite
    ) -> tuple[Link, ...] | None:
        module = function.module
        for inner in function.sites:
            if inner.callee not in (
                ("attr", ("name", name), "append"),
                ("attr", ("name", name), "add"),
            ):
                continue
            if inner.line > gather.line or not inner.args:
                continue
            loops = self._loops(module, inner, home)
            if not loops or any(module.inside(gather.block, i) for i, _ in loops):
                continue
            if self._starts_tasks(function, inner.args[0][0]):
                # The task starts in the loop: reported there.
                continue
            if _is_picked(function, inner, loops[0][0]) or _counted(function, loops[-1][0]):
                continue
            if all(self._data_block(function, b, inner) for _, b in loops[-1:]) and self._coroutine(
                function, inner.args[0][0]
            ):
                return (places.link(function, inner, f"`{name}` gets one member for every item"),)
        return None

    def _loops(self, module: Module, site: CallSite, home: int = -1) -> list[tuple[int, Block]]:
        """The loops between a site and a block around it, innermost first."""
        found = []
        index = site.block
        while index >= 0 and index != home:
            block = module.blocks[index]
            if block.kind in ("for", "afor", "comp", "while"):
                found.append((index, block))
            index = block.parent
        return found

    def _spawned(self, function: Function, site: CallSite) -> tuple[Link, ...] | None:
        """A task started in a loop."""
        module = function.module
        if site.role[0] == "await":
            return None
        loops = self._loops(module, site, self._home(function, site))
        if not loops:
            return None
        if any(b.kind == "while" for _, b in loops):
            # A server or consumer loop: one task for each arrival, often paced by what it awaits.
            return None
        first = loops[0][1]
        if first.kind == "afor" or any(b.kind == "afor" for _, b in loops):
            return None
        if self._joined_inside(function, site, loops[0][0]) or _is_picked(
            function, site, loops[0][0]
        ):
            return None
        if any(_counted(function, index) for index, _ in loops):
            return None
        if not all(self._data_block(function, b, site) for _, b in loops[:1]):
            return None
        known = self.evaluator.known_callee(
            next(iter(members(self.evaluator.callee(module, site))), None)
        )
        recipe = None
        if known is not None and known.spawns is not None:
            recipe = self.evaluator.argument(site, known, known.spawns)
        if known is not None and known.spawns_call:
            value = self.evaluator.at_site(recipe, site, module)
            if isinstance(value, Func) and self._is_bounded(value.function):
                return None
            return ()
        if recipe is None or not self._coroutine(function, recipe):
            return None
        return ()

    def _home(self, function: Function, site: CallSite) -> int:
        """The block in which the task group of a spawning call is entered: loops around it start it anew."""
        callee = site.callee
        if not callee or callee[0] != "attr" or not callee[1] or callee[1][0] != "name":
            return -1
        for binding in function.facts.bindings.get(callee[1][1], ()):
            if binding.kind == "with" and (binding.line, binding.col) < (site.line, site.col):
                if function.module.inside(site.block, binding.block):
                    return binding.block
        return -1

    def _joined_inside(self, function: Function, site: CallSite, loop: int) -> bool:
        """The loop itself waits for what it started, or waits in turn for a place."""
        module = function.module
        return (
            any(
                module.inside(block, loop)
                for line, block in function.facts.awaits
                if line >= (site.statement[0] if site.statement else site.line)
            )
            or any(
                module.inside(block, loop)
                and any(
                    other.callee and other.callee[-1] in ("acquire", "wait", "get")
                    for other in function.sites
                    if other.line == line
                )
                for line, block in function.facts.awaits
            )
            or any(
                module.inside(other.block, loop)
                and bool(other.callee)
                and other.callee[0] == "attr"
                and other.callee[2].startswith("acquire")
                for other in function.sites
            )
        )

    def _starts_tasks(self, function: Function, recipe: Recipe) -> bool:
        """`create_task(f(x))`: the task starts where it is made, and is reported there."""
        if not recipe or recipe[0] != "call":
            return False
        site = function.module.site(recipe[1])
        known = self.evaluator.known_callee(self.evaluator.callee(function.module, site))
        return known is not None and known.spawns is not None

    # -- bounds -----------------------------------------------------------------------------------------------

    def _coroutine(self, function: Function, recipe: Recipe) -> bool:
        """Whether a member is a coroutine that nothing in it bounds. Unknown callees count when called."""
        if not recipe:
            return False
        if recipe[0] == "any":
            return any(self._coroutine(function, r) for r in recipe[1])
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
            if local is not None and self._is_bounded(local):
                return False
            return self._looks_new(site)
        for member in members(callee):
            value = member.of if isinstance(member, Part) else member
            if isinstance(value, Func):
                if not value.function.is_async:
                    type_ = self.evaluator.call_type(module, site.index)
                    if not isinstance(type_, Coro) and not (
                        self._is_task(type_) and self._given(function, site, value.function)
                    ):
                        return False
                if self._is_bounded(value.function):
                    return False
            elif isinstance(value, (Lib, LibMethod)):
                known = self.evaluator.known_callee(value)
                if known is None:
                    return False
                if known.offloads is not None:
                    # Worker threads: the pool is the bound.
                    return False
                path = value.path if isinstance(value, Lib) else ""
                if path in ("asyncio.wait_for", "asyncio.shield", "asyncio.ensure_future"):
                    inner = site.args[0][0] if site.args else None
                    return self._coroutine(function, inner)
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

    def _is_task(self, type_: Type) -> bool:
        return isinstance(type_, Inst) and type_.of == "asyncio.Task"

    def _given(self, function: Function, site: CallSite, maker: Function) -> bool:
        """Whether a function of the project that makes tasks is given a coroutine, and does not bound it."""
        if any(self._bounds(edge.target, 1) for edge in self.graph.out.get(maker, ())):
            return False
        return any(
            recipe and recipe[0] == "call" and self._coroutine(function, recipe)
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

    def _mapped(self, function: Function, site: CallSite) -> bool:
        value = self.evaluator.at_site(site.args[0][0], site, function.module)
        if not isinstance(value, Func):
            return False
        if value.function.facts.kind == "lambda":
            return any(
                self._coroutine(value.function, r) for r, _, _ in value.function.facts.returns
            )
        return value.function.is_async and not self._is_bounded(value.function)

    def waits(self, function: Function) -> bool:
        """Whether a coroutine function is bounded: it does not run at once with others."""
        return self._is_bounded(function)

    def _is_bounded(self, function: Function) -> bool:
        """Whether a coroutine function waits for a place: a semaphore, limiter or lock, in it or in what it awaits."""
        if function in self._bounded:
            return self._bounded[function]
        self._bounded[function] = False
        result = (
            self._bounds(function, 0)
            or self._decorated_with_bound(function)
            or self._only_offloads(function)
            or self._only_waits(function)
            or self._left_to_others(function)
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
            e.how == "async"
            and e.site.role[0] in ("await", "awith", "return")
            and self._bounds(e.target, depth + 1)
            for e in self.graph.out.get(function, ())
            if e.target is not function and not self._own_fan_out(e)
        )

    def _only_offloads(self, function: Function) -> bool:
        """Whether all that a coroutine function waits for is work in threads, of which a pool has so many."""
        awaited = [s for s in function.sites if s.role[0] == "await"]
        if not awaited or len(function.facts.awaits) != len(awaited):
            return False
        for site in awaited:
            known = self.evaluator.known_callee(self.evaluator.callee(function.module, site))
            if known is None or known.offloads is None:
                return False
        return True

    def _only_waits(self, function: Function) -> bool:
        """Whether all that a coroutine function does is to wait for events, which is no work."""
        awaited = [s for s in function.sites if s.role[0] == "await"]
        if not awaited or len(function.facts.awaits) != len(awaited):
            return False
        for site in awaited:
            found = list(members(self.evaluator.callee(function.module, site)))
            if not found or not all(_is_event(one) for one in found):
                return False
        return True

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
            value = self.evaluator.decorator_value(recipe, function)
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
            (k := self.evaluator.known_callee(self.evaluator.callee(edge.target.module, s)))
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

    # -- lengths -------------------------------------------------------------------------------------------------

    def _data_block(self, function: Function, block: Block, site: CallSite) -> bool:
        return self._data(function, block.info, site)

    def _registered(self, recipe: Recipe) -> bool:
        """An iterable that is named for what a program sets up, not for its data: handlers, plugins, configurations."""
        name = recipe[-1] if recipe and recipe[0] in ("name", "attr") else None
        if not isinstance(name, str):
            return False
        last = name.lower().rpartition("_")[2]
        return last.removesuffix("s").removesuffix("ie") in REGISTERED_WORDS

    def _data(self, function: Function, recipe: Recipe, site: CallSite, depth: int = 0) -> bool:
        """Whether the length of an iterable comes from data: a parameter, a query, a response, a file."""
        if not recipe or depth > 6 or self._registered(recipe):
            return False
        tag = recipe[0]
        if tag in ("display", "dict", "const"):
            return tag == "display" and any(
                i and i[0] == "star" and self._data(function, i[1], site, depth + 1)
                for i in recipe[2]
            )
        if tag == "await":
            awaited = recipe[1]
            if awaited and awaited[0] == "call":
                return not self._is_sized(function, function.module.site(awaited[1]))
            return True
        if tag == "comp":
            return self._data(function, recipe[3], site, depth + 1)
        if tag == "sub":
            if recipe[2] and recipe[2][0] == "slice":
                return False
            return self._data(function, recipe[1], site, depth + 1)
        if tag == "any":
            return any(self._data(function, r, site, depth + 1) for r in recipe[1])
        if tag == "attr":
            return self._attribute_data(function, recipe, site, depth)
        if tag == "call":
            return self._call_data(function, recipe, depth)
        if tag == "name":
            return self._name_data(function, recipe[1], site, depth)
        if tag == "iter":
            return self._data(function, recipe[1], site, depth + 1) and not self._chunks(
                function, recipe[1]
            )
        if tag == "item":
            return self._data(function, recipe[1], site, depth + 1)
        if tag == "binop":
            return any(self._data(function, r, site, depth + 1) for r in recipe[1:])
        return False

    def _is_sized(self, function: Function, site: CallSite) -> bool:
        """Whether a call says how many it is to get: by the keyword, or with a number that is cut at a bound."""
        return any(
            keyword in SIZES or self._is_cut(function, recipe, site)
            for recipe, keyword in site.args
        )

    def _is_cut(self, function: Function, recipe: Recipe, site: CallSite) -> bool:
        """`number`, which is `max(1, min(MOST, number))`, and counts something."""
        if not recipe or recipe[0] != "name" or not COUNT.search(recipe[1]):
            return False
        module = function.module
        bindings = function.facts.bindings.get(recipe[1], [])
        reaching, certain = self.evaluator.program.reaching_bindings(
            module, bindings, site.line, site.col, site.block
        )
        return certain and bool(reaching) and all(_is_least(module, one.recipe) for one in reaching)

    def _chunks(self, function: Function, recipe: Recipe) -> bool:
        """Iterating over chunks: each one has a bounded length."""
        if not recipe or recipe[0] != "call":
            return False
        callee = function.module.site(recipe[1]).callee
        name = callee[-1] if callee else None
        return isinstance(name, str) and any(w in name.lower() for w in CHUNK_WORDS)

    def _attribute_data(
        self, function: Function, recipe: Recipe, site: CallSite, depth: int
    ) -> bool:
        base = recipe[1]
        while base and base[0] == "attr":
            base = base[1]
        if not base:
            return False
        if base[0] == "name":
            if base[1] == function.self_name or base[1] in ("self", "cls"):
                return False
            value = self.evaluator.at_site(recipe, site, function.module)
            if isinstance(value, (Tup, Const)):
                return False
            return self._name_data(function, base[1], site, depth + 1)
        return self._data(function, base, site, depth + 1)

    def _call_data(self, function: Function, recipe: Recipe, depth: int) -> bool:
        ev = self.evaluator
        module = function.module
        inner = module.site(recipe[1])
        callee = ev.callee(module, inner)
        if isinstance(callee, Lib):
            path = callee.path
            if path == "builtins.range":
                return self._range_data(function, inner, depth)
            if path in SIZED:
                return bool(inner.args) and all(
                    self._data(function, r, inner, depth + 1) for r, k in inner.args if k is None
                )
            if path in LIMITS:
                return False
            if path in SAME_LENGTH:
                if not inner.args:
                    return False
                which = (
                    1 if path in ("builtins.map", "builtins.filter") and len(inner.args) > 1 else 0
                )
                return self._data(function, inner.args[which][0], inner, depth + 1)
            if path in LISTINGS:
                return not any(self._beside(function, r, 0) for r, _ in inner.args)
            if path.startswith("itertools."):
                return any(
                    self._data(function, r[1] if r and r[0] == "star" else r, inner, depth + 1)
                    for r, _ in inner.args
                )
        if self._is_sized(function, inner):
            return False
        text = inner.callee
        name = text[-1] if text else None
        if isinstance(name, str) and any(w in name.lower() for w in CHUNK_WORDS):
            return False
        if text and text[0] == "attr":
            if name in ("items", "values", "keys", "copy"):
                return self._data(function, text[1], inner, depth + 1)
            if name in (
                "split",
                "splitlines",
                "all",
                "scalars",
                "fetchall",
                "json",
                "readlines",
                "findall",
            ):
                return True
            if name in ("iterdir", "rglob", "glob"):
                return not self._beside(function, text[1], 0)
        if isinstance(callee, Func):
            target = callee.function
            returned = ev.return_type(target)
            if isinstance(returned, (Tup, Const)):
                return False
            if target.facts.returns and all(
                r and r[0] == "display" for r, _, _ in target.facts.returns
            ):
                return False
            return not any(
                r and r[0] == "sub" and r[2] and r[2][0] == "slice"
                for r, _, _ in target.facts.returns
            ) and bool(inner.args)
        if callee is None and not inner.args:
            return False
        return callee is None or isinstance(ev.call_type(module, inner.index), Gen)

    def _beside(self, function: Function, recipe: Recipe, depth: int) -> bool:
        """`Path(__file__).parent`: the files beside the code are as many as somebody wrote."""
        if not recipe or depth > 6:
            return False
        if recipe[0] in ("attr", "binop"):
            return self._beside(function, recipe[1], depth + 1)
        if recipe[0] == "call":
            inner = function.module.site(recipe[1])
            parts = [inner.callee, *(r for r, _ in inner.args)]
            return any(self._beside(function, part, depth + 1) for part in parts)
        if recipe[0] != "name":
            return False
        if recipe[1] == "__file__":
            return True
        scope: Function | None = function
        while scope is not None and recipe[1] not in scope.facts.bindings:
            scope = scope.parent
        bindings = scope.facts.bindings[recipe[1]] if scope is not None else []
        return any(self._beside(scope or function, b.recipe, depth + 1) for b in bindings)

    def _range_data(self, function: Function, site: CallSite, depth: int) -> bool:
        for recipe, _ in site.args:
            if not recipe:
                continue
            if recipe[0] == "const" and isinstance(recipe[1], int) and recipe[1] <= SMALL:
                continue
            if recipe[0] == "call":
                inner = function.module.site(recipe[1])
                if inner.callee == ("name", "len") and inner.args:
                    if self._data(function, inner.args[0][0], inner, depth + 1):
                        return len(site.args) < 3
        return False

    def _name_data(self, function: Function, name: str, site: CallSite, depth: int) -> bool:
        ev = self.evaluator
        module = function.module
        bindings = function.facts.bindings.get(name)
        if bindings:
            reaching, certain = ev.program.reaching_bindings(
                module, bindings, site.line, site.col, site.block
            )
            if len(reaching) == 1 and reaching[0].kind == "aug" and depth < 6:
                # `paths += …` keeps what was there.
                added = reaching[0]
                before = moved(site, added.line, added.col, added.block)
                return self._name_data(function, name, before, depth + 1)
            if any(self._limited(b.recipe) for b in reaching):
                return False
            if self._limited_by_test(function, name, site):
                return False
            for binding in reaching:
                recipe = binding.recipe
                if not recipe:
                    continue
                if recipe[0] == "iter" and self._chunks(function, recipe[1]):
                    return False
                if (recipe[0] in ("display",) and not recipe[2]) or (
                    recipe[0] == "call"
                    and module.site(recipe[1]).callee
                    in (("name", "list"), ("name", "set"), ("name", "dict"))
                ):
                    if self._grown(function, name, depth):
                        return True
                    continue
                if self._data(
                    function,
                    recipe,
                    moved(site, binding.line, binding.col, binding.block),
                    depth + 1,
                ):
                    return True
            if certain or name not in function.parameters:
                return False
        parameter = function.parameters.get(name)
        if parameter is not None:
            if name == function.self_name or self._limited_by_test(function, name, site):
                return False
            declared = ev.annotation(parameter.annotation, function.parent or function)
            if isinstance(declared, Tup):
                return False
            # What stands in `*args` is written out by the callers, or starred there.
            return parameter.kind in ("pos", "kw") and not self._written_out(function, name)
        outer = function.parent
        while outer is not None and outer.facts.kind != "module":
            if name in outer.parameters or name in outer.facts.bindings:
                end = moved(site, outer.facts.end_line + 1, 0, outer.facts.root_block)
                return self._name_data(outer, name, end, depth + 1)
            outer = outer.parent
        return False

    def _written_out(self, function: Function, name: str) -> bool:
        """Whether every known call of the function writes the parameter's items out."""
        callers = [e for e in self.graph.into.get(function, ()) if not e.caller.module.file.is_test]
        passed = [argument_of(e, name) for e in callers]
        return bool(passed) and all(
            r and r[0] == "display" and not any(i and i[0] == "star" for i in r[2]) for r in passed
        )

    def _grown(self, function: Function, name: str, depth: int) -> bool:
        """An empty list that a loop over data fills."""
        module = function.module
        for inner in function.sites:
            if inner.callee in (
                ("attr", ("name", name), "append"),
                ("attr", ("name", name), "add"),
                ("attr", ("name", name), "extend"),
            ):
                loops = self._loops(module, inner)
                if loops and self._data(function, loops[0][1].info, inner, depth + 1):
                    return True
                if (
                    inner.callee[2] == "extend"
                    and inner.args
                    and self._data(function, inner.args[0][0], inner, depth + 1)
                ):
                    return True
        return False

    def _limited(self, recipe: Recipe) -> bool:
        return bool(recipe) and recipe[0] == "sub" and bool(recipe[2]) and recipe[2][0] == "slice"

    def _limited_by_test(self, function: Function, name: str, site: CallSite) -> bool:
        """`if len(urls) > 20: raise` before, or `if len(urls) <= 20:` around."""
        module = function.module
        for index, block in enumerate(module.blocks):
            if block.kind not in ("if", "else") or block.line > site.line or not block.info:
                continue
            if not module.inside(index, function.facts.root_block):
                continue
            if (block.raises or module.inside(site.block, index)) and _compares_length(
                block.info, name, module
            ):
                return True
        return False


def _is_event(value: Type) -> bool:
    """`event.wait`, of whichever library."""
    return (
        isinstance(value, LibMethod)
        and value.name == "wait"
        and value.cls.rpartition(".")[2] in ("Event", "Condition", "Barrier")
    )


def _is_least(module: Module, recipe: Recipe) -> bool:
    """`min(50, number)`, and `max(1, min(MOST, number))`."""
    site = module.site(recipe[1]) if recipe and recipe[0] == "call" else None
    if site is None or len(site.args) < 2:
        return False
    given = [one for one, _ in site.args if one]
    if site.callee == ("name", "min"):
        return any(_is_constant(one) for one in given)
    return site.callee == ("name", "max") and any(_is_least(module, one) for one in given)


def _is_constant(recipe: Recipe) -> bool:
    """A number, or a name in capitals."""
    if recipe and recipe[0] in ("name", "attr"):
        return bool(str(recipe[-1]).isupper())
    return bool(recipe) and recipe[0] == "const" and isinstance(recipe[1], int)


def _counted(function: Function, loop: int) -> bool:
    """Whether a loop ends, or passes over an item, where enough are there: `if len(tasks) >= slots: break`."""
    module = function.module
    for index, block in enumerate(module.blocks):
        if block.kind != "if" or not block.ends or not module.inside(block.parent, loop):
            continue
        for part in _parts(block.info):
            if part and part[0] == "cmp" and part[1] in ("Gt", "GtE", "Lt", "LtE", "Eq"):
                if any(other in (("const", 0), ("const", 1)) for other in part[2:]):
                    continue
                if any(_is_count(function, one, loop, index) for one in part[2:]):
                    return True
    return False


def _parts(test: Recipe) -> tuple[Recipe, ...]:
    return tuple(test[1]) if test and test[0] == "any" else (test,)


def _is_count(function: Function, recipe: Recipe, loop: int, test: int) -> bool:
    """`len(tasks)` of what is made before the loop, or a number that the loop increases."""
    module = function.module
    if recipe and recipe[0] == "call":
        site = module.site(recipe[1])
        recipe = site.args[0][0] if site.callee == ("name", "len") and site.args else None
        bindings = function.facts.bindings.get(recipe[1]) if recipe and recipe[0] == "name" else ()
        return bool(bindings) and not any(module.inside(b.block, loop) for b in bindings or ())
    if not recipe or recipe[0] != "name":
        return False
    bindings = function.facts.bindings.get(recipe[1], ())
    return any(b.kind == "aug" and module.inside(b.block, loop) for b in bindings)


def _is_picked(function: Function, site: CallSite, loop: int) -> bool:
    """Whether a test lets only a certain item of a loop come to a site: `if kind == Kind.TRACK:`."""
    blocks = function.module.blocks
    index = site.block
    while index >= 0 and index != loop:
        test = blocks[index].info if blocks[index].kind == "if" else None
        parts = test[1] if test and test[0] == "any" and test[2] == "and" else (test,)
        for part in parts:
            if part and part[0] == "cmp" and part[1] in ("Eq", "Is"):
                if any(_is_item(function, one, loop) for one in part[2:]) and any(
                    one and one[0] in ("const", "attr") for one in part[2:]
                ):
                    return True
        index = blocks[index].parent
    return False


def _is_item(function: Function, recipe: Recipe, loop: int) -> bool:
    """Whether a name is the target of a loop."""
    if not recipe or recipe[0] != "name":
        return False
    bindings = function.facts.bindings.get(recipe[1], ())
    return any(b.kind == "for" and b.block == loop for b in bindings)


def argument_of(edge: Edge, name: str) -> Recipe:
    """The argument that a call of a project function passes for a parameter; None where that is not plain."""
    target = edge.target
    given = iter(target.positional)
    for recipe, keyword in edge.site.args:
        if keyword == "**" or (recipe and recipe[0] == "star"):
            return None
        if (keyword or next(given, None)) == name:
            return recipe
    return None


def moved(site: CallSite, line: int, col: int, block: int) -> CallSite:
    """A place to read names from: the call site as if it stood elsewhere."""
    return replace(site, line=line, col=col, block=block)


def _compares_length(test: Recipe, name: str, module: Module) -> bool:
    if not test:
        return False
    if test[0] in ("any",):
        return any(_compares_length(t, name, module) for t in test[1])
    if test[0] == "not":
        return _compares_length(test[1], name, module)
    if test[0] == "cmp" and test[1] in ("Gt", "GtE", "Lt", "LtE"):
        for side in test[2:]:
            if side and side[0] == "call":
                site = module.site(side[1])
                if (
                    site.callee == ("name", "len")
                    and site.args
                    and site.args[0][0]
                    and site.args[0][0][-1] == name
                ):
                    other = test[3] if side is test[2] else test[2]
                    return bool(other not in (("const", 0), ("const", 1)))
    return False
