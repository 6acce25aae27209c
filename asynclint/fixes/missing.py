"""What a coroutine makes because it is not there yet: while it waits, another task finds it missing, too, or half made."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from asynclint.facts.syntax import called
from asynclint.findings import Refused
from asynclint.fixes.place import Place
from asynclint.fixes.source import NESTED, own_nodes

THERE = frozenset(
    {"exists", "lexists", "is_file", "isfile", "is_dir", "isdir", "listdir", "which", "find_spec"}
)
INSTALLED = re.compile(r"_?(?:is|are|check)?_?\w*installed|_?is_available")
"""Functions, and methods of paths, that say whether something is there."""

MAKES = re.compile(r"install|download|clone|extract|unpack|unzip|build|setup|set_up", re.IGNORECASE)
"""Functions are called so that make what takes a while to be complete."""


def refuse(place: Place) -> None:
    """Raise Refused where a program is run, or something installed or loaded down, only as long as something is not there."""
    name = called(place.call)
    if place.facts.blocks_as("subprocess") is None and not MAKES.search(name):
        return
    if place.function in place.workshop.facts.runs.once or place.is_locked:
        return
    found = place.source.definition(place.function)
    nodes = own_nodes(found[1]) if found is not None else ()
    waits = [node.lineno for node in nodes if isinstance(node, ast.Await)]
    for asked in _missing(place):
        if not any(asked.lineno <= line < place.call.lineno for line in waits):
            text = ast.unparse(asked)
            raise Refused(
                f"where `{text}` says that it is missing, two tasks would make it at once"
            )


def _missing(place: Place) -> Iterator[ast.Call]:
    """The questions around a place, or before it, to which the answer is that something is not there."""
    below: ast.AST = place.call
    for one in place.tree.above(place.call):
        if isinstance(one, ast.If) and below is not one.test:
            yield from _questions(one.test, below in one.orelse)
        for block in (getattr(one, name, None) for name in ("body", "orelse", "finalbody")):
            if isinstance(block, list) and below in block:
                for before in block[: block.index(below)]:
                    if isinstance(before, ast.If) and _leaves(before):
                        yield from _questions(before.test, True)
        if isinstance(one, NESTED):
            return
        below = one


def _leaves(statement: ast.If) -> bool:
    """Whether nothing behind an `if` runs where its test holds."""
    return isinstance(statement.body[-1], (ast.Return, ast.Raise, ast.Continue, ast.Break))


def _questions(test: ast.expr, holds: bool) -> Iterator[ast.Call]:
    """The calls of a test that ask whether something is there, and have said no; `holds` where the test has failed."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield from _questions(operand, not holds)
        case ast.BoolOp(values=values):
            for value in values:
                yield from _questions(value, holds)
        case ast.Compare(left=ast.Call() as left, ops=[ast.Is()]) if not holds:
            yield from _questions(left, True)
        case ast.Call() if holds:
            name = called(test)
            if name in THERE or INSTALLED.fullmatch(name):
                yield test
