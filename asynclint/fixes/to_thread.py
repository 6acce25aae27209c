"""A blocking call in a coroutine is handed to a worker thread, or the route around it runs in one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from asynclint.facts.classes import implementations
from asynclint.facts.dependencies import dependency_of
from asynclint.facts.graph import SYNC
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Klass
from asynclint.facts.types import Cls, Func, Gen, Inst, Lib, LibMethod, Type, members
from asynclint.findings import Fix, Refused
from asynclint.fixes import (
    acquired,
    answered,
    browser,
    child,
    connections,
    embedded,
    gone_through,
    in_order,
    interleaved,
    kept_files,
    lent,
    library_settings,
    no_thread,
    sight,
    stores,
    thread_state,
    trees,
    written_back,
)
from asynclint.fixes.awaiting import frames
from asynclint.fixes.effects import ALL, GIVEN, IN, all_effects, effects, half_done, shown
from asynclint.fixes.mocked import refuse_without_threads
from asynclint.fixes.owner import PLAIN_BASES
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.step import Step, spot

THREAD_BOUND = (
    "sqlite3.",
    "sqlalchemy.orm.",
    "sqlmodel.",
    "psycopg2.",
    "pymysql.",
    "peewee.",
)
"""Roots of classes whose objects belong to the thread, or the transaction, that uses them."""

ONE_AT_A_TIME = (
    "googleapiclient.",
    "mysql.connector.",
    "MySQLdb.",
    "pyodbc.",
    "duckdb.",
    "pika.",
    "smtplib.",
    "imaplib.",
    "ftplib.",
    "poplib.",
    "clickhouse_connect.",
    "llama_cpp.",
    "pexpect.",
    "selenium.",
    "zmq.",
)
"""Roots of classes whose objects any thread may use, and only one at a time: where tasks share one, threads would meet in it."""

FILES = ("io.", "gzip.", "zipfile.", "tarfile.", "csv.")
WRITES = frozenset({"write", "writelines", "writerow", "writerows", "flush", "seek", "truncate"})
"""Files that are open, and their methods of which two threads would mix the work."""

LOOP_BOUND = ("tornado.web.", "tornado.websocket.")
"""Roots of classes whose objects work in the event loop's thread only."""

MAYBE = re.compile(r"maybe_?(future|await|coro)|ensure_future|isawaitable|iscoroutine")
"""Functions that take a value or a coroutine."""

LOCKED = "takes a lock, which nobody gives back who is cancelled meanwhile"

THREAD_LOCAL = frozenset({"sqlalchemy.orm.scoped_session"})
"""Classes whose objects stand for another one in each thread."""

LOCKS = frozenset({"acquire", "release", "__enter__", "__exit__"})

QUEUES = ("queue.", "multiprocessing.")

ON_LOOP = frozenset(
    {
        "get_event_loop",
        "get_running_loop",
        "current_task",
        "all_tasks",
        "create_task",
        "ensure_future",
        "call_soon",
        "call_later",
        "call_at",
        "run_until_complete",
    }
)
"""Calls that need the event loop's own thread."""

LOOP_OBJECTS = frozenset(
    {"Event.set", "Event.clear", "Queue.put_nowait", "Queue.get_nowait", "Future.set_result"}
    | {"Future.set_exception", "Future.cancel", "Task.cancel", "Task.add_done_callback"}
    | {"Lock.release", "Semaphore.release", "StreamWriter.write", "StreamWriter.close"}
)
"""Methods of asyncio's classes that only the loop's own thread may call."""

MAIN_THREAD = frozenset(
    {"signal.signal", "signal.set_wakeup_fd", "signal.setitimer", "signal.alarm"}
)

AWAITED = ("__await__", "__aenter__", "__aiter__")
"""Methods of objects that the event loop works with."""

IMPLICIT = {
    "with": "entering or leaving it is what blocks",
    "for": "each step of the iteration blocks",
    "attr": "it is a property",
}
"""Why calls that are not written as calls cannot be handed over."""

ADDRESS = ("family", "type", "proto", "flags")
"""What `socket.getaddrinfo` takes by position behind the host and the port, and the loop's by keyword."""

REACH = 200
"""Functions looked at below the call."""

