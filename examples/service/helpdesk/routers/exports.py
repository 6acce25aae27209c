"""Exports, for those who may have them."""

import asyncio

from fastapi import APIRouter, HTTPException

from helpdesk.dependencies import CurrentUser, Tickets
from helpdesk.services import archive, permissions

router = APIRouter()


@router.get("/tickets")
async def export_tickets(user: CurrentUser, tickets: Tickets) -> list[dict[str, object]]:
    if not permissions.allowed(user, "tickets:export"):
        raise HTTPException(403, "not allowed")
    return [ticket.model_dump() for ticket in await tickets.everything()]


@router.post("/archive", status_code=202)
async def archive_tickets(user: CurrentUser, tickets: Tickets) -> dict[str, int]:
    if not await permissions.allowed(user, "tickets:archive"):
        raise HTTPException(403, "not allowed")
    stored = await tickets.everything()
    await asyncio.to_thread(archive.upload_all, stored)
    return {"archived": len(stored)}
