"""The lifespan plan: a client that is built for every request is built once at startup, handed over, and closed at shutdown."""

from __future__ import annotations

import ast
import re
from collections import deque
from collections.abc import Iterator

from asynclint.facts.program import Function, recipe_name
from asynclint.facts.types import Cls, Lib, LibMethod, members
from asynclint.facts.view import Building
from asynclint.findings import Edit, Fix, Refused
from asynclint.fixes import imports
from asynclint.fixes.application import STARLETTE, Application, Serving, meant_module
from asynclint.fixes.client_plan import Part, Plan
from asynclint.fixes.constructor import Constructor
from asynclint.fixes.hooks import lifecycle
from asynclint.fixes.lifespan import Lifespan, Opening
from asynclint.fixes.mocked import refuse_constructor, refuse_replaced
from asynclint.fixes.place import Place
from asynclint.fixes.request_reach import Reach, parameter
from asynclint.fixes.rewriting import Rewriting
from asynclint.fixes.source import Source
from asynclint.fixes.tool_server import ToolServer
from asynclint.fixes.unstarted import SERVES, Tests

ONE_USER = frozenset({"connection"})
"""What serves one task at a time: sharing it between requests would mix their traffic."""


HOLDERS = ("Shared", "SharedClients")
OPENED = "What the application's lifespan opens and closes."
"""The class that holds a module's shared objects where no request is in reach, and its docstring."""


def share(place: Place) -> Fix:
    """The fix of one constructor. Raises Refused with the reason where it cannot be shared."""
    building = place.facts.building
    assert building is not None
    place.refuse_field()
    return _Sharing(place, building).fix()


LIMITS = frozenset({"limit", "limit_per_host", "max_connections"})

ENOUGH = 10
"""Connections that do for many requests, which wait for a moment at most. aiohttp and httpx allow a hundred by themselves."""

OWN_APPLICATION = re.compile(r"=\s*(?:\w+\.)?(?:FastAPI|Starlette|Litestar|Sanic|Quart)\(")

CAUGHT = frozenset(
    {"Exception", "BaseException", "KeyError", "ValueError", "OpenAIError", "AnthropicError"}
)
"""What a constructor may raise whose settings are missing."""


ADDRESSED = frozenset(
    {"pymongo", "motor", "redis", "sqlalchemy", "psycopg_pool", "asyncpg", "pinecone"}
)
"""Libraries whose constructors fail for an address or a key that is not set as it should be."""


SURROUNDED = ("google.cloud.", "google.auth.")
"""Roots of classes whose constructors fail where the machine has no credentials."""


ONE_THREAD = frozenset({
    "atlassian", "clickhouse_connect", "curl_cffi", "docker", "github", "gitlab", "googleapiclient", "praw", "requests",
    "requests_oauthlib", "tornado",
})  # fmt: skip
"""Libraries that do not say that several threads may use one of their synchronous clients, or say that they may not."""

NOT_SHARED = frozenset(
    {"boto3.resource", "boto3.Session.resource", "psycopg2.pool.SimpleConnectionPool"}
)
"""The same of libraries that have others, too."""

THREADS = frozenset({"Thread", "Timer"})


def _catches(statement: ast.Try) -> bool:
    """Whether a `try` handles what a constructor may raise."""
    for handler in statement.handlers:
        types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        for one in types:
            if one is None or ast.unparse(one).rpartition(".")[2] in CAUGHT:
                return True
    return False


def _held_as(source: Source, module: str) -> dict[str, str]:
    """The classes of shared objects that a module imports from another one: what it calls them, and their names there."""
    found = {h: imports.named(source, module, h) for h in HOLDERS}
    return {local: holder for holder, local in found.items() if local is not None}


