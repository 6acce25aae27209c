"""The archive only has an old, synchronous interface."""

import requests

from helpdesk.config import get_settings
from helpdesk.models import Ticket
from helpdesk.services import backoff


def upload(ticket: Ticket) -> bool:
    for attempt in range(3):
        try:
            response = requests.post(
                get_settings().archive_url, json=ticket.model_dump(), timeout=10
            )
        except requests.RequestException:
            backoff.pause(attempt)
        else:
            return response.ok
    return False


def upload_all(tickets: list[Ticket]) -> int:
    return sum(upload(ticket) for ticket in tickets)
