import os

from fastapi import FastAPI
from openai import AsyncOpenAI

app = FastAPI()


@app.get("/fast")
async def fast(q: str) -> str:
    async with AsyncOpenAI(timeout=5) as client:
        completion = await client.chat.completions.create(
            model="gpt-test-nano", messages=[{"role": "user", "content": q}]
        )
    return completion.choices[0].message.content or ""


@app.get("/good")
async def good(q: str) -> str:
    client = AsyncOpenAI(api_key=os.environ.get("GOOD_KEY", "good-key"), timeout=60)
    try:
        completion = await client.chat.completions.create(
            model="gpt-test-pro", messages=[{"role": "user", "content": q}]
        )
        return completion.choices[0].message.content or ""
    finally:
        await client.close()  # every time


@app.get("/again")
async def again(q: str) -> str:
    async with AsyncOpenAI(timeout=5) as llm:
        completion = await llm.chat.completions.create(
            model="gpt-test-nano", messages=[{"role": "user", "content": f"again: {q}"}]
        )
    return completion.choices[0].message.content or ""
