"""What is in a container that begins empty: what the code that has its name puts into it, where that is all of one kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.facts.model import Binding, Place, Recipe
from asynclint.facts.program import Function
from asynclint.facts.types import Inst, Type, agreed

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator

EMPTY = frozenset({"dict", "list", "set", "deque", "OrderedDict", "WeakValueDictionary"})
"""Constructors that, called with nothing, give an empty container."""

MAPPINGS = frozenset({"builtins.dict", "collections.OrderedDict", "weakref.WeakValueDictionary"})
ROWS = frozenset({"builtins.list", "builtins.set", "collections.deque"})

PUTS = {"append": 0, "appendleft": 0, "add": 0, "insert": 1, "setdefault": 1}
"""Methods that put an argument into a container."""
POURS = frozenset({"update", "extend", "extendleft", "__setitem__"})
"""Methods that put in what is not to be seen there."""


def is_open(value: Type) -> bool:
    """Whether a value is a container of which nothing says what it holds."""
    return (
        isinstance(value, Inst)
        and (value.of in MAPPINGS or value.of in ROWS)
        and all(one is None for one in value.args)
    )


class Contents:
    """The objects in the project's own containers."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator

    def of_name(self, scope: Function, binding: Binding, value: Type) -> Type:
        """A container that a name of a function or a module is bound to, with what is put into it."""
        if not isinstance(value, Inst) or not self._is_empty(binding.recipe, scope):
            return value
        bindings = scope.facts.bindings
        name = next((n for n, some in bindings.items() if any(b is binding for b in some)), None)
        if name is None or len(bindings[name]) > 1 or name in scope.facts.nonlocals:
            return value
        users = [f for f in scope.module.functions if self._sees(f, scope, name)]
        return self._holding(value, users, ("name", name))

    def of_attribute(self, function: Function, recipe: Recipe, name: str, value: Type) -> Type:
        """A container that a method keeps in an attribute of its object, with what the object's methods put into it."""
        method = function.method_around()
        klass = method.klass if method is not None else None
        if method is None or klass is None or not isinstance(value, Inst):
            return value
        if len(klass.self_attributes()[name]) > 1 or not self._is_empty(recipe, function):
            return value
        users = [
            one
            for one in klass.module.functions
            if (around := one.method_around()) is not None and around.klass is klass
        ]
        return self._holding(value, users, ("attr", ("name", method.self_name), name))

    def _sees(self, function: Function, scope: Function, name: str) -> bool:
        """Whether a name in a function is that of an enclosing one."""
        current: Function | None = function
        while current is not None and current is not scope:
            facts = current.facts
            if name in current.parameters or (
                name in facts.bindings and name not in facts.globals and name not in facts.nonlocals
            ):
                return False
            current = current.parent
        return current is scope

    def _is_empty(self, recipe: Recipe, function: Function) -> bool:
        if not recipe:
            return False
        if recipe[0] == "dict":
            return not recipe[2] and not recipe[1]
        if recipe[0] == "display":
            return not recipe[2]
        if recipe[0] != "call":
            return False
        site = function.module.site(recipe[1])
        return bool(site.callee) and not site.args and site.callee[-1] in EMPTY

    def _holding(self, container: Inst, users: list[Function], base: Recipe) -> Type:
        """The container, where all that is put into it is known and the same."""
        element = agreed(
            self.evaluator.eval(recipe, function, at)
            for function in users
            for recipe, at in self._uses(function, base)
        )
        if element is None:
            return container
        mapping = container.of in MAPPINGS
        return Inst(container.of, (None, element) if mapping else (element,), container.exact)

    def _uses(self, function: Function, base: Recipe) -> Iterator[tuple[Recipe, Place]]:
        """What a function puts into a container, and where; None for what cannot be seen there."""
        for binding in function.facts.attribute_bindings:
            if binding.attr == "[]" and binding.base == base:
                yield binding.recipe, (binding.line, binding.col, binding.block)
        for site in function.sites:
            callee = site.callee
            if site.kind != "call" or not callee or callee[0] != "attr" or callee[1] != base:
                continue
            at = (site.line, site.col, site.block)
            if callee[2] in POURS:
                yield None, at
            elif callee[2] in PUTS:
                index = PUTS[callee[2]]
                given = [recipe for recipe, keyword in site.args if keyword is None]
                yield (given[index] if index < len(given) else None), at
