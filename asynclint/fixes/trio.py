"""Whether a project's coroutines are meant to run on trio, too, where functions of `asyncio` raise."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asynclint.fixes.place import Place, Workshop

IMPORTED = re.compile(r"^[ \t]*(?:import|from)[ \t]+trio\b", re.MULTILINE)

ASKS = re.compile(r"^[ \t]*(?:import|from)[ \t]+sniffio\b", re.MULTILINE)
"""Who asks which library runs the event loop knows of more than one."""

BOTH = re.compile(
    r"\basyncio\b\W{1,6}(?:(?:and|or|as well as|also)\W{1,4})?\btrio\b"
    r"|\btrio\b\W{1,6}(?:(?:and|or|as well as|also)\W{1,4})?\basyncio\b"
    r"|\b(?:runs?|works?|usable|available) (?:also |too )?(?:on|under|with) \W{0,3}trio\b",
    re.IGNORECASE,
)
"""How comments and descriptions say it: "for asyncio and trio", "also runs on trio"."""

NOT = re.compile(
    r"\b(?:not|cannot|no|only|never|unlike|unsupported|instead|rather)\b|n't\b", re.IGNORECASE
)

CLASSIFIER = re.compile(r"Framework :: Trio\b")
SENTENCE = re.compile(r"[.!?;]\s|\n\s*\n|\n\s*[-*] ")

LINK = re.compile(r"\]\([^)]*\)")

NEAR = 100
"""Characters before and behind that may belong to the same sentence."""

ELSEWHERE = re.compile(
    r"\bget_running_loop\(\)(?:[^\n]*\n){1,4}?"
    r"[ \t]*except [^\n:#]*\bRuntimeError\b[^\n:#]*:([^\n]*(?:\n[ \t]*#[^\n]*)*)"
)
"""The handler of `asyncio.get_running_loop()` that raises, with the comment in it."""

OTHER = re.compile(
    r"\b(?:other|another|different|non-asyncio|foreign) (?:async\w*|event[- ]loop)"
    r" (?:librar|backend|framework|runtime)|\btrio\b|\bnot (?:on|in|under) an? asyncio\b",
    re.IGNORECASE,
)
"""What such a comment calls that: "under Trio", "another async library"."""


def supported(place: Place) -> bool:
    """Whether the coroutines of a module may run on trio."""
    workshop = place.workshop
    if workshop.once(_imported) or workshop.once(_said) or workshop.once(_expected):
        return True
    return not place.uses("asyncio") and workshop.once(_asked)


def _imported(workshop: Workshop) -> bool:
    """Whether one of the project's modules, or of its tests, imports trio."""
    return any(IMPORTED.search(one.text or "") for one in workshop.saying("trio"))


def _asked(workshop: Workshop) -> bool:
    """Whether one of the project's modules asks which library runs the event loop."""
    files = workshop.saying("sniffio")
    return any(ASKS.search(one.text or "") for one in files if not one.is_test)


def _said(workshop: Workshop) -> bool:
    """Whether the project is described as one for both libraries, or a comment says so."""
    requirements = workshop.facts.program.project.requirements
    described = requirements.described if requirements is not None else ""
    if CLASSIFIER.search(described) or _names_both(LINK.sub("]", described)):
        return True
    files = {one.name: one for word in ("trio", "Trio") for one in workshop.saying(word)}
    return any(_names_both(one.text or "") for one in files.values() if not one.is_test)


def _names_both(text: str) -> bool:
    """Whether a text has a sentence that says it, and does not deny it."""
    for match in BOTH.finditer(text):
        before = SENTENCE.split(text[max(0, match.start() - NEAR) : match.start()])[-1]
        behind = SENTENCE.split(text[match.end() : match.end() + NEAR])[0]
        if not NOT.search(before + behind):
            return True
    return False


def _expected(workshop: Workshop) -> bool:
    """Whether a handler says that no loop of asyncio runs where another library's does."""
    return any(
        OTHER.search(match[1])
        for one in workshop.saying("get_running_loop", "RuntimeError")
        if not one.is_test
        for match in ELSEWHERE.finditer(one.text or "")
    )
