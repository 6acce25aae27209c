"""What the parts of the lifespan plan share: the edits over several files, and what makes them unsafe."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from asynclint.facts.program import Function
from asynclint.findings import Edit, Refused
from asynclint.fixes.place import Place


@dataclass
class Plan:
    """Edits over several files, and what makes them unsafe."""

    edits: list[Edit] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    gone: dict[str, list[ast.AST]] = field(default_factory=dict)
    """By file: nodes that the edits take away."""

    def add(self, *edits: Edit) -> None:
        """More edits; the same one twice counts once."""
        for edit in edits:
            if edit not in self.edits:
                self.edits.append(edit)

    def checked(self) -> tuple[Edit, ...]:
        """All edits. Raises Refused where two of them overlap; white space of lines that go need not go by itself."""
        larger = [e for e in self.edits if e.start >= 0 and e.end > e.start]
        self.edits = [
            e
            for e in self.edits
            if e.text
            or not any(
                o is not e and o.path == e.path and o.start <= e.start and e.end <= o.end
                for o in larger
            )
        ]
        last: Edit | None = None
        for edit in sorted(e for e in self.edits if e.start >= 0):
            if last is not None and last.path == edit.path and edit.start < last.end:
                raise Refused("the rewrite would change the same text twice")
            last = edit
        return tuple(self.edits)


class Part:
    """What every part of the plan looks at and adds to."""

    def __init__(self, place: Place, plan: Plan) -> None:
        self.place = place
        self.plan = plan
        self.workshop = place.workshop
        self.function = place.function
        self.module = place.function.module
        self.source = place.source
        self.tree = place.tree
        self.graph = self.workshop.facts.graph
        self.evaluator = self.graph.evaluator
        self.runs = self.workshop.facts.runs

    def is_entry(self, function: Function) -> bool:
        """Whether the framework calls a function for every request."""
        return any(p.entry.often == "request" for p in self.graph.entries.get(function, ()))
