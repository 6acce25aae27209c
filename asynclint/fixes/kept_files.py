"""Files that keep a state: who reads one and writes it back without a wait in between, himself or with helpers, loses nothing that others write."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from asynclint.facts.program import Function
from asynclint.findings import Refused
from asynclint.fixes import met_whole
from asynclint.fixes.awaiting import Frame, frames
from asynclint.fixes.effects import effects
from asynclint.fixes.file_uses import (
    ASKS,
    LOOKS,
    MOVES,
    READS,
    REMOVES,
    STAGES,
    WRITES,
    FileUses,
    Use,
    file_uses,
)
from asynclint.fixes.passing import WAITS
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.source import NESTED, own_nodes
from asynclint.fixes.step import Step, spot
from asynclint.fixes.stores import unlocked

UNFINISHED = re.compile(
    r"te?mp(?![lt])|(?<![a-z])(?:part|partial|new|next|staged|staging|incomplete|unfinished)(?![a-z])|download",
    re.IGNORECASE,
)
"""What is moved when it is finished, and not to make room, is called so."""


def refuse(place: Place, work: ast.AST) -> None:
    """Raise Refused where a thread that does some work of a coroutine lets others in between what is done with one file."""
    at = spot(place)
    if at is None or _is_alone(place):
        return
    uses = place.workshop.once(file_uses)
    own = uses.at(place.function, [work] if isinstance(work, ast.Call) else _all([work]))
    if own:
        if not place.is_locked:
            _refuse_here(place, uses, Step(at), work, own)
        for frame in frames(at):
            _refuse_around(uses, frame, own)


def _refuse_here(
    place: Place, uses: FileUses, step: Step, work: ast.AST, own: tuple[Use, ...]
) -> None:
    """Raise Refused for what the coroutine itself does around its work."""
    before, after = _beside(uses, step, work)
    before += _done(uses, step, step.earlier())
    before += _awaited(uses, step, step.begun, first=False)
    after += _done(uses, step, step.later())
    after += _awaited(uses, step, step.ended, first=True)
    _refuse_pairs(before, own)
    _refuse_pairs(own, after)
    _refuse_shown(place.function, before, own)
    _refuse_written_back(place.function, own)
    _refuse_staged(own, after)
    after += _done(uses, step, _handling(step))
    _refuse_removed(uses, place.function, (*before, *own), (*own, *after))
    met_whole.refuse(place.workshop, place.function, own)


def _refuse_around(uses: FileUses, frame: Frame, own: tuple[Use, ...]) -> None:
    """Raise Refused for what a coroutine does around it that awaits this one."""
    seen = _seen_from(uses, frame, own)
    step_of = f" in one step of `{frame.function.name}`"
    earlier = _done(uses, frame.step, frame.earlier())
    later = _done(uses, frame.step, frame.later())
    _refuse_pairs(earlier, seen, step_of)
    _refuse_pairs(seen, later, step_of)
    _refuse_removed(uses, frame.function, (*earlier, *seen), (*seen, *later), step_of)
    if frame.below is not None and frame.below.is_first:
        _refuse_pairs(_awaited(uses, frame.step, frame.step.begun, False), seen, step_of)
    if frame.below is not None and frame.below.is_last:
        _refuse_pairs(seen, _awaited(uses, frame.step, frame.step.ended, True), step_of)


def refuse_within(place: Place, function: Function) -> None:
    """Raise Refused where a function that a thread is to run for a coroutine does so itself, or below."""
    if not place.is_locked and not _is_alone(place):
        refuse_below(place.workshop, function)


def refuse_below(workshop: Workshop, function: Function) -> None:
    """Raise Refused where a function, or one that its thread comes to, does with files what others must not come in between."""
    uses = workshop.once(file_uses)
    for one in unlocked(workshop, function):
        found = uses.of(one)
        _refuse_written_back(one, found)
        met_whole.refuse(workshop, one, found)


def _is_alone(place: Place) -> bool:
    """Whether a place is passed once, or under a lock of the event loop's wherever the coroutine is awaited."""
    workshop, function = place.workshop, place.function
    runs = workshop.facts.runs
    if function in runs.startup or function in runs.commands:
        return True
    if function in runs.once and not runs.loops(function.module, place.site):
        return True
    into = [edge for edge in workshop.facts.graph.into.get(function, ()) if edge.how == "async"]
    locks = workshop.once(effects)
    return bool(into) and all(locks.is_locked(edge.caller, edge.site) for edge in into)


# -- read, and written back --------------------------------------------------------------------------


def _refuse_pairs(before: Iterable[Use], after: Iterable[Use], step: str = "") -> None:
    """Raise Refused where a file is asked for, or read, and then written."""
    changed = [one for one in after if one.changes]
    for first in sorted(before, key=lambda one: one.how is ASKS) if changed else ():
        for second in changed if first.how in (ASKS, READS) else ():
            if first.path.may_be(second.path):
                raise Refused(_reason(first, second, step))
    for first in before:
        for second in after:
            if _takes_away(first, second):
                raise Refused(_reason(first, second, step))


def _refuse_written_back(function: Function, found: tuple[Use, ...]) -> None:
    """Raise Refused where a function does so without a lock."""
    for index, first in enumerate(found):
        for second in found[index:]:
            back = first.how is READS and second.changes and first.path.may_be(second.path)
            if (back or _takes_away(first, second)) and _follows(function, first, second):
                raise Refused(_reason(first, second))


