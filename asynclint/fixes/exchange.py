"""A class is named in place of another one: where it is built, in annotations, and in the imports that bring it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from asynclint.facts.model import Binding
from asynclint.facts.program import Function
from asynclint.facts.types import Lib
from asynclint.findings import Edit, Refused
from asynclint.fixes import imports
from asynclint.fixes.holders import Global, Holders
from asynclint.fixes.reading import Reading


@dataclass
class Group:
    """The places that name one import."""

    reading: Reading
    scope: Function
    binding: Binding
    twin: str
    nodes: list[ast.Name] = field(default_factory=list)
    texts: list[ast.Constant] = field(default_factory=list)
    """Annotations in quotes."""


class Exchange:
    """Collects the places, then gives the edits."""

    def __init__(self, holders: Holders) -> None:
        self.holders = holders
        self.known = holders.evaluator.known
        self.edits: list[Edit] = []
        self._groups: dict[tuple[int, str], Group] = {}
        self._done: set[int] = set()

    def named(self, reading: Reading, node: ast.expr, twin: str) -> None:
        """Name the class `twin` where a node names another one. Raises Refused where that cannot be written."""
        if id(node) in self._done:
            return
        self._done.add(id(node))
        if isinstance(node, ast.Attribute):
            base = reading.type(node.value)
            name = twin.rpartition(".")[2]
            if not isinstance(base, Lib):
                raise Refused(f"`{ast.unparse(node)}` could not be read")
            if self._is(f"{base.path}.{name}", twin):
                end = reading.source.end(node)
                self.edits.append(reading.source.edit(end - len(node.attr), end, name))
                return
            local, edits = self._brought(reading, node, twin)
            self.edits += [*edits, reading.source.replace(node, local)]
        elif isinstance(node, ast.Name):
            self._group(reading, node, node.id, twin).nodes.append(node)
        else:
            raise Refused(f"`{ast.unparse(node)}` could not be read")

    def annotated(self, reading: Reading, node: ast.expr, paths: dict[str, str]) -> None:
        """Name other classes in an annotation: each of `paths` by its twin."""
        for one in ast.walk(node):
            if isinstance(one, ast.Constant) and isinstance(one.value, str):
                self._quoted(reading, one, paths)
            elif isinstance(one, (ast.Name, ast.Attribute)):
                value = reading.type(one)
                if isinstance(value, Lib) and value.path in paths:
                    self.named(reading, one, paths[value.path])
                elif isinstance(one, ast.Name):
                    self._alias(reading, one, paths)

    def _alias(self, reading: Reading, node: ast.Name, paths: dict[str, str]) -> None:
        """`ClientDep = Annotated[Client, …]`, or the union of several classes, by its name."""
        holder = self.holders.of(reading, node)
        if not isinstance(holder, Global) or ("alias", holder) in self._done:  # type: ignore[comparison-overlap]
            return
        self._done.add(("alias", holder))  # type: ignore[arg-type]
        there = self.holders.reading(holder.module)
        for name in there.names.get(holder.name, ()):
            parent = there.tree.parent(name)
            if isinstance(parent, (ast.Assign, ast.AnnAssign)) and parent.value is not None:
                if isinstance(parent.value, (ast.Subscript, ast.BinOp)):
                    self.annotated(there, parent.value, paths)

    def _quoted(self, reading: Reading, node: ast.Constant, paths: dict[str, str]) -> None:
        try:
            inner = ast.parse(str(node.value), mode="eval").body
        except (SyntaxError, ValueError):
            return
        scope = reading.scope(node)
        for one in ast.walk(inner):
            if isinstance(one, ast.Name) and id(node) not in self._done:
                at = (1 << 30, 0, scope.facts.root_block)
                value = reading.evaluator.name(one.id, scope, at)
                if isinstance(value, Lib) and value.path in paths:
                    self._done.add(id(node))
                    self._group(reading, node, one.id, paths[value.path]).texts.append(node)
                elif isinstance(value, Lib) and any(p.startswith(f"{value.path}.") for p in paths):
                    raise Refused(f"the annotation {node.value!r} could not be read")

    def _group(self, reading: Reading, node: ast.expr, name: str, twin: str) -> Group:
        scope: Function | None = reading.scope(node)
        while scope is not None:
            if name in scope.facts.bindings or name in scope.parameters:
                break
            scope = scope.parent
        bindings = scope.facts.bindings.get(name, []) if scope is not None else []
        if scope is None or not bindings:
            raise Refused(f"where `{name}` comes from could not be found")
        if len(bindings) > 1 or bindings[0].kind != "import" or bindings[0].recipe[0] != "from":
            raise Refused(f"`{name}` has more than one meaning in `{reading.module.name}`")
        key = (id(bindings[0]), twin)
        if key not in self._groups:
            self._groups[key] = Group(reading, scope, bindings[0], twin)
        return self._groups[key]

    def _is(self, path: str, twin: str) -> bool:
        return self.known.canonical(path) == self.known.canonical(twin)

    def _brought(self, reading: Reading, node: ast.expr, twin: str) -> tuple[str, tuple[Edit, ...]]:
        """An import of its own at the top of the module."""
        module, _, name = twin.rpartition(".")
        scope = reading.scope(node)
        taken = imports.is_bound(reading.source, name, scope)
        alias = f"Async{name}" if taken or not name.startswith("Async") else None
        if taken and imports.known(reading.source, module, name, scope):
            alias = None
        return imports.bring(reading.source, module, name, scope, alias)

    # -- imports ------------------------------------------------------------------------------------------

    def finish(self) -> tuple[Edit, ...]:
        """All edits."""
        for group in self._groups.values():
            self._finish(group)
        return tuple(self.edits)

    def _finish(self, group: Group) -> None:
        reading, source = group.reading, group.reading.source
        recipe = group.binding.recipe
        old = self._old(group)
        module, _, name = group.twin.rpartition(".")
        path = self.holders.program.absolute(reading.module, recipe[1], recipe[2] or "") or ""
        near = not recipe[1] and self._is(f"{path}.{name}", group.twin)
        statement, alias = self._statement(group, old)
        complete = self._complete(group, old)
        local = self._there(group)
        if local is None and near:
            local = name
            self._refuse_taken(group, local)
            if complete:
                self.edits.append(self._exchanged(reading, statement, alias, local))
            else:
                self.edits.append(imports.beside(source, statement, local))
        elif local is None:
            local = old if complete else f"Async{name}".replace("AsyncAsync", "Async")
            bound = name if local == name else f"{name} as {local}"
            line = f"from {module} import {bound}"
            if not source.alone(statement):
                raise Refused(f"something else stands beside the import of `{old}`")
            if complete and len(statement.names) == 1:
                self.edits.append(source.replace(statement, line))
            else:
                self._refuse_taken(group, local) if local != old else None
                indent = source.indent(statement)
                after = source.line_start((statement.end_lineno or statement.lineno) + 1)
                self.edits.append(source.insert(after, f"{indent}{line}\n"))
                if complete:
                    self.edits.append(self._without(reading, statement, alias))
        elif complete:
            self.edits.append(self._without(reading, statement, alias))
        if local == old:
            return
        for node in group.nodes:
            self.edits.append(source.replace(node, local))
        for text in group.texts:
            self.edits.append(
                source.replace(text, re.sub(rf"\b{re.escape(old)}\b", local, source.segment(text)))
            )

    def _old(self, group: Group) -> str:
        for name, bindings in group.scope.facts.bindings.items():
            if any(b is group.binding for b in bindings):
                return name
        raise Refused("an import could not be found")

    def _statement(self, group: Group, old: str) -> tuple[ast.ImportFrom, ast.alias]:
        for node in ast.walk(group.reading.tree.root):
            if isinstance(node, ast.ImportFrom) and node.lineno <= group.binding.line <= (
                node.end_lineno or node.lineno
            ):
                for alias in node.names:
                    if (alias.asname or alias.name) == old:
                        return node, alias
        raise Refused(f"the import of `{old}` could not be found")

    def _complete(self, group: Group, old: str) -> bool:
        """Whether nothing but what is renamed needs the old import."""
        reading = group.reading
        module = reading.module
        renamed = {id(node) for node in group.nodes}
        for node in reading.names.get(old, ()):
            if id(node) in renamed:
                continue
            scope: Function | None = reading.scope(node)
            while scope is not None and old not in scope.facts.bindings:
                scope = scope.parent
            if scope is group.scope:
                return False
        quoted = {id(t) for t in group.texts}
        word = re.compile(rf"[\w.\[\], |]*\b{re.escape(old)}\b[\w.\[\], |]*")
        for one in ast.walk(reading.tree.root):
            if isinstance(one, ast.Constant) and isinstance(one.value, str):
                if id(one) not in quoted and word.fullmatch(one.value):
                    return False
        if group.scope.facts.kind != "module":
            return True
        if module.file.is_package or old in (module.facts.exports or ()):
            return False
        return not any(
            old in (file.text or "") and re.search(rf"\b{re.escape(last)}\b", file.text or "")
            for last in (module.name.rpartition(".")[2],)
            for file in self.holders.program.project.files
            if file is not module.file and _imports(file.text or "", last, old)
        )

    def _there(self, group: Group) -> str | None:
        """The name under which the twin is imported already."""
        scope: Function | None = group.scope
        while scope is not None:
            for name, bindings in scope.facts.bindings.items():
                if len(bindings) != 1 or bindings[0].kind != "import":
                    continue
                recipe = bindings[0].recipe
                if recipe and recipe[0] == "from" and not recipe[1]:
                    if self._is(f"{recipe[2]}.{recipe[3]}", group.twin):
                        if self._visible(group, bindings[0]):
                            return name
            scope = scope.parent
        return None

    def _visible(self, group: Group, binding: Binding) -> bool:
        """Whether another import holds wherever the old one does: not under a condition that the old one has not."""
        module = group.reading.module
        root = group.scope.facts.root_block
        return binding.block in (root, group.binding.block, module.body.facts.root_block)

    def _refuse_taken(self, group: Group, local: str) -> None:
        for node in (*group.nodes, *group.texts):
            if imports.is_bound(group.reading.source, local, group.reading.scope(node)):
                raise Refused(f"`{local}` means something else in `{group.reading.module.name}`")

    def _exchanged(
        self, reading: Reading, statement: ast.ImportFrom, alias: ast.alias, new: str
    ) -> Edit:
        """The import with one name in place of another, in order where the names were."""
        source = reading.source
        names = [source.segment(a) for a in statement.names]
        index = statement.names.index(alias)
        one_line = statement.lineno == statement.end_lineno
        if one_line and len(names) > 1 and names == sorted(names, key=imports.order):
            start = source.offset(statement.names[0].lineno, statement.names[0].col_offset)
            names[index] = new
            text = ", ".join(sorted(names, key=imports.order))
            return source.edit(start, source.end(statement.names[-1]), text)
        return source.replace(alias, new)

    def _without(self, reading: Reading, statement: ast.ImportFrom, alias: ast.alias) -> Edit:
        source = reading.source
        if len(statement.names) > 1:
            index = statement.names.index(alias)
            if index + 1 < len(statement.names):
                following = statement.names[index + 1]
                start = source.offset(alias.lineno, alias.col_offset)
                end = source.offset(following.lineno, following.col_offset)
            else:
                start, end = source.end(statement.names[index - 1]), source.end(alias)
            if "#" in source.text[start:end]:
                raise Refused(f"a comment stands beside the import of `{alias.name}`")
            return source.edit(start, end, "")
        parent = reading.tree.parent(statement)
        if any(getattr(parent, part, None) == [statement] for part in ("body", "orelse")):
            raise Refused(f"the import of `{alias.name}` is all that a block does")
        return source.remove(statement)


def _imports(text: str, module: str, name: str) -> bool:
    """Whether a file imports a name from a module of that last name."""
    found = re.search(
        rf"from\s+[\w.]*\b{re.escape(module)}\s+import\s+(?:\([^)]*\b{re.escape(name)}\b|[^\n(]*\b{re.escape(name)}\b)",
        text,
    )
    return (
        found is not None
        or re.search(rf"\b{re.escape(module)}\.{re.escape(name)}\b", text) is not None
    )
