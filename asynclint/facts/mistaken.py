"""Calls that take a coroutine function for a plain one, or a coroutine for a task."""

from __future__ import annotations

from typing import Any

from asynclint.facts import places
from asynclint.facts.decorators import decorator_value
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.known_calls import argument_for, known_callee
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.operations import element_type
from asynclint.facts.program import Function, recipe_name
from asynclint.facts.returns import call_function
from asynclint.facts.types import (
    Any_,
    Coro,
    Func,
    Lib,
    Part,
    members,
)
from asynclint.facts.view import Mistake
from asynclint.findings import Link
from asynclint.knowledge.model import Function as Known

Role = tuple[Any, ...]

CALLS_PLAINLY: dict[str, tuple[int | None, str]] = {
    "signal.signal": (1, "handler"),
    "atexit.register": (0, "func"),
    "builtins.sorted": (None, "key"),
    "builtins.min": (None, "key"),
    "builtins.max": (None, "key"),
}
"""Functions that call an argument and do nothing with what it gives: its position, its keyword."""

RUNNERS = frozenset({"gather", "create_task", "ensure_future", "wait_for", "run", "shield"})

CACHES = frozenset({"functools.lru_cache", "functools.cache", "functools.cached_property"})


class MistakenFacts:
    """Every such call in the program."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator

    def at(self, function: Function, site: CallSite) -> Mistake | None:
        """The mistake that a call makes; None where it makes none in sight."""
        callee = self.evaluator.callee(function.module, site)
        if site.kind != "call" or isinstance(callee, (Func, Any_)) or not site.args:
            return None
        if isinstance(callee, Lib):
            if callee.path == "asyncio.wait":
                return self._waited(function, site)
            if callee.path in CALLS_PLAINLY:
                return self._called_plainly(function, site, callee.path)
        known = known_callee(self.evaluator, callee)
        if known is None or function.module.dead(site.block):
            return None
        if known.offloads is not None:
            return self._offloaded(function, site, known, known.offloads)
        if known.calls_on_loop is not None and known.name.startswith("asyncio."):
            recipe = argument_for(site, known, known.calls_on_loop)
            return self._given(function, site, recipe)
        return None

    # -- coroutine functions ------------------------------------------------------------------------------

    def _called_plainly(self, function: Function, site: CallSite, path: str) -> Mistake | None:
        position, keyword = CALLS_PLAINLY[path]
        positional = [r for r, k in site.args if k is None]
        recipe = next((r for r, k in site.args if k == keyword), None)
        if recipe is None and position is not None and len(positional) > position:
            recipe = positional[position]
        return self._given(function, site, recipe)

    def _given(self, function: Function, site: CallSite, recipe: Recipe) -> Mistake | None:
        """A coroutine function as an argument, called by whoever does not await."""
        value = self.evaluator.at_site(recipe, site, function.module)
        if isinstance(value, Part):
            value = value.of
        if not recipe or recipe[0] == "lambda" or not isinstance(value, Func):
            return None
        target = value.function
        if target.facts.kind != "async" or target.facts.generator:
            return None
        if not isinstance(call_function(self.evaluator, target, value.bound), Coro):
            return None
        if self._awaited_after(function, site.role):
            return None
        text = f"`{target.name}` is a coroutine function"
        name = recipe_name(recipe)
        return Mistake(
            "in thread",
            target.name if "…" in name else name,
            recipe_name(site.callee),
            (places.head(target, text),),
        )

    def _offloaded(
        self, function: Function, site: CallSite, known: Known, param: int | str
    ) -> Mistake | None:
        recipe = argument_for(site, known, param)
        return self._given(function, site, recipe)

    def _awaited_after(self, function: Function, role: Role) -> bool:
        """`await (await to_thread(f))`, `coroutine = await to_thread(f)`: somebody knows what comes back."""
        if role[0] == "await" and len(role) > 1:
            inner = role[1]
            return (
                inner[0] == "await" or self._runs(function, inner) or self._later(function, inner)
            )
        return self._later(function, role)

    def _later(self, function: Function, role: Role) -> bool:
        if role[0] != "assign":
            return False
        return any(
            use.role[0] == "await" or self._runs(function, use.role)
            for use in function.facts.uses.get(str(role[1]), ())
        )

    def _runs(self, function: Function, role: Role) -> bool:
        """Whether what stands so is handed to something that runs coroutines."""
        if role[0] != "arg":
            return False
        callee = function.module.site(role[1]).callee
        return bool(callee) and callee[-1] in RUNNERS

    # -- bare coroutines in `asyncio.wait` ----------------------------------------------------------------

    def _waited(self, function: Function, site: CallSite) -> Mistake | None:
        recipe = next((r for r, k in site.args if k in (None, "fs")), None)
        if not recipe:
            return None
        value = self.evaluator.at_site(recipe, site, function.module)
        element = element_type(self.evaluator, value)
        if element is None:
            return None
        found = members(element)
        if not all(isinstance(m, Coro) and not m.eager for m in found):
            return None
        first = found[0]
        assert isinstance(first, Coro)
        links: tuple[Link, ...] = ()
        if first.function is not None:
            text = f"`{first.function.name}` is a coroutine function"
            links = (places.head(first.function, text),)
        return Mistake("in wait", first.name, "asyncio.wait", links)

    # -- cached coroutines --------------------------------------------------------------------------------

    def cached(self, function: Function) -> tuple[CallSite, Mistake] | None:
        """The decorator that keeps what a coroutine function gives, which can be awaited once only."""
        facts = function.facts
        if facts.kind != "async" or facts.generator or not facts.decorators:
            return None
        recipe = facts.decorators[-1]
        called = bool(recipe) and recipe[0] == "call"
        named = function.module.site(recipe[1]).callee if called else recipe
        value = decorator_value(self.evaluator, named, function)
        if not isinstance(value, Lib) or value.path not in CACHES:
            return None
        site = _decorator(function, recipe_name(named))
        if site is None:
            return None
        return site, Mistake("cached", facts.name, recipe_name(named), ())


def _decorator(function: Function, name: str) -> CallSite | None:
    """The last decorator of a function as a site of its own, where it stands on one line."""
    module, facts = function.module, function.facts
    for number in range(facts.line - 1, facts.first_line - 1, -1):
        text = module.lines[number - 1]
        shown = text.strip()
        if not shown.startswith("@"):
            continue
        inner = shown[1:].partition("#")[0].strip()
        if inner != name and not (inner.startswith(f"{name}(") and inner.endswith(")")):
            return None
        start = text.index("@") + 1 + (len(shown[1:]) - len(shown[1:].lstrip()))
        outer = max(facts.parent, 0)
        return CallSite(
            -1,
            "decorator",
            outer,
            None,
            (),
            ("decorator",),
            module.functions[outer].facts.root_block,
            number,
            len(text[:start].encode()),
            number,
            len(text[: start + len(inner)].encode()),
        )
    return None
