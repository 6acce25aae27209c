"""Sessions and connections that do one thing at a time, given to several coroutines that run at once."""

from __future__ import annotations

from collections.abc import Iterator

from asynclint.facts import places
from asynclint.facts.bounds import Bounds
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Klass, recipe_name
from asynclint.facts.types import Coro, Func, Inst, Lib, members
from asynclint.facts.view import Mistake


class SharedFacts:
    """Every `gather` whose coroutines use the same session."""

    def __init__(self, evaluator: Evaluator, bounds: Bounds) -> None:
        self.evaluator = evaluator
        self.bounds = bounds

    def session(self, function: Function, site: CallSite) -> Mistake | None:
        """The session that two coroutines of a `gather` use; None where there is none in sight."""
        callee = self.evaluator.callee(function.module, site)
        if not isinstance(callee, Lib) or site.kind != "call" or not site.args:
            return None
        known = self.evaluator.known.function(callee.path)
        if known is None or not known.gathers or function.module.file.is_test:
            return None
        used: dict[str, int] = {}
        first: dict[str, CallSite] = {}
        for recipe, keyword in site.args:
            if keyword is not None or not recipe:
                continue
            many = recipe[0] == "star"
            one = self._member(function, recipe[1]) if many else recipe
            if not one or one[0] != "call":
                continue
            inner = function.module.site(one[1])
            for name in self._sessions(function, inner, many):
                used[name] = used.get(name, 0) + (2 if many else 1)
                first.setdefault(name, inner)
        for name, count in used.items():
            if count > 1:
                text = f"`{recipe_name(first[name].callee)}` uses `{name}`"
                link = places.link(function, first[name], text)
                return Mistake("shared", name, recipe_name(site.callee), (link,))
        return None

    def _member(self, function: Function, recipe: Recipe) -> Recipe:
        """What a comprehension, or a local name that holds one, makes of each item."""
        if recipe and recipe[0] == "name":
            bindings = function.facts.bindings.get(recipe[1], [])
            recipe = bindings[0].recipe if len(bindings) == 1 else None
        return recipe[2] if recipe and recipe[0] == "comp" else None

    def _sessions(self, function: Function, site: CallSite, many: bool) -> Iterator[str]:
        """The sessions that a coroutine is called on, or gets, by the names under which the function has them."""
        made = self.evaluator.call_type(function.module, site.index)
        if made is None or not all(isinstance(m, Coro) for m in members(made)):
            return
        callee = self.evaluator.callee(function.module, site)
        if isinstance(callee, Func) and self.bounds.is_bounded(callee.function):
            return
        seen: set[str] = set()
        receiver = site.callee[1] if site.callee and site.callee[0] == "attr" else None
        for recipe in (receiver, *(r for r, _ in site.args)):
            if not recipe or recipe[0] not in ("name", "attr"):
                continue
            name = recipe_name(recipe)
            if name in seen or (many and self._changes(function, recipe)):
                continue
            value = self.evaluator.at_site(recipe, site, function.module)
            if value is not None and all(self._is_session(m) for m in members(value)):
                seen.add(name)
                yield name

    def _changes(self, function: Function, recipe: Recipe) -> bool:
        """Whether each item of a comprehension has its own."""
        while recipe and recipe[0] == "attr":
            recipe = recipe[1]
        if not recipe or recipe[0] != "name":
            return True
        blocks = function.module.blocks
        return any(
            blocks[b.block].kind == "comp" for b in function.facts.bindings.get(recipe[1], ())
        )

    def _is_session(self, value: object) -> bool:
        if not isinstance(value, Inst) or isinstance(value.of, Klass):
            return False
        cls = self.evaluator.known.cls(value.of)
        return cls is not None and cls.one_at_a_time
