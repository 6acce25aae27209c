"""Startup and shutdown handlers become calls in a lifespan: a new one, or the one that has switched them off."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from asynclint.facts.model import CallSite
from asynclint.facts.program import Function
from asynclint.facts.types import Func
from asynclint.findings import Edit, Fix, Refused
from asynclint.fixes import application as serving
from asynclint.fixes import imports
from asynclint.fixes.application import Application
from asynclint.fixes.lifespan import Lifespan, pause
from asynclint.fixes.place import Place
from asynclint.fixes.source import Source

REGISTERING = ("on_event", "add_event_handler")
EVENTS = ("startup", "shutdown")

HARMLESS = frozenset(
    {
        "include_router",
        "mount",
        "run",
        "Server",
        "Config",
        "TestClient",
        "AsyncClient",
        "ASGITransport",
    }
)
"""What an application is handed to without the other side registering handlers at it."""

BY_HAND = re.compile(r"\.on_startup\b|\.on_shutdown\b|router\.startup\b|router\.shutdown\b")
UNREADABLE = "handlers are registered in a way that could not be read"


@dataclass(frozen=True)
class Handler:
    """One registered function, and the edit after which it is no longer registered."""

    event: str
    call: str
    gone: Edit
    line: int


def move(place: Place) -> Fix:
    """The fix of all handlers of one application. Raises Refused where one of them cannot be moved."""
    application = _application(place)
    lifespan = Lifespan(place.workshop, application)
    handlers = _handlers(place, application)
    if lifespan.existing is None:
        edits = _new(place, lifespan, handlers)
        safe = not _handed_on(place, application)
    else:
        edits = _into(place, lifespan, handlers)
        safe = False
    title = "call the handlers in the lifespan"
    once = f"startup handlers of {application}"
    return place.fix(title, *edits, *(h.gone for h in handlers), safe=safe, once=once)


def _application(place: Place) -> Application:
    meant = serving.meant(place.workshop, place.function, place.site.callee[1])
    found = [
        a
        for a in place.workshop.once(serving.applications)
        if meant is not None and (a.function, a.name) == meant and a.framework == serving.STARLETTE
    ]
    if len(found) != 1 or found[0].module is not place.function.module:
        raise Refused("where the application is built is not certain")
    [application] = found
    if len(application.function.facts.bindings[str(application.name)]) != 1:
        raise Refused("where the application is built is not certain")
    return application


def _handlers(place: Place, application: Application) -> list[Handler]:
    """All handlers of an application, in the order in which they are registered."""
    for file in place.workshop.facts.program.project.files:
        text = file.text or ""
        if BY_HAND.search(text) or ("lifespan_context" in text and not file.is_test):
            raise Refused("startup handlers are also used by hand")
        if file.is_test or file.name == application.module.file.name:
            continue
        if re.search(r"\.(?:on_event|add_event_handler)\(", text):
            raise Refused("startup handlers are registered in another module")
    found = []
    for function in application.module.functions:
        for site in function.sites:
            if site.kind == "call" and site.callee and site.callee[-1] in REGISTERING:
                found.append(_handler(place, application, function, site))
    return sorted(found, key=lambda h: h.line)


def _handler(place: Place, application: Application, function: Function, site: CallSite) -> Handler:
    meant = serving.meant(place.workshop, function, site.callee[1])
    if site.callee[0] != "attr" or meant != (application.function, application.name):
        raise Refused(UNREADABLE)
    if function is not application.function or site.block != application.site.block:
        raise Refused("a handler is registered under a condition, or in another function")
    positional = [r for r, k in site.args if k is None]
    event = positional[0] if positional else None
    if len(site.args) != len(positional) or not event or event[0] != "const":
        raise Refused(UNREADABLE)
    if event[1] not in EVENTS:
        raise Refused(UNREADABLE)
    if site.callee[2] == "on_event":
        return _decorated(place, function, site, str(event[1]))
    return _added(place, function, site, str(event[1]))


def _decorated(place: Place, function: Function, site: CallSite, event: str) -> Handler:
    """`@app.on_event("startup")` above a function."""
    handler = next(
        (
            f
            for f in function.module.functions
            if f.parent is function and f.facts.first_line <= site.line < f.facts.line
        ),
        None,
    )
    if handler is None or len(handler.facts.decorators) != 1 or len(site.args) != 1:
        raise Refused(UNREADABLE)
    gone = _undecorated(place, handler)
    return Handler(event, _call(function, handler, handler.facts.name), gone, site.line)


def _added(place: Place, function: Function, site: CallSite, event: str) -> Handler:
    """`app.add_event_handler("startup", start)`."""
    recipe = site.args[1][0] if len(site.args) == 2 else None
    value = place.workshop.facts.graph.evaluator.at_site(recipe, site, function.module)
    if not recipe or recipe[0] != "name" or not isinstance(value, Func):
        raise Refused("a handler is not the name of a function")
    source = place.source
    tree = source.tree(site.line)
    where = site.extent
    call = tree.at(where, ast.Call)
    statement = tree.parent(call) if call is not None else None
    if not isinstance(statement, ast.Expr):
        raise Refused(UNREADABLE)
    gone = _without(source, source.start(statement), source.end(statement))
    return Handler(event, _call(function, value.function, recipe[1]), gone, site.line)


def _call(scope: Function, handler: Function, name: str) -> str:
    """How the lifespan calls a handler by its name, which must mean one thing only."""
    current: Function | None = scope
    while current is not None and name not in current.facts.bindings:
        current = current.parent
    if current is None or len(current.facts.bindings[name]) != 1 or name == "app":
        raise Refused(f"`{name}` does not mean one function only")
    if handler.facts.generator or any(
        p.default is None and p.kind in ("pos", "kw") for p in handler.facts.params
    ):
        raise Refused(f"`{name}` cannot be called without arguments")
    return f"{'await ' if handler.is_async else ''}{name}()"


def _undecorated(place: Place, handler: Function) -> Edit:
    source = place.source
    found = source.definition(handler)
    if found is None:
        raise Refused(UNREADABLE)
    return _without(source, source.start(found[1]), source.end(found[1].decorator_list[0]))


def _without(source: Source, start: int, end: int) -> Edit:
    """Take out what stands between two offsets with its lines; a comment behind it stays."""
    text = source.text
    first = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    rest = text[end:].splitlines(keepends=True)[0] if end < len(text) else ""
    behind = rest.strip()
    if text[first:start].strip() or (behind and behind[0] != "#"):
        raise Refused("something else stands on the line of a handler's registration")
    if behind:
        return source.edit(start, end + rest.index("#"), "")
    return source.edit(first, end + len(rest), "")


def _handed_on(place: Place, application: Application) -> bool:
    """Whether code that is not the project's gets the application, at which it may register handlers of its own."""
    evaluator = place.workshop.facts.graph.evaluator
    named = ("name", application.name)
    for site in application.module.facts.calls:
        if any(recipe == named for recipe, _ in site.args):
            if site.callee and site.callee[-1] in HARMLESS:
                continue
            if not isinstance(evaluator.callee(application.module, site), Func):
                return True
    return False


