"""`--fix` writes the safe fixes that findings carry, and nothing else."""

from __future__ import annotations

import gc
import io
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import asynclint.check
from asynclint.cli import run
from asynclint.facts.program import Program
from asynclint.findings import Edit, Finding, Fix, Safety, Span
from asynclint.fix import Outcome, allowed, write
from asynclint.fix import run as fix
from asynclint.project import Project, SourceFile

UNUSED = "x = 1  # asynclint: ignore[blocking-sleep] a reason\ny = 2\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text("[tool.asynclint]\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_unused_ignore_is_removed(folder: Path) -> None:
    (folder / "app.py").write_text(UNUSED)
    assert run(["check", "--fix", "."]) == 0
    assert (folder / "app.py").read_text() == "x = 1\ny = 2\n"


def test_line_ends_mode_and_byte_order_mark_stay(folder: Path) -> None:
    path = folder / "app.py"
    path.write_bytes("\ufeff".encode() + UNUSED.replace("\n", "\r\n").encode())
    path.chmod(0o750)
    run(["check", "--fix", "."])
    assert path.read_bytes() == b"\xef\xbb\xbfx = 1\r\ny = 2\r\n"
    assert os.stat(path).st_mode & 0o777 == 0o750


def test_second_run_changes_nothing(folder: Path) -> None:
    (folder / "app.py").write_text(UNUSED)
    run(["check", "--fix", "."])
    once = (folder / "app.py").read_bytes()
    run(["check", "--fix", "."])
    assert (folder / "app.py").read_bytes() == once


def _finding(text: str, safety: Safety = Safety.SAFE) -> Finding:
    fix = Fix("change it", safety, (Edit("app.py", 0, 5, text),))
    return Finding("some-rule", "error", "app.py", Span(1, 1, 1, 6), "`x` is odd", (), (fix,))


def _project(folder: Path, text: str) -> Project:
    file = SourceFile(folder / "app.py", "app.py", "app", False, text)
    return Project(folder, [file])


def _apply(findings: list[Finding], project: Project, safe_only: bool = True) -> Outcome:
    """Fix and write; whatever was fixed is gone from the next check."""
    left = list(findings)

    def check(_: Project) -> list[Finding]:
        return []

    outcome = fix(project, left, check, allowed(safe_only), {})
    outcome.problems += write(project, outcome)
    return outcome


def test_what_would_not_compile_is_not_written(folder: Path) -> None:
    (folder / "app.py").write_text("x = 1\n")
    outcome = _apply([_finding("x = (")], _project(folder, "x = 1\n"))
    assert (folder / "app.py").read_text() == "x = 1\n"
    assert outcome.applied == []
    assert "would not compile" in outcome.problems[0]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("x = yy", False),
        ("import yy; x = yy", True),
        ("x = [yy for yy in ()]", True),
        ("x = lambda: yy", False),
        ("x = len, __name__, __file__", True),
        ("x: yy = 1", False),
    ],
)
def test_what_would_use_a_name_that_is_not_there_is_not_written(
    folder: Path, text: str, kept: bool
) -> None:
    (folder / "app.py").write_text("x = 1\n")
    outcome = _apply([_finding(text)], _project(folder, "x = 1\n"))
    assert ((folder / "app.py").read_text() == f"{text}\n") is kept
    if not kept:
        assert "a name that nothing binds" in outcome.problems[0]


def test_a_name_that_was_not_there_before_may_stay(folder: Path) -> None:
    (folder / "app.py").write_text("x = 1\nprint(later)\n")
    outcome = _apply([_finding("x = 2")], _project(folder, "x = 1\nprint(later)\n"))
    assert (folder / "app.py").read_text() == "x = 2\nprint(later)\n"
    assert outcome.problems == []


def test_changed_file_is_left_alone(folder: Path) -> None:
    (folder / "app.py").write_text("z = 3\n")
    outcome = _apply([_finding("x = 2")], _project(folder, "x = 1\n"))
    assert (folder / "app.py").read_text() == "z = 3\n"
    assert outcome.applied == []
    assert "has changed" in outcome.problems[0]


def test_unsafe_fixes_are_written_only_on_demand(folder: Path) -> None:
    (folder / "app.py").write_text("x = 1\n")
    finding = _finding("x = 2", Safety.UNSAFE)
    outcome = _apply([finding], _project(folder, "x = 1\n"))
    assert (folder / "app.py").read_text() == "x = 1\n"
    assert outcome.applied == []
    assert outcome.problems == []
    outcome = _apply([finding], _project(folder, "x = 1\n"), safe_only=False)
    assert (folder / "app.py").read_text() == "x = 2\n"


