"""A synchronous client becomes its asynchronous twin, with every use of it awaited: a plan over files.

The plan starts at one blocking call and follows the client both ways: back to where it is built, and on to everything that is
done with it. It is made when all of that stands where it can wait, and refused with the reason otherwise.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from asynclint.facts.program import Function, Klass
from asynclint.facts.types import Cls, Coro, Func, Gen, Inst, Lib, LibMethod, Mod, members
from asynclint.findings import Edit, Fix, Refused
from asynclint.fixes import imports
from asynclint.fixes.exchange import Exchange
from asynclint.fixes.holders import Global, Held, Holder, Holders, Local, Result, State
from asynclint.fixes.mocked import refuse_mocked
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.reading import Reading
from asynclint.fixes.twins import Pair, Twins
from asynclint.knowledge.model import Client

REACH = 400
"""Expressions that a plan looks at before it gives up."""

SHARED_POOL = frozenset({"http_client", "httpx_client"})
"""Arguments that hand a constructor an HTTP client, which has to become asynchronous with it."""

SYNC_ONLY = {
    "event_hooks": "hooks of a synchronous client are plain functions",
    "mounts": "its `mounts` are synchronous transports",
    "app": "its `app` is called by a synchronous transport",
    "connection_pool": "its pool is a synchronous one",
    "retry": "its `retry` belongs to synchronous connections",
    "middleware": "its middleware is synchronous",
}
"""Arguments that only a synchronous client takes in this form."""

TRANSPORTS = {
    "httpx.HTTPTransport": "httpx.AsyncHTTPTransport",
    "httpx2.HTTPTransport": "httpx2.AsyncHTTPTransport",
}

HARMLESS = frozenset({"builtins.bool", "builtins.id", "builtins.print", "builtins.repr"}) | {
    "builtins.str", "builtins.callable", "builtins.type",
}  # fmt: skip
"""Functions that may get a client, since they only look at it."""

COLLECTED = {
    "builtins.list": ("[", "]"),
    "builtins.tuple": ("tuple([", "])"),
    "builtins.set": ("{", "}"),
}
"""Functions that go over what they get, as comprehensions that do."""


TRUSTED = frozenset({"openai", "anthropic", "groq", "together", "httpx", "httpx2", "redis", "pymongo"}) | {
    "google", "cohere", "ollama", "mistralai", "tavily", "exa_py",
}  # fmt: skip
"""Libraries of which all results are known that are tied to a client."""

NEEDED = {
    "azure": "aiohttp",
    "elasticsearch": "aiohttp",
    "opensearchpy": "aiohttp",
    "slack_sdk": "aiohttp",
}
"""What the asynchronous clients of a library stand on, and the synchronous ones do not."""

SYNC_METHODS = frozenset({"tool_runner", "register_script", "transaction"})
"""Methods that take functions, or give them, which would have to be coroutines."""

SYNC_ARGUMENTS = frozenset({"event_handler"})

LOOPS = (ast.For, ast.AsyncFor, ast.comprehension)

LOOKED_AT = (
    ast.UnaryOp,
    ast.Compare,
    ast.If,
    ast.While,
    ast.IfExp,
    ast.Assert,
    ast.Expr,
    ast.FormattedValue,
)
"""Nodes that look at a value and do not keep it."""


def use_twin(place: Place) -> Fix:
    """The fix of one blocking call through a synchronous client. Raises Refused with the reason where there is none.

    Raises NoClient where the call does not go through a client that has an asynchronous twin.
    """
    return place.workshop.once(_Plans).fix(place)


def or_else(place: Place, other: Callable[[Place], Iterable[Fix]]) -> Iterator[Fix]:
    """The fix by the twin, and behind it the fixes of another kind. Raises Refused where there is none."""
    refusals: list[str] = []
    try:
        yield use_twin(place)
    except NoClient:
        pass
    except Refused as reason:
        refusals.append(f"no asynchronous client: {reason}")
    else:
        refusals.append("")
    try:
        yield from other(place)
    except Refused as reason:
        if refusals and not refusals[0]:
            return
        raise Refused("; ".join([str(reason), *refusals])) from None


class NoClient(Refused):
    """There is nothing to say about an asynchronous client here."""


class _Plans:
    """The plans of one run: a client whose uses were all followed needs no second plan."""

    def __init__(self, workshop: Workshop) -> None:
        self.holders = Holders(workshop)
        self.twins = Twins(self.holders.evaluator)
        self._made: dict[int | Holder, _Plan | Refused] = {}

    def fix(self, place: Place) -> Fix:
        if place.site.kind not in ("call", "with", "for"):
            raise NoClient("it is no call of a client")
        if any(b.through is not None for b in place.facts.blocking.values()):
            raise NoClient("it is no call of a client")
        reading = self.holders.reading(place.function.module)
        node = reading.tree.at(reading.source.where(place.finding.span), ast.expr)
        if node is None:
            raise NoClient("the expression could not be found in the text")
        try:
            at, root, pair = self._root(reading, node, 0)
        except Refused as reason:
            raise NoClient(str(reason)) from None
        key: int | Holder = id(root)
        if self.twins.accessor(pair) is None:
            key = self.holders.of(at, root) or key
        made = self._made.get(key)
        if made is None:
            made = self._planned(at, root, pair)
            self._made[key] = made
            if isinstance(made, _Plan):
                for holder in made.kept:
                    self._made.setdefault(holder, made)
        if isinstance(made, Refused):
            raise made
        if id(node) not in made.changed:
            raise Refused("how the client is used here could not be read")
        return place.fix(made.title, *made.edits(), once=made.mark)

    def _planned(self, at: Reading, root: ast.expr, pair: Pair) -> _Plan | Refused:
        plan = _Plan(self.holders, self.twins)
        try:
            plan.begin(at, root, pair)
            plan.edits()
        except Refused as reason:
            return Refused(str(reason))
        return plan

    def _root(self, reading: Reading, node: ast.expr, depth: int) -> tuple[Reading, ast.expr, Pair]:
        """The expression that is the client itself, from which a value comes."""
        for _ in range(30):
            pair = self.twins.client(reading.type(node))
            if pair is not None:
                return reading, node, pair
            if isinstance(node, ast.Call) and isinstance(node.func, (ast.Attribute, ast.Name)):
                if isinstance(reading.type(node.func), Func):
                    break
                node = node.func
            elif isinstance(node, (ast.Attribute, ast.Subscript)):
                if isinstance(node, ast.Attribute) and self._kept(reading, node):
                    break
                node = node.value
            elif isinstance(node, (ast.NamedExpr, ast.Await)):
                node = node.value
            else:
                break
        holder = self.holders.of(reading, node)
        if holder is not None and depth < 4:
            for source in self.holders.sources(holder):
                if isinstance(source, tuple) and not _is_none(source[1]):
                    return self._root(*source, depth + 1)
        raise NoClient("it does not go through a client that has an asynchronous twin")

    def _kept(self, reading: Reading, node: ast.Attribute) -> bool:
        """Whether an attribute belongs to the project's own code."""
        return isinstance(self.holders.of(reading, node), (Held, State, Global, Result))


