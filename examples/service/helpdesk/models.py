"""What travels over the wire."""

from pydantic import BaseModel


class User(BaseModel):
    name: str
    role: str = "agent"


class Ticket(BaseModel):
    id: int
    customer_id: str
    subject: str
    body: str
    reply: str | None = None


class NewTicket(BaseModel):
    customer_id: str
    subject: str
    body: str


class Digest(BaseModel):
    ticket_ids: list[int]


class Customer(BaseModel):
    id: str
    name: str
    plan: str
