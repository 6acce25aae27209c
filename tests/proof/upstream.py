"""A loopback HTTPS server that answers like Anthropic's and OpenAI's APIs and counts who connects."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import trustme

from .pulse import PORT, Pulse

PIECES = 4
"""Into how many pieces a streamed answer is cut."""

STOPS = 4
"""How many pieces of a stream come at once where the server holds back the rest."""


@dataclass
class Counts:
    """What clients did: TCP connections and TLS handshakes made, connections used, requests sent."""

    connections: int = 0
    handshakes: int = 0
    used: int = 0
    requests: int = 0


@dataclass(frozen=True)
class Asked:
    """One request; header names are in lower case, and `host`, which differs between runs, is left out."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Authority:
    """A certificate authority of its own, and a certificate for 127.0.0.1 signed by it."""

    def __init__(self) -> None:
        self._authority = trustme.CA()
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("127.0.0.1").configure_cert(self.server)

    def pem(self) -> bytes:
        """What a client has to trust."""
        return self._authority.cert_pem.bytes()


class Upstream:
    """Serves in a thread of its own.

    `/v1/messages` speaks Anthropic's Messages API, `/v1/chat/completions` OpenAI's Chat Completions API,
    both as JSON and as server-sent events; every other path answers JSON that repeats what was asked.
    The same request gets the same bytes, in every run; the key that a client presents shows in the answer.
    """

    def __init__(
        self,
        authority: Authority,
        known: Mapping[str, object] | None = None,
        patience: float | None = None,
    ) -> None:
        """`known` gives the JSON that some paths answer instead.

        With `patience`, in seconds, an answer and the rest of a stream are held back until the service's event loop
        has shown that it runs, or so long; `free` tells which.
        """
        self._patience = patience
        self._pulse = Pulse() if patience is not None else None
        self.pulse_port = self._pulse.port if self._pulse is not None else None
        self.free: list[bool] = []
        self._known = known or {}
        self._tls = authority.server
        self._counts = Counts()
        self._asked: list[Asked] = []
        self._accepting: asyncio.Task[None]
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._socket.setblocking(False)
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="upstream", daemon=True)
        self.url = f"https://127.0.0.1:{self._socket.getsockname()[1]}"

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Answer while this is entered."""
        self._thread.start()
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._accepting.cancel)
            self._thread.join()

    def counts(self) -> Counts:
        """What was counted since the start or the last `reset`."""
        return replace(self._counts)

    def asked(self) -> list[Asked]:
        """All requests since the start or the last `reset`, in an order that does not depend on when they came."""
        return sorted(self._asked, key=repr)

    def reset(self) -> None:
        """Count from nought again."""
        self._counts = Counts()
        self._asked = []

    def _run(self) -> None:
        with self._socket, contextlib.closing(self._loop):
            self._accepting = self._loop.create_task(self._accept())
            with contextlib.suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._accepting)
            self._loop.run_until_complete(self._leave())

    async def _leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self) -> None:
        if self._pulse is not None:
            self._tasks.add(self._loop.create_task(self._pulse.listen()))
        while True:
            connection, _ = await self._loop.sock_accept(self._socket)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._counts.connections += 1
            task = self._loop.create_task(self._serve(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket) -> None:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await self._loop.connect_accepted_socket(
                lambda: protocol, connection, ssl=self._tls
            )
        except (OSError, ssl.SSLError):
            return
        self._counts.handshakes += 1
        used: Counts | None = None
        writer = asyncio.StreamWriter(transport, protocol, reader, self._loop)
        try:
            while (asked := await _read(reader)) is not None:
                if used is not self._counts:
                    used = self._counts
                    used.used += 1
                self._counts.requests += 1
                self._asked.append(asked)
                for number, piece in enumerate(_answer(asked, self._known)):
                    if number in (0, STOPS):
                        await self._hold()
                    writer.write(piece)
                    await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            transport.abort()

    async def _hold(self) -> None:
        """Give nothing back before the service's loop was found free, or kept."""
        if self._pulse is not None and self._patience is not None:
            self.free.append(await self._pulse.beats(self._patience))


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    """The next request of a connection; None when the client has closed it."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        if name.lower() != "host":
            headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(method, target, headers, body)


def _answer(asked: Asked, known: Mapping[str, object]) -> Iterator[bytes]:
    """The bytes of the response; a streamed one in several pieces."""
    path = urlsplit(asked.target).path
    payload = json.loads(asked.body) if asked.body else {}
    number = hashlib.sha256(asked.target.encode() + asked.body).hexdigest()[:24]
    if path in known:
        yield _json(known[path])
    elif path == "/v1/messages":
        yield from _messages(payload, asked.headers.get("x-api-key", ""), number)
    elif path == "/v1/chat/completions":
        yield from _completions(payload, asked.headers.get("authorization", ""), number)
    else:
        yield _json(_echo(asked))


def _echo(asked: Asked) -> object:
    parts = urlsplit(asked.target)
    return {
        "method": asked.method,
        "path": parts.path,
        "query": dict(parse_qsl(parts.query)),
        "body": asked.body.decode(),
        "tenant": asked.headers.get("x-tenant", ""),
    }


def _reply(payload: dict[str, object], key: str) -> str:
    """The text that a model answers."""
    messages = payload["messages"]
    assert isinstance(messages, list)
    return f"{payload['model']} was asked {messages[-1]['content']!r} by {key.removeprefix('Bearer ')}."


def _pieces(text: str) -> list[str]:
    size = -(-len(text) // PIECES)
    return [text[start : start + size] for start in range(0, len(text), size)]


def _messages(payload: dict[str, object], key: str, number: str) -> Iterator[bytes]:
    text = _reply(payload, key)
    message = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": payload["model"],
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 20},
    }
    if not payload.get("stream"):
        yield _json(message)
        return
    yield _stream_head()
    yield _event({"type": "message_start", "message": message | {"content": []}})
    block = {"type": "text", "text": ""}
    yield _event({"type": "content_block_start", "index": 0, "content_block": block})
    for piece in _pieces(text):
        delta = {"type": "text_delta", "text": piece}
        yield _event({"type": "content_block_delta", "index": 0, "delta": delta})
    yield _event({"type": "content_block_stop", "index": 0})
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    yield _event({"type": "message_delta", "delta": end, "usage": {"output_tokens": 20}})
    yield _event({"type": "message_stop"})
    yield _chunk(b"")


def _completions(payload: dict[str, object], key: str, number: str) -> Iterator[bytes]:
    text = _reply(payload, key)
    completion = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1_750_000_000,
        "model": payload["model"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30},
    }
    if not payload.get("stream"):
        yield _json(completion)
        return
    part = completion | {"object": "chat.completion.chunk"}
    yield _stream_head()
    for piece in _pieces(text):
        delta = {"index": 0, "delta": {"content": piece}, "finish_reason": None}
        yield _event(part | {"choices": [delta]})
    yield _event(part | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    yield _chunk(b"data: [DONE]\n\n")
    yield _chunk(b"")


def _json(value: object) -> bytes:
    body = json.dumps(value).encode()
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _stream_head() -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )


def _event(value: dict[str, object]) -> bytes:
    name = f"event: {value['type']}\n" if "type" in value else ""
    return _chunk(f"{name}data: {json.dumps(value)}\n\n".encode())


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@contextlib.contextmanager
def trusting(authority: Authority, bundle: Path | None = None) -> Iterator[Path]:
    """A file of certificates to trust: the authority's, after those of a bundle."""
    before = bundle.read_bytes() if bundle is not None else b""
    descriptor, name = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(before + b"\n" + authority.pem())
        yield Path(name)
    finally:
        os.unlink(name)


def environment(upstream: Upstream, trusted: Path) -> dict[str, str]:
    """The variables by which a service's clients come to the server, without any proxy."""
    here = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
    }
    if upstream.pulse_port is not None:
        here[PORT] = str(upstream.pulse_port)
    return here | {
        "SSL_CERT_FILE": str(trusted),
        "UPSTREAM_URL": upstream.url,
        "ANTHROPIC_API_KEY": "anthropic-key",
        "ANTHROPIC_BASE_URL": upstream.url,
        "OPENAI_API_KEY": "openai-key",
        "OPENAI_BASE_URL": f"{upstream.url}/v1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
    }
