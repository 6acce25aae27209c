"""Which calls stop the event loop, and the chain of calls that shows it."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush

from asynclint.facts import places
from asynclint.facts.annotations import AWAITABLES, COROUTINES
from asynclint.facts.attributes import attribute_type
from asynclint.facts.builtin_calls import CONSUMERS
from asynclint.facts.conditions import NOTHING, Conditions, Given
from asynclint.facts.decorators import decorator_value
from asynclint.facts.ending import is_behind_end
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.graph import SYNC, Edge, Graph, place_name
from asynclint.facts.guards import last_name
from asynclint.facts.in_memory import in_memory
from asynclint.facts.known_calls import argument_for, known_callee, short_name
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.operations import TASKS
from asynclint.facts.program import Function, Klass, Module
from asynclint.facts.readable import READS, is_readable
from asynclint.facts.ready import filled_for, given_back, is_lock, ready
from asynclint.facts.runs import Runs
from asynclint.facts.settled import is_settled_against
from asynclint.facts.types import (
    Any_,
    Coro,
    Func,
    Inst,
    Lib,
    LibManager,
    LibMethod,
    Manager,
    Part,
    Taking,
    Type,
    members,
)
from asynclint.facts.view import Blocking
from asynclint.facts.virtual_files import is_virtual
from asynclint.findings import Link
from asynclint.knowledge.model import BlockKind
from asynclint.knowledge.model import Function as Known

TO_AWAIT = AWAITABLES | COROUTINES | TASKS

KINDS: tuple[BlockKind, ...] = (
    "sleep", "sdk", "http", "database", "subprocess", "wait", "loop", "file", "cpu", "stat",
)  # fmt: skip
"""From the gravest to the mildest."""

LOCAL: tuple[BlockKind, ...] = ("file", "stat", "cpu")
"""Done once for each of a few names, it is as good as done at startup."""

DOUBT = 3
"""A chain of helpers that takes more decisions than these says too little of the code at its head."""

CONDITIONS = 2
"""A chain with more steps than these under conditions shows too little: what holds them all is not known."""

MILD = frozenset({"file", "stat"})
"""Kinds that stop the loop for so short that a second condition on the way makes them doubtful."""

APPLY = frozenset({"builtins.map", "builtins.filter"})
"""Builtins that call their first argument for each item, when their result is used."""

USING_UP = CONSUMERS - {"builtins.next"}
"""Builtins that go through what they are given."""

FILES = frozenset({"io.TextIOWrapper", "io.BufferedReader", "io.BufferedWriter", "io.FileIO"})

PACKING = ("zipfile.ZipFile.", "tarfile.TarFile.")
"""What packs and unpacks, which takes its time in memory, too."""

NEAR = 4
"""From here on, each further helper counts as a decision."""

MOMENT = 0.005
"""Sleeping for at most these seconds is for a clock or another thread, and not felt."""


COMMON = frozenset(
    {
        "Session",
        "Client",
        "Connection",
        "Cursor",
        "Response",
        "Lock",
        "Queue",
        "Event",
        "Condition",
        "Future",
        "Thread",
        "Process",
        "Redis",
    }
)
"""Class names that say little without their module."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A library call that blocks."""

    kind: BlockKind
    name: str
    short: bool
    instead: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """Why a function blocks: the site in it, and the next function or the blocking call itself."""

    site: CallSite
    stop: Stop
    next: Function | None
    length: int
    doubt: int
    """How many decisions lead from here to the blocking call."""
    conditions: int
    """How many of the steps from here on are taken only under a condition."""


