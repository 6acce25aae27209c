"""Who calls whom: the edges between the project's functions, and the functions that frameworks call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from asynclint.facts.annotations import annotation_type
from asynclint.facts.builtin_calls import APPLIERS, CONSUMERS, DRAINING
from asynclint.facts.classes import implementations
from asynclint.facts.decorators import decorating, decorator_paths, decorator_value
from asynclint.facts.dependencies import dependency_of, depends_call
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.failed import failed
from asynclint.facts.fields import FIELDS, factories
from asynclint.facts.known_calls import argument_for, known_callee
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.operators import BUILTINS
from asynclint.facts.program import Function, Klass, Module, recipe_name
from asynclint.facts.types import (
    Any_,
    Cls,
    Coro,
    Func,
    Gen,
    Inst,
    Lib,
    LibMethod,
    Manager,
    Part,
    Threaded,
    Type,
    members,
)
from asynclint.knowledge.model import Entry
from asynclint.knowledge.model import Function as Known


@dataclass(slots=True, unsafe_hash=True)
class Edge:
    """A place in `caller` that executes `target`."""

    caller: Function
    site: CallSite
    target: Function
    how: str
    """call, async, run, spawn, thread, loop, enter, iterate, property; field where the body of a class says what is built."""
    certain: bool = True
    """False where the call may reach one of several implementations."""


@dataclass(slots=True)
class EntryPoint:
    """A function that a framework calls, and the place that says so."""

    function: Function
    entry: Entry
    where: Module
    line: int
    user: Function | None = None
    """The entry point that asks for a dependency."""


SYNC = frozenset({"call", "enter", "iterate", "property"})
"""Edges along which the caller's thread itself executes the target."""

BRANCHES = frozenset({"if", "else", "except", "case"})
"""Blocks that only a decision leads into."""


