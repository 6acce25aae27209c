from collections.abc import AsyncIterator

from anthropic import AsyncAnthropic
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI

app = FastAPI()


@app.get("/claude")
async def claude(q: str) -> StreamingResponse:
    async def pieces() -> AsyncIterator[str]:
        async with AsyncAnthropic() as client:
            async with client.messages.stream(
                model="claude-test",
                max_tokens=100,
                messages=[{"role": "user", "content": q}],
            ) as stream:
                async for text in stream.text_stream:
                    yield f"data: {text}\n\n"

    return StreamingResponse(pieces(), media_type="text/event-stream")


async def tokens(question: str) -> AsyncIterator[str]:
    client = AsyncOpenAI()
    stream = await client.chat.completions.create(
        model="gpt-test", messages=[{"role": "user", "content": question}], stream=True
    )
    async for chunk in stream:
        yield chunk.choices[0].delta.content or ""
    await client.close()


@app.get("/gpt")
async def gpt(q: str) -> StreamingResponse:
    return StreamingResponse(tokens(q), media_type="text/plain")
