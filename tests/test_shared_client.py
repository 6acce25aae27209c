"""The lifespan plan: what it writes in projects that a page cannot show, and where it refuses."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from asynclint import check, fix
from asynclint.config import from_table
from asynclint.findings import Finding, Safety
from asynclint.project import Project, discover
from asynclint.testing import in_memory

RULE = "client-per-request"

APP = """
from fastapi import FastAPI
from routes import router

app = FastAPI()
app.include_router(router)
"""

ROUTE = """
from fastapi import APIRouter
from openai import AsyncOpenAI

router = APIRouter()


@router.post("/ask")
async def ask(prompt: str) -> str:
    client = AsyncOpenAI()
    return (await client.responses.create(model="gpt-5", input=prompt)).output_text
"""


def _project(files: Mapping[str, str]) -> Project:
    return in_memory({name: textwrap.dedent(text).lstrip("\n") for name, text in files.items()})


def findings(files: Mapping[str, str], **settings: object) -> list[Finding]:
    """The findings of the rule, with their fixes."""
    project = _project(files)
    config = from_table({"select": [RULE], **settings}, project.root)
    return check.check(project, config).findings


def fixed(files: Mapping[str, str], **settings: object) -> dict[str, str]:
    """The files after all fixes, which must leave no finding of the rule and change nothing the second time."""
    project = _project(files)
    config = from_table({"select": [RULE], **settings}, project.root)

    def checked(project: Project) -> Sequence[Finding]:
        return check.check(project, config).kept

    outcome = fix.run(project, checked(project), checked, fix.allowed(False), check.yields(config))
    assert outcome.problems == []
    assert [f.message for f in outcome.findings if f.rule == RULE] == []
    texts = {f.name: f.text or "" for f in project.files} | outcome.after
    for name, text in texts.items():
        compile(text, name, "exec")
    again = in_memory(texts)
    assert fix.run(again, checked(again), checked, fix.allowed(False), {}).after == {}
    return texts


def refusal(files: Mapping[str, str], **settings: object) -> str:
    """Why the one finding has no fix."""
    [finding] = findings(files, **settings)
    assert not finding.fixes, finding.fixes[0].title
    assert finding.refusal
    return finding.refusal


def section(text: str, start: str, end: str = "\n\n\n") -> str:
    """The lines of a text from one that starts so to the next end."""
    begin = text.index(start)
    stop = text.find(end, begin)
    return text[begin : stop if stop >= 0 else len(text)].rstrip("\n")


# -- the lifespan that is there --------------------------------------------------------------------------


def test_existing_lifespan_is_extended_around_its_yield() -> None:
    app = """
    from contextlib import asynccontextmanager

    from fastapi import FastAPI
    from routes import router


    @asynccontextmanager
    async def lifespan(application: FastAPI):
        print("up")
        yield {"greeting": "hello"}
        print("down")


    app = FastAPI(
        title="x",
        lifespan=lifespan,
    )
    app.include_router(router)
    """
    texts = fixed({"app.py": app, "routes.py": ROUTE})
    assert section(texts["app.py"], "async def lifespan") == textwrap.dedent(
        """\
        async def lifespan(application: FastAPI):
            print("up")
            async with AsyncOpenAI() as application.state.openai_client:
                yield {"greeting": "hello"}
            print("down")"""
    )
    assert "request.app.state.openai_client" in texts["routes.py"]


def test_lifespan_imported_from_another_module() -> None:
    files = {
        "app.py": """
        from fastapi import FastAPI
        from life import lifespan
        from routes import router

        app = FastAPI(lifespan=lifespan)
        app.include_router(router)
        """,
        "life.py": """
        from contextlib import asynccontextmanager


        @asynccontextmanager
        async def lifespan(_app):
            try:
                yield
            finally:
                print("down")
        """,
        "routes.py": ROUTE,
    }
    texts = fixed(files)
    assert (
        "        async with AsyncOpenAI() as _app.state.openai_client:\n            yield\n"
        in texts["life.py"]
    )
    assert texts["app.py"] == textwrap.dedent(files["app.py"]).lstrip("\n")


def test_object_that_the_lifespan_already_keeps_is_used() -> None:
    app = """
    from contextlib import asynccontextmanager

    from fastapi import FastAPI
    from openai import AsyncOpenAI
    from routes import router


    @asynccontextmanager
    async def lifespan(app):
        app.state.llm = AsyncOpenAI()
        yield
        await app.state.llm.close()


    app = FastAPI(lifespan=lifespan)
    app.include_router(router)
    """
    texts = fixed({"app.py": app, "routes.py": ROUTE})
    assert "client = request.app.state.llm\n" in texts["routes.py"]
    assert texts["app.py"] == textwrap.dedent(app).lstrip("\n")


def test_lifespan_of_another_kind_is_refused() -> None:
    app = """
    from fastapi import FastAPI
    from routes import router


    async def lifespan(app):
        yield


    app = FastAPI(lifespan=lifespan)
    app.include_router(router)
    """
    assert "@asynccontextmanager" in refusal({"app.py": app, "routes.py": ROUTE})


def test_startup_handlers_are_moved_into_the_lifespan() -> None:
    app = """
    from fastapi import FastAPI
    from routes import router

    app = FastAPI(title="x")
    app.include_router(router)


    @app.on_event("startup")
    async def connect():
        print("up")


    @app.on_event("shutdown")
    def disconnect():
        print("down")
    """
    texts = fixed({"app.py": app, "routes.py": ROUTE})
    assert "on_event" not in texts["app.py"]
    assert section(texts["app.py"], "async def lifespan") == textwrap.dedent(
        """\
        async def lifespan(app: FastAPI) -> AsyncIterator[None]:
            await connect()
            async with AsyncOpenAI() as app.state.openai_client:
                yield
            disconnect()"""
    )
    assert 'FastAPI(title="x", lifespan=lifespan)' in texts["app.py"]


def test_handlers_within_a_factory_are_called_there() -> None:
    app = """
    from fastapi import FastAPI
    from routes import router


    def create_app():
        app = FastAPI(title="x")
        app.include_router(router)

        @app.on_event("shutdown")
        async def disconnect():
            print("down")

        return app
    """
    text = fixed({"app.py": app, "routes.py": ROUTE})["app.py"]
    lifespan = """\
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncOpenAI() as app.state.openai_client:
            yield
        await disconnect()

    app = FastAPI(title="x", lifespan=lifespan)
"""
    assert lifespan in text
    assert "on_event" not in text


def test_startup_handlers_of_a_router_are_refused() -> None:
    route = ROUTE + '\n\n@router.on_event("startup")\nasync def connect():\n    pass\n'
    assert "startup handlers" in refusal({"app.py": APP, "routes.py": route})


# -- the application ---------------------------------------------------------------------------------------


def test_application_factory() -> None:
    app = """
    from fastapi import FastAPI
    from routes import router


    def create_app() -> FastAPI:
        app = FastAPI()
        app.include_router(router)
        return app
    """
    texts = fixed({"app.py": app, "routes.py": ROUTE})
    assert texts["app.py"].index("async def lifespan") < texts["app.py"].index("def create_app")
    assert "app = FastAPI(lifespan=lifespan)" in texts["app.py"]


def test_two_applications_are_told_apart_by_their_routers() -> None:
    other = """
    from fastapi import FastAPI

    app = FastAPI()


    @app.get("/")
    async def index() -> str:
        return ""
    """
    texts = fixed({"app.py": APP, "admin.py": other, "routes.py": ROUTE})
    assert "lifespan" in texts["app.py"]
    assert "lifespan" not in texts["admin.py"]


def test_a_router_of_two_applications_is_refused() -> None:
    assert "not certain" in refusal({"app.py": APP, "admin.py": APP, "routes.py": ROUTE})


MOUNTED = """
from fastapi import FastAPI
from routes import router

