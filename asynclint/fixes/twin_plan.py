"""What a plan for an asynchronous client keeps: its holders, the changes of each module, and why it is given up."""

from __future__ import annotations

import ast
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from asynclint.facts.program import Function
from asynclint.facts.types import Cls, Func, Inst
from asynclint.findings import Edit, Refused
from asynclint.fixes import imports, interleaved
from asynclint.fixes.edits import Edits
from asynclint.fixes.exchange import Exchange
from asynclint.fixes.holders import Holders
from asynclint.fixes.loops import refuse_loops
from asynclint.fixes.mentions import Global, Held, Holder, Local, Result, State
from asynclint.fixes.mocked import refuse_mocked
from asynclint.fixes.promoted import refuse_called_elsewhere
from asynclint.fixes.reading import Reading
from asynclint.fixes.step import Spot
from asynclint.fixes.twins import Pair, Twins
from asynclint.fixes.unended import refuse_unclosed


@dataclass
class Changes:
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


class Plan:
    """Follows a client to all its ends; how is for the classes below it."""

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
        self._changes: dict[str, Changes] = {}
        self._withs: dict[int, tuple[Reading, ast.With, set[int]]] = {}
        self._accessed: set[int] = set()
        self._built: set[int] = set()
        self._waiting: set[Function] = set()
        self._promoted: set[Function] = set()
        """Plain functions that become `async def`."""
        self._lasting = False
        self._ended = False
        """A client is closed, or entered."""
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
            refuse_loops(self.holders.workshop, self._waiting)
        if accessor is None and not self._ended:
            refuse_unclosed(self.holders, self.twins, self.kept, pair)
        if accessor is None:
            self.mark = f"{self.title} {reading.source.path}"

    def edits(self) -> tuple[Edit, ...]:
        """All edits, made when they are first asked for."""
        if self._edits is None:
            found = Edits()
            found.add(*self.exchange.finish())
            for one in self._changes.values():
                found.add(*one.all())
            self._edits = found.checked()
        return self._edits

    def _access(self, reading: Reading, node: ast.expr, pair: Pair, accessor: str) -> None:
        """Go through the asynchronous side that a client holds itself."""
        raise NotImplementedError

    def _demand(self, reading: Reading, node: ast.expr, pair: Pair | None) -> None:
        """A value that becomes asynchronous comes from here: so must everything that it comes from."""
        raise NotImplementedError

    def _follow(self, reading: Reading, node: ast.expr, pair: Pair) -> None:
        """A value is here; look at what is done with it."""
        raise NotImplementedError

    def _wait(self, reading: Reading, node: ast.expr) -> ast.expr:
        """`await` before a call; the expression that has the result."""
        raise NotImplementedError

    def _stop(self, reading: Reading, node: ast.AST) -> None:
        """The function around a node waits here for others. Raises Refused where it cannot."""
        plain = reading.waiter(node)
        if plain is not None and plain not in self._promoted:
            self._promoted.add(plain)
            self._promote(plain)
        scope = reading.scope(node)
        self._waiting.add(scope)
        if scope.facts.kind in ("def", "async"):
            at = Spot(reading.workshop, reading.tree, scope, reading.definition(scope), node)
            interleaved.refuse(at, twice=False)

    def _promote(self, function: Function) -> None:
        """`def` → `async def`, with every call of it awaited. Raises Refused where others may call it."""
        why = f"`{function.name}` uses it and is not `async def`"
        refuse_called_elsewhere(self.holders, function, why)
        refuse_mocked(self.holders, Result(function))
        self._refuse_exported(Result(function))
        calls = list(self.holders.calls(function))
        if not calls:
            raise Refused(why)
        for reading, call in calls:
            if reading.module.file.is_test:
                raise Refused(f"{why}, and `{reading.source.path}` calls it")
            self._wait(reading, call)
        reading = self.holders.reading(function.module)
        node = reading.definition(function)
        start = reading.source.offset(node.lineno, node.col_offset)
        self._change(reading).edits.append(reading.source.insert(start, "async "))

    def _change(self, reading: Reading) -> Changes:
        return self._changes.setdefault(reading.source.path, Changes(reading))

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
                self._hold(source, pair, shown(source))
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
                        f"`{shown(holder)}` may be used outside of the project: `{name}` is exported"
                    )

    def _comes_from(self, other: object, name: str, module: object) -> bool:
        bindings = other.body.facts.bindings[name]  # type: ignore[attr-defined]
        value = self.evaluator.global_name(name, other)  # type: ignore[arg-type]
        if isinstance(value, Cls):
            return value.klass.module is module
        if isinstance(value, Func):
            return value.function.module is module
        return any(b.kind == "import" for b in bindings)


def shown(holder: Holder) -> str:
    if isinstance(holder, Result):
        return holder.function.name
    if isinstance(holder, Held):
        return f"{holder.klass.name}.{holder.name}"
    return holder.name
