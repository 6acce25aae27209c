"""Files that are read, changed and written back: who does that in one go, without a wait, loses nothing that others write."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from asynclint.facts import syntax
from asynclint.facts.graph import SYNC
from asynclint.facts.program import Function
from asynclint.findings import Refused
from asynclint.fixes.awaiting import Frame, frames
from asynclint.fixes.file_uses import mode_of_flags
from asynclint.fixes.passing import WAITS
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.source import NESTED, own_nodes
from asynclint.fixes.step import GUARD, spot

READS = frozenset({"read_text", "read_bytes"})
THERE = frozenset({"exists", "is_file", "isfile"})
WRITES = frozenset({"write_text", "write_bytes"})
LOADS = re.compile(r"load|read|get", re.IGNORECASE)
SAVES = re.compile(r"save|write|store|persist|dump|update", re.IGNORECASE)
"""What functions of one class, or of one module, are called that read its files, and write them."""

OPENS = ("open(", "_text(", "_bytes(", "unlink(", "os.remove(")

REMOVES = re.compile(r"\.unlink\(|\bos\.remove\(|\brmtree\(|\bmove\(|\bos\.(?:rename|replace)\(")

OPENING = re.compile(r"\bopen\(")
"""`open(lock_path)` locks nothing."""

WORD = re.compile(r"\w+")

SAME_EACH_TIME = frozenset(
    {"Path", "str", "fspath", "join", "joinpath", "expanduser"}
    | {"with_suffix", "with_name", "with_stem"}
)
"""Functions, and methods of a path, that give the same for the same."""

DEEP = 5
"""Names that are followed to what a path is made of."""

PLAIN_WORDS = frozenset(
    {
        "Path",
        "str",
        "os",
        "path",
        "join",
        "joinpath",
        "name",
        "id",
        "file",
        "pathlib",
        "self",
        "cls",
    }
    | {"parent", "fspath", "expanduser", "utf-8", "w", "r", "value", "data", ""}
)
"""What tells nothing of a path."""

REPLACED = re.compile(r"\bos\.(?:replace|rename)\(|\.(?:replace|rename)\((?!\s*['\"])")
"""`temporary.replace(path)`: who reads the file meets the old one, or the new one."""


@dataclass(frozen=True)
class Access:
    """One file that is opened, by the text of its path."""

    path: str
    writes: bool
    line: int
    opens: bool = True
    """False where a function of the project is given the path."""
    asked: bool = False
    """It is only asked whether the file is there."""


def refuse(place: Place) -> None:
    """Raise Refused where a coroutine reads a file and writes it back, and waits nowhere in between."""
    function = place.source.definition(place.function)
    if function is None or any(_is_locked(one) for one in place.tree.above(place.node)):
        return
    above = [one for one in place.tree.above(place.node) if isinstance(one, ast.With)]
    here = {place.node.lineno, *(item.context_expr.lineno for w in above for item in w.items)}
    tree, definition = function
    found = list(_accesses(tree.own(definition)))
    waits = [n.lineno for n in tree.own(definition) if isinstance(n, WAITS)]
    for read in found:
        for write in found:
            if (
                read.writes
                or not write.writes
                or read.path != write.path
                or not here & {read.line, write.line}
            ):
                continue
            if read.line < write.line and not any(read.line < n < write.line for n in waits):
                raise Refused(_reason(f"`{read.path}`", read.asked))
    _refuse_found(place, tree.own(definition), found, here, waits)
    _refuse_met(place.function, [one for one in found if one.line in here])
    for read in found:
        if read.writes or read.asked or read.line not in here or not _others_take(place.function):
            continue
        for asked in found:
            if asked.asked and asked.path == read.path and asked.line <= read.line:
                if not any(asked.line < n < read.line for n in waits):
                    raise Refused(_gone(read.path))
    _refuse_read_elsewhere(place.function, [one for one in found if one.line in here])
    _refuse_around(place, [one for one in found if one.line in here])


def _refuse_found(
    place: Place, nodes: Iterable[ast.AST], found: list[Access], here: set[int], waits: list[int]
) -> None:
    """Raise Refused where a function reads files and says which one it was, and the coroutine writes that one back."""
    extents = {edge.site.extent: edge for edge in place.workshop.facts.graph.out[place.function]}
    for node in nodes:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        edge = extents.get(syntax.extent(node.value))
        if edge is None or not _reads(edge.target):
            continue
        names = {n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)}
        for write in found:
            if (
                write.writes
                and write.opens
                and write.line > node.lineno
                and here & {node.value.lineno, write.line}
                and names & set(WORD.findall(write.path))
                and not any(node.lineno < n < write.line for n in waits)
            ):
                raise Refused(_reason(f"`{write.path}`"))


def _reads(function: Function) -> bool:
    node = syntax.definition(function) if _opens(function) else None
    found = _accesses(own_nodes(node)) if node is not None else ()
    return any(not one.writes and one.opens and not one.asked for one in found)


def _refuse_around(place: Place, found: list[Access]) -> None:
    """Raise Refused where the coroutines that await this one do the other half with the same file."""
    at = spot(place) if found else None
    for frame in frames(at) if at is not None else ():
        pairs = [(one, own) for one in _around(frame, frame.earlier()) for own in found]
        pairs += [(own, one) for one in _around(frame, frame.later()) for own in found]
        step = f" in one step of `{frame.function.name}`"
        for first, second in pairs:
            if first.path != second.path or first.writes:
                continue
            if second.writes:
                raise Refused(_reason(f"`{second.path}`", first.asked, step))
            if first.asked and not second.asked and _others_take(place.function):
                raise Refused(_gone(second.path, step))


def _around(frame: Frame, nodes: Iterable[ast.AST]) -> Iterator[Access]:
    """The files that a coroutine opens there, by their paths in the words of the one that it awaits."""
    for node in nodes:
        if isinstance(node, NESTED):
            continue
        for one in _accesses((node, *own_nodes(node))):
            yield replace(one, path=frame.words(one.path))


def refuse_below(functions: Iterable[Function]) -> None:
    """Raise Refused where functions read a file and write it back, which two threads would do at once."""
    loads: dict[tuple[object, ...], str] = {}
    reads: dict[tuple[object, ...], str] = {}
    saves: set[tuple[object, ...]] = set()
    removes: set[tuple[object, ...]] = set()
    written: list[tuple[Function, list[Access]]] = []
    for function in functions:
        node = syntax.definition(function) if _opens(function) else None
        if node is None:
            continue
        if any(_is_locked(one) for one in own_nodes(node)):
            return
        owner: tuple[object, ...] = (function.module, function.klass)
        if any(_takes_away(one) for one in own_nodes(node)):
            removes.add(owner)
        found = list(_accesses(own_nodes(node)))
        for one in found:
            if not one.writes and any(
                o.writes and o.path == one.path and o.line >= one.line for o in found
            ):
                raise Refused(_reason(f"`{one.path}`", one.asked))
        written.append((function, found))
        for one in found:
            if not one.writes:
                reads[owner] = function.name
            if one.writes and SAVES.search(function.facts.name):
                saves.add(owner)
            elif not one.writes and LOADS.search(function.facts.name):
                loads[owner] = function.name
    for owner, name in loads.items():
        if owner in saves:
            raise Refused(_reason(f"what `{name}` reads"))
    for owner, name in reads.items():
        if owner in removes:
            raise Refused(
                f"what `{name}` reads decides what is taken away, and others may do so, too"
            )
    for function, found in written:
        _refuse_met(function, found)
        _refuse_read_elsewhere(function, found)


def _refuse_read_elsewhere(function: Function, found: Iterable[Access]) -> None:
    """Raise Refused where a function writes files that others of its class, or of its module, read: they would meet half of one."""
    words = {word for one in found if one.writes and one.opens for word in _words(one, function)}
    if not words:
        return
    lines = function.module.span(function.facts.line, function.facts.end_line)
    if any(REPLACED.search(line) for line in lines):
        return
    for other in function.module.functions:
        if other is function or other.klass is not function.klass or not _opens(other):
            continue
        node = syntax.definition(other)
        if node is None:
            continue
        for one in _accesses(own_nodes(node)):
            if not one.writes and one.opens and not one.asked and words & _words(one, other):
                raise Refused(
                    f"`{other.name}` reads such files, and would meet this one half written"
                )


def _words(access: Access, function: Function) -> set[str]:
    """What tells a path from others: attributes, functions, globals and texts, and not the names of parameters."""
    made = _assigned(function)
    asked = [ast.parse(access.path, mode="eval").body]
    found: set[str] = set()
    for node in asked:
        if len(asked) > DEEP:
            break
        for one in ast.walk(node):
            if isinstance(one, ast.Attribute):
                found.add(one.attr)
            elif isinstance(one, ast.Constant) and isinstance(one.value, str):
                found.add(one.value)
            elif isinstance(one, ast.Name) and one.id in made:
                asked += made[one.id]
            elif isinstance(one, ast.Name) and one.id not in function.facts.bindings:
                found.add(one.id)
    return found - set(function.parameters) - PLAIN_WORDS


def _others_take(function: Function) -> bool:
    """Whether something in the module of a function takes files away."""
    return any(REMOVES.search(line) for line in function.module.lines)


def _takes_away(node: ast.AST) -> bool:
    """`path.unlink()`, `os.remove(path)`."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (
            node.func.attr == "unlink"
            or (node.func.attr == "remove" and ast.unparse(node.func.value) == "os")
        )
    )


