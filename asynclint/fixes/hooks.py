"""What Litestar, Quart, Sanic and aiohttp.web run around serving: there a shared object is opened and closed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function
from asynclint.findings import Edit, Refused
from asynclint.fixes import imports
from asynclint.fixes.application import CONTEXTS, STARLETTE, Application, meant
from asynclint.fixes.lifespan import Lifespan, Opening, around
from asynclint.fixes.place import Workshop
from asynclint.fixes.source import Tree
from asynclint.fixes.tool_server import ToolServer


def lifecycle(
    workshop: Workshop, application: Application, inner: Application | None = None
) -> Lifespan:
    """Where an application's framework lets objects be opened and closed. Raises Refused where that could not be read."""
    if application.framework == STARLETTE:
        return Lifespan(workshop, application, inner)
    if application.framework in CONTEXTS:
        return ToolServer(workshop, application)
    return {"litestar": _Litestar, "quart": _Quart, "sanic": _Sanic, "aiohttp": _Aiohttp}[
        application.framework
    ](workshop, application)


class _Hook(Lifespan):
    """A function of the application's module, or one that it imports, which the framework runs around serving."""

    names: tuple[str, ...] = ("lifespan", "app_lifespan", "shared_clients")
    """What a new function may be called."""

    def __init__(self, workshop: Workshop, application: Application) -> None:
        self.workshop = workshop
        self.application = application
        self.source = workshop.source(application.module)
        self.module = application.module
        found = self.source.tree(application.site.line).at(application.site.extent, ast.Call)
        if found is None or not re.fullmatch(r"[\w.]+", self.source.segment(found.func)):
            raise Refused(f"where `{application}` is built could not be read")
        self.call = found
        self.existing = None
        for function in self._registered():
            read = workshop.source(function.module).definition(function)
            if read is not None and isinstance(read[1], ast.AsyncFunctionDef):
                self.existing = (function, read[0], read[1])
        if self.existing is not None:
            self.module = self.existing[0].module
            self.source = workshop.source(self.module)
        self.filled = ""

    def _registered(self) -> Iterator[Function]:
        """The generator functions that are there already."""
        raise NotImplementedError

    def _function(self, recipe: Recipe) -> Iterator[Function]:
        """The function of the project's that a name stands for where the application is built."""
        found = meant(self.workshop, self.application.function, recipe)
        if found is None:
            return
        scope, name = found
        for function in scope.module.functions:
            if function.facts.name == name and function.parent is scope and function.facts.yields:
                yield function

    def _owned(self, recipe: Recipe) -> bool:
        """Whether an expression is the application's variable, `app`."""
        return bool(recipe == ("name", self.application.name))

    def _decorated(self, hook: str) -> Iterator[Function]:
        """The functions of the application's module under `@app.<hook>`."""
        for function in self.application.module.functions:
            for recipe in function.facts.decorators:
                if recipe and recipe[0] == "attr" and recipe[2] == hook and self._owned(recipe[1]):
                    yield function

    # -- new ones -----------------------------------------------------------------------------------------

    def _free(self, *names: str) -> str:
        for name in names:
            if not imports.is_bound(self.source, name, self.application.function):
                return name
        raise Refused(f"`{names[0]}` means something else there")

    def _generator(
        self, name: str, parameter: str, target: str, opening: Opening
    ) -> tuple[str, list[Edit]]:
        """The text of a function that opens, yields and closes, and the import that it needs."""
        iterator, edits = imports.iterator(self.source)
        head, tail, pushes = around(target, opening, "    ", "    ")
        lines = [
            f"async def {name}({parameter}) -> {iterator}[None]:",
            *head.rstrip("\n").split("\n"),
        ]
        lines.append(f"{'        ' if pushes else '    '}yield")
        if tail:
            lines += tail.rstrip("\n").split("\n")
        return "\n".join(lines) + "\n", list(edits)

    def _statement(self) -> tuple[Tree, ast.stmt]:
        """The statement `app = …`, which must stand by itself."""
        tree = self.source.tree(self.application.site.line)
        call = tree.at(self.application.site.extent, ast.Call)
        statement = tree.statement(call) if call is not None else None
        if (
            not self.application.name
            or not isinstance(statement, (ast.Assign, ast.AnnAssign))
            or not self.source.alone(statement)
        ):
            raise Refused(f"where `{self.application}` is built could not be read")
        return tree, statement

    def _below(self, text: str) -> Edit:
        """Functions behind the statement that builds the application, parted by two blank lines."""
        if self.application.function.facts.kind != "module":
            raise Refused("the application is built in a function")
        tree, statement = self._statement()
        if not isinstance(tree.parent(statement), ast.Module):
            raise Refused("the application is built under a condition")
        source = self.source
        last = statement.end_lineno or statement.lineno
        lines = source.text.count("\n") + 1
        blank = 0
        while last + blank < lines and not source.line(last + blank + 1).strip():
            blank += 1
        more = source.text[source.end(statement) :].strip()
        after = "\n" * max(0, 2 - blank) if more else ""
        return source.insert(source.end(statement), f"\n\n\n{text.rstrip()}{after}")


