"""What a project says that it needs, and libraries that fixes import only where they are surely there."""

from __future__ import annotations

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


def test_the_nearest_file_says_it(tmp_path: Path) -> None:
    (tmp_path / "one" / "deep").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["mcp"]\n')
    (tmp_path / "one" / "pyproject.toml").write_text('[project]\nname = "y"\n')
    known = Requirements(tmp_path)
    assert known.around(tmp_path / "one" / "deep" / "a.py") == frozenset()
    assert known.around(tmp_path / "two" / "a.py") == {"mcp"}
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
