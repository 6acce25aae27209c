"""Runs the rules over a project: facts first, then libcst on the pieces about which facts speak."""

from __future__ import annotations

import contextlib
import gc
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from asynclint import config as configuration
from asynclint import inert, packs, suppress
from asynclint.config import Config
from asynclint.facts.infer import ProjectFacts, infer, silent
from asynclint.facts.program import Program
from asynclint.findings import Finding, Level
from asynclint.knowledge import Knowledge
from asynclint.project import Project
from asynclint.repairs import Repairs
from asynclint.replay import Reading
from asynclint.walk import Walk, everywhere

ENGINE_RULES = {
    "syntax-error": "engine",
    "unreadable-file": "engine",
    "internal-error": "engine",
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
    reading: Reading = ([], [], [], [])


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
        return _check(project, config, repairs, progress or silent)


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


def _check(
    project: Project, config: Config, repairs: bool, progress: Callable[[str], None]
) -> Result:
    stats = Stats(files=len(project.files))
    known = packs.known(_directories(config))
    found, active, repair = _all_findings(project, config, known, stats, repairs, progress)
    texts = {f.name: f.text for f in project.files if f.text is not None and f.reported}
    judged = project.whole and configuration.enabled(config, "unused-ignore", "engine", True)
    kept = suppress.apply(found, texts, _groups(known), active, judged)
    kept = [one for f in kept if (one := _of_suppression(f, config)) is not None]
    start = time.perf_counter()
    if repairs:
        seen = repair.all([f for f in kept if shown(f, config)], progress)
        kept = seen + [f for f in kept if not shown(f, config)]
    kept = _sorted(kept)
    stats.seconds["fixes"] = time.perf_counter() - start
    reading = _reading(project, repair.program)
    return Result([f for f in kept if shown(f, config)], stats, kept, known, reading)


def _reading(project: Project, program: Program) -> Reading:
    studied = [str(f.path) for f in project.files if f.name in program.studied]
    taken: set[str] = set()
    for module in program.loaded():
        taken.update(f.name for f in module.facts.functions if f.name in inert.CALLED_NAMES)
        taken.update(c.name for c in module.facts.classes if c.name in inert.CALLED_NAMES)
    unread = [str(f.path) for f in program.unread()]
    return sorted(program.sought), unread, studied, sorted(taken)


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
    found, _, repair = _all_findings(
        project, config, packs.known(_directories(config)), Stats(), True
    )
    return _sorted(
        repair.one(f)
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
    repairs: bool,
    progress: Callable[[str], None] = silent,
) -> tuple[list[Finding], set[str], Repairs]:
    """Findings before suppression, the names of the rules that ran, and what puts fixes to findings."""
    configuration.validate_names(config, _groups(known))
    wanted = {
        name
        for name, meta in known.items()
        if configuration.enabled(config, name, meta.group, meta.default)
    }
    knowledge = Knowledge(config.knowledge)
    pack = packs.Pack(_directories(config), wanted)
    # Rules of a user's own may look at whole files, and at anything else.
    walk = Walk(project, pack) if wanted and not config.rules else None
    try:
        facts = infer(
            project, knowledge, config.jobs, walk, _import_libcst if repairs else None, progress
        )
        _count(stats, facts.program, facts)
        start = time.perf_counter()
        said, counts = walk.finish() if walk is not None else everywhere(project, facts, pack)
    finally:
        if walk is not None:
            walk.close()
    stats.slices_parsed, stats.slice_lines, stats.slices_failed = (
        counts.parsed,
        counts.lines,
        counts.failed,
    )
    found = [f.problem for f in project.files if f.problem is not None and f.reported]
    reported = {f.name for f in project.files if f.reported}
    found += [p for p in facts.problems if p.path in reported]
    found += said
    if config.rules:
        yields = {name: frozenset(rule.yields_to) for name, rule in pack.rules.items()}
    else:
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
    return kept, wanted | set(ENGINE_RULES), Repairs(facts, config, pack)


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


def _import_libcst() -> None:
    import libcst
    import libcst.metadata  # noqa: F401
