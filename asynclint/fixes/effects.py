"""What a function changes that others see: attributes of objects it did not make, globals, what is in containers.

Each effect is told as the function's caller sees it: of its object, of what it was given, or of the whole program. What a function
makes itself and changes is its own business, and so is what it changes under a lock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from asynclint.facts.decorators import decorator_paths
from asynclint.facts.graph import SYNC, Edge, argument_of
from asynclint.facts.model import Binding, CallSite, Recipe
from asynclint.facts.program import Function, Module, recipe_name
from asynclint.facts.types import Func, Inst, LibMethod, Mod, Taking, Type, members
from asynclint.fixes.place import Workshop

OBJECT, GIVEN, ALL = "object", "given", "all"
"""Whose a changed thing is: the function's object's, an argument's, or everybody's."""

CHANGES = frozenset(
    {
        "append",
        "appendleft",
        "add",
        "clear",
        "discard",
        "extend",
        "insert",
        "pop",
        "popitem",
        "popleft",
        "remove",
        "reverse",
        "setdefault",
        "sort",
        "update",
        "move_to_end",
        "difference_update",
        "intersection_update",
    }
)
"""Methods of containers that change them."""

PARTS = frozenset({"get", "setdefault", "items", "keys", "values"})
"""Methods of containers that give what is kept in them."""

CONTAINERS = ("builtins.", "collections.", "typing.")

ENVIRONMENT = ("os.environ", "environ")
"""What is set there once stays; setting and taking it away is asked about in `sight`."""

LOCKS = frozenset({"threading.Lock", "threading.RLock", "asyncio.Lock"})
LOCK = re.compile(r"(?<![bc])lock|mutex|semaphore", re.IGNORECASE)

NAME = re.compile(r"\w+")

REACH = 200
"""Functions looked at below a call."""

IMPORTS = 5
"""Modules through which a name may be imported."""

MAKING = frozenset({"__init__", "__post_init__", "__new__", "__set_name__", "__init_subclass__"})


@dataclass(frozen=True, slots=True)
class Root:
    """Where a thing comes from that a function works with, but did not make."""

    whose: str
    name: str = ""
    """Of the parameter, or of the global."""
    home: str = ""
    """The scope of a name that stands for the same thing in several functions: a module, or a function around others."""


OWN: frozenset[Root] = frozenset()
"""Of what a function makes itself."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that is changed."""

    root: Root
    text: str
    """As its function writes it: "self.jobs", "STATE"."""
    by: Function
    replaced: bool = False
    """An attribute gets another value, at once, in a function that does not ask for the old one."""


IN = "::"
"""Stands between a scope and a name in it."""


def scope_name(function: Function) -> str:
    """A function as the scope of names."""
    return f"{function.module.file.name}:{function.facts.qualname}"


def shown(key: str) -> str:
    """A key as its function writes it."""
    return key.rpartition(IN)[2]


def in_order(effects: Iterable[Effect]) -> list[Effect]:
    """By the names of who makes them, and of what they change."""
    return sorted(effects, key=lambda one: (one.by.name, one.text))


def half_done(effects: Iterable[Effect]) -> list[Effect]:
    """Those that others could meet in their midst, in order; none where one attribute alone gets another value at once."""
    found = in_order(set(effects))
    return [] if len(found) == 1 and found[0].replaced else found


