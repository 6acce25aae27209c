from anthropic import AsyncAnthropic
from fastapi import APIRouter
from openai import AsyncOpenAI
from starlette.requests import Request

router = APIRouter()


@router.get("/claude")
async def claude(http_request: Request) -> str:
    question = http_request.query_params["q"]
    client = AsyncAnthropic(timeout=30)
    try:
        message = await client.messages.create(
            model="claude-test",
            max_tokens=100,
            messages=[{"role": "user", "content": question}],
        )
        return message.content[0].text
    finally:
        await client.close()


@router.get("/gpt/{size}")
async def gpt(size: str, q: str = "nothing", *, shout: bool = False) -> str:
    async with AsyncOpenAI(timeout=30) as client:
        if not q:
            return "nothing asked"
        completion = await client.chat.completions.create(
            model=f"gpt-test-{size}", messages=[{"role": "user", "content": q}]
        )
        text = completion.choices[0].message.content or ""
        if shout:
            return text.upper()
        return text
