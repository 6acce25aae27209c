"""What an expression is: the types of names, attributes and calls, as far as the code shows them.

Everything is computed on demand and kept. What cannot be resolved is `None`, unknown; cycles are unknown, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from asynclint.facts.annotations import annotation_type, as_instance
from asynclint.facts.application_state import ApplicationState
from asynclint.facts.attributes import attribute_type
from asynclint.facts.callers import Callers
from asynclint.facts.classes import find_member, find_subclasses, linearize
from asynclint.facts.containers import MAPPINGS, SEQUENCES, shallow
from asynclint.facts.contents import Contents
from asynclint.facts.decorators import (
    decorated,
)
from asynclint.facts.known_calls import argument_for, short_call, short_name
from asynclint.facts.model import Binding, CallSite, Parameter, Place, Recipe
from asynclint.facts.names import (
    find_bound_type,
    find_global,
    imported,
    is_fixed,
    module_value,
    name_type,
)
from asynclint.facts.narrowing import narrowed
from asynclint.facts.operations import (
    awaited_type,
    element_type,
    entered_type,
    item_type,
    subscript_type,
)
from asynclint.facts.parameters import find_parameter_type
from asynclint.facts.program import Function, Klass, Module, Program
from asynclint.facts.returns import call_function, find_return_type, passed_through
from asynclint.facts.type_texts import OF_RECEIVER, filled, read_type
from asynclint.facts.types import (
    NONE,
    Any_,
    Cls,
    Const,
    Coro,
    Func,
    Gen,
    Inst,
    Lib,
    LibManager,
    LibMethod,
    Part,
    Super,
    Taking,
    Threaded,
    Tup,
    Type,
    members,
    union,
)
from asynclint.facts.wrappers import find_wrapper_kind
from asynclint.knowledge import Knowledge
from asynclint.knowledge.model import Function as Known

K = TypeVar("K")
V = TypeVar("V")


UNASKED = object()
"""Stands where an answer will be."""
MAX_DEPTH = 120


CALLING = frozenset({"builtins.map", "builtins.filter", "signal.signal", "atexit.register"})
"""Library functions that call an argument, now or later, with which nothing else is wrong."""

CONSUMERS = frozenset(
    {
        "builtins.list",
        "builtins.set",
        "builtins.tuple",
        "builtins.sorted",
        "builtins.sum",
        "builtins.max",
        "builtins.min",
        "builtins.any",
        "builtins.all",
        "builtins.dict",
        "builtins.next",
        "builtins.frozenset",
    }
)
"""Builtins that run a generator handed to them."""

PLAIN_VALUES = {
    "builtins.str", "builtins.int", "builtins.float", "builtins.bool", "builtins.bytes", "builtins.len",
    "builtins.repr", "builtins.abs", "builtins.round", "builtins.format", "builtins.hash",
}  # fmt: skip


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
        self._params: dict[tuple[Function, str], Type] = {}
        self._type_texts: dict[str, tuple[Type, bool]] = {}
        self._wrappers: dict[Function, str] = {}
        self._subclasses: dict[Klass, list[Klass]] = {}
        self._mute: dict[str, bool] = {}
        self._only: dict[int, tuple[Known, bool]] = {}
        self._everywhere: dict[str, dict[Recipe, Type]] = defaultdict(dict)
        """By file: what calls of globals call."""
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
        handler = _RECIPES.get(recipe[0])
        if handler is None or self.depth > MAX_DEPTH:
            return None
        self.depth += 1
        try:
            # Half of all questions are about names.
            if handler is _R_NAME:
                return name_type(self, recipe[1], function, at)
            return handler(self, recipe, function, at)
        finally:
            self.depth -= 1

    def at_site(self, recipe: Recipe, site: CallSite, module: Module) -> Type:
        """The type of a part of a call site."""
        return self.eval(recipe, module.functions[site.function], (site.line, site.col, site.block))

    def r_name(self, recipe: Recipe, function: Function, at: Place) -> Type:
        return name_type(self, recipe[1], function, at)

    def r_attr(self, recipe: Recipe, function: Function, at: Place) -> Type:
        base = self.eval(recipe[1], function, at)
        result = attribute_type(self, base, recipe[2], function)
        if result is None and base is None:
            return None
        if isinstance(result, (Func, LibMethod)) and _replaced(recipe, function):
            return None
        return narrowed(self, recipe, result, function, at)

    def r_call(self, recipe: Recipe, function: Function, at: Place) -> Type:
        return self.call_type(function.module, recipe[1])

    def r_await(self, recipe: Recipe, function: Function, at: Place) -> Type:
        return awaited_type(self, self.eval(recipe[1], function, at))

    def r_sub(self, recipe: Recipe, function: Function, at: Place) -> Type:
        return subscript_type(self, self.eval(recipe[1], function, at), recipe[2], function, at)

    def r_any(self, recipe: Recipe, function: Function, at: Place) -> Type:
        parts = recipe[1]
        mode = recipe[2]
        if mode == "and":
            return self.eval(parts[-1], function, at)
        types = [self.eval(p, function, at) for p in parts]
        if any(t is None for t in types):
            # `client or Client()`, `Client() if client is None else client`: an unknown parameter stands for the
            # same kind of thing as its default.
            shown = [t for t, p in zip(types, parts, strict=False) if t is not None and t != NONE]
            unknown = [p for t, p in zip(types, parts, strict=False) if t is None]
            if shown and all(_stands_in(p, function, mode) for p in unknown):
                return union(shown)
            return None
        return union(types)

    def r_const(self, recipe: Recipe, function: Function, at: Place) -> Type:
        return Const(recipe[1])

    def r_display(self, recipe: Recipe, function: Function, at: Place) -> Type:
        items = recipe[2]
        if len(items) > 30 or any(i and i[0] == "star" for i in items):
            return Inst(f"builtins.{recipe[1]}", (None,), True)
        types = tuple(shallow(self.eval(i, function, at)) for i in items)
        if recipe[1] == "tuple":
            return Tup(types)
        return Inst(f"builtins.{recipe[1]}", (union(list(types)) if types else None,), True)

    def r_dict(self, recipe: Recipe, function: Function, at: Place) -> Type:
        values = recipe[2]
        if not values or len(values) > 30 or None in recipe[1]:
            return Inst("builtins.dict", (None, None), True)
        return Inst(
            "builtins.dict",
            (None, shallow(union([self.eval(v, function, at) for v in values]))),
            True,
        )

    def r_comp(self, recipe: Recipe, function: Function, at: Place) -> Type:
        element = recipe[2]
        type_ = (
            self.eval(element, function, at)
            if element and element[0] in ("call", "await")
            else None
        )
        type_ = shallow(type_)
        if recipe[1] == "generator":
            return Gen(type_, False)
        if recipe[1] == "dict":
            return Inst("builtins.dict", (None, type_), True)
        return Inst(f"builtins.{recipe[1]}", (type_,), True)

    def r_lambda(self, recipe: Recipe, function: Function, at: Place) -> Type:
        return Func(function.module.functions[recipe[1]])

    def r_def(self, recipe: Recipe, function: Function, at: Place) -> Type:
        return self.function_value(function.module.functions[recipe[1]])

    def r_class(self, recipe: Recipe, function: Function, at: Place) -> Type:
        return Cls(function.module.klasses[recipe[1]])

    def r_import(self, recipe: Recipe, function: Function, at: Place) -> Type:
        return module_value(self, recipe[1], function.module)

    def r_from(self, recipe: Recipe, function: Function, at: Place) -> Type:
        return imported(self, function.module, recipe[1], recipe[2], recipe[3])

    def r_enter(self, recipe: Recipe, function: Function, at: Place) -> Type:
        return entered_type(self, self.eval(recipe[1], function, at), recipe[2])

    def r_iter(self, recipe: Recipe, function: Function, at: Place) -> Type:
        return element_type(self, self.eval(recipe[1], function, at))

    def r_item(self, recipe: Recipe, function: Function, at: Place) -> Type:
        return item_type(self.eval(recipe[1], function, at), recipe[2])

    def r_bool(self, recipe: Recipe, function: Function, at: Place) -> Type:
        return Inst("builtins.bool")

    def r_str(self, recipe: Recipe, function: Function, at: Place) -> Type:
        return Inst("builtins.str")

    def r_binop(self, recipe: Recipe, function: Function, at: Place) -> Type:
        left = self.eval(recipe[1], function, at)
        if isinstance(left, Inst) and isinstance(left.of, str) and left.of.endswith("Path"):
            return left
        if isinstance(left, Const) and isinstance(left.value, (str, int, float)):
            return Inst(f"builtins.{type(left.value).__name__}")
        right = self.eval(recipe[2], function, at)
        for operand, method in ((left, "__or__"), (right, "__ror__")):
            if isinstance(operand, Inst) and isinstance(operand.of, str):
                known = self.known.method(operand.of, method)
                if known is not None and known.returns:
                    return self.parse_type(known.returns, operand)
        return None

    # -- names ------------------------------------------------------------------------------------

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

    # -- parameters and annotations -----------------------------------------------------------------

    def parameter_type(self, function: Function, parameter: Parameter) -> Type:
        """The type of a parameter: self, annotation, injected dependency."""
        return self.keep(
            self._params,
            (function, parameter.name),
            lambda: find_parameter_type(self, function, parameter),
        )

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
            return self._call_lib(callee.path, site, module)
        if isinstance(callee, LibMethod):
            if (
                callee.name == "run_in_executor"
                or callee.known.spawns is not None
                or callee.known.offloads is not None
            ):
                special = self._runs_argument(callee.known, site, module)
                if special is not None:
                    return special
            return self._call_known(
                callee.known,
                site,
                module,
                callee.receiver,
                f"{short_name(callee.cls)}.{callee.name}",
            )
        if isinstance(callee, Part):
            return self.call(callee.of, site, module)
        if isinstance(callee, Taking):
            return callee.of
        if isinstance(callee, Threaded):
            return Coro(self.result_of(callee.of, module), callee.name)
        if isinstance(callee, Inst) and isinstance(callee.of, str):
            known = self.known.method(callee.of, "__call__")
            if known is None:
                return None
            return self._call_known(known, site, module, callee, f"{short_name(callee.of)}()")
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

    def is_mute(self, callee: Type, site: CallSite) -> bool:
        """Whether a call gives a value at most, and nothing else is known of it: `len`, `logging.info`, `response.json`."""
        if isinstance(callee, LibMethod):
            return self._is_plain_call(site) and self._only_returns(callee.known)
        if not isinstance(callee, Lib):
            return False
        path = callee.path
        found = self._mute.get(path)
        if found is None:
            cls = self.known.cls(path)
            found = self._mute[path] = (
                path not in _SPECIAL
                and path not in CONSUMERS
                and self.known.function(path) is None
                and (
                    cls is None
                    or not (cls.construct or cls.client or cls.bounds or cls.lock == "async")
                )
            )
        if found or path in CALLING or path in _SPECIAL or path in CONSUMERS:
            return found
        known = self.known.function(path)
        return known is not None and self._is_plain_call(site) and self._only_returns(known)

    def _is_plain_call(self, site: CallSite) -> bool:
        """Not one that stands where a function may belong: `to_thread(read())`."""
        return site.kind == "call" and site.role[0] != "arg"

    def _only_returns(self, known: Known) -> bool:
        found = self._only.get(id(known))
        if found is None or found[0] is not known:
            found = self._only[id(known)] = known, known.only_returns
        return found[1]

    def _call_lib(self, path: str, site: CallSite | None, module: Module) -> Type:
        special = _SPECIAL.get(path)
        if special is not None:
            return special(self, path, site, module)
        if path in PLAIN_VALUES:
            return Inst(path if path != "builtins.len" else "builtins.int")
        cls = self.known.cls(path)
        if cls is not None:
            if cls.construct is not None and cls.construct.returns_if:
                other = self._returned_if(cls.construct, site)
                if other is not None:
                    return self.parse_type(other)
            return Inst(path, exact=True)
        known = self.known.function(path)
        if known is not None:
            if site is not None and (known.spawns is not None or known.offloads is not None):
                special_type = self._runs_argument(known, site, module)
                if special_type is not None:
                    return special_type
            return self._call_known(known, site, module, None, short_call(path))
        if path in SEQUENCES or path in MAPPINGS:
            return Inst(path, (None, None))
        if path.endswith("Stub") and "_pb2_grpc." in path and site is not None and site.args:
            return self._foreign_stub(self.at_site(site.args[0][0], site, module))
        return None

    def _foreign_stub(self, channel: Type) -> Type:
        """A stub that grpc generated, of a module that is not there: what its methods are, the channel tells."""
        of = channel.of if isinstance(channel, Inst) else None
        return Inst(f"{of}.Stub") if of in ("grpc.Channel", "grpc.aio.Channel") else None

    def _runs_argument(self, known: Known, site: CallSite | None, module: Module) -> Type:
        """The result of handing a function or coroutine on: `to_thread(f)`, `create_task(f())`."""
        if site is None:
            return None
        if known.offloads is not None:
            target = self.at_site(argument_for(site, known, known.offloads), site, module)
            result = self.result_of(target, module)
            if known.coroutine:
                return Coro(result, short_call(known.name))
            if known.returns is None:
                return None
            declared = self.parse_type(known.returns)
            return Inst(declared.of, (result,)) if isinstance(declared, Inst) else declared
        assert known.spawns is not None
        if known.spawns_call or known.returns is None:
            return self.parse_type(known.returns)
        argument = self.at_site(argument_for(site, known, known.spawns), site, module)
        declared = self.parse_type(known.returns)
        if isinstance(declared, Inst):
            return Inst(declared.of, (awaited_type(self, argument),))
        return declared

    def _call_known(
        self, known: Known, site: CallSite | None, module: Module, receiver: Type, name: str
    ) -> Type:
        returns = self._returned_if(known, site) or known.returns
        result = self.parse_type(returns, receiver)
        if known.returns_param is not None and site is not None:
            result = self.at_site(argument_for(site, known, known.returns_param), site, module)
            if known.coroutine:
                result = awaited_type(self, result)
        if known.makes_async and site is not None:
            target = self.at_site(argument_for(site, known, 0), site, module)
            return Threaded(target, recipe_text(argument_for(site, known, 0)))
        if known.coroutine:
            return Coro(
                result,
                name,
                enters=known.enters == "async",
                iterates=self._iterates(result),
                eager=known.gathers,
                answers=known.name.endswith(".__call__"),
            )
        if known.enters is not None:
            return LibManager(result, known.enters == "async", known)
        return result

    def _returned_if(self, known: Known, site: CallSite | None) -> str | None:
        """The type of the result in the case that an argument makes: a literal, or a name (`class_=AsyncSession`)."""
        found = None
        if site is None:
            return None
        for param, literal, type_text in known.returns_if:
            argument = argument_for(site, known, param)
            if argument and argument[0] in ("const", "name", "attr"):
                if str(argument[-1]) == literal:
                    found = type_text
        return found

    def _iterates(self, type_: Type) -> bool:
        if isinstance(type_, Gen):
            return type_.is_async
        if isinstance(type_, Inst) and isinstance(type_.of, str):
            cls = self.known.cls(type_.of)
            return cls is not None and cls.yields is not None
        return False

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
        """What a project decorator makes of a function: transparent, async, thread, factory:<kind> or unknown.

        `coroutines` keeps what a coroutine function is, and does something else with plain ones.
        """
        kind: str = self.keep(
            self._wrappers, function, lambda: find_wrapper_kind(self, function, 0), "unknown"
        )
        return kind


def _replaced(recipe: Recipe, function: Function) -> bool:
    """Whether a method is assigned anew on the object that it is read from, here or in the module: `crawler.run = traced`."""
    scopes = (function, function.module.functions[0])
    return any(
        one.attr == recipe[2] and one.base == recipe[1]
        for scope in scopes
        for one in scope.facts.attribute_bindings
    )


def _stands_in(recipe: Recipe, function: Function, mode: str) -> bool:
    """Whether a value is a parameter for which another one is taken where it is not given."""
    if not recipe or recipe[0] != "name" or recipe[1] not in function.parameters:
        return False
    return mode == "or" or function.parameters[recipe[1]].default == ("const", None)


def recipe_text(recipe: Recipe) -> str:
    """A callable as messages name it."""
    if recipe and recipe[0] == "name":
        return str(recipe[1])
    if recipe and recipe[0] == "attr":
        return str(recipe[2])
    return "function"


_R_NAME = Evaluator.r_name
_RECIPES: dict[str, Callable[[Any, Recipe, Function, Place], Type]] = {
    "name": Evaluator.r_name,
    "attr": Evaluator.r_attr,
    "call": Evaluator.r_call,
    "await": Evaluator.r_await,
    "sub": Evaluator.r_sub,
    "any": Evaluator.r_any,
    "const": Evaluator.r_const,
    "display": Evaluator.r_display,
    "dict": Evaluator.r_dict,
    "comp": Evaluator.r_comp,
    "lambda": Evaluator.r_lambda,
    "def": Evaluator.r_def,
    "class": Evaluator.r_class,
    "import": Evaluator.r_import,
    "from": Evaluator.r_from,
    "enter": Evaluator.r_enter,
    "iter": Evaluator.r_iter,
    "item": Evaluator.r_item,
    "cmp": Evaluator.r_bool,
    "not": Evaluator.r_bool,
    "str": Evaluator.r_str,
    "binop": Evaluator.r_binop,
}

Special = Callable[[Evaluator, str, "CallSite | None", Module], Type]


def _first(evaluator: Evaluator, site: CallSite | None, module: Module, index: int = 0) -> Type:
    if site is None or len(site.args) <= index or site.args[index][1] is not None:
        return None
    return evaluator.at_site(site.args[index][0], site, module)


def _super(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    if site is None:
        return None
    method = module.functions[site.function].method_around()
    if method is None or method.klass is None:
        return None
    return Super(method.klass, method.klass)


def _type(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    value = _first(e, site, module)
    if isinstance(value, Inst):
        return Cls(value.of) if isinstance(value.of, Klass) else Lib(value.of)
    return None


def _getattr(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    if site is None or len(site.args) < 2 or not site.args[1][0] or site.args[1][0][0] != "const":
        return None
    name = site.args[1][0][1]
    function = module.functions[site.function]
    return (
        attribute_type(e, _first(e, site, module), name, function)
        if isinstance(name, str)
        else None
    )


def _partial(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    value = _first(e, site, module)
    return Part(value, site) if value is not None else None


def _cast(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    if site is None or len(site.args) != 2:
        return None
    function = module.functions[site.function]
    target = site.args[0][0]
    if target and target[0] == "const" and isinstance(target[1], str):
        target = ("name", target[1]) if target[1].isidentifier() else None
    return annotation_type(e, target, function)


def _same(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    return _first(e, site, module)


def _sequence(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    kind = (
        path
        if path in ("builtins.set", "builtins.tuple", "builtins.frozenset")
        else "builtins.list"
    )
    return Inst(kind, (element_type(e, _first(e, site, module)),), True)


def _iterator(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    return Gen(element_type(e, _first(e, site, module)), False)


def _enumerate(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    return Gen(Tup((Inst("builtins.int"), element_type(e, _first(e, site, module)))), False)


def _zip(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    if site is None:
        return None
    items = tuple(
        element_type(e, e.at_site(r, site, module)) if not (r and r[0] == "star") else None
        for r, k in site.args
        if k is None
    )
    return Gen(Tup(items), False)


def _next(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    return element_type(e, _first(e, site, module))


def _anext(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    return Coro(element_type(e, _first(e, site, module)), "anext")


def _wait_for(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    return Coro(awaited_type(e, _first(e, site, module)), short_call(path))


def _shield(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    """What is shielded runs already, but for a coroutine, which is made a task."""
    value = _first(e, site, module)
    if any(isinstance(m, Coro) for m in members(value)):
        return Coro(awaited_type(e, value), short_call(path))
    return value


def _gather(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    result: Type = Inst("builtins.list", (None,))
    if site is not None:
        positional = [r for r, k in site.args if k is None]
        if (
            positional
            and not any(r and r[0] == "star" for r in positional)
            and len(positional) <= 12
        ):
            result = Tup(tuple(awaited_type(e, e.at_site(r, site, module)) for r in positional))
        elif len(positional) == 1 and positional[0]:
            values = element_type(e, e.at_site(positional[0][1], site, module))
            result = Inst("builtins.list", (awaited_type(e, values),))
    return Coro(result, "asyncio.gather", eager=True)


def _map(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    value = _first(e, site, module)
    return Gen(e.result_of(value, module), False, _applied(value))


def _filter(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    return Gen(
        element_type(e, _first(e, site, module, 1)), False, _applied(_first(e, site, module))
    )


def _applied(value: Type) -> Function | None:
    """The plain function of the project that runs at each step of `map` and `filter`."""
    if isinstance(value, Part):
        value = value.of
    if not isinstance(value, Func) or value.function.is_async or value.function.facts.generator:
        return None
    return value.function


def _dict(e: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    return Inst("builtins.dict", (None, None), True)


_SPECIAL: dict[str, Special] = {
    "builtins.super": _super,
    "builtins.type": _type,
    "builtins.getattr": _getattr,
    "functools.partial": _partial,
    "functools.partialmethod": _partial,
    "typing.cast": _cast,
    "copy.copy": _same,
    "copy.deepcopy": _same,
    "builtins.list": _sequence,
    "builtins.set": _sequence,
    "builtins.tuple": _sequence,
    "builtins.frozenset": _sequence,
    "builtins.sorted": _sequence,
    "builtins.iter": _iterator,
    "builtins.aiter": _same,
    "builtins.reversed": _iterator,
    "builtins.filter": _filter,
    "itertools.islice": _iterator,
    "builtins.enumerate": _enumerate,
    "builtins.zip": _zip,
    "builtins.next": _next,
    "builtins.anext": _anext,
    "builtins.map": _map,
    "builtins.dict": _dict,
    "asyncio.wait_for": _wait_for,
    "asyncio.shield": _shield,
    "asyncio.gather": _gather,
}
