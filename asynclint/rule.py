"""A rule: a libcst visitor that objects to one thing, and the verbs with which it asks and reports.

A rule file is `rules/<name>.py` with one subclass of `Rule`; beside it stands its page, `rules/<name>.md`.
A rule does not resolve names or types. It asks for the facts of the node in hand::

    class BlockingSleep(Rule):
        \"\"\"`time.sleep` on the event loop.\"\"\"

        name = "blocking-sleep"
        group = "blocking"
        level = "error"
        since = "0.1"

        def visit_Call(self, node: cst.Call) -> None:
            facts = self.call(node)
            if facts and (blocking := facts.blocks_as("sleep")):
                self.report(node, f"`{blocking.name}` blocks the event loop", because=blocking.because)

The engine parses only the functions about which some fact speaks and walks each once for all rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

import libcst as cst

from asynclint.findings import Finding, Fix, Level, Link, Span

if TYPE_CHECKING:
    from asynclint.facts.view import CallFacts, FunctionFacts, Often, Slice
    from asynclint.fixes.place import Place
    from asynclint.knowledge.model import BlockKind


class Rule(cst.CSTVisitor):
    """Base of all rules. Subclasses set the class attributes and define `visit_…` methods."""

    name: ClassVar[str]
    """kebab-case, equal to the file's stem with hyphens; reads well after "allow"."""
    group: ClassVar[str]
    level: ClassVar[Level]
    default: ClassVar[bool] = True
    """Whether it runs without being selected."""
    since: ClassVar[str]
    """The release that brought it."""
    yields_to: ClassVar[tuple[str, ...]] = ()
    """Rules whose finding at the same place says the same defect better."""
    repairs: ClassVar[bool] = False
    """Whether the rule has a `repair`."""
    everything: ClassVar[bool] = False
    """True asks the engine to parse and walk whole modules for this rule, not only slices with facts."""

    def __init__(self) -> None:
        super().__init__()
        self.findings: list[Finding] = []
        self._slice: Slice | None = None

    def enter(self, piece: Slice) -> None:
        """Called by the engine before each slice is walked."""
        self._slice = piece

    @property
    def slice(self) -> Slice:
        """The piece of source being walked."""
        assert self._slice is not None, "a rule asks for facts only while it is walked"
        return self._slice

    def call(self, node: cst.CSTNode) -> CallFacts | None:
        """Facts of a call, or of a `with` item, `for` loop, comprehension or attribute that calls implicitly."""
        return self.slice.call(node)

    def function(self, node: cst.CSTNode) -> FunctionFacts | None:
        """Facts of the function whose body executes `node`."""
        return self.slice.function(node)

    def report(
        self,
        node: cst.CSTNode,
        message: str,
        *,
        because: tuple[Link, ...] = (),
        fixes: tuple[Fix, ...] = (),
        refusal: str | None = None,
        level: Level | None = None,
        span: Span | None = None,
    ) -> None:
        """Object to `node`; `level` where it is not the rule's own."""
        self.findings.append(
            Finding(
                rule=self.name,
                level=level or self.level,
                path=self.slice.path,
                span=span or self.slice.span(node),
                message=message,
                because=because,
                fixes=fixes,
                refusal=refusal,
            )
        )

    def repair(self, place: Place) -> Iterable[Fix]:
        """The fixes of a finding of this rule, the best first; asked only where `repairs` is true.

        Raises `Refused` with the reason where there is none that is right.
        """
        raise NotImplementedError


class BlockingRule(Rule):
    """Base of the rules of group `blocking`: one objection for each kind of blocking call, named or implicit."""

    repairs = True
    kinds: ClassVar[tuple[BlockKind, ...]]
    """What the call waits for."""
    verb: ClassVar[str] = "blocks the event loop"

    def visit_Call(self, node: cst.Call) -> None:
        self._judge(node, node)

    def visit_WithItem(self, node: cst.WithItem) -> None:
        self._judge(node, node.item)

    def visit_For(self, node: cst.For) -> None:
        self._judge(node, node.iter)

    def visit_CompFor(self, node: cst.CompFor) -> None:
        self._judge(node, node.iter)

    def visit_From(self, node: cst.From) -> None:
        self._judge(node, node.item)

    def visit_Attribute(self, node: cst.Attribute) -> None:
        self._judge(node, node)

    def visit_Subscript(self, node: cst.Subscript) -> None:
        self._judge(node, node)

    def visit_ComparisonTarget(self, node: cst.ComparisonTarget) -> None:
        self._judge(node, node.comparator)

    def _judge(self, node: cst.CSTNode, place: cst.CSTNode) -> None:
        facts = self.call(node)
        blocking = facts.blocks_as(*self.kinds) if facts else None
        if blocking is None or (blocking.startup and self.level == "note"):
            return
        message = f"`{blocking.name}` {self.verb}"
        if blocking.through is not None:
            message = f"`{blocking.through}` {self.verb} through `{blocking.name}`"
        level: Level | None = "note" if blocking.startup else None
        self.report(place, message, because=blocking.because, level=level)

    def repair(self, place: Place) -> Iterable[Fix]:
        """Use the asynchronous twin of the client, or hand the call to a worker thread."""
        from asynclint.fixes import async_twin, driven, file_block, taken, to_thread

        taken.refuse(place)
        driven.refuse(place)
        if "file" in self.kinds and (block := file_block.around(place)) is not None:
            return file_block.hand_over(place, block)
        if not {"sdk", "http", "database"} & set(self.kinds):
            return to_thread.hand_over(place)
        return async_twin.or_else(place, to_thread.hand_over)


class BuildingRule(Rule):
    """Base of the rules of group `clients` about those that are built again and again."""

    often: ClassVar[Often]
    """What each of them is built for."""

    def visit_Call(self, node: cst.Call) -> None:
        facts = self.call(node)
        building = facts.building if facts else None
        if building is None or building.often != self.often:
            return
        message = f"`{building.name}` is built for every {self.often}"
        if building.depends is None:
            self.report(node, message, because=building.because)
            return
        # It cannot simply be shared: what another caller needs differs.
        self.report(
            node,
            f"{message}, with arguments that depend on {building.depends}",
            because=building.because,
            refusal=f"the arguments depend on {building.depends}",
            level="note",
        )
