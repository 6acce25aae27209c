"""What earlier runs found, in one file: findings by the state of the whole project, facts by a module's text.

    header    magic, where the head is, its length and checksum
    blobs     facts and answers, each with its checksum in the head
    head      the tool that wrote it, stamps of files, where the blobs are

A **stamp** says that a file which looks so from outside (size, times, inode) has a text of that digest. An **answer**
is what a check said of a project; its key is made of everything that the check depends on: the configuration and the
names and digests of all files. So an answer is never out of date, it is only not asked for any more.

A file that another tool, another version or an accident has written is not an error: nothing is found in it.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import struct
import time
from _blake2 import blake2b
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from asynclint import packs, silent
from asynclint.config import Config
from asynclint.findings import Edit, Finding, Fix, Link, Safety, Span
from asynclint.metadata import text_of
from asynclint.project import Listing, Project, SourceFile
from asynclint.replay import (
    FOLDER,
    HOT,
    MAX_CHANGED,
    listed,
    look,
    tool_digest,
    write,
)
from asynclint.replay import read as records_of
from asynclint.silent import digest

if TYPE_CHECKING:
    from asynclint.replay import Limits, Reading, Record

NAME = "results"
MAGIC = b"asynclint\0\1"
HEADER = struct.Struct("<11sxQQI")

MAX_ANSWERS = 16
EVERYWHERE = 1 << 30
"""Behind the last line of any file."""
MAX_RECORDS = 4
"""Commands whose output is kept."""
STALE = 3600
"""Seconds after which a temporary file belongs to a run that died."""

PRINTING = frozenset({"output_format", "exit_zero", "fail_on", "cache", "jobs"})
"""Settings on which no finding depends."""

Place = tuple[int, int, int]
"""Where a blob is: offset, length, checksum."""
Stamp = tuple[int, int, int, int, bytes]
"""Size, time of modification, time of change, inode, digest of the text."""
Asked = tuple[str, bytes]
"""A file below the root that tells what a project needs, and the digest of what it said."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a check said, kept from an earlier run."""

    findings: list[Finding]
    known: dict[str, packs.Meta]
    """What the rules say of themselves."""
    reading: Reading


