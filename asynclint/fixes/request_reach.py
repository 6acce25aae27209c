"""How a function reaches the application that serves it: through the request that it has, or is given."""

from __future__ import annotations

import ast
import re

from asynclint.facts.decorators import decorator_value
from asynclint.facts.known_calls import known_callee
from asynclint.facts.program import Function, Module
from asynclint.facts.types import Inst, Lib, LibMethod
from asynclint.findings import Edit, Refused
from asynclint.fixes import allowed, imports
from asynclint.fixes.application import CONTEXTS, TOOLS, Application, meant
from asynclint.fixes.client_plan import Part
from asynclint.fixes.place import Workshop
from asynclint.fixes.source import Source

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


class Reach(Part):
    """Finds, or adds, what leads from a function to the application that serves it."""

    def expression(self, application: Application) -> str | None:
        """An expression whose `.app` is the application, in the function; "" for the application itself; None without."""
        current: Function | None = self.function
        while current is not None and current.facts.kind != "module":
            if self.graph.entries.get(current) and self.is_entry(current):
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

    def context(self, framework: str) -> str:
        """The parameter that holds the context of a tool server's call; a new one where the server will fill it.

        Raises Refused where there can be none.
        """
        entry: Function | None = self.function
        while entry is not None and not self.is_entry(entry):
            entry = entry.parent
        if entry is None:
            raise Refused(f"`{self.function.name}` has no context from which it could be read")
        node = self.fillable(entry)
        if node is None:
            raise Refused(f"`{entry.name}` is also called by others, who have no context")
        module = CONTEXTS[framework]
        for one in entry.facts.params:
            type_ = self.evaluator.parameter_type(entry, one)
            if isinstance(type_, Inst) and type_.of == f"{module}.Context":
                if self.nested(entry, one.name) or one.name in entry.facts.bindings:
                    raise Refused(f"`{one.name}` means something else in `{entry.name}`")
                return one.name
        roles = {p.entry.role for p in self.graph.entries[entry]} & TOOLS
        allowed.refuse_context(self.workshop, entry.module, framework, roles)
        if framework == "mcp" and "resource" in roles and not self._template(entry):
            raise Refused("a resource whose address has no parameters gets no context")
        name = next(
            n
            for n in ("ctx", "context", "mcp_context")
            if n not in entry.parameters
            and n not in entry.facts.bindings
            and not self.nested(entry, n)
        )
        source = self.workshop.source(entry.module)
        local, edits = imports.bring(source, module, "Context", entry)
        self.plan.add(*edits, parameter(source, node, f"{name}: {local}", entry.klass is not None))
        return name

    def _template(self, entry: Function) -> bool:
        """Whether the address of a resource has parameters: `notes://{name}`."""
        for recipe in entry.facts.decorators:
            if recipe and recipe[0] == "call":
                for argument, keyword in entry.module.site(int(recipe[1])).args[:1]:
                    if keyword in (None, "uri") and argument and argument[0] == "const":
                        return "{" in str(argument[1])
        return False

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
        node = self.fillable(entry)
        if node is None or not self.imports(entry.module, "fastapi"):
            # Starlette hands the request to every endpoint itself: one without a parameter is called otherwise.
            return None
        source = self.workshop.source(entry.module)
        name = next(
            n
            for n in ("request", "http_request", "current_request")
            if n not in entry.parameters
            and n not in entry.facts.bindings
            and not self.nested(entry, n)
        )
        if any(p.entry.role == "dependency" for p in self.graph.entries[entry]) and self._sockets():
            # A websocket's dependency gets no Request.
            local, edits = imports.bring(source, "fastapi.requests", "HTTPConnection", entry)
        else:
            local, edits = self.request_class(source, entry)
        self.plan.add(*edits, parameter(source, node, f"{name}: {local}", entry.klass is not None))
        return name

    def _sockets(self) -> bool:
        """Whether the project has websockets, whose dependencies are called without a request."""
        return any(
            point.entry.role == "websocket"
            for points in self.graph.entries.values()
            for point in points
        )

    def fillable(self, entry: Function) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """The definition of a function whose parameters the framework alone fills; None where others call it, too."""
        if any(e.how in ("call", "async") for e in self.graph.into.get(entry, ())):
            return None
        if self.called_by_name(entry):
            return None
        for recipe in entry.facts.decorators:
            value = decorator_value(self.evaluator, recipe, entry)
            known = known_callee(self.evaluator, value)
            if known is None or not (known.registers or known.transparent or known.caches):
                if not isinstance(value, (Lib, LibMethod)):
                    raise Refused(f"`{entry.name}` has a decorator that may not hand a request on")
            if known is not None and known.caches:
                raise Refused(f"`{entry.name}` is cached")
        found = self.workshop.source(entry.module).definition(entry)
        return found[1] if found is not None else None

    def request_class(self, source: Source, entry: Function) -> tuple[str, tuple[Edit, ...]]:
        """How the module writes the class of requests, which it may have from either framework."""
        for path in sorted(REQUESTS):
            module, _, name = path.rpartition(".")
            if name == "Request" and imports.known(source, module, name, entry):
                return imports.bring(source, module, name, entry)
        return imports.bring(source, "fastapi", "Request", entry)

    def nested(self, entry: Function, name: str) -> bool:
        for function in entry.module.functions:
            if function.parent is entry and (
                name in function.facts.bindings or name in function.parameters
            ):
                return True
        return False

    def imports(self, module: Module, root: str) -> bool:
        return any(
            b.kind == "import"
            and b.recipe
            and str(b.recipe[1] if b.recipe[0] == "import" else b.recipe[2]).partition(".")[0]
            == root
            for bindings in module.body.facts.bindings.values()
            for b in bindings
        )

    def called_by_name(self, function: Function, which: str = "all") -> bool:
        """Whether a file of the project, tests included, calls a function of this name that it may have imported.

        "unread" asks only for the files that inference did not read, as there is nothing asynchronous in them,
        and "tests" for tests only.
        """
        return self.workshop.each(_is_called, (function, which))


def _is_called(workshop: Workshop, asked: tuple[Function, str]) -> bool:
    function, which = asked
    program = workshop.facts.program
    facts = function.facts
    klass = function.klass
    name = klass.facts.name if klass is not None and facts.name == "__init__" else facts.name
    last = function.module.name.rpartition(".")[2]
    word = re.escape(name)
    called = rf"(?<![\w.])(?<!def )(?<!class ){word}\("
    through = rf"\b{re.escape(last)}\.{word}\("
    filled = rf"\bpartial\(\s*(?:[\w.]+\.)?{word}\b"
    imported = rf"import[^\n]*\b(?:{word}|{re.escape(last)})\b|^\s+{word},?$"
    read = {m.file.name for m in program.loaded()} if which == "unread" else set()
    speaking = {file.name for file in workshop.saying(name, last)}
    for file in workshop.saying(name):
        text = file.text or ""
        if file.name in read or (which == "tests" and not file.is_test):
            continue
        if f"{name}(" not in text and "partial(" not in text:
            continue
        if file.name == function.module.file.name:
            if re.search(called, text) or re.search(filled, text):
                return True
            if klass is not None and name == facts.name and f".{name}(" in text:
                return True
        elif file.name in speaking and re.search(imported, text, re.MULTILINE):
            if any(re.search(one, text) for one in (called, through, filled)):
                return True
    return False


def parameter(
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
