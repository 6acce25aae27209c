"""The whole project → what every call site means, with the chain that makes it so."""

from __future__ import annotations

import gc
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from asynclint.facts import places
from asynclint.facts.abandoned import AbandonedFacts
from asynclint.facts.blocking import BlockingFacts
from asynclint.facts.clients import ClientFacts
from asynclint.facts.coroutines import CoroutineFacts
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.fanout import FanOutFacts
from asynclint.facts.graph import Graph
from asynclint.facts.held import HeldFacts
from asynclint.facts.loops import LoopFacts
from asynclint.facts.mistaken import MistakenFacts
from asynclint.facts.model import CallSite
from asynclint.facts.percall import PerCallFacts
from asynclint.facts.program import Function, Module, Program
from asynclint.facts.protocol import ProtocolFacts
from asynclint.facts.runs import Runs
from asynclint.facts.shared import SharedFacts
from asynclint.facts.stale import StaleFacts
from asynclint.facts.startup import StartupFacts
from asynclint.facts.swallowed import SwallowedFacts
from asynclint.facts.types import Func
from asynclint.facts.unclosed import UnclosedFacts
from asynclint.facts.view import CallFacts, Mistake, Position
from asynclint.findings import Finding, Span
from asynclint.knowledge import Knowledge
from asynclint.project import Project, SourceFile

RECURSION = 12_000


@dataclass(slots=True)
class FileFacts:
    """The call sites of one file about which there is something to say."""

    module: Module
    calls: dict[str, dict[Position, CallFacts]] = field(default_factory=lambda: defaultdict(dict))
    lines: dict[tuple[str, Position], tuple[Function, CallSite]] = field(default_factory=dict)
    """The sites, by kind and position, with the functions that execute them."""

    def at(self, function: Function, site: CallSite) -> CallFacts:
        """The facts of a site, new ones where there are none yet."""
        module = self.module
        position = (
            site.line,
            places.characters(module, site.line, site.col),
            site.end_line,
            places.characters(module, site.end_line, site.end_col),
        )
        table = self.calls[site.kind]
        if position not in table:
            table[position] = CallFacts(position)
            self.lines[site.kind, position] = (function, site)
        return table[position]

    def find(self, span: Span) -> tuple[CallFacts, CallSite, Function] | None:
        """The facts of the place that a finding marks, its site, and the function that executes it."""
        position = (span.line, span.column - 1, span.end_line, span.end_column - 1)
        for kind in (
            "call",
            "with",
            "awith",
            "for",
            "afor",
            "attr",
            "decorator",
            "except",
            "assign",
        ):
            if position in self.calls.get(kind, ()):
                function, site = self.lines[kind, position]
                return self.calls[kind][position], site, function
        return None


@dataclass(slots=True)
class ProjectFacts:
    """All that was inferred of a project."""

    program: Program
    files: dict[str, FileFacts]
    problems: list[Finding]
    seconds: dict[str, float]
    graph: Graph
    runs: Runs
    clients: ClientFacts


def infer(
    project: Project,
    knowledge: Knowledge,
    jobs: int | None = 1,
    meanwhile: Callable[[], None] | None = None,
    progress: Callable[[str], None] | None = None,
) -> ProjectFacts:
    """Read the project's modules as far as they matter, and infer the facts that rules ask for.

    `jobs` is the number of processes that read; None for as many as pay off. `meanwhile` is work that this process
    will have to do anyway, and may do while others read. `progress` is told now and then how far the work is.
    """
    limit = sys.getrecursionlimit()
    collecting = gc.isenabled()
    sys.setrecursionlimit(max(limit, RECURSION))
    gc.disable()
    try:
        return _infer(project, knowledge, jobs, meanwhile, progress or _silent)
    finally:
        sys.setrecursionlimit(limit)
        if collecting:
            gc.enable()


def _silent(text: str) -> None:
    return


def roots(project: Project, knowledge: Knowledge) -> list[SourceFile]:
    """The files from which everything that matters is reached: those that name async code or a known library."""
    words = sorted(knowledge.roots - sys.stdlib_module_names - {"builtins"})
    matters = re.compile(
        r"\basync\b|\bawait\b|\basyncio\b|^\s*(?:import|from)\s+(?:"
        + "|".join(map(re.escape, words))
        + r")\b",
        re.MULTILINE,
    )
    return [
        f
        for f in project.files
        if f.text and (f.reported or not f.is_test) and matters.search(f.text)
    ]


