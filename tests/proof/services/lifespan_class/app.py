import os

import httpx
from fastapi import FastAPI, Request
from openai import AsyncOpenAI


class Life:
    def __init__(self, application: FastAPI) -> None:
        self.application = application
        self.crm = httpx.AsyncClient(base_url=os.environ["UPSTREAM_URL"])

    async def __aenter__(self) -> dict[str, httpx.AsyncClient]:
        self.application.state.asked = 0
        return {"crm": await self.crm.__aenter__()}

    async def __aexit__(self, *reason: object) -> None:
        await self.crm.__aexit__(None, None, None)


app = FastAPI(lifespan=Life)


@app.get("/ask")
async def ask(q: str, request: Request) -> str:
    request.app.state.asked += 1
    customer = (await request.state.crm.get("/customer", params={"q": q})).json()
    client = AsyncOpenAI()
    completion = await client.chat.completions.create(
        model="gpt-test",
        messages=[{"role": "user", "content": f"{request.app.state.asked}: {customer['query']}"}],
    )
    return completion.choices[0].message.content or ""
