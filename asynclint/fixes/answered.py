"""How a cancellation is answered: who undoes what was begun, or tells that it failed, counts on nobody who still works on it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from asynclint.facts import body, syntax
from asynclint.facts.program import Function
from asynclint.findings import Refused
from asynclint.fixes import stores
from asynclint.fixes.awaiting import frames
from asynclint.fixes.effects import CHANGES, effects
from asynclint.fixes.place import Place
from asynclint.fixes.source import NESTED, own_nodes
from asynclint.fixes.step import Spot, spot

TELLS = re.compile(
    r"(?:^|[._])(?:log|logs|logger|logging|print|warn|warning|warnings|debug|info|exception|console)(?:[._]|$)",
    re.IGNORECASE,
)
"""What is called so only tells somebody."""

ENDS = re.compile(r"_*(?:kill|terminate|cancel|send_signal|interrupt|abort|wait|join)")
"""How functions begin that end what a thread waits for, or that wait for its end."""

TAKES = frozenset({"pop", "popitem", "popleft", "remove", "discard", "clear"})
"""Methods of containers that only forget something; those that put something in may give it back."""

OWN = ("self", "cls")

NO_THINGS = frozenset({"import", "class", "def"})
"""How names are bound that stand for no object which is worked on."""

Answer = tuple[str, str, set[str]]
"""What is called or set, which of both, and what it is done with."""


def refuse(place: Place, work: ast.AST) -> None:
    """Raise Refused where a handler of the cancellation does something with what some work is done with: its thread goes on."""
    at = spot(place)
    if at is None or _is_harmless(place, work):
        return
    used = set(_things(place.function, work))
    _refuse(used, _answers(place, at))
    for frame in frames(at) if used else ():
        for text, how, things in _answers(place, frame.step.at):
            _refuse(used, [(text, how, {frame.words(one) for one in things})])


def _refuse(used: set[str], answers: Iterable[Answer]) -> None:
    for text, how, things in answers:
        shared = next((one for one in sorted(used) if _is_shared(one, things)), None)
        if shared is not None:
            raise Refused(
                f"who is cancelled here {how} `{text}`, and the thread would still work with `{shared}`"
            )


def _is_shared(thing: str, others: set[str]) -> bool:
    """`task` and `task.id` are one thing; what hangs on the same object is not."""
    return any(
        thing == one
        or (one not in OWN and thing.startswith(f"{one}."))
        or (thing not in OWN and one.startswith(f"{thing}."))
        for one in others
    )


def _is_harmless(place: Place, work: ast.AST) -> bool:
    """Whether some work only waits, or only reads."""
    if not isinstance(work, ast.Call):
        return False
    waiting = place.facts.blocks_as("wait")
    if waiting is not None and waiting.through is None:
        return True
    return _only_asks(syntax.called(work))


def _only_asks(name: str) -> bool:
    plain = name.lstrip("_")
    return bool(stores.GIVES.match(plain) or stores.ASKS.match(plain))


# -- what is done by the handlers ----------------------------------------------------------------------


def _answers(place: Place, at: Spot) -> Iterator[Answer]:
    """What the handlers around a spot do that get its cancellation."""
    below = at.node
    for one in at.tree.above(at.node):
        if isinstance(one, NESTED):
            return
        if isinstance(one, ast.Try) and below in one.body:
            taking = next((h for h in one.handlers if body.takes(h)), None)
            if taking is not None:
                yield from _done(place, at.function, taking)
        below = one


def _done(place: Place, function: Function, handler: ast.ExceptHandler) -> Iterator[Answer]:
    """What a handler does but raise something."""
    raised = {
        id(inner)
        for one in own_nodes(handler)
        if isinstance(one, ast.Raise)
        for inner in ast.walk(one)
    }
    for one in own_nodes(handler):
        if isinstance(one, ast.Call) and id(one) not in raised:
            things = set(_things(function, one))
            if things and not _is_aside(place, function, one):
                yield ast.unparse(one.func), "calls", things
        elif isinstance(one, (ast.Assign, ast.AugAssign)):
            for target in one.targets if isinstance(one, ast.Assign) else [one.target]:
                if isinstance(target, (ast.Attribute, ast.Subscript)):
                    yield ast.unparse(target), "sets", set(_set(function, target))


def _is_aside(place: Place, function: Function, call: ast.Call) -> bool:
    """Whether a call only tells somebody, asks, ends what the thread waits for, or forgets something."""
    name = syntax.called(call)
    if TELLS.search(ast.unparse(call.func)) or ENDS.match(name) or _only_asks(name):
        return True
    if not isinstance(call.func, ast.Attribute) or name not in CHANGES:
        return False
    if name not in TAKES and not _is_local(function, call.func.value):
        return False
    extent, containers = syntax.extent(call), place.workshop.once(effects)
    return any(
        one.kind == "call" and one.extent == extent and containers.is_containers(function, one)
        for one in function.sites
    )


def _set(function: Function, target: ast.Attribute | ast.Subscript) -> Iterator[str]:
    """What a target belongs to: the object, and the key where others know the container."""
    yield from (one for one in _things(function, target.value) if one not in OWN)
    if isinstance(target, ast.Subscript) and not _is_local(function, target.value):
        yield from _things(function, target.slice)


def _is_local(function: Function, node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in function.facts.bindings


# -- what is worked with -------------------------------------------------------------------------------


def _things(function: Function, node: ast.AST) -> Iterator[str]:
    """The objects that some code names, but for what it calls and what texts say of them."""
    if isinstance(node, (*NESTED, ast.JoinedStr)):
        return
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            yield from _things(function, node.func.value)
        for one in (*node.args, *(k.value for k in node.keywords)):
            yield from (thing for thing in _things(function, one) if thing not in OWN)
    elif _is_dotted(node):
        text = ast.unparse(node)
        if _is_thing(function, text.partition(".")[0]):
            yield text
    else:
        for inner in ast.iter_child_nodes(node):
            yield from _things(function, inner)


def _is_dotted(node: ast.AST) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _is_thing(function: Function, name: str) -> bool:
    """Whether a name is a variable: no module, class, function or builtin."""
    scope = function.scope_of(name)
    bound = scope.facts.bindings.get(name, ()) if scope is not None else ()
    return scope is not None and (not bound or any(one.kind not in NO_THINGS for one in bound))
