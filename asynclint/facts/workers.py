"""Reads modules in several processes, where there is enough to read.

A worker is a fork of this process: it has the texts already, and hands back bytes. What a worker does not hand back, because it was
killed or its file does not parse, is read here as if there were no workers; so their number changes no result.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import tempfile
from collections.abc import Generator, Iterator, Sequence
from mmap import mmap
from typing import IO, Any

from asynclint.facts.encode import encode, plain
from asynclint.facts.extract import TooDeep, extract
from asynclint.project import SourceFile

ENOUGH = 800_000
"""Characters of text below which one process is as quick: starting a worker and reading its answer cost as much as
reading some 20,000 lines."""

LENGTH = 8
"""Bytes that say how many follow."""

TOGETHER = 400_000
"""How many characters' facts are handed over at once; what is the same in them is handed over once."""


def usable() -> int:
    """How many processes can run at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Reading:
    """Workers that extract the facts of some files while this process does the same with others.

    Each takes the largest file that nobody has taken yet. Where two take the same one at the same moment, both read it.
    """

    def __init__(self, files: Sequence[SourceFile], jobs: int | None, kept: bool = True) -> None:
        """`kept` says that facts are wanted as bytes."""
        self._kept = kept
        self._files = sorted(files, key=lambda f: (-len(f.text or ""), f.name))
        self._numbers = {file.name: number for number, file in enumerate(self._files)}
        self._workers: list[tuple[int, IO[bytes]]] = []
        self._taken: bytearray | mmap = bytearray(len(files))
        count = min(jobs or usable(), 16, len(files))
        size = sum(len(f.text or "") for f in files)
        if count > 1 and hasattr(os, "fork") and (jobs is not None or size >= ENOUGH):
            self._taken = mmap(-1, len(files))
            for _ in range(count - 1):
                self._start()

    def _start(self) -> None:
        try:
            # Closed when its content is taken in.
            answer: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
            worker = os.fork()
        except OSError:
            return
        if worker == 0:
            _work(self._untaken(), answer, self._kept)
        self._workers.append((worker, answer))

    @property
    def shared(self) -> bool:
        """Whether there are workers."""
        return bool(self._workers)

    def take(self, file: SourceFile) -> bool:
        """Whether this process is to read a file; from now on, no other begins with it."""
        number = self._numbers.get(file.name)
        if number is None:
            return True
        if self._taken[number]:
            return False
        self._taken[number] = 1
        return True

    def _untaken(self) -> Iterator[SourceFile]:
        """The files that nobody has taken, each when it is its turn; they are then taken."""
        return (file for file in self._files if self.take(file))

    def results(self) -> Iterator[tuple[str, Any]]:
        """What the workers read, one file after the other: its name, and its facts as bytes or as plain values.

        Waits for the workers. Facts that nobody keeps are gone when the next come.
        """
        workers, self._workers = self._workers, []
        for worker, answer in workers:
            with answer:
                try:
                    # Most of it is there before the worker has read its last file.
                    place = yield from _taken_in(answer, 0)
                    _, status = os.waitpid(worker, 0)
                    if status == 0:
                        yield from _taken_in(answer, place)
                except (OSError, ValueError, EOFError, TypeError):
                    continue


def _taken_in(answer: IO[bytes], place: int) -> Generator[tuple[str, Any], None, int]:
    """What is written whole from a place on; returns the place after that."""
    size = os.fstat(answer.fileno()).st_size
    while place + LENGTH <= size:
        length = int.from_bytes(os.pread(answer.fileno(), LENGTH, place), "little")
        if place + LENGTH + length > size:
            break
        # `marshal.load` would ask the file for every single value.
        found = marshal.loads(os.pread(answer.fileno(), length, place + LENGTH))
        while found:
            yield found.popitem()
        place += LENGTH + length
    return place


def _work(files: Iterator[SourceFile], answer: IO[bytes], kept: bool) -> None:
    """Read a worker's files and end the process."""
    status = 1
    try:
        found: dict[str, Any] = {}
        size = 0
        for file in files:
            with contextlib.suppress(SyntaxError, TooDeep, RecursionError, MemoryError):
                facts = extract(file.text or "", file.module, file.is_package)
                one = encode(facts) if kept else plain(facts)
                if one is not None:
                    found[file.name] = one
            size += len(file.text or "")
            if size >= TOGETHER:
                _hand_over(found, answer)
                found, size = {}, 0
        _hand_over(found, answer)
        status = 0
    finally:
        os._exit(status)


def _hand_over(found: dict[str, Any], answer: IO[bytes]) -> None:
    # One of them may nest too deeply.
    with contextlib.suppress(ValueError):
        data = marshal.dumps(found)
        answer.write(len(data).to_bytes(LENGTH, "little") + data)
        answer.flush()
