"""What every call site of the project means, file by file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby

from asynclint.facts import places
from asynclint.facts.abandoned import AbandonedFacts
from asynclint.facts.blocking import BlockingFacts
from asynclint.facts.clients import ClientFacts
from asynclint.facts.coroutines import CoroutineFacts
from asynclint.facts.early import EarlyFacts
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.failed import failed
from asynclint.facts.fakes import faked, replaced
from asynclint.facts.fanout import FanOutFacts
from asynclint.facts.graph import Graph
from asynclint.facts.held import HeldFacts
from asynclint.facts.loops import LoopFacts
from asynclint.facts.mistaken import MistakenFacts
from asynclint.facts.model import CallSite
from asynclint.facts.percall import PerCallFacts
from asynclint.facts.program import Function, Module
from asynclint.facts.protocol import ProtocolFacts
from asynclint.facts.runs import Runs
from asynclint.facts.shared import SharedFacts
from asynclint.facts.stale import StaleFacts
from asynclint.facts.startup import StartupFacts
from asynclint.facts.swallowed import SwallowedFacts
from asynclint.facts.tasks import TaskFacts
from asynclint.facts.types import Func
from asynclint.facts.unclosed import UnclosedFacts
from asynclint.facts.view import CallFacts, Mistake, Position
from asynclint.findings import Link, Span


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

    def find(
        self, span: Span, because: tuple[Link, ...]
    ) -> tuple[CallFacts, CallSite, Function] | None:
        """The facts of the place that a finding marks, its site, and the function that executes it.

        A call and the `with` around it may be of one place: the chain of the finding tells which of them blocks.
        """
        position = (span.line, span.column - 1, span.end_line, span.end_column - 1)
        found: tuple[CallFacts, CallSite, Function] | None = None
        for kind in (
            "call",
            "with",
            "awith",
            "for",
            "afor",
            "attr",
            "item",
            "in",
            "decorator",
            "except",
            "assign",
        ):
            if position in self.calls.get(kind, ()):
                function, site = self.lines[kind, position]
                facts = self.calls[kind][position]
                if because and any(b.because == because for b in facts.blocking.values()):
                    return facts, site, function
                found = found or (facts, site, function)
        return found


class Answers:
    """All questions that rules have about call sites, asked of every function of the project."""

    def __init__(self, evaluator: Evaluator, graph: Graph) -> None:
        self.evaluator = evaluator
        self.graph = graph
        self.runs = runs = Runs(evaluator, graph)
        self.blocking = BlockingFacts(evaluator, graph, runs)
        self.fanout = FanOutFacts(evaluator, graph)
        for function in graph.known_functions():
            self.fanout.note_items(function)
        self.clients = ClientFacts(evaluator, graph, runs)
        self.coroutines = CoroutineFacts(evaluator, graph, runs)
        self.tasks = TaskFacts(evaluator)
        self.startups = StartupFacts(evaluator)
        self.unclosed = UnclosedFacts(evaluator, self.clients, runs)
        self.mistaken = MistakenFacts(evaluator)
        self.early = EarlyFacts(evaluator)
        self.held = HeldFacts(evaluator)
        self.protocol = ProtocolFacts(evaluator)
        self.shared = SharedFacts(evaluator, self.fanout.bounds)
        self.swallowed = SwallowedFacts(evaluator, graph, runs)
        self.per_call = PerCallFacts(evaluator, runs)
        self.abandoned = AbandonedFacts(evaluator)
        self.stale = StaleFacts(evaluator, runs)

    def all(self) -> Iterator[FileFacts]:
        """The facts of every file that is reported on and about which there is something to say, each when it is complete."""
        functions = self.graph.known_functions()
        crossing: dict[str, list[tuple[Function, CallSite, Mistake]]] = defaultdict(list)
        loops = LoopFacts(self.evaluator, self.graph, self.runs, self.clients)
        for found in loops.crossing(functions):
            crossing[found[0].module.file.name].append(found)
        for name, some in groupby(functions, key=lambda f: f.module.file.name):
            own = list(some)
            module = own[0].module
            if not module.file.reported:
                continue
            facts = FileFacts(module)
            for answer in (self._blocking, self._function):
                for function in own:
                    try:
                        answer(function, facts)
                    except Exception as error:  # noqa: BLE001 - the others are judged all the same
                        self.evaluator.program.problems.append(failed(function, error))
            for function, site, mistake in crossing[name] if not module.file.is_test else ():
                facts.at(function, site).mistakes[mistake.kind] = mistake
            if facts.lines:
                yield facts

    def _blocking(self, function: Function, facts: FileFacts) -> None:
        """What blocks in a function that the event loop runs itself."""
        if not function.is_async and function not in self.graph.on_loop:
            return
        runs = self.runs
        startup = function in runs.startup or runs.looks_like_lifespan(function)
        found = self.blocking.at(function)
        fakes = faked(self.evaluator.program, function.module) if found else frozenset()
        for site, one in found:
            if one.kind in fakes:
                continue
            # A test is alone on its loop: what it reads and writes keeps nobody waiting, and how what it tests
            # waits is not the test's to change; much of that it replaces.
            tested = function.module.file.is_test and (
                one.kind == "file" or one.through is not None or replaced(function.module, one.name)
            )
            if startup or tested or runs.alone(function, site, one.kind, one.name):
                one = replace(one, startup=True)
            facts.at(function, site).blocking.setdefault(one.kind, one)

    def _function(self, function: Function, facts: FileFacts) -> None:
        """Everything else about the calls of a function."""
        for site, fan in self.fanout.at(function):
            facts.at(function, site).fan_out = fan
            around = self.per_call.around(function, site, fan)
            if around is not None:
                facts.at(function, site).mistakes[around.kind] = around
        for site in self.graph.speaking[function]:
            self._site(function, site, facts)
        for edge in self.graph.out[function]:
            if edge.site.kind == "attr" and edge.target.is_async:
                lost = self.coroutines.lost_property(function, edge.site)
                if lost is not None:
                    facts.at(function, edge.site).lost_coroutine = lost
        cached = self.mistaken.cached(function)
        if cached is not None:
            facts.at(function, cached[0]).mistakes["cached"] = cached[1]
        for site, mistake in (*self.swallowed.at(function), *self.stale.at(function)):
            facts.at(function, site).mistakes[mistake.kind] = mistake

    def _site(self, function: Function, site: CallSite, facts: FileFacts) -> None:
        if site.kind != "call":
            self._entered(function, site, facts)
            return
        tag = site.role[0]
        if tag != "await":
            lost = self.coroutines.lost(function, site)
            if lost is not None:
                facts.at(function, site).lost_coroutine = lost
        if tag == "arg":
            _add(facts, function, site, self.early.called(function, site))
        if function.is_async and tag in ("assign", "awith"):
            _add(facts, function, site, self.per_call.made(function, site))
        if not isinstance(self.evaluator.callee(function.module, site), Func):
            self._of_library(function, site, facts)

    def _entered(self, function: Function, site: CallSite, facts: FileFacts) -> None:
        """What is wrong with a `with`, a `for`, or the reading of an attribute."""
        _add(facts, function, site, self.held.lock(function, site))
        _add(facts, function, site, self.abandoned.stream(function, site))
        _add(facts, function, site, self.protocol.mismatch(function, site))

    def _of_library(self, function: Function, site: CallSite, facts: FileFacts) -> None:
        """What calls of no function of the project may do."""
        _add(facts, function, site, self.mistaken.at(function, site))
        _add(facts, function, site, self.held.stream(function, site))
        _add(facts, function, site, self.shared.session(function, site))
        building = self.clients.building(function, site)
        if building is not None:
            facts.at(function, site).building = building
        task = self.tasks.lost(function, site)
        if task is not None:
            facts.at(function, site).lost_task = task
        open_ = self.unclosed.unclosed(function, site) if function in self.runs.once else None
        if open_ is not None:
            facts.at(function, site).unclosed = open_
        handler = self.startups.handler(function, site)
        if handler is not None:
            facts.at(function, site).startup_handler = handler


def _add(facts: FileFacts, function: Function, site: CallSite, mistake: Mistake | None) -> None:
    if mistake is not None:
        facts.at(function, site).mistakes[mistake.kind] = mistake