def refuse_told(place: Place, function: Function) -> None:
    """Raise Refused where a call names the file, as it does each time, that a function then writes in place, itself or below."""
    _refuse_told(place.workshop, place.call, place.function, frozenset(), function, DEEP)


def _refuse_told(
    workshop: Workshop,
    call: ast.Call,
    caller: Function,
    known: frozenset[str],
    function: Function,
    deep: int,
) -> None:
    """The same for a call in a function whose `known` parameters are the same each time."""
    names = [name for name in function.parameters if name != function.self_name]
    pairs = [*zip(names, call.args, strict=False), *((k.arg, k.value) for k in call.keywords)]
    told = frozenset(
        name for name, value in pairs if name in names and _is_fixed(value, caller, known)
    )
    node = syntax.definition(function) if told else None
    if node is None or any(_is_locked(one) for one in own_nodes(node)):
        return
    if _opens(function):
        _refuse_met(function, _accesses(own_nodes(node)), told)
    targets = {
        edge.site.extent: edge.target
        for edge in workshop.facts.graph.out.get(function, ())
        if edge.how in SYNC and not edge.target.is_async and edge.target is not function
    }
    for one in own_nodes(node) if deep and targets else ():
        target = targets.get(syntax.extent(one)) if isinstance(one, ast.Call) else None
        if isinstance(one, ast.Call) and target is not None:
            _refuse_told(workshop, one, function, told, target, deep - 1)


