"""How far a long run is, in one line on a terminal that is gone when the run ends."""

from __future__ import annotations

import time
from typing import TextIO

DELAY = 1.0
"""Seconds in which nothing is shown: most runs are over by then."""
PAUSE = 0.1
"""Seconds between two changes of the line."""


class Progress:
    """Shows what a run is doing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._next = time.monotonic() + DELAY
        self._shown = False

    def __call__(self, text: str) -> None:
        """Say what is being done now, unless something was said just before."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PAUSE
            self._shown = True
            self._write(f"\r{text}\033[K")

    def clear(self) -> None:
        """Leave the line empty."""
        if self._shown:
            self._shown = False
            self._write("\r\033[K")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # A terminal that is gone is no reason to stop.
            self._next = float("inf")
