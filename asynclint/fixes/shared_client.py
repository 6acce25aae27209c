"""The lifespan plan: a client that is built for every request is built once at startup, handed over, and closed at shutdown."""

from __future__ import annotations

import ast
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from asynclint.facts.model import CallSite
from asynclint.facts.program import Function, Module
from asynclint.facts.types import Cls, Func, Inst, Lib, LibMethod
from asynclint.facts.view import Building
from asynclint.findings import Edit, Fix, Refused
from asynclint.fixes import imports
from asynclint.fixes.application import (
    STARLETTE,
    Application,
    Lifespan,
    Opening,
    Serving,
    meant,
    meant_module,
)
from asynclint.fixes.hooks import lifecycle
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.source import Source, Tree
from asynclint.fixes.usage import Usage, unwrapped

REQUESTS = frozenset(
    {
        "fastapi.Request",
        "starlette.requests.Request",
        "starlette.requests.HTTPConnection",
        "fastapi.requests.HTTPConnection",
        "fastapi.requests.Request",
    }
)
SOCKETS = frozenset(
    {"fastapi.WebSocket", "starlette.websockets.WebSocket", "fastapi.websockets.WebSocket"}
)

ONE_USER = frozenset({"connection"})
"""What serves one task at a time: sharing it between requests would mix their traffic."""


ENVIRONMENT = frozenset({"os.environ.get", "environ.get", "os.getenv", "getenv"})
"""Mappings hold anything, but the environment stays as it is."""

HOLDERS = ("Shared", "SharedClients")
OPENED = "What the application's lifespan opens and closes."
"""The class that holds a module's shared objects where no request is in reach, and its docstring."""


@dataclass
class Plan:
    """Edits over several files, and what makes them unsafe."""

    edits: list[Edit] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    gone: dict[str, list[ast.AST]] = field(default_factory=dict)
    """By file: nodes that the edits take away."""

    def add(self, *edits: Edit) -> None:
        """More edits; the same one twice counts once."""
        for edit in edits:
            if edit not in self.edits:
                self.edits.append(edit)

    def checked(self) -> tuple[Edit, ...]:
        """All edits. Raises Refused where two of them overlap; white space of lines that go need not go by itself."""
        larger = [e for e in self.edits if e.start >= 0 and e.end > e.start]
        self.edits = [
            e
            for e in self.edits
            if e.text
            or not any(
                o is not e and o.path == e.path and o.start <= e.start and e.end <= o.end
                for o in larger
            )
        ]
        last: Edit | None = None
        for edit in sorted(e for e in self.edits if e.start >= 0):
            if last is not None and last.path == edit.path and edit.start < last.end:
                raise Refused("the rewrite would change the same text twice")
            last = edit
        return tuple(self.edits)


def share(place: Place) -> Fix:
    """The fix of one constructor. Raises Refused with the reason where it cannot be shared."""
    building = place.facts.building
    assert building is not None
    return _Sharing(place, building).fix()


