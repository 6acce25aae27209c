"""Runs the rules over a project: facts first, then libcst on the pieces about which facts speak."""

from __future__ import annotations

import contextlib
import gc
import time
from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from asynclint import config as configuration
from asynclint import packs, suppress
from asynclint.config import Config
from asynclint.facts.infer import FileFacts, ProjectFacts, infer
from asynclint.facts.model import CallSite
from asynclint.facts.program import Function, Module, Program
from asynclint.facts.view import FunctionFacts as SeenFunction
from asynclint.facts.view import Slice
from asynclint.findings import Finding, Level, Refused
from asynclint.knowledge import Knowledge
from asynclint.project import Project

MAX_NESTING = 150
"""Functions whose expressions nest deeper are not handed to libcst, whose parser recurses."""

ENGINE_RULES = {
    "syntax-error": "engine",
    "unreadable-file": "engine",
    "unused-ignore": "engine",
}


@dataclass(slots=True)
class Stats:
    """Work done in a run."""

    files: int = 0
    files_parsed: int = 0
    lines_parsed: int = 0
    functions: int = 0
    calls: int = 0
    slices_parsed: int = 0
    slice_lines: int = 0
    slices_failed: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """For people: one line a figure."""
        counts = [
            f"files: {self.files}",
            f"files parsed: {self.files_parsed} ({self.lines_parsed} lines)",
            f"functions: {self.functions}, call sites: {self.calls}",
            f"slices parsed by libcst: {self.slices_parsed} ({self.slice_lines} lines), failed: {self.slices_failed}",
        ]
        return counts + [f"{name}: {value:.3f} s" for name, value in self.seconds.items()]


@dataclass(slots=True)
class Result:
    """What a run says."""

    findings: list[Finding]
    stats: Stats
    kept: list[Finding] = field(default_factory=list)
    """These and the notes that are not shown: what fixes are taken from."""
    known: dict[str, packs.Meta] = field(default_factory=dict)
    """What the rules say of themselves, by name."""


def check(
    project: Project,
    config: Config,
    repairs: bool = True,
    progress: Callable[[str], None] | None = None,
) -> Result:
    """Find what the configured rules object to, in the files that are to be reported on.

    Findings carry their fixes where `repairs` is true; looking for those takes its time, and not every report shows them.
    `progress` is told now and then how far the work is.

    Raises PackError, KnowledgeError and ConfigError for what the user has to repair first.
    """
    with _uncollected():
        return _check(project, config, repairs, progress or _silent)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector: the facts are many small objects, none of which is garbage before the end."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _silent(text: str) -> None:
    return


def _check(
    project: Project, config: Config, repairs: bool, progress: Callable[[str], None]
) -> Result:
    stats = Stats(files=len(project.files))
    known = packs.known(_directories(config))
    found, active, repair = _all_findings(project, config, known, stats, progress)
    texts = {f.name: f.text for f in project.files if f.text is not None and f.reported}
    judged = project.whole and configuration.enabled(config, "unused-ignore", "engine", True)
    kept = suppress.apply(found, texts, _groups(known), active, judged)
    kept = [one for f in kept if (one := _of_suppression(f, config)) is not None]
    start = time.perf_counter()
    if repairs:
        repaired = []
        for number, finding in enumerate(kept):
            progress(f"looking for fixes: {number}/{len(kept)} findings")
            repaired.append(repair(finding) if shown(finding, config) else finding)
        kept = repaired
    kept = _sorted(kept)
    stats.seconds["fixes"] = time.perf_counter() - start
    return Result([f for f in kept if shown(f, config)], stats, kept, known)


def _of_suppression(finding: Finding, config: Config) -> Finding | None:
    """What the configuration makes of an `unused-ignore`, which is found after all others were judged."""
    if finding.rule != "unused-ignore":
        return finding
    if not configuration.enabled(config, finding.rule, "engine", True, finding.path):
        return None
    level = config.levels.get(finding.rule)
    return replace(finding, level=cast("Level", level)) if level is not None else finding


