"""What a function asks of something that others know, and changes behind that, under a lock which it did not hold when it asked.

Two locked blocks keep each of themselves whole, and not what is between them: two threads come to the same answer, and both act on it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from asynclint.facts.graph import SYNC
from asynclint.facts.model import CallSite
from asynclint.facts.program import Function, Klass
from asynclint.facts.syntax import extent
from asynclint.findings import Refused
from asynclint.fixes.decided import Ends, ends, goes_by, tests, told
from asynclint.fixes.effects import (
    ALL,
    CHANGES,
    GIVEN,
    IN,
    LOCK,
    Effect,
    all_effects,
    effects,
    shown,
)
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.stores import unlocked

COUNTS = re.compile(r"[\w\])]\s*[-+*/|&^]=")
"""`self.left -= 1`."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What is changed that a caller has not made itself."""

    effects: frozenset[tuple[Function, str]]
    """By whom, and as that writes it."""
    klasses: frozenset[Klass]
    """The classes whose objects are the caller's."""

    def __contains__(self, effect: Effect) -> bool:
        return (effect.by, effect.text) in self.effects


@dataclass(frozen=True, slots=True)
class Act:
    """A question, or a change, in a function."""

    key: str
    node: ast.expr | ast.stmt
    locks: tuple[ast.AST, ...]
    """The `with` statements around it that hold a lock."""
    claims: bool = False
    """It asks and changes in one go."""
    raises: bool = False
    """It raises, or not, by what it finds."""


def refuse(place: Place, site: CallSite, function: Function) -> None:
    """Raise Refused where what a place calls asks and changes under two locks, which two threads would both do."""
    if place.is_locked:
        return
    every = place.workshop.once(all_effects)
    found = every.across(place.function, site, function)
    given = site.callee[1] if site.callee and site.callee[0] == "attr" else None
    own = function.klass if every.roots(place.function, given) else None
    _refuse_among(place.workshop, function, _changed(found, own))


def refuse_below(workshop: Workshop, function: Function) -> None:
    """The same for a function that is to run in a thread; what it is given is its own."""
    found = workshop.once(all_effects).of(function)
    changed = _changed((one for one in found if one.root.whose != GIVEN), function.klass)
    _refuse_among(workshop, function, changed)


def _changed(effects: Iterable[Effect], klass: Klass | None) -> Changed:
    found = {(one.by, one.text) for one in effects}
    klasses = {by.klass for by, text in found if text.startswith(f"{by.self_name}.")} | {klass}
    return Changed(frozenset(found), frozenset(one for one in klasses if one is not None))


def _refuse_among(workshop: Workshop, function: Function, changed: Changed) -> None:
    for one in unlocked(workshop, function):
        key = workshop.each(_broken, (one, changed))
        if key is not None:
            raise Refused(
                f"`{one.name}` asks `{shown(key)}` and changes it behind that without a lock around both, which two threads would both do"
            )


def _broken(workshop: Workshop, one: tuple[Function, Changed]) -> str | None:
    return Steps(workshop, *one).broken()


def _answers(workshop: Workshop, function: Function) -> frozenset[tuple[str, bool]]:
    """What a function gives answers about."""
    return frozenset(Steps(workshop, function, Changed(frozenset(), frozenset())).answers())


