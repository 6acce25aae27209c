"""How control goes through one function: what follows a statement, and what only puts things away."""

from __future__ import annotations

import ast
import re

from asynclint.facts import syntax
from asynclint.facts.skipped import LOOPS
from asynclint.facts.syntax import FUNCTIONS, own

CLEANING = re.compile(
    r"log|print|debug|info|warn|error|exception|close|cancel|stop|shutdown|disconnect|clean|clear|discard|pop|remove"
    r"|release|unlink|terminate|kill|wait|join|gather|delete|dispose|teardown|unregister|unsubscribe|set|exit|emit"
    r"|record|metric|reset|finish|end|done|flush|drain|destroy|notify|unlock|suppress",
    re.IGNORECASE,
)
"""What calls are named that put away, report or wait for what is being put away."""

WAITS = frozenset({"gather", "wait_for", "shield", "wait", "as_completed", "timeout"})
"""Calls that wait for what they are given."""

WAITING = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield)


class Body:
    """The syntax of one function, without what is defined in it."""

    def __init__(self, node: ast.AsyncFunctionDef | ast.FunctionDef) -> None:
        self.node = node
        self.parents: dict[ast.AST, tuple[ast.AST, list[ast.stmt]]] = {}
        self.tries: list[ast.Try] = []
        self.withs: dict[tuple[int, int], ast.With] = {}
        self.cancelled: set[str] = set()
        self.given: dict[ast.AST, ast.expr | None] = {}
        self._statements: list[ast.stmt] = []
        self._suites(node)
        self.nodes = list(own(node.body))
        for inner in self.nodes:
            if isinstance(inner, ast.Call) and syntax.called(inner) == "cancel":
                assert isinstance(inner.func, (ast.Attribute, ast.Name))
                if isinstance(inner.func, ast.Attribute):
                    self.cancelled.add(ast.unparse(inner.func.value))
            elif isinstance(inner, ast.Assign):
                self.given.update((target, inner.value) for target in inner.targets)
            elif isinstance(inner, ast.AnnAssign):
                self.given[inner.target] = inner.value
            elif isinstance(inner, ast.With):
                for item in inner.items:
                    self.withs[item.context_expr.lineno, item.context_expr.col_offset] = inner
        for loop in self.nodes if self.cancelled else ():
            # `for task in tasks: task.cancel()` cancels `tasks`.
            if (
                isinstance(loop, (ast.For, ast.AsyncFor))
                and ast.unparse(loop.target) in self.cancelled
            ):
                self.cancelled.update(ast.unparse(n) for n in ast.walk(loop.iter) if isinstance(n, (ast.Name, ast.Attribute)))  # fmt: skip

    def _suites(self, node: ast.AST) -> None:
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            for inner in getattr(node, name, ()):
                if isinstance(inner, ast.stmt):
                    self._statements.append(inner)
                    self.parents[inner] = (node, getattr(node, name))
                else:
                    self.parents[inner] = (node, [])
                if isinstance(inner, ast.Try):
                    self.tries.append(inner)
                if not isinstance(inner, FUNCTIONS):
                    self._suites(inner)

    @property
    def gives_value(self) -> bool:
        """Whether some `return` gives more than None."""
        return any(
            isinstance(n, ast.Return) and n.value is not None and not is_none(n.value)
            for n in self.nodes
        )

    def statement(self, line: int) -> ast.stmt | None:
        """The innermost statement on a line."""
        found = [s for s in self._statements if s.lineno <= line <= (s.end_lineno or s.lineno)]
        return max(found, key=lambda s: (s.lineno, s.col_offset), default=None)

    def handling(self, line: int) -> ast.Try | None:
        """The `try` with a handler on a line."""
        for tried in self.tries:
            if any(handler.lineno == line for handler in tried.handlers):
                return tried
        return None

    def loops(self, statement: ast.stmt) -> bool:
        """Whether a loop stands around a statement or in it."""
        if any(isinstance(n, LOOPS) for n in own([statement])):
            return True
        around = self.parents.get(statement)
        while around is not None:
            if isinstance(around[0], LOOPS):
                return True
            around = self.parents.get(around[0])
        return False

    def finishes(self, statement: ast.AST) -> bool:
        """Whether a statement is part of a `finally`."""
        around = self.parents.get(statement)
        while around is not None:
            if isinstance(around[0], ast.Try) and around[1] is around[0].finalbody:
                return True
            around = self.parents.get(around[0])
        return False

    def spared(self, statement: ast.stmt, tried: list[ast.stmt]) -> bool:
        """Whether no cancellation comes through, or it is under way already and this only puts away.

        `with anyio.CancelScope(shield=True):`, a handler of the cancellation, a `finally`.
        """
        current: ast.AST | None = statement
        while current is not None:
            if isinstance(current, ast.With) and any(
                "shield=True" in ast.unparse(i) for i in current.items
            ):
                return True
            if (
                current is not statement
                and isinstance(current, ast.ExceptHandler)
                and takes(current)
            ):
                return True
            parent, suite = self.parents.get(current, (None, []))
            if (
                isinstance(parent, ast.Try)
                and suite is parent.finalbody
                and all(map(cleans, tried))
            ):
                return True
            current = parent
        return False

    def goes_on(
        self,
        statement: ast.AST,
        leaves: str,
        flags: frozenset[str],
        unset: frozenset[str] = frozenset(),
    ) -> bool | None:
        """Whether more than cleaning up follows a statement in its function, when control leaves it so.

        None where it raises something anyhow. What is done only if an `unset` name has a value is not done.
        """
        current = statement
        while current in self.parents:
            parent, suite = self.parents[current]
            if leaves == "falls" and isinstance(current, ast.stmt) and current in suite:
                rest = suite[suite.index(current) + 1 :]
                if isinstance(parent, ast.Try) and suite is parent.body:
                    rest = [*rest, *parent.orelse]
                for one in rest:
                    if isinstance(one, ast.Break):
                        leaves = "break"
                    elif isinstance(one, ast.Continue):
                        leaves = "continue"
                    elif isinstance(one, ast.Raise):
                        leaves = "raise"
                    elif isinstance(one, ast.Return):
                        leaves = "return"
                    elif not cleans(one) and not _needs(one, unset):
                        return True
                    if leaves != "falls":
                        break
            if isinstance(parent, LOOPS) and suite is parent.body:
                if leaves in ("falls", "continue"):
                    if not (isinstance(parent, ast.While) and flags & names(parent.test)):
                        return True
                    leaves = "falls"
                elif leaves == "break":
                    leaves = "falls"
            current = parent
        return None if leaves == "raise" else False