class Cache:
    """The kept results of one project. Nothing here raises: what cannot be read or written is not there."""

    def __init__(self, listing: Listing, config: Config) -> None:
        self.folder = listing.root / FOLDER
        self.problem: str | None = None
        """Why nothing could be written."""
        self.extracted = 0
        """How many modules' facts are new."""
        # All that the answer depends on is looked at before any of it is used.
        self._tool = tool_digest()
        self._listing = listing
        self._circumstances = _circumstances(listing, config)
        self._file: Any = None
        self._stamps: dict[str, Stamp] = {}
        self._digests: dict[str, bytes] = {}
        """By absolute path: what stands for the texts that were checked, or were found to be as they were."""
        self._answers: list[tuple[bytes, Place, list[Asked]]] = []
        self._index: Place | None = None
        self._old: dict[bytes, Place | None] | None = None
        self._new: dict[bytes, Place | None] = {}
        self._used: dict[bytes, None] = {}
        self._out: _Writer | None = None
        self._done = False
        """What was new is written, and now read like the rest."""
        self._open()

    def _forget(self) -> None:
        self._stamps, self._answers, self._index = {}, [], None
        self._old = None
        self._new = {}
        if self._file is not None:
            self._file.close()

    def _open(self) -> None:
        try:
            self._file = open(self.folder / NAME, "rb", buffering=0)  # noqa: SIM115 - open as long as the run
            magic, offset, length, checksum = HEADER.unpack(self._file.read(HEADER.size))
            head = self._blob((offset, length, checksum))
            if magic != MAGIC or head is None:
                return
            tool, stamps, answers, index = marshal.loads(head)
            if tool == self._tool:
                self._stamps, self._answers, self._index = stamps, answers, index
        except (OSError, struct.error, ValueError, EOFError, TypeError):
            return

    def _blob(self, place: Place) -> bytes | None:
        """The bytes at a place, if they are what was written there."""
        offset, length, checksum = place
        try:
            self._file.seek(offset)
            data: bytes = self._file.read(length)
        except (OSError, OverflowError, MemoryError, ValueError):
            return None
        return data if len(data) == length and crc32(data) == checksum else None

    # -- answers ----------------------------------------------------------------------------------

    def answer(self, fixes: bool = True) -> Answer | None:
        """What an earlier run said of the project as it now lies on the disk; no file is read that looks as it did.

        Findings have their fixes where `fixes` is true, and else may have them.
        """
        listing = self._listing
        if not self._answers or listing.given is not None:
            return None
        digests = self._digests
        better: dict[str, Stamp] = {}
        for path in listing.wanted:
            digests[path] = self._looked_at(path, listing, better)
        keys = [self._key(digests, one) for one in ((True,) if fixes else (True, False))]
        for key, place, asked in self._answers:
            said = {path: text_of(Path(path)) for path, _ in asked} if key in keys else {}
            if key not in keys or any(digest(said[path]) != known for path, known in asked):
                continue
            data = self._blob(place)
            if data is None:
                return None
            # What is printed goes by them as much as what was found.
            listing.reader.pythons.asked.update(said)
            if better:
                self._stamps |= better
                self._write(self._answers)
            return _answer(marshal.loads(data))
        return None

    def _looked_at(self, path: str, listing: Listing, better: dict[str, Stamp]) -> bytes:
        """The digest of a file's text, which is read only if the file looks different from what is known."""
        name = listing.below_root(path)
        known = self._stamps.get(name)
        seen = listing.looks[path] = look(path)
        if known is not None and known[:4] == seen:
            return known[4]
        text, problem = listing.text(path)
        if text is None:
            return _of_problem(problem)
        found = digest(text)
        if seen is not None and not _hot(seen, listing.started):
            better[name] = (*seen, found)
        return found

    def keep(
        self,
        project: Project,
        answer: Answer,
        fixes: bool = True,
    ) -> None:
        """Write down what a check said of the texts that it was given, and the facts of the modules it read.

        `fixes` says whether the fixes of findings were looked for.
        """
        listing = self._listing
        if listing.given is not None:
            # An editor asks at every key: only what took long is worth a new file.
            if self.extracted > 1:
                self._write(self._answers)
            return
        files = {str(f.path): f for f in project.files}
        digests = {path: _digest(files[path]) for path in listing.wanted if path in files}
        self._digests = digests
        stamps: dict[str, Stamp] = {}
        for path, seen in listing.looks.items():
            if seen is None or path not in digests or files[path].text is None:
                continue
            if not _hot(seen, listing.started):
                stamps[listing.below_root(path)] = (*seen, digests[path])
        room = len(stamps)
        for name, stamp in self._stamps.items():
            if room and name not in stamps:
                stamps[name] = stamp
                room -= 1
        self._stamps = stamps
        if digests.keys() != listing.wanted.keys():
            return
        key = self._key(digests, fixes)
        others = [one for one in self._answers if one[0] != key]
        said = listing.reader.pythons.asked | listing.reader.requirements.asked
        asked = [(path, digest(text)) for path, text in sorted(said.items())]
        self._write(others[: MAX_ANSWERS - 1], (key, asked, marshal.dumps(_plain(answer))))
        self._keep_texts({digests[p]: files[p].text or "" for p in digests})

    def _keep_texts(self, texts: Mapping[bytes, str]) -> None:
        """Keep what the files say, to compare it with what they say after an edit."""
        if self.problem is not None or silent.kept(str(self.folder)) == texts.keys():
            return
        with contextlib.suppress(OSError):
            silent.keep(str(self.folder), texts)

    def _key(self, digests: Mapping[str, bytes], fixes: bool) -> bytes:
        key = blake2b(self._circumstances, digest_size=20)
        key.update(b"fixes" if fixes else b"findings")
        for path, reported in sorted(self._listing.wanted.items()):
            key.update(f"\n{path}\n{reported:d}".encode("utf-8", "surrogatepass"))
            key.update(digests[path])
        return key.digest()

    def keep_output(
        self,
        circumstances: bytes,
        output: bytes,
        code: int,
        findings: list[Finding],
        limits: Limits,
    ) -> None:
        """Remember what a command printed, if what it looked at can be told from what a later edit makes of it.

        `findings` are those that were printed.
        """
        listing = self._listing
        named = _last_lines(findings)
        files = []
        hot = 0
        for path in listing.wanted:
            seen = listing.looks.get(path)
            if seen is None or path not in self._digests:
                return
            if _hot(seen, listing.started):
                # What it says is compared each time.
                seen, hot = None, hot + 1
            files.append((path, seen, self._digests[path], named.get(listing.shown(path), 0)))
        if hot > MAX_CHANGED:
            return
        probes: list[tuple[str, Any]] = []
        for path, only in listing.probes():
            seen = look(path)
            if only:
                probes.append((path, True if seen else None))
            elif seen is not None and _hot(seen, listing.started):
                return
            else:
                probes.append((path, seen))
        directories = [
            (path, None if seen is None or _hot(seen, listing.started) else seen, inside)
            for path, (seen, inside) in listing.directories.items()
        ]
        record: Record = (circumstances, files, directories, probes, limits, {}, output, code)
        others = [r for r in records_of(str(self.folder)) if r[0] != circumstances]
        write(str(self.folder), [record, *others[: MAX_RECORDS - 1]])

    # -- facts ------------------------------------------------------------------------------------

    def knows(self, text: str) -> bool:
        """Whether there are facts of a module with that text, if they can be read."""
        return self._known(digest(text)) is not None

    def facts(self, text: str) -> bytes | None:
        """The encoded facts of a module with that text."""
        place = self._known(found := digest(text))
        data = self._blob(place) if place is not None else None
        if data is not None:
            self._used[found] = None
        return data

    def keep_facts(self, text: str, data: bytes | None) -> None:
        """Remember a module's encoded facts; None when they have no such form."""
        if data is not None and (place := self._put(data)) is not None:
            self._new[digest(text)] = place
            self.extracted += 1

    def parses(self, text: str) -> bool:
        """Whether a text is known to be Python."""
        found = digest(text)
        if found not in self._places():
            return False
        self._used[found] = None
        return True

    def keep_parses(self, text: str) -> None:
        """Remember that a text is Python."""
        self._new.setdefault(digest(text), None)

    def _known(self, found: bytes) -> Place | None:
        return self._places().get(found)

    def _places(self) -> dict[bytes, Place | None]:
        if self._old is None:
            self._old = {}
            data = self._blob(self._index) if self._index is not None else None
            if data is not None:
                self._old = marshal.loads(data)
        return self._old

    # -- what rules said --------------------------------------------------------------------------

    def said(self, about: bytes) -> list[Finding] | None:
        """What rules said of a file of which `about` is the digest of all that they saw."""
        place = self._known(about)
        data = self._blob(place) if place is not None else None
        if data is None:
            return None
        self._used[about] = None
        return [_finding(row) for row in marshal.loads(data)]

    def keep_said(self, about: bytes, findings: list[Finding]) -> None:
        """Remember what rules said."""
        if (place := self._put(marshal.dumps([_row(f) for f in findings]))) is not None:
            self._new[about] = place

    # -- writing ----------------------------------------------------------------------------------

    def _put(self, data: bytes) -> Place | None:
        if self.problem is not None or self._done:
            return None
        try:
            if self._out is None:
                self._out = _Writer(self.folder)
            return self._out.put(data)
        except OSError as error:
            self._failed(error)
            return None

    def _failed(self, error: OSError) -> None:
        why = (error.strerror or str(error)).lower()
        self.problem = f"{self.folder}: results are not kept: {why}"
        self.close()

    def _write(
        self,
        answers: list[tuple[bytes, Place, list[Asked]]],
        new: tuple[bytes, list[Asked], bytes] | None = None,
    ) -> None:
        """Put a new file in place of the old one, with a new answer and those of the old blobs that are still wanted."""
        if self.problem is not None:
            return
        try:
            if self._out is None:
                self._out = _Writer(self.folder)
            out = self._out
            # Most edits change no finding: the same answer is written once.
            same: dict[bytes, Place] = {}
            kept: list[tuple[bytes, Place, list[Asked]]] = []
            older = ((key, asked, self._blob(place)) for key, place, asked in answers)
            for key, asked, data in (*([new] if new else []), *older):
                if data is not None:
                    if data not in same:
                        same[data] = out.put(data)
                    kept.append((key, same[data], asked))
            index = dict(self._new)
            used = len(self._new) + len(self._used)
            old = self._places()
            wanted = [d for d in self._used if d in old]
            # What this run did not ask for may be asked for by the next: another branch, another part of the project.
            others = [d for d in old if d not in self._used]
            for one in (*wanted, *(others[:used] if used else others)):
                if one not in index:
                    place = old[one]
                    copied = self._copied(place) if place is not None else None
                    if place is None or copied is not None:
                        index[one] = copied
            head = (
                self._tool,
                self._stamps,
                kept,
                out.put(marshal.dumps(index)),
            )
            out.finish(marshal.dumps(head), self.folder / NAME)
            self._out, self._done = None, True
            self._forget()
            self._open()
        except OSError as error:
            self._failed(error)

    def _copied(self, place: Place) -> Place | None:
        assert self._out is not None
        try:
            self._file.seek(place[0])
            data = self._file.read(place[1])
        except (OSError, OverflowError, ValueError):
            return None
        return self._out.copy(data, place[2]) if len(data) == place[1] else None

    def close(self) -> None:
        """Leave nothing half done behind."""
        if self._out is not None:
            self._out.drop()
            self._out = None


