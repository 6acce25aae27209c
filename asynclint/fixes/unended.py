"""An asynchronous client that has to be closed, where the synchronous one may be dropped: whether it lives as long as the program."""

from __future__ import annotations

from collections.abc import Iterable

from asynclint.facts.program import Function
from asynclint.facts.types import Inst
from asynclint.findings import Refused
from asynclint.fixes.holders import Holders
from asynclint.fixes.mentions import Global, Held, Holder, Local, Result, State
from asynclint.fixes.twins import Pair, Twins

SESSIONS = frozenset({"azure", "elasticsearch", "opensearchpy"})
"""Libraries whose asynchronous clients keep a session of aiohttp, which complains where nobody closes it."""


def refuse_unclosed(holders: Holders, twins: Twins, kept: dict[Holder, Pair], root: Pair) -> None:
    """Raise Refused where clients that nothing closes, in these holders, are made again and again."""
    path = root.sync.of if isinstance(root.sync, Inst) and isinstance(root.sync.of, str) else ""
    if path.partition(".")[0] not in SESSIONS:
        return
    clients = [holder for holder, pair in kept.items() if twins.client(pair.sync)]
    if not any(_lasts(holders, one) for one in clients):
        raise Refused("it has to be closed, which nothing does")


def _lasts(holders: Holders, holder: Holder) -> bool:
    """Whether what is in a holder stays until the program ends."""
    runs = holders.workshop.facts.runs
    if isinstance(holder, Held):
        made = holder.klass.own_method("__init__")
        edges = holders.workshop.facts.graph.into.get(made, ()) if made is not None else ()
        return _all_once(holders, (e.caller for e in edges if not e.caller.module.file.is_test))
    if isinstance(holder, Result):
        return runs.cached(holder.function)
    if isinstance(holder, Local):
        return _all_once(holders, [holder.function])
    return isinstance(holder, (Global, State))


def _all_once(holders: Holders, functions: Iterable[Function]) -> bool:
    """Whether all functions run once in a program's life, or keep what they give; False for none."""
    runs = holders.workshop.facts.runs
    found = list(functions)
    return bool(found) and all(
        one.facts.kind == "module" or one in runs.once or runs.cached(one) for one in found
    )
