"""The lifespan of an application, in which shared objects are opened and closed: the one there, or a new one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from asynclint.facts.body import is_none
from asynclint.facts.decorators import decorator_paths
from asynclint.facts.model import CallSite
from asynclint.facts.program import Function
from asynclint.facts.types import Cls, Func
from asynclint.findings import Edit, Refused
from asynclint.fixes import imports
from asynclint.fixes.application import FRAMEWORKS, STARLETTE, Application, meant, site_callee
from asynclint.fixes.place import Workshop
from asynclint.fixes.source import Source, Tree


@dataclass(frozen=True)
class Opening:
    """How an object is built at startup and closed at shutdown."""

    constructor: str
    """As written in the lifespan's module; with `await` where it has to be awaited."""
    enter: str | None
    """"async with" or "with" where it is a context manager that closes itself."""
    close: str | None
    """Its closing method, where it is none."""
    close_async: bool = False


class Lifespan:
    """The lifespan of an application: the one that is there, or a new one."""

    called = "app"
    """What a new lifespan calls the application."""

    wrapped: ast.expr | None = None
    """A lifespan that is no function here, which the new one runs around its own `yield`."""

    def __init__(
        self, workshop: Workshop, application: Application, inner: Application | None = None
    ) -> None:
        """`inner` is the mounted application whose state is filled, where it is another than the one with the lifespan."""
        self.workshop = workshop
        self.application = application
        self.source = workshop.source(application.module)
        self.module = application.module
        """The module that has, or gets, the lifespan function."""
        found = self.source.tree(application.site.line).at(application.site.extent, ast.Call)
        if found is None:
            raise Refused(f"where `{application}` is built could not be read")
        self.call = found
        self.existing: tuple[Function, Tree, ast.AsyncFunctionDef] | None = None
        keywords = {k.arg: k.value for k in self.call.keywords}
        if None in keywords:
            raise Refused(f"`{application}` is built with `**` arguments")
        if "lifespan" in keywords and not is_none(keywords["lifespan"]):
            if self._is_manager(keywords["lifespan"]):
                self.wrapped = keywords["lifespan"]
            else:
                self.existing = self._read()
                self.module = self.existing[0].module
                self.source = workshop.source(self.module)
        elif "lifespan" in keywords:
            raise Refused(f"`{application}` is built with `lifespan=None`")
        elif "on_startup" in keywords or "on_shutdown" in keywords:
            raise Refused("the application has startup handlers, which a lifespan would switch off")
        self.also = [self._otherwise(site) for site in application.also]
        self.filled = self.parameter
        """What the lifespan calls the application whose state it fills."""
        if inner is not None and inner is not application:
            self.filled = self._named(inner)

    def _otherwise(self, site: CallSite) -> ast.Call:
        """Another call that builds the application, in the other branch of an `if`."""
        found = self.source.tree(site.line).at(site.extent, ast.Call)
        keywords = {k.arg for k in found.keywords} if found is not None else {None}
        if (
            found is None
            or keywords & {None, "lifespan", "on_startup", "on_shutdown"}
            or self.existing
        ):
            raise Refused(f"`{self.application}` is made in several places")
        return found

    def _named(self, inner: Application) -> str:
        """A mounted application's name in the lifespan; raises Refused where it has none there."""
        scope = self.existing[0] if self.existing else self.module.body
        for name in (inner.name, *self.module.body.facts.bindings):
            if name and name != self.parameter and inner.function.facts.kind == "module":
                if meant(self.workshop, scope, ("name", name)) == (inner.function, inner.name):
                    return name
        raise Refused(f"the lifespan of `{self.application}` has no name for the mounted `{inner}`")

    def _is_manager(self, node: ast.expr) -> bool:
        """Whether a lifespan is a class of the project whose objects are entered, or that of another application."""
        application = self.application
        name = node
        while isinstance(name, ast.Attribute):
            name = name.value
        if (
            self.called != "app"
            or application.framework != STARLETTE
            or not isinstance(name, ast.Name)
            or name.id in application.function.parameters
            or name.id not in application.module.body.facts.bindings
        ):
            return False
        if isinstance(node, ast.Attribute) and node.attr in ("lifespan", "lifespan_context"):
            return True
        evaluator = self.workshop.facts.graph.evaluator
        recipe = next(r for r, k in application.site.args if k == "lifespan")
        value = evaluator.at_site(recipe, application.site, application.module)
        return isinstance(value, Cls) and isinstance(
            evaluator.member(value.klass, "__aenter__")[0], Func
        )

    def _read(self) -> tuple[Function, Tree, ast.AsyncFunctionDef]:
        evaluator = self.workshop.facts.graph.evaluator
        application = self.application
        recipe = next(r for r, k in application.site.args if k == "lifespan")
        value = evaluator.at_site(recipe, application.site, application.module)
        function = _function(value)
        if function is None or "contextlib.asynccontextmanager" not in decorator_paths(
            evaluator, function
        ):
            raise Refused(
                "its lifespan is not a function with `@asynccontextmanager` in this project"
            )
        found = self.workshop.source(function.module).definition(function)
        if found is None or not isinstance(found[1], ast.AsyncFunctionDef):
            raise Refused("its lifespan could not be read")
        if not found[1].args.args:
            raise Refused("its lifespan takes no application")
        return function, found[0], found[1]

    @property
    def parameter(self) -> str:
        """What the lifespan calls the application."""
        return self.existing[2].args.args[0].arg if self.existing else self.called

    def functions(self) -> Iterator[tuple[Function, ast.AsyncFunctionDef]]:
        """The functions that open what is shared."""
        if self.existing is not None:
            yield self.existing[0], self.existing[2]

    # -- what is there ------------------------------------------------------------------------------------

    def handlers(self) -> list[tuple[Function, str]]:
        """Startup and shutdown handlers registered with `on_event`; raises Refused for other registrations."""
        found = []
        name = self.application.name
        for function in self.application.module.functions:
            for recipe in function.facts.decorators:
                if not recipe or recipe[0] != "call":
                    continue
                site = self.application.module.site(recipe[1])
                if site_callee(site) != "on_event" or not site.args:
                    continue
                owner, event = site.callee[1], site.args[0][0]
                if owner != ("name", name) or len(function.facts.decorators) != 1:
                    raise Refused("startup handlers are registered in a way that could not be read")
                if not event or event[0] != "const":
                    raise Refused("startup handlers are registered in a way that could not be read")
                if site.block != self.application.site.block:
                    raise Refused("a startup handler is registered under a condition")
                found.append((function, str(event[1])))
        return found

    def shared(self, constructor: str) -> str | None:
        """The attribute of `app.state` in which the lifespan already keeps an object built in the same way."""
        if self.existing is None:
            return None
        wanted = _normal(constructor)
        _, _, node = self.existing
        for one in ast.walk(node):
            pairs: list[tuple[ast.expr, ast.expr]] = []
            if isinstance(one, ast.Assign) and len(one.targets) == 1:
                pairs.append((one.targets[0], one.value))
            elif isinstance(one, ast.withitem) and one.optional_vars is not None:
                pairs.append((one.optional_vars, one.context_expr))
            for target, value in pairs:
                name = _state_attribute(target, self.filled)
                if name and _normal(ast.unparse(value)) == wanted:
                    return name
        return None

    def yielded(self, constructor: str) -> str | None:
        """The key of the lifespan's state under which it already yields an object built in the same way."""
        if self.existing is None:
            return None
        wanted = _normal(constructor)
        built = {
            one.optional_vars.id
            for one in ast.walk(self.existing[2])
            if isinstance(one, ast.withitem)
            and isinstance(one.optional_vars, ast.Name)
            and _normal(ast.unparse(one.context_expr)) == wanted
        }
        for one in ast.walk(self.existing[2]):
            if isinstance(one, ast.Yield) and isinstance(one.value, ast.Dict):
                for key, value in zip(one.value.keys, one.value.values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(value, ast.Name):
                        if value.id in built:
                            return str(key.value)
        return None

    def open_yielded(self, name: str, opening: Opening) -> list[Edit]:
        """The edits after which the lifespan builds an object, yields it in its state under a name, and closes it."""
        if opening.enter is None:
            raise Refused("it is no context manager, which the lifespan's state needs")
        if self.wrapped is not None:
            raise Refused("what its lifespan yields could not be read")
        if self.existing is None:
            return self._create(name, opening, f'yield {{"{name}": {name}}}')
        function, _, node = self.existing
        if name in function.facts.bindings:
            raise Refused(f"`{name}` means something else in the lifespan")
        yields = [n for n in ast.walk(node) if isinstance(n, ast.Yield)]
        if len(yields) != 1:
            raise Refused("its lifespan has more than one `yield`")
        found = yields[0]
        source = self.source
        edits = self._extend(name, opening)
        entry = f'"{name}": {name}'
        if found.value is None:
            edits.append(source.insert(source.end(found), f" {{{entry}}}"))
        elif isinstance(found.value, ast.Dict):
            last = found.value.values[-1] if found.value.values else None
            if last is None:
                edits.append(source.replace(found.value, f"{{{entry}}}"))
            else:
                edits.append(source.insert(source.end(last), f", {entry}"))
        else:
            raise Refused("what its lifespan yields could not be read")
        return edits

    def free(self, name: str) -> str:
        """A name of `app.state` that nothing in the project uses, like the one wanted."""
        texts = self.workshop.once(_texts_with_state)
        names = (name, *(f"{name}_{i}" for i in range(2, 1000)))
        return next(n for n in names if not _may_be_taken(n, texts))

    # -- edits --------------------------------------------------------------------------------------------

    def open(self, target: str, opening: Opening) -> list[Edit]:
        """The edits after which the lifespan builds an object into `target` and closes it."""
        if self.existing is not None:
            return self._extend(target, opening)
        return self._create(target, opening)

    def _extend(self, target: str, opening: Opening) -> list[Edit]:
        assert self.existing is not None
        function, tree, node = self.existing
        source = self.source
        _refuse_hidden(function, target, opening.constructor)
        yields = [n for n in ast.walk(node) if isinstance(n, (ast.Yield, ast.YieldFrom))]
        if len(yields) != 1:
            raise Refused("its lifespan has more than one `yield`")
        statement = tree.parent(yields[0])
        if not isinstance(statement, ast.Expr) or not source.alone(statement):
            raise Refused("the `yield` of its lifespan does not stand on a line of its own")
        if tree.function(statement) is not node:
            raise Refused("its lifespan could not be read")
        indent = source.indent(statement)
        unit = self._unit(node)
        block = tree.parent(statement)
        if (
            opening.enter == "async with"
            and isinstance(block, ast.AsyncWith)
            and block.body == [statement]
        ):
            joined = self._join(block, f"{opening.constructor} as {target}", unit)
            if joined is not None:
                return [joined]
        head, tail, pushes = around(target, opening, indent, unit)
        edits = [source.insert(source.line_start(statement.lineno), head)]
        if pushes:
            inner = source.within_strings([statement])
            # The first line is pushed in together with what is put before it.
            edits = [source.insert(source.line_start(statement.lineno), head + unit)]
            for number in range(
                statement.lineno + 1, (statement.end_lineno or statement.lineno) + 1
            ):
                if number not in inner and source.line(number).strip():
                    edits.append(source.insert(source.line_start(number), unit))
        if tail:
            edits.append(source.insert(source.end(statement), "\n" + tail.rstrip("\n")))
        return edits

    def _join(self, node: ast.AsyncWith, item: str, unit: str) -> Edit | None:
        """One more item in the `async with` that holds nothing but the `yield`; None where its header is odd."""
        source = self.source
        indent = source.indent(node)
        last = node.items[-1].optional_vars or node.items[-1].context_expr
        end = source.end(last)
        colon = source.text.index(":", end)
        start = source.offset(node.lineno, node.col_offset)
        head = source.text[start:colon]
        if "#" in head or source.indent(node.body[0]) == indent:
            return None
        rest = source.text[end:colon]
        if rest.strip() == "" and "\n" not in head:
            items = [
                source.text[
                    source.start(i.context_expr) : source.end(i.optional_vars or i.context_expr)
                ]
                for i in node.items
            ]
            lines = "".join(f"{indent}{unit}{one},\n" for one in [*items, item])
            return source.edit(start, colon, f"async with (\n{lines}{indent})")
        if rest.replace(" ", "").replace("\r", "") in (f",\n{indent})".replace(" ", ""), "\n)"):
            comma = source.text.index(",", end) + 1 if "," in rest else end
            separator = "" if "," in rest else ","
            return source.edit(comma, comma, f"{separator}\n{indent}{unit}{item},")
        return None

    def _unit(self, node: ast.AsyncFunctionDef) -> str:
        own, inner = self.source.indent(node), self.source.indent(node.body[-1])
        return inner[len(own) :] or "    "

    def _create(self, target: str, opening: Opening, end: str = "yield") -> list[Edit]:
        application, source = self.application, self.source
        handlers = self._moved()
        callee = source.segment(self.call.func)
        if not re.fullmatch(r"[\w.]+", callee):
            raise Refused(f"where `{application}` is built could not be read")
        name = next(
            (
                n
                for n in ("lifespan", "app_lifespan", "shared_clients")
                if not imports.is_bound(source, n, application.function)
            ),
            None,
        )
        if name is None:
            raise Refused("`lifespan` means something else there")
        manager, one = imports.bring(source, "contextlib", "asynccontextmanager")
        iterator, two = imports.iterator(source)
        indent = "    " if self.wrapped is None else "        "
        head, tail, pushes = around(target, opening, indent, "    ")
        gives = "None"
        if self.wrapped is not None:
            head = f"    async with {source.segment(self.wrapped)}({self.called}) as state:\n{head}"
            gives, two = self._any(two)
            end = "yield state"
        elif end != "yield":
            gives, two = self._any(two)
            dict_, three = imports.mapping(source)
            gives, two = f"{dict_}[str, {gives}]", (*two, *three)
        lines = [
            f"@{manager}",
            f"async def {name}({self.called}: {callee}) -> {iterator}[{gives}]:",
        ]
        for function, event in handlers:
            if event == "startup":
                lines.append(f"    {self._call(function)}")
        body = head.rstrip("\n").split("\n")
        lines += [*body, f"{indent}{'    ' if pushes else ''}{end}"]
        if tail:
            lines += tail.rstrip("\n").split("\n")
        for function, event in handlers:
            if event == "shutdown":
                lines.append(f"    {self._call(function)}")
        edits = [*one, *two, self.argument(name)]
        edits += [self.argument(name, call) for call in self.also]
        # Handlers within a factory are known there alone.
        nested = any(one.parent is application.function for one, _ in handlers)
        edits.append(self.before("\n".join(lines) + "\n", nested))
        for function, _ in handlers:
            edits.append(self._undecorate(function))
        return edits

    def _call(self, handler: Function) -> str:
        """How the lifespan calls a handler that stands in the module, or in the factory that builds the application."""
        name, around = handler.facts.name, handler.parent
        if around is None or around not in (self.application.function, handler.module.body):
            raise Refused("a startup handler stands in another function")
        if len(around.facts.bindings[name]) != 1 or name == self.called:
            raise Refused(f"`{name}` does not mean one function only")
        return f"{'await ' if handler.is_async else ''}{name}()"

    def _any(self, edits: tuple[Edit, ...]) -> tuple[str, tuple[Edit, ...]]:
        any_, more = imports.bring(self.source, "typing", "Any")
        return any_, (*edits, *more)

    def _moved(self) -> list[tuple[Function, str]]:
        """The startup and shutdown handlers that a new lifespan calls, because the framework no longer does."""
        text = self.source.text
        if self.wrapped is not None:
            # Beside a lifespan, handlers do not run.
            if re.search(r"lifespan_context\s*=(?!=)", text):
                raise Refused("the application's lifespan is set in a way that could not be read")
            return []
        if "lifespan_context" in text or "add_event_handler" in text:
            raise Refused("the application's lifespan is set in a way that could not be read")
        handlers = self.handlers()
        if self._registered_elsewhere():
            raise Refused("startup handlers are registered in another module")
        return handlers

    def _registered_elsewhere(self) -> bool:
        for file in self.workshop.facts.program.project.files:
            text = file.text or ""
            if file.is_test or file.name == self.source.path:
                continue
            if not any(name in text for name in FRAMEWORKS):
                continue
            if re.search(r"\.(?:on_event|add_event_handler)\(", text):
                return True
        return False

    def argument(self, name: str, call: ast.Call | None = None) -> Edit:
        """The lifespan as an argument of the call that builds the application, or of another one."""
        source, call = self.source, call or self.call
        if self.wrapped is not None:
            return source.replace(self.wrapped, name)
        arguments: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
        if not arguments:
            end = source.end(call)
            inner = source.text[source.end(call.func) : end]
            if inner.strip("() \t\r\n"):
                raise Refused("where the application is built could not be read")
            return source.edit(source.end(call.func), end, f"(lifespan={name})")
        last = max(arguments, key=lambda a: source.end(a))
        line = source.line(last.lineno)
        own_line = line.lstrip().startswith(source.segment(last).split("\n")[0])
        separator = f",\n{source.indent(last)}" if own_line and last.lineno != call.lineno else ", "
        return source.insert(source.end(last), f"{separator}lifespan={name}")

    def before(self, text: str, nested: bool = False) -> Edit:
        """Text before the top-level statement that builds the application, parted by two blank lines.

        In a factory, and with `nested`, before the statement that builds it there.
        """
        source = self.source
        if nested and self.application.function.facts.kind != "module":
            tree = source.tree(self.application.site.line)
            statement = tree.statement(self.call)
            indent = source.indent(statement)
            inner = "".join(f"{indent}{line}\n" for line in text.splitlines())
            above = source.line(statement.lineno - 1).strip()
            gap = "\n" if above and not above.endswith(":") else ""
            return source.insert(source.line_start(statement.lineno), f"{gap}{inner}\n")
        line = self.application.site.line
        statement = next(
            s for s in source.top(line).root.body if _first(s) <= line <= (s.end_lineno or s.lineno)
        )
        number = _first(statement)
        while number > 1 and source.line(number - 1).startswith("#"):
            number -= 1
        blank = 0
        while number - blank > 1 and not source.line(number - blank - 1).strip():
            blank += 1
        before = "\n" * (2 - min(blank, 2)) if number - blank > 1 else ""
        return source.insert(source.line_start(number), f"{before}{text}\n\n")

    def _undecorate(self, function: Function) -> Edit:
        source = self.source
        found = source.definition(function)
        if found is None:
            raise Refused("a startup handler could not be read")
        node = found[1]
        start = source.start(node)
        end = source.line_start(node.lineno)
        if source.text[source.end(node.decorator_list[-1]) : end].strip():
            raise Refused("something else stands on the line of a startup handler's decorator")
        return source.edit(start, end + len(source.indent(node)), "")


def _texts_with_state(workshop: Workshop) -> list[str]:
    files = workshop.facts.program.project.files
    return [f.text for f in files if f.text and "state" in f.text]


def _may_be_taken(name: str, texts: list[str]) -> bool:
    """Whether a name may be one of `app.state` anywhere in the project."""
    used = re.compile(rf"\bstate\.{name}\b|[\"']{name}[\"']")
    return any(name in text and used.search(text) for text in texts)


def _first(statement: ast.stmt) -> int:
    decorators = getattr(statement, "decorator_list", None)
    return int(min([statement.lineno, *(d.lineno for d in decorators or ())]))


def _refuse_hidden(function: Function, target: str, constructor: str) -> None:
    """Raise Refused where a lifespan calls something else like what is written into it."""
    built, filled = (
        {one.id for one in ast.walk(ast.parse(text, mode="eval")) if isinstance(one, ast.Name)}
        for text in (constructor.removeprefix("await "), target)
    )
    for name in sorted(built | filled):
        bound = name in function.facts.bindings and name != target
        if bound or (name in built and name in function.parameters):
            raise Refused(f"`{name}` means something else in `{function.name}`")


def around(target: str, opening: Opening, indent: str, unit: str) -> tuple[str, str, bool]:
    """What stands before the `yield`, what after it, and whether the `yield` goes one level in."""
    if opening.enter:
        return f"{indent}{opening.enter} {opening.constructor} as {target}:\n", "", True
    head = f"{indent}{target} = {opening.constructor}\n"
    if opening.close is None:
        return head, "", False
    wait = "await " if opening.close_async else ""
    tail = f"{indent}finally:\n{indent}{unit}{wait}{target}.{opening.close}()\n"
    return f"{head}{indent}try:\n", tail, True


def pause(source: Source, tree: Tree, node: ast.AST) -> ast.Expr:
    """The `yield` of a lifespan. Raises Refused where it is not the only one, on a line of its own."""
    yields = [n for n in ast.walk(node) if isinstance(n, (ast.Yield, ast.YieldFrom))]
    statement = tree.parent(yields[0]) if len(yields) == 1 else None
    if (
        not isinstance(statement, ast.Expr)
        or not source.alone(statement)
        or tree.function(statement) is not node
    ):
        raise Refused("the `yield` of the lifespan does not stand on a line of its own")
    return statement


def _function(value: object) -> Function | None:
    from asynclint.facts.types import Part

    if isinstance(value, Part):
        value = value.of
    return value.function if isinstance(value, Func) else None


def _normal(text: str) -> str:
    return ast.unparse(ast.parse(text.removeprefix("await "), mode="eval"))


def _state_attribute(node: ast.expr, parameter: str) -> str | None:
    match node:
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id=name), attr="state"), attr=attr):
            return attr if name == parameter else None
    return None
