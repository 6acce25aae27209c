"""The coroutines that await one which waits for nothing: what they do around that is a part of its step.

`await self.load()` suspends nobody where `load` does not. As soon as it does, the caller's step has two halves, too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from asynclint.facts.graph import Edge, argument_of
from asynclint.facts.model import Recipe
from asynclint.facts.program import Function, recipe_name
from asynclint.facts.types import Func, members
from asynclint.findings import Refused
from asynclint.fixes.effects import IN, scope_name
from asynclint.fixes.place import Workshop
from asynclint.fixes.source import Tree
from asynclint.fixes.step import Half, Spot, Step, is_locked

DEEP = 4
"""Callers above one another that are looked at."""

MANY = 40
"""Callers of one place that are looked at."""

PLACE = ("lineno", "col_offset", "end_lineno", "end_col_offset")

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(slots=True)
class Frame:
    """What one coroutine does in the step around a place, in the words of the coroutine that holds it."""

    function: Function
    step: Step
    before: Half
    after: Half
    unknown: frozenset[str]
    """What hangs on a parameter, so that only a caller can say who knows it."""
    below: Frame | None = None
    """That of the coroutine which this one awaits."""
    edge: Edge | None = None
    """Where it does."""

    @property
    def is_first(self) -> bool:
        """Whether what the callers did before still belongs to the step."""
        return self.step.is_first and (self.below is None or self.below.is_first)

    @property
    def is_last(self) -> bool:
        """Whether what the callers do behind it still belongs to the step."""
        return self.step.is_last and (self.below is None or self.below.is_last)

    def inner(self) -> Iterator[Frame]:
        """The frames below, from the outermost one to that of the place."""
        frame = self.below
        while frame is not None:
            yield frame
            frame = frame.below

    def pairs(self) -> Iterator[tuple[Frame, Frame]]:
        """Itself, and itself with each one below: what the first did before, and the second does behind, is one step."""
        yield self, self
        for one in self.inner():
            yield one, self
            yield self, one

    def earlier(self) -> list[ast.AST]:
        """What is done in the step before the place."""
        counts = self.below is None or self.below.is_first
        return self.step.earlier() if counts else []

    def later(self) -> list[ast.AST]:
        """What is done in the step behind the place."""
        counts = self.below is None or self.below.is_last
        return self.step.later() if counts else []

    def words(self, text: str) -> str:
        """What the coroutine names so, in the words of the one that holds the place."""
        frame: Frame | None = self
        while frame is not None and frame.edge is not None and frame.below is not None:
            if IN in text:
                return text
            text = _words_below(text, frame.edge, frame.below.function)
            frame = frame.below
        return text


def frames(at: Spot) -> list[Frame]:
    """The coroutines that await that of a place within the same step, the nearest first."""
    known = at.workshop.once(_frames)
    key = (at.function, *(getattr(at.node, name, 0) for name in PLACE))
    if key not in known:
        known[key] = list(_found(at))
    return known[key]


def _frames(workshop: Workshop) -> dict[tuple[object, ...], list[Frame]]:
    return {}


def _found(at: Spot) -> Iterator[Frame]:
    if not at.function.is_async or at.function.facts.generator:
        return
    queue = [(_frame(at, at.function, None, None), 0)]
    count = 0
    for below, depth in queue:
        if depth == DEEP or not (below.is_first or below.is_last):
            continue
        busy = {below.function, *(one.function for one in below.inner())}
        for edge in awaits(at.workshop, below.function):
            spot = _spot(at.workshop, edge) if edge.caller not in busy else None
            if spot is None or is_locked(spot):
                continue
            count += 1
            if count > MANY:
                return
            frame = _frame(spot, edge.caller, below, edge)
            yield frame
            queue.append((frame, depth + 1))


def _frame(at: Spot, function: Function, below: Frame | None, edge: Edge | None) -> Frame:
    step = Step(at, given=True)
    before = step.before() if below is None or below.is_first else Half()
    after = step.after() if below is None or below.is_last else Half()
    step.earlier()
    step.later()
    frame = Frame(function, step, before, after, frozenset(step.unknown), below, edge)
    if below is not None:
        frame.before, frame.after = (one.told(frame.words) for one in (before, after))
        frame.unknown = frozenset(map(frame.words, step.unknown))
    return frame


def awaits(workshop: Workshop, function: Function) -> Iterator[Edge]:
    """Where coroutines of the project await one, tests aside."""
    graph = workshop.facts.graph
    for target in (function, *_stands_for(workshop, function)):
        for edge in graph.into.get(target, ()):
            caller = edge.caller
            if edge.site.kind != "call" or edge.site.role[0] != "await":
                continue
            if caller.is_async and not caller.facts.generator and not caller.module.file.is_test:
                yield edge


def _stands_for(workshop: Workshop, function: Function) -> Iterator[Function]:
    """The plain functions that a decorator gives a coroutine function, which runs where they are awaited: `@dispatch(aload)`."""
    evaluator = workshop.facts.graph.evaluator
    for one in function.module.functions:
        if one.facts.kind != "def" or one.klass is not function.klass:
            continue
        for recipe in one.facts.decorators:
            if not recipe or recipe[0] != "call":
                continue
            site = one.module.site(recipe[1])
            for given, _ in site.args:
                found = members(evaluator.at_site(given, site, one.module))
                if any(isinstance(m, Func) and m.function is function for m in found):
                    yield one


def await_of(
    workshop: Workshop, edge: Edge
) -> tuple[Tree, ast.FunctionDef | ast.AsyncFunctionDef, ast.Call] | None:
    """The call that a coroutine awaits, its `def`, and the piece that holds them; None where they cannot be read."""
    try:
        found = workshop.source(edge.caller.module).definition(edge.caller)
    except Refused:
        return None
    if found is None:
        return None
    tree, definition = found
    call = tree.at(edge.site.extent, ast.Call)
    if call is None or not isinstance(tree.parent(call), ast.Await):
        return None
    return tree, definition, call


def _spot(workshop: Workshop, edge: Edge) -> Spot | None:
    """The place at which a coroutine awaits another one; None where that is not all that its statement waits for."""
    found = await_of(workshop, edge)
    if found is None:
        return None
    tree, definition, call = found
    at = Spot(workshop, tree, edge.caller, definition, call)
    for one in tree.above(call):
        if isinstance(one, COMPREHENSIONS):
            return None
        if isinstance(one, ast.stmt):
            break
    step = Step(at)
    parts = [ast.walk(part) for part in step.header(step.statement)]
    waits = sum(isinstance(node, ast.Await) for nodes in parts for node in nodes)
    return at if waits == 1 else None


def _words_below(text: str, edge: Edge, target: Function) -> str:
    """What a caller names so, in the words of the coroutine that it awaits; under its own name where that knows it not."""
    own = target.self_name
    receiver = _receiver(edge)
    if own is not None and receiver is not None and text.startswith(f"{receiver}."):
        return own + text[len(receiver) :]
    for parameter in target.facts.params:
        if parameter.name == own:
            continue
        given = _plain(argument_of(edge, parameter.name))
        if given is not None and f"{text}.".startswith((f"{given}.", f"{given}[")):
            return parameter.name + text[len(given) :]
    return f"{scope_name(edge.caller)}{IN}{text}"


def _receiver(edge: Edge) -> str | None:
    """The object whose coroutine method is awaited, as the caller writes it."""
    callee = edge.site.callee
    if not callee or callee[0] != "attr":
        return None
    base: Recipe = callee[1]
    if base and base[0] == "call":
        made = edge.caller.module.site(base[1])
        return edge.caller.self_name if made.callee == ("name", "super") else None
    return _plain(base)


def _plain(recipe: Recipe) -> str | None:
    """A name, or an attribute of one, as it is written."""
    one = recipe
    while one and one[0] == "attr":
        one = one[1]
    return recipe_name(recipe) if one and one[0] == "name" else None
