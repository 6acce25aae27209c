"""Customers, as the CRM knows them."""

import httpx

from helpdesk.models import Customer
from helpdesk.services import backoff

ATTEMPTS = 3


async def fetch_customer(crm: httpx.AsyncClient, customer_id: str) -> Customer:
    for attempt in range(ATTEMPTS):
        try:
            response = await crm.get(f"/customers/{customer_id}")
            response.raise_for_status()
            return Customer.model_validate(response.json())
        except httpx.HTTPError:
            backoff.pause(attempt)
    return Customer(id=customer_id, name="unknown", plan="free")
