"""What belongs to one thread: functions that need the event loop's, and objects for the thread that made them, or for one at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, recipe_name
from asynclint.facts.types import Lib, LibMethod, members
from asynclint.findings import Refused
from asynclint.fixes import embedded, sight, thread_state, trees
from asynclint.fixes.place import Workshop
from asynclint.fixes.reached import reached, refuse_any

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

MULTIPLEXED = ("supabase.", "postgrest.", "storage3.", "supabase_auth.", "supabase_functions.")
"""Roots of classes whose synchronous clients send everything over one HTTP/2 connection, which httpcore 1.0 does not guard.

HolmesGPT/holmesgpt#2122 shows what comes of it in threads. With an `httpx_client` of one's own, they need not.
"""

FILES = ("io.", "gzip.", "zipfile.", "tarfile.", "csv.")

WRITES = frozenset(
    {"write", "writelines", "writerow", "writerows", "writestr", "add", "addfile"}
    | {"flush", "seek", "truncate"}
)
"""Files that are open, and their methods of which two threads would mix the work."""

THREAD_LOCAL = frozenset({"sqlalchemy.orm.scoped_session"})
"""Classes whose objects stand for another one in each thread."""

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

COMMON = frozenset(
    {"get", "set", "pop", "update", "append", "extend", "insert", "add", "remove", "discard", "clear", "copy"}
    | {"items", "keys", "values", "index", "count", "sort", "reverse", "setdefault", "read", "write", "close"}
    | {"split", "join", "strip", "format", "encode", "decode", "lower", "upper", "replace", "find", "search", "match"}
)  # fmt: skip
"""Methods of containers, strings and files, whose names say nothing of whose they are."""

MAIN_THREAD = frozenset(
    {"signal.signal", "signal.set_wakeup_fd", "signal.setitimer", "signal.alarm"}
)

LOCKED = "takes a lock, which nobody gives back who is cancelled meanwhile"


def refuse_below(workshop: Workshop, function: Function) -> None:
    """Raise Refused where a function, or one that it calls, works in the event loop's thread only."""
    state = thread_state.below(workshop, function)
    if state is not None:
        raise Refused(state)
    refuse_any(workshop, reached(workshop, function), reason)


def reason(workshop: Workshop, function: Function) -> str | None:
    """Why what a function does itself belongs to one thread; None where it does not."""
    return next(_reasons(workshop, function), None)


def _reasons(workshop: Workshop, function: Function) -> Iterator[str]:
    """Why what a function does itself belongs to one thread."""
    evaluator = workshop.facts.graph.evaluator
    callback = calls_back(workshop, function)
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
    table = _table_called(workshop, function)
    if table is not None:
        yield f"`{function.name}` calls what it finds in `{table}`, which may count on the event loop's thread"
    likely = _likely_on_loop(workshop, function)
    if likely is not None:
        yield likely
    whole = trees.worked_on(workshop, function)
    if whole is not None:
        yield whole
    opening = embedded.opening(workshop, function)
    if opening is not None:
        yield opening
    if sight.listens_to_all(function):
        yield f"`{function.name}` may open a raw socket, which gets what is sent to others, too"
    for site in function.sites:
        yield from needs_loop(workshop, function, site)
        for member in members(evaluator.callee(function.module, site)):
            if not isinstance(member, LibMethod):
                continue
            name = member.cls.rpartition(".")[2]
            if member.cls in THREAD_LOCAL:
                yield f"`{function.name}` uses a `{name}`, which is another one in each thread"
            if (
                member.cls.startswith(THREAD_BOUND) and _comes_from_outside(function, site.callee)
            ) or is_shared(function, site, member):
                yield f"`{function.name}` uses a `{name}` that belongs to another thread"


def _likely_on_loop(workshop: Workshop, function: Function) -> str | None:
    """Why a method of an object of which nothing is known may be one of the project's that only the event loop's thread may call."""
    evaluator = workshop.facts.graph.evaluator
    for site in function.sites:
        callee = site.callee if site.kind == "call" else None
        if not callee or callee[0] != "attr" or callee[2] in COMMON or callee[2][:2] == "__":
            continue
        if evaluator.callee(function.module, site) is None:
            method = workshop.each(_needing_loop, str(callee[2]))
            if method is not None and method is not function:
                return f"`{function.name}` calls `{recipe_name(callee)}`, which may be `{method.name}`, for the event loop's thread only"
    return None


def _needing_loop(workshop: Workshop, name: str) -> Function | None:
    """A method of the project of that name that works with the event loop itself."""
    for method in workshop.once(_plain_methods).get(name, ()):
        for site in method.sites:
            if any("event loop's thread" in why for why in needs_loop(workshop, method, site)):
                return method
    return None


def _plain_methods(workshop: Workshop) -> dict[str, list[Function]]:
    """The methods of the project's classes that are no coroutines, by name."""
    found: dict[str, list[Function]] = defaultdict(list)
    for module in workshop.facts.program.loaded():
        if not module.file.is_test:
            for one in module.functions:
                if one.klass is not None and one.facts.kind == "def":
                    found[one.facts.name].append(one)
    return found


def _table_called(workshop: Workshop, function: Function) -> str | None:
    """The container out of which a function takes functions that it calls, where nothing says which those are: `tools[name](…)`."""
    evaluator = workshop.facts.graph.evaluator
    for site in function.sites:
        callee = site.callee if site.kind == "call" else None
        if callee and callee[0] == "name":
            made = function.facts.bindings.get(callee[1], ())
            callee = made[0].recipe if len(made) == 1 else None
        if callee and callee[0] == "sub" and evaluator.callee(function.module, site) is None:
            return recipe_name(callee[1])
    return None


def calls_back(workshop: Workshop, function: Function) -> str | None:
    """Why what a function makes may call back into the event loop's thread; None where it does not."""
    for inner in function.module.functions:
        if inner.parent is function and not inner.is_async and not inner.facts.generator:
            for one in reached(workshop, inner):
                for site in one.sites:
                    why = next(needs_loop(workshop, one, site), None)
                    if why is not None:
                        return f"what `{function.name}` gives is called back later: {why}"
    return None


def needs_loop(workshop: Workshop, function: Function, site: CallSite) -> Iterator[str]:
    """Why a call has to be made in the thread of the event loop, or in the main one."""
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
        if member.cls.startswith(MULTIPLEXED) and member.known.blocks:
            if not workshop.saying("httpx_client"):
                yield (
                    f"`{function.name}` uses a client that sends over one HTTP/2 connection, which is for one thread at a time"
                )
        if member.cls == "contextvars.ContextVar" and member.name in ("set", "reset"):
            yield f"`{function.name}` sets a context variable, which a thread keeps to itself"
        if library == "asyncio" and f"{name}.{member.name}" in LOOP_OBJECTS:
            yield f"`{function.name}` needs the event loop's thread for `{name}.{member.name}`"


def is_shared(function: Function, site: CallSite, member: LibMethod) -> bool:
    """Whether tasks share the object whose method is called, which is no object for two threads."""
    if member.cls.startswith(FILES) and member.name in WRITES:
        return base_of(site.callee) != "sys" and _comes_from_outside(function, site.callee)
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
    name = base_of(callee)
    if name is None:
        return False
    if (
        function.klass is not None
        and function.facts.params
        and name == function.facts.params[0].name
    ):
        return True
    return name not in function.facts.bindings and name not in function.parameters


def base_of(callee: Recipe) -> str | None:
    """`a` of `a.b[0].c`."""
    while callee and callee[0] in ("attr", "sub"):
        callee = callee[1]
    return str(callee[1]) if callee and callee[0] == "name" else None
