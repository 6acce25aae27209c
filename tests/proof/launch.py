"""Run a service under uvicorn and report how many clients it built and closed: `launch.py DIRECTORY MODULE:APP [--factory]`.

Prints the port when the application has started, and one line of JSON after it has ended. SIGTERM ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import gc
import importlib
import inspect
import json
import os
import signal
import socket
import sys
import weakref
from collections.abc import Callable
from typing import Any

import uvicorn
from clock import Clock
from pulse import PORT, beat

COUNTED = {
    "anthropic": ("Anthropic", "AsyncAnthropic"),
    "openai": ("OpenAI", "AsyncOpenAI"),
    "httpx": ("Client", "AsyncClient"),
    "httpx2": ("Client", "AsyncClient"),
}
CLOSING = ("close", "aclose", "__exit__", "__aexit__")


class Census:
    """The clients of exactly the counted classes: those that an SDK keeps inside are subclasses, and its own affair."""

    def __init__(self, stopping: Callable[[], bool]) -> None:
        self._stopping = stopping
        self._closing: weakref.WeakSet[Any] = weakref.WeakSet()
        self.clients: list[dict[str, Any]] = []
        self._records: weakref.WeakKeyDictionary[Any, dict[str, Any]] = weakref.WeakKeyDictionary()

    def watch(self) -> None:
        """Count from now on what the packages that are imported build."""
        for package, names in COUNTED.items():
            module = sys.modules.get(package)
            for name in names if module else ():
                self._wrap(getattr(module, name), f"{package}.{name}")

    def _wrap(self, cls: type, name: str) -> None:
        build = cls.__init__

        @functools.wraps(build)
        def counted(client: Any, *args: Any, **kwargs: Any) -> None:
            build(client, *args, **kwargs)
            if type(client) is cls:
                record = {"class": name, "closes": 0, "at_shutdown": False}
                self._records[client] = record
                self.clients.append(record)

        cls.__init__ = counted
        for method in CLOSING:
            original = getattr(cls, method, None)
            if original is not None:
                setattr(cls, method, self._closer(original))

    def _closer(self, original: Any) -> Any:
        """A closing method that counts, but not what one closing method does through another."""
        if inspect.iscoroutinefunction(original):

            @functools.wraps(original)
            async def closed(client: Any, *args: Any) -> Any:
                if not self._note(client):
                    return await original(client, *args)
                try:
                    return await original(client, *args)
                finally:
                    self._closing.discard(client)
        else:

            @functools.wraps(original)
            def closed(client: Any, *args: Any) -> Any:
                if not self._note(client):
                    return original(client, *args)
                try:
                    return original(client, *args)
                finally:
                    self._closing.discard(client)

        return closed

    def _note(self, client: Any) -> bool:
        record = self._records.get(client)
        if record is None or client in self._closing:
            return False
        self._closing.add(client)
        record["closes"] += 1
        record["at_shutdown"] = self._stopping()
        return True


async def serve(server: uvicorn.Server, listener: socket.socket, clock: Clock | None) -> None:
    beating = asyncio.create_task(beat()) if PORT in os.environ else None
    ticking = asyncio.create_task(clock.run()) if clock is not None else None
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    if server.started:
        print(listener.getsockname()[1], flush=True)
    await serving
    for task in (beating, ticking):
        if task is not None:
            task.cancel()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("app")
    parser.add_argument("--factory", action="store_true")
    parser.add_argument("--clock", action="store_true")
    given = parser.parse_args()
    sys.path[0] = given.directory
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        given.app, factory=given.factory, lifespan="on", log_level="warning", ws="websockets-sansio"
    )
    server = uvicorn.Server(config)
    importlib.import_module(given.app.partition(":")[0])
    census = Census(lambda: server.should_exit)
    census.watch()
    # uvicorn raises the signal again once it has shut down; the report comes after that.
    signal.signal(signal.SIGTERM, lambda *_: None)
    clock = Clock() if given.clock else None
    asyncio.run(serve(server, listener, clock))
    listener.close()
    gc.collect()  # What was left open says so now.
    print(json.dumps({"clients": census.clients, "gaps": clock.gaps if clock else []}), flush=True)


if __name__ == "__main__":
    main()
