"""Handlers that take the cancellation of their own task and go on as if nothing had been said."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterator

from asynclint.facts import cancelled, places, skipped, syntax
from asynclint.facts.body import WAITS, Body, cleans, how_left, is_none, names, takes
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.graph import Edge, Graph
from asynclint.facts.guards import last_name
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import BUILTINS, Function
from asynclint.facts.runs import Runs
from asynclint.facts.stored import StoredFacts
from asynclint.facts.syntax import FUNCTIONS, own
from asynclint.facts.types import Func, Inst, Lib, Type, members
from asynclint.facts.view import Mistake
from asynclint.findings import Link

DECIDES = frozenset({"cancelling", "uncancel", "cancelled", "cancel_called", "exit", "_exit", "quit", "abort"})  # fmt: skip
"""Calls that show that the handler knows whose cancellation it is, or that end the program."""

STOPPING = re.compile(r"loop(\(\))?\.stop$")
"""The end of the event loop, and with it of all its tasks."""

KEEPS = frozenset({
    "append", "put", "put_nowait", "set_exception", "send", "send_nowait", "add", "throw", "athrow", "setdefault",
    "set_result", "__exit__", "__aexit__", "extend", "insert", "appendleft", "BaseExceptionGroup", "ExceptionGroup",
})  # fmt: skip
"""Calls that keep an exception for somebody who may raise it."""


LEAVES = frozenset({"SystemExit", "KeyboardInterrupt", "GeneratorExit"})
NEVER = frozenset({"NoReturn", "Never"})
DEPTH = 4


class SwallowedFacts:
    """Every such handler in the program."""

    def __init__(self, evaluator: Evaluator, graph: Graph, runs: Runs) -> None:
        self.evaluator = evaluator
        self.graph = graph
        self.runs = runs
        self.stored = StoredFacts(evaluator, graph)
        self._handlers: dict[str, dict[int, list[int]]] = {}
        self._suppresses: dict[str, bool] = {}
        self._bodies: dict[Function, Body | None] = {}

    def at(self, function: Function) -> Iterator[tuple[CallSite, Mistake]]:
        """The handlers, and the `suppress(…)`, of a coroutine function."""
        if not function.is_async or not function.facts.awaits or function.module.file.is_test:
            return
        blocks = function.module.blocks
        catching = {
            blocks[index].line: index
            for index in self._own_handlers(function)
            if self._catches(function, index)
        }
        suppressing: list[CallSite] = []
        file = function.module.file
        if file.name not in self._suppresses:
            self._suppresses[file.name] = "suppress" in (file.text or "")
        if self._suppresses[file.name]:
            suppressing = [
                site
                for site in function.sites
                if site.kind == "with" and self._suppressed(function, site)
            ]
        if not suppressing and all(_raises_again(function, line) for line in catching):
            return
        body = self._body(function)
        if body is None:
            return
        for tried in body.tries:
            for handler in tried.handlers:
                if handler.lineno not in catching:
                    continue
                name = ast.unparse(handler.type) if handler.type is not None else ""
                if name and blocks[catching[handler.lineno]].info is None:
                    continue
                mistake = self._judge(function, body, tried, handler, name)
                if mistake is not None:
                    yield _site(function, handler, catching[handler.lineno]), mistake
                break
        for site in suppressing:
            taken = self._suppressed(function, site)
            entered = body.withs.get((site.line, site.col))
            if entered is not None and taken is not None:
                because = self._goes_on(function, body, entered, entered.body, (), taken)
                if because is not None and not self.stored.among(function, entered.body):
                    yield site, Mistake("swallowed", f"suppress({taken})", "", because)

    # -- what is caught -----------------------------------------------------------------------------------

    def _own_handlers(self, function: Function) -> list[int]:
        """The handlers of a function, by the indexes of their blocks."""
        module = function.module
        name = module.file.name
        if name not in self._handlers:
            found: dict[int, list[int]] = defaultdict(list)
            for index, block in enumerate(module.blocks):
                if block.kind == "except" and self._may_catch(block.info):
                    root = block.parent
                    while module.blocks[root].parent >= 0:
                        root = module.blocks[root].parent
                    found[root].append(index)
            self._handlers[name] = found
        return self._handlers[name].get(function.facts.root_block, [])

    def _may_catch(self, recipe: Recipe) -> bool:
        if not recipe or recipe[0] == "call":
            return True
        if recipe[0] == "display":
            return any(self._may_catch(one) for one in recipe[2])
        name = last_name(recipe)
        return name is None or name == "BaseException" or name not in BUILTINS

    def _catches(self, function: Function, block: int) -> bool:
        """Whether a handler gets cancellations; a bare one looks like one that catches what a recipe cannot say."""
        one = function.module.blocks[block]
        at = (one.line, 0, one.parent)
        if one.info is None:
            return True
        return any(map(cancelled.takes, cancelled.classes(self.evaluator, one.info, function, at)))

    def _suppressed(self, function: Function, site: CallSite) -> str | None:
        """The name of the cancellation that a `with suppress(…)` takes."""
        if not site.callee or site.callee[0] != "call":
            return None
        call = function.module.site(site.callee[1])
        if last_name(call.callee) != "suppress":
            return None
        callee = self.evaluator.callee(function.module, call)
        if not isinstance(callee, Lib) or callee.path != "contextlib.suppress":
            return None
        at = (site.line, site.col, site.block)
        for recipe, _ in call.args:
            if recipe and recipe[0] == "attr":
                if isinstance(self.evaluator.eval(recipe[1], function, at), Inst):
                    # `Type[BaseException]` says little of the class that an object names.
                    continue
            found = cancelled.classes(self.evaluator, recipe, function, at)
            if any(map(cancelled.takes, found)):
                return last_name(recipe)
        return None

    # -- what becomes of it -------------------------------------------------------------------------------

    def _judge(
        self, function: Function, body: Body, tried: ast.Try, handler: ast.ExceptHandler, name: str
    ) -> Mistake | None:
        into = _raises(handler)
        if into is None or self._decides(function, body, handler):
            return None
        because = self._goes_on(function, body, tried, tried.body, handler.body, name)
        if because is None and (
            not into
            or body.spared(tried, tried.body)
            or not self._points(function, body, tried.body)
        ):
            return None
        if self.stored.among(function, tried.body):
            return None
        shown = f"except {name}" if name else "except:"
        return Mistake("swallowed", shown, into, because or ())

    def _decides(self, function: Function, body: Body, handler: ast.ExceptHandler) -> bool:
        """Whether a handler looks whose cancellation it is, keeps it, or hands it to what raises it."""
        for node in own(handler.body):
            if isinstance(node, ast.Attribute) and node.attr in DECIDES:
                return True
            if isinstance(node, ast.Call):
                called = syntax.called(node)
                if called in DECIDES or "raise" in called.lower():
                    return True
                if STOPPING.search(ast.unparse(node.func)):
                    return True
        if handler.name and _kept(handler, handler.name):
            return True
        if _is_answered(body, handler):
            return True
        called_here = {syntax.called(n) for n in own(handler.body) if isinstance(n, ast.Call)}
        if {"current_task", "cancel"} <= called_here:
            # It comes again at the next `await`.
            return True
        if _raised_later(body, handler):
            return True
        last = handler.body[-1].end_lineno or handler.lineno
        for site in function.sites:
            if site.kind != "call" or not handler.lineno <= site.line <= last:
                continue
            callee = self.evaluator.callee(function.module, site)
            if self._never_returns(callee):
                return True
            if handler.name and any(r == ("name", handler.name) for r, _ in site.args):
                given = [m.function for m in members(callee) if isinstance(m, Func)]
                if any(_says_raise(one) or _says_outcome(one) for one in given):
                    return True
        return False

    def _never_returns(self, callee: Type) -> bool:
        for member in members(callee):
            if not isinstance(member, Func):
                continue
            facts = member.function.facts
            if last_name(facts.returns_annotation) in NEVER:
                return True
            if member.function.module.blocks[facts.root_block].raises and not facts.returns:
                return True
        return False

    def _goes_on(
        self,
        function: Function,
        body: Body,
        statement: ast.stmt,
        tried: list[ast.stmt],
        handling: list[ast.stmt] | tuple[()],
        name: str,
    ) -> tuple[Link, ...] | None:
        """What shows that the task runs on; None where it ends, or the cancellation may be another task's."""
        if body.spared(statement, tried) or not self._points(function, body, tried):
            return None
        if all(map(cleans, tried)) and self._is_cleanup(function):
            return None
        leaves = how_left(list(handling))
        if leaves is None or self._is_private(function):
            return None
        on = body.goes_on(statement, leaves, _assigned(handling), _unset(body, tried, handling))
        if on is not False:
            return () if on else None
        broad = not name or name == "BaseException"
        if broad and self._ends_told(function, body, statement, handling, leaves):
            return None
        last = handling[-1] if handling else None
        answer = last.value if isinstance(last, ast.Return) else None
        return self._is_awaited(function, body, statement, broad, leaves, DEPTH, answer)

    def _points(self, function: Function, body: Body, tried: list[ast.stmt]) -> bool:
        """Whether a suite waits for anything but tasks, itself or in functions that wait for these."""
        return _own_points(body, tried, lambda one: self.stored.waits_for_tasks(function, one))

    def _is_cleanup(self, function: Function) -> bool:
        """Whether a function is called only where an error is handled, or a `finally` runs: to put away, come what may."""
        edges = self._edges(function)
        return bool(edges) and all(
            any(b.kind in ("except", "finally") for b in e.caller.module.chain(e.site.block))
            for e in edges
        )

    def _is_private(self, function: Function) -> bool:
        """Whether a function is all that a loop of its own runs, so that nobody can cancel it."""
        edges = self._edges(function)
        return bool(edges) and all(
            e.how == "run"
            and last_name(e.caller.module.site(e.site.role[1]).callee) == "run_until_complete"
            for e in edges
        )

    def _is_awaited(
        self,
        function: Function,
        body: Body,
        statement: ast.stmt,
        broad: bool,
        leaves: str,
        depth: int,
        answer: ast.expr | None = None,
    ) -> tuple[Link, ...] | None:
        """Who awaits a function that ends with the handler and goes on; None where that may be the end of a task."""
        if depth == 0 or function in self.runs.once:
            return None
        edges = self._edges(function)
        if any(not self._waits(edge) for edge in edges):
            return None
        for edge in edges:
            around = self._body(edge.caller)
            awaiting = around.statement(edge.site.line) if around is not None else None
            if around is None or awaiting is None:
                continue
            then = _answered(around, awaiting, answer)
            if (
                around.goes_on(awaiting, then, frozenset())
                or self._is_awaited(edge.caller, around, awaiting, False, then, depth - 1)
                is not None
            ):
                return (
                    places.link(
                        edge.caller, edge.site, f"`{edge.caller.name}` awaits it and goes on"
                    ),
                )
        if edges or depth < DEPTH:
            return None
        if body.gives_value and leaves == "return":
            return ()
        return () if broad and not body.loops(statement) else None

    def _edges(self, function: Function) -> list[Edge]:
        """The calls of a function outside tests."""
        into = self.graph.into.get(function, ())
        return [edge for edge in into if not edge.caller.module.file.is_test]

    def _ends_told(
        self,
        function: Function,
        body: Body,
        statement: ast.stmt,
        handling: list[ast.stmt] | tuple[()],
        leaves: str,
    ) -> bool:
        """Whether nobody in sight awaits a function that ends with the handler, and it tells others how it ended."""
        if self._edges(function) or body.finishes(statement):
            return False
        return any(any(skipped.told(one)) for one in handling) or (
            skipped.serving(skipped.behind(body.parents, statement, leaves)) is not None
        )

    def _waits(self, edge: Edge) -> bool:
        """Whether the caller itself runs the function, and not a task of its own."""
        return (
            edge.how in ("iterate", "enter")
            or edge.site.role[0] == "await"
            or edge.site.kind != "call"
        )

    # -- reading ------------------------------------------------------------------------------------------

    def _body(self, function: Function) -> Body | None:
        if function not in self._bodies:
            self.evaluator.program.studied.add(function.module.file.name)
            node = syntax.definition(function)
            self._bodies[function] = Body(node) if node is not None else None
        return self._bodies[function]


