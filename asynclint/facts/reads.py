"""Where a local name is read that holds a certain value."""

from __future__ import annotations

from asynclint.facts.model import CallSite, Use
from asynclint.facts.program import Function, Program


def of_value(program: Program, function: Function, name: str, site: CallSite) -> list[Use] | None:
    """The reads that see the value made at `site`; None where that is not clear."""
    facts = function.facts
    uses = facts.uses.get(name, [])
    bindings = facts.bindings.get(name, [])
    if len(bindings) == 1:
        return uses
    made = ("call", site.index) if site.kind == "call" else site.callee
    mine = [
        b
        for b in bindings
        if b.recipe == made or (b.recipe and b.recipe[0] == "any" and made in b.recipe[1])
    ]
    if not mine:
        return None
    seen = []
    for use in uses:
        reaching, _ = program.reaching_bindings(
            function.module, bindings, use.line, use.col, use.block
        )
        if mine[0] in reaching:
            seen.append(use)
    return seen


def is_alone(program: Program, function: Function, name: str, use: Use) -> bool:
    """Whether a read sees the value of one place only."""
    bindings = function.facts.bindings.get(name, [])
    reaching, sure = program.reaching_bindings(
        function.module, bindings, use.line, use.col, use.block
    )
    return len(reaching) == 1 and sure


def closed_over(function: Function, name: str) -> bool:
    """Whether a nested function reads the name."""
    functions = function.module.functions
    for other in functions[function.facts.index + 1 :]:
        if other.facts.line > function.facts.end_line:
            break
        if name in other.facts.loaded or name in other.facts.uses or name in other.facts.nonlocals:
            if other.is_within(function):
                return True
    return False
