"""What the routes ask for."""

from typing import Annotated

import httpx
from anthropic import AsyncAnthropic
from fastapi import Depends, Header, HTTPException, Request

from helpdesk.config import get_settings
from helpdesk.models import User
from helpdesk.services import permissions
from helpdesk.services.history import History
from helpdesk.services.tickets import TicketStore


def get_llm() -> AsyncAnthropic:
    settings = get_settings()
    return AsyncAnthropic(api_key=settings.anthropic_api_key, timeout=30)


def get_crm(request: Request) -> httpx.AsyncClient:
    return request.app.state.crm


def get_tickets(request: Request) -> TicketStore:
    return request.app.state.tickets


def get_history(request: Request) -> History:
    return request.app.state.history


async def current_user(x_user: Annotated[str, Header()] = "guest") -> User:
    user = await permissions.find_user(x_user)
    if user is None:
        raise HTTPException(401, "unknown user")
    return user


Llm = Annotated[AsyncAnthropic, Depends(get_llm)]
Crm = Annotated[httpx.AsyncClient, Depends(get_crm)]
Tickets = Annotated[TicketStore, Depends(get_tickets)]
TicketHistory = Annotated[History, Depends(get_history)]
CurrentUser = Annotated[User, Depends(current_user)]
