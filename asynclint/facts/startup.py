"""Startup and shutdown handlers that are registered one by one, beside which a lifespan cannot stand."""

from __future__ import annotations

import re

from asynclint.facts import places
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, recipe_name
from asynclint.facts.types import Any_, Func, Inst, LibMethod, members
from asynclint.facts.view import StartupHandler

STEPS = 5
"""How many names and functions are followed to the place that builds an application."""

RUNS_HANDLERS = re.compile(r"\bstartup\(\)|\bon_startup\b|\b_DefaultLifespan\b")
"""A lifespan that runs the handlers itself."""


class StartupFacts:
    """Every registration of such a handler in the program."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator

    def handler(self, function: Function, site: CallSite) -> StartupHandler | None:
        """What a call registers; None for any other call."""
        module = function.module
        if site.kind != "call" or not site.callee or site.callee[0] != "attr":
            return None
        callee = self.evaluator.callee(module, site)
        if not isinstance(callee, (LibMethod, Any_)) or not all(
            isinstance(m, LibMethod) and m.known.lifespan_hides for m in members(callee)
        ):
            return None
        if module.file.is_test:
            return None
        name = recipe_name(site.callee)
        owner = site.callee[1]
        if owner and owner[0] == "attr" and owner[2] == "router":
            owner = owner[1]
        built = self._builder(function, owner, site, 0)
        hidden = built is not None and self._has_lifespan(*built)
        if built is None or not hidden:
            return StartupHandler(name, None, ())
        text = f"`{recipe_name(owner)}` is built with a lifespan"
        return StartupHandler(name, recipe_name(owner), (places.link(*built, text),))

    def _builder(
        self, function: Function, recipe: Recipe, site: CallSite, depth: int
    ) -> tuple[Function, CallSite] | None:
        """The call that builds the application for which an expression stands, and the function that makes the call."""
        if not recipe or depth > STEPS:
            return None
        if recipe[0] == "call":
            inner = function.module.site(recipe[1])
            callee = self.evaluator.callee(function.module, inner)
            if isinstance(callee, Func):
                returned = callee.function.facts.returns
                if len(returned) != 1:
                    return None
                return self._builder(callee.function, returned[0][0], inner, depth + 1)
            return (function, inner) if self._is_application(function, inner) else None
        if recipe[0] != "name":
            return None
        scope = function.scope_of(recipe[1])
        bindings = scope.facts.bindings.get(recipe[1], ()) if scope is not None else ()
        if scope is None or len(bindings) != 1:
            return None
        [binding] = bindings
        if binding.kind == "import" and binding.recipe and binding.recipe[0] == "from":
            program = self.evaluator.program
            _, level, base, name = binding.recipe
            path = program.absolute(scope.module, level, base or "")
            module = program.find(path, scope.module.file) if path else None
            if module is None:
                return None
            return self._builder(module.body, ("name", name), site, depth + 1)
        return self._builder(scope, binding.recipe, site, depth + 1)

    def _is_application(self, function: Function, site: CallSite) -> bool:
        value = self.evaluator.call_type(function.module, site.index)
        return isinstance(value, Inst) and value.of in (
            "fastapi.FastAPI",
            "starlette.applications.Starlette",
        )

    def _has_lifespan(self, function: Function, site: CallSite) -> bool:
        """Whether an application is built with a lifespan that does not run the handlers itself."""
        for recipe, keyword in site.args:
            if keyword != "lifespan" or not recipe:
                continue
            found = members(self.evaluator.at_site(recipe, site, function.module))
            return all(isinstance(one, Func) and not _runs_handlers(one) for one in found)
        return False


def _runs_handlers(lifespan: Func) -> bool:
    function = lifespan.function
    lines = function.module.lines[function.facts.line - 1 : function.facts.end_line]
    return RUNS_HANDLERS.search("\n".join(lines)) is not None
