"""What is left out where a handler raises: the statements that it would have gone on with."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from asynclint.facts.syntax import FUNCTIONS, called, last_name, own

Parents = Mapping[ast.AST, tuple[ast.AST, list[ast.stmt]]]
"""What stands around a statement, and the suite of it."""

LOOPS = (ast.While, ast.For, ast.AsyncFor)
LEAVES = {ast.Break: "break", ast.Continue: "continue", ast.Return: "return", ast.Raise: "raise"}

WORDS = re.compile(r"[A-Z]?[a-z\d]+|[A-Z]+(?![a-z])")

SERVING = frozenset({
    "abort", "aborted", "ack", "aclose", "answer", "answered", "cancel", "cancelled", "clean", "cleanup", "close", "closed",
    "commit", "complete", "completed", "disconnect", "disconnected", "dispose", "done", "emit", "exit", "fail", "failed", "finalize",
    "finish", "finished", "flush", "fulfill", "kill", "leave", "nack", "notify", "post", "publish", "put", "reject", "release",
    "reply", "reset", "resolve", "respond", "restore", "resume", "rollback", "send", "set", "shutdown", "soon", "stop", "stopped",
    "teardown", "terminate", "unlock", "unregister", "unsubscribe",
})  # fmt: skip
"""Words in the names of calls that somebody else may wait for: an answer, an end, a lock that is free again."""

RESOLVES = re.compile(r"(?:^|_)set_(?:result|exception)(?:_|$)")

LOGGERS = re.compile(
    r"(?:^|[._])(?:log|logger|logging|traceback|warnings|console|sentry_sdk)$", re.IGNORECASE
)
QUIET = frozenset({
    "print", "debug", "info", "warning", "warn", "error", "exception", "critical", "trace", "log", "print_exc", "print_exception",
    "secho", "sleep", "checkpoint", "increment", "inc",
})  # fmt: skip
"""Functions that only say something, or pass the time."""


def behind(parents: Parents, statement: ast.AST, leaves: str | None) -> Iterator[ast.stmt]:
    """The statements that follow one in its function, when control leaves it so; not those of a loop's next turn."""
    current, how = statement, leaves or "falls"
    while current in parents:
        parent, suite = parents[current]
        if how == "falls" and isinstance(current, ast.stmt) and current in suite:
            rest = suite[suite.index(current) + 1 :]
            if isinstance(parent, ast.Try) and suite is parent.body:
                rest = [*rest, *parent.orelse]
            for one in rest:
                yield one
                how = LEAVES.get(type(one), "falls")
                if how != "falls":
                    break
        if isinstance(parent, LOOPS) and suite is parent.body and how != "return":
            if _is_endless(parent) and how != "break":
                return
            how = "falls"
        current = parent


def told(statement: ast.stmt) -> Iterator[ast.Call]:
    """The calls of a statement that are made for what they do, awaited or not, but those that log or pass the time."""
    for node in own([statement]):
        if isinstance(node, ast.Expr) or (
            isinstance(node, ast.Return) and isinstance(node.value, ast.Await)
        ):
            call = node.value.value if isinstance(node.value, ast.Await) else node.value
            if isinstance(call, ast.Call) and not is_quiet(call):
                yield call


def serving(statements: Iterator[ast.stmt]) -> str | None:
    """The first method among what is called for its own sake that others may wait for."""
    for one in statements:
        for call in told(one):
            name = called(call)
            if SERVING.intersection(word.lower() for word in WORDS.findall(name)):
                return name
    return None


def resolves(suite: list[ast.stmt]) -> bool:
    """Whether a suite gives a promise its outcome, or has that done: `loop.call_soon(promise.set_exception, error)`."""
    return any(
        RESOLVES.search(called(node)) or any(map(_is_resolving, node.args))
        for node in own(suite)
        if isinstance(node, ast.Call)
    )


def is_quiet(call: ast.Call) -> bool:
    """Whether a call only says something, or passes the time."""
    function = call.func
    if isinstance(function, ast.Attribute) and LOGGERS.search(ast.unparse(function.value)):
        return True
    return called(call) in QUIET


def _is_resolving(argument: ast.expr) -> bool:
    return bool(RESOLVES.search(last_name(argument)))


def _is_endless(loop: ast.AST) -> bool:
    """`while True:` without a `break` of its own."""
    if not isinstance(loop, ast.While) or not isinstance(loop.test, ast.Constant):
        return False
    return bool(loop.test.value) and not any(map(_breaks, loop.body))


def _breaks(node: ast.AST) -> bool:
    """Whether a statement of a loop ends it."""
    if isinstance(node, (*FUNCTIONS, *LOOPS)):
        return any(_breaks(one) for one in getattr(node, "orelse", ()) if isinstance(node, LOOPS))
    return isinstance(node, ast.Break) or any(map(_breaks, ast.iter_child_nodes(node)))