class Effects:
    """Asked again and again for functions of one program."""

    def __init__(self, workshop: Workshop, locks: bool = True) -> None:
        """Without `locks`, what is changed under a lock is told, too."""
        self.locks = locks
        self.graph = workshop.facts.graph
        self.evaluator = workshop.facts.graph.evaluator
        self._own: dict[Function, tuple[Effect, ...]] = {}
        self._all: dict[Function, frozenset[Effect]] = {}
        self._locked: dict[Function, frozenset[int]] = {}
        self._names: dict[tuple[Function, str], frozenset[Root]] = {}
        self._homes: dict[tuple[Function, str], tuple[tuple[str, str] | None]] = {}
        self._imports: dict[Function, frozenset[Root]] = {}
        self._given_back: dict[Function, frozenset[Root]] = {}

    def of(self, function: Function) -> frozenset[Effect]:
        """What a function, and all that it calls in its own thread, change."""
        known = self._all.get(function)
        if known is None:
            known = self._all[function] = frozenset(self._found(function, set()))
        return known

    def across(self, caller: Function, site: CallSite, target: Function) -> Iterator[Effect]:
        """What a call changes, as its caller sees it; what the caller made itself is left out."""
        edge = next(
            (e for e in self.graph.out.get(caller, ()) if e.site is site and e.target is target),
            None,
        ) or Edge(caller, site, target, "call")
        for effect in self.of(target):
            yield from self._seen(effect, edge)

    def _found(self, function: Function, busy: set[Function]) -> Iterator[Effect]:
        if function in busy or len(busy) > REACH:
            return
        known = self._all.get(function)
        if known is not None:
            yield from known
            return
        busy.add(function)
        yield from self.own(function)
        for edge in self.graph.out.get(function, ()):
            if edge.how not in SYNC or self.is_locked(function, edge.site):
                continue
            for effect in self._found(edge.target, busy):
                yield from self._seen(effect, edge)

    def _seen(self, effect: Effect, edge: Edge) -> Iterator[Effect]:
        """An effect of a callee as its caller sees it."""
        if effect.root.whose == ALL:
            yield effect
            return
        if effect.root.whose == OBJECT:
            if edge.target.facts.name in MAKING:
                return
            given: Recipe = edge.site.callee
            if edge.how == "call":
                given = given[1] if given and given[0] == "attr" else None
        else:
            given = argument_of(edge, effect.root.name)
        for root in self.roots(edge.caller, given):
            yield Effect(root, effect.text, effect.by, effect.replaced)

    # -- one function -----------------------------------------------------------------------------

    def own(self, function: Function) -> tuple[Effect, ...]:
        """What a function changes itself."""
        found = self._own.get(function)
        if found is None:
            found = self._own[function] = tuple(self._changes(function))
        return found

    def _changes(self, function: Function) -> Iterator[Effect]:
        facts = function.facts
        for one in facts.attribute_bindings:
            if not self._in_lock(function, one.block):
                text = recipe_name(one.base)
                if text in ENVIRONMENT:
                    continue
                text = f"{text}[…]" if one.attr == "[]" else f"{text}.{one.attr}"
                plain = one.attr != "[]" and not _reads(function, ("attr", one.base, one.attr))
                for root in self.roots(function, one.base):
                    yield Effect(root, text, function, plain)
        for name in facts.globals:
            for binding in facts.bindings.get(name, ()):
                if binding.kind != "global" and not self._in_lock(function, binding.block):
                    yield Effect(Root(ALL, name), name, function)
        for site in function.sites:
            callee = site.callee
            if site.kind != "call" or not callee or callee[0] != "attr":
                continue
            if callee[2] not in CHANGES or self.is_locked(function, site):
                continue
            if self.is_containers(function, site):
                for root in self.roots(function, callee[1]):
                    yield Effect(root, recipe_name(callee[1]), function)

    def is_containers(self, function: Function, site: CallSite) -> bool:
        """Whether a method that is called is a container's, as far as is known."""
        return _of_container(tuple(members(self.evaluator.callee(function.module, site))))

    def is_locked(self, function: Function, site: CallSite) -> bool:
        """Whether a call is made under a lock."""
        return self._in_lock(function, site.block)

    def _in_lock(self, function: Function, block: int) -> bool:
        module = function.module
        if not self.locks:
            return False
        if any(
            one.kind in ("with", "awith") and LOCK.search(_text(function, one.info))
            for one in module.chain(block)
        ):
            return True
        known = self._locked.get(function)
        if known is None:
            known = self._locked[function] = frozenset(
                index
                for site in function.sites
                if site.kind == "with" and self.is_lock(function, site)
                for index in module.entered(site)
            )
        return any(module.inside(block, one) for one in known)

    def is_lock(self, function: Function, site: CallSite) -> bool:
        """Whether what a `with` statement enters is seen to be a lock."""
        found = self.evaluator.at_site(site.callee, site, function.module)
        return any(
            isinstance(m, Inst) and isinstance(m.of, str) and m.of in LOCKS for m in members(found)
        )

    # -- where things come from -------------------------------------------------------------------

    def roots(self, function: Function, recipe: Recipe) -> frozenset[Root]:
        """Whose a thing is; empty for what the function makes."""
        if not recipe:
            return OWN
        tag = recipe[0]
        if tag in ("attr", "sub", "star", "await", "item", "enter", "iter"):
            return self.roots(function, recipe[1])
        if tag == "any":
            return OWN.union(*(self.roots(function, one) for one in recipe[1]))
        if tag == "name":
            return self.named(function, str(recipe[1]))
        if tag == "call":
            return self._given(function, function.module.site(recipe[1]))
        return OWN

    def named(self, function: Function, name: str) -> frozenset[Root]:
        """Whose that is which a name stands for in a function."""
        known = self._names.get((function, name))
        if known is None:
            self._names[function, name] = OWN
            known = self._names[function, name] = self._looked_up(function, name)
        return known

    def _looked_up(self, function: Function, name: str) -> frozenset[Root]:
        facts = function.facts
        if name in facts.globals:
            return self._everybodys(function, name)
        if name == function.self_name and not self._is_static(function):
            # A class is everybody's.
            return frozenset({Root(ALL, name) if name == "cls" else Root(OBJECT)})
        if name in function.parameters and name not in facts.bindings:
            return frozenset({Root(GIVEN, name)})
        if name in facts.bindings and name not in facts.nonlocals:
            return OWN.union(*(self._bound(function, one) for one in facts.bindings[name]))
        outer = function.parent
        if outer is None or facts.kind == "module":
            return OWN
        if outer.facts.kind != "module":
            # What the function around was given is the same at each call of the one within.
            around = self.named(outer, name)
            return self._everybodys(function, name) if around else OWN
        return self._everybodys(function, name) if name in outer.facts.bindings else OWN

    def _everybodys(self, function: Function, name: str) -> frozenset[Root]:
        home, own = self.home(function, name) or ("", name)
        return frozenset({Root(ALL, own, home)})

    # -- one name for one thing -------------------------------------------------------------------

    def key(self, function: Function, text: str) -> str:
        """What a function names, in words that are the same in every function: a global stands behind its module's name."""
        name = _first(text)
        found = self.home(function, name)
        if found is not None:
            return f"{found[0]}{IN}{found[1]}{text[len(name) :]}"
        module = self._module(function, name)
        rest = text[len(name) + 1 :]
        if module is None or text[len(name) : len(name) + 1] != ".":
            return text
        found = self._global(module, _first(rest))
        return f"{found[0]}{IN}{found[1]}{rest[len(_first(rest)) :]}" if found else text

    def changed(self, effect: Effect) -> str:
        """The key of what an effect changes, where that is everybody's."""
        root, text = effect.root, effect.text.removesuffix("[…]")
        found = self.key(effect.by, text)
        if IN in found or not root.home:
            return found
        own = f"{effect.by.self_name}."
        return f"{root.home}{IN}{root.name}" + (
            text[len(own) - 1 :] if text.startswith(own) else ""
        )

    def home(self, function: Function, name: str) -> tuple[str, str] | None:
        """The scope of the variable that a name stands for, and its name there; None where it is the function's own, or no variable."""
        known = self._homes.get((function, name))
        if known is None:
            known = self._homes[function, name] = (self._home(function, name),)
        return known[0]

    def imported(self, function: Function) -> frozenset[Root]:
        """Other modules' variables that a function's module, or the function, imports."""
        known = self._imports.get(function)
        if known is None:
            bound = {
                one.recipe: None
                for scope in (function, function.module.body)
                for bindings in scope.facts.bindings.values()
                for one in bindings
                if one.kind == "import"
            }
            found = (self._imported(function.module, recipe) for recipe in bound)
            known = frozenset(Root(ALL, one[1], one[0]) for one in found if one is not None)
            self._imports[function] = known
        return known

    def _home(self, function: Function, name: str) -> tuple[str, str] | None:
        scope = _scope(function, name)
        if scope is None or scope.facts.kind == "module":
            return self._global(function.module, name)
        bound = scope.facts.bindings.get(name, ())
        if bound and all(one.kind == "import" for one in bound):
            return self._imported(function.module, bound[-1].recipe)
        return None if scope is function else (scope_name(scope), name)

    def _global(self, module: Module, name: str) -> tuple[str, str] | None:
        """The module that makes a variable which another one may import from it."""
        for _ in range(IMPORTS):
            bound = module.body.facts.bindings.get(name, ())
            imported = [one for one in bound if one.kind == "import"]
            if not imported:
                plain = bound or module.global_bindings.get(name)
                made = any(one.kind in ("def", "class") for one in bound)
                return (module.file.name, name) if plain and not made else None
            recipe = imported[-1].recipe
            source = self._source(module, recipe)
            if source is None:
                return None
            module, name = source, str(recipe[3])
        return None

    def _imported(self, module: Module, recipe: Recipe) -> tuple[str, str] | None:
        source = self._source(module, recipe)
        return self._global(source, str(recipe[3])) if source is not None else None

    def _source(self, module: Module, recipe: Recipe) -> Module | None:
        """The project's module from which a name is imported."""
        if not recipe or recipe[0] != "from":
            return None
        program = self.evaluator.program
        target = program.absolute(module, recipe[1], recipe[2] or "")
        return program.find(target, module.file) if target is not None else None

    def _module(self, function: Function, name: str) -> Module | None:
        """The project's module that a name is imported for."""
        scope = _scope(function, name) or function.module.body
        for one in scope.facts.bindings.get(name, ()):
            if one.kind == "import":
                found = self.evaluator.eval(one.recipe, scope, (one.line, one.col, one.block))
                return found.module if isinstance(found, Mod) else None
        return None

    def _is_static(self, function: Function) -> bool:
        return "builtins.staticmethod" in decorator_paths(self.evaluator, function)

    def _bound(self, function: Function, binding: Binding) -> frozenset[Root]:
        if binding.kind == "import":
            home, name = self._imported(function.module, binding.recipe) or ("", "")
            return frozenset({Root(ALL, name, home)})
        if binding.kind in ("def", "class"):
            return frozenset({Root(ALL, "")})
        return self.roots(function, binding.recipe)

    def _given(self, function: Function, site: CallSite) -> frozenset[Root]:
        """Whose a call's result is: made for the caller, but where the callee keeps it."""
        callee = site.callee
        found = OWN
        called = tuple(members(self.evaluator.callee(function.module, site)))
        for member in called:
            if isinstance(member, Func):
                edge = Edge(function, site, member.function, "call")
                for root in self._results(member.function):
                    found |= {e.root for e in self._seen(Effect(root, "", member.function), edge)}
        if callee and callee[0] == "attr" and callee[2] in PARTS and _of_container(called):
            return self.roots(function, callee[1])
        return found

    def _results(self, function: Function) -> frozenset[Root]:
        """Whose that is which a function gives back."""
        known = self._given_back.get(function)
        if known is None:
            self._given_back[function] = OWN
            known = OWN.union(*(self.roots(function, r) for r, _, _ in function.facts.returns))
            self._given_back[function] = known
        return known


