"""Edits of which no finding can depend on: empty lines, comments, a function that does nothing and is named nowhere.

What an earlier run printed holds after such an edit, if it names no line at or below it. The file is parsed, to see
that it still can be and that the lines stand where code stands; nothing is inferred. Whatever is not plainly silent
is left to a whole run.

The texts that the run had read lie in one file:

    header    magic; where the index is, its length; checksums of the texts and of the index
    texts     one after the other, in UTF-8
    index     digest of a text → where it lies
"""

from __future__ import annotations

import marshal
import os
import struct
import time
import warnings
from _blake2 import blake2b
from zlib import crc32

from asynclint.inert import (
    CALLED_NAMES,
    are_builtins,
    definition,
    documentation,
    is_prose,
    is_text,
    printing,
)
from asynclint.replay import HOT, MAX_CHANGED, look

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from asynclint.inert import Definition, Docstring
    from asynclint.replay import Limits, Record

    File = tuple[str, tuple[int, int, int, int] | None, bytes, int]
    """A path, how it looked, the digest of its text, and the last of its lines that the output names."""

NAME = "texts"
MAGIC = b"asynclint\0\2"
HEADER = struct.Struct("<11sxQQII")

MAX_SIZE = 64_000_000
"""Characters: the texts of a larger project are not kept."""
PARSE_ONLY = 0x400
"""`ast.PyCF_ONLY_AST`; to import `ast` takes longer than to parse."""

STRINGS = frozenset({"JoinedStr", "TemplateStr"})
UNUSUAL = ("\r", "\f", "\v", "\0", "\ufeff", "asynclint")
"""Where these are in a text, its lines may be other ones, or comments may speak of other lines than their own."""

Name = str


def digest(text: str) -> bytes:
    """What stands for a text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


# -- the texts ------------------------------------------------------------------------------------


def keep(folder: str, texts: Mapping[bytes, str]) -> None:
    """Keep texts, by their digests, in place of those that were kept; nothing where they are too large.

    Raises OSError where they cannot be written.
    """
    if sum(map(len, texts.values())) > MAX_SIZE:
        texts = {}
    target = os.path.join(folder, NAME)
    path = f"{target}-{os.getpid()}-{time.time_ns()}.tmp"
    index: dict[bytes, tuple[int, int]] = {}
    size, checksum = HEADER.size, 0
    try:
        with open(path, "xb") as file:
            file.write(bytes(size))
            for found, text in texts.items():
                data = text.encode("utf-8", "surrogatepass")
                index[found] = (size, len(data))
                # No word reaches from one text into the next.
                data += b"\n"
                checksum = crc32(data, checksum)
                size += file.write(data)
            end = marshal.dumps(index)
            file.write(end)
            file.seek(0)
            file.write(HEADER.pack(MAGIC, size, len(end), checksum, crc32(end)))
        os.replace(path, target)
    except OSError:
        if os.path.exists(path):
            os.unlink(path)
        raise


def kept(folder: str) -> frozenset[bytes]:
    """The digests of the texts that are kept below a cache's directory."""
    store = _open(folder)
    return frozenset(store[1]) if store is not None else frozenset()


def _open(folder: str) -> tuple[bytes, dict[bytes, tuple[int, int]]] | None:
    """All of the file and its index, if both are whole."""
    try:
        with open(os.path.join(folder, NAME), "rb") as file:
            data = file.read()
        magic, start, length, texts, index = HEADER.unpack_from(data)
        if magic != MAGIC or start + length != len(data):
            return None
        if crc32(memoryview(data)[start:]) != index:
            return None
        if crc32(memoryview(data)[HEADER.size : start]) != texts:
            return None
        return data, marshal.loads(memoryview(data)[start:])
    except (OSError, struct.error, ValueError, EOFError, TypeError):
        return None


# -- edits ----------------------------------------------------------------------------------------


def after_edit(folder: str, record: Record, changed: Sequence[File]) -> Record | None:
    """The record of what an earlier run printed, brought up to date; None where what was changed since may matter.

    `folder` is the cache's directory, and `changed` are those of the record's files that look different.
    """
    key, files, directories, probes, limits, newer, output, code = record
    now: dict[str, File] = {}
    edits: list[tuple[File, str]] = []
    for file in changed:
        path, _, known, last = file
        seen = look(path)
        text = _text(path, limits[0])
        if text is None or seen is None:
            return None
        hot = max(seen[1], seen[2]) > time.time_ns() - HOT
        now[path] = (path, None if hot else seen, digest(text), last)
        if now[path][2] != known:
            edits.append((file, text))
    if edits:
        if not _says_nothing(folder, files, edits, newer, limits):
            return None
        newer = {**newer, **{now[file[0]][2]: text for file, text in edits}}
    files = [now.get(file[0], file) for file in files]
    newer = {found: newer[found] for *_, found, _ in files if found in newer}
    return (key, files, directories, probes, limits, newer, output, code)


