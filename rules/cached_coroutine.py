"""A coroutine can be awaited once: a cache hands out one that has been."""

from __future__ import annotations

import libcst as cst

from asynclint.rule import Rule


class CachedCoroutine(Rule):
    """A cache of `functools` on a coroutine function."""

    name = "cached-coroutine"
    group = "coroutines"
    level = "error"
    since = "0.1"

    def visit_Decorator(self, node: cst.Decorator) -> None:
        facts = self.call(node)
        mistake = facts.mistakes.get("cached") if facts else None
        if mistake is not None:
            self.report(
                node.decorator,
                f"`{mistake.by}` keeps the coroutine of `{mistake.name}`, which can be awaited once",
                refusal="the cache has to be one for coroutines, such as those of `async_lru` and `aiocache`",
            )