def test_read_only_file_is_named_and_left(folder: Path) -> None:
    (folder / "app.py").write_text("x = 1\n")
    (folder / "app.py").chmod(0o444)
    outcome = _apply([_finding("x = 2")], _project(folder, "x = 1\n"))
    assert (folder / "app.py").read_text() == "x = 1\n"
    assert outcome.problems == ["app.py: not fixed: it is read-only"]


def test_fix_whose_finding_stays_is_refused(folder: Path) -> None:
    (folder / "app.py").write_text("x = 1\n")
    finding = _finding("x = 2")
    outcome = fix(_project(folder, "x = 1\n"), [finding], lambda _: [finding], allowed(True), {})
    assert outcome.after == {}
    assert "the finding would still be there" in outcome.problems[0]


def test_fix_that_brings_a_new_finding_is_refused(folder: Path) -> None:
    (folder / "app.py").write_text("x = 1\n")
    other = Finding("other-rule", "error", "app.py", Span(1, 1, 1, 6), "`x` is worse")
    project = _project(folder, "x = 1\n")
    outcome = fix(project, [_finding("x = 2")], lambda _: [other], allowed(True), {})
    assert outcome.after == {}
    # A rule that says the same defect less well may be left.
    yields = {"other-rule": frozenset({"some-rule"})}
    outcome = fix(project, [_finding("x = 2")], lambda _: [other], allowed(True), yields)
    assert outcome.after == {"app.py": "x = 2\n"}


def test_files_of_one_fix_are_written_together_or_not_at_all(folder: Path) -> None:
    (folder / "app.py").write_text("x = 1\n")
    (folder / "lib.py").write_text("changed meanwhile\n")
    edits = (Edit("app.py", 0, 5, "x = 2"), Edit("lib.py", 0, 5, "y = 2"))
    finding = Finding(
        "some-rule",
        "error",
        "app.py",
        Span(1, 1, 1, 6),
        "`x`",
        (),
        (Fix("do it", Safety.SAFE, edits),),
    )
    files = [
        SourceFile(folder / "app.py", "app.py", "app", False, "x = 1\n"),
        SourceFile(folder / "lib.py", "lib.py", "lib", False, "y = 1\n"),
    ]
    outcome = _apply([finding], Project(folder, files))
    assert (folder / "app.py").read_text() == "x = 1\n"
    assert (folder / "lib.py").read_text() == "changed meanwhile\n"
    assert outcome.applied == []
    assert sorted(p.partition(":")[0] for p in outcome.problems) == ["app.py", "lib.py"]
    assert sorted(p.name for p in folder.iterdir()) == ["app.py", "lib.py", "pyproject.toml"]


def test_the_same_edit_in_two_fixes_counts_once(folder: Path) -> None:
    text = "import time\n\n\nasync def f():\n    time.sleep(1)\n    time.sleep(2)\n"
    (folder / "app.py").write_text(text)
    assert run(["check", "--fix", "."]) == 0
    assert (folder / "app.py").read_text() == (
        "import asyncio\n\n\nasync def f():\n    await asyncio.sleep(1)\n    await asyncio.sleep(2)\n"
    )


SLEEPS = "import time\n\n\nasync def f():\n    time.sleep(1)\n"
AWAITS = "import asyncio\n\n\nasync def f():\n    await asyncio.sleep(1)\n"


def test_diff_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "app.py").write_text(SLEEPS)
    assert run(["check", "--diff", "."]) == 1
    assert (folder / "app.py").read_text() == SLEEPS
    out = capsys.readouterr().out
    assert "+    await asyncio.sleep(1)\n" in out
    (folder / "app.py").write_text(AWAITS)
    assert run(["check", "--diff", "."]) == 0
    assert capsys.readouterr().out == ""


def test_fix_only_reports_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "app.py").write_text(SLEEPS + "\n\nasync def g():\n    input()\n")
    assert run(["check", "--fix-only", "--ignore", "unused-ignore", "."]) == 0
    assert capsys.readouterr().out == ""
    assert "await asyncio.sleep(1)" in (folder / "app.py").read_text()


def test_show_fixes_lists_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "app.py").write_text(SLEEPS)
    assert run(["check", "--fix", "--show-fixes", "."]) == 0
    err = capsys.readouterr().err
    assert "app.py:5: blocking-sleep: await `asyncio.sleep` instead\n" in err
    assert "Applied 1 fix in 1 file\n" in err


def test_unfixable_rules_are_not_fixed(folder: Path) -> None:
    (folder / "app.py").write_text(SLEEPS)
    (folder / "pyproject.toml").write_text('[tool.asynclint]\nunfixable = ["blocking-sleep"]\n')
    assert run(["check", "--fix", "."]) == 1
    assert (folder / "app.py").read_text() == SLEEPS
    (folder / "pyproject.toml").write_text('[tool.asynclint]\nfixable = ["coroutines"]\n')
    assert run(["check", "--fix", "."]) == 1
    (folder / "pyproject.toml").write_text('[tool.asynclint]\nfixable = ["blocking"]\n')
    assert run(["check", "--fix", "."]) == 0
    assert (folder / "app.py").read_text() == AWAITS


