"""The constructor of a shared client, as the module of the lifespan writes it."""

from __future__ import annotations

import ast
import re

from asynclint.facts import syntax
from asynclint.facts.graph import SYNC
from asynclint.facts.model import CallSite
from asynclint.facts.program import Function, Module
from asynclint.facts.types import Cls, Func, Inst, Lib, LibMethod
from asynclint.findings import Refused
from asynclint.fixes import imports, installed
from asynclint.fixes.client_plan import Part, Plan
from asynclint.fixes.place import Place
from asynclint.fixes.source import Source, own_nodes

CHANGING = re.compile(
    r"(?:time|datetime|uuid|random|secrets|contextvars)\.(?!(?:timedelta|timezone|UUID)$)"
)
"""What gives something else each time."""

ENVIRONMENT = frozenset({"os.environ.get", "environ.get", "os.getenv", "getenv"})
"""Mappings hold anything, but the environment stays as it is."""

REACH = 50
"""Functions looked at below what gives an argument."""


class Constructor(Part):
    """Writes the constructor where the lifespan stands, or says why it is not the same for every request."""

    def __init__(self, place: Place, plan: Plan) -> None:
        super().__init__(place, plan)
        self.inlined: list[ast.stmt] = []
        """Assignments of locals whose values stand in the constructor now."""

    def written(self, call: ast.Call, whole: ast.expr, target: Source, *known: str) -> str:
        """The constructor as another module writes it, or another function of this one, where the `known` names mean the same."""
        names = dict(zip(known, known, strict=True))
        self._static(call, target, names, 0)
        text = self._text(whole, names)
        if "\n" in text:
            text = ast.unparse(ast.parse(text.strip(), mode="eval"))
        return text

    def _text(self, node: ast.expr, names: dict[str, str]) -> str:
        """The source of an expression with its names as the other module knows them."""
        start = self.source.offset(node.lineno, node.col_offset)
        text = self.source.segment(node)
        if "#" in text and re.search(r"#.*\n", text):
            raise Refused("a comment stands between the arguments")
        changes = []
        for one in ast.walk(node):
            if isinstance(one, ast.Name) and names.get(one.id, one.id) != one.id:
                first = self.source.offset(one.lineno, one.col_offset) - start
                changes.append((first, first + len(one.id), names[one.id]))
        for first, last, new in sorted(changes, reverse=True):
            text = text[:first] + new + text[last:]
        return text.replace("\r\n", "\n")

    def _static(self, node: ast.expr, target: Source, names: dict[str, str], depth: int) -> None:
        """Check that an expression gives the same for every request, and bring its names to the other module."""
        if depth > 3:
            raise Refused("its arguments are too far away")
        for one in ast.walk(node):
            if isinstance(
                one,
                (
                    ast.Await,
                    ast.Yield,
                    ast.YieldFrom,
                    ast.NamedExpr,
                    ast.Lambda,
                    ast.ListComp,
                    ast.SetComp,
                    ast.DictComp,
                    ast.GeneratorExp,
                ),
            ):
                raise Refused(f"its arguments are computed: `{ast.unparse(one)}`")
            if isinstance(one, ast.Call) and one is not node:
                self._static_call(one)
            if isinstance(one, ast.Attribute):
                self._unchanged(one)
        for one in ast.walk(node):
            if isinstance(one, ast.Name) and one.id not in names:
                names[one.id] = self._bring(one.id, node, target, names, depth)

    def _static_call(self, call: ast.Call) -> None:
        site = self.site(call)
        callee = self.evaluator.callee(self.module, site) if site is not None else None
        library = callee.path if isinstance(callee, Lib) else ""
        if isinstance(callee, LibMethod):
            library = callee.cls
        if CHANGING.match(library):
            raise Refused(f"`{ast.unparse(call)}` gives something else each time")
        if isinstance(callee, (Lib, Cls, LibMethod)):
            return
        if ast.unparse(call.func) in ENVIRONMENT:
            return
        if isinstance(callee, Func):
            self._refuse_raising(callee.function)
        if isinstance(callee, Func) and callee.bound is None:
            if self.runs.cached(callee.function):
                return
            if not callee.function.is_async and not call.args and not call.keywords:
                self.plan.doubts.append(
                    f"`{callee.function.name}` is called once instead of for every request"
                )
                return
        if isinstance(callee, Func) and isinstance(callee.bound, Inst):
            self.plan.doubts.append(
                f"`{callee.function.name}` is called once instead of for every request"
            )
            return
        raise Refused(f"what `{ast.unparse(call)}` gives is not known")

    def _refuse_raising(self, function: Function) -> None:
        """Raise Refused where a function, or one that it calls, may raise: a request answers that, a lifespan does not start."""
        queue, seen = [function], {function}
        while queue and len(seen) < REACH:
            one = queue.pop()
            node = syntax.definition(one)
            if node is not None and any(isinstance(n, ast.Raise) for n in own_nodes(node)):
                raise Refused(f"`{one.name}` may raise, and the application would not start")
            for edge in self.graph.out.get(one, ()):
                if edge.how in SYNC and edge.target not in seen:
                    seen.add(edge.target)
                    queue.append(edge.target)

    def _unchanged(self, node: ast.Attribute) -> None:
        """Raise Refused where the project sets an attribute of settings while it runs."""
        base = node.value
        if not isinstance(base, (ast.Name, ast.Call)):
            return
        kept = base.id if isinstance(base, ast.Name) else ast.unparse(base.func)
        name = kept.rpartition(".")[2]
        holder = None if isinstance(base, ast.Call) else name
        for file in self.workshop.saying(name, node.attr):
            if not file.is_test and _sets(file.text or "", holder, node.attr):
                raise Refused(f"`{file.name}` changes `{node.attr}`")
        if isinstance(base, ast.Name):
            self._unchanged_by_name(name)

    def _unchanged_by_name(self, name: str) -> None:
        """Raise Refused where the project sets attributes of settings whose names it computes."""
        setting = re.compile(rf"\bsetattr\(\s*(?:\w+\.)*{re.escape(name)}\s*,\s*[^\"'\s]")
        for file in self.workshop.saying("setattr", name):
            if not file.is_test and setting.search(file.text or ""):
                raise Refused(f"`{file.name}` changes attributes of `{name}`")

    def site(self, call: ast.Call) -> CallSite | None:
        """The call site of a call of this module."""
        where = syntax.extent(call)
        for site in self.module.facts.calls:
            if site.kind == "call" and site.extent == where:
                return site
        return None

    def _bring(
        self, name: str, node: ast.expr, target: Source, names: dict[str, str], depth: int
    ) -> str:
        """A name of the constructor as the lifespan's module writes it."""
        scope: Function | None = self.function
        while scope is not None and scope.facts.kind != "module":
            if name in scope.parameters:
                raise Refused(f"its arguments depend on the parameter `{name}`")
            bindings = scope.facts.bindings.get(name)
            if bindings and scope.facts.kind != "class":
                if all(b.kind == "import" for b in bindings) and len(bindings) == 1:
                    self._refuse_missing(bindings[0].recipe, target)
                    return self._import(bindings[0].recipe, name, target)
                return self._inline(name, scope, target, names, depth)
            scope = scope.parent
        body = self.module.body.facts
        bindings = body.bindings.get(name)
        if not bindings:
            if (
                name in __builtins__
                if isinstance(__builtins__, dict)
                else hasattr(__builtins__, name)
            ):
                return name
            raise Refused(f"where `{name}` comes from could not be found")
        if name in self.module.global_bindings:
            raise Refused(f"`{name}` changes while the program runs")
        if all(b.kind == "import" and b.recipe == bindings[0].recipe for b in bindings):
            if target.module is self.module:
                return name
            return self._import(bindings[0].recipe, name, target)
        if target.module is self.module:
            return name
        self.acyclic(target.module, self.module)
        local, edits = imports.bring(target, target.spelled(self.module), name)
        self.plan.add(*edits)
        return local

    def _refuse_missing(self, recipe: tuple[object, ...], target: Source) -> None:
        """Raise Refused where a library that is imported when it is used may be missing where the lifespan stands."""
        library = recipe[1] if recipe[0] == "import" else None if recipe[1] else recipe[2]
        if library:
            installed.refuse_missing(self.workshop, target.module, str(library))

    def _import(self, recipe: tuple[object, ...], name: str, target: Source) -> str:
        if recipe[0] == "import":
            module = str(recipe[1])
            alias = name if name != module.partition(".")[0] else None
            local, edits = imports.bring(target, module, None, None, alias)
        else:
            _, level, base, item = recipe
            path = self.workshop.facts.program.absolute(self.module, level, str(base or ""))  # type: ignore[arg-type]
            if path is None:
                raise Refused(f"where `{name}` comes from could not be found")
            module_there = self.workshop.facts.program.find(path, self.module.file)
            if module_there is not None and module_there is target.module:
                return str(item)
            if module_there is not None:
                self.acyclic(target.module, module_there)
                path = target.spelled(module_there)
            alias = name if name != item else None
            local, edits = imports.bring(target, path, str(item), None, alias)
        self.plan.add(*edits)
        return local

    def _inline(
        self, name: str, scope: Function, target: Source, names: dict[str, str], depth: int
    ) -> str:
        """The value of a local that only the constructor uses, written in its place."""
        function = self.tree.function(self.place.call)
        if scope is not self.function or function is None or isinstance(function, ast.Lambda):
            raise Refused(f"its arguments depend on `{name}`, a local of `{scope.name}`")
        stores = [
            n
            for n in ast.walk(function)
            if isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load)
        ]
        statement = self.tree.statement(stores[0]) if len(stores) == 1 else None
        if not isinstance(statement, ast.Assign) or statement.targets != stores:
            raise Refused(f"its arguments depend on `{name}`, a local of `{scope.name}`")
        self._static(statement.value, target, names, depth + 1)
        call = self.place.call
        inside = {id(n) for n in ast.walk(call)}
        uses = [
            n
            for n in ast.walk(function)
            if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)
        ]
        if isinstance(statement.value, ast.Call):
            # What it says may be tested before the client is built.
            site = self.site(statement.value)
            callee = self.evaluator.callee(self.module, site) if site is not None else None
            if isinstance(callee, Lib) and any(id(u) not in inside for u in uses):
                raise Refused(f"`{name}` is also looked at before the client is built")
        if all(id(u) in inside for u in uses) and statement not in self.inlined:
            self.inlined.append(statement)
        text = self._text(statement.value, names)
        simple = isinstance(
            statement.value, (ast.Name, ast.Attribute, ast.Call, ast.Constant, ast.Subscript)
        )
        return text if simple else f"({text})"

    def acyclic(self, importer: Module, imported: Module) -> None:
        """Raise Refused where importing one module from the other would close a circle."""
        program = self.workshop.facts.program
        seen = {imported}
        queue = [imported]
        while queue:
            module = queue.pop()
            if module is importer:
                raise Refused(
                    f"`{imported.name}` imports `{importer.name}`, which would have to import it"
                )
            for bindings in module.body.facts.bindings.values():
                for binding in bindings:
                    recipe = binding.recipe
                    if binding.kind != "import" or not recipe:
                        continue
                    paths = []
                    if recipe[0] == "import":
                        paths.append(recipe[1])
                    elif recipe[0] == "from":
                        path = program.absolute(module, recipe[1], recipe[2] or "")
                        if path:
                            paths += [f"{path}.{recipe[3]}", path]
                    for path in paths:
                        if not program.is_ours(path, module.file):
                            continue
                        other = program.find(path, module.file)
                        if other is not None and other not in seen:
                            seen.add(other)
                            queue.append(other)


def _sets(text: str, holder: str | None, attribute: str) -> bool:
    """Whether a line of a text begins by setting an attribute of a holder, or, without one, of anything but the object itself."""
    for found in re.finditer(rf"\.{re.escape(attribute)}\s*=(?!=)", text):
        before = text[text.rfind("\n", 0, found.start()) + 1 : found.start()].lstrip(" \t")
        if before == holder or (holder is None and before.isidentifier()):
            if before not in ("self", "cls"):
                return True
    return False
