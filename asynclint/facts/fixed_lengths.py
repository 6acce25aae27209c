"""Lengths that the code gives: of what is written out, of slices and chunks, and of what all callers of a function hand over so."""

from __future__ import annotations

from asynclint.facts.evaluate import Evaluator
from asynclint.facts.graph import Edge, Graph, argument_of
from asynclint.facts.model import END, MISSING, CallSite, Place, Recipe
from asynclint.facts.program import Function
from asynclint.facts.types import Func, Lib, members

SAME_LENGTH = frozenset({
    "builtins.enumerate", "builtins.sorted", "builtins.reversed", "builtins.list", "builtins.set", "builtins.tuple",
    "builtins.filter", "builtins.map", "builtins.iter", "builtins.dict", "builtins.frozenset",
})  # fmt: skip

LIMITS = frozenset(
    {
        "itertools.islice",
        "itertools.batched",
        "heapq.nlargest",
        "heapq.nsmallest",
        "random.sample",
        "random.choices",
    }
)

CHUNK_WORDS = ("chunk", "batch", "batched", "chunked", "grouper", "islice", "paginate", "window")

LOOPS = frozenset({"for", "afor", "while", "comp"})

HANDING = frozenset({"call", "async", "run"})
"""Edges whose place hands the arguments over itself."""


class FixedLengths:
    """Iterables that are surely as long as the code says."""

    def __init__(self, evaluator: Evaluator, graph: Graph) -> None:
        self.evaluator = evaluator
        self.graph = graph

    def handed(self, function: Function, name: str, depth: int = 0) -> bool:
        """Whether every known call of a function hands over such a thing for a parameter, or leaves it at such a default."""
        if depth > 3 or function in self.graph.entries:
            return False
        callers = [e for e in self.graph.into.get(function, ()) if not e.caller.module.file.is_test]
        return bool(callers) and all(self._hands(edge, name, depth) for edge in callers)

    def returned(self, function: Function, depth: int = 0) -> bool:
        """Whether a function gives such a thing wherever it returns."""
        returns = function.facts.returns
        return (
            depth <= 3
            and bool(returns)
            and not function.facts.generator
            and all(
                self._is_fixed(function, recipe, (line, END, block), depth + 1)
                for recipe, line, block in returns
            )
        )

    def _hands(self, edge: Edge, name: str, depth: int) -> bool:
        recipe = _argument(edge, name)
        if recipe == MISSING:
            parameter = edge.target.parameters.get(name)
            return parameter is not None and _is_literal(parameter.default)
        site = edge.site
        place = site.line, site.col, site.block
        return self._is_fixed(edge.caller, recipe, place, depth + 1)

    def _is_fixed(self, function: Function, recipe: Recipe, place: Place, depth: int) -> bool:
        if not recipe or depth > 6:
            return False
        tag = recipe[0]
        if tag in ("const", "dict"):
            return _is_literal(recipe)
        if tag == "display":
            return all(
                not i or i[0] != "star" or self._is_fixed(function, i[1], place, depth + 1)
                for i in recipe[2]
            )
        if tag == "sub":
            return is_cut(recipe)
        if tag == "comp":
            return self._is_fixed(function, recipe[3], place, depth + 1)
        if tag in ("any", "binop"):
            parts = recipe[1] if tag == "any" else recipe[1:3]
            return all(self._is_fixed(function, part, place, depth + 1) for part in parts)
        if tag == "iter":
            return is_chunks(function, recipe[1])
        if tag == "await":
            return self._is_fixed(function, recipe[1], place, depth + 1)
        if tag == "call":
            return self._gives_fixed(function, function.module.site(recipe[1]), depth)
        if tag == "name":
            return self._is_fixed_name(function, recipe[1], place, depth)
        return False

    def _gives_fixed(self, function: Function, site: CallSite, depth: int) -> bool:
        """`list(REGIONS)`, `islice(urls, 10)`, `TABLE.items()`, and a function that returns such a thing."""
        place = site.line, site.col, site.block
        if site.callee and site.callee[0] == "attr":
            if site.callee[2] in ("items", "values", "keys", "copy"):
                return self._is_fixed(function, site.callee[1], place, depth + 1)
        found = members(self.evaluator.callee(function.module, site))
        for one in found:
            if isinstance(one, Lib):
                if one.path in LIMITS:
                    continue
                given = site.args[0][0] if len(site.args) == 1 else None
                if one.path in SAME_LENGTH and self._is_fixed(function, given, place, depth + 1):
                    continue
            elif isinstance(one, Func) and self.returned(one.function, depth + 1):
                continue
            return False
        return True

    def _is_fixed_name(self, function: Function, name: str, place: Place, depth: int) -> bool:
        module = function.module
        bindings = function.facts.bindings.get(name)
        if bindings:
            reaching, certain = self.evaluator.program.reaching_bindings(module, bindings, *place)
            fixed = bool(reaching) and all(
                one.kind in ("assign", "ann", "for")
                and self._is_fixed(function, one.recipe, (one.line, one.col, one.block), depth + 1)
                for one in reaching
            )
            if not fixed or self._grows(function, name, depth):
                return False
            return certain or (name in function.parameters and self.handed(function, name, depth))
        if name in function.parameters:
            return self.handed(function, name, depth)
        known = module.body.facts.bindings.get(name, ())
        return bool(known) and all(_is_literal(one.recipe) for one in known)

    def _grows(self, function: Function, name: str, depth: int) -> bool:
        """Whether something is added to what a name holds; a loop over so many adds so many at most."""
        return any(
            bool(site.callee)
            and site.callee[0] == "attr"
            and site.callee[1] == ("name", name)
            and site.callee[2] in ("append", "add", "extend", "update", "insert", "setdefault")
            and not self._is_one_for_each(function, site, depth)
            for site in function.sites
        ) or any(
            one.attr == "[]" and one.base == ("name", name)
            for one in function.facts.attribute_bindings
        )

    def _is_one_for_each(self, function: Function, site: CallSite, depth: int) -> bool:
        """Whether a site adds one thing for each item of a single loop, of which there are as many as the code says."""
        around = [b for b in function.module.chain(site.block) if b.kind in LOOPS]
        if len(around) != 1 or around[0].kind != "for" or site.callee[2] not in ("append", "add"):
            return False
        place = around[0].line, 0, around[0].parent
        return self._is_fixed(function, around[0].info, place, depth + 1)


