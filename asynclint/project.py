"""Which files belong to a run, what they are called as modules, and their text."""

from __future__ import annotations

import io
import os
import re
import stat
import time
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from zlib import crc32

from asynclint.findings import Finding, Span
from asynclint.pythons import Pythons
from asynclint.replay import PROJECT_FILES, look, look_of, names
from asynclint.requirements import Requirements
from asynclint.widths import Width

if TYPE_CHECKING:
    from asynclint.config import Config
    from asynclint.replay import Look

MARKERS = ("asynclint.toml", "pyproject.toml", "setup.py", "setup.cfg", ".git")
"""What stands at the root of a project."""

PROBED = (
    ("asynclint.toml", False),
    ("pyproject.toml", False),
    (".gitignore", False),
    ("setup.py", True),
    ("setup.cfg", True),
    ("__init__.py", True),
    (".git", True),
)
"""What is looked for in the directories above a file, and whether it matters only that it is there."""

MAX_FILES_AROUND = 20_000
"""Files read around the ones that were named; a larger project is read only as far as it was named."""


OUTPUTS = frozenset({"build", "dist"})
"""What is left out by default, except where it is a package."""


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
    """Decoded text without byte order mark, line ends as written; None when it could not be read (`problem` says why)."""
    problem: Finding | None = None
    """`unreadable-file` or `syntax-error`."""
    reported: bool = True
    """False for files that are read only because a proof may lie in them."""
    is_test: bool = False
    """conftest.py, test_*.py, *_test.py, or below a tests/ or testing/ directory."""
    aliases: tuple[str, ...] = ()
    """Further dotted names under which the project may import it."""

    @property
    def line_end(self) -> str:
        """How its first line ends; "\\n" where it has one line."""
        text = self.text or ""
        end = text.find("\n")
        mac = text.find("\r", 0, end if end >= 0 else len(text))
        if mac < 0:
            return "\n"
        return "\r\n" if mac + 1 == end else "\r"


class Memory(Protocol):
    """What is remembered of texts from earlier runs."""

    def knows(self, text: str) -> bool:
        """Whether there are facts of a module with that text."""

    def facts(self, text: str) -> bytes | None:
        """The encoded facts of a module with that text."""

    def keep_facts(self, text: str, data: bytes | None) -> None:
        """Remember a module's encoded facts; None when they have no such form."""

    def parses(self, text: str) -> bool:
        """Whether a text is known to be Python."""

    def keep_parses(self, text: str) -> None:
        """Remember that a text is Python."""

    def said(self, about: bytes) -> list[Finding] | None:
        """What rules said of a file of which `about` is the digest of all that they saw."""

    def keep_said(self, about: bytes, findings: list[Finding]) -> None:
        """Remember what rules said."""


@dataclass(slots=True)
class Project:
    """The files of one run, in a stable order (by name)."""

    root: Path
    files: list[SourceFile]
    whole: bool = True
    """False when the project around the files was not read (none found, or too large): missing then means unknown."""
    memory: Memory | None = field(default=None, repr=False, compare=False)
    pythons: Pythons | None = field(default=None, repr=False, compare=False)
    """Which Python it says that it needs; None where that is not known."""
    requirements: Requirements | None = field(default=None, repr=False, compare=False)
    """What it says that it needs beside Python; None where that is not known."""
    width: Width | None = field(default=None, repr=False, compare=False)
    """How long its formatter lets lines be; None where that is not known."""