def _site(function: Function, handler: ast.ExceptHandler, block: int) -> CallSite:
    """The header of a handler, as a place of which facts speak."""
    first = handler.body[0].lineno
    statement = (handler.lineno, first - 1, True) if first > handler.lineno else None
    return CallSite(
        -1, "except", function.facts.index, function.module.blocks[block].info, (), ("except",), block,
        handler.lineno, handler.col_offset, handler.lineno, handler.col_offset + len("except"), statement,
    )  # fmt: skip


def _raises_again(function: Function, line: int) -> bool:
    """Whether a handler has a line that says `raise` and nothing else: no need to look closer then."""
    head, *lines = function.module.span(line, function.facts.end_line)
    indent = len(head) - len(head.lstrip())
    for text in lines:
        stripped = text.strip()
        if stripped and stripped[0] != "#" and len(text) - len(text.lstrip()) <= indent:
            return False
        if stripped == "raise":
            return True
    return False


def _says_raise(function: Function) -> bool:
    """Whether a function that is given an exception has a `raise`."""
    lines = function.module.span(function.facts.line, function.facts.end_line)
    return any(text.split()[:1] == ["raise"] for text in lines)


def _says_outcome(function: Function) -> bool:
    """Whether a function that is given an exception gives it to a promise."""
    lines = function.module.span(function.facts.line, function.facts.end_line)
    return any(".set_exception" in text for text in lines)


