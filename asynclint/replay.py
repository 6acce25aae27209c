"""What the same command printed last time, printed again while nothing that it looked at looks different.

This is read before anything else is imported, so it imports next to nothing itself. A record says how each file,
each directory and each place where a file might have been looked from outside; where a file looks different, `silent`
decides whether its edit can matter, and where anything else does, `cache` decides by content.
"""

from __future__ import annotations

import marshal
import os
import sys
import time
from zlib import crc32

from asynclint import __version__

Reading = tuple[list[str], list[str], list[str], list[str]]
"""The names that were looked for in texts; the paths of files of which no more was asked than that, and of those in which
the order of statements was looked at; and which of the names in `inert.CALLED_NAMES` functions and classes have."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Look = tuple[int, int, int, int]
    """Size, time of modification, time of change, inode."""
    Limits = tuple[int, bool, bool, Reading]
    """Up to which size files are read, whether fixes are shown, whether the project has tables of its own, and what
    was read."""
    Record = tuple[bytes, list[Any], list[Any], list[Any], Limits, dict[bytes, str], bytes, int]
    """What it depends on beside files; files as `silent.File`, directories, and other places with their looks; how far
    edits may go; texts by their digests, where they are newer than those that are kept; output and exit code."""

FOLDER = ".asynclint_cache"
NAME = "replay"
MAGIC = b"asynclint replay 3\n"

PROJECT_FILES = frozenset(
    {"pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "Pipfile", "manage.py"}
)
"""What stands at the root of a project within a larger one; its modules are imported from there and from its `src`."""

MAX_CHANGED = 8
"""Files. Who changed more of them pulled or switched branches."""

HOT = 2_000_000_000
"""Nanoseconds: what was written less than that before it was looked at may be written again and look the same."""


def replay(args: list[str]) -> int | None:
    """Print what an earlier run printed and give its exit code; None when there is nothing to go by."""
    try:
        folder = os.getcwd()
    except OSError:
        return None
    wanted = b""
    while True:
        cache = os.path.join(folder, FOLDER)
        records = read(cache)
        for record in records:
            wanted = wanted or circumstances(args)
            if record[0] != wanted:
                continue
            held = _held(cache, record)
            if held is None:
                continue
            if held is not record:
                write(cache, [held, *(r for r in records if r is not record)])
            return _print(held[-2], held[-1])
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def _held(cache: str, record: Record) -> Record | None:
    """The record, where what it says would be said again: as it is, or with what files look like now."""
    changed = _changed(*record[1:4])
    if not changed:
        return record if changed is not None else None
    if len(changed) > MAX_CHANGED:
        return None
    from asynclint.silent import after_edit

    return after_edit(cache, record, changed)


def _print(output: bytes, code: int) -> int:
    try:
        sys.stdout.buffer.write(output)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"asynclint: error: {(error.strerror or str(error)).lower()}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    return code


def read(folder: str) -> list[Record]:
    """The records below a cache's directory, the newest first; none where the file is not whole."""
    try:
        with open(os.path.join(folder, NAME), "rb") as file:
            data = file.read()
        start = len(MAGIC) + 4
        if data.startswith(MAGIC) and int.from_bytes(data[start - 4 : start], "big") == crc32(
            data[start:]
        ):
            tool, records = marshal.loads(data[start:])
            return list(records) if tool == tool_digest() else []
    except (OSError, ValueError, EOFError, TypeError):
        pass
    return []


def write(folder: str, records: list[Record]) -> None:
    """Keep records; nothing happens where they cannot be written."""
    data = marshal.dumps((tool_digest(), records))
    replaced(os.path.join(folder, NAME), MAGIC + crc32(data).to_bytes(4, "big") + data)


