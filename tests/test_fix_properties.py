"""What must hold of every fix, on modules that nobody wrote: hypothesis puts them together from what people write.

Fixed code compiles, nothing is fixed twice, comments stay, functions without a finding stay as they are to the byte,
and the line ends are those of the file.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from asynclint import check, fix
from asynclint.config import from_table
from asynclint.findings import Finding
from asynclint.project import Project
from asynclint.testing import comments, in_memory

HEAD = '''\
"""Generated."""
import asyncio
import json
import subprocess
import time
from pathlib import Path
from time import sleep as nap

import httpx
import requests
from anthropic import AsyncAnthropic
from fastapi import APIRouter, FastAPI, Request
from mcp.server import MCPServer
from openai import AsyncOpenAI, OpenAI

server = MCPServer("generated")
shared = OpenAI()
'''

TAIL = """

async def fetch(one=None):
    await asyncio.sleep(1)
    return one


def slow(one):
    time.sleep(one)
    return one


def ask(one):  # the model
    return shared.responses.create(model="m", input=one).output_text
"""

STATEMENTS = [
    "time.sleep(1)",
    "nap(delay)",
    "time.sleep(\n{indent}    delay,  # as asked\n{indent})",
    "x = 1; time.sleep(2)",
    "slow(3)",
    "x = slow(delay)  # slow",
    "fetch(1)",
    "fetch(\n{indent}    x,\n{indent})",
    'x = f"{{fetch(1)}} and {{x}}"',
    "x = fetch(1).real",
    "if fetch(): x = 2",
    "asyncio.create_task(fetch(x))",
    "x = await asyncio.gather(*[fetch(i) for i in items])",
    "await asyncio.gather(*(fetch(i) for i in items), return_exceptions=True)  # all",
    'x = requests.get("https://x").json()',
    'x = httpx.get("https://x", timeout=3)',
    "x = [requests.get(i) for i in items]",
    'subprocess.run(["ls", x], check=True)',
    "x = subprocess.call(['ls', *items])",
    "x = ask(x).upper()",
    "x = [ask(i) for i in items]",
    'async with httpx.AsyncClient(timeout=x) as http:  # dynamic\n{indent}    await http.get("/")',
    'async with httpx.AsyncClient(timeout=3) as http, semaphore:\n{indent}    x = await http.get("/")  # static',
    'x = Path("x").read_text()',
    'with open("x") as handle:\n{indent}    # the file\n{indent}    x = json.load(handle)',
    'with open("x") as handle: x = handle.read()',
    'client = AsyncOpenAI()\n{indent}x = await client.responses.create(model="m", input="i")',
    "async with AsyncAnthropic() as model:  # a client\n{indent}    # asked\n{indent}    x = await model.models.list()",
    "x = await AsyncOpenAI(timeout=3).models.list()",
    "for i in items:\n{indent}    http = httpx.AsyncClient()\n{indent}    x = await http.get(i)",
    'sync = OpenAI()\n{indent}x = sync.responses.create(model="m", input="i")',
    "asyncio.run(fetch())",
    "# nothing but a comment",
    "x = '''\n  time.sleep(1)\n'''",
    'x = "naïve ✓"; fetch(x)',
    "await fetch(x)",
    "print(x)",
    "return x",
]
HEADERS = [
    "if x:",
    "for i in items:",
    "async for i in stream(x):",
    "while x:  # on and on",
    "try:",
    "with lock:",
    "async with semaphore:",
    "def inner(items=items, x=x, delay=1):",
    "async def inner(items=items, x=x, delay=1):",
    "else-if",
]
SIGNATURES = [
    "async def {name}(items, x=1, delay=2):",
    "def {name}(items, x=1, delay=2):",
    '@app.get("/{name}")\nasync def {name}(items: str, x: int = 1, delay: int = 2):',
    '@app.post("/{name}")\nasync def {name}(\n    request: Request,\n    items: str,\n    x: int = 1,  # one\n    delay: int = 2,\n) -> object:',
    "class C{name}:\n    async def {name}(self, items, x=1, delay=2):",
    'async def use_{name}(one: "C{name}"):\n    await one.aclose()\n\n\nclass C{name}:\n    """Closed."""\n\n    async def aclose(self):\n        # the end\n        print(self)\n\n    async def {name}(self, items, x=1, delay=2):',
    "@server.tool()\nasync def {name}(items: str, x: int = 1, delay: int = 2) -> object:  # a tool",
]

CLOSING = frozenset({"aclose"})
"""Functions that a fix of another one may change: they close what that one built."""


@st.composite
def blocks(draw: st.DrawFn, indent: str, sync: bool, depth: int = 0) -> str:
    """The lines of a block."""
    lines = []
    for _ in range(draw(st.integers(1, 3))):
        if depth < 3 and draw(st.integers(0, 3)) == 0:
            lines.append(draw(_compound(indent, sync, depth)))
            continue
        statement = draw(st.sampled_from(STATEMENTS))
        if sync and ("await " in statement or "async with" in statement):
            statement = "pass  # nothing"
        lines.append(indent + statement.format(indent=indent))
    lines.append(f"{indent}pass")
    return "\n".join(lines)


@st.composite
def _compound(draw: st.DrawFn, indent: str, sync: bool, depth: int) -> str:
    header = draw(st.sampled_from(HEADERS))
    inner = indent + draw(st.sampled_from(["    ", "  "]))
    if header == "else-if":
        parts = [draw(blocks(inner, sync, depth + 1)) for _ in range(3)]
        return f"{indent}if x:\n{parts[0]}\n{indent}elif slow(x):\n{parts[1]}\n{indent}else:\n{parts[2]}"
    if "def inner" in header:
        sync = not header.startswith("async")
    elif sync:
        header = header.removeprefix("async ")
    text = f"{indent}{header}\n{draw(blocks(inner, sync, depth + 1))}"
    if header == "try:":
        text += f"\n{indent}except ValueError:  # not so\n{draw(blocks(inner, sync, depth + 1))}"
        if draw(st.booleans()):
            text += f"\n{indent}finally:\n{inner}print(x)"
    return text


@st.composite
def modules(draw: st.DrawFn) -> str:
    """The text of a module that compiles."""
    parts = [HEAD, "\napp = FastAPI()\n"]
    for number in range(draw(st.integers(1, 3))):
        signature = draw(st.sampled_from(SIGNATURES)).format(name=f"f{number}")
        indent = "        " if "class " in signature else "    "
        sync = signature.startswith("def")
        parts.append(f"\n\n{signature}\n{draw(blocks(indent, sync))}\n")
    parts.append(TAIL)
    text = "".join(parts)
    if draw(st.booleans()):
        text = text.rstrip("\n")
    return text.replace("\n", "\r\n") if draw(st.integers(0, 4)) == 0 else text


def _functions(text: str) -> dict[str, tuple[int, int, str]]:
    """First and last line and the source of every top-level function and method, by name."""
    found = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name != "inner":
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            last = node.end_lineno or node.lineno
            found[node.name] = (first, last, "\n".join(text.splitlines()[first - 1 : last]))
    return found


def _checked(project: Project) -> Sequence[Finding]:
    config = from_table({}, project.root)
    return check.check(project, config).kept


@given(modules(), st.booleans())
def test_fixes_keep_what_they_do_not_mean_to_change(text: str, unsafe: bool) -> None:
    compile(text, "app.py", "exec")
    project = in_memory({"app.py": text})
    findings = _checked(project)
    yields = check.yields(from_table({}, project.root))
    outcome = fix.run(project, findings, _checked, fix.allowed(not unsafe), yields)
    after = outcome.after.get("app.py", text)
    compile(after, "app.py", "exec")
    assert comments(text) - comments(after) == Counter(), "a comment is lost"
    if "\r\n" in text:
        assert "\n" not in after.replace("\r\n", ""), "line ends are mixed"
    assert after.endswith("\n") == text.endswith("\n")

    lines = {f.span.line for f in findings}
    names = {f.message for f in findings}
    fixed = _functions(after)
    for name, (first, last, source) in _functions(text).items():
        if name in CLOSING:
            continue
        if not lines & set(range(first, last + 1)) and not any(f"`{name}`" in m for m in names):
            assert fixed[name][2] == source, f"`{name}` has no finding"

    again = in_memory({"app.py": after})
    outcome = fix.run(again, _checked(again), _checked, fix.allowed(not unsafe), yields)
    assert outcome.after == {}, "fixed twice"
