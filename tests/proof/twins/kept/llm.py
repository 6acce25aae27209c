from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anthropic import Anthropic


class Assistant:
    """Builds its client when it is first asked."""

    def __init__(self, model: str) -> None:
        self.model = model
        self._client: Anthropic | None = None

    @property
    def client(self) -> Anthropic:
        if self._client is None:
            from anthropic import Anthropic

            self._client = Anthropic()
        return self._client

    async def answer(self, question: str) -> str:
        message = self.client.messages.create(
            model=self.model, max_tokens=9, messages=[{"role": "user", "content": question}]
        )
        return message.content[0].text

    async def close(self) -> None:
        if self._client is not None:
            self._client.close()


@lru_cache
def get_client():
    from openai import OpenAI

    return OpenAI()