def _is_fixed(value: ast.expr, caller: Function, known: frozenset[str]) -> bool:
    """Whether an argument is the same each time: a constant, a global of the caller's, or what the caller is told."""
    while isinstance(value, ast.Attribute):
        value = value.value
    if isinstance(value, ast.Name):
        local = value.id in caller.facts.bindings or value.id in caller.parameters
        return value.id in known or not local
    return isinstance(value, ast.Constant)


def _refuse_met(
    function: Function, found: Iterable[Access], told: frozenset[str] = frozenset()
) -> None:
    """Raise Refused where a function writes in place a file that is the same at each call: today calls take turns.

    The `told` parameters are the same at each call.
    """
    for one in found:
        if one.writes and one.opens and _is_one_file(one.path, function, told):
            raise Refused(
                f"`{one.path}` is written in place, and two threads would mix what they write"
            )


def _is_one_file(path: str, function: Function, told: frozenset[str]) -> bool:
    """Whether a path is the same at each call: made of the object's attributes, of globals and of what is told."""
    made = _assigned(function)
    asked = [ast.parse(path, mode="eval").body]
    kept = False
    for node in asked:
        if len(asked) > DEEP:
            return False
        for one in ast.walk(node):
            kept |= isinstance(one, ast.Name) and one.id not in ("Path", "str", "os", "pathlib")
            if isinstance(one, ast.Name) and one.id != function.self_name and one.id not in told:
                values = made.get(one.id, [])
                if values and one.id not in function.parameters:
                    asked += values
                elif one.id in function.facts.bindings or one.id in function.parameters:
                    return False
            if isinstance(one, ast.Call) and not _is_same_each_time(one):
                return False
            if isinstance(one, ast.Subscript):
                return False
    return kept


