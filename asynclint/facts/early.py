"""Calls whose result stands where a function belongs: they run here and now, not where the function would."""

from __future__ import annotations

import sys

from asynclint.facts import places
from asynclint.facts.classes import implementations
from asynclint.facts.decorators import decorator_paths, decorator_value
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.graph import BRANCHES, passed
from asynclint.facts.known_calls import argument_for, known_callee
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Klass, Module, recipe_name
from asynclint.facts.returns import call_function
from asynclint.facts.types import NONE, Const, Coro, Func, Gen, Inst, Lib, Tup, Type, members
from asynclint.facts.view import Mistake
from asynclint.findings import Link
from asynclint.knowledge.model import Function as Known

PARTIAL = "functools.partial"

WAITS = frozenset({"asyncio.wait_for", "asyncio.shield"})
"""Functions that wait for what they are given."""

CARRY = frozenset(
    {"result", "get", "recv", "apply", "wait_for", "run", "run_until_complete", "load"}
)
"""Blocking calls of the standard library that give what somebody else made; all others give data, or nothing."""

DATA = frozenset({"json.load", "tomllib.load"})

DISPATCHING = frozenset({"functools.singledispatch", "functools.singledispatchmethod"})

DECORATING = frozenset(
    {"dataclasses", "attr", "attrs", "functools", "typing", "typing_extensions", "pydantic", "enum"}
)
"""Libraries whose decorators leave a class one."""

ASKS = frozenset({
    "callable", "isinstance", "hasattr", "iscoroutine", "isawaitable", "iscoroutinefunction", "isfunction", "isfuture",
})  # fmt: skip
"""Calls that show that a function takes more than functions."""


