"""The application object that serves an entry point."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Module
from asynclint.facts.types import Cls, Lib
from asynclint.findings import Refused
from asynclint.fixes.place import Workshop

STARLETTE = "starlette"
"""The framework of FastAPI and Starlette applications, which share their lifespan protocol."""

APPLICATIONS = {
    "fastapi.FastAPI": STARLETTE,
    "fastapi.applications.FastAPI": STARLETTE,
    "starlette.applications.Starlette": STARLETTE,
    "litestar.Litestar": "litestar",
    "litestar.app.Litestar": "litestar",
    "quart.Quart": "quart",
    "quart.app.Quart": "quart",
    "sanic.Sanic": "sanic",
    "sanic.app.Sanic": "sanic",
    "aiohttp.web.Application": "aiohttp",
    "aiohttp.web_app.Application": "aiohttp",
    "mcp.server.MCPServer": "mcp",
    "mcp.server.fastmcp.FastMCP": "mcp 1",
    "fastmcp.FastMCP": "fastmcp",
}
"""Class → framework."""

FRAMEWORKS = ("fastapi", "starlette")

WORDS = {
    STARLETTE: FRAMEWORKS,
    "litestar": ("litestar",),
    "quart": ("quart",),
    "sanic": ("sanic",),
    "aiohttp": ("aiohttp",),
    "mcp": ("mcp",),
    "mcp 1": ("mcp",),
    "fastmcp": ("mcp",),
}
"""Framework → what a module says that uses it."""

CONTEXTS = {
    "mcp": "mcp.server.mcpserver",
    "mcp 1": "mcp.server.fastmcp",
    "fastmcp": "fastmcp",
}
"""Framework of tool servers → the module of its `Context`, through which a tool reads what the lifespan yields."""

TOOLS = frozenset({"tool", "resource", "prompt"})
"""What a tool server calls."""

METHODS = frozenset({"include_router", "mount", "host"})
LINKS = {
    "include_router": ("router", 0),
    "mount": ("app", 1),
    "host": ("app", 1),
    "Mount": ("app", 1),
    "Host": ("app", 1),
}
"""What puts a router or an application into another one → the parameter that takes it, and its position."""

UNKNOWN = ""
"""The name of an application that the project does not build."""

ROLES = frozenset(
    {"route", "dependency", "middleware", "websocket", "background task", "exception handler"}
)
"""What these frameworks call while they serve."""

Global = tuple[Module, str]
"""A name in a module's scope."""


@dataclass(frozen=True, eq=False)
class Application:
    """A place that builds the application."""

    function: Function
    """The function whose body builds it: the module's, or a factory."""
    site: CallSite
    name: str | None
    """The variable that holds it."""
    framework: str = STARLETTE
    also: tuple[CallSite, ...] = ()
    """Other calls that build it instead, in the branches of one `if`."""

    @property
    def module(self) -> Module:
        return self.function.module

    def __str__(self) -> str:
        return f"{self.module.name}.{self.name or self.function.name}"


def site_callee(site: CallSite) -> str:
    return str(site.callee[-1]) if site.callee and isinstance(site.callee[-1], str) else ""


def applications(workshop: Workshop) -> list[Application]:
    """All places of the project that build an application of a known framework, tests left out."""
    evaluator = workshop.facts.graph.evaluator
    found = []
    for module in workshop.facts.program.loaded():
        text = module.file.text or ""
        if module.file.is_test or not any(w in text for words in WORDS.values() for w in words):
            if module.file.is_test or "(" not in text or "App" not in text:
                continue
        for function in module.functions:
            for site in function.sites:
                built = _built(evaluator, module, site) if site.kind == "call" else None
                if built is not None:
                    name = str(site.role[1]) if site.role[0] == "assign" else None
                    found.append(Application(function, site, name, built))
    return found