def _is_answered(body: Body, handler: ast.ExceptHandler) -> bool:
    """Whether a handler, or what follows it, gives a promise its outcome: whoever waits for that is told."""
    if skipped.resolves(handler.body):
        return True
    tried = body.parents[handler][0]
    follows = skipped.behind(body.parents, tried, how_left(handler.body))
    if skipped.resolves(list(follows)):
        return True
    ended = {
        ast.unparse(node.func.value)
        for node in own(handler.body)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "cancel"
    }
    return bool(ended) and any(
        isinstance(node, ast.Attribute)
        and skipped.RESOLVES.search(node.attr)
        and ast.unparse(node.value) in ended
        for node in body.nodes
    )


def _own_points(body: Body, tried: list[ast.stmt], others: Callable[[ast.expr], bool]) -> bool:
    """Whether a suite awaits anything but tasks, which may be what was cancelled, and `others` like them."""
    found = False
    for node in _waiting(tried):
        if isinstance(node, ast.Await):
            if _is_cancelled(body, node.value):
                return False
            found = found or not (_is_task(node.value) or others(node.value))
        else:
            found = True
    return found


def _waiting(suite: list[ast.stmt]) -> Iterator[ast.AST]:
    """The places of a suite where a cancellation comes up, but those whose cancellation it takes itself."""
    stack: list[ast.AST] = list(suite)
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)) or (
            isinstance(node, ast.comprehension) and node.is_async
        ):
            yield node
        if isinstance(node, ast.Try) and any(_takes_all(h) for h in node.handlers):
            stack += [*node.handlers, *node.orelse, *node.finalbody]
        elif isinstance(node, ast.With) and any(
            "shield=True" in ast.unparse(i) for i in node.items
        ):
            continue
        elif not isinstance(node, FUNCTIONS):
            stack.extend(ast.iter_child_nodes(node))


