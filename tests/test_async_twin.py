"""The plan that makes a synchronous client asynchronous: what it writes, and where it refuses."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import pytest

from asynclint import check, fix
from asynclint.config import from_table
from asynclint.findings import Finding
from asynclint.project import Project
from asynclint.testing import in_memory

RULES = ["blocking-sdk-call", "blocking-http-call", "blocking-database-call"]


def _text(code: str) -> str:
    return textwrap.dedent(code).lstrip("\n")


def _checked(files: dict[str, str]) -> tuple[Project, Sequence[Finding], fix.Outcome]:
    project = in_memory(files)
    config = from_table({"select": RULES}, project.root)

    def again(project: Project) -> Sequence[Finding]:
        return check.check(project, config).kept

    found = again(project)
    outcome = fix.run(project, found, again, fix.allowed(False), check.yields(config))
    assert outcome.problems == []
    return project, found, outcome


def fixed(code: str, **files: str) -> dict[str, str]:
    """All modules after the fixes, `app` first; none may hand anything to a thread, and fixing again changes nothing."""
    texts = {f"{name.replace('__', '/')}.py": _text(text) for name, text in files.items()}
    texts["app.py"] = _text(code)
    _, found, outcome = _checked(texts)
    assert found
    texts.update(outcome.after)
    for name, text in texts.items():
        compile(text, name, "exec")
    assert "to_thread" not in "".join(outcome.after.values()), [f.fixes for f in found]
    assert outcome.findings == []
    assert _checked(texts)[2].after == {}
    return texts


def app(code: str, **files: str) -> str:
    """The module `app` after the fixes."""
    return fixed(code, **files)["app.py"]


def lines(code: str, **files: str) -> list[str]:
    """The lines of `app` that the fixes wrote."""
    before = _text(code).splitlines()
    return [line.strip() for line in app(code, **files).splitlines() if line not in before]


def refusal(code: str, **files: str) -> str:
    """Why the client of `app` stays as it is: what the plan says, whatever other fix there is."""
    from asynclint.findings import Refused
    from asynclint.fixes import async_twin

    said: list[str] = []
    plain = async_twin.use_twin

    def heard(place: object) -> object:
        try:
            return plain(place)  # type: ignore[arg-type]
        except async_twin.NoClient as reason:
            said.append(f"no client: {reason}")
            raise
        except Refused as reason:
            said.append(str(reason))
            raise

    texts = {f"{name.replace('__', '/')}.py": _text(text) for name, text in files.items()}
    texts["app.py"] = _text(code)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(async_twin, "use_twin", heard)
        project = in_memory(texts)
        found = check.check(project, from_table({"select": RULES}, project.root)).findings
    assert found, "nothing was found"
    assert said, [f.fixes[0].title for f in found]
    assert len(said) == len(found), [f.fixes[0].title for f in found if f.fixes]
    assert len(set(said)) == 1, said
    return said[0]


# -- where the client is kept ----------------------------------------------------------------------------


def test_a_global_of_the_module() -> None:
    assert lines(
        """
        from openai import OpenAI

        client = OpenAI(timeout=30)


        async def ask(prompt: str) -> str:
            response = client.responses.create(model="gpt-5", input=prompt)
            return response.output_text
        """
    ) == [
        "from openai import AsyncOpenAI",
        "client = AsyncOpenAI(timeout=30)",
        'response = await client.responses.create(model="gpt-5", input=prompt)',
    ]


@pytest.mark.parametrize("handed", ["answer", "lambda: answer()", "lambda: work(prompt)", "both"])
def test_a_function_of_the_project_may_run_a_loop_for_each_task(handed: str) -> None:
    """A client that outlives the loop would be used in the next one."""
    code = f"""
        import asyncio

        from celery import shared_task
        from openai import OpenAI

        client = OpenAI()


        def run(make):
            loop = asyncio.new_event_loop()
            try:
                return loop.run_until_complete(make())
            finally:
                loop.close()


        async def answer() -> object:
            await asyncio.sleep(0)
            client.models.delete("old")
            return True


        async def work(prompt: str) -> object:
            return await answer()


        @shared_task
        def task(prompt: str) -> object:
            async def both() -> None:
                await answer()
                await work(prompt)

            return run({handed})
        """
    assert refusal(code) == "each call of `task` runs an event loop of its own"


def test_a_client_that_several_tests_share_outlives_their_loops() -> None:
    """Each test has an event loop of its own; connections of an earlier one are dead."""
    assert (
        refusal(
            """
            from openai import OpenAI

            client = OpenAI()
            """,
            tests__test_answers="""
            import pytest

            from app import client


            @pytest.mark.asyncio
            async def test_answer() -> None:
                assert client.models.list()
            """,
        )
        == "each test runs in an event loop of its own"
    )


def test_a_global_of_another_module_under_another_name() -> None:
    texts = fixed(
        """
        import llm
        from llm import client as claude


        async def ask(prompt: str) -> str:
            message = claude.messages.create(model="c", max_tokens=9, messages=[])
            return message.content[0].text


        async def count(prompt: str) -> int:
            return llm.client.messages.count_tokens(model="c", messages=[]).input_tokens
        """,
        llm="""
        import anthropic

        client: anthropic.Anthropic = anthropic.Anthropic()
        """,
    )
    assert "client: anthropic.AsyncAnthropic = anthropic.AsyncAnthropic()" in texts["llm.py"]
    assert "message = await claude.messages.create(" in texts["app.py"]
    assert "return (await llm.client.messages.count_tokens(" in texts["app.py"]


def test_a_local_that_is_entered() -> None:
    assert lines(
        """
        import httpx


        async def load(url: str) -> bytes:
            with httpx.Client(timeout=5) as client:
                first = client.get(url)
                return first.content + client.get(url).content
        """
    ) == [
        "async with httpx.AsyncClient(timeout=5) as client:",
        "first = await client.get(url)",
        "return first.content + (await client.get(url)).content",
    ]


def test_an_import_inside_the_function_stays_there() -> None:
    assert lines(
        """
        async def ask(prompt: str) -> str:
            from openai import OpenAI

            client = OpenAI()
            return client.responses.create(model="gpt-5", input=prompt).output_text
        """
    ) == [
        "from openai import AsyncOpenAI",
        "client = AsyncOpenAI()",
        'return (await client.responses.create(model="gpt-5", input=prompt)).output_text',
    ]


def test_an_attribute_and_those_below_the_class() -> None:
    texts = fixed(
        """
        from base import Base


        class Writer(Base):
            async def write(self, prompt: str) -> str:
                return self._client.responses.create(model="gpt-5", input=prompt).output_text
        """,
        base="""
        from openai import OpenAI


        class Base:
            def __init__(self, key: str) -> None:
                self._client: OpenAI | None = OpenAI(api_key=key)

            async def close(self) -> None:
                if self._client is not None:
                    self._client.close()
                    self._client = None
        """,
    )
    assert "return (await self._client.responses.create(" in texts["app.py"]
    assert "self._client: AsyncOpenAI | None = AsyncOpenAI(api_key=key)" in texts["base.py"]
    assert "        await self._client.close()\n" in texts["base.py"]
    assert "from openai import AsyncOpenAI\n" in texts["base.py"]


def test_an_attribute_made_when_it_is_first_needed() -> None:
    text = app(
        """
        from typing import Optional

        from openai import OpenAI


        class Writer:
            _client: Optional[OpenAI] = None

            @property
            def client(self) -> OpenAI:
                if self._client is None:
                    self._client = OpenAI()
                return self._client

            async def write(self, prompt: str) -> str:
                return self.client.responses.create(model="gpt-5", input=prompt).output_text
        """
    )
    assert "    _client: Optional[AsyncOpenAI] = None\n" in text
    assert "    def client(self) -> AsyncOpenAI:\n" in text
    assert "            self._client = AsyncOpenAI()\n" in text
    assert "return (await self.client.responses.create(" in text


def test_a_factory_and_its_cache() -> None:
    texts = fixed(
        """
        from fastapi import Depends, FastAPI
        from llm import get_client

        app = FastAPI()


        @app.post("/ask")
        async def ask(prompt: str, client=Depends(get_client)) -> str:
            return client.responses.create(model="gpt-5", input=prompt).output_text


        @app.post("/again")
        async def again(prompt: str) -> str:
            return get_client().responses.create(model="gpt-5", input=prompt).output_text
        """,
        llm="""
        from functools import lru_cache

        from openai import OpenAI


        @lru_cache
        def get_client() -> "OpenAI":
            return OpenAI()
        """,
    )
    assert 'def get_client() -> "AsyncOpenAI":\n    return AsyncOpenAI()\n' in texts["llm.py"]
    assert texts["app.py"].count("(await ") == 2


def test_a_parameter_that_the_project_fills() -> None:
    text = app(
        """
        from openai import OpenAI


        async def ask(client: OpenAI, prompt: str) -> str:
            return client.responses.create(model="gpt-5", input=prompt).output_text


        async def both() -> None:
            client = OpenAI()
            await ask(client, "one")
            await ask(prompt="two", client=client)
        """
    )
    assert "async def ask(client: AsyncOpenAI, prompt: str)" in text
    assert "client = AsyncOpenAI()" in text
    assert "import OpenAI" not in text


def test_the_state_of_an_application() -> None:
    text = app(
        """
        from contextlib import asynccontextmanager

        from fastapi import FastAPI, Request
        from openai import OpenAI


        @asynccontextmanager
        async def lifespan(app: FastAPI):
            with OpenAI() as app.state.client:
                yield


        app = FastAPI(lifespan=lifespan)


        @app.post("/ask")
        async def ask(request: Request, prompt: str) -> str:
            client = request.app.state.client
            return client.responses.create(model="gpt-5", input=prompt).output_text
        """
    )
    assert "    async with AsyncOpenAI() as app.state.client:\n" in text


def test_a_field_of_a_dataclass() -> None:
    text = app(
        """
        from dataclasses import dataclass

        from openai import OpenAI


        @dataclass
        class Writer:
            client: OpenAI
            model: str = "gpt-5"

            async def write(self, prompt: str) -> str:
                return self.client.responses.create(model=self.model, input=prompt).output_text


        async def main() -> None:
            print(await Writer(client=OpenAI()).write("hi"))
        """
    )
    assert "    client: AsyncOpenAI\n" in text
    assert "Writer(client=AsyncOpenAI()).write" in text


# -- what is done with it ----------------------------------------------------------------------------------


def test_streams() -> None:
    assert lines(
        """
        from anthropic import Anthropic
        from openai import OpenAI

        claude, gpt = Anthropic(), OpenAI()


        async def pieces(messages: list):
            for chunk in gpt.chat.completions.create(model="m", messages=messages, stream=True):
                yield chunk.choices[0].delta.content
            with gpt.chat.completions.create(model="m", messages=messages, stream=True) as stream:
                for chunk in stream:
                    yield chunk


        async def text(messages: list) -> str:
            with claude.messages.stream(model="m", max_tokens=9, messages=messages) as stream:
                first = "".join(stream.text_stream)
                return first + stream.get_final_text()
        """
    ) == [
        "from anthropic import AsyncAnthropic",
        "from openai import AsyncOpenAI",
        "claude, gpt = AsyncAnthropic(), AsyncOpenAI()",
        'async for chunk in await gpt.chat.completions.create(model="m", messages=messages, stream=True):',
        'async with await gpt.chat.completions.create(model="m", messages=messages, stream=True) as stream:',
        "async for chunk in stream:",
        'async with claude.messages.stream(model="m", max_tokens=9, messages=messages) as stream:',
        'first = "".join([item async for item in stream.text_stream])',
        "return first + await stream.get_final_text()",
    ]


def test_a_stream_that_a_local_keeps_and_another_function_reads() -> None:
    text = app(
        """
        from openai import OpenAI, Stream

        client = OpenAI()


        async def shown(stream: Stream) -> None:
            for event in stream:
                print(event)


        async def ask(prompt: str) -> None:
            stream = client.responses.create(model="gpt-5", input=prompt, stream=True)
            await shown(stream)
            stream.close()
        """
    )
    assert "async def shown(stream: AsyncStream) -> None:\n    async for event in stream:\n" in text
    assert "    await stream.close()\n" in text
    assert "from openai import AsyncOpenAI, AsyncStream\n" in text


def test_pages_are_gone_over_or_awaited() -> None:
    assert lines(
        """
        from openai import OpenAI

        client = OpenAI()


        async def models() -> None:
            for model in client.models.list():
                print(model.id)
            names = [m.id for m in client.models.list()]
            every = list(client.models.list())
            page = client.models.list()
            print(names, every, page.data)
            for model in page:
                print(model)
        """
    ) == [
        "from openai import AsyncOpenAI",
        "client = AsyncOpenAI()",
        "async for model in client.models.list():",
        "names = [m.id async for m in client.models.list()]",
        "every = [item async for item in client.models.list()]",
        "page = await client.models.list()",
        "async for model in page:",
    ]


def test_options_raw_responses_and_bound_methods() -> None:
    assert lines(
        """
        from openai import OpenAI

        client = OpenAI()
        create = client.responses.create


        async def ask(prompt: str) -> None:
            quick = client.with_options(timeout=5)
            print(quick.responses.create(model="gpt-5", input=prompt).output_text)
            raw = client.responses.with_raw_response.create(model="gpt-5", input=prompt)
            print(raw.headers, raw.parse())
            print(create(model="gpt-5", input=prompt).output_text)
            with client.responses.with_streaming_response.create(model="m", input="") as response:
                for line in response.iter_lines():
                    print(line, client.api_key)
        """
    ) == [
        "from openai import AsyncOpenAI",
        "client = AsyncOpenAI()",
        'print((await quick.responses.create(model="gpt-5", input=prompt)).output_text)',
        'raw = await client.responses.with_raw_response.create(model="gpt-5", input=prompt)',
        'print((await create(model="gpt-5", input=prompt)).output_text)',
        'async with client.responses.with_streaming_response.create(model="m", input="") as response:',
        "async for line in response.iter_lines():",
    ]


def test_a_streamed_response_of_httpx_has_other_names() -> None:
    assert lines(
        """
        import httpx

        client = httpx.Client()


        async def load(url: str) -> None:
            with client.stream("GET", url) as response:
                response.raise_for_status()
                if response.status_code != 200:
                    print(response.read(), response.headers)
                for line in response.iter_lines():
                    print(line)
            client.close()
        """
    ) == [
        "client = httpx.AsyncClient()",
        'async with client.stream("GET", url) as response:',
        "print(await response.aread(), response.headers)",
        "async for line in response.aiter_lines():",
        "await client.aclose()",
    ]


def test_what_ran_in_a_thread_is_awaited() -> None:
    before = """
        import asyncio

        import httpx

        client = httpx.Client()


        async def load(url: str) -> bytes:
            first = await asyncio.to_thread(client.get, url, timeout=5)
            await asyncio.to_thread(
                client.get,
                url,
            )
            await asyncio.to_thread(client.close)
            return first.content + client.get(url).content
        """
    _, _, outcome = _checked({"app.py": _text(before)})
    assert "first = await client.get(url, timeout=5)\n" in outcome.after["app.py"]
    assert "    await client.get(\n        url,\n    )\n" in outcome.after["app.py"]
    assert "    await client.aclose()\n" in outcome.after["app.py"]
    assert "import asyncio" not in outcome.after["app.py"]


def test_the_client_within_a_client() -> None:
    assert lines(
        """
        import httpx
        from openai import DefaultHttpxClient, OpenAI

        one = OpenAI(http_client=httpx.Client(transport=httpx.HTTPTransport(retries=2)))
        inner = DefaultHttpxClient(timeout=5)
        two = OpenAI(http_client=inner)


        async def ask() -> None:
            one.models.retrieve("a")
            two.models.retrieve("b")
            inner.get("https://example.org")
        """
    ) == [
        "from openai import AsyncOpenAI, DefaultAsyncHttpxClient",
        "one = AsyncOpenAI(http_client=httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=2)))",
        "inner = DefaultAsyncHttpxClient(timeout=5)",
        "two = AsyncOpenAI(http_client=inner)",
        'await one.models.retrieve("a")',
        'await two.models.retrieve("b")',
        'await inner.get("https://example.org")',
    ]


def test_two_classes_of_one_library() -> None:
    text = app(
        """
        import os

        from openai import AzureOpenAI, OpenAI

        if os.environ.get("AZURE"):
            client = AzureOpenAI()
        else:
            client = OpenAI()


        async def ask(prompt: str) -> str:
            return client.responses.create(model="gpt-5", input=prompt).output_text
        """
    )
    assert "client = AsyncAzureOpenAI()\nelse:\n    client = AsyncOpenAI()\n" in text
    assert "from openai import AsyncAzureOpenAI, AsyncOpenAI\n" in text


def test_the_asynchronous_side_of_one_client() -> None:
    assert lines(
        """
        from google import genai

        client = genai.Client()


        def plain(prompt: str):
            return client.models.generate_content(model="g", contents=prompt)


        async def ask(prompt: str):
            answer = client.models.generate_content(model="g", contents=prompt)
            for chunk in client.models.generate_content_stream(model="g", contents=prompt):
                print(chunk.text, answer.text)
            chat = client.chats.create(model="g")
            print(chat.send_message(prompt).text)
        """
    ) == [
        'answer = await client.aio.models.generate_content(model="g", contents=prompt)',
        'async for chunk in await client.aio.models.generate_content_stream(model="g", contents=prompt):',
        'chat = client.aio.chats.create(model="g")',
        "print((await chat.send_message(prompt)).text)",
    ]


def test_databases() -> None:
    assert lines(
        """
        from pymongo import MongoClient
        from redis import Redis

        cache = Redis()
        shop = MongoClient()["shop"]


        async def load(key: str) -> list:
            found = cache.get(key)
            with cache.pipeline() as pipe:
                pipe.set(key, 1)
                pipe.execute()
            for one in shop.items.find({"key": key}).sort("n"):
                print(one, found)
            return list(shop.items.find())
        """
    ) == [
        "from pymongo import AsyncMongoClient",
        "from redis.asyncio import Redis",
        'shop = AsyncMongoClient()["shop"]',
        "found = await cache.get(key)",
        "async with cache.pipeline() as pipe:",
        "await pipe.execute()",
        'async for one in shop.items.find({"key": key}).sort("n"):',
        "return [item async for item in shop.items.find()]",
    ]


def test_cursors_that_are_awaited_first() -> None:
    assert lines(
        """
        from pymongo import MongoClient

        shop = MongoClient()["shop"]


        async def names() -> list:
            for index in shop.items.list_indexes():
                print(index["name"])
            found = list(shop.items.aggregate([]))
            return [one["name"] for one in shop.list_collections()] + found
        """
    ) == [
        "from pymongo import AsyncMongoClient",
        'shop = AsyncMongoClient()["shop"]',
        "async for index in await shop.items.list_indexes():",
        "found = [item async for item in await shop.items.aggregate([])]",
        'return [one["name"] async for one in await shop.list_collections()] + found',
    ]


@pytest.mark.parametrize(
    ("use", "reason"),
    [
        ("name in items.list_indexes()", "`name in items.list_indexes()` goes over it"),
        ("name not in items.find()", "`name not in items.find()` goes over it"),
        ("len(items.aggregate([]))", "`len` gets it, and what that does with it is not known"),
        ("[*items.list_indexes()]", "`items.list_indexes()` is stored or handed on"),
        ("items.find()[0]", "`Cursor[…]` has no counterpart in `AsyncCursor`"),
        ("any(one == name for one in items.find())", "it is gone over in a generator expression"),
    ],
)
def test_cursors_that_only_a_plain_function_goes_over(use: str, reason: str) -> None:
    code = f"""
    from pymongo import MongoClient

    items = MongoClient()["shop"].items


    async def has(name: str):
        first = items.find_one(name)
        return {use}, first
    """
    assert refusal(code) == reason


KEPT = {
    "global": ("client = OpenAI()\n\n\nasync def run():\n{use}", "client"),
    "local": ("async def run():\n    client = OpenAI()\n{use}", "client"),
    "entered": (
        "async def run(flag=0):\n    with OpenAI() as client:\n        flag = 1\n{use}",
        "client",
    ),
    "walrus": ("async def run():\n    if client := OpenAI():\n        pass\n{use}", "client"),
    "attribute": (
        "class Bot:\n    def __init__(self):\n        self.client = OpenAI()\n\n    async def run(self):\n{use}",
        "self.client",
    ),
    "class": (
        "class Bot:\n    client = OpenAI()\n\n    async def run(self):\n{use}",
        "self.client",
    ),
    "property": (
        "class Bot:\n    @property\n    def client(self):\n        return OpenAI()\n\n    async def run(self):\n{use}",
        "self.client",
    ),
    "factory": ("def make():\n    return OpenAI()\n\n\nasync def run():\n{use}", "make()"),
    "coroutine": (
        "async def make():\n    return OpenAI()\n\n\nasync def run():\n{use}",
        "(await make())",
    ),
    "parameter": (
        "async def run(client: OpenAI):\n{use}\n\n\nasync def main():\n    await run(OpenAI())",
        "client",
    ),
    "nested": (
        "async def outer():\n    client = OpenAI()\n\n    async def run():\n{use}\n\n    await run()",
        "client",
    ),
}
USED = {
    "call": "answer = {c}.models.retrieve('m')\nprint(answer.id)",
    "chained": "print(f\"{{1}}\", {c}.models.retrieve('m').id.upper())",
    "tested": "if {c}.models.retrieve('m').id == 'm' and not {c}.models.retrieve('n').id:\n    pass",
    "stream": "for event in {c}.responses.create(model='m', stream=True):\n    print(event)",
    "kept stream": "stream = {c}.responses.create(model='m', stream=True)\nfor event in stream:\n    print(event)\nstream.close()",
    "entered stream": "with {c}.responses.create(model='m', stream=True) as s:\n    print([e for e in s])",
    "manager": "with {c}.chat.completions.stream(model='m', messages=[]) as s:\n    print(s.get_final_completion())",
    "pages": "print({{m.id: m for m in {c}.models.list() if m.id}}, list({c}.models.list()))",
    "resource": "models = {c}.models\nprint(models.retrieve('m'), models.list().data)",
    "options": "print({c}.with_options(timeout=1).models.retrieve('m').id)",
    "arguments": "print({c}.models.retrieve({c}.models.retrieve('m').id))",
    "tried": "try:\n    {c}.models.retrieve('m')\nfinally:\n    {c}.close()",
}


@pytest.mark.parametrize("kept", KEPT)
def test_every_use_of_every_holder(kept: str) -> None:
    code, client = KEPT[kept]
    indent = " " * (8 if "self" in client or kept == "nested" else 4)
    for name, use in USED.items():
        body = textwrap.indent(use.format(c=client), indent)
        text = app("from openai import OpenAI\n\n\n" + code.replace("{use}", body) + "\n")
        assert "import OpenAI" not in text, name
        assert text.count("await ") + text.count("async for") + text.count("async with") >= 1, name
        again = in_memory({"app.py": text})
        config = from_table({"select": ["coroutines", "blocking"]}, again.root)
        bad = [f.message for f in check.check(again, config).kept if f.level == "error"]
        assert bad == [], (name, text)


# -- imports -------------------------------------------------------------------------------------------------


def test_an_import_that_others_need_stays() -> None:
    text = app(
        """
        from openai import APIError, OpenAI

        client = OpenAI()
        other = OpenAI()


        def plain() -> None:
            other.models.list()


        async def ask(prompt: str) -> None:
            try:
                client.responses.create(model="gpt-5", input=prompt)
            except APIError:
                pass
        """
    )
    assert "from openai import APIError, AsyncOpenAI, OpenAI\n" in text
    assert "other = OpenAI()" in text


def test_a_module_that_is_no_longer_named() -> None:
    code = """
        import redis

        store = redis.Redis(host="db")


        async def load(key: str) -> bytes:
            return store.get(key)
        """
    text = app(code)
    assert text.startswith("from redis.asyncio import Redis as AsyncRedis\n\nstore = AsyncRedis(")


def test_the_twin_is_imported_already() -> None:
    text = app(
        """
        from openai import (
            AsyncOpenAI,
            OpenAI,
        )

        ready = AsyncOpenAI()
        client = OpenAI()


        async def ask(prompt: str) -> None:
            client.responses.create(model="gpt-5", input=prompt)
        """
    )
    assert "from openai import (\n    AsyncOpenAI,\n)\n" in text


def test_an_import_for_annotations_only() -> None:
    text = app(
        """
        from __future__ import annotations

        from typing import TYPE_CHECKING

        if TYPE_CHECKING:
            from openai import OpenAI


        class Writer:
            def __init__(self) -> None:
                from openai import OpenAI

                self._client: OpenAI = OpenAI()

            async def write(self, client: OpenAI) -> None:
                self._client.responses.create(model="gpt-5", input="")

            async def again(self) -> None:
                await self.write(self._client)
        """
    )
    assert "if TYPE_CHECKING:\n    from openai import AsyncOpenAI\n" in text
    assert "        from openai import AsyncOpenAI\n\n        self._client: AsyncOpenAI = " in text
    assert "async def write(self, client: AsyncOpenAI) -> None:" in text


# -- refusals ------------------------------------------------------------------------------------------------

HEAD = """
from openai import OpenAI