def how_left(handling: list[ast.stmt]) -> str | None:
    """How control leaves a handler: falls, return, break, continue; None where that depends."""
    if not handling:
        return "falls"
    last = handling[-1]
    for one in (
        handling[:-1] if isinstance(last, (ast.Return, ast.Break, ast.Continue)) else handling
    ):
        if any(isinstance(n, (ast.Return, ast.Break)) for n in own([one])):
            return None
    for kind, how in ((ast.Return, "return"), (ast.Break, "break"), (ast.Continue, "continue")):
        if isinstance(last, kind):
            return how
    return "falls"


def caught(handler: ast.ExceptHandler) -> str:
    """What a handler names, or would have to name."""
    return ast.unparse(handler.type) if handler.type is not None else "BaseException"


def takes(handler: ast.ExceptHandler) -> bool:
    """Whether a handler takes a cancellation, by the looks of it."""
    named = caught(handler)
    return "CancelledError" in named or named == "BaseException"


def cleans(statement: ast.stmt) -> bool:
    """Whether a statement waits for nothing, or only for what it puts away."""
    if not any(isinstance(node, WAITING) for node in own([statement])):
        return True
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Await):
        value = statement.value.value
        if isinstance(value, ast.Call) and syntax.called(value) in WAITS and value.args:
            # `await asyncio.shield(stream.aclose())`.
            value = value.args[0]
        return not isinstance(value, ast.Call) or bool(CLEANING.search(ast.unparse(value.func)))
    if isinstance(statement, (ast.If, ast.For, ast.AsyncFor, ast.With, ast.AsyncWith, ast.Try)):
        suites: list[list[ast.stmt]] = [statement.body, getattr(statement, "orelse", [])]
        suites += [getattr(statement, "finalbody", [])]
        suites += [h.body for h in getattr(statement, "handlers", ())]
        return all(
            isinstance(one, (ast.Return, ast.Raise, ast.Continue, ast.Break)) or cleans(one)
            for suite in suites
            for one in suite
        )
    return False


def _needs(statement: ast.stmt, unset: frozenset[str]) -> bool:
    """`if result is not None:` without an `else`."""
    if not isinstance(statement, ast.If) or statement.orelse:
        return False
    test = statement.test
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.IsNot):
        test = test.left if is_none(test.comparators[0]) else test
    return isinstance(test, ast.Name) and test.id in unset


def names(node: ast.AST) -> set[str]:
    """The names and attributes in an expression or a statement."""
    return {ast.unparse(n) for n in ast.walk(node) if isinstance(n, (ast.Name, ast.Attribute))}


def is_none(value: ast.expr) -> bool:
    """Whether an expression is the constant."""
    return isinstance(value, ast.Constant) and value.value is None
