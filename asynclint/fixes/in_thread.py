"""Whether a thread may run what a coroutine calls, with what it is given, and what it gives."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Klass
from asynclint.facts.types import Cls, Func, Gen, Inst, Lib, LibMethod, Type, members
from asynclint.findings import Refused
from asynclint.fixes import (
    changed,
    connections,
    embedded,
    gone_through,
    kept_files,
    lent,
    library_settings,
    sight,
    thread_bound,
    thread_state,
    twice,
    written_back,
)
from asynclint.fixes.effects import MAKING
from asynclint.fixes.owner import PLAIN_BASES
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.reached import reached, run_at
from asynclint.fixes.thread_bound import LOCKED, THREAD_BOUND, is_shared

LOOP_BOUND = ("tornado.web.", "tornado.websocket.")
"""Roots of classes whose objects work in the event loop's thread only."""

LOCKS = frozenset({"acquire", "release", "__enter__", "__exit__"})

QUEUES = ("queue.", "multiprocessing.")

AWAITED = ("__await__", "__aenter__", "__aiter__")
"""Methods of objects that the event loop works with."""


def refuse(place: Place) -> None:
    """Raise Refused where a thread is not to run the call of a finding."""
    evaluator = place.workshop.facts.graph.evaluator
    module = place.function.module
    around = place.tree.parent(place.call)
    if isinstance(around, ast.Await):
        raise Refused("what it gives is awaited, and may belong to the event loop's thread")
    if isinstance(around, ast.withitem) and isinstance(place.tree.parent(around), ast.AsyncWith):
        raise Refused("what it gives is entered, and may belong to the event loop's thread")
    if sight.takes_lock(place.source.segment(place.call), place.function):
        raise Refused(f"`{place.function.name}` {LOCKED}")
    for member in members(evaluator.callee(module, place.site)):
        if isinstance(member, LibMethod):
            _refuse_method(place, member)
            if is_shared(place.function, place.site, member):
                raise Refused(
                    f"a `{member.cls.rpartition('.')[2]}` is used by one thread at a time"
                )
        if isinstance(member, (Cls, Lib)) and any(
            b.name.startswith(THREAD_BOUND) for b in place.facts.blocking.values()
        ):
            raise Refused("what it opens is used by the thread that opens it")
        if isinstance(member, Lib) and member.path == "builtins.next":
            raise Refused("a `StopIteration` cannot leave a thread")
        if isinstance(member, Func):
            if member.function.facts.generator:
                raise Refused(
                    f"`{member.function.name}` is a generator: its body runs where it is iterated"
                )
            _refuse_object(member.bound)
        if isinstance(member, Cls):
            if _works_on_loop(place.workshop, member.klass):
                raise Refused(
                    f"a `{member.klass.name}` may belong to the thread that makes it, which has to be the event loop's"
                )
    for function in run_at(place.workshop, place.function, place.site):
        _refuse_function(place, function)
    gone_through.refuse_written(place, place.call)
    for recipe in (place.site.callee, *(recipe for recipe, _ in place.site.args)):
        for maker in _makers(place, recipe):
            reason = thread_bound.calls_back(place.workshop, maker)
            if reason is not None:
                raise Refused(reason)
    for recipe, _ in place.site.args:
        inner = recipe[1] if recipe and recipe[0] == "star" else recipe
        for value in members(evaluator.at_site(inner, place.site, module)):
            _refuse_object(value)
            of = value.of if isinstance(value, Inst) else None
            bases = evaluator.mro(of) if isinstance(of, Klass) else [of]
            if any(isinstance(base, str) and base.startswith(LOOP_BOUND) for base in bases):
                raise Refused("a request's handler belongs to the event loop's thread")
            if isinstance(value, Gen) and value.function is not None:
                thread_bound.refuse_below(place.workshop, value.function)
    for value in members(evaluator.call_type(module, place.site.index)):
        if isinstance(value, Gen):
            raise Refused("what it gives is read on the event loop")
        _refuse_object(value, "gives")
        if isinstance(value, Inst) and isinstance(value.of, Klass):
            if _works_on_loop(place.workshop, value.of):
                raise Refused(
                    f"the `{value.of.name}` that it gives may belong to the thread that makes it, which has to be the event loop's"
                )


def refuse_site(place: Place, site: CallSite) -> None:
    """Raise Refused where a call within a block that a thread is to run works in the event loop's thread only."""
    workshop, function = place.workshop, place.function
    thread_state.refuse_at(place, site)
    for reason in thread_bound.needs_loop(workshop, function, site):
        raise Refused(reason)
    for member in members(workshop.facts.graph.evaluator.callee(function.module, site)):
        if isinstance(member, LibMethod) and (
            member.cls.startswith(THREAD_BOUND) or is_shared(function, site, member)
        ):
            raise Refused(f"a `{member.cls.rpartition('.')[2]}` is used by one thread at a time")
    for one in run_at(workshop, function, site):
        thread_bound.refuse_below(workshop, one)
        _refuse_between(place, one)
        changed.refuse(place, site, one)
        if one.facts.name not in MAKING:
            gone_through.refuse(place, site, one)
            twice.refuse(place, site, one)
    embedded.refuse_at(place, site)
    connections.refuse_at(place, site)