def _infer(
    project: Project,
    knowledge: Knowledge,
    jobs: int | None,
    meanwhile: Callable[[], None] | None,
    progress: Callable[[str], None],
) -> ProjectFacts:
    seconds: dict[str, float] = {}
    start = time.perf_counter()
    program = Program(project, knowledge.roots)
    matter = roots(project, knowledge)
    modules = program.read(matter, jobs, meanwhile, progress)
    chosen = {f.name for f in matter}
    for file in project.files:
        if file.text is not None and file.reported and file.name not in chosen:
            # Nothing to find there, but it must parse.
            program.check(file)
    seconds["extract"] = time.perf_counter() - start

    start = time.perf_counter()
    evaluator = Evaluator(program, knowledge)
    graph = Graph(evaluator)
    for module in modules:
        for function in module.functions:
            if function.klass is not None and function.facts.decorators:
                graph.properties.add(function.facts.name)
    graph.explore(modules, progress)
    seconds["resolve"] = time.perf_counter() - start

    start = time.perf_counter()
    functions = graph.known_functions()
    runs = Runs(evaluator, graph)
    blocking = BlockingFacts(evaluator, graph, runs)
    fanout = FanOutFacts(evaluator, graph)
    for function in functions:
        fanout.note_items(function)
    clients = ClientFacts(evaluator, graph, runs)
    coroutines = CoroutineFacts(evaluator, graph, runs)
    startups = StartupFacts(evaluator)
    unclosed = UnclosedFacts(evaluator, clients, runs)
    mistaken = MistakenFacts(evaluator)
    held = HeldFacts(evaluator)
    protocol = ProtocolFacts(evaluator)
    shared = SharedFacts(evaluator, fanout)
    swallowed = SwallowedFacts(evaluator, graph, runs)
    per_call = PerCallFacts(evaluator, runs)
    abandoned = AbandonedFacts(evaluator)
    stale = StaleFacts(evaluator, runs)

    files: dict[str, FileFacts] = {}

    def facts_of(function: Function, site: CallSite) -> CallFacts:
        module = function.module
        if module.file.name not in files:
            files[module.file.name] = FileFacts(module)
        return files[module.file.name].at(function, site)

    def mistakes(function: Function, site: CallSite) -> Iterator[Mistake | None]:
        if site.kind != "call":
            yield held.lock(function, site)
            yield abandoned.stream(function, site)
            yield protocol.mismatch(function, site)
            return
        if site.role[0] == "arg":
            yield mistaken.called_early(function, site)
        if not isinstance(evaluator.callee(function.module, site), Func):
            yield mistaken.at(function, site)
            yield held.stream(function, site)
            yield shared.session(function, site)
        if function.is_async and site.role[0] in ("assign", "awith"):
            yield per_call.made(function, site)

    for function in blocking.roots():
        if not function.module.file.reported:
            continue
        startup = function in runs.startup or runs.looks_like_lifespan(function)
        for site, one in blocking.at(function):
            # A test waits for what it tests: what that reads and writes is not the test's to change.
            tested = function.module.file.is_test and one.kind == "file" and one.through is not None
            if startup or tested or runs.alone(function, site, one.kind, one.name):
                from dataclasses import replace

                one = replace(one, startup=True)
            facts_of(function, site).blocking.setdefault(one.kind, one)
    for function in functions:
        if not function.module.file.reported:
            continue
        for site, fan in fanout.at(function):
            facts_of(function, site).fan_out = fan
            held_around = per_call.around(function, site, fan)
            if held_around is not None:
                facts_of(function, site).mistakes[held_around.kind] = held_around
        for site in graph.speaking[function]:
            building = clients.building(function, site)
            if building is not None:
                facts_of(function, site).building = building
            lost = coroutines.lost(function, site)
            if lost is not None:
                facts_of(function, site).lost_coroutine = lost
            task = coroutines.lost_task(function, site)
            if task is not None:
                facts_of(function, site).lost_task = task
            for mistake in mistakes(function, site):
                if mistake is not None:
                    facts_of(function, site).mistakes[mistake.kind] = mistake
            open_ = unclosed.unclosed(function, site) if function in runs.once else None
            if open_ is not None:
                facts_of(function, site).unclosed = open_
            handler = startups.handler(function, site)
            if handler is not None:
                facts_of(function, site).startup_handler = handler
        cached = mistaken.cached(function)
        if cached is not None:
            facts_of(function, cached[0]).mistakes["cached"] = cached[1]
        for site, mistake in (*swallowed.at(function), *stale.at(function)):
            facts_of(function, site).mistakes[mistake.kind] = mistake
    for function, site, mistake in LoopFacts(evaluator, graph, runs, clients).crossing(functions):
        if function.module.file.reported and not function.module.file.is_test:
            facts_of(function, site).mistakes[mistake.kind] = mistake
    seconds["infer"] = time.perf_counter() - start
    return ProjectFacts(program, files, program.problems, seconds, graph, runs, clients)
