"""A whole module as a plan over files reads it: the scope, the type and the call site of any node of its syntax."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cached_property

from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Module
from asynclint.facts.syntax import extent
from asynclint.facts.types import Type
from asynclint.findings import Refused
from asynclint.fixes.place import HELD, Workshop, taken_below
from asynclint.fixes.source import Source

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp)


class Reading:
    """One module. Raises Refused for one that cannot be parsed, or that says it is generated."""

    def __init__(self, workshop: Workshop, module: Module) -> None:
        self.workshop = workshop
        self.module = module
        self.source: Source = workshop.source(module)
        self.tree = self.source.whole
        self.evaluator = workshop.facts.graph.evaluator

    @cached_property
    def names(self) -> dict[str, list[ast.Name]]:
        """All names that are read or written, by name."""
        return self._nodes[0]

    @cached_property
    def attributes(self) -> dict[str, list[ast.Attribute]]:
        """All attributes that are read or written, by name."""
        return self._nodes[1]

    @cached_property
    def _nodes(self) -> tuple[dict[str, list[ast.Name]], dict[str, list[ast.Attribute]]]:
        names: dict[str, list[ast.Name]] = defaultdict(list)
        attributes: dict[str, list[ast.Attribute]] = defaultdict(list)
        for node in ast.walk(self.tree.root):
            if isinstance(node, ast.Name):
                names[node.id].append(node)
            elif isinstance(node, ast.Attribute):
                attributes[node.attr].append(node)
        return names, attributes

    @cached_property
    def _functions(self) -> dict[tuple[int, int], Function]:
        return {
            (f.facts.line, f.facts.col): f
            for f in self.module.functions
            if f.facts.kind in ("def", "async", "lambda")
        }

    @cached_property
    def _classes(self) -> dict[int, Function]:
        return {k.facts.line: k.body for k in self.module.klasses}

    @cached_property
    def _sites(self) -> dict[tuple[int, int, int, int], CallSite]:
        return {s.extent: s for s in self.module.facts.calls if s.kind == "call"}

    def site(self, call: ast.Call) -> CallSite | None:
        """The facts of a call."""
        return self._sites.get(extent(call))

    def function(self, node: ast.AST) -> Function | None:
        """The facts of a `def` or lambda."""
        return self._functions.get((node.lineno, node.col_offset))  # type: ignore[attr-defined]

    def definition(self, function: Function) -> ast.FunctionDef | ast.AsyncFunctionDef:
        """The `def` of a function of this module. Raises Refused where there is none."""
        for node in ast.walk(self.tree.root):
            if isinstance(node, FUNCTIONS) and self.function(node) is function:
                return node
        raise Refused(f"`{function.name}` could not be found in the text")

    def scope(self, node: ast.AST) -> Function:
        """The function, class body or module body in which a node stands."""
        below = node
        for one in self.tree.above(node):
            found: Function | None = None
            if (isinstance(one, FUNCTIONS) and below in one.body) or (
                isinstance(one, ast.Lambda) and below is one.body
            ):
                found = self.function(one)
            elif isinstance(one, ast.ClassDef) and below in one.body:
                found = self._classes.get(one.lineno)
            if found is not None:
                return found
            below = one
        return self.module.body

    def type(self, node: ast.expr) -> Type:
        """The type of a name, attribute, call, subscription or awaited value; None for anything else."""
        recipe = self.recipe(node)
        if recipe is None:
            return None
        scope = self.scope(node)
        at = (node.lineno, node.col_offset, self._block(node, scope))
        return self.evaluator.eval(recipe, scope, at)

    def recipe(self, node: ast.expr) -> Recipe:
        """An expression as the facts write it."""
        if isinstance(node, ast.Name):
            return ("name", node.id)
        if isinstance(node, ast.Constant):
            return ("const", node.value)
        if isinstance(node, ast.Attribute):
            base = self.recipe(node.value)
            return ("attr", base, node.attr) if base else None
        if isinstance(node, ast.Call):
            site = self.site(node)
            return ("call", site.index) if site is not None else None
        if isinstance(node, ast.Await):
            base = self.recipe(node.value)
            return ("await", base) if base else None
        if isinstance(node, ast.Subscript):
            base = self.recipe(node.value)
            return ("sub", base, self.recipe(node.slice)) if base else None
        return None

    def _block(self, node: ast.expr, scope: Function) -> int:
        best: tuple[int, int] | None = None
        start, end = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
        for site in scope.sites:
            first, last = (site.line, site.col), (site.end_line, site.end_col)
            if first <= start and end <= last:
                size = site.end_line - site.line
                if best is None or size < best[0]:
                    best = (size, site.block)
            elif best is None and site.line == node.lineno:
                best = (1 << 20, site.block)
        if best is not None:
            return best[1]
        for _, line, _, _, _, _, block in scope.facts.loads:
            if line == node.lineno:
                return block
        for bindings in scope.facts.bindings.values():
            for binding in bindings:
                if binding.line == node.lineno:
                    return binding.block
        return scope.facts.root_block

    # -- awaiting ---------------------------------------------------------------------------------------

    def refuse_waiting(self, node: ast.AST) -> None:
        """Raise Refused where no `await` may stand in a node's place, or other tasks must not run there."""
        plain = self.waiter(node)
        if plain is not None:
            raise Refused(f"`{plain.name}` uses it and is not `async def`")

    def waiter(self, node: ast.AST) -> Function | None:
        """The function around a node that would have to be `async def` for an `await` in its place; None where it is one.

        Raises Refused where no `await` may stand even then, or other tasks must not run there.
        """
        below = node
        comprehensions = 0
        for one in self.tree.above(node):
            if isinstance(one, ast.GeneratorExp):
                if below is not one.generators[0] or not _first(one, node):
                    raise Refused("it is used in a generator expression")
            elif isinstance(one, ast.JoinedStr):
                self._refuse_strings(node)
            elif isinstance(one, COMPREHENSIONS):
                comprehensions += 1
                if comprehensions > 1:
                    raise Refused("it is used in a comprehension within another one")
            elif isinstance(one, (ast.With, ast.AsyncWith)) and below in one.body:
                self._refuse_held(one)
            elif isinstance(one, ast.Lambda) and below is one.body:
                raise Refused("it is used in a lambda")
            elif isinstance(one, ast.FunctionDef) and below in one.body:
                function = self.function(one)
                if function is None:
                    raise Refused(f"`{one.name}` uses it and is not `async def`")
                return function
            elif isinstance(one, ast.AsyncFunctionDef) and below in one.body:
                return None
            elif isinstance(one, ast.ClassDef):
                break
            below = one
        raise Refused(f"it is used while `{self.module.name}` is imported")

    def _refuse_held(self, entered: ast.With | ast.AsyncWith) -> None:
        """Raise Refused for a `with` that holds what no other task may meet."""
        around = self.tree.function(entered)
        function = self.function(around) if around is not None else None
        for item in entered.items:
            text = self.source.segment(item.context_expr)
            if isinstance(entered, ast.With) and HELD.search(text):
                raise Refused(f"`{text}` would be held while other tasks run")
            if function is not None:
                taken = taken_below(self.workshop, function, item.context_expr)
                if taken is not None:
                    raise Refused(f"{taken} would be held while other tasks run")

    def _refuse_strings(self, node: ast.AST) -> None:
        """Positions inside f-strings are not to be trusted before Python 3.12."""
        try:
            shown = ast.parse(f"({self.source.segment(node)})", mode="eval").body
        except SyntaxError:
            shown = None
        if shown is None or ast.dump(shown) != ast.dump(node):
            raise Refused("it is used in an f-string")


def _first(node: ast.GeneratorExp, inner: ast.AST) -> bool:
    """Whether a node stands in the first iterable, which is looked at where the expression stands."""
    return any(inner is one for one in ast.walk(node.generators[0].iter))
