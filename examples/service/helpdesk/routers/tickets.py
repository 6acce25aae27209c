"""Tickets: open them, answer them, sum them up."""

import asyncio

from fastapi import APIRouter, BackgroundTasks, HTTPException

from helpdesk.dependencies import Crm, CurrentUser, Llm, TicketHistory, Tickets
from helpdesk.models import Digest, NewTicket, Ticket
from helpdesk.services import archive, crm, drafts, notify, summaries

router = APIRouter()


@router.post("", status_code=201)
async def open_ticket(new: NewTicket, tickets: Tickets, history: TicketHistory) -> Ticket:
    ticket = await tickets.add(new)
    await history.record(ticket.id, "opened")
    return ticket


@router.get("/{ticket_id}")
async def read_ticket(ticket_id: int, tickets: Tickets) -> Ticket:
    ticket = await tickets.find(ticket_id)
    if ticket is None:
        raise HTTPException(404, "no such ticket")
    return ticket


@router.post("/{ticket_id}/reply")
async def reply(
    ticket_id: int, tickets: Tickets, history: TicketHistory, customers: Crm, llm: Llm
) -> Ticket:
    ticket = await tickets.find(ticket_id)
    if ticket is None:
        raise HTTPException(404, "no such ticket")
    customer = await crm.fetch_customer(customers, ticket.customer_id)
    ticket.reply = await drafts.write_reply(llm, ticket, customer)
    await tickets.save(ticket)
    history.record(ticket.id, "replied")
    return ticket


@router.post("/{ticket_id}/escalate", status_code=202)
async def escalate(ticket_id: int, user: CurrentUser, tickets: Tickets) -> dict[str, str]:
    ticket = await tickets.find(ticket_id)
    if ticket is None:
        raise HTTPException(404, "no such ticket")
    await notify.tell_team(f"{user.name} escalated #{ticket.id}: {ticket.subject}")
    return {"status": "escalated"}


@router.post("/{ticket_id}/close", status_code=202)
async def close(ticket_id: int, tickets: Tickets, background: BackgroundTasks) -> dict[str, str]:
    ticket = await tickets.remove(ticket_id)
    if ticket is None:
        raise HTTPException(404, "no such ticket")
    background.add_task(archive.upload, ticket)
    return {"status": "closed"}


@router.post("/digest")
async def digest(wanted: Digest, tickets: Tickets, llm: Llm) -> list[str]:
    found = await tickets.find_many(wanted.ticket_ids)
    return await summaries.summarise_all(llm, found)


@router.get("/{ticket_id}/context")
async def context(
    ticket_id: int, tickets: Tickets, history: TicketHistory, customers: Crm
) -> dict[str, object]:
    ticket = await tickets.find(ticket_id)
    if ticket is None:
        raise HTTPException(404, "no such ticket")
    customer, events = await asyncio.gather(
        crm.fetch_customer(customers, ticket.customer_id), history.events(ticket.id)
    )
    return {"ticket": ticket, "customer": customer, "events": events}
