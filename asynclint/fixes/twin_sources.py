"""Where a client comes from: what becomes asynchronous is built so, and everything that gives it is followed."""

from __future__ import annotations

import ast
import re

from asynclint.facts.body import is_none
from asynclint.facts.types import Cls, Func, Lib, LibMethod, Mod, members
from asynclint.findings import Refused
from asynclint.fixes.mentions import Global
from asynclint.fixes.mocked import refuse_mocked, refuse_patched, refuse_spelled
from asynclint.fixes.reading import Reading
from asynclint.fixes.released import refuse_newer
from asynclint.fixes.twin_plan import Plan
from asynclint.fixes.twins import Pair
from asynclint.knowledge.model import Client

SHARED_POOL = frozenset({"http_client", "httpx_client"})
"""Arguments that hand a constructor an HTTP client, which has to become asynchronous with it."""

SYNC_ONLY = {
    "event_hooks": "hooks of a synchronous client are plain functions",
    "mounts": "its `mounts` are synchronous transports",
    "app": "its `app` is called by a synchronous transport",
    "connection_pool": "its pool is a synchronous one",
    "retry": "its `retry` belongs to synchronous connections",
    "middleware": "its middleware is synchronous",
    "connection_class": "its `connection_class` is a synchronous one",
    "transport_class": "its `transport_class` is a synchronous one",
    "node_class": "its `node_class` is a synchronous one",
}
"""Arguments that only a synchronous client takes in this form."""

KEYS = ("KeyCredential", "SasCredential", "getenv", "environ.get")
"""What the names of credentials end with that are text, whoever asks for them."""

TRANSPORTS = {
    "httpx.HTTPTransport": "httpx.AsyncHTTPTransport",
    "httpx2.HTTPTransport": "httpx2.AsyncHTTPTransport",
}

MANY = 100
"""Connections that are as good as any number: what redis 8 has where it is told nothing."""

NEEDED = {
    "azure": "aiohttp",
    "elasticsearch": "aiohttp",
    "opensearchpy": "aiohttp",
    "slack_sdk": "aiohttp",
}
"""What the asynchronous clients of a library stand on, and the synchronous ones do not."""


