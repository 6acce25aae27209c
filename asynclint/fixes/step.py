"""What a coroutine does in one step, from one wait to the next, before and behind a place: what it reads there, and what it sets."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from asynclint.facts.model import CallSite
from asynclint.facts.program import Function
from asynclint.facts.syntax import extent
from asynclint.facts.types import Func, LibMethod, members
from asynclint.fixes.effects import (
    ALL,
    CHANGES,
    CONTAINERS,
    GIVEN,
    IN,
    MAKING,
    OBJECT,
    Effect,
    effects,
)
from asynclint.fixes.passing import WAITS, is_lock, may_pass, may_return
from asynclint.fixes.place import Place, Workshop, says_lock
from asynclint.fixes.questions import OWN, looked_at, read_by
from asynclint.fixes.reached import run_at
from asynclint.fixes.sight import is_logger
from asynclint.fixes.source import NESTED, Tree, handed, own_nodes

TESTS = (ast.If, ast.While, ast.IfExp)
LOOPS = (ast.For, ast.While)
PROCESS = (*CONTAINERS, "threading.", "concurrent.", "multiprocessing.", "queue.", "subprocess.")
"""Roots of classes whose objects mean the same to all who call them, in whatever order."""

ASKS = frozenset({"get"})

GUARD = re.compile(r"lock|mutex|semaphore", re.IGNORECASE)
"""What a `with` says that keeps others away from files and directories."""


@dataclass(slots=True)
class Half:
    """What one half of a step, or code behind it, reads and sets, by the keys of attributes and globals."""

    reads: set[str] = field(default_factory=set)
    tests: set[str] = field(default_factory=set)
    """What is read to decide something."""
    sets: set[str] = field(default_factory=set)
    """What is set by statements, or by helpers of its module."""
    named: set[str] = field(default_factory=set)
    """What is set by statements."""
    bound: set[str] = field(default_factory=set)
    """What statements give another value as a whole, or empty, and do not only fill."""
    filled: set[str] = field(default_factory=set)
    """What is set by helpers, of whatever module."""
    calls: set[str] = field(default_factory=set)
    """Objects of others whose methods are called."""
    tells: set[str] = field(default_factory=set)
    """Those of which such a call is a whole statement: it is made for what it does to the object."""

    def told(self, words: Callable[[str], str]) -> Half:
        """The same in other words."""
        parts = (self.reads, self.tests, self.sets, self.named, self.bound, self.filled)
        return Half(*(set(map(words, part)) for part in (*parts, self.calls, self.tells)))


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a coroutine is to wait."""

    workshop: Workshop
    tree: Tree
    function: Function
    definition: ast.AST
    """The function's `def`."""
    node: ast.AST


def spot(place: Place) -> Spot | None:
    """That of a finding; None where its function cannot be found in the text."""
    found = place.source.definition(place.function)
    if found is None:
        return None
    return Spot(place.workshop, place.tree, place.function, found[1], place.node)


def object_of(node: ast.AST) -> str:
    """`self.client` of `self.client.auth.sign_in(…)`."""
    names = ast.unparse(node.func).split(".") if isinstance(node, ast.Call) else []
    if len(names) < 3 or not all(name.isidentifier() for name in names):
        return ""
    return ".".join(names[:2])


def is_locked(at: Spot) -> bool:
    """Whether a lock is held around the place."""
    return lock_around(at) is not None


def lock_around(at: Spot) -> ast.AsyncWith | ast.With | None:
    """The outermost `with` around the place that holds a lock."""
    found = None
    for one in at.tree.above(at.node):
        if isinstance(one, (ast.AsyncWith, ast.With)) and says_lock(one):
            found = one
    return found


