"""The function that built the client: it reads the shared one instead, and no longer closes it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from asynclint.facts.model import CallSite
from asynclint.facts.program import Function, Module
from asynclint.facts.types import Cls, Func, Lib, LibMethod
from asynclint.findings import Refused
from asynclint.fixes import imports
from asynclint.fixes.client_plan import Part, Plan
from asynclint.fixes.constructor import Constructor
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.source import Source, Tree
from asynclint.fixes.usage import Usage, refuse_own, unwrapped

OWN = re.compile(r"\bcookies=|\.ws_connect\(")
"""Calls whose client is no other one's."""


class Rewriting(Part):
    """Takes the constructor out of its function, and what closes the client with it."""

    def __init__(self, place: Place, plan: Plan, constructor: Constructor) -> None:
        super().__init__(place, plan)
        self.constructor = constructor

    def rewrite(self, call: ast.Call, whole: ast.expr, shared: str) -> None:
        """Put the shared object in the constructor's place, and keep the function from closing it."""
        parent = self.tree.parent(whole)
        self.plan.gone.setdefault(self.source.path, []).append(whole)
        if isinstance(parent, ast.withitem) and parent.context_expr is whole:
            statement = self.tree.parent(parent)
            assert isinstance(statement, (ast.With, ast.AsyncWith))
            if not isinstance(parent.optional_vars, ast.Name):
                raise Refused("the client is entered without a name")
            name = parent.optional_vars.id
            self.plan.add(
                *unwrapped(self.source, self.tree, statement, parent, f"{name} = {shared}")
            )
            self._used(name)
            return
        if isinstance(parent, ast.Attribute):
            self._chained(parent)
        elif isinstance(parent, ast.Assign) and len(parent.targets) == 1:
            self._assigned(parent.targets[0])
        elif isinstance(parent, (ast.AnnAssign, ast.NamedExpr)):
            self._assigned(parent.target)
        elif isinstance(parent, (ast.Return, ast.Yield)):
            self._handed_out()
        elif isinstance(parent, (ast.Call, ast.keyword)):
            outer = parent if isinstance(parent, ast.Call) else self.tree.parent(parent)
            assert isinstance(outer, ast.Call)
            self._given([(outer, whole)])
        else:
            raise Refused("how the client is used could not be read")
        self.plan.add(self.source.replace(whole, shared))

    def _chained(self, node: ast.Attribute) -> None:
        parent = self.tree.parent(node)
        if node.attr in ("with_options", "copy"):
            return
        if isinstance(parent, ast.Attribute) or (
            isinstance(parent, ast.Call) and parent.func is node
        ):
            if isinstance(parent, ast.Call):
                refuse_own(parent, node.attr)
            return
        raise Refused("how the client is used could not be read")

    def _assigned(self, target: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._used(target.id)
            return
        own = self.function.self_name
        if (
            isinstance(target, ast.Attribute)
            and isinstance(target.value, ast.Name)
            and target.value.id == own
        ):
            tree = self.source.top(target.lineno)
            around = [
                n
                for n in ast.walk(tree.root)
                if isinstance(n, ast.ClassDef)
                and n.lineno <= target.lineno <= (n.end_lineno or n.lineno)
            ]
            if not around:
                raise Refused("how the client is used could not be read")
            self._settle(self._usage(self.source, tree, around[-1], f"{own}.{target.attr}"))
            pattern = re.compile(rf"\.{re.escape(target.attr)}\.(?:a?close|dispose|disconnect)\(")
            for module in self.workshop.facts.program.loaded():
                if module is not self.module and pattern.search(module.file.text or ""):
                    raise Refused(f"`{target.attr}` may be closed in `{module.name}`")
            return
        raise Refused("the client is stored")

    def _used(self, name: str) -> None:
        node = self.tree.function(self.place.call)
        if node is None or isinstance(node, ast.Lambda):
            raise Refused("how the client is used could not be read")
        stores = [
            n
            for n in ast.walk(node)
            if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store)
        ]
        usage = self._usage(self.source, self.tree, node, name)
        self._settle(usage)
        if len(stores) > 1 and usage.edits:
            raise Refused(f"`{name}` holds more than one client")
        if self._leaves(node, name):
            self._handed_out()

    def _usage(self, source: Source, tree: Tree, within: ast.AST, holder: str) -> Usage:
        building = self.place.facts.building
        cookies = building is not None and "cookies" in (building.client.state or "")
        return Usage(source, tree, within, holder, cookies=cookies)

    def _leaves(self, node: ast.AST, name: str) -> bool:
        return any(
            isinstance(n, (ast.Return, ast.Yield))
            and isinstance(n.value, ast.Name)
            and n.value.id == name
            for n in ast.walk(node)
        )

    def _settle(self, usage: Usage) -> None:
        usage.settle()
        self.plan.add(*usage.edits)
        self._given(usage.passed)

    def _given(self, passed: list[tuple[ast.Call, ast.expr]]) -> None:
        """Look at what the functions do that get the client: one that closes or changes it refuses the fix."""
        for call, argument in passed:
            site = self.constructor.site(call)
            callee = self.evaluator.callee(self.module, site) if site is not None else None
            if isinstance(callee, Lib):
                continue
            function = callee.function if isinstance(callee, Func) else None
            shift = 1 if isinstance(callee, Func) and callee.bound is not None else 0
            if isinstance(callee, Cls):
                init = callee.klass.own_method("__init__")
                if init is None:
                    continue
                function, shift = init, 1
            if function is None:
                if isinstance(callee, LibMethod):
                    continue
                raise Refused(f"what `{ast.unparse(call.func)}` does with the client is not known")
            self._parameter_kept(function, shift, call, argument)

    def _parameter_kept(
        self, function: Function, shift: int, call: ast.Call, argument: ast.expr
    ) -> None:
        name = next((k.arg for k in call.keywords if k.value is argument), None)
        if name is None and argument in call.args:
            index = call.args.index(argument) + shift
            if index < len(function.facts.params):
                name = function.facts.params[index].name
        found = self.workshop.source(function.module).definition(function)
        if name is None or found is None:
            raise Refused(f"what `{function.name}` does with the client is not known")
        tree, node = found
        for one in ast.walk(node):
            if not (isinstance(one, ast.Name) and one.id == name):
                continue
            parent = tree.parent(one)
            if isinstance(parent, ast.withitem):
                raise Refused(f"`{function.name}` closes the client that it is given")
            if isinstance(parent, ast.Attribute):
                if parent.attr in ("close", "aclose", "dispose", "disconnect"):
                    raise Refused(f"`{function.name}` closes the client that it is given")
                if not isinstance(parent.ctx, ast.Load):
                    raise Refused(f"`{function.name}` changes the client that it is given")
                above = tree.parent(parent)
                if isinstance(above, ast.Call) and above.func is parent:
                    refuse_own(above, parent.attr)
            if (
                isinstance(parent, ast.Assign)
                and isinstance(parent.targets[0], ast.Attribute)
                and function.klass is not None
            ):
                attribute = parent.targets[0].attr
                own = function.self_name
                for method in function.klass.methods():
                    text = self._function_text(method)
                    if re.search(
                        rf"\b{own}\.{attribute}\.(?:a?close|dispose|disconnect)\(", text
                    ) or re.search(rf"with {own}\.{attribute}\b", text):
                        raise Refused(f"`{function.klass.name}` closes the client that it is given")

    def _function_text(self, function: Function) -> str:
        lines = function.module.lines[function.facts.line - 1 : function.facts.end_line]
        return "\n".join(lines)

    def _handed_out(self) -> None:
        """The function gives the client to others: callers and users of the dependency must not close it."""
        managed = bool(self.function.facts.yields)
        for edge in self.graph.into.get(self.function, ()):
            if not edge.caller.module.file.is_test:
                self._consumer(edge.caller, edge.site, managed)
        for point in self.graph.entries.get(self.function, ()):
            if point.user is not None and point.user is not self.function:
                self._dependent(point.user)
        name = self.function.facts.name
        for function in self._users_of(name):
            self._dependent(function)

    def _users_of(self, name: str) -> Iterator[Function]:
        for module in self.workshop.facts.program.loaded():
            if module.file.is_test or name not in (module.file.text or ""):
                continue
            for function in module.functions:
                if function.facts.kind in ("def", "async") and self.graph.entries.get(function):
                    yield function

    def _dependent(self, function: Function) -> None:
        """A function that asks for the dependency: closing one of its parameters would close the shared client."""
        for parameter in function.facts.params:
            text = self._function_text(function)
            if re.search(
                rf"\b{re.escape(parameter.name)}\.(?:a?close|dispose|disconnect)\(", text
            ) or re.search(rf"with {re.escape(parameter.name)}\b(?!\.)", text):
                raise Refused(f"`{function.name}` may close the client that it is given")
            if re.search(rf"\b{re.escape(parameter.name)}\.\w+\(", text) and OWN.search(text):
                raise Refused(f"`{function.name}` sends cookies of its own, or keeps a connection")

    def _consumer(self, function: Function, site: CallSite, managed: bool) -> None:
        """A caller that gets the client; `managed` where it enters a context manager of the project's own."""
        source = self.workshop.source(function.module)
        tree = source.tree(site.line)
        call = tree.at(site.extent, ast.Call)
        if call is None:
            raise Refused(f"how `{function.name}` uses the client could not be read")
        whole: ast.expr = call
        parent = tree.parent(call)
        if isinstance(parent, ast.Await):
            whole, parent = parent, tree.parent(parent)
        if isinstance(parent, ast.withitem):
            statement = tree.parent(parent)
            assert isinstance(statement, (ast.With, ast.AsyncWith))
            if not isinstance(parent.optional_vars, ast.Name):
                raise Refused("the client is entered without a name")
            name = parent.optional_vars.id
            if not managed:
                text = f"{name} = {source.segment(whole)}"
                self.plan.add(*unwrapped(source, tree, statement, parent, text))
            self._used_by(source, tree, call, name)
        elif isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name):
            self._used_by(source, tree, call, parent.targets[0].id)
        elif isinstance(parent, (ast.Attribute, ast.Call, ast.keyword)):
            return
        elif isinstance(parent, (ast.Return, ast.Yield)):
            raise Refused(f"`{function.name}` hands the client on")
        else:
            raise Refused(f"how `{function.name}` uses the client could not be read")

    def _used_by(self, source: Source, tree: Tree, call: ast.Call, name: str) -> None:
        node = tree.function(call)
        if node is None:
            raise Refused("how the client is used could not be read")
        usage = self._usage(source, tree, node, name)
        usage.settle()
        self.plan.add(*usage.edits)
        if self._leaves(node, name):
            raise Refused("the client is handed on")

    # -- what is left over ----------------------------------------------------------------------------------------

    def tidy(self) -> None:
        """Take out assignments and imports that only the constructor needed."""
        gone = self.plan.gone.setdefault(self.source.path, [])
        for statement in self.constructor.inlined:
            parent = self.tree.parent(statement)
            if getattr(parent, "body", None) != [statement] and self.source.alone(statement):
                self.plan.add(self.source.remove(statement))
                gone.append(statement)
        function = self.tree.function(self.place.call)
        names = {n.id for one in gone for n in ast.walk(one) if isinstance(n, ast.Name)}
        for name in sorted(names):
            self._import_gone(name, gone, function)

    def _import_gone(self, name: str, gone: list[ast.AST], function: ast.AST | None) -> None:
        written = re.compile(rf"(?<![\w.]){re.escape(name)}\b")
        if any(written.search(e.text) for e in self.plan.edits if e.path == self.source.path):
            return
        if name in self.module.body.facts.bindings:
            users = (self.module, name) in self.workshop.once(_imported_names)
            self.plan.add(*imports.unused(self.source, name, gone, users))
            return
        if function is None:
            return
        inside = {id(n) for one in gone for n in ast.walk(one)}
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and node.id == name and id(node) not in inside:
                return
        for node in ast.walk(function):
            if isinstance(node, (ast.Import, ast.ImportFrom)) and len(node.names) == 1:
                alias = node.names[0]
                if (alias.asname or alias.name) == name and self.source.alone(node):
                    parent = self.tree.parent(node)
                    if len(getattr(parent, "body", ())) > 1 and node in getattr(parent, "body", ()):
                        self.plan.add(self.source.remove(node))


def _imported_names(workshop: Workshop) -> set[tuple[Module, str]]:
    """The names that modules import from other modules of the project, with those."""
    program = workshop.facts.program
    found: set[tuple[Module, str]] = set()
    for module in program.loaded():
        for function in module.functions:
            for bindings in function.facts.bindings.values():
                for binding in bindings:
                    recipe = binding.recipe
                    if binding.kind == "import" and recipe and recipe[0] == "from":
                        path = program.absolute(module, recipe[1], recipe[2] or "")
                        other = program.find(path, module.file) if path else None
                        if other is not None and other is not module:
                            found.add((other, recipe[3]))
    return found
