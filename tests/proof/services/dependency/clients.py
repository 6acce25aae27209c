"""What routes depend on."""

import os

import httpx
from openai import AsyncOpenAI


def get_llm() -> AsyncOpenAI:
    return AsyncOpenAI(timeout=20)


async def get_search() -> httpx.AsyncClient:
    client = httpx.AsyncClient(
        base_url=os.environ["UPSTREAM_URL"],
        headers={"x-tenant": "search"},
    )
    return client
