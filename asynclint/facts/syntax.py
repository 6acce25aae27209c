"""The syntax of single functions, for facts that depend on the order of statements."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from asynclint.facts.program import Function

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def definition(function: Function) -> ast.AsyncFunctionDef | ast.FunctionDef | None:
    """A function, parsed on its own, with positions as in the file; None where that fails."""
    facts = function.facts
    lines = function.module.span(facts.line, facts.end_line)
    indented = lines[0][:1] in (" ", "\t")
    before = "\n" * max(0, facts.line - 2) + "if 1:\n" if indented else "\n" * (facts.line - 1)
    try:
        tree = ast.parse(before + "\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, (ast.AsyncFunctionDef, ast.FunctionDef)):
            return node
    return None


def extent(node: ast.expr) -> tuple[int, int, int, int]:
    """First line and column, last line and column: for an expression what `CallSite.extent` is for a call."""
    return node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0


def last_name(node: ast.expr) -> str:
    """`get` of `self.client.get`, and of `get`; "" for what has no name."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def called(call: ast.Call) -> str:
    """The last name of what is called."""
    return last_name(call.func)


def own(body: list[ast.stmt] | tuple[()]) -> Iterator[ast.AST]:
    """The nodes that a suite itself executes."""
    stack: list[ast.AST] = list(reversed(body))
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, FUNCTIONS):
            continue
        for name in node._fields:
            inner = getattr(node, name)
            if inner.__class__ is list:
                stack.extend(one for one in inner if isinstance(one, ast.AST))
            elif isinstance(inner, ast.AST) and name != "ctx":
                stack.append(inner)
