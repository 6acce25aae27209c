"""What libcst sees: the pieces of files about which facts speak, parsed together and walked once by all rules."""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from asynclint.facts.answers import FileFacts
from asynclint.facts.model import CallSite
from asynclint.facts.program import Function, Module
from asynclint.facts.view import CallFacts, Position, Slice
from asynclint.facts.view import FunctionFacts as SeenFunction
from asynclint.findings import Finding

MAX_NESTING = 150
"""Functions whose expressions nest deeper are not handed to libcst, whose parser recurses."""

BATCH = 500
"""Lines that libcst parses at once: of a single statement, most of the time would go into beginning and ending."""


@dataclass(slots=True)
class Counts:
    """Work done."""

    parsed: int = 0
    """Pieces."""
    lines: int = 0
    """The lines of those."""
    failed: int = 0
    """Pieces that libcst could not parse."""


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """Lines of a file that libcst parses on their own."""

    first: int
    last: int
    indented: bool
    header: bool = False
    """The header of a compound statement, without its body."""
    function: int = 0
    """Index of the function whose body it is part of."""


@dataclass(frozen=True, slots=True)
class Given:
    """A piece as rules get it: text that parses on its own, and what the facts say of it. Can be handed to another process."""

    path: str
    piece: Piece
    text: str
    offset: int
    """How many lines stand before it in the file, less those put in front."""
    holder: SeenFunction
    """The function whose body it is part of."""
    calls: Mapping[str, Mapping[Position, CallFacts]]


STATEMENT_NODES = frozenset(
    {
        "Call",
        "WithItem",
        "For",
        "CompFor",
        "From",
        "Attribute",
        "Subscript",
        "ComparisonTarget",
        "Decorator",
        "ExceptHandler",
        "AssignTarget",
        "AugAssign",
    }
)
"""Rules that look at these nodes alone need to see one statement, not the function around it."""


def given(facts: FileFacts, statements: bool) -> list[Given]:
    """The pieces of a file: the statements that hold the sites that matter, or the outermost functions around them."""
    found = _pieces(facts, statements)
    if len(found) == 1 and found[0].first == 1:
        if any(f.facts.depth > MAX_NESTING for f in facts.module.functions):
            return []
    return [_given(facts, piece) for piece in found]


def whole(facts: FileFacts) -> list[Given]:
    """All of a file as one piece; none where its expressions nest too deeply."""
    if any(f.facts.depth > MAX_NESTING for f in facts.module.functions):
        return []
    return [_given(facts, Piece(1, len(facts.module.lines), False))]


def _given(facts: FileFacts, piece: Piece) -> Given:
    module = facts.module
    text, offset = _text(module, piece)
    around = module.functions[piece.function]
    holder = SeenFunction(around.name, around.is_async, around.facts.line)
    return Given(module.file.name, piece, text, offset, holder, facts.calls)


def _pieces(facts: FileFacts, statements: bool) -> list[Piece]:
    module = facts.module
    pieces: set[Piece] = set()
    for _, site in facts.lines.values():
        if _deepest(module, module.functions[site.function]) > MAX_NESTING:
            continue
        if statements and site.statement is not None:
            first, last, header = site.statement
            indented = module.line(first)[:1] in (" ", "\t")
            pieces.add(Piece(first, last, indented, header, site.function))
            continue
        function = _outermost(module.functions[site.function]) or _decorated(module, site)
        if function is None:
            return [Piece(1, len(module.lines), False)]
        one = function.facts
        pieces.add(Piece(one.first_line, one.end_line, one.col > 0))
    return sorted(pieces)


def _text(module: Module, piece: Piece) -> tuple[str, int]:
    """What libcst is given, and how many lines stand before it in the file less those put in front."""
    lines = module.span(piece.first, piece.last)
    offset = piece.first - 1
    indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    if piece.header:
        lines.append(f"{indent} pass")
        word = lines[0].lstrip()[:6]
        if word.startswith("elif") or word == "except":
            opening = "try:" if word == "except" else "if True:"
            lines[:0] = [f"{indent}{opening}", f"{indent} pass"]
            offset -= 2
    if piece.indented:
        lines.insert(0, "if True:")
        offset -= 1
    return "\n".join(lines) + "\n", offset


def _clause(given: Given) -> tuple[str, int]:
    """Text and offset for a statement that shares its line with `else:`, `except …:`, `finally:` or `case …:`."""
    lines, offset = given.text.split("\n"), given.offset
    at = 1 if given.piece.indented else 0
    word = lines[at].split()[0].rstrip(":")
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    if word == "case":
        lines[0] = "match _:"
    elif word.rstrip("*") in ("else", "elif", "except", "finally"):
        opening = "if True:" if word in ("else", "elif") else "try:"
        lines[at:at] = [f"{indent}{opening}", f"{indent} pass"]
        offset -= 2
    return "\n".join(lines), offset


def _deepest(module: Module, function: Function) -> int:
    first, last = function.facts.first_line, function.facts.end_line
    return max(f.facts.depth for f in module.functions if first <= f.facts.line <= last)


def _decorated(module: Module, site: CallSite) -> Function | None:
    """The function above which a decorator stands."""
    if site.role[0] != "decorator":
        return None
    return next(
        (
            f
            for f in module.functions
            if f.facts.kind in ("def", "async") and f.facts.first_line <= site.line < f.facts.line
        ),
        None,
    )


