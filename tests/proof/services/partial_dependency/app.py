from functools import partial

from fastapi import Depends, FastAPI
from openai import AsyncOpenAI


async def answer(plan: str, q: str) -> str:
    async with AsyncOpenAI() as client:
        completion = await client.chat.completions.create(
            model=f"gpt-{plan}", messages=[{"role": "user", "content": q}]
        )
    return completion.choices[0].message.content or ""


app = FastAPI()


@app.get("/ask")
async def ask(text: str = Depends(partial(answer, "small"))) -> str:
    return text
