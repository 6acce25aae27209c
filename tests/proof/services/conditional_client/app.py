import os

from anthropic import AsyncAnthropic
from fastapi import FastAPI

app = FastAPI()


@app.get("/ask")
async def ask(q: str) -> str:
    if os.environ.get("ASK_A_MODEL") == "yes":
        async with AsyncAnthropic(api_key=os.environ["KEY_THAT_IS_NOT_SET"]) as client:
            message = await client.messages.create(
                model="claude-test",
                max_tokens=100,
                messages=[{"role": "user", "content": q}],
            )
        return message.content[0].text
    return f"nobody asked about {q}"