class Step:
    """The step of a coroutine in which a place lies."""

    def __init__(self, at: Spot, given: bool = False) -> None:
        """With `given`, what hangs on a parameter counts, too: a caller may know it."""
        self.at = at
        self.given = given
        self.unknown: set[str] = set()
        """What only hangs on a parameter."""
        self.effects = at.workshop.once(effects)
        self.statement = at.tree.statement(at.node)
        self.begun: list[ast.Call] = []
        """The coroutine that was waited for when the step began: what it does at its end belongs to the step."""
        self.ended: list[ast.Call] = []
        """The coroutine that is waited for as the step ends: what it does at its beginning belongs to the step."""
        self.is_first = False
        """Whether nothing is waited for between the coroutine's start and the place."""
        self.is_last = False
        """Whether it may come from the place to its end and wait for nothing."""
        self.lock = lock_around(at)
        self._earlier: list[ast.AST] | None = None
        self._later: list[ast.AST] | None = None
        self.sites = {s.extent: s for s in at.function.sites if s.kind == "call"}

    @property
    def is_told(self) -> bool:
        """Whether the place is a call for what it does, and not for what it gives."""
        return isinstance(self.statement, ast.Expr) and self.statement.value is self.at.node

    def before(self) -> Half:
        """What is done since the last wait."""
        half = Half()
        for node in self.earlier():
            self._note(node, half)
        for call in self.begun:
            self._called(call, half, finished=True)
        for node in self.header(self.statement):
            self._reads(node, half)
        if isinstance(self.statement, ast.AugAssign):
            self._reads(self.statement.target, half)
        for node in (*self.earlier(), *self.header(self.statement)):
            self._asks(node, half)
        return half

    def before_lock(self) -> Half:
        """What is done since the last wait, and before the lock around the place is taken."""
        half = Half()
        for node in self.earlier():
            if not self._is_in_lock(node):
                self._note(node, half)
        return half

    def in_lock(self) -> Half:
        """What is done since the last wait while the lock is held."""
        half = Half()
        for node in (*self.earlier(), *self.header(self.statement)):
            if self._is_in_lock(node):
                self._note(node, half)
        return half

    def _is_in_lock(self, node: ast.AST) -> bool:
        line: int = getattr(node, "lineno", 0)
        return self.lock is not None and line >= self.lock.body[0].lineno

    def after(self) -> Half:
        """What is done until the next wait."""
        half = Half()
        for target in _targets(self.statement):
            self._sets(target, half)
        for node in self.later():
            self._note(node, half)
        return half

    def inside(self) -> set[str]:
        """What the functions read that a thread would run at the place."""
        call = self.at.node
        found: set[str] = set()
        if isinstance(call, ast.Call):
            for helper in self._helpers(call):
                found.update(self._in_own_words(call, read_by(self.at.workshop, helper)))
        return found

    def behind(self) -> Half:
        """What is done anywhere below it in the coroutine."""
        half = Half()
        here: int = getattr(self.at.node, "lineno", 0)
        for node in self.at.tree.own(self.at.definition):
            if (getattr(node, "end_lineno", 0) or 0) >= here:
                for target in _targets(node) if isinstance(node, ast.stmt) else ():
                    self._sets(target, half)
                if isinstance(node, ast.Call) and node.lineno >= here:
                    self._called(node, half)
        return half

    # -- the way through the function -------------------------------------------------------------

    def earlier(self) -> list[ast.AST]:
        """The statements, and parts of statements, that run before the place since the last wait, nearest first."""
        if self._earlier is None:
            self._earlier = list(self._backwards())
        return self._earlier

    def later(self) -> list[ast.AST]:
        """The statements, and parts of statements, that run after the place until the next wait."""
        if self._later is None:
            self._later = list(self._forwards())
        return self._later

    def _backwards(self) -> Iterator[ast.AST]:
        tree = self.at.tree
        below: ast.AST = self.statement
        while True:
            parent: ast.AST | None = tree.parent(below)
            suite = tree.suite(below)
            if parent is None or not suite:
                return
            for one in reversed(suite[: _index(suite, below)]):
                waits = _waits(one)
                way = _way_without_wait(one) if waits else None
                if way is not None:
                    yield from way
                    continue
                if waits and not self._passes(one):
                    yield from _behind_line(one, waits[-1])
                    self.begun = _awaited_last(one)
                    return
                yield one
            if isinstance(parent, LOOPS) and suite is parent.body:
                rest = suite[_index(suite, below) + 1 :]
                if not any(_waits(one) for one in (below, *rest)):
                    yield from rest
            if isinstance(parent, ast.Try) and suite is not parent.body:
                if any(_waits(one) for one in parent.body):
                    return
                yield from parent.body
            if not isinstance(parent, ast.stmt) and not isinstance(parent, ast.ExceptHandler):
                return
            if self._is_free(parent):
                below = parent
                continue
            if isinstance(parent, (*NESTED, ast.AsyncFor, ast.AsyncWith)):
                self.is_first = parent is self.at.definition
                return
            for node in self.header(parent):
                if _waits(node):
                    return
                yield node
            if isinstance(parent, ast.ExceptHandler):
                outer = tree.parent(parent)
                if not isinstance(outer, ast.Try) or any(_waits(one) for one in outer.body):
                    return
                yield from outer.body
                parent = outer
            below = parent

    def _forwards(self) -> Iterator[ast.AST]:
        tree = self.at.tree
        below: ast.AST = self.statement
        if isinstance(below, ast.Return):
            self._end()
            yield from self._left()
            return
        for inner in _bodies(self.statement):
            for one in inner:
                yield one
                if _waits(one):
                    break
        while True:
            parent: ast.AST | None = tree.parent(below)
            suite = tree.suite(below)
            if parent is None or not suite:
                return
            for one in suite[_index(suite, below) + 1 :]:
                waits = _waits(one)
                way = _way_without_wait(one) if waits else None
                if way is not None:
                    yield from way
                    continue
                if waits:
                    self.ended = _awaited_last(one)
                    yield from _above_line(one, waits[0])
                    return
                yield one
                if may_return(one):
                    self._end()
                if isinstance(one, (ast.Return, ast.Raise)):
                    return
            if isinstance(parent, LOOPS) and suite is parent.body:
                tested = [parent.test] if isinstance(parent, ast.While) else []
                for again in (*tested, *suite[: _index(suite, below)]):
                    if _waits(again):
                        break
                    yield again
            if isinstance(parent, ast.Try) and suite is parent.body:
                for one in (*parent.orelse, *parent.finalbody):
                    if _waits(one):
                        return
                    yield one
            if isinstance(parent, ast.ExceptHandler):
                parent = tree.parent(parent)
            if not isinstance(parent, ast.stmt) or isinstance(parent, (*NESTED, ast.AsyncFor)):
                if parent is self.at.definition:
                    self._end()
                return
            below = parent

    def _left(self) -> Iterator[ast.AST]:
        """What is done as the coroutine is left at the place."""
        below: ast.AST = self.statement
        for one in self.at.tree.above(below):
            if isinstance(one, NESTED):
                return
            if isinstance(one, ast.Try) and below not in one.finalbody:
                for last in one.finalbody:
                    if _waits(last):
                        return
                    yield last
            below = one

    def _end(self) -> None:
        """Note that the coroutine ends here, where nothing around the place waits as it is left."""
        for one in self.at.tree.above(self.statement):
            if one is self.at.definition:
                self.is_last = True
                return
            if isinstance(one, ast.AsyncWith) and not self._is_free(one):
                return
            if isinstance(one, ast.Try) and any(map(_waits, one.finalbody)):
                return

    def _is_free(self, entered: ast.AST) -> bool:
        """Whether a statement takes a lock that suspends nobody where it is free."""
        return is_lock(self.at.workshop, self.at.function, entered)

    def _passes(self, statement: ast.stmt) -> bool:
        """Whether what is awaited under the lock around the place may suspend nobody."""
        at = self.at
        return self._is_in_lock(statement) and may_pass(at.workshop, at.function, statement)

    def header(self, statement: ast.AST) -> Iterator[ast.AST]:
        """What a statement evaluates itself."""
        for child in ast.iter_child_nodes(statement):
            if isinstance(child, ast.expr) and child not in _targets(statement):
                yield child
            elif isinstance(child, ast.withitem):
                yield child.context_expr

    # -- what is read and set ---------------------------------------------------------------------

    def _note(self, node: ast.AST, half: Half) -> None:
        if isinstance(node, NESTED):
            return
        for one in (node, *own_nodes(node)):
            if isinstance(one, ast.Expr) and self._calls(one.value):
                half.tells.add(self.key(object_of(one.value)))
            if self._calls(one):
                half.calls.add(self.key(object_of(one)))
            if isinstance(one, ast.stmt):
                for target in _targets(one):
                    self._sets(target, half)
            if isinstance(one, ast.AugAssign):
                self._reads(one.target, half)
            if isinstance(one, TESTS):
                self._tests(one.test, half)
            if isinstance(one, ast.Call):
                self._called(one, half)
            if isinstance(one, (ast.Attribute, ast.Name)) and isinstance(one.ctx, ast.Load):
                if not self._is_filled(one):
                    self._read(one, half)
        if self.at.tree.parent(node) is not None:
            around = self.at.tree.parent(node)
            if isinstance(around, TESTS) and node is around.test:
                self._tests(node, half)

    def _reads(self, node: ast.AST, half: Half) -> None:
        for one in ast.walk(node):
            if isinstance(one, (ast.Attribute, ast.Name)):
                self._read(one, half)

    def _is_filled(self, node: ast.AST) -> bool:
        """Whether a container is named to put something into it: `SEEN[name] = …`, `self.rows.append(row)`."""
        parent = self.at.tree.parent
        around = parent(node)
        if isinstance(around, ast.Subscript):
            return around.value is node and not isinstance(around.ctx, ast.Load)
        if not isinstance(around, ast.Attribute) or around.attr not in CHANGES:
            return False
        call = parent(around)
        if not isinstance(call, ast.Call) or not isinstance(parent(call), ast.Expr):
            return False
        return call.func is around and self._is_container(call)

    def _tests(self, node: ast.AST, half: Half) -> None:
        for one in ast.walk(node):
            if isinstance(one, (ast.Attribute, ast.Name)):
                self._add(one, half.tests)

    def _read(self, node: ast.expr, half: Half) -> None:
        self._add(node, half.reads)

    def _sets(self, target: ast.expr, half: Half) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            for one in target.elts:
                self._sets(one, half)
            return
        one = target.value if isinstance(target, ast.Subscript) else target
        if isinstance(target, ast.Name) and target.id not in self.at.function.facts.globals:
            return
        if isinstance(one, (ast.Attribute, ast.Name)):
            self._add(one, half.sets, half.named, *([half.bound] if one is target else []))

    def _called(self, call: ast.Call, half: Half, finished: bool = False) -> None:
        """What a method of a container does to it, and what a helper of the project does, or a coroutine that has `finished`."""
        func = call.func
        if isinstance(func, ast.Attribute):
            if func.attr in ASKS:
                self._add(func.value, half.tests)
            if func.attr in CHANGES and self._is_container(call):
                emptied = [half.bound] if func.attr == "clear" else []
                self._add(func.value, half.sets, half.named, *emptied)
        site = self._site(call)
        if site is None or call is self.at.node:
            return
        function = self.at.function
        workshop = self.at.workshop
        if finished:
            some = members(workshop.facts.graph.evaluator.callee(function.module, site))
            ran = [m.function for m in some if isinstance(m, Func) and m.function.is_async]
        else:
            ran = run_at(workshop, function, site)
        for one in ran:
            # What makes an object sets nothing of what it is called by: `module.Client()`.
            receiver = None if one.facts.name in MAKING else func
            for effect in self.effects.across(function, site, one):
                self._filled(effect, receiver, half)
            given = self._sets_in_given(call, one)
            half.sets |= given
            half.filled |= given

    def _asks(self, node: ast.AST, half: Half) -> None:
        """Note what helpers look at whose answers the coroutine uses, or that may raise by it."""
        for one in (node, *own_nodes(node)) if not isinstance(node, NESTED) else ():
            if isinstance(one, ast.Call) and one is not self.at.node:
                for helper in self._helpers(one):
                    looked = looked_at(self.at.workshop, helper)
                    half.reads.update(self._in_own_words(one, looked))

    def _helpers(self, call: ast.Call) -> Iterator[Function]:
        """The plain functions of the project that a call may run."""
        site = self._site(call)
        if site is not None:
            yield from run_at(self.at.workshop, self.at.function, site)

    def _in_own_words(self, call: ast.Call, read: Iterable[str]) -> Iterator[str]:
        """What a helper reads that is called so, in the coroutine's words."""
        func = call.func
        for text in read:
            if IN in text:
                yield text
            elif isinstance(func, ast.Attribute) and self.is_shared(func):
                yield self.key(f"{ast.unparse(func.value)}.{text.removeprefix(OWN)}")

    def _filled(self, effect: Effect, func: ast.expr | None, half: Half) -> None:
        """Note what a helper sets that is called so."""
        function = self.at.function
        text = effect.text.removesuffix("[…]")
        if effect.root.whose == ALL and effect.by.module is function.module:
            found = self.effects.changed(effect)
        elif text.startswith("self.") and isinstance(func, ast.Attribute):
            found = self.key(f"{ast.unparse(func.value)}{text[4:]}")
        elif effect.root in self.effects.imported(function):
            half.filled.add(self.effects.changed(effect))
            return
        else:
            return
        half.sets.add(found)
        half.filled.add(found)

    def _sets_in_given(self, call: ast.Call, target: Function) -> set[str]:
        """What a call sets in what it is given, and others know: `request.app.state.model` of `unload(request)`."""
        given = handed(call, target)
        found: set[str] = set()
        for effect in self.effects.own(target):
            name, _, rest = effect.text.partition("[…]")[0].partition(".")
            if effect.root.whose == GIVEN and effect.root.name == name and rest and name in given:
                seen = ast.parse(f"{ast.unparse(given[name])}.{rest}", mode="eval").body
                self._add(seen, found)
        return found

    def _calls(self, node: ast.AST) -> bool:
        """Whether a method of an object of others, and of a library, is called."""
        if not isinstance(node, ast.Call) or not object_of(node) or not self.is_shared(node.func):
            return False
        site = self._site(node)
        if site is None or is_logger(site.callee):
            return False
        evaluator = self.at.workshop.facts.graph.evaluator
        found = members(evaluator.callee(self.at.function.module, site))
        return any(isinstance(m, LibMethod) and not m.cls.startswith(PROCESS) for m in found)

    def _site(self, call: ast.Call) -> CallSite | None:
        return self.sites.get(extent(call))

    def _is_container(self, call: ast.Call) -> bool:
        site = self._site(call)
        return site is None or self.effects.is_containers(self.at.function, site)

    def key(self, text: str) -> str:
        """What is named so, in words that are the same in every function."""
        return self.effects.key(self.at.function, text) if text else ""

    def _add(self, node: ast.expr, *kinds: set[str]) -> None:
        if self.is_shared(node):
            for found in kinds:
                found.add(self.key(ast.unparse(node)))

    def is_shared(self, node: ast.expr) -> bool:
        """Whether others may know what an attribute, or a global, stands for."""
        whole = node
        depth = 0
        while isinstance(node, (ast.Attribute, ast.Subscript)):
            depth += isinstance(node, ast.Attribute)
            node = node.value
        if not isinstance(node, ast.Name):
            return False
        found = self.effects.named(self.at.function, node.id)
        roots = {r.whose for r in found if depth > 0 or r.whose != ALL or r.name}
        if roots == {GIVEN}:
            # `request.app.state.model`: what hangs on a parameter's attribute is not the call's own.
            if depth == 1 and self.given:
                self.unknown.add(self.key(ast.unparse(whole)))
            return depth > 1 or (depth == 1 and self.given)
        return bool(roots & {ALL, OBJECT}) and (depth > 0 or node.id != self.at.function.self_name)


