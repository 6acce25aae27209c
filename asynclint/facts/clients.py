"""Which calls build clients, how long each client lives, and how often it is built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from asynclint.facts import places
from asynclint.facts.conditions import Conditions
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.fields import factory
from asynclint.facts.graph import Edge, Graph, is_picked, place_name
from asynclint.facts.known_calls import known_callee
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Klass, Module
from asynclint.facts.retries import is_retry
from asynclint.facts.runs import Runs, conditional
from asynclint.facts.types import Cls, Func, Lib, LibMethod, Part, Type, members
from asynclint.facts.varying import Varying
from asynclint.facts.view import Building, Often
from asynclint.findings import Link
from asynclint.knowledge.model import Client

NOT_KEPT = ("add_task", "add_done_callback", "add_argument")
"""Methods that add to something without making it last."""

CONDITIONS = 4
"""A chain from a request with more steps than these under conditions shows too little."""

FACTORY_CONDITIONS = 2
"""The same for the factories and holders between a place and the constructor."""

NEAR = 8
"""From here on, each further link counts as a condition."""

CLOSES = frozenset({"close", "aclose", "detach", "disconnect"})

SEVERITY: dict[Often, int] = {"item": 0, "request": 1, "call": 2, "once": 3}


@dataclass(frozen=True, slots=True)
class Context:
    """A place where a built client's life begins and ends: the constructor, or a call of its factory."""

    function: Function
    site: CallSite
    links: tuple[Link, ...]
    """From here down to the constructor."""
    edges: tuple[Edge, ...]
    """The calls of factories and holders between, outermost first."""


