import os
from collections.abc import AsyncIterator

import httpx2
from anthropic import AsyncAnthropic


async def get_llm() -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic() as client:
        yield client


async def get_search() -> AsyncIterator[httpx2.AsyncClient]:
    client = httpx2.AsyncClient(base_url=os.environ["UPSTREAM_URL"])
    try:
        yield client
    finally:
        await client.aclose()
