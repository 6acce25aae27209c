"""What the arguments of a call depend on that is different for another caller: the request, the tenant, an item."""

from __future__ import annotations

from collections.abc import Iterable

from asynclint.facts.dependencies import dependency_of
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.graph import Edge
from asynclint.facts.model import MISSING, AttributeBinding, Binding, CallSite, Recipe
from asynclint.facts.program import Function, Klass, Module
from asynclint.facts.runs import Runs
from asynclint.facts.types import Cls, members

Edges = tuple[Edge, ...]
"""The calls that lead to a place, outermost first."""

Spot = CallSite | AttributeBinding
"""A place in a function's code."""

MAKERS = frozenset({"__init__", "__post_init__", "__new__"})

MAX_DEPTH = 12
"""Names, calls and callers between an argument and what it depends on. Beyond, it is taken for constant."""


class Varying:
    """Questions about the arguments of one call."""

    def __init__(self, evaluator: Evaluator, runs: Runs, requested: bool) -> None:
        """`requested` says whether the call runs per request: then the objects whose methods it runs in may be made for one, too."""
        self.evaluator = evaluator
        self.runs = runs
        self.requested = requested

    def arguments(self, function: Function, site: CallSite, edges: Edges) -> str | None:
        """What a constructor's arguments depend on that another caller may have differently; None where it is nothing."""
        made_by = site.callee[1] if site.callee and site.callee[0] == "attr" else None
        for recipe in (made_by, *(recipe for recipe, _ in site.args)):
            found = self._varies(recipe, function, site, edges, 0)
            if found is not None:
                return found
        return None

    def _varies(
        self,
        recipe: Recipe,
        function: Function,
        site: Spot,
        edges: Edges,
        depth: int,
    ) -> str | None:
        if not recipe or depth > MAX_DEPTH:
            return None
        tag = recipe[0]
        if tag == "name":
            return self._name_varies(recipe[1], function, site, edges, depth)
        if tag == "attr":
            base = recipe
            while base and base[0] == "attr":
                base = base[1]
            method = function.method_around()
            if method is not None and base == ("name", method.self_name):
                return self._attribute_varies(_first(recipe), method, edges, depth)
            return self._varies(base, function, site, edges, depth + 1)
        if tag == "call":
            return self._call_varies(function, function.module.site(recipe[1]), edges, depth)
        return self._first_that_varies(_parts(recipe), function, site, edges, depth)

    def _call_varies(
        self, function: Function, inner: CallSite, edges: Edges, depth: int
    ) -> str | None:
        parts = [part for part, _ in inner.args]
        if inner.callee and inner.callee[0] == "attr":
            parts.insert(0, inner.callee[1])
        return self._first_that_varies(parts, function, inner, edges, depth)

    def _first_that_varies(
        self, parts: Iterable[Recipe], function: Function, site: Spot, edges: Edges, depth: int
    ) -> str | None:
        for part in parts:
            found = self._varies(part, function, site, edges, depth + 1)
            if found is not None:
                return found
        return None

    def _name_varies(
        self, name: str, function: Function, site: Spot, edges: Edges, depth: int
    ) -> str | None:
        parameter = function.parameters.get(name)
        bindings = function.facts.bindings.get(name)
        if name == function.self_name or function.facts.kind in ("module", "class"):
            return None
        if bindings:
            reaching, certain = self.evaluator.program.reaching_bindings(
                function.module, bindings, site.line, site.col, site.block
            )
            for binding in reaching:
                if binding.kind == "for" and _loop_around(function.module, binding, site):
                    return f"`{name}`, which each turn of the loop sets"
                found = self._varies(binding.recipe, function, site, edges, depth + 1)
                if found is not None:
                    return found
            if certain or parameter is None:
                return None
        if parameter is not None:
            return self._parameter_varies(name, function, edges, depth)
        if function.parent is not None and function.parent.facts.kind not in ("module", "class"):
            return self._name_varies(name, function.parent, site, (), depth + 1)
        return None

    def _parameter_varies(
        self, name: str, function: Function, edges: Edges, depth: int
    ) -> str | None:
        parameter = function.parameters[name]
        outer = function.parent or function
        provider = dependency_of(self.evaluator, parameter, outer)
        if provider is not None:
            # A dependency without parameters of its own gives every request the same.
            target = getattr(provider, "function", None)
            if isinstance(target, Function):
                if self.runs.cached(target) or not target.facts.params:
                    return None
        edge = next((e for e in edges if e.target is function), None)
        if edge is not None:
            passed = _argument(edge, function, name)
            rest = edges[: edges.index(edge)]
            if passed == MISSING:
                return None
            return self._varies(passed, edge.caller, edge.site, rest, depth + 1)
        callers = [
            e for e in self.runs.graph.into.get(function, ()) if not e.caller.module.file.is_test
        ]
        if callers and function not in self.runs.graph.entries and depth < 4:
            for one in callers[:4]:
                passed = _argument(one, function, name)
                if passed == MISSING:
                    continue
                found = self._varies(passed, one.caller, one.site, (), depth + 2)
                if found is not None:
                    return found
            return None
        return f"`{name}`, a parameter of `{function.name}`"

    # -- attributes ---------------------------------------------------------------------------------------

    def _attribute_varies(
        self, name: str, function: Function, edges: Edges, depth: int
    ) -> str | None:
        """`self.key` varies where the object is made for each request from what varies, or where nobody sees it being made."""
        klass = function.klass
        if not self.requested or klass is None or depth > MAX_DEPTH - 1:
            return None
        if name == "request":
            return "`self.request`"
        for owner in self.evaluator.mro(klass):
            if not isinstance(owner, Klass):
                continue
            for method, binding in owner.self_attributes().get(name, ()):
                if method.facts.name in MAKERS:
                    return self._given_varies(name, method, binding, edges, depth)
            for field in owner.body.facts.bindings.get(name, ()):
                bare = field.kind == "ann" and not field.recipe
                return self._field_varies(name, klass, depth) if bare else None
        return None

    def _given_varies(
        self, name: str, maker: Function, binding: AttributeBinding, edges: Edges, depth: int
    ) -> str | None:
        """An attribute that a constructor sets."""
        if any(e.target is maker for e in edges) or maker in self.runs.graph.entries:
            return self._varies(binding.recipe, maker, binding, edges, depth + 1)
        calls = [e for e in self.runs.graph.into.get(maker, ()) if e.how == "call"]
        if not calls and self._varies(binding.recipe, maker, binding, (), depth + 1) is not None:
            return f"`self.{name}`, of an object that is made out of sight"
        for edge in calls:
            if self._made_per_request(edge.caller, edge.site):
                found = self._varies(binding.recipe, maker, binding, (edge,), depth + 1)
                if found is not None:
                    return found
        return None

    def _field_varies(self, name: str, klass: Klass, depth: int) -> str | None:
        """A field without a default, which whoever makes the object has to give."""
        family = {klass, *self.evaluator.subclasses(klass)}
        seen = False
        for function, site in self._constructions(family):
            seen = True
            if not self._made_per_request(function, site):
                continue
            for recipe, keyword in site.args:
                if keyword == name or keyword == "**" or keyword is None:
                    found = self._varies(recipe, function, site, (), depth + 1)
                    if found is not None:
                        return found
        return None if seen else f"`self.{name}`, of an object that is made out of sight"

    def _made_per_request(self, function: Function, site: CallSite) -> bool:
        return function in self.runs.reached and not self.runs.guarded(function, site)

    def _constructions(self, family: set[Klass]) -> list[tuple[Function, CallSite]]:
        """The calls of some classes, tests aside."""
        names = {one.facts.name for one in family} | {"cls"}
        graph = self.runs.graph
        return [
            (function, site)
            for function in graph.known_functions()
            if not function.module.file.is_test
            for site in graph.speaking[function]
            if site.kind == "call"
            and site.callee
            and site.callee[-1] in names
            and any(
                isinstance(one, Cls) and one.klass in family
                for one in members(self.evaluator.callee(function.module, site))
            )
        ]


