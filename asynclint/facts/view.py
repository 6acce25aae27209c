"""The facts that rules ask for, found by position in the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from asynclint.findings import Link, Span

if TYPE_CHECKING:
    from collections.abc import Mapping

    import libcst as cst
    from libcst.metadata import CodeRange

    from asynclint.knowledge.model import BlockKind, Client

CALLING: dict[str, tuple[tuple[str, ...], str | None]] = {
    "Call": (("call",), None),
    "WithItem": (("with", "awith"), "item"),
    "For": (("for", "afor"), "iter"),
    "CompFor": (("for", "afor"), "iter"),
    "From": (("for",), "item"),
    "Attribute": (("attr",), None),
    "Subscript": (("item",), None),
    "ComparisonTarget": (("in",), "comparator"),
    "Decorator": (("decorator",), "decorator"),
    "ExceptHandler": (("except",), None),
    "AssignTarget": (("assign",), "target"),
    "AugAssign": (("assign",), "target"),
}
"""Nodes that make calls: the kinds of their call sites, and which of their parts is the place."""

Often = Literal["once", "request", "item", "call"]

Position = tuple[int, int, int, int]
"""Line (1-based), column (0-based, in characters), end line, end column."""


@dataclass(frozen=True, slots=True)
class Blocking:
    """A call that stops the thread it runs in; this place runs on the event loop."""

    kind: BlockKind
    name: str
    """The call that blocks: "time.sleep", "OpenAI.chat.completions.create"."""
    through: str | None
    """The project function that is called here and leads to it; None when this place is the blocking call."""
    because: tuple[Link, ...]
    instead: str | None
    startup: bool
    """Is a note: runs only at startup or shutdown, when nothing is served, or is file work of what a test tests."""


@dataclass(frozen=True, slots=True)
class Building:
    """A call that builds a client."""

    client: Client
    name: str
    """The class or factory as the reader knows it: "AsyncAnthropic"."""
    often: Often
    because: tuple[Link, ...]
    depends: str | None
    """Why it cannot be shared: what its arguments depend on."""


@dataclass(frozen=True, slots=True)
class LostCoroutine:
    """A call whose coroutine nothing will ever run."""

    name: str
    how: str
    """How the coroutine stands: "stmt", "unused", "test", "return", …"""
    detail: str
    """For the message: "is tested for truth", "is returned by a route"; empty for a bare statement."""
    in_coroutine: bool
    """The enclosing function is `async def`, so that it could be awaited here."""
    because: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class LostTask:
    """A task that nothing keeps: the event loop holds it weakly."""

    name: str
    detail: str
    because: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class FanOut:
    """A place that starts one task for each item of an iterable of unknown length."""

    name: str
    because: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A call, `with`, `for` or `except` that takes something for what it is not."""

    kind: Literal[
        "in thread",
        "too early",
        "in wait",
        "cached",
        "held",
        "timed",
        "mismatched",
        "shared",
        "swallowed",
        "per call",
        "around",
        "across loops",
        "abandoned",
        "stale",
    ]
    name: str
    """What it takes: a function, a lock, a stream."""
    by: str
    """Who takes it; for "mismatched" what it is: "sync", "async" or "coroutine"; for "swallowed" what is raised instead."""
    because: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Unclosed:
    """A call that builds a client which nothing closes."""

    client: Client
    name: str
    kept: tuple[str, ...]
    """The attributes and globals that hold it; none where a local variable does."""
    because: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class StartupHandler:
    """A call that registers a handler for startup or shutdown, which a lifespan switches off."""

    name: str
    """How the call reads: "app.on_event"."""
    hidden_by: str | None
    """The application whose lifespan switches it off today; None where there is none in sight."""
    because: tuple[Link, ...]


@dataclass(slots=True)
class CallFacts:
    """All that is known of one call site."""

    position: Position
    blocking: dict[str, Blocking] = field(default_factory=dict)
    """By kind."""
    building: Building | None = None
    lost_coroutine: LostCoroutine | None = None
    lost_task: LostTask | None = None
    fan_out: FanOut | None = None
    startup_handler: StartupHandler | None = None
    unclosed: Unclosed | None = None
    mistakes: dict[str, Mistake] = field(default_factory=dict)
    """By kind."""

    def blocks_as(self, *kinds: BlockKind) -> Blocking | None:
        """The blocking of one of these kinds, the first that there is."""
        for kind in kinds:
            if kind in self.blocking:
                return self.blocking[kind]
        return None


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """What is known of a function as a rule sees it."""

    name: str
    is_async: bool
    line: int


class Slice:
    """A function's text with the facts about it, parsed by libcst as a module of its own."""

    def __init__(
        self,
        path: str,
        tree: cst.Module,
        positions: Mapping[cst.CSTNode, CodeRange],
        first_line: int,
        calls: Mapping[str, Mapping[Position, CallFacts]],
        holder: FunctionFacts | None = None,
    ) -> None:
        self.path = path
        self.tree = tree
        self._positions = positions
        self._line = first_line
        self._calls = calls
        self._stack: list[FunctionFacts] = [holder] if holder is not None else []

    def position(self, node: cst.CSTNode) -> Position | None:
        """Where a node stands in the file."""
        where = self._positions.get(node)
        if where is None:
            return None
        start, end = where.start, where.end
        if type(node).__name__ == "ExceptHandler":
            # The word alone: what follows is a suite.
            line = start.line + self._line
            return (line, start.column, line, start.column + len("except"))
        return (start.line + self._line, start.column, end.line + self._line, end.column)

    def span(self, node: cst.CSTNode) -> Span:
        """Where a node stands in the file, as findings say it."""
        line, column, end_line, end_column = self.position(node) or (1, 0, 1, 0)
        return Span(line, column + 1, end_line, end_column + 1)

    def call(self, node: cst.CSTNode) -> CallFacts | None:
        """Facts of the call that this node makes, in words or implicitly."""
        kinds, place = CALLING.get(type(node).__name__, ((), None))
        for kind in kinds:
            table = self._calls.get(kind)
            if table:
                position = self.position(getattr(node, place) if place else node)
                if position is not None and position in table:
                    return table[position]
        return None

    def enter_function(self, node: cst.FunctionDef | cst.Lambda) -> None:
        """Called by the engine on the way down."""
        position = self.position(node)
        line = position[0] if position else 0
        is_async = getattr(node, "asynchronous", None) is not None
        name = getattr(node, "name", None)
        name = name.value if name is not None else "<lambda>"
        self._stack.append(FunctionFacts(name, is_async, line))

    def leave_function(self) -> None:
        """Called by the engine on the way up."""
        self._stack.pop()

    def function(self, node: cst.CSTNode) -> FunctionFacts | None:
        """The function whose body executes the node that is being visited."""
        return self._stack[-1] if self._stack else None
