"""Runs a command again whenever what it reads looks different, by asking the file system now and then."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence

INTERVAL = 0.5
"""Seconds between two looks."""


def watch(
    command: Sequence[str], state: Callable[[], object], before: Callable[[], object]
) -> None:
    """Run a command, and again after every change of the state, until interrupted.

    It runs in a process of its own, so that edited rules are loaded anew and a failure ends that one run alone.
    """
    seen: object = None
    while True:
        now = state()
        if now != seen:
            seen = now
            before()
            subprocess.run(command, check=False)
        time.sleep(INTERVAL)