app = FastAPI()
api = FastAPI()
api.include_router(router)
app.mount("/api", api)
"""


def test_lifespan_of_the_root_fills_a_mounted_application() -> None:
    texts = fixed({"app.py": MOUNTED, "routes.py": ROUTE})
    assert "AsyncOpenAI() as api.state.openai_client:" in texts["app.py"]
    assert "\napp = FastAPI(lifespan=lifespan)\napi = FastAPI()\n" in texts["app.py"]
    assert "request.app.state.openai_client" in texts["routes.py"]


def test_mounted_application_is_known_where_the_existing_lifespan_stands() -> None:
    lifespan = """
    from contextlib import asynccontextmanager

    from v1 import api as v1


    @asynccontextmanager
    async def lifespan(app):
        async with AsyncOpenAI() as v1.state.openai_client:
            yield
    """
    app = """
    from fastapi import FastAPI
    from life import lifespan
    from v1 import api

    app = FastAPI(lifespan=lifespan)
    app.mount("/api", api)
    """
    api = """
    from fastapi import FastAPI
    from routes import router

    api = FastAPI()
    api.include_router(router)
    """
    without = lifespan.replace(
        "async with AsyncOpenAI() as v1.state.openai_client:\n            yield", "yield"
    )
    texts = fixed({"app.py": app, "v1.py": api, "life.py": without, "routes.py": ROUTE})
    assert "AsyncOpenAI() as v1.state.openai_client:" in texts["life.py"]
    kept = lifespan.replace("from v1", "from openai import AsyncOpenAI\n    from v1")
    texts = fixed({"app.py": app, "v1.py": api, "life.py": kept, "routes.py": ROUTE})
    assert texts["life.py"] == textwrap.dedent(kept).lstrip("\n")
    assert "request.app.state.openai_client" in texts["routes.py"]


def test_mounted_application_without_a_name_in_the_lifespan_is_refused() -> None:
    app = """
    from fastapi import FastAPI
    from life import lifespan
    from v1 import api

    app = FastAPI(lifespan=lifespan)
    app.mount("/api", api)
    """
    life = """
    from contextlib import asynccontextmanager


    @asynccontextmanager
    async def lifespan(app):
        yield
    """
    api = """
    from fastapi import FastAPI
    from routes import router

    api = FastAPI()
    api.include_router(router)
    """
    files = {"app.py": app, "v1.py": api, "life.py": life, "routes.py": ROUTE}
    assert "has no name for the mounted `v1.api`" in refusal(files)


def test_application_mounted_in_two_is_refused() -> None:
    second = "from app import api\nfrom fastapi import FastAPI\n\nother = FastAPI()\nother.mount('/api', api)\n"
    files = {"app.py": MOUNTED, "second.py": second, "routes.py": ROUTE}
    assert "is mounted is not certain" in refusal(files)


def test_application_mounted_in_one_that_is_handed_over_is_refused() -> None:
    """The lifespan of a mounted application does not run."""
    function = """
    from fastapi import FastAPI


    def mount_shop(app: FastAPI, path: str) -> None:
        from app import api as shop

        app.mount(path, shop)
    """
    app = MOUNTED.replace('app.mount("/api", api)', "")
    assert "app.mount" not in app
    files = {"app.py": app, "mounting.py": function, "routes.py": ROUTE}
    assert "in which application `app.api` is mounted is not certain" in refusal(files)


def test_application_mounted_by_a_route() -> None:
    app = """
    from fastapi import FastAPI
    from routes import router
    from starlette.applications import Starlette
    from starlette.routing import Mount

    api = FastAPI()
    api.include_router(router)
    app = Starlette(routes=[Mount("/api", app=api)])
    """
    texts = fixed({"app.py": app, "routes.py": ROUTE})
    assert "AsyncOpenAI() as api.state.openai_client:" in texts["app.py"]
    assert 'Starlette(routes=[Mount("/api", app=api)], lifespan=lifespan)' in texts["app.py"]

    listed = app.replace("app = Starlette(routes=[", "routes = [").replace("=api)])", "=api)]")
    listed = listed.rstrip() + "\n    app = Starlette(routes=routes)\n"
    files = {"app.py": listed, "routes.py": ROUTE}
    assert "in which application `app.api` is mounted is not certain" in refusal(files)


HELPED = """
import httpx
from openai import AsyncOpenAI


async def answer(prompt: str) -> str:
    client = AsyncOpenAI()
    return (await client.responses.create(model="gpt-5", input=prompt)).output_text
"""
HELPED_ROUTE = """
from fastapi import APIRouter
from shop.helper import answer

router = APIRouter()


@router.get("/ask")
async def ask(prompt: str) -> str:
    return await answer(prompt)
"""

READ_ONLY = "from openai import AsyncOpenAI\n\n"
"""What the import comes behind where what is read of the environment prepares for nothing."""


@pytest.mark.parametrize(
    ("prepare", "first"),
    [
        ("django.setup()\n\nfrom shop.routes import router\n", "from shop.routes import router\n"),
        ("load_dotenv()\n\nfrom shop.routes import router\n", "from shop.routes import router\n"),
        ("settings = {}\n\nfrom shop.routes import router\n", "from shop.routes import router\n"),
        ("from shop.routes import router\n\nos.environ['A'] = 'b'\n", "= 'b'\n"),
        ("from shop.routes import router\n\nos.environ.setdefault('A', 'b')\n", "'b')\n"),
        ("from shop.routes import router\n\nos.environ |= {'A': 'b'}\n", "'b'}\n"),
        ("from shop.routes import router\n\nTAG = os.environ.get('A', '')\n", READ_ONLY),
        ("from shop.routes import router\n\nTAG = os.environ['A']\n", READ_ONLY),
        ("from shop.routes import router\n\nTAG = os.environ['A'] == 'b'\n", READ_ONLY),
        ("logging.basicConfig()\n\nfrom shop.routes import router\n", "import router\n"),
        (
            "from shop.routes import router\n\nlogging.basicConfig()\n",
            "from openai import AsyncOpenAI\n\n",
        ),
    ],
)
def test_what_prepares_for_imports_stays_before_them(prepare: str, first: str) -> None:
    app = f"""
import os

import django
from dotenv import load_dotenv
from fastapi import FastAPI

{prepare}
app = FastAPI()
app.include_router(router)
"""
    files = {
        "shop/__init__.py": "",
        "shop/helper.py": HELPED,
        "shop/routes.py": HELPED_ROUTE,
        "shop/main.py": app,
    }
    text = fixed(files)["shop/main.py"]
    assert f"{first}from shop import helper\n" in text
    assert "AsyncOpenAI() as helper.Shared.openai_client" in text


@pytest.mark.parametrize("local", ["helper", "AsyncOpenAI"])
def test_names_of_the_lifespan_itself_are_not_taken(local: str) -> None:
    """`helper = …` of the lifespan is no module: what is put into it, no handler finds."""
    app = f"""
from contextlib import asynccontextmanager

from fastapi import FastAPI

from shop.routes import router


@asynccontextmanager
async def lifespan(app: FastAPI):
    {local} = print
    {local}("up")
    yield


app = FastAPI(lifespan=lifespan)
app.include_router(router)
"""
    files = {
        "shop/__init__.py": "",
        "shop/helper.py": HELPED,
        "shop/routes.py": HELPED_ROUTE,
        "shop/main.py": app,
    }
    if local == "AsyncOpenAI":
        assert refusal(files) == "`AsyncOpenAI` means something else in `lifespan`"
    else:
        text = fixed(files)["shop/main.py"]
        assert "import shop.helper as helper_module\n" in text
        assert "AsyncOpenAI() as helper_module.Shared.openai_client:" in text


@pytest.mark.parametrize(
    ("caught", "safe"),
    [("Exception", False), ("openai.OpenAIError", False), ("RateLimitError", True)],
)
def test_a_failing_constructor_that_is_answered_is_no_safe_fix(caught: str, safe: bool) -> None:
    app = f"""
from fastapi import FastAPI
from openai import AsyncOpenAI, RateLimitError

app = FastAPI()


@app.get("/")
async def ask(prompt: str) -> str:
    try:
        client = AsyncOpenAI()
        answer = await client.responses.create(model="gpt-5", input=prompt)
    except {caught}:
        return "later"
    return answer.output_text
"""
    [finding] = findings({"app.py": app})
    assert [f.safety == Safety.SAFE for f in finding.fixes] == [safe]


def test_what_is_imported_twice_is_one_import() -> None:
    helper = HELPED.replace("\n\n\nasync", "\nfrom openai import AsyncOpenAI\n\n\nasync")
    app = "from fastapi import FastAPI\nfrom shop.routes import router\n\napp = FastAPI()\napp.include_router(router)\n"
    files = {
        "shop/__init__.py": "",
        "shop/helper.py": helper,
        "shop/routes.py": HELPED_ROUTE,
        "shop/main.py": app,
    }
    assert "with AsyncOpenAI() as helper.Shared" in fixed(files)["shop/main.py"]


SHADOWED = """
from fastapi import FastAPI
from shop.helper import helper

app = FastAPI()


@app.get("/ask")
async def ask(prompt: str) -> str:
    return await helper(prompt)
"""


def test_a_package_that_calls_a_function_like_its_module_hands_on_the_class() -> None:
    files = {
        "shop/__init__.py": "",
        "shop/helper/__init__.py": "from .helper import helper\n",
        "shop/helper/helper.py": HELPED.replace("answer", "helper"),
        "shop/main.py": SHADOWED,
    }
    text = fixed(files)["shop/main.py"]
    assert "from shop.helper.helper import Shared as HelperShared\n" in text
    assert "AsyncOpenAI() as HelperShared.openai_client" in text


def test_two_clients_of_such_a_module_are_both_handed_on() -> None:
    other = """

