"""Where objects are kept, and all places of the project that mention such a holder.

What cannot be followed to its end raises Refused: a plan that changes what a holder keeps has to see every use.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Union

from asynclint.facts.decorators import PROPERTIES, decorator_paths
from asynclint.facts.model import Binding
from asynclint.facts.program import Function, Klass, Module
from asynclint.facts.types import Cls, Func, Inst, Mod, Super, Type, members
from asynclint.findings import Refused
from asynclint.fixes.place import Workshop
from asynclint.fixes.reading import Reading


@dataclass(frozen=True)
class Local:
    """A variable or parameter of a function, which functions inside it may read, too."""

    function: Function
    name: str


@dataclass(frozen=True)
class Global:
    """A name of a module, under which others may import it."""

    module: Module
    name: str


@dataclass(frozen=True)
class Held:
    """An attribute of a class's objects, or of the class itself."""

    klass: Klass
    """The topmost class of the project that has it."""
    name: str


@dataclass(frozen=True)
class State:
    """An attribute of an application's state."""

    name: str


@dataclass(frozen=True)
class Result:
    """What a function returns, or a property gives."""

    function: Function


Holder = Union[Local, Global, Held, State, Result]  # noqa: UP007 - evaluated at run time, on Python 3.10, too

Place = tuple[Reading, ast.expr]
"""An expression of a module."""


