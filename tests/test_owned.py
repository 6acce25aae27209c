"""A client that a method builds becomes one of its object: what is written in projects, and where it is refused."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Mapping
from typing import Any

import fixing
import httpx
import pytest

RULE = "client-per-call"

APP = """
from contextlib import asynccontextmanager

from fastapi import FastAPI
from service import Service


@asynccontextmanager
async def lifespan(app):
    service = Service("k")
    app.state.service = service
    yield
    await service.close()


app = FastAPI(lifespan=lifespan)
"""

SERVICE = '''
import httpx


class Service:
    """Fetches."""

    def __init__(self, key):
        self.key = key

    async def fetch(self, path):
        async with httpx.AsyncClient(headers={"Authorization": self.key}) as client:
            return (await client.get(path)).text

    async def close(self):
        print("closed")
'''


def fixed(files: Mapping[str, str]) -> dict[str, str]:
    """The changed files after all fixes."""
    return fixing.fixed(files, RULE)


def refusal(service: str, **others: str) -> str:
    """Why the one finding has no fix."""
    files = {"app.py": APP, "service.py": service}
    files |= {f"{name.replace('__', '/')}.py": text for name, text in others.items()}
    return fixing.refusal(files, RULE)


def test_opened_at_the_first_call_and_closed_with_the_object() -> None:
    assert fixed({"app.py": APP, "service.py": SERVICE})["service.py"] == textwrap.dedent(
        '''\
        import httpx


        class Service:
            """Fetches."""

            _httpx_client: httpx.AsyncClient | None = None

            def __init__(self, key):
                self.key = key

            async def fetch(self, path):
                client = self._open_httpx_client()
                return (await client.get(path)).text

            def _open_httpx_client(self) -> httpx.AsyncClient:
                """Opened at the first call; `close` closes it."""
                if self._httpx_client is None:
                    self._httpx_client = httpx.AsyncClient(headers={"Authorization": self.key})
                return self._httpx_client

            async def close(self):
                try:
                    print("closed")
                finally:
                    if self._httpx_client is not None:
                        await self._httpx_client.aclose()
                        self._httpx_client = None
        '''
    )


SECOND = """
    async def send(self, path):
        async with httpx.AsyncClient(ARGUMENTS) as http:
            await http.post(path)

    async def close(self):
"""


def test_one_client_for_one_configuration() -> None:
    same = SERVICE.replace(
        "\n    async def close(self):\n",
        SECOND.replace("ARGUMENTS", 'headers={"Authorization": self.key}'),
    )
    after = fixed({"app.py": APP, "service.py": same})["service.py"]
    assert after.count("httpx.AsyncClient(") == 1
    assert after.count("self._open_httpx_client()") == 2
    assert after.count("aclose") == 1


def test_two_clients_for_two_configurations() -> None:
    other = SERVICE.replace(
        "\n    async def close(self):\n", SECOND.replace("ARGUMENTS", "timeout=3")
    )
    after = fixed({"app.py": APP, "service.py": other})["service.py"]
    assert (
        "http = self._open_httpx_client_2()" in after or "http = self._open_httpx_client()" in after
    )
    assert after.count("_httpx_client_2: httpx.AsyncClient | None = None\n") == 1
    assert after.count("finally:") == 1
    assert after.endswith(
        """\
        finally:
            if self._httpx_client is not None:
                await self._httpx_client.aclose()
                self._httpx_client = None
            if self._httpx_client_2 is not None:
                await self._httpx_client_2.aclose()
                self._httpx_client_2 = None