def _says_nothing(
    folder: str,
    files: Sequence[File],
    edits: Sequence[tuple[File, str]],
    newer: Mapping[bytes, str],
    limits: Limits,
) -> bool:
    """Whether no finding can depend on edits, which are given as files and what these say now.

    `newer` are texts that are not in the file.
    """
    _, fixes, tables, (sought, unread, studied, taken) = limits
    logging = not any(_is_logging(file[0]) for file in files)
    store = _open(folder)
    if store is None or len(newer) > MAX_CHANGED:
        return False
    data, index = store
    if any(file[2] not in index and file[2] not in newer for file in files):
        return False
    added: list[Name] = []
    removed: list[Name] = []
    others: set[Name] = set()
    """Taken away from texts that are not in the file."""
    called: set[Name] = set()
    gone: set[bytes] = set()
    for (path, _, known, last), text in edits:
        before = newer.get(known)
        if before is None:
            start, length = index[known]
            before = data[start : start + length].decode("utf-8", "surrogatepass")
        if any(mark in text for mark in UNUSUAL):
            return False
        edit = _Edit(before, text, fixes, logging and path not in studied)
        if not edit.is_silent(last, None if path in unread else sought):
            return False
        alone = sum(file[2] == known for file in files) == 1
        if edit.removed and not alone:
            return False
        added += edit.added
        called |= edit.called
        if known in newer:
            gone |= {known} if alone else set()
            others |= set(edit.removed)
        else:
            removed += edit.removed
    # What is handed to a function is looked at where one of the project has its name.
    if called and (tables or not called.isdisjoint(taken)):
        return False
    end = HEADER.unpack_from(data)[1]
    left = [text.encode("utf-8", "surrogatepass") for one, text in newer.items() if one not in gone]
    new = [text.encode("utf-8", "surrogatepass") for _, text in edits]
    for name in {*added, *removed, *others}:
        word = name.encode()
        if _mentions(data, word, end) != removed.count(name):
            return False
        if any(_mentions(one, word, len(one)) for one in left):
            return False
        if sum(_mentions(one, word, len(one)) for one in new) != added.count(name):
            return False
    return True


def _is_logging(path: str) -> bool:
    """Whether a file may be imported in place of the standard library's `logging`."""
    return path.endswith("/logging.py") or "/logging/" in path


def _text(path: str, limit: int) -> str | None:
    """The text of a file, if it is plain UTF-8 and not too large."""
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
        return data.decode("utf-8") if len(data) <= limit else None
    except (OSError, UnicodeDecodeError):
        return None


class _Edit:
    """What became of a text: the names that it defines now and no longer, and the builtins that these definitions call."""

    def __init__(self, before: str, after: str, fixes: bool, logs: bool = False) -> None:
        """`logs` says that what only prints or logs may stand in functions."""
        self.before = before
        self.after = after
        self.fixes = fixes
        self.logs = logs
        self.added: list[Name] = []
        self.removed: list[Name] = []
        self.called: set[Name] = set()

    def is_silent(self, last: int, sought: Sequence[Name] | None) -> bool:
        """Whether no finding can depend on the edit, if none names a line behind the last one.

        `sought` are names that were looked for in the text, whatever they mean there; None where any may be.
        """
        old, new = self.before.split("\n"), self.after.split("\n")
        first = _common(old, new)
        behind = _common(old[first:][::-1], new[first:][::-1])
        coded = _has_code(old, first, behind) or _has_code(new, first, behind)
        # Where comments alone are others, the strings are the same on both sides.
        now, then = _parsed(self.after), _parsed(self.before) if coded else None
        if now is None or (coded and then is None) or first < 2 or last > first:
            return False
        if coded:
            text = documentation(now, new, first, len(new) - behind)
            before = documentation(then, old, first, len(old) - behind)
            if text is not None and before is not None:
                return self._is_text(sought, text, before)
            if self._prints(sought, first, behind, (now, new), (then, old)):
                return not old[first - 1].endswith("\\")
            for tree, lines in ((now, new), (then, old)):
                first, behind = _widened(tree, len(lines), first, behind)
        # The first two lines may declare an encoding.
        if first < 2 or last > first or old[first - 1].endswith("\\"):
            return False
        return all(
            not _speaks_of(sought or (), lines[first : len(lines) - behind])
            and self._takes(
                said, _defined(tree, lines[: len(lines) - behind], first, self.fixes), names
            )
            for said, tree, lines, names in (
                (self.after, now, new, self.added),
                (self.before, then, old, self.removed),
            )
        )

    def _prints(
        self, sought: Sequence[Name] | None, first: int, behind: int, *sides: tuple[Any, list[str]]
    ) -> bool:
        """Whether all that is new or gone are statements of functions that print or log."""
        if self.fixes or sought is None or not self.logs:
            return False
        called: set[Name] = set()
        for text, (tree, lines) in zip((self.after, self.before), sides, strict=True):
            found = printing(text, tree, lines, (first, len(lines) - behind), sought)
            if found is None:
                return False
            called |= found
        self.called |= called
        return True

    def _is_text(self, sought: Sequence[Name] | None, now: Docstring, then: Docstring) -> bool:
        """Whether a docstring is all that is another one, and says as little as before."""
        if self.fixes or sought is None or now[:2] != then[:2]:
            return False
        return is_text(now[2], sought) and is_text(then[2], sought)

    def _takes(self, text: str, found: list[Definition] | None, names: list[Name]) -> bool:
        """Note what one of the texts defines; false where it may say something."""
        if found is None:
            return False
        names += [one.name for one in found]
        called = {name for one in found for name in one.calls}
        self.called |= called
        return not called or are_builtins(called, text)