def _takes_all(handler: ast.ExceptHandler) -> bool:
    """Whether a handler takes a cancellation, by the looks of it, and raises nothing."""
    return takes(handler) and not any(isinstance(node, ast.Raise) for node in own(handler.body))


def _is_cancelled(body: Body, awaited: ast.expr) -> bool:
    """Whether an awaited value is, or is given, a task that the function cancels."""
    return any(
        isinstance(n, (ast.Name, ast.Attribute)) and ast.unparse(n) in body.cancelled
        for n in ast.walk(awaited)
    )


def _is_task(awaited: ast.expr) -> bool:
    """Whether an awaited value is a task or future made elsewhere, or some of them."""
    if isinstance(awaited, ast.Starred):
        awaited = awaited.value
    if not isinstance(awaited, ast.Call):
        return not isinstance(awaited, (ast.ListComp, ast.GeneratorExp, ast.SetComp))
    called = syntax.called(awaited)
    given = awaited.args if called == "gather" else awaited.args[:1]
    return called in WAITS and bool(given) and all(_is_task(one) for one in given)


def _raises(handler: ast.ExceptHandler) -> str | None:
    """What a handler raises instead; empty for nothing and for what a condition decides, None where it may raise what it caught."""
    into = ""
    for node in own(handler.body):
        if not isinstance(node, ast.Raise):
            continue
        if node.exc is None or not isinstance(node.exc, (ast.Call, ast.Name, ast.Attribute)):
            return None
        made = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        name = made.attr if isinstance(made, ast.Attribute) else getattr(made, "id", "")
        if not name[:1].isupper() or "Cancel" in name or name in LEAVES:
            return None
        into = name if node in handler.body else into
    return into