async def older(prompt: str) -> str:
    client = AsyncOpenAI()
    return (await client.responses.create(model="gpt-4", input=prompt)).output_text


async def slower(prompt: str) -> str:
    client = AsyncOpenAI(timeout=90)
    return (await client.responses.create(model="gpt-4", input=prompt)).output_text
"""
    routes = """

@app.get("/older")
async def ask_older(prompt: str) -> str:
    return await older(prompt) + await slower(prompt)
"""
    files = {
        "shop/__init__.py": "",
        "shop/helper/__init__.py": "from .helper import helper\n",
        "shop/helper/helper.py": HELPED.replace("answer", "helper") + other,
        "shop/main.py": SHADOWED.replace(
            "app =", "from shop.helper.helper import older, slower\n\napp ="
        )
        + routes,
    }
    text = fixed(files)["shop/main.py"]
    assert text.count("AsyncOpenAI() as HelperShared.openai_client") == 1
    assert text.count("AsyncOpenAI(timeout=90) as HelperShared.openai_client_2") == 1


def test_a_module_below_a_directory_without_init_is_imported_from_the_top() -> None:
    files = {
        "shop/__init__.py": "",
        "shop/cloud/tools/__init__.py": "",
        "shop/cloud/tools/helper.py": HELPED,
        "shop/main.py": SHADOWED.replace(
            "shop.helper import helper", "shop.cloud.tools.helper import answer"
        ).replace("helper(", "answer("),
    }
    text = fixed(files)["shop/main.py"]
    assert "from shop.cloud.tools import helper\n" in text


CONFIGURED = """
from fastapi import FastAPI
from openai import AsyncOpenAI
from settings import get_settings

app = FastAPI()


@app.get("/ask")
async def ask(prompt: str) -> str:
    client = AsyncOpenAI(api_key=get_settings().api_key)
    return (await client.responses.create(model="gpt-5", input=prompt)).output_text
"""
SETTINGS = """
from functools import lru_cache


class Settings:
    def __init__(self) -> None:
        self.api_key = "a"


@lru_cache
def get_settings() -> Settings:
    return Settings()
"""


def test_settings_that_change_while_the_program_runs_are_read_for_every_request() -> None:
    assert "get_settings" in fixed({"main.py": CONFIGURED, "settings.py": SETTINGS})["main.py"]
    changing = """
from settings import get_settings


def save(key: str) -> None:
    settings = get_settings()
    settings.api_key = key
"""
    [one] = findings({"main.py": CONFIGURED, "settings.py": SETTINGS, "saving.py": changing})
    assert one.fixes == ()
    assert one.refusal == "`saving.py` changes `api_key`"


def test_settings_that_are_set_by_names_that_are_computed() -> None:
    configured = CONFIGURED.replace("get_settings().", "settings.").replace(
        "get_settings", "settings"
    )
    made = SETTINGS + "\n\nsettings = Settings()\n"
    assert "settings.api_key" in fixed({"main.py": configured, "settings.py": made})["main.py"]
    changing = """
from settings import settings


def save(values: dict) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
"""
    [one] = findings({"main.py": configured, "settings.py": made, "saving.py": changing})
    assert one.refusal == "`saving.py` changes attributes of `settings`"


BRANCHED = """
import os

from fastapi import FastAPI
from routes import router

if os.environ.get("DEBUG"):
    app = FastAPI(debug=True)
else:
    app = FastAPI(docs_url=None)  # not in production

