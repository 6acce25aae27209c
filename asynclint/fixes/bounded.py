"""One semaphore around every coroutine of a fan-out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from asynclint.facts.body import is_none
from asynclint.facts.bounds import Bounds, is_task
from asynclint.facts.model import CallSite
from asynclint.facts.program import Function
from asynclint.facts.syntax import called, extent
from asynclint.facts.types import Func, Lib, Part, Type, members
from asynclint.findings import Edit, Fix, Refused
from asynclint.fixes.asking import Asking
from asynclint.fixes.chosen import refuse_chosen, refuse_leaving
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.together import why_together

STARTERS = frozenset({"create_task", "ensure_future"})

HOLDERS = frozenset({"wait_for", "shield"})
"""Functions that take a coroutine which is made beforehand."""

WRAPPER = re.compile(
    r"async def \w+\(function, /, \*args, \*\*kwargs\):\n"
    r" +async with \w+:\n"
    r" +return await function\(\*args, \*\*kwargs\)"
)
"""What this fix defines."""

LOOPS = (ast.For, ast.AsyncFor, ast.While)

DEADLINES = frozenset(
    {"timeout", "timeout_at", "fail_after", "fail_at", "move_on_after", "move_on_at"}
)
"""Context managers that end what they hold after a time."""

SETTING = re.compile(
    r"concurren|semaphore|parallel|max_workers|batch_size|rate_limit", re.IGNORECASE
)
"""What a condition speaks of that decides how many may run at once."""

UNASKED = (
    "`{}` is not seen to ask a server, a database or a program, and a bound may only slow it down"
)

UNREAD = "where its coroutines are made could not be read"


def bound(place: Place) -> Iterable[Fix]:
    """The fix of one fan-out. Raises Refused where its coroutines are not made in plain sight."""
    source, call = place.source, place.call
    function = place.tree.function(call)
    if not isinstance(function, ast.AsyncFunctionDef):
        raise Refused("the enclosing function is not `async def`")
    _refuse_meant(place, call)
    refuse_chosen(place)
    refuse_leaving(place)
    if "FIRST_COMPLETED" in ast.unparse(function):
        raise Refused("the first one that is done is waited for: they may run against each other")
    made = list(dict.fromkeys(_members(place, call, function)))
    if not made:
        raise Refused(UNREAD)
    made = _without_bound(place, made)
    first = _before(place, made, function)
    number = source.comments_above(first)
    if source.text[source.line_start(first.lineno) : source.start(first)].strip():
        raise Refused("something else stands on the line of the fan-out")
    limit = place.workshop.config.limit
    title = f"let at most {limit} run at once, with a semaphore"
    once = f"{source.path}:{function.lineno}"
    there = _there(place, first, function)
    if there is not None:
        yield place.fix(title, *(_wrapped(place, node, there) for node in made), once=once)
        return
    if source.lowest is not None and source.lowest < (3, 8):
        raise Refused(
            "the project runs on Python 3.7, too, which has no positional-only parameters"
        )
    semaphore = place.free_name("semaphore", "limiter", "fan_out_limit")
    wrapper = place.free_name("bounded", "with_limit", "run_bounded")
    module, edits = place.imported(_library(place, call))
    indent, unit = source.indent(first), source.unit(function)
    lines = [
        f"{semaphore} = {module}.Semaphore({limit})",
        "",
        f"async def {wrapper}(function, /, *args, **kwargs):",
        f"{unit}async with {semaphore}:",
        f"{unit}{unit}return await function(*args, **kwargs)",
        "",
    ]
    text = "".join(f"{indent}{line}\n" if line else "\n" for line in lines)
    yield place.fix(
        title,
        source.insert(source.line_start(number), text),
        *(_wrapped(place, node, wrapper) for node in made),
        *edits,
        once=once,
    )


def _refuse_meant(place: Place, call: ast.Call) -> None:
    """Raise Refused where all share a deadline, or where a setting says that nothing is to bound them."""
    within = place.tree.function(call)
    for one in ast.walk(within) if within is not None else ():
        if isinstance(one, ast.Call) and called(one) in ("wait", "as_completed", "wait_for"):
            limited = any(k.arg == "timeout" and not is_none(k.value) for k in one.keywords)
            if limited and _waits_for(one, place.tree.statement(call)):
                raise Refused("they share a deadline, which those that wait for a place would miss")
    below: ast.AST = call
    for one in place.tree.above(call):
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            return
        withs = isinstance(one, ast.AsyncWith | ast.With) and any(
            isinstance(i.context_expr, ast.Call) and called(i.context_expr) in DEADLINES
            for i in one.items
        )
        if withs or (isinstance(one, ast.Call) and called(one) == "wait_for"):
            raise Refused("they share a deadline, which those that wait for a place would miss")
        if (
            isinstance(one, ast.If)
            and below is not one.test
            and SETTING.search(ast.unparse(one.test))
        ):
            raise Refused(f"whether `{ast.unparse(one.test)}` bounds them is asked already")
        below = one


def _waits_for(call: ast.Call, statement: ast.stmt) -> bool:
    """Whether a call is handed what a statement makes, or adds to."""
    names = (
        {n.id for n in ast.walk(call.args[0]) if isinstance(n, ast.Name)} if call.args else set()
    )
    targets = [n for n in ast.walk(statement) if isinstance(n, ast.Name)]
    added = isinstance(statement, ast.Expr)
    return any(n.id in names and (added or isinstance(n.ctx, ast.Store)) for n in targets)


def _without_bound(place: Place, nodes: list[ast.expr]) -> list[ast.expr]:
    """Those that a semaphore is to go around: not what waits for a place already, nor what asyncio itself does at once.

    Raises Refused for what never ends: those behind the first ones would never start.
    """
    bounds = place.workshop.once(_bounds)
    asking = place.workshop.once(Asking)
    kept_in = {name for node in nodes for name in _kept_in(place, node)}
    kept = []
    for node in nodes:
        found = [m.of if isinstance(m, Part) else m for m in members(_called(place, node))]
        functions = [m.function for m in found if isinstance(m, Func)]
        for one in functions:
            reason = why_together(place.workshop, one, kept_in)
            if reason is not None:
                raise Refused(reason)
            if isinstance(node, ast.Call) and is_task(_made(place, node)):
                raise Refused(f"`{one.name}` starts its task at once, whatever is awaited then")
        waiting = [f for f in functions if bounds.is_bounded(f)]
        sleeping = [m for m in found if isinstance(m, Lib) and m.path == "asyncio.sleep"]
        if len(waiting) + len(sleeping) < len(found):
            site = _site(place, node) if isinstance(node, ast.Call) else None
            if not any(asking.called(m, site) for m in found):
                raise Refused(UNASKED.format(_name(place, node, functions)))
            kept.append(node)
    return kept or nodes


def _called(place: Place, node: ast.expr) -> Type:
    """What a member calls: `f` of `f(item)`, of `*map(f, items)`, and of what `start_soon` gets."""
    evaluator = place.workshop.facts.graph.evaluator
    module = place.function.module
    if isinstance(node, ast.Call):
        site = _site(place, node)
        return evaluator.callee(module, site) if site is not None else None
    if isinstance(node, ast.Starred):
        site = _site(place, node.value)
        recipe = site.args[0][0] if site is not None and site.args else None
        return evaluator.at_site(recipe, site, module) if site is not None else None
    recipe = place.site.args[0][0] if place.site.args else None
    return evaluator.at_site(recipe, place.site, module)


def _made(place: Place, node: ast.expr) -> Type:
    site = _site(place, node)
    if site is None:
        return None
    return place.workshop.facts.graph.evaluator.call_type(place.function.module, site.index)


def _site(place: Place, node: ast.expr) -> CallSite | None:
    """The call site of a call in the text."""
    where = extent(node)
    calls = place.function.module.facts.calls
    return next((s for s in calls if s.kind == "call" and s.extent == where), None)


def _name(place: Place, node: ast.expr, functions: list[Function]) -> str:
    """What a member calls, as the reader knows it."""
    if functions:
        return functions[0].name
    if isinstance(node, ast.Starred):
        assert isinstance(node.value, ast.Call)
        node = node.value.args[0]
    return ast.unparse(node.func if isinstance(node, ast.Call) else node)


def _kept_in(place: Place, member: ast.expr) -> Iterator[str]:
    """The variable, or the attribute, to which the statement adds what a member makes: `tasks[name] = create_task(run(name))`."""
    statement = place.tree.statement(member)
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            yield ast.unparse(target.value if isinstance(target, ast.Subscript) else target)
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        if isinstance(statement.value.func, ast.Attribute):
            yield ast.unparse(statement.value.func.value)


def _bounds(workshop: Workshop) -> Bounds:
    graph = workshop.facts.graph
    return Bounds(graph.evaluator, graph)


def _there(place: Place, first: ast.stmt, function: ast.AsyncFunctionDef) -> str | None:
    """The function that an earlier fan-out of the same function goes through, where it is defined before this one."""
    for suite, statement in _chain(place, first, function):
        for one in suite[: suite.index(statement)]:
            if isinstance(one, ast.AsyncFunctionDef) and WRAPPER.fullmatch(ast.unparse(one)):
                return one.name
    return None


def _library(place: Place, call: ast.Call) -> str:
    """Whose semaphore the fan-out takes."""
    own = called(call) != "start_soon"
    others = ("anyio", "trio") if not own or not place.uses("asyncio") else ()
    return next((name for name in others if place.uses(name)), "asyncio" if own else "anyio")


def _wrapped(place: Place, node: ast.expr, wrapper: str) -> Edit:
    """`f(a)` → `bounded(f, a)`; `*map(f, items)` → `*(bounded(f, item) for item in items)`; `f` → `bounded, f`."""
    source = place.source
    if isinstance(node, ast.Starred):
        mapped = node.value
        assert isinstance(mapped, ast.Call)
        function, *iterables = (source.segment(a) for a in mapped.args)
        if len(iterables) == 1:
            name, items = place.free_name("item", "one", "each"), iterables[0]
            text = f"({wrapper}({function}, {name}) for {name} in {items})"
        else:
            name, items = place.free_name("items", "each", "values"), ", ".join(iterables)
            text = f"({wrapper}({function}, *{name}) for {name} in zip({items}))"
        return source.replace(mapped, text)
    if isinstance(node, ast.Call):
        return source.replace(node, f"{wrapper}({place.handed(node)})")
    return source.insert(source.start(node), f"{wrapper}, ")


# -- where the coroutines are made -----------------------------------------------------------------


def _members(place: Place, call: ast.Call, function: ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    """The calls that make the coroutines, the `*map(…)` that does, or the function given to `start_soon`."""
    name = called(call)
    if name == "start_soon":
        if not call.args or isinstance(call.args[0], (ast.Starred, ast.Lambda)):
            raise Refused("what it starts is not a function in plain sight")
        yield call.args[0]
        return
    if name in STARTERS:
        if not call.args:
            raise Refused(UNREAD)
        yield _one(call.args[0])
        return
    for argument in call.args:
        if isinstance(argument, ast.Starred):
            yield from _of(place, argument.value, argument, function)
        elif len(call.args) == 1:
            yield from _of(place, argument, None, function)


def _of(
    place: Place, node: ast.expr, star: ast.Starred | None, function: ast.AsyncFunctionDef
) -> Iterator[ast.expr]:
    if isinstance(node, (ast.ListComp, ast.GeneratorExp, ast.SetComp)):
        yield _one(node.elt)
    elif isinstance(node, ast.Call) and called(node) == "map" and star is not None:
        if len(node.args) < 2 or any(isinstance(a, (ast.Starred, ast.Lambda)) for a in node.args):
            raise Refused(UNREAD)
        yield star
    elif isinstance(node, ast.Name):
        yield from _named(place, node.id, function)
    else:
        raise Refused(UNREAD)


def _named(place: Place, name: str, function: ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    """The members of a list of coroutines that the function builds."""
    refusal = f"where the coroutines in `{name}` are made could not be read"
    for node in ast.walk(function):
        if isinstance(node, ast.arg) and node.arg == name:
            raise Refused(refusal)
        if not (isinstance(node, ast.Name) and node.id == name):
            continue
        if place.tree.function(node) is not function:
            if _is_shared(place, node, function):
                raise Refused(refusal)
            continue
        parent = place.tree.parent(node)
        if isinstance(node.ctx, ast.Store):
            yield from _assigned(parent, refusal)
        elif isinstance(parent, ast.Attribute):
            if parent.attr not in ("append", "add", "extend", "insert", "update"):
                continue
            added = place.tree.parent(parent)
            if not isinstance(added, ast.Call) or parent.attr == "insert":
                raise Refused(refusal)
            if parent.attr in ("append", "add"):
                yield _one(added.args[0])
            else:
                for value in added.args:
                    yield from _put(value, refusal)


def _is_shared(place: Place, node: ast.expr, function: ast.AsyncFunctionDef) -> bool:
    """Whether a name in a function within a function may mean the outer one's variable."""
    inner = place.tree.function(node)
    assert isinstance(node, ast.Name)
    while inner is not None and inner is not function:
        if any(
            isinstance(n, ast.Name) and n.id == node.id and isinstance(n.ctx, ast.Store)
            for n in ast.walk(inner)
        ):
            return any(
                isinstance(n, (ast.Nonlocal, ast.Global)) and node.id in n.names
                for n in ast.walk(inner)
            )
        inner = place.tree.function(inner)
    return True


