import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, Request
from llm import Assistant, get_client
from openai import OpenAI


@dataclass
class Search:
    client: httpx.Client
    path: str = "/search"

    async def find(self, word: str) -> object:
        return self.client.get(self.path, params={"q": word}).json()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    web = httpx.Client(base_url=os.environ["UPSTREAM_URL"])
    app.state.search = Search(client=web)
    with OpenAI(max_retries=0) as app.state.gpt:
        yield
    web.close()
    await assistant.close()


app = FastAPI(lifespan=lifespan)
assistant = Assistant("claude-test")
Client = Annotated[OpenAI, Depends(get_client)]


async def completed(client: OpenAI | None, model: str, question: str) -> str:
    if client is None:
        return ""
    completion = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": question}]
    )
    return completion.choices[0].message.content or ""


@app.get("/assistant")
async def ask(q: str) -> str:
    return await assistant.answer(q)


@app.get("/state")
async def state(request: Request, q: str) -> str:
    return await completed(request.app.state.gpt, "gpt-state", q)


@app.get("/depends")
async def depends(client: Client, q: str) -> str:
    return await completed(client, "gpt-depends", q)


@app.get("/search")
async def search(request: Request, q: str) -> object:
    found: Search = request.app.state.search
    return await found.find(q)
