"""Calls of which there is nothing to say: they give a value at most."""

from __future__ import annotations

from asynclint.facts.builtin_calls import APPLIERS, CONSUMERS, SPECIAL
from asynclint.facts.model import CallSite
from asynclint.facts.types import Lib, LibMethod, Type
from asynclint.knowledge import Knowledge
from asynclint.knowledge.model import Function as Known

CALLING = frozenset({"builtins.map", "builtins.filter", "signal.signal", "atexit.register"})
"""Library functions that call an argument, now or later, with which nothing else is wrong."""


class Mute:
    """What the knowledge tables know of calls that only give a value."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.known = knowledge
        self._paths: dict[str, bool] = {}
        self._only: dict[int, tuple[Known, bool]] = {}

    def is_mute(self, callee: Type, site: CallSite) -> bool:
        """Whether a call gives a value at most, and nothing else is known of it: `len`, `logging.info`, `response.json`."""
        if isinstance(callee, LibMethod):
            return _is_plain_call(site) and self._only_returns(callee.known)
        if not isinstance(callee, Lib):
            return False
        path = callee.path
        found = self._paths.get(path)
        if found is None:
            cls = self.known.cls(path)
            found = self._paths[path] = (
                path not in SPECIAL
                and path not in CONSUMERS
                and path not in APPLIERS
                and self.known.function(path) is None
                and (
                    cls is None
                    or not (cls.construct or cls.client or cls.bounds or cls.lock == "async")
                )
            )
        if path in APPLIERS:
            return False
        if found or path in CALLING or path in SPECIAL or path in CONSUMERS:
            return found
        known = self.known.function(path)
        return known is not None and _is_plain_call(site) and self._only_returns(known)

    def _only_returns(self, known: Known) -> bool:
        found = self._only.get(id(known))
        if found is None or found[0] is not known:
            found = self._only[id(known)] = known, known.only_returns
        return found[1]


def _is_plain_call(site: CallSite) -> bool:
    """Not one that stands where a function may belong: `to_thread(read())`."""
    return site.kind == "call" and site.role[0] != "arg"