def _assigned(statement: ast.AST | None, refusal: str) -> Iterator[ast.expr]:
    """The coroutines in what a statement gives to the list's name."""
    value: ast.expr | None = None
    if isinstance(statement, ast.AnnAssign) and statement.value is None:
        return
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        value = statement.value
    if not (isinstance(value, ast.Call) and called(value) in ("list", "set") and not value.args):
        yield from _put(value, refusal)


def _put(value: ast.expr | None, refusal: str) -> Iterator[ast.expr]:
    """The coroutines in a display or a comprehension."""
    if isinstance(value, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
        yield _one(value.elt)
    elif isinstance(value, (ast.List, ast.Tuple, ast.Set)):
        for element in value.elts:
            yield _one(element)
    else:
        raise Refused(refusal)


def _one(node: ast.expr) -> ast.expr:
    """The call that makes a coroutine, or what the task in its place runs."""
    if not isinstance(node, ast.Call):
        raise Refused("its coroutines are not made in plain sight")
    name = called(node)
    if name in STARTERS:
        if not node.args or not isinstance(node.args[0], ast.Call):
            raise Refused("what its tasks run is not made in plain sight")
        return _one(node.args[0])
    if name in HOLDERS:
        raise Refused(f"its coroutines are made before `{name}` gets them")
    if isinstance(node.func, ast.Lambda):
        raise Refused("its coroutines are not made in plain sight")
    return node


# -- where the semaphore goes ----------------------------------------------------------------------


def _before(place: Place, members: list[ast.expr], function: ast.AsyncFunctionDef) -> ast.stmt:
    """The statement before which the semaphore goes: it runs before all members are made, and once for all of them."""
    chains = [_chain(place, node, function) for node in members]
    shared = 0
    while all(len(c) > shared and c[shared][0] is chains[0][shared][0] for c in chains):
        shared += 1
        if not all(c[shared - 1][1] is chains[0][shared - 1][1] for c in chains):
            break
    found = min((c[shared - 1][1] for c in chains), key=lambda s: s.lineno)
    for suite, statement in chains[0][:shared]:
        if isinstance(statement, LOOPS) and (suite is not chains[0][shared - 1][0]):
            return statement
    return found


def _chain(
    place: Place, node: ast.expr | ast.stmt, function: ast.AsyncFunctionDef
) -> list[tuple[list[ast.stmt], ast.stmt]]:
    """The suites around a node with the statement of each that holds it, the function's own first."""
    chain: list[tuple[list[ast.stmt], ast.stmt]] = []
    below: ast.AST = node
    for one in place.tree.above(node):
        suite = place.tree.suite(below)
        if suite and isinstance(below, ast.stmt) and not _is_elif(place, below):
            chain.append((suite, below))
        if one is function:
            break
        below = one
    return chain[::-1]


def _is_elif(place: Place, statement: ast.stmt) -> bool:
    start = place.source.start(statement)
    return isinstance(statement, ast.If) and place.source.text.startswith("elif", start)
