"""What a function says of how many of its tasks run at once, and whether they stay with it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from asynclint.facts.known_calls import known_callee
from asynclint.facts.syntax import called
from asynclint.findings import Refused
from asynclint.fixes.place import Place
from asynclint.fixes.source import below

KNOB = re.compile(
    r"^_*(?:limit|batch_size|(?:n|num|max|max_num)_(?:workers|parallel|threads)|workers|parallelism|n_jobs)$"
    r"|concurren|max_parallel|semaphore"
)
"""What parameters are called that say how many run at once."""

KEPT = r"(?:max_(?:concurren\w*|workers|parallel\w*)|concurrency(?:_limit)?)"

KEPT_KNOB = re.compile(rf"^_*{KEPT}$")
"""The same of what an object keeps."""

OWN_KNOB = re.compile(rf"\bself(?:\.\w+)*\.{KEPT}\b")
"""The same where a method reads it of what the object keeps: `self.config.max_concurrency`."""

GATHERED = frozenset({"list", "set", "tuple", "frozenset"})

HOLDING = (
    ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Starred, ast.IfExp,
)  # fmt: skip

ADDING = frozenset({"add", "append"})

Definition = ast.FunctionDef | ast.AsyncFunctionDef


def refuse_chosen(place: Place) -> None:
    """Raise Refused where a parameter, or an attribute of the object, says already how many are to run at once."""
    function = place.tree.function(place.call)
    while isinstance(function, Definition):
        arguments = function.args
        for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            if KNOB.search(one.arg):
                raise Refused(f"`{one.arg}` is there to say how many run at once")
        for node in _own(function):
            if isinstance(node, ast.Attribute) and KEPT_KNOB.match(node.attr):
                raise Refused(f"`{ast.unparse(node)}` is there to say how many run at once")
        function = place.tree.function(function)
    method = place.function.method_around()
    klass = method.klass if method is not None else None
    if klass is not None:
        for name in (*klass.self_attributes(), *klass.body.facts.bindings):
            if KEPT_KNOB.match(name):
                raise Refused(f"`{name}` is there to say how many run at once")
        for each in klass.methods():
            found = OWN_KNOB.search(
                "\n".join(klass.module.span(each.facts.line, each.facts.end_line))
            )
            if found is not None:
                raise Refused(f"`{found[0]}` is there to say how many run at once")


def refuse_leaving(place: Place) -> None:
    """Raise Refused where tasks outlive the function that makes them, or the caller says how long it waits for them."""
    function = place.tree.function(place.call)
    if function is None:
        return
    for one in _own(function):
        if isinstance(one, ast.Call) and called(one) == "wait" and _is_told(one):
            raise Refused("how long it waits for them is told by the caller")
    evaluator = place.workshop.facts.graph.evaluator
    known = known_callee(evaluator, evaluator.callee(place.function.module, place.site))
    if known is None or known.spawns is None or known.keeps:
        return
    holders = _holders(place, function)
    if any(_leaves(function, name) for name in holders):
        raise Refused("its tasks outlive the function that makes them")
    if any(_is_ended(one, holders) for one in _own(function)):
        raise Refused("its tasks run until they are cancelled")


def _is_ended(node: ast.AST, holders: set[str]) -> bool:
    """`finally:` with `for task in tasks: task.cancel()` in it: the tasks are not waited for, but ended."""
    return isinstance(node, ast.Try) and any(
        isinstance(loop, ast.For)
        and isinstance(loop.target, ast.Name)
        and any(isinstance(n, ast.Name) and n.id in holders for n in ast.walk(loop.iter))
        and any(
            isinstance(call, ast.Call) and ast.unparse(call.func) == f"{loop.target.id}.cancel"
            for call in ast.walk(loop)
        )
        for last in node.finalbody
        for loop in ast.walk(last)
    )


def _is_told(call: ast.Call) -> bool:
    """`wait(tasks, **options)`, `wait(tasks, return_when=when)`."""
    return any(
        k.arg is None
        or (k.arg == "return_when" and isinstance(k.value, ast.Name) and not k.value.id.isupper())
        for k in call.keywords
    )


def _holders(place: Place, function: ast.AST) -> set[str]:
    """What holds the tasks that a call starts: variables, attributes; an empty one where nothing does."""
    found = set(_held(place, place.call))
    while True:
        more = {
            holder
            for one in _own(function)
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load) and one.id in found
            for holder in _held(place, one)
            if holder
        }
        if more <= found:
            return found
        found |= more


def _held(place: Place, node: ast.expr) -> Iterator[str]:
    """What a statement gives a task to, or adds it to."""
    above: ast.AST = node
    for one in place.tree.above(node):
        if isinstance(one, ast.Call) and above is not one.func:
            if isinstance(one.func, ast.Attribute) and one.func.attr in ADDING:
                yield ast.unparse(one.func.value)
            elif called(one) not in GATHERED:
                return
        elif isinstance(one, (ast.Assign, ast.AnnAssign)):
            for target in one.targets if isinstance(one, ast.Assign) else [one.target]:
                yield ast.unparse(target.value if isinstance(target, ast.Subscript) else target)
        elif isinstance(one, ast.Expr):
            if above is node is place.call:
                yield ""
        elif isinstance(one, (ast.Return, ast.Yield)):
            yield "return"
        elif not isinstance(one, HOLDING):
            return
        if isinstance(one, ast.stmt):
            return
        above = one


def _leaves(function: ast.AST, holder: str) -> bool:
    """Whether what holds tasks is no variable of the function's."""
    if not holder.isidentifier() or holder == "return":
        return True
    return not any(
        isinstance(one, ast.Name) and one.id == holder and isinstance(one.ctx, ast.Store)
        for one in _own(function)
    )


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes that a function runs, those outside first; what a function within it runs is left out."""
    waiting: list[ast.AST] = list(getattr(function, "body", ()))
    for one in waiting:
        yield one
        inner = getattr(one, "body", ()) if isinstance(one, (Definition, ast.Lambda)) else ()
        inner = inner if isinstance(inner, list) else (inner,)
        waiting += [each for each in below(one) if each not in inner]
