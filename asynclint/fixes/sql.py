"""What the statements do that are handed to a database: one that looks for rows, and one that adds some."""

from __future__ import annotations

import re
from dataclasses import dataclass

from asynclint.facts.model import CallSite
from asynclint.facts.program import Function
from asynclint.facts.types import LibMethod

LOOKS, ADDS = "select", "insert"
"""They are called so."""

EXECUTES = re.compile(r"exec\w*|scalars?|fetch\w*|query|run")
"""Methods that are given a statement."""

SELECT = re.compile(
    r"\bSELECT\b.*?\bFROM\s+[`\"\[]?(\w+)|(?<![\w.])(?:sa\.|sqlalchemy\.|sqlmodel\.)?select\(",
    re.DOTALL | re.IGNORECASE,
)
INSERT = re.compile(
    r"\bINSERT\s+INTO\s+[`\"\[]?(\w+)|(?<![\w.])(?:sa\.|sqlalchemy\.)?insert\(", re.IGNORECASE
)

ONCE = re.compile(
    r"\bON\s+(?:CONFLICT|DUPLICATE)\b|\bOR\s+(?:IGNORE|REPLACE)\b|\bNOT\s+EXISTS\b|on_conflict_do|\bon_duplicate",
    re.IGNORECASE,
)
"""It says what happens where a row is there already."""

SESSIONS = ("sqlalchemy.", "sqlmodel.")


@dataclass(frozen=True, slots=True)
class Statement:
    """What is done with which table."""

    verb: str
    table: str
    """"" where it is not written there."""


def adds(member: LibMethod) -> bool:
    """Whether it is a session's method that takes objects to add their rows."""
    return member.cls.startswith(SESSIONS) and member.name in ("add", "add_all")


def statement(function: Function, site: CallSite, member: LibMethod) -> Statement | None:
    """What a call of a database's method does; None where its text does not say."""
    if adds(member):
        return Statement(ADDS, "")
    if not EXECUTES.fullmatch(member.name):
        return None
    text = "\n".join(function.module.span(site.line, site.end_line)) + _named(function, site)
    for verb, pattern in ((ADDS, INSERT), (LOOKS, SELECT)):
        found = pattern.search(text)
        if found is not None:
            is_safe = verb is ADDS and ONCE.search(text)
            return None if is_safe else Statement(verb, (found[1] or "").lower())
    return None


def _named(function: Function, site: CallSite) -> str:
    """The statement that stands under a name of the function, or of its module."""
    recipe = site.args[0][0] if site.args else None
    name = str(recipe[1]) if recipe and recipe[0] == "name" else ""
    bound = function.facts.bindings.get(name, ())
    if bound:
        return "\n" + "\n".join(function.module.span(bound[-1].line, site.line))
    kept = function.module.body.facts.bindings.get(name, ())
    value = kept[0].recipe if len(kept) == 1 else None
    return f"\n{value[1]}" if value and value[0] == "const" else ""
