"""Which files belong to a run, what they are called as modules, and their text."""

from __future__ import annotations

import io
import os
import stat
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asynclint.findings import Finding, Span

if TYPE_CHECKING:
    from asynclint.config import Config

MARKERS = ("asynclint.toml", "pyproject.toml", "setup.py", "setup.cfg", ".git")
"""What stands at the root of a project."""

MAX_FILES_AROUND = 20_000
"""Files read around the ones that were named; a larger project is read only as far as it was named."""


class ProjectError(Exception):
    """A path that cannot be checked; the message is one line."""


@dataclass(slots=True)
class SourceFile:
    """One Python file of the project."""

    path: Path
    """Absolute."""
    name: str
    """As shown to the user: POSIX style, relative to the working directory where it lies below it."""
    module: str
    """Dotted module name as the project imports it, e.g. "app.services.llm"; "app" for app/__init__.py."""
    is_package: bool
    """True for an __init__.py."""
    text: str | None
    """Decoded text with its line ends as written; None when it could not be read (`problem` says why)."""
    problem: Finding | None = None
    """`unreadable-file` or `syntax-error`."""
    reported: bool = True
    """False for files that are read only because a proof may lie in them."""
    is_test: bool = False
    """conftest.py, test_*.py, *_test.py, or below a tests/ directory."""
    aliases: tuple[str, ...] = ()
    """Further dotted names under which the project may import it."""


@dataclass(slots=True)
class Project:
    """The files of one run, in a stable order (by name)."""

    root: Path
    files: list[SourceFile]
    whole: bool = True
    """False when only single files could be read (stdin outside a project): missing then means unknown."""


def discover(paths: Sequence[Path | str], config: Config) -> Project:
    """The files below some paths, and around them the project in which they lie.

    Raises ProjectError for a path that is not there.
    """
    given = [Path(os.path.abspath(p)) for p in paths]
    for path, written in zip(given, paths):
        if not path.exists():
            raise ProjectError(f"{written}: no such file or directory")
    root = project_root(given, config)
    reader = _Reader(root, config)
    wanted: dict[str, bool] = {}
    for path in given:
        if path.is_dir():
            for name in reader.walk(str(path)):
                wanted[name] = True
        elif config.force_exclude and reader.excluded(str(path), False):
            continue
        else:
            wanted[str(path)] = True
    _add_surroundings(reader, given, root, wanted)
    return Project(root, reader.read(wanted), True)


def discover_stdin(text: str, filename: str, config: Config) -> Project:
    """The project around a file whose text comes from elsewhere; only that file is reported on."""
    path = Path(os.path.abspath(filename))
    root = project_root([path], config)
    reader = _Reader(root, config)
    wanted: dict[str, bool] = {}
    if path.parent.is_dir():
        _add_surroundings(reader, [path], root, wanted)
    wanted.pop(str(path), None)
    files = reader.read(wanted)
    files.append(reader.source(str(path), True, text))
    files.sort(key=lambda f: f.name)
    return Project(root, files, bool(wanted))


def _add_surroundings(
    reader: _Reader, given: list[Path], root: Path, wanted: dict[str, bool]
) -> None:
    if any(p.is_dir() and (p == root or p in root.parents) for p in given):
        return
    around: list[str] = []
    for name in reader.walk(str(root)):
        around.append(name)
        if len(around) > MAX_FILES_AROUND:
            return
    for name in around:
        wanted.setdefault(name, False)


def project_root(given: list[Path], config: Config) -> Path:
    """The directory of the project in which paths lie; never the file system's root or the home directory."""
    directories = [p if p.is_dir() else p.parent for p in given]
    start = Path(os.path.commonpath(directories)) if directories else Path.cwd()
    forbidden = {Path(start.anchor), Path.home()}
    if config.source is not None:
        home = config.source.resolve().parent
        if home == start or home in start.parents:
            return home
    for directory in (start, *start.parents):
        if directory in forbidden:
            break
        if any((directory / marker).exists() for marker in MARKERS):
            return directory
    # No marker: the working directory when the paths lie below it, else the topmost package around them.
    here = Path.cwd()
    if here not in forbidden and (here == start or here in start.parents):
        return here
    top = start
    while (top / "__init__.py").exists() and top.parent not in forbidden:
        top = top.parent
    return top


