"""What a project says that it needs, and libraries that fixes import only where they are surely there."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest
from fixing import applied, findings

from asynclint.cli import run
from asynclint.requirements import Requirements

READS = """
from pathlib import Path


async def load(path: Path) -> str:
    return path.read_text()
"""

PYMONGO = """
from fastapi import FastAPI
from pymongo import MongoClient

app = FastAPI()
users = MongoClient("mongodb://localhost").app.users


@app.get("/users/{name}")
async def user(name: str) -> str:
    found = users.find_one({"name": name})
    return str(found)
"""

TAKEN = "await anyio.to_thread.run_sync(path.read_text)"
USER = "import anyio\n\n\nasync def wait() -> None:\n    await anyio.sleep(1)\n"
GUARDED = "try:\n    import anyio\nexcept ImportError:\n    anyio = None\n"


@pytest.mark.parametrize(
    ("name", "text", "needed"),
    [
        ("pyproject.toml", '[project]\nname = "x"\ndependencies = ["HTTPX[http2]>=0.26,<1", "a_b.c"]\n', {"httpx", "a-b-c"}),
        ("pyproject.toml", '[project]\nname = "x"\ndependencies = ["anyio; python_version < \'3.11\'"]\n', set()),
        ("pyproject.toml", '[project]\nname = "x"\n[project.optional-dependencies]\nio = ["anyio"]\n', set()),
        ("pyproject.toml", '[project]\nname = "x"\ndynamic = ["dependencies"]\n', None),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "^3.9"\nanyio = {version = "4", optional = true}\nmcp = "1"\n', {"python", "mcp"}),
        ("pyproject.toml", "[tool.ruff]\nline-length = 100\n", None),
        ("pyproject.toml", "[project\n", None),
        ("setup.py", "setup(\n    install_requires=[\n        'httpx>=0.2,<1',  # http\n        \"rich\",\n    ],\n)\n", {"httpx", "rich"}),
        ("setup.py", "setup(install_requires=read())\n", None),
        ("setup.cfg", "[options]\ninstall_requires =\n    httpx>=0.2\n    rich\npackages = find:\n", {"httpx", "rich"}),
        ("PKG-INFO", "Name: x\nRequires-Dist: httpx>=0.2\nRequires-Dist: anyio; extra == \"io\"\n", {"httpx"}),
        ("PKG-INFO", "Name: x\n", None),
        ("x-1.0.dist-info/METADATA", "Name: x\nRequires-Dist: httpx (>=0.2)\n", {"httpx"}),
        ("x-1.0.dist-info/METADATA", "Name: x\n", set()),
    ],
)  # fmt: skip
def test_what_a_file_says(tmp_path: Path, name: str, text: str, needed: set[str] | None) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert Requirements(tmp_path).of_root == needed
    assert Requirements(tmp_path).around(tmp_path / "package" / "module.py") == needed


@pytest.mark.parametrize(
    ("name", "text", "lowest"),
    [
        ("pyproject.toml", '[project]\nname = "x"\ndependencies = ["MCP[cli]>=1.2.0,<2"]\n', (1, 2, 0)),
        ("pyproject.toml", '[project]\nname = "x"\ndependencies = ["mcp >= 1.2, > 1.4, != 1.5"]\n', (1, 4)),
        ("pyproject.toml", '[project]\nname = "x"\ndependencies = ["mcp==1.27.*"]\n', (1, 27)),
        ("pyproject.toml", '[project]\nname = "x"\ndependencies = ["mcp~=1.9.1; python_version < \'3.12\'", "mcp>=1.14"]\n', (1, 9, 1)),
        ("pyproject.toml", '[project]\nname = "x"\ndependencies = []\n[project.optional-dependencies]\nserver = ["mcp>=1.3"]\n', (1, 3)),
        ("pyproject.toml", '[project]\nname = "x"\ndependencies = ["mcp"]\n', None),
        ("pyproject.toml", '[project]\nname = "x"\ndependencies = ["mcp<2", "mcp-server>=1"]\n', None),
        ("pyproject.toml", '[project]\nname = "x"\ndependencies = ["mcp @ https://x.y/mcp==1.2"]\n', None),
        ("pyproject.toml", '[tool.poetry.dependencies]\nmcp = "^1.2"\n', (1, 2)),
        ("pyproject.toml", '[tool.poetry.dependencies]\nmcp = "1.6.0"\n', (1, 6, 0)),
        ("pyproject.toml", '[tool.poetry.dependencies]\nmcp = {version = "~1.6", optional = true}\n', (1, 6)),
        ("pyproject.toml", '[tool.poetry.dependencies]\nmcp = {git = "https://x.y"}\nrich = ["1"]\n', None),
        ("pyproject.toml", '[tool.poetry.dependencies]\nmcp = "*"\n', None),
        ("setup.py", "setup(\n    install_requires=[\n        'mcp>=1.2,<2',\n        \"rich\",\n    ],\n)\n", (1, 2)),
        ("setup.cfg", "[options]\ninstall_requires =\n    mcp>=1.2\n    rich\n", (1, 2)),
        ("x-1.0.dist-info/METADATA", "Name: x\nRequires-Dist: mcp (>=1.2)\nRequires-Dist: mcp[cli]>=1.1; extra == \"cli\"\n", (1, 1)),
        ("x-1.0.dist-info/METADATA", "Name: x\n", None),
    ],
)  # fmt: skip
def test_the_lowest_version_that_a_file_allows(
    tmp_path: Path, name: str, text: str, lowest: tuple[int, ...] | None
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    known = Requirements(tmp_path)
    assert known.lowest(tmp_path / "package" / "module.py", "mcp") == lowest


@pytest.mark.parametrize(
    ("files", "older"),
    [
        ({"requirements.txt": "rich\npymongo==4.6.3  # pinned\n"}, (4, 6, 3)),
        ({"requirements.txt": "pymongo==4.6.3 --hash=sha256:1 \\\n"}, (4, 6, 3)),
        ({"requirements.txt": "pymongo[srv]~=4.9\n"}, None),
        ({"requirements.txt": "pymongo\n"}, None),
        ({"requirements.txt": "pymongo<4.9\n"}, (4, 9)),
        ({"requirements.txt": "pymongo<5\n"}, None),
        ({"requirements.txt": "-r more/base.txt\n", "more/base.txt": "-r last.txt\n", "more/last.txt": "pymongo==3.12\n"}, (3, 12)),
        ({"requirements.txt": "-r requirements.txt\npymongo==3.12\n"}, (3, 12)),
        ({"requirements/prod.txt": "--requirement=base.txt\n", "requirements/base.txt": "pymongo==4.0\n"}, (4, 0)),
        ({"requirements.txt": "pymongo==4.0\n", "pyproject.toml": '[project]\nname = "x"\ndependencies = ["pymongo>=4.9"]\n'}, None),
        ({"requirements.txt": "pymongo==4.0\n", "pyproject.toml": '[project]\nname = "x"\ndynamic = ["dependencies"]\n'}, (4, 0)),
        ({"requirements.txt": "pymongo==4.0\n", "pyproject.toml": '[project]\nname = "x"\n'}, (4, 0)),
        ({"pyproject.toml": '[project]\nname = "x"\ndependencies = ["pymongo<4.7"]\n'}, (4, 7)),
        ({"deep/requirements.txt": "pymongo==4.0\n"}, None),
        ({"package/requirements.txt": "pymongo==4.0\n"}, (4, 0)),
    ],
)  # fmt: skip
def test_an_older_version_that_a_project_allows(
    tmp_path: Path, files: dict[str, str], older: tuple[int, ...] | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    known = Requirements(tmp_path)
    assert known.older(tmp_path / "package" / "module.py", "pymongo", (4, 9)) == older


@pytest.mark.parametrize(
    ("listed", "offered"),
    [("pymongo==4.6.3", False), ("pymongo==4.10.1", True), ("pymongo", True)],
)
def test_a_twin_that_is_newer_than_what_is_installed(
    tmp_path: Path, listed: str, offered: bool
) -> None:
    (tmp_path / "requirements.txt").write_text(listed + "\n")
    (tmp_path / "app.py").write_text(textwrap.dedent(PYMONGO))
    told = tmp_path / "told.json"
    run(["check", str(tmp_path), "--no-cache", "--output-format", "json", "-o", str(told)])
    [found] = json.loads(told.read_text())
    titles = [fix["title"] for fix in found["fixes"]]
    assert any("AsyncMongoClient" in title for title in titles) is offered, titles


def test_the_nearest_file_says_it(tmp_path: Path) -> None:
    (tmp_path / "one" / "deep").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["mcp"]\n')
    (tmp_path / "one" / "pyproject.toml").write_text('[project]\nname = "y"\n')
    known = Requirements(tmp_path)
    assert known.around(tmp_path / "one" / "deep" / "a.py") == frozenset()
    assert known.around(tmp_path / "two" / "a.py") == {"mcp"}
    assert str(tmp_path / "one" / "pyproject.toml") in known.asked


def test_the_nearest_file_tells_the_lowest_version(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["mcp>=1.2"]\n')
    (tmp_path / "one" / "pyproject.toml").write_text('[project]\nname = "y"\n')
    known = Requirements(tmp_path)
    assert known.lowest(tmp_path / "one" / "a.py", "mcp") is None
    assert known.lowest(tmp_path / "two" / "a.py", "mcp") == (1, 2)
    assert str(tmp_path / "one" / "pyproject.toml") in known.asked


@pytest.mark.parametrize(
    ("files", "taken"),
    [
        ({"other.py": USER}, True),
        ({"other.py": USER, "body.py": GUARDED}, False),
        ({"other.py": GUARDED}, False),
        ({"other.py": USER, "body.py": "def f():\n    import anyio\n\n    return anyio\n"}, False),
        ({"other.py": USER, "test_body.py": GUARDED}, True),
        (
            {
                "other.py": USER,
                "body.py": "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import anyio\n",
            },
            True,
        ),
    ],
)
def test_where_nothing_is_said_the_project_shows_whether_it_takes_anyio_for_granted(
    files: Mapping[str, str], taken: bool
) -> None:
    assert offered({"load.py": READS} | files) == taken


@pytest.mark.parametrize(
    ("head", "beside", "taken"),
    [
        ("import httpx\n", {}, True),
        ("from mcp.server import Server\n", {}, True),
        ("from starlette.responses import Response\n", {}, True),
        ("try:\n    import httpx\nexcept ImportError:\n    httpx = None\n", {}, False),
        ("from tools import go\n", {"tools.py": "import openai\n\n\ndef go(): ...\n"}, True),
        ("from tools import go\n", {"tools.py": "def go():\n    import openai\n"}, False),
        ("import httpx\n", {"httpx.py": "def get(): ...\n"}, False),
    ],
)
def test_a_module_that_imports_what_needs_anyio_has_it(
    head: str, beside: Mapping[str, str], taken: bool
) -> None:
    files = {"load.py": head + READS, "other.py": USER, "body.py": GUARDED, **beside}
    assert offered(files) == taken


def test_a_package_is_imported_before_its_modules() -> None:
    files = {"kit/__init__.py": "import httpx\n", "kit/load.py": READS, "kit/body.py": GUARDED}
    assert offered(files)


def offered(files: Mapping[str, str]) -> bool:
    """Whether the module is given an import of anyio; else the reason says that it may not be installed."""
    [found] = findings(files, "blocking-file-io")
    if found.fixes:
        [after] = applied(files, "blocking-file-io").after.values()
        assert TAKEN in after
        return True
    assert found.refusal is not None
    assert "`anyio` may not be installed where" in found.refusal
    return False


@pytest.mark.parametrize(
    ("needed", "taken"), [("rich", False), ("anyio>=4", True), ("httpx", True), ("", False)]
)
def test_what_is_said_decides(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    needed: str,
    taken: bool,
) -> None:
    for name, text in (("load.py", READS), ("other.py", USER)):
        (tmp_path / name).write_text(textwrap.dedent(text).lstrip("\n"))
    monkeypatch.chdir(tmp_path)
    table = f'[project]\nname = "x"\ndependencies = ["{needed}"]\n'
    for said, offers in ((table, taken), ("", True), (table, taken)):
        (tmp_path / "pyproject.toml").write_text(said)
        for _ in range(2):
            assert run(["check", ".", "--output-format", "full"]) == 1
            output = capsys.readouterr().out
            assert ("with `anyio.to_thread.run_sync`" in output) == offers
            assert ("`anyio` may not be installed" in output) != offers


HELD = """
import asyncio
from pathlib import Path


