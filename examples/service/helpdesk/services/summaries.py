"""One line for each ticket."""

import asyncio

from anthropic import AsyncAnthropic

from helpdesk.config import get_settings
from helpdesk.models import Ticket


async def summarise(llm: AsyncAnthropic, ticket: Ticket) -> str:
    message = await llm.messages.create(
        model=get_settings().model,
        max_tokens=60,
        messages=[{"role": "user", "content": f"Sum up in one line: {ticket.body}"}],
    )
    return "".join(block.text for block in message.content if block.type == "text")


async def summarise_all(llm: AsyncAnthropic, tickets: list[Ticket]) -> list[str]:
    return await asyncio.gather(*(summarise(llm, ticket) for ticket in tickets))