app.include_router(router)
"""


def test_application_made_in_the_branches_of_an_if() -> None:
    text = fixed({"app.py": BRANCHED, "routes.py": ROUTE})["app.py"]
    assert "app = FastAPI(debug=True, lifespan=lifespan)" in text
    assert "app = FastAPI(docs_url=None, lifespan=lifespan)  # not in production" in text
    assert text.index("async def lifespan") < text.index('if os.environ.get("DEBUG"):')

    again = BRANCHED.replace("else:\n    app", "app")
    assert "made in several places" in refusal({"app.py": again, "routes.py": ROUTE})
    one = BRANCHED.replace("debug=True", "lifespan=None")
    assert "`lifespan=None`" in refusal({"app.py": one, "routes.py": ROUTE})
    other = BRANCHED.replace("docs_url=None", "on_startup=[print]")
    assert "made in several places" in refusal({"app.py": other, "routes.py": ROUTE})


def test_without_an_application_there_is_a_reason() -> None:
    assert "no application of this project is known to serve it" in refusal({"routes.py": ROUTE})


LAZY = ROUTE.replace("from openai import AsyncOpenAI\n", "").replace(
    "    client =", "    from openai import AsyncOpenAI\n\n    client ="
)


def test_a_library_that_may_be_missing_is_imported_by_no_application() -> None:
    """Until now a request fails where it is missing; then no request would be answered."""
    why = "`openai` may not be installed where `app` is imported"
    assert refusal({"app.py": APP, "routes.py": LAZY}) == why
    guarded = "try:\n    import openai\nexcept ImportError:\n    openai = None\n"
    assert refusal({"app.py": f"{guarded}{APP.lstrip()}", "routes.py": LAZY}) == why
    beside = {"app.py": APP, "routes.py": LAZY, "models.py": "from openai import OpenAI\n"}
    assert refusal(beside) == why


def test_a_library_that_is_there_in_any_case_is_imported_by_the_application() -> None:
    app = f"import models\n{APP.lstrip()}"
    texts = fixed({"app.py": app, "routes.py": LAZY, "models.py": "from openai import OpenAI\n"})
    assert "async with AsyncOpenAI() as app.state.openai_client" in texts["app.py"]


def test_routers_within_routers() -> None:
    files = {
        "shop/__init__.py": "",
        "shop/main.py": """
        from fastapi import FastAPI

        from shop.api import router

        app = FastAPI()
        app.include_router(router)
        """,
        "shop/api/__init__.py": """
        from fastapi import APIRouter

        from . import orders

        router = APIRouter()
        router.include_router(orders.router)
        """,
        "shop/api/orders.py": ROUTE,
    }
    texts = fixed(files)
    assert "async with AsyncOpenAI() as app.state.openai_client" in texts["shop/main.py"]


# -- the entry point -----------------------------------------------------------------------------------------


def _handler(text: str) -> str:
    head = "from fastapi import APIRouter, Request\nfrom openai import AsyncOpenAI\n\nrouter = APIRouter()\n\n\n"
    return head + textwrap.dedent(text).lstrip("\n")


def test_request_under_another_name_is_used() -> None:
    route = _handler(
        """
        @router.post("/ask")
        async def ask(prompt: str, req: Request):
            client = AsyncOpenAI()
            return await client.models.list()
        """
    )
    texts = fixed({"app.py": APP, "routes.py": route})
    assert "client = req.app.state.openai_client" in texts["routes.py"]
    assert "async def ask(prompt: str, req: Request):" in texts["routes.py"]


def test_request_of_starlette_is_the_same_class() -> None:
    route = ROUTE.replace(
        "from openai", "from starlette.requests import Request\nfrom openai"
    ) + textwrap.dedent("""

    @router.get("/path")
    async def path(request: Request) -> str:
        return request.url.path
    """)
    texts = fixed({"app.py": APP, "routes.py": route})
    assert "async def ask(request: Request, prompt: str) -> str:" in texts["routes.py"]


def test_a_body_called_request_is_left_alone() -> None:
    route = _handler(
        """
        @router.post("/ask")
        async def ask(request: dict):
            return await AsyncOpenAI().models.list()
        """
    )
    texts = fixed({"app.py": APP, "routes.py": route})
    assert "async def ask(http_request: Request, request: dict):" in texts["routes.py"]
    assert "http_request.app.state.openai_client.models.list()" in texts["routes.py"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("()", "(request: Request)"),
        ("(*, prompt: str)", "(request: Request, *, prompt: str)"),
        ("(*args: int)", "(request: Request, *args: int)"),
        ("(**options: str)", "(request: Request, **options: str)"),
        ("(prompt: str, n: int = 1)", "(request: Request, prompt: str, n: int = 1)"),
        (
            "(\n    prompt: str,\n    n: int = 1,\n)",
            "(\n    request: Request,\n    prompt: str,\n    n: int = 1,\n)",
        ),
        ("(n: int = 1)", "(request: Request, n: int = 1)"),
        ("(prompt: str, /)", "(request: Request, prompt: str, /)"),
    ],
)
def test_parameter_keeps_the_order(before: str, after: str) -> None:
    route = _handler(
        "@router.post('/ask')\nasync def ask"
        + before
        + ":\n    return await AsyncOpenAI().models.list()\n"
    )
    texts = fixed({"app.py": APP, "routes.py": route})
    assert f"async def ask{after}:" in texts["routes.py"]


def test_handler_that_others_call_gets_no_parameter() -> None:
    route = _handler(
        """
        @router.post("/ask")
        async def ask(prompt: str):
            return await AsyncOpenAI().models.list()


        @router.post("/twice")
        async def twice(prompt: str):
            await ask(prompt)
            return await ask(prompt)
        """
    )
    texts = fixed({"app.py": APP, "routes.py": route})
    assert "async def ask(prompt: str):" in texts["routes.py"]
    assert "Shared.openai_client.models.list()" in texts["routes.py"]


def test_handler_that_a_test_calls_is_refused() -> None:
    test = "from routes import ask\n\n\nasync def test_ask():\n    assert await ask('hi')\n"
    files = {"app.py": APP, "routes.py": ROUTE, "tests/test_ask.py": test}
    assert refusal(files) == "tests call `ask` without an application"


def test_streaming_generator_reads_the_request_around_it() -> None:
    route = _handler(
        """
        @router.get("/stream")
        async def stream():
            async def events():
                client = AsyncOpenAI()
                async with client.responses.stream(model="gpt-5", input="x") as stream:
                    async for event in stream:
                        yield event.type

            return StreamingResponse(events())
        """
    ).replace("\n\nrouter", "\nfrom starlette.responses import StreamingResponse\n\nrouter", 1)
    texts = fixed({"app.py": APP, "routes.py": route})
    assert "async def stream(request: Request):" in texts["routes.py"]
    assert "client = request.app.state.openai_client" in texts["routes.py"]


# -- how it is used -------------------------------------------------------------------------------------------


def _body(body: str, parameters: str = "request: Request") -> dict[str, str]:
    text = f"@router.post('/ask')\nasync def ask({parameters}):\n" + textwrap.indent(
        textwrap.dedent(body).strip("\n"), "    "
    )
    return {"app.py": APP, "routes.py": _handler(text + "\n")}


def _function(texts: dict[str, str]) -> str:
    return textwrap.dedent(texts["routes.py"].partition("Request):\n")[2])


def test_with_is_unwrapped_with_its_comments_and_early_returns() -> None:
    body = '''
    # Ask.
    async with AsyncOpenAI(max_retries=2) as client:  # one client
        # Is it there?
        models = await client.models.list()
        if not models:
            return """
        nothing
            """
        return models
    '''
    assert _function(fixed(_body(body))) == textwrap.dedent(
        '''\
        # Ask.
        client = request.app.state.openai_client  # one client
        # Is it there?
        models = await client.models.list()
        if not models:
            return """
            nothing
                """
        return models
        '''
    )


def test_one_of_several_items_is_taken_out() -> None:
    body = """
    async with lock(), AsyncOpenAI() as client, lock() as two:
        return await client.models.list(), two
    """
    files = _body(body)
    files["routes.py"] = files["routes.py"].replace("@router", "def lock(): ...\n\n\n@router", 1)
    assert _function(fixed(files)) == textwrap.dedent(
        """\
        client = request.app.state.openai_client
        async with lock(), lock() as two:
            return await client.models.list(), two
        """
    )


def test_try_that_only_closes_goes() -> None:
    body = """
    client = AsyncOpenAI()
    try:
        return await client.models.list()
    finally:
        await client.close()
    """
    assert _function(fixed(_body(body))) == textwrap.dedent(
        """\
        client = request.app.state.openai_client
        return await client.models.list()
        """
    )


def test_finally_that_does_more_stays() -> None:
    body = """
    client = AsyncOpenAI()
    try:
        return await client.models.list()
    except ValueError:
        return None
    finally:
        await client.close()
        print("done")
    """
    assert _function(fixed(_body(body))) == textwrap.dedent(
        """\
        client = request.app.state.openai_client
        try:
            return await client.models.list()
        except ValueError:
            return None
        finally:
            print("done")
        """
    )


def test_client_entered_later_is_unwrapped() -> None:
    body = """
    client = AsyncOpenAI()
    async with client:
        return await client.models.list()
    """
    assert _function(fixed(_body(body))) == textwrap.dedent(
        """\
        client = request.app.state.openai_client
        return await client.models.list()
        """
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            "client = AsyncOpenAI()\nclient.api_key = 'x'\nreturn await client.models.list()",
            "changed",
        ),
        (
            "client = AsyncOpenAI()\nclient.headers['x'] = 'y'\nreturn await client.models.list()",
            "changed",
        ),
        (
            "client = AsyncOpenAI()\nclient.headers.update(x='y')\nreturn await client.models.list()",
            "changed",
        ),
        (
            "import contextlib\nclient = AsyncOpenAI()\nasync with contextlib.aclosing(client):\n    return await client.models.list()",
            "closes",
        ),
        (
            "client = AsyncOpenAI()\nif request:\n    await client.close()\nreturn 1",
            "all that a block does",
        ),
        (
            "client = AsyncOpenAI(api_key=await secret())\nreturn await client.models.list()",
            "computed",
        ),
        (
            "client = AsyncOpenAI()\nawait client.close()\nreturn client.is_closed",
            "`client.is_closed` is asked for",
        ),
        ("client = AsyncOpenAI()\nunknown(client)\nreturn await client.models.list()", "not known"),
    ],
)
def test_what_cannot_be_shared_is_refused(body: str, reason: str) -> None:
    assert reason in refusal(_body(body))


SESSION = """
import aiohttp
from fastapi import APIRouter, Request, WebSocket

router = APIRouter()


@router.get("/page")
async def page(request: Request, url: str, password: str):
"""


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            "async with session.get(url, cookies=request.cookies) as answer:\n    return await answer.text()",
            "a shared one would mix the cookies that its calls get and are answered with",
        ),
        (
            "async with session.get(url, headers={'Cookie': password}) as answer:\n    return await answer.text()",
            "a shared one would mix the cookies of those whose headers it forwards",
        ),
        (
            "headers = dict(request.headers)\nasync with session.get(url, headers=headers) as answer:\n    return await answer.text()",
            "a shared one would mix the cookies of those whose headers it forwards",
        ),
        (
            "await session.post(f'{url}/login', data=password)\nasync with session.get(url) as answer:\n    return await answer.text()",
            "a shared one would mix the cookies of those who log in",
        ),
        (
            "async with session.post(f'{url}/login', json={'user': url, 'pass': password}) as answer:\n    return await answer.text()",
            "a shared one would mix the cookies of those who log in",
        ),
        (
            "async with session.post(url) as answer:\n    return answer.cookies.get('session')",
            "a shared one would mix the cookies that it is answered with",
        ),
        (
            "async with session.ws_connect(url) as socket:\n    return await socket.receive_str()",
            "each `ws_connect` keeps a connection, of which a shared one has so many for all",
        ),
        (
            "await session.get(url)\nreturn session.cookie_jar.filter_cookies(url)",
            "`session.cookie_jar.filter_cookies` would be that of all",
        ),
        (
            "return await load(session, url, request.cookies)",
            "a shared one would mix the cookies that its calls get and are answered with",
        ),
    ],
)
def test_a_session_that_is_one_user_s_is_not_shared(body: str, reason: str) -> None:
    used = textwrap.indent(
        f"async with aiohttp.ClientSession() as session:\n{textwrap.indent(body, '    ')}", "    "
    )
    load = """

async def load(session: aiohttp.ClientSession, url: str, cookies: dict[str, str]) -> str:
    async with session.get(url, cookies=cookies) as answer:
        return await answer.text()
"""
    assert refusal({"app.py": APP, "routes.py": SESSION + used + "\n" + load}) == reason


@pytest.mark.parametrize(
    ("limit", "refused"), [("2", True), ("size", True), ("0", False), ("200", False)]
)
def test_a_limit_of_each_request_is_not_one_of_all(limit: str, refused: bool) -> None:
    used = f"""
    connector = aiohttp.TCPConnector(limit={limit})
    async with aiohttp.ClientSession(connector=connector) as session:
        async with session.get(url) as answer:
            return await answer.text()
"""
    head = SESSION.replace("router =", "size = 5\nrouter =", 1)
    files = {"app.py": APP, "routes.py": head + used}
    if refused:
        assert refusal(files) == "its `limit` is meant for one request, not for all of them"
    else:
        assert "request.app.state" in fixed(files)["routes.py"]


def test_headers_that_are_read_one_by_one_are_not_forwarded() -> None:
    used = """
    token = request.headers.get("authorization") or request.cookies.get("token")
    async with aiohttp.ClientSession() as session:
        async with session.get(url, headers={"x-token": token}, cookies=None) as answer:
            return await answer.text()
