"""Pools that a queue keeps: what a function takes out of it, and waits for, it puts back."""

from __future__ import annotations

from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Klass
from asynclint.facts.types import Func, LibMethod, Type, members

QUEUES = frozenset({"asyncio.Queue", "asyncio.LifoQueue", "asyncio.PriorityQueue"})
PUTS = frozenset({"put", "put_nowait"})


def borrows(evaluator: Evaluator, function: Function) -> bool:
    """Whether a coroutine function waits for something out of a pool, and puts the same thing back."""
    for taken in function.sites:
        if not (taken.role[0] == "await" and _is_method(taken) and not taken.args):
            continue
        callee = evaluator.callee(function.module, taken)
        names = _names(function, taken)
        for given in function.sites if names else ():
            if not _is_method(given) or given.callee[1] != taken.callee[1]:
                continue
            if not any(recipe and recipe in names for recipe, _ in given.args):
                continue
            if _is_pair(evaluator, callee, evaluator.callee(function.module, given)):
                return True
    return False


def _is_method(site: CallSite) -> bool:
    return site.kind == "call" and bool(site.callee) and site.callee[0] == "attr"


def _names(function: Function, site: CallSite) -> list[Recipe]:
    """The variables that hold what is awaited at a site."""
    awaited = ("await", ("call", site.index))
    return [
        ("name", name)
        for name, bindings in function.facts.bindings.items()
        if any(b.recipe == awaited for b in bindings)
    ]


def _is_pair(evaluator: Evaluator, takes: Type, gives: Type) -> bool:
    """Whether two methods take from, and put into, one queue: its own, or those of a class that keeps one."""
    for one in members(takes):
        for other in members(gives):
            if isinstance(one, LibMethod) and isinstance(other, LibMethod):
                if _is_queue(one, "get") and other.name in PUTS and other.cls == one.cls:
                    return True
            elif isinstance(one, Func) and isinstance(other, Func):
                klass = one.function.klass
                if klass is not None and klass is other.function.klass:
                    kept = _queues(evaluator, klass, one.function, "get")
                    if kept & _queues(evaluator, klass, other.function, "put"):
                        return True
    return False


def _queues(evaluator: Evaluator, klass: Klass, method: Function, how: str) -> frozenset[str]:
    """The attributes whose queues a method takes from, or puts into."""
    found: set[str] = set()
    for site in method.sites:
        if not _is_method(site):
            continue
        base = site.callee[1]
        if not base or base[0] != "attr" or base[1] != ("name", method.self_name):
            continue
        for one in members(evaluator.callee(method.module, site)):
            if isinstance(one, LibMethod) and _is_queue(one, how):
                if how != "get" or site.role[0] in ("await", "return"):
                    found.add(str(base[2]))
    return frozenset(found)


def _is_queue(method: LibMethod, how: str) -> bool:
    return method.cls in QUEUES and method.name in (PUTS if how == "put" else ("get",))
