"""`--fix` writes the safe fixes that findings carry, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from asynclint.cli import run
from asynclint.findings import Edit, Finding, Fix, Safety, Span
from asynclint.fix import apply
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


def test_what_would_not_compile_is_not_written(folder: Path) -> None:
    (folder / "app.py").write_text("x = 1\n")
    left, problems = apply([_finding("x = (")], _project(folder, "x = 1\n"))
    assert (folder / "app.py").read_text() == "x = 1\n"
    assert len(left) == 1
    assert "would not compile" in problems[0]


def test_changed_file_is_left_alone(folder: Path) -> None:
    (folder / "app.py").write_text("z = 3\n")
    left, problems = apply([_finding("x = 2")], _project(folder, "x = 1\n"))
    assert (folder / "app.py").read_text() == "z = 3\n"
    assert len(left) == 1
    assert "has changed" in problems[0]


def test_unsafe_fixes_are_not_written(folder: Path) -> None:
    (folder / "app.py").write_text("x = 1\n")
    left, problems = apply([_finding("x = 2", Safety.UNSAFE)], _project(folder, "x = 1\n"))
    assert (folder / "app.py").read_text() == "x = 1\n"
    assert len(left) == 1
    assert problems == []
