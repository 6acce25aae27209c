import os

import httpx
import httpx2
from anthropic import Anthropic, AsyncAnthropic
from fastapi import FastAPI
from openai import AsyncOpenAI

app = FastAPI()


@app.get("/anthropic")
async def ask_anthropic(q: str) -> dict[str, str]:
    async with AsyncAnthropic() as client:
        message = await client.messages.create(
            model="claude-test",
            max_tokens=100,
            messages=[{"role": "user", "content": q}],
        )
        # The first block is all that was asked for.
        return {"id": message.id, "text": message.content[0].text}


@app.get("/openai")
async def ask_openai(q: str) -> dict[str, str]:
    client = AsyncOpenAI(api_key=os.environ["OPENAI_API_KEY"], max_retries=1)
    completion = await client.chat.completions.create(
        model="gpt-test", messages=[{"role": "user", "content": q}]
    )
    await client.close()
    return {"id": completion.id, "text": completion.choices[0].message.content or ""}


@app.get("/httpx")
async def lookup(q: str) -> object:
    async with httpx.AsyncClient(base_url=os.environ["UPSTREAM_URL"], timeout=10) as client:
        response = await client.get("/lookup", params={"q": q})
        response.raise_for_status()
        return response.json()


@app.get("/httpx2")
async def search(q: str) -> object:
    client = httpx2.AsyncClient(timeout=10)
    try:
        response = await client.post(f"{os.environ['UPSTREAM_URL']}/search", json={"q": q})
    finally:
        await client.aclose()
    return response.json()


@app.get("/sync")
def ask_in_thread(q: str) -> str:
    client = Anthropic(max_retries=0)
    message = client.messages.create(
        model="claude-test",
        max_tokens=100,
        messages=[{"role": "user", "content": q}],
    )
    return message.content[0].text
