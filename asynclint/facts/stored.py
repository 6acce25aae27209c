"""Cancellations that a function raises which are not its own task's: of something else, that was cancelled or may have been."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from asynclint.facts import cancelled, syntax
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.graph import SYNC, Graph
from asynclint.facts.model import Binding, Recipe
from asynclint.facts.operations import element_type
from asynclint.facts.program import Function
from asynclint.facts.syntax import FUNCTIONS, last_name, own
from asynclint.facts.types import NONE, Cls, Inst, Lib, LibMethod, Type, members

WAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.comprehension)

DEPTH = 4
"""How far down the calls are looked at."""

ASKED = frozenset({"result", "exception"})
"""Methods of tasks and futures that raise the cancellation that these had."""

GIVES_ITSELF = frozenset({"with_traceback", "add_note"})

HANDS_ON = frozenset({"gather", "wait_for", "shield"})
"""Functions that give the cancellation of what they wait for on."""

TASKS = frozenset({"asyncio.Task", "asyncio.Future"})


class StoredFacts:
    """What the functions of a program say of cancellations other than their own."""

    def __init__(self, evaluator: Evaluator, graph: Graph) -> None:
        self.evaluator = evaluator
        self.graph = graph
        self._tells: dict[Function, bool] = {}
        self._only: dict[Function, bool] = {}

    def among(self, function: Function, suite: list[ast.stmt]) -> bool:
        """Whether something that a suite of a function runs tells so of another cancellation."""
        first, last = suite[0].lineno, suite[-1].end_lineno or 0
        edges = [e for e in self.graph.out.get(function, ()) if first <= e.site.line <= last]
        seen: set[Function] = set()
        for _ in range(DEPTH):
            level = {e.target for e in edges if e.how in SYNC or e.how == "async"} - seen
            if any(self.tells(one) for one in level):
                return True
            seen |= level
            edges = [e for one in level for e in self.graph.out.get(one, ())]
        return False

    # -- functions that wait for tasks ------------------------------------------------------------------

    def waits_for_tasks(self, function: Function, awaited: ast.expr) -> bool:
        """Whether a function of the project is awaited that waits for nothing but tasks which others made."""
        if not isinstance(awaited, ast.Call):
            return False
        if last_name(awaited.func) in HANDS_ON:
            given = awaited.args if last_name(awaited.func) == "gather" else awaited.args[:1]
            return bool(given) and all(self.waits_for_tasks(function, one) for one in given)
        at = syntax.extent(awaited)
        edges = self.graph.out.get(function, ())
        targets = [e.target for e in edges if e.how == "async" and e.site.extent == at]
        return bool(targets) and all(map(self._waits_only, targets))

    def _waits_only(self, function: Function) -> bool:
        if function not in self._only:
            self._only[function] = False  # One that waits for itself ends here.
            self.evaluator.program.studied.add(function.module.file.name)
            node = syntax.definition(function)
            waits = (
                [n for n in own(node.body) if isinstance(n, WAITS) and getattr(n, "is_async", True)]
                if node is not None
                else []
            )
            self._only[function] = bool(waits) and all(
                isinstance(one, ast.Await) and self._is_of_others(function, one.value)
                for one in waits
            )
        return self._only[function]

    def _is_of_others(self, function: Function, awaited: ast.expr) -> bool:
        """Whether a task or future is awaited that was not made in the function, or some of them."""
        if isinstance(awaited, ast.Call) and last_name(awaited.func) in HANDS_ON:
            given = awaited.args if last_name(awaited.func) == "gather" else awaited.args[:1]
            return bool(given) and all(self._is_of_others(function, one) for one in given)
        if isinstance(awaited, ast.Call):
            return self.waits_for_tasks(function, awaited)
        starred = isinstance(awaited, ast.Starred)
        recipe = cancelled.named(awaited.value if isinstance(awaited, ast.Starred) else awaited)
        if not recipe or (recipe[0] == "name" and _is_made(function, recipe[1])):
            return False
        facts = function.facts
        value = self.evaluator.eval(
            recipe, function, (awaited.lineno, awaited.col_offset, facts.root_block)
        )
        if starred:
            value = element_type(self.evaluator, value)
        found = [one for one in members(value) if one != NONE]
        return bool(found) and all(isinstance(one, Inst) and one.of in TASKS for one in found)

    # -- functions that tell ----------------------------------------------------------------------------

    def tells(self, function: Function) -> bool:
        """Whether a function itself raises a cancellation that is not that of its task."""
        if function not in self._tells:
            self._tells[function] = self._asks(function) or self._raises(function)
        return self._tells[function]

    def _asks(self, function: Function) -> bool:
        """`return self.task.result()`, of a task that others made."""
        for site in function.sites:
            if site.kind == "call" and site.callee and site.callee[-1] in ASKED:
                base = site.callee[1]
                if base and base[0] == "name" and _is_made(function, base[1]):
                    continue
                for member in members(self.evaluator.callee(function.module, site)):
                    if isinstance(member, LibMethod) and member.cls.startswith("asyncio."):
                        return True
        return False

    def _raises(self, function: Function) -> bool:
        facts = function.facts
        lines = function.module.span(facts.line, facts.end_line)
        if not any("raise" in line for line in lines):
            return False
        self.evaluator.program.studied.add(function.module.file.name)
        node = syntax.definition(function)
        return node is not None and _Raising(self.evaluator, function, node).tells()


class _Raising:
    """The `raise` statements of one function."""

    def __init__(
        self,
        evaluator: Evaluator,
        function: Function,
        node: ast.AsyncFunctionDef | ast.FunctionDef,
    ) -> None:
        self.evaluator = evaluator
        self.function = function
        self.node = node

    def tells(self) -> bool:
        """Whether a cancellation is raised that was not caught here."""
        for raised, handling in self._leaving(self.node.body, False):
            if self._is_cancellation(raised.func if isinstance(raised, ast.Call) else raised):
                if not handling:
                    return True
            elif self._is_kept(raised) and (self._is_filled(raised) or self._names_one()):
                return True
        return False

    def _leaving(self, suite: list[ast.stmt], handling: bool) -> Iterator[tuple[ast.expr, bool]]:
        """What is raised in a suite and leaves it, with whether a cancellation is handled there."""
        for statement in suite:
            if isinstance(statement, ast.Raise) and statement.exc is not None:
                yield _bare(statement.exc), handling
            handlers: list[ast.ExceptHandler] = getattr(statement, "handlers", [])
            if isinstance(statement, FUNCTIONS):
                continue
            if not any(self._takes(one) and not _raises_on(one) for one in handlers):
                yield from self._leaving(getattr(statement, "body", []), handling)
            for one in handlers:
                yield from self._leaving(one.body, handling or self._takes(one))
            for name in ("orelse", "finalbody"):
                yield from self._leaving(getattr(statement, name, []), handling)
            for case in getattr(statement, "cases", ()):
                yield from self._leaving(case.body, handling)

    def _is_cancellation(self, node: ast.expr) -> bool:
        return any(map(cancelled.is_cancellation, self._classes(cancelled.named(node))))

    def _takes(self, handler: ast.ExceptHandler) -> bool:
        """Whether a handler gets cancellations."""
        if handler.type is None:
            return True
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        named = (cancelled.named(k.func if isinstance(k, ast.Call) else k) for k in kinds)
        return any(cancelled.takes(value) for one in named for value in self._classes(one))

    def _classes(self, recipe: Recipe) -> Iterator[Type]:
        facts = self.function.facts
        at = (facts.end_line, 0, facts.root_block)
        yield from cancelled.classes(self.evaluator, recipe, self.function, at)

    # -- exceptions that were kept -------------------------------------------------------------------

    def _is_kept(self, raised: ast.expr) -> bool:
        """Whether an exception comes from elsewhere: it is not made here, and no handler around caught it."""
        if isinstance(raised, ast.Call):
            made = last_name(raised.func)
            return not made.lstrip("_")[:1].isupper() and made not in ("cls", "type")
        if isinstance(raised, ast.Name) and self._is_caught(raised.id, ()):
            return False
        if last_name(raised).lstrip("_")[:1].isupper():
            return False
        return not any(isinstance(v, (Cls, Lib)) for v in self._classes(cancelled.named(raised)))

    def _is_caught(self, name: str, seen: tuple[str, ...]) -> bool:
        """Whether all that a name stands for was caught in the function, or is None."""
        bindings = self.function.facts.bindings.get(name, ())
        if not bindings or name in seen or name in self.function.parameters:
            return False
        for one in bindings:
            recipe = one.recipe
            known = one.kind in ("except", "del") or recipe == ("const", None)
            known = known or (recipe is None and one.kind == "ann")
            if not known and not (
                recipe and recipe[0] == "name" and self._is_caught(recipe[1], (*seen, name))
            ):
                return False
        return True

    def _names_one(self) -> bool:
        """Whether the function speaks of cancellations, but to give them on."""
        given: set[ast.AST] = set()
        for node in own(self.node.body):
            if isinstance(node, ast.ExceptHandler) and node.type is not None and _gives_on(node):
                given.update(ast.walk(node.type))
        return any(
            isinstance(node, (ast.Name, ast.Attribute))
            and node not in given
            and self._is_cancellation(node)
            for node in own(self.node.body)
        )

    def _is_filled(self, raised: ast.expr) -> bool:
        """Whether an attribute is raised into which the module puts what a handler of cancellations caught."""
        attribute = raised.attr if isinstance(raised, ast.Attribute) else None
        if isinstance(raised, ast.Name):
            for binding in self.function.facts.bindings.get(raised.id, ()):
                if binding.recipe and binding.recipe[0] == "attr":
                    attribute = binding.recipe[2]
        module = self.function.module
        if attribute is None or attribute not in module.set_attributes:
            return False
        for other in module.functions:
            for put in other.facts.attribute_bindings:
                if put.attr == attribute and put.recipe and put.recipe[0] == "name":
                    caught = other.facts.bindings.get(put.recipe[1], ())
                    if any(self._catches(other, binding) for binding in caught):
                        return True
        return False

    def _catches(self, function: Function, binding: Binding) -> bool:
        """Whether a name is bound by a handler of cancellations."""
        if binding.kind != "except":
            return False
        at = (binding.line, binding.col, binding.block)
        found = cancelled.classes(self.evaluator, binding.recipe[1], function, at)
        return any(map(cancelled.takes, found))


def _is_made(function: Function, name: str) -> bool:
    """Whether a local name holds what a call in the function made."""
    bindings = function.facts.bindings.get(name, ())
    return any(one.recipe and one.recipe[0] not in ("attr", "name", "sub") for one in bindings)


def _bare(raised: ast.expr) -> ast.expr:
    """`error` of `error.with_traceback(…)`."""
    while (
        isinstance(raised, ast.Call)
        and isinstance(raised.func, ast.Attribute)
        and raised.func.attr in GIVES_ITSELF
    ):
        raised = raised.func.value
    return raised


def _raises_on(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(node, ast.Raise) for node in own(handler.body))


def _gives_on(handler: ast.ExceptHandler) -> bool:
    """Whether a handler ends with a `raise` that gives on what it caught."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None
