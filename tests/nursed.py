"""What runs in a nursery: `nursed.py DESCRIPTOR MODULE:FUNCTION STATEMENTS COMMAND…` imports and forks on request.

A request is the length of a JSON text, with the descriptors of three streams and of a line, and the text: arguments,
directory, environment. The line says the child's number and its exit code, and takes signals for it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

Asked = tuple[list[str], str, dict[str, str]]


class Children:
    """The programs that run; each holds one end of a pipe, which is closed when it has ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._running: dict[int, tuple[int, socket.socket]] = {}
        """By pipe: the process, and the line to who asked for it."""

    def serve(self) -> Asked | None:
        """Fork for every request. Comes back in each child with what was asked, and at the end with None."""
        while True:
            lines = {line: pid for pid, line in self._running.values()}
            ready, _, _ = select.select([self._control, *self._running, *lines], [], [])
            for one in ready:
                if one is self._control:
                    asked = _received(self._control)
                    if asked is None:
                        return self._end()
                    if self._fork(*asked):
                        return asked[1]
                elif isinstance(one, int):
                    self._ended(one)
                elif any(line is one for _, line in self._running.values()):
                    self._signal(lines[one], one)

    def _fork(self, descriptors: list[int], asked: Asked) -> bool:
        """Whether this is the child."""
        *streams, line = descriptors
        reading, writing = os.pipe()
        pid = os.fork()
        if pid:
            for descriptor in (*streams, writing):
                os.close(descriptor)
            self._running[reading] = (pid, socket.socket(fileno=line))
            self._running[reading][1].sendall(pid.to_bytes(4, "big"))
            return False
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
        for descriptor in (*streams, line, reading, *self._running):
            os.close(descriptor)
        self._control.close()
        for _, other in self._running.values():
            other.close()
        return True

    def _ended(self, pipe: int) -> None:
        pid, line = self._running.pop(pipe)
        os.close(pipe)
        _, status = os.waitpid(pid, 0)
        with line, contextlib.suppress(OSError):
            line.sendall(str(os.waitstatus_to_exitcode(status)).encode())

    def _signal(self, pid: int, line: socket.socket) -> None:
        """Pass a signal on; who no longer listens wants the program to end."""
        for number in line.recv(16) or [signal.SIGKILL]:
            os.kill(pid, number)

    def _end(self) -> None:
        for pid, _ in self._running.values():
            os.kill(pid, signal.SIGKILL)
        for pipe in list(self._running):
            self._ended(pipe)


def _received(control: socket.socket) -> tuple[list[int], Asked] | None:
    head, descriptors, _, _ = socket.recv_fds(control, 4, 4)
    if not head:
        return None
    text = b""
    size = int.from_bytes(head, "big")
    while len(text) < size:
        text += control.recv(size - len(text))
    arguments, directory, environment = json.loads(text)
    return descriptors, (arguments, directory, environment)


def _become(asked: Asked, command: list[str]) -> None:
    """What a new interpreter would find."""
    arguments, directory, environment = asked
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    if command[0] == "-m":
        sys.path.insert(0, directory)
    sys.argv = [command[-1], *arguments]
    signal.signal(signal.SIGINT, signal.default_int_handler)


def main() -> Callable[[], Any] | None:
    """What a child has to do."""
    number, function, statements, *command = sys.argv[1:]
    # A script finds what lies beside it.
    sys.path[:1] = [] if command[0] == "-m" else [os.path.dirname(command[0])]
    module, _, name = function.partition(":")
    called: Callable[[], Any] = getattr(importlib.import_module(module), name)
    exec(statements, {})  # noqa: S102 - they are the tests' own
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(number)) as control:
        control.sendall(b".")
        asked = Children(control).serve()
    if asked is None:
        return None
    if sys.warnoptions:
        # Where warnings matter, the end of the interpreter has to find whatever was left open.
        gc.unfreeze()
    _become(asked, command)
    return called


if __name__ == "__main__":
    program = main()
    if program is not None:
        program()
