"""A blocking call in a coroutine is handed to a worker thread, or the route around it runs in one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from asynclint.facts.types import Inst, Lib, LibMethod, members
from asynclint.findings import Fix, Refused
from asynclint.fixes import (
    acquired,
    answered,
    child,
    connections,
    embedded,
    in_thread,
    interrupted,
    lent,
    library_settings,
    may_wait,
    missing,
    no_thread,
    stores,
    thread_bound,
    thread_state,
    transactions,
    trees,
    written_back,
)
from asynclint.fixes.mocked import refuse_without_threads
from asynclint.fixes.place import Place
from asynclint.fixes.plain_route import plain_route
from asynclint.fixes.reached import reached, run_at

MAYBE = re.compile(r"maybe_?(future|await|coro)|ensure_future|isawaitable|iscoroutine")
"""Functions that take a value or a coroutine."""

IMPLICIT = {
    "with": "entering or leaving it is what blocks",
    "for": "each step of the iteration blocks",
    "attr": "it is a property",
    "item": "it is a method that a subscript calls",
    "in": "it is a method that `in` calls",
}
"""Why calls that are not written as calls cannot be handed over."""

ADDRESS = ("family", "type", "proto", "flags")
"""What `socket.getaddrinfo` takes by position behind the host and the port, and the loop's by keyword."""


def hand_over(place: Place) -> Iterable[Fix]:
    """The fixes of a blocking call. Raises Refused with the reason where a thread is not right."""
    try:
        first = _first(place)
    except Refused:
        fixes = list(plain_route(place))
        if not fixes:
            raise
        yield from fixes
        return
    yield first
    yield from child.await_exit(place)
    yield from plain_route(place)


def _first(place: Place) -> Fix:
    reason = IMPLICIT.get(place.site.kind)
    if reason is not None:
        raise Refused(reason)
    call = place.call
    may_wait.refuse(place)
    acquired.refuse(place)
    interrupted.refuse(place)
    answered.refuse(place, call)
    written_back.refuse(place)
    missing.refuse(place)
    stores.refuse(place)
    may_wait.refuse_between(place, call)
    refuse_without_threads(place.workshop, place.function.module)
    if "set_default_executor(" in (place.function.module.file.text or ""):
        raise Refused("the module gives the loop threads of its own, which may all be taken")
    _refuse_arguments(call)
    no_thread.refuse(place)
    trees.refuse(place)
    thread_state.refuse(place)
    library_settings.refuse(place)
    lent.refuse(place)
    for reason in thread_bound.needs_loop(place.workshop, place.function, place.site):
        raise Refused(reason)
    _refuse_gathered(place)
    in_thread.refuse(place)
    embedded.refuse(place)
    connections.refuse(place)
    transactions.refuse(place)
    if place.loop == "trio":
        raise Refused("its coroutines run on the event loop of trio")
    return _of_loop(place, call) or _awaited(place, call)


def _refuse_arguments(call: ast.Call) -> None:
    base = call.func.value if isinstance(call.func, ast.Attribute) else None
    if isinstance(base, ast.Call) and isinstance(base.func, ast.Name) and base.func.id == "open":
        raise Refused("the file is opened on the event loop, and nothing closes it")
    for one in (*call.args, *(k.value for k in call.keywords)):
        if any(isinstance(node, ast.Call) and no_thread.opens(node) for node in ast.walk(one)):
            raise Refused("a file is opened among its arguments, and nothing closes it in time")
    for node in ast.walk(call):
        if isinstance(node, (ast.Yield, ast.YieldFrom, ast.NamedExpr)):
            raise Refused("its arguments do more than give values")
    if len(call.args) == 1 and isinstance(call.args[0], ast.GeneratorExp):
        raise Refused("its argument is a generator expression")
    for keyword in call.keywords:
        if (
            keyword.arg == "stream"
            and isinstance(keyword.value, ast.Constant)
            and keyword.value.value
        ):
            raise Refused("the stream that it opens would still be read on the event loop")


