"""Attributes that something fills, and those which are only what a caller gave, if it gave anything."""

from __future__ import annotations

from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import Binding
from asynclint.facts.program import Function, Klass


class Filling:
    """What the project's code puts into the attributes of its objects."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._filled: dict[tuple[Klass, str], bool] = {}
        self._outside: set[str] | None = None

    def filled(self, function: Function, name: str) -> bool:
        """Whether anything but a caller's argument may ever be in an attribute of the object whose method this is."""
        method = function.method_around()
        klass = method.klass if method is not None else None
        if klass is None:
            return True
        key = (klass, name)
        if key not in self._filled:
            self._filled[key] = self._is_filled(klass, name)
        return self._filled[key]

    def _is_filled(self, klass: Klass, name: str) -> bool:
        order = self.evaluator.mro(klass)
        if None in order or name in self._set_from_outside():
            return True
        family = [one for one in order if isinstance(one, Klass)]
        family += self.evaluator.subclasses(klass)
        return any(self._fills(one, name) for one in family)

    def _fills(self, klass: Klass, name: str) -> bool:
        if "setattr" in (klass.module.file.text or ""):
            return True
        if any(_is_value(binding) for binding in klass.body.facts.bindings.get(name, ())):
            return True
        for function, binding in klass.self_attributes().get(name, ()):
            recipe = binding.recipe
            if recipe == ("const", None):
                continue
            given = recipe and recipe[0] == "name" and recipe[1] in function.parameters
            if not given or recipe[1] in function.facts.bindings:
                return True
        return False

    def _set_from_outside(self) -> set[str]:
        """The attributes that code sets of objects which are not its own."""
        found = self._outside
        if found is None:
            found = self._outside = set()
            for module in self.evaluator.program.loaded():
                for function in module.functions:
                    bindings = function.facts.attribute_bindings
                    method = function.method_around() if bindings else None
                    own = ("name", method.self_name) if method is not None else None
                    found.update(b.attr for b in bindings if b.base != own)
        return found


def _is_value(binding: Binding) -> bool:
    """Whether a class body gives an attribute more than a type and nothing."""
    return binding.kind != "ann" and binding.recipe not in (None, ("const", None))