"""
    assert "request.app.state" in fixed({"app.py": APP, "routes.py": SESSION + used})["routes.py"]


def test_client_of_a_function_that_closes_it_is_refused() -> None:
    files = _body("client = AsyncOpenAI()\nreturn await models(client)")
    files["routes.py"] += (
        "\n\nasync def models(one):\n    async with one:\n        return await one.models.list()\n"
    )
    assert "`models` closes the client" in refusal(files)


def test_arguments_that_depend_on_the_request_have_a_reason() -> None:
    [finding] = findings(
        _body("return await AsyncOpenAI(api_key=request.headers['key']).models.list()")
    )
    assert finding.level == "note"
    assert finding.refusal and "request" in finding.refusal


# -- arguments ----------------------------------------------------------------------------------------------------


def test_names_of_the_module_are_imported_where_the_lifespan_is() -> None:
    route = ROUTE.replace(
        "router = APIRouter()",
        'import os\n\nfrom settings import get_settings as read\n\nrouter = APIRouter()\nKEY = os.environ["KEY"]\n',
    ).replace(
        "AsyncOpenAI()",
        "AsyncOpenAI(api_key=KEY, base_url=read().url, timeout=float(os.getenv('T', '3')))",
    )
    settings = """
    from functools import lru_cache


    class Settings:
        url = "x"


    @lru_cache
    def get_settings() -> Settings:
        return Settings()
    """
    texts = fixed({"app.py": APP, "routes.py": route, "settings.py": settings})
    assert "from routes import KEY, router\n" in texts["app.py"]
    assert "from settings import get_settings as read\n" in texts["app.py"]
    assert "import os\n" in texts["app.py"]
    assert (
        "AsyncOpenAI(api_key=KEY, base_url=read().url, timeout=float(os.getenv('T', '3')))"
        in texts["app.py"]
    )


def test_environment_is_the_same_for_every_request() -> None:
    route = ROUTE.replace("AsyncOpenAI()", "AsyncOpenAI(api_key=os.environ.get('KEY', 'none'))")
    texts = fixed({"app.py": APP, "routes.py": "import os\n" + textwrap.dedent(route)})
    assert "AsyncOpenAI(api_key=os.environ.get('KEY', 'none')) as app.state" in texts["app.py"]
    mapping = ROUTE.replace("AsyncOpenAI()", "AsyncOpenAI(api_key=KEYS.get('main'))")
    text = textwrap.dedent(mapping) + "\n\nKEYS = {'main': 'x'}\n"
    assert "is not known" in refusal({"app.py": APP, "routes.py": text})


def test_local_that_only_the_constructor_needs_goes_along() -> None:
    body = """
    import httpx
    timeout = httpx.Timeout(10)
    client = AsyncOpenAI(timeout=timeout)
    return await client.models.list()
    """
    texts = fixed(_body(body))
    assert "AsyncOpenAI(timeout=httpx.Timeout(10)) as app.state.openai_client" in texts["app.py"]
    assert "timeout" not in texts["routes.py"]


def test_two_configurations_have_two_names() -> None:
    body = """
    one = AsyncOpenAI()
    two = AsyncOpenAI(max_retries=5)
    three = AsyncOpenAI(max_retries=5)
    return [await one.models.list(), await two.models.list(), await three.models.list()]
    """
    texts = fixed(_body(body))
    assert _function(texts).startswith(
        "one = request.app.state.openai_client\ntwo = request.app.state.openai_client_2\nthree = request.app.state.openai_client_2\n"
    )
    assert texts["app.py"].count("AsyncOpenAI(") == 2


def test_import_circle_is_refused() -> None:
    route = ROUTE.replace(
        "router = APIRouter()", "import app\n\nrouter = APIRouter()\nKEY = 'k'\n"
    ).replace("AsyncOpenAI()", "AsyncOpenAI(api_key=KEY)")
    app = APP.replace("from routes import router", "import routes").replace(
        "(router)", "(routes.router)"
    )
    assert "imports `app`" in refusal({"app.py": app, "routes.py": route})


# -- callers --------------------------------------------------------------------------------------------------------


def test_function_that_a_script_calls_too_is_refused() -> None:
    route = ROUTE.replace("    client = AsyncOpenAI()\n", "    client = make()\n").replace(
        "@router", "def make():\n    return AsyncOpenAI()\n\n\n@router"
    )
    script = "from routes import make\n\nprint(make())\n"
    assert "outside of requests" in refusal(
        {"app.py": APP, "routes.py": route, "script.py": script}
    )


def test_a_connection_is_not_shared() -> None:
    route = """
    import asyncpg
    from fastapi import APIRouter

    router = APIRouter()


    @router.get("/rows")
    async def rows():
        connection = await asyncpg.connect("postgres://x")
        try:
            return await connection.fetch("select 1")
        finally:
            await connection.close()
    """
    assert "one task at a time" in refusal({"app.py": APP, "routes.py": route})


def test_pool_is_entered_by_the_lifespan() -> None:
    route = """
    import asyncpg
    from fastapi import APIRouter

    router = APIRouter()


    @router.get("/rows")
    async def rows():
        pool = await asyncpg.create_pool("postgres://x")
        try:
            return await pool.fetch("select 1")
        finally:
            await pool.close()
    """
    texts = fixed({"app.py": APP, "routes.py": route})
    assert (
        'async with asyncpg.create_pool("postgres://x") as app.state.asyncpg_pool:'
        in texts["app.py"]
    )
    assert (
        "    pool = request.app.state.asyncpg_pool\n    return await pool.fetch"
        in texts["routes.py"]
    )
    assert "import asyncpg" not in texts["routes.py"]


def test_module_style_uses_no_request() -> None:
    texts = fixed({"app.py": APP, "routes.py": ROUTE}, fix={"client": "module"})
    assert "request" not in texts["routes.py"]
    assert "async with AsyncOpenAI() as routes.Shared.openai_client:" in texts["app.py"]


@pytest.mark.parametrize(
    "key",
    [
        "os.environ.get('K', 'd')",
        "os.environ.get('K')",
        "os.environ['K']",
        "str(os.environ.get('K'))",
    ],
)
def test_environment_is_read_once_however_it_is_written(key: str) -> None:
    files = _body(f"return await AsyncOpenAI(api_key={key}).models.list()")
    files["routes.py"] = "import os\n\n" + files["routes.py"]
    texts = fixed(files)
    assert f"AsyncOpenAI(api_key={key}) as app.state.openai_client" in texts["app.py"]


def test_request_class_of_starlette_is_used_where_it_is_there() -> None:
    route = ROUTE.replace(
        "\nrouter =", "from starlette.requests import Request\n\nprint(Request)\nrouter ="
    )
    texts = fixed({"app.py": APP, "routes.py": route})
    assert "async def ask(request: Request, prompt: str) -> str:" in texts["routes.py"]
    assert "from fastapi import APIRouter\n" in texts["routes.py"]


MIDDLEWARE = """
from fastapi import FastAPI
from openai import AsyncOpenAI


class Audit:
    def __init__(self, inner):
        self.inner = inner

    async def __call__(self, scope, receive, send):
        {test}
        client = AsyncOpenAI()
        await client.models.list()
        await self.inner(scope, receive, send)


