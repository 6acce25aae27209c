"""How many there are of what code goes through: a number that the code bounds, or as many as data has."""

from __future__ import annotations

import re
from dataclasses import replace

from asynclint.facts.annotations import annotation_type
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.fixed_lengths import (
    CHUNK_WORDS,
    LIMITS,
    SAME_LENGTH,
    FixedLengths,
    is_chunks,
    is_slice,
)
from asynclint.facts.graph import Graph
from asynclint.facts.model import Block, CallSite, Recipe
from asynclint.facts.program import Function, Module
from asynclint.facts.registered import names_registered
from asynclint.facts.types import (
    Const,
    Func,
    Gen,
    Lib,
    Tup,
)

SMALL = 64
"""A constant range up to here is a bound in itself."""

SIZED = frozenset({"builtins.zip"})

LISTINGS = frozenset(
    {"glob.glob", "glob.iglob", "os.listdir", "os.scandir", "os.walk", "re.findall"}
)
"""What gives as much as is there."""

SIZES = frozenset(
    {
        "limit",
        "batch",
        "batch_size",
        "page_size",
        "per_page",
        "max_batch_size",
        "max_count",
        "max_items",
        "max_messages",
        "max_records",
        "max_results",
        "max_size",
        "n_results",
        "num_results",
        "top_k",
    }
)
"""Keywords with which a call says how many it is to get."""

COUNT = re.compile(
    r"^[nk]$|^num|^n_|^top|^max(?!.*(?:time|second|wait|delay|age|length|chars))|limit|count|size|amount|results|how_many"
)
"""What the names of numbers say that tell how many a call is to get."""

CONFIGURATIONS = frozenset({"cfg", "conf", "config", "configuration", "settings"})
"""The last words of names for what somebody wrote down for a program."""