class _Sharing(Part):
    def __init__(self, place: Place, building: Building) -> None:
        super().__init__(place, Plan())
        self.building = building
        self.constructor = Constructor(place, self.plan)
        self.reach = Reach(place, self.plan)
        self.rewriting = Rewriting(place, self.plan, self.constructor)

    def fix(self) -> Fix:
        client = self.building.client
        if self.building.depends is not None:
            raise Refused(f"the arguments depend on {self.building.depends}")
        if client.what in ONE_USER:
            raise Refused("a connection serves one task at a time; what can be shared is a pool")
        if not client.is_async and self._is_for_one_thread():
            plain = f"`{self.function.name}` is no coroutine"
            why = "its calls block, and belong in them" if self.function.is_async else plain
            raise Refused(f"several threads would use it at once: {why}")
        self._refuse_outlived()
        self._refuse_told()
        call = self.place.call
        whole = self._awaited(call)
        self._unconditional(call)
        name = ast.unparse(call.func).partition(".")[0]
        refuse_replaced(self.workshop, self.module.name.rpartition(".")[2], name)
        self._refuse_patched(call)
        self._tested()
        application = self._application()
        root = self.workshop.once(Serving).root(application)
        lifespan = lifecycle(self.workshop, root, application)
        constructor = self.constructor.written(call, whole, lifespan.source)
        if constructor.startswith("await ") and self._opening("").enter == "async with":
            # `create_pool(…)` may be awaited or entered; the lifespan enters it.
            constructor = constructor.removeprefix("await ")
        self._refuse_limited(constructor)
        opening = self._opening(constructor)
        shared, how = self._handle(lifespan, application, opening)
        self.rewriting.rewrite(call, whole, shared)
        self.rewriting.tidy()
        if client.state is not None:
            self.plan.doubts.append(f"a shared one keeps {client.state} between requests")
        title = f"build `{self.building.name}` once in the lifespan and {how}"
        return self.place.fix(title, *self.plan.checked(), safe=not self.plan.doubts)

    def _refuse_told(self) -> None:
        """Raise Refused where it is handed to what is told whom to call back: llama-index sets that on the model."""
        function, made = self.function, ("call", self.place.site.index)
        names = {
            name
            for name, bindings in function.facts.bindings.items()
            if any(one.recipe == made for one in bindings)
        }
        handed = (made, *(("name", name) for name in names))
        for site in function.sites:
            told = next((k for _, k in site.args if k is not None and "callback" in k), None)
            if told is not None and any(given in handed for given, _ in site.args):
                raise Refused(
                    f"`{recipe_name(site.callee)}` gets it with `{told}`, which may be set on it for one request"
                )

    def _refuse_limited(self, constructor: str) -> None:
        """Raise Refused where each client has few connections, which would have to do for all requests."""
        if self.building.client.what not in ("client", "session"):
            return
        for node in ast.walk(ast.parse(constructor.removeprefix("await "), mode="eval")):
            if isinstance(node, ast.keyword) and node.arg in LIMITS:
                value = node.value.value if isinstance(node.value, ast.Constant) else 1
                if isinstance(value, int) and 0 < value < ENOUGH:
                    raise Refused(f"its `{node.arg}` is meant for one request, not for all of them")

    def _unconditional(self, call: ast.Call) -> None:
        """Raise Refused where the constructor may not run, or may fail: at startup it always runs, and must not."""
        if self.building.client.state is not None:
            # Its constructor asks for nothing that may not be there.
            return
        statement = self.tree.statement(call)
        below: ast.AST = call
        for one in self.tree.above(call):
            if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                break
            if isinstance(one, (ast.If, ast.IfExp)) and below is not one.test:
                raise Refused(
                    "it is built only under a condition, and may fail where that does not hold"
                )
            if isinstance(one, ast.Try) and one.body == [statement] and one.handlers:
                if not isinstance(statement, (ast.With, ast.AsyncWith)):
                    raise Refused("an exception of its constructor is caught")
            if isinstance(one, ast.Try) and below in one.body and self._answers(one):
                raise Refused("an exception of its library is answered, and would end the startup")
            if isinstance(one, ast.Try) and below in one.body and _catches(one):
                self.plan.doubts.append("an exception of its constructor is answered today")
            below = one
        used = {
            ast.unparse(n)
            for argument in (*call.args, *(k.value for k in call.keywords))
            for n in ast.walk(argument)
            if isinstance(n, (ast.Name, ast.Attribute))
            or (isinstance(n, ast.Constant) and isinstance(n.value, str))
        } - {"os", "environ", "os.environ", "settings", "config", "self"}
        self._refuse_optional(call)
        self._refuse_credentials()
        function = self.tree.function(call)
        for one in ast.walk(function) if function is not None else ():
            if isinstance(one, ast.If) and one.lineno < call.lineno:
                found = used & {
                    ast.unparse(n) for n in ast.walk(one.test) if isinstance(n, ast.expr)
                }
                if found:
                    raise Refused(f"`{min(found)}` is tested before the client is built")

    def _answers(self, tried: ast.Try) -> bool:
        """Whether a `try` handles errors of the client's own library, as its constructor may raise them."""
        root = self._library()
        if root not in ADDRESSED:
            return False
        for handler in tried.handlers:
            types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
            for one in types:
                value = (
                    self.place.workshop.facts.graph.evaluator.eval(
                        ("name", one.id), self.function, (one.lineno, 0, self.place.site.block)
                    )
                    if isinstance(one, ast.Name)
                    else None
                )
                if isinstance(value, Lib) and value.path.partition(".")[0] == root:
                    return True
        return False

    def _is_for_one_thread(self) -> bool:
        """Whether its library does not say that several threads may use one, as that of requests."""
        callee = self.evaluator.callee(self.module, self.place.site)
        for member in members(callee):
            if isinstance(member, Cls) and "requests.Session" in self.evaluator.mro(member.klass):
                return True
            path = member.path if isinstance(member, Lib) else ""
            if isinstance(member, LibMethod):
                path = f"{member.cls}.{member.name}"
            if path in NOT_SHARED:
                return True
        return self._library() in ONE_THREAD

    def _refuse_outlived(self) -> None:
        """Raise Refused where a thread that nobody waits for may use it when it is closed."""
        for function in self._between():
            for edge in self.graph.into.get(function, ()):
                if edge.how != "thread" or edge.caller.module.file.is_test:
                    continue
                site = edge.site
                if site.role[0] == "stmt" or (site.callee and site.callee[-1] in THREADS):
                    raise Refused(
                        f"`{function.name}` runs in a thread of its own, which may go on when the application has ended"
                    )

    def _library(self) -> str:
        """The top package of the client's class."""
        callee = self.evaluator.callee(self.module, self.place.site)
        found = [m for m in members(callee) if isinstance(m, (Lib, LibMethod))]
        path = found[0].path if found and isinstance(found[0], Lib) else ""
        path = found[0].cls if found and isinstance(found[0], LibMethod) else path
        return path.partition(".")[0]

    def _refuse_credentials(self) -> None:
        """Raise Refused for a client that asks its surroundings for credentials when it is built."""
        callee = self.evaluator.callee(self.module, self.place.site)
        if any(isinstance(m, Lib) and m.path.startswith(SURROUNDED) for m in members(callee)):
            raise Refused(
                "it looks for credentials when it is built, and the application would not start where there are none"
            )

    def _refuse_optional(self, call: ast.Call) -> None:
        """Raise Refused for a key that settings may leave out: without it the application would not start."""
        for value in (*call.args, *(k.value for k in call.keywords)):
            if not isinstance(value, ast.Attribute):
                continue
            declared = re.compile(
                rf"^\s+{re.escape(value.attr)}\s*:.*(\bOptional\b|\bNone\b)", re.MULTILINE
            )
            for file in self.workshop.saying(value.attr):
                if declared.search(file.text or ""):
                    raise Refused(
                        f"`{ast.unparse(value)}` may be left out, and the application would not start"
                    )

    def _refuse_patched(self, call: ast.Call) -> None:
        """Raise Refused where a test replaces the class that the module looks up in its library: `httpx.Client`."""
        callee = self.evaluator.callee(self.module, self.place.site)
        top = self.module.body.facts.bindings
        if isinstance(callee, Lib) and not (
            isinstance(call.func, ast.Name) and call.func.id in top
        ):
            refuse_constructor(self.workshop, callee.path, list(self._between()))

    def _tested(self) -> None:
        """A doubt where tests make a client of the application that may not start it.

        Raises Refused where they build an application of their own, which has another lifespan, ask for what is served
        without starting it, or use the function without any.
        """
        files = self.workshop.facts.program.project.files
        tests = self.workshop.once(Tests)
        between = list(self._between())
        for file in files:
            text = (file.text or "") if file.is_test else ""
            if not (OWN_APPLICATION.search(text) and SERVES.search(text)):
                continue
            if tests.may_serve(file, between):
                raise Refused(f"`{file.name}` builds an application that has not this lifespan")
        if any(file.is_test for file in files):
            for function in between:
                if self.reach.called_by_name(function, "tests"):
                    raise Refused(f"tests call `{function.name}` without an application")
        tests.refuse_used(between)
        tests.refuse_unstarted(self._entries()[0])
        for file in files:
            if not file.is_test or not file.text:
                continue
            if re.search(r"(?<!with )\b(?:TestClient|ASGITransport)\(", file.text):
                self.plan.doubts.append(
                    "tests that do not start the application would not have the client"
                )
                return

    def _between(self) -> Iterator[Function]:
        """The function that builds it, and those between it and the entry points."""
        seen = {self.function}
        queue = deque([self.function])
        while queue:
            function = queue.popleft()
            if function.facts.kind in ("def", "async"):
                yield function
            for edge in () if self.is_entry(function) else self.graph.into.get(function, ()):
                if edge.caller not in seen and not edge.caller.module.file.is_test:
                    seen.add(edge.caller)
                    queue.append(edge.caller)

    # -- who serves it ----------------------------------------------------------------------------------

    def _entries(self) -> tuple[list[Function], bool]:
        """The entry points from which the constructor is reached, and whether it stands in one of them itself."""
        current: Function | None = self.function
        while current is not None and current.facts.kind != "module":
            if self.is_entry(current):
                return [current], True
            current = current.parent
        found: list[Function] = []
        seen = {self.function}
        queue = deque([self.function])
        while queue:
            function = queue.popleft()
            if self.is_entry(function):
                found.append(function)
            edges = [
                e for e in self.graph.into.get(function, ()) if not e.caller.module.file.is_test
            ]
            if not edges and not self.is_entry(function):
                raise Refused(f"`{function.name}` may also be called outside of requests")
            if not self.is_entry(function) and self.reach.called_by_name(function, "unread"):
                raise Refused(f"`{function.name}` may also be called outside of requests")
            for edge in edges:
                caller = edge.caller
                if edge.how == "run":
                    raise Refused(
                        f"`{caller.name}` runs `{function.name}` in an event loop of its own"
                    )
                if caller.facts.kind in ("module", "class") or caller in self.runs.startup:
                    raise Refused(f"`{function.name}` is also called outside of requests")
                if caller not in seen:
                    seen.add(caller)
                    queue.append(caller)
        return found, False

    def _application(self) -> Application:
        serving = self.workshop.once(Serving)
        entries, _ = self._entries()
        if not entries:
            raise Refused("the entry point that reaches it could not be found")
        found: list[Application] = []
        for entry in entries:
            one = serving.of(entry)
            if one not in found:
                found.append(one)
        if len(found) > 1:
            raise Refused("two applications serve it: " + " and ".join(f"`{a}`" for a in found[:2]))
        return found[0]

    # -- what is built --------------------------------------------------------------------------------------

    def _awaited(self, call: ast.Call) -> ast.expr:
        parent = self.tree.parent(call)
        return parent if isinstance(parent, ast.Await) else call

    def _opening(self, constructor: str) -> Opening:
        client = self.building.client
        callee = self.evaluator.callee(self.module, self.place.site)
        path = callee.path if isinstance(callee, Lib) else ""
        known = self.evaluator.known
        cls = known.cls(path) if path else None
        function = known.function(path) if path else None
        enter = cls.enter if cls is not None else None
        if cls is None and function is not None:
            enter = function.enters
        if isinstance(callee, Cls):
            enter = None
            for base in self.evaluator.mro(callee.klass):
                one = known.cls(base) if isinstance(base, str) else None
                if one is not None and one.enter:
                    enter = one.enter
                    break
        word = {"async": "async with", "both": "async with", "sync": "with"}.get(enter or "")
        return Opening(constructor, word, client.close, client.close_async)

    # -- how it is handed over ---------------------------------------------------------------------------------

    def _handle(
        self, lifespan: Lifespan, application: Application, opening: Opening
    ) -> tuple[str, str]:
        """How the function reads the shared client, and how the title says that."""
        style = self.workshop.config.client_style
        wanted = self._attribute()
        if isinstance(lifespan, ToolServer):
            return self._context(lifespan, opening, wanted), "hand it on in the server's context"
        if application.framework != STARLETTE:
            style = "module"
        if style == "dependency":
            provided = self._provided(lifespan, opening, wanted)
            if provided is not None:
                return provided, "hand it to those that ask for it with `Depends`"
        if style != "module":
            reach = self.reach.expression(application)
            if reach and style == "lifespan-state":
                name = lifespan.yielded(opening.constructor)
                if name is None:
                    name = lifespan.free(wanted)
                    self.plan.add(*lifespan.open_yielded(name, opening))
                return f"{reach}.state.{name}", "share it through the lifespan's state"
            if reach is not None:
                name = lifespan.shared(opening.constructor)
                if name is None:
                    name = lifespan.free(wanted)
                    target = f"{lifespan.filled}.state.{name}"
                    self.plan.add(*lifespan.open(target, opening))
                return (
                    f"{reach}.app.state.{name}" if reach else f"{application.name}.state.{name}",
                    "share it through `app.state`",
                )
        return self._holder(lifespan, opening, wanted), "share it through a class attribute"

    def _context(self, lifespan: ToolServer, opening: Opening, wanted: str) -> str:
        """How a tool reads what the lifespan of its server yields."""
        self.workshop.once(Tests).refuse_called(lifespan.application.name or "")
        context = self.reach.context(lifespan.application.framework)
        name = lifespan.yielded(opening.constructor)
        if name is None:
            name = lifespan.free(wanted)
            self.plan.add(*lifespan.open_yielded(name, opening))
        self.plan.doubts.append("some releases run the lifespan of a server for every session")
        return lifespan.reading(context, name)

    def _provided(self, lifespan: Lifespan, opening: Opening, wanted: str) -> str | None:
        """A parameter that a provider fills with the shared client; None where the framework does not call."""
        entry: Function | None = self.function
        while entry is not None and not self.is_entry(entry):
            entry = entry.parent
        annotation = self._annotation()
        if entry is None or annotation is None or not self.reach.imports(entry.module, "fastapi"):
            return None
        roles = {p.entry.role for p in self.graph.entries[entry] if p.entry.often == "request"}
        node = self.reach.fillable(entry) if roles <= {"route", "dependency"} else None
        if node is None:
            return None
        name = lifespan.shared(opening.constructor)
        if name is None:
            name = lifespan.free(wanted)
            self.plan.add(*lifespan.open(f"{lifespan.filled}.state.{name}", opening))
        source = self.workshop.source(entry.module)
        if (
            name in entry.parameters
            or name in entry.facts.bindings
            or self.reach.nested(entry, name)
        ):
            raise Refused(f"`{name}` means something else in `{entry.name}`")
        provider, body = f"get_{name}", f"return request.app.state.{name}"
        if not imports.is_bound(source, provider):
            request, edits = self.reach.request_class(source, entry)
            text = f"def {provider}(request: {request}) -> {annotation}:\n    {body}\n"
            self.plan.add(*edits, source.define(text))
        elif body not in source.text:
            raise Refused(f"`{provider}` means something else in `{entry.module.name}`")
        annotated, one = imports.bring(source, "typing", "Annotated", entry)
        depends, two = imports.bring(source, "fastapi", "Depends", entry)
        text = f"{name}: {annotated}[{annotation}, {depends}({provider})]"
        self.plan.add(*one, *two, parameter(source, node, text, entry.klass is not None))
        return name

    def _attribute(self) -> str:
        """What the shared object is called: `openai_client`, `asyncpg_pool`."""
        callee = self.evaluator.callee(self.module, self.place.site)
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", self.building.name).lower()
        if isinstance(callee, Lib):
            root = callee.path.partition(".")[0]
        elif isinstance(callee, LibMethod):
            root = callee.cls.partition(".")[0]
        else:
            return name
        what = self.building.client.what
        if root not in name.replace("_", "") and "azure" not in name:
            return f"{root}_{what}"
        return f"azure_{root}_{what}" if "azure" in name and root != "azure" else f"{root}_{what}"

    def _holder(self, lifespan: Lifespan, opening: Opening, wanted: str) -> str:
        """A name in the function's own module, which the lifespan fills."""
        existing = self._held(lifespan, opening.constructor)
        if existing is None:
            existing = self._declared(wanted)
            if lifespan.module is self.module:
                self.plan.add(*lifespan.open(existing, opening))
            else:
                self.constructor.acyclic(lifespan.module, self.module)
                target, edits = self._written_in(lifespan, existing)
                self.plan.add(*edits, *lifespan.open(target, opening))
        self.plan.doubts.append("outside of the running application the client is not there")
        return existing

    def _written_in(self, lifespan: Lifespan, existing: str) -> tuple[str, tuple[Edit, ...]]:
        """`Shared.x` of this module as the lifespan writes it, with the import that it needs."""
        source = lifespan.source
        module = source.spelled(self.module)
        package, _, last = module.rpartition(".")
        if source.shadows(package, last):
            # `from sync import sync` gives the function of that name.
            holder, _, attribute = existing.partition(".")
            alias = "".join(word.capitalize() for word in last.split("_")) + holder
            local, edits = imports.bring(source, module, holder, None, alias)
            return f"{local}.{attribute}", edits
        try:
            local, edits = imports.bring(source, module)
            if any(local in function.facts.bindings for function, _ in lifespan.functions()):
                raise Refused(f"`{local}` means something else in the lifespan")
        except Refused:
            # `from views import views`.
            local, edits = imports.bring(source, module, None, None, f"{last}_module")
        return f"{local}.{existing}", edits

    def _held(self, lifespan: Lifespan, constructor: str) -> str | None:
        """`Shared.x` of this module, where the lifespan already puts a client built in the same way."""
        own = lifespan.module is self.module
        there = lifespan.source.spelled(self.module)
        held = {h: h for h in HOLDERS} if own else _held_as(lifespan.source, there)
        normal = ast.unparse(ast.parse(constructor.removeprefix("await "), mode="eval"))
        for function, one in ((f, n) for f, node in lifespan.functions() for n in ast.walk(node)):
            if isinstance(one, ast.withitem):
                target, value = one.optional_vars, one.context_expr
            elif isinstance(one, ast.Assign):
                target, value = one.targets[0], one.value
            else:
                continue
            match target:
                case ast.Attribute(value=ast.Name(id=local), attr=name) if local in held:
                    if ast.unparse(value).removeprefix("await ") == normal:
                        return f"{held[local]}.{name}"
                case ast.Attribute(
                    value=ast.Attribute(value=ast.Name(id=module), attr=holder), attr=name
                ) if holder in HOLDERS:
                    meant = meant_module(self.workshop, function, module)
                    if meant is self.module and ast.unparse(value).removeprefix("await ") == normal:
                        return f"{holder}.{name}"
        return None

    def _declared(self, wanted: str) -> str:
        """Declare the client in the module's class of shared objects; how it is read there."""
        source = self.source
        annotation = self._annotation()
        if annotation is None:
            raise Refused("the type of the shared object has no name in this module")
        for node in self._holders(source):
            if (
                isinstance(node, ast.ClassDef)
                and node.name in HOLDERS
                and ast.get_docstring(node) == OPENED
            ):
                taken = {
                    one.target.id
                    for one in node.body
                    if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
                }
                name = next(
                    n for n in (wanted, *(f"{wanted}_{i}" for i in range(2, 99))) if n not in taken
                )
                indent = source.indent(node.body[0])
                self.plan.add(
                    source.insert(source.end(node.body[-1]), f"\n{indent}{name}: {annotation}")
                )
                return f"{node.name}.{name}"
        holder = next((n for n in HOLDERS if not imports.is_bound(source, n, self.function)), None)
        if holder is None:
            raise Refused(f"`{HOLDERS[0]}` means something else in `{self.module.name}`")
        text = f'class {holder}:\n    """{OPENED}"""\n\n    {wanted}: {annotation}\n'
        self.plan.add(source.define(text))
        return f"{holder}.{wanted}"

    def _holders(self, source: Source) -> Iterator[ast.stmt]:
        for klass in self.module.klasses:
            if klass.facts.name in HOLDERS and klass.facts.function == 0:
                yield from source.top(klass.facts.line).root.body

    def _annotation(self) -> str | None:
        callee = self.evaluator.callee(self.module, self.place.site)
        func = self.place.call.func
        if (
            isinstance(callee, (Lib, Cls))
            and self.building.name[:1].isupper()
            and isinstance(func, (ast.Name, ast.Attribute))
        ):
            text = ast.unparse(func)
            if imports.is_bound(self.source, text.partition(".")[0]):
                return text
        return None
