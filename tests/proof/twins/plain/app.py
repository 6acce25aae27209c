import os

import anthropic
import httpx
import httpx2
from fastapi import FastAPI
from openai import OpenAI

app = FastAPI()
claude = anthropic.Anthropic(max_retries=0)
gpt = OpenAI()
web = httpx.Client(base_url=os.environ["UPSTREAM_URL"], timeout=10)


@app.get("/claude")
async def ask_claude(q: str) -> dict[str, str]:
    message = claude.messages.create(
        model="claude-test",
        max_tokens=100,
        messages=[{"role": "user", "content": q}],
    )
    return {"id": message.id, "text": message.content[0].text}


@app.get("/gpt")
async def ask_gpt(q: str) -> str:
    # Two options of one client.
    quick = gpt.with_options(timeout=20, max_retries=0)
    return (
        quick.chat.completions.create(model="gpt-test", messages=[{"role": "user", "content": q}])
        .choices[0]
        .message.content
        or ""
    )


@app.get("/raw")
async def raw(q: str) -> dict[str, str]:
    response = gpt.chat.completions.with_raw_response.create(
        model="gpt-raw", messages=[{"role": "user", "content": q}]
    )
    completion = response.parse()
    return {"type": response.headers["content-type"], "id": completion.id}


@app.get("/both")
async def both(q: str) -> list[str]:
    questions = [q, f"{q} again"]
    answers = [
        claude.messages.create(
            model="claude-both", max_tokens=9, messages=[{"role": "user", "content": one}]
        ).id
        for one in questions
    ]
    return [*answers, f"{web.get('/lookup', params={'q': q}).text}"]


@app.get("/web")
async def lookup(q: str) -> object:
    with httpx2.Client(timeout=10) as client:
        response = client.post(f"{os.environ['UPSTREAM_URL']}/search", json={"q": q})
        response.raise_for_status()
        return response.json()
