"""Classes and functions that the code picks out of several: `PROVIDERS[name](key)`."""

from __future__ import annotations

import pytest
from fixing import findings

PROVIDERS = """
import os

from anthropic import AsyncAnthropic
from openai import AsyncOpenAI


class OpenAIProvider:
    def __init__(self):
        self.client = AsyncOpenAI(api_key=os.environ["KEY"])

    async def ask(self, text):
        return await self.client.responses.create(model="gpt-5", input=text)


class AnthropicProvider:
    def __init__(self):
        self.client = AsyncAnthropic(api_key=os.environ["KEY"])

    async def ask(self, text):
        return await self.client.messages.create(model="claude", max_tokens=9, messages=[])


PROVIDERS = {"openai": OpenAIProvider, "anthropic": AnthropicProvider}
"""

APP = """
from fastapi import FastAPI

from providers import PROVIDERS, AnthropicProvider, OpenAIProvider

app = FastAPI()


class Registry:
    known = PROVIDERS


registry = Registry()


def build(cls):
    return cls()


usual = build(OpenAIProvider)


@app.get("/")
async def ask(text: str, name: str):
    {code}
    return await provider.ask(text)
"""

PICKED = [
    "provider = PROVIDERS[name]()",
    "provider = PROVIDERS.get(name)()",
    "cls = PROVIDERS[name]\n    provider = cls()",
    "provider = registry.known[name]()",
    "provider = (OpenAIProvider if name == 'openai' else AnthropicProvider)()",
    "cls = OpenAIProvider if name == 'openai' else AnthropicProvider\n    provider = cls()",
]


@pytest.mark.parametrize("code", PICKED)
def test_what_a_request_picks_is_built_for_it(code: str) -> None:
    found = findings({"providers.py": PROVIDERS, "app.py": APP.format(code=code)})
    assert [(one.path, one.rule, one.message) for one in found] == [
        ("providers.py", "client-per-request", "`AsyncOpenAI` is built for every request"),
        ("providers.py", "client-per-request", "`AsyncAnthropic` is built for every request"),
    ]


def test_what_callers_hand_over_is_not_mixed_up() -> None:
    code = APP.format(code="provider = build(AnthropicProvider)")
    found = findings({"providers.py": PROVIDERS, "app.py": code})
    assert "`AsyncOpenAI` is built for every request" not in [one.message for one in found]


HANDED = """
from fastapi import FastAPI
from openai import AsyncOpenAI

app = FastAPI()
known = []


async def add_note(text, client):
    return await client.responses.create(model="gpt-5", input=text)


async def add_client(client):
    known.append(client)


@app.get("/")
async def route(text: str):
    client = AsyncOpenAI()
    return await {name}
"""


@pytest.mark.parametrize(
    ("name", "kept"), [("add_note(text, client)", False), ("add_client(client)", True)]
)
def test_what_a_function_does_with_a_client_counts_and_not_its_name(name: str, kept: bool) -> None:
    assert (findings({"app.py": HANDED.format(name=name)}) == []) == kept