SETTINGS = re.compile(r"settings|config", re.IGNORECASE)
"""What functions are named that give values which nobody changes."""


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
    if not place.in_coroutine:
        raise Refused(
            "the enclosing function is not `async def`, so that nothing can be awaited in it"
        )
    place.refuse_held()
    place.refuse_meant()
    browser.refuse(place)
    place.refuse_cleanup()
    acquired.refuse(place)
    answered.refuse(place, call)
    written_back.refuse(place)
    stores.refuse(place)
    kept_files.refuse(place, call)
    in_order.refuse(place)
    interleaved.refuse(spot(place))
    refuse_without_threads(place.workshop, place.function.module)
    if "set_default_executor(" in (place.function.module.file.text or ""):
        raise Refused("the module gives the loop threads of its own, which may all be taken")
    _refuse_arguments(call)
    no_thread.refuse(place)
    trees.refuse(place)
    thread_state.refuse(place)
    library_settings.refuse(place)
    lent.refuse(place)
    for reason in _needs_loop(place.workshop, place.function, place.site):
        raise Refused(reason)
    _refuse_gathered(place)
    _refuse_bound(place)
    embedded.refuse(place)
    connections.refuse(place)
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
        if isinstance(member, Func):
            for one in _reached(place.workshop, member.function):
                for site in one.sites:
                    found = members(evaluator.callee(one.module, site))
                    if any(isinstance(m, LibMethod) and m.cls.startswith(root) for m in found):
                        return True
    return False


# -- what must stay in its thread ----------------------------------------------------------------------


def _refuse_bound(place: Place) -> None:
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
            if _is_shared(place.function, place.site, member):
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
            _refuse_below(place.workshop, member.function)
            if not _is_own(place, place.site):
                gone_through.refuse(place, _reached(place.workshop, member.function))
            written_back.refuse_below(_reached(place.workshop, member.function))
            library_settings.refuse_below(place, _reached(place.workshop, member.function))
            lent.refuse_below(place, _reached(place.workshop, member.function))
            kept_files.refuse_within(place, member.function)
            _refuse_sight(place, member.function)
            _refuse_kept(place, member.function)
            _refuse_effects(place, place.site, member.function)
            _refuse_filled(place, member.function)
        if isinstance(member, Cls):
            if _works_on_loop(place.workshop, member.klass):
                raise Refused(
                    f"a `{member.klass.name}` may belong to the thread that makes it, which has to be the event loop's"
                )
            init, _ = evaluator.member(member.klass, "__init__")
            if isinstance(init, Func):
                _refuse_below(place.workshop, init.function)
    gone_through.refuse_written(place, place.call)
    for recipe in (place.site.callee, *(recipe for recipe, _ in place.site.args)):
        for maker in _makers(place, recipe):
            reason = _calls_back(place.workshop, maker)
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
                _refuse_below(place.workshop, value.function)
    for value in members(evaluator.call_type(module, place.site.index)):
        if isinstance(value, Gen):
            raise Refused("what it gives is read on the event loop")
        _refuse_object(value, "gives")
        if isinstance(value, Inst) and isinstance(value.of, Klass):
            if _works_on_loop(place.workshop, value.of):
                raise Refused(
                    f"the `{value.of.name}` that it gives may belong to the thread that makes it, which has to be the event loop's"
                )


def _refuse_effects(place: Place, site: CallSite, function: Function) -> None:
    """Raise Refused where what is called changes something that it did not make, and that others see, without a lock."""
    found = place.workshop.once(effects).across(place.function, site, function)
    # What a caller hands over, it can see; what hangs on that, and is set by its own methods, it cannot.
    changed = half_done(
        one
        for one in found
        if one.root.whose != GIVEN or one.text.startswith(f"{one.by.self_name}.")
    )
    if changed:
        raise Refused(
            f"`{changed[0].by.name}` changes `{changed[0].text}`, which others may read or change meanwhile"
        )


def _refuse_filled(place: Place, function: Function) -> None:
    """Raise Refused where what is called fills something under a lock, and the coroutine reads that in the same step, without one."""
    at = spot(place)
    filled = set(_filled(place, function))
    if at is None or not filled:
        return
    readers = [("which is read behind it", Step(at).after())]
    readers += [(f"which `{one.function.name}` reads behind it", one.after) for one in frames(at)]
    for how, after in readers:
        for one in sorted(filled & (after.reads | after.tests | after.named)):
            raise Refused(
                f"`{function.name}` changes `{shown(one)}`, {how}, and others would change it in between"
            )


