"""The whole project → what every call site means, with the chain that makes it so."""

from __future__ import annotations

import gc
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from asynclint.facts.program import Program
from asynclint.facts.workers import Requests, Worker
from asynclint.findings import Finding
from asynclint.knowledge import Knowledge
from asynclint.project import Project, SourceFile

if TYPE_CHECKING:
    from asynclint.facts.answers import FileFacts
    from asynclint.facts.clients import ClientFacts
    from asynclint.facts.graph import Graph
    from asynclint.facts.runs import Runs

RECURSION = 12_000

ASYNC = re.compile(r"\b(?:async|await|asyncio)\b")

IMPORTED = re.compile(r"^\s*(?:import|from)\s+(\w+)", re.MULTILINE)
"""The first name of an import."""


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

    `jobs` is the number of processes that read; None for as many as pay off. `follower` takes each file's facts while
    those of others are still inferred. `meanwhile` is work that this process will have to do anyway, and may do while
    others read. `progress` is told now and then how far the work is.
    """
    limit = sys.getrecursionlimit()
    collecting = gc.isenabled()
    sys.setrecursionlimit(max(limit, RECURSION))
    gc.disable()
    try:
        return _infer(project, knowledge, jobs, follower, meanwhile, progress or silent)
    finally:
        sys.setrecursionlimit(limit)
        if collecting:
            gc.enable()


def silent(text: str) -> None:
    """What is told of the progress of a run that nobody watches."""


def roots(project: Project, knowledge: Knowledge) -> list[SourceFile]:
    """The files from which everything that matters is reached: those that name async code or a known library."""
    words = knowledge.roots - sys.stdlib_module_names - {"builtins"}

    def matters(text: str) -> bool:
        # To look for two plain words is quick, and most files that matter have one.
        if ("async" in text or "await" in text) and ASYNC.search(text):
            return True
        return any(name in words for name in IMPORTED.findall(text))

    return [
        f for f in project.files if f.text and (f.reported or not f.is_test) and matters(f.text)
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

    def others_read() -> None:
        # Whatever is needed later is imported while there is somebody else who reads.
        import asynclint.facts.answers  # noqa: F401

        if meanwhile is not None:
            meanwhile()

    modules, worker = program.read(matter, jobs, afterwards, others_read, progress)
    if follower is not None:
        follower.begin(worker)
    chosen = {f.name for f in matter}
    for file in project.files:
        if file.text is not None and file.reported and file.name not in chosen:
            # Nothing to find there, but it must parse.
            program.check(file)
    seconds["extract"] = time.perf_counter() - start

    start = time.perf_counter()
    from asynclint.facts.answers import Answers
    from asynclint.facts.evaluate import Evaluator
    from asynclint.facts.graph import Graph
    from asynclint.facts.operators import METHODS

    evaluator = Evaluator(program, knowledge)
    graph = Graph(evaluator)
    for module in modules:
        for function in module.functions:
            if function.klass is not None:
                facts = function.facts
                if facts.decorators:
                    graph.properties.add(facts.name)
                if facts.name in METHODS and (facts.calls or facts.loads or facts.operations):
                    graph.operators.add(facts.name)
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
