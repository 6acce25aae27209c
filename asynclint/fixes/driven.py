"""Coroutines that the project steps by hand, as by `coro.send(None)`: one that waits is an error there, and no loop wakes it up."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from asynclint.facts.classes import implementations
from asynclint.facts.graph import argument_of
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Module
from asynclint.facts.types import Coro, Func, members
from asynclint.findings import Refused
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.source import own_nodes

STEPS = re.compile(r"\.send\(None\)|\.__await__\(\)")

COROUTINE = re.compile(r"coro|await", re.IGNORECASE)
"""What the name, or the annotation, of a coroutine says."""

MANY = 100
"""Functions that await one another which are looked at."""

Parts = tuple[ast.FunctionDef | ast.AsyncFunctionDef, ast.Try, ast.stmt, ast.Call]


@dataclass(slots=True)
class Driven:
    """What a project steps by hand, with the names of the functions that do."""

    functions: dict[Function, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """What is called there to make a coroutine, where it is not known which function that is."""
    values: frozenset[str] = frozenset()
    """Names of what is handed over, and may be called there."""

    def by(self, function: Function) -> str | None:
        """Who steps the coroutines of a function, or may do so."""
        if function in self.functions:
            return self.functions[function]
        name = function.facts.name
        if function.facts.generator:
            return None
        if name in self.names:
            return self.names[name]
        return next(iter(self.names.values())) if self.names and name in self.values else None


def refuse(place: Place) -> None:
    """Raise Refused in a coroutine that is stepped so, or is awaited by one that is."""
    driven = place.workshop.once(_driven)
    if not place.function.is_async or not (driven.functions or driven.names):
        return
    queue = [place.function]
    for one in queue:
        by = driven.by(one)
        if by is not None:
            raise Refused(f"`{by}` steps coroutines by hand, of which none may wait")
        for edge in place.workshop.facts.graph.into.get(one, ()):
            if edge.how == "async" and len(queue) < MANY and edge.caller not in queue:
                if not edge.caller.module.file.is_test:
                    queue.append(edge.caller)


# -- who steps ---------------------------------------------------------------------------------------


def _driven(workshop: Workshop) -> Driven:
    search = _Search(workshop)
    files = {f.name: f for word in ("send", "__await__") for f in workshop.saying(word)}
    for file in files.values():
        if file.is_test or not STEPS.search(file.text or ""):
            continue
        module = workshop.facts.program.load(file)
        for function, site, recipe in _steps(module) if module is not None else ():
            search.note(function, site, recipe, function.name)
    found = search.found
    if found.names:
        found.values = frozenset(_values(workshop))
    return found


class _Search:
    """Follows what is stepped back to the calls that make it."""

    def __init__(self, workshop: Workshop) -> None:
        self.graph = workshop.facts.graph
        self.evaluator = workshop.facts.graph.evaluator
        self.found = Driven()
        self._seen: set[tuple[Function, str]] = set()

    def note(self, function: Function, site: CallSite, recipe: Recipe, by: str) -> None:
        """A coroutine that a function steps, or hands to one that does."""
        value = self.evaluator.at_site(recipe, site, function.module)
        made = [one.function for one in members(value) if isinstance(one, Coro)]
        if made and None not in made:
            for one in made:
                self._add(one, by)
        elif _is_given(function, recipe):
            for where, at, given in self._calls(function, str(recipe[1])):
                self.note(where, at, given, by)
        else:
            self._unknown(function, recipe, by)

    def _add(self, function: Function | None, by: str) -> None:
        if function is not None:
            for one in (function, *implementations(self.evaluator, function)):
                self.found.functions.setdefault(one, by)

    def _calls(self, function: Function, name: str) -> Iterator[tuple[Function, CallSite, Recipe]]:
        """What the project gives a function for a parameter."""
        if (function, name) in self._seen:
            return
        self._seen.add((function, name))
        for edge in self.graph.into.get(function, ()):
            if not edge.caller.module.file.is_test:
                yield edge.caller, edge.site, argument_of(edge, name)

    def _unknown(self, function: Function, recipe: Recipe, by: str) -> None:
        """`drive(executor.launch(job))`, `drive(function(job))`."""
        callee = _maker(function, recipe)
        if not _is_given(function, callee):
            self.found.names.setdefault(str(callee[-1]) if callee else "", by)
            return
        for where, at, given in self._calls(function, str(callee[1])):
            value = self.evaluator.at_site(given, at, where.module)
            functions = [one.function for one in members(value) if isinstance(one, Func)]
            for one in functions:
                self._add(one, by)
            if not functions:
                self.found.names.setdefault(str(given[-1]) if given else "", by)


def _is_given(function: Function, recipe: Recipe) -> bool:
    """Whether it is a parameter."""
    if not recipe or recipe[0] != "name":
        return False
    return recipe[1] in function.parameters and recipe[1] not in function.facts.bindings


def _maker(function: Function, recipe: Recipe) -> Recipe:
    """What is called to make a coroutine, also where that has a name in between."""
    if recipe and recipe[0] == "name":
        bindings = function.facts.bindings.get(str(recipe[1]), ())
        recipe = bindings[0].recipe if len(bindings) == 1 else None
    return function.module.site(recipe[1]).callee if recipe and recipe[0] == "call" else None


# -- how it is done ----------------------------------------------------------------------------------


def _steps(module: Module) -> Iterator[tuple[Function, CallSite, Recipe]]:
    """The calls of a module that step a coroutine and leave it at that, with what they step."""
    functions = {(f.facts.line, f.facts.col): f for f in module.functions}
    for definition, around, statement, call in _tried(module):
        function = functions.get((definition.lineno, definition.col_offset))
        extent = call.lineno, call.col_offset, call.end_lineno, call.end_col_offset
        site = next((s for s in function.sites if s.extent == extent), None) if function else None
        if function is None or site is None or not _is_ignored(definition, statement):
            continue
        recipe = site.callee[1] if site.callee[0] == "attr" else site.args[0][0]
        recipe = _awaited(function, recipe)
        if recipe and (_gives_value(around) or _is_called_so(definition, recipe)):
            yield function, site, recipe


def _tried(module: Module) -> Iterator[Parts]:
    """`try: coro.send(None) … except StopIteration:` in all functions."""
    try:
        tree = ast.parse(module.file.text or "")
    except (SyntaxError, ValueError, RecursionError):
        return
    for definition in ast.walk(tree):
        if not isinstance(definition, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        for one in own_nodes(definition):
            if not isinstance(one, ast.Try) or not any(map(_takes_end, one.handlers)):
                continue
            for statement in (s for b in one.body for s in (b, *own_nodes(b))):
                value = getattr(statement, "value", None)
                if isinstance(statement, (ast.Expr, ast.Assign)) and isinstance(value, ast.Call):
                    if _is_step(value):
                        yield definition, one, statement, value


def _takes_end(handler: ast.ExceptHandler) -> bool:
    return handler.type is not None and "StopIteration" in ast.unparse(handler.type)


def _is_step(call: ast.Call) -> bool:
    """`coro.send(None)`, `next(steps)`."""
    text = ast.unparse(call)
    if isinstance(call.func, ast.Attribute):
        return text.endswith(".send(None)")
    return text.startswith("next(") and len(call.args) == 1 and not call.keywords


def _is_ignored(definition: ast.AST, statement: ast.stmt) -> bool:
    """Whether nobody looks at what the coroutine waits for, but to raise an error."""
    if isinstance(statement, ast.Expr):
        return True
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    if not isinstance(target, ast.Name):
        return False
    told = {
        inner
        for one in own_nodes(definition)
        if isinstance(one, ast.Raise)
        for inner in ast.walk(one)
    }
    return all(
        one in told
        for one in own_nodes(definition)
        if isinstance(one, ast.Name) and one.id == target.id and isinstance(one.ctx, ast.Load)
    )


def _awaited(function: Function, recipe: Recipe) -> Recipe:
    """Of `steps`, and of `coro.__await__()`, `coro`."""
    callee = _maker(function, recipe)
    if callee and callee[0] == "attr" and callee[2] == "__await__":
        return callee[1]
    return recipe


def _gives_value(around: ast.Try) -> bool:
    """`except StopIteration as stop: return stop.value`."""
    return any(
        isinstance(one, ast.Attribute)
        and one.attr == "value"
        and isinstance(one.value, ast.Name)
        and one.value.id == handler.name
        for handler in around.handlers
        for one in ast.walk(handler)
    )


def _is_called_so(definition: ast.FunctionDef | ast.AsyncFunctionDef, recipe: Recipe) -> bool:
    """Whether a name, or an annotation, says that it is a coroutine."""
    name = str(recipe[-1]) if recipe[0] in ("name", "attr") else ""
    parameters = (*definition.args.posonlyargs, *definition.args.args, *definition.args.kwonlyargs)
    said = [ast.unparse(p.annotation) for p in parameters if p.arg == name and p.annotation]
    return any(COROUTINE.search(text) for text in (name, *said))


# -- what is handed over -----------------------------------------------------------------------------


def _values(workshop: Workshop) -> Iterator[str]:
    """The names that the project reads other than to call what they stand for."""
    for file in workshop.facts.program.project.files:
        try:
            tree = ast.parse(file.text or "") if not file.is_test else None
        except (SyntaxError, ValueError, RecursionError):
            continue
        called: set[ast.AST] = set()
        for one in ast.walk(tree) if tree is not None else ():
            if isinstance(one, ast.Call):
                called.add(one.func)
            elif isinstance(one, ast.Attribute):
                called.add(one.value)
            if isinstance(one, (ast.Name, ast.Attribute)) and one not in called:
                if isinstance(one.ctx, ast.Load):
                    yield one.id if isinstance(one, ast.Name) else one.attr
