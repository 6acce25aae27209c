"""A function that is called before a thread gets it is handed over instead, with its arguments."""

from __future__ import annotations

import ast
import textwrap

from asynclint.facts.early import PARTIAL
from asynclint.facts.known_calls import known_callee
from asynclint.facts.types import Coro, Func, Gen, Lib, LibMethod, members
from asynclint.findings import Edit, Fix, Refused
from asynclint.fixes.place import Place

TITLE = "hand over the function and its arguments"

TAKES_ALL = frozenset({"to_thread", "run_in_threadpool", "submit", "sync_to_thread"})
"""Functions that call their first argument with all the others."""

TAKES_POSITIONAL = frozenset({"run_in_executor", "run_sync"})
"""The same, but keywords are not for the function."""

OWN = frozenset({"limiter", "cancellable", "abandon_on_cancel"})
"""Keywords of `run_sync` itself."""

FIRST = frozenset({"func", "fn"})
"""What the function may be called that is handed over."""

ONE_THREAD = ("sqlite3.",)
"""Roots of classes whose objects raise in every thread but one."""


def of(place: Place) -> Fix:
    """`to_thread(f(x))` → `to_thread(f, x)`. Raises Refused where the arguments have no place behind the function."""
    _refuse_called(place)
    outer, keyword = _outer(place)
    evaluator = place.workshop.facts.graph.evaluator
    module = place.function.module
    callee = evaluator.callee(module, module.site(place.site.role[1]))
    known = known_callee(evaluator, callee)
    if known is not None and known.makes_async:
        return _called_behind(place, outer)
    if isinstance(callee, Lib) and callee.path == PARTIAL:
        if len(outer.args) > 1 or outer.keywords:
            raise Refused("it has other arguments already")
        taker = place.tree.parent(outer)
        return _fix(place, taker if isinstance(taker, ast.Call) else outer, _handed(place))
    if known is not None and (known.offloads is None or isinstance(known.offloads, str)):
        reason = "the arguments of the thread are given by name"
        raise Refused(reason if known.offloads else "what is to run in a thread is not certain")
    return _fix(place, outer, *_offloaded(place, outer, keyword, known is not None))


def _refuse_called(place: Place) -> None:
    """Raise Refused for what has nothing to do in a thread."""
    module, site = place.function.module, place.site
    evaluator = place.workshop.facts.graph.evaluator
    value = evaluator.call_type(module, site.index)
    if isinstance(value, Coro):
        raise Refused("a coroutine function has nothing to do in a thread")
    if isinstance(value, Gen):
        raise Refused("it is a generator: its body runs where it is iterated")
    for member in members(evaluator.callee(module, site)):
        if isinstance(member, LibMethod) and member.cls.startswith(ONE_THREAD):
            raise Refused(f"a `{member.cls.rpartition('.')[2]}` is used by one thread only")
        if isinstance(member, Func) and member.function.is_async:
            raise Refused("a coroutine function has nothing to do in a thread")


def _outer(place: Place) -> tuple[ast.Call, ast.keyword | None]:
    """The call that gets the result, and the keyword that it has there."""
    parent = place.tree.parent(place.call)
    keyword = parent if isinstance(parent, ast.keyword) else None
    outer = place.tree.parent(keyword) if keyword is not None else parent
    if not isinstance(outer, ast.Call):
        raise Refused("it is one of several values")
    return outer, keyword


def _offloaded(
    place: Place, outer: ast.Call, keyword: ast.keyword | None, known: bool
) -> tuple[str, tuple[Edit, ...]]:
    """What stands in the place of the call, and the imports that this needs."""
    call, func = place.call, outer.func
    name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    if known and name not in TAKES_ALL | TAKES_POSITIONAL:
        raise Refused("what is to run in a thread is not certain")
    others = [k for k in outer.keywords if k is not keyword]
    if name == "run_sync" or (name == "run_in_executor" and keyword is not None):
        others = [k for k in others if k.arg not in OWN | {"executor"}]
    behind = call is not outer.args[-1] if keyword is None else len(outer.args) > 1
    if others or behind:
        raise Refused("it has other arguments already")
    apart = known and keyword is None
    if name in TAKES_POSITIONAL or (name == "run_in_threadpool" and _is_named_like(call)):
        apart = apart and not call.keywords
    if apart or not (call.args or call.keywords):
        return _handed(place), ()
    partial, edits = place.imported("functools", "partial")
    return f"{partial}({_handed(place).strip()})", edits


def _is_named_like(call: ast.Call) -> bool:
    """Whether a keyword for the function would be taken for the function itself."""
    return any(k.arg in FIRST for k in call.keywords)


def _called_behind(place: Place, outer: ast.Call) -> Fix:
    """`sync_to_async(f(x))()` → `sync_to_async(f)(x)`."""
    call, source = place.call, place.source
    behind = place.tree.parent(outer)
    if not isinstance(behind, ast.Call) or behind.func is not outer:
        raise Refused("what is made of it is not called here")
    if behind.args or behind.keywords:
        raise Refused("it has other arguments already")
    if isinstance(call.func, ast.Lambda):
        raise Refused("a lambda is called")
    opening = source.text.index("(", source.end(call.func))
    arguments = source.text[opening : source.end(call)]
    empty = source.edit(source.end(outer), source.end(behind), arguments)
    return _fix(place, behind, source.segment(call.func), (empty,))


def _handed(place: Place) -> str:
    """The function and its arguments; on lines of their own where the call has them."""
    call, source = place.call, place.source
    inner = source.text[source.text.index("(", source.end(call.func)) + 1 : source.end(call) - 1]
    commented = "#" in inner.rstrip().rpartition("\n")[2]
    behind = source.text[source.end(call) :].partition("\n")[0].lstrip()
    if commented and behind.startswith(","):
        raise Refused("a comment stands among the arguments")
    before = source.text[source.line_start(call.lineno) : source.start(call)]
    text = _lines(place, inner, commented and behind.startswith(")"))
    if text is None:
        text = place.handed(call)
        if not before.strip():
            text = text.lstrip() if commented else text.strip()
    return text.rstrip().removesuffix(",") if behind.startswith(",") else text


def _lines(place: Place, inner: str, ended: bool) -> str | None:
    """The function and its arguments on lines of their own, where the call stands so; with `ended`, the last one is, too."""
    call, source = place.call, place.source
    before = source.text[source.line_start(call.lineno) : source.start(call)]
    head, _, rest = inner.partition("\n")
    if before.strip() or not rest.strip() or _holds_lines(call):
        return None
    if head.strip() and not head.lstrip().startswith("#"):
        return None
    lines = textwrap.dedent(rest).rstrip().removesuffix(",").split("\n")
    text = "\n".join([f"{source.segment(call.func)},{head.rstrip()}", *(before + x for x in lines)])
    return f"{text}\n{before}" if ended else text


def _holds_lines(call: ast.Call) -> bool:
    """Whether a text among the arguments goes over several lines, which are not to be moved."""
    return any(
        isinstance(node, (ast.Constant, ast.JoinedStr)) and node.end_lineno != node.lineno
        for node in ast.walk(call)
    )


def _fix(place: Place, outer: ast.Call, text: str, edits: tuple[Edit, ...] = ()) -> Fix:
    """Safe where what is called now raises here before anything comes of it."""
    awaited = isinstance(place.tree.parent(outer), ast.Await)
    edit = place.source.replace(place.call, text)
    return place.fix(TITLE, edit, *edits, safe=awaited and not place.is_tried)
