"""The vocabulary in which knowledge of other people's code is written: functions, classes, clients, entry points.

Names are canonical dotted paths ("openai.OpenAI", "asyncio.to_thread"). Types are written as Python annotations
of canonical names ("httpx.Response", "list[httpx.Response]", "Iterator[X]", "AsyncIterator[X]", "Callable"). `Self` stands for
the receiver, `T` for its type argument: of `Book.objects`, a `Manager[Self]`, what `get` gives is a `T`, a `Book`.
A parameter is addressed by position (0 is the first after self) or by keyword; where a call may
use either, `params` gives the names in positional order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

BlockKind = Literal[
    "sleep", "sdk", "http", "database", "subprocess", "wait", "file", "stat", "cpu", "loop"
]
"""What a blocking call waits for. "loop" runs a nested event loop; "stat" is a short local file operation."""

Param = int | str


@dataclass(frozen=True, slots=True)
class Client:
    """An object that owns a connection pool: what it costs, how it closes, whether it can be shared."""

    what: Literal["client", "pool", "engine", "session", "connection", "channel", "producer"] = (
        "client"
    )
    is_async: bool = False
    twin: str | None = None
    """The async class or factory for a sync one, and the reverse."""
    close: str | None = None
    """Name of the closing method; None when nothing needs closing."""
    close_async: bool = False
    state: str | None = None
    """What a shared one keeps between users ("cookies"); None when it is free of per-user state."""
    cost: Literal["tls", "connect", "light", "none"] = "tls"
    """"tls" builds an SSL context or takes as long (20-100 ms), "connect" opens connections, "light" is cheap, but its connections are
    lost with it; "none" keeps no connections: building it again is as good as keeping it."""
    cheap_with: tuple[str, ...] = ()
    """Arguments that share someone else's pool ("connection_pool", "http_client", "transport"): quiet then."""
    tenant_args: tuple[str, ...] = ()
    """Arguments that usually carry the user's or tenant's identity ("api_key", "token", "headers")."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a framework does with a function that is handed to it."""

    often: Literal["request", "item", "once", "test"] = "request"
    """"request": called per request, message or tool call. "once": startup, shutdown, lifespan, script main."""
    sync: Literal["thread", "loop", "process", "plain"] = "thread"
    """Where it runs a plain `def`: worker thread (FastAPI), on the loop, own process, or no loop at all."""
    role: str = "route"
    """route, dependency, middleware, websocket, lifespan, startup, shutdown, background task, tool, handler, …"""
    param: Param | None = None
    """For a registering call: which parameter is the function. None for a decorator: the decorated function."""
    methods: tuple[str, ...] = ()
    """When the thing handed over is a class: which of its methods the framework calls."""
    awaits: bool = False
    """It awaits the coroutine that a plain `def` returns."""
    thread_if: str | None = None
    """Argument of the registering call which, given and not False, makes a plain `def` run in a worker thread."""
    gives: str | None = None
    """Type of the first argument that the framework calls a decorated function with, after `self`. Where that depends on the
    function's name, pairs: "on_message=discord.Message on_member_join=discord.Member"."""
    hands: str | None = None
    """Types of the arguments that the framework chooses by the names of the parameters: "ack=bolt.Ack say=bolt.Say"."""