class _Litestar(_Hook):
    """`Litestar(lifespan=[…])`."""

    def _registered(self) -> Iterator[Function]:
        for element in self._elements():
            if isinstance(element, ast.Name):
                yield from self._function(("name", element.id))

    def _given(self) -> ast.expr | None:
        keywords = {k.arg: k.value for k in self.call.keywords}
        if None in keywords:
            raise Refused(f"`{self.application}` is built with `**` arguments")
        return keywords.get("lifespan")

    def _elements(self) -> list[ast.expr]:
        given = self._given()
        return given.elts if isinstance(given, ast.List) else []

    def _create(self, target: str, opening: Opening, end: str = "yield") -> list[Edit]:
        name = self._free(*self.names)
        manager, one = imports.bring(self.source, "contextlib", "asynccontextmanager")
        callee = self.source.segment(self.call.func)
        text, two = self._generator(name, f"app: {callee}", target, opening)
        given = self._given()
        if given is None:
            register = self.argument(f"[{name}]")
        elif isinstance(given, ast.List) and not given.elts:
            register = self.source.replace(given, f"[{name}]")
        elif isinstance(given, ast.List):
            register = self.source.insert(self.source.end(given.elts[-1]), f", {name}")
        else:
            raise Refused("its lifespan is not a list")
        return [*one, *two, register, self.before(f"@{manager}\n{text}")]


class _Quart(_Hook):
    """`@app.while_serving`."""

    def _registered(self) -> Iterator[Function]:
        return (f for f in self._decorated("while_serving") if f.facts.yields)

    def _create(self, target: str, opening: Opening, end: str = "yield") -> list[Edit]:
        text, edits = self._generator(self._free(*self.names), "", target, opening)
        return [*edits, self._below(f"@{self.application.name}.while_serving\n{text}")]


class _Aiohttp(_Hook):
    """`app.cleanup_ctx.append(…)`."""

    names = ("shared_clients", "open_shared_clients")

    def _registered(self) -> Iterator[Function]:
        for site in self.application.function.sites:
            if self._is_append(site) and site.args:
                yield from self._function(site.args[0][0])

    def _is_append(self, site: CallSite) -> bool:
        callee = site.callee
        if site.kind != "call" or not callee or callee[0] != "attr" or callee[2] != "append":
            return False
        base = callee[1]
        return (
            bool(base) and base[0] == "attr" and base[2] == "cleanup_ctx" and self._owned(base[1])
        )

    def _create(self, target: str, opening: Opening, end: str = "yield") -> list[Edit]:
        _, statement = self._statement()
        name = self._free(*self.names)
        callee = self.source.segment(self.call.func)
        text, edits = self._generator(name, f"app: {callee}", target, opening)
        line = (
            f"\n{self.source.indent(statement)}{self.application.name}.cleanup_ctx.append({name})"
        )
        register = self.source.insert(self.source.end(statement), line)
        return [*edits, register, self.before(text)]


class _Sanic(_Hook):
    """`@app.before_server_start` and `@app.after_server_stop`, in every worker."""

    def _registered(self) -> Iterator[Function]:
        return iter(())

    def functions(self) -> Iterator[tuple[Function, ast.AsyncFunctionDef]]:
        """The listeners that open something."""
        for function in self._decorated("before_server_start"):
            read = self.source.definition(function)
            if read is not None and isinstance(read[1], ast.AsyncFunctionDef):
                yield function, read[1]

    def _create(self, target: str, opening: Opening, end: str = "yield") -> list[Edit]:
        if opening.close is None:
            raise Refused("how it is closed is not known")
        own, wanted = self.application.name, target.rpartition(".")[2]
        callee = self.source.segment(self.call.func)
        opens, closes = self._free(f"open_{wanted}"), self._free(f"close_{wanted}")
        wait = "await " if opening.close_async else ""
        return [
            self._below(
                f"@{own}.before_server_start\n"
                f"async def {opens}(app: {callee}) -> None:\n"
                f"    {target} = {opening.constructor}\n\n\n"
                f"@{own}.after_server_stop\n"
                f"async def {closes}(app: {callee}) -> None:\n"
                f"    {wait}{target}.{opening.close}()\n"
            )
        ]