@dataclass
class _Changes:
    """What is put before and behind nodes of one module, and in their places."""

    reading: Reading
    before: dict[int, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    behind: dict[int, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    edits: list[Edit] = field(default_factory=list)
    gone: list[ast.Call] = field(default_factory=list)
    """Calls that no longer name the function that they called."""

    def wrap(self, node: ast.AST, before: str, behind: str = "") -> None:
        """Text around a node; that of a node around it comes outside."""
        source = self.reading.source
        start, end = source.offset(node.lineno, node.col_offset), source.end(node)  # type: ignore[attr-defined]
        self.before[start].append((-end, before))
        if behind:
            self.behind[end].append((-start, behind))

    def all(self) -> Iterable[Edit]:
        """The edits; of texts at one place the outer ones come first before a node, and last behind it."""
        source = self.reading.source
        yield from self.edits
        names = {n.id for call in self.gone for n in ast.walk(call.func) if isinstance(n, ast.Name)}
        for name in sorted(names):
            yield from imports.unused(source, name, [c.func for c in self.gone], False)
        for offset in sorted({*self.before, *self.behind}):
            closing = sorted(self.behind.get(offset, ()))
            opening = sorted(self.before.get(offset, ()), key=lambda one: one[0])
            text = "".join(t for _, t in closing) + "".join(t for _, t in opening)
            yield source.insert(offset, text)


class _Plan:
    def __init__(self, holders: Holders, twins: Twins) -> None:
        self.holders = holders
        self.twins = twins
        self.evaluator = holders.evaluator
        self.exchange = Exchange(holders)
        self.kept: dict[Holder, Pair] = {}
        self.title = ""
        self.mark = ""
        self.changed: set[int] = set()
        """Nodes that wait now: calls, what is entered, what is gone over."""
        self._followed: dict[int, Pair] = {}
        self._wanted: list[tuple[Reading, ast.expr]] = []
        self._queue: deque[Holder] = deque()
        self._changes: dict[str, _Changes] = {}
        self._withs: dict[int, tuple[Reading, ast.With, set[int]]] = {}
        self._accessed: set[int] = set()
        self._built: set[int] = set()
        self._waiting: set[Function] = set()
        self._lasting = False
        self._edits: tuple[Edit, ...] | None = None

    def begin(self, reading: Reading, root: ast.expr, pair: Pair) -> None:
        """Follow a client to all its ends."""
        accessor = self.twins.accessor(pair)
        if accessor is not None:
            self.title = f"await it through `client.{accessor}`"
            self._access(reading, root, pair, accessor)
        else:
            self.title = f"build `{pair.twin_name}` instead and await it"
            self._demand(reading, root, pair)
        while self._queue:
            holder = self._queue.popleft()
            self._keep(holder, self.kept[holder])
        for _, node in self._wanted:
            if id(node) not in self._followed and id(node) not in self._accessed:
                raise Refused(f"where `{ast.unparse(node)}` comes from is not known")
        if accessor is None and not self._built:
            raise Refused("where it is built could not be found")
        for where, statement, items in self._withs.values():
            if any(id(item) not in items for item in statement.items):
                raise Refused("another context manager stands beside it in the `with`")
            self._stop(where, statement)
            self._change(where).wrap(statement, "async ")
        if self._lasting:
            self._refuse_loops()
        if accessor is None:
            self.mark = f"{self.title} {reading.source.path}"

    def _refuse_loops(self) -> None:
        """Raise Refused where what outlives an event loop would be used in several: `asyncio.run` in turn."""
        graph, runs = self.holders.workshop.facts.graph, self.holders.workshop.facts.runs
        seen = set(self._waiting)
        queue = list(self._waiting)
        loops: set[tuple[Function, int, int]] = set()
        while queue:
            for edge in graph.into.get(queue.pop(), ()):
                if edge.caller.module.file.is_test:
                    continue
                if edge.how == "run":
                    once = edge.caller in runs.once or edge.caller in runs.commands
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

    def edits(self) -> tuple[Edit, ...]:
        """All edits, made when they are first asked for."""
        if self._edits is None:
            found = [*self.exchange.finish()]
            for one in self._changes.values():
                found += one.all()
            self._edits = tuple(dict.fromkeys(found))
        return self._edits

    def _change(self, reading: Reading) -> _Changes:
        return self._changes.setdefault(reading.source.path, _Changes(reading))

    # -- holders ----------------------------------------------------------------------------------------

    def _hold(self, holder: Holder | None, pair: Pair, what: str) -> None:
        """A value comes into a holder."""
        if holder is None:
            raise Refused(f"`{what}` keeps it, and who reads that could not be found")
        known = self.kept.get(holder)
        if isinstance(holder, (Global, Held, State)):
            self._lasting = True
        if known is None:
            self.kept[holder] = pair
            self._queue.append(holder)
        elif not known.like(pair) and not self._siblings(known, pair):
            raise Refused(f"`{what}` keeps several kinds of clients")

    def _siblings(self, one: Pair, other: Pair) -> bool:
        """Two clients of one library, such as `OpenAI` and `AzureOpenAI`."""
        roots = {
            p.sync.of.partition(".")[0]
            if isinstance(p.sync, Inst) and isinstance(p.sync.of, str)
            else ""
            for p in (one, other)
        }
        clients = self.twins.client(one.sync) and self.twins.client(other.sync)
        return len(roots) == 1 and "" not in roots and clients is not None

    def _keep(self, holder: Holder, pair: Pair) -> None:
        refuse_mocked(self.holders, holder)
        self._refuse_exported(holder)
        for source in self.holders.sources(holder):
            if isinstance(source, tuple):
                self._demand(*source, pair)
            else:
                self._hold(source, pair, _shown(source))
        for use in self.holders.uses(holder):
            if isinstance(use, Local):
                self._hold(use, pair, use.name)
            else:
                self._follow(*use, pair)
        paths = self._paths(pair)
        for reading, node in self.holders.annotations(holder):
            self.exchange.annotated(reading, node, paths)

    def _paths(self, pair: Pair) -> dict[str, str]:
        """The classes that an annotation may name, and their twins."""
        if not (isinstance(pair.sync, Inst) and isinstance(pair.sync.of, str)):
            return {}
        if not (isinstance(pair.twin, Inst) and isinstance(pair.twin.of, str)):
            return {}
        return {pair.sync.of: pair.twin.of}

    def _refuse_exported(self, holder: Holder) -> None:
        module = holder.module if isinstance(holder, Global) else None
        name = holder.name if isinstance(holder, Global) else ""
        if isinstance(holder, Result) and holder.function.klass is None:
            module, name = holder.function.module, holder.function.facts.name
        if isinstance(holder, Held) and not holder.name.startswith("_"):
            module, name = holder.klass.module, holder.klass.facts.name
        if module is None:
            return
        for other in self.holders.program.loaded():
            exports = other.facts.exports or ()
            if name in exports and (other is module or name in other.body.facts.bindings):
                if other is module or self._comes_from(other, name, module):
                    raise Refused(
                        f"`{_shown(holder)}` may be used outside of the project: `{name}` is exported"
                    )

    def _comes_from(self, other: object, name: str, module: object) -> bool:
        bindings = other.body.facts.bindings[name]  # type: ignore[attr-defined]
        value = self.evaluator.global_name(name, other)  # type: ignore[arg-type]
        if isinstance(value, Cls):
            return value.klass.module is module
        if isinstance(value, Func):
            return value.function.module is module
        return any(b.kind == "import" for b in bindings)

    # -- where it comes from ------------------------------------------------------------------------------

    def _demand(self, reading: Reading, node: ast.expr, pair: Pair | None) -> None:
        """A value that becomes asynchronous comes from here: so must everything that it comes from."""
        if _is_none(node):
            return
        if isinstance(node, ast.IfExp):
            for one in (node.body, node.orelse):
                self._demand(reading, one, pair)
            return
        if isinstance(node, ast.BoolOp):
            for one in node.values:
                self._demand(reading, one, pair)
            return
        if isinstance(node, ast.NamedExpr):
            self._demand(reading, node.value, pair)
            return
        if id(node) in self._followed:
            return
        self._wanted.append((reading, node))
        if pair is not None and self._field(reading, node, pair):
            return
        client = self.twins.client(reading.type(node))
        if client is not None and self.twins.accessor(client) is None:
            self._demand_client(reading, node, client)
            return
        self._demand_made(reading, node, pair)

    def _demand_client(self, reading: Reading, node: ast.expr, client: Pair) -> None:
        if isinstance(node, ast.Call):
            callee = reading.type(node.func)
            if isinstance(callee, (Lib, LibMethod)) and self._build(reading, node):
                return
            if isinstance(callee, LibMethod) and isinstance(node.func, ast.Attribute):
                # `client.with_options(…)`.
                self._demand(reading, node.func.value, None)
                return
            if isinstance(callee, Cls):
                raise Refused(f"`{callee.klass.name}` is a class of the project")
        holder = self.holders.of(reading, node)
        if holder is None:
            raise Refused(f"where `{ast.unparse(node)}` comes from is not known")
        self._hold(holder, client, ast.unparse(node))

    def _demand_made(self, reading: Reading, node: ast.expr, pair: Pair | None) -> None:
        """What a client has made: a stream, a resource, a bound method."""
        holder = self.holders.of(reading, node)
        if holder is not None and not self._of_library(reading, node):
            if pair is None:
                raise Refused(f"where `{ast.unparse(node)}` comes from is not known")
            self._hold(holder, pair, ast.unparse(node))
            return
        inner = node.value if isinstance(node, ast.Await) else node
        if isinstance(inner, ast.Call):
            inner = inner.func
        if isinstance(inner, (ast.Attribute, ast.Subscript)):
            if reading.type(inner.value) is not None and self._is_object(reading, inner.value):
                self._demand_chain(reading, inner.value)
                return
        raise Refused(f"where `{ast.unparse(node)}` comes from is not known")

    def _is_object(self, reading: Reading, node: ast.expr) -> bool:
        return not any(isinstance(m, (Lib, Mod, Cls)) for m in members(reading.type(node)))

    def _of_library(self, reading: Reading, node: ast.expr) -> bool:
        inner = node.value if isinstance(node, ast.Await) else node
        if isinstance(inner, ast.Call):
            return isinstance(reading.type(inner.func), (LibMethod, Lib))
        return False

    def _demand_chain(self, reading: Reading, node: ast.expr) -> None:
        client = self.twins.client(reading.type(node))
        accessor = self.twins.accessor(client) if client is not None else None
        if client is not None and accessor is not None:
            self._access(reading, node, client, accessor)
            return
        self._demand(reading, node, None)

    # -- building -----------------------------------------------------------------------------------------

    def _build(self, reading: Reading, call: ast.Call) -> bool:
        """Name the twin in a constructor; False where the call is none."""
        if id(call) in self._built:
            return True
        callee = reading.type(call.func)
        client: Client | None = None
        node: ast.expr = call.func
        path = ""
        if isinstance(callee, Lib):
            path = callee.path
            cls, function = self.twins.known.cls(path), self.twins.known.function(path)
            client = (
                cls.client if cls is not None else function.client if function is not None else None
            )
        elif isinstance(callee, LibMethod) and isinstance(callee.receiver, Lib):
            client, path = callee.known.client, callee.receiver.path
            assert isinstance(call.func, ast.Attribute)
            node = call.func.value
        twin = self.twins.twin_path(client, path)
        if client is None or twin is None:
            return False
        if isinstance(callee, LibMethod):
            cls = self.twins.known.cls(path)
            twin = self.twins.twin_path(cls.client if cls is not None else None, path)
            if twin is None:
                return False
        self._refuse_missing(twin)
        self._built.add(id(call))
        if not reading.scope(call).is_async:
            self._lasting = True
        self._check_arguments(reading, call)
        self.exchange.named(reading, node, twin)
        refuse_mocked(self.holders, Global(reading.module, _first_name(node)))
        result = self.evaluator.call(callee, reading.site(call), reading.module)
        pair = self.twins.client(result)
        if pair is None:
            raise Refused(f"what `{ast.unparse(call.func)}` gives is not known")
        self._follow(reading, call, pair)
        return True

    def _refuse_missing(self, twin: str) -> None:
        """Raise Refused where a twin stands on a package that may not be installed."""
        needed = NEEDED.get(twin.partition(".")[0])
        if needed is None:
            return
        word = re.compile(rf"^\s*(?:import|from)\s+{needed}\b", re.MULTILINE)
        files = self.holders.program.project.files
        if not any(needed in (f.text or "") and word.search(f.text or "") for f in files):
            raise Refused(f"`{twin}` needs `{needed}`, which the project does not import")

    def _field(self, reading: Reading, node: ast.expr, pair: Pair) -> bool:
        """`field(default_factory=OpenAI)` of a dataclass or model."""
        callee = reading.type(node.func) if isinstance(node, ast.Call) else None
        if not isinstance(callee, Lib) or callee.path.rpartition(".")[2] not in ("field", "Field"):
            return False
        assert isinstance(node, ast.Call)
        for keyword in node.keywords:
            value = keyword.value
            if keyword.arg == "default":
                self._demand(reading, value, pair)
            elif keyword.arg == "default_factory" and isinstance(value, ast.Lambda):
                self._demand(reading, value.body, pair)
            elif keyword.arg == "default_factory":
                made = reading.type(value)
                path = made.path if isinstance(made, Lib) else ""
                paths = self._paths(pair)
                if path not in paths:
                    raise Refused(f"what `{ast.unparse(value)}` gives is not known")
                self._built.add(id(node))
                self.exchange.named(reading, value, paths[path])
        self._followed[id(node)] = pair
        return True

    def _check_arguments(self, reading: Reading, call: ast.Call) -> None:
        for keyword in call.keywords:
            name, value = keyword.arg, keyword.value
            if name is None:
                self._check_unpacked(reading, value)
            elif _is_none(value):
                continue
            elif name in SHARED_POOL:
                self._demand(reading, value, None)
            elif name in SYNC_ONLY:
                raise Refused(SYNC_ONLY[name])
            elif name == "transport":
                self._transport(reading, value)
            elif name == "api_key" and (
                isinstance(value, ast.Lambda) or isinstance(reading.type(value), (Func, LibMethod))
            ):
                raise Refused("its `api_key` is a function, which would have to be a coroutine")

    def _check_unpacked(self, reading: Reading, value: ast.expr) -> None:
        """`**arguments`: nothing in the function or module may put a synchronous client into them."""
        text = reading.source.text
        if any(
            f'"{n}"' in text or f"'{n}'" in text or f"{n}=" in text
            for n in (*SHARED_POOL, "transport")
        ):
            raise Refused(f"what `**{ast.unparse(value)}` holds is not known")

    def _transport(self, reading: Reading, value: ast.expr) -> None:
        callee = reading.type(value.func) if isinstance(value, ast.Call) else None
        twin = TRANSPORTS.get(callee.path) if isinstance(callee, Lib) else None
        if twin is None or not isinstance(value, ast.Call):
            raise Refused("its transport is a synchronous one")
        self.exchange.named(reading, value.func, twin)

    def _access(self, reading: Reading, node: ast.expr, pair: Pair, accessor: str) -> None:
        """`client.models` → `client.aio.models`: the client stays what it is."""
        if id(node) in self._accessed:
            return
        self._accessed.add(id(node))
        parent = reading.tree.parent(node)
        if not isinstance(parent, ast.Attribute):
            raise Refused("how the client is used could not be read")
        self._change(reading).wrap(node, "", f".{accessor}")
        self._attribute(reading, parent, pair)

    # -- what is done with it -------------------------------------------------------------------------------

    def _follow(self, reading: Reading, node: ast.expr, pair: Pair) -> None:
        """A value is here; look at what is done with it."""
        known = self._followed.get(id(node))
        if known is not None:
            return
        self._followed[id(node)] = pair
        if len(self._followed) > REACH:
            raise Refused("it is used in too many places")
        parent = reading.tree.parent(node)
        if isinstance(parent, ast.Attribute):
            self._attribute(reading, parent, pair)
        elif isinstance(parent, ast.Subscript) and parent.value is node:
            self._value(reading, parent, self.twins.subscript(pair, reading.scope(node)))
        elif isinstance(parent, ast.Call) and parent.func is node:
            self._call(reading, parent, pair)
        elif isinstance(parent, ast.Call):
            self._pass(reading, parent, node, pair)
        elif isinstance(parent, ast.keyword):
            call = reading.tree.parent(parent)
            if not isinstance(call, ast.Call):
                raise Refused("it is an argument of a class statement")
            self._pass(reading, call, node, pair)
        elif isinstance(parent, ast.withitem):
            self._enter(reading, parent, node, pair)
        elif isinstance(parent, LOOPS) and parent.iter is node:
            self._iterate(reading, parent, node, pair)
        elif isinstance(parent, ast.Assign):
            for target in parent.targets:
                self._assign(reading, target, pair)
        elif isinstance(parent, (ast.AnnAssign, ast.NamedExpr)):
            self._assign(reading, parent.target, pair)
            if isinstance(parent, ast.NamedExpr):
                self._follow(reading, parent, pair)
        elif isinstance(parent, (ast.Tuple, ast.List)):
            self._unpack(reading, parent, node, pair)
        elif isinstance(parent, (ast.Return, ast.Yield)):
            self._give(reading, parent, pair)
        elif isinstance(parent, (ast.Await, ast.BoolOp)) or (
            isinstance(parent, ast.IfExp) and parent.test is not node
        ):
            self._follow(reading, parent, pair)
        elif isinstance(parent, ast.Dict):
            self._state(reading, parent, node, pair)
        elif isinstance(parent, ast.Lambda) and parent.body is node:
            self._default(reading, parent)
        elif not isinstance(parent, LOOKED_AT):
            raise Refused(f"`{ast.unparse(node)}` is stored or handed on")

    def _default(self, reading: Reading, node: ast.Lambda) -> None:
        """`default_factory=lambda: OpenAI()` fills a field, which is followed by itself."""
        keyword = reading.tree.parent(node)
        if not isinstance(keyword, ast.keyword) or keyword.arg != "default_factory":
            raise Refused("it is given by a lambda")

    def _value(self, reading: Reading, node: ast.expr, pair: Pair) -> None:
        """What an operation gives: followed where it is not the same on both sides."""
        if not self.twins.plain(pair):
            self._follow(reading, node, pair)

    def _attribute(self, reading: Reading, node: ast.Attribute, pair: Pair) -> None:
        if not isinstance(node.ctx, ast.Load):
            if isinstance(pair.sync, Inst) and self.twins.client(pair.sync) and node.attr != "auth":
                return
            raise Refused(f"`{ast.unparse(node)}` is changed")
        found = self.twins.attribute(pair, node.attr, reading.scope(node))
        if found is None:
            parent = reading.tree.parent(node)
            if isinstance(parent, ast.Call) and parent.func is node:
                raise Refused(f"what `{pair.name}.{node.attr}` does is not known")
            return
        there, name = found
        if name != node.attr:
            end = reading.source.end(node)
            edit = reading.source.edit(end - len(node.attr), end, name)
            self._change(reading).edits.append(edit)
        self._follow(reading, node, there)

    def _call(self, reading: Reading, call: ast.Call, pair: Pair) -> None:
        self._refuse_streaming(reading, call, pair)
        self._refuse_handed(reading, call, pair)
        streams = any(k.arg == "stream" and not _is_false(k.value) for k in call.keywords)
        there = self.twins.call(pair, reading.site(call), reading.module, streams)
        if not isinstance(there.twin, Coro):
            if there.twin is None and self._is_vague(reading, call, pair):
                raise Refused(f"what `{pair.name}` gives is not known")
            self._value(reading, call, there)
            return
        assert isinstance(pair.twin, LibMethod)
        parent = reading.tree.parent(call)
        result = replace(there, twin=there.twin.result)
        if pair.twin.known.iterates == "async" and _gone_over(parent, call):
            self._follow(reading, call, result)
            return
        if (
            result.twin is None
            and not self._is_trusted(pair)
            and not self._only_read(reading, call)
        ):
            raise Refused(f"what `{pair.name}` gives is not known")
        self._value(reading, self._wait(reading, call), result)

    def _is_trusted(self, pair: Pair) -> bool:
        """Whether all that a library's calls give is known that is more than plain data."""
        return isinstance(pair.sync, LibMethod) and pair.sync.cls.partition(".")[0] in TRUSTED

    def _is_vague(self, reading: Reading, call: ast.Call, pair: Pair) -> bool:
        """Whether a call that does not wait gives something unknown, which may be tied to the client."""
        assert isinstance(pair.sync, LibMethod) and isinstance(pair.twin, LibMethod)
        same = pair.sync.cls == pair.twin.cls
        dropped = isinstance(reading.tree.parent(call), ast.Expr)
        return not (same or dropped or pair.sync.name in ("close", "aclose"))

    def _refuse_handed(self, reading: Reading, call: ast.Call, pair: Pair) -> None:
        """Raise Refused where a call gets what only a synchronous client can use."""
        assert not isinstance(pair.sync, LibMethod) or pair.sync.name
        if isinstance(pair.sync, LibMethod) and pair.sync.name in SYNC_METHODS:
            raise Refused(f"`{pair.name}` takes other arguments there")
        for keyword in call.keywords:
            if keyword.arg in SYNC_ARGUMENTS and not _is_none(keyword.value):
                raise Refused(f"its `{keyword.arg}` belongs to a synchronous client")
            if keyword.arg not in ("content", "data"):
                continue
            given = reading.type(keyword.value)
            lazy = isinstance(keyword.value, (ast.GeneratorExp, ast.Lambda))
            if lazy or isinstance(given, Gen) or self._is_file(reading, keyword.value):
                raise Refused(f"its `{keyword.arg}` is read piece by piece")

    def _is_file(self, reading: Reading, node: ast.expr) -> bool:
        given = reading.type(node)
        path = given.of if isinstance(given, Inst) and isinstance(given.of, str) else ""
        return path.startswith("io.") or path.endswith(("IO", "File", "SpooledTemporaryFile"))

    def _refuse_streaming(self, reading: Reading, call: ast.Call, pair: Pair) -> None:
        """Raise Refused where only the running program knows whether the answer is a stream."""
        if not isinstance(pair.sync, LibMethod) or not pair.sync.known.returns_if:
            return
        asked = [k for k in call.keywords if k.arg in ("stream", None)]
        for keyword in asked:
            if keyword.arg is None or not isinstance(keyword.value, ast.Constant):
                if not self._only_read(reading, call):
                    raise Refused("only the running program knows whether the answer is a stream")

    def _only_read(self, reading: Reading, call: ast.expr) -> bool:
        """Whether nothing is done with an answer but reading its attributes."""
        parent = reading.tree.parent(call)
        if isinstance(parent, (ast.Attribute, ast.Expr)):
            return True
        if not isinstance(parent, ast.Assign) or not isinstance(parent.targets[0], ast.Name):
            return False
        holder = self.holders.of(reading, parent.targets[0])
        if not isinstance(holder, Local) or len(parent.targets) > 1:
            return False
        return all(
            isinstance(use, tuple) and isinstance(use[0].tree.parent(use[1]), ast.Attribute)
            for use in self.holders.uses(holder)
        )

    def _stop(self, reading: Reading, node: ast.AST) -> None:
        """The function around a node waits here for others. Raises Refused where it cannot."""
        reading.refuse_waiting(node)
        self._waiting.add(reading.scope(node))

    def _wait(self, reading: Reading, node: ast.expr) -> ast.expr:
        """`await` before a call, in parentheses where the code around it needs them; the expression that has the result."""
        self._stop(reading, node)
        self.changed.add(id(node))
        parent = reading.tree.parent(node)
        if isinstance(parent, ast.Await):
            # It was awaited by mistake.
            return parent
        tight = (isinstance(parent, (ast.Attribute, ast.Subscript)) and parent.value is node) or (
            isinstance(parent, ast.Call) and parent.func is node
        )
        source = reading.source
        text = source.text
        start, end = source.offset(node.lineno, node.col_offset), source.end(node)
        if tight and text[start - 1 : start] == "(" and text[end : end + 1] == ")":
            tight = isinstance(parent, ast.Call) and text[start - 2 : start - 1].isidentifier()
        if tight:
            self._change(reading).wrap(node, "(await ", ")")
        else:
            self._change(reading).wrap(node, "await ")
        return node

    def _enter(self, reading: Reading, item: ast.withitem, node: ast.expr, pair: Pair) -> None:
        statement = reading.tree.parent(item)
        entered = self.twins.entered(pair)
        if isinstance(statement, ast.With):
            _, _, items = self._withs.setdefault(id(statement), (reading, statement, set()))
            items.add(id(item))
        self.changed.add(id(node))
        if item.optional_vars is not None and entered.sync is None and entered.twin is None:
            raise Refused(f"what `{ast.unparse(node)}` gives is not known")
        if item.optional_vars is not None and not self.twins.plain(entered):
            self._assign(reading, item.optional_vars, entered)

    def _iterate(
        self,
        reading: Reading,
        parent: ast.For | ast.AsyncFor | ast.comprehension,
        node: ast.expr,
        pair: Pair,
    ) -> None:
        element = self.twins.iterated(pair)
        self.changed.add(id(node))
        if isinstance(parent, ast.AsyncFor) or _is_async(parent):
            # It was so by mistake.
            self._stop(reading, parent.target)
        elif isinstance(parent, ast.For):
            self._stop(reading, parent)
            self._change(reading).wrap(parent, "async ")
        else:
            around = reading.tree.parent(parent)
            if isinstance(around, ast.GeneratorExp):
                raise Refused("it is gone over in a generator expression")
            # The place inside, so that the comprehension itself counts.
            self._stop(reading, parent.target)
            source = reading.source
            target = source.offset(parent.target.lineno, parent.target.col_offset)
            start = source.text.rindex("for", 0, target)
            self._change(reading).edits.append(source.insert(start, "async "))
        if not self.twins.plain(element):
            self._assign(reading, parent.target, element)

    def _assign(self, reading: Reading, target: ast.expr, pair: Pair) -> None:
        if not isinstance(target, (ast.Name, ast.Attribute)):
            raise Refused(f"it is stored in `{ast.unparse(target)}`")
        self._hold(self.holders.of(reading, target), pair, ast.unparse(target))

    def _unpack(
        self, reading: Reading, parent: ast.Tuple | ast.List, node: ast.expr, pair: Pair
    ) -> None:
        above = reading.tree.parent(parent)
        if isinstance(above, ast.Assign) and above.value is parent and len(above.targets) == 1:
            target = above.targets[0]
            if isinstance(target, (ast.Tuple, ast.List)) and len(target.elts) == len(parent.elts):
                self._assign(reading, target.elts[parent.elts.index(node)], pair)
                return
        raise Refused(f"`{ast.unparse(node)}` is stored or handed on")

    def _give(self, reading: Reading, node: ast.Return | ast.Yield, pair: Pair) -> None:
        function = reading.scope(node)
        if function.facts.kind not in ("def", "async"):
            raise Refused("it is given by a lambda")
        self._hold(Result(function), pair, function.name)

    def _state(self, reading: Reading, parent: ast.Dict, node: ast.expr, pair: Pair) -> None:
        """`yield {"client": client}` of a lifespan."""
        above = reading.tree.parent(parent)
        key = parent.keys[parent.values.index(node)] if node in parent.values else None
        if not isinstance(above, ast.Yield) or not isinstance(key, ast.Constant):
            raise Refused(f"`{ast.unparse(node)}` is stored in a dictionary")
        self._hold(State(str(key.value)), pair, str(key.value))

    # -- arguments ------------------------------------------------------------------------------------------

    def _pass(self, reading: Reading, call: ast.Call, node: ast.expr, pair: Pair) -> None:
        callee = reading.type(call.func)
        if isinstance(callee, Lib):
            self._pass_library(reading, call, node, pair, callee.path)
            return
        if isinstance(callee, LibMethod) and self._build_around(reading, call, node):
            return
        function = callee.function if isinstance(callee, Func) else None
        if isinstance(callee, Cls):
            function = self._initializer(reading, call, node, pair, callee.klass)
            if function is None:
                return
        if function is None:
            name = ast.unparse(call.func)
            if self._join(reading, call, node, pair):
                return
            raise Refused(f"`{name}` gets it, and what that does with it is not known")
        self._hold(
            Local(function, self._parameter(reading, call, node, function)), pair, function.name
        )

    def _build_around(self, reading: Reading, call: ast.Call, node: ast.expr) -> bool:
        """`OpenAI(http_client=client)`."""
        if any(k.arg in SHARED_POOL and k.value is node for k in call.keywords):
            return self._build(reading, call)
        return False

    def _pass_library(
        self, reading: Reading, call: ast.Call, node: ast.expr, pair: Pair, path: str
    ) -> None:
        if path in HARMLESS or self._build_around(reading, call, node):
            return
        if path in COLLECTED and call.args == [node] and not call.keywords:
            self._collect(reading, call, node, pair, *COLLECTED[path])
            return
        known = self.twins.known.function(path)
        if known is not None and known.offloads is not None and isinstance(pair.sync, LibMethod):
            self._back(reading, call, node, pair)
            return
        raise Refused(
            f"`{ast.unparse(call.func)}` gets it, and what that does with it is not known"
        )

    def _collect(
        self, reading: Reading, call: ast.Call, node: ast.expr, pair: Pair, before: str, behind: str
    ) -> None:
        """`list(stream)` → `[item async for item in stream]`."""
        if not self.twins.plain(self.twins.iterated(pair)):
            raise Refused(f"what `{ast.unparse(call)}` collects has to be awaited")
        self._stop(reading, call)
        if any(isinstance(one, ast.GeneratorExp) for one in reading.tree.above(call)):
            raise Refused("it is gone over in a generator expression")
        source = reading.source
        start, end = source.offset(call.lineno, call.col_offset), source.end(call)
        first, last = source.offset(node.lineno, node.col_offset), source.end(node)
        if "#" in source.text[start:first] + source.text[last:end]:
            raise Refused("a comment stands between the arguments")
        self.changed |= {id(call), id(node)}
        change = self._change(reading)
        change.edits.append(source.edit(start, first, f"{before}item async for item in "))
        change.edits.append(source.edit(last, end, behind))

    def _join(self, reading: Reading, call: ast.Call, node: ast.expr, pair: Pair) -> bool:
        """`"".join(stream.text_stream)` → `"".join([item async for item in stream.text_stream])`."""
        func = call.func
        if not (isinstance(func, ast.Attribute) and func.attr == "join" and call.args == [node]):
            return False
        if not isinstance(func.value, ast.Constant) or not isinstance(func.value.value, str):
            return False
        if not self.twins.plain(self.twins.iterated(pair)):
            return False
        self._stop(reading, call)
        self.changed.add(id(node))
        self._change(reading).wrap(node, "[item async for item in ", "]")
        return True

    def _back(self, reading: Reading, call: ast.Call, node: ast.expr, pair: Pair) -> None:
        """`await to_thread(client.create, x)` → `await client.create(x)`."""
        source = reading.source
        name = ast.unparse(call.func)
        if not call.args or call.args[0] is not node:
            raise Refused(f"`{name}` gets it, and what that does with it is not known")
        if not name.endswith(("to_thread", "run_in_threadpool")):
            raise Refused(f"`{name}` runs it in a thread")
        there = self.twins.call(pair, None, reading.module, False)
        assert isinstance(pair.sync, LibMethod)
        if not isinstance(there.twin, Coro) or pair.sync.known.returns_if:
            raise Refused(f"`{name}` runs it in a thread")
        if not self.twins.plain(replace(there, twin=there.twin.result)):
            raise Refused(f"`{name}` runs it in a thread")
        reading.refuse_waiting(call)
        end = source.end(node)
        rest = source.text[end : source.end(call)]
        behind = rest.lstrip()
        if not behind.startswith((",", ")")):
            raise Refused(f"how `{name}` is called could not be read")
        skipped = len(rest) - len(behind)
        if behind.startswith(","):
            skipped += 1 + len(behind[1:]) - len(behind[1:].lstrip(" "))
        change = self._change(reading)
        start = source.offset(call.lineno, call.col_offset)
        change.edits.append(source.edit(start, source.offset(node.lineno, node.col_offset), ""))
        change.edits.append(source.edit(end, end + skipped, "("))
        self.changed.add(id(call))
        change.gone.append(call)

    def _initializer(
        self, reading: Reading, call: ast.Call, node: ast.expr, pair: Pair, klass: Klass
    ) -> Function | None:
        """The `__init__` that gets an argument; None where it is a field of a dataclass or model, which holds it."""
        method, _ = self.evaluator.member(klass, "__init__")
        if isinstance(method, Func):
            return method.function
        name = next((k.arg for k in call.keywords if k.value is node), None)
        if name is None or not self.holders.is_field(klass, name):
            raise Refused(f"what `{klass.name}` does with it is not known")
        self._hold(self.holders.held(klass, name), pair, f"{klass.name}.{name}")
        return None

    def _parameter(
        self, reading: Reading, call: ast.Call, node: ast.expr, function: Function
    ) -> str:
        for parameter in function.facts.params:
            if parameter.kind in ("args", "kwargs"):
                continue
            if self.holders.argument(reading, call, function, parameter.name) is node:
                return parameter.name
        raise Refused(f"which parameter of `{function.name}` gets it could not be read")


def _gone_over(parent: ast.AST | None, node: ast.expr) -> bool:
    """`for … in node`, `list(node)`."""
    if isinstance(parent, LOOPS):
        return parent.iter is node
    name = (
        parent.func.id if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) else ""
    )
    return f"builtins.{name}" in COLLECTED


def _is_async(node: ast.AST) -> bool:
    return isinstance(node, ast.comprehension) and bool(node.is_async)


def _shown(holder: Holder) -> str:
    if isinstance(holder, Result):
        return holder.function.name
    if isinstance(holder, Held):
        return f"{holder.klass.name}.{holder.name}"
    return holder.name


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not node.value


def _first_name(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
