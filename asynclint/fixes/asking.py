"""What a coroutine asks of others, and waits for: a server, a database, another program."""

from __future__ import annotations

import re

from asynclint.facts.classes import implementations
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.known_calls import known_callee
from asynclint.facts.model import CallSite
from asynclint.facts.program import LOOPS, Function, recipe_name
from asynclint.facts.types import Func, Lib, LibMethod, Part, Type, members
from asynclint.fixes.place import Workshop

LOCAL = frozenset({
    "aiofiles", "aiolimiter", "anyio", "asgiref", "asyncio", "asyncer", "builtins", "concurrent", "contextlib",
    "fastapi", "flask", "functools", "litestar", "quart", "sanic", "starlette", "strawberry", "tenacity", "threading",
    "tornado", "trio",
})  # fmt: skip
"""Libraries whose coroutines wait for this program itself, for its threads or for who asks it."""

ASKING = frozenset({
    "anyio.connect_tcp", "anyio.connect_unix", "anyio.open_process", "anyio.run_process", "asyncio.create_subprocess_exec",
    "asyncio.create_subprocess_shell", "asyncio.open_connection", "asyncio.open_unix_connection",
    "trio.open_ssl_over_tcp_stream", "trio.open_tcp_stream", "trio.run_process",
})  # fmt: skip
"""What they have that asks others all the same."""

SLEEPS = frozenset({"asyncio.sleep", "anyio.sleep", "trio.sleep"})

WAITS = frozenset({"await", "awith", "afor"})

PARTNER = re.compile(
    r"(?:^|[._])(?:api|channel|client|conn|connection|cursor|database|db|http|redis|rpc|session|stub)\."
)
"""What objects are called that ask others, where nothing else is known of them: `self.client.` in `self.client.get`."""

RUNNING = frozenset({"async", "call", "enter", "iterate", "property", "run", "spawn"})
"""Edges whose target the caller, or a task of its, runs itself."""

FAR = 3000
"""Functions that are looked at, at most."""


class Asking:
    """What the project's coroutine functions ask of others."""

    def __init__(self, workshop: Workshop) -> None:
        self.graph = workshop.facts.graph
        self.evaluator: Evaluator = workshop.facts.graph.evaluator
        self._own: dict[Function, bool] = {}

    def called(self, callee: Type, site: CallSite | None) -> bool:
        """Whether something asks others, where it is called."""
        value = callee.of if isinstance(callee, Part) else callee
        if isinstance(value, Func):
            return self._reached(value.function) or self._stands_in(value.function)
        return self._of_library(value) or (
            value is None and site is not None and _is_of_partner(site)
        )

    def _reached(self, function: Function) -> bool:
        seen = {function}
        left = [function]
        while left and len(seen) < FAR:
            one = left.pop()
            if self._asks(one):
                return True
            below = [e.target for e in self.graph.out.get(one, ()) if e.how in RUNNING]
            for target in (*below, *implementations(self.evaluator, one)):
                if target not in seen:
                    seen.add(target)
                    left.append(target)
        return False

    def _stands_in(self, function: Function) -> bool:
        """Whether all that a coroutine waits for is a time that is written there: it stands for work that is still to be written."""
        module = function.module
        waits = [site for site in function.sites if site.role[0] in WAITS or site.kind in WAITS]
        return bool(waits) and all(
            site.role[0] == "await"
            and isinstance(value := self.evaluator.callee(module, site), Lib)
            and value.path in SLEEPS
            and [one[:1] for one, _ in site.args] == [("const",)]
            and not any(block.kind in LOOPS for block in module.chain(site.block))
            for site in waits
        )

    def _asks(self, function: Function) -> bool:
        found = self._own.get(function)
        if found is None:
            found = self._own[function] = any(
                self._asks_at(function, site) for site in function.sites if site.kind == "call"
            )
        return found

    def _asks_at(self, function: Function, site: CallSite) -> bool:
        callee = self.evaluator.callee(function.module, site)
        if callee is None:
            return site.role[0] in ("await", "awith", "afor") and _is_of_partner(site)
        if any(map(self._of_library, members(callee))):
            return True
        # `self._send(self.client.put, path)`.
        given = (r for r, _ in site.args if r and r[0] == "attr")
        values = (self.evaluator.at_site(r, site, function.module) for r in given)
        return any(self._of_library(member) for value in values for member in members(value))

    def _of_library(self, value: Type) -> bool:
        if not isinstance(value, (Lib, LibMethod)):
            return False
        path = value.cls if isinstance(value, LibMethod) else value.path
        if path in ASKING:
            return True
        known = known_callee(self.evaluator, value)
        return (
            known is not None
            and known.offloads is None
            and (known.coroutine or known.iterates == "async" or known.enters == "async")
            and path.partition(".")[0] not in LOCAL
        )


def _is_of_partner(site: CallSite) -> bool:
    """`session.get`, `self.api.items.list`, by the name of the object."""
    callee = site.callee
    return bool(callee) and callee[0] == "attr" and PARTNER.search(recipe_name(callee)) is not None
