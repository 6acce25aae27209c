"""Puts fixes to findings, or the reasons why there are none; in several processes where there are many to look for."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from mmap import mmap
from typing import IO, TYPE_CHECKING

from asynclint.config import Config
from asynclint.facts.infer import ProjectFacts
from asynclint.facts.program import Program
from asynclint.facts.workers import usable
from asynclint.findings import Finding, Refused, Safety
from asynclint.packs import Pack

if TYPE_CHECKING:
    from asynclint.fixes.place import Workshop

ENOUGH = 25
"""Findings below which one process is as quick: another one copies all memory that it touches."""


class Repairs:
    """The fixes that the rules of a run have for its findings."""

    def __init__(self, facts: ProjectFacts, config: Config, pack: Pack) -> None:
        self._facts = facts
        self._config = config
        self._pack = pack

    @property
    def program(self) -> Program:
        """What was read of the project."""
        return self._facts.program

    @cached_property
    def _workshop(self) -> Workshop:
        from asynclint.fixes.place import Workshop

        return Workshop(self._facts, self._config)

    def one(self, finding: Finding) -> Finding:
        """A finding with the fixes that its rule has for it, or with the reason why it has none."""
        from asynclint.fixes.place import Place

        if not self._may_have(finding):
            return finding
        file = self._facts.files.get(finding.path)
        found = file.find(finding.span, finding.because) if file is not None else None
        if found is None:
            return finding
        facts, site, function = found
        try:
            rule = self._pack.rules[finding.rule]
            fixes = tuple(rule.repair(Place(finding, facts, site, function, self._workshop)))
        except Refused as reason:
            return replace(finding, refusal=str(reason))
        except Exception as error:  # noqa: BLE001 - the others are judged all the same
            from asynclint.facts.failed import described

            return replace(finding, refusal=f"asynclint fails on it: {described(error)}")
        if any(one.safety is Safety.SAFE for one in fixes):
            if not self._workshop.declared(function, site):
                # Another caller, of whom nothing is known, may hand over something else.
                fixes = tuple(replace(one, safety=Safety.UNSAFE) for one in fixes)
        return replace(finding, fixes=fixes)

    def all(self, findings: Sequence[Finding], progress: Callable[[str], None]) -> list[Finding]:
        """The same for many; the order stays. `progress` is told now and then how far the work is."""
        found = list(findings)
        wanted = [index for index, one in enumerate(found) if self._may_have(one)]
        for index in wanted[:1]:
            # Whatever has to be imported for it is then there for all.
            found[index] = self.one(found[index])
        rest = wanted[1:]
        taken: bytearray | mmap = bytearray(len(found))
        other: _Other | None = None
        if len(rest) >= ENOUGH and (self._config.jobs or usable()) > 1 and hasattr(os, "fork"):
            taken = mmap(-1, len(found))
            with contextlib.suppress(OSError):
                # From the end, to meet this process somewhere.
                other = _Other(self, found, reversed(rest), taken)
        for number, index in enumerate(rest):
            if not taken[index]:
                taken[index] = 1
                progress(f"looking for fixes: {number}/{len(rest)} findings")
                found[index] = self.one(found[index])
                taken[index] = 2
        theirs = other.results() if other is not None else {}
        for index in rest:
            if taken[index] != 2:
                found[index] = theirs[index] if index in theirs else self.one(found[index])
        return found

    def asked(self, more: Sequence[dict[str, str]] = ()) -> list[dict[str, str]]:
        """What was read of the files that tell what projects below the root need, with what another process has read."""
        project = self.program.project
        found = [one.asked for one in (project.pythons, project.requirements) if one is not None]
        for known, other in zip(found, more, strict=False):
            known.update(other)
        return found

    def _may_have(self, finding: Finding) -> bool:
        rule = self._pack.rules.get(finding.rule)
        return rule is not None and rule.repairs and not finding.fixes and not finding.refusal


class _Other:
    """A fork of this process that repairs findings, too."""

    def __init__(
        self,
        repairs: Repairs,
        findings: Sequence[Finding],
        indexes: Iterable[int],
        taken: mmap | bytearray,
    ) -> None:
        """Raises OSError where there can be no more processes."""
        self._repairs = repairs
        self._answer: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = os.fork()
        if self._process == 0:
            status = 1
            try:
                done: dict[int, Finding] = {}
                for index in indexes:
                    if not taken[index]:
                        taken[index] = 1
                        done[index] = repairs.one(findings[index])
                import pickle

                pickle.dump((done, repairs.asked()), self._answer)
                self._answer.flush()
                status = 0
            finally:
                os._exit(status)

    def results(self) -> dict[int, Finding]:
        """What it repaired, by index; nothing where it did not come to its end."""
        with self._answer:
            _, status = os.waitpid(self._process, 0)
            if status != 0:
                return {}
            import pickle

            self._answer.seek(0)
            found: dict[int, Finding]
            found, asked = pickle.load(self._answer)
            self._repairs.asked(asked)
            return found