def current():
    try:
        return asyncio.get_running_loop()
    except RuntimeError:{comment}
        return None


async def load(path: Path) -> str:
    return path.read_text()
"""


@pytest.mark.parametrize(
    ("comment", "refused"),
    [
        ("  # not on an asyncio loop (another async library): no pool", True),
        ("\n        # No asyncio loop, e.g. under Trio.", True),
        ("  # called from plain code", False),
        ("  # no loop runs yet", False),
        ("", False),
    ],
)
def test_a_handler_that_expects_another_library(comment: str, refused: bool) -> None:
    [found] = findings({"load.py": HELD.format(comment=comment)}, "blocking-file-io")
    assert bool(found.fixes) != refused
    assert "runs on trio, too" in (found.refusal or "") or not refused


@pytest.mark.parametrize(
    ("beside", "refused"),
    [
        ('"""The client for asyncio and trio."""\n', True),
        ("# The pool also runs on trio.\n", True),
        ("# Works with `asyncio` or `trio`.\n", True),
        ("# This cannot be used with asyncio or trio.\n", False),
        ("# Groups of tasks as trio has them, for asyncio.\n", False),
        ("# A trio of clients; asyncio runs them.\n", False),
        ("# It isn't known. It runs on trio.\n", True),
    ],
)
@pytest.mark.parametrize("name", ["other.py", "test_other.py"])
def test_a_comment_that_names_both_libraries(beside: str, refused: bool, name: str) -> None:
    [found] = findings({"load.py": "import asyncio\n" + READS, name: beside}, "blocking-file-io")
    assert bool(found.fixes) != (refused and name == "other.py")


@pytest.mark.parametrize(
    ("head", "refused"), [("", True), ("import asyncio\n", False), ("import anyio\n", False)]
)
def test_a_module_of_a_project_that_asks_which_library_runs(head: str, refused: bool) -> None:
    asks = "import asyncio\nimport sniffio\n\nNAME = sniffio.current_async_library\n"
    [found] = findings({"load.py": head + READS, "asks.py": asks}, "blocking-file-io")
    assert bool(found.fixes) != refused


@pytest.mark.parametrize(
    ("name", "text", "refused"),
    [
        ("README.md", "# kit\n\nRuns under [asyncio](https://x.y) and [trio](https://z.y).\n", True),
        ("README.md", "# kit\n\nInspired by trio.\n", False),
        ("README.rst", "kit\n\nUnlike others it is not made for asyncio and trio.\n", False),
        ("pyproject.toml", '[project]\nname = "x"\nclassifiers = ["Framework :: Trio"]\n', True),
        ("x-1.0.dist-info/METADATA", "Name: x\n\nA client for asyncio and trio, and a\n", True),
        ("x-1.0.dist-info/METADATA", "Name: x\n\nA client for asyncio\n", False),
    ],
)  # fmt: skip
def test_a_project_that_is_described_as_one_for_trio(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    text: str,
    refused: bool,
) -> None:
    (tmp_path / "load.py").write_text("import asyncio" + READS)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for said, refuses in ((text, refused), ("", False), (text, refused)):
        (tmp_path / name).write_text(said)
        for _ in range(2):
            assert run(["check", ".", "--output-format", "full"]) == 1
            output = capsys.readouterr().out
            assert ("runs on trio, too" in output) == refuses
            assert ("with `asyncio.to_thread`" in output) != refuses