def _filled(place: Place, function: Function) -> Iterator[str]:
    """The keys of what a call fills that others know."""
    found = place.workshop.once(all_effects)
    for one in found.across(place.function, place.site, function):
        if one.replaced:
            continue
        if one.root.whose == ALL:
            yield f"{one.root.home}{IN}{one.root.name}" if one.root.home else one.root.name
        else:
            yield one.text


def refuse_site(place: Place, site: CallSite) -> None:
    """Raise Refused where a call within a block that a thread is to run works in the event loop's thread only."""
    workshop, function = place.workshop, place.function
    thread_state.refuse_at(place, site)
    for reason in _needs_loop(workshop, function, site):
        raise Refused(reason)
    for member in members(workshop.facts.graph.evaluator.callee(function.module, site)):
        if isinstance(member, Func) and not member.function.is_async:
            _refuse_below(workshop, member.function)
            library_settings.refuse_below(place, _reached(workshop, member.function))
            lent.refuse_below(place, _reached(workshop, member.function))
            kept_files.refuse_within(place, member.function)
            if not _is_own(place, site):
                gone_through.refuse(place, _reached(workshop, member.function))
            _refuse_effects(place, site, member.function)
        if isinstance(member, LibMethod) and (
            member.cls.startswith(THREAD_BOUND) or _is_shared(function, site, member)
        ):
            raise Refused(f"a `{member.cls.rpartition('.')[2]}` is used by one thread at a time")
    embedded.refuse_at(place, site)
    connections.refuse_at(place, site)


def _is_own(place: Place, site: CallSite) -> bool:
    """Whether the object whose method is called is made in the coroutine itself: nobody else changes it."""
    module = place.function.module
    base = site.callee
    while base and base[0] in ("attr", "sub"):
        base = base[1]
    made = [base]
    if base and base[0] == "name":
        made = [b.recipe for b in place.function.facts.bindings.get(base[1], ())]
    evaluator = place.workshop.facts.graph.evaluator
    return bool(made) and all(
        bool(one)
        and one[0] == "call"
        and isinstance(evaluator.callee(module, module.site(one[1])), (Cls, Lib))
        for one in made
    )


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


def _calls_back(workshop: Workshop, function: Function) -> str | None:
    """Why what a function makes may call back into the event loop's thread; None where it does not."""
    for inner in function.module.functions:
        if inner.parent is function and not inner.is_async and not inner.facts.generator:
            for one in _reached(workshop, inner):
                for site in one.sites:
                    reason = next(_needs_loop(workshop, one, site), None)
                    if reason is not None:
                        return f"what `{function.name}` gives is called back later: {reason}"
    return None


def _refuse_kept(place: Place, function: Function) -> None:
    """Raise Refused where what blocks is made by the first call only: in threads, several would make it."""
    runs = place.workshop.facts.runs
    links = {(link.path, link.span.line) for link in place.finding.because}
    for one in _reached(place.workshop, function):
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
        sight.reads_exception(place.workshop, one) for one in _reached(place.workshop, function)
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


def _refuse_below(workshop: Workshop, function: Function) -> None:
    """Raise Refused where a function, or one that it calls, works in the event loop's thread only."""
    state = thread_state.below(workshop, function)
    if state is not None:
        raise Refused(state)
    for one in _reached(workshop, function):
        reason = workshop.each(_reason, one)
        if reason is not None:
            raise Refused(reason)


def _reason(workshop: Workshop, function: Function) -> str | None:
    return next(_reasons(workshop, function), None)


def _reached(workshop: Workshop, function: Function) -> Iterator[Function]:
    """A function, those that override it, and those that its thread executes below them."""
    graph = workshop.facts.graph
    queue = [function]
    queue += (o for o in implementations(graph.evaluator, function) if not o.module.file.is_test)
    seen = set(queue)
    while queue and len(seen) < REACH:
        one = queue.pop()
        yield one
        for edge in graph.out.get(one, ()):
            if edge.how in SYNC and edge.target not in seen:
                seen.add(edge.target)
                queue.append(edge.target)


