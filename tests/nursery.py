"""Programs that start with everything imported: a process imports once, and forks for every one that is asked for.

What is forked is a process like any other: it has its own arguments, environment, directory and streams, ends as an
interpreter ends, and is waited for. What it imports or sets is not there for the next.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

SERVER = Path(__file__).with_name("nursed.py")


@dataclass(frozen=True)
class Program:
    """What can be run by its command, and forked where it is imported."""

    command: tuple[str, ...]
    """What stands behind `python`: a script, or `-m` and a module."""
    function: str
    """`module:name` of what the command calls."""
    first: str = ""
    """Statements that are run in the nursery: imports of what it will need beside that module."""
    flags: tuple[str, ...] = ()
    """Options of the interpreter."""

    def line(self, arguments: Sequence[str]) -> list[str]:
        """The command line that starts it as a process."""
        return [sys.executable, *self.flags, *self.command, *arguments]


ASYNCLINT = Program(
    ("-m", "asynclint"),
    "asynclint.__main__:main",
    """\
import asynclint, importlib, pkgutil
for module in pkgutil.walk_packages(asynclint.__path__, "asynclint."):
    importlib.import_module(module.name)
from asynclint.testing import check_files
check_files({"app.py": "import time\\nasync def f(): time.sleep(1)"}, {})
""",
)
"""The command line; the first check imports the rules."""


class Child:
    """A forked program, spoken of as `subprocess.Popen` speaks of a process."""

    def __init__(self, line: socket.socket, pid: int) -> None:
        self._line = line
        self.pid = pid
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended. Raises TimeoutError."""
        if self.returncode is None:
            self._line.settimeout(timeout)
            said = self._line.recv(64)
            self._line.close()
            assert said, "the nursery has ended"
            self.returncode = int(said)
        return self.returncode

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        try:
            return self.wait(0)
        except BlockingIOError:
            return None

    def send_signal(self, number: int) -> None:
        """Signal it, unless it has ended."""
        if self.poll() is None:
            self._line.send(bytes([number]))

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class Nursery:
    """A process that has imported a program, in an interpreter that was started with some variables."""

    def __init__(self, program: Program, variables: Mapping[str, str]) -> None:
        self._program = program
        self._sending = threading.Lock()
        self._control, theirs = socket.socketpair()
        with theirs, tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
            number = str(theirs.fileno())
            what = [program.function, program.first]
            self._process = subprocess.Popen(
                [sys.executable, *program.flags, str(SERVER), number, *what, *program.command],
                env={k: v for k, v in os.environ.items() if k not in own(os.environ)}
                | {**variables},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
            ready = self._control.recv(1)
            errors.seek(0)
            said = errors.read()
            # A warning at an import would be one of every program that is forked.
            assert ready and not said, said
        atexit.register(self.close)

    def start(
        self,
        arguments: Sequence[str],
        *,
        cwd: str | Path,
        env: Mapping[str, str],
        stdin: IO[bytes] | int,
        stdout: IO[bytes] | int,
        stderr: IO[str] | IO[bytes] | int,
    ) -> Child:
        """Fork a program; the streams are files, or their descriptors."""
        streams = [one if isinstance(one, int) else one.fileno() for one in (stdin, stdout, stderr)]
        asked = json.dumps([list(arguments), str(cwd), dict(env)]).encode()
        ours, theirs = socket.socketpair()
        with theirs, self._sending:
            socket.send_fds(
                self._control, [len(asked).to_bytes(4, "big")], [*streams, theirs.fileno()]
            )
            self._control.sendall(asked)
        pid = ours.recv(4)
        assert pid, "the nursery has ended"
        return Child(ours, int.from_bytes(pid, "big"))

    def close(self) -> None:
        """Start nothing more, and wait for the end."""
        self._control.close()
        self._process.communicate()


def forks() -> bool:
    """Whether programs can be forked here."""
    return hasattr(os, "fork") and hasattr(socket, "send_fds")


def own(env: Mapping[str, str]) -> dict[str, str]:
    """The variables that an interpreter reads when it starts."""
    return {name: value for name, value in env.items() if name.startswith("PYTHON")}


def nursery(program: Program, env: Mapping[str, str]) -> Nursery:
    """The one in which a program with these variables can be forked."""
    return _nursery(program, os.getpid(), tuple(sorted(own(env).items())))


@functools.cache
def _nursery(program: Program, pid: int, variables: tuple[tuple[str, str], ...]) -> Nursery:
    return Nursery(program, dict(variables))


def run(
    program: Program,
    arguments: Sequence[str],
    *,
    cwd: str | Path,
    env: Mapping[str, str],
    stdin: bytes = b"",
    timeout: float = 120,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, as `subprocess.run` would with `capture_output`. Raises TimeoutError."""
    line = program.line(arguments)
    if not forks():
        return subprocess.run(
            line, cwd=cwd, env=env, input=stdin, capture_output=True, timeout=timeout, check=False
        )
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as errors,
    ):
        given.write(stdin)
        given.seek(0)
        child = nursery(program, env).start(
            arguments, cwd=cwd, env=env, stdin=given, stdout=out, stderr=errors
        )
        try:
            code = child.wait(timeout)
        finally:
            child.kill()
        out.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(line, code, out.read(), errors.read())
