"""Which files a function reads, writes, replaces or asks for, itself and in what it calls, by what their paths are made of."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice

from asynclint.facts import syntax
from asynclint.facts.graph import SYNC, Edge
from asynclint.facts.model import CallSite
from asynclint.facts.program import Function
from asynclint.fixes.decided import decides
from asynclint.fixes.effects import MAKING, effects
from asynclint.fixes.file_paths import OWN, FilePath, Spelling, told
from asynclint.fixes.passing import WAITS, is_lock
from asynclint.fixes.place import Workshop
from asynclint.fixes.source import own_nodes

READS, WRITES, REPLACES, MOVES = "reads", "writes", "replaces", "moves"
"""What is done with a file; one that is replaced is met whole, the old one or the new one, and what is moved takes its place."""

ASKS, LOOKS = "asks", "looks"
"""It is asked whether a file is there, or how large, or how old, it is."""

REMOVES = "removes"

STAGES = "stages"
"""A file is written that then takes another one's place."""

METHODS = {
    "read_text": READS,
    "read_bytes": READS,
    "write_text": WRITES,
    "write_bytes": WRITES,
    "exists": ASKS,
    "is_file": ASKS,
    "isfile": ASKS,
    "stat": LOOKS,
    "getsize": LOOKS,
    "getmtime": LOOKS,
    "unlink": REMOVES,
    "remove": REMOVES,
}

MOVERS = frozenset({"os.replace", "os.rename", "shutil.move"})

FLAG = re.compile(r"\bO_(?:RDONLY|WRONLY|RDWR|APPEND)\b")
"""What `os.open` is told that says whether it reads or writes."""

MODE = re.compile(r"[rwxabtU+]{1,4}")

OPENS = re.compile(
    r"\bopen\(|\.(?:read|write)_(?:text|bytes)\(|\.exists\(|\.is_?file\(|\.re(?:place|name)\(|\bshutil\.move\("
    r"|\.unlink\(|\bos\.remove\(|\.stat\(|\.getsize\(|\.getmtime\("
)
"""What the text of a function has in it that uses a file itself."""

DEEP = 3
"""Helpers of helpers that are looked at."""

MANY = 80
"""Uses of one function that are looked at."""


@dataclass(frozen=True, slots=True)
class Use:
    """What is done with one file."""

    how: str
    path: FilePath
    by: Function
    """Who does it, itself."""
    line: int
    column: int
    """Where the call ends that does it, in the function that is asked."""
    block: int
    held: bool
    """It is done under a lock."""

    @property
    def changes(self) -> bool:
        return self.how in (WRITES, REPLACES)

    @property
    def ends(self) -> tuple[int, int]:
        """Where the call ends: an argument does so before the call that gets it."""
        return self.line, self.column


