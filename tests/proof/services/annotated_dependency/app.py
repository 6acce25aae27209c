from typing import Annotated

from anthropic import AsyncAnthropic
from fastapi import APIRouter, Depends, FastAPI
from openai import AsyncOpenAI


async def get_openai() -> AsyncOpenAI:
    return AsyncOpenAI()


def get_anthropic():
    """The client that a route asks for."""
    client = AsyncAnthropic()
    return client


GPT = Annotated[AsyncOpenAI, Depends(get_openai)]
router = APIRouter(prefix="/v1")


@router.get("/gpt")
async def gpt(q: str, client: GPT) -> str:
    completion = await client.chat.completions.create(
        model="gpt-test", messages=[{"role": "user", "content": q}]
    )
    return completion.choices[0].message.content or ""


@router.get("/claude")
async def claude(client: Annotated[AsyncAnthropic, Depends(get_anthropic)], q: str) -> str:
    message = await client.messages.create(
        model="claude-test",
        max_tokens=100,
        messages=[{"role": "user", "content": q}],
    )
    return message.content[0].text


app = FastAPI()
app.include_router(router)
