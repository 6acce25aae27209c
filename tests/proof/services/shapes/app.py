from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import httpx
from anthropic import AsyncAnthropic
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException
from fastapi.responses import JSONResponse
from openai import AsyncOpenAI, OpenAI

if TYPE_CHECKING:
    from collections.abc import Iterable

URL = os.environ["UPSTREAM_URL"]
app = FastAPI()
router = APIRouter(prefix="/r")


def words(parts: Iterable[str]) -> str:
    return " ".join(parts)


@router.get("/several")
async def several(q: str) -> dict[str, str]:
    async with AsyncOpenAI() as llm, httpx.AsyncClient(base_url=URL) as http:
        found, completion = await asyncio.gather(
            http.get("/search", params={"q": q}),
            llm.chat.completions.create(
                model="gpt-test", messages=[{"role": "user", "content": q}]
            ),
        )
    return {"found": found.text, "text": completion.choices[0].message.content or ""}


@router.get("/chained")
async def chained(q: str) -> str:
    completion = await AsyncOpenAI().chat.completions.create(
        model="gpt-test", messages=[{"role": "user", "content": q}]
    )
    return completion.choices[0].message.content or ""


@router.get("/errors")
async def errors(q: str, x_tenant: str = Header(default="none")) -> str:
    async with httpx.AsyncClient(
        base_url=URL,
        headers={"x-tenant": "fixed"},
        timeout=httpx.Timeout(10, connect=5),
        limits=httpx.Limits(max_connections=10),
    ) as http:
        response = await http.get("/errors", params={"q": q, "t": x_tenant})
        if q.endswith("4"):
            raise HTTPException(status_code=404, detail=response.json())
        for _ in range(2):
            try:
                response = await http.post("/errors", json={"q": q})
                break
            except httpx.HTTPError:
                continue
        else:
            return "never"
        text = """one
two"""
        return text + response.text


@router.get("/nested")
async def nested(q: str) -> list[str]:
    async with AsyncAnthropic() as client:

        async def one(word: str) -> str:
            message = await client.messages.create(
                model="claude-test", max_tokens=10, messages=[{"role": "user", "content": word}]
            )
            return message.content[0].text

        return [await one(w) for w in (q, q + "!")]


async def verify(q: str) -> None:
    async with httpx.AsyncClient(base_url=URL) as http:
        (await http.get("/verify", params={"q": q})).raise_for_status()


@router.get("/verified", dependencies=[Depends(verify)])
async def verified(q: str) -> str:
    return q


class Checker:
    def __init__(self, name: str) -> None:
        self.name = name

    async def __call__(self, q: str) -> str:
        async with httpx.AsyncClient(base_url=URL) as http:
            return (await http.get("/check", params={"q": q, "name": self.name})).text


check = Checker("main")


@router.get("/called")
async def called(answer: str = Depends(check)) -> str:
    return answer


async def both(q: str) -> str:
    client = AsyncOpenAI()
    completion = await client.chat.completions.create(
        model="gpt-test", messages=[{"role": "user", "content": q}]
    )
    return completion.choices[0].message.content or ""


app.add_api_route("/added", both, methods=["GET"])


@app.get("/reuse")
async def reuse(q: str) -> str:
    return await both(q + "?")


def sync_dependency():
    with OpenAI() as client:
        yield client


@app.get("/sync")
def sync(q: str, client=Depends(sync_dependency)) -> str:
    completion = client.chat.completions.create(
        model="gpt-test", messages=[{"role": "user", "content": q}]
    )
    return completion.choices[0].message.content or ""


@app.get("/loop")
async def loop(q: str) -> JSONResponse:
    texts = []
    for word in (q, "b"):
        async with httpx.AsyncClient() as http:
            texts.append((await http.get(f"{URL}/loop", params={"q": word})).json())
    return JSONResponse(texts)


app.include_router(router)