def _of_container(found: tuple[Type, ...]) -> bool:
    """Whether what is called is a container's method, as far as is known."""
    return all(
        m is None
        or isinstance(m, Taking)
        or (isinstance(m, LibMethod) and m.cls.startswith(CONTAINERS))
        for m in found
    )


def _reads(function: Function, wanted: Recipe) -> bool:
    """Whether a function reads an attribute."""

    def mentions(recipe: Recipe) -> bool:
        return isinstance(recipe, tuple) and (recipe == wanted or any(map(mentions, recipe)))

    facts = function.facts
    return any(mentions(load[0]) for load in facts.loads) or any(
        mentions(site.callee) or any(mentions(recipe) for recipe, _ in site.args)
        for site in function.sites
    )


def _scope(function: Function, name: str) -> Function | None:
    """The function, around a function or itself, to which a name belongs; None where that is the module."""
    scope: Function | None = function
    while scope is not None:
        facts = scope.facts
        if name in facts.globals:
            return None
        if (scope is function or facts.kind != "class") and name not in facts.nonlocals:
            if name in facts.bindings or name in scope.parameters:
                return scope
        scope = scope.parent
    return None


def _first(text: str) -> str:
    """The name with which an expression begins."""
    found = NAME.match(text)
    return found.group() if found is not None else ""


def _text(function: Function, info: Recipe) -> str:
    """The names in what a `with` statement enters."""
    found = []

    def visit(recipe: Recipe) -> None:
        if isinstance(recipe, tuple):
            if recipe[:1] == ("call",) and len(recipe) == 2 and isinstance(recipe[1], int):
                visit(function.module.site(recipe[1]).callee)
                return
            for one in recipe:
                visit(one)
        elif isinstance(recipe, str):
            found.append(recipe)

    visit(info)
    return " ".join(found)


def effects(workshop: Workshop) -> Effects:
    """For `workshop.once`."""
    return Effects(workshop)


def all_effects(workshop: Workshop) -> Effects:
    """The same, with what is changed under a lock."""
    return Effects(workshop, locks=False)
