import os

from fastapi import FastAPI
from openai import AsyncOpenAI

app = FastAPI()


@app.get("/ask")
async def ask(q: str) -> str:
    try:
        client = AsyncOpenAI(api_key=os.environ["KEY_THAT_IS_NOT_SET"])
    except KeyError:
        return f"nobody to answer {q}"
    completion = await client.chat.completions.create(
        model="gpt-test", messages=[{"role": "user", "content": q}]
    )
    return completion.choices[0].message.content or ""