client = OpenAI()


async def ask(prompt: str) -> str:
    return client.responses.create(model="gpt-5", input=prompt).output_text


"""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (
            """
            def plain(prompt: str) -> str:
                return client.responses.create(model="gpt-5", input=prompt).output_text
            """,
            "`plain` uses it and is not `async def`",
        ),
        (
            """
            def closed() -> None:
                client.close()
            """,
            "`closed` uses it and is not `async def`",
        ),
        (
            """
            async def outer(jobs: list) -> None:
                def inner() -> None:
                    client.models.list()

                jobs.append(inner)
            """,
            "`outer.inner` is handed on",
        ),
        (
            """
            later = lambda: client.models.retrieve("m")
            """,
            "it is used in a lambda",
        ),
        (
            """
            names = [m.id for m in client.models.list()]
            """,
            "it is used while `app` is imported",
        ),
        (
            """
            async def lazily(names: list):
                return any(client.models.retrieve(n).id for n in names)
            """,
            "it is used in a generator expression",
        ),
        (
            """
            async def lazily():
                return any(m.id for m in client.models.list())
            """,
            "it is gone over in a generator expression",
        ),
        (
            """
            async def nested(names: list) -> list:
                return [[client.models.retrieve(n) for n in part] for part in names]
            """,
            "it is used in a comprehension within another one",
        ),
        (
            """
            import library

            library.register(client)
            """,
            "`library.register` gets it, and what that does with it is not known",
        ),
        (
            """
            clients = {"one": client}
            """,
            "`client` is stored in a dictionary",
        ),
        (
            """
            clients = [client]
            """,
            "`client` is stored or handed on",
        ),
        (
            """
            async def spoken(path: str) -> None:
                with client.audio.speech.with_streaming_response.create(
                    model="m", voice="v", input="i"
                ) as response:
                    response.unheard_of(path)
            """,
            "`APIResponse.unheard_of` has no counterpart in `AsyncAPIResponse`",
        ),
        (
            """
            async def asked(name: str):
                return getattr(client, name)
            """,
            "`getattr` gets it, and what that does with it is not known",
        ),
        (
            """
            __all__ = ["client"]
            """,
            "`client` may be used outside of the project: `client` is exported",
        ),
        (
            """
            async def streamed(prompt: str, stream: bool):
                return client.responses.create(model="m", input=prompt, stream=stream)
            """,
            "only the running program knows whether the answer is a stream",
        ),
        (
            """
            async def private():
                return client._client
            """,
            "`OpenAI._client` has no counterpart in `AsyncOpenAI`",
        ),
        (
            """
            async def beside(path: str):
                stream = client.responses.create(model="m", input="", stream=True)
                with open(path) as file, stream:
                    print(file)
            """,
            "another context manager stands beside it in the `with`",
        ),
        (
            """
            import threading

            lock = threading.Lock()


            async def locked() -> None:
                with lock:
                    client.models.retrieve("m")
            """,
            "`lock` would be held while other tasks run",
        ),
        (
            """
            import threading
            from contextlib import contextmanager

            lock = threading.Lock()


            @contextmanager
            def alone():
                with lock:
                    yield


            async def locked() -> None:
                with alone():
                    client.models.retrieve("m")
            """,
            "`lock`, which `alone` takes, would be held while other tasks run",
        ),
        (
            """
            async def stepped():
                return next(client.models.list())
            """,
            "`next` gets it, and what that does with it is not known",
        ),
        (
            """
            async def counted():
                stream = client.responses.create(model="m", input="", stream=True)
                for number, event in enumerate(stream):
                    print(number, event)
            """,
            "`enumerate` gets it, and what that does with it is not known",
        ),
        (
            """
            def generated(prompt: str):
                for event in client.responses.create(model="m", input=prompt, stream=True):
                    yield event
            """,
            "`generated` uses it and is not `async def`",
        ),
        (
            """
            import elsewhere

            client = elsewhere.make()
            """,
            "where `elsewhere.make()` comes from is not known",
        ),
    ],
)
def test_a_use_that_cannot_wait(code: str, reason: str) -> None:
    texts = {"app.py": HEAD.lstrip("\n") + _text(code)}
    assert reason in _reasons(texts)


OPTIONAL = """
async def ping() -> bool:
    try:
        import redis

        return redis.Redis(host="cache").ping()
    except ImportError:
        return True