def _new(place: Place, lifespan: Lifespan, handlers: list[Handler]) -> list[Edit]:
    """A lifespan before the statement that builds the application."""
    application, source = lifespan.application, lifespan.source
    callee = source.segment(lifespan.call.func)
    if not re.fullmatch(r"[\w.]+", callee):
        raise Refused(f"where `{application}` is built could not be read")
    names = ("lifespan", "app_lifespan", "startup_and_shutdown")
    function = application.function
    name = next((n for n in names if not imports.is_bound(source, n, function)), None)
    if name is None:
        raise Refused("`lifespan` means something else there")
    manager, one = imports.bring(source, "contextlib", "asynccontextmanager", function)
    iterator, two = imports.iterator(source, function)
    lines = [f"@{manager}", f"async def {name}(app: {callee}) -> {iterator}[None]:"]
    lines += [f"    {h.call}" for h in handlers if h.event == "startup"]
    stops = [f"        {h.call}" for h in handlers if h.event == "shutdown"]
    lines += ["    try:", "        yield", "    finally:", *stops] if stops else ["    yield"]
    return [
        *one,
        *two,
        lifespan.argument(name),
        lifespan.before("\n".join(lines) + "\n", nested=True),
    ]


def _into(place: Place, lifespan: Lifespan, handlers: list[Handler]) -> list[Edit]:
    """Calls around the `yield` of the lifespan that is there."""
    assert lifespan.existing is not None
    function, tree, node = lifespan.existing
    source = lifespan.source
    if not function.is_within(lifespan.application.function):
        raise Refused("the lifespan does not see the handlers")
    statement = pause(source, tree, node)
    indent = source.indent(statement)
    starts = "".join(f"{indent}{h.call}\n" for h in handlers if h.event == "startup")
    stops = "".join(f"\n{indent}{h.call}" for h in handlers if h.event == "shutdown")
    edits = []
    if starts:
        edits.append(source.insert(source.line_start(statement.lineno), starts))
    if stops:
        edits.append(source.insert(source.end(statement), stops))
    return edits
