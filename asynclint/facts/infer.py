"""The whole project → what every call site means, with the chain that makes it so."""

from __future__ import annotations

import gc
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from asynclint.facts.answers import Answers, FileFacts
from asynclint.facts.clients import ClientFacts
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.graph import Graph
from asynclint.facts.program import Program
from asynclint.facts.runs import Runs
from asynclint.facts.workers import Requests, Worker
from asynclint.findings import Finding
from asynclint.knowledge import Knowledge
from asynclint.project import Project, SourceFile

RECURSION = 12_000


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


class Follower(Protocol):
    """Who takes the facts of a file as soon as they are there."""

    def afterwards(self, requests: Requests) -> bytes:
        """What the first worker does when it has read its files."""

    def begin(self, worker: Worker | None) -> None:
        """All is read; this worker waits for requests."""

    def add(self, facts: FileFacts) -> None:
        """The facts of one more file are complete."""


def infer(
    project: Project,
    knowledge: Knowledge,
    jobs: int | None = 1,
    follower: Follower | None = None,
    meanwhile: Callable[[], None] | None = None,
    progress: Callable[[str], None] | None = None,
) -> ProjectFacts:
    """Read the project's modules as far as they matter, and infer the facts that rules ask for.

    `jobs` is the number of processes that read; None for as many as pay off. `follower` takes each file's facts while those of others are
    still inferred. `meanwhile` is work that this process
    will have to do anyway, and may do while others read. `progress` is told now and then how far the work is.
    """
    limit = sys.getrecursionlimit()
    collecting = gc.isenabled()
    sys.setrecursionlimit(max(limit, RECURSION))
    gc.disable()
    try:
        return _infer(project, knowledge, jobs, follower, meanwhile, progress or _silent)
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
    follower: Follower | None,
    meanwhile: Callable[[], None] | None,
    progress: Callable[[str], None],
) -> ProjectFacts:
    seconds: dict[str, float] = {}
    start = time.perf_counter()
    program = Program(project, knowledge.roots)
    matter = roots(project, knowledge)
    afterwards = follower.afterwards if follower is not None else None
    modules, worker = program.read(matter, jobs, afterwards, meanwhile, progress)
    if follower is not None:
        follower.begin(worker)
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
    answers = Answers(evaluator, graph)
    files: dict[str, FileFacts] = {}
    for one in answers.all():
        files[one.module.file.name] = one
        if follower is not None:
            follower.add(one)
    seconds["infer"] = time.perf_counter() - start
    return ProjectFacts(
        program, files, program.problems, seconds, graph, answers.runs, answers.clients
    )