def _built(evaluator: Evaluator, module: Module, site: CallSite) -> str | None:
    """The framework of the application that a call builds; None when it builds none."""
    if not site_callee(site)[:1].isupper():
        return None
    callee = evaluator.callee(module, site)
    if isinstance(callee, Lib):
        return APPLICATIONS.get(callee.path)
    if isinstance(callee, Cls):
        bases = [k for k in evaluator.mro(callee.klass) if isinstance(k, str)]
        return next((APPLICATIONS[k] for k in bases if k in APPLICATIONS), None)
    return None


def meant(workshop: Workshop, function: Function, recipe: Recipe) -> tuple[Function, str] | None:
    """The scope and the name of the variable that a recipe reads, followed through imports."""
    program = workshop.facts.program
    for _ in range(10):
        if not recipe:
            return None
        if recipe[0] == "attr" and recipe[1] and recipe[1][0] == "name":
            outer = meant_module(workshop, function, recipe[1][1])
            if outer is None:
                return None
            function, recipe = outer.body, ("name", recipe[2])
            continue
        if recipe[0] != "name":
            return None
        scope = function.scope_of(recipe[1])
        if scope is None or recipe[1] not in scope.facts.bindings:
            return None
        binding = scope.facts.bindings[recipe[1]][0]
        if binding.kind != "import" or not binding.recipe or binding.recipe[0] != "from":
            return (scope, recipe[1])
        _, level, base, name = binding.recipe
        path = program.absolute(scope.module, level, base or "")
        module = program.find(path, scope.module.file) if path else None
        if module is None:
            return (scope, recipe[1])
        function, recipe = module.body, ("name", name)
    return None


def meant_module(workshop: Workshop, function: Function, name: str) -> Module | None:
    """The project's module that a name stands for in a function."""
    program = workshop.facts.program
    scope = function.binder_of(name)
    if scope is None:
        return None
    recipe = scope.facts.bindings[name][0].recipe
    if not recipe:
        return None
    if recipe[0] == "import":
        return program.find(recipe[1], scope.module.file)
    if recipe[0] == "from":
        path = program.absolute(scope.module, recipe[1], recipe[2] or "")
        return program.find(f"{path}.{recipe[3]}", scope.module.file) if path else None
    return None


