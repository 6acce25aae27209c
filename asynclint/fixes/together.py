"""Why the coroutines of a fan-out have to start, or to run, together, so that none may wait for its turn."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from asynclint.facts.program import Function
from asynclint.facts.types import Inst, Lib, LibMethod, members
from asynclint.findings import Refused
from asynclint.fixes.awaited import is_endless
from asynclint.fixes.passing import WAITS
from asynclint.fixes.place import Workshop
from asynclint.fixes.source import handed, own_nodes

DEADLINE = re.compile(r"timeout|deadline")
"""Parameters that say how long a coroutine may take, those that wait for their turn included."""

TOGETHER = frozenset({"Event", "Condition", "Barrier", "Queue", "PriorityQueue", "LifoQueue"})
"""Classes through which tasks wait for each other."""

MEETINGS = frozenset({"wait", "wait_for", "get", "put", "join"})
"""Their methods that wait."""

SIGNAL = re.compile(r"event|ready|done|barrier|gate|finish|start|complete|depend", re.IGNORECASE)

SLEEPS = frozenset(
    {"asyncio.sleep", "anyio.sleep", "anyio.sleep_until", "trio.sleep", "trio.sleep_until"}
)

CLOCK = re.compile(r"\b(?:time|monotonic|perf_counter|now|utcnow|current_time)\(\)")

HANDED_ON = frozenset({"shield", "wait_for", "wrap_future", "ensure_future"})
"""Functions that wait for what they are given."""

STREAM = re.compile(r"(?:^|_)(?:gen|generator|stream|iterator|aiter)$")
STREAMS = re.compile(r"\bAsync(?:Iterator|Iterable|Generator)\b")
"""Parameters that are read with `async for`, by their names and annotations."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef


def why_together(workshop: Workshop, function: Function, tasks: set[str]) -> str | None:
    """Why a coroutine function that is fanned out gets no bound; `tasks` is what the fan-out keeps its tasks in."""
    name = function.name
    if is_endless(function):
        return f"`{name}` never ends, so that others would never start"
    if _recurs(workshop, function):
        return f"`{name}` fans out into itself, and each level would have a bound"
    if _waits_as_told(function) or _starts_as_told(workshop, function, None, 2):
        return f"`{name}` waits for a time that it is told, and the others would wait with it"
    if any(DEADLINE.search(parameter.name) for parameter in function.facts.params):
        return f"`{name}` counts its time from when it starts"
    if _has_deadline(workshop, function):
        return f"`{name}` has a deadline from before it starts"
    if _waits_for_others(workshop, function, 2) or _awaits_others(workshop, function, tasks):
        return f"`{name}` waits for what another one may have to do first"
    if _reads_streams(workshop, function):
        return f"`{name}` reads a stream that is made before, and the others would stay unread"
    return None


def _recurs(workshop: Workshop, function: Function) -> bool:
    """Whether a coroutine function starts one of itself for each item, directly or through one other."""
    graph = workshop.facts.graph
    below = {e.target for e in graph.out.get(function, ()) if e.how in ("async", "spawn")}
    return any(e.caller in {function, *below} for e in graph.fanned.get(function, ()))


# -- a time of its own -----------------------------------------------------------------------------


def _waits_as_told(function: Function) -> bool:
    """`await asyncio.sleep(delay)`, not to try again."""
    return any(
        site.callee == ("attr", ("name", "asyncio"), "sleep")
        and bool(site.args)
        and bool(site.args[0][0])
        and site.args[0][0][0] in ("name", "attr")
        and not any(
            b.kind in ("for", "afor", "while", "except") for b in function.module.chain(site.block)
        )
        for site in function.sites
    )


def _has_deadline(workshop: Workshop, function: Function) -> bool:
    """Whether a coroutine function reads a deadline that another one around it has set."""
    node = _definition(workshop, function)
    if node is None:
        return False
    names = {
        one.id
        for statement in node.body
        for one in _own(statement)
        if isinstance(one, ast.Name) and DEADLINE.search(one.id)
    }
    around = function.parent
    while around is not None and around.facts.kind != "module":
        own = {*around.facts.bindings, *around.parameters}
        if any("deadline" in name and name not in function.facts.bindings for name in names & own):
            return True
        around = around.parent
    return False