def _refuse_gathered(place: Place) -> None:
    """Raise Refused within the arguments of `gather`: nothing of it starts before all of them are there."""
    below: ast.AST = place.call
    for one in place.tree.above(place.call):
        if isinstance(one, (ast.stmt, ast.Lambda)):
            return
        if isinstance(one, ast.Call) and below is not one.func:
            name = ast.unparse(one.func).rpartition(".")[2]
            if name == "gather":
                raise Refused("the coroutines beside it are made first, and would wait unstarted")
            if MAYBE.search(name):
                raise Refused(
                    f"`{name}` takes what may have to be awaited, which a thread cannot make"
                )
        below = one


# -- what is written -----------------------------------------------------------------------------------


def _of_loop(place: Place, call: ast.Call) -> Fix | None:
    """The event loop's own form of a call, where it has one."""
    blocking = place.facts.blocks_as("wait")
    if blocking is None or blocking.through is not None or not isinstance(call.func, ast.Attribute):
        return None
    if place.loop == "anyio":
        return None
    source = place.source
    if blocking.name == "socket.getaddrinfo":
        parts = [source.segment(a) for a in call.args]
        if any(isinstance(a, ast.Starred) for a in call.args) or any(
            k.arg is None for k in call.keywords
        ):
            return None
        if "#" in source.segment(call):
            return None
        parts = parts[:2] + [f"{n}={p}" for n, p in zip(ADDRESS, parts[2:], strict=False)]
        parts += [source.segment(k) for k in call.keywords]
        asyncio, edits = place.imported("asyncio")
        text = f"{asyncio}.get_running_loop().getaddrinfo({', '.join(parts)})"
        title = "await the loop's `getaddrinfo` instead"
    elif blocking.name == "concurrent.Future.result" and not (call.args or call.keywords):
        asyncio, edits = place.imported("asyncio")
        text = f"{asyncio}.wrap_future({source.segment(call.func.value)})"
        title = "await it with `asyncio.wrap_future`"
    else:
        return None
    return place.fix(title, source.replace(call, place.awaited(call, text)), *edits)


def _awaited(place: Place, call: ast.Call) -> Fix:
    if isinstance(call.func, ast.Lambda):
        raise Refused("a lambda is called")
    source = place.source
    if _speaks(place, "django.db."):
        wrap, edits = place.imported("asgiref.sync", "sync_to_async")
        opening = source.text.index("(", source.end(call.func))
        rest = source.text[opening : source.end(call)]
        text, title = f"{wrap}({source.segment(call.func)}){rest}", "sync_to_async"
        edit = source.replace(call, place.awaited(call, text))
    elif place.loop == "anyio":
        name, edits = place.imported("anyio")
        partial = ""
        if call.keywords:
            partial, more = place.imported("functools", "partial")
            edits = (*edits, *more)
        edit = place.offloaded(call, f"{name}.to_thread.run_sync", partial)
        title = "anyio.to_thread.run_sync"
    else:
        name, edits = place.imported("asyncio")
        edit, title = place.offloaded(call, f"{name}.to_thread"), "asyncio.to_thread"
    return place.fix(f"hand it to a thread with `{title}`", edit, *edits)


def _speaks(place: Place, root: str) -> bool:
    """Whether the call uses a library, itself or below."""
    evaluator = place.workshop.facts.graph.evaluator
    for member in members(evaluator.callee(place.function.module, place.site)):
        if isinstance(member, LibMethod) and member.cls.startswith(root):
            return True
        if isinstance(member, Lib) and place.site.args:
            # `list(Book.objects.all())`.
            used = evaluator.at_site(place.site.args[0][0], place.site, place.function.module)
            if isinstance(used, Inst) and isinstance(used.of, str) and used.of.startswith(root):
                return True
    for function in run_at(place.workshop, place.function, place.site):
        for one in reached(place.workshop, function):
            for site in one.sites:
                found = members(evaluator.callee(one.module, site))
                if any(isinstance(m, LibMethod) and m.cls.startswith(root) for m in found):
                    return True
    return False