class BlockingFacts:
    """Blocking of every function and call site of a program."""

    def __init__(self, evaluator: Evaluator, graph: Graph, runs: Runs) -> None:
        self.evaluator = evaluator
        self.graph = graph
        self.runs = runs
        self.conditions = Conditions(evaluator)
        self.steps: dict[BlockKind, dict[Function, Step]] = {kind: {} for kind in KINDS}
        self.direct: dict[Function, list[tuple[CallSite, Stop]]] = {}
        self._spread()

    # -- the blocking calls themselves --------------------------------------------------------------------

    def stop(self, module: Module, site: CallSite) -> Stop | None:
        """What a call site itself waits for, when every value it may call blocks."""
        callee = self.evaluator.callee(module, site)
        if callee is None or module.lazy(site.block):
            return None
        stops = [self._stop(member, site, module) for member in members(callee)]
        if not stops or any(s is None for s in stops):
            return None
        return stops[0]

    def _stop(self, callee: Type, site: CallSite, module: Module) -> Stop | None:
        if site.kind == "call":
            if isinstance(callee, Part):
                callee = callee.of
            if site.role[0] in ("await", "awith", "afor"):
                return None
            if isinstance(callee, Func):
                return self._decorated(callee.function) or self._called_inside(callee, site, module)
            if isinstance(callee, Lib) and callee.path in APPLY:
                return self._mapped(site, module)
            if isinstance(callee, Lib) and callee.path in USING_UP:
                return self._used_up(site, module)
            known = known_callee(self.evaluator, callee)
            if known is not None and known.calls_on_loop is not None:
                return self._called_back(known, site, module)
            if known is not None and known.enters_argument and site.args:
                entered = site.args[0][0]
                value = self.evaluator.at_site(entered, site, module)
                stop = self._entered(value, entered, site, module)
                # A pool waits at the end of the stack.
                return stop if stop is None or stop.kind != "wait" else None
            if known is None or known.blocks is None or known.enter_blocks or known.coroutine:
                return None
            if not self._waits(known, site, module):
                return None
            kind = known.blocks
            if kind in ("file", "stat") and in_memory(self.evaluator, site, module):
                if kind == "stat" or not known.name.startswith(PACKING):
                    return None
                kind = "cpu"
            return Stop(kind, self.call_name(callee, site, module), known.short, known.instead)
        if site.kind == "with":
            return self._entered(callee, site.callee, site, module)
        if site.kind == "for" and isinstance(callee, Inst):
            return self._iterated(callee, site, site.callee, module)
        return None

    def _entered(self, value: Type, recipe: Recipe, site: CallSite, module: Module) -> Stop | None:
        """A context manager of a library that waits where it is entered."""
        if isinstance(value, LibManager):
            known = value.known
            if known is None or not known.enter_blocks or not known.blocks:
                return None
            name = self._made_name(recipe, module) or known.name
            return Stop(known.blocks, name, known.short, known.instead)
        if isinstance(value, Inst):
            cls_path = self._lib_class(value)
            cls = self.evaluator.known.cls(cls_path) if cls_path else None
            if cls is not None and cls.enter_blocks:
                if cls.enter_blocks == "wait" and self._awaited_inside(site, module):
                    return None
                return Stop(cls.enter_blocks, short_name(cls_path or ""), False, None)
        return None

    def _iterated(self, value: Inst, site: CallSite, recipe: Recipe, module: Module) -> Stop | None:
        """An object of a library that waits for each of its items."""
        path = self._lib_class(value)
        cls = self.evaluator.known.cls(path) if path else None
        if path is None or cls is None or not cls.iter_blocks:
            return None
        made = self._made_name(recipe, module, module.functions[site.function])
        return Stop(cls.iter_blocks, made or short_name(path), False, None)

    def _used_up(self, site: CallSite, module: Module) -> Stop | None:
        """`list(rows)`: what `for` would wait for."""
        recipe = site.args[0][0] if len(site.args) == 1 else None
        value = self.evaluator.at_site(recipe, site, module) if recipe else None
        if not recipe or not isinstance(value, Inst):
            return None
        if recipe[0] == "call" and self.stop(module, module.site(recipe[1])) is not None:
            return None  # Said of the call itself.
        return self._iterated(value, site, recipe, module)

    def _called_back(self, known: Known, site: CallSite, module: Module) -> Stop | None:
        """A blocking library function that is handed to the loop: `loop.call_later(5, time.sleep, 1)`."""
        assert known.calls_on_loop is not None
        return self._handed(
            self.evaluator.at_site(argument_for(site, known, known.calls_on_loop), site, module)
        )

    def _called_inside(self, callee: Func, site: CallSite, module: Module) -> Stop | None:
        """A blocking library function that a function of the project is given, and calls."""
        stops = (self._handed(value) for value in self.graph.handed_in(callee, site, module))
        return next((stop for stop in stops if stop is not None), None)

    def _mapped(self, site: CallSite, module: Module) -> Stop | None:
        """A blocking library function that `map` or `filter` calls, where the result is used up at once."""
        role = site.role
        if role[0] == "arg":
            outer = self.evaluator.callee(module, module.site(role[1]))
            if not (isinstance(outer, Lib) and outer.path in CONSUMERS):
                return None
        elif role[0] not in ("for", "star"):
            return None
        recipe = site.args[0][0] if site.args else None
        return self._handed(self.evaluator.at_site(recipe, site, module)) if recipe else None

    def _handed(self, value: Type) -> Stop | None:
        """A blocking library function that something else calls."""
        if not isinstance(value, (Lib, LibMethod)):
            return None
        target = known_callee(self.evaluator, value)
        if target is None or target.blocks is None or target.coroutine or target.enter_blocks:
            return None
        name = (
            _short_path(value.path)
            if isinstance(value, Lib)
            else f"{_owner(value.cls)}.{value.name}"
        )
        return Stop(target.blocks, name, target.short, target.instead)

    def _lib_class(self, value: Inst) -> str | None:
        if isinstance(value.of, str):
            return value.of
        for one in self.evaluator.mro(value.of):
            if isinstance(one, str):
                return one
        return None

    def _made_name(
        self, recipe: Recipe, module: Module, function: Function | None = None
    ) -> str | None:
        """The call that an object comes from, where it stands in its place, or is all that a local name holds."""
        if recipe and recipe[0] == "name" and function is not None:
            bindings = function.facts.bindings.get(recipe[1], ())
            recipe = bindings[0].recipe if len(bindings) == 1 else None
        if recipe and recipe[0] == "call":
            inner = module.site(recipe[1])
            callee = self.evaluator.callee(module, inner)
            # `answer.get("body")` gives what was there before.
            return None if isinstance(callee, Taking) else self.call_name(callee, inner, module)
        return None

    def _decorated(self, function: Function) -> Stop | None:
        """A sync function whose decorator sleeps between tries."""
        if function.is_async or not function.facts.decorators:
            return None
        for recipe in function.facts.decorators:
            known = known_callee(self.evaluator, decorator_value(self.evaluator, recipe, function))
            if known is not None and known.decorator_blocks:
                return Stop(known.decorator_blocks, known.name, False, known.instead)
        return None

    def _waits(self, known: Known, site: CallSite, module: Module) -> bool:
        for param, literal in known.unless:
            if self._is_set(argument_for(site, known, param), literal, site, module):
                return False
        if known.only_if and not any(
            self._is(argument_for(site, known, param), literal, site, module)
            for param, literal in known.only_if
        ):
            return False
        return not ready(known, site, module)

    def _is_set(self, recipe: Recipe, literal: str, site: CallSite, module: Module) -> bool:
        """Whether an argument is a literal, a constant of the module that is, or flags of which one is."""
        if recipe and recipe[0] == "binop":
            return any(self._is_set(part, literal, site, module) for part in recipe[1:3])
        if recipe and recipe[0] == "name":
            facts = module.functions[site.function].facts
            if recipe[1] in facts.bindings or any(p.name == recipe[1] for p in facts.params):
                return False
            bindings = module.functions[0].facts.bindings.get(recipe[1], ())
            return len(bindings) == 1 and self._is_set(bindings[0].recipe, literal, site, module)
        return _is_literal(recipe, literal)

    def _is(self, recipe: Recipe, wanted: str, site: CallSite, module: Module) -> bool:
        """Whether an argument is a literal, or an "open file"."""
        if wanted != "open file":
            return _is_literal(recipe, wanted)
        value = self.evaluator.at_site(recipe, site, module) if recipe else None
        return isinstance(value, Inst) and value.of in FILES

    def _awaited_inside(self, site: CallSite, module: Module) -> bool:
        """`with ThreadPoolExecutor() as pool:` in which `await loop.run_in_executor(pool, …)` is all that it is used for."""
        facts = module.functions[site.function].facts
        entered = ("enter", site.callee, False)
        names = [
            ("name", name)
            for name, found in facts.bindings.items()
            if any(b.recipe == entered for b in found)
        ]
        users = [
            call
            for call in module.facts.calls
            if call.function == site.function
            and (
                any(recipe in names for recipe, _ in call.args)
                or (call.callee and call.callee[0] == "attr" and call.callee[1] in names)
            )
        ]
        return bool(users) and all(
            call.role[0] == "await" and call.callee[-1] == "run_in_executor" for call in users
        )

    def call_name(self, callee: Type, site: CallSite, module: Module) -> str:
        """A library call as messages name it: "time.sleep", "OpenAI.chat.completions.create"."""
        if isinstance(callee, Any_):
            callee = callee.members[0]
        if isinstance(callee, Part):
            callee = callee.of
        if isinstance(callee, Lib):
            return _short_path(callee.path)
        if isinstance(callee, LibMethod):
            chain = [callee.name]
            recipe = site.callee[1] if site.callee and site.callee[0] == "attr" else None
            owner = callee.cls
            while recipe and recipe[0] == "attr":
                base = self.evaluator.at_site(recipe[1], site, module)
                if not (isinstance(base, Inst) and isinstance(base.of, str)):
                    break
                chain.append(recipe[2])
                owner = base.of
                recipe = recipe[1]
            if (
                len(chain) == 1
                and isinstance(callee.receiver, Inst)
                and isinstance(callee.receiver.of, str)
            ):
                owner = callee.receiver.of
            return ".".join([_owner(owner), *reversed(chain)])
        if isinstance(callee, Inst):
            # An object that is called: under the name that it has in the code, where that tells more than its class.
            recipe = site.callee
            base = self.evaluator.at_site(recipe[1], site, module) if recipe[0] == "attr" else None
            if isinstance(base, Inst) and isinstance(base.of, Klass):
                return f"{base.of.facts.name}.{recipe[2]}"
            if isinstance(callee.of, str):
                return _owner(callee.of)
        return "call"

    # -- spreading ------------------------------------------------------------------------------------

    def _spread(self) -> None:
        """For each kind, the shortest chain from every sync function down to a blocking call."""
        functions = self.graph.known_functions()
        for function in functions:
            found: list[tuple[CallSite, Stop]] = []
            for site in self.graph.speaking[function]:
                stop = self.stop(function.module, site)
                if stop is None:
                    continue
                if stop.kind == "sleep" and _is_moment(site):
                    continue
                if stop.kind == "file":
                    site = self._opened(function, site)
                    if is_virtual(self.evaluator, function, site):
                        continue
                    if any(s is site and one.kind == "file" for s, one in found):
                        continue
                found.append((site, stop))
            if found:
                self.direct[function] = found
        for kind in KINDS:
            self._spread_kind(kind, functions)

    def _opened(self, function: Function, site: CallSite) -> CallSite:
        """For work on a file that a `with open(…)` gave: that call, once for the whole block."""
        base = site.callee[1] if site.callee and site.callee[0] == "attr" else site.callee
        if (
            site.kind == "call"
            and site.args
            and not (base and base[0] == "name" and base[1] in function.facts.bindings)
        ):
            # `json.load(file)`.
            base = next(
                (
                    r
                    for r, _ in site.args
                    if r and r[0] == "name" and r[1] in function.facts.bindings
                ),
                base,
            )
        if not base or base[0] != "name":
            return site
        bindings = function.facts.bindings.get(base[1])
        if not bindings:
            return site
        reaching, _ = self.evaluator.program.reaching_bindings(
            function.module, bindings, site.line, site.col, site.block
        )
        for binding in reaching:
            recipe = binding.recipe
            if binding.kind == "with" and recipe[1] and recipe[1][0] == "call" and not recipe[2]:
                return function.module.site(recipe[1][1])
        return site

    def _spread_kind(self, kind: BlockKind, functions: list[Function]) -> None:
        """The chain with the fewest decisions, of those the shortest."""
        steps = self.steps[kind]
        queue: list[tuple[int, int, int, Function, Step]] = []
        order = 0
        for function in functions:
            if function.is_async or self._kept(function, kind):
                continue
            for site, stop in self.direct.get(function, ()):
                if stop.kind == kind and not self._doubtful(function, site, stop):
                    doubt = self.conditions.branches(function, site)
                    order += 1
                    step = Step(site, stop, None, 1, doubt, int(doubt > 0))
                    heappush(queue, (doubt, 1, order, function, step))
        while queue:
            _, length, _, function, step = heappop(queue)
            if function in steps or self._is_far(step, kind):
                continue
            steps[function] = step
            for edge in sorted(self.graph.into.get(function, ()), key=_edge_key):
                caller = edge.caller
                if (
                    edge.how in SYNC
                    and caller not in steps
                    and not caller.is_async
                    and caller.facts.kind not in ("module", "class")
                    and self.all_block(edge, kind)
                    and not caller.module.lazy(edge.site.block)
                    and not self._kept(caller, kind)
                    and not self._prepared(caller, edge, step)
                    and not self._doubtful(caller, edge.site, step.stop)
                    and not self.conditions.contradicts(edge, step.site)
                ):
                    here = self.conditions.branches(caller, edge.site)
                    doubt = step.doubt + here
                    order += 1
                    under = step.conditions + int(here > 0)
                    next_step = Step(edge.site, step.stop, function, length + 1, doubt, under)
                    heappush(queue, (doubt, length + 1, order, caller, next_step))

    def all_block(self, edge: Edge, kind: BlockKind) -> bool:
        """Whether all that a call site may reach blocks; one implementation that does not makes it unknown."""
        if edge.certain:
            return True
        others = [e for e in self.graph.out[edge.caller] if e.site is edge.site]
        return all(e.target in self.steps[kind] and not e.target.is_async for e in others)

    def _doubtful(self, function: Function, site: CallSite, stop: Stop) -> bool:
        """Whether a condition on the way makes it unlikely that a loop's thread comes here.

        A nested loop raises each time, so a conditional call of one is taken not to happen on a loop. A condition
        variable waited for in a `while` is a lock of the project's own, held for short. What fills something that
        outlives the call blocks once, and what asks for a running loop first does not block one. Behind the end of the
        process nobody waits.
        """
        conditions = self.conditions
        if conditions.once_only(function, site) or conditions.off_loop(function, site):
            return True
        if self._is_never_reached(function, site):
            return True
        if stop.kind != "stat" and conditions.created(function, site):
            return True
        if stop.kind in LOCAL and conditions.once_a_key(function, site):
            return True
        kinds = [b.kind for b in function.module.chain(site.block)]
        if stop.kind == "loop":
            if any(kind in ("if", "else", "except", "case") for kind in kinds):
                return True
            return _is_answered(function.module, site.block)
        return stop.name.endswith("Condition.wait") and "while" in kinds

    def _prepared(self, caller: Function, edge: Edge, step: Step) -> bool:
        """Whether the lock that a helper gets is given back in its caller, or what it takes from a queue or a descriptor is there."""
        if step.next is not None:
            return False
        if step.stop.name in READS:
            return is_readable(edge.site, caller.module)
        if step.stop.name.endswith("Queue.get"):
            return filled_for(edge.site, step.site, caller.module)
        if not is_lock(step.stop.name):
            return False
        others = [(e.site, e.target) for e in self.graph.out.get(caller, ())]
        return given_back(caller, edge.site, others)

    def _kept(self, function: Function, kind: BlockKind) -> bool:
        """A function whose first result is kept blocks once; of one with parameters, that is said of local work only."""
        return (kind in LOCAL or not function.facts.params) and self.runs.cached(function)

    # -- what rules see ---------------------------------------------------------------------------------

    def at(self, function: Function) -> list[tuple[CallSite, Blocking]]:
        """The places in a function of the loop that block it."""
        found: list[tuple[CallSite, Blocking]] = []
        for site, stop in self.direct.get(function, ()):
            if self._for_others(function, site) or self._is_never_reached(function, site):
                continue
            once = self.conditions.once_only(function, site) or (
                stop.kind != "stat" and self.conditions.created(function, site)
            )
            through, because = self._by_decorator(function, site, stop)
            found.append(
                (site, Blocking(stop.kind, stop.name, through, because, stop.instead, once))
            )
        done: set[tuple[int, int, int, int, str, str]] = set()
        for edge in self.graph.out.get(function, ()):
            if (
                edge.how not in SYNC
                or edge.target.is_async
                or function.module.lazy(edge.site.block)
                or self._for_others(function, edge.site)
                or self._is_never_reached(function, edge.site)
            ):
                continue
            for kind in KINDS:
                step = self.steps[kind].get(edge.target)
                if step is None or not self.all_block(edge, kind):
                    continue
                if self._contradicted(edge, kind, step):
                    step = self._other_way(edge, kind, step)
                if step is None or self._prepared(function, edge, step):
                    continue
                if edge.site.role[0] in ("await", "awith") and edge.how == "call":
                    # What is awaited was made to be awaited; its sync part is taken to be short.
                    # Where nothing could be awaited, something else is called than what was found.
                    result = self.evaluator.call_type(function.module, edge.site.index)
                    if result is None or not self._waited_for(result, edge.site):
                        continue
                key = (
                    edge.site.line,
                    edge.site.col,
                    edge.site.end_line,
                    edge.site.end_col,
                    edge.site.kind,
                    kind,
                )
                if key in done:
                    continue
                done.add(key)
                name = place_name(edge.site, edge.target)
                found.append(
                    (
                        edge.site,
                        Blocking(
                            kind,
                            step.stop.name,
                            name,
                            self.chain(edge.target, kind, step),
                            step.stop.instead,
                            self.conditions.once_only(function, edge.site),
                        ),
                    )
                )
        return found

    def _by_decorator(
        self, function: Function, site: CallSite, stop: Stop
    ) -> tuple[str | None, tuple[Link, ...]]:
        """How a site names a function whose decorator is what blocks, and where that is said; nothing for other calls."""
        for member in members(self.evaluator.callee(function.module, site)):
            if isinstance(member, Func) and self._decorated(member.function) == stop:
                target = member.function
                link = places.head(target, f"`{target.name}` is decorated with `{stop.name}`")
                return place_name(site, target), (link,)
        return None, ()

    def _waited_for(self, result: Type, site: CallSite) -> bool:
        """Whether `await`, or `async with`, can take what a call gives."""
        method = "__await__" if site.role[0] == "await" else "__aenter__"
        return any(
            isinstance(one, (Coro, Manager, LibManager))
            or (isinstance(one, Inst) and one.of in TO_AWAIT)
            or (
                isinstance(one, Inst)
                and attribute_type(self.evaluator, one, method, None) is not None
            )
            for one in members(result)
        )

    def _is_never_reached(self, function: Function, site: CallSite) -> bool:
        """Whether a site is behind the end of the process, or where a test fails that always holds."""
        return is_behind_end(self.evaluator, function, site) or is_settled_against(
            self.evaluator, function, site
        )

    def _for_others(self, function: Function, site: CallSite) -> bool:
        """Whether a function that the loop calls back gets to a site only where other code calls it."""
        return not function.is_async and self.conditions.off_loop(function, site)

    def _other_way(self, edge: Edge, kind: BlockKind, taken: Step) -> Step | None:
        """Another step of a called function to something that blocks, which what the call passes does not exclude."""
        function = edge.target
        found: list[Step] = []
        for site, stop in self.direct.get(function, ()):
            if stop.kind == kind and site is not taken.site:
                doubt = self.conditions.branches(function, site)
                found.append(Step(site, stop, None, 1, doubt, int(doubt > 0)))
        for below in self.graph.out.get(function, ()):
            step = self.steps[kind].get(below.target)
            if (
                step is not None
                and below.site is not taken.site
                and below.how in SYNC
                and not below.target.is_async
                and self.all_block(below, kind)
                and not function.module.lazy(below.site.block)
                and not self._prepared(function, below, step)
                and not self.conditions.contradicts(below, step.site)
            ):
                here = self.conditions.branches(function, below.site)
                under = step.conditions + int(here > 0)
                found.append(
                    Step(
                        below.site,
                        step.stop,
                        below.target,
                        step.length + 1,
                        step.doubt + here,
                        under,
                    )
                )
        for step in sorted(found, key=lambda one: (one.doubt, one.length)):
            if (
                not self._is_far(step, kind)
                and not self._doubtful(function, step.site, step.stop)
                and not self._contradicted(edge, kind, step)
            ):
                return step
        return None

    def _is_far(self, step: Step, kind: BlockKind) -> bool:
        """Whether what blocks is behind too many decisions to say that it does."""
        if step.conditions > (1 if kind in MILD else CONDITIONS):
            return True
        return step.doubt + max(0, step.length - NEAR) > DOUBT

    def _contradicted(self, edge: Edge, kind: BlockKind, first: Step) -> bool:
        """Whether what a call passes, and what is passed on from there, excludes a test on the way down."""
        above: Given = NOTHING
        for count in range(20):
            step = self.steps[kind][edge.target] if count else first
            if self.conditions.contradicts(edge, step.site, above):
                return True
            above = self.conditions.given(edge, above)
            following = [
                e
                for e in self.graph.out.get(edge.target, ())
                if e.site is step.site and e.target is step.next
            ]
            if not above or not following:
                return False
            edge = following[0]
        return False

    def chain(
        self, function: Function | None, kind: BlockKind, first: Step | None = None
    ) -> tuple[Link, ...]:
        """From a function down to the call that blocks; `first` is the step there that is taken, where it is not the usual one."""
        links: list[Link] = []
        while function is not None and len(links) < 20:
            step = first or self.steps[kind][function]
            first = None
            name = function.name
            more: tuple[Link, ...] = ()
            if step.next is None:
                through, more = self._by_decorator(function, step.site, step.stop)
                text = f"`{name}` calls `{through or step.stop.name}`"
                if step.site.kind == "for":
                    text = f"`{name}` iterates over `{step.stop.name}`"
                elif step.site.kind == "with":
                    text = f"`{name}` enters `{step.stop.name}`"
            else:
                text = f"`{name}` calls `{place_name(step.site, step.next)}`"
                if step.site.kind == "attr":
                    text = f"`{name}` reads `{place_name(step.site, step.next)}`"
            links += [places.link(function, step.site, text), *more]
            function = step.next
        return tuple(links)