"""


def test_what_may_be_missing_is_not_imported_at_the_top() -> None:
    why = "`redis.asyncio` may not be installed where `app` is imported"
    assert _reasons({"app.py": OPTIONAL}) == {why}
    there = lines(f"import keys\n{OPTIONAL}", keys="import redis\n")
    assert 'return await AsyncRedis(host="cache").ping()' in there


def _reasons(texts: dict[str, str]) -> set[str]:
    from asynclint.findings import Refused
    from asynclint.fixes import async_twin

    said: set[str] = set()
    plain = async_twin.use_twin

    def heard(place: object) -> object:
        try:
            return plain(place)  # type: ignore[arg-type]
        except Refused as reason:
            said.add(str(reason))
            raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(async_twin, "use_twin", heard)
        project = in_memory(texts)
        found = check.check(project, from_table({"select": RULES}, project.root)).findings
    assert not any(f.fixes and "instead and await" in f.fixes[0].title for f in found)
    return said


@pytest.mark.parametrize(
    ("constructor", "reason"),
    [
        ("OpenAI(http_client=make())", "where `make()` comes from is not known"),
        (
            "OpenAI(api_key=lambda: 'key')",
            "its `api_key` is a function, which would have to be a coroutine",
        ),
        (
            "OpenAI(http_client=httpx.Client(event_hooks={}))",
            "hooks of a synchronous client are plain functions",
        ),
        (
            "OpenAI(http_client=httpx.Client(transport=make()))",
            "its transport is a synchronous one",
        ),
        ("make() or OpenAI()", "where `make()` comes from is not known"),
    ],
)
def test_a_constructor_that_only_a_synchronous_client_has(constructor: str, reason: str) -> None:
    assert (
        refusal(
            f"""
            import httpx
            from openai import OpenAI
            from other import make


            client: OpenAI = {constructor}


            async def ask(prompt: str) -> str:
                return client.responses.create(model="gpt-5", input=prompt).output_text
            """
        )
        == reason
    )


def test_event_loops_in_turn() -> None:
    assert (
        refusal(
            """
            import asyncio

            from openai import OpenAI

            client = OpenAI()


            async def ask(prompt: str) -> str:
                return client.responses.create(model="m", input=prompt).output_text


            def job(prompt: str) -> str:
                return asyncio.run(ask(prompt))


            def jobs(prompts: list) -> list:
                return [job(prompt) for prompt in prompts]
            """
        )
        == "each call of `job` runs an event loop of its own"
    )
    assert "AsyncOpenAI" in app(
        """
        import asyncio

        from openai import OpenAI

        client = OpenAI()


        async def ask(prompt: str) -> str:
            return client.responses.create(model="m", input=prompt).output_text


        def main() -> None:
            print(asyncio.run(ask("hi")))


        if __name__ == "__main__":
            main()
        """
    )


def test_twins_that_need_another_package() -> None:
    code = """
        from azure.storage.blob import BlobServiceClient


        class Loader:
            def __init__(self, url: str) -> None:
                self._client = BlobServiceClient(url)

            async def load(self, name: str) -> list:
                container = self._client.get_container_client(name)
                return [blob.name for blob in container.list_blobs()]


        loader = Loader("https://blobs")
        """
    assert refusal(code) == (
        "`azure.storage.blob.aio.BlobServiceClient` needs `aiohttp`, which the project does not import"
    )
    text = app(code, web="import aiohttp\n")
    assert "from azure.storage.blob.aio import BlobServiceClient\n" in text
    assert "[blob.name async for blob in container.list_blobs()]" in text


@pytest.mark.parametrize(
    ("body", "more", "closed"),
    [
        ("return Loader(url)", "", False),
        ("return Loader(url)", "async def close(self):\n        self._client.close()", True),
        ("return loader", "", True),
        (
            "return Loader(url)",
            "async def end(self):\n        with self._client:\n            print()",
            True,
        ),
    ],
)
def test_a_twin_that_has_to_be_closed(body: str, more: str, closed: bool) -> None:
    code = f"""