def explain(project: Project, config: Config, path: str, line: int) -> list[Finding]:
    """All findings of one line, also notes and suppressed ones."""
    found, _, repair = _all_findings(project, config, packs.known(_directories(config)), Stats())
    return _sorted(
        repair(f)
        for f in found
        if f.path == path and f.span.line <= line <= max(f.span.line, f.span.end_line)
    )


def groups(config: Config) -> dict[str, str]:
    """The group of every rule that the configuration can name."""
    return _groups(packs.known(_directories(config)))


def _groups(known: Mapping[str, packs.Meta]) -> dict[str, str]:
    """The group of every rule, also of the engine's own findings."""
    return {**{name: meta.group for name, meta in known.items()}, **ENGINE_RULES}


def _directories(config: Config) -> list[Path]:
    return [packs.builtin(), *(config.root / directory for directory in config.rules)]


def shown(finding: Finding, config: Config) -> bool:
    """Whether a finding is printed: notes are where they are asked for."""
    return finding.level != "note" or config.notes or configuration.named(config, finding.rule)


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda f: (f.path, f.span, f.rule, f.message))


def _all_findings(
    project: Project,
    config: Config,
    known: Mapping[str, packs.Meta],
    stats: Stats,
    progress: Callable[[str], None] = _silent,
) -> tuple[list[Finding], set[str], Repair]:
    """Findings before suppression, the names of the rules that ran, and what puts fixes to findings."""
    configuration.validate_names(config, _groups(known))
    wanted = {
        name
        for name, meta in known.items()
        if configuration.enabled(config, name, meta.group, meta.default)
    }
    knowledge = Knowledge(config.knowledge)
    facts = infer(project, knowledge, config.jobs, _import_libcst if wanted else None, progress)
    _count(stats, facts.program, facts)
    start = time.perf_counter()
    found = [f.problem for f in project.files if f.problem is not None and f.reported]
    reported = {f.name for f in project.files if f.reported}
    found += [p for p in facts.problems if p.path in reported]
    pack = _Pack(_directories(config), wanted)
    if config.rules:
        # Rules of a user's own may look at whole files, and at anything else.
        found += _run(project, facts, pack, stats)
        yields = {name: frozenset(rule.yields_to) for name, rule in pack.rules.items()}
    else:
        found += _said(project, facts, pack, stats)
        yields = {name: frozenset(known[name].yields_to) for name in wanted}
    stats.seconds["rules"] = time.perf_counter() - start
    kept = []
    for finding in _one_each(found, yields):
        meta = known.get(finding.rule)
        # What ran was enabled: only the file can still say no.
        if meta is not None and not configuration.enabled(
            config, finding.rule, meta.group, True, finding.path
        ):
            continue
        level = config.levels.get(finding.rule)
        if level is not None and finding.level != "note":
            finding = replace(finding, level=cast("Level", level))
        kept.append(finding)
    return kept, wanted | set(ENGINE_RULES), _repairing(facts, config, pack)


class _Pack:
    """The rules that are wanted, imported when they are first needed."""

    def __init__(self, directories: list[Path], wanted: set[str]) -> None:
        self._directories = directories
        self.wanted = wanted

    @cached_property
    def rules(self) -> dict[str, Any]:
        """By name."""
        if not self.wanted:
            return {}
        return {c.name: c() for c in packs.load(self._directories) if c.name in self.wanted}


Repair = Callable[[Finding], Finding]
"""A finding with the fixes that its rule has for it, or with the reason why it has none."""


