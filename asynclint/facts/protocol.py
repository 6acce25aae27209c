"""`with` and `for` on what only `async with` and `async for` can use, and the other way round."""

from __future__ import annotations

from typing import Literal

from asynclint.facts.classes import is_overridden_plainly
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import CallSite
from asynclint.facts.program import Function, Klass, recipe_name
from asynclint.facts.types import Coro, Gen, Inst, LibManager, Manager, Type, members
from asynclint.facts.view import Mistake

Has = Literal["sync", "async", "coroutine"]

METHODS = {"with": ("__enter__", "__aenter__"), "for": ("__iter__", "__aiter__")}


ASKS = frozenset(
    {"isasyncgen", "isawaitable", "iscoroutine", "isgenerator", "isinstance", "hasattr"}
)
"""Functions that tell what a value is."""


class ProtocolFacts:
    """Every such statement in the program."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator

    def mismatch(self, function: Function, site: CallSite) -> Mistake | None:
        """What a `with` or `for` cannot use, in words; None where it can, or may."""
        if site.kind not in ("with", "awith", "for", "afor"):
            return None
        value = self.evaluator.callee(function.module, site)
        if value is None:
            return None
        kind = site.kind.removeprefix("a")
        if self._made_either_way(function, site) or _is_asked(function, site):
            return None
        found = {self._has(m, kind) for m in members(value)}
        if len(found) != 1:
            return None
        [has] = found
        is_async = site.kind != kind
        if has is None or has == ("async" if is_async else "sync"):
            return None
        if function.module.dead(site.block) or (has == "coroutine" and not is_async):
            return None
        for one in members(value):
            # A subclass may bring the method.
            if isinstance(one, Inst) and isinstance(one.of, Klass):
                if not one.exact and self.evaluator.subclasses(one.of):
                    return None
        name = recipe_name(site.callee)
        made = site.callee[1] if site.callee and site.callee[0] == "await" else site.callee
        if "…" in name and made and made[0] == "call":
            name = recipe_name(function.module.site(made[1]).callee)
        return Mistake("mismatched", name, has, ())

    def _made_either_way(self, function: Function, site: CallSite) -> bool:
        """`factory()` of a `factory: sessionmaker`: whether it makes asynchronous objects is not told by its class."""
        made = site.callee
        if not made or made[0] != "call":
            return False
        inner = function.module.site(made[1])
        for member in members(self.evaluator.callee(function.module, inner)):
            if isinstance(member, Inst) and isinstance(member.of, str) and not member.exact:
                cls = self.evaluator.known.cls(member.of)
                if cls is not None and cls.construct is not None and cls.construct.returns_if:
                    return True
        return False

    def _has(self, value: Type, kind: str) -> Has | None:
        """The only form in which a value can be entered or iterated, where that is certain."""
        if isinstance(value, Coro):
            function = value.function
            if value.enters if kind == "with" else value.iterates:
                return "async"
            plain = not value.enters and not value.iterates and not value.eager
            certain = (
                function is not None
                and function.facts.kind == "async"
                and not is_overridden_plainly(self.evaluator, function)
            )
            return "coroutine" if plain and certain else None
        if kind == "with" and isinstance(value, Manager):
            return "async" if value.is_async else "sync"
        if kind == "with" and isinstance(value, LibManager):
            return "async" if value.is_async else None
        if kind == "for" and isinstance(value, Gen) and value.function is not None:
            return "async" if value.is_async else "sync"
        if isinstance(value, Inst):
            return self._instance(value, kind)
        return None

    def _instance(self, value: Inst, kind: str) -> Has | None:
        if isinstance(value.of, Klass):
            return self._class(value.of, kind)
        cls = self.evaluator.known.cls(value.of)
        if cls is None:
            return None
        has = cls.enter if kind == "with" else cls.iter
        return has if has in ("sync", "async") else None

    def _class(self, klass: Klass, kind: str) -> Has | None:
        above = [k for k in self.evaluator.mro(klass) if k != "builtins.object"]
        classes = [k for k in above if isinstance(k, Klass)]
        if len(classes) != len(above):
            return None
        if any(k.own_method("__getattr__") or k.facts.decorators for k in classes):
            return None
        if kind == "for" and any(k.own_method("__getitem__") for k in classes):
            return None
        plain, other = METHODS[kind]
        has = [any(k.own_method(name) is not None for k in classes) for name in (plain, other)]
        if has == [True, False]:
            return "sync"
        return "async" if has == [False, True] else None


def is_asynchronous(evaluator: Evaluator, value: Type, kind: str) -> bool:
    """Whether all that a value may be is seen to be something for `async with`, or for `async for`."""
    return all(_is_one(evaluator, one, kind) for one in members(value))


def _is_one(evaluator: Evaluator, value: Type, kind: str) -> bool:
    if isinstance(value, Coro):
        return value.enters if kind == "with" else value.iterates
    if isinstance(value, Gen):
        return value.is_async and kind == "for"
    if isinstance(value, (Manager, LibManager)):
        return value.is_async and kind == "with"
    if not isinstance(value, Inst):
        return False
    classes = evaluator.mro(value.of) if isinstance(value.of, Klass) else (value.of,)
    return any(_has_asynchronous(evaluator, one, kind) for one in classes)


def _has_asynchronous(evaluator: Evaluator, of: Klass | str | None, kind: str) -> bool:
    """Whether a class itself is seen to have the method of `async with`, or of `async for`."""
    if isinstance(of, Klass):
        return of.own_method(METHODS[kind][1]) is not None
    known = evaluator.known.cls(of) if of is not None else None
    if known is None:
        return False
    return (known.enter if kind == "with" else known.iter) in ("async", "both")


def _is_asked(function: Function, site: CallSite) -> bool:
    """`if isasyncgen(rows): async for row in rows`: the code asks what it has, and knows it better here."""
    module = function.module
    for block in module.chain(site.block):
        if block.kind in ("if", "else") and block.info and block.info[0] == "call":
            asked = module.site(block.info[1])
            if asked.callee and asked.callee[-1] in ASKS and asked.args:
                if asked.args[0][0] == site.callee:
                    return True
    return False
