"""Where asynclint itself fails: that costs what it would say of one function, and not the run."""

from __future__ import annotations

import os

from asynclint.facts.program import Function
from asynclint.findings import Finding, Span

VARIABLE = "ASYNCLINT_TRACEBACK"
"""Set in the environment, it ends the run with the traceback of the first such error."""


def failed(function: Function, error: Exception) -> Finding:
    """The finding that stands for all that is not said of a function. Raises the error where `VARIABLE` is set."""
    line = max(1, function.facts.line)
    message = f"`{function.name}` is not judged, because asynclint fails on it: {described(error)}"
    return Finding(
        "internal-error", "error", function.module.file.name, Span(line, 1, line, 2), message
    )


def described(error: Exception) -> str:
    """An error of asynclint's own in one line. Raises it where `VARIABLE` is set."""
    if os.environ.get(VARIABLE):
        raise error
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