class Lengths:
    """Lengths of a program's values."""

    def __init__(self, evaluator: Evaluator, graph: Graph) -> None:
        self.evaluator = evaluator
        self.graph = graph
        self.fixed = FixedLengths(evaluator, graph)

    def unknown_in(self, function: Function, block: Block, site: CallSite) -> bool:
        """The same for what the loop of a block goes through."""
        return self.unknown(function, block.info, site)

    def _registered(self, recipe: Recipe) -> bool:
        """An iterable that is named for what a program sets up, not for its data: handlers, plugins, configurations."""
        name = recipe[-1] if recipe and recipe[0] in ("name", "attr") else None
        return isinstance(name, str) and names_registered(name)

    def unknown(self, function: Function, recipe: Recipe, site: CallSite, depth: int = 0) -> bool:
        """Whether the length of an iterable comes from data: a parameter, a query, a response, a file."""
        if not recipe or depth > 6 or self._registered(recipe):
            return False
        tag = recipe[0]
        if tag in ("display", "dict", "const"):
            return tag == "display" and any(
                i and i[0] == "star" and self.unknown(function, i[1], site, depth + 1)
                for i in recipe[2]
            )
        if tag == "await":
            awaited = recipe[1]
            if awaited and awaited[0] == "call":
                asked = function.module.site(awaited[1])
                return not (self._is_sized(function, asked) or self._is_fixed(function, asked))
            return True
        if tag == "comp":
            return self.unknown(function, recipe[3], site, depth + 1)
        if tag == "sub":
            if recipe[2] and recipe[2][0] == "slice":
                return False
            return self.unknown(function, recipe[1], site, depth + 1)
        if tag == "any":
            return any(self.unknown(function, r, site, depth + 1) for r in recipe[1])
        if tag == "attr":
            return self._attribute_data(function, recipe, site, depth)
        if tag == "call":
            return self._call_data(function, recipe, depth)
        if tag == "name":
            return self._name_data(function, recipe[1], site, depth)
        if tag == "iter":
            return self.unknown(function, recipe[1], site, depth + 1) and not is_chunks(
                function, recipe[1]
            )
        if tag == "item":
            return self.unknown(function, recipe[1], site, depth + 1)
        if tag == "binop":
            return any(self.unknown(function, r, site, depth + 1) for r in recipe[1:3])
        return False

    def _is_sized(self, function: Function, site: CallSite) -> bool:
        """Whether a call says how many it is to get: by the keyword, or with a number that is cut at a bound."""
        return any(
            keyword in SIZES or self._is_cut(function, recipe, site)
            for recipe, keyword in site.args
        )

    def _is_fixed(self, function: Function, site: CallSite) -> bool:
        """Whether a function of the project gives as many as its code says."""
        callee = self.evaluator.callee(function.module, site)
        return isinstance(callee, Func) and self.fixed.returned(callee.function)

    def _is_cut(self, function: Function, recipe: Recipe, site: CallSite) -> bool:
        """`number`, which is `max(1, min(MOST, number))`, and counts something."""
        if not recipe or recipe[0] != "name" or not COUNT.search(recipe[1]):
            return False
        module = function.module
        bindings = function.facts.bindings.get(recipe[1], [])
        reaching, certain = self.evaluator.program.reaching_bindings(
            module, bindings, site.line, site.col, site.block
        )
        return certain and bool(reaching) and all(_is_least(module, one.recipe) for one in reaching)

    def _attribute_data(
        self, function: Function, recipe: Recipe, site: CallSite, depth: int
    ) -> bool:
        base = recipe[1]
        while base and base[0] == "attr":
            if _is_configuration(base[2]):
                return False
            base = base[1]
        if not base:
            return False
        if base[0] == "name":
            if base[1] == function.self_name or base[1] in ("self", "cls"):
                return False
            if _is_configuration(base[1]):
                return False
            value = self.evaluator.at_site(recipe, site, function.module)
            if isinstance(value, (Tup, Const)):
                return False
            return self._name_data(function, base[1], site, depth + 1)
        return self.unknown(function, base, site, depth + 1)

    def _call_data(self, function: Function, recipe: Recipe, depth: int) -> bool:
        ev = self.evaluator
        module = function.module
        inner = module.site(recipe[1])
        callee = ev.callee(module, inner)
        if isinstance(callee, Lib):
            path = callee.path
            if path == "builtins.range":
                return self._range_data(function, inner, depth)
            if path in SIZED:
                return bool(inner.args) and all(
                    self.unknown(function, r, inner, depth + 1) for r, k in inner.args if k is None
                )
            if path in LIMITS:
                return False
            if path in SAME_LENGTH:
                if not inner.args:
                    return False
                which = (
                    1 if path in ("builtins.map", "builtins.filter") and len(inner.args) > 1 else 0
                )
                return self.unknown(function, inner.args[which][0], inner, depth + 1)
            if path in LISTINGS:
                return not any(self._beside(function, r, 0) for r, _ in inner.args)
            if path.startswith("itertools."):
                return any(
                    self.unknown(function, r[1] if r and r[0] == "star" else r, inner, depth + 1)
                    for r, _ in inner.args
                )
        if self._is_sized(function, inner):
            return False
        text = inner.callee
        name = text[-1] if text else None
        if isinstance(name, str) and any(w in name.lower() for w in CHUNK_WORDS):
            return False
        if text and text[0] == "attr":
            if name in ("items", "values", "keys", "copy"):
                return self.unknown(function, text[1], inner, depth + 1)
            if name in (
                "split",
                "splitlines",
                "all",
                "scalars",
                "fetchall",
                "json",
                "readlines",
                "findall",
            ):
                return True
            if name in ("iterdir", "rglob", "glob"):
                return not self._beside(function, text[1], 0)
        if isinstance(callee, Func):
            target = callee.function
            returned = ev.return_type(target)
            if isinstance(returned, (Tup, Const)):
                return False
            returns = [r for r, _, _ in target.facts.returns]
            if returns and all(r and r[0] == "display" for r in returns):
                return False
            if self.fixed.returned(target):
                return False
            return not any(is_slice(r) for r in returns) and bool(inner.args)
        if callee is None and not inner.args:
            return False
        return callee is None or isinstance(ev.call_type(module, inner.index), Gen)

    def _beside(self, function: Function, recipe: Recipe, depth: int) -> bool:
        """`Path(__file__).parent`: the files beside the code are as many as somebody wrote."""
        if not recipe or depth > 6:
            return False
        if recipe[0] in ("attr", "binop"):
            return self._beside(function, recipe[1], depth + 1)
        if recipe[0] == "call":
            inner = function.module.site(recipe[1])
            parts = [inner.callee, *(r for r, _ in inner.args)]
            return any(self._beside(function, part, depth + 1) for part in parts)
        if recipe[0] != "name":
            return False
        if recipe[1] == "__file__":
            return True
        scope = function.binder_of(recipe[1])
        bindings = scope.facts.bindings[recipe[1]] if scope is not None else []
        return any(self._beside(scope or function, b.recipe, depth + 1) for b in bindings)

    def _range_data(self, function: Function, site: CallSite, depth: int) -> bool:
        for recipe, _ in site.args:
            if not recipe:
                continue
            if recipe[0] == "const" and isinstance(recipe[1], int) and recipe[1] <= SMALL:
                continue
            if recipe[0] == "call":
                inner = function.module.site(recipe[1])
                if inner.callee == ("name", "len") and inner.args:
                    if self.unknown(function, inner.args[0][0], inner, depth + 1):
                        return len(site.args) < 3
        return False

    def _name_data(self, function: Function, name: str, site: CallSite, depth: int) -> bool:
        ev = self.evaluator
        module = function.module
        bindings = function.facts.bindings.get(name)
        if bindings:
            reaching, certain = ev.program.reaching_bindings(
                module, bindings, site.line, site.col, site.block
            )
            if len(reaching) == 1 and reaching[0].kind == "aug" and depth < 6:
                # `paths += …` keeps what was there.
                added = reaching[0]
                before = moved(site, added.line, added.col, added.block)
                return self._name_data(function, name, before, depth + 1)
            if any(is_slice(b.recipe) for b in reaching):
                return False
            if self._limited_by_test(function, name, site):
                return False
            for binding in reaching:
                recipe = binding.recipe
                if not recipe:
                    continue
                if recipe[0] == "iter" and is_chunks(function, recipe[1]):
                    return False
                if (recipe[0] in ("display",) and not recipe[2]) or (
                    recipe[0] == "call"
                    and module.site(recipe[1]).callee
                    in (("name", "list"), ("name", "set"), ("name", "dict"))
                ):
                    if self._grown(function, name, depth):
                        return True
                    continue
                if self.unknown(
                    function,
                    recipe,
                    moved(site, binding.line, binding.col, binding.block),
                    depth + 1,
                ):
                    return True
            if certain or name not in function.parameters:
                return False
        parameter = function.parameters.get(name)
        if parameter is not None:
            if name == function.self_name or self._limited_by_test(function, name, site):
                return False
            declared = annotation_type(ev, parameter.annotation, function.parent or function)
            if isinstance(declared, Tup):
                return False
            # What stands in `*args` is written out by the callers, or starred there.
            return parameter.kind in ("pos", "kw") and not self.fixed.handed(function, name)
        outer = function.parent
        while outer is not None and outer.facts.kind != "module":
            if name in outer.parameters or name in outer.facts.bindings:
                end = moved(site, outer.facts.end_line + 1, 0, outer.facts.root_block)
                return self._name_data(outer, name, end, depth + 1)
            outer = outer.parent
        return False

    def _grown(self, function: Function, name: str, depth: int) -> bool:
        """An empty list that a loop over data fills."""
        module = function.module
        for inner in function.sites:
            if inner.callee in (
                ("attr", ("name", name), "append"),
                ("attr", ("name", name), "add"),
                ("attr", ("name", name), "extend"),
            ):
                loops = loops_around(module, inner)
                if loops and self.unknown(function, loops[0][1].info, inner, depth + 1):
                    return True
                if (
                    inner.callee[2] == "extend"
                    and inner.args
                    and self.unknown(function, inner.args[0][0], inner, depth + 1)
                ):
                    return True
        return False

    def _limited_by_test(self, function: Function, name: str, site: CallSite) -> bool:
        """`if len(urls) > 20: raise` before, or `if len(urls) <= 20:` around."""
        module = function.module
        for index, block in enumerate(module.blocks):
            if block.kind not in ("if", "else") or block.line > site.line or not block.info:
                continue
            if not module.inside(index, function.facts.root_block):
                continue
            if (block.raises or module.inside(site.block, index)) and _compares_length(
                block.info, name, module
            ):
                return True
        return False


