"""Replies, drafted by the model."""

from anthropic import AsyncAnthropic

from helpdesk.config import get_settings
from helpdesk.models import Customer, Ticket


async def write_reply(llm: AsyncAnthropic, ticket: Ticket, customer: Customer) -> str:
    message = await llm.messages.create(
        model=get_settings().model,
        max_tokens=600,
        system=f"You answer customers of the {customer.plan} plan. Be brief and kind.",
        messages=[{"role": "user", "content": f"{ticket.subject}\n\n{ticket.body}"}],
    )
    return "".join(block.text for block in message.content if block.type == "text")