class _Reader:
    """Walks directories and reads files under one configuration."""

    def __init__(self, root: Path, config: Config) -> None:
        self.root = str(root)
        self.config = config
        self.cwd = os.getcwd()
        self.packages: dict[str, bool] = {}
        self.sources = self._source_roots(root)
        self.problems: list[SourceFile] = []
        patterns = [*config.exclude, *config.extend_exclude]
        self.plain = {p for p in patterns if not set(p) & set("*?[/!")}
        self.patterns = _spec([p for p in patterns if p not in self.plain])
        self.ignores: dict[str, Any] = {}
        self.repository = self._repository(root) if config.respect_gitignore else None

    def _source_roots(self, root: Path) -> list[str]:
        base = self.config.root if self.config.source is not None else root
        found = [str(root)]
        for name in self.config.src:
            path = os.path.normpath(os.path.join(str(base), name))
            if os.path.isdir(path) and path not in found:
                found.append(path)
        return sorted(found, key=len, reverse=True)

    # -- which files --------------------------------------------------------------------------------

    def _repository(self, root: Path) -> str | None:
        for directory in (root, *root.parents):
            if (directory / ".git").exists():
                return str(directory)
        return None

    def walk(self, top: str) -> Iterator[str]:
        """The Python files below a directory, sorted, without the excluded ones."""
        seen = {os.path.realpath(top)}
        stack = [top]
        while stack:
            directory = stack.pop()
            try:
                entries = sorted(os.scandir(directory), key=lambda e: e.name)
            except OSError as error:
                self.problems.append(self._unreadable(directory, f"cannot be listed: {_why(error)}"))
                continue
            below: list[str] = []
            for entry in entries:
                name = entry.name
                if name in self.plain:
                    continue
                try:
                    is_dir = entry.is_dir()
                except OSError:
                    is_dir = False
                if not is_dir and not name.endswith(".py"):
                    continue
                if self.excluded(entry.path, is_dir):
                    continue
                if not is_dir:
                    yield entry.path
                    continue
                if entry.is_symlink():
                    real = os.path.realpath(entry.path)
                    if real in seen or os.path.realpath(directory).startswith(real + os.sep) or real == os.path.realpath(directory):
                        continue
                    seen.add(real)
                below.append(entry.path)
            stack.extend(reversed(below))

    def excluded(self, path: str, is_dir: bool) -> bool:
        """Whether configuration or git leaves a path out."""
        name = os.path.basename(path)
        if name in self.plain:
            return True
        if self.patterns is not None:
            relative = os.path.relpath(path, self.root)
            if self.patterns.match_file(relative + ("/" if is_dir else "")):
                return True
        return self.repository is not None and self._ignored(path, is_dir)

    def _ignored(self, path: str, is_dir: bool) -> bool:
        assert self.repository is not None
        directory = os.path.dirname(path)
        while directory.startswith(self.repository):
            spec = self._ignore_file(directory)
            if spec is not None:
                relative = os.path.relpath(path, directory) + ("/" if is_dir else "")
                verdict = spec.check_file(relative).include
                if verdict is not None:
                    return bool(verdict)
            if directory == self.repository:
                break
            directory = os.path.dirname(directory)
        return False

    def _ignore_file(self, directory: str) -> Any:
        if directory not in self.ignores:
            lines: list[str] = []
            names = [os.path.join(directory, ".gitignore")]
            if directory == self.repository:
                names.insert(0, os.path.join(directory, ".git", "info", "exclude"))
            for name in names:
                try:
                    with open(name, encoding="utf-8", errors="replace") as file:
                        lines += file.read().splitlines()
                except OSError:
                    continue
            self.ignores[directory] = _spec(lines)
        return self.ignores[directory]

    # -- their text -----------------------------------------------------------------------------------

    def read(self, wanted: dict[str, bool]) -> list[SourceFile]:
        """The files by name, with their text."""
        files = [self.source(path, reported, None) for path, reported in wanted.items()]
        files += self.problems
        files.sort(key=lambda f: f.name)
        return files

    def source(self, path: str, reported: bool, text: str | None) -> SourceFile:
        """One file; its text is read unless it is given."""
        problem: tuple[str, str] | None = None
        if text is None:
            text, problem = self._text(path)
        module, aliases = self._module(path)
        name = self.shown(path)
        file = SourceFile(
            Path(path),
            name,
            module,
            os.path.basename(path) == "__init__.py",
            text,
            None,
            reported,
            _is_test(path, self.root),
            aliases,
        )
        if problem is not None:
            rule, why = problem
            file.problem = Finding(rule, "error", name, Span(1, 1, 1, 1), why)
        return file

    def _unreadable(self, path: str, why: str) -> SourceFile:
        name = self.shown(path)
        problem = Finding("unreadable-file", "error", name, Span(1, 1, 1, 1), why)
        return SourceFile(Path(path), name, "", False, None, problem)

    def shown(self, path: str) -> str:
        """A path as findings name it."""
        prefix = self.cwd.rstrip(os.sep) + os.sep
        short = path[len(prefix) :] if path.startswith(prefix) else path
        return short.replace(os.sep, "/")

    def _text(self, path: str) -> tuple[str | None, tuple[str, str] | None]:
        try:
            status = os.stat(path)
            if not stat.S_ISREG(status.st_mode):
                return None, ("unreadable-file", "is not a regular file")
            if status.st_size > self.config.max_file_size:
                size, limit = status.st_size / 1e6, self.config.max_file_size / 1e6
                why = f"has {size:.0f} MB, more than `max-file-size` allows ({limit:.0f} MB)"
                return None, ("unreadable-file", why)
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            return None, ("unreadable-file", f"cannot be read: {_why(error)}")
        if b"\0" in data:
            return None, ("syntax-error", "source code cannot contain NUL bytes; this is no Python file")
        if b"coding" not in data[:400]:
            try:
                return data.decode("utf-8"), None
            except UnicodeDecodeError as error:
                line = data.count(b"\n", 0, error.start) + 1
                return None, ("syntax-error", f"line {line} is not valid UTF-8, and no encoding is declared")
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
            text = data.decode(encoding)
        except (SyntaxError, LookupError) as error:
            return None, ("syntax-error", f"encoding declaration cannot be used: {error}")
        except UnicodeDecodeError as error:
            return None, ("syntax-error", f"text is not in its declared encoding: {error.reason}")
        return text, None

    # -- their modules ----------------------------------------------------------------------------------

    def _is_package(self, directory: str) -> bool:
        found = self.packages.get(directory)
        if found is None:
            found = self.packages[directory] = os.path.exists(os.path.join(directory, "__init__.py"))
        return found

    def _module(self, path: str) -> tuple[str, tuple[str, ...]]:
        """The module's name and other names it may be imported by."""
        directory, base = os.path.split(path)
        stem = base[:-3]
        parts = [] if stem == "__init__" else [stem]
        top = directory
        while self._is_package(top):
            parts.insert(0, os.path.basename(top))
            above = os.path.dirname(top)
            if above == top:
                break
            top = above
        aliases: list[str] = []
        if top == directory:
            # No package: named from the nearest source root, and by its stem among its neighbours.
            if parts:
                aliases.append(parts[0])
            for source in self.sources:
                if directory == source or directory.startswith(source + os.sep):
                    below = os.path.relpath(directory, source)
                    names = [] if below == "." else below.split(os.sep)
                    parts = [*names, *parts]
                    break
        module = ".".join(parts)
        for source in self.sources:
            if path.startswith(source + os.sep):
                below = os.path.relpath(path, source)[:-3].split(os.sep)
                if below[-1] == "__init__":
                    below = below[:-1]
                aliases.append(".".join(below))
        if top != directory:
            # A script's directory is a source root of its own, even where it is a package.
            package = os.path.dirname(os.path.relpath(path, top)).split(os.sep)
            if len(package) >= 1 and stem != "__init__":
                inner = ".".join(parts[1:])
                if inner:
                    aliases.append(inner)
        unique = [a for a in dict.fromkeys(aliases) if a and a != module]
        return module or stem, tuple(unique)


def _is_test(path: str, root: str) -> bool:
    base = os.path.basename(path)
    if base == "conftest.py" or base.startswith("test_") or base.endswith("_test.py"):
        return True
    relative = os.path.relpath(path, root).split(os.sep)
    return any(part in ("tests", "test") for part in relative[:-1])


def _spec(lines: list[str]) -> Any:
    if not any(line.strip() and not line.lstrip().startswith("#") for line in lines):
        return None
    import pathspec

    return pathspec.GitIgnoreSpec.from_lines(lines)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
