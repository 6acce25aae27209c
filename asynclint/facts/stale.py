"""Shared state that is written from what it was before an `await`, while other tasks may have changed it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from asynclint.facts.bounds import BOUND_WORDS
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import Binding, CallSite, Recipe
from asynclint.facts.program import Function, Module, recipe_name
from asynclint.facts.runs import Runs
from asynclint.facts.types import Inst, members
from asynclint.facts.view import Mistake

AUGMENTED = re.compile(
    r"\s*([A-Za-z_]\w*(?:\.\w+)*)(\[[^\]]*\])?\s*(?:[-+*/|&^%@]|//|\*\*|<<|>>)=\s*.*\bawait\b"
)
"""`self.total += await …`: the target is read, then awaited for, then written."""


ANYWHERE = re.compile(r"[-+*/|&^%@<>]=[^=\n][^\n]*\bawait\b")


class StaleFacts:
    """Every such write in the program."""

    def __init__(self, evaluator: Evaluator, runs: Runs) -> None:
        self.evaluator = evaluator
        self.runs = runs
        self._augmenting: dict[str, bool] = {}

    def at(self, function: Function) -> Iterator[tuple[CallSite, Mistake]]:
        """The writes of one coroutine function."""
        facts = function.facts
        if not function.is_async or not facts.awaits or function.module.file.is_test:
            return
        if function in self.runs.once:
            return
        for line, block in dict.fromkeys(facts.awaits) if self._augments(function.module) else ():
            match = AUGMENTED.match(function.module.line(line))
            if match is None or self._locked(function, block):
                continue
            if self._shared(function, match[1].partition(".")[0], "." in match[1]):
                wide = len(match[1] + (match[2] or ""))
                yield self._found(function, line, match.start(1), match[1], block, wide)
        for binding in facts.attribute_bindings:
            state: Recipe = ("attr", binding.base, binding.attr)
            if binding.base != ("name", function.self_name):
                continue
            line, block = binding.line, binding.block
            if self._stale(function, binding.recipe, state, line, block):
                yield from self._unlocked(function, line, binding.col, recipe_name(state), block)
        for name in facts.globals:
            for one in facts.bindings.get(name, ()):
                line = self._first_line(function, one) if one.kind == "assign" else 0
                if line and self._stale(function, one.recipe, ("name", name), line, one.block):
                    text = function.module.line(line)
                    column = len(text) - len(text.lstrip())
                    yield from self._unlocked(function, line, column, name, one.block)

    def _unlocked(
        self, function: Function, line: int, column: int, name: str, block: int
    ) -> Iterator[tuple[CallSite, Mistake]]:
        if not self._locked(function, block):
            yield self._found(function, line, column, name, block)

    def _augments(self, module: Module) -> bool:
        """Whether a module holds such a statement at all."""
        name = module.file.name
        if name not in self._augmenting:
            self._augmenting[name] = ANYWHERE.search(module.file.text or "") is not None
        return self._augmenting[name]

    def _first_line(self, function: Function, binding: Binding) -> int:
        """The line of an assignment that stands on one line; 0 for others, whose binding tells only their end."""
        name = next((n for n, all_ in function.facts.bindings.items() if binding in all_), "")
        text = function.module.line(binding.line).lstrip()
        return binding.line if re.match(rf"{re.escape(name)}\s*=", text) else 0

    def _shared(self, function: Function, base: str, attribute: bool) -> bool:
        """Whether a name is the object whose method this is, or a global of the module that the function sets."""
        if attribute:
            return base == function.self_name
        return base in function.facts.globals

    def _stale(
        self, function: Function, recipe: Recipe, state: Recipe, line: int, block: int
    ) -> bool:
        """Whether a value was read before an `await` that comes before its write."""
        if not recipe:
            return False
        if recipe[0] == "binop":
            if _reads(recipe[1], state) and _awaits(recipe[2]):
                return True
            return any(self._stale(function, one, state, line, block) for one in recipe[1:3])
        if recipe[0] != "name" or recipe[1] in function.facts.globals:
            return False
        bindings = function.facts.bindings.get(recipe[1], ())
        if (
            len(bindings) != 1
            or bindings[0].kind != "assign"
            or not _reads(bindings[0].recipe, state)
        ):
            return False
        return self._between(function, bindings[0], line, block)

    def _between(self, function: Function, read: Binding, line: int, block: int) -> bool:
        """Whether the code surely awaits between a read and a write."""
        module = function.module
        return any(
            read.line < at < line and module.inside(block, where)
            for at, where in function.facts.awaits
        )

    def _locked(self, function: Function, block: int) -> bool:
        """Whether a lock is held there."""
        module = function.module
        for one in module.chain(block):
            if one.kind not in ("awith", "with"):
                continue
            for recipe in one.info or ():
                name = recipe_name(recipe).lower()
                if recipe and recipe[0] == "call":
                    name = recipe_name(module.site(recipe[1]).callee).lower()
                if any(word in name for word in BOUND_WORDS) or self._is_lock(
                    function, recipe, block
                ):
                    return True
        return False

    def _is_lock(self, function: Function, recipe: Recipe, block: int) -> bool:
        at = (function.module.blocks[block].line, 0, block)
        for value in members(self.evaluator.eval(recipe, function, at)):
            if isinstance(value, Inst) and isinstance(value.of, str):
                cls = self.evaluator.known.cls(value.of)
                if cls is not None and (cls.lock or cls.bounds):
                    return True
        return False

    def _found(
        self, function: Function, line: int, column: int, name: str, block: int, wide: int = 0
    ) -> tuple[CallSite, Mistake]:
        end = column + (wide or len(name))
        site = CallSite(
            -1, "assign", function.facts.index, None, (), ("store",), block, line, column, line, end
        )
        return site, Mistake("stale", name, "", ())


def _reads(recipe: Recipe, state: Recipe) -> bool:
    """Whether a value is made of a piece of state: it, or arithmetic with it."""
    if recipe == state:
        return True
    return bool(recipe) and recipe[0] == "binop" and any(_reads(one, state) for one in recipe[1:3])


def _awaits(recipe: Recipe) -> bool:
    if not recipe:
        return False
    return recipe[0] == "await" or (recipe[0] == "binop" and any(map(_awaits, recipe[1:3])))