@dataclass(slots=True)
class Listing:
    """Which files belong to a run, before any of them is read."""

    root: Path
    wanted: dict[str, bool]
    """Absolute path → whether the file is reported on."""
    whole: bool
    """As in Project."""
    reader: _Reader
    started: int
    """When listing began, in nanoseconds since the epoch."""
    starts: tuple[str, ...] = ()
    """The directories that were named, or that hold the files that were."""
    given: tuple[str, str] | None = None
    """The path and the text of a file that is not read, since its text comes from elsewhere."""

    @property
    def looks(self) -> dict[str, Look | None]:
        """What the files that were read looked like just before."""
        return self.reader.looks

    @property
    def directories(self) -> dict[str, tuple[Look | None, list[str] | None]]:
        """What the directories that were walked looked like just before, and what they held."""
        return self.reader.walked

    def probes(self) -> list[tuple[str, bool]]:
        """Where else there is something that says what belongs to the project, or might be; and whether that is all."""
        reader = self.reader
        above: set[str] = set()
        for place in (reader.cwd, reader.root, reader.real_root, *self.starts):
            for one in (place, os.path.realpath(place)):
                while one not in above:
                    above.add(one)
                    one = os.path.dirname(one)
        probes = [
            (os.path.join(place, name), only) for place in sorted(above) for name, only in PROBED
        ]
        asked = [*reader.pythons.files_of_root, *reader.pythons.asked, *reader.width.files]
        asked += [*reader.requirements.described_in, *reader.requirements.asked]
        probes += [(path, False) for path in (*reader.ignore_files, *asked)]
        probes += [(path, True) for path in (*reader.sources_wanted, *reader.asked_for_packages)]
        if reader.repository is not None:
            probes.append((os.path.join(reader.repository, ".git", "info", "exclude"), False))
        return probes

    def text(self, path: str) -> tuple[str | None, tuple[str, str] | None]:
        """The text of one file, else the rule that says what is wrong with it, and why."""
        return self.reader.text(path)

    def texts(self) -> Mapping[str, str]:
        """The texts by the names that findings have, each read when it is asked for."""
        return _Texts(self.reader, [self.reader.shown(path) for path in self.wanted])

    def shown(self, path: str) -> str:
        """A path as findings name it."""
        return self.reader.shown(path)

    def below_root(self, path: str) -> str:
        """A path relative to the root where it lies below it."""
        root = f"{self.reader.root.rstrip(os.sep)}{os.sep}"
        return path.removeprefix(root)

    def shape(self) -> tuple[object, ...]:
        """What, beside the files and the configuration, says how files and modules are named and what is missing."""
        directories: set[str] = set()
        for path in self.wanted:
            above = os.path.dirname(path)
            while above not in directories:
                directories.add(above)
                above = os.path.dirname(above)
        packages = sorted(d for d in directories if self.reader.is_package(d))
        problems = [(p.name, p.problem and p.problem.message) for p in self.reader.problems]
        needed = self.reader.requirements.of_root
        return (
            self.reader.cwd,
            self.reader.root,
            self.reader.sources,
            sorted(self.reader.projects),
            self.whole,
            packages,
            problems,
            self.reader.pythons.of_root,
            None if needed is None else sorted(needed),
            crc32(self.reader.requirements.described.encode("utf-8", "surrogatepass")),
            (self.reader.width.told, self.reader.width.allowed),
        )

    def read(self, memory: Memory | None = None) -> Project:
        """The project, with the text of every file."""
        files = self.reader.read(self.wanted)
        if self.given is not None:
            files.append(self.reader.source(self.given[0], True, self.given[1]))
            files.sort(key=lambda f: f.name)
        reader = self.reader
        said = (reader.pythons, reader.requirements, reader.width)
        return Project(self.root, files, self.whole, memory, *said)


def discover(paths: Sequence[Path | str], config: Config) -> Project:
    """The files below some paths, and around them the project in which they lie.

    Raises ProjectError for a path that is not there.
    """
    return listing(paths, config).read()


