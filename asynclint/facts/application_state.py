"""What `app.state.<name>` of Starlette and FastAPI holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynclint.facts.model import END, Place, Recipe
from asynclint.facts.program import Function, Module
from asynclint.facts.types import Type, union
from asynclint.project import SourceFile

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator

Value = tuple[Recipe, Function, Place]
"""What is put there, the function that does it, and where."""


class ApplicationState:
    """What the project puts into the state of its applications."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._types: dict[str, Type] = {}
        self._values: dict[str, dict[str, list[Value]]] = {}
        """By file and attribute."""
        self._files: list[SourceFile] | None = None

    def value(self, name: str) -> Type:
        """What `app.state.<name>` holds: what the project assigns, or its lifespan yields, under that name."""
        return self.evaluator.keep(self._types, name, lambda: self._value(name))

    def _value(self, name: str) -> Type:
        types: list[Type] = []
        for file in self._files_with_state():
            kept = self._values.get(file.name)
            if kept is None:
                if name not in (file.text or ""):
                    continue
                module = self.evaluator.program.load(file)
                kept = _values_put(module) if module is not None else {}
                self._values[file.name] = kept
            types += [
                self.evaluator.eval(value, function, at)
                for value, function, at in kept.get(name, ())
            ]
        return union(types)

    def _files_with_state(self) -> list[SourceFile]:
        """The files that may put something into the state of an application."""
        if self._files is None:
            self._files = [
                f
                for f in self.evaluator.program.project.files
                if f.text and ("state" in f.text or "lifespan" in f.text)
            ]
        return self._files


def _values_put(module: Module) -> dict[str, list[Value]]:
    """What a module assigns to `….state.<name>`, and what its lifespans yield as state, by name."""
    found: dict[str, list[Value]] = {}
    text = module.file.text or ""
    if "state" in text:
        for function in module.functions:
            for one in function.facts.attribute_bindings:
                if one.base and one.base[0] == "attr" and one.base[2] == "state":
                    value = (one.recipe, function, (one.line, one.col, one.block))
                    found.setdefault(one.attr, []).append(value)
    if "lifespan" in text:
        for function in module.functions:
            for recipe, line, block in function.facts.yields:
                if not recipe or recipe[0] != "dict":
                    continue
                for index, key in enumerate(recipe[1]):
                    if key and key[0] == "const" and key not in recipe[1][:index]:
                        value = (recipe[2][index], function, (line, END, block))
                        found.setdefault(key[1], []).append(value)
    return found
