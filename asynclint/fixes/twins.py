"""What an expression is with a synchronous client, and what it would be with the asynchronous one, side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace

from asynclint.facts.attributes import attribute_type
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import CallSite
from asynclint.facts.operations import element_type, entered_type, subscript_type
from asynclint.facts.program import Function, Klass, Module
from asynclint.facts.types import (
    Any_,
    Const,
    Coro,
    Gen,
    Inst,
    Lib,
    LibManager,
    LibMethod,
    Tup,
    Type,
    members,
)
from asynclint.findings import Refused
from asynclint.knowledge.model import Client

STREAMED = frozenset({"httpx.Response", "httpx2.Response"})
"""Classes that both sides share: read with `aread` where the body is a stream."""

RAW = "WithRawResponse"
"""What the name of a class says whose methods give raw responses."""

SENT = frozenset({"api_key", "base_url", "timeout", "max_retries", "organization", "project"}) | {
    "auth_token", "default_headers", "headers", "cookies", "params", "auth", "api_version",
    "is_closed", "user_agent", "follow_redirects", "trust_env", "websocket_base_url", "default_query",
}  # fmt: skip
"""Attributes of clients that hold plain values, the same ones on both sides."""


@dataclass(frozen=True)
class Pair:
    """One value on both sides."""

    sync: Type
    twin: Type
    streamed: bool = False
    """A response whose body is still to be read."""

    @property
    def name(self) -> str:
        """The synchronous class, for messages."""
        if isinstance(self.sync, Inst):
            return _short(self.sync)
        if isinstance(self.sync, LibMethod):
            return f"{self.sync.cls.rpartition('.')[2]}.{self.sync.name}"
        return "it"

    @property
    def twin_name(self) -> str:
        """The asynchronous class, for messages; with its module where both have one name."""
        if isinstance(self.twin, Inst) and isinstance(self.twin.of, str):
            if self.twin.of.rpartition(".")[2] == self.name:
                return self.twin.of
        return _short(self.twin) if isinstance(self.twin, Inst) else "the asynchronous client"

    def like(self, other: Pair) -> bool:
        """Whether both are the same kind of thing, such as two classes of clients of one library."""
        if self.streamed != other.streamed:
            return False
        if _path(self.sync) == _path(other.sync) and _path(self.sync) is not None:
            return _path(self.twin) == _path(other.twin)
        return self.sync == other.sync and self.twin == other.twin


def _short(value: Inst) -> str:
    return value.of.rpartition(".")[2] if isinstance(value.of, str) else value.of.name


def _path(value: Type) -> str | Klass | None:
    return value.of if isinstance(value, Inst) else None


class Twins:
    """Evaluates both sides of what is done with a client."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.known = evaluator.known

    def client(self, type_: Type) -> Pair | None:
        """A synchronous client whose library has an asynchronous one; one of several where all are."""
        pairs = [self._client(m) for m in members(type_)]
        return pairs[0] if pairs and all(pairs) else None

    def _client(self, type_: Type) -> Pair | None:
        if not (isinstance(type_, Inst) and isinstance(type_.of, str)):
            return None
        cls = self.known.cls(type_.of)
        twin = self.twin_path(cls.client if cls is not None else None, type_.of)
        return Pair(Inst(type_.of), Inst(twin)) if twin is not None else None

    def twin_path(self, client: Client | None, path: str) -> str | None:
        """The twin of a client's class or factory, where it is one of the same library."""
        if client is None or client.is_async or client.twin is None or client.what != "client":
            return None
        if client.twin.partition(".")[0] != path.partition(".")[0]:
            return None
        there = self.known.cls(client.twin) or self.known.function(client.twin)
        return client.twin if there is not None else None

    def accessor(self, pair: Pair) -> str | None:
        """The attribute under which a client holds its asynchronous side: `aio` of google-genai's."""
        if not (isinstance(pair.sync, Inst) and isinstance(pair.sync.of, str)):
            return None
        cls = self.known.cls(pair.sync.of)
        for name, type_ in cls.attributes.items() if cls is not None else ():
            if isinstance(pair.twin, Inst) and type_ == pair.twin.of:
                return name
        return None

    # -- attributes ---------------------------------------------------------------------------------------

    def attribute(self, pair: Pair, name: str, function: Function) -> tuple[Pair, str] | None:
        """What an attribute gives on both sides, and its name on the other; None for a plain value, the same on both."""
        sync = attribute_type(self.evaluator, pair.sync, name, function)
        for other in self._names(pair, name):
            twin = attribute_type(self.evaluator, pair.twin, other, function)
            if sync is None and twin is None:
                continue
            if sync is None or twin is None:
                continue
            if isinstance(sync, LibMethod) != isinstance(twin, LibMethod):
                continue
            if not isinstance(sync, LibMethod) and self.plain(Pair(sync, twin)):
                return None
            return Pair(sync, twin, pair.streamed), other
        if pair.streamed and sync is not None and not isinstance(sync, LibMethod):
            return None
        if sync is None and (name in SENT or self._is_data(pair)) and not name.startswith("_"):
            return None
        if sync is not None and self.plain(Pair(sync, sync)):
            return None
        raise Refused(f"`{pair.name}.{name}` has no counterpart in `{pair.twin_name}`")

    def _is_data(self, pair: Pair) -> bool:
        """Whether an object has plain attributes beside those that are known: responses and streams, not clients."""
        if not (isinstance(pair.sync, Inst) and isinstance(pair.sync.of, str)):
            return False
        cls = self.known.cls(pair.sync.of)
        return (
            cls is not None and (cls.iter is not None or cls.enter is not None) and not cls.client
        )

    def _names(self, pair: Pair, name: str) -> list[str]:
        if pair.streamed:
            return [f"a{name}", name]
        if isinstance(pair.sync, Inst) and isinstance(pair.sync.of, str):
            one = self.known.cls(pair.sync.of)
            other = self.known.cls(pair.twin.of) if _is_lib(pair.twin) else None  # type: ignore[union-attr,arg-type]
            if one is not None and one.client and one.client.close == name:
                if other is not None and other.client and other.client.close:
                    return [other.client.close]
        return [name]

    # -- calls ----------------------------------------------------------------------------------------------

    def call(self, pair: Pair, site: CallSite | None, module: Module, streams: bool) -> Pair:
        """What calling a method gives on both sides; on the other a coroutine where it has to be awaited.

        `streams` says that the call asks for the body as a stream.
        """
        if not (isinstance(pair.sync, LibMethod) and isinstance(pair.twin, LibMethod)):
            raise Refused(f"what calling `{pair.name}` gives is not known")
        sync = self.evaluator.call(pair.sync, site, module)
        twin = self.evaluator.call(pair.twin, site, module)
        if pair.sync.name in ("close", "aclose"):
            return Pair(sync, twin)
        result = twin.result if isinstance(twin, Coro) else twin
        if sync is None and RAW in pair.sync.cls:
            raise Refused("what a raw response can do depends on the library's release")
        if isinstance(sync, Inst) and sync.of in STREAMED and streams:
            return Pair(sync, twin, True)
        if pair.streamed and isinstance(result, Gen):
            return Pair(sync, twin)
        if (sync is None) != (result is None) and not self.plain(Pair(sync, result)):
            raise Refused(f"what `{pair.name}` gives is not known on both sides")
        return Pair(sync, twin)

    def plain(self, pair: Pair) -> bool:
        """Whether a value is used in the same way on both sides."""
        if pair.streamed:
            return False
        for value in (pair.sync, pair.twin):
            for one in members(value):
                if isinstance(one, (Gen, LibManager, LibMethod, Coro, Lib)):
                    return False
        if pair.sync is None or pair.twin is None:
            other = pair.twin if pair.sync is None else pair.sync
            return other is None or isinstance(other, (Const, Tup)) or _is_builtin(other)
        return _path(pair.sync) == _path(pair.twin) or isinstance(pair.sync, (Const, Tup, Any_))

    def subscript(self, pair: Pair, site: Function) -> Pair:
        """`client["database"]`. Raises Refused for what can only be gone over on the other side."""
        at = (0, 0, -1)
        twin = subscript_type(self.evaluator, pair.twin, None, site, at)
        if twin is None and _is_lib(pair.twin):
            cls = self.known.cls(pair.twin.of)  # type: ignore[union-attr,arg-type]
            if cls is not None and cls.iter == "async":
                raise Refused(f"`{pair.name}[…]` has no counterpart in `{pair.twin_name}`")
        return Pair(subscript_type(self.evaluator, pair.sync, None, site, at), twin)

    # -- entering and iterating -----------------------------------------------------------------------------

    def entered(self, pair: Pair) -> Pair:
        """What `with` gives, and `async with` on the other side. Raises Refused where it cannot be entered there."""
        twin = pair.twin
        can = isinstance(twin, LibManager) and twin.is_async
        if _is_lib(twin):
            cls = self.known.cls(twin.of)  # type: ignore[union-attr,arg-type]
            can = cls is not None and cls.enter in ("async", "both")
        if not can:
            raise Refused(f"`{pair.twin_name}` cannot be entered with `async with`")
        entered = Pair(
            entered_type(self.evaluator, pair.sync, False), entered_type(self.evaluator, twin, True)
        )
        if isinstance(pair.sync, LibManager) and isinstance(entered.sync, Inst):
            return replace(entered, streamed=entered.sync.of in STREAMED)
        return replace(entered, streamed=pair.streamed)

    def iterated(self, pair: Pair) -> Pair:
        """An element of what `for` and `async for` go over. Raises Refused where `async for` is not known to."""
        twin = pair.twin
        can = isinstance(twin, Gen) and twin.is_async
        if _is_lib(twin):
            cls = self.known.cls(twin.of)  # type: ignore[union-attr,arg-type]
            can = cls is not None and cls.iter in ("async", "both")
        if not can:
            raise Refused(f"`{pair.twin_name}` cannot be gone over with `async for`")
        return Pair(element_type(self.evaluator, pair.sync), element_type(self.evaluator, twin))


def _is_lib(value: Type) -> bool:
    return isinstance(value, Inst) and isinstance(value.of, str)


def _is_builtin(value: Type) -> bool:
    return (
        isinstance(value, Inst) and isinstance(value.of, str) and value.of.startswith("builtins.")
    )
