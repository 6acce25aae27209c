"""A transaction of a synchronous database that is open where a coroutine would wait: who needs its rows blocks the event loop, which has to end it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from asynclint.facts.model import CallSite
from asynclint.facts.program import Function, recipe_name
from asynclint.facts.types import LibMethod, members
from asynclint.findings import Refused
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.reached import reached, run_at
from asynclint.fixes.source import own_nodes

SYNCHRONOUS = (
    "MySQLdb.",
    "mysql.connector.",
    "psycopg.",
    "psycopg2.",
    "pymysql.",
    "pyodbc.",
    "sqlalchemy.engine.",
    "sqlalchemy.orm.",
    "sqlalchemy.Connection",
    "sqlmodel.",
)
"""Roots of the classes whose methods work in a transaction, and wait for the rows that another one has changed."""

WAITS = re.compile(r"Async|asyncio")
"""Classes of the same roots are called so whose methods are awaited."""

CHANGES = re.compile(r"flush|merge|bulk_\w+")
EXECUTES = re.compile(r"exec\w*")
STATEMENT = re.compile(r"\b(?:insert|update|delete)\b", re.IGNORECASE)
"""Methods that change rows; those that do with a statement of these; and those statements."""

CHANGED = "changes rows"
"""What is noted for a call that does."""

ENDS = frozenset({"commit", "rollback", "close", "remove", "refresh"})
"""Methods behind which nothing is held: what is refreshed was committed before."""

MANAGES = re.compile(
    r"transaction|atomic|unit_of_work|(?:^|[._])tx(?:[._(]|$)|managed_tx", re.IGNORECASE
)
"""Decorators whose transactions last as long as the function runs."""


def refuse(place: Place) -> None:
    """Raise Refused where a coroutine has changed rows and not ended the transaction, or is decorated to run in one."""
    found = place.source.definition(place.function)
    if found is None or place.facts.blocks_as("database") is not None:
        # A session, or connection, has rules of its own.
        return
    definition = found[1]
    calls = sorted(_calls(place), key=lambda one: (one[0].line, one[0].col))
    for decorator in definition.decorator_list if calls else ():
        text = ast.unparse(decorator)
        if MANAGES.search(text):
            raise Refused(f"`@{text}` would keep a transaction open while other tasks run")
    here = place.call.lineno
    waits = [n.lineno for n in own_nodes(definition) if isinstance(n, ast.Await)]
    blocks = [n for n in own_nodes(definition) if isinstance(n, ast.With)]
    changed: CallSite | None = None
    for site, did in calls:
        if site.line >= here:
            break
        if ENDS & did:
            changed = None
        elif CHANGED in did:
            over = any(w.lineno <= site.line <= (w.end_lineno or 0) < here for w in blocks)
            changed = changed if over else site
    if changed is not None and not any(changed.line < line < here for line in waits):
        name = recipe_name(changed.callee)
        raise Refused(f"the transaction of `{name}` would stay open while other tasks run")


def _calls(place: Place) -> Iterator[tuple[CallSite, set[str]]]:
    """The calls of a coroutine that use a synchronous database, itself or below, and what they do to the transaction."""
    evaluator = place.workshop.facts.graph.evaluator
    for site in place.function.sites:
        if site.kind != "call" or site is place.site or site.role[0] == "await":
            continue
        did: set[str] = set()
        for member in members(evaluator.callee(place.function.module, site)):
            if isinstance(member, LibMethod):
                did |= _done(place.function, site, member)
        for function in run_at(place.workshop, place.function, site):
            for one in reached(place.workshop, function):
                did |= place.workshop.each(_does, one)
        if did:
            yield site, did


def _does(workshop: Workshop, function: Function) -> set[str]:
    """What a function itself does with synchronous databases."""
    evaluator = workshop.facts.graph.evaluator
    found: set[str] = set()
    for site in function.sites:
        for member in members(evaluator.callee(function.module, site)):
            if isinstance(member, LibMethod):
                found |= _done(function, site, member)
    return found


def _done(function: Function, site: CallSite, method: LibMethod) -> set[str]:
    if not method.cls.startswith(SYNCHRONOUS) or WAITS.search(method.cls):
        return set()
    done = {method.name}
    text = "\n".join(function.module.span(site.line, site.end_line))
    if CHANGES.fullmatch(method.name) or (
        EXECUTES.fullmatch(method.name) and STATEMENT.search(text)
    ):
        done.add(CHANGED)
    return done
