"""The lifespan plan in applications of Litestar, Quart, Sanic and aiohttp.web: their own hooks open and close the client."""

from __future__ import annotations

from collections.abc import Mapping

import fixing
import pytest
from fixing import dedented

RULE = "client-per-request"


def fixed(files: Mapping[str, str]) -> dict[str, str]:
    """The files after all fixes, which must leave no finding and change nothing the second time."""
    return {name: dedented(text) for name, text in files.items()} | fixing.fixed(files, RULE)


def refusal(files: Mapping[str, str]) -> str:
    """Why the one finding has no fix."""
    return fixing.refusal(files, RULE)


def _is(text: str, wanted: str) -> None:
    assert text == dedented(wanted)


def test_quart_while_serving() -> None:
    app = """
    from openai import AsyncOpenAI
    from quart import Quart

    app = Quart(__name__)
    app.config["X"] = 1


    @app.post("/ask")
    async def ask():
        async with AsyncOpenAI() as client:
            return (await client.responses.create(model="m", input="x")).output_text
    """
    [text] = fixed({"app.py": app}).values()
    _is(
        text,
        '''
    from collections.abc import AsyncIterator

    from openai import AsyncOpenAI
    from quart import Quart


    class Shared:
        """What the application's lifespan opens and closes."""

        openai_client: AsyncOpenAI


    app = Quart(__name__)


    @app.while_serving
    async def lifespan() -> AsyncIterator[None]:
        async with AsyncOpenAI() as Shared.openai_client:
            yield


    app.config["X"] = 1


    @app.post("/ask")
    async def ask():
        client = Shared.openai_client
        return (await client.responses.create(model="m", input="x")).output_text
    ''',
    )


def test_quart_blueprint_and_the_hook_that_is_there() -> None:
    app = """
    from views import views
    from quart import Quart

    app = Quart(__name__)
    app.register_blueprint(views)


    @app.while_serving
    async def life():
        print("up")
        yield
        print("down")
    """
    views = """
    from openai import AsyncOpenAI
    from quart import Blueprint

    views = Blueprint("views", __name__)


    @views.get("/models")
    async def models():
        client = AsyncOpenAI()
        return await client.models.list()


    @views.get("/files")
    async def files():
        client = AsyncOpenAI()
        return await client.files.list()
    """
    texts = fixed({"app.py": app, "views.py": views})
    assert texts["app.py"].endswith(
        'async def life():\n    print("up")\n    async with AsyncOpenAI() as views_module.Shared.openai_client:\n'
        '        yield\n    print("down")\n'
    )
    assert "import views as views_module\n" in texts["app.py"]
    assert texts["views.py"].count("client = Shared.openai_client\n") == 2


def test_litestar_lifespan() -> None:
    app = """
    from litestar import Litestar, get
    from openai import AsyncOpenAI


    @get("/models")
    async def models() -> str:
        client = AsyncOpenAI()
        return str(await client.models.list())


    app = Litestar(route_handlers=[models])
    """
    [text] = fixed({"app.py": app}).values()
    _is(
        text,
        '''
    from collections.abc import AsyncIterator
    from contextlib import asynccontextmanager

    from litestar import Litestar, get
    from openai import AsyncOpenAI


    class Shared:
        """What the application's lifespan opens and closes."""

        openai_client: AsyncOpenAI


    @get("/models")
    async def models() -> str:
        client = Shared.openai_client
        return str(await client.models.list())


    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with AsyncOpenAI() as Shared.openai_client:
            yield


    app = Litestar(route_handlers=[models], lifespan=[lifespan])
    ''',
    )


LITESTAR = """
    from contextlib import asynccontextmanager

    from litestar import Litestar, get
    from openai import AsyncOpenAI


    @asynccontextmanager
    async def pool(app: Litestar):
        yield


    @get("/models")
    async def models() -> str:
        return str(await AsyncOpenAI().models.list())


    app = Litestar([models], lifespan=LIFESPAN)
"""


def test_litestar_lifespan_that_is_there() -> None:
    [text] = fixed({"app.py": LITESTAR.replace("LIFESPAN", "[pool]")}).values()
    assert (
        "async def pool(app: Litestar):\n    async with AsyncOpenAI() as Shared.openai_client:"
        in text
    )
    assert "lifespan=[pool])\n" in text
    [text] = fixed({"app.py": LITESTAR.replace("LIFESPAN", "[]")}).values()
    assert "lifespan=[lifespan])\n" in text


