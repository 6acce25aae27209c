import os

import httpx

URL = os.environ["UPSTREAM_URL"]


async def price(item: str) -> object:
    async with httpx.AsyncClient(base_url=URL, timeout=5) as client:
        response = await client.get("/price", params={"item": item})
        response.raise_for_status()
        return response.json()