app = FastAPI()
app.add_middleware(Audit)
"""


def test_asgi_middleware_that_also_runs_at_startup_is_refused() -> None:
    assert "before the application has started" in refusal(
        {"app.py": MIDDLEWARE.format(test="print(scope)")}
    )


def test_asgi_middleware_that_lets_everything_but_requests_pass() -> None:
    test = "if scope['type'] != 'http':\n            return await self.inner(scope, receive, send)"
    texts = fixed({"app.py": MIDDLEWARE.format(test=test)})
    assert "client = app.state.openai_client" in texts["app.py"]


def test_comments_beside_the_closing_are_kept() -> None:
    body = """
    client = AsyncOpenAI()
    try:
        models = await client.models.list()
        await client.close()  # early
        return models
    finally:
        # Always.
        await client.close()  # every time
    """
    assert _function(fixed(_body(body))) == textwrap.dedent(
        """\
        client = request.app.state.openai_client
        models = await client.models.list()
        # early
        return models
        # Always.
        # every time
        """
    )


def test_lifespan_state_style_yields_the_client() -> None:
    texts = fixed({"app.py": APP, "routes.py": ROUTE}, fix={"client": "lifespan-state"})
    assert section(texts["app.py"], "async def lifespan") == textwrap.dedent(
        """\
        async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
            async with AsyncOpenAI() as openai_client:
                yield {"openai_client": openai_client}"""
    )
    assert "client = request.state.openai_client" in texts["routes.py"]


def test_lifespan_state_style_adds_to_what_is_yielded() -> None:
    app = """
    from contextlib import asynccontextmanager

    from fastapi import FastAPI
    from routes import router


    @asynccontextmanager
    async def lifespan(app):
        yield {"greeting": "hello"}


    app = FastAPI(lifespan=lifespan)
    app.include_router(router)
    """
    route = (
        ROUTE
        + "\n\n"
        + section(ROUTE, "@router").replace("ask", "again").replace("/ask", "/again")
        + "\n"
    )
    texts = fixed({"app.py": app, "routes.py": route}, fix={"client": "lifespan-state"})
    assert section(texts["app.py"], "async def lifespan") == textwrap.dedent(
        """\
        async def lifespan(app):
            async with AsyncOpenAI() as openai_client:
                yield {"greeting": "hello", "openai_client": openai_client}"""
    )
    assert texts["routes.py"].count("client = request.state.openai_client\n") == 2


def test_dependency_style_has_a_provider() -> None:
    route = (
        ROUTE
        + "\n\n"
        + section(ROUTE, "@router").replace("ask", "again").replace("/ask", "/again")
        + "\n"
    )
    texts = fixed({"app.py": APP, "routes.py": route}, fix={"client": "dependency"})
    assert section(texts["routes.py"], "def get_openai_client") == textwrap.dedent(
        """\
        def get_openai_client(request: Request) -> AsyncOpenAI:
            return request.app.state.openai_client"""
    )
    asks = "openai_client: Annotated[AsyncOpenAI, Depends(get_openai_client)], prompt: str"
    assert texts["routes.py"].count(asks) == 2
    assert texts["routes.py"].count("client = openai_client\n") == 2
    assert texts["app.py"].count("AsyncOpenAI()") == 1


# -- what may not be built at startup ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            "if prompt:\n    client = AsyncOpenAI()\n    return await client.models.list()\nreturn None",
            "only under a condition",
        ),
        (
            "client = AsyncOpenAI() if prompt else None\nreturn await client.models.list()",
            "only under a condition",
        ),
        (
            "try:\n    client = AsyncOpenAI()\nexcept Exception:\n    return None\nreturn await client.models.list()",
            "an exception of its constructor is caught",
        ),
        (
            "if not os.environ.get('KEY'):\n    return None\nclient = AsyncOpenAI(api_key=os.environ['KEY'])\nreturn await client.models.list()",
            "is tested before the client is built",
        ),
    ],
)
def test_constructor_that_need_not_run_is_refused(body: str, reason: str) -> None:
    files = _body(body.replace("prompt", "request.query_params"))
    files["routes.py"] = "import os\n\n" + files["routes.py"]
    assert reason in refusal(files)


def test_call_and_constructor_in_one_try_are_shared() -> None:
    body = "try:\n    client = AsyncOpenAI()\n    return await client.models.list()\nexcept Exception:\n    return None"
    assert "AsyncOpenAI() as app.state.openai_client" in fixed(_body(body))["app.py"]


@pytest.mark.parametrize(
    "line",
    [
        "@patch('routes.AsyncOpenAI')\ndef test_ask(fake): ...",
        "def test_ask(monkeypatch):\n    monkeypatch.setattr(routes, 'AsyncOpenAI', object)",
        "def test_ask():\n    with patch.object(routes, 'AsyncOpenAI'): ...",
    ],
)
def test_constructor_that_a_test_replaces_is_refused(line: str) -> None:
    test = f"import routes\nfrom unittest.mock import patch\n\n\n{line}\n"
    files = {"app.py": APP, "routes.py": ROUTE, "tests/test_routes.py": test}
    why = "`tests/test_routes.py` puts something else in the place of `routes.AsyncOpenAI`"
    assert why in refusal(files)


def test_tests_that_do_not_start_the_application_make_it_unsafe() -> None:
    test = "from app import app\nfrom fastapi.testclient import TestClient\n\n"
    files = {"app.py": APP, "routes.py": ROUTE}
    [finding] = findings({**files, "tests/test_app.py": f"{test}client = TestClient(app)\n"})
    assert [f.safety.value for f in finding.fixes] == ["unsafe"]
    [finding] = findings(
        {**files, "tests/test_app.py": f"{test}with TestClient(app) as client:\n    pass\n"}
    )
    assert [f.safety.value for f in finding.fixes] == ["safe"]


ANSWERED = {
    "app.py": APP,
    "llm.py": """
from openai import AsyncOpenAI


async def answer(prompt: str) -> str:
    client = AsyncOpenAI()
    return (await client.responses.create(model="gpt-5", input=prompt)).output_text


async def asked(prompt: str) -> str:
    return await answer(prompt)
""",
    "routes.py": """
from fastapi import APIRouter
from llm import asked

router = APIRouter()


@router.post("/ask")
async def ask(prompt: str) -> str:
    return await asked(prompt)
""",
}


def test_tests_with_an_application_of_their_own_have_no_client() -> None:
    assert "Shared.openai_client" in fixed(ANSWERED)["llm.py"]
    test = """
    import pytest
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from routes import router


    @pytest.fixture
    def client():
        app = FastAPI()
        app.include_router(router)
        return TestClient(app)
    """
    reason = "`tests/conftest.py` builds an application that has not this lifespan"
    assert refusal({**ANSWERED, "tests/conftest.py": test}) == reason


@pytest.mark.parametrize("name", ["answer", "asked"])
def test_tests_that_call_the_function_have_no_client(name: str) -> None:
    test = f"""
    import asyncio

    from llm import {name}


    def test_answer():
        assert asyncio.run({name}("?"))
    """
    reason = f"tests call `{name}` without an application"
    assert refusal({**ANSWERED, "tests/test_llm.py": test}) == reason


def test_dependency_that_a_websocket_may_use_takes_a_connection() -> None:
    routes = """
    from fastapi import APIRouter, Depends, WebSocket
    from openai import AsyncOpenAI

    router = APIRouter()


    async def models() -> object:
        client = AsyncOpenAI()
        return await client.models.list()


    @router.websocket("/chat")
    async def chat(socket: WebSocket, known: object = Depends(models)) -> None:
        await socket.accept()
    """
    texts = fixed({"app.py": APP, "routes.py": routes})
    assert "from fastapi.requests import HTTPConnection\n" in texts["routes.py"]
    assert "async def models(request: HTTPConnection) -> object:" in texts["routes.py"]


def test_dependency_made_by_partial_gets_no_parameter() -> None:
    routes = """
    from functools import partial

    from fastapi import APIRouter, Depends
    from openai import AsyncOpenAI

    router = APIRouter()


    async def answer(model: str) -> object:
        client = AsyncOpenAI()
        return await client.models.retrieve(model)


    @router.get("/model")
    async def model(found: object = Depends(partial(answer, "gpt-5"))) -> object:
        return found
    """
    files = {"app.py": APP, "routes.py": routes}
    for one in findings(files):
        texts = [e.text for fix_ in one.fixes for e in fix_.edits if e.path == "routes.py"]
        assert not any("Request" in text for text in texts)


def test_module_style_in_the_module_of_the_application() -> None:
    app = """
    from fastapi import FastAPI
    from openai import AsyncOpenAI

    app = FastAPI()


    @app.get("/models")
    async def models() -> object:
        client = AsyncOpenAI()
        return await client.models.list()
    """
    [text] = fixed({"app.py": app}, fix={"client": "module"}).values()
    assert "async with AsyncOpenAI() as Shared.openai_client:" in text
    assert "    client = Shared.openai_client\n" in text


JOB = """
import asyncio

from celery import Celery
from openai import AsyncOpenAI

celery = Celery("jobs")


async def summarize(text: str) -> str:
    client = AsyncOpenAI()
    return (await client.responses.create(model="gpt-5", input=text)).output_text


@celery.task
def summary(text: str) -> str:
    return asyncio.run(summarize(text))
"""


def test_function_that_a_job_runs_too_is_refused() -> None:
    app = """
    from fastapi import FastAPI
    from jobs import summarize

    app = FastAPI()


    @app.post("/summary")
    async def summary(text: str) -> str:
        return await summarize(text)
    """
    own = "`summary` runs `summarize` in an event loop of its own"
    assert refusal({"app.py": app, "jobs.py": JOB}) == own
    handed = JOB.replace(
        "def summary(text: str) -> str:\n    return asyncio.run(summarize(text))",
        "async def summary(text: str) -> str:\n    return await summarize(text)",
    )
    assert "summary" in refusal({"app.py": app, "jobs.py": handed})


MOUNTED_SERVER = """
from fastapi import FastAPI
from openai import AsyncOpenAI
from tools import mcp_app