def _repairing(facts: ProjectFacts, config: Config, pack: _Pack) -> Repair:
    workshops: list[Any] = []

    def repair(finding: Finding) -> Finding:
        from asynclint.fixes.place import Place, Workshop

        workshop = workshops[0] if workshops else Workshop(facts, config)
        workshops[:] = [workshop]
        rule = pack.rules.get(finding.rule)
        if rule is None or not rule.repairs or finding.fixes or finding.refusal:
            return finding
        found = (
            facts.files[finding.path].find(finding.span) if finding.path in facts.files else None
        )
        if found is None:
            return finding
        try:
            fixes = tuple(rule.repair(Place(finding, *found, workshop)))
        except Refused as reason:
            return replace(finding, refusal=str(reason))
        return replace(finding, fixes=fixes)

    return repair


def yields(config: Config) -> dict[str, frozenset[str]]:
    """Rule → the rules that say the same defect better."""
    return {c.name: frozenset(c.yields_to) for c in packs.load(_directories(config))}


def _count(stats: Stats, program: Program, facts: ProjectFacts) -> None:
    counts = program.counts
    stats.files_parsed = counts.files_parsed
    stats.lines_parsed = counts.lines_parsed
    stats.functions = counts.functions
    stats.calls = counts.calls
    stats.seconds.update(facts.seconds)


def _one_each(findings: list[Finding], yields: dict[str, frozenset[str]]) -> list[Finding]:
    """One finding for one defect: a rule's finding goes where a rule to which it yields has one at the same place."""
    places: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    unique = list(dict.fromkeys(findings))
    for finding in unique:
        places[finding.path, finding.span].add(finding.rule)
    return [f for f in unique if not places[f.path, f.span] & yields.get(f.rule, frozenset())]


# -- libcst ---------------------------------------------------------------------------------------


def _said(project: Project, facts: ProjectFacts, pack: _Pack, stats: Stats) -> list[Finding]:
    """What the built-in rules say: of files that look to them as in an earlier run, what they said then."""
    memory = project.memory
    if memory is None or not pack.wanted:
        return _run(project, facts, pack, stats)
    found: list[Finding] = []
    new: dict[str, tuple[bytes, FileFacts]] = {}
    for name, one in facts.files.items():
        about = _seen_by_rules(one, pack.wanted)
        said = memory.said(about)
        if said is None:
            new[name] = about, one
        else:
            found += said
    if not new:
        return found
    some = replace(facts, files={name: one for name, (_, one) in new.items()})
    fresh: dict[str, list[Finding]] = {name: [] for name in new}
    for finding in _run(project, some, pack, stats):
        fresh[finding.path].append(finding)
    for name, (about, _) in new.items():
        if not any(f.fixes for f in fresh[name]):
            memory.keep_said(about, fresh[name])
        found += fresh[name]
    return found


def _seen_by_rules(facts: FileFacts, wanted: set[str]) -> bytes:
    """A digest of all that rules see of a file."""
    from _blake2 import blake2b

    file = facts.module.file
    seen = (file.name, file.module, file.text, sorted(wanted), sorted(facts.calls.items()))
    return blake2b(
        repr(seen).encode("utf-8", "surrogatepass"), digest_size=16, person=b"rules"
    ).digest()


def _run(project: Project, facts: ProjectFacts, pack: _Pack, stats: Stats) -> list[Finding]:
    """Walk the slices of every file with all rules at once."""
    rules = list(pack.rules.values())
    if not rules:
        return []
    whole = any(r.everything for r in rules)
    if not facts.files and not whole:
        return []
    visitor = _batch(rules)
    alone = whole or "Module" in visitor.kinds
    batch: list[tuple[FileFacts, Piece]] = []
    size = 0
    for file in project.files:
        if not file.reported or file.text is None:
            continue
        one = facts.files.get(file.name)
        if whole:
            module = facts.program.load(file)
            if module is None:
                continue
            one = one or FileFacts(module)
            pieces = [Piece(1, len(module.lines), False)]
        elif one is not None:
            pieces = _pieces(one, visitor.kinds <= STATEMENT_NODES)
        else:
            continue
        deep = any(f.facts.depth > MAX_NESTING for f in one.module.functions)
        if deep and len(pieces) == 1 and pieces[0].first == 1:
            continue
        for piece in pieces:
            batch.append((one, piece))
            size += piece.last - piece.first + 1
            if alone or size >= BATCH:
                _walk(batch, rules, visitor, stats)
                batch, size = [], 0
    _walk(batch, rules, visitor, stats)
    return [f for rule in rules for f in rule.findings]