class Mentions:
    """All modules of a project, read as they are needed."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.program = workshop.facts.program
        self.evaluator = workshop.facts.graph.evaluator
        self._readings: dict[Module, Reading] = {}

    def reading(self, module: Module) -> Reading:
        """A module of the project."""
        if module not in self._readings:
            self._readings[module] = Reading(self.workshop, module)
        return self._readings[module]

    # -- which holder an expression means -----------------------------------------------------------------

    def of(self, reading: Reading, node: ast.expr) -> Holder | None:
        """The holder that a name, an attribute or a call reads; None where that is not known."""
        if isinstance(node, ast.Name):
            return self._named(reading, node)
        if isinstance(node, ast.Attribute):
            return self._attribute(reading, node)
        if isinstance(node, ast.Await):
            node = node.value
        if isinstance(node, ast.Call):
            callee = reading.type(node.func)
            if isinstance(callee, Func) and callee.function.facts.kind in ("def", "async"):
                return Result(callee.function)
        return None

    def _named(self, reading: Reading, node: ast.Name) -> Holder | None:
        name = node.id
        scope = reading.scope(node)
        first = True
        while scope.facts.kind != "module":
            facts = scope.facts
            if facts.kind != "class" or first:
                if name in facts.globals:
                    break
                bindings = facts.bindings.get(name, ())
                if (bindings or name in scope.parameters) and name not in facts.nonlocals:
                    if facts.kind == "class":
                        return self.held(reading.module.klasses[facts.cls], name)
                    if len(bindings) == 1 and bindings[0].kind == "import":
                        return self._imported(reading.module, bindings[0])
                    return Local(scope, name)
            first = False
            assert scope.parent is not None
            scope = scope.parent
        return self._global(reading.module, name, 0)

    def _imported(self, module: Module, binding: Binding, depth: int = 0) -> Holder | None:
        recipe = binding.recipe
        if not recipe or recipe[0] != "from":
            return None
        path = self.program.absolute(module, recipe[1], recipe[2] or "")
        other = self.program.find(path, module.file) if path else None
        return self._global(other, recipe[3], depth + 1) if other is not None else None

    def _global(self, module: Module, name: str, depth: int) -> Holder | None:
        bindings = module.body.facts.bindings.get(name)
        if depth > 8:
            return None
        if not bindings and name not in module.global_bindings:
            for level, star in module.facts.stars:
                path = self.program.absolute(module, level, star)
                other = self.program.find(path, module.file) if path else None
                if other is not None and other is not module:
                    found = self._global(other, name, depth + 1)
                    if found is not None:
                        return found
            return None
        if bindings and all(b.kind == "import" for b in bindings):
            found = self._imported(module, bindings[-1], depth)
            if found is not None:
                return found
        return Global(module, name)

    def _attribute(self, reading: Reading, node: ast.Attribute) -> Holder | None:
        base = reading.type(node.value)
        if isinstance(base, Mod):
            return self._global(base.module, node.attr, 0)
        klass = _class_of(base)
        if klass is None:
            state = isinstance(node.value, ast.Attribute) and node.value.attr == "state"
            return State(node.attr) if state else None
        found = self.property_of(klass, node.attr)
        return Result(found) if found is not None else self.held(klass, node.attr)

    def property_of(self, klass: Klass, name: str) -> Function | None:
        """The function of a property."""
        value, _ = self.evaluator.member(klass, name)
        if isinstance(value, Func):
            paths = decorator_paths(self.evaluator, value.function)
            if paths & PROPERTIES or any(p.endswith("cached_property") for p in paths):
                return value.function
        return None

    def held(self, klass: Klass, name: str) -> Held:
        """The holder of an attribute of a class."""
        above = [k for k in self.evaluator.mro(klass) if isinstance(k, Klass)]
        having = [k for k in above if name in k.body.facts.bindings or name in k.self_attributes()]
        return Held(having[-1] if having else klass, name)

    # -- mentions -------------------------------------------------------------------------------------------

    def mentions(self, holder: Holder) -> Iterator[Place]:
        """All names and attributes that mean a holder, read or written."""
        if isinstance(holder, Local):
            reading = self.reading(holder.function.module)
            for node in reading.names.get(holder.name, ()):
                if self.of(reading, node) == holder:
                    yield reading, node
        elif isinstance(holder, Global):
            yield from self._of_module(holder)
        elif isinstance(holder, Held):
            yield from self._of_class(holder)
        elif isinstance(holder, State):
            for module in self.program.load_mentioning(holder.name):
                text = module.file.text or ""
                if not re.search(rf"state\.{holder.name}\b|[\"']{holder.name}[\"']", text):
                    continue
                if re.search(rf"(?:get|set|has|del)attr\([^()]*[\"']{holder.name}[\"']", text):
                    raise Refused(f"`{holder.name}` of the state is asked for by name")
                reading = self.reading(module)
                for one in reading.attributes.get(holder.name, ()):
                    if self.of(reading, one) == holder:
                        yield reading, one

    def _of_module(self, holder: Global) -> Iterator[Place]:
        names = {holder.name}
        modules: list[Module] = []
        growing = True
        while growing:
            growing = False
            for module in self._importers(holder, names):
                if module not in modules:
                    modules.append(module)
                for local in self._local_names(module, names):
                    if local not in names:
                        names.add(local)
                        growing = True
        for module in modules:
            reading = self.reading(module)
            for name in sorted(names):
                for node in reading.names.get(name, ()):
                    if self.of(reading, node) == holder:
                        yield reading, node
                for one in reading.attributes.get(name, ()):
                    if isinstance(reading.type(one.value), Mod) and self.of(reading, one) == holder:
                        yield reading, one

    def _importers(self, holder: Global, names: set[str]) -> Iterator[Module]:
        last = holder.module.name.rpartition(".")[2]
        yield holder.module
        for file in self.program.project.files:
            text = file.text or ""
            if file is holder.module.file or "import" not in text:
                continue
            if not any(name in text for name in names):
                continue
            near = last in text or holder.module.file.is_package or names != {holder.name}
            if near or re.search(r"from\s+\.+\w*\s+import", text):
                module = self.program.load(file)
                if module is not None:
                    yield module

    def _local_names(self, module: Module, names: set[str]) -> Iterator[str]:
        """Other names that a module gives to what it imports under one of these."""
        for function in module.functions:
            for local, bindings in function.facts.bindings.items():
                for binding in bindings:
                    recipe = binding.recipe
                    if binding.kind == "import" and recipe and recipe[0] == "from":
                        if recipe[3] in names and local != recipe[3]:
                            yield local

    def family(self, held: Held) -> list[Klass]:
        """The class that has an attribute, and all below it. Raises Refused where others may use it."""
        family = [held.klass, *self.evaluator.subclasses(held.klass)]
        if not held.name.startswith("_"):
            for klass in family:
                if None in self.evaluator.mro(klass):
                    raise Refused(
                        f"a base class of `{klass.name}`, which is not in the project, may use `{held.name}`"
                    )
        return family

    def _of_class(self, held: Held) -> Iterator[Place]:
        family = self.family(held)
        words = {k.facts.name for k in family}
        dotted = re.compile(rf"\.{held.name}\b")
        homes = {k.module.file.name for k in family}
        read = {m.file.name for m in self.program.loaded()}
        for file in self.workshop.saying(held.name):
            text = file.text or ""
            if file.name not in homes:
                if not dotted.search(text):
                    continue
                private = held.name.startswith("_") and file.name not in read
                if private and not any(word in text for word in words):
                    continue
            module = self.program.load(file)
            if module is None:
                continue
            if re.search(rf"(?:get|set|has|del)attr\([^()]*[\"']{held.name}[\"']", text):
                if file.name in homes or any(word in text for word in words):
                    raise Refused(f"`{held.name}` is asked for by name")
            reading = self.reading(module)
            for one in reading.attributes.get(held.name, ()):
                if self._means(reading, one, held, family, words):
                    yield reading, one
            if file.name in homes:
                for node in reading.names.get(held.name, ()):
                    if self.of(reading, node) == held:
                        yield reading, node

    def _means(
        self,
        reading: Reading,
        node: ast.Attribute,
        held: Held,
        family: list[Klass],
        words: set[str],
    ) -> bool:
        base = reading.type(node.value)
        if base is None:
            own = isinstance(node.value, ast.Name) and reading.scope(node).self_name
            if own and isinstance(node.value, ast.Name) and node.value.id == own:
                return False
            if any(word in (reading.module.file.text or "") for word in words):
                raise Refused(f"what `{ast.unparse(node)}` is could not be found")
            return False
        for one in members(base):
            if isinstance(one, Super):
                return True
            klass = _class_of(one)
            if klass is not None and (klass in family or held.klass in self.evaluator.mro(klass)):
                return True
            if klass is not None and klass in self.evaluator.mro(held.klass):
                return True
        return False


def _class_of(base: Type) -> Klass | None:
    found = [
        one.of if isinstance(one, Inst) else one.klass
        for one in members(base)
        if isinstance(one, (Inst, Cls))
    ]
    return found[0] if found and isinstance(found[0], Klass) else None