app = FastAPI(lifespan={lifespan})
app.mount("/tools", mcp_app)


@app.post("/ask")
async def ask(prompt: str) -> str:
    client = AsyncOpenAI()
    return (await client.responses.create(model="gpt-5", input=prompt)).output_text


@app.post("/slow")
async def slow(prompt: str) -> str:
    client = AsyncOpenAI(timeout=90)
    return (await client.responses.create(model="gpt-5", input=prompt)).output_text
"""
SERVER = """
from fastmcp import FastMCP

mcp_app = FastMCP("tools").http_app()
"""


@pytest.mark.parametrize("lifespan", ["mcp_app.lifespan", "mcp_app.router.lifespan_context"])
def test_the_lifespan_of_another_application_is_run_around_the_own(lifespan: str) -> None:
    files = {"main.py": MOUNTED_SERVER.format(lifespan=lifespan), "tools.py": SERVER}
    text = fixed(files)["main.py"]
    assert f"    async with {lifespan}(app) as state:\n        async with (\n" in text
    assert "AsyncOpenAI() as app.state.openai_client,\n" in text
    assert "AsyncOpenAI(timeout=90) as app.state.openai_client_2,\n" in text
    assert "            yield state\n" in text
    assert "app = FastAPI(lifespan=lifespan)" in text


def test_a_module_is_imported_as_the_application_imports_others(tmp_path: Path) -> None:
    files = {
        "backend/main.py": """
            from fastapi import FastAPI
            from service.api import router

            app = FastAPI()
            app.include_router(router)
            """,
        "backend/service/__init__.py": "",
        "backend/service/api.py": """
            from fastapi import APIRouter
            from service.models import ask

            router = APIRouter()


            @router.get("/ask")
            async def route() -> str:
                return await ask()
            """,
        "backend/service/models.py": """
            import aiohttp


            async def ask() -> str:
                async with aiohttp.ClientSession() as session:
                    async with session.get("https://example.org") as response:
                        return await response.text()
            """,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text))
    config = from_table({"select": [RULE]}, tmp_path)
    project = discover([tmp_path], config)
    [found] = check.check(project, config).findings
    added = "".join(e.text for e in found.fixes[0].edits)
    assert "from service import models" in added and "backend.service" not in added


def test_handlers_under_a_condition_are_not_called_without_it() -> None:
    app = """
        from fastapi import FastAPI
        from routes import router
        from settings import seeded

        app = FastAPI()
        app.include_router(router)

        if seeded:

            @app.on_event("startup")
            def seed() -> None:
                print("seed")
        """
    [found] = findings({"app.py": app, "routes.py": ROUTE})
    assert found.refusal == "a startup handler is registered under a condition"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("AsyncOpenAI(api_key=settings.openai_key)", "`settings.openai_key` may be left out, and the application would not start"),
        ("AsyncOpenAI(api_key=settings.other_key)", None),
    ],
)  # fmt: skip
def test_settings_that_may_be_left_out(line: str, reason: str | None) -> None:
    settings = """
        from pydantic_settings import BaseSettings


        class Settings(BaseSettings):
            openai_key: str | None = None
            other_key: str


        settings = Settings()
        """
    route = ROUTE.replace("AsyncOpenAI()", line).replace(
        "from openai", "from settings import settings\nfrom openai"
    )
    [found] = findings({"app.py": APP, "routes.py": route, "settings.py": settings})
    assert found.refusal == reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            "    if not ADDRESS:\n        raise ValueError(ADDRESS)\n    return ADDRESS\n",
            "`address` may raise, and the application would not start",
        ),
        (
            "    return checked()\n\n\ndef checked() -> str:\n    raise ValueError(ADDRESS)\n",
            "`checked` may raise, and the application would not start",
        ),
        ("    return ADDRESS\n", None),
    ],
)
def test_arguments_that_may_raise(body: str, reason: str | None) -> None:
    settings = f"ADDRESS = 'https://example.org'\n\n\ndef address() -> str:\n{body}"
    route = ROUTE.replace("AsyncOpenAI()", "AsyncOpenAI(base_url=address())").replace(
        "from openai", "from settings import address\nfrom openai"
    )
    [found] = findings({"app.py": APP, "routes.py": route, "settings.py": settings})
    assert found.refusal == reason


def test_errors_of_the_library_that_are_answered() -> None:
    route = """
        from fastapi import APIRouter
        from pymongo import AsyncMongoClient
        from pymongo.errors import PyMongoError

        router = APIRouter()


        @router.get("/health")
        async def health() -> bool:
            try:
                client = AsyncMongoClient("mongodb://localhost")
                await client.admin.command("ping")
                return True
            except PyMongoError:
                return False
        """
    [found] = findings({"app.py": APP, "routes.py": route})
    assert found.refusal == "an exception of its library is answered, and would end the startup"


@pytest.mark.parametrize("made", ["requests.Session()", "Tuned()"])
def test_a_session_of_requests_is_not_for_several_threads(made: str) -> None:
    route = f"""
    import requests
    from fastapi import APIRouter

    router = APIRouter()


    class Tuned(requests.Session):
        def __init__(self):
            super().__init__()
            self.trust_env = False


    @router.get("/weather")
    def weather(city: str) -> dict:
        session = {made}
        return session.get("https://weather.example/v1", params={{"city": city}}, timeout=5).json()
    """
    assert "several threads would use it at once" in refusal({"app.py": APP, "routes.py": route})


def test_a_client_of_google_cloud_is_not_built_before_it_is_needed() -> None:
    route = """
    from fastapi import APIRouter
    from google.cloud import storage

    router = APIRouter()


    @router.post("/keep")
    def keep(text: str) -> None:
        client = storage.Client(project="x")
        client.bucket("b").blob("c").upload_from_string(text)
    """
    assert "looks for credentials" in refusal({"app.py": APP, "routes.py": route})


THREADED = """
    import asyncio
    import threading
    from concurrent.futures import ThreadPoolExecutor

    import {library}
    from fastapi import APIRouter, BackgroundTasks

    router = APIRouter()
    pool = ThreadPoolExecutor()


    def send(address: str) -> int:
        with {made} as session:
            return session.post(address).status_code


    @router.post("/hooks")
    {route}
"""

IN_A_THREAD = "`send` runs in a thread of its own, which may go on when the application has ended"
AT_ONCE = "several threads would use it at once: `send` is no coroutine"


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        ("async def hook(a: str): threading.Thread(target=send, args=(a,)).start()", IN_A_THREAD),
        ("def hook(a: str): threading.Timer(5, send, args=(a,)).start()", IN_A_THREAD),
        ("async def hook(a: str): pool.submit(send, a)", IN_A_THREAD),
        ("async def hook(a: str): asyncio.get_running_loop().run_in_executor(None, send, a)", IN_A_THREAD),
        ("async def hook(a: str): return await asyncio.get_running_loop().run_in_executor(None, send, a)", None),
        ("async def hook(a: str): return await asyncio.to_thread(send, a)", None),
        ("def hook(a: str): return pool.submit(send, a).result()", None),
        ("def hook(a: str, tasks: BackgroundTasks): tasks.add_task(send, a)", None),
        ("def hook(a: str): return send(a)", None),
    ],
)  # fmt: skip
def test_a_thread_outlives_the_lifespan(route: str, reason: str | None) -> None:
    text = THREADED.format(library="httpx", made="httpx.Client()", route=route)
    [found] = findings({"app.py": APP, "routes.py": text})
    assert found.refusal == reason
    text = THREADED.format(library="requests", made="requests.Session()", route=route)
    assert refusal({"app.py": APP, "routes.py": text}) == AT_ONCE


@pytest.mark.parametrize(
    ("library", "made"),
    [
        ("docker", "docker.from_env()"),
        ("clickhouse_connect", "clickhouse_connect.get_client(host='db')"),
        ("boto3", "boto3.resource('s3')"),
        ("github", "github.Github()"),
        ("psycopg2.pool", "psycopg2.pool.SimpleConnectionPool(1, 9, 'dbname=x')"),
    ],
)
def test_what_one_thread_may_use_is_not_for_several(library: str, made: str) -> None:
    route = "def hook(a: str): return send(a)"
    text = THREADED.format(library=library, made=made, route=route)
    text = text.replace(
        f"with {made} as session:", f"session = {made}; return session.one(address)"
    )
    text = text.replace("            return session.post(address).status_code\n", "")
    assert refusal({"app.py": APP, "routes.py": text}) == AT_ONCE


@pytest.mark.parametrize("use", ["session.post(a)", "await asyncio.to_thread(session.post, a)"])
def test_a_session_of_a_coroutine_belongs_in_threads_too(use: str) -> None:
    route = f"""
    import asyncio

    import requests
    from fastapi import APIRouter

    router = APIRouter()


    @router.post("/hooks")
    async def hook(a: str) -> bool:
        session = requests.Session()
        return bool({use})
    """
    reason = "several threads would use it at once: its calls block, and belong in them"
    assert refusal({"app.py": APP, "routes.py": route}) == reason


def test_the_asynchronous_client_of_such_a_library_is_shared() -> None:
    route = """
    from curl_cffi.requests import AsyncSession
    from fastapi import APIRouter

    router = APIRouter()


    @router.get("/pages")
    async def page(address: str) -> str:
        async with AsyncSession() as session:
            return (await session.get(address)).text
    """
    texts = fixed({"app.py": APP, "routes.py": route})
    assert "session = request.app.state.curl_cffi_session\n" in texts["routes.py"]


# -- tests that have nothing to do with it ------------------------------------------------------------

MAILED = {
    "main.py": """
    from fastapi import FastAPI

    from routers import mail

    app = FastAPI()
    app.include_router(mail.router)
    """,
    "routers/__init__.py": "",
    "routers/mail.py": """
    import httpx
    from fastapi import APIRouter

    router = APIRouter()


    @router.post("/mail")
    async def send(text: str) -> int:
        async with httpx.AsyncClient() as client:
            return (await client.post("https://mail.example/", content=text)).status_code
    """,
    "weather.py": """
    import httpx


    async def forecast() -> str:
        async with httpx.AsyncClient() as session:
            return (await session.get("https://weather.example/")).text
    """,
}

PATCHED = """
import asyncio
from unittest.mock import AsyncMock, patch

