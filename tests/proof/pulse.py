"""A pulse felt from outside: a service's event loop returns every byte that it is sent, unless something keeps it.

No clock is read. A loop that is free returns the byte however slow the machine is; one that waits for an answer
cannot return it before the answer has come.
"""

from __future__ import annotations

import asyncio
import os
import socket

PORT = "PULSE_PORT"
"""The variable that tells a service where its pulse is felt."""


class Pulse:
    """The side that feels it. All coroutines belong to one event loop, which is not the service's."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._writer: asyncio.StreamWriter | None = None
        self._beats = asyncio.Condition()
        self._sent = 0
        self._returned = 0
        self.port: int = self._socket.getsockname()[1]

    async def listen(self) -> None:
        """Let a service connect, until cancelled."""
        server = await asyncio.start_server(self._listen, sock=self._socket)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            if self._writer is not None:
                self._writer.close()

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        while beats := await reader.read(64):
            async with self._beats:
                self._returned += len(beats)
                self._beats.notify_all()

    async def beats(self, patience: float) -> bool:
        """Whether the service's event loop runs now; that it does not is said after `patience` seconds."""
        assert self._writer is not None, "no service has connected"
        self._sent += 1
        number = self._sent
        self._writer.write(b".")
        async with self._beats:
            try:
                await asyncio.wait_for(
                    self._beats.wait_for(lambda: self._returned >= number), patience
                )
            except asyncio.TimeoutError:
                return False
        return True


async def beat() -> None:
    """The service's side: return what comes until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(os.environ[PORT]))
    while sent := await reader.read(64):
        writer.write(sent)
        await writer.drain()
    writer.close()