def test_stdin_is_fixed_to_stdout(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(SLEEPS.encode())))
    assert run(["check", "--fix", "-"]) == 0
    assert capsys.readouterr().out == AWAITS


@pytest.mark.parametrize(
    "head",
    [
        "# Code generated by a tool. DO NOT EDIT.",
        "# PLEASE DO NOT EDIT THIS FILE, IT IS GENERATED AND WILL BE OVERWRITTEN:",
        '"""\n    Shop API\n\n    Generated by a tool (for tests)\n\n    Do not edit the class manually.\n"""  # noqa\n',
        "# File generated from our own specification by a tool. See CONTRIBUTING.md for details.",
        "# This file was auto-generated from our API definition.",
    ],
)
def test_generated_files_are_reported_and_not_fixed(folder: Path, head: str) -> None:
    (folder / "app.py").write_text(f"{head}\n{SLEEPS}")
    assert run(["check", "--fix", "."]) == 1
    assert SLEEPS in (folder / "app.py").read_text()


@pytest.mark.parametrize(
    "head",
    [
        "# This module handles what was generated elsewhere.",
        '"""Reports generated by a model, for those who read them."""',
        "import time  # generated by hand: do not edit",
    ],
)
def test_files_that_speak_of_what_is_generated_are_fixed(folder: Path, head: str) -> None:
    (folder / "app.py").write_text(f"{head}\n{SLEEPS}")
    run(["check", "--fix", "."])
    assert SLEEPS not in (folder / "app.py").read_text()


def test_one_fix_that_breaks_a_file_does_not_keep_the_others(folder: Path) -> None:
    text = "x = 1\ny = 2\n"
    (folder / "app.py").write_text(text)
    wrong = _finding("x = (")
    right = Finding(
        "some-rule",
        "error",
        "app.py",
        Span(2, 1, 2, 6),
        "`y` is odd",
        (),
        (Fix("change it", Safety.SAFE, (Edit("app.py", 6, 11, "y = 3"),)),),
    )
    outcome = _apply([wrong, right], _project(folder, text))
    assert (folder / "app.py").read_text() == "x = 1\ny = 3\n"
    assert outcome.problems == ["app.py:1: not fixed (some-rule): the result would not compile"]


def test_fixes_that_break_a_file_only_together_wait_for_each_other(folder: Path) -> None:
    text = "async def f():\n    work()\n"
    (folder / "app.py").write_text(text)

    def change(line: int, edit: Edit) -> Finding:
        return replace(
            _finding(""), span=Span(line, 1, line, 2), fixes=(Fix("do", Safety.SAFE, (edit,)),)
        )

    plain = change(1, Edit("app.py", 0, 9, "def"))
    awaited = change(2, Edit("app.py", 19, 19, "await "))
    outcome = _apply([plain, awaited], _project(folder, text))
    assert (folder / "app.py").read_text() == "def f():\n    work()\n"
    assert [f for f, _ in outcome.applied] == [plain]


def test_one_wrong_fix_among_many_is_found(folder: Path) -> None:
    """A new finding that cannot be told from another one's keeps only the fix from being applied that brings it."""
    count = 9
    text = "".join(f"x{n} = 1\n" for n in range(count))
    (folder / "app.py").write_text(text)
    size = len("x0 = 1\n")

    def change(line: int) -> Finding:
        edit = Edit("app.py", line * size + 5, line * size + 6, "2" if line != 5 else "3")
        name = f"`x{line}` is odd"
        return replace(
            _finding(""),
            message=name,
            span=Span(line + 1, 1, line + 1, 2),
            fixes=(Fix("do", Safety.SAFE, (edit,)),),
        )

    far = replace(_finding(""), message="something is odd", span=Span(90, 1, 90, 2), fixes=())

    def check(project: Project) -> list[Finding]:
        now = (project.files[0].text or "").splitlines()
        found = [change(n) for n in range(count) if now[n].endswith("1")]
        return found + [far] * ("x5 = 3" in now)

    project = _project(folder, text)
    outcome = fix(project, check(project), check, allowed(True), {})
    assert outcome.after["app.py"] == text.replace("1\n", "2\n").replace("x5 = 2", "x5 = 1")
    assert outcome.problems == [
        "app.py:6: not fixed (some-rule): the finding would still be there, or another one would"
    ]


def test_what_a_better_rule_leaves_is_not_the_same_finding_again(folder: Path) -> None:
    """Two clients, of which the second is hoisted out of a loop and then looks like the first one before it was shared."""
    (folder / "app.py").write_text(TWO_CLIENTS)
    assert run(["check", "--fix", "."]) == 0
    text = (folder / "app.py").read_text()
    assert text.count("client = request.app.state.openai_client\n") == 2
    assert "AsyncOpenAI() as app.state.openai_client" in text