from weather import forecast
{imported}

@patch("httpx.AsyncClient", AsyncMock())
def test_forecast({parameters}):
    assert asyncio.run(forecast())
    {asked}
"""


def patched(imported: str = "", parameters: str = "", asked: str = "") -> str:
    return PATCHED.format(imported=imported, parameters=parameters, asked=asked)


def test_what_a_test_replaces_for_other_code() -> None:
    assert (
        "async with" not in fixed({**MAILED, "tests/test_weather.py": patched()})["routers/mail.py"]
    )


CLIENT = """
import pytest
from fastapi.testclient import TestClient

from main import app


@pytest.fixture
def http():
    with TestClient(app) as made:
        yield made
"""


@pytest.mark.parametrize(
    "test",
    [
        patched(imported="from routers import mail"),
        patched(imported="from routers.mail import send"),
        patched(asked='http.post("/mail")', parameters="http"),
        patched(parameters="http"),
        patched(asked='assert pick("routers.mail")'),
    ],
)
def test_what_a_test_replaces_for_the_code_that_would_share_it(test: str) -> None:
    files = {**MAILED, "tests/conftest.py": CLIENT, "tests/test_weather.py": test}
    reason = "`tests/test_weather.py` puts something else in the place of `httpx.AsyncClient`"
    assert refusal(files) == reason


@pytest.mark.parametrize("autouse", ["", "(autouse=True)"])
def test_what_a_fixture_replaces_may_be_for_any_test(autouse: str) -> None:
    conftest = f"""
    import pytest


    @pytest.fixture{autouse}
    def offline(monkeypatch):
        monkeypatch.setattr("httpx.AsyncClient", None)
    """
    reason = "`tests/conftest.py` puts something else in the place of `httpx.AsyncClient`"
    assert refusal({**MAILED, "tests/conftest.py": conftest}) == reason


def test_a_fixture_of_another_file_that_comes_to_it() -> None:
    conftest = """
    import pytest


    @pytest.fixture(autouse=True)
    def mailed():
        from routers.mail import send

        return send
    """
    files = {**MAILED, "tests/conftest.py": conftest, "tests/test_weather.py": patched()}
    reason = "`tests/test_weather.py` puts something else in the place of `httpx.AsyncClient`"
    assert refusal(files) == reason


SERVED = """
from fastapi import FastAPI
from fastapi.testclient import TestClient

from {module} import router

app = FastAPI()
app.include_router(router)


def test_it():
    with TestClient(app) as client:
        assert client.post("/other").status_code == 200
"""


def test_an_application_of_a_test_that_serves_something_else() -> None:
    other = "from fastapi import APIRouter\n\nrouter = APIRouter()\n"
    files = {**MAILED, "routers/other.py": other}
    test = SERVED.format(module="routers.other")
    assert "async with" not in fixed({**files, "tests/test_other.py": test})["routers/mail.py"]


def test_an_application_of_a_test_that_serves_it_by_way_of_another_module() -> None:
    served = "from fastapi import APIRouter\n\nfrom routers import mail\n\nrouter = APIRouter()\n"
    files = {**MAILED, "served.py": served + "router.include_router(mail.router)\n"}
    test = SERVED.format(module="served")
    reason = "`tests/test_served.py` builds an application that has not this lifespan"
    assert refusal({**files, "tests/test_served.py": test}) == reason


# -- projects beside each other -----------------------------------------------------------------------

BESIDE = {
    "pyproject.toml": '[project]\nname = "core"\n',
    "core/__init__.py": "",
    "core/server.py": """
    from fastapi import FastAPI

    from core.version import VERSION

    app = FastAPI(version=VERSION)
    """,
    "core/version.py": 'VERSION = "1"\n',
    "hosted/pyproject.toml": '[project]\nname = "hosted"\n',
    "hosted/main.py": """
    from core.server import app

    from routes.keys import router

    app.include_router(router)
    """,
    "hosted/routes/__init__.py": "",
    "hosted/routes/keys.py": """
    import httpx
    from fastapi import APIRouter

    from core.version import VERSION

    router = APIRouter()


    async def made(name: str) -> int:
        async with httpx.AsyncClient() as client:
            return (await client.post("https://keys.example/", content=name)).status_code


    @router.post("/keys")
    async def make(name: str) -> int:
        return await made(name)
    """,
}


def test_a_lifespan_that_cannot_import_what_it_would_open() -> None:
    reason = "`core/server.py` cannot import `hosted/routes/keys.py` as others do"
    assert refusal(BESIDE) == reason


def test_a_constant_that_the_lifespan_cannot_import() -> None:
    keys = """
    import httpx
    from fastapi import APIRouter

    from routes.named import AGENT

    router = APIRouter()


    @router.post("/keys")
    async def make(name: str) -> int:
        async with httpx.AsyncClient(headers={"User-Agent": AGENT}) as client:
            return (await client.post("https://keys.example/", content=name)).status_code
    """
    files = {**BESIDE, "hosted/routes/keys.py": keys, "hosted/routes/named.py": 'AGENT = "a"\n'}
    reason = "`core/server.py` cannot import `hosted/routes/named.py` as others do"
    assert refusal(files) == reason


# -- what is served without a path of its own -----------------------------------------------------------


def test_tests_that_ask_for_whatever_depends_on_it_without_starting_the_application() -> None:
    app = """
    import httpx
    from fastapi import Depends, FastAPI

    app = FastAPI()


    async def quote() -> str:
        async with httpx.AsyncClient() as client:
            return (await client.get("https://quotes.example/")).text


    @app.get("/today")
    async def today(text: str = Depends(quote)) -> str:
        return text
    """
    test = """
    from fastapi.testclient import TestClient

    from app import app

    client = TestClient(app)


    def test_today():
        assert client.get("/today").text
    """
    reason = "`tests/test_app.py` asks for the application without starting the application"
    assert refusal({"app.py": app, "tests/test_app.py": test}) == reason


TOLD = """
from agents import Agent
from fastapi import APIRouter
from openai import AsyncOpenAI

router = APIRouter()


@router.post("/ask")
async def ask(prompt: str, handler: str) -> str:
    client = AsyncOpenAI()
    agent = Agent.of({arguments})
    return (await client.responses.create(model="gpt-5", input=str(agent))).output_text
"""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("llm=client, callback_manager=handler", "callback_manager"),
        ("client, callbacks=[handler]", "callbacks"),
        ("llm=client, system_prompt=prompt", None),
        ("prompt, callbacks=[handler]", None),
    ],
)
def test_what_is_told_whom_to_call_back_is_for_one_request(
    arguments: str, told: str | None
) -> None:
    (one,) = findings({"main.py": APP, "routes.py": TOLD.format(arguments=arguments)})
    reason = f"`Agent.of` gets it with `{told}`, which may be set on it for one request"
    assert (one.refusal == reason) == (told is not None)
