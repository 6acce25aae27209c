"""Streams and asynchronous generators that a loop leaves before their end, and that nothing closes."""

from __future__ import annotations

import ast

from asynclint.facts import syntax
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Klass, recipe_name
from asynclint.facts.types import Gen, Inst, Type, members
from asynclint.facts.view import Mistake

HOLDING = frozenset({"with", "awith"})
CLOSES = frozenset({"aclose", "close"})
LOOPS = (ast.While, ast.For, ast.AsyncFor)
INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


class AbandonedFacts:
    """Every such loop in the program."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._loops: dict[Function, dict[tuple[int, int], ast.AsyncFor]] = {}

    def stream(self, function: Function, site: CallSite) -> Mistake | None:
        """What an `async for` leaves with `break` or `return`, where it is made here and nobody else has it."""
        if site.kind != "afor" or not function.is_async or function.module.file.is_test:
            return None
        made = self._made(function, site)
        if made is None:
            return None
        value = self.evaluator.callee(function.module, site)
        if value is None or not all(self._holds(one) for one in members(value)):
            return None
        loop = self._loop(function, site)
        if loop is None or not _leaves(loop.body, False):
            return None
        return Mistake("abandoned", made, "", ())

    def _made(self, function: Function, site: CallSite) -> str | None:
        """The name of what is iterated over: a call here, or a local name for its result that is used for nothing else."""
        recipe = site.callee
        if recipe and recipe[0] == "name":
            name = recipe[1]
            bindings = function.facts.bindings.get(name, ())
            uses = function.facts.uses.get(name, ())
            if len(bindings) != 1 or name in function.facts.loaded or len(uses) != 1:
                return None
            if bindings[0].kind != "assign" or self._call(bindings[0].recipe) is None:
                return None
            inner = (f for f in function.module.functions if f.parent is function)
            if any(name in f.facts.loaded or name in f.facts.uses for f in inner):
                return None
            return str(name)
        index = self._call(recipe)
        return recipe_name(function.module.site(index).callee) if index is not None else None

    def _call(self, recipe: Recipe) -> int | None:
        if recipe and recipe[0] == "await":
            recipe = recipe[1]
        return int(recipe[1]) if recipe and recipe[0] == "call" else None

    def _holds(self, value: Type) -> bool:
        """Whether something stays open when it is left alone: a connection, or what a generator has entered."""
        if isinstance(value, Gen):
            return value.is_async and value.function is not None and self._waits(value.function)
        if not isinstance(value, Inst) or isinstance(value.of, Klass):
            return False
        cls = self.evaluator.known.cls(value.of)
        if cls is None or cls.iter != "async" or "Stream" not in value.of:
            return False
        return bool(CLOSES & set(cls.methods)) or cls.enter == "async"

    def _waits(self, function: Function) -> bool:
        """Whether a generator yields inside of a `with` or of a `try` with a `finally`."""
        module = function.module
        ends = {b.parent for b in module.blocks if b.kind == "finally"}
        return any(
            one.kind in HOLDING or (one.kind == "try" and one.parent in ends)
            for _, _, block in function.facts.yields
            for one in module.chain(block)
        )

    def _loop(self, function: Function, site: CallSite) -> ast.AsyncFor | None:
        if function not in self._loops:
            self.evaluator.program.studied.add(function.module.file.name)
            node = syntax.definition(function)
            found = [n for n in ast.walk(node) if isinstance(n, ast.AsyncFor)] if node else []
            self._loops[function] = {(n.iter.lineno, n.iter.col_offset): n for n in found}
        return self._loops[function].get((site.line, site.col))


def _leaves(body: list[ast.stmt], nested: bool) -> bool:
    """Whether statements leave the loop around them with `break` or `return`."""
    for one in body:
        if isinstance(one, ast.Return) or (isinstance(one, ast.Break) and not nested):
            return True
        if isinstance(one, INNER):
            continue
        inner = nested or isinstance(one, LOOPS)
        suites = [(getattr(one, "body", []), inner), (getattr(one, "finalbody", []), nested)]
        suites += [(getattr(one, "orelse", []), nested)]
        suites += [
            (h.body, nested) for h in (*getattr(one, "handlers", ()), *getattr(one, "cases", ()))
        ]
        if any(_leaves(suite, deep) for suite, deep in suites):
            return True
    return False
