"""The syntax of single functions, for facts that depend on the order of statements."""

from __future__ import annotations

import ast

from asynclint.facts.program import Function


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