class _Writer:
    """A new cache file, under a name of its own until it is whole."""

    def __init__(self, folder: Path) -> None:
        _make(folder)
        self.path = folder / f"{os.getpid()}-{time.time_ns()}.tmp"
        self.file = open(self.path, "xb")  # noqa: SIM115 - open as long as the run
        self.size = self.file.write(bytes(HEADER.size))

    def put(self, data: bytes) -> Place:
        return self.copy(data, crc32(data))

    def copy(self, data: bytes, checksum: int) -> Place:
        place = (self.size, len(data), checksum)
        self.size += self.file.write(data)
        return place

    def finish(self, head: bytes, target: Path) -> None:
        try:
            offset, length, checksum = self.put(head)
            self.file.seek(0)
            self.file.write(HEADER.pack(MAGIC, offset, length, checksum))
            self.file.close()
            os.replace(self.path, target)
        except OSError:
            self.drop()
            raise

    def drop(self) -> None:
        with contextlib.suppress(OSError):
            self.file.close()
        with contextlib.suppress(OSError):
            os.unlink(self.path)


def _make(folder: Path) -> None:
    """The cache's directory, which git is told to ignore; without what died runs left there."""
    folder.mkdir(exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists() and not folder.is_symlink():
        ignore.write_text("*\n", encoding="utf-8")
    now = time.time()
    for entry in os.scandir(folder):
        if entry.name.endswith(".tmp"):
            with contextlib.suppress(OSError):
                if abs(now - entry.stat().st_mtime) > STALE:
                    os.unlink(entry.path)


# -- keys -----------------------------------------------------------------------------------------


def _hot(seen: tuple[int, int, int, int], started: int) -> bool:
    return max(seen[1], seen[2]) > started - HOT


def _last_lines(findings: list[Finding]) -> dict[str, int]:
    """By file: the last line of which findings say anything."""
    last: dict[str, int] = {}
    for finding in findings:
        places = [(finding.path, finding.span.end_line)]
        places += [(link.path, link.span.end_line) for link in finding.because]
        for fix in finding.fixes:
            # Edits count characters: they may lie anywhere.
            places += [(edit.path, EVERYWHERE) for edit in fix.edits]
        for path, line in places:
            last[path] = max(last.get(path, 0), line)
    return last


def _digest(file: SourceFile) -> bytes:
    if file.text is not None:
        return digest(file.text)
    assert file.problem is not None
    return _of_problem((file.problem.rule, file.problem.message))


def _of_problem(problem: tuple[str, str] | None) -> bytes:
    """What stands for a file without a text; never what stands for a text."""
    return blake2b(repr(problem).encode(), digest_size=16, person=b"problem").digest()


def _circumstances(listing: Listing, config: Config) -> bytes:
    """All that findings depend on beside the texts of the files."""
    settings = [
        (one.name, getattr(config, one.name)) for one in fields(config) if one.name not in PRINTING
    ]
    rules = [listed(str(config.root / name)) for name in config.rules]
    return repr((settings, rules, listing.shape())).encode("utf-8", "surrogatepass")


# -- findings as plain values ---------------------------------------------------------------------


def _numbers(span: Span) -> tuple[int, int, int, int]:
    return (span.line, span.column, span.end_line, span.end_column)


def _row(f: Finding) -> Any:
    return (
        f.rule,
        f.level,
        f.path,
        _numbers(f.span),
        f.message,
        [(link.path, _numbers(link.span), link.text) for link in f.because],
        [
            (fix.title, fix.safety.value, [(e.path, e.start, e.end, e.text) for e in fix.edits])
            for fix in f.fixes
        ],
        f.refusal,
    )


def _finding(row: Any) -> Finding:
    rule, level, path, span, message, because, fixes, refusal = row
    return Finding(
        rule,
        level,
        path,
        Span(*span),
        message,
        tuple(Link(there, Span(*numbers), text) for there, numbers, text in because),
        tuple(
            Fix(title, Safety(safety), tuple(Edit(*edit) for edit in edits))
            for title, safety, edits in fixes
        ),
        refusal,
    )


def _plain(answer: Answer) -> Any:
    metas = [
        (m.name, m.group, m.level, m.default, m.since, m.summary, str(m.page), m.yields_to)
        for m in answer.known.values()
    ]
    return [_row(f) for f in answer.findings], metas, answer.reading


def _answer(plain: Any) -> Answer:
    rows, metas, reading = plain
    known = {
        name: packs.Meta(name, group, level, default, since, summary, Path(page), yields_to)
        for name, group, level, default, since, summary, page, yields_to in metas
    }
    return Answer([_finding(row) for row in rows], known, reading)