def _kept(handler: ast.ExceptHandler, name: str) -> bool:
    """Whether the exception itself is kept, returned or handed to somebody who may raise it."""
    for node in own(handler.body):
        values: list[ast.expr | None] = []
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.Return, ast.Yield)):
            values = [node.value]
        elif isinstance(node, ast.Call) and syntax.called(node) in KEEPS:
            values = [*node.args, *(k.value for k in node.keywords)]
        for value in values:
            parts = value.elts if isinstance(value, (ast.Tuple, ast.List)) else [value]
            if any(isinstance(one, ast.Name) and one.id == name for one in parts):
                return True
    return False


def _raised_later(body: Body, handler: ast.ExceptHandler) -> bool:
    """`cancelled = True` in the handler, and `if cancelled: raise …` behind it."""
    flags = _assigned(handler.body)
    last = handler.body[-1].end_lineno or handler.lineno
    for node in body.nodes:
        if getattr(node, "lineno", 0) <= last:
            continue
        if (
            isinstance(node, ast.Raise)
            and node.exc is not None
            and "Cancelled" in ast.unparse(node.exc)
        ):
            return True
        if isinstance(node, ast.If) and flags & names(node.test):
            if any(isinstance(inner, ast.Raise) for inner in own(node.body)):
                return True
    return False


def _assigned(suite: list[ast.stmt] | tuple[()]) -> frozenset[str]:
    """The names and attributes that a suite sets."""
    found: set[str] = set()
    for node in own(suite):
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update(ast.unparse(one) for one in targets)
        elif (
            isinstance(node, ast.Call)
            and syntax.called(node) == "set"
            and isinstance(node.func, ast.Attribute)
        ):
            found.add(ast.unparse(node.func.value))
    return frozenset(found)


def _answered(body: Body, awaiting: ast.stmt, answer: ast.expr | None) -> str:
    """How control leaves a statement that awaits a function with a constant answer: `if not await wait(): return`.

    The statement behind may ask for it: `ok = await wait()`.
    """
    if not isinstance(answer, ast.Constant):
        return "falls"
    asked: ast.stmt | None = awaiting
    name = ""
    if isinstance(awaiting, ast.Assign) and isinstance(awaiting.targets[0], ast.Name):
        name = awaiting.targets[0].id
        suite = body.parents[awaiting][1]
        behind = suite[suite.index(awaiting) + 1 :]
        asked = behind[0] if behind else None
    if not isinstance(asked, ast.If):
        return "falls"
    test, negated = asked.test, False
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, negated = test.operand, True
    if not (
        isinstance(test, ast.Name) and test.id == name if name else isinstance(test, ast.Await)
    ):
        return "falls"
    taken = asked.body if bool(answer.value) is not negated else asked.orelse
    return (how_left(taken) or "falls") if taken and all(map(cleans, taken[:-1])) else "falls"


def _unset(
    body: Body, tried: list[ast.stmt], handling: list[ast.stmt] | tuple[()]
) -> frozenset[str]:
    """The names that are None where the handler comes: only the last statement tried gives them a value, or another handler does."""
    last, first = tried[-1], tried[0].lineno
    if not isinstance(last, ast.Assign) or not all(isinstance(t, ast.Name) for t in last.targets):
        return frozenset()
    found = {t.id for t in last.targets if isinstance(t, ast.Name)} - _assigned(handling)
    others = {h.lineno: h for one in body.tries if one.body is tried for h in one.handlers}
    elsewhere = {n for h in others.values() for n in ast.walk(h)}
    for node in body.nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in found:
            if node in last.targets or node in elsewhere:
                continue
            given = body.given.get(node)
            if given is None or not is_none(given) or node.lineno >= first:
                found.discard(node.id)
    return frozenset(found)