"""
    )


def test_tabs_line_ends_and_optional() -> None:
    text = SERVICE.lstrip("\n").replace(
        "import httpx\n", "import httpx\nfrom typing import Optional\n"
    )
    text = text.replace("    ", "\t").replace("\n", "\r\n")
    after = fixed({"app.py": APP, "service.py": text})["service.py"]
    assert "\t_httpx_client: Optional[httpx.AsyncClient] = None\r\n" in after
    assert "\n" not in after.replace("\r\n", "")
    assert "    " not in after


@pytest.mark.parametrize(
    "use",
    [
        "async with Service('k') as service:\n        await service.fetch('/')",
        "service = Service('k')\n    async with service:\n        await service.fetch('/')",
        "async with AsyncExitStack() as stack:\n        service = await stack.enter_async_context(Service('k'))\n        await service.fetch('/')",
    ],
)
def test_entered_objects(use: str) -> None:
    service = SERVICE.replace("def close(self)", "def __aexit__(self, *exc)").replace(
        "    async def fetch",
        "    async def __aenter__(self):\n        return self\n\n    async def fetch",
    )
    app = f"from contextlib import AsyncExitStack\n\nfrom service import Service\n\n\nasync def run():\n    {use}\n"
    if "stack" in use:
        app += "\n\nasync def other():\n    async with Service('k') as service:\n        await service.fetch('/')\n"
    after = fixed({"app.py": app, "service.py": service})["service.py"]
    assert "`__aexit__` closes it." in after


def test_closed_by_another_closing_method() -> None:
    service = SERVICE + "\n    async def __aexit__(self, *exc):\n        await self.close()\n"
    service += "\n    async def __aenter__(self):\n        return self\n"
    app = "from service import Service\n\n\nasync def run():\n    async with Service('k') as s:\n        await s.fetch('/')\n"
    after = fixed({"app.py": app, "service.py": service})["service.py"]
    assert "`close` closes it." in after


def test_kept_by_an_attribute_of_another_object() -> None:
    app = """
    from service import Service


    class Bot:
        def __init__(self):
            self.service = Service("k")

        async def answer(self):
            return await self.service.fetch("/")

        async def stop(self):
            await self.service.close()
    """
    assert "service.py" in fixed({"app.py": app, "service.py": SERVICE})


def test_abstract_class_says_that_it_is_closed() -> None:
    base = """
    from abc import ABC, abstractmethod


    class Base(ABC):
        @abstractmethod
        async def close(self): ...

        @abstractmethod
        async def fetch(self, path): ...


    async def run(base: Base):
        await base.fetch("/")
        await base.close()
    """
    service = SERVICE.replace("class Service:", "class Service(Base):")
    service = service.replace("import httpx\n", "import httpx\nfrom base import Base\n")
    assert "service.py" in fixed({"base.py": base, "service.py": service})


def test_fixed_code_opens_and_closes_one_client(monkeypatch: pytest.MonkeyPatch) -> None:
    after = fixed({"app.py": APP, "service.py": SERVICE})["service.py"]
    said: list[str] = []

    class Client(httpx.AsyncClient):
        def __init__(self, **arguments: object) -> None:
            said.append("open")
            transport = httpx.MockTransport(lambda request: httpx.Response(200, text="ok"))
            super().__init__(transport=transport, base_url="http://test", **arguments)  # type: ignore[arg-type]

        async def aclose(self) -> None:
            said.append("close")
            await super().aclose()

    monkeypatch.setattr(httpx, "AsyncClient", Client)
    space: dict[str, Any] = {}
    exec(compile(after, "service.py", "exec"), space)  # noqa: S102 - the fixed text is what is tested

    async def run() -> list[str]:
        service = space["Service"]("k")
        texts = await asyncio.gather(*(service.fetch(f"/{n}") for n in range(20)))
        await service.close()
        await service.close()
        return [*texts, await service.fetch("/again"), await service.close()]

    assert asyncio.run(run()) == ["ok"] * 21 + [None]
    assert said == ["open", "close", "open", "close"]


# -- refused ------------------------------------------------------------------------------------------


def test_nothing_closes_it() -> None:
    service = SERVICE.replace('    async def close(self):\n        print("closed")\n', "")
    app = "from service import Service\n\nservice = Service('k')\n"
    assert refusal(service, app=app) == "who closes a client that a `Service` keeps is not known"
    assert refusal(SERVICE, app=app) == "where `Service.close` is called could not be found"
    sync = SERVICE.replace("async def close", "def close")
    assert refusal(sync) == "`Service.close` is not `async def`, and cannot close it"


def test_an_object_that_is_left_open() -> None:
    other = "from service import Service\n\n\nasync def once():\n    return await Service('k').fetch('/')\n"
    assert refusal(SERVICE, other=other) == (
        "nothing calls `Service.close` for the object that is built at other.py:5"
    )
    stored = "from service import Service\n\nservices = [Service('k')]\n"
    assert "built at other.py:3" in refusal(SERVICE, other=stored)
    # A test that leaves one open is no reason.
    test = (
        "from service import Service\n\n\nasync def test_it():\n    await Service('k').fetch('/')\n"
    )
    files = {"app.py": APP, "service.py": SERVICE, "tests/test_service.py": test}
    assert "service.py" in fixed(files)


def test_entered_again_and_again() -> None:
    service = SERVICE.replace("def close(self)", "def __aexit__(self, *exc)") + (
        "\n    async def __aenter__(self):\n        return self\n"
    )
    app = """
    from service import Service

    service = Service("k")


    async def run():
        async with service:
            return await service.fetch("/")
    """
    assert refusal(service, app=app) == "`run` may enter one `Service` again and again"


def test_a_subclass_that_closes_otherwise() -> None:
    sub = "from service import Service\n\n\nclass Sub(Service):\n    async def close(self):\n        pass\n"
    assert refusal(SERVICE, sub=sub) == "`Sub.close` does not call `Service.close`"
    calls = sub.replace("pass", "await super().close()")
    assert "service.py" in fixed({"app.py": APP, "service.py": SERVICE, "sub.py": calls})


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("class Service:", "class Service(Base):", "a base class of `Service` is not in the project"),
        ("class Service:", "@dataclass\nclass Service:", "`Service` has a decorator"),
        ("class Service:", "class Service(metaclass=Meta):", "`Service` has a metaclass"),
        ('    """Fetches."""\n', '    __slots__ = ("key",)\n', "`Service` has `__slots__`"),
        ("self.key}", "self.find()}", "`self.find` is computed"),
        ("self.key}", "str(uuid.uuid4())}", "`uuid.uuid4()` gives something else each time"),
        ("self.key}", "self.other}", "where `self.other` comes from could not be found"),
        ("self.key}", "path}", "the arguments depend on `path`"),
        ("        async with httpx", "        self.key = path\n        async with httpx", "`Service.fetch` sets `self.key`"),
        ("        async with httpx", "        import httpx\n        async with httpx", "`httpx` is imported in `Service.fetch` alone"),
        ("return (await client.get(path)).text", "client.headers['a'] = path", "`client` is changed"),
        ("return (await client.get(path)).text", "self.client = client", "`client` is stored or handed on"),
        ("    async def fetch(self, path)", "    @classmethod\n    async def fetch(self, path)", "has no object that could keep the client"),
    ],
)  # fmt: skip
def test_refused(old: str, new: str, reason: str) -> None:
    service = SERVICE.replace(old, new)
    if "self.find()" in new:
        service += "\n    def find(self):\n        return self.key\n"
    service = (
        "import uuid\nfrom dataclasses import dataclass\n\nfrom library import Base, Meta\n"
        + service
    )
    assert reason in refusal(service)


def test_an_argument_that_another_module_sets() -> None:
    other = (
        "from service import Service\n\n\ndef change(service: Service):\n    service.key = 'x'\n"
    )
    assert refusal(SERVICE, other=other) == "`change` sets `self.key`"


def test_what_is_awaited_or_entered_or_synchronous() -> None:
    pool = SERVICE.replace(
        'httpx.AsyncClient(headers={"Authorization": self.key})', "asyncpg.create_pool(self.key)"
    )
    pool = pool.replace("import httpx", "import asyncpg").replace(
        "client.get(path)).text", "client.fetch(path))"
    )
    assert refusal(pool) == "`create_pool` gives what has to be entered, or awaited, each time"
    sync = """
    import asyncio

    from openai import OpenAI


    class Service:
        async def fetch(self, path):
            client = OpenAI()
            return await asyncio.to_thread(client.responses.create, model="m", input=path)

        async def close(self):
            pass
    """
    assert refusal(sync) == "it is synchronous, and several threads would use it at once"


def test_several_event_loops() -> None:
    app = """
    import asyncio

    from service import Service

    service = Service("k")


    def fetch(path):
        return asyncio.run(service.fetch(path))


    async def both():
        await service.fetch("/a")
        await service.fetch("/b")


    async def stop():
        await service.close()
    """
    assert "runs an event loop of its own" in refusal(SERVICE, app=app)


def test_a_test_that_replaces_the_constructor() -> None:
    test = "from unittest.mock import patch\n\nimport service\n\n\n@patch('service.httpx.AsyncClient')\ndef test_it(fake): ...\n"
    assert refusal(SERVICE, tests__test_service=test) == (
        "`tests/test_service.py` puts something else in the place of `service.httpx`"
    )
