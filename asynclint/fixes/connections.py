"""Connections that belong to the thread which opens them, and outlive the call that opens them: the event loop would use them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Klass, recipe_name
from asynclint.facts.types import Cls, Func, Inst, Lib, LibManager, Type, members
from asynclint.findings import Refused
from asynclint.fixes.effects import OBJECT, Effect, all_effects, in_order
from asynclint.fixes.place import Place, Workshop

KEPT = re.compile(
    r"(?:sqlite3|psycopg2|pymysql)\..*[cC]onnection|sqlalchemy\.orm\.Session|sqlmodel\.Session"
)
"""Classes whose objects are used by the thread, or in the transaction, that made them."""

WITHIN = frozenset({"item", "sub", "await", "star", "enter"})
"""Tags of recipes for a part of another one's value, or for what that becomes."""

MAKING = ("__init__", "__post_init__")


class Connections:
    """Which functions give, or keep, a connection that they opened."""

    def __init__(self, workshop: Workshop) -> None:
        self.graph = workshop.facts.graph
        self.evaluator = workshop.facts.graph.evaluator
        self.effects = workshop.once(all_effects)
        self._given: dict[Function, bool] = {}
        self._held: dict[Klass, bool] = {}

    def gives(self, function: Function) -> bool:
        """Whether what a function gives is, or keeps, a connection that it opened."""
        known = self._given.get(function)
        if known is None:
            self._given[function] = False
            known = any(self._fresh(function, recipe) for recipe, _, _ in function.facts.returns)
            self._given[function] = known
        return known

    def opens(self, klass: Klass) -> bool:
        """Whether building an object of a class opens a connection that the object keeps."""
        known = self._held.get(klass)
        if known is None:
            self._held[klass] = False
            known = self._held[klass] = any(
                one.root.whose == OBJECT and self._is_fresh(one)
                for base in self.evaluator.mro(klass)
                if isinstance(base, Klass)
                for name in MAKING
                if (method := base.own_method(name)) is not None
                for one in self.effects.of(method)
            )
        return known

    def keeper(self, function: Function) -> Function | None:
        """What puts a connection, during a call of a function, where it outlives the call."""
        found = in_order(self.effects.of(function))
        return next((one.by for one in found if self._is_fresh(one)), None)

    def _is_fresh(self, effect: Effect) -> bool:
        """Whether what is set is a connection that was opened for it."""
        function = effect.by
        bound = [
            one.recipe
            for one in function.facts.attribute_bindings
            if f"{recipe_name(one.base)}.{one.attr}" == effect.text
        ]
        bound += [one.recipe for one in function.facts.bindings.get(effect.text, ())]
        return any(self._fresh(function, recipe) for recipe in bound)

    def _fresh(self, function: Function, recipe: Recipe, names: tuple[str, ...] = ()) -> bool:
        """Whether an expression of a function is, or keeps, a connection that was opened in it."""
        if not recipe:
            return False
        if recipe[0] == "call":
            return self._made(function, function.module.site(recipe[1]), names)
        if recipe[0] == "name" and recipe[1] not in names:
            return any(
                self._fresh(function, one, (*names, recipe[1]))
                for one in self._put_into(function, recipe[1])
            )
        if recipe[0] in ("any", "display"):
            parts = recipe[1] if recipe[0] == "any" else recipe[2]
            return any(self._fresh(function, one, names) for one in parts)
        return (
            recipe[0] in WITHIN
            and self._fresh(function, recipe[1], names)
            and self._may_keep(function, recipe)
        )

    def _put_into(self, function: Function, name: str) -> Iterator[Recipe]:
        """What a local name is set to, and what its attributes are."""
        for one in function.facts.bindings.get(name, ()):
            yield one.recipe
        for other in function.facts.attribute_bindings:
            if other.base == ("name", name):
                yield other.recipe

    def _may_keep(self, function: Function, recipe: Recipe) -> bool:
        """Whether a part of what a call gives is a connection, or an object, as far as is known."""
        at = function.facts.end_line, 0, function.facts.root_block
        return any(
            one is None or (isinstance(one, Inst) and (isinstance(one.of, Klass) or _is_kept(one)))
            for one in members(self.evaluator.eval(recipe, function, at))
        )

    def _made(self, function: Function, site: CallSite, names: tuple[str, ...]) -> bool:
        for member in members(self.evaluator.callee(function.module, site)):
            if isinstance(member, Func):
                if not member.function.is_async and self.gives(member.function):
                    return True
            elif isinstance(member, Cls):
                given = (recipe for recipe, _ in site.args)
                if self.opens(member.klass) or any(self._fresh(function, r, names) for r in given):
                    return True
            elif isinstance(member, (Lib, Inst)) and not _is_for_all(function, site):
                value = self.evaluator.call_type(function.module, site.index)
                value = value.result if isinstance(value, LibManager) else value
                if any(_is_kept(one) for one in members(value)):
                    return True
        return False


def _is_kept(value: Type) -> bool:
    return isinstance(value, Inst) and isinstance(value.of, str) and bool(KEPT.fullmatch(value.of))


def _is_for_all(function: Function, site: CallSite) -> bool:
    """Whether a connection is opened for all threads: `check_same_thread=False`, here or in what is unpacked."""
    for given, name in site.args:
        if name == "check_same_thread" and given != ("const", True):
            return True
        if name == "**":
            lines = function.module.span(function.facts.line, function.facts.end_line)
            return any("check_same_thread" in line for line in lines)
    return False


def refuse(place: Place) -> None:
    """Raise Refused where a thread would open a connection that the event loop goes on to use."""
    refuse_at(place, place.site)
    item = place.tree.parent(place.node)
    if isinstance(item, ast.withitem) and place.finding.rule.endswith("database-call"):
        raise Refused(
            "only the connection would be opened in a thread, and not what is asked of it"
        )


def refuse_at(place: Place, site: CallSite) -> None:
    """The same for a call within a block that a thread is to run."""
    opened = place.workshop.once(Connections)
    evaluator = place.workshop.facts.graph.evaluator
    for member in members(evaluator.callee(place.function.module, site)):
        gives = (isinstance(member, Func) and opened.gives(member.function)) or (
            isinstance(member, Cls) and opened.opens(member.klass)
        )
        if gives:
            raise Refused(
                f"what `{recipe_name(site.callee)}` gives keeps a connection that belongs to the thread which opens it"
            )
        keeper = opened.keeper(member.function) if isinstance(member, Func) else None
        if keeper is not None:
            raise Refused(
                f"`{keeper.name}` keeps a connection that belongs to the thread which opens it"
            )


def are_kept(workshop: Workshop, function: Function) -> bool:
    """Whether a call of a function leaves a connection behind that it opened."""
    return workshop.once(Connections).keeper(function) is not None
