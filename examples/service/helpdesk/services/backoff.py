"""Waits between attempts, a little longer each time."""

import random
import time


def delay(attempt: int) -> float:
    return min(0.05 * 2**attempt, 2.0) + random.uniform(0, 0.05)


def pause(attempt: int) -> None:
    time.sleep(delay(attempt))