class ClientFacts:
    """Every construction of a client in the program."""

    def __init__(self, evaluator: Evaluator, graph: Graph, runs: Runs) -> None:
        self.evaluator = evaluator
        self.graph = graph
        self.runs = runs
        self.conditions = Conditions(evaluator)

    def built(self, module: Module, site: CallSite) -> tuple[Client, str] | None:
        """The client that a call builds and its name; None when it builds none, or shares another's pool."""
        if site.kind != "call":
            return None
        callee = factory(self.evaluator, module.functions[site.function], site)
        callee = callee or self.evaluator.callee(module, site)
        if callee is None:
            return None
        found: tuple[Client, str] | None = None
        for member in members(callee):
            one = self._built(member, site, module)
            if one is None:
                return None
            found = found or one
        return found

    def _built(self, callee: Type, site: CallSite, module: Module) -> tuple[Client, str] | None:
        if isinstance(callee, Part):
            callee = callee.of
        client: Client | None = None
        name = ""
        if isinstance(callee, Lib):
            cls = self.evaluator.known.cls(callee.path)
            function = self.evaluator.known.function(callee.path)
            client = (
                cls.client if cls is not None else function.client if function is not None else None
            )
            name = _called(callee.path)
        elif isinstance(callee, LibMethod):
            client = callee.known.client
            name = f"{_called(callee.cls)}.{callee.name}"
        elif isinstance(callee, Cls):
            for one in self.evaluator.mro(callee.klass)[1:]:
                if isinstance(one, str) and (cls := self.evaluator.known.cls(one)) is not None:
                    client = cls.client
                    break
            name = callee.klass.facts.name
        if client is None or client.cost == "none":
            return None
        cheap = set(client.cheap_with)
        if cheap & {keyword for _, keyword in site.args}:
            return None
        if cheap and any(
            keyword == "**" and self._may_hold(recipe, cheap, module.functions[site.function])
            for recipe, keyword in site.args
        ):
            return None
        return client, name

    def _may_hold(self, recipe: Recipe, names: set[str], function: Function) -> bool:
        """Whether `**options` may hold one of some names: not where all callers write out what they pass."""
        if not recipe or recipe[0] != "name":
            return True
        parameter = function.parameters.get(recipe[1])
        edges = self.graph.into.get(function, ())
        if parameter is None or parameter.kind != "kwargs" or not edges:
            return True
        passed = {keyword for edge in edges for _, keyword in edge.site.args}
        return bool(passed & (names | {"**"})) or any(e.how != "call" for e in edges)

    # -- life -----------------------------------------------------------------------------------------

    def contexts(self, function: Function, site: CallSite, depth: int = 0) -> Iterator[Context]:
        """Where the object that `site` gives comes to its end: here, or where what it is put into does."""
        if depth == 0 and factory(self.evaluator, function, site) is not None:
            edges = [e for e in self.graph.into.get(function, ()) if e.how == "field"]
            yield from self._outer(function, site, edges, depth)
            return
        life = self.life(function, site)
        if life == "local" or life == "here":
            yield Context(function, site, (), ())
            return
        if depth > 6:
            return
        if life == "returned":
            if self.runs.cached(function):
                return
            if self.runs.entry_often(function) in ("request", "item"):
                yield Context(function, site, (), ())
            yield from self._outer(function, site, self.graph.into.get(function, ()), depth)
        elif life == "held":
            klass = function.klass
            if klass is not None and self._given_again(klass):
                return
            if self.runs.entry_often(function) in ("request", "item"):
                yield Context(function, site, (), ())
            if klass is not None:
                edges = [e for e in self.graph.into.get(function, ()) if e.how == "call"]
                yield from self._outer(function, site, edges, depth)

    def _given_again(self, klass: Klass) -> bool:
        """Whether a metaclass decides what calling the class gives: as a rule, the object of last time."""
        for base in self.evaluator.mro(klass):
            if not isinstance(base, Klass):
                continue
            scope = base.module.functions[base.facts.function]
            at = (base.facts.line, 0, scope.facts.root_block)
            for key, recipe in base.facts.keywords:
                value = self.evaluator.eval(recipe, scope, at) if key == "metaclass" else None
                if isinstance(value, Cls) and value.klass.own_method("__call__") is not None:
                    return True
        return False

    def _outer(
        self, function: Function, site: CallSite, edges: list[Edge] | tuple[Edge, ...], depth: int
    ) -> Iterator[Context]:
        for edge in edges:
            if edge.caller.module.file.is_test or edge.caller is function:
                continue
            if self.runs.guarded(edge.caller, edge.site):
                continue
            if not edge.certain and not is_picked(edge):
                continue
            if self.conditions.contradicts(edge, site):
                continue
            text = f"`{edge.caller.name}` calls `{place_name(edge.site, edge.target)}`"
            for context in self.contexts(edge.caller, edge.site, depth + 1):
                links = (*context.links, places.link(edge.caller, edge.site, text))
                yield Context(context.function, context.site, links, (*context.edges, edge))

    def life(self, function: Function, site: CallSite) -> str:
        """local, returned, held (by self, from `__init__`), or kept (stored somewhere that outlives the call)."""
        return self._role_life(function, site.role, 0)

    def _role_life(self, function: Function, role: tuple[object, ...], depth: int) -> str:
        tag = role[0]
        if depth > 4:
            return "kept"
        if tag == "walrus" and isinstance(role[-1], str):
            return self._named(function, role[-1], depth)
        if tag == "await" or tag == "walrus" or tag == "bool":
            return self._role_life(function, role[1], depth + 1) if len(role) > 1 else "local"  # type: ignore[arg-type]
        if tag in ("with", "awith", "attr", "stmt", "sub", "for", "afor", "test", "callee"):
            return "local"
        if tag == "return":
            is_field = function.parent is not None and function.parent.facts.kind == "class"
            return "returned" if function.facts.kind != "lambda" or is_field else "kept"
        if tag == "yield":
            return (
                "yielded" if self.runs.entry_often(function) not in ("request", "item") else "here"
            )
        if tag == "store":
            return self._stored(function, role)
        if tag == "assign":
            return self._named(function, str(role[1]), depth)
        if tag == "arg":
            return self._passed(function, role, depth)
        if tag in ("elem", "dictval"):
            inner = role[1] if len(role) > 1 else None
            if isinstance(inner, tuple) and inner[0] in ("return", "assign", "arg"):
                return self._role_life(function, inner, depth + 1)
            if isinstance(inner, tuple) and inner[0] in (
                "for",
                "afor",
                "stmt",
                "test",
                "cmp",
                "in",
                "op",
                "unpack",
            ):
                return "local"
            return "kept"
        if tag == "comp":
            return "kept"
        return "kept"

    def _stored(self, function: Function, role: tuple[object, ...]) -> str:
        # `self.x = Client()`: held by the object when it is made in __init__.
        if function.klass is not None and function.facts.name in (
            "__init__",
            "__post_init__",
            "__new__",
        ):
            return "held"
        return "kept"

    def _named(self, function: Function, name: str, depth: int) -> str:
        facts = function.facts
        if facts.kind in ("module", "class") or name in facts.globals or name in facts.nonlocals:
            return "kept"
        life = "local"
        for use in facts.uses.get(name, ()):
            tag = use.role[0]
            if tag in (
                "attr",
                "with",
                "awith",
                "await",
                "test",
                "not",
                "is",
                "cmp",
                "in",
                "for",
                "afor",
                "sub",
                "callee",
                "fstr",
                "stmt",
                "op",
            ):
                continue
            one = self._role_life(function, use.role, depth + 1)
            if one in ("kept", "yielded"):
                return one
            if one in ("returned", "held", "here"):
                life = one
        if name in function.parameters and self._is_passed_on(function, name, depth):
            return "kept"
        if function not in self.runs.reached and self._closed_later(function, name):
            return "kept"
        for binding in facts.attribute_bindings:
            if binding.recipe and _mentions(binding.recipe, name):
                return (
                    self._stored(function, ())
                    if binding.base == ("name", function.self_name)
                    else "kept"
                )
        return life

    def _is_passed_on(self, function: Function, name: str, depth: int) -> bool:
        """Whether a function hands a parameter of its own to what keeps it: `clients.append(client)`."""
        return depth < 4 and any(
            given == ("name", name)
            and self._passed(function, ("arg", site.index, keyword or place), depth + 1) == "kept"
            for site in function.sites
            for place, (given, keyword) in enumerate(site.args)
        )

    def _closed_later(self, function: Function, name: str) -> bool:
        """Whether a nested function that is handed on closes the client: it is open until that runs."""
        module = function.module
        closing = {
            module.functions[site.function]
            for site in module.facts.calls
            if site.callee
            and site.callee[0] == "attr"
            and site.callee[1] == ("name", name)
            and site.callee[2] in CLOSES
            and site.function > function.facts.index
        }
        return any(
            inner.parent is function
            and not any(s.callee == ("name", inner.facts.name) for s in function.sites)
            for inner in closing
        )

    def _passed(self, function: Function, role: tuple[object, ...], depth: int) -> str:
        """An argument lives as long as the object that it is built into; else as long as the call."""
        index = role[1]
        assert isinstance(index, int)
        module = function.module
        outer = module.site(index)
        callee = self.evaluator.callee(module, outer)
        name = outer.callee[-1] if outer.callee else None
        if isinstance(callee, (Cls,)) or (
            isinstance(callee, Lib) and self.evaluator.known.cls(callee.path) is not None
        ):
            return self._role_life(function, outer.role, depth + 1)
        known = known_callee(self.evaluator, callee)
        if known is not None and known.returns_param is not None:
            return self._role_life(function, outer.role, depth + 1)
        if isinstance(callee, Lib) and callee.path in CASTS:
            return self._role_life(function, outer.role, depth + 1)
        if isinstance(callee, Func) and depth < 4:
            return self._handed(function, callee.function, outer, role, depth)
        if isinstance(name, str) and (
            (name.startswith("add_") and name not in NOT_KEPT)
            or name
            in (
                "append",
                "add",
                "setdefault",
                "put",
                "put_nowait",
                "insert",
                "set",
                "setattr",
                "register",
                "push",
                "enter_async_context",
                "enter_context",
                "push_async_callback",
            )
        ):
            if name in ("enter_async_context", "enter_context"):
                return (
                    self._role_life(function, outer.role, depth + 1)
                    if outer.role[0] != "stmt"
                    else "local"
                )
            return "kept" if name != "setdefault" else "local"
        if callee is None:
            if isinstance(name, str) and name[:1].isupper():
                # An unknown class that wraps it.
                return self._role_life(function, outer.role, depth + 1)
            if isinstance(name, str) and name.startswith(KEEPING):
                return "kept"
            return "unknown"
        return "local"

    def _handed(
        self,
        function: Function,
        target: Function,
        outer: CallSite,
        role: tuple[object, ...],
        depth: int,
    ) -> str:
        """A function of the project may keep what it is given, or give it back."""
        name = _parameter_of(outer, target, role)
        life = self._named(target, name, depth + 1) if name is not None else "local"
        if life == "returned":
            return self._role_life(function, outer.role, depth + 1)
        return "kept" if life in ("kept", "held") else "local"

    # -- how often ---------------------------------------------------------------------------------------

    def building(self, function: Function, site: CallSite) -> Building | None:
        """How often the client that a call builds is built, where that is too often."""
        module = function.module
        made = self.built(module, site)
        if made is None or module.file.is_test:
            return None
        client, name = made
        if self.runs.guarded(function, site):
            return None
        if self._is_default(site):
            return None
        best: Building | None = None
        for context in self.contexts(function, site):
            one = self._judge(client, name, function, site, context)
            if one is None:
                continue
            if best is None or (SEVERITY[one.often], one.depends is not None) < (
                SEVERITY[best.often],
                best.depends is not None,
            ):
                best = one
        return best

    def _is_default(self, site: CallSite) -> bool:
        return site.role[0] in ("default", "decorator", "annotation", "base")

    def _judge(
        self, client: Client, name: str, function: Function, site: CallSite, context: Context
    ) -> Building | None:
        runs = self.runs
        here = context.function
        if here.module.file.is_test or self._in_test_client(site):
            return None
        doubtful = sum(conditional(e.caller.module, e.site) for e in context.edges)
        if doubtful > FACTORY_CONDITIONS:
            return None
        requested = here in runs.reached and not runs.excluded(here, context.site)
        varying = Varying(self.evaluator, runs, requested)
        depends = varying.arguments(function, site, context.edges)
        item = self._item(here, context.site)
        if item is not None:
            return Building(client, name, "item", (*item, *context.links), depends)
        fanned = self.graph.fanned.get(here)
        if fanned and here.is_async:
            edge = fanned[0]
            text = (
                f"`{edge.caller.name}` starts `{place_name(edge.site, edge.target)}` for every item"
            )
            link = places.link(edge.caller, edge.site, text)
            if not edge.caller.module.file.is_test:
                return Building(client, name, "item", (link, *context.links), depends)
        if requested:
            chain = (*runs.request_chain(here), *context.links)
            doubt = runs.conditions[here] + doubtful + max(0, len(chain) - NEAR)
            if doubt <= CONDITIONS:
                return Building(client, name, "request", chain, depends)
        if here in runs.once or here.facts.kind in ("module", "class", "lambda"):
            return None
        if (
            here.is_async
            and here.facts.name not in ("__aenter__",)
            and not self._long_lived(here, context.site)
            and not self._sets_up(here, context.site)
        ):
            return Building(client, name, "call", context.links, depends)
        return None

    def _in_test_client(self, site: CallSite) -> bool:
        return any(k in ("transport", "app") for _, k in site.args)

    def _sets_up(self, function: Function, site: CallSite) -> bool:
        """The function builds another client that outlives it: it runs when something is set up."""
        return any(
            other is not site
            and self.built(function.module, other) is not None
            and self.life(function, other) in ("kept", "returned", "held")
            for other in function.sites
        )

    def _reconnects(self, function: Function, site: CallSite) -> bool:
        """`while True:` around the client and the loop that it serves: built anew when it broke."""
        module = function.module
        for index, block in enumerate(module.blocks):
            if block.kind in ("while", "afor") and block.line > site.line:
                for outer, around in enumerate(module.blocks[:index]):
                    if (
                        around.kind == "while"
                        and around.info == ("const", True)
                        and module.inside(index, outer)
                        and module.inside(site.block, outer)
                    ):
                        return True
        return False

    def _long_lived(self, function: Function, site: CallSite) -> bool:
        """The client serves a loop of its own, or a whole `yield`: it is opened once for a long time."""
        module = function.module
        if self._reconnects(function, site):
            return True
        for block_index, block in enumerate(module.blocks):
            if block.kind in ("while",) and module.inside(block_index, function.facts.root_block):
                if (
                    block.line > site.line
                    and not any(
                        b.kind in ("while", "for", "afor", "comp") for b in module.chain(site.block)
                    )
                    and block.info == ("const", True)
                ):
                    return True
        return (
            bool(function.facts.yields)
            and site.role[0] in ("with", "awith")
            and function.facts.decorators != []
        )

    def _item(self, function: Function, site: CallSite) -> tuple[Link, ...] | None:
        """The loop that builds anew at each turn; retries and reconnecting loops are none."""
        module = function.module
        in_try = False
        for block in module.chain(site.block):
            if block.kind == "try":
                in_try = True
            if is_retry(function, block):
                continue
            if block.kind in ("for", "afor", "comp"):
                if (
                    _few(block.info, module)
                    or _retries(block.info, module)
                    or (in_try and _attempts(block.info, module))
                ):
                    continue
                if function.facts.kind in ("module", "class") and not block.info:
                    continue
                return ()
            if block.kind == "while" and not in_try and not self._waits_inside(module, site):
                return ()
        return None

    def _waits_inside(self, module: Module, site: CallSite) -> bool:
        """`while True: async with Client() as c: while …`: the client lives for a connection, not for an item."""
        for index, block in enumerate(module.blocks):
            if index > site.block and block.kind in ("while", "afor") and block.line > site.line:
                if module.inside(index, site.block):
                    return True
        return False


