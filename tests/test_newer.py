"""Files in the syntax of a newer Python are read, and said to need it."""

from __future__ import annotations

import ast
import json
import re
import sys
import textwrap
from pathlib import Path

import pytest

from asynclint import check
from asynclint.cli import run
from asynclint.config import from_table
from asynclint.facts.newer import older
from asynclint.pythons import Pythons
from asynclint.testing import in_memory

OLD_STRINGS = pytest.mark.skipif(sys.version_info >= (3, 12), reason="reads such strings")

# The text, how it is spelled for an older Python, and which one it needs.
SPELLINGS = [
    ("class Box[T](dict[str, T]): ...\n", "class Box   (dict[str, T]): ...\n", (3, 12)),
    ("async def f[T: int](x: T) -> T: ...\n", "async def f        (x: T) -> T: ...\n", (3, 12)),
    ("def f[T = int](x: T): ...\n", "def f         (x: T): ...\n", (3, 13)),
    ("def f[\n    T,\n](x): ...\n", "def f\\\n     \\\n (x): ...\n", (3, 12)),
    ("type Pair[T] = tuple[T, T]\n", "Pair         = tuple[T, T]\n", (3, 12)),
    ("if x:\n    type A = int\n", "if x:\n    A      = int\n", (3, 12)),
    ("try:\n    f()\nexcept A, b.B:\n    g()\n", "try:\n    f()\nexcept(A,b.B):\n    g()\n", (3, 14)),
    ("try:\n    f()\nexcept A, B, C:\n    g()\n", "try:\n    f()\nexcept(A,B, C):\n    g()\n", (3, 14)),
    ("try:\n    f()\nexcept* A as e:\n    g()\n", "try:\n    f()\nexcept  A as e:\n    g()\n", (3, 11)),
]  # fmt: skip

STRINGS = [
    ('x = f"{row["a"]} é", g()\n', "x = f\"{row['a']} é\", g()\n"),
    ("x = f'{row['a']:>{len('b')}}'\n", "x = f'{row[\"a\"]:>{len(\"b\")}}'\n"),
    ("x = f\"{'\\n'.join(row)} y\"\n", "x = \"x{xxnx.join(row)} y\"\n"),
    ('x = rf"{row["a" + \'"\']}"\n', None),
    ("x = (f'{\nrow}')\n", None),
    ("x = f'{f'{f'{1}'}'}'\n", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "spelled", "needed"), SPELLINGS)
def test_what_is_new_is_spelled_as_before(text: str, spelled: str, needed: tuple[int, int]) -> None:
    assert older(text) == (spelled, needed)
    ast.parse(spelled)


@OLD_STRINGS
@pytest.mark.parametrize(("text", "spelled"), STRINGS)
def test_strings_that_hold_their_own_quotes(text: str, spelled: str | None) -> None:
    found = older(text)
    assert found is not None
    assert found[1] == (3, 12)
    assert spelled in (None, found[0])
    assert [len(line) for line in found[0].split("\n")] == [len(s) for s in text.split("\n")]
    ast.parse(found[0])


@pytest.mark.parametrize(
    "text",
    ["x = 1\n", "def f(:\n", "print 'x'\n", "x = f'{y}'\n", "try:\n    f()\nexcept (A, B):\n    g()\n", "\0",
     "x = " + 20_000 * "(" + 20_000 * ")", "x = " + 20_000 * "-" + "1 1", "x = " + 20_000 * "not " + "1 1",
     "x = a" + 20_000 * ".b(1)" + " 1", "x = 1" + 20_000 * " + \\\n1" + " 1", "if a:\n  b\n" + 20_000 * "elif a:\n  b\n" + "c d"],
)  # fmt: skip
def test_nothing_is_too_new_or_it_is_no_python(text: str) -> None:
    assert older(text) is None


NEW = """\
import time


class Store[T]:
    def wait(self) -> None:
        time.sleep(1)
"""

USER = """\
from store import Store


async def handler(store: Store) -> None:
    store.wait()
"""

TOO_NEW = pytest.mark.skipif(sys.version_info >= (3, 12), reason="reads type parameters")


@TOO_NEW
def test_what_is_too_new_is_said_and_read() -> None:
    project = in_memory({"store.py": NEW, "user.py": USER})
    for jobs in (1, 2):
        config = from_table({"jobs": jobs}, project.root)
        found = check.check(project, config).findings
        assert [(f.path, f.rule) for f in found] == [
            ("store.py", "syntax-error"),
            ("user.py", "blocking-sleep"),
        ]
        assert found[0].message.endswith("this file needs Python 3.12")
        assert (found[0].span.line, found[0].span.column) == (4, 12)


@TOO_NEW
def test_no_fix_touches_it() -> None:
    text = NEW + "\n\nasync def f() -> None:\n    time.sleep(1)\n"
    project = in_memory({"store.py": text})
    [error, sleep] = check.check(project, from_table({}, project.root)).findings
    assert error.rule == "syntax-error"
    assert not sleep.fixes
    assert sleep.refusal == "`store.py` is written for a newer Python than this one"


