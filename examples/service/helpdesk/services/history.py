"""What happened to a ticket, in order."""

import asyncio
from collections import defaultdict


class History:
    def __init__(self) -> None:
        self._events: defaultdict[int, list[str]] = defaultdict(list)
        self._lock = asyncio.Lock()

    async def record(self, ticket_id: int, event: str) -> None:
        async with self._lock:
            self._events[ticket_id].append(event)

    async def events(self, ticket_id: int) -> list[str]:
        async with self._lock:
            return list(self._events[ticket_id])