def replaced(target: str, data: bytes) -> None:
    """Put a small file in place of an older one, whole or not at all."""
    path = f"{target}-{os.getpid()}-{time.time_ns()}.tmp"
    try:
        with open(path, "xb") as file:
            file.write(data)
        os.replace(path, target)
    except OSError:
        try:
            os.unlink(path)
        except OSError:
            return


def circumstances(args: list[str]) -> bytes:
    """What output depends on beside files."""
    variables = [os.environ.get(name) for name in ("NO_COLOR", "FORCE_COLOR", "HOME")]
    stream = (sys.stdout.encoding, sys.stdout.isatty())
    return repr((os.getcwd(), args, variables, stream)).encode("utf-8", "surrogatepass")


def look(path: str) -> Look | None:
    """How a path looks from outside; None when nothing is there."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return look_of(status)


def look_of(status: os.stat_result) -> Look:
    """The part of a stat that tells one state of a file from another."""
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def names(entries: Iterable[os.DirEntry[str]]) -> list[str]:
    """The names in a directory that say which files belong to a project."""
    found = []
    for entry in entries:
        name = entry.name
        try:
            if entry.is_dir():
                if name != FOLDER:
                    found.append(f"{name}/")
            elif name.endswith((".py", ".gitignore")) or name in PROJECT_FILES:
                found.append(name)
        except OSError:
            found.append(name)
    return sorted(found)


def _names(directory: str) -> list[str] | None:
    try:
        return names(os.scandir(directory))
    except OSError:
        return None


def _changed(files: Any, directories: Any, probes: Any) -> list[Any] | None:
    """The files that look different or were too new to tell; None where it is not files alone that changed."""
    stat = os.stat
    changed = []
    try:
        for file in files:
            known = file[1]
            one = stat(file[0])
            if known != (one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_ino):
                changed.append(file)
    except OSError:
        return None
    for path, known, inside in directories:
        if known is None or look(path) != known:
            if _names(path) != inside:
                return None
    for path, known in probes:
        if look(path) != known if known is not True else not os.path.exists(path):
            return None
    return changed


_digests: dict[str, str] = {}


def tool_digest() -> str:
    """What kept results depend on beside the project: asynclint's own files, Python, libcst."""
    here = os.path.dirname(os.path.abspath(__file__))
    if here not in _digests:
        _digests[here] = _tool_digest(here)
    return _digests[here]


def _tool_digest(here: str) -> str:
    from _blake2 import blake2b

    own: object
    installed = os.path.isdir(os.path.join(here, "rules"))
    above = os.path.dirname(here)
    try:
        # An installed tool's record holds the digests of its files.
        if not installed:
            raise FileNotFoundError
        with open(f"{above}/asynclint-{__version__}.dist-info/RECORD", "rb") as record:
            own = record.read()
    except OSError:
        own = (listed(here), [] if installed else listed(os.path.join(above, "rules")))
    text = repr((__version__, sys.version, own, _libcst())).encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=16).hexdigest()


def _libcst() -> list[str]:
    """Where libcst lies, and what its version is."""
    for folder in sys.path:
        if os.path.isdir(os.path.join(folder, "libcst")):
            return [folder, *sorted(n for n in os.listdir(folder) if n.startswith("libcst-"))]
    return []


def listed(directory: str) -> list[tuple[str, int, int, int]]:
    """How the files of rules, code and tables below a directory look; never twice the same while one of them is hot."""
    now = time.time_ns()
    found: list[tuple[str, int, int, int]] = []
    stack = [directory]
    while stack:
        try:
            entries = list(os.scandir(stack.pop()))
        except OSError:
            continue
        for entry in entries:
            name = entry.name
            if name.endswith((".py", ".toml", ".md")):
                one = look(entry.path)
                if one is not None:
                    found.append((entry.path, *one[:3]))
                    if max(one[1], one[2]) > now - HOT:
                        found.append((entry.path, now, now, now))
            elif "." not in name and name != "__pycache__" and entry.is_dir():
                stack.append(entry.path)
    return sorted(found)