def listing(paths: Sequence[Path | str], config: Config) -> Listing:
    """What `discover` would read. Raises ProjectError for a path that is not there."""
    started = time.time_ns()
    for written in paths:
        if not os.path.exists(written):
            raise ProjectError(f"{written}: no such file or directory")
    given = [Path(os.path.abspath(p)) for p in paths]
    root = project_root(given, config)
    reader = _Reader(root, config)
    wanted: dict[str, bool] = {}
    for path in given:
        if config.force_exclude and reader.left_out(str(path), path.is_dir()):
            continue
        for name in reader.walk(str(path), True) if path.is_dir() else (str(path),):
            wanted[name] = True
    whole = _add_surroundings(reader, given, root, wanted)
    starts = tuple(dict.fromkeys(str(p if p.is_dir() else p.parent) for p in given))
    return Listing(root, wanted, whole, reader, started, starts)


def discover_stdin(text: str, filename: str, config: Config) -> Project:
    """The project around a file whose text comes from elsewhere; only that file is reported on."""
    return listing_stdin(text, filename, config).read()


def listing_stdin(text: str, filename: str, config: Config) -> Listing:
    """What `discover_stdin` would read."""
    started = time.time_ns()
    path = Path(os.path.abspath(filename))
    root = project_root([path], config)
    reader = _Reader(root, config)
    if config.force_exclude and reader.left_out(str(path), False):
        return Listing(root, {}, True, reader, started)
    wanted: dict[str, bool] = {}
    whole = path.parent.is_dir() and _add_surroundings(reader, [path], root, wanted)
    wanted.pop(str(path), None)
    given = (str(path), text.removeprefix("\ufeff"))
    return Listing(root, wanted, whole, reader, started, given=given)


def _add_surroundings(
    reader: _Reader, given: list[Path], root: Path, wanted: dict[str, bool]
) -> bool:
    """Add the files that are only read; whether these are the whole project."""
    if any(p.is_dir() and (p == root or p in root.parents) for p in given):
        return True
    if _no_project(root):
        for directory in {str(p.parent) for p in given if not p.is_dir()}:
            for name in reader.neighbours(directory):
                wanted.setdefault(name, False)
        return False
    around: list[str] = []
    for name in reader.walk(str(root), False):
        around.append(name)
        if len(around) > MAX_FILES_AROUND:
            return False
    for name in around:
        wanted.setdefault(name, False)
    return True


def _no_project(directory: Path) -> bool:
    """The file system's root and the home directory are read only when they are named themselves."""
    # Where no home is known (a container's nameless user), "~" stays as it is and equals nothing.
    return directory in (Path(directory.anchor), Path(os.path.expanduser("~")))


def project_root(given: list[Path], config: Config) -> Path:
    """The directory of the project in which paths lie; never the file system's root or the home directory."""
    directories = [p if p.is_dir() else p.parent for p in given]
    start = Path(os.path.commonpath(directories)) if directories else Path.cwd()
    if config.source is not None:
        configured = config.source.resolve().parent
        above = configured == start or configured in start.parents
        if above and not _no_project(configured):
            return configured
    for directory in (start, *start.parents):
        if _no_project(directory):
            break
        if any((directory / marker).exists() for marker in MARKERS):
            return directory
    # No marker: the working directory when the paths lie below it, else the topmost package around them.
    here = Path.cwd()
    if not _no_project(here) and (here == start or here in start.parents):
        return here
    top = start
    while (top / "__init__.py").exists() and not _no_project(top.parent):
        top = top.parent
    return top