import aiohttp
from azure.storage.blob import BlobServiceClient


class Loader:
    def __init__(self, url: str) -> None:
        self._client = BlobServiceClient(url)

    async def load(self, name: str) -> list:
        container = self._client.get_container_client(name)
        return [blob.name for blob in container.list_blobs()]

    {more}


{'loader = Loader("https://blobs")' if "loader" in body else ""}


async def make(url: str):
    {body}
"""
    if closed:
        assert "from azure.storage.blob.aio import BlobServiceClient\n" in app(code)
    else:
        assert refusal(code) == "it has to be closed, which nothing does"


@pytest.mark.parametrize(
    ("made", "is_text"),
    [
        ("DefaultAzureCredential()", False),
        ("given", False),
        ("'key'", True),
        ("os.environ['KEY']", True),
        ("os.getenv('KEY')", True),
        ("AzureKeyCredential(given)", True),
    ],
)
def test_a_credential_that_asks_for_tokens_is_a_synchronous_one(made: str, is_text: bool) -> None:
    code = f"""
        import os

        from azure.core.credentials import AzureKeyCredential
        from azure.identity import DefaultAzureCredential
        from azure.storage.blob import BlobServiceClient

        from settings import given

        credential = {made}
        client = BlobServiceClient("https://blobs", credential=credential)


        async def names() -> list:
            container = client.get_container_client("a")
            return [blob.name for blob in container.list_blobs()]
        """
    if is_text:
        assert "azure.storage.blob.aio" in app(code, web="import aiohttp\n")
    else:
        reason = refusal(code, web="import aiohttp\n")
        assert reason == "its `credential` may be a synchronous one"


@pytest.mark.parametrize("argument", ["connection_class=Requests", "http_auth=sign"])
def test_what_only_synchronous_connections_take(argument: str) -> None:
    code = f"""
        from opensearchpy import OpenSearch

        from signing import Requests, sign


        async def make(index: str) -> None:
            client = OpenSearch("https://search", {argument})
            client.indices.create(index=index)
            client.close()
        """
    assert "synchronous" in refusal(code, web="import aiohttp\n")
    basic = code.replace(argument, "http_auth=('user', 'password')")
    assert "AsyncOpenSearch(" in app(basic, web="import aiohttp\n")


def test_the_layout_of_the_file_stays() -> None:
    code = _text(
        """
        from openai import OpenAI  # the client

        client = OpenAI(
            # Patience.
            timeout=30,
        )  # one for all


        async def ask(prompt: str) -> str:
        \t\u00fc = "ü"; text = client.responses.create(  # asked
        \t\tmodel="gpt-5",
        \t\tinput=prompt + ü,
        \t).output_text
        \treturn text
        """
    )
    text = code.replace("\n", "\r\n")
    _, _, outcome = _checked({"app.py": "\ufeff" + text})
    assert outcome.after["app.py"] == "\ufeff" + text.replace(
        "import OpenAI", "import AsyncOpenAI"
    ).replace("= OpenAI(", "= AsyncOpenAI(").replace(
        "text = client.", "text = (await client."
    ).replace("\t).output_text", "\t)).output_text")


def test_tests_that_replace_it() -> None:
    module = HEAD.lstrip("\n")
    for test in (
        'monkeypatch.setattr(app, "client", Fake())',
        'monkeypatch.setattr("app.client", Fake())',
        'patch("app.client")',
        'patch.object(app, "client", Fake())',
    ):
        assert refusal(
            module, test_app=f"import app\n\n\ndef test(monkeypatch):\n    {test}\n"
        ) == ("`test_app.py` puts something else in the place of `app.client`")
    assert refusal(
        module, test_app='import app\n\n\ndef test(patch):\n    patch("app.OpenAI")\n'
    ) == ("`test_app.py` puts something else in the place of `app.OpenAI`")


def test_tests_that_replace_parts_of_the_library() -> None:
    module = HEAD.lstrip("\n")
    for test in (
        'patch("openai.resources.responses.Responses.create")',
        'patch.object(openai.OpenAI, "post")',
        'monkeypatch.setattr(openai, "OpenAI", Fake)',
    ):
        assert refusal(module, test_app=f"import app, openai\n\n\ndef test():\n    {test}\n") == (
            "`test_app.py` replaces parts of `openai`"
        )


def test_an_object_called_state_is_no_state_of_an_application() -> None:
    code = """
        from openai import OpenAI


        class State:
            def __init__(self) -> None:
                self.client = OpenAI()


        class Bot:
            def __init__(self) -> None:
                self.state = State()

            async def ask(self, prompt: str) -> str:
                return self.state.client.responses.create(model="m", input=prompt).output_text
        """
    assert "self.client = AsyncOpenAI()" in app(code)
    plain = "import app\n\nbot = app.Bot()\n\n\ndef names():\n    return bot.state.client.models.list()\n"
    assert refusal(code, plain=plain) == "`names` uses it and is not `async def`"


def test_an_attribute_that_others_fill_or_read() -> None:
    service = """
    from openai import OpenAI


    class Service:
        def __init__(self, client=None):
            self.client = client or OpenAI()

        async def ask(self, prompt: str) -> str:
            return self.client.responses.create(model="gpt-5", input=prompt).output_text
    """
    assert refusal(service, main="from app import Service\n\nservice = Service(other())\n") == (
        "where `other()` comes from is not known"
    )
    assert refusal(
        service,
        main="from app import Service\n\nservice = Service()\nprint(service.client.models.list())\n",
    ) == ("it is used while `main` is imported")
    assert refusal(service) == "who gives `Service.__init__` its `client` could not be found"


def test_a_parameter_that_is_given_something_else() -> None:
    assert (
        refusal(
            """
            from openai import OpenAI


            async def ask(client: OpenAI) -> None:
                client.models.list()


            async def main(make) -> None:
                await ask(OpenAI())
                await ask(make())
            """
        )
        == "where `make()` comes from is not known"
    )


def test_what_was_awaited_by_mistake() -> None:
    assert lines(
        """
        from openai import OpenAI

        client = OpenAI()


        async def ask(prompt: str) -> str:
            return client.responses.create(model="m", input=prompt).output_text


        async def events(prompt: str):
            stream = await client.responses.create(model="m", input=prompt, stream=True)
            async for event in stream:
                yield event
        """
    ) == [
        "from openai import AsyncOpenAI",
        "client = AsyncOpenAI()",
        'return (await client.responses.create(model="m", input=prompt)).output_text',
    ]


# -- plain functions between a coroutine and the client --------------------------------------------------


def test_helpers_that_only_coroutines_call() -> None:
    files = fixed(
        """
        import helpers
        from openai import OpenAI

        client = OpenAI()


        async def handler(prompt: str) -> str:
            text = helpers.twice(client, prompt)
            return f"{text} {len(helpers.ask(client, prompt))}"
        """,
        helpers="""
        from openai import OpenAI


        def ask(client: OpenAI, prompt: str) -> str:
            answer = client.responses.create(model="m", input=prompt)
            return answer.output_text


        # Both of them.
        def twice(client: OpenAI, prompt: str) -> str:
            return ask(client, prompt) + ask(client, prompt).upper()
        """,
    )
    assert files["helpers.py"] == _text(
        """
        from openai import AsyncOpenAI


        async def ask(client: AsyncOpenAI, prompt: str) -> str:
            answer = await client.responses.create(model="m", input=prompt)
            return answer.output_text


        # Both of them.
        async def twice(client: AsyncOpenAI, prompt: str) -> str:
            return await ask(client, prompt) + (await ask(client, prompt)).upper()
        """
    )
    assert "text = await helpers.twice(client, prompt)" in files["app.py"]
    assert "{len(await helpers.ask(client, prompt))}" in files["app.py"]


def test_methods_and_nested_functions() -> None:
    assert lines(
        """
        from openai import OpenAI


        class Bot:
            def __init__(self) -> None:
                self.client = OpenAI()

            def _say(self, text: str) -> None:
                for event in self.client.responses.create(model="m", input=text, stream=True):
                    print(event)

            async def say(self, text: str) -> None:
                def again(count: int) -> None:
                    self._say(text)
                    if count:
                        again(count - 1)

                again(3)
        """
    ) == [
        "from openai import AsyncOpenAI",
        "self.client = AsyncOpenAI()",
        "async def _say(self, text: str) -> None:",
        'async for event in await self.client.responses.create(model="m", input=text, stream=True):',
        "async def again(count: int) -> None:",
        "await self._say(text)",
        "await again(count - 1)",
        "await again(3)",
    ]


PROMOTED = """
from openai import OpenAI

