"""A block that works on an open file becomes a function of its own, which a worker thread runs."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from asynclint.facts.model import CallSite
from asynclint.facts.program import recipe_name
from asynclint.findings import Edit, Fix, Refused
from asynclint.fixes import (
    answered,
    gone_through,
    in_thread,
    may_wait,
    no_thread,
    sight,
    written_back,
)
from asynclint.fixes.place import Place
from asynclint.fixes.source import Source

WRITING = frozenset({"write", "writelines", "dump", "truncate", "writerow", "writerows"})

LEAVES = (
    ast.Await,
    ast.AsyncFor,
    ast.AsyncWith,
    ast.Yield,
    ast.YieldFrom,
    ast.Global,
    ast.Nonlocal,
)


def around(place: Place) -> ast.With | None:
    """The `with` statement that opens the file of a finding."""
    item = place.tree.parent(place.call)
    statement = place.tree.parent(item) if isinstance(item, ast.withitem) else None
    return statement if isinstance(statement, ast.With) else None


def hand_over(place: Place, block: ast.With) -> Iterable[Fix]:
    """The fix of one block. Raises Refused where it does more than work on files."""
    source, tree = place.source, place.tree
    function = tree.function(block)
    may_wait.refuse(place)
    if not isinstance(function, ast.AsyncFunctionDef):
        raise Refused(may_wait.SYNCHRONOUS)
    if _writes(block):
        answered.refuse(place, block)
    written_back.refuse(place)
    may_wait.refuse_between(place, block)
    no_thread.refuse(place)
    source.after(block)
    if block.body[0].lineno == block.lineno:
        raise Refused("the block stands on one line")
    nodes = [n for s in block.body for n in ast.walk(s)]
    if sight.takes_lock(source.segment(block), place.function):
        raise Refused("the block takes a lock, which nobody gives back who is cancelled meanwhile")
    if any(isinstance(n, LEAVES) or getattr(n, "is_async", 0) for n in nodes):
        raise Refused("the block awaits or yields while the file is open")
    gone_through.refuse_block(place, block)
    for site in place.function.sites:
        if site.kind == "call" and block.lineno <= site.line <= (block.end_lineno or 0):
            in_thread.refuse_site(place, site)
            _refuse_unknown(place, site)
    _refuse_jumps(block)
    last = block.body[-1]
    returns = [n for n in nodes if isinstance(n, ast.Return)]
    if returns not in ([], [last]):
        raise Refused("the block returns in its midst")
    values = [] if returns else _values(block, function, _own_targets(block, function))
    _refuse_partly_set(place, block, values)
    name = place.free_name(
        *(
            ("read_file", "load_file", *(f"read_file_{n}" for n in range(2, 10)))
            if not _writes(block)
            else ("write_file", "save_file", *(f"write_file_{n}" for n in range(2, 10)))
        )
    )
    loop = place.loop
    if loop == "trio":
        raise Refused("its coroutines run on the event loop of trio")
    library, imported = place.imported(loop)
    thread = f"{library}.to_thread" + (".run_sync" if loop == "anyio" else "")
    indent, unit = source.indent(block), source.unit(function)
    end = block.end_lineno or block.lineno
    head, tail = (
        f"{_gap(source, block)}{indent}def {name}(){_gives(source, function, returns, values)}:\n",
        "",
    )
    push = source.push(block.lineno + 1, end, unit, block)
    edits = [source.insert(source.line_start(block.lineno), head + unit)]
    if returns:
        result = "return "
    else:
        result = f"{', '.join(values)} = " if values else ""
        if values:
            one = _value_of(last, values)
            if one is not None:
                edits.append(source.edit(source.start(last), source.start(one), "return "))
            else:
                tail = f"{source.indent(last)}{unit}return {', '.join(values)}\n"
    tail += f"\n{indent}{result}await {thread}({name})\n"
    edits.append(_behind(source, block, tail))
    yield place.fix(
        "let a thread run the block",
        *edits,
        *push,
        *imported,
        once=f"{source.path}:{function.lineno}",
    )


def _refuse_unknown(place: Place, site: CallSite) -> None:
    """Raise Refused for a method that the object has of a class outside of the project: `self.write(data)` may belong to the loop."""
    callee, function = site.callee, place.function
    if callee and callee[0] == "attr" and callee[1] == ("name", function.self_name):
        if place.workshop.facts.graph.evaluator.callee(function.module, site) is None:
            raise Refused(
                f"what `{recipe_name(callee)}` does is not known, and a thread would do it"
            )


def _gives(
    source: Source, function: ast.AsyncFunctionDef, returns: list[ast.Return], values: list[str]
) -> str:
    """What the function of the block is annotated to return where the one around it says what it returns, and this is known."""
    if function.returns is None or values:
        return ""
    return f" -> {source.segment(function.returns)}" if returns and returns[0].value else " -> None"


def _gap(source: Source, block: ast.With) -> str:
    """An empty line above a function that other statements precede."""
    above = source.line(block.lineno - 1)
    opens = above.rstrip().endswith(":") or above.lstrip().startswith("#")
    return "" if opens or not above.strip() else "\n"


def _behind(source: Source, block: ast.With, text: str) -> Edit:
    offset = source.after(block)
    if not source.text[:offset].endswith(("\n", "\r")):
        text = "\n" + text.rstrip("\n")
    return source.insert(offset, text)


def _refuse_jumps(block: ast.With) -> None:
    """`break` and `continue` of a loop around the block cannot leave a function."""

    def visit(node: ast.AST) -> None:
        if isinstance(node, (ast.Break, ast.Continue)):
            raise Refused("the block leaves a loop around it")
        if isinstance(node, (ast.For, ast.While)):
            for one in node.orelse:
                visit(one)
            return
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Lambda)):
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    for statement in block.body:
        visit(statement)


def _targets(statement: ast.With | ast.AsyncWith) -> set[str]:
    return {i.optional_vars.id for i in statement.items if isinstance(i.optional_vars, ast.Name)}


def _own_targets(block: ast.With, function: ast.AsyncFunctionDef) -> set[str]:
    """The names of what the block enters that mean something else wherever the function uses them: in other `with` statements."""

    def elsewhere(node: ast.AST, hidden: set[str]) -> Iterator[str]:
        """Names that stand outside of the block, and of other `with` statements that set them."""
        if node is block:
            return
        if isinstance(node, ast.Name) and node.id not in hidden:
            yield node.id
        if isinstance(node, ast.arg):
            yield node.arg
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            yield from node.names
        if isinstance(node, (ast.With, ast.AsyncWith)) and not holds(node):
            hidden = hidden | _targets(node)
        for child in ast.iter_child_nodes(node):
            yield from elsewhere(child, hidden)

    def holds(node: ast.AST) -> bool:
        return any(one is block for one in ast.walk(node))

    return _targets(block) - set(elsewhere(function, set()))


def _values(block: ast.With, function: ast.AsyncFunctionDef, own: set[str]) -> list[str]:
    """The names that the block sets and the code around it reads. Raises Refused where that is not plain.

    `own` are those that nothing around it reads.
    """
    inside = {id(n) for n in ast.walk(block)}
    stored: list[str] = []
    loaded: set[str] = set()
    for node in ast.walk(block):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                loaded.add(node.id)
            elif node.id not in stored and node.id not in own:
                stored.append(node.id)
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            raise Refused(f"the block changes `{node.target.id}`, which it did not set")
        if isinstance(
            node, (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Delete)
        ):
            raise Refused("the block defines or deletes names")
    outside_stores = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
    read: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and id(node) not in inside:
            (read if isinstance(node.ctx, ast.Load) else outside_stores).add(node.id)
    for name in stored:
        if name in outside_stores and name in loaded:
            raise Refused(f"`{name}` is set in the block and around it")
    values = [name for name in stored if name in read]
    plain = {
        target.id
        for statement in block.body
        for target in (
            statement.targets
            if isinstance(statement, ast.Assign)
            else [statement.target]
            if isinstance(statement, ast.AnnAssign)
            else []
        )
        if isinstance(target, ast.Name)
    }
    for name in values:
        if name not in plain:
            raise Refused(f"`{name}` is set in the block under a condition")
    return values


def _refuse_partly_set(place: Place, block: ast.With, values: list[str]) -> None:
    """Raise Refused where a name that the block sets is read though the block failed: a function gives all or nothing."""
    below: ast.AST = block
    for one in place.tree.above(block):
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            return
        if isinstance(one, ast.Try) and below in one.body:
            handling = [*one.handlers, *one.finalbody]
            read = {n.id for h in handling for n in ast.walk(h) if isinstance(n, ast.Name)}
            for name in values:
                if name in read:
                    raise Refused(f"`{name}` is read where the block fails, too")
        below = one


def _writes(block: ast.With) -> bool:
    """Whether a file is opened to write: `open(path, "w")`, `NamedTemporaryFile()`."""
    for one in ast.walk(block):
        if isinstance(one, ast.Call):
            modes = [*one.args[:2], *(k.value for k in one.keywords if k.arg == "mode")]
            texts = [m.value for m in modes if isinstance(m, ast.Constant)]
            opens = ast.unparse(one.func).rpartition(".")[2]
            if opens == "open" and any(
                isinstance(t, str) and len(t) < 4 and set(t) & set("wax+") for t in texts
            ):
                return True
            if "Temporary" in opens or opens in WRITING:
                return True
    return False


def _value_of(last: ast.stmt, values: list[str]) -> ast.expr | None:
    """The value that the last statement gives to the one name that is read afterwards."""
    if isinstance(last, ast.Assign) and len(last.targets) == 1:
        target = last.targets[0]
        if isinstance(target, ast.Name) and [target.id] == values:
            return last.value
    return None