class _Reader:
    """Walks directories and reads files under one configuration."""

    def __init__(self, root: Path, config: Config) -> None:
        self.root = str(root)
        self.real_root = os.path.realpath(root)
        self.config = config
        self.cwd = os.getcwd()
        self.packages: dict[str, bool] = {}
        self.looks: dict[str, Look | None] = {}
        self.walked: dict[str, tuple[Look | None, list[str] | None]] = {}
        self.ignore_files: list[str] = []
        self.sources_wanted: list[str] = []
        self.sources = self._source_roots(root)
        self.problems: list[SourceFile] = []
        patterns = [p.removeprefix("./") for p in (*config.exclude, *config.extend_exclude)]
        self.plain = {p for p in patterns if not set(p) & set("*?[/!")}
        from asynclint.config import DEFAULT_EXCLUDE

        usual = config.exclude == DEFAULT_EXCLUDE
        self.outputs = OUTPUTS - set(config.extend_exclude) if usual else frozenset[str]()
        self.asked_for_packages: list[str] = []
        self.projects: set[str] = set()
        """Directories that hold what projects keep at their top."""
        self._sources_of: dict[str, list[str]] = {}
        """By directory, once all have been walked."""
        self.pythons = Pythons(root)
        self.requirements = Requirements(root)
        self.width = Width(root)
        self.patterns = _spec([p for p in patterns if p not in self.plain])
        self.ignores: dict[str, Any] = {}
        self.repository = self._repository(root) if config.respect_gitignore else None

    def _source_roots(self, root: Path) -> list[str]:
        base = self.config.root if self.config.source is not None else root
        found = [str(root)]
        for name in self.config.src:
            path = os.path.normpath(os.path.join(str(base), name))
            self.sources_wanted.append(path)
            if os.path.isdir(path) and path not in found:
                found.append(path)
        return sorted(found, key=len, reverse=True)

    # -- which files --------------------------------------------------------------------------------

    def _repository(self, root: Path) -> str | None:
        for directory in (root, *root.parents):
            if (directory / ".git").exists():
                return str(directory)
        return None

    def walk(self, top: str, reported: bool) -> Iterator[str]:
        """The Python files below a directory, sorted, without the excluded ones.

        `reported` says whether a directory that cannot be listed is a finding.
        """
        seen: set[str] = set()
        stack = [(top, os.path.realpath(top))]
        until = self._git_until(top)
        while stack:
            directory, real = stack.pop()
            if real in seen:
                continue
            seen.add(real)
            below: list[tuple[str, str]] = []
            for entry in self._entries(directory, reported):
                name = entry.name
                if name in PROJECT_FILES:
                    self.projects.add(directory)
                if name in self.plain and not self._named_like_output(entry.path):
                    continue
                try:
                    is_dir = entry.is_dir()
                except OSError:
                    is_dir = False
                if not is_dir and not name.endswith(".py"):
                    continue
                if self.excluded(entry.path, is_dir, until):
                    continue
                if not is_dir:
                    yield entry.path
                elif not entry.is_symlink():
                    below.append((entry.path, f"{real}{os.sep}{name}"))
                elif not self._inside(target := os.path.realpath(entry.path)):
                    below.append((entry.path, target))
            stack.extend(reversed(below))

    def neighbours(self, directory: str) -> Iterator[str]:
        """The Python files in a directory, nothing below."""
        until = self._git_until(directory)
        for entry in self._entries(directory, False):
            if (
                entry.name.endswith(".py")
                and entry.is_file()
                and not self.excluded(entry.path, False, until)
            ):
                yield entry.path

    def _entries(self, directory: str, reported: bool) -> list[os.DirEntry[str]]:
        seen = look(directory)
        try:
            entries = sorted(os.scandir(directory), key=lambda e: e.name)
            self.walked[directory] = (seen, names(entries))
            return entries
        except OSError as error:
            if reported:
                self.problems.append(
                    self._unreadable(directory, f"cannot be listed: {_why(error)}")
                )
            return []

    def _inside(self, target: str) -> bool:
        """Whether a link leads to the project, which is walked anyway, or to what contains it."""
        return _is_below(target, self.real_root) or _is_below(self.real_root, target)

    def left_out(self, path: str, is_dir: bool) -> bool:
        """Whether a path or a directory above it, up to the root, is excluded."""
        directory = os.path.dirname(path)
        while directory != self.root and _is_below(directory, self.root):
            if self.excluded(directory, True, self.repository):
                return True
            directory = os.path.dirname(directory)
        return self.excluded(path, is_dir, self.repository)

    def _git_until(self, top: str) -> str | None:
        """The highest directory whose `.gitignore` counts for what is below a named one; None where none counts.

        Who names an ignored directory means it: what ignores it says nothing about what is in it.
        """
        repository = self.repository
        if repository is None or top == repository:
            return repository
        return top if self._ignored(top, True, repository) else repository

    def excluded(self, path: str, is_dir: bool, until: str | None) -> bool:
        """Whether configuration or git leaves a path out, those above it aside; `until` as `_git_until` gives it."""
        if os.path.basename(path) in self.plain and not self._named_like_output(path):
            return True
        if self.patterns is not None:
            relative = _relative(path, self.root)
            if self.patterns.match_file(relative + ("/" if is_dir else "")):
                return True
        return until is not None and self._ignored(path, is_dir, until)

    def _named_like_output(self, path: str) -> bool:
        """Whether a directory that is called like what a build leaves is a package of the project."""
        if os.path.basename(path) not in self.outputs:
            return False
        package = os.path.join(path, "__init__.py")
        self.asked_for_packages.append(package)
        return os.path.isfile(package)

    def _ignored(self, path: str, is_dir: bool, until: str) -> bool:
        directory = os.path.dirname(path)
        while _is_below(directory, until):
            spec = self._ignore_file(directory)
            if spec is not None:
                relative = _relative(path, directory) + ("/" if is_dir else "")
                verdict = spec.check_file(relative).include
                if verdict is not None:
                    return bool(verdict)
            if directory == until:
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
                    self.ignore_files.append(name)
                except OSError:
                    continue
            self.ignores[directory] = _spec(lines)
        return self.ignores[directory]

    # -- their text -----------------------------------------------------------------------------------

    def read(self, wanted: dict[str, bool]) -> list[SourceFile]:
        """The files by name, with their text."""
        files = [self.source(path, reported, None) for path, reported in wanted.items()]
        files += {problem.name: problem for problem in self.problems}.values()
        files.sort(key=lambda f: f.name)
        return files

    def source(self, path: str, reported: bool, text: str | None) -> SourceFile:
        """One file; its text is read unless it is given."""
        problem: tuple[str, str] | None = None
        if text is None:
            text, problem = self.text(path)
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
        return path.removeprefix(self.cwd.rstrip(os.sep) + os.sep).replace(os.sep, "/")

    def text(self, path: str) -> tuple[str | None, tuple[str, str] | None]:
        """The text of one file, else the rule that says what is wrong with it, and why."""
        try:
            status = os.stat(path)
            self.looks[path] = look_of(status)
            if not stat.S_ISREG(status.st_mode):
                return None, ("unreadable-file", "is not a regular file")
            if status.st_size > self.config.max_file_size:
                size, limit = status.st_size, self.config.max_file_size
                why = f"has {size:,} bytes, more than the {limit:,} of `max-file-size`"
                return None, ("unreadable-file", why)
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            return None, ("unreadable-file", f"cannot be read: {_why(error)}")
        if b"\0" in data:
            return None, (
                "syntax-error",
                "source code cannot contain NUL bytes; this is no Python file",
            )
        if b"coding" not in data[:400]:
            try:
                return data.decode("utf-8-sig"), None
            except UnicodeDecodeError as error:
                line = data.count(b"\n", 0, error.start) + 1
                return None, (
                    "syntax-error",
                    f"line {line} is not valid UTF-8, and no encoding is declared",
                )
        try:
            text = data.decode(declared_encoding(data))
        except (SyntaxError, LookupError) as error:
            return None, ("syntax-error", f"encoding declaration cannot be used: {error}")
        except UnicodeError as error:
            why = getattr(error, "reason", str(error))
            return None, ("syntax-error", f"text is not in its declared encoding: {why}")
        return text, None

    # -- their modules ----------------------------------------------------------------------------------

    def is_package(self, directory: str) -> bool:
        """Whether there is an `__init__.py` in a directory."""
        found = self.packages.get(directory)
        if found is None:
            found = self.packages[directory] = os.path.exists(
                os.path.join(directory, "__init__.py")
            )
        return found

    def _sources_above(self, directory: str) -> list[str]:
        """The source roots in which a directory lies, the deepest first: the configured ones, and the top and the `src` of each project."""
        found = self._sources_of.get(directory)
        if found is None:
            above = os.path.dirname(directory)
            found = self._sources_above(above) if above != directory else []
            name = os.path.basename(directory)
            if (
                directory in self.sources
                or directory in self.projects
                or (name == "src" and above in self.projects)
            ):
                found = [directory, *found]
            self._sources_of[directory] = found
        return found

    def _package_around(self, directory: str) -> tuple[str, ...]:
        """The directory from which the package is imported in which a directory without `__init__.py` lies, if it does."""
        above = directory
        while above.startswith(self.root + os.sep):
            above = os.path.dirname(above)
            if self.is_package(above):
                while self.is_package(above) and above != os.path.dirname(above):
                    above = os.path.dirname(above)
                return (above,)
        return ()

    def _module(self, path: str) -> tuple[str, tuple[str, ...]]:
        """The module's name and other names it may be imported by."""
        directory, base = os.path.split(path)
        stem = os.path.splitext(base)[0]
        parts = [] if stem == "__init__" else [stem]
        top = directory
        while self.is_package(top):
            parts.insert(0, os.path.basename(top))
            above = os.path.dirname(top)
            if above == top:
                break
            top = above
        aliases = [".".join(parts[:1] if top == directory else parts)]
        # A script's directory is a source root of its own, even where it is a package.
        if top != directory and stem != "__init__":
            aliases.append(".".join(parts[1:]))
        # What lies in no package is named from the nearest source root.
        sources = self._sources_above(directory)
        for source in (*self._package_around(top), *(sources if top == directory else ()))[:1]:
            names = _relative(top, source).split(os.sep) if top != source else []
            if all(name.isidentifier() for name in names):
                parts = [*names, *parts]
        module = ".".join(parts)
        for source in sources:
            steps = os.path.splitext(_relative(path, source))[0].split(os.sep)
            if steps[-1] == "__init__":
                steps = steps[:-1]
            if all(name.isidentifier() for name in steps):
                aliases.append(".".join(steps))
        unique = [a for a in dict.fromkeys(aliases) if a and a != module]
        return module or stem, tuple(unique)


