"""A clock on the event loop, for the benchmark: the longest gap between two ticks is how long the loop was kept."""

from __future__ import annotations

import asyncio
import signal
import time

TICK = 0.001
"""Seconds between two ticks."""


class Clock:
    """Keeps the longest gap of each stretch of time, in seconds."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self._gap = 0.0
        self._last = time.perf_counter()

    async def run(self) -> None:
        """Tick until cancelled; SIGUSR1 notes the longest gap and begins anew."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._next)
        self._last = time.perf_counter()
        while True:
            await asyncio.sleep(TICK)
            self._tick()

    def _tick(self) -> None:
        now = time.perf_counter()
        self._gap = max(self._gap, now - self._last - TICK)
        self._last = now

    def _next(self) -> None:
        # The signal may come before the tick that was kept waiting.
        self._tick()
        self.gaps.append(self._gap)
        self._gap = 0.0