client = OpenAI()


def ask(prompt: str) -> str:
    return client.responses.create(model="m", input=prompt).output_text


async def handler(prompt: str) -> str:
    return ask(prompt)
"""


def _handed_over(code: str, **files: str) -> bool:
    """Whether the only fix of the first finding is a thread."""
    texts = {f"{name.replace('__', '/')}.py": _text(text) for name, text in files.items()}
    texts["app.py"] = _text(code)
    project = in_memory(texts)
    config = from_table({"select": RULES}, project.root)
    titles = [f.title for f in check.check(project, config).kept[0].fixes]
    return not any("Async" in title for title in titles)


@pytest.mark.parametrize(
    "more",
    [
        "def main() -> None:\n    print(ask('x'))",
        "print(ask('x'))",
        "asks = [ask]",
        "async def other() -> None:\n    print(sorted(['a'], key=lambda one: ask(one)))",
        "async def other() -> None:\n    await asyncio.to_thread(ask, 'x')",
        "async def ask_async(prompt: str) -> str:\n    return ask(prompt)",
        "__all__ = ['ask']",
    ],
)
def test_helpers_that_others_call(more: str) -> None:
    assert not _handed_over(PROMOTED)
    assert _handed_over("import asyncio\n" + PROMOTED + "\n\n" + more + "\n")


def test_helpers_that_tests_or_packages_know() -> None:
    assert _handed_over(
        PROMOTED, test_app="from app import ask\n\n\ndef test_it():\n    ask('x')\n"
    )
    decorated = PROMOTED.replace("def ask", "@staticmethod\ndef ask")
    assert _handed_over(decorated)
    patched = (
        "import app\n\n\ndef test_it(monkeypatch):\n    monkeypatch.setattr(app, 'ask', print)\n"
    )
    assert _handed_over(PROMOTED, test_app=patched)


METHOD = """
from openai import OpenAI