class Steps:
    """The questions and the changes of one function."""

    def __init__(self, workshop: Workshop, function: Function, changed: Changed) -> None:
        self.workshop = workshop
        self.function = function
        self.changed = changed
        self.every = workshop.once(all_effects)
        self.sites = {s.extent: s for s in function.sites if s.kind == "call"}

    def broken(self) -> str | None:
        """What is asked, and changed by that behind it, and no lock is held from the one to the other."""
        if not self._may_change() or not self._read():
            return None
        changes = sorted(self._changes(), key=lambda one: ends(one.node))
        for asked in self._asks({one.key for one in changes}) if changes else ():
            behind = [one for one in changes if self._is_led_to(asked, one)]
            if behind and not self._is_kept(asked, behind[0], changes):
                return asked.key
        return None

    def _may_change(self) -> bool:
        facts = self.function.facts
        lines = self.function.module.span(facts.line, facts.end_line)
        return any(map(COUNTS.search, lines)) or any(
            one in self.changed for one in self.every.of(self.function)
        )

    def _read(self) -> bool:
        try:
            found = self.workshop.source(self.function.module).definition(self.function)
        except Refused:
            return False
        if found is None:
            return False
        self.tree, self.definition = found
        self.nodes = self.tree.own(self.definition)
        return True

    # -- what decides about what -------------------------------------------------------------------

    def _is_led_to(self, asked: Act, change: Act) -> bool:
        """Whether a change is made, or what is changed is made, by what is asked before it."""
        if asked.key != change.key or ends(asked.node) >= _start(change.node):
            return False
        if asked.raises:
            return True
        until = ends(change.node)
        if any(True for _ in tests(self.nodes, [asked.node], until)):
            return True
        return goes_by(change.node, told(self.nodes, [asked.node], _start(change.node)), [])

    def _is_kept(self, asked: Act, change: Act, changes: list[Act]) -> bool:
        """Whether nobody comes between, as far as it matters: under one lock, asked again under the second one, or set under the first."""
        if change.claims or set(asked.locks) & set(change.locks):
            return True
        if any(set(one.locks) & set(asked.locks) for one in changes if one.key == asked.key):
            return True
        return self._asked_again(change)

    def _asked_again(self, change: Act) -> bool:
        """Whether a change is decided about under its own lock, too."""
        inside = [n for lock in change.locks for n in ast.walk(lock)]
        again = [one.node for one in self._asks({change.key}) if one.node in inside]
        return any(True for _ in tests(inside, again, ends(change.node)))

    # -- questions -----------------------------------------------------------------------------------

    def _asks(self, keys: set[str]) -> Iterator[Act]:
        """Where some things are read, in the order of the text."""
        for one in self.nodes:
            if isinstance(one, (ast.Name, ast.Attribute)) and isinstance(one.ctx, ast.Load):
                key = self._key(one)
                if key in keys and not self._is_changed_by(one):
                    yield Act(key, one, self._locks(one))
            elif isinstance(one, ast.Call):
                for key, raises in self._asked_below(one):
                    if key in keys:
                        yield Act(key, one, self._locks(one), raises=raises)

    def _is_changed_by(self, node: ast.expr) -> bool:
        """Whether a container is named to change it."""
        around = self.tree.parent(node)
        if isinstance(around, ast.Subscript):
            return around.value is node and not isinstance(around.ctx, ast.Load)
        return isinstance(around, ast.Attribute) and around.attr in CHANGES

    def _asked_below(self, call: ast.Call) -> Iterator[tuple[str, bool]]:
        """What a helper reads and does not change, as this function would write it, and whether it raises by that."""
        site = self.sites.get(extent(call))
        for edge in self.workshop.facts.graph.out.get(self.function, ()) if site else ():
            if edge.site is not site or edge.how not in SYNC or edge.target is self.function:
                continue
            for key, raises in self.workshop.each(_answers, edge.target):
                yield self._seen(key, call, edge.target), raises

    def answers(self) -> Iterator[tuple[str, bool]]:
        """What the function reads and does not change, and whether it raises by that."""
        if self.function.is_async or not self._read():
            return
        own = {self._text(one) for one in self.every.own(self.function)}
        for one in self.nodes:
            if isinstance(one, (ast.Name, ast.Attribute)) and isinstance(one.ctx, ast.Load):
                key = self._key(one)
                if key not in own and (IN in key or key.startswith(f"{self.function.self_name}.")):
                    yield key, self._raises_by(one)

    def _raises_by(self, read: ast.expr) -> bool:
        for one in self.nodes:
            if isinstance(one, ast.If) and any(
                isinstance(node, ast.Raise) for inner in one.body for node in ast.walk(inner)
            ):
                if goes_by(one.test, told(self.nodes, [read], _start(one)), [read]):
                    return True
        return False

    # -- changes -------------------------------------------------------------------------------------

    def _changes(self) -> Iterator[Act]:
        """What is changed under a lock, or counted up or down."""
        yield from self._changes_here()
        for one in self.nodes:
            if isinstance(one, ast.Call):
                yield from self._changes_below(one)

    def _changes_here(self) -> Iterator[Act]:
        """The same without what is called."""
        own = {self._text(one) for one in self.every.own(self.function) if one in self.changed}
        for one in self.nodes:
            for target in _targets(one):
                key, locks = self._key(target), self._locks(one)
                counted = isinstance(one, ast.AugAssign) and self._is_known(target)
                if (key in own and locks) or counted:
                    assert isinstance(one, (ast.expr, ast.stmt))
                    yield Act(key, one, locks)

    def _is_known(self, target: ast.expr) -> bool:
        """Whether what is counted up or down is an attribute of an object that others know, or a global."""
        text = _words(target)
        home, inside, _ = self.every.key(self.function, text).partition(IN)
        if inside:
            return ":" not in home  # Not that of a function around.
        return text.startswith(f"{self.function.self_name}.") and (
            self.function.klass in self.changed.klasses
        )

    def _changes_below(self, call: ast.Call) -> Iterator[Act]:
        """What a helper changes under its lock."""
        site = self.sites.get(extent(call))
        for edge in self.workshop.facts.graph.out.get(self.function, ()) if site else ():
            if edge.site is not site or edge.how not in SYNC or edge.target is self.function:
                continue
            bare = set(self.workshop.once(effects).across(self.function, edge.site, edge.target))
            for one in self.every.across(self.function, edge.site, edge.target):
                if one in self.changed and one not in bare:
                    key = self._seen_effect(one, call)
                    claims = Steps(self.workshop, one.by, self.changed)._claims(one)
                    yield Act(key, call, self._locks(call), claims)

    def _claims(self, effect: Effect) -> bool:
        """Whether a helper asks under its lock before it changes something."""
        if not self._read():
            return False
        key = self._text(effect)
        own = [one for one in self._changes_here() if one.key == key]
        return any(self._asked_again(one) for one in own)

    def _seen_effect(self, effect: Effect, call: ast.Call) -> str:
        if effect.root.whose == ALL:
            return self.every.changed(effect)
        return self._seen(effect.text.removesuffix("[…]"), call, effect.by)

    def _seen(self, key: str, call: ast.Call, helper: Function) -> str:
        """What a helper names so, in the words of this function."""
        own = f"{helper.self_name}."
        if not key.startswith(own) or not isinstance(call.func, ast.Attribute):
            return key
        name, rest = _words(call.func.value), key[len(own) - 1 :]
        return self.every.key(self.function, name + rest) if name else self._given(call) + rest

    def _given(self, call: ast.Call) -> str:
        """The global that a call gives whose method is called: `get_vault().check()`."""
        site = self.sites.get(extent(call))
        callee = site.callee if site is not None else None
        if callee and callee[0] == "attr":
            for root in self.every.roots(self.function, callee[1]):
                if root.whose == ALL and root.home:
                    return f"{root.home}{IN}{root.name}"
        return ""

    # -- names and locks -------------------------------------------------------------------------------

    def _text(self, effect: Effect) -> str:
        """What an effect of the function's own changes, as its text names it."""
        return self.every.key(effect.by, effect.text.removesuffix("[…]"))

    def _key(self, node: ast.expr) -> str:
        text = _words(node)
        return self.every.key(self.function, text) if text else ""

    def _locks(self, node: ast.AST) -> tuple[ast.AST, ...]:
        found = []
        for one in self.tree.above(node):
            if one is self.definition:
                break
            if isinstance(one, (ast.With, ast.AsyncWith)) and self._holds_lock(one):
                found.append(one)
        return tuple(found)

    def _holds_lock(self, entered: ast.With | ast.AsyncWith) -> bool:
        """As effects see it."""
        starts = {_start(item.context_expr) for item in entered.items}
        return any(LOCK.search(ast.unparse(item.context_expr)) for item in entered.items) or any(
            site.kind == "with"
            and (site.line, site.col) in starts
            and self.every.is_lock(self.function, site)
            for site in self.function.sites
        )


def _start(node: ast.expr | ast.stmt) -> Ends:
    return node.lineno, node.col_offset


def _targets(node: ast.AST) -> Iterator[ast.expr]:
    """What a statement, or a method of a container, changes."""
    targets: list[ast.expr] = []
    if isinstance(node, (ast.Assign, ast.Delete)):
        targets = node.targets
    elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        targets = [node.target]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in CHANGES:
            yield node.func.value
    for one in targets:
        yield one.value if isinstance(one, ast.Subscript) else one


def _words(node: ast.expr) -> str:
    """A name, an attribute of one, or what stands in one, as effects spell it."""
    if isinstance(node, ast.Name):
        return node.id
    inner = _words(node.value) if isinstance(node, (ast.Attribute, ast.Subscript)) else ""
    if not inner:
        return ""
    return f"{inner}.{node.attr}" if isinstance(node, ast.Attribute) else f"{inner}[…]"
