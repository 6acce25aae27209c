"""Runs the rules over the files about which facts speak: while the facts of others are still inferred, where a worker is idle."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from asynclint.facts.workers import Requests, Worker
from asynclint.findings import Finding
from asynclint.packs import Pack
from asynclint.project import Project

if TYPE_CHECKING:
    from asynclint.facts.answers import FileFacts
    from asynclint.facts.infer import ProjectFacts
    from asynclint.slices import Counts

SITES = 20
"""Places about which facts speak that are handed to a worker at once: it has nothing else to do."""

STATEMENTS, FUNCTIONS = b"s", b"f"
"""What a worker's rules need to see."""


class Walk:
    """The built-in rules on their way through a project, file by file."""

    def __init__(self, project: Project, pack: Pack) -> None:
        self._memory = project.memory
        self._pack = pack
        self._recursion = sys.getrecursionlimit()
        self._worker: Worker | None = None
        self._seen: bytes | None = None
        self._known: list[Finding] = []
        self._new: list[FileFacts] = []
        self._waiting: list[FileFacts] = []
        self._about: dict[str, bytes] = {}

    def afterwards(self, requests: Requests) -> bytes:
        """What a worker does when it has read its files."""
        import pickle

        from asynclint.slices import Walker

        sys.setrecursionlimit(self._recursion)
        walker = Walker(list(self._pack.rules.values()))
        walker.warm()
        requests.say(STATEMENTS if walker.statements else FUNCTIONS)
        for request in requests:
            walker.add(pickle.loads(request))
            walker.flush()
        return pickle.dumps((walker.finish(), walker.counts))

    def begin(self, worker: Worker | None) -> None:
        """Use a worker that does `afterwards`; None where there is none."""
        self._worker = worker

    def add(self, facts: FileFacts) -> None:
        """Walk a file; what the rules said of one that looks the same to them in an earlier run need not be said again."""
        if self._memory is not None:
            about = _seen_by_rules(facts, self._pack.wanted)
            said = self._memory.said(about)
            if said is not None:
                self._known += said
                return
            self._about[facts.module.file.name] = about
        self._new.append(facts)
        self._waiting.append(facts)
        if self._worker is not None and sum(len(one.lines) for one in self._waiting) >= SITES:
            self._send(self._worker)

    def finish(self) -> tuple[list[Finding], Counts]:
        """What the rules object to."""
        found, counts = self._from_worker() or self._here()
        if self._memory is not None:
            fresh: dict[str, list[Finding]] = {name: [] for name in self._about}
            for finding in found:
                fresh[finding.path].append(finding)
            for name, about in self._about.items():
                if not any(f.fixes for f in fresh[name]):
                    self._memory.keep_said(about, fresh[name])
        return self._known + found, counts

    def close(self) -> None:
        """Let the worker go."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.end()

    def _send(self, worker: Worker) -> None:
        import pickle

        from asynclint.slices import given

        if self._seen is None:
            self._seen = worker.heard()
        statements = self._seen == STATEMENTS
        pieces = [piece for one in self._waiting for piece in given(one, statements)]
        self._waiting = []
        worker.ask(pickle.dumps(pieces))

    def _from_worker(self) -> tuple[list[Finding], Counts] | None:
        """What the worker says; None where there is none, or where it did not come to its end."""
        import pickle

        worker, self._worker = self._worker, None
        if worker is None:
            return None
        if self._waiting:
            self._send(worker)
        answer = worker.end()
        if answer is None or not self._new:
            return None
        try:
            found, counts = pickle.loads(answer)
        except (pickle.UnpicklingError, EOFError, ValueError, TypeError):
            return None
        return found, counts

    def _here(self) -> tuple[list[Finding], Counts]:
        from asynclint.slices import Counts, Walker, given

        if not self._new or not self._pack.wanted:
            return [], Counts()
        walker = Walker(list(self._pack.rules.values()))
        for one in self._new:
            walker.add(given(one, walker.statements))
        return walker.finish(), walker.counts


def everywhere(project: Project, facts: ProjectFacts, pack: Pack) -> tuple[list[Finding], Counts]:
    """What all rules object to, also those that look at whole files, whatever the facts say of these."""
    from asynclint.facts.answers import FileFacts
    from asynclint.slices import Counts, Walker, given, whole

    rules = list(pack.rules.values())
    if not rules:
        return [], Counts()
    walker = Walker(rules)
    everything = any(r.everything for r in rules)
    for file in project.files:
        if not file.reported or file.text is None:
            continue
        one = facts.files.get(file.name)
        if everything:
            module = facts.program.load(file)
            if module is not None:
                walker.add(whole(one or FileFacts(module)))
        elif one is not None:
            walker.add(given(one, walker.statements))
    return walker.finish(), walker.counts


def _seen_by_rules(facts: FileFacts, wanted: set[str]) -> bytes:
    """A digest of all that rules see of a file."""
    from _blake2 import blake2b

    file = facts.module.file
    seen = (file.name, file.module, file.text, sorted(wanted), sorted(facts.calls.items()))
    return blake2b(
        repr(seen).encode("utf-8", "surrogatepass"), digest_size=16, person=b"rules"
    ).digest()
