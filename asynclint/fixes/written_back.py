"""Files that are read, changed and written back: who does that in one go, without a wait, loses nothing that others write."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from asynclint.facts import syntax
from asynclint.facts.program import Function
from asynclint.findings import Refused
from asynclint.fixes.place import Place

READS = frozenset({"read_text", "read_bytes"})
WRITES = frozenset({"write_text", "write_bytes"})
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
LOADS = re.compile(r"load|read|get", re.IGNORECASE)
SAVES = re.compile(r"save|write|store|persist|dump|update", re.IGNORECASE)
"""What functions of one class, or of one module, are called that read its files, and write them."""

LOCK = re.compile(r"lock|mutex|semaphore", re.IGNORECASE)


@dataclass(frozen=True)
class Access:
    """One file that is opened, by the text of its path."""

    path: str
    writes: bool
    line: int


def refuse(place: Place) -> None:
    """Raise Refused where a coroutine reads a file and writes it back, and waits nowhere in between."""
    function = place.source.definition(place.function)
    if function is None or any(_is_locked(one) for one in place.tree.above(place.node)):
        return
    above = [one for one in place.tree.above(place.node) if isinstance(one, ast.With)]
    here = {place.node.lineno, *(item.context_expr.lineno for w in above for item in w.items)}
    found = list(_accesses(function[1]))
    waits = [
        n.lineno
        for n in _own(function[1])
        if isinstance(n, (ast.Await, ast.AsyncFor, ast.AsyncWith))
    ]
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
                raise Refused(_reason(f"`{read.path}`"))


def refuse_below(functions: Iterable[Function]) -> None:
    """Raise Refused where functions read a file and write it back, which two threads would do at once."""
    loads: dict[tuple[object, ...], str] = {}
    saves: set[tuple[object, ...]] = set()
    for function in functions:
        node = syntax.definition(function) if _opens(function) else None
        if node is None:
            continue
        if any(_is_locked(one) for one in _own(node)):
            return
        found = list(_accesses(node))
        for one in found:
            if not one.writes and any(
                o.writes and o.path == one.path and o.line >= one.line for o in found
            ):
                raise Refused(_reason(f"`{one.path}`"))
            owner: tuple[object, ...] = (function.module, function.klass)
            if one.writes and SAVES.search(function.facts.name):
                saves.add(owner)
            elif not one.writes and LOADS.search(function.facts.name):
                loads[owner] = function.name
    for owner, name in loads.items():
        if owner in saves:
            raise Refused(_reason(f"what `{name}` reads"))


def _opens(function: Function) -> bool:
    lines = function.module.span(function.facts.line, function.facts.end_line)
    return any("open(" in line or "_text(" in line or "_bytes(" in line for line in lines)


def _reason(path: str) -> str:
    return f"{path} is read and written back, and what others write in the meantime would be lost"


def _is_locked(node: ast.AST) -> bool:
    return isinstance(node, (ast.With, ast.AsyncWith)) and any(
        LOCK.search(ast.unparse(item.context_expr)) for item in node.items
    )


def _accesses(node: ast.AST) -> Iterator[Access]:
    for one in _own(node):
        if not isinstance(one, ast.Call):
            continue
        if isinstance(one.func, ast.Name) and one.func.id == "open" and one.args:
            path, mode = one.args[0], _mode(one, 1)
        elif isinstance(one.func, ast.Attribute) and one.func.attr == "open":
            path, mode = one.func.value, _mode(one, 0)
        elif isinstance(one.func, ast.Attribute) and one.func.attr in READS | WRITES:
            path, mode = one.func.value, "w" if one.func.attr in WRITES else "r"
        else:
            continue
        text = ast.unparse(path)
        if "+" in mode or "w" in mode:
            yield Access(text, True, one.lineno)
        if "+" in mode or "r" in mode:
            yield Access(text, False, one.lineno)


def _mode(call: ast.Call, position: int) -> str:
    given = [k.value for k in call.keywords if k.arg == "mode"] or call.args[
        position : position + 1
    ]
    return (
        given[0].value
        if given and isinstance(given[0], ast.Constant) and isinstance(given[0].value, str)
        else "r"
    )


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions in it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, FUNCTIONS):
            yield child
            yield from _own(child)
