"""The lifespan plan for tool servers: what is yielded is read from the context of a tool."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fixing
import httpx
import pytest

from asynclint import check, fix
from asynclint.config import from_table
from asynclint.findings import Finding
from asynclint.project import Project, discover

RULE = "client-per-request"

SERVER = """
import httpx
from mcp.server import MCPServer

server = MCPServer("almanac")


@server.tool()
async def moon(date: str) -> str:
    async with httpx.AsyncClient() as client:
        return (await client.get(f"/moon/{date}")).text
"""


def fixed(**files: str) -> str:
    """The text of `server.py` after all fixes."""
    return fixing.fixed({f"{name}.py": text for name, text in files.items()}, RULE)["server.py"]


def refusal(**files: str) -> str:
    """Why the one finding has no fix."""
    return fixing.refusal({f"{name}.py": text for name, text in files.items()}, RULE)


def test_new_lifespan() -> None:
    assert fixed(server=SERVER) == textwrap.dedent(
        """\
        from collections.abc import AsyncIterator
        from contextlib import asynccontextmanager
        from typing import Any

        import httpx
        from mcp.server import MCPServer
        from mcp.server.mcpserver import Context


        @asynccontextmanager
        async def lifespan(server: MCPServer) -> AsyncIterator[dict[str, Any]]:
            async with httpx.AsyncClient() as httpx_client:
                yield {"httpx_client": httpx_client}


        server = MCPServer("almanac", lifespan=lifespan)


        @server.tool()
        async def moon(ctx: Context, date: str) -> str:
            client = ctx.request_context.lifespan_context["httpx_client"]
            return (await client.get(f"/moon/{date}")).text
        """
    )


def _with(lifespan: str) -> str:
    head = "from collections.abc import AsyncIterator\nfrom contextlib import asynccontextmanager\nfrom dataclasses import dataclass\n\n"
    server = SERVER.lstrip("\n").replace(
        'server = MCPServer("almanac")',
        textwrap.dedent(lifespan).strip("\n")
        + '\n\n\nserver = MCPServer("almanac", lifespan=life)',
    )
    return head + server


def test_lifespan_that_yields_nothing() -> None:
    after = fixed(
        server=_with(
            """
            @asynccontextmanager
            async def life(server: MCPServer) -> AsyncIterator[None]:
                print("up")
                yield
                print("down")
            """
        )
    )
    assert "-> AsyncIterator[dict[str, Any]]:" in after
    assert '    async with httpx.AsyncClient() as httpx_client:\n        yield {"httpx_client": httpx_client}\n    print("down")\n' in after  # fmt: skip


def test_lifespan_that_yields_a_dict() -> None:
    after = fixed(
        server=_with(
            """
            @asynccontextmanager
            async def life(server: MCPServer) -> AsyncIterator[dict[str, object]]:
                httpx_client = 1
                yield {"db": httpx_client}
            """
        )
    )
    assert 'yield {"db": httpx_client, "httpx_client_2": httpx_client_2}' in after
    assert 'ctx.request_context.lifespan_context["httpx_client_2"]' in after


RECORD = """
@dataclass
class AppContext:
    db: object


@asynccontextmanager
async def life(server: MCPServer) -> AsyncIterator[AppContext]:
    try:
        yield AppContext(db=object())
    finally:
        print("down")
"""


def test_lifespan_that_yields_a_dataclass() -> None:
    after = fixed(server=_with(RECORD))
    assert "    db: object\n    httpx_client: httpx.AsyncClient\n" in after
    assert "            yield AppContext(db=object(), httpx_client=httpx_client)\n" in after
    assert "client = ctx.request_context.lifespan_context.httpx_client\n" in after


def test_client_that_the_dataclass_has_already() -> None:
    lifespan = """
    @dataclass
    class AppContext:
        http: httpx.AsyncClient


    @asynccontextmanager
    async def life(server: MCPServer) -> AsyncIterator[AppContext]:
        async with httpx.AsyncClient() as http:
            yield AppContext(http=http)
    """
    after = fixed(server=_with(lifespan))
    assert "client = ctx.request_context.lifespan_context.http\n" in after
    assert after.count("httpx.AsyncClient()") == 1


def test_context_that_is_there_and_tools_of_another_module() -> None:
    server = """
    from mcp.server.fastmcp import FastMCP

    mcp = FastMCP("almanac")
    """
    tools = """
    from typing import Any

    import httpx
    from mcp.server.fastmcp import Context
    from server import mcp


    @mcp.tool()
    async def moon(date: str, context: Context[Any, Any]) -> str:
        async with httpx.AsyncClient(timeout=3) as client:
            return (await client.get(f"/moon/{date}")).text
    """
    after = fixed(server=server, tools=tools)
    assert "async with httpx.AsyncClient(timeout=3) as httpx_client:" in after
    assert "async def lifespan(server: FastMCP)" in after


def test_other_package_of_the_same_name() -> None:
    server = SERVER.replace("mcp.server import MCPServer", "fastmcp import FastMCP")
    after = fixed(server=server.replace("MCPServer(", "FastMCP("))
    assert "from fastmcp import Context, FastMCP\n" in after
    assert 'client = ctx.lifespan_context["httpx_client"]\n' in after


ALLOWING = """
{head}
import httpx
from {module} import FastMCP{more}