def test_litestar_lifespan_that_is_no_list_is_refused() -> None:
    assert "not a list" in refusal({"app.py": LITESTAR.replace("LIFESPAN", "tuple([pool])")})


def test_sanic_listeners() -> None:
    app = """
    from openai import AsyncOpenAI
    from sanic import Sanic
    from sanic.response import text

    app = Sanic("x")


    @app.post("/ask")
    async def ask(request):
        client = AsyncOpenAI()
        try:
            return text(str(await client.models.list()))
        finally:
            await client.close()


    @app.post("/files")
    async def files(request):
        return text(str(await AsyncOpenAI().files.list()))
    """
    [text] = fixed({"app.py": app}).values()
    assert (
        '\napp = Sanic("x")\n\n\n@app.before_server_start\nasync def open_openai_client(app: Sanic) -> None:\n'
        "    Shared.openai_client = AsyncOpenAI()\n\n\n@app.after_server_stop\n"
        "async def close_openai_client(app: Sanic) -> None:\n    await Shared.openai_client.close()\n\n\n@app.post"
    ) in text
    assert text.count("AsyncOpenAI()") == 1
    assert "    client = Shared.openai_client\n    return text(" in text


AIOHTTP = """
    from aiohttp import web
    from handlers import routes


    def make_app() -> web.Application:
        app = web.Application()
        app.add_routes(routes)
        return app


    web.run_app(make_app())
"""
HANDLERS = """
    import aiohttp
    from aiohttp import web

    routes = web.RouteTableDef()


    @routes.get("/")
    async def proxy(request: web.Request) -> web.Response:
        async with aiohttp.ClientSession() as session:
            async with session.get("http://x") as answer:
                return web.Response(text=await answer.text())
"""


def test_aiohttp_cleanup_context_in_a_factory() -> None:
    texts = fixed({"app.py": AIOHTTP, "handlers.py": HANDLERS})
    _is(
        texts["app.py"],
        """
    from collections.abc import AsyncIterator

    import aiohttp
    from aiohttp import web

    import handlers
    from handlers import routes


    async def shared_clients(app: web.Application) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as handlers.Shared.aiohttp_session:
            yield


    def make_app() -> web.Application:
        app = web.Application()
        app.cleanup_ctx.append(shared_clients)
        app.add_routes(routes)
        return app


    web.run_app(make_app())
    """,
    )
    assert "        session = Shared.aiohttp_session\n" not in texts["handlers.py"]
    assert (
        "    session = Shared.aiohttp_session\n    async with session.get(" in texts["handlers.py"]
    )


def test_aiohttp_cleanup_context_that_is_there() -> None:
    app = AIOHTTP.replace(
        "    def make_app",
        "    async def database(app):\n        print('up')\n        yield\n\n\n    def make_app",
    ).replace(
        "        app.add_routes",
        "        app.cleanup_ctx.append(database)\n        app.add_routes",
    )
    texts = fixed({"app.py": app, "handlers.py": HANDLERS})
    assert (
        "async def database(app):\n    print('up')\n"
        "    async with aiohttp.ClientSession() as handlers.Shared.aiohttp_session:\n        yield\n"
    ) in texts["app.py"]
    assert texts["app.py"].count("cleanup_ctx") == 1


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        (
            AIOHTTP.replace("app = web.Application()", "app = web.Application(); print()"),
            "could not be read",
        ),
        (AIOHTTP + "    other = web.Application()\n", "not certain"),
        (
            AIOHTTP.replace(
                "web.Application()\n        app.add_routes(routes)\n        return app", "None"
            ),
            "no application",
        ),
    ],
)
def test_applications_that_are_not_plain_are_refused(app: str, reason: str) -> None:
    assert reason in refusal({"app.py": app, "handlers.py": HANDLERS})


def test_quart_application_of_a_factory_is_refused() -> None:
    app = """
    from openai import AsyncOpenAI
    from quart import Quart


    def create_app() -> Quart:
        app = Quart(__name__)

        @app.get("/models")
        async def models():
            return await AsyncOpenAI().models.list()

        return app
    """
    assert "built in a function" in refusal({"app.py": app})


def test_application_of_another_framework_does_not_serve_it() -> None:
    other = "from fastapi import FastAPI\n\napi = FastAPI()\n"
    texts = fixed({"app.py": AIOHTTP, "handlers.py": HANDLERS, "api.py": other})
    assert "cleanup_ctx" in texts["app.py"]
    assert texts["api.py"] == other