class FileUses:
    """Asked again and again for functions of one program."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.graph = workshop.facts.graph
        self._touches: dict[tuple[Function, int], bool] = {}
        self._spelled: dict[Function, Spelling | None] = {}
        self._nodes: dict[Function, ast.AST | None] = {}
        self._edges: dict[Function, dict[tuple[int, int, int, int], list[Edge]]] = {}
        self._sites: dict[Function, dict[tuple[int, int, int, int], CallSite]] = {}
        self._of: dict[tuple[Function, int], tuple[Use, ...]] = {}
        self._moved: dict[Function, frozenset[FilePath]] = {}
        self._made: dict[Function, FilePath | None] = {}

    def of(self, function: Function, deep: int = DEEP) -> tuple[Use, ...]:
        """What a function does with files, in its order."""
        key = function, deep
        if key not in self._of:
            self._of[key] = ()
            node = self._node(function) if self._is_user(function, deep) else None
            if node is not None:
                self._of[key] = self.at(function, own_nodes(node), deep)
        return self._of[key]

    def at(self, function: Function, nodes: Iterable[ast.AST], deep: int = DEEP) -> tuple[Use, ...]:
        """What some nodes of a function do with files, in their order."""
        spelling = self._spelling(function)
        if spelling is None:
            return ()
        calls = (one for one in nodes if isinstance(one, ast.Call))
        found: dict[tuple[object, ...], Use] = {}
        for use in islice(
            chain.from_iterable(self._called(c, spelling, deep) for c in calls), MANY
        ):
            found.setdefault((use.how, use.path, use.line, use.column), use)
        moved = self._moved_by(spelling)
        written = [one for one in found.values() if one.how is WRITES]
        uses = (
            replace(one, how=STAGES) if one.how is WRITES and one.path in moved else one
            for one in found.values()
            if not (one.how is MOVES and _is_made_before(one, written))
        )
        return tuple(sorted(uses, key=lambda one: one.ends))

    # -- one call ---------------------------------------------------------------------------------

    def _called(self, call: ast.Call, spelling: Spelling, deep: int) -> Iterator[Use]:
        function = spelling.function
        extent = syntax.extent(call)
        for how, node in done(call):
            path = spelling.path(node)
            if path is not None:
                site = self._sites_of(function).get(extent)
                held = site is not None and self.workshop.once(effects).is_locked(function, site)
                block = site.block if site is not None else -1
                if how is not MOVES or not _is_handled(function, block):
                    yield Use(how, path, function, *extent[2:], block, held)
        for edge in self._edges_of(function).get(extent, ()) if deep else ():
            target = edge.target
            if not target.is_async and target is not function:
                yield from self.told(self.of(target, deep - 1), function, call, target)

    def told(
        self, uses: Iterable[Use], caller: Function, call: ast.Call, target: Function
    ) -> tuple[Use, ...]:
        """What a function does, as one tells it that calls it: with its own names for the paths, at its own place."""
        spelling = self._spelling(caller)
        if spelling is None:
            return ()
        site = self._sites_of(caller).get(syntax.extent(call))
        held = site is not None and self.workshop.once(effects).is_locked(caller, site)
        block = site.block if site is not None else -1
        line, column = call.end_lineno or 0, call.end_col_offset or 0
        found = []
        for use in uses:
            made = use.path.name == OWN and target.facts.name in MAKING
            path = told(use.path, call, target, spelling) if not made else None
            if path is not None:
                found.append(Use(use.how, path, use.by, line, column, block, held or use.held))
        return tuple(found)

    def awaited(self, caller: Function, call: ast.Call, first: bool) -> tuple[Use, ...]:
        """What a coroutine that is awaited does before its first wait, or behind its last one."""
        found: tuple[Use, ...] = ()
        for edge in self.graph.out.get(caller, ()):
            if edge.how == "async" and edge.site.extent == syntax.extent(call):
                waits = self._waits(edge.target)
                below = [
                    one
                    for one in self.of(edge.target, DEEP - 1)
                    if not waits or (one.line < min(waits) if first else one.line > max(waits))
                ]
                found += self.told(below, caller, call, edge.target)
        return found

    def decides(self, function: Function, first: Use, second: Use) -> bool:
        """Whether what a function learns of a file by one use says whether it comes to the other one."""
        node = self._node(function)
        return node is not None and decides(node, first.ends, second.ends)

    # -- what is known of a function --------------------------------------------------------------

    def _is_user(self, function: Function, deep: int) -> bool:
        """Whether a function, or one below it, uses a file at all."""
        key = function, deep
        known = self._touches.get(key)
        if known is None:
            self._touches[key] = False
            known = self._touches[key] = _opens(function) or (
                deep > 0
                and any(
                    edge.how in SYNC and self._is_user(edge.target, deep - 1)
                    for edge in self.graph.out.get(function, ())
                )
            )
        return known

    def _node(self, function: Function) -> ast.AST | None:
        if function not in self._nodes:
            self._nodes[function] = syntax.definition(function)
        return self._nodes[function]

    def _waits(self, function: Function) -> list[int]:
        """The lines of a coroutine in which it waits for more than a lock, which suspends nobody where it is free."""
        node = self._node(function) if function.facts.awaits else None
        return [
            one.lineno
            for one in (own_nodes(node) if node is not None else ())
            if isinstance(one, WAITS) and not is_lock(self.workshop, function, one)
        ]

    def _spelling(self, function: Function) -> Spelling | None:
        if function not in self._spelled:
            node = self._node(function)
            self._spelled[function] = None
            if node is not None:
                spelling = Spelling(function, node, lambda call: self._result(call, function))
                self._spelled[function] = spelling
        return self._spelled[function]

    def _result(self, call: ast.Call, function: Function) -> FilePath | None:
        """The path that a call gives of a function which gives one."""
        spelling = self._spelling(function)
        edges = self._edges_of(function).get(syntax.extent(call), ())
        if spelling is None or len(edges) != 1 or edges[0].target is function:
            return None
        target = edges[0].target
        path = self._given_back(target)
        return told(path, call, target, spelling) if path is not None else None

    def _given_back(self, function: Function) -> FilePath | None:
        """The one path that a function gives back."""
        if function not in self._made:
            self._made[function] = None
            facts = function.facts
            if len(facts.returns) == 1 and not (function.is_async or facts.generator):
                spelling, node = self._spelling(function), self._node(function)
                values = (
                    [one.value for one in own_nodes(node) if isinstance(one, ast.Return)]
                    if node
                    else []
                )
                if spelling is not None and len(values) == 1 and values[0] is not None:
                    self._made[function] = spelling.path(values[0])
        return self._made[function]

    def _moved_by(self, spelling: Spelling) -> frozenset[FilePath]:
        """The files of a function that then take another one's place: nobody else knows them."""
        function = spelling.function
        if function not in self._moved:
            node = self._node(function) if _opens(function) else None
            calls = [one for one in own_nodes(node) if isinstance(one, ast.Call)] if node else []
            found = [spelling.path(n) for one in calls for how, n in done(one) if how is MOVES]
            self._moved[function] = frozenset(one for one in found if one is not None)
        return self._moved[function]

    def _edges_of(self, function: Function) -> dict[tuple[int, int, int, int], list[Edge]]:
        if function not in self._edges:
            found: dict[tuple[int, int, int, int], list[Edge]] = {}
            for edge in self.graph.out.get(function, ()):
                if edge.how in SYNC and edge.site.kind == "call":
                    found.setdefault(edge.site.extent, []).append(edge)
            self._edges[function] = found
        return self._edges[function]

    def _sites_of(self, function: Function) -> dict[tuple[int, int, int, int], CallSite]:
        if function not in self._sites:
            self._sites[function] = {s.extent: s for s in function.sites if s.kind == "call"}
        return self._sites[function]