@TOO_NEW
def test_the_cache_knows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.asynclint]\n")
    (tmp_path / "store.py").write_text(NEW)
    (tmp_path / "user.py").write_text(USER)
    (tmp_path / "plain.py").write_text("type A = int\n")
    monkeypatch.chdir(tmp_path)
    said = []
    for text in ("", "X = 1\n", "Y = 1\n"):
        (tmp_path / "other.py").write_text(f"import asyncio\n{text}")
        assert run(["check", ".", "--output-format", "concise"]) == 1
        said.append(capsys.readouterr().out)
    assert said[0].count("this file needs Python 3.12") == 2
    assert said[0] == said[1] == said[2]


@TOO_NEW
@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[project]\nrequires-python = ">=3.12"\n', 0),
        ('[project]\nrequires-python = "~= 3.13, <4"\n', 0),
        ('[tool.poetry.dependencies]\npython = "^3.12"\n', 0),
        ('[project]\nrequires-python = ">=3.10,<3.14"\n', 1),
        ("[project]\nrequires-python = 3\n", 1),
        ('[project]\nname = "x"\n', 1),
        ("[project\n", 1),
    ],
)
def test_it_is_meant_where_the_project_needs_that_python(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    table: str,
    said: int,
) -> None:
    server = tmp_path / "server"
    server.mkdir()
    (tmp_path / ".git").mkdir()
    (server / "store.py").write_text(NEW)
    (server / "user.py").write_text(USER)
    monkeypatch.chdir(tmp_path)
    for where in (tmp_path, server):
        if where is tmp_path and "[project\n" in table:
            continue  # Of this file more is read than which Python it needs.
        for text, errors in ((table, said), ("", 1), (table, said)):
            (where / "pyproject.toml").write_text(text)
            for _ in range(2):
                assert run(["check", ".", "--output-format", "concise"]) == 1
                output = capsys.readouterr().out
                assert output.count("this file needs Python 3.12") == errors
                assert "user.py:5:5: error blocking-sleep" in output
        (where / "pyproject.toml").unlink()


@TOO_NEW
def test_ignores_in_it_count() -> None:
    text = (
        NEW + "\n\nasync def f() -> None:\n    time.sleep(1)  # asynclint: ignore[blocking-sleep]\n"
    )
    project = in_memory({"store.py": text})
    found = check.check(project, from_table({}, project.root)).findings
    assert [f.rule for f in found] == ["syntax-error"]


@pytest.mark.parametrize(
    ("name", "text", "threads"),
    [
        ("setup.py", 'from setuptools import setup\nsetup(python_requires=">=3.8.0")\n', False),
        ("setup.cfg", "[options]\npython_requires = >=3.7\n", False),
        ("pyproject.toml", '[project]\nname = "x"\nrequires-python = ">=3.8"\n', False),
        ("pyproject.toml", '[project]\nname = "x"\nrequires-python = ">=3.9"\n', True),
        ("setup.py", "from setuptools import setup\nsetup()\n", True),
        ("pyproject.toml", '[project]\nname = "x"\nrequires-python = ">=3"\n', False),
        ("pyproject.toml", '[project]\nname = "x"\nrequires-python = ">=2.7, !=3.0.*"\n', False),
        ("PKG-INFO", "Metadata-Version: 2.1\nName: x\nRequires-Python: >=3.6\n", False),
        ("x-1.0.dist-info/METADATA", "Name: x\nRequires-Python: ~=3.7\n", False),
        ("x-1.0.dist-info/METADATA", "Name: x\nRequires-Python: >=3.10\n", True),
        (".python-version", "3.8.10\n", False),
        (".python-version", "3.11.2\n3.8.10\n", False),
        (".python-version", "3.9\n", True),
        (".python-version", "system\n", True),
        ("runtime.txt", "python-3.7.16\n", False),
        ("Pipfile", '[requires]\npython_version = "3.8"\n', False),
        ("environment.yml", "dependencies:\n  - python=3.8\n  - pip\n", False),
        ("environment.yml", "dependencies:\n  - python-dotenv=3.8\n", True),
        ("Dockerfile", "FROM python:3.8-slim AS base\nRUN pip install .\n", False),
        ("Dockerfile", "from --platform=linux/amd64 docker.io/library/python:3.8\n", False),
        ("Dockerfile", "ARG PYTHON_VERSION=3.8\nFROM python:${PYTHON_VERSION}\n", False),
        ("Dockerfile", "FROM node:3.8\nFROM python:3.12\n", True),
        (
            "x-1.0.dist-info/METADATA",
            "Name: x\nClassifier: Programming Language :: Python :: 3.10\nClassifier: Programming Language :: Python :: 3.8\n",
            False,
        ),
        (
            "pyproject.toml",
            '[project]\nname = "x"\nrequires-python = ">=3.9"\nclassifiers = ["Programming Language :: Python :: 3.8"]\n',
            True,
        ),
    ],
)
def test_threads_are_for_pythons_that_have_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    text: str,
    threads: bool,
) -> None:
    (tmp_path / "app.py").write_text(
        "import shutil\n\n\nasync def f(path):\n    shutil.rmtree(path)\n"
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    for written, offered in ((text, threads), ("", True), (text, threads)):
        (tmp_path / name).write_text(written)
        for _ in range(2):
            assert run(["check", ".", "--output-format", "full"]) == 1
            output = capsys.readouterr().out
            assert ("asyncio.to_thread`\n" in output) == offered or not offered
            assert ("which has no `asyncio.to_thread`" in output) != offered


def test_what_is_needed_counts_more_than_what_is_run(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "Dockerfile").write_text("FROM python:3.8\n")
    assert Pythons(tmp_path).around(tmp_path / "service" / "app.py") == (3, 8)
    assert Pythons(tmp_path).around(tmp_path / "app.py") is None
    (tmp_path / "pyproject.toml").write_text('[project]\nrequires-python = ">=3.10"\n')
    assert Pythons(tmp_path).around(tmp_path / "service" / "app.py") == (3, 10)
    assert Pythons(tmp_path).of_root == (3, 10)


@pytest.mark.parametrize(("python", "bound"), [(">=3.7", False), ("~=3.7", False), (">=3.8", True)])
def test_a_bound_is_for_pythons_that_can_read_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    python: str,
    bound: bool,
) -> None:
    (tmp_path / "setup.py").write_text(
        f'from setuptools import setup\nsetup(python_requires="{python}")\n'
    )
    (tmp_path / "app.py").write_text(
        "import asyncio\n\nimport httpx\n\n\nasync def f(client: httpx.AsyncClient, urls):\n"
        "    return await asyncio.gather(*[client.get(url) for url in urls])\n"
    )
    monkeypatch.chdir(tmp_path)
    assert run(["check", ".", "--output-format", "json"]) == 1
    [found] = json.loads(capsys.readouterr().out)
    assert bool(found["fixes"]) == bound
    assert bound or "which has no positional-only parameters" in found["refusal"]


