"""What an expression is: the types of names, attributes and calls, as far as the code shows them.

Everything is computed on demand and kept. What cannot be resolved is `None`, unknown; cycles are unknown, too.
Here is what is asked and what is kept; how an answer is found stands in the module of its subject: `expressions`, `names`,
`parameters`, `annotations`, `attributes`, `classes`, `decorators`, `returns`, `library_calls`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from asynclint.facts.annotations import CALLABLES, as_instance
from asynclint.facts.application_state import ApplicationState
from asynclint.facts.attributes import attribute_type
from asynclint.facts.callers import Callers
from asynclint.facts.classes import find_member, find_subclasses, linearize
from asynclint.facts.contents import Contents
from asynclint.facts.decorators import decorated
from asynclint.facts.expressions import RECIPES
from asynclint.facts.known_calls import short_name
from asynclint.facts.library_calls import call_known, call_library, runs_argument
from asynclint.facts.model import AttributeBinding, Binding, CallSite, Parameter, Place, Recipe
from asynclint.facts.mute import Mute
from asynclint.facts.names import find_bound_type, find_global, is_fixed, name_type
from asynclint.facts.operations import kept_type
from asynclint.facts.parameters import find_parameter_type
from asynclint.facts.program import Function, Klass, Module, Program
from asynclint.facts.returns import call_function, find_return_type, passed_through
from asynclint.facts.set_outside import of_module
from asynclint.facts.type_texts import OF_RECEIVER, filled, read_type
from asynclint.facts.types import (
    NONE,
    Any_,
    Cls,
    Coro,
    Func,
    Inst,
    Lib,
    LibMethod,
    Part,
    Taking,
    Threaded,
    Type,
    members,
    union,
)
from asynclint.facts.wrappers import find_wrapper_kind
from asynclint.knowledge import Knowledge

K = TypeVar("K")
V = TypeVar("V")

UNASKED = object()
"""Stands where an answer will be."""
MAX_DEPTH = 120
"""Questions within one another."""


class Evaluator:
    """Types of expressions over one program."""

    def __init__(self, program: Program, knowledge: Knowledge, trusting: bool = True) -> None:
        """`trusting` says whether what the project's own calls hand to a parameter, and what its code puts into a container,
        is taken for all that ever is there.
        """
        self.program = program
        self.known = knowledge
        self.depth = 0
        self._calls: dict[int, Type] = {}
        self._active: set[Any] = set()
        self._bindings: dict[int, Type] = {}
        self._callees: dict[Module, list[Any]] = {}
        """By the index of the call site."""
        self._returns: dict[Function, Type] = {}
        self._values: dict[Function, Type] = {}
        self._members: dict[tuple[Klass, str], tuple[Type, Klass | str | None]] = {}
        self._mro: dict[Klass, tuple[Klass | str | None, ...]] = {}
        self._globals: dict[tuple[str, str], Type] = {}
        self._set_outside: dict[tuple[str, str], Type] = {}
        self.set_by_name: dict[str, list[tuple[Function, AttributeBinding]]] = {}
        """By attribute: where it is set of what is not `self`, as far as that was asked."""
        self._params: dict[tuple[Function, str], Type] = {}
        self._type_texts: dict[str, tuple[Type, bool]] = {}
        self._wrappers: dict[Function, str] = {}
        self._subclasses: dict[Klass, list[Klass]] = {}
        self._everywhere: dict[str, dict[Recipe, Type]] = defaultdict(dict)
        """By file: what calls of globals call."""
        self.mute = Mute(knowledge)
        self.application_state = ApplicationState(self)
        self.callers = Callers(self) if trusting else None
        self.contents = Contents(self) if trusting else None

    # -- keeping answers --------------------------------------------------------------------------

    def keep(self, table: dict[K, V], key: K, compute: Callable[[], V], cut: V | None = None) -> V:
        """The kept answer for `key`; `cut` where the question depends on itself or goes too deep."""
        if key in table:
            return table[key]
        active = self._active
        mark = (id(table), key)
        if mark in active or self.depth > MAX_DEPTH:
            return cut  # type: ignore[return-value]
        active.add(mark)
        self.depth += 1
        try:
            table[key] = result = compute()
        finally:
            self.depth -= 1
            active.remove(mark)
        return result

    # -- expressions ------------------------------------------------------------------------------

    def eval(self, recipe: Recipe, function: Function, at: Place) -> Type:
        """The type of an expression in the body of `function`, read at `at`."""
        if recipe is None:
            return None
        handler = RECIPES.get(recipe[0])
        if handler is None or self.depth > MAX_DEPTH:
            return None
        self.depth += 1
        try:
            # Half of all questions are about names.
            if recipe[0] == "name":
                return name_type(self, recipe[1], function, at)
            return handler(self, recipe, function, at)
        finally:
            self.depth -= 1

    def at_site(self, recipe: Recipe, site: CallSite, module: Module) -> Type:
        """The type of a part of a call site."""
        return self.eval(recipe, module.functions[site.function], (site.line, site.col, site.block))

    # -- names and parameters -----------------------------------------------------------------------

    def bound_type(self, scope: Function, binding: Binding) -> Type:
        """The type of the value that one binding gives."""
        key = id(binding)
        if key in self._bindings:
            return self._bindings[key]
        return self.keep(self._bindings, key, lambda: find_bound_type(self, scope, binding))

    def global_name(self, name: str, module: Module) -> Type:
        """What a name means in a module once it has been imported."""
        key = (module.file.name, name)
        if key in self._globals:
            return self._globals[key]
        return self.keep(self._globals, key, lambda: find_global(self, name, module))

    def set_outside(self, name: str, module: Module) -> Type:
        """What other modules put into a global of a module."""
        key = (module.file.name, name)
        return self.keep(self._set_outside, key, lambda: of_module(self, module, name))

    def parameter_type(self, function: Function, parameter: Parameter) -> Type:
        """The type of a parameter: self, annotation, injected dependency."""
        return self.keep(
            self._params,
            (function, parameter.name),
            lambda: find_parameter_type(self, function, parameter),
        )

    # -- classes ------------------------------------------------------------------------------------

    def mro(self, klass: Klass) -> tuple[Klass | str | None, ...]:
        """The class and its bases in lookup order; library classes as paths, unknown bases as None."""
        result: tuple[Klass | str | None, ...] = self.keep(
            self._mro, klass, lambda: linearize(self, klass), (klass, None)
        )
        return result

    def member(self, klass: Klass, name: str) -> tuple[Type, Klass | str | None]:
        """What instances of a class have under a name, unbound, and the class that says so."""
        key = (klass, name)
        if key in self._members:
            return self._members[key]
        result: tuple[Type, Klass | str | None] = self.keep(
            self._members, key, lambda: find_member(self, klass, name), (None, None)
        )
        return result

    def subclasses(self, klass: Klass) -> list[Klass]:
        """All project classes below a class, in file order."""
        result: list[Klass] = self.keep(
            self._subclasses, klass, lambda: find_subclasses(self, klass), []
        )
        return result

    # -- types of the knowledge tables ----------------------------------------------------------------

    def parse_type(self, text: str | None, receiver: Type = None) -> Type:
        """A type expression of the knowledge tables, in which `Self` is the receiver and `T` its type argument."""
        if text is None:
            return None
        if text == "Self":
            return as_instance(self, receiver) if isinstance(receiver, (Cls, Lib)) else receiver
        if text not in self._type_texts:
            self._type_texts[text] = read_type(text), OF_RECEIVER.search(text) is not None
        parsed, varies = self._type_texts[text]
        return filled(self, parsed, receiver) if varies else parsed

    # -- calls --------------------------------------------------------------------------------------

    def call_type(self, module: Module, index: int) -> Type:
        """The type of the result of a call site."""
        site = module.site(index)
        key = id(site)
        if key in self._calls:
            return self._calls[key]
        return self.keep(self._calls, key, lambda: self._call_type(module, site))

    def callee(self, module: Module, site: CallSite) -> Type:
        """What a call site calls, enters, iterates or reads."""
        known = self._callees.get(module)
        if known is None:
            known = self._callees[module] = [UNASKED] * len(module.facts.calls)
        answer: Any = known[site.index]
        if answer is not UNASKED:
            value: Type = answer
            return value
        if self._active:
            # Inside another question the answer may be cut short by a cycle.
            return self.at_site(site.callee, site, module)
        recipe = site.callee
        if not is_fixed(recipe, module.functions[site.function]):
            value = self.at_site(recipe, site, module)
        else:
            everywhere = self._everywhere[module.file.name]
            if recipe in everywhere:
                value = everywhere[recipe]
            else:
                value = everywhere[recipe] = self.at_site(recipe, site, module)
        known[site.index] = value
        return value

    def _call_type(self, module: Module, site: CallSite) -> Type:
        callee = self.callee(module, site)
        if callee is None:
            return None
        results = [self.call(m, site, module) for m in members(callee)]
        if NONE in results and any(isinstance(r, Coro) for r in results):
            # One of several callees returns nothing, another a coroutine.
            return None
        return union(results)

    def call(self, callee: Type, site: CallSite | None, module: Module) -> Type:
        """The type of the result of calling a value."""
        if isinstance(callee, Func):
            passed = passed_through(self, callee, site, module)
            if passed is not None:
                return passed
            return call_function(self, callee.function, callee.bound)
        if isinstance(callee, Cls):
            return Inst(callee.klass, exact=True)
        if isinstance(callee, Lib):
            return call_library(self, callee.path, site, module)
        if isinstance(callee, LibMethod):
            if (
                callee.name == "run_in_executor"
                or callee.known.spawns is not None
                or callee.known.offloads is not None
            ):
                special = runs_argument(self, callee.known, site, module)
                if special is not None:
                    return special
            return call_known(
                self,
                callee.known,
                site,
                module,
                callee.receiver,
                f"{short_name(callee.cls)}.{callee.name}",
            )
        if isinstance(callee, Part):
            return self.call(callee.of, site, module)
        if isinstance(callee, Taking):
            if callee.by_key:
                return kept_type(self, callee.of, site.args[0][0]) if site and site.args else None
            return callee.of
        if isinstance(callee, Threaded):
            return Coro(self.result_of(callee.of, module), callee.name)
        if isinstance(callee, Inst) and isinstance(callee.of, str):
            if callee.of in CALLABLES and len(callee.args) == 2:
                return callee.args[1]
            known = self.known.method(callee.of, "__call__")
            if known is None:
                return None
            return call_known(self, known, site, module, callee, f"{short_name(callee.of)}()")
        if isinstance(callee, Inst) and isinstance(callee.of, Klass):
            method = attribute_type(self, callee, "__call__", None)
            return self.call(method, site, module) if isinstance(method, Func) else None
        if isinstance(callee, Any_):
            return union([self.call(m, site, module) for m in callee.members])
        return None

    def result_of(self, callee: Type, module: Module) -> Type:
        """What calling a callable without looking at arguments gives."""
        if callee is None:
            return None
        return union([self.call(m, None, module) for m in members(callee)])

    def return_type(self, function: Function) -> Type:
        """What a function returns; for a coroutine function, what awaiting gives."""
        return self.keep(self._returns, function, lambda: find_return_type(self, function))

    # -- decorators ---------------------------------------------------------------------------------

    def function_value(self, function: Function) -> Type:
        """A function as its name gives it: with its decorators applied."""
        if not function.facts.decorators:
            return Func(function)
        return self.keep(self._values, function, lambda: decorated(self, function), Func(function))

    def wrapper_kind(self, function: Function) -> str:
        """What a project decorator makes of a function: transparent, async, thread, factory:<kind>, either:<kind> or unknown.

        `coroutines` keeps what a coroutine function is, and does something else with plain ones.
        """
        kind: str = self.keep(
            self._wrappers, function, lambda: find_wrapper_kind(self, function, 0), "unknown"
        )
        return kind
