"""What was taken for what it is not is put right: a function for its result, a task for its coroutine, a lock for another."""

from __future__ import annotations

import ast
import re

from asynclint.facts.syntax import called
from asynclint.facts.view import Mistake
from asynclint.findings import Edit, Fix, Refused
from asynclint.fixes import imports, results
from asynclint.fixes.place import Place

THREADS = frozenset({"to_thread", "run_sync", "run_in_threadpool"})
"""Functions whose first argument is called with the others in a thread."""


def await_directly(place: Place) -> Fix:
    """`await asyncio.to_thread(f, x, y=z)` → `await f(x, y=z)`. Raises Refused for other ways to hand it over."""
    call, source = place.call, place.source
    name = called(call)
    skip = 1 if name == "run_in_executor" else 0
    if name not in THREADS and not skip:
        raise Refused("who calls it cannot await")
    if not isinstance(place.tree.parent(call), ast.Await) or not place.in_coroutine:
        raise Refused("what comes back is not awaited here")
    if len(call.args) <= skip or any(isinstance(a, ast.Starred) for a in call.args[: skip + 1]):
        raise Refused("the arguments could not be read")
    function = call.args[skip]
    if not isinstance(function, (ast.Name, ast.Attribute)):
        raise Refused("the coroutine function is not named")
    own = place.function.facts.name
    if ast.unparse(function) in (own, f"{place.function.self_name}.{own}"):
        raise Refused("it would call itself without an end")
    if any(k.arg in ("limiter", "cancellable", "abandon_on_cancel") for k in call.keywords):
        raise Refused("the thread has options")
    rest: list[ast.expr | ast.keyword] = [*call.args[skip + 1 :], *call.keywords]
    inner = ""
    if rest:
        start = min(_start(place, one) for one in rest)
        inner = source.text[start : source.end(call) - 1].rstrip()
    opening = source.text[source.end(call.func) : source.start(function)]
    if "#" in opening or "\n" in opening or "\n" in inner:
        raise Refused("the arguments stand on several lines")
    text = f"{source.segment(function)}({inner.rstrip(',')})"
    safe = not place.is_tried
    return place.fix("await it instead", source.replace(call, text), safe=safe)


def _start(place: Place, node: ast.expr | ast.keyword) -> int:
    return place.source.offset(node.lineno, node.col_offset)


def make_tasks(place: Place) -> Fix:
    """A task of each coroutine in `asyncio.wait([f(x), g(y)])`. Raises Refused where they are made elsewhere."""
    call, tree = place.call, place.tree
    given: ast.expr | None = call.args[0] if call.args else None
    if isinstance(given, ast.Name):
        given = _assigned(place, given.id)
    made: list[ast.expr] = []
    if isinstance(given, (ast.List, ast.Set, ast.Tuple)):
        made = list(given.elts)
    elif isinstance(given, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
        made = [given.elt]
    if not made or not all(isinstance(one, ast.Call) for one in made):
        raise Refused("where the coroutines are made could not be read")
    assert given is not None
    if tree.function(given) is not tree.function(call):
        raise Refused("where the coroutines are made could not be read")
    module, edits = place.imported("asyncio")
    source = place.source
    for one in made:
        edits = (*edits, source.replace(one, f"{module}.create_task({source.segment(one)})"))
    return place.fix("make tasks of them", *edits, safe=not place.is_tried)


def _assigned(place: Place, name: str) -> ast.expr | None:
    """The value of a local name that is set once and read once."""
    function = place.tree.function(place.call)
    if function is None:
        return None
    stores = [
        n
        for n in ast.walk(function)
        if isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load)
    ]
    reads = [
        n
        for n in ast.walk(function)
        if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)
    ]
    statement = place.tree.parent(stores[0]) if len(stores) == 1 and len(reads) == 1 else None
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        return statement.value
    return None


COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def in_turn(place: Place) -> Fix:
    """`await asyncio.gather(f(s), g(s))` → `[await f(s), await g(s)]`. Raises Refused for other shapes."""
    place.narrow()
    call, source, tree = place.call, place.source, place.tree
    above = tree.parent(call)
    if not isinstance(above, ast.Await) or not place.in_coroutine:
        raise Refused("the coroutines are not awaited here")
    if call.keywords:
        raise Refused("what is to happen to errors is not certain")
    inner = source.text[source.text.index("(", source.end(call.func)) + 1 : source.end(call) - 1]
    if "#" in inner:
        raise Refused("a comment stands among the coroutines")
    edits = [
        source.edit(source.start(above), source.text.index("(", source.end(call.func)) + 1, "[")
    ]
    if len(call.args) == 1 and isinstance(call.args[0], ast.Starred):
        made = call.args[0].value
        if not isinstance(made, (ast.ListComp, ast.GeneratorExp)):
            raise Refused("where the coroutines are made could not be read")
        if not isinstance(made.elt, ast.Call):
            raise Refused("where the coroutines are made could not be read")
        text = source.segment(made)[1:-1].strip()
        return place.fix("await them in turn", source.replace(above, f"[await {text}]"))
    if not all(isinstance(one, ast.Call) for one in call.args):
        raise Refused("where the coroutines are made could not be read")
    edits += [source.insert(source.start(one), "await ") for one in call.args[1:]]
    first = source.edit(source.start(above), source.end(call.func), "")
    opening = source.text[source.end(call.func) : source.start(call.args[0])]
    edits[0] = source.edit(
        first.start, source.start(call.args[0]), f"[{opening.partition('(')[2]}await "
    )
    edits.append(source.edit(source.end(call) - 1, source.end(call), "]"))
    return place.fix("await them in turn", *edits)


