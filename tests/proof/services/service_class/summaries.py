from openai import AsyncOpenAI


class Summaries:
    def __init__(self, words: int) -> None:
        self.words = words
        self.llm = AsyncOpenAI()

    async def write(self, text: str) -> str:
        completion = await self.llm.chat.completions.create(
            model="gpt-test-mini",
            messages=[{"role": "user", "content": f"In {self.words} words: {text}"}],
        )
        return completion.choices[0].message.content or ""