@dataclass(slots=True)
class Graph:
    """All edges found, by caller and by target."""

    evaluator: Evaluator
    out: dict[Function, list[Edge]] = field(default_factory=dict)
    into: dict[Function, list[Edge]] = field(default_factory=lambda: defaultdict(list))
    entries: dict[Function, list[EntryPoint]] = field(default_factory=lambda: defaultdict(list))
    on_loop: dict[Function, CallSite | None] = field(default_factory=dict)
    """Plain functions that the event loop calls: callbacks, and handlers that a framework runs on the loop."""
    fanned: dict[Function, list[Edge]] = field(default_factory=lambda: defaultdict(list))
    """Coroutine functions that are started once for each item of something."""
    properties: set[str] = field(default_factory=set)
    operators: set[str] = field(default_factory=set)
    """Methods without a name in the calling code that classes of the project have and that do something: `__getitem__`."""
    speaking: dict[Function, list[CallSite]] = field(default_factory=dict)
    """The call sites of which something can be said: what they call is known, and more than a plain value."""
    _calls_parameters: dict[Function, frozenset[str]] = field(default_factory=dict)
    _fields: dict[Klass, list[tuple[Function, Type]]] = field(default_factory=dict)
    _queue: list[Function] = field(default_factory=list)
    _seen: set[Function] = field(default_factory=set)
    _modules: set[str] = field(default_factory=set)
    _known: list[Function] = field(default_factory=list)

    # -- exploring ------------------------------------------------------------------------------------

    def explore(self, modules: list[Module], progress: Callable[[str], None] | None = None) -> None:
        """Read all functions of these modules and everything that they reach in others."""
        for module in modules:
            self.add_module(module)
        while self._queue:
            function = self._queue.pop()
            try:
                self._read(function)
            except Exception as error:  # noqa: BLE001 - the others are judged all the same
                self.out[function], self.speaking[function] = [], []
                self.evaluator.program.problems.append(failed(function, error))
            if progress is not None and not len(self.out) & 127:
                progress(f"following calls: {len(self.out)}/{len(self._seen)} functions")

    def add_module(self, module: Module) -> None:
        """All functions of a module, its decorators and its classes."""
        if module.file.name in self._modules:
            return
        self._modules.add(module.file.name)
        for function in module.functions:
            self.visit(function)

    def visit(self, function: Function) -> None:
        if function not in self._seen:
            self._seen.add(function)
            self._queue.append(function)

    def known_functions(self) -> list[Function]:
        """All functions read, in file order."""
        if len(self._known) != len(self.out):
            self._known = sorted(self.out, key=Function.key)
        return self._known

    def _read(self, function: Function) -> None:
        edges = self.out[function] = []
        module = function.module
        if module.file.name not in self._modules:
            # Registrations and decorators of a module that is reached count, too.
            self.add_module(module)
        if function.facts.decorators:
            self._decorators(function)
        klass = module.klasses[function.facts.cls] if function.facts.kind == "class" else None
        if klass is not None and klass.facts.bases:
            self._entry_methods(klass)
        speaking = self.speaking[function] = []
        evaluator = self.evaluator
        for site in function.sites:
            callee = evaluator.callee(module, site)
            if callee is None:
                continue
            if isinstance(callee, (Lib, LibMethod)):
                if evaluator.mute.is_mute(callee, site):
                    if self._calls_method(callee):
                        edges += self._edges(function, site, callee)
                    elif isinstance(callee, Lib) and callee.path in FIELDS:
                        speaking.append(site)
                    continue
                speaking.append(site)
                if site.kind == "call" and self._runs_nothing(callee):
                    continue
            else:
                speaking.append(site)
            edges += self._edges(function, site, callee)
        self._properties(function, edges)
        if self.operators and function.facts.operations:
            self._operations(function, edges)
        for edge in edges:
            self.into[edge.target].append(edge)
            self.visit(edge.target)

    def _runs_nothing(self, callee: Lib | LibMethod) -> bool:
        """Whether a call of a library runs none of the functions and generators that it may be given."""
        if isinstance(callee, Lib):
            if callee.path in APPLIERS or callee.path in CONSUMERS or self._calls_method(callee):
                return False
        known = known_callee(self.evaluator, callee)
        return known is None or (
            known.offloads is None
            and known.calls_on_loop is None
            and not (
                known.spawns_call or known.consumes or known.registers or known.enters_argument
            )
        )

    def _calls_method(self, callee: Lib | LibMethod) -> bool:
        """Whether it is a builtin that calls a method which classes of the project have: `len(cache)`."""
        return (
            bool(self.operators)
            and isinstance(callee, Lib)
            and not self.operators.isdisjoint(BUILTINS.get(callee.path, ()))
        )

    def _edges(self, function: Function, site: CallSite, callee: Type) -> list[Edge]:
        edges: list[Edge] = []
        many = isinstance(callee, Any_)
        for member in members(callee):
            for target, how, certain in self._targets(member, site, function):
                if how == "async" and self._run_by(function, site):
                    how = "run"
                edges.append(Edge(function, site, target, how, certain and not many))
        return edges

    def _run_by(self, function: Function, site: CallSite) -> bool:
        """Whether the coroutine that a call makes gets an event loop of its own: `asyncio.run(main())`."""
        if site.role[0] != "arg":
            return False
        outer = function.module.site(site.role[1])
        known = known_callee(self.evaluator, self.evaluator.callee(function.module, outer))
        return known is not None and known.runs_loop

    def _targets(
        self, callee: Type, site: CallSite, function: Function
    ) -> list[tuple[Function, str, bool]]:
        kind = site.kind
        if kind == "call":
            return self._called(callee, site, function)
        if kind in ("with", "awith"):
            return self._entered(callee, kind == "with")
        if isinstance(callee, Gen) and callee.function is not None:
            return [(callee.function, "iterate", True)]
        names = ("__iter__", "__next__") if kind == "for" else ("__aiter__", "__anext__")
        return self._methods(callee, names, "iterate")

    def _entered(self, value: Type, plainly: bool) -> list[tuple[Function, str, bool]]:
        if isinstance(value, Manager):
            return [(value.function, "enter", True)]
        names = ("__enter__", "__exit__") if plainly else ("__aenter__", "__aexit__")
        return self._methods(value, names, "enter")

    def _methods(
        self, value: Type, names: tuple[str, ...], how: str
    ) -> list[tuple[Function, str, bool]]:
        found: list[tuple[Function, str, bool]] = []
        if isinstance(value, Inst) and isinstance(value.of, Klass):
            for name in names:
                method, _ = self.evaluator.member(value.of, name)
                if isinstance(method, Func):
                    target = method.function
                    found.append((target, "async" if target.is_async else how, True))
        return found

    def _called(
        self, callee: Type, site: CallSite, function: Function
    ) -> list[tuple[Function, str, bool]]:
        ev = self.evaluator
        if isinstance(callee, Part):
            return self._called(callee.of, site, function) if callee.of is not None else []
        if isinstance(callee, Func):
            return self._function_called(callee, site, function)
        if isinstance(callee, Cls):
            found: list[tuple[Function, str, bool]] = []
            for name in ("__new__", "__init__", "__post_init__"):
                method, _ = ev.member(callee.klass, name)
                if isinstance(method, Func):
                    found.append((method.function, "call", True))
            found += self._made_by_fields(callee.klass, site, function)
            known = known_callee(ev, callee)
            if known is not None:
                found += self._handed_on(known, site, function)
            return found
        if isinstance(callee, Inst):
            return self._methods(callee, ("__call__",), "call")
        if isinstance(callee, Threaded):
            inner = callee.of
            return [(inner.function, "thread", True)] if isinstance(inner, Func) else []
        known = known_callee(ev, callee)
        found = self._handed_on(known, site, function) if known is not None else []
        if isinstance(callee, Lib):
            some = self._by_library(callee.path, site, function)
            found += [one for one in some if one not in found]
        return found

    def _made_by_fields(
        self, klass: Klass, site: CallSite, function: Function
    ) -> list[tuple[Function, str, bool]]:
        """What building an object calls for its fields: functions, and the bodies of classes whose fields call a library."""
        if klass not in self._fields:
            self._fields[klass] = list(factories(self.evaluator, klass))
        found: list[tuple[Function, str, bool]] = []
        for body, made in self._fields[klass]:
            if isinstance(made, Func):
                if not made.function.is_async:
                    found.append((made.function, "call", True))
            elif isinstance(made, Cls):
                found += self._called(made, site, function) if made.klass is not klass else []
            elif isinstance(made, (Lib, LibMethod)):
                found.append((body, "field", True))
        return found

    def _by_library(
        self, path: str, site: CallSite, function: Function
    ) -> list[tuple[Function, str, bool]]:
        """What a function of a library calls of its arguments: `sorted(names, key=look_up)`, `list(pages())`, `len(cache)`."""
        found = self._applied(*APPLIERS[path], site, function) if path in APPLIERS else []
        if not site.args or not (path in CONSUMERS or path in BUILTINS):
            return found
        value = self.evaluator.at_site(site.args[0][0], site, function.module)
        if not isinstance(value, Gen):
            return found + self._methods(value, BUILTINS.get(path, ()), "call")
        if path in CONSUMERS and value.function is not None and not value.is_async:
            found.append((value.function, "iterate", True))
        return found

    def _applied(
        self, place: int | None, keyword: str, site: CallSite, function: Function
    ) -> list[tuple[Function, str, bool]]:
        """The function that a library's calls for each item: `sorted(names, key=look_up)`, `re.sub(LINK, load, text)`."""
        recipe = next((r for r, k in site.args if k == keyword), None)
        if recipe is None and place is not None and len(site.args) > place:
            recipe = site.args[place][0]
        value = self.evaluator.at_site(recipe, site, function.module) if recipe else None
        if not isinstance(value, Func) or value.function.is_async:
            return []
        return [(value.function, "call", True)]

    def _function_called(
        self, callee: Func, site: CallSite, function: Function
    ) -> list[tuple[Function, str, bool]]:
        target = callee.function
        facts = target.facts
        if facts.decorators and decorator_paths(self.evaluator, target) & {
            "contextlib.contextmanager", "contextlib.asynccontextmanager"
        }:  # fmt: skip
            # The call makes a manager; entering runs the body.
            return []
        if facts.generator:
            # Iterating runs the body: here in a loop, else where the generator is handed (a streaming response).
            if facts.kind == "async":
                return [(target, "async", True)] if site.role[0] == "arg" else []
            return [(target, "iterate", True)] if _is_drained(site, function.module) else []
        how = "async" if facts.kind == "async" else "call"
        if facts.stub and isinstance(callee.bound, (Inst, Cls)):
            others = implementations(self.evaluator, target)
            if others:
                return [(o, "async" if o.is_async else "call", False) for o in others]
        found = [(target, how, True), *((w, "call", True) for w in self._wrappers(target))]
        for value in self.handed_in(callee, site, function.module):
            if isinstance(value, Func) and not value.function.is_async:
                found.append((value.function, "call", True))
        return found

    def handed_in(self, callee: Func, site: CallSite, module: Module) -> list[Type]:
        """The functions among a call's arguments that the called function itself calls in any case."""
        names = self._called_parameters(callee.function)
        found: list[Type] = []
        for recipe in passed(callee, site, names):
            value = self.evaluator.at_site(recipe, site, module)
            found.append(value.of if isinstance(value, Part) else value)
        return found

    def _called_parameters(self, function: Function) -> frozenset[str]:
        """The parameters that a plain function calls, under no condition."""
        known = self._calls_parameters.get(function)
        if known is None:
            facts = function.facts
            known = frozenset(
                site.callee[1]
                for site in function.sites
                if site.kind == "call"
                and site.callee
                and site.callee[0] == "name"
                and site.callee[1] in function.parameters
                and site.callee[1] not in facts.bindings
                and facts.kind == "def"
                and not facts.generator
                and not any(b.kind in BRANCHES for b in function.module.chain(site.block))
            )
            self._calls_parameters[function] = known
        return known

    def _wrappers(self, target: Function) -> list[Function]:
        """The plain functions that the project's own decorators put around a function: they run with it."""
        if not target.facts.decorators or target.is_async or self._gives_coroutine(target):
            return []
        found: list[Function] = []
        for recipe in target.facts.decorators:
            maker = decorating(self.evaluator, recipe, target)
            if maker is not None and self.evaluator.wrapper_kind(maker).endswith("transparent"):
                for inner in maker.module.functions[maker.facts.index + 1 :]:
                    if inner.facts.line > maker.facts.end_line:
                        break
                    if inner.facts.kind == "def" and not any(
                        o.facts.parent == inner.facts.index and o.facts.kind == "def"
                        for o in maker.module.functions
                    ):
                        found.append(inner)
        return found

    def _gives_coroutine(self, target: Function) -> bool:
        """Whether a plain function only makes a coroutine: what is wrapped around it does not see that run."""
        made = self.evaluator.call(Func(target), None, target.module)
        return isinstance(made, Coro)

    def _handed_on(
        self, known: Known, site: CallSite, function: Function
    ) -> list[tuple[Function, str, bool]]:
        """Functions among the arguments that a library runs."""
        ev = self.evaluator
        found: list[tuple[Function, str, bool]] = []
        for param, how in (
            (known.offloads, "thread"),
            (known.calls_on_loop, "loop"),
            (known.spawns if known.spawns_call else None, "spawn"),
        ):
            if param is None:
                continue
            recipe = argument_for(site, known, param)
            for member in members(ev.at_site(recipe, site, function.module)):
                value = member.of if isinstance(member, Part) else member
                if isinstance(value, Func) and (how != "thread" or not value.function.is_async):
                    found.append((value.function, how, True))
                    if how == "loop" and not value.function.is_async:
                        self.on_loop.setdefault(value.function, site)
        if known.enters_argument and site.args:
            for member in members(ev.at_site(site.args[0][0], site, function.module)):
                found += self._entered(member, True)
        if known.consumes and site.args:
            value = ev.at_site(site.args[0][0], site, function.module)
            if isinstance(value, Gen) and value.function is not None and not value.is_async:
                found.append((value.function, "iterate", True))
        for entry in known.registers:
            if entry.param is None:
                continue
            recipe = argument_for(site, known, entry.param)
            self._register(recipe, self._placed(entry, known, site), site, function)
        return found

    def _placed(self, entry: Entry, known: Known, site: CallSite | None) -> Entry:
        """The entry as a registering call makes it: `@get("/", sync_to_thread=True)`."""
        if entry.thread_if is None or site is None:
            return entry
        given = argument_for(site, known, entry.thread_if)
        if not given or (given[0] == "const" and not given[1]):
            return entry
        return replace(entry, sync="thread")

    # -- entry points -----------------------------------------------------------------------------------

    def _register(self, recipe: Recipe, entry: Entry, site: CallSite, function: Function) -> None:
        if not recipe:
            return
        if recipe[0] == "display":
            for item in recipe[2]:
                self._register(item, entry, site, function)
            return
        if recipe[0] == "dict":
            for item in recipe[2]:
                self._register(item, entry, site, function)
            return
        value = self.evaluator.at_site(recipe, site, function.module)
        for member in members(value):
            self.add_entry(member, entry, function.module, site.line)

    def add_entry(
        self, value: Type, entry: Entry, where: Module, line: int, user: Function | None = None
    ) -> None:
        """Note that a framework calls a function, or the methods of a class."""
        ev = self.evaluator
        if isinstance(value, Part):
            value = value.of
        if isinstance(value, Func):
            function = value.function
            points = self.entries[function]
            same = [
                p for p in points if p.entry.role == entry.role and p.entry.often == entry.often
            ]
            if same:
                if same[0].user is None:
                    same[0].user = user
                return
            points.append(EntryPoint(function, entry, where, line, user))
            if not function.is_async and entry.sync == "loop":
                self.on_loop.setdefault(function, None)
            self.visit(function)
            if entry.often in ("request", "item"):
                self._dependencies(function, where)
            return
        if isinstance(value, (Cls, Inst)):
            klass = value.klass if isinstance(value, Cls) else value.of
            if not isinstance(klass, Klass):
                return
            names: tuple[str, ...] = entry.methods or ("__call__",)
            if isinstance(value, Cls) and not entry.methods and entry.role == "dependency":
                names = ("__new__", "__init__", "__post_init__")
            for name in names:
                method, _ = ev.member(klass, name)
                if isinstance(method, Func):
                    self.add_entry(method, entry, where, line, user)

    def _dependencies(self, function: Function, where: Module) -> None:
        """What a framework calls to fill the parameters of an entry point."""
        outer = function.parent or function
        for parameter in function.facts.params:
            provider = dependency_of(self.evaluator, parameter, outer)
            if provider is None and self._bare_depends(parameter.default, outer):
                recipe = parameter.annotation
                provider = annotation_type(self.evaluator, recipe, outer)
                provider = (
                    Cls(provider.of)
                    if isinstance(provider, Inst) and isinstance(provider.of, Klass)
                    else None
                )
            for member in members(provider):
                self.add_entry(member, DEPENDENCY, where, function.facts.line, function)

    def _bare_depends(self, recipe: Recipe, outer: Function) -> bool:
        return depends_call(self.evaluator, recipe, outer, bare=True) is not None

    def _decorators(self, function: Function) -> None:
        ev = self.evaluator
        for recipe in function.facts.decorators:
            decorator = decorator_value(ev, recipe, function)
            for member in members(decorator):
                known = known_callee(ev, member)
                if known is None:
                    continue
                site = function.module.site(recipe[1]) if recipe and recipe[0] == "call" else None
                for entry in known.registers:
                    if entry.param is None:
                        placed = self._placed(entry, known, site)
                        self.add_entry(Func(function), placed, function.module, function.facts.line)
                if known.calls_on_loop is not None and not function.is_async:
                    self.on_loop.setdefault(function, None)

    def _entry_methods(self, klass: Klass) -> None:
        ev = self.evaluator
        for base in ev.mro(klass)[1:]:
            if not isinstance(base, str):
                continue
            cls = ev.known.cls(base)
            if cls is None:
                continue
            for name, entry in cls.entry_methods.items():
                method = klass.own_method(name)
                if method is not None:
                    self.add_entry(Func(method), entry, klass.module, klass.facts.line)

    # -- properties -------------------------------------------------------------------------------------

    def _properties(self, function: Function, edges: list[Edge]) -> None:
        if not self.properties:
            return
        ev = self.evaluator
        for recipe, line, col, end_line, end_col, role, block in function.facts.loads:
            if recipe[2] not in self.properties:
                continue
            base = ev.eval(recipe[1], function, (line, col, block))
            for member in members(base):
                if not (isinstance(member, Inst) and isinstance(member.of, Klass)):
                    continue
                value, _ = ev.member(member.of, recipe[2])
                if isinstance(value, Func) and "builtins.property" in decorator_paths(
                    ev, value.function
                ):
                    site = CallSite(
                        -1,
                        "attr",
                        function.facts.index,
                        recipe,
                        (),
                        role,
                        block,
                        line,
                        col,
                        end_line,
                        end_col,
                    )
                    edges.append(Edge(function, site, value.function, "property"))

    def _operations(self, function: Function, edges: list[Edge]) -> None:
        """What subscripts and tests with `in` call of the project's own classes."""
        for (
            method,
            base,
            line,
            col,
            end_line,
            end_col,
            block,
            statement,
        ) in function.facts.operations:
            if method not in self.operators:
                continue
            some = members(self.evaluator.eval(base, function, (line, col, block)))
            called = [t for one in some for t, _, _ in self._methods(one, (method,), "call")]
            if not called or len(called) < len(some) or any(t.is_async for t in called):
                # One of them may be a plain dictionary.
                continue
            site = CallSite(
                -1,
                "in" if method == "__contains__" else "item",
                function.facts.index,
                base,
                (),
                ("op",),
                block,
                line,
                col,
                end_line,
                end_col,
                statement,
            )
            edges += [Edge(function, site, t, "property", len(called) == 1) for t in called]