class _Sharing:
    def __init__(self, place: Place, building: Building) -> None:
        self.place = place
        self.building = building
        self.workshop = place.workshop
        self.function = place.function
        self.module = place.function.module
        self.source = place.source
        self.tree = place.tree
        self.plan = Plan()
        self.evaluator = self.workshop.facts.graph.evaluator
        self.graph = self.workshop.facts.graph
        self.runs = self.workshop.facts.runs
        self.inlined: list[ast.stmt] = []

    def fix(self) -> Fix:
        client = self.building.client
        if self.building.depends is not None:
            raise Refused(f"the arguments depend on {self.building.depends}")
        if client.what in ONE_USER:
            raise Refused("a connection serves one task at a time; what can be shared is a pool")
        call = self.place.call
        whole = self._awaited(call)
        self._unconditional(call)
        self._not_replaced()
        application = self._application()
        root = self.workshop.once(Serving).root(application)
        lifespan = lifecycle(self.workshop, root, application)
        constructor = self._constructor(call, whole, lifespan)
        if constructor.startswith("await ") and self._opening("").enter == "async with":
            # `create_pool(…)` may be awaited or entered; the lifespan enters it.
            constructor = constructor.removeprefix("await ")
        opening = self._opening(constructor)
        shared, how = self._handle(lifespan, application, opening)
        self._rewrite(call, whole, shared)
        self._tidy()
        if client.state is not None:
            self.plan.doubts.append(f"a shared one keeps {client.state} between requests")
        title = f"build `{self.building.name}` once in the lifespan and {how}"
        return self.place.fix(title, *self.plan.checked(), safe=not self.plan.doubts)

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
            below = one
        used = {
            ast.unparse(n)
            for argument in (*call.args, *(k.value for k in call.keywords))
            for n in ast.walk(argument)
            if isinstance(n, (ast.Name, ast.Attribute))
            or (isinstance(n, ast.Constant) and isinstance(n.value, str))
        } - {"os", "environ", "os.environ", "settings", "config", "self"}
        function = self.tree.function(call)
        for one in ast.walk(function) if function is not None else ():
            if isinstance(one, ast.If) and one.lineno < call.lineno:
                found = used & {
                    ast.unparse(n) for n in ast.walk(one.test) if isinstance(n, ast.expr)
                }
                if found:
                    raise Refused(f"`{min(found)}` is tested before the client is built")

    def _not_replaced(self) -> None:
        """Raise Refused where a test puts something else in the constructor's place; a doubt where tests start nothing."""
        name = ast.unparse(self.place.call.func).partition(".")[0]
        last = self.module.name.rpartition(".")[2]
        replaced = re.compile(
            rf"[\"'](?:[\w.]+\.)?{re.escape(last)}\.{re.escape(name)}\b[\w.]*[\"']"
            rf"|(?:setattr|patch\.object)\(\s*(?:[\w.]+\.)?{re.escape(last)},\s*[\"']{re.escape(name)}[\"']"
        )
        for file in self.workshop.facts.program.project.files:
            if not file.is_test or not file.text:
                continue
            if name in file.text and replaced.search(file.text):
                raise Refused(f"a test puts something else in place of `{last}.{name}`")
            if re.search(r"(?<!with )\b(?:TestClient|ASGITransport)\(", file.text):
                doubt = "tests that do not start the application would not have the client"
                if doubt not in self.plan.doubts:
                    self.plan.doubts.append(doubt)

    # -- who serves it ----------------------------------------------------------------------------------

    def _entries(self) -> tuple[list[Function], bool]:
        """The entry points from which the constructor is reached, and whether it stands in one of them itself."""
        current: Function | None = self.function
        while current is not None and current.facts.kind != "module":
            if self._is_entry(current):
                return [current], True
            current = current.parent
        found: list[Function] = []
        seen = {self.function}
        queue = deque([self.function])
        while queue:
            function = queue.popleft()
            if self._is_entry(function):
                found.append(function)
            edges = [
                e for e in self.graph.into.get(function, ()) if not e.caller.module.file.is_test
            ]
            if not edges and not self.graph.entries.get(function):
                raise Refused(f"`{function.name}` may also be called outside of requests")
            if not self._is_entry(function) and self._called_by_name(function, unread=True):
                raise Refused(f"`{function.name}` may also be called outside of requests")
            for edge in edges:
                caller = edge.caller
                if caller.facts.kind in ("module", "class") or caller in self.runs.startup:
                    raise Refused(f"`{function.name}` is also called outside of requests")
                if caller not in seen:
                    seen.add(caller)
                    queue.append(caller)
        return found, False

    def _is_entry(self, function: Function) -> bool:
        return any(p.entry.often == "request" for p in self.graph.entries.get(function, ()))

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

    def _constructor(self, call: ast.Call, whole: ast.expr, lifespan: Lifespan) -> str:
        """The constructor as the lifespan's module writes it."""
        names: dict[str, str] = {}
        self._static(call, lifespan.source, names, 0)
        text = self._text(whole, names)
        if "\n" in text:
            text = ast.unparse(ast.parse(text.strip(), mode="eval"))
        return text

    def _text(self, node: ast.expr, names: dict[str, str]) -> str:
        """The source of an expression with its names as the other module knows them."""
        start = self.source.offset(node.lineno, node.col_offset)
        text = self.source.segment(node)
        if "#" in text and re.search(r"#.*\n", text):
            raise Refused("a comment stands between the arguments")
        changes = []
        for one in ast.walk(node):
            if isinstance(one, ast.Name) and names.get(one.id, one.id) != one.id:
                first = self.source.offset(one.lineno, one.col_offset) - start
                changes.append((first, first + len(one.id), names[one.id]))
        for first, last, new in sorted(changes, reverse=True):
            text = text[:first] + new + text[last:]
        return text.replace("\r\n", "\n")

    def _static(self, node: ast.expr, target: Source, names: dict[str, str], depth: int) -> None:
        """Check that an expression gives the same for every request, and bring its names to the other module."""
        if depth > 3:
            raise Refused("its arguments are too far away")
        for one in ast.walk(node):
            if isinstance(
                one,
                (
                    ast.Await,
                    ast.Yield,
                    ast.YieldFrom,
                    ast.NamedExpr,
                    ast.Lambda,
                    ast.ListComp,
                    ast.SetComp,
                    ast.DictComp,
                    ast.GeneratorExp,
                ),
            ):
                raise Refused(f"its arguments are computed: `{ast.unparse(one)}`")
            if isinstance(one, ast.Call) and one is not node:
                self._static_call(one)
        for one in ast.walk(node):
            if isinstance(one, ast.Name) and one.id not in names:
                names[one.id] = self._bring(one.id, node, target, names, depth)

    def _static_call(self, call: ast.Call) -> None:
        site = self._site(call)
        callee = self.evaluator.callee(self.module, site) if site is not None else None
        if isinstance(callee, (Lib, Cls, LibMethod)):
            return
        if ast.unparse(call.func) in ENVIRONMENT:
            return
        if isinstance(callee, Func) and callee.bound is None:
            if self.runs.cached(callee.function):
                return
            if not callee.function.is_async and not call.args and not call.keywords:
                self.plan.doubts.append(
                    f"`{callee.function.name}` is called once instead of for every request"
                )
                return
        if isinstance(callee, Func) and isinstance(callee.bound, Inst):
            self.plan.doubts.append(
                f"`{callee.function.name}` is called once instead of for every request"
            )
            return
        raise Refused(f"what `{ast.unparse(call)}` gives is not known")

    def _site(self, call: ast.Call) -> CallSite | None:
        where = (call.lineno, call.col_offset, call.end_lineno, call.end_col_offset)
        for site in self.module.facts.calls:
            if site.kind == "call" and (site.line, site.col, site.end_line, site.end_col) == where:
                return site
        return None

    def _bring(
        self, name: str, node: ast.expr, target: Source, names: dict[str, str], depth: int
    ) -> str:
        """A name of the constructor as the lifespan's module writes it."""
        scope: Function | None = self.function
        while scope is not None and scope.facts.kind != "module":
            if name in scope.parameters:
                raise Refused(f"its arguments depend on the parameter `{name}`")
            bindings = scope.facts.bindings.get(name)
            if bindings and scope.facts.kind != "class":
                if all(b.kind == "import" for b in bindings) and len(bindings) == 1:
                    return self._import(bindings[0].recipe, name, target)
                return self._inline(name, scope, target, names, depth)
            scope = scope.parent
        body = self.module.body.facts
        bindings = body.bindings.get(name)
        if not bindings:
            if (
                name in __builtins__
                if isinstance(__builtins__, dict)
                else hasattr(__builtins__, name)
            ):
                return name
            raise Refused(f"where `{name}` comes from could not be found")
        if name in self.module.global_bindings:
            raise Refused(f"`{name}` changes while the program runs")
        if all(b.kind == "import" for b in bindings) and len(bindings) == 1:
            if target.module is self.module:
                return name
            return self._import(bindings[0].recipe, name, target)
        if target.module is self.module:
            return name
        self._acyclic(target.module, self.module)
        local, edits = imports.bring(target, self.module.name, name)
        self.plan.add(*edits)
        return local

    def _import(self, recipe: tuple[object, ...], name: str, target: Source) -> str:
        if recipe[0] == "import":
            module = str(recipe[1])
            alias = name if name != module.partition(".")[0] else None
            local, edits = imports.bring(target, module, None, None, alias)
        else:
            _, level, base, item = recipe
            path = self.workshop.facts.program.absolute(self.module, level, str(base or ""))  # type: ignore[arg-type]
            if path is None:
                raise Refused(f"where `{name}` comes from could not be found")
            module_there = self.workshop.facts.program.find(path, self.module.file)
            if module_there is not None and module_there is target.module:
                return str(item)
            if module_there is not None:
                self._acyclic(target.module, module_there)
            alias = name if name != item else None
            local, edits = imports.bring(target, path, str(item), None, alias)
        self.plan.add(*edits)
        return local

    def _inline(
        self, name: str, scope: Function, target: Source, names: dict[str, str], depth: int
    ) -> str:
        """The value of a local that only the constructor uses, written in its place."""
        function = self.tree.function(self.place.call)
        if scope is not self.function or function is None or isinstance(function, ast.Lambda):
            raise Refused(f"its arguments depend on `{name}`, a local of `{scope.name}`")
        stores = [
            n
            for n in ast.walk(function)
            if isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load)
        ]
        statement = self.tree.statement(stores[0]) if len(stores) == 1 else None
        if not isinstance(statement, ast.Assign) or statement.targets != stores:
            raise Refused(f"its arguments depend on `{name}`, a local of `{scope.name}`")
        self._static(statement.value, target, names, depth + 1)
        call = self.place.call
        inside = {id(n) for n in ast.walk(call)}
        uses = [
            n
            for n in ast.walk(function)
            if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)
        ]
        if isinstance(statement.value, ast.Call):
            # What it says may be tested before the client is built.
            site = self._site(statement.value)
            callee = self.evaluator.callee(self.module, site) if site is not None else None
            if isinstance(callee, Lib) and any(id(u) not in inside for u in uses):
                raise Refused(f"`{name}` is also looked at before the client is built")
        if all(id(u) in inside for u in uses) and statement not in self.inlined:
            self.inlined.append(statement)
        text = self._text(statement.value, names)
        simple = isinstance(
            statement.value, (ast.Name, ast.Attribute, ast.Call, ast.Constant, ast.Subscript)
        )
        return text if simple else f"({text})"

    def _acyclic(self, importer: Module, imported: Module) -> None:
        """Raise Refused where importing one module from the other would close a circle."""
        program = self.workshop.facts.program
        seen = {imported}
        queue = [imported]
        while queue:
            module = queue.pop()
            if module is importer:
                raise Refused(
                    f"`{imported.name}` imports `{importer.name}`, which would have to import it"
                )
            for bindings in module.body.facts.bindings.values():
                for binding in bindings:
                    recipe = binding.recipe
                    if binding.kind != "import" or not recipe:
                        continue
                    paths = []
                    if recipe[0] == "import":
                        paths.append(recipe[1])
                    elif recipe[0] == "from":
                        path = program.absolute(module, recipe[1], recipe[2] or "")
                        if path:
                            paths += [f"{path}.{recipe[3]}", path]
                    for path in paths:
                        if not program.is_ours(path, module.file):
                            continue
                        other = program.find(path, module.file)
                        if other is not None and other not in seen:
                            seen.add(other)
                            queue.append(other)

    # -- how it is handed over ---------------------------------------------------------------------------------

    def _handle(
        self, lifespan: Lifespan, application: Application, opening: Opening
    ) -> tuple[str, str]:
        """How the function reads the shared client, and how the title says that."""
        style = self.workshop.config.client_style
        wanted = self._attribute()
        if application.framework != STARLETTE:
            style = "module"
        if style == "dependency":
            provided = self._provided(lifespan, opening, wanted)
            if provided is not None:
                return provided, "hand it to those that ask for it with `Depends`"
        if style != "module":
            reach = self._reach(application)
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

    def _provided(self, lifespan: Lifespan, opening: Opening, wanted: str) -> str | None:
        """A parameter that a provider fills with the shared client; None where the framework does not call."""
        entry: Function | None = self.function
        while entry is not None and not self._is_entry(entry):
            entry = entry.parent
        annotation = self._annotation()
        if entry is None or annotation is None or not self._imports(entry.module, "fastapi"):
            return None
        roles = {p.entry.role for p in self.graph.entries[entry] if p.entry.often == "request"}
        node = self._fillable(entry) if roles <= {"route", "dependency"} else None
        if node is None:
            return None
        name = lifespan.shared(opening.constructor)
        if name is None:
            name = lifespan.free(wanted)
            self.plan.add(*lifespan.open(f"{lifespan.filled}.state.{name}", opening))
        source = self.workshop.source(entry.module)
        if name in entry.parameters or name in entry.facts.bindings or self._nested(entry, name):
            raise Refused(f"`{name}` means something else in `{entry.name}`")
        provider, body = f"get_{name}", f"return request.app.state.{name}"
        if not imports.is_bound(source, provider):
            request, edits = self._request_class(source, entry)
            text = f"def {provider}(request: {request}) -> {annotation}:\n    {body}\n"
            self.plan.add(*edits, source.define(text))
        elif body not in source.text:
            raise Refused(f"`{provider}` means something else in `{entry.module.name}`")
        annotated, one = imports.bring(source, "typing", "Annotated", entry)
        depends, two = imports.bring(source, "fastapi", "Depends", entry)
        text = f"{name}: {annotated}[{annotation}, {depends}({provider})]"
        self.plan.add(*one, *two, _parameter(source, node, text, entry.klass is not None))
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

    def _reach(self, application: Application) -> str | None:
        """An expression whose `.app` is the application, in the function; "" for the application itself; None without."""
        current: Function | None = self.function
        while current is not None and current.facts.kind != "module":
            if self.graph.entries.get(current) and self._is_entry(current):
                reach = self._request(current)
                if reach is not None:
                    inner: Function | None = self.function
                    while inner is not None and inner is not current:
                        if reach in inner.facts.bindings or reach in inner.parameters:
                            return None
                        inner = inner.parent
                    return reach
            current = current.parent
        if (
            application.name
            and application.function.facts.kind == "module"
            and application.module is self.module
            and meant(self.workshop, self.function, ("name", application.name))
            == (application.function, application.name)
        ):
            return ""
        return None

    def _request(self, entry: Function) -> str | None:
        """The parameter that holds the request or the websocket; a new one where the framework will fill it."""
        roles = {p.entry.role for p in self.graph.entries[entry] if p.entry.often == "request"}
        for parameter in entry.facts.params:
            type_ = self.evaluator.parameter_type(entry, parameter)
            if isinstance(type_, Inst) and type_.of in REQUESTS | SOCKETS:
                return parameter.name
        if self._asgi(entry):
            if not self._only_http(entry):
                raise Refused("an ASGI middleware also runs before the application has started")
            return None
        if "middleware" in roles or "exception handler" in roles:
            return self._positional(entry, roles)
        if roles & {"background task"} or not roles & {"route", "dependency"}:
            return None
        return self._added(entry)

    def _asgi(self, entry: Function) -> bool:
        return [p.name for p in entry.facts.params][-3:] == ["scope", "receive", "send"]

    def _only_http(self, entry: Function) -> bool:
        """Whether a test of `scope["type"]` stands around the constructor, or before it."""
        found = self.workshop.source(entry.module).definition(entry)
        if found is None:
            return False
        line = self.place.site.line
        return any(
            isinstance(node, ast.If)
            and node.lineno <= line
            and re.search(r"scope(?:\[|\.get\()['\"]type['\"]", ast.unparse(node.test))
            for node in ast.walk(found[1])
        )

    def _positional(self, entry: Function, roles: set[str]) -> str | None:
        """`(request, call_next)` and `(request, exc)`, annotated or not."""
        params = [p for p in entry.facts.params if p.kind == "pos"]
        if entry.klass is not None:
            params = params[1:]
        return params[0].name if len(params) == 2 else None

    def _added(self, entry: Function) -> str | None:
        """Add a `Request` parameter in front. Raises Refused where the function does not get what it asks for."""
        node = self._fillable(entry)
        if node is None or not self._imports(entry.module, "fastapi"):
            # Starlette hands the request to every endpoint itself: one without a parameter is called otherwise.
            return None
        source = self.workshop.source(entry.module)
        name = next(
            n
            for n in ("request", "http_request", "current_request")
            if n not in entry.parameters
            and n not in entry.facts.bindings
            and not self._nested(entry, n)
        )
        if any(p.entry.role == "dependency" for p in self.graph.entries[entry]) and self._sockets():
            # A websocket's dependency gets no Request.
            local, edits = imports.bring(source, "fastapi.requests", "HTTPConnection", entry)
        else:
            local, edits = self._request_class(source, entry)
        self.plan.add(*edits, _parameter(source, node, f"{name}: {local}", entry.klass is not None))
        return name

    def _sockets(self) -> bool:
        """Whether the project has websockets, whose dependencies are called without a request."""
        return any(
            point.entry.role == "websocket"
            for points in self.graph.entries.values()
            for point in points
        )

    def _fillable(self, entry: Function) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """The definition of a function whose parameters the framework alone fills; None where others call it, too."""
        if any(e.how in ("call", "async") for e in self.graph.into.get(entry, ())):
            return None
        if self._called_by_name(entry):
            return None
        for recipe in entry.facts.decorators:
            value = self.evaluator.decorator_value(recipe, entry)
            known = self.evaluator.known_callee(value)
            if known is None or not (known.registers or known.transparent or known.caches):
                if not isinstance(value, (Lib, LibMethod)):
                    raise Refused(f"`{entry.name}` has a decorator that may not hand a request on")
            if known is not None and known.caches:
                raise Refused(f"`{entry.name}` is cached")
        found = self.workshop.source(entry.module).definition(entry)
        return found[1] if found is not None else None

    def _request_class(self, source: Source, entry: Function) -> tuple[str, tuple[Edit, ...]]:
        """How the module writes the class of requests, which it may have from either framework."""
        for path in sorted(REQUESTS):
            module, _, name = path.rpartition(".")
            if name == "Request" and imports.known(source, module, name, entry):
                return imports.bring(source, module, name, entry)
        return imports.bring(source, "fastapi", "Request", entry)

    def _nested(self, entry: Function, name: str) -> bool:
        for function in entry.module.functions:
            if function.parent is entry and (
                name in function.facts.bindings or name in function.parameters
            ):
                return True
        return False

    def _imports(self, module: Module, root: str) -> bool:
        return any(
            b.kind == "import"
            and b.recipe
            and str(b.recipe[1] if b.recipe[0] == "import" else b.recipe[2]).partition(".")[0]
            == root
            for bindings in module.body.facts.bindings.values()
            for b in bindings
        )

    def _called_by_name(self, function: Function, unread: bool = False) -> bool:
        """Whether a file of the project, tests included, calls a function of this name that it may have imported.

        `unread` asks only for the files that inference did not read, as there is nothing asynchronous in them.
        """
        known = self.workshop.once(_called_functions)
        key = (function, unread)
        if key not in known:
            known[key] = self._search_calls(function, unread)
        return known[key]

    def _search_calls(self, function: Function, unread: bool) -> bool:
        program = self.workshop.facts.program
        facts = function.facts
        klass = function.klass
        name = klass.facts.name if klass is not None and facts.name == "__init__" else facts.name
        last = function.module.name.rpartition(".")[2]
        word = re.escape(name)
        called = re.compile(rf"(?<![\w.])(?<!def )(?<!class ){word}\(")
        through = re.compile(rf"\b{re.escape(last)}\.{word}\(")
        module_named = re.compile(rf"\b{re.escape(last)}\b")
        filled = re.compile(rf"\bpartial\(\s*(?:[\w.]+\.)?{word}\b")
        imported = re.compile(
            rf"import[^\n]*\b(?:{word}|{re.escape(last)})\b|^\s+{word},?$", re.MULTILINE
        )
        read = {m.file.name for m in program.loaded()} if unread else set()
        for file in program.project.files:
            text = file.text or ""
            if name not in text or file.name in read:
                continue
            if f"{name}(" not in text and "partial(" not in text:
                continue
            if file.name == function.module.file.name:
                if called.search(text) or filled.search(text):
                    return True
                if klass is not None and name == facts.name and f".{name}(" in text:
                    return True
            elif last in text and module_named.search(text) and imported.search(text):
                if called.search(text) or through.search(text) or filled.search(text):
                    return True
        return False

    def _holder(self, lifespan: Lifespan, opening: Opening, wanted: str) -> str:
        """A name in the function's own module, which the lifespan fills."""
        existing = self._held(lifespan, opening.constructor)
        if existing is None:
            existing = self._declared(wanted)
            if lifespan.module is self.module:
                self.plan.add(*lifespan.open(existing, opening))
            else:
                self._acyclic(lifespan.module, self.module)
                local, edits = self._module_in(lifespan.source)
                self.plan.add(*edits, *lifespan.open(f"{local}.{existing}", opening))
        self.plan.doubts.append("outside of the running application the client is not there")
        return existing

    def _module_in(self, source: Source) -> tuple[str, tuple[Edit, ...]]:
        """This module's name in another one, with the import that it needs."""
        try:
            return imports.bring(source, self.module.name)
        except Refused:
            # `from views import views`.
            last = self.module.name.rpartition(".")[2]
            return imports.bring(source, self.module.name, None, None, f"{last}_module")

    def _held(self, lifespan: Lifespan, constructor: str) -> str | None:
        """`Shared.x` of this module, where the lifespan already puts a client built in the same way."""
        own = lifespan.module is self.module
        normal = ast.unparse(ast.parse(constructor.removeprefix("await "), mode="eval"))
        for function, one in ((f, n) for f, node in lifespan.functions() for n in ast.walk(node)):
            if isinstance(one, ast.withitem):
                target, value = one.optional_vars, one.context_expr
            elif isinstance(one, ast.Assign):
                target, value = one.targets[0], one.value
            else:
                continue
            match target:
                case ast.Attribute(value=ast.Name(id=holder), attr=name) if (
                    own and holder in HOLDERS
                ):
                    if ast.unparse(value).removeprefix("await ") == normal:
                        return f"{holder}.{name}"
                case ast.Attribute(
                    value=ast.Attribute(value=ast.Name(id=module), attr=holder), attr=name
                ) if holder in HOLDERS:
                    there = meant_module(self.workshop, function, module)
                    if there is self.module and ast.unparse(value).removeprefix("await ") == normal:
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

    # -- the function ----------------------------------------------------------------------------------------

    def _rewrite(self, call: ast.Call, whole: ast.expr, shared: str) -> None:
        """Put the shared object in the constructor's place, and keep the function from closing it."""
        parent = self.tree.parent(whole)
        self.plan.gone.setdefault(self.source.path, []).append(whole)
        if isinstance(parent, ast.withitem) and parent.context_expr is whole:
            statement = self.tree.parent(parent)
            assert isinstance(statement, (ast.With, ast.AsyncWith))
            if not isinstance(parent.optional_vars, ast.Name):
                raise Refused("the client is entered without a name")
            name = parent.optional_vars.id
            self.plan.add(
                *unwrapped(self.source, self.tree, statement, parent, f"{name} = {shared}")
            )
            self._used(name)
            return
        if isinstance(parent, ast.Attribute):
            self._chained(parent)
        elif isinstance(parent, ast.Assign) and len(parent.targets) == 1:
            self._assigned(parent.targets[0])
        elif isinstance(parent, (ast.AnnAssign, ast.NamedExpr)):
            self._assigned(parent.target)
        elif isinstance(parent, (ast.Return, ast.Yield)):
            self._handed_out()
        elif isinstance(parent, (ast.Call, ast.keyword)):
            outer = parent if isinstance(parent, ast.Call) else self.tree.parent(parent)
            assert isinstance(outer, ast.Call)
            self._given([(outer, whole)])
        else:
            raise Refused("how the client is used could not be read")
        self.plan.add(self.source.replace(whole, shared))

    def _chained(self, node: ast.Attribute) -> None:
        parent = self.tree.parent(node)
        if node.attr in ("with_options", "copy"):
            return
        if isinstance(parent, ast.Attribute) or (
            isinstance(parent, ast.Call) and parent.func is node
        ):
            if isinstance(parent, ast.Call):
                above = self.tree.parent(parent)
                if isinstance(above, ast.withitem):
                    return
            return
        raise Refused("how the client is used could not be read")

    def _assigned(self, target: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._used(target.id)
            return
        own = self.function.self_name
        if (
            isinstance(target, ast.Attribute)
            and isinstance(target.value, ast.Name)
            and target.value.id == own
        ):
            tree = self.source.top(target.lineno)
            around = [
                n
                for n in ast.walk(tree.root)
                if isinstance(n, ast.ClassDef)
                and n.lineno <= target.lineno <= (n.end_lineno or n.lineno)
            ]
            if not around:
                raise Refused("how the client is used could not be read")
            self._settle(Usage(self.source, tree, around[-1], f"{own}.{target.attr}"))
            pattern = re.compile(rf"\.{re.escape(target.attr)}\.(?:a?close|dispose|disconnect)\(")
            for module in self.workshop.facts.program.loaded():
                if module is not self.module and pattern.search(module.file.text or ""):
                    raise Refused(f"`{target.attr}` may be closed in `{module.name}`")
            return
        raise Refused("the client is stored")

    def _used(self, name: str) -> None:
        node = self.tree.function(self.place.call)
        if node is None or isinstance(node, ast.Lambda):
            raise Refused("how the client is used could not be read")
        stores = [
            n
            for n in ast.walk(node)
            if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store)
        ]
        usage = Usage(self.source, self.tree, node, name)
        self._settle(usage)
        if len(stores) > 1 and usage.edits:
            raise Refused(f"`{name}` holds more than one client")
        if self._leaves(node, name):
            self._handed_out()

    def _leaves(self, node: ast.AST, name: str) -> bool:
        return any(
            isinstance(n, (ast.Return, ast.Yield))
            and isinstance(n.value, ast.Name)
            and n.value.id == name
            for n in ast.walk(node)
        )

    def _settle(self, usage: Usage) -> None:
        usage.settle()
        self.plan.add(*usage.edits)
        self._given(usage.passed)

    def _given(self, passed: list[tuple[ast.Call, ast.expr]]) -> None:
        """Look at what the functions do that get the client: one that closes or changes it refuses the fix."""
        for call, argument in passed:
            site = self._site(call)
            callee = self.evaluator.callee(self.module, site) if site is not None else None
            if isinstance(callee, Lib):
                continue
            function = callee.function if isinstance(callee, Func) else None
            shift = 1 if isinstance(callee, Func) and callee.bound is not None else 0
            if isinstance(callee, Cls):
                init = callee.klass.own_method("__init__")
                if init is None:
                    continue
                function, shift = init, 1
            if function is None:
                if isinstance(callee, LibMethod):
                    continue
                raise Refused(f"what `{ast.unparse(call.func)}` does with the client is not known")
            self._parameter_kept(function, shift, call, argument)

    def _parameter_kept(
        self, function: Function, shift: int, call: ast.Call, argument: ast.expr
    ) -> None:
        name = next((k.arg for k in call.keywords if k.value is argument), None)
        if name is None and argument in call.args:
            index = call.args.index(argument) + shift
            if index < len(function.facts.params):
                name = function.facts.params[index].name
        found = self.workshop.source(function.module).definition(function)
        if name is None or found is None:
            raise Refused(f"what `{function.name}` does with the client is not known")
        tree, node = found
        for one in ast.walk(node):
            if not (isinstance(one, ast.Name) and one.id == name):
                continue
            parent = tree.parent(one)
            if isinstance(parent, ast.withitem):
                raise Refused(f"`{function.name}` closes the client that it is given")
            if isinstance(parent, ast.Attribute):
                if parent.attr in ("close", "aclose", "dispose", "disconnect"):
                    raise Refused(f"`{function.name}` closes the client that it is given")
                if not isinstance(parent.ctx, ast.Load):
                    raise Refused(f"`{function.name}` changes the client that it is given")
            if (
                isinstance(parent, ast.Assign)
                and isinstance(parent.targets[0], ast.Attribute)
                and function.klass is not None
            ):
                attribute = parent.targets[0].attr
                own = function.self_name
                for method in function.klass.methods():
                    text = self._function_text(method)
                    if re.search(
                        rf"\b{own}\.{attribute}\.(?:a?close|dispose|disconnect)\(", text
                    ) or re.search(rf"with {own}\.{attribute}\b", text):
                        raise Refused(f"`{function.klass.name}` closes the client that it is given")

    def _function_text(self, function: Function) -> str:
        lines = function.module.lines[function.facts.line - 1 : function.facts.end_line]
        return "\n".join(lines)

    def _handed_out(self) -> None:
        """The function gives the client to others: callers and users of the dependency must not close it."""
        managed = bool(self.function.facts.yields)
        for edge in self.graph.into.get(self.function, ()):
            if not edge.caller.module.file.is_test:
                self._consumer(edge.caller, edge.site, managed)
        for point in self.graph.entries.get(self.function, ()):
            if point.user is not None and point.user is not self.function:
                self._dependent(point.user)
        name = self.function.facts.name
        for function in self._users_of(name):
            self._dependent(function)

    def _users_of(self, name: str) -> Iterator[Function]:
        for module in self.workshop.facts.program.loaded():
            if module.file.is_test or name not in (module.file.text or ""):
                continue
            for function in module.functions:
                if function.facts.kind in ("def", "async") and self.graph.entries.get(function):
                    yield function

    def _dependent(self, function: Function) -> None:
        """A function that asks for the dependency: closing one of its parameters would close the shared client."""
        for parameter in function.facts.params:
            text = self._function_text(function)
            if re.search(
                rf"\b{re.escape(parameter.name)}\.(?:a?close|dispose|disconnect)\(", text
            ) or re.search(rf"with {re.escape(parameter.name)}\b(?!\.)", text):
                raise Refused(f"`{function.name}` may close the client that it is given")

    def _consumer(self, function: Function, site: CallSite, managed: bool) -> None:
        """A caller that gets the client; `managed` where it enters a context manager of the project's own."""
        source = self.workshop.source(function.module)
        tree = source.tree(site.line)
        call = tree.at((site.line, site.col, site.end_line, site.end_col), ast.Call)
        if call is None:
            raise Refused(f"how `{function.name}` uses the client could not be read")
        whole: ast.expr = call
        parent = tree.parent(call)
        if isinstance(parent, ast.Await):
            whole, parent = parent, tree.parent(parent)
        if isinstance(parent, ast.withitem):
            statement = tree.parent(parent)
            assert isinstance(statement, (ast.With, ast.AsyncWith))
            if not isinstance(parent.optional_vars, ast.Name):
                raise Refused("the client is entered without a name")
            name = parent.optional_vars.id
            if not managed:
                text = f"{name} = {source.segment(whole)}"
                self.plan.add(*unwrapped(source, tree, statement, parent, text))
            self._used_by(source, tree, call, name)
        elif isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name):
            self._used_by(source, tree, call, parent.targets[0].id)
        elif isinstance(parent, (ast.Attribute, ast.Call, ast.keyword)):
            return
        elif isinstance(parent, (ast.Return, ast.Yield)):
            raise Refused(f"`{function.name}` hands the client on")
        else:
            raise Refused(f"how `{function.name}` uses the client could not be read")

    def _used_by(self, source: Source, tree: Tree, call: ast.Call, name: str) -> None:
        node = tree.function(call)
        if node is None:
            raise Refused("how the client is used could not be read")
        usage = Usage(source, tree, node, name)
        usage.settle()
        self.plan.add(*usage.edits)
        if self._leaves(node, name):
            raise Refused("the client is handed on")

    # -- what is left over ----------------------------------------------------------------------------------------

    def _tidy(self) -> None:
        """Take out assignments and imports that only the constructor needed."""
        gone = self.plan.gone.setdefault(self.source.path, [])
        for statement in self.inlined:
            parent = self.tree.parent(statement)
            if getattr(parent, "body", None) != [statement] and self.source.alone(statement):
                self.plan.add(self.source.remove(statement))
                gone.append(statement)
        function = self.tree.function(self.place.call)
        names = {n.id for one in gone for n in ast.walk(one) if isinstance(n, ast.Name)}
        for name in sorted(names):
            self._import_gone(name, gone, function)

    def _import_gone(self, name: str, gone: list[ast.AST], function: ast.AST | None) -> None:
        written = re.compile(rf"(?<![\w.]){re.escape(name)}\b")
        if any(written.search(e.text) for e in self.plan.edits if e.path == self.source.path):
            return
        if name in self.module.body.facts.bindings:
            users = (self.module, name) in self.workshop.once(_imported_names)
            self.plan.add(*imports.unused(self.source, name, gone, users))
            return
        if function is None:
            return
        inside = {id(n) for one in gone for n in ast.walk(one)}
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and node.id == name and id(node) not in inside:
                return
        for node in ast.walk(function):
            if isinstance(node, (ast.Import, ast.ImportFrom)) and len(node.names) == 1:
                alias = node.names[0]
                if (alias.asname or alias.name) == name and self.source.alone(node):
                    parent = self.tree.parent(node)
                    if len(getattr(parent, "body", ())) > 1 and node in getattr(parent, "body", ()):
                        self.plan.add(self.source.remove(node))


