import os
from collections.abc import AsyncIterator

import httpx
from anthropic import Anthropic
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from openai import OpenAI, Stream
from openai.types.chat import ChatCompletionChunk

app = FastAPI()
claude, gpt = Anthropic(), OpenAI()


@app.get("/events")
async def events(q: str) -> StreamingResponse:
    async def pieces() -> AsyncIterator[str]:
        with claude.messages.stream(
            model="claude-test", max_tokens=100, messages=[{"role": "user", "content": q}]
        ) as stream:
            for text in stream.text_stream:
                yield f"data: {text}\n\n"
            yield f"data: {stream.get_final_message().usage.output_tokens}\n\n"

    return StreamingResponse(pieces(), media_type="text/event-stream")


async def tokens(stream: Stream[ChatCompletionChunk]) -> AsyncIterator[str]:
    for chunk in stream:
        yield chunk.choices[0].delta.content or ""
    stream.close()


@app.get("/tokens")
async def counted(q: str) -> StreamingResponse:
    stream = gpt.chat.completions.create(
        model="gpt-test", messages=[{"role": "user", "content": q}], stream=True
    )
    return StreamingResponse(tokens(stream), media_type="text/plain")


@app.get("/joined")
async def joined(q: str) -> list[str]:
    messages = [{"role": "user", "content": q}]
    with gpt.chat.completions.create(model="gpt-2", messages=messages, stream=True) as stream:
        chunks = list(stream)
    kinds = [
        event.type
        for event in claude.messages.create(
            model="claude-2", max_tokens=5, messages=messages, stream=True
        )
    ]
    with claude.messages.stream(model="claude-3", max_tokens=5, messages=messages) as manager:
        text = "".join(manager.text_stream)
    return [*kinds, text, *(chunk.choices[0].delta.content or "" for chunk in chunks)]


@app.get("/lines")
async def lines(q: str) -> list[str]:
    found: list[str] = []
    with httpx.Client() as client:
        url = f"{os.environ['UPSTREAM_URL']}/lines"
        with client.stream("GET", url, params={"q": q}) as response:
            found.append(str(response.status_code))
            for line in response.iter_lines():
                found.append(line.strip())
        with client.stream("POST", url, json={"q": q}) as response:
            response.read()
            found.append(response.text)
    return found
