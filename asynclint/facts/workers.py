"""Reads modules in several processes, where there is enough to read.

A worker is a fork of this process: it has the texts already, and hands back bytes. What a worker does not hand back, because it was
killed or its file does not parse, is read here as if there were no workers; so their number changes no result. The first worker can be
given something else to do when all is read.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
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

READ = b"r"
"""What a worker says when it has read its files."""

TOGETHER = 400_000
"""How many characters' facts are handed over at once; what is the same in them is handed over once."""


def usable() -> int:
    """How many processes can run at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Requests:
    """A worker's end of what it is asked to do once it has read its files."""

    def __init__(self, said: int, asked: int, letters: IO[bytes]) -> None:
        self._said = said
        self._asked = asked
        self._letters = letters

    def say(self, one: bytes) -> None:
        """Tell the first process one byte."""
        os.write(self._said, one)

    def __iter__(self) -> Iterator[bytes]:
        """The requests, each when it comes; ends with the last, or with the process that makes them."""
        place = 0
        while length := int.from_bytes(os.read(self._asked, LENGTH), "little"):
            yield os.pread(self._letters.fileno(), length, place)
            place += length


Afterwards = Callable[[Requests], bytes]
"""What a worker does when there is nothing left to read."""


class Worker:
    """A process that reads files, and may do something else afterwards."""

    def __init__(
        self, files: Iterator[SourceFile], kept: bool, afterwards: Afterwards | None
    ) -> None:
        """Raises OSError where there can be no more processes."""
        # Files, and no pipes, take in what is said: nobody waits until somebody listens.
        self._answer: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._letters: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._written: int | None = 0
        """How many bytes of requests there are; None where one could not be written."""
        self._place = 0
        self._said, said = os.pipe()
        asked, self._asked = os.pipe()
        try:
            self.process = os.fork()
        except OSError:
            for end in (self._said, self._asked, said, asked):
                os.close(end)
            raise
        if self.process == 0:
            os.close(self._said)
            os.close(self._asked)
            requests = Requests(said, asked, self._letters)
            _serve(files, self._answer, kept, requests, afterwards)
        os.close(said)
        os.close(asked)

    def results(self) -> Iterator[tuple[str, Any]]:
        """What it reads; waits until it has read all."""
        # Most of it is there before the last file is.
        yield from self.ready()
        if self.heard() == READ:
            yield from self.ready()

    def heard(self) -> bytes:
        """The byte that it says next; empty when it is no more."""
        try:
            return os.read(self._said, 1)
        except OSError:
            return b""

    def ask(self, request: bytes) -> None:
        """Have it do something, and do not wait for it."""
        place, self._written = self._written, None
        if place is None:
            return
        with contextlib.suppress(OSError):
            if os.pwrite(self._letters.fileno(), request, place) == len(request):
                os.write(self._asked, len(request).to_bytes(LENGTH, "little"))
                self._written = place + len(request)

    def end(self) -> bytes | None:
        """What it did of what it was asked for; None where it did not do all of it."""
        os.close(self._asked)
        os.close(self._said)
        with self._answer, self._letters:
            _, status = os.waitpid(self.process, 0)
            whole = status == 0 and self._written is not None
            return _letter(self._answer, self._place)[0] if whole else None

    def ready(self) -> Iterator[tuple[str, Any]]:
        """What it has handed over and nobody has taken in."""
        with contextlib.suppress(OSError, ValueError, EOFError, TypeError):
            self._place = yield from _taken_in(self._answer, self._place)


class Reading:
    """Workers that extract the facts of some files while this process does the same with others.

    Each takes the largest file that nobody has taken yet. Where two take the same one at the same moment, both read it.
    """

    def __init__(
        self,
        files: Sequence[SourceFile],
        jobs: int | None,
        kept: bool = True,
        afterwards: Afterwards | None = None,
    ) -> None:
        """`kept` says that facts are wanted as bytes; `afterwards` is what the first worker does then."""
        self._files = sorted(files, key=lambda f: (-len(f.text or ""), f.name))
        self._numbers = {file.name: number for number, file in enumerate(self._files)}
        self._workers: list[Worker] = []
        self._taken: bytearray | mmap = bytearray(len(files))
        self.idle: Worker | None = None
        """The worker that waits for requests; the one who takes it has to end it."""
        count = min(jobs or usable(), 16, len(files))
        size = sum(len(f.text or "") for f in files)
        if count > 1 and hasattr(os, "fork") and (jobs is not None or size >= ENOUGH):
            self._taken = mmap(-1, len(files))
            for number in range(count - 1):
                with contextlib.suppress(OSError):
                    then = afterwards if number == 0 else None
                    self._workers.append(Worker(self._untaken(), kept, then))
                    if then is not None:
                        self.idle = self._workers[-1]

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

    def ready(self) -> Iterator[tuple[str, Any]]:
        """What the workers have read until now, as `results` gives it."""
        for worker in self._workers:
            yield from worker.ready()

    def results(self) -> Iterator[tuple[str, Any]]:
        """What the workers read, one file after the other: its name, and its facts as bytes or as plain values.

        Waits for the workers. Facts that nobody keeps are gone when the next come.
        """
        workers, self._workers = self._workers, []
        for worker in workers:
            yield from worker.results()
            if worker is not self.idle:
                worker.end()


def _letter(answer: IO[bytes], place: int) -> tuple[bytes | None, int]:
    """What is written whole at a place, and the place after it; None where there is nothing."""
    size = os.fstat(answer.fileno()).st_size
    if place + LENGTH > size:
        return None, place
    length = int.from_bytes(os.pread(answer.fileno(), LENGTH, place), "little")
    end = place + LENGTH + length
    if end > size:
        return None, place
    return os.pread(answer.fileno(), length, place + LENGTH), end


def _taken_in(answer: IO[bytes], place: int) -> Generator[tuple[str, Any], None, int]:
    """What is written whole from a place on; returns the place after that."""
    while True:
        data, place = _letter(answer, place)
        if data is None:
            return place
        # `marshal.load` would ask the file for every single value.
        found = marshal.loads(data)
        while found:
            yield found.popitem()


def _serve(
    files: Iterator[SourceFile],
    answer: IO[bytes],
    kept: bool,
    requests: Requests,
    afterwards: Afterwards | None,
) -> None:
    """Read a worker's files, do what comes afterwards, and end the process."""
    status = 1
    try:
        _work(files, answer, kept)
        requests.say(READ)
        if afterwards is not None:
            _write(afterwards(requests), answer)
        status = 0
    finally:
        os._exit(status)


def _work(files: Iterator[SourceFile], answer: IO[bytes], kept: bool) -> None:
    """Read a worker's files."""
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


def _hand_over(found: dict[str, Any], answer: IO[bytes]) -> None:
    # One of them may nest too deeply.
    with contextlib.suppress(ValueError):
        _write(marshal.dumps(found), answer)


def _write(data: bytes, answer: IO[bytes]) -> None:
    answer.write(len(data).to_bytes(LENGTH, "little") + data)
    answer.flush()