def _parsed(text: str) -> Any:
    """The syntax tree of a text; None where it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compile(text, "text", "exec", PARSE_ONLY, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _speaks_of(names: Sequence[Name], lines: Sequence[str]) -> bool:
    return any(name and name in line for name in names for line in lines)


def _has_code(lines: list[str], first: int, behind: int) -> bool:
    """Whether more than comments stands on lines, without the first ones and the ones behind."""
    shown = (line.strip() for line in lines[first : len(lines) - behind])
    return any(one and one[0] != "#" for one in shown)


def _widened(tree: Any, count: int, first: int, behind: int) -> tuple[int, int]:
    """How many lines come before and behind an edit, if it is one of whole functions; there are so many lines."""
    for node in tree.body:
        if type(node).__name__ == "FunctionDef":
            if node.lineno <= first < node.end_lineno:
                first = node.lineno - 1
            if node.lineno <= count - behind < node.end_lineno:
                behind = count - node.end_lineno
    return first, behind


def _common(one: list[str], other: list[str]) -> int:
    """How many items two lists begin with."""
    count = 0
    for left, right in zip(one, other):  # noqa: B905 - the rest of the longer one is not common
        if left != right:
            break
        count += 1
    return count


def _defined(tree: Any, lines: list[str], first: int, fixes: bool) -> list[Definition] | None:
    """What the lines of a text behind the first ones define; None where they may say something."""
    code: set[int] = set()
    for number, line in enumerate(lines[first:], first + 1):
        shown = line.strip()
        if shown.startswith("#"):
            if fixes or not is_prose(shown[1:]):
                return None
        elif fixes and ('"' in shown or "'" in shown):
            return None
        elif shown:
            code.add(number)
    if not code:
        return [] if tree is None or not _is_in_string(tree, first) else None
    found: list[Definition] = []
    for node in tree.body:
        if node.lineno <= first and node.end_lineno > first:
            return None
        if first < node.lineno <= len(lines):
            one = definition(node, fixes)
            if one is None or one.name.startswith("__") or one.name in CALLED_NAMES:
                return None
            found.append(one)
            code.difference_update(range(node.lineno, node.end_lineno + 1))
    return found if not code else None


def _is_in_string(tree: Any, line: int) -> bool:
    """Whether a string goes on behind the end of a line."""
    stack = [tree]
    while stack:
        node = stack.pop()
        name = type(node).__name__
        if name in STRINGS or (name == "Constant" and isinstance(node.value, (str, bytes))):
            return True
        for field in node._fields:
            value = getattr(node, field, None)
            for one in value if isinstance(value, list) else (value,):
                if not hasattr(one, "_fields"):
                    continue
                # A definition begins behind its decorators; what has no position may lie anywhere.
                above = getattr(one, "decorator_list", None) or [one]
                start = getattr(above[0], "lineno", 0)
                if start <= line < getattr(one, "end_lineno", line + 1):
                    stack.append(one)
    return False


def _mentions(data: bytes, word: bytes, end: int) -> int:
    """How often a word stands in a text."""
    count = 0
    at = data.find(word, 0, end)
    while at >= 0:
        behind = at + len(word)
        count += not (_in_word(data[at - 1 : at]) or _in_word(data[behind : behind + 1]))
        at = data.find(word, behind, end)
    return count


def _in_word(byte: bytes) -> bool:
    """Whether a byte belongs to a name; those of other alphabets do."""
    return byte.isalnum() or byte == b"_" or byte > b"\x7f"
