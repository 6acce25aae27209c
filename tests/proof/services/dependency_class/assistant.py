import os

import httpx
from anthropic import AsyncAnthropic


class Assistant:
    """Answers questions."""

    def __init__(self) -> None:
        self.model = "claude-test"
        self.client = AsyncAnthropic()

    async def answer(self, question: str) -> str:
        message = await self.client.messages.create(
            model=self.model,
            max_tokens=100,
            messages=[{"role": "user", "content": question}],
        )
        return message.content[0].text


class Catalogue:
    def __init__(self, lang: str = "en"):
        self.lang = lang
        self._http = httpx.AsyncClient(base_url=os.environ["UPSTREAM_URL"])

    async def find(self, words: str) -> object:
        response = await self._http.get("/find", params={"q": words, "lang": self.lang})
        return response.json()