def _is_moment(site: CallSite) -> bool:
    """`time.sleep(0.001)`."""
    seconds = site.args[0][0] if len(site.args) == 1 else None
    if not seconds or seconds[0] != "const" or not isinstance(seconds[1], (int, float)):
        return False
    return seconds[1] <= MOMENT


def _is_answered(module: Module, block: int) -> bool:
    """`try: asyncio.run(main())` with an `except RuntimeError:`, which knows what to do where a loop runs."""
    while block >= 0:
        here = module.blocks[block]
        if here.kind == "try":
            for other in module.blocks[block + 1 :]:
                if other.parent != here.parent:
                    continue
                if other.kind != "except":
                    break
                if last_name(other.info) == "RuntimeError":
                    return True
        block = here.parent
    return False


def _edge_key(edge: Edge) -> tuple[str, int, int, int]:
    return (*edge.caller.key(), edge.site.line, edge.site.col)


def _is_literal(recipe: Recipe, literal: str) -> bool:
    if recipe and recipe[0] == "attr":
        # `os.WNOHANG`.
        return bool(recipe[2] == literal.rpartition(".")[2])
    return bool(recipe) and recipe[0] == "const" and str(recipe[1]) == literal


def _owner(path: str) -> str:
    """A class as messages name it: with its module where several libraries have one of that name."""
    name = short_name(path)
    return f"{path.partition('.')[0]}.{name}" if name in COMMON else name


def _short_path(path: str) -> str:
    if path.startswith("builtins."):
        return path[len("builtins.") :]
    parts = path.split(".")
    if len(parts) > 2 and parts[0] in ("urllib", "http", "concurrent", "os"):
        return path
    return path if len(parts) <= 2 else f"{parts[0]}.{parts[-1]}"