@pytest.mark.parametrize(
    ("python", "head", "style", "line"),
    [
        (">=3.8", "", "app-state", "from typing import AsyncIterator"),
        (
            ">=3.8",
            "from __future__ import annotations\n",
            "app-state",
            "from collections.abc import AsyncIterator",
        ),
        (">=3.9", "", "app-state", "from collections.abc import AsyncIterator"),
        (
            ">=3.8",
            "",
            "lifespan-state",
            "async def lifespan(app: FastAPI) -> AsyncIterator[Dict[str, Any]]:",
        ),
        (
            ">=3.9",
            "",
            "lifespan-state",
            "async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:",
        ),
    ],
)
def test_annotations_are_for_pythons_that_evaluate_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    python: str,
    head: str,
    style: str,
    line: str,
) -> None:
    """Of `collections.abc`, Python 3.8 evaluates no `AsyncIterator[None]`."""
    code = """
        import httpx
        from fastapi import FastAPI

        app = FastAPI()


        @app.get("/ask")
        async def ask(word: str) -> str:
            async with httpx.AsyncClient() as client:
                return (await client.get("https://example.org", params={"q": word})).text
        """
    (tmp_path / "app.py").write_text(head + textwrap.dedent(code).lstrip("\n"), "utf-8")
    table = f'[project]\nname = "x"\nrequires-python = "{python}"\n'
    table += f'[tool.asynclint.fix]\nclient = "{style}"\n'
    (tmp_path / "pyproject.toml").write_text(table, "utf-8")
    monkeypatch.chdir(tmp_path)
    run(["check", "--fix", "--unsafe-fixes", "--no-cache", "-q", "."])
    assert line in (tmp_path / "app.py").read_text("utf-8").split("\n")


@pytest.mark.parametrize(
    ("python", "head", "line"),
    [
        (">=3.8", "", 'background_tasks: typing.Set["asyncio.Task[typing.Any]"] = set()'),
        (
            ">=3.8",
            "from typing import Dict\n",
            'background_tasks: Set["asyncio.Task[Any]"] = set()',
        ),
        (
            ">=3.8",
            "from __future__ import annotations\n",
            "background_tasks: set[asyncio.Task[Any]] = set()",
        ),
        (">=3.9", "", "background_tasks: set[asyncio.Task[Any]] = set()"),
    ],
)
def test_the_set_of_tasks_is_declared_for_the_oldest_python(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    python: str,
    head: str,
    line: str,
) -> None:
    """Python 3.8 evaluates neither `set[…]` nor `asyncio.Task[…]`."""
    code = """
        import asyncio


        async def work() -> None: ...


        async def handler() -> None:
            asyncio.create_task(work())
        """
    (tmp_path / "app.py").write_text(head + textwrap.dedent(code).lstrip("\n"), "utf-8")
    table = f'[project]\nname = "x"\nrequires-python = "{python}"\n'
    (tmp_path / "pyproject.toml").write_text(table, "utf-8")
    monkeypatch.chdir(tmp_path)
    run(["check", "--fix", "--no-cache", "-q", "."])
    fixed = (tmp_path / "app.py").read_text("utf-8")
    assert line in fixed.split("\n")
    assert len(re.findall(r"^(?:from|import) typing", fixed, re.MULTILINE)) == 1
    compile(fixed, "app.py", "exec")