def _is_handled(function: Function, block: int) -> bool:
    """Whether an exception is handled in a block: a file that cannot be read is put aside there."""
    return any(one.kind == "except" for one in function.module.chain(block))


def _is_made_before(moved: Use, written: list[Use]) -> bool:
    """Whether a file that is moved was written before by the same code: it is made elsewhere, and put in its place."""
    return any(one.path == moved.path and one.ends < moved.ends for one in written)


def file_uses(workshop: Workshop) -> FileUses:
    """For `workshop.once`."""
    return FileUses(workshop)


def done(call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """What a call itself does with files, and the expressions of their paths."""
    func, name = call.func, syntax.called(call)
    if len(call.args) > 1 and name in ("replace", "rename", "move") and ast.unparse(func) in MOVERS:
        yield MOVES, call.args[0]
        yield REPLACES, call.args[1]
    elif name == "open":
        yield from _opened(call)
    elif isinstance(func, ast.Attribute) and name in ("replace", "rename") and len(call.args) == 1:
        if not call.keywords:
            yield MOVES, func.value
            yield REPLACES, call.args[0]
    elif isinstance(func, ast.Attribute) and name in METHODS:
        how = METHODS[name]
        if how not in (ASKS, LOOKS, REMOVES) or not call.args:
            yield how, func.value
        elif ast.unparse(func.value) in ("os.path", "path", "os"):
            yield how, call.args[0]


def _opened(call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """`open(path, "w")`, `gzip.open(path)`, `path.open("w")`."""
    given = call.args[:1]
    if isinstance(call.func, ast.Attribute) and not (given and not _is_mode(given[0])):
        path, modes = call.func.value, given
    elif given:
        path, modes = given[0], call.args[1:2]
    else:
        return
    modes = [k.value for k in call.keywords if k.arg == "mode"] or modes
    mode = modes[0] if modes else ast.Constant("r")
    text = mode.value if isinstance(mode, ast.Constant) else mode_of_flags(mode)
    if not isinstance(text, str):
        return
    if "r" in text:
        yield READS, path
    if "w" in text or "x" in text or "+" in text:
        yield WRITES, path


def mode_of_flags(flags: ast.expr) -> str:
    """The mode of `open` that says what flags of `os.open` say; "" where they are not written there."""
    names = set(FLAG.findall(ast.unparse(flags)))
    if not names or "O_APPEND" in names:
        return ""
    if "O_RDWR" in names:
        return "r+"
    return "w" if "O_WRONLY" in names else "r"


def _is_mode(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and MODE.fullmatch(node.value) is not None
    )


def _opens(function: Function) -> bool:
    lines = function.module.span(function.facts.line, function.facts.end_line)
    return any(OPENS.search(line) for line in lines)