def _outermost(function: Function) -> Function | None:
    """The outermost `def` around a function; None when the code runs in the module's or a class's body."""
    found: Function | None = None
    current: Function | None = function
    while current is not None:
        if current.facts.kind in ("def", "async"):
            found = current
        current = current.parent
    return found


class Walker:
    """Hands pieces to libcst, several at once, and what it makes of them to the rules."""

    def __init__(self, rules: list[Any]) -> None:
        self._rules = rules
        self._visitor = _batch(rules)
        self._alone = "Module" in self._visitor.kinds or any(r.everything for r in rules)
        self._batch: list[Given] = []
        self._lines = 0
        self.statements: bool = self._visitor.kinds <= STATEMENT_NODES
        """Whether the rules need to see no more than single statements."""
        self.counts = Counts()

    def add(self, pieces: Iterable[Given]) -> None:
        """Walk some pieces, at the latest when the walker is finished."""
        for one in pieces:
            self._batch.append(one)
            self._lines += one.piece.last - one.piece.first + 1
            if self._alone or self._lines >= BATCH:
                self.flush()

    def finish(self) -> list[Finding]:
        """What the rules object to in all pieces."""
        self.flush()
        return [f for rule in self._rules for f in rule.findings]

    def warm(self) -> None:
        """Have libcst do what it does once, before there is a piece."""
        import libcst as cst

        _positions(cst.parse_module("f(x)"))

    def flush(self) -> None:
        """Walk all pieces that wait."""
        batch, self._batch, self._lines = self._batch, [], 0
        self._walk(batch)

    def _walk(self, batch: list[Given], clause: bool = False) -> None:
        """Parse some pieces as one module and hand their statements to the rules; one by one where that fails.

        One that does not parse by itself may stand behind a `clause` on its line.
        """
        import libcst as cst

        if not batch:
            return
        texts = []
        starts = [1]
        offsets = []
        for one in batch:
            text, offset = _clause(one) if clause else (one.text, one.offset)
            texts.append(text)
            offsets.append(offset - starts[-1] + 1)
            starts.append(starts[-1] + text.count("\n"))
        try:
            tree = cst.parse_module("".join(texts))
            positions = _positions(tree)
        except (cst.ParserSyntaxError, RecursionError):
            if len(batch) > 1:
                self._each(batch)
            elif not clause:
                self._walk(batch, clause=True)
            else:
                self.counts.failed += 1
            return
        bodies: list[list[Any]] = [[] for _ in batch]
        for statement in tree.body:
            bodies[bisect(starts, positions[statement].start.line) - 1].append(statement)
        if not all(bodies) and len(batch) > 1:
            self._each(batch)
            return
        for index, one in enumerate(batch):
            self.counts.parsed += 1
            self.counts.lines += one.piece.last - one.piece.first + 1
            part = Slice(one.path, tree, positions, offsets[index], one.calls, one.holder)
            for rule in self._rules:
                rule.enter(part)
            self._visitor.piece = part
            if len(batch) == 1:
                tree.visit(self._visitor)
                continue
            for statement in bodies[index]:
                statement.visit(self._visitor)

    def _each(self, batch: list[Given]) -> None:
        for one in batch:
            self._walk([one])


def _positions(tree: Any) -> Mapping[Any, Any]:
    """Where the nodes of a fresh tree stand."""
    from libcst.metadata import MetadataWrapper, PositionProvider

    class Wrapper(MetadataWrapper):
        def visit_batched(self, visitors: Any, *args: Any) -> Any:
            # libcst walks the whole tree for no visitor as well, which takes as long as finding the positions.
            return super().visit_batched(visitors, *args) if visitors else self.module

    return Wrapper(tree, unsafe_skip_copy=True).resolve(PositionProvider)


def _own_names(cls: type, base: type) -> list[str]:
    """The attributes that a subclass has otherwise than its base; `dir` would list the base's thousand, too."""
    above = base.__mro__
    names = {name for c in cls.__mro__ if c not in above for name in vars(c)}
    return sorted(n for n in names if getattr(cls, n, None) is not getattr(base, n, None))


def _batch(rules: list[Any]) -> Any:
    """One libcst visitor that hands every node to the methods which rules have for its type."""
    import libcst as cst

    visits: dict[str, list[Callable[[Any], Any]]] = defaultdict(list)
    leaves: dict[str, list[Callable[[Any], Any]]] = defaultdict(list)
    for rule in rules:
        for name in _own_names(type(rule), cst.CSTVisitor):
            if name.startswith("visit_") and "_" not in name[6:]:
                visits[name[6:]].append(getattr(rule, name))
            elif name.startswith("leave_") and "_" not in name[6:]:
                leaves[name[6:]].append(getattr(rule, name))

    class Batch(cst.CSTVisitor):
        piece: Any = None
        kinds = frozenset((*visits, *leaves))

        def on_visit(self, node: cst.CSTNode) -> bool:
            kind = type(node).__name__
            if kind in ("FunctionDef", "Lambda"):
                self.piece.enter_function(node)
            for visit in visits.get(kind, ()):
                visit(node)
            return True

        def on_leave(self, original_node: cst.CSTNode) -> None:
            kind = type(original_node).__name__
            for leave in leaves.get(kind, ()):
                leave(original_node)
            if kind in ("FunctionDef", "Lambda"):
                self.piece.leave_function()

        def on_visit_attribute(self, node: cst.CSTNode, attribute: str) -> None:
            return

        def on_leave_attribute(self, original_node: cst.CSTNode, attribute: str) -> None:
            return

    return Batch()
