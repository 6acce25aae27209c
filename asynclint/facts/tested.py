"""What tests around and before a call say of the object that it is made on: `if future.done():`, `while queue.empty(): …`."""

from __future__ import annotations

from collections.abc import Mapping

from asynclint.facts.model import Block, CallSite, Recipe
from asynclint.facts.program import Module

Answers = Mapping[str, bool]
"""Methods of an object, and what each of them answers where a call does not wait."""

FILLED: Answers = {"empty": False, "qsize": True}
DONE: Answers = {"done": True}
READY: Answers = {"ready": True}
ENDED: Answers = {"is_alive": False}
SET: Answers = {"is_set": True}
SENT: Answers = {"poll": True}
"""Something has come through a pipe."""
EXITED: Answers = {"poll": True}
"""A process has a code of its end, which is not None."""

NONE: Recipe = ("const", None)


def tested(site: CallSite, base: Recipe, answers: Answers, module: Module) -> bool:
    """Whether a site is reached only where one of the methods of `base` has given the answer."""
    around = list(module.chain(site.block))
    for block in around:
        if block.kind in ("if", "while") and _means(block.info, True, base, answers, module):
            return True
        if block.kind == "else" and _means(block.info, False, base, answers, module):
            return True
    return _asked_beside(site, base, answers, module) or any(
        _is_left_behind(block, site)
        and block not in around
        and block.parent >= 0
        and module.blocks[block.parent] in around
        and _means(block.info, False, base, answers, module)
        for block in module.blocks
    )


def _is_left_behind(block: Block, site: CallSite) -> bool:
    """Whether what stands behind a block is reached only where its test fails: `while not f.done():`, `if q.empty(): return`."""
    return block.line < site.line and (block.kind == "while" or (block.kind == "if" and block.ends))


def _asked_beside(site: CallSite, base: Recipe, answers: Answers, module: Module) -> bool:
    """`future.done() and future.result() is None`."""
    return any(
        other.role[0] == "test"
        and other.block == site.block
        and other.statement == site.statement
        and other.index < site.index
        and _means(("call", other.index), True, base, answers, module)
        for other in module.functions[site.function].sites
    )


def _means(test: Recipe, holds: bool, base: Recipe, answers: Answers, module: Module) -> bool:
    """Whether a test that holds, or does not, says that one of the methods has given its answer."""
    if not test:
        return False
    if test[0] == "not":
        return _means(test[1], not holds, base, answers, module)
    if test[0] == "any":
        parts = (_means(one, holds, base, answers, module) for one in test[1])
        return any(parts) if (test[2] == "and") == holds else all(parts)
    if test[0] == "cmp":
        operator, left, right = test[1:4]
        if right == NONE and operator in ("Is", "IsNot"):
            return _answers(left, (operator == "IsNot") == holds, base, answers, module)
        if right is not None and right[0] == "const" and right[1] == 0:
            if operator in ("Gt", "NotEq"):
                return _answers(left, holds, base, answers, module)
            return operator in ("Eq", "LtE") and _answers(left, not holds, base, answers, module)
        return operator in ("Gt", "GtE") and _answers(left, holds, base, answers, module)
    return _answers(test, holds, base, answers, module)


def _answers(recipe: Recipe, truth: bool, base: Recipe, answers: Answers, module: Module) -> bool:
    """Whether something that is true, or not, is the answer of one of the methods."""
    if not recipe or recipe[0] != "call":
        return False
    callee = module.site(recipe[1]).callee
    return (
        bool(callee)
        and callee[0] == "attr"
        and callee[1] == base
        and answers.get(callee[2]) is truth
    )