def match_protocol(place: Place) -> Fix:
    """`with` → `async with`, `async for` → `for`, and so on. Raises Refused where the statement cannot change so."""
    mistake = _mistake(place, "mismatched")
    tree, source, node = place.tree, place.source, place.node
    if mistake.by == "coroutine":
        if not isinstance(node, ast.Call) or not place.in_coroutine:
            raise Refused("it cannot be awaited here")
        results.refuse_other(place, mistake.name)
        edit = source.replace(node, f"await {source.segment(node)}")
        return place.fix("await it first", edit)
    parent = tree.parent(node)
    if isinstance(parent, ast.withitem):
        parent = tree.parent(parent)
    if isinstance(parent, ast.comprehension):
        return _match_comprehension(place, parent, mistake)
    if not isinstance(parent, (ast.With, ast.AsyncWith, ast.For, ast.AsyncFor)):
        raise Refused("it stands in a comprehension")
    if isinstance(parent, (ast.With, ast.AsyncWith)) and len(parent.items) > 1:
        raise Refused("it is entered together with others")
    start = source.offset(parent.lineno, parent.col_offset)
    safe = not place.is_tried
    if mistake.by == "async":
        if not place.in_coroutine:
            raise Refused("the enclosing function is not `async def`")
        return place.fix("add `async`", source.insert(start, "async "), safe=safe)
    found = re.match(r"async\s+", source.text[start:])
    if found is None:
        raise Refused("the statement could not be read")
    return place.fix(
        "take the `async` away", source.edit(start, start + found.end(), ""), safe=safe
    )


def _match_comprehension(place: Place, part: ast.comprehension, mistake: Mistake) -> Fix:
    """`[x for x in items()]` → `[x async for x in items()]`, and back."""
    source = place.source
    around = [one for one in place.tree.above(part) if isinstance(one, COMPREHENSIONS)]
    if len(around) > 1 or any(isinstance(one, ast.GeneratorExp) for one in around):
        raise Refused(
            "it stands in a generator expression, or in a comprehension within another one"
        )
    if not place.in_coroutine:
        raise Refused("the enclosing function is not `async def`")
    start = source.text.rindex("for", 0, source.start(part.target))
    if mistake.by == "async":
        edit, title = source.insert(start, "async "), "add `async`"
    else:
        found = re.search(r"async\s+$", source.text[:start])
        if found is None:
            raise Refused("the comprehension could not be read")
        edit, title = source.edit(found.start(), start, ""), "take the `async` away"
    return place.fix(title, edit, safe=not place.is_tried)


def _mistake(place: Place, kind: str) -> Mistake:
    """A mistake at the place: a `with` or `for` stands where the call does that it enters or iterates over."""
    file = place.workshop.facts.files[place.function.module.file.name]
    for table in file.calls.values():
        facts = table.get(place.facts.position)
        if facts is not None and kind in facts.mistakes:
            return facts.mistakes[kind]
    raise Refused("the statement could not be read")


def async_lock(place: Place) -> Fix:
    """A lock of `asyncio` in place of a thread's, where every use of it is a `with` in a coroutine of one module."""
    node, source, module = place.node, place.source, place.function.module
    taker = _mistake(place, "held").by
    if taker:
        raise Refused(f"`{taker}` takes the lock")
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        name, shown = node.attr, source.segment(node)
        if node.value.id != place.function.self_name:
            raise Refused("who else uses the lock is not certain")
    elif isinstance(node, ast.Name) and not place.is_local(node.id):
        name = shown = node.id
    else:
        raise Refused("who else uses the lock is not certain")
    word = re.compile(rf"\b{re.escape(name)}\b")
    for file in place.workshop.facts.program.project.files:
        if file.name != module.file.name and word.search(file.text or ""):
            raise Refused("who else uses the lock is not certain")
    edits: list[Edit] = []
    built = 0
    inside = {
        number: f
        for f in module.functions
        if f.facts.kind in ("def", "async")
        for number in range(f.facts.line, f.facts.end_line + 1)
    }
    for number, text in enumerate(module.lines, start=1):
        if not word.search(text):
            continue
        start = source.line_start(number) + len(text) - len(text.lstrip())
        made = re.search(
            rf"(?:^|\s|\.){re.escape(name)}\s*(?::[^=]+)?=\s*(?:threading\.)?Lock\(\)", text
        )
        if made:
            if ":" in made.group():
                raise Refused("the lock is annotated")
            built += 1
            asyncio, more = imports.bring(source, "asyncio")
            first = source.line_start(number) + text.index("=") + 1
            last = source.line_start(number) + made.end()
            edits += [*more, source.edit(first, last, f" {asyncio}.Lock()")]
        elif re.match(rf"\s*with {re.escape(shown)}:", text) and inside[number].is_async:
            edits.append(source.insert(start, "async "))
        else:
            raise Refused("the lock is used by more than coroutines")
    if built != 1:
        raise Refused("where the lock is made could not be read")
    return place.fix("use a lock of `asyncio`", *edits, once=f"lock {module.file.name} {shown}")