class Bot(Base):
    def __init__(self) -> None:
        self.client = OpenAI()

    def ask(self, prompt: str) -> str:
        return self.client.responses.create(model="m", input=prompt).output_text

    async def handler(self, prompt: str) -> str:
        return self.ask(prompt)
"""


def test_methods_that_others_may_call() -> None:
    assert not _handed_over(METHOD.replace("(Base)", ""))
    assert _handed_over("from elsewhere import Base\n" + METHOD)
    base = "class Base:\n    def ask(self, prompt: str) -> str:\n        raise NotImplementedError\n\n\n"
    assert _handed_over(METHOD.replace("\n\nclass Bot", f"\n\n{base}class Bot"))
    user = "def run(bot, prompt):\n    return bot.ask(prompt)\n"
    assert _handed_over(METHOD.replace("(Base)", ""), user=user)
    sub = "from app import Bot\n\n\nclass Sub(Bot):\n    def ask(self, prompt: str) -> str:\n        return ''\n"
    assert _handed_over(METHOD.replace("(Base)", ""), sub=sub)


def test_a_class_that_may_stand_for_a_protocol() -> None:
    bot = METHOD.replace("(Base)", "")
    asks = """
from typing import Protocol


class Asks(Protocol):
    def ask(self, prompt: str) -> str: ...


def run(asks: Asks, prompt: str) -> str:
    return asks.ask(prompt)
"""
    assert _handed_over(bot, protocols=asks)
    more = asks.replace("def run", "    def close(self) -> None: ...\n\n\ndef run")
    assert not _handed_over(bot, protocols=more)


def test_a_class_whose_import_is_spelled_in_a_string() -> None:
    said = refusal(
        """
        from openai import OpenAI
        from tools import FunctionTool, ImportFromModule


        async def ask(prompt: str) -> str:
            client = OpenAI()
            return client.responses.create(model="gpt-5", input=prompt).output_text


        tool = FunctionTool(ask, imports=[ImportFromModule("openai", ("OpenAI",))])
        """
    )
    assert said == "`OpenAI` is also named in a string, as what is to be imported"