def _assigned(function: Function) -> dict[str, list[ast.expr]]:
    """What the names of a function are set to, by plain assignments."""
    node = syntax.definition(function)
    found: dict[str, list[ast.expr]] = {}
    for one in own_nodes(node) if node is not None else ():
        if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name):
            found.setdefault(one.targets[0].id, []).append(one.value)
    return {k: v for k, v in found.items() if len(v) == len(function.facts.bindings.get(k, ()))}


def _is_same_each_time(call: ast.Call) -> bool:
    """`self.path()`, `Path("x")`, `os.path.join(self.folder, "x")`: not `uuid4()`, not `path_of(key)`."""
    name = ast.unparse(call.func)
    if name.rpartition(".")[2] in SAME_EACH_TIME:
        return True
    return name.startswith(("self.", "cls.")) and not (call.args or call.keywords)


def _opens(function: Function) -> bool:
    lines = function.module.span(function.facts.line, function.facts.end_line)
    return any(word in line for line in lines for word in OPENS)


def _reason(path: str, asked: bool = False, step: str = "") -> str:
    if asked:
        return f"{path} is looked for and then written{step}, which two at once would both do"
    return f"{path} is read and written back{step}, and what others write in the meantime would be lost"


def _gone(path: str, step: str = "") -> str:
    return f"`{path}` is looked for and then read{step}, and others may take it away in between"


def _is_locked(node: ast.AST) -> bool:
    return isinstance(node, (ast.With, ast.AsyncWith)) and any(
        GUARD.search(text) and not OPENING.search(text)
        for text in (ast.unparse(item.context_expr) for item in node.items)
    )


def _accesses(nodes: Iterable[ast.AST]) -> Iterator[Access]:
    for one in nodes:
        if not isinstance(one, ast.Call):
            continue
        if isinstance(one.func, ast.Name) and one.func.id == "open" and one.args:
            path, mode = one.args[0], _mode(one, 1)
        elif ast.unparse(one.func) == "os.open" and len(one.args) > 1:
            path, mode = one.args[0], mode_of_flags(one.args[1])
        elif isinstance(one.func, ast.Attribute) and one.func.attr == "open":
            path, mode = one.func.value, _mode(one, 0)
        elif isinstance(one.func, ast.Attribute) and one.func.attr in THERE:
            inner = one.func.value
            named = ast.unparse(inner) in ("os.path", "path") and one.args
            path = _plain(one.args[0] if named else inner)
            yield Access(ast.unparse(path), False, one.lineno, asked=True)
            continue
        elif isinstance(one.func, ast.Attribute) and one.func.attr in READS | WRITES:
            path, mode = one.func.value, "w" if one.func.attr in WRITES else "r"
        else:
            yield from _by_a_helper(one)
            continue
        text = ast.unparse(_plain(path))
        if "+" in mode or "w" in mode:
            yield Access(text, True, one.lineno)
        if "+" in mode or "r" in mode:
            yield Access(text, False, one.lineno)


def _plain(path: ast.expr) -> ast.expr:
    """Of `f"{path}"`, `str(path)` and `Path(path)`, the path."""
    if isinstance(path, ast.JoinedStr) and len(path.values) == 1:
        [value] = path.values
        return _plain(value.value) if isinstance(value, ast.FormattedValue) else path
    if isinstance(path, ast.Call) and len(path.args) == 1:
        if ast.unparse(path.func).rpartition(".")[2] in ("str", "Path", "fspath"):
            return _plain(path.args[0])
    return path


def _by_a_helper(call: ast.Call) -> Iterator[Access]:
    """`self._write_json(path, data)`: what is called so writes the file that it gets."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
    if SAVES.search(name):
        for argument in call.args:
            if isinstance(argument, (ast.Name, ast.Attribute)):
                yield Access(ast.unparse(argument), True, call.lineno, False)


def _mode(call: ast.Call, position: int) -> str:
    given = [k.value for k in call.keywords if k.arg == "mode"] or call.args[
        position : position + 1
    ]
    return (
        given[0].value
        if given and isinstance(given[0], ast.Constant) and isinstance(given[0].value, str)
        else "r"
    )