def _import_libcst() -> None:
    import libcst
    import libcst.metadata  # noqa: F401


BATCH = 500
"""Lines that libcst parses at once: of a single statement, most of the time would go into beginning and ending."""


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


STATEMENT_NODES = frozenset(
    {
        "Call",
        "WithItem",
        "For",
        "CompFor",
        "From",
        "Attribute",
        "Decorator",
        "ExceptHandler",
        "AssignTarget",
        "AugAssign",
    }
)
"""Rules that look at these nodes alone need to see one statement, not the function around it."""


def _pieces(facts: FileFacts, statements: bool) -> list[Piece]:
    """The statements that hold the sites that matter, or the outermost functions around them."""
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


def _clause(text: str, offset: int, piece: Piece) -> tuple[str, int]:
    """The same, for a statement that shares its line with `else:`, `except …:`, `finally:` or `case …:`."""
    lines = text.split("\n")
    at = 1 if piece.indented else 0
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


def _walk(
    batch: list[tuple[FileFacts, Piece]],
    rules: list[Any],
    visitor: Any,
    stats: Stats,
    clause: bool = False,
) -> None:
    """Parse some pieces as one module and hand their statements to the rules; one by one where that fails.

    One that does not parse by itself may stand behind a `clause` on its line.
    """
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider

    if not batch:
        return
    texts = []
    starts = [1]
    offsets = []
    for facts, piece in batch:
        text, offset = _text(facts.module, piece)
        if clause:
            text, offset = _clause(text, offset, piece)
        texts.append(text)
        offsets.append(offset - starts[-1] + 1)
        starts.append(starts[-1] + text.count("\n"))
    try:
        wrapper = MetadataWrapper(cst.parse_module("".join(texts)), unsafe_skip_copy=True)
        positions = wrapper.resolve(PositionProvider)
    except (cst.ParserSyntaxError, RecursionError):
        if len(batch) == 1:
            if not clause:
                _walk(batch, rules, visitor, stats, clause=True)
            else:
                stats.slices_failed += 1
            return
        for one in batch:
            _walk([one], rules, visitor, stats)
        return
    tree = wrapper.module
    bodies: list[list[Any]] = [[] for _ in batch]
    for statement in tree.body:
        bodies[bisect(starts, positions[statement].start.line) - 1].append(statement)
    if not all(bodies) and len(batch) > 1:
        for one in batch:
            _walk([one], rules, visitor, stats)
        return
    for index, (facts, piece) in enumerate(batch):
        stats.slices_parsed += 1
        stats.slice_lines += piece.last - piece.first + 1
        part = _slice(facts, piece, tree, positions, offsets[index])
        for rule in rules:
            rule.enter(part)
        visitor.piece = part
        if len(batch) == 1:
            tree.visit(visitor)
            continue
        for statement in bodies[index]:
            statement.visit(visitor)


def _slice(facts: FileFacts, piece: Piece, tree: Any, positions: Any, offset: int) -> Slice:
    module = facts.module
    around = module.functions[piece.function]
    holder = SeenFunction(around.name, around.is_async, around.facts.line)
    return Slice(module.file.name, tree, positions, offset, facts.calls, holder)


def _batch(rules: list[Any]) -> Any:
    """One libcst visitor that hands every node to the methods which rules have for its type."""
    import libcst as cst

    visits: dict[str, list[Callable[[Any], Any]]] = defaultdict(list)
    leaves: dict[str, list[Callable[[Any], Any]]] = defaultdict(list)
    for rule in rules:
        for name in dir(type(rule)):
            if getattr(cst.CSTVisitor, name, None) is getattr(type(rule), name):
                continue
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
