import os

import anthropic
import httpx
import questions
from fastapi import FastAPI
from openai import OpenAI

app = FastAPI()
gpt = OpenAI()


class Claude:
    def __init__(self) -> None:
        self.client = anthropic.Anthropic(max_retries=0)

    def _ask(self, question: str) -> str:
        message = self.client.messages.create(
            model="claude-test", max_tokens=100, messages=[{"role": "user", "content": question}]
        )
        return message.content[0].text

    async def answer(self, question: str) -> str:
        return self._ask(question)


claude = Claude()


def look_up(web: httpx.Client, q: str) -> str:
    return web.get("/lookup", params={"q": q}).text


@app.get("/twice")
async def both(q: str) -> list[str]:
    return questions.twice(gpt, q)


@app.get("/method")
async def method(q: str) -> str:
    return await claude.answer(q)


@app.get("/web")
async def lookup(q: str) -> str:
    with httpx.Client(base_url=os.environ["UPSTREAM_URL"], timeout=10) as web:
        return look_up(web, q)