def _reasons(workshop: Workshop, function: Function) -> Iterator[str]:
    """Why what a function does itself belongs to one thread."""
    evaluator = workshop.facts.graph.evaluator
    callback = _calls_back(workshop, function)
    if callback is not None:
        yield callback
    if sight.locks_file(function):
        yield f"`{function.name}` {LOCKED}"
    started = [e.target for e in workshop.facts.graph.out.get(function, ()) if e.how == "thread"]
    for one in (function, *started):
        if sight.changes_process(one):
            yield f"`{one.name}` changes for a time what the whole process sees"
    if sight.answers_interrupt(function):
        yield f"`{function.name}` answers Ctrl-C, which only the main thread gets"
    if sight.has_own_values(function):
        yield f"`{function.name}` keeps values for each thread"
    parser = sight.shares_parser(function)
    if parser is not None:
        yield f"`{function.name}` uses `{parser}`, a parser for one thread at a time"
    if sight.means_to_block(function):
        yield f"a comment in `{function.name}` says that it blocks on purpose"
    if sight.works_in_repository(workshop, function):
        yield f"`{function.name}` works in a git repository, whose index takes one writer at a time"
    setter = sight.sets_for_thread(function)
    if setter is not None:
        yield f"`{function.name}` sets something for its thread with `{setter}`"
    if sight.imports_by_name(function):
        yield f"`{function.name}` imports code by name, which may count on the event loop's thread"
    whole = trees.worked_on(workshop, function)
    if whole is not None:
        yield whole
    opening = embedded.opening(workshop, function)
    if opening is not None:
        yield opening
    for site in function.sites:
        yield from _needs_loop(workshop, function, site)
        for member in members(evaluator.callee(function.module, site)):
            if not isinstance(member, LibMethod):
                continue
            name = member.cls.rpartition(".")[2]
            if member.cls in THREAD_LOCAL:
                yield f"`{function.name}` uses a `{name}`, which is another one in each thread"
            if (
                member.cls.startswith(THREAD_BOUND) and _comes_from_outside(function, site.callee)
            ) or _is_shared(function, site, member):
                yield f"`{function.name}` uses a `{name}` that belongs to another thread"


def _needs_loop(workshop: Workshop, function: Function, site: CallSite) -> Iterator[str]:
    last = site.callee[-1] if site.callee else None
    if isinstance(last, str) and last in ON_LOOP:
        yield f"`{function.name}` needs the event loop's thread for `{last}`"
    for member in members(workshop.facts.graph.evaluator.callee(function.module, site)):
        if isinstance(member, Lib) and member.path in MAIN_THREAD:
            yield f"`{function.name}` needs the main thread for `{member.path}`"
        if isinstance(member, Lib) and member.path in sight.THREADS:
            yield f"`{function.name}` asks which thread it runs in"
        if isinstance(member, Lib) and member.path in sight.CONTEXT:
            yield f"`{function.name}` sets a context variable, which a thread keeps to itself"
        if not isinstance(member, LibMethod):
            continue
        library, _, name = member.cls.rpartition(".")
        if member.cls == "contextvars.ContextVar" and member.name in ("set", "reset"):
            yield f"`{function.name}` sets a context variable, which a thread keeps to itself"
        if library == "asyncio" and f"{name}.{member.name}" in LOOP_OBJECTS:
            yield f"`{function.name}` needs the event loop's thread for `{name}.{member.name}`"


def _is_shared(function: Function, site: CallSite, member: LibMethod) -> bool:
    """Whether tasks share the object whose method is called, which is no object for two threads."""
    if member.cls.startswith(FILES) and member.name in WRITES:
        return _base(site.callee) != "sys" and _comes_from_outside(function, site.callee)
    if not member.cls.startswith(ONE_AT_A_TIME):
        return False
    callee: Recipe = site.callee
    while callee and callee[0] in ("attr", "sub", "call"):
        callee = function.module.site(callee[1]).callee if callee[0] == "call" else callee[1]
    for binding in function.facts.bindings.get(str(callee[1]), ()) if callee else ():
        made = (
            binding.recipe[1] if binding.recipe and binding.recipe[0] == "enter" else binding.recipe
        )
        if (
            made
            and made[0] == "call"
            and _comes_from_outside(function, function.module.site(made[1]).callee)
        ):
            return True
    return _comes_from_outside(function, callee)


def _comes_from_outside(function: Function, callee: Recipe) -> bool:
    """Whether the receiver of a method is kept in an object or a global: made by whoever came first."""
    name = _base(callee)
    if name is None:
        return False
    if (
        function.klass is not None
        and function.facts.params
        and name == function.facts.params[0].name
    ):
        return True
    return name not in function.facts.bindings and name not in function.parameters


def _base(callee: Recipe) -> str | None:
    """`a` of `a.b[0].c`."""
    while callee and callee[0] in ("attr", "sub"):
        callee = callee[1]
    return str(callee[1]) if callee and callee[0] == "name" else None


