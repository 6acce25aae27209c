"""What a run says about the code: findings, the chain that proves each, and the fixes offered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

Level = Literal["error", "warning", "note"]

LEVELS: tuple[Level, ...] = ("note", "warning", "error")
"""From mild to severe; an index in this tuple compares two levels."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of source. Lines and columns are 1-based, columns count characters, the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """One step of the chain that proves a finding."""

    path: str
    """As shown to the user: POSIX style, relative to the working directory where possible."""
    span: Span
    text: str
    """What this place shows, e.g. "`app.handler` calls `store.load`"."""


class Safety(Enum):
    """Whether a fix may change anything but the defect."""

    SAFE = "safe"
    UNSAFE = "unsafe"


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace the characters of one file between two offsets (0-based, in characters of the decoded text)."""

    path: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits against the text that was checked; all of them or none."""

    title: str
    """A verb phrase: "await `asyncio.sleep` instead"."""
    safety: Safety
    edits: tuple[Edit, ...]
    once: str = ""
    """Of fixes that say the same here, which would choose the same new names, one is applied in a round: for all its findings."""


class Refused(Exception):
    """Raised by a fixer: the reason why there is no fix, as the finding shows it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One defect at one place."""

    rule: str
    level: Level
    path: str
    span: Span
    message: str
    """Present tense, names in backticks, no full stop, no advice."""
    because: tuple[Link, ...] = ()
    """From the finding's place down to what proves it; empty when the place shows it all."""
    fixes: tuple[Fix, ...] = ()
    refusal: str | None = None
    """Why there is no fix, where a rule knows the reason."""
