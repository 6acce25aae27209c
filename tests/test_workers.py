"""Several processes read what one reads, and what they cannot read is read by this one."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from asynclint import check
from asynclint.cli import run
from asynclint.config import from_table
from asynclint.facts import workers
from asynclint.facts.workers import Reading, Requests, Worker
from asynclint.findings import Finding
from asynclint.project import SourceFile
from asynclint.repairs import Repairs
from asynclint.testing import in_memory
from asynclint.walk import STATEMENTS, Walk

MODULE = """
import time
from m{other} import helper{other}


def helper{number}():
    time.sleep(1)


async def handler{number}():
    helper{other}()
"""

FILES = {f"m{n}.py": MODULE.format(number=n, other=(n + 1) % 9) for n in range(9)}

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forks")


def _findings(jobs: int | None, files: dict[str, str] = FILES) -> list[Finding]:
    project = in_memory(files)
    return check.check(project, from_table({"jobs": jobs} if jobs else {}, project.root)).findings


def test_findings_do_not_depend_on_the_number_of_jobs() -> None:
    alone = _findings(1)
    assert len(alone) == 9
    assert _findings(2) == alone
    assert _findings(8) == alone
    assert _findings(None) == alone


def test_broken_files_are_reported_in_order_whoever_reads_them() -> None:
    files = {**FILES, "m4.py": "async def (:\n", "m7.py": "import asyncio\nx = (\n"}
    alone = _findings(1, files)
    assert [f.path for f in alone if f.rule == "syntax-error"] == ["m4.py", "m7.py"]
    for jobs in (2, 3, 8):
        assert _findings(jobs, files) == alone


def test_small_projects_start_no_workers() -> None:
    assert not Reading(in_memory(FILES).files, None).shared
    assert Reading(in_memory(FILES).files, 2).shared


def test_workers_read_what_this_process_does_not_take() -> None:
    files = in_memory(FILES).files
    assert dict(Reading(files, 3).results()).keys() == FILES.keys()


def test_what_workers_have_read_is_taken_in_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "TOGETHER", 1)
    files = in_memory(FILES).files
    reading = Reading(files, 3)
    taken: list[str] = []
    while len(taken) < 5:
        taken += [name for name, _ in reading.ready()]
    taken += [name for name, _ in reading.results()]
    assert sorted(set(taken)) == sorted(FILES)
    assert not list(reading.ready())


def test_a_file_that_is_taken_is_read_by_nobody_else() -> None:
    files = in_memory(FILES).files
    reading = Reading(files, 1)
    assert all(reading.take(file) for file in files[:5])
    assert not any(reading.take(file) for file in files[:5])
    assert not list(reading.results())


def test_a_killed_worker_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = _findings(1)

    def killed(*arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(workers, "_work", killed)
    assert _findings(4) == alone


def test_a_worker_that_hands_back_nonsense_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = _findings(1)

    def nonsense(files: Iterator[SourceFile], answer: object, kept: bool) -> None:
        next(files, None)
        answer.write(b"\xff\xfe nonsense")  # type: ignore[attr-defined]
        answer.flush()  # type: ignore[attr-defined]

    monkeypatch.setattr(workers, "_work", nonsense)
    assert _findings(3) == alone


def test_rules_walk_in_the_worker_that_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    def here(walk: Walk) -> None:
        raise AssertionError("walked in this process")

    alone = _findings(1)
    monkeypatch.setattr(Walk, "_here", here)
    assert _findings(2) == alone
    with pytest.raises(AssertionError):
        _findings(1)


def test_what_a_worker_does_not_walk_is_walked_here(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = _findings(1)

    def silent(walk: Walk, requests: Requests) -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        return b""

    def speaking(walk: Walk, requests: Requests) -> bytes:
        requests.say(STATEMENTS)
        next(iter(requests))
        os.kill(os.getpid(), signal.SIGKILL)
        return b""

    def nonsense(walk: Walk, requests: Requests) -> bytes:
        requests.say(STATEMENTS)
        return b"nonsense" if list(requests) else b""

    for afterwards in (silent, speaking, nonsense):
        monkeypatch.setattr(Walk, "afterwards", afterwards)
        assert _findings(2) == alone


@pytest.mark.parametrize("written", [None, 3])
def test_a_full_disk_loses_no_finding(monkeypatch: pytest.MonkeyPatch, written: int | None) -> None:
    alone = _findings(1)

    def full(file: int, data: bytes, place: int) -> int:
        if written is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return written

    monkeypatch.setattr(os, "pwrite", full)
    assert _findings(2) == alone


def test_a_worker_ends_with_the_run_that_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    workers_: list[Worker | None] = []
    begin = Walk.begin

    def fails(walk: Walk, worker: Worker | None) -> None:
        workers_.append(worker)
        begin(walk, worker)
        raise ValueError("in the middle")

    monkeypatch.setattr(Walk, "begin", fails)
    with pytest.raises(ValueError, match="in the middle"):
        _findings(2)
    [worker] = workers_
    assert worker is not None
    with pytest.raises(ChildProcessError):
        os.waitpid(worker.process, 0)


def _repaired(jobs: int) -> list[Finding]:
    files = {
        f"m{n}.py": "import time\n\n\nasync def f():\n" + "    time.sleep(1)\n" * 9
        for n in range(5)
    }
    project = in_memory(files)
    return check.check(project, from_table({"jobs": jobs}, project.root)).findings


def test_fixes_do_not_depend_on_the_number_of_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = _repaired(1)
    assert len(alone) == 45
    assert all(f.fixes for f in alone)
    forks: list[int] = []
    fork = os.fork
    monkeypatch.setattr(os, "fork", lambda: (forks.append(1), fork())[1])
    assert _repaired(2) == alone
    # One that reads and walks, and one that looks for fixes.
    assert len(forks) == 2


def test_a_killed_worker_loses_no_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = _repaired(1)
    here = os.getpid()
    one = Repairs.one

    def killed(repairs: Repairs, finding: Finding) -> Finding:
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return one(repairs, finding)

    monkeypatch.setattr(Repairs, "one", killed)
    assert _repaired(2) == alone


def test_jobs_is_an_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    outputs = set()
    for jobs in ("1", "2", "8"):
        assert run(["check", ".", "--no-cache", "--jobs", jobs, "--output-format", "json"]) == 1
        outputs.add(capsys.readouterr().out)
    assert len(outputs) == 1
