"""What docs/editor.md tells people to put into their editors works on asynclint's real output."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "editor.md"

HELPERS = """\
import time


def pause():
    time.sleep(1)
"""
APP = """\
import asyncio
import time

from helpers import pause


async def handler(urls):
    time.sleep(1)
    pause()
    await asyncio.gather(*(fetch(url) for url in urls))


async def fetch(url):
    await asyncio.sleep(0)
"""
PLACES = [
    (8, 5, "error", "blocking-sleep"),
    (9, 5, "error", "blocking-sleep"),
    (10, 11, "warning", "unbounded-gather"),
]


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language on the page."""
    return re.findall(
        rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """`asynclint` on its PATH is the tree under test."""
    programs = tmp_path / "bin"
    programs.mkdir()
    shim = programs / "asynclint"
    shim.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m asynclint "$@"\n')
    shim.chmod(0o755)
    return os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "NO_COLOR": "1",
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two modules in a directory whose name needs quotes in a shell."""
    project = tmp_path / "my project"
    project.mkdir()
    (project / "helpers.py").write_text(HELPERS, "utf-8")
    (project / "my app.py").write_text(APP, "utf-8")
    return project


def quickfix(project: Path, environment: dict[str, str], *commands: str) -> list[dict[str, Any]]:
    """Vim's quickfix list after the commands, in a buffer of the file with the defects."""
    setup, command, *_ = blocks("vim")
    output = project.parent / "quickfix.json"
    script = project.parent / "script.vim"
    script.write_text(
        "\n".join(
            (
                "set nocompatible shell=/bin/sh",
                setup,
                command,
                *commands,
                "let found = map(getqflist(), {_, f -> extend(f, {'file': bufname(f.bufnr)})})",
                f"call writefile([json_encode(found)], '{output}')",
                "qall!",
            )
        ),
        "utf-8",
    )
    subprocess.run(
        ["vim", "-es", "-u", "NONE", "-i", "NONE", "my app.py", "-S", str(script)],
        cwd=project,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return list(json.loads(output.read_text("utf-8")))


def summary(found: list[dict[str, Any]]) -> list[tuple[int, int, str, str]]:
    levels = {"e": "error", "w": "warning", "n": "note"}
    assert all(one["valid"] for one in found), found
    assert {one["file"] for one in found} <= {"my app.py"}
    return [(one["lnum"], one["col"], levels[one["type"]], one["text"].split()[0]) for one in found]


needs_vim = pytest.mark.skipif(shutil.which("vim") is None, reason="vim is not installed")


@needs_vim
def test_vim_make(project: Path, environment: dict[str, str]) -> None:
    found = quickfix(project, environment, "silent make!")
    assert summary(found) == PLACES
    assert found[0]["text"] == "blocking-sleep `time.sleep` blocks the event loop"


@needs_vim
def test_vim_checks_the_unsaved_buffer(project: Path, environment: dict[str, str]) -> None:
    found = quickfix(project, environment, "call append(0, '# one line more')", "call Asynclint()")
    assert summary(found) == [(line + 1, *rest) for line, *rest in PLACES]
    assert (project / "my app.py").read_text("utf-8") == APP


@needs_vim
def test_vim_list_is_empty_when_nothing_is_found(
    project: Path, environment: dict[str, str]
) -> None:
    (project / "my app.py").write_text("import helpers\n\nhelpers.pause()\n", "utf-8")
    assert quickfix(project, environment, "silent make!") == []


@needs_vim
def test_vim_puts_a_syntax_error_on_its_line(project: Path, environment: dict[str, str]) -> None:
    (project / "my app.py").write_text("async def broken(:\n    pass\n", "utf-8")
    assert [place[0] for place in summary(quickfix(project, environment, "silent make!"))] == [1]


def test_code_task_matches_real_output(project: Path, environment: dict[str, str]) -> None:
    (block,) = blocks("json")
    (task,) = json.loads(block)["tasks"]
    result = subprocess.run(
        [task["command"], *task["args"]],
        cwd=project,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert result.returncode == 1, result.stdout + result.stderr
    matcher = task["problemMatcher"]
    pattern = matcher["pattern"]
    matches = [re.match(pattern["regexp"], line) for line in result.stdout.splitlines()]
    found = [
        (
            int(match[pattern["line"]]),
            int(match[pattern["column"]]),
            match[pattern["severity"]],
            match[pattern["code"]],
        )
        for match in matches
        if match
    ]
    assert found == PLACES
    for match in matches:
        if match:
            assert (project / match[pattern["file"]]).is_file()
            assert match[pattern["message"]]


@pytest.mark.parametrize("level", ["error", "warning", "note"])
def test_code_task_knows_every_level(level: str) -> None:
    pattern = json.loads(blocks("json")[0])["tasks"][0]["problemMatcher"]["pattern"]
    match = re.match(pattern["regexp"], f"a b/c.py:3:14: {level} some-rule `x` is y: z")
    assert match is not None
    assert match[pattern["file"]] == "a b/c.py"
    assert match[pattern["severity"]] == level
    assert match[pattern["message"]] == "`x` is y: z"


def test_example_line_on_the_page_matches() -> None:
    """The page shows the format that it teaches editors."""
    pattern = json.loads(blocks("json")[0])["tasks"][0]["problemMatcher"]["pattern"]
    example = next(block for block in blocks("") if block.startswith("app/routes.py:"))
    match = re.match(pattern["regexp"], example.strip())
    assert match is not None
    assert match[pattern["code"]] == "blocking-sleep"