DEPENDENCY = Entry(often="request", sync="thread", role="dependency")


def passed(callee: Func, site: CallSite, names: frozenset[str]) -> list[Recipe]:
    """What a call gives for the parameters that are named, as far as it says which argument goes where."""
    target = callee.function
    positional = [p.name for p in target.facts.params if p.kind == "pos"] if names else []
    if callee.bound is not None and positional[:1] == [target.self_name]:
        positional = positional[1:]
    given = iter(positional)
    found: list[Recipe] = []
    for recipe, keyword in site.args if names else ():
        if keyword == "**" or (recipe and recipe[0] == "star"):
            break
        if (keyword or next(given, None)) in names:
            found.append(recipe)
    return found


def place_name(site: CallSite, target: Function) -> str:
    """How a call site names what it calls, for the chain: as the reader wrote it."""
    text = recipe_name(site.callee)
    if "…" in text:
        return target.name
    if site.kind == "item":
        return f"{text}[…]"
    return f"in {text}" if site.kind == "in" else text


def is_picked(edge: Edge) -> bool:
    """Whether a call picks one of several that its code names: `PROVIDERS[name](key)`, `cls = A if a else B`, `cls(key)`."""
    return edge.how == "call" and _picks(edge.site.callee, edge.caller, 0)


def _picks(recipe: Recipe, function: Function, depth: int) -> bool:
    if not recipe or depth > 4:
        return False
    if recipe[0] == "any":
        return all(
            _is_constant(one, function) or _picks(one, function, depth + 1) for one in recipe[1]
        )
    if recipe[0] == "call":
        asked = function.module.site(recipe[1]).callee
        return (
            bool(asked)
            and asked[0] == "attr"
            and asked[2] == "get"
            and _is_constant(asked[1], function)
        )
    if recipe[0] == "sub":
        return _is_constant(recipe[1], function)
    bindings = function.facts.bindings.get(recipe[1], ()) if recipe[0] == "name" else ()
    return bool(bindings) and all(_picks(b.recipe, function, depth + 1) for b in bindings)


def _is_constant(recipe: Recipe, function: Function) -> bool:
    """A name that stands for the same in all calls of a function, or an attribute."""
    if not recipe or recipe[0] != "name":
        return bool(recipe) and recipe[0] == "attr"
    return recipe[1] not in function.parameters and recipe[1] not in function.facts.bindings


def argument_of(edge: Edge, name: str, missing: Recipe = None) -> Recipe:
    """The argument that a call of a project function passes for a parameter; None where that is not plain, `missing` where it passes none."""
    given = iter(edge.target.positional)
    for recipe, keyword in edge.site.args:
        if keyword == "**" or (recipe and recipe[0] == "star"):
            return None
        if (keyword or next(given, None)) == name:
            return recipe
    return missing


def _is_drained(site: CallSite, module: Module) -> bool:
    """Whether what a call gives is used up at once: `[*pages()]`, `first, *rest = pages()`, `"".join(pages())`."""
    if site.role[0] in ("star", "unpack"):
        return True
    if site.role[0] != "arg" or site.role[2] != 0:
        return False
    outer = module.site(site.role[1]).callee
    return bool(outer) and outer[0] == "attr" and outer[2] in DRAINING