def _called_functions(workshop: Workshop) -> dict[tuple[Function, bool], bool]:
    return {}


def _imported_names(workshop: Workshop) -> set[tuple[Module, str]]:
    """The names that modules import from other modules of the project, with those."""
    program = workshop.facts.program
    found: set[tuple[Module, str]] = set()
    for module in program.loaded():
        for function in module.functions:
            for bindings in function.facts.bindings.values():
                for binding in bindings:
                    recipe = binding.recipe
                    if binding.kind == "import" and recipe and recipe[0] == "from":
                        path = program.absolute(module, recipe[1], recipe[2] or "")
                        other = program.find(path, module.file) if path else None
                        if other is not None and other is not module:
                            found.add((other, recipe[3]))
    return found


def _parameter(
    source: Source, node: ast.FunctionDef | ast.AsyncFunctionDef, text: str, method: bool
) -> Edit:
    """A parameter in front of the others, after `self`."""
    arguments = [*node.args.posonlyargs, *node.args.args]
    if method and arguments:
        first = arguments.pop(0)
        if not arguments:
            return source.insert(source.end(first), f", {text}")
    following: ast.arg | None = arguments[0] if arguments else None
    if following is not None:
        start = source.offset(following.lineno, following.col_offset)
        line = source.line(following.lineno)
        before = line[: len(line) - len(line.lstrip())]
        if source.text[source.line_start(following.lineno) : start].strip():
            return source.insert(start, f"{text}, ")
        return source.insert(start, f"{text},\n{before}")
    star = (
        node.args.vararg
        or (node.args.kwonlyargs[0] if node.args.kwonlyargs else None)
        or node.args.kwarg
    )
    opening = source.text.index("(", source.offset(node.lineno, node.col_offset))
    if star is None:
        return source.insert(opening + 1, text)
    gap = re.match(r"\s*", source.text[opening + 1 :])
    assert gap is not None
    if "\n" in gap.group():
        indent = gap.group().rpartition("\n")[2]
        return source.insert(opening + 1 + gap.end(), f"{text},\n{indent}")
    return source.insert(opening + 1, f"{text}, ")
