import os

import httpx2
from anthropic import AsyncAnthropic
from fastapi import APIRouter, Request

router = APIRouter()


@router.get("/ask")
async def ask(q: str, request: Request) -> str:
    async with AsyncAnthropic() as client:
        message = await client.messages.create(
            model="claude-test",
            max_tokens=100,
            messages=[{"role": "user", "content": f"{request.url.path}: {q}"}],
        )
    return message.content[0].text


@router.get("/search")
async def search(q: str) -> object:
    async with httpx2.AsyncClient() as client:
        return (await client.get(os.environ["UPSTREAM_URL"] + "/search", params={"q": q})).json()