class Sources(Plan):
    """The way back to the constructors."""

    def _attribute(self, reading: Reading, node: ast.Attribute, pair: Pair) -> None:
        """An attribute of a value is read."""
        raise NotImplementedError

    def _demand(self, reading: Reading, node: ast.expr, pair: Pair | None) -> None:
        """A value that becomes asynchronous comes from here: so must everything that it comes from."""
        if is_none(node):
            return
        if isinstance(node, ast.IfExp):
            for one in (node.body, node.orelse):
                self._demand(reading, one, pair)
            return
        if isinstance(node, ast.BoolOp):
            for one in node.values:
                self._demand(reading, one, pair)
            return
        if isinstance(node, ast.NamedExpr):
            self._demand(reading, node.value, pair)
            return
        if id(node) in self._followed:
            return
        self._wanted.append((reading, node))
        if pair is not None and self._field(reading, node, pair):
            return
        client = self.twins.client(reading.type(node))
        if client is not None and self.twins.accessor(client) is None:
            self._demand_client(reading, node, client)
            return
        self._demand_made(reading, node, pair)

    def _demand_client(self, reading: Reading, node: ast.expr, client: Pair) -> None:
        if isinstance(node, ast.Call):
            callee = reading.type(node.func)
            if isinstance(callee, (Lib, LibMethod)) and self._build(reading, node):
                return
            if isinstance(callee, LibMethod) and isinstance(node.func, ast.Attribute):
                # `client.with_options(…)`.
                self._demand(reading, node.func.value, None)
                return
            if isinstance(callee, Cls):
                raise Refused(f"`{callee.klass.name}` is a class of the project")
        holder = self.holders.of(reading, node)
        if holder is None:
            raise Refused(f"where `{ast.unparse(node)}` comes from is not known")
        self._hold(holder, client, ast.unparse(node))

    def _demand_made(self, reading: Reading, node: ast.expr, pair: Pair | None) -> None:
        """What a client has made: a stream, a resource, a bound method."""
        holder = self.holders.of(reading, node)
        if holder is not None and not self._of_library(reading, node):
            if pair is None:
                raise Refused(f"where `{ast.unparse(node)}` comes from is not known")
            self._hold(holder, pair, ast.unparse(node))
            return
        inner = node.value if isinstance(node, ast.Await) else node
        if isinstance(inner, ast.Call):
            inner = inner.func
        if isinstance(inner, (ast.Attribute, ast.Subscript)):
            if reading.type(inner.value) is not None and self._is_object(reading, inner.value):
                self._demand_chain(reading, inner.value)
                return
        raise Refused(f"where `{ast.unparse(node)}` comes from is not known")

    def _is_object(self, reading: Reading, node: ast.expr) -> bool:
        return not any(isinstance(m, (Lib, Mod, Cls)) for m in members(reading.type(node)))

    def _of_library(self, reading: Reading, node: ast.expr) -> bool:
        inner = node.value if isinstance(node, ast.Await) else node
        if isinstance(inner, ast.Call):
            return isinstance(reading.type(inner.func), (LibMethod, Lib))
        return False

    def _demand_chain(self, reading: Reading, node: ast.expr) -> None:
        client = self.twins.client(reading.type(node))
        accessor = self.twins.accessor(client) if client is not None else None
        if client is not None and accessor is not None:
            self._access(reading, node, client, accessor)
            return
        self._demand(reading, node, None)

    # -- building -----------------------------------------------------------------------------------------

    def _build(self, reading: Reading, call: ast.Call) -> bool:
        """Name the twin in a constructor; False where the call is none."""
        if id(call) in self._built:
            return True
        callee = reading.type(call.func)
        client: Client | None = None
        node: ast.expr = call.func
        path = ""
        if isinstance(callee, Lib):
            path = callee.path
            cls, function = self.twins.known.cls(path), self.twins.known.function(path)
            client = (
                cls.client if cls is not None else function.client if function is not None else None
            )
        elif isinstance(callee, LibMethod) and isinstance(callee.receiver, Lib):
            client, path = callee.known.client, callee.receiver.path
            assert isinstance(call.func, ast.Attribute)
            node = call.func.value
        twin = self.twins.twin_path(client, path)
        if client is None or twin is None:
            return False
        if isinstance(callee, LibMethod):
            cls = self.twins.known.cls(path)
            twin = self.twins.twin_path(cls.client if cls is not None else None, path)
            if twin is None:
                return False
        self._refuse_missing(twin)
        refuse_newer(self.holders.workshop, reading.module, twin)
        refuse_patched(self.holders, path.partition(".")[0], reading.module)
        refuse_spelled(reading.source, path)
        self._built.add(id(call))
        if not reading.scope(call).is_async:
            self._lasting = True
        self._check_arguments(reading, call)
        if path.startswith("azure."):
            self._check_credential(reading, call)
        self.exchange.named(reading, node, twin)
        refuse_mocked(self.holders, Global(reading.module, _first_name(node)))
        result = self.evaluator.call(callee, reading.site(call), reading.module)
        pair = self.twins.client(result)
        if pair is None:
            raise Refused(f"what `{ast.unparse(call.func)}` gives is not known")
        self._follow(reading, call, pair)
        return True

    def _refuse_missing(self, twin: str) -> None:
        """Raise Refused where a twin stands on a package that may not be installed."""
        needed = NEEDED.get(twin.partition(".")[0])
        if needed is None:
            return
        word = re.compile(rf"^\s*(?:import|from)\s+{needed}\b", re.MULTILINE)
        files = self.holders.program.project.files
        if not any(needed in (f.text or "") and word.search(f.text or "") for f in files):
            raise Refused(f"`{twin}` needs `{needed}`, which the project does not import")

    def _field(self, reading: Reading, node: ast.expr, pair: Pair) -> bool:
        """`field(default_factory=OpenAI)` of a dataclass or model."""
        callee = reading.type(node.func) if isinstance(node, ast.Call) else None
        if not isinstance(callee, Lib) or callee.path.rpartition(".")[2] not in ("field", "Field"):
            return False
        assert isinstance(node, ast.Call)
        for keyword in node.keywords:
            value = keyword.value
            if keyword.arg == "default":
                self._demand(reading, value, pair)
            elif keyword.arg == "default_factory" and isinstance(value, ast.Lambda):
                self._demand(reading, value.body, pair)
            elif keyword.arg == "default_factory":
                made = reading.type(value)
                path = made.path if isinstance(made, Lib) else ""
                paths = self._paths(pair)
                if path not in paths:
                    raise Refused(f"what `{ast.unparse(value)}` gives is not known")
                self._built.add(id(node))
                self.exchange.named(reading, value, paths[path])
        self._followed[id(node)] = pair
        return True

    def _check_arguments(self, reading: Reading, call: ast.Call) -> None:
        for keyword in call.keywords:
            name, value = keyword.arg, keyword.value
            if name is None:
                self._check_unpacked(reading, value)
            elif is_none(value):
                continue
            elif name in SHARED_POOL:
                self._demand(reading, value, None)
            elif name in SYNC_ONLY:
                raise Refused(SYNC_ONLY[name])
            elif name == "max_connections" and not _is_many(value):
                raise Refused("its pool raises where all of its connections are in use")
            elif name == "http_auth" and not isinstance(value, (ast.Tuple, ast.Constant)):
                raise Refused("its `http_auth` may sign synchronous requests only")
            elif name == "transport":
                self._transport(reading, value)
            elif name == "api_key" and (
                isinstance(value, ast.Lambda) or isinstance(reading.type(value), (Func, LibMethod))
            ):
                raise Refused("its `api_key` is a function, which would have to be a coroutine")

    def _check_credential(self, reading: Reading, call: ast.Call) -> None:
        """Azure's asynchronous clients ask an asynchronous credential for tokens; keys they take as they are."""
        given = [*call.args[1:], *(k.value for k in call.keywords if k.arg == "credential")]
        for value in given:
            made = value
            if isinstance(value, ast.Name):
                made = self._assigned(reading, value) or value
            name = ast.unparse(made.func) if isinstance(made, ast.Call) else ""
            text = isinstance(made, ast.Constant) or ast.unparse(made).startswith("os.environ[")
            if not text and not name.endswith(KEYS):
                raise Refused("its `credential` may be a synchronous one")

    def _assigned(self, reading: Reading, name: ast.Name) -> ast.expr | None:
        """What the one assignment of a name of the module gives it."""
        found = [
            parent.value
            for node in reading.names.get(name.id, ())
            if isinstance(node.ctx, ast.Store)
            for parent in (reading.tree.parent(node),)
            if isinstance(parent, (ast.Assign, ast.AnnAssign))
        ]
        return found[0] if len(found) == 1 else None

    def _check_unpacked(self, reading: Reading, value: ast.expr) -> None:
        """`**arguments`: nothing in the function or module may put a synchronous client into them."""
        text = reading.source.text
        if any(
            f'"{n}"' in text or f"'{n}'" in text or f"{n}=" in text
            for n in (*SHARED_POOL, "transport")
        ):
            raise Refused(f"what `**{ast.unparse(value)}` holds is not known")

    def _transport(self, reading: Reading, value: ast.expr) -> None:
        callee = reading.type(value.func) if isinstance(value, ast.Call) else None
        twin = TRANSPORTS.get(callee.path) if isinstance(callee, Lib) else None
        if twin is None or not isinstance(value, ast.Call):
            raise Refused("its transport is a synchronous one")
        self.exchange.named(reading, value.func, twin)

    def _access(self, reading: Reading, node: ast.expr, pair: Pair, accessor: str) -> None:
        """`client.models` → `client.aio.models`: the client stays what it is."""
        if id(node) in self._accessed:
            return
        self._accessed.add(id(node))
        parent = reading.tree.parent(node)
        if not isinstance(parent, ast.Attribute):
            raise Refused("how the client is used could not be read")
        self._change(reading).wrap(node, "", f".{accessor}")
        self._attribute(reading, parent, pair)


def _first_name(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _is_many(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, int) and value.value >= MANY