def test_what_another_fix_renames_is_not_the_finding_again(folder: Path) -> None:
    """A client that becomes the asynchronous one in the same round looks like the one that is shared now."""
    (folder / "app.py").write_text(ASYNC_AND_SYNC)
    assert run(["check", "--fix", "--unsafe-fixes", "."]) == 0
    text = (folder / "app.py").read_text()
    assert text.count("client = request.app.state.openai_client\n") == 2
    assert "AsyncOpenAI() as app.state.openai_client" in text


TWO_CLIENTS = """\
from fastapi import FastAPI
from openai import AsyncOpenAI

app = FastAPI()


@app.get("/")
async def answer(items: str):
    client = AsyncOpenAI()
    await client.responses.create(model="m", input="i")
    for item in items:
        client = AsyncOpenAI()
        await client.responses.create(model="m", input=item)
"""


ASYNC_AND_SYNC = """\
from fastapi import FastAPI
from openai import AsyncOpenAI, OpenAI

app = FastAPI()


@app.get("/")
async def answer():
    client = AsyncOpenAI()
    return await client.models.list()


@app.get("/slow")
async def slow():
    client = OpenAI()
    return client.models.list()
"""


SERVED = {
    "main.py": """
from fastapi import FastAPI
from routes import router

app = FastAPI()
app.include_router(router)
""",
    "routes.py": """
from fastapi import APIRouter
from openai import AsyncOpenAI

router = APIRouter()


@router.post("/ask")
async def ask(prompt: str) -> str:
    client = AsyncOpenAI()
    return (await client.responses.create(model="gpt-5", input=prompt)).output_text
""",
}


@pytest.fixture
def service(folder: Path) -> Path:
    for name, text in SERVED.items():
        (folder / name).write_text(text)
    return folder


def test_an_excluded_file_is_not_part_of_a_fix(
    service: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (service / "pyproject.toml").write_text('[tool.asynclint]\nexclude = ["main.py"]\n')
    assert run(["check", "--fix", "--unsafe-fixes", "--no-cache"]) == 1
    assert {name: (service / name).read_text() for name in SERVED} == SERVED
    assert "no application of this project is known to serve it" in capsys.readouterr().out


def test_a_file_outside_the_project_is_not_part_of_a_fix(
    service: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inner = service / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("[tool.asynclint]\n")
    (service / "routes.py").rename(inner / "routes.py")
    assert run(["check", "--fix", "--no-cache", "inner"]) == 1
    assert (service / "main.py").read_text() == SERVED["main.py"]
    assert (inner / "routes.py").read_text() == SERVED["routes.py"]
    assert "no fix" in capsys.readouterr().out


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_leaves_all_files_of_a_fix(
    service: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(handle: int, mode: str) -> io.BufferedIOBase:
        os.close(handle)
        return open("/dev/full", mode)  # type: ignore[return-value]

    monkeypatch.setattr(os, "fdopen", full)
    assert run(["check", "--fix", "--no-cache"]) == 1
    assert {name: (service / name).read_text() for name in SERVED} == SERVED
    assert sorted(p.name for p in service.iterdir()) == ["main.py", "pyproject.toml", "routes.py"]
    assert "no space left on device" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_changes_that_are_not_committed_do_not_matter(service: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=service, capture_output=True, text=True, check=True
        )
        return done.stdout

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    (service / "routes.py").write_text(SERVED["routes.py"] + "\n# later\n")
    index = (service / ".git" / "index").read_bytes()
    assert run(["check", "--fix", "--no-cache"]) == 0
    assert "request.app.state.openai_client" in (service / "routes.py").read_text()
    assert (service / "routes.py").read_text().endswith("# later\n")
    assert (service / ".git" / "index").read_bytes() == index
    assert git("log", "--format=%s").split() == ["first"]


def test_what_a_check_has_inferred_is_gone_before_the_next_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run collects no garbage by itself; one program for each round would fill the memory."""
    (folder / "app.py").write_text(
        "import time\n\n\nasync def a():\n    time.sleep(1)\n    time.sleep(2)\n"
    )
    inferred: list[int] = []
    check = asynclint.check.check

    def counted(project: Project, *rest: Any) -> Any:
        inferred.append(sum(isinstance(one, Program) for one in gc.get_objects()))
        return check(project, *rest)

    monkeypatch.setattr(asynclint.check, "check", counted)
    gc.collect()
    gc.disable()
    try:
        assert run(["check", "--fix", "."]) == 0
    finally:
        gc.enable()
    assert "time" not in (folder / "app.py").read_text()
    assert len(inferred) >= 3
    assert inferred[1:] == [inferred[0]] * (len(inferred) - 1)