def _refuse_function(place: Place, function: Function) -> None:
    """Raise Refused where a thread is not to run a function of the project.

    What makes an object has that for itself: what it asks, goes through and writes back there nobody else knows.
    """
    makes = function.facts.name in MAKING
    thread_bound.refuse_below(place.workshop, function)
    if not makes:
        gone_through.refuse(place, place.site, function)
        written_back.refuse_below(reached(place.workshop, function))
    _refuse_between(place, function)
    _refuse_sight(place, function)
    _refuse_kept(place, function)
    changed.refuse(place, place.site, function)
    changed.refuse_filled(place, function)
    if not makes:
        twice.refuse(place, place.site, function)
        written_back.refuse_told(place, function)


def _refuse_between(place: Place, function: Function) -> None:
    """Raise Refused where others would come between what is called and what it does for all: with settings, pools or files."""
    library_settings.refuse_below(place, reached(place.workshop, function))
    lent.refuse_below(place, reached(place.workshop, function))
    kept_files.refuse_within(place, function)


def _makers(place: Place, recipe: Recipe) -> Iterator[Function]:
    """The project's functions that make what a local name is, or the object whose method is called."""
    while recipe and recipe[0] in ("attr", "sub", "star"):
        recipe = recipe[1]
    if not recipe or recipe[0] != "name":
        return
    module = place.function.module
    for binding in place.function.facts.bindings.get(recipe[1], ()):
        if binding.recipe and binding.recipe[0] == "call":
            site = module.site(binding.recipe[1])
            for member in members(place.workshop.facts.graph.evaluator.callee(module, site)):
                if isinstance(member, Func):
                    yield member.function


def _refuse_kept(place: Place, function: Function) -> None:
    """Raise Refused where what blocks is made by the first call only: in threads, several would make it."""
    runs = place.workshop.facts.runs
    links = {(link.path, link.span.line) for link in place.finding.because}
    for one in reached(place.workshop, function):
        if one.facts.decorators and runs.cached(one):
            lines = range(one.facts.first_line, one.facts.end_line + 1)
            if any(path == one.module.file.name and line in lines for path, line in links):
                raise Refused(
                    f"`{one.name}` keeps what it gives, so that only its first call blocks"
                )


def _refuse_sight(place: Place, function: Function) -> None:
    """Raise Refused where what is called depends on who calls it, or is called by everybody."""
    if sight.is_logger(place.site.callee):
        raise Refused(
            "a logger is called all over the program; it is what it writes with that a thread should run"
        )
    asking = sight.asks_caller(place.workshop, function)
    if asking is not None:
        raise Refused(f"`{asking}` looks at who calls it, which a thread does not show")
    if place.is_handled and any(
        sight.reads_exception(place.workshop, one) for one in reached(place.workshop, function)
    ):
        raise Refused(
            f"`{function.name}` reads the exception that is handled here, which a thread does not see"
        )


def _works_on_loop(workshop: Workshop, klass: Klass) -> bool:
    """Whether objects of a class are awaited or entered, or are coroutines' and made by code that is not at hand."""
    known = workshop.facts.graph.evaluator.mro(klass)
    own = [one for one in known if isinstance(one, Klass)]
    if any(one.own_method(name) is not None for one in own for name in AWAITED):
        return True
    if set(known) - set(own) <= PLAIN_BASES:
        return False
    return any(one.is_async for k in own for one in k.module.functions if one.klass is k)


def _refuse_method(place: Place, member: LibMethod) -> None:
    if member.cls.startswith(THREAD_BOUND):
        raise Refused(f"a `{member.cls.rpartition('.')[2]}` is used by one thread at a time")
    if member.name in LOCKS:
        raise Refused("a lock taken in another thread would not be held by this one")
    if member.cls.startswith(QUEUES) and member.cls.endswith("Queue") and member.name == "get":
        call = place.call
        if len(call.args) < 2 and not any(k.arg in ("timeout", None) for k in call.keywords):
            raise Refused(
                "its thread would wait on when the coroutine is cancelled, which `asyncio.Queue` does not"
            )


def _refuse_object(value: Type, how: str = "") -> None:
    if isinstance(value, Inst) and isinstance(value.of, str) and value.of.startswith(THREAD_BOUND):
        name = value.of.rpartition(".")[2]
        given = f"the `{name}` that it gives" if how else f"a `{name}`"
        raise Refused(f"{given} is used by one thread at a time")
