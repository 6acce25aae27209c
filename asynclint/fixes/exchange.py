"""A class is named in place of another one: where it is built, in annotations, and in the imports that bring it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from asynclint.facts.model import Binding
from asynclint.facts.names import name_type
from asynclint.facts.program import Function
from asynclint.facts.types import Lib
from asynclint.findings import Edit, Refused
from asynclint.fixes import imports, installed
from asynclint.fixes.holders import Holders
from asynclint.fixes.mentions import Global
from asynclint.fixes.reading import Reading

NAMING = frozenset({"cast", "TypeVar", "ForwardRef", "NewType"})
"""Functions that take the name of a class in quotes."""


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


@dataclass
class Import:
    """What becomes of one statement that imports names."""

    reading: Reading
    statement: ast.ImportFrom
    exchanged: dict[int, list[str]] = field(default_factory=dict)
    """By the name's node: what stands in its place, or nothing."""
    added: list[str] = field(default_factory=list)
    behind: list[str] = field(default_factory=list)
    """Statements of their own behind it."""

    def edits(self) -> list[Edit]:
        """The edits. Raises Refused where something stands in their way."""
        source, statement = self.reading.source, self.statement
        self.added = list(dict.fromkeys(self.added))
        names = [
            text
            for alias in statement.names
            for text in self.exchanged.get(id(alias), [source.segment(alias)])
        ]
        if not names and not self.added:
            return self._replaced()
        edits: list[Edit] = []
        if self.behind:
            after = source.after(statement)
            indent = source.indent(statement)
            edits.append(source.insert(after, "".join(f"{indent}{b}\n" for b in self.behind)))
        if statement.lineno == statement.end_lineno:
            before = [source.segment(a) for a in statement.names]
            names = list(dict.fromkeys([*names, *self.added]))
            if before == sorted(before, key=imports.order):
                names.sort(key=imports.order)
            first, last = statement.names[0], statement.names[-1]
            start = source.offset(first.lineno, first.col_offset)
            if "#" in source.text[start : source.end(last)]:
                raise Refused("a comment stands between the names of an import")
            return [*edits, source.edit(start, source.end(last), ", ".join(names))]
        edits += [imports.beside(source, statement, name) for name in self.added]
        for index, alias in enumerate(statement.names):
            new = self.exchanged.get(id(alias))
            if new:
                edits.append(source.replace(alias, new[0]))
            elif new is not None:
                edits.append(self._without(index))
        return edits

    def _replaced(self) -> list[Edit]:
        """The whole statement goes."""
        source, statement = self.reading.source, self.statement
        if self.behind:
            indent = source.indent(statement)
            return [source.replace(statement, f"\n{indent}".join(self.behind))]
        if self.reading.tree.suite(statement) == [statement]:
            raise Refused("an import that goes is all that a block does")
        return [source.remove(statement)]

    def _without(self, index: int) -> Edit:
        source, names = self.reading.source, self.statement.names
        if index + 1 < len(names):
            start = source.offset(names[index].lineno, names[index].col_offset)
            end = source.offset(names[index + 1].lineno, names[index + 1].col_offset)
        else:
            start, end = source.end(names[index - 1]), source.end(names[index])
        if "#" in source.text[start:end]:
            raise Refused("a comment stands beside an import that goes")
        return source.edit(start, end, "")


class Exchange:
    """Collects the places, then gives the edits."""

    def __init__(self, holders: Holders) -> None:
        self.holders = holders
        self.known = holders.evaluator.known
        self.edits: list[Edit] = []
        self._groups: dict[tuple[int, str], Group] = {}
        self._done: set[object] = set()
        self._imports: dict[int, Import] = {}
        self._gone: dict[str, tuple[Reading, list[ast.AST]]] = {}

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
            self._gone.setdefault(reading.source.path, (reading, []))[1].append(node)
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
        if not isinstance(holder, Global) or ("alias", holder) in self._done:
            return
        self._done.add(("alias", holder))
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
                value = name_type(reading.evaluator, one.id, scope, at)
                if isinstance(value, Lib) and value.path in paths:
                    self._done.add(id(node))
                    self._group(reading, node, one.id, paths[value.path]).texts.append(node)
                elif isinstance(value, Lib) and any(p.startswith(f"{value.path}.") for p in paths):
                    raise Refused(f"the annotation {node.value!r} could not be read")

    def _group(self, reading: Reading, node: ast.expr, name: str, twin: str) -> Group:
        scope = reading.scope(node).scope_of(name)
        bindings = scope.facts.bindings.get(name, []) if scope is not None else []
        if scope is None or not bindings:
            raise Refused(f"where `{name}` comes from is not known")
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
        alias = _async_name(name) if taken or not name.startswith("Async") else None
        if taken and imports.known(reading.source, module, name, scope):
            alias = None
        local, edits = imports.bring(reading.source, module, name, scope, alias)
        if edits:
            installed.refuse_missing(self.holders.workshop, reading.module, module)
        return local, edits

    # -- imports ------------------------------------------------------------------------------------------

    def finish(self) -> tuple[Edit, ...]:
        """All edits."""
        for group in self._groups.values():
            self._finish(group)
        for change in self._imports.values():
            self.edits += change.edits()
        for reading, gone in self._gone.values():
            names = {n.id for node in gone for n in ast.walk(node) if isinstance(n, ast.Name)}
            for name in sorted(names):
                self.edits += imports.unused(reading.source, name, gone, False)
        return tuple(self.edits)

    def _finish(self, group: Group) -> None:
        reading, source = group.reading, group.reading.source
        recipe = group.binding.recipe
        old = self._old(group)
        module, _, name = group.twin.rpartition(".")
        path = self.holders.program.absolute(reading.module, recipe[1], recipe[2] or "") or ""
        near = not recipe[1] and self._is(f"{path}.{name}", group.twin)
        statement, alias = self._statement(group, old)
        change = self._imports.setdefault(id(statement), Import(reading, statement))
        complete = self._complete(group, old)
        local = self._there(group)
        if local is None and near:
            local = name
            self._refuse_taken(group, local)
            (change.added if not complete else change.exchanged.setdefault(id(alias), [])).append(
                name
            )
        elif local is None:
            local = old if complete else _async_name(name)
            if local != old:
                self._refuse_taken(group, local)
            bound = name if local == name else f"{name} as {local}"
            change.behind.append(f"from {module} import {bound}")
        if complete:
            change.exchanged.setdefault(id(alias), [])
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
            if reading.scope(node).binder_of(old) is group.scope:
                return False
        quoted = {id(t) for t in group.texts}
        for one in ast.walk(reading.tree.root):
            if isinstance(one, ast.Constant) and isinstance(one.value, str) and old in one.value:
                if id(one) not in quoted and self._is_annotation(reading, one, old):
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

    def _is_annotation(self, reading: Reading, node: ast.Constant, name: str) -> bool:
        """Whether a string names something of the module, as an annotation in quotes does."""
        try:
            inner = ast.parse(str(node.value), mode="eval").body
        except (SyntaxError, ValueError):
            return False
        if not any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(inner)):
            return False
        if self.holders.in_annotation(reading, node):
            return True
        around = next((n for n in reading.tree.above(node) if isinstance(n, ast.Call)), None)
        return around is not None and ast.unparse(around.func).rpartition(".")[2] in NAMING

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


def _async_name(name: str) -> str:
    """`AsyncRedis`, `async_from_url`."""
    if name.startswith(("Async", "async_")):
        return name
    return f"Async{name}" if name[:1].isupper() else f"async_{name}"


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
