"""What the parts of the lifespan plan share: the edits over several files, and what makes them unsafe."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from asynclint.facts.program import Function
from asynclint.fixes.edits import Edits
from asynclint.fixes.place import Place


@dataclass
class Plan(Edits):
    """Edits over several files, and what makes them unsafe."""

    doubts: list[str] = field(default_factory=list)
    gone: dict[str, list[ast.AST]] = field(default_factory=dict)
    """By file: nodes that the edits take away."""


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
