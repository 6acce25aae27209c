"""What a coroutine does in one step today, and a new wait would take apart: others would run between its two halves.

A step reaches from one wait to the next. What is read in its first half and set in the second one, or set in the first and
read or set again in the second, must stay in one step. Where the coroutine waits nowhere else, the step is its callers', too.
"""

from __future__ import annotations

import ast

from asynclint.findings import Refused
from asynclint.fixes.awaiting import frames
from asynclint.fixes.effects import shown
from asynclint.fixes.orphaned import left_behind
from asynclint.fixes.step import Half, Spot, Step, is_locked, object_of

SEEN, BETWEEN = "is set before and after it", "and others would see what is between"
ASKED, TWICE = "is asked before and set afterwards", "which two at once would both do"


def refuse(at: Spot | None, twice: bool = True) -> None:
    """Raise Refused where a wait would come between two halves of one step.

    `twice` forbids it between two calls of one object, too.
    """
    reason = broken(at, twice) if at is not None else None
    if reason is not None:
        raise Refused(reason)


def broken(at: Spot, twice: bool = True) -> str | None:
    """Why a wait lets others see, or change, what is half done; None where it does not."""
    if is_locked(at):
        return _asked_before_lock(at)
    step = Step(at)
    before, after, behind = step.before(), step.after(), step.behind()
    seen = (before.sets & (after.sets | after.reads)) | (before.filled & after.reads)
    for one in sorted(seen):
        return f"`{shown(one)}` {SEEN}, {BETWEEN}"
    for one in sorted(before.sets & step.inside()):
        return f"`{shown(one)}` is set before it and read in the thread, and others would set it in between"
    whole = step.key(object_of(at.node))
    if twice and (whole in before.tells or (whole in after.calls and step.is_told)):
        return f"`{shown(whole)}` is called twice in one step, and others would call it in between"
    kept = _kept(at, step)
    asked = (before.tests & behind.sets) | (before.reads & after.sets) | _asked(before, after)
    for one in sorted(asked - kept):
        return f"`{shown(one)}` {ASKED}, {TWICE}"
    return _broken_around(at, kept) or left_behind(step)


def _asked_before_lock(at: Spot) -> str | None:
    """Why a wait under a lock comes between a test before it and what is set by that; a free lock suspends nobody."""
    step = Step(at)
    before, inside, after = step.before_lock(), step.in_lock(), step.after()
    kept = _kept(at, step) | inside.tests | inside.reads | after.tests
    asked = (before.tests & step.behind().sets) | (before.reads & after.sets)
    for one in sorted((asked | _asked(before, after)) - kept):
        return f"`{shown(one)}` is asked before the lock is taken and set under it, {TWICE}"
    for frame in frames(at):
        own = next(one for one in frame.inner() if one.below is None)
        private = frame.unknown & own.unknown
        for one in sorted(_asked(frame.before, own.after) - private - kept):
            return f"`{shown(one)}` is asked in `{frame.function.name}` and set under the lock, {TWICE}"
    return None


def _broken_around(at: Spot, kept: set[str]) -> str | None:
    """The same for the coroutines that await this one."""
    for frame in frames(at):
        step = f"in one step of `{frame.function.name}`"
        for first, second in frame.pairs():
            before, after = first.before, second.after
            private = first.unknown & second.unknown
            # Who sets something around an `await` of its own means others to see it.
            changed = after.bound | after.reads | after.named
            seen = before.bound & changed if first is not second else set()
            for one in sorted(seen - private):
                return f"`{shown(one)}` {SEEN} {step}, {BETWEEN}"
            for one in sorted(_asked(before, after) - private - kept):
                return f"`{shown(one)}` {ASKED} {step}, {TWICE}"
    return None


def _kept(at: Spot, step: Step) -> set[str]:
    """What may be asked before and set behind: `if self.client: self.client.close(); self.client = None` closes twice, at worst.

    Not where a method puts another one there: the client of `start`, called meanwhile, would be lost.
    """
    receiver = _receiver(at.node)
    method = at.function.method_around()
    if method is not None and method.klass is not None:
        own, _, attr = receiver.partition(".")
        for function, binding in method.klass.self_attributes().get(attr, ()):
            made = binding.recipe not in (None, ("const", None))
            if own == method.self_name and made and function.facts.name != "__init__":
                return set()
    return {step.key(receiver)}


def _asked(before: Half, after: Half) -> set[str]:
    """What is asked before and set behind, by whomever."""
    return (before.tests | before.reads) & (after.named | after.filled)


def _receiver(node: ast.AST) -> str:
    """The object whose method a place calls."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return ast.unparse(node.func.value)
    return ""
