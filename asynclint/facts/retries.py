"""Loops that try one thing again: as a rule they are gone through once."""

from __future__ import annotations

import re
from collections.abc import Iterator

from asynclint.facts.model import Block, Recipe
from asynclint.facts.program import Function

WORDS = re.compile(r"retr(?:y|ies)|attempt|(?:^|_)(?:try|tries)(?:_|$)", re.IGNORECASE)
"""How what counts the turns is called, or what bounds them: `attempt`, `self.max_retries`."""


def is_retry(function: Function, block: Block) -> bool:
    """Whether a loop comes to another turn only where one has failed.

    Its body ends by leaving it, or its counter says that it counts attempts and some part of it leaves.
    """
    if block.kind not in ("for", "afor", "while"):
        return False
    if block.ends:
        return True
    return _is_left(function, block) and any(
        WORDS.search(name) for name in _counting(function, block)
    )


def _is_left(function: Function, loop: Block) -> bool:
    """Whether a suite in a loop ends in `break`, `return` or the like."""
    return any(
        one.ends and any(outer is loop for outer in function.module.chain(index))
        for index, one in enumerate(function.module.blocks)
    )


def _counting(function: Function, loop: Block) -> Iterator[str]:
    """The names of a loop's variables, and of what they are counted from or compared with."""
    if loop.kind == "while":
        yield from _names(loop.info)
        return
    for name, bindings in function.facts.bindings.items():
        if any(b.kind == "for" and b.line == loop.line for b in bindings):
            yield name
    if loop.info and loop.info[0] == "call":
        site = function.module.site(loop.info[1])
        if site.callee == ("name", "range"):
            for recipe, _ in site.args:
                yield from _names(recipe)


def _names(recipe: Recipe) -> Iterator[str]:
    if isinstance(recipe, (tuple, list)):
        if recipe and recipe[0] in ("name", "attr") and isinstance(recipe[-1], str):
            yield recipe[-1]
        for part in recipe:
            yield from _names(part)