def loops_around(module: Module, site: CallSite, home: int = -1) -> list[tuple[int, Block]]:
    """The loops between a site and a block around it, innermost first."""
    found = []
    index = site.block
    while index >= 0 and index != home:
        block = module.blocks[index]
        if block.kind in ("for", "afor", "comp", "while"):
            found.append((index, block))
        index = block.parent
    return found


def _is_configuration(name: str) -> bool:
    return name.lower().rpartition("_")[2] in CONFIGURATIONS


def _is_least(module: Module, recipe: Recipe) -> bool:
    """`min(50, number)`, and `max(1, min(MOST, number))`."""
    site = module.site(recipe[1]) if recipe and recipe[0] == "call" else None
    if site is None or len(site.args) < 2:
        return False
    given = [one for one, _ in site.args if one]
    if site.callee == ("name", "min"):
        return any(_is_constant(one) for one in given)
    return site.callee == ("name", "max") and any(_is_least(module, one) for one in given)


def _is_constant(recipe: Recipe) -> bool:
    """A number, or a name in capitals."""
    if recipe and recipe[0] in ("name", "attr"):
        return bool(str(recipe[-1]).isupper())
    return bool(recipe) and recipe[0] == "const" and isinstance(recipe[1], int)


def moved(site: CallSite, line: int, col: int, block: int) -> CallSite:
    """A place to read names from: the call site as if it stood elsewhere."""
    return replace(site, line=line, col=col, block=block)


def _compares_length(test: Recipe, name: str, module: Module) -> bool:
    if not test:
        return False
    if test[0] in ("any",):
        return any(_compares_length(t, name, module) for t in test[1])
    if test[0] == "not":
        return _compares_length(test[1], name, module)
    if test[0] == "cmp" and test[1] in ("Gt", "GtE", "Lt", "LtE"):
        for side in test[2:]:
            if side and side[0] == "call":
                site = module.site(side[1])
                if (
                    site.callee == ("name", "len")
                    and site.args
                    and site.args[0][0]
                    and site.args[0][0][-1] == name
                ):
                    other = test[3] if side is test[2] else test[2]
                    return bool(other not in (("const", 0), ("const", 1)))
    return False