KEEPING = ("set_", "add_", "connect", "attach", "bind", "install")
"""How methods are called that keep what they are given."""
CASTS = frozenset({"typing.cast", "typing_extensions.cast"})
VAGUE = frozenset({"client", "resource", "from_env"})
"""Names of constructors that say little without their library."""


def _called(path: str) -> str:
    """A constructor as messages name it: with its module where its own name says little."""
    name = path.rpartition(".")[2]
    return f"{path.partition('.')[0]}.{name}" if name in VAGUE else name


def _parameter_of(site: CallSite, target: Function, role: tuple[object, ...]) -> str | None:
    """The parameter of a project function that gets the argument at a place of a call."""
    place = role[2]
    if isinstance(place, str):
        return place if place in target.parameters else None
    names = target.positional
    return names[place] if isinstance(place, int) and place < len(names) else None


def _mentions(recipe: Recipe, name: str) -> bool:
    if not recipe:
        return False
    if recipe == ("name", name):
        return True
    if recipe[0] == "any":
        return any(_mentions(r, name) for r in recipe[1])
    if recipe[0] in ("display", "dict"):
        return any(_mentions(r, name) for r in recipe[2])
    return False


def _few(iterable: Recipe, module: Module) -> bool:
    """A loop over a short literal."""
    if not iterable:
        return False
    return iterable[0] == "display" and len(iterable[2]) <= 1


def _retries(iterable: Recipe, module: Module) -> bool:
    """`async for attempt in AsyncRetrying()`: tried again, not another item."""
    if not iterable or iterable[0] != "call":
        return False
    callee = module.site(iterable[1]).callee
    return "retry" in str(callee[-1] if callee else "").lower()


def _attempts(iterable: Recipe, module: Module) -> bool:
    """`for attempt in range(…)` around a `try`: a retry."""
    return (
        bool(iterable)
        and iterable[0] == "call"
        and module.site(iterable[1]).callee == ("name", "range")
    )