def is_slice(recipe: Recipe) -> bool:
    """`urls[:10]`."""
    return bool(recipe) and recipe[0] == "sub" and bool(recipe[2]) and recipe[2][0] == "slice"


def is_cut(recipe: Recipe) -> bool:
    """`urls[:limit]`, and not `urls[1:]`."""
    return is_slice(recipe) and _ends(recipe[2])


def _ends(part: Recipe) -> bool:
    """Whether a slice says where it ends: `[:10]`, `[start : start + size]`, `[-10:]`; not `[1:]` and `[:-1]`."""
    _, first, end = part
    if end is None:
        return bool(first) and first[0] == "const" and isinstance(first[1], int) and first[1] < 0
    return not (end[0] == "const" and isinstance(end[1], int) and end[1] < 0)


def is_chunks(function: Function, recipe: Recipe) -> bool:
    """Iterating over chunks: each one has a bounded length."""
    if not recipe or recipe[0] != "call":
        return False
    callee = function.module.site(recipe[1]).callee
    name = callee[-1] if callee else None
    return isinstance(name, str) and any(w in name.lower() for w in CHUNK_WORDS)


def _is_literal(recipe: Recipe) -> bool:
    """What is written out, and starred nowhere."""
    if not recipe:
        return False
    if recipe[0] == "display":
        return not any(i and i[0] == "star" for i in recipe[2])
    return recipe[0] == "const" or (recipe[0] == "dict" and None not in recipe[1])


def _argument(edge: Edge, name: str) -> Recipe:
    """What a call hands over for a parameter; MISSING where it hands over nothing, None where that does not show."""
    if edge.how not in HANDING:
        return None
    return argument_of(edge, name, MISSING)
