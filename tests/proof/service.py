"""A service in a process of its own: start it, ask it, stop it, and hear what it did."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import httpx
import nursery
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

LAUNCHER = Path(__file__).with_name("launch.py")
IMPORTED = """\
import anthropic.resources, httpx, httpx2, openai
import anyio.streams.tls, anyio._backends._asyncio, httpcore, httpcore2, pydantic.v1, truststore
import fastapi.testclient, fastapi.telemetry._runtime
import openai.lib.streaming.chat, openai.resources.chat.completions
import uvicorn.lifespan.on, uvicorn.protocols.http.auto, uvicorn.protocols.websockets.websockets_sansio_impl
"""
"""What services import, or what that does once it is used. Each client reads its environment when it is built."""

LAUNCH = nursery.Program((str(LAUNCHER),), "launch:main", IMPORTED)
SECONDS = 60
"""No start, answer or stop may take longer."""


class Failed(Exception):
    """The service did not start or did not answer; the message is what it said."""


@dataclass
class Account:
    """What a service did between start and end."""

    code: int
    errors: str
    clients: list[dict[str, Any]] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    """Of its clock, in seconds; empty where it has none."""

    def built(self) -> dict[str, int]:
        """How many clients of each class were built."""
        return dict(Counter(client["class"] for client in self.clients))


@dataclass(frozen=True)
class Answer:
    """What came back, as bytes, without the date."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Running:
    """A started service. `account` is complete after it has ended."""

    def __init__(self, port: int, signalled: Callable[[int], object]) -> None:
        self.port = port
        self.account = Account(-1, "")
        self._signalled = signalled

    def note_gap(self) -> None:
        """Begin a new gap of the clock, and keep the longest one so far."""
        self._signalled(signal.SIGUSR1)
        time.sleep(0.05)

    def ask(self, targets: Sequence[str]) -> list[Answer]:
        """GET one after the other, over one connection."""
        with httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", timeout=SECONDS, trust_env=False
        ) as client:
            return [_answer(client.get(target)) for target in targets]

    def chat(self, targets: Sequence[str], words: Sequence[str]) -> list[str]:
        """Open a websocket for each target, say the words, and take what is said back."""
        said = []
        for target, word in zip(targets, words, strict=True):
            with connect(
                f"ws://127.0.0.1:{self.port}{target}", proxy=None, open_timeout=SECONDS
            ) as socket:
                socket.send(word)
                said.append(str(socket.recv(SECONDS)))
        return said


def _answer(response: httpx.Response) -> Answer:
    headers = tuple((k, v) for k, v in response.headers.multi_items() if k != "date")
    return Answer(response.status_code, headers, response.content)


@contextlib.contextmanager
def running(
    directory: Path,
    app: str,
    environment: Mapping[str, str],
    *,
    factory: bool = False,
    strict: bool = False,
    fresh: bool = False,
    clock: bool = False,
) -> Iterator[Running]:
    """Start a service, and stop it at the end. Raises Failed.

    `strict`: every warning is an error. `clock`: it tells how long its event loop was kept. `fresh`: in an interpreter of its own, and not forked from one that has
    imported all libraries before.
    """
    program = replace(LAUNCH, flags=("-W", "error")) if strict else LAUNCH
    arguments = [str(directory), app, *(["--factory"] if factory else [])]
    arguments += ["--clock"] if clock else []
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        process, output = _started(program, arguments, directory, environment, errors, fresh)
        with output:
            try:
                port = output.readline()
                if not port:
                    process.wait(SECONDS)
                    errors.seek(0)
                    raise Failed(errors.read())
                service = Running(int(port), process.send_signal)
                try:
                    yield service
                except (httpx.HTTPError, OSError, WebSocketException) as error:
                    process.kill()
                    process.wait()
                    errors.seek(0)
                    raise Failed(errors.read()) from error
                process.send_signal(signal.SIGTERM)
                report = output.read()
                code = process.wait(SECONDS)
                errors.seek(0)
                found = json.loads(report) if report else {}
                service.account = Account(code, errors.read(), **found)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()


def _started(
    program: nursery.Program,
    arguments: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    errors: IO[str],
    fresh: bool,
) -> tuple[nursery.Child | subprocess.Popen[bytes], IO[str]]:
    """A process, and what it prints."""
    reading, writing = os.pipe()
    try:
        if fresh:
            process: nursery.Child | subprocess.Popen[bytes] = subprocess.Popen(
                program.line(arguments),
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=errors,
            )
        else:
            with open(os.devnull, "rb") as nothing:
                process = nursery.nursery(program, environment).start(
                    arguments,
                    cwd=directory,
                    env=environment,
                    stdin=nothing,
                    stdout=writing,
                    stderr=errors,
                )
    finally:
        os.close(writing)
    return process, open(reading, encoding="utf-8")
