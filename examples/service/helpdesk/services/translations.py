"""A text in many languages, a few at a time."""

import asyncio

from anthropic import AsyncAnthropic

from helpdesk.config import get_settings

AT_ONCE = asyncio.Semaphore(4)


async def into(llm: AsyncAnthropic, text: str, language: str) -> str:
    async with AT_ONCE:
        message = await llm.messages.create(
            model=get_settings().model,
            max_tokens=1000,
            messages=[{"role": "user", "content": f"Translate into {language}: {text}"}],
        )
    return "".join(block.text for block in message.content if block.type == "text")


async def into_all(llm: AsyncAnthropic, text: str, languages: list[str]) -> dict[str, str]:
    translated = await asyncio.gather(*(into(llm, text, language) for language in languages))
    return dict(zip(languages, translated, strict=True))
