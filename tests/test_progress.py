"""Long runs say how far they are, on a terminal alone."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from asynclint import cli, progress
from asynclint.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELAY", 0)
    monkeypatch.setattr(progress, "PAUSE", 0)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for number in range(3):
        (tmp_path / f"module_{number}.py").write_text("import asyncio\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_short_runs_say_nothing() -> None:
    terminal = Terminal()
    shown = Progress(terminal)
    shown("reading")
    shown.clear()
    assert terminal.getvalue() == ""


def test_the_line_is_written_over_and_gone_at_the_end(at_once: None) -> None:
    terminal = Terminal()
    shown = Progress(terminal)
    shown("one")
    shown("two")
    shown.clear()
    shown.clear()
    assert terminal.getvalue() == "\rone\033[K\rtwo\033[K\r\033[K"


def test_a_terminal_that_is_gone_stops_nothing(at_once: None) -> None:
    terminal = Terminal()
    shown = Progress(terminal)
    terminal.close()
    shown("one")
    shown.clear()


@pytest.mark.parametrize(
    ("stream", "options", "shows"),
    [(Terminal, [], True), (io.StringIO, [], False), (Terminal, ["--quiet"], False)],
)
def test_files_are_counted_on_a_terminal(
    stream: type[io.StringIO],
    options: list[str],
    shows: bool,
    project: Path,
    at_once: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal = stream()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert cli.run(["check", "--no-cache", "--isolated", *options]) == 0
    assert ("\rreading: 2/3 files\033[K" in terminal.getvalue()) is shows
    assert terminal.getvalue().endswith("\r\033[K") is shows
    assert "reading" not in capsys.readouterr().out