def _index(suite: list[ast.stmt], below: ast.AST) -> int:
    return next(i for i, one in enumerate(suite) if one is below)


def _bodies(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse"):
        suite = getattr(statement, name, None)
        if isinstance(suite, list):
            yield suite


def _targets(statement: ast.AST) -> list[ast.expr]:
    if isinstance(statement, ast.Assign):
        return statement.targets
    if isinstance(statement, (ast.AugAssign, ast.AnnAssign)):
        return [statement.target]
    if isinstance(statement, ast.Delete):
        return statement.targets
    if isinstance(statement, (ast.With, ast.AsyncWith)):
        return [item.optional_vars for item in statement.items if item.optional_vars is not None]
    if isinstance(statement, (ast.For, ast.AsyncFor)):
        return [statement.target]
    return []


def _waits(node: ast.AST) -> list[int]:
    """The lines of the waits in a node."""
    if isinstance(node, NESTED):
        return []
    return sorted(n.lineno for n in (node, *own_nodes(node)) if isinstance(n, WAITS))


def _awaited_last(statement: ast.AST) -> list[ast.Call]:
    """The call that a statement which waits awaits in its own line; none where it is more than a simple statement."""
    if not isinstance(statement, (ast.Expr, ast.Assign, ast.AnnAssign, ast.Return)):
        return []
    value = statement.value
    if isinstance(value, ast.Await) and isinstance(value.value, ast.Call):
        return [value.value]
    return []


def _way_without_wait(statement: ast.stmt) -> list[ast.AST] | None:
    """What an `if` does on the way that waits for nothing; None where there is no such way."""
    if not isinstance(statement, ast.If) or _waits(statement.test):
        return None
    ways = [way for way in (statement.body, statement.orelse) if not any(map(_waits, way))]
    # Who leaves there does not come here.
    ways = [way for way in ways if not (way and isinstance(way[-1], (ast.Return, ast.Raise)))]
    return [statement.test, *(one for way in ways for one in way)] if ways else None


def _behind_line(statement: ast.stmt, line: int) -> Iterator[ast.AST]:
    """The statements within another one that begin below a line; of a simple statement that waits, what it sets."""
    for one in own_nodes(statement):
        if isinstance(one, ast.stmt) and one.lineno > line:
            yield one
    for one in (statement, *own_nodes(statement)):
        if isinstance(one, ast.Assign) and one.lineno <= line <= (one.end_lineno or 0):
            yield ast.copy_location(ast.Assign(one.targets, ast.Constant(None)), one)


def _above_line(statement: ast.stmt, line: int) -> Iterator[ast.AST]:
    """The statements within another one that end above a line."""
    for one in own_nodes(statement):
        if isinstance(one, ast.stmt) and (one.end_lineno or 0) < line:
            yield one
