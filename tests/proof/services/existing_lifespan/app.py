import os
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request
from openai import AsyncOpenAI


@asynccontextmanager
async def life(application: FastAPI):
    async with httpx.AsyncClient(base_url=os.environ["UPSTREAM_URL"]) as crm:
        application.state.crm = crm
        application.state.asked = 0
        yield


app = FastAPI(lifespan=life)


@app.get("/ask")
async def ask(q: str, request: Request) -> str:
    request.app.state.asked += 1
    customer = (await request.app.state.crm.get("/customer", params={"q": q})).json()
    client = AsyncOpenAI()
    completion = await client.chat.completions.create(
        model="gpt-test",
        messages=[{"role": "user", "content": f"{request.app.state.asked}: {customer['query']}"}],
    )
    return completion.choices[0].message.content or ""
