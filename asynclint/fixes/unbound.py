"""Names that a module reads and nothing binds."""

from __future__ import annotations

import builtins
import re
import symtable

STARRED = re.compile(r"^\s*from\s+\S+\s+import\s+\*", re.MULTILINE)
MODULE = frozenset(
    {"__file__", "__path__", "__builtins__", "__annotations__", "__module__", "__qualname__"}
)
"""Names that every module, or every class, has beside the built-in ones."""


def unbound(text: str) -> frozenset[str]:
    """The names that a module's text reads as globals, and neither binds nor finds among the built-in ones.

    Nothing is said of a text that does not compile, nor of one that imports everything from a module.
    """
    if STARRED.search(text):
        return frozenset()
    try:
        top = symtable.symtable(text, "<fixed>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    bound = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    read: set[str] = set()
    tables = [top]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            if not (symbol.is_global() or table is top):
                continue
            if symbol.is_assigned() or symbol.is_imported():
                bound.add(symbol.get_name())
            elif symbol.is_referenced():
                read.add(symbol.get_name())
    return frozenset(read - bound - MODULE - set(dir(builtins)))