class _Texts(Mapping[str, str]):
    """Reads a file when its text is asked for."""

    def __init__(self, reader: _Reader, names: list[str]) -> None:
        self.reader = reader
        self.names = names

    def __getitem__(self, name: str) -> str:
        text, _ = self.reader.text(os.path.join(self.reader.cwd, name))
        if text is None:
            raise KeyError(name)
        return text

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


FUTURE_FSTRINGS = re.compile(rb"#.*coding[:=]\s*future[-_]fstrings\b")
"""A codec that a package of this name brings: UTF-8 with f-strings, which every Python has today."""


def declared_encoding(data: bytes) -> str:
    """The encoding that a file declares. Raises SyntaxError where there is no such encoding."""
    try:
        return tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    except SyntaxError:
        if any(FUTURE_FSTRINGS.match(line) for line in data.split(b"\n", 2)[:2]):
            return "utf-8"
        raise


def _is_test(path: str, root: str) -> bool:
    base = os.path.basename(path)
    if base == "conftest.py" or base.startswith("test_") or base.endswith("_test.py"):
        return True
    relative = _relative(path, root).split(os.sep)
    return any(part in ("tests", "test", "testing") for part in relative[:-1])


def _is_below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip(os.sep) + os.sep)


def _relative(path: str, directory: str) -> str:
    """A path as seen from a directory above it."""
    return path[len(directory.rstrip(os.sep)) + 1 :]


def _spec(lines: list[str]) -> Any:
    if not any(line.strip() and not line.lstrip().startswith("#") for line in lines):
        return None
    import pathspec

    return pathspec.GitIgnoreSpec.from_lines(lines)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