# -- the route as a plain function ------------------------------------------------------------------------


def plain_route(place: Place) -> Iterator[Fix]:
    """`async def` → `def` for a route that awaits nothing: the framework runs it in a thread."""
    function = place.function
    graph = place.workshop.facts.graph
    points = graph.entries.get(function, ())
    if not points or any(p.entry.role != "route" or p.entry.sync != "thread" for p in points):
        return
    found = place.source.definition(function)
    if found is None or not isinstance(found[1], ast.AsyncFunctionDef):
        return
    node = found[1]
    waits = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield, ast.YieldFrom, ast.AsyncFunctionDef)
    if any(isinstance(n, waits) for s in node.body for n in ast.walk(s)):
        return
    if any(getattr(n, "is_async", 0) for s in node.body for n in ast.walk(s)):
        return
    if graph.into.get(function) or not _only_routes(node):
        return
    if any(
        True for one in _reached(place.workshop, function) for _ in _reasons(place.workshop, one)
    ) or _is_handed_a_connection(place.workshop, function):
        return
    if no_thread.keeps_connections(place) is not None or _works_on_shared(place):
        return
    if embedded.is_used(place.workshop, function) or connections.are_kept(place.workshop, function):
        return
    if thread_state.below(place.workshop, function) is not None:
        return
    found_effects = place.workshop.once(effects).of(function)
    if half_done(e for e in found_effects if e.root.whose != GIVEN):
        return
    try:
        written_back.refuse_below(_reached(place.workshop, function))
        library_settings.refuse_below(place, _reached(place.workshop, function))
        lent.refuse_below(place, _reached(place.workshop, function))
        stores.refuse_below(place.workshop, function)
        kept_files.refuse_below(place.workshop, function)
        for edge in graph.out.get(function, ()):
            if edge.how in SYNC and not _is_own(place, edge.site):
                gone_through.refuse(place, _reached(place.workshop, edge.target))
    except Refused:
        return
    start = place.source.offset(node.lineno, node.col_offset)
    text = place.source.text[start : start + 40]
    if not text.startswith("async "):
        return
    width = len("async ") + len(text[len("async ") :]) - len(text[len("async ") :].lstrip())
    yield place.fix(
        "make the route a plain `def`, which the framework runs in a thread",
        place.source.edit(start, start + width, ""),
    )


def _works_on_shared(place: Place) -> bool:
    """Whether the blocking call works on what a dependency gives to all requests: `Depends(get_model)` of a cached function."""
    function, facts = place.function, place.workshop.facts
    evaluator = facts.graph.evaluator
    used = {node.id for node in ast.walk(place.call) if isinstance(node, ast.Name)}
    for parameter in function.facts.params:
        if parameter.name not in used:
            continue
        given = dependency_of(evaluator, parameter, function.parent or function.module.body)
        if isinstance(given, Func) and not SETTINGS.search(given.function.name):
            if _gives_kept(place.workshop, given.function):
                return True
    return False


def _gives_kept(workshop: Workshop, function: Function) -> bool:
    """Whether a function keeps its first result, or gives what another one keeps."""
    runs, evaluator = workshop.facts.runs, workshop.facts.graph.evaluator
    if runs.cached(function):
        return True
    for recipe, _, _ in function.facts.returns:
        if recipe and recipe[0] == "call":
            module = function.module
            callee = evaluator.callee(module, module.site(recipe[1]))
            if isinstance(callee, Func) and runs.cached(callee.function):
                return True
    return False


def _is_handed_a_connection(workshop: Workshop, function: Function) -> bool:
    """Whether a route works with a connection of SQLite's that a dependency opened, in another thread than the route's."""
    evaluator = workshop.facts.graph.evaluator
    return any(
        isinstance(member, LibMethod) and member.cls == "sqlite3.Connection"
        for site in function.sites
        if _base(site.callee) in function.parameters
        for member in members(evaluator.callee(function.module, site))
    )


METHODS = frozenset(
    {"get", "post", "put", "patch", "delete", "head", "options", "trace", "route", "api_route"}
)


def _only_routes(node: ast.AsyncFunctionDef) -> bool:
    """Whether all decorators say which route it is: another one may await what it decorates."""
    return all(
        isinstance(d, ast.Call) and isinstance(d.func, ast.Attribute) and d.func.attr in METHODS
        for d in node.decorator_list
    )
