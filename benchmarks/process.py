"""Run one whole process and say what it cost."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parent.parent


class Run(NamedTuple):
    """What a process printed and cost, its children included.

    `wall` and `cpu` (user and system) are seconds. `peak` is MiB of resident memory of the largest
    single process among it and its children: the kernel tells no sum.
    """

    code: int
    output: str
    errors: str
    wall: float
    cpu: float
    peak: float


def measure(
    command: list[str],
    directory: Path,
    *,
    environment: dict[str, str] | None = None,
    stdin: Path | None = None,
    timeout: float | None = None,
) -> Run:
    """Run a command in a directory and wait for it.

    Raises FileNotFoundError when the program is not there, TimeoutError after `timeout` seconds.
    """
    with (
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
        open(stdin or os.devnull, "rb") as given,
    ):
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=directory, env=environment, stdin=given, stdout=output, stderr=errors
        )
        if timeout is not None:
            wait_until_done(process, start + timeout)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        return Run(
            code=process.returncode,
            output=output.read().decode("utf-8", "replace"),
            errors=errors.read().decode("utf-8", "replace"),
            wall=wall,
            cpu=usage.ru_utime + usage.ru_stime,
            peak=usage.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024),
        )


def wait_until_done(process: subprocess.Popen[bytes], deadline: float) -> None:
    """Return when the process has ended, leaving it to be reaped by its caller."""
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.perf_counter() > deadline:
            process.kill()
            process.wait()
            raise TimeoutError(f"{shlex.join(process.args)} did not end in time")  # type: ignore[arg-type]
        time.sleep(0.01)


def asynclint_command(given: str | None = None) -> list[str]:
    """The command given, else this interpreter's `-m asynclint`."""
    return shlex.split(given) if given else [sys.executable, "-m", "asynclint"]


def checkout_environment(checkout: Path = CHECKOUT) -> dict[str, str]:
    """An environment in which `-m asynclint` means that checkout, whatever the current directory.

    From Python 3.11 on, modules that lie in the directory under test do not get in the way. Bytecode is kept, as it is
    of an installed package: else every run would compile asynclint, and none of its peers.
    """
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONSAFEPATH": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment
