import os

import httpx
from fastapi import FastAPI
from openai import AsyncOpenAI

app = FastAPI()
words: dict[str, str] = {}


@app.on_event("startup")
async def load_words() -> None:
    words["greeting"] = "hello"


@app.on_event("startup")
def load_more() -> None:
    words["more"] = words["greeting"] + "!"


@app.on_event("shutdown")
async def forget() -> None:
    words.clear()


@app.get("/ask")
async def ask(q: str) -> str:
    client = AsyncOpenAI()
    completion = await client.chat.completions.create(
        model="gpt-test", messages=[{"role": "user", "content": words["more"] + q}]
    )
    return completion.choices[0].message.content or ""


@app.get("/search")
async def search(q: str) -> object:
    async with httpx.AsyncClient(base_url=os.environ["UPSTREAM_URL"]) as client:
        return (await client.get("/search", params={"q": q})).json()
