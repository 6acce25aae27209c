from anthropic import AsyncAnthropic
from fastapi import FastAPI

inner = FastAPI()


@inner.get("/ask")
async def ask(q: str) -> str:
    async with AsyncAnthropic() as client:
        message = await client.messages.create(
            model="claude-test",
            max_tokens=100,
            messages=[{"role": "user", "content": q}],
        )
    return message.content[0].text