def _parts(recipe: Recipe) -> Iterable[Recipe]:
    """The expressions of which another one is made."""
    tag = recipe[0]
    if tag in ("await", "not", "star", "iter", "enter", "item"):
        return (recipe[1],)
    if tag in ("sub", "binop"):
        return (recipe[1], recipe[2])
    if tag in ("str", "any"):
        return tuple(recipe[1])
    if tag == "display":
        return tuple(recipe[2])
    return (*recipe[1], *recipe[2]) if tag == "dict" else ()


def _first(recipe: Recipe) -> str:
    """Of `self.a.b.c`, "a"."""
    while recipe[1][0] == "attr":
        recipe = recipe[1]
    return str(recipe[2])


def _argument(edge: Edge, function: Function, name: str) -> Recipe:
    """The argument that a call of a project function passes for a parameter; MISSING for its default."""
    positional = function.positional
    i = 0
    for recipe, keyword in edge.site.args:
        if keyword is None:
            if recipe and recipe[0] == "star":
                return recipe[1]
            if i < len(positional) and positional[i] == name:
                return recipe
            i += 1
        elif keyword == name or keyword == "**":
            return recipe
    return MISSING


def _loop_around(module: Module, binding: Binding, site: Spot) -> bool:
    """Whether a `for` that sets a name holds the site: each turn has another value."""
    block = binding.block
    while block >= 0 and module.blocks[block].kind not in ("for", "afor", "comp"):
        block = module.blocks[block].parent
    return block >= 0 and module.inside(site.block, block)
