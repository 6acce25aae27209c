"""Reads modules in several processes, where there is enough to read.

A worker is a fork of this process: it has the texts already, and hands back bytes. What a worker does not hand back, because it was
killed or its file does not parse, is read here as if there were no workers; so their number changes no result.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import tempfile
from collections.abc import Sequence
from typing import IO, Any

from asynclint.facts.encode import encode, plain
from asynclint.facts.extract import TooDeep, extract
from asynclint.project import SourceFile

ENOUGH = 800_000
"""Characters of text below which one process is as quick: starting a worker and reading its answer cost as much as
reading some 20,000 lines."""

OWN_SHARE = 0.85
"""What this process reads itself, as a part of a worker's share: it also takes in what the workers hand back."""

OTHER_WORK = 600_000
"""How many characters could be read while this process imports what it will need."""

TOGETHER = 256
"""How many modules' facts are handed over at once; what is the same in them is handed over once."""


def usable() -> int:
    """How many processes can run at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Reading:
    """Workers that extract the facts of some files while this process does the same with others."""

    def __init__(
        self,
        files: Sequence[SourceFile],
        jobs: int | None,
        busy: bool = False,
        kept: bool = True,
    ) -> None:
        """`busy` says that this process has something else to do, too; `kept`, that facts are wanted as bytes."""
        self._kept = kept
        self._workers: list[tuple[int, IO[bytes], list[SourceFile]]] = []
        count = min(jobs or usable(), 16)
        size = sum(len(f.text or "") for f in files)
        if count > 1 and hasattr(os, "fork") and (jobs is not None or size >= ENOUGH):
            for share in _shares(files, count, OTHER_WORK if busy else 0):
                self._start(share)

    def _start(self, share: list[SourceFile]) -> None:
        try:
            # Closed when its content is taken in.
            answer: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
            worker = os.fork()
        except OSError:
            return
        if worker == 0:
            _work(share, answer, self._kept)
        self._workers.append((worker, answer, share))

    def elsewhere(self) -> set[str]:
        """Names of the files that workers read."""
        return {file.name for _, _, share in self._workers for file in share}

    def results(self) -> dict[str, Any]:
        """What the workers read, by file name, as bytes or as plain values; waits for them."""
        found: dict[str, Any] = {}
        for worker, answer, _ in self._workers:
            with answer:
                try:
                    _, status = os.waitpid(worker, 0)
                    if status == 0:
                        answer.seek(0)
                        size = os.fstat(answer.fileno()).st_size
                        # `marshal.load` would ask the file for every single value.
                        while head := answer.read(8):
                            length = int.from_bytes(head, "little")
                            if length > size:
                                raise EOFError
                            found.update(marshal.loads(answer.read(length)))
                except (OSError, EOFError, ValueError, TypeError):
                    continue
        self._workers = []
        return found


def _shares(files: Sequence[SourceFile], count: int, other_work: float) -> list[list[SourceFile]]:
    """The files for each worker, about the same amount of text each; the rest is this process's own."""
    shares: list[list[SourceFile]] = [[] for _ in range(count)]
    weights = [other_work] + [0.0] * (count - 1)
    for file in sorted(files, key=lambda f: (-len(f.text or ""), f.name)):
        index = min(range(count), key=weights.__getitem__)
        shares[index].append(file)
        weights[index] += len(file.text or "") / (OWN_SHARE if index == 0 else 1.0)
    return [share for share in shares[1:] if share]


def _work(share: list[SourceFile], answer: IO[bytes], kept: bool) -> None:
    """Read a worker's files and end the process."""
    status = 1
    try:
        for first in range(0, len(share), TOGETHER):
            found: dict[str, Any] = {}
            for file in share[first : first + TOGETHER]:
                with contextlib.suppress(SyntaxError, TooDeep, RecursionError, MemoryError):
                    facts = extract(file.text or "", file.module, file.is_package)
                    one = encode(facts) if kept else plain(facts)
                    if one is not None:
                        found[file.name] = one
            try:
                data = marshal.dumps(found)
            except ValueError:
                # One of them nests too deeply.
                continue
            answer.write(len(data).to_bytes(8, "little") + data)
        answer.flush()
        status = 0
    finally:
        os._exit(status)