{lifespan}
mcp = FastMCP("almanac"{argument})


@mcp.{kind}
async def moon({parameter}date: str) -> str:
    async with httpx.AsyncClient() as client:
        return (await client.get(f"/moon/{{date}}")).text
"""

ONE, TWO = "mcp.server.fastmcp", "fastmcp"
LIFE = """
from contextlib import asynccontextmanager


@asynccontextmanager
async def life(server: FastMCP):
    yield {"started": True}

"""
OLD = {"head": "from __future__ import annotations"}
LIVING = {"lifespan": LIFE, "argument": ", lifespan=life"}
HELD = {"parameter": "ctx: Context, ", "more": ", Context"}
NO_LIFESPAN = "the project also allows `mcp` 1.2.0, whose servers have no lifespan"
NO_STRING = "whose tools do not take `ctx: Context` where annotations are not evaluated"


@pytest.mark.parametrize(
    ("needed", "module", "parts", "reason"),
    [
        ("mcp>=1.2.0", ONE, {}, NO_LIFESPAN),
        ("mcp[cli]>=1.2.0,<2", ONE, OLD, NO_LIFESPAN),
        ("mcp>=1.2.0", ONE, LIVING, None),
        ("mcp>=1.2.0", ONE, LIVING | OLD, f"the project also allows `mcp` 1.2.0, {NO_STRING}"),
        ("mcp>=1.3", ONE, {}, None),
        ("mcp>=1.3", ONE, OLD, f"the project also allows `mcp` 1.3, {NO_STRING}"),
        ("mcp>=1.13.1", ONE, OLD, f"the project also allows `mcp` 1.13.1, {NO_STRING}"),
        ("mcp>=1.3", ONE, OLD | HELD, None),
        ("mcp>=1.14", ONE, OLD, None),
        ("mcp", ONE, OLD, None),
        ("mcp<2", ONE, OLD, None),
        ("rich", ONE, OLD, None),
        ("fastmcp>=2.10", TWO, OLD, f"the project also allows `fastmcp` 2.10, {NO_STRING}"),
        ("fastmcp>=2.10", TWO, {}, None),
        ("fastmcp>=2.11", TWO, OLD, None),
        ("fastmcp", TWO, OLD, None),
        ("fastmcp>=2.2", TWO, {"kind": "prompt()"}, "some releases give only tools a context"),
        ("fastmcp>=2.3", TWO, {"kind": "prompt()"}, None),
    ],
)  # fmt: skip
def test_a_version_that_the_project_allows(
    tmp_path: Path, needed: str, module: str, parts: dict[str, str], reason: str | None
) -> None:
    after = _allowing(tmp_path, needed, module, parts)
    if reason is not None:
        assert after == reason
    else:
        assert 'lifespan_context["httpx_client"]\n' in after


@pytest.mark.parametrize(
    ("needed", "direct"),
    [("fastmcp>=2.10", False), ("fastmcp>=2.14.7,<3", False), ("fastmcp>=3", True), ("fastmcp", True)],
)  # fmt: skip
def test_how_the_context_is_read_in_all_versions_that_are_allowed(
    tmp_path: Path, needed: str, direct: bool
) -> None:
    after = _allowing(tmp_path, needed, TWO, {})
    assert ('= ctx.lifespan_context["httpx_client"]\n' in after) == direct
    assert ('= ctx.request_context.lifespan_context["httpx_client"]\n' in after) != direct


def _allowing(tmp_path: Path, needed: str, module: str, parts: dict[str, str]) -> str:
    """The module after its fix in a project that needs something; else why it has none."""
    usual = dict.fromkeys(("head", "lifespan", "argument", "parameter", "more"), "")
    text = ALLOWING.format(**{**usual, "kind": "tool()", "module": module, **parts})
    (tmp_path / "server.py").write_text(text.lstrip("\n"))
    table = f'[project]\nname = "x"\ndependencies = ["{needed}", "httpx"]\n'
    (tmp_path / "pyproject.toml").write_text(table)
    config = from_table({"select": [RULE]}, tmp_path)
    project = discover([tmp_path], config)
    [found] = check.check(project, config).kept
    if not found.fixes:
        return found.refusal or ""

    def again(one: Project) -> Sequence[Finding]:
        return check.check(one, config).kept

    outcome = fix.run(project, [found], again, fix.allowed(False), check.yields(config))
    assert outcome.problems == []
    [after] = outcome.after.values()
    return after


def test_resources_and_prompts() -> None:
    resource = SERVER.replace("@server.tool()", '@server.resource("moon://{date}")')
    assert "async def moon(ctx: Context, date: str)" in fixed(server=resource)
    prompt = SERVER.replace("@server.tool()", "@server.prompt()")
    assert "async def moon(ctx: Context, date: str)" in fixed(server=prompt)


# -- refused ------------------------------------------------------------------------------------------


def test_resource_without_parameters() -> None:
    server = SERVER.replace("@server.tool()", '@server.resource("moon://now")')
    assert refusal(server=server.replace("date: str", "").replace("{date}", "now")) == (
        "a resource whose address has no parameters gets no context"
    )


def test_older_releases() -> None:
    old = SERVER.replace("mcp.server import MCPServer", "mcp.server.fastmcp import FastMCP")
    old = old.replace("MCPServer(", "FastMCP(")
    assert refusal(server=old.replace("@server.tool()", "@server.prompt()")) == (
        "some releases give only tools a context"
    )
    stateless = old.replace('"almanac"', '"almanac", stateless_http=True')
    assert refusal(server=stateless) == "a stateless server runs its lifespan for every request"


def test_helper_without_a_context() -> None:
    server = SERVER.replace('(date: str) -> str:\n', '(date: str) -> str:\n    return await look(date)\n\n\nasync def look(date: str) -> str:\n')  # fmt: skip
    assert refusal(server=server) == "`look` has no context from which it could be read"


def test_tool_that_others_call() -> None:
    other = "from server import moon\n\n\nasync def main():\n    print(await moon('now'))\n"
    assert "have no context" in refusal(server=SERVER, other=other)


def test_two_servers_and_mounted_ones() -> None:
    mounted = SERVER.replace("MCPServer", "FastMCP").replace("mcp.server import", "fastmcp import")
    main = "from fastmcp import FastMCP\nfrom server import server\n\nmain = FastMCP('main')\nmain.mount(server)\n"
    assert refusal(server=mounted, main=main) == "`main` mounts `server.server` in another server"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("    db: object\n", "    db: object = None\n", "`AppContext` has fields with a default"),
        ("AppContext(db=object())", "AppContext(object())", "where `AppContext` is filled could not be read"),
        ("yield AppContext(db=object())", "state = AppContext(db=object())\n        yield state", "what its lifespan yields could not be read"),
        ("@dataclass\n", "@dataclass(frozen=True)\n", "is no plain dataclass"),
    ],
)  # fmt: skip
def test_other_records(old: str, new: str, reason: str) -> None:
    assert reason in refusal(server=_with(RECORD.replace(old, new)))


# -- run ----------------------------------------------------------------------------------------------


def test_fixed_server_answers_with_one_client(monkeypatch: pytest.MonkeyPatch) -> None:
    from mcp.client.client import Client

    said: list[str] = []

    class Http(httpx.AsyncClient):
        def __init__(self) -> None:
            said.append("open")
            transport = httpx.MockTransport(
                lambda request: httpx.Response(200, text=request.url.path)
            )
            super().__init__(transport=transport, base_url="http://test")

        async def __aexit__(self, *exc: object) -> None:
            said.append("close")
            await super().__aexit__(None, None, None)

    async def answers(text: str) -> list[str]:
        space: dict[str, Any] = {}
        exec(compile(text, "server.py", "exec"), space)  # noqa: S102 - the text is what is tested
        async with Client(space["server"]) as client:
            found = [await client.call_tool("moon", {"date": str(n)}) for n in range(5)]
            tools = await client.list_tools()
        [tool] = tools.tools
        return [str(tool.input_schema), *(str(one.content) for one in found)]

    monkeypatch.setattr(httpx, "AsyncClient", Http)
    before = asyncio.run(answers(SERVER))
    assert said == ["open", "close"] * 5
    said.clear()
    assert asyncio.run(answers(fixed(server=SERVER))) == before
    assert said == ["open", "close"]
    said.clear()
    asyncio.run(answers(fixed(server=_with(RECORD))))
    assert said == ["open", "close"]