def _starts_as_told(
    workshop: Workshop, function: Function, told: frozenset[str] | None, depth: int
) -> bool:
    """Whether a coroutine function, or what it awaits first, sleeps for a time that its arguments give.

    `told` are the parameters that hold such a time; None for all of them.
    """
    node = _definition(workshop, function)
    if node is None:
        return False
    if told is None:
        told = frozenset(p.name for p in function.facts.params) - {function.self_name or ""}
    given = _derived(node, lambda one: isinstance(one, ast.Name) and one.id in told)
    for one in _first_waits(node):
        if isinstance(one, ast.While):
            if CLOCK.search(ast.unparse(one.test)) and _mentions(one.test, given):
                return True
            continue
        if any(_mentions(a, given) for a in one.args) and _sleeps(workshop, function, one):
            return True
        for edge in workshop.facts.graph.out.get(function, ()) if depth else ():
            if edge.how != "async" or (edge.site.line, edge.site.col) != (
                one.lineno,
                one.col_offset,
            ):
                continue
            passed = handed(one, edge.target).items()
            told_on = frozenset(name for name, value in passed if _mentions(value, given))
            if told_on and _starts_as_told(workshop, edge.target, told_on, depth - 1):
                return True
    return False


def _first_waits(node: Definition) -> Iterator[ast.Call | ast.While]:
    """The calls that a coroutine function awaits before any other, with the loops that do nothing but wait.

    A wait in a branch may be left out, and the next one is the first one then.
    """
    for one in _flat(node.body):
        waits = [n for n in _own(one) if isinstance(n, WAITS)]
        if isinstance(one, ast.For) and waits:
            return  # To try again, or to go on now and then.
        if isinstance(one, ast.While):
            if len(waits) == 1 and len(one.body) == 1 and isinstance(waits[0], ast.Await):
                yield one
            if waits:
                return
        elif waits:
            first = min(waits, key=lambda n: (n.lineno, n.col_offset))
            if isinstance(first, ast.Await) and isinstance(first.value, ast.Call):
                yield first.value
            if not isinstance(one, ast.If):
                return


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a suite, with those of its `try` and plain `with` blocks in their place, and of each `if` before it."""
    for one in body:
        if isinstance(one, (ast.Try, ast.With)):
            yield from _flat(one.body)
        elif isinstance(one, ast.If):
            yield from (
                ast.If(ast.Constant(True), [inner], [])
                for branch in (one.body, one.orelse)
                for inner in _flat(branch)
            )
        else:
            yield one


def _sleeps(workshop: Workshop, function: Function, call: ast.Call) -> bool:
    evaluator = workshop.facts.graph.evaluator
    for site in function.sites:
        if (site.line, site.col, site.kind) == (call.lineno, call.col_offset, "call"):
            callee = evaluator.callee(function.module, site)
            if any(isinstance(m, Lib) and m.path in SLEEPS for m in members(callee)):
                return True
    return False


# -- others that have to be there ------------------------------------------------------------------


def _waits_for_others(workshop: Workshop, function: Function, depth: int) -> bool:
    """Whether a coroutine function waits for an event, a barrier or a queue that it did not make itself, or feeds that queue."""
    evaluator = workshop.facts.graph.evaluator
    for site in function.sites:
        callee = site.callee
        if site.kind == "awith":
            entered = members(evaluator.callee(function.module, site))
            if any(isinstance(m, Inst) and m.of == "asyncio.Barrier" for m in entered):
                return True
        if not callee or callee[0] != "attr" or callee[2] not in MEETINGS:
            continue
        if callee[2] in ("wait", "get", "join") and site.args:
            continue
        if _made_here(function, callee[1]):
            continue
        member = evaluator.callee(function.module, site)
        if isinstance(member, LibMethod):
            if member.cls.rpartition(".")[2] in TOGETHER:
                return True
        elif member is None and callee[2] == "wait" and SIGNAL.search(str(callee[1])):
            return True
    return bool(depth) and any(
        _waits_for_others(workshop, edge.target, depth - 1)
        for edge in workshop.facts.graph.out.get(function, ())
        if edge.how == "async" and edge.target is not function
    )


def _made_here(function: Function, base: object) -> bool:
    """Whether a name is a variable of the function's, not taken from a container of others: `event = events[name]`."""
    if not (isinstance(base, tuple) and base and base[0] == "name"):
        return False
    bindings = function.facts.bindings.get(base[1], ())
    return bool(bindings) and not any(_taken(function, b.recipe) for b in bindings)


def _taken(function: Function, recipe: object) -> bool:
    """`events[name]`, `node.event`, `events.get(name)`, `events.setdefault(name, Event())`."""
    if not (isinstance(recipe, tuple) and recipe):
        return False
    if recipe[0] == "call":
        callee = function.module.site(int(recipe[1])).callee
        return bool(callee) and callee[0] == "attr" and callee[2] in ("get", "setdefault")
    return recipe[0] in ("sub", "attr")


