"""Tickets, kept in memory."""

import asyncio
import itertools
from collections.abc import Iterable

from helpdesk.models import NewTicket, Ticket


class TicketStore:
    def __init__(self) -> None:
        self._tickets: dict[int, Ticket] = {}
        self._numbers = itertools.count(1)
        self._lock = asyncio.Lock()

    async def add(self, new: NewTicket) -> Ticket:
        async with self._lock:
            ticket = Ticket(id=next(self._numbers), **new.model_dump())
            self._tickets[ticket.id] = ticket
        return ticket

    async def find(self, ticket_id: int) -> Ticket | None:
        return self._tickets.get(ticket_id)

    async def find_many(self, ticket_ids: Iterable[int]) -> list[Ticket]:
        return [self._tickets[key] for key in ticket_ids if key in self._tickets]

    async def save(self, ticket: Ticket) -> None:
        async with self._lock:
            self._tickets[ticket.id] = ticket

    async def remove(self, ticket_id: int) -> Ticket | None:
        async with self._lock:
            return self._tickets.pop(ticket_id, None)

    async def everything(self) -> list[Ticket]:
        return list(self._tickets.values())
