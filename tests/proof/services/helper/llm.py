"""The one place that talks to the model."""

from anthropic import AsyncAnthropic

MODEL = "claude-test"


async def complete(prompt: str) -> str:
    async with AsyncAnthropic() as client:
        message = await client.messages.create(
            model=MODEL, max_tokens=100, messages=[{"role": "user", "content": prompt}]
        )
    return message.content[0].text