def _refuse_shown(function: Function, before: Iterable[Use], own: Iterable[Use]) -> None:
    """Raise Refused where what the coroutine has written in place is read in a thread: another one may be writing it by then."""
    for first in before:
        for second in own if first.how is WRITES and _is_others(function, first) else ():
            if second.how is READS and first.path.may_be(second.path):
                raise Refused(
                    f"`{function.name}` writes the file in place, and another call of it would do so while this reads it"
                )


def _refuse_staged(own: Iterable[Use], after: Iterable[Use]) -> None:
    """Raise Refused where a file is written, and moved behind that, under a name that another one may use for its own."""
    moved = {one.path for one in after if one.how is MOVES}
    for one in own:
        if one.how is STAGES and one.path in moved and one.path.is_known and not one.path.is_new:
            raise Refused(
                f"`{one.by.name}` moves the file behind it, and two at once would write and move the same one"
            )


def _refuse_removed(
    uses: FileUses,
    function: Function,
    before: Iterable[Use],
    after: Iterable[Use],
    step: str = "",
) -> None:
    """Raise Refused where what is read from a file, or known of it, decides whether it is taken away."""
    removed = [one for one in after if one.how is REMOVES and _is_others(function, one)]
    for first in before if removed else ():
        for second in removed if first.how in (READS, LOOKS) else ():
            if first.ends >= second.ends or not first.path.may_be(second.path):
                continue
            if not (first.held and second.held) and uses.decides(function, first, second):
                one, other = first.by.name, f"`{second.by.name}`"
                other = "it" if first.by is second.by else other
                raise Refused(
                    f"what `{one}` reads decides whether {other} takes the file away{step}, and by then it may be another one"
                )


def _is_others(function: Function, use: Use) -> bool:
    """Whether others may know a file: its path is no local name for what nobody else has."""
    return use.path.is_known or use.path.name in function.parameters


def _takes_away(first: Use, second: Use) -> bool:
    """Whether a file that is the same at each call is looked at, and then moved away, or emptied."""
    if not first.path.is_known or not first.path.may_be(second.path):
        return False
    if second.how is MOVES:
        return first.how in (ASKS, LOOKS, READS) and not UNFINISHED.search(str(first.path))
    return second.how is WRITES and first.how is LOOKS


def _follows(function: Function, first: Use, second: Use) -> bool:
    """Whether a function does the one behind the other, itself, and without a lock."""
    if first.held and second.held:
        return False
    if first.ends == second.ends and first.by is not function:
        # One call does both: the function that it calls is looked at by itself.
        return False
    module = function.module
    return min(first.block, second.block) < 0 or not (
        module.excludes(first.block, second.block) or module.leaves(first.block, second.block)
    )


def _reason(first: Use, second: Use, step: str = "") -> str:
    one, other = first.by.name, second.by.name
    if second.how is MOVES or first.how is LOOKS:
        does, how = ("takes", "away") if second.how is MOVES else ("writes", "anew")
        what = f"and {does} it {how}" if one == other else f"that `{other}` {does} {how}"
        return f"`{one}` looks at a file {what}{step}, which two at once would both do"
    if first.how is ASKS:
        return (
            f"`{one}` looks for what `{other}` then writes{step}, which two at once would both do"
        )
    return f"what `{one}` reads is written back by `{other}`{step}, and what others write in the meantime would be lost"


# -- what is done in a step ----------------------------------------------------------------------------


def _beside(uses: FileUses, step: Step, work: ast.AST) -> tuple[tuple[Use, ...], tuple[Use, ...]]:
    """What the rest of the statement does before some work of it, and behind that."""
    if not isinstance(work, ast.Call):
        return (), ()
    rest = [one for one in _all(step.header(step.statement)) if one is not work]
    found = uses.at(step.at.function, rest)
    end = work.end_lineno or 0, work.end_col_offset or 0
    return (
        tuple(one for one in found if one.ends <= end),
        tuple(one for one in found if one.ends > end),
    )


def _done(uses: FileUses, step: Step, nodes: Iterable[ast.AST]) -> tuple[Use, ...]:
    return uses.at(step.at.function, _all(nodes))


def _handling(step: Step) -> Iterator[ast.AST]:
    """What is done where the place raises, until something is awaited."""
    below: ast.AST = step.statement
    for one in step.at.tree.above(below):
        if isinstance(one, NESTED):
            return
        for handler in one.handlers if isinstance(one, ast.Try) and below in one.body else ():
            for statement in handler.body:
                if any(isinstance(n, WAITS) for n in (statement, *own_nodes(statement))):
                    break
                yield statement
        below = one


def _awaited(uses: FileUses, step: Step, calls: list[ast.Call], first: bool) -> tuple[Use, ...]:
    """What coroutines do at their beginning, or at their end, that are awaited around a step."""
    return tuple(one for call in calls for one in uses.awaited(step.at.function, call, first))


def _seen_from(uses: FileUses, frame: Frame, own: tuple[Use, ...]) -> tuple[Use, ...]:
    """What is done in the coroutine that holds a place, as one of those tells it that await it."""
    if frame.below is None or not isinstance(frame.step.at.node, ast.Call):
        return own
    below = _seen_from(uses, frame.below, own)
    return uses.told(below, frame.function, frame.step.at.node, frame.below.function)


def _all(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    for one in nodes:
        if not isinstance(one, NESTED):
            yield from (one, *own_nodes(one))