class EarlyFacts:
    """Every such call in the program."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._offloaded: dict[Function, frozenset[str]] = {}

    def called(self, function: Function, site: CallSite) -> Mistake | None:
        """`to_thread(work())`: the inner call, where it certainly gives nothing that could be called."""
        if site.kind != "call" or site.role[0] != "arg" or function.module.dead(site.block):
            return None
        outer = function.module.site(site.role[1])
        wanted = self._wanted(function, outer)
        if wanted is None or not _gives(wanted[0], site.index):
            return None
        if not self._gives_none(function, site, wanted[1]):
            return None
        return Mistake(
            "too early",
            recipe_name(site.callee),
            recipe_name(outer.callee),
            self._link(site, function),
        )

    def taker(self, function: Function, site: CallSite) -> tuple[CallSite, bool] | None:
        """The call that takes what comes of another one for a function, or, with True, for a coroutine."""
        for outer in function.sites:
            wanted = None
            if outer.args:
                wanted = self._wanted(function, outer) or self._waited(function, outer)
            if wanted is not None and _comes_of(wanted[0], site.index, function.module):
                return outer, wanted[1]
        return None

    # -- who takes a function -------------------------------------------------------------------------

    def _wanted(self, function: Function, outer: CallSite) -> tuple[Recipe, bool] | None:
        """What a call is given in the place of a function, or, with True, in that of a coroutine."""
        if outer.kind != "call":
            return None
        module = function.module
        callee = self.evaluator.callee(module, outer)
        if callee is None or len(members(callee)) != 1:
            return None
        if isinstance(callee, Func):
            return self._passed_on(callee, outer), False
        if isinstance(callee, Lib) and callee.path == PARTIAL:
            first = outer.args[0] if outer.args else (None, "")
            return (
                (first[0], False) if first[1] is None and self._is_taken(function, outer) else None
            )
        known = known_callee(self.evaluator, callee)
        if known is None:
            return None
        if known.spawns is not None and not known.spawns_call:
            return argument_for(outer, known, known.spawns), True
        param = 0 if known.makes_async else known.offloads
        return None if param is None else (argument_for(outer, known, param), False)

    def _waited(self, function: Function, outer: CallSite) -> tuple[Recipe, bool] | None:
        """What `wait_for` is given."""
        callee = self.evaluator.callee(function.module, outer)
        known = known_callee(self.evaluator, callee)
        if not isinstance(callee, Lib) or callee.path not in WAITS or known is None:
            return None
        return argument_for(outer, known, 0), True

    def _is_taken(self, function: Function, site: CallSite) -> bool:
        if site.role[0] != "arg":
            return False
        wanted = self._wanted(function, function.module.site(site.role[1]))
        return wanted is not None and wanted[0] == ("call", site.index)

    def _passed_on(self, callee: Func, site: CallSite) -> Recipe:
        """The argument that a function of the project hands to a thread: `await in_thread(work, 1)`."""
        return next(iter(passed(callee, site, self._hands_over(callee.function))), None)

    def _hands_over(self, function: Function) -> frozenset[str]:
        """The parameters that a function hands to a thread to be called, whatever they are."""
        if function not in self._offloaded:
            self._offloaded[function] = frozenset()  # One that calls itself ends here.
            self._offloaded[function] = frozenset(self._handed_over(function))
        return self._offloaded[function]

    def _handed_over(self, function: Function) -> set[str]:
        facts, module = function.facts, function.module
        own = {p.name for p in facts.params if p.kind in ("pos", "kw")} - set(facts.bindings)
        found: set[str] = set()
        for site in function.sites if own and not facts.generator else ():
            known = known_callee(self.evaluator, self.evaluator.callee(module, site))
            if site.kind != "call" or known is None or known.offloads is None:
                continue
            if any(block.kind in BRANCHES for block in module.chain(site.block)):
                continue
            recipe = argument_for(site, known, known.offloads)
            found |= {name for name in own if self._calls(recipe, name, site, module)}
        asked = {
            recipe[1]
            for site in function.sites
            for recipe, _ in site.args
            if recipe and recipe[0] == "name" and site.callee and site.callee[-1] in ASKS
        }
        return found - asked

    def _calls(self, recipe: Recipe, name: str, site: CallSite, module: Module) -> bool:
        """Whether calling what a recipe stands for calls a parameter: itself, in a `partial`, in a lambda."""
        if recipe == ("name", name):
            return True
        if recipe and recipe[0] == "lambda":
            return any(s.callee == ("name", name) for s in module.functions[recipe[1]].sites)
        if recipe and recipe[0] == "call":
            inner = module.site(recipe[1])
            callee = self.evaluator.callee(module, inner)
            first = inner.args[0][0] if inner.args else None
            return isinstance(callee, Lib) and callee.path == PARTIAL and first == ("name", name)
        return False

    # -- what is given --------------------------------------------------------------------------------

    def _gives_none(self, function: Function, site: CallSite, task: bool) -> bool:
        """Whether a call gives no function, whichever method of a subclass it reaches; with `task`, no coroutine."""
        evaluator = self.evaluator
        callee = evaluator.callee(function.module, site)
        if site.callee and site.callee[0] == "any":
            return False  # `(job or work)()`: one of them may be anything.
        if not task and _gives_data(known_callee(evaluator, callee)):
            return True
        results = [evaluator.call_type(function.module, site.index)]
        for member in members(callee):
            if isinstance(member, Func):
                found = [member.function, *implementations(evaluator, member.function)]
                if any(_never_ends(one) or self._varies(one) for one in found):
                    return False
                results += [
                    evaluator.call(evaluator.function_value(one), None, one.module)
                    for one in found[1:]
                ]
        return all(self._is_plain(m, task) for result in results for m in members(result))

    def _varies(self, function: Function) -> bool:
        """Whether a function is said to give more than it gives here, or leaves that to others of its name."""
        if decorator_paths(self.evaluator, function) & DISPATCHING:
            return True
        declared = function.facts.returns_annotation
        return (
            declared not in (None, ("const", None))
            and call_function(self.evaluator, function) == NONE
        )

    def _is_plain(self, value: Type, task: bool) -> bool:
        """Whether a value can certainly not be called; with `task`, not be run as a task."""
        if isinstance(value, (Const, Tup)):
            return True
        if isinstance(value, (Coro, Gen)):
            return not task
        if not isinstance(value, Inst):
            return False
        if isinstance(value.of, str):
            return self._is_plain_class(value.of, task)
        name = "__await__" if task else "__call__"
        return all(
            name not in k.body.facts.bindings and self._makes_its_own(k)
            if isinstance(k, Klass)
            else k == "builtins.object" or (k is not None and self._is_plain_class(k, task))
            for k in self.evaluator.mro(value.of)
        )

    def _makes_its_own(self, klass: Klass) -> bool:
        """Whether calling a class gives an object of it: nothing decides otherwise."""
        facts = klass.facts
        if "__new__" in klass.body.facts.bindings or any(
            k == "metaclass" for k, _ in facts.keywords
        ):
            return False
        made = (decorator_value(self.evaluator, one, klass.body) for one in facts.decorators)
        return all(
            isinstance(one, Lib) and one.path.partition(".")[0] in DECORATING for one in made
        )

    def _is_plain_class(self, path: str, task: bool) -> bool:
        """The same of the objects of a class of a library."""
        if path.startswith("builtins."):
            return path not in ("builtins.object", "builtins.type")
        known = self.evaluator.known
        found = known.cls(path)
        if task or found is None or found.called:
            return False
        return known.method(path, "__call__") is None

    def _link(self, site: CallSite, function: Function) -> tuple[Link, ...]:
        callee = self.evaluator.callee(function.module, site)
        if isinstance(callee, Func):
            target = callee.function
            word = "is called" if not target.is_async else "is a coroutine function"
            return (
                places.head(target, f"`{target.name}` {word}, and what it gives is handed over"),
            )
        return ()


def _gives(recipe: Recipe, index: int) -> bool:
    """Whether a value is the result of a call, on one side of an `if` at least."""
    if recipe and recipe[0] == "any" and recipe[2] == "if":
        return any(_gives(one, index) for one in recipe[1])
    return bool(recipe == ("call", index))


def _comes_of(recipe: Recipe, index: int, module: Module) -> bool:
    """Whether a value is the result of a call, or of a call of something that it has: `get(url).json()`."""
    if not recipe:
        return False
    if recipe[0] == "any":
        return any(_comes_of(one, index, module) for one in recipe[1])
    if recipe[0] == "sub":
        return _comes_of(recipe[1], index, module)
    if recipe[0] != "call" or recipe[1] == index:
        return bool(recipe == ("call", index))
    base = module.site(recipe[1]).callee
    while base and base[0] in ("attr", "sub"):
        base = base[1]
    return _comes_of(base, index, module)


def _gives_data(known: Known | None) -> bool:
    """Whether a blocking call of the standard library gives nothing that could be called."""
    if known is None or known.blocks is None or known.coroutine or known.name in DATA:
        return known is not None and known.name in DATA
    root, _, rest = known.name.partition(".")
    return root in sys.stdlib_module_names and rest.rpartition(".")[2] not in CARRY


def _never_ends(function: Function) -> bool:
    """Whether a function only raises, for others to say what it gives."""
    root = function.module.blocks[function.facts.root_block]
    return root.raises and not function.facts.returns