def _awaits_others(workshop: Workshop, function: Function, tasks: set[str]) -> bool:
    """Whether a coroutine function awaits tasks of the fan-out, or a future that it has not made."""
    node = _definition(workshop, function)
    if node is None:
        return False
    given = _given(node)
    tasks = tasks - {a.arg for a in ast.walk(node) if isinstance(a, ast.arg)} - set(given)
    among = _derived(node, lambda one: ast.unparse(one) in tasks) | tasks
    return any(
        isinstance(one, ast.Await)
        and (
            any(isinstance(n, ast.expr) and ast.unparse(n) in among for n in ast.walk(one.value))
            or _is_elsewhere(one.value, given, 4)
        )
        for statement in node.body
        for one in _own(statement)
    )


def _is_elsewhere(node: ast.expr, given: dict[str, list[ast.expr]], depth: int) -> bool:
    """Whether an awaited expression is a future, or a task, that stands in a container or an attribute of others."""
    if isinstance(node, ast.Call):
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)
        return (
            name in HANDED_ON and bool(node.args) and _is_elsewhere(node.args[0], given, depth - 1)
        )
    if isinstance(node, ast.Name):
        return depth > 0 and any(
            _is_elsewhere(value, given, depth - 1) for value in given.get(node.id, ())
        )
    if not isinstance(node, (ast.Attribute, ast.Subscript)):
        return False
    root: ast.expr = node
    while isinstance(root, (ast.Attribute, ast.Subscript)):
        root = root.value
    if not isinstance(root, ast.Name):
        return False
    return root.id not in given or _is_elsewhere(root, given, depth - 1)


def _given(node: Definition) -> dict[str, list[ast.expr]]:
    """What the names of a function are given, loops included."""
    found: dict[str, list[ast.expr]] = {}
    for target, value in _assignments(node):
        for name in ast.walk(target):
            if isinstance(name, ast.Name):
                found.setdefault(name.id, []).append(value)
    return found


# -- streams ---------------------------------------------------------------------------------------


def _reads_streams(workshop: Workshop, function: Function) -> bool:
    """Whether a coroutine function goes through a stream that it is given, as it is or by way of a function."""
    node = _definition(workshop, function)
    if node is None:
        return False
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    streams = {
        a.arg
        for a in arguments
        if STREAM.search(a.arg) or (a.annotation and STREAMS.search(ast.unparse(a.annotation)))
    }
    through = _derived(node, lambda one: isinstance(one, ast.Name) and one.id in streams)
    for statement in node.body:
        for one in _own(statement):
            if isinstance(one, ast.AsyncFor):
                if isinstance(one.iter, ast.Name) and one.iter.id in {a.arg for a in arguments}:
                    return True
                if _mentions(one.iter, through):
                    return True
    return False


# -- reading ---------------------------------------------------------------------------------------


def _definition(workshop: Workshop, function: Function) -> Definition | None:
    """The text of a function; None where there is none to read, as in what is generated."""
    if function.facts.kind not in ("def", "async"):
        return None
    try:
        found = workshop.source(function.module).definition(function)
    except Refused:
        return None
    return found[1] if found is not None else None


def _own(statement: ast.AST) -> Iterator[ast.AST]:
    """The nodes that a statement runs itself: not those of functions within it."""
    yield statement
    yield from own_nodes(statement)


def _assignments(node: Definition) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What the statements of a function give to what."""
    for statement in node.body:
        for one in _own(statement):
            if isinstance(one, ast.Assign):
                yield from ((target, one.value) for target in one.targets)
            elif isinstance(one, (ast.AnnAssign, ast.AugAssign, ast.NamedExpr)) and one.value:
                yield one.target, one.value
            elif isinstance(one, (ast.For, ast.AsyncFor, ast.comprehension)):
                yield one.target, one.iter
            elif isinstance(one, ast.withitem) and one.optional_vars is not None:
                yield one.optional_vars, one.context_expr


def _derived(node: Definition, starts: Callable[[ast.expr], bool]) -> set[str]:
    """The names of a function whose values are made of certain expressions, without waiting for them."""
    found = {
        one.arg
        for one in ast.walk(node.args)
        if isinstance(one, ast.arg) and starts(ast.Name(one.arg, ast.Load()))
    }
    assignments = [
        (target, value)
        for target, value in _assignments(node)
        if not any(isinstance(n, ast.Await) for n in ast.walk(value))
    ]
    before = -1
    while before != len(found):
        before = len(found)
        for target, value in assignments:
            if _mentions(value, found) or any(
                isinstance(n, ast.expr) and starts(n) for n in ast.walk(value)
            ):
                found |= {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
    return found


def _mentions(node: ast.AST, names: set[str]) -> bool:
    """Whether an expression is made of one of some names; to look something up by it is not enough."""
    if isinstance(node, ast.Name):
        return node.id in names
    if isinstance(node, ast.Subscript):
        return _mentions(node.value, names)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "get":
            return _mentions(node.func.value, names)
    return any(_mentions(one, names) for one in ast.iter_child_nodes(node))
