"""Files that a tool made, and will make again: what is changed in them by hand is lost."""

from __future__ import annotations

import itertools
import re
from collections.abc import Container, Iterator, Sequence

SAID = re.compile(
    r"@generated|code generated|auto-?generated"
    r"|#.*\b(?:file|code|module|class|client) (?:(?:is|was|has been) )?(?:\w+ )?generated\b"
    r"|#\s*generated (?:by|from|with|using)\b"
)
"""What tools write above the code that they make."""

KEEP_OUT = re.compile(r"\bdo not (?:\w+ )?(?:edit|modify|change)\b")

QUOTES = ('"""', "'''")

SOURCE = "_async"
"""The folder of files from which unasync, and its like, make synchronous ones."""

HEAD = 60
"""Lines looked at in search of the first code."""


def is_generated(lines: Sequence[str]) -> bool:
    """Whether a file says so above its first code, in comments or in its docstring."""
    head = "\n".join(_head(lines)).lower()
    return SAID.search(head) is not None or (
        "generated" in head and KEEP_OUT.search(head) is not None
    )


def _head(lines: Sequence[str]) -> Iterator[str]:
    quotes = ""
    for line in itertools.islice(lines, HEAD):
        text = line.strip().lstrip("rRuU")
        if quotes:
            quotes = "" if quotes in text else quotes
        elif text.startswith(QUOTES):
            quotes = "" if text.count(text[:3]) > 1 else text[:3]
        elif text and not text.startswith("#"):
            return
        yield line


def synchronous_twin(name: str, files: Container[str]) -> str | None:
    """The file that a tool makes of an asynchronous one, by taking its `await` away: `_sync/client.py` of `_async/client.py`."""
    parts = name.split("/")
    if SOURCE not in parts[:-1]:
        return None
    at = parts.index(SOURCE)
    twins = (
        "/".join((*parts[:at], *folder, *parts[at + 1 :])) for folder in (("_sync",), ("sync",), ())
    )
    return next((one for one in twins if one in files), None)