class Serving:
    """Which application serves which entry point."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.all = applications(workshop)
        self.parents: dict[tuple[Function, str], set[tuple[Function, str]]] = defaultdict(set)
        self.branched: dict[tuple[Function, str | None], Application] = {}
        self.mounted: dict[tuple[Function, str], set[tuple[Function, str]]] = defaultdict(set)
        """Mounted applications, and in which ones."""
        program = workshop.facts.program
        for module in program.loaded():
            text = module.file.text or ""
            if module.file.is_test or not any(word in text for word in LINKS):
                continue
            for function in module.functions:
                for site in function.sites:
                    self._link(function, site)

    def _link(self, function: Function, site: CallSite) -> None:
        name = site_callee(site)
        if site.kind != "call" or name not in LINKS:
            return
        keyword, index = LINKS[name]
        positional = [r for r, k in site.args if k is None]
        named = [r for r, k in site.args if k == keyword]
        child = named[0] if named else positional[index] if len(positional) > index else None
        below = meant(self.workshop, function, child)
        if below is None:
            return
        above = (
            meant(self.workshop, function, site.callee[1])
            if site.callee[0] == "attr" and name in METHODS
            else self._routed(function, site)
        )
        if name != "include_router":
            self.mounted[below].add(above or (function, UNKNOWN))
        elif above is not None:
            self.parents[below].add(above)

    def _routed(self, function: Function, site: CallSite) -> tuple[Function, str] | None:
        """The application in whose arguments a call stands: `app = Starlette(routes=[Mount("/api", api)])`."""
        for one in self.all:
            if one.function is function and one.name:
                outer, inner = one.site.extent, site.extent
                if outer[:2] <= inner[:2] and inner[2:] <= outer[2:]:
                    return function, one.name
        return None

    def of(self, function: Function) -> Application:
        """The application that serves an entry point. Raises Refused where that is not certain."""
        nobody = "no application of this project is known to serve it"
        if not self.all:
            raise Refused(nobody)
        texts = function.module.file.text or ""
        points = self.workshop.facts.graph.entries.get(function, ())
        if points and all(p.entry.role in TOOLS for p in points):
            return self._server(function)
        for point in points:
            if point.entry.role not in ROLES or point.entry.often == "once":
                raise Refused(
                    f"`{function.name}` is called by something else than the application's server"
                )
            texts += point.where.file.text or ""
        possible = [
            a
            for a in self.all
            if a.framework not in CONTEXTS and any(w in texts for w in WORDS[a.framework])
        ]
        if not possible:
            raise Refused(nobody)
        owners = set(self._owners(function))
        served = {a for a in self.all if a.name and (a.function, a.name) in self._above(owners)}
        if len(served) == 1:
            [one] = served
        elif not served and len(possible) == 1:
            [one] = possible
        else:
            labels = sorted({f"`{a}`" for a in served or possible})
            if len(labels) == 1:
                return self._branched(sorted(served or possible, key=lambda a: a.site.line))
            names = " and ".join(labels[:3])
            raise Refused(f"which application serves it is not certain: {names}")
        return one

    def _branched(self, calls: list[Application]) -> Application:
        """`app = FastAPI(debug=True)` in one branch and `app = FastAPI()` in the other: one application all the same."""
        first, *others = calls
        key = (first.function, first.name)
        if key not in self.branched:
            tree = self.workshop.source(first.module).top(first.site.line)
            statement = next(s for s in tree.root.body if (s.end_lineno or 0) >= first.site.line)
            last = statement.end_lineno or statement.lineno
            if (
                not isinstance(statement, ast.If)
                or any(a.function is not first.function or a.site.line > last for a in others)
                or first.framework != STARLETTE
            ):
                raise Refused(f"`{first}` is made in several places")
            self.branched[key] = replace(first, also=tuple(a.site for a in others))
        return self.branched[key]

    def _server(self, function: Function) -> Application:
        """The tool server with which a function is registered."""
        owners = set(self._owners(function))
        served = [
            a
            for a in self.all
            if a.framework in CONTEXTS and a.name and (a.function, a.name) in owners
        ]
        if len(served) != 1:
            raise Refused(f"the server that calls `{function.name}` could not be found")
        return served[0]

    def root(self, application: Application) -> Application:
        """The application whose lifespan runs: that in which one is mounted, if it is. Raises Refused where that is not certain."""
        seen = set()
        while application.name and (application.function, application.name) in self.mounted:
            above = self._above(self.mounted[application.function, application.name])
            outer = [a for a in self.all if a.name and (a.function, a.name) in above]
            if len(outer) != 1 or application in seen:
                raise Refused(f"in which application `{application}` is mounted is not certain")
            seen.add(application)
            application = outer[0]
        return application

    def _owners(self, function: Function) -> Iterator[tuple[Function, str]]:
        """The routers and applications with which a function, or a user of the dependency, is registered."""
        outer = function.parent or function.module.body
        for recipe in function.facts.decorators:
            inner = recipe
            if inner and inner[0] == "call":
                inner = function.module.site(inner[1]).callee
            if inner and inner[0] == "attr":
                owner = meant(self.workshop, outer, inner[1])
                if owner is not None:
                    yield owner
        for point in self.workshop.facts.graph.entries.get(function, ()):
            if point.user is not None and point.user is not function:
                yield from self._owners(point.user)

    def _above(self, owners: set[tuple[Function, str]]) -> set[tuple[Function, str]]:
        found = set(owners)
        queue = list(owners)
        while queue:
            for parent in self.parents.get(queue.pop(), ()):
                if parent not in found:
                    found.add(parent)
                    queue.append(parent)
        return found
