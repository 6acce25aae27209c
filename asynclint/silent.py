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

from asynclint.replay import HOT, MAX_CHANGED, look

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from asynclint.replay import Record

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
VALUES = frozenset(
    {
        "BinOp",
        "BoolOp",
        "Compare",
        "Constant",
        "Dict",
        "IfExp",
        "List",
        "Name",
        "Set",
        "Tuple",
        "UnaryOp",
    }
)
"""Expressions that only compute a value."""

UNUSUAL = ("\r", "\f", "\v", "\0", "\ufeff", "asynclint")
"""Where these are in a text, its lines may be other ones, or comments may speak of other lines than their own."""

TELLING = ("asynclint", "async", "await", "coding", "global", "startup", "yield")
"""Words by which a comment says something to Python, to this tool, or to what it looks for in a text."""

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
        if not _says_nothing(folder, files, edits, newer, limits[1]):
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
    fixes: bool,
) -> bool:
    """Whether no finding can depend on edits, which are given as files and what these say now.

    `newer` are texts that are not in the file. `fixes` says that the output shows fixes, which depend on more of a
    text than findings do.
    """
    store = _open(folder)
    if store is None or len(newer) > MAX_CHANGED:
        return False
    data, index = store
    if any(file[2] not in index and file[2] not in newer for file in files):
        return False
    added: list[Name] = []
    removed: list[Name] = []
    for (_, _, known, last), text in edits:
        before = newer.get(known)
        if before is None:
            start, length = index[known]
            before = data[start : start + length].decode("utf-8", "surrogatepass")
        if any(mark in text for mark in UNUSUAL):
            return False
        names = _names(before, text, last, fixes)
        if names is None or (names[1] and (known in newer or _count(files, known) > 1)):
            return False
        added += names[0]
        removed += names[1]
    end = HEADER.unpack_from(data)[1]
    others = [text.encode("utf-8", "surrogatepass") for text in newer.values()]
    new = [text.encode("utf-8", "surrogatepass") for _, text in edits]
    for name in {*added, *removed}:
        word = name.encode()
        if _mentions(data, word, end) != removed.count(name):
            return False
        if any(_mentions(one, word, len(one)) for one in others):
            return False
        if sum(_mentions(one, word, len(one)) for one in new) != added.count(name):
            return False
    return True


def _count(files: Sequence[File], known: bytes) -> int:
    return sum(file[2] == known for file in files)


def _text(path: str, limit: int) -> str | None:
    """The text of a file, if it is plain UTF-8 and not too large."""
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
        return data.decode("utf-8") if len(data) <= limit else None
    except (OSError, UnicodeDecodeError):
        return None


def _names(before: str, after: str, last: int, fixes: bool) -> tuple[list[Name], list[Name]] | None:
    """The names that a silent edit defines and those that it takes away; None where it may not be silent."""
    old, new = before.split("\n"), after.split("\n")
    first = _common(old, new)
    behind = _common(old[first:][::-1], new[first:][::-1])
    # The first two lines may declare an encoding.
    if first < 2 or last > first or old[first - 1].endswith("\\"):
        return None
    found: list[list[Name]] = []
    for text, lines in ((after, new), (before, old)):
        count = len(lines) - behind - first
        names = _defined(text, lines[first : first + count], first, fixes, text is after)
        if names is None:
            return None
        found.append(names)
    return found[0], found[1]


def _common(one: list[str], other: list[str]) -> int:
    """How many items two lists begin with."""
    count = 0
    for left, right in zip(one, other):  # noqa: B905 - the rest of the longer one is not common
        if left != right:
            break
        count += 1
    return count


def _defined(
    text: str, lines: list[str], first: int, fixes: bool, always: bool
) -> list[Name] | None:
    """The names that some lines of a text define; None where they may say something.

    `first` is how many lines come before them. `always` says to look also where there is no code among them.
    """
    code: set[int] = set()
    for number, line in enumerate(lines, first + 1):
        shown = line.strip()
        if shown.startswith("#"):
            if fixes or not _is_prose(shown[1:]):
                return None
        elif fixes and ('"' in shown or "'" in shown):
            return None
        elif shown:
            code.add(number)
    if not code and not always:
        # Whether a string goes on here is decided by what comes before, which is the same on both sides.
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree: Any = compile(text, "text", "exec", PARSE_ONLY, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not code:
        return [] if not _is_in_string(tree, first) else None
    names: list[Name] = []
    for node in tree.body:
        if node.lineno <= first and node.end_lineno > first:
            return None
        if first < node.lineno <= first + len(lines):
            name = _inert(node, fixes)
            if name is None or name.startswith("__"):
                return None
            names.append(name)
            code.difference_update(range(node.lineno, node.end_lineno + 1))
    return names if not code else None


def _is_prose(comment: str) -> bool:
    """Whether a comment is for people alone, and no code that somebody has put aside."""
    words = comment.strip().rstrip(".").lower()
    return not any(sign in words for sign in (*TELLING, "(", "=", ".", "["))


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


def _inert(node: Any, fixes: bool) -> Name | None:
    """The name of a function that only computes a value from its parameters, or of a constant."""
    kind = type(node).__name__
    if kind == "Assign":
        plain = len(node.targets) == 1 and type(node.targets[0]).__name__ == "Name"
        constant = plain and type(node.value).__name__ == "Constant" and _tells_nothing(node.value)
        return str(node.targets[0].id) if constant else None
    if kind != "FunctionDef" or node.decorator_list or node.returns or _variables(node):
        return None
    given = node.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    every += [one for one in (given.vararg, given.kwarg) if one is not None]
    defaults = [*given.defaults, *(one for one in given.kw_defaults if one is not None)]
    if any(one.annotation is not None for one in every) or (every and fixes):
        return None
    if not all(type(one).__name__ == "Constant" and _tells_nothing(one) for one in defaults):
        return None
    parameters = frozenset(one.arg for one in every)
    return str(node.name) if all(_computes(one, parameters) for one in node.body) else None


def _variables(node: Any) -> bool:
    return bool(getattr(node, "type_params", None))


def _computes(statement: Any, parameters: frozenset[str]) -> bool:
    """Whether a statement does nothing but decide and return."""
    kind = type(statement).__name__
    if kind == "Pass":
        return True
    if kind == "Return":
        return statement.value is None or _is_value(statement.value, parameters)
    if kind == "Expr":
        return type(statement.value).__name__ == "Constant" and _tells_nothing(statement.value)
    if kind != "If" or not _is_value(statement.test, parameters):
        return False
    return all(_computes(one, parameters) for one in (*statement.body, *statement.orelse))


def _is_value(node: Any, parameters: frozenset[str]) -> bool:
    """Whether an expression is made of parameters and constants."""
    kind = type(node).__name__
    if kind == "Constant":
        return _tells_nothing(node)
    if kind not in VALUES or (kind == "Name" and node.id not in parameters):
        return False
    return all(_is_value(one, parameters) for one in _operands(node))


def _tells_nothing(constant: Any) -> bool:
    """Whether a constant is none that reads like code."""
    value = constant.value
    return _is_prose(value) if isinstance(value, str) else not isinstance(value, bytes)


def _operands(node: Any) -> Iterator[Any]:
    for field in node._fields:
        value = getattr(node, field)
        for one in value if isinstance(value, list) else (value,):
            # Operators and contexts have no position.
            if hasattr(one, "lineno"):
                yield one


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
