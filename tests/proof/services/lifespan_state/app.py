from fastapi import FastAPI, Request
from openai import AsyncOpenAI

from life import lifespan

app = FastAPI(lifespan=lifespan)


@app.get("/ask")
async def ask(q: str, request: Request) -> str:
    async with AsyncOpenAI() as client:
        completion = await client.chat.completions.create(
            model="gpt-test",
            messages=[{"role": "user", "content": f"{request.state.greeting}, {q}"}],
        )
    return completion.choices[0].message.content or ""