@dataclass(frozen=True, slots=True)
class Function:
    """What is known of one function or method."""

    name: str
    params: tuple[str, ...] = ()
    """Parameter names in positional order, without self; may be incomplete."""
    blocks: BlockKind | None = None
    """Calling it stops the calling thread."""
    short: bool = False
    """Blocks, but only for a short local moment."""
    unless: tuple[tuple[str, str], ...] = ()
    """(parameter, literal) pairs that make it return at once: (("block", "False"), ("timeout", "0"))."""
    only_if: tuple[tuple[str, str], ...] = ()
    """(parameter, literal) pairs, one of which is needed for it to block: (("shell", "True"),). "open file" stands for one
    that the code has opened."""
    blocks_if: tuple[tuple[str, str, str], ...] = ()
    """(parameter, literal, kind): another kind in that case: ("recursive", "True", "file")."""
    blocks_if_built: tuple[tuple[str, str], ...] = ()
    """(constructor's parameter, kind): blocks only where the receiver is known to have been built with it
    (`Queue(maxsize=…).put`)."""
    instead: str | None = None
    """What to use in a coroutine: "asyncio.sleep", "httpx.AsyncClient.get"."""
    coroutine: bool = False
    """Calling it returns something that must be awaited or entered (`async def`, `gather`, `session.get`)."""
    enters: Literal["sync", "async"] | None = None
    """The result may be used in `with` ("sync") or `async with` ("async") and gives `returns` there."""
    iterates: Literal["sync", "async"] | None = None
    """The result of the call itself may stand in `for` or `async for` (an async paginator that is also awaitable)."""
    enter_blocks: bool = False
    """Entering (not calling) is what blocks: `client.messages.stream(...)`; the kind is `blocks`."""
    returns: str | None = None
    """Type of the result, after awaiting where `coroutine`."""
    returns_if: tuple[tuple[str, str, str], ...] = ()
    """(parameter, literal, type): ("stream", "True", "openai.Stream")."""
    returns_param: Param | None = None
    """The result has the type of this argument (`instructor.from_openai(client)`)."""
    client: Client | None = None
    """Calling it builds a client (`asyncpg.create_pool`, `boto3.client`)."""
    offloads: Param | None = None
    """This parameter is a callable that runs in a worker thread or process."""
    offloads_to: Literal["thread", "process"] = "thread"
    calls_on_loop: Param | None = None
    """This parameter is a callable that the event loop calls (`call_soon`, `add_done_callback`)."""
    spawns: Param | None = None
    """This parameter is a coroutine that is scheduled as a task; the result is that task."""
    keeps: bool = False
    """The spawned task is kept alive by the receiver (`TaskGroup.create_task`, anyio's `start_soon`)."""
    spawns_call: bool = False
    """`spawns` names a coroutine *function*, whose arguments follow (`start_soon(f, x)`)."""
    gathers: bool = False
    """Runs all its positional arguments concurrently (`asyncio.gather`)."""
    gathers_iterable: bool = False
    """Runs all members of its first argument concurrently (`asyncio.wait`, `as_completed`)."""
    runs_loop: bool = False
    """Runs its first argument on an event loop of its own until done (`asyncio.run`)."""
    caches: bool = False
    """As a decorator: the result of the first call is kept (`lru_cache`)."""
    transparent: bool = False
    """As a decorator: the function keeps its kind and result (`wraps(f)`, `retry`, `tracer.start_as_current_span`)."""
    changes_result: bool = False
    """As a decorator: calling the decorated function gives something else (`async_to_sync`, `celery.task`)."""
    makes_async: bool = False
    """Given a sync function, returns a coroutine function that runs it in a thread (`sync_to_async`, `run_in_executor` wrappers)."""
    decorator_blocks: BlockKind | None = None
    """As a decorator on a plain `def`: calls to it block so (`tenacity.retry` sleeps)."""
    registers: tuple[Entry, ...] = ()
    """What it hands to a framework, as a call (Entry.param set) or as a decorator (Entry.param None)."""
    lifespan_hides: bool = False
    """What it registers for startup or shutdown is not called where the application has a lifespan."""
    enters_argument: bool = False
    """It enters its first argument, a synchronous context manager (`ExitStack.enter_context`)."""
    consumes: bool = False
    """Uses up its first argument, an iterator (`list`, `sum`); the laziness of a glob ends here."""

    @property
    def only_returns(self) -> bool:
        """Whether all that is known of it is what it takes and gives."""
        return self == Function(
            self.name,
            self.params,
            returns=self.returns,
            returns_if=self.returns_if,
            returns_param=self.returns_param,
        )


@dataclass(frozen=True, slots=True)
class Class:
    """What is known of one class."""

    name: str
    bases: tuple[str, ...] = ()
    client: Client | None = None
    construct: Function | None = None
    """What calling the class does beyond building an instance (blocks, registers)."""
    methods: dict[str, Function] = field(default_factory=dict)
    """`__getattr__` tells of what is made at run time: the type of attributes (`returns`), or, where it blocks or is
    a coroutine function, all methods that have no entry of their own."""
    attributes: dict[str, str] = field(default_factory=dict)
    """Attribute or property → type."""
    items: dict[str, str] = field(default_factory=dict)
    """Of a mapping: key → type of what is kept there."""
    enter: Literal["sync", "async", "both"] | None = None
    """Whether it is a context manager; entering gives the instance unless `enters_as`."""
    enters_as: str | None = None
    enter_blocks: BlockKind | None = None
    """`with X():` blocks at entry or exit."""
    iter: Literal["sync", "async", "both"] | None = None
    """Whether it can stand in `for` ("sync") or `async for` ("async"); None where that is not known."""
    iter_blocks: BlockKind | None = None
    """`for … in x` blocks at each step."""
    yields: str | None = None
    """Element type of `for`/`async for`."""
    bounds: bool = False
    """Limits concurrency (semaphores, limiters)."""
    lock: Literal["thread", "async"] | None = None
    keeps_tasks: bool = False
    one_at_a_time: bool = False
    """Coroutines that run at once must not use the same one; subclasses speak for themselves."""
    entry_methods: dict[str, Entry] = field(default_factory=dict)
    """For subclasses: which methods the framework calls (`HTTPEndpoint.get`, `BaseHTTPMiddleware.dispatch`)."""
    called: bool = False
    """Its objects can be called, though no more is said of that: there is no `__call__` among the methods."""
    complete: bool = False
    """All public methods are listed: a missing one is known to be missing, not unknown."""


@dataclass(frozen=True, slots=True)
class History:
    """Which releases have a name, and what they have in its place."""

    since: str | None = None
    """The first release that has it: "pymongo 4.9"."""
    gone: str | None = None
    """The first release that does not have it any more."""
    earlier: str | None = None
    """The name that stood in its place before."""
    later: str | None = None
    """The name that stands in its place now."""
    note: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """All that is known of one distribution's import roots."""

    name: str
    roots: tuple[str, ...]
    version: str | None
    """The release that the names were checked against; None for the standard library."""
    functions: dict[str, Function]
    classes: dict[str, Class]
    aliases: dict[str, str]
    """Other dotted paths under which the same thing can be imported → canonical path."""
    modules: dict[str, dict[str, str]] = field(default_factory=dict)
    """Module path → its attributes that are objects (`openai.chat`) → their types."""
    old: set[str] = field(default_factory=set)
    """Paths that other releases than `version` have; they are not checked against the package."""
    history: dict[str, History] = field(default_factory=dict)
    """Paths of things that moved or were replaced → how."""
