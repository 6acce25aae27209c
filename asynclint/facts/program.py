"""The project as a program: its modules, functions and classes, and what a name in a module refers to."""

from __future__ import annotations

import builtins
import os
import re
import sys
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import PurePath
from typing import Any

from asynclint.facts.encode import decode, encode, restored
from asynclint.facts.extract import TooDeep, extract
from asynclint.facts.extract import parse as compile_only
from asynclint.facts.model import (
    AttributeBinding,
    Binding,
    Block,
    CallSite,
    ClassFacts,
    FunctionFacts,
    ModuleFacts,
    Recipe,
)
from asynclint.facts.workers import Afterwards, Reading, Worker
from asynclint.findings import Finding, Span
from asynclint.project import Project, SourceFile

BUILTINS = frozenset(dir(builtins))

SHADOWABLE = frozenset(sys.stdlib_module_names)
RELATIVE = re.compile(r"^\s*from\s+\.", re.MULTILINE)
"""An import that only a module of a package can do."""

STATIC: Recipe = ("name", "staticmethod")

KEEPING = frozenset({"setdefault", "update", "add", "append", "put", "set", "register", "setattr"})
"""Methods that put something into a container."""

LOOPS = ("for", "afor", "while")
"""Kinds of blocks that `break` and `continue` leave."""

PASSING_BLOCKS = frozenset({"with", "awith", "try", "finally", "tryelse"})
"""Blocks whose bindings hold afterwards as if they stood in the block around them."""


class Module:
    """One module of the project, with its facts."""

    __slots__ = (
        "_children",
        "_ends",
        "_filled",
        "_imported_roots",
        "_lines",
        "_makes_lazy",
        "_set_attributes",
        "blocks",
        "facts",
        "file",
        "functions",
        "global_bindings",
        "klasses",
        "name",
    )

    def __init__(self, file: SourceFile, facts: ModuleFacts) -> None:
        self.file = file
        self._lines: list[str] | None = None
        self._ends: array[int] | None = None
        self._set_attributes: set[str] | None = None
        self._imported_roots: set[str] | None = None
        self._filled: set[Recipe] | None = None
        self._children: dict[int, list[int]] | None = None
        self._makes_lazy: bool | None = None
        self.name = file.module
        self.facts = facts
        self.blocks = facts.blocks
        self.functions = [Function(self, f) for f in facts.functions]
        self.klasses = [Klass(self, c) for c in facts.classes]
        self.global_bindings: dict[str, list[tuple[Function, Binding]]] = defaultdict(list)
        for function in self.functions:
            for name in function.facts.globals:
                for binding in function.facts.bindings.get(name, ()):
                    self.global_bindings[name].append((function, binding))

    @property
    def body(self) -> Function:
        return self.functions[0]

    @property
    def lines(self) -> list[str]:
        """The text's lines as the parser counts them: form feeds and exotic separators do not end one."""
        if self._lines is None:
            text = (self.file.text or "").removeprefix("\ufeff")
            self._lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return self._lines

    def line(self, number: int) -> str:
        """One line, counted from 1, without taking the text apart; empty where it is not there."""
        text = self.file.text or ""
        if self._lines is not None or "\r" in text or text[:1] == "\ufeff":
            return self.lines[number - 1] if 0 < number <= len(self.lines) else ""
        ends = self._ends
        if ends is None:
            # Without the newlines, of which there is one behind each line.
            ends = self._ends = array("Q", accumulate(map(len, text.split("\n"))))
        if not 0 < number <= len(ends):
            return ""
        start = ends[number - 2] + number - 1 if number > 1 else 0
        return text[start : ends[number - 1] + number - 1]

    def span(self, first: int, last: int) -> list[str]:
        """Some lines, counted from 1, without taking the whole text apart."""
        return [self.line(number) for number in range(first, last + 1)]

    def site(self, index: int) -> CallSite:
        return self.facts.calls[index]

    # -- what its code writes ---------------------------------------------------------------------

    @property
    def set_attributes(self) -> set[str]:
        """The attributes that its code sets, of whatever object."""
        if self._set_attributes is None:
            self._set_attributes = {
                b.attr for f in self.functions for b in f.facts.attribute_bindings
            }
        return self._set_attributes

    @property
    def imported_roots(self) -> set[str]:
        """The first names of what it imports from outside of its package, in its functions, too."""
        if self._imported_roots is None:
            recipes = [
                b.recipe
                for f in self.functions
                for bindings in f.facts.bindings.values()
                for b in bindings
                if b.kind == "import" and b.recipe
            ]
            paths = [r[1] if r[0] == "import" else r[2] if not r[1] else None for r in recipes]
            self._imported_roots = {p.partition(".")[0] for p in paths if isinstance(p, str)}
        return self._imported_roots

    @property
    def filled(self) -> set[Recipe]:
        """The containers, as its code names them, into which it puts something."""
        found = self._filled
        if found is None:
            found = self._filled = {
                b.base for f in self.functions for b in f.facts.attribute_bindings if b.attr == "[]"
            }
            for site in self.facts.calls:
                callee = site.callee
                if callee and callee[0] == "attr" and callee[2] in KEEPING:
                    found.add(callee[1])
        return found

    # -- blocks -----------------------------------------------------------------------------------

    def chain(self, block: int) -> Iterator[Block]:
        """The block and the blocks around it, innermost first, up to the body of the function."""
        while block >= 0:
            one = self.blocks[block]
            yield one
            block = one.parent

    def around(self, block: int) -> Iterator[int]:
        """The indexes of a block and of the blocks around it, innermost first."""
        while block >= 0:
            yield block
            block = self.blocks[block].parent

    @property
    def children(self) -> dict[int, list[int]]:
        """By block: the blocks directly in it, in their order."""
        found = self._children
        if found is None:
            found = self._children = {}
            for index, one in enumerate(self.blocks):
                if one.parent in found:
                    found[one.parent].append(index)
                else:
                    found[one.parent] = [index]
        return found

    def entered(self, site: CallSite) -> Iterator[int]:
        """The block that a `with` opens which enters what stands at a site."""
        for index, block in enumerate(self.blocks):
            if (
                block.kind == site.kind
                and block.parent == site.block
                and block.line <= site.line
                and block.info
                and site.callee in block.info
            ):
                yield index

    def inside(self, block: int, outer: int) -> bool:
        """Whether `block` is `outer` or lies in it."""
        while block >= 0:
            if block == outer:
                return True
            if block < outer:
                return False
            block = self.blocks[block].parent
        return False

    def solid(self, block: int) -> int:
        """The block for whose whole rest a binding in `block` holds."""
        while self.blocks[block].kind in PASSING_BLOCKS and self.blocks[block].parent >= 0:
            block = self.blocks[block].parent
        return block

    def lazy(self, block: int) -> bool:
        """Whether the code of a block runs only when somebody iterates over the generator that it makes."""
        if self._makes_lazy is None:
            self._makes_lazy = any(one.lazy for one in self.blocks)
        return self._makes_lazy and any(one.lazy for one in self.chain(block))

    def dead(self, block: int) -> bool:
        """Whether the code of a block never runs: `if False:`, `if False and …:`."""
        for one in self.chain(block):
            test = one.info
            if one.kind == "if" and test:
                parts = test[1] if test[0] == "any" and test[2] == "and" else (test,)
                if any(p and p[0] == "const" and not p[1] for p in parts):
                    return True
        return False

    def excludes(self, one: int, other: int) -> bool:
        """Whether `one` and `other` lie in different arms of one statement."""
        groups: dict[int, int] = {}
        block = one
        while block >= 0:
            group = self.blocks[block].group
            if group:
                groups[group] = block
            block = self.blocks[block].parent
        block = other
        while block >= 0:
            group = self.blocks[block].group
            if group and groups.get(group, block) != block:
                return True
            block = self.blocks[block].parent
        return False

    def leaves(self, block: int, user: int) -> bool:
        """Whether control that passed through `block` never comes to `user`, which lies outside it."""
        while block >= 0 and not self.inside(user, block):
            one = self.blocks[block]
            if one.ends:
                if one.raises:
                    return True
                # `break` and `continue` go on behind the loop, where that ends.
                while block >= 0 and self.blocks[block].kind not in LOOPS:
                    block = self.blocks[block].parent
                if block < 0 or self.inside(user, block):
                    return True
            block = self.blocks[block].parent
        return False

    def __repr__(self) -> str:
        return f"<module {self.name}>"


class Function:
    """A function of the project; also a lambda, a class body or a module body."""

    __slots__ = ("facts", "module", "parameters")

    def __init__(self, module: Module, facts: FunctionFacts) -> None:
        self.module = module
        self.facts = facts
        self.parameters = {p.name: p for p in facts.params}

    @property
    def name(self) -> str:
        """For messages: `Class.method`, `function`, `outer.inner`."""
        if self.facts.kind == "module":
            return self.module.name
        return self.facts.qualname

    @property
    def is_async(self) -> bool:
        return self.facts.kind == "async"

    @property
    def parent(self) -> Function | None:
        return self.module.functions[self.facts.parent] if self.facts.parent >= 0 else None

    @property
    def klass(self) -> Klass | None:
        """The class whose method this is."""
        if self.facts.cls >= 0 and self.facts.kind in ("def", "async"):
            return self.module.klasses[self.facts.cls]
        return None

    @property
    def sites(self) -> Iterator[CallSite]:
        calls = self.module.facts.calls
        return (calls[i] for i in self.facts.calls)

    @property
    def self_name(self) -> str | None:
        """Name of the first parameter of a method that is not static."""
        if self.klass is not None and self.facts.params and self.facts.params[0].kind == "pos":
            if STATIC not in self.facts.decorators:
                return self.facts.params[0].name
        return None

    @property
    def positional(self) -> list[str]:
        """The parameters that a call gives by position, but the object of a method."""
        names = [one.name for one in self.facts.params if one.kind == "pos"]
        return names[1:] if self.klass is not None and names[:1] == [self.self_name] else names

    def method_around(self) -> Function | None:
        """This function or the innermost enclosing one that is a method."""
        function: Function | None = self
        while function is not None and function.klass is None:
            function = function.parent
        return function

    def scope_of(self, name: str) -> Function | None:
        """The nearest function, from this one outwards, that binds a name or has such a parameter; the module's body is the last."""
        scope: Function | None = self
        while (
            scope is not None and name not in scope.facts.bindings and name not in scope.parameters
        ):
            scope = scope.parent
        return scope

    def binder_of(self, name: str) -> Function | None:
        """The nearest one that binds it, whatever parameters there are."""
        scope: Function | None = self
        while scope is not None and name not in scope.facts.bindings:
            scope = scope.parent
        return scope

    def is_within(self, outer: Function) -> bool:
        """Whether this function is defined in another one, however deep."""
        function = self.parent
        while function is not None and function is not outer:
            function = function.parent
        return function is not None

    def key(self) -> tuple[str, int]:
        return (self.module.file.name, self.facts.index)

    def __repr__(self) -> str:
        return f"<function {self.module.name}:{self.facts.qualname}>"


class Klass:
    """A class of the project."""

    __slots__ = ("attributes", "facts", "module")

    def __init__(self, module: Module, facts: ClassFacts) -> None:
        self.module = module
        self.facts = facts
        self.attributes: dict[str, list[tuple[Function, AttributeBinding]]] | None = None

    @property
    def name(self) -> str:
        return self.facts.qualname

    @property
    def body(self) -> Function:
        return self.module.functions[self.facts.body]

    def own_method(self, name: str) -> Function | None:
        """The function that the class body binds to `name`, the last one where there are several."""
        for binding in reversed(self.body.facts.bindings.get(name, ())):
            if binding.recipe and binding.recipe[0] == "def":
                return self.module.functions[int(binding.recipe[1])]
            return None
        return None

    def methods(self) -> Iterator[Function]:
        for name in self.body.facts.bindings:
            method = self.own_method(name)
            if method is not None:
                yield method

    def self_attributes(self) -> dict[str, list[tuple[Function, AttributeBinding]]]:
        """What the methods of this class assign to `self.<name>`."""
        if self.attributes is None:
            self.attributes = defaultdict(list)
            for function in self.module.functions:
                bindings = function.facts.attribute_bindings
                if not bindings:
                    continue
                method = function.method_around()
                if method is None or method.klass is not self:
                    continue
                own = method.self_name
                for binding in bindings:
                    if binding.base == ("name", own) and binding.attr != "[]":
                        self.attributes[binding.attr].append((function, binding))
        return self.attributes

    def __repr__(self) -> str:
        return f"<class {self.module.name}:{self.facts.qualname}>"


@dataclass(slots=True)
class Counts:
    """Work done, for `--debug-stats` and for tests that count work instead of time."""

    files_parsed: int = 0
    lines_parsed: int = 0
    functions: int = 0
    calls: int = 0


@dataclass(slots=True)
class _Entry:
    file: SourceFile
    root: str
    """Directory below which the dotted name holds."""
    guessed: bool = False
    """Whether nothing says that the directory is one from which modules are imported."""


@dataclass(slots=True)
class Program:
    """All modules, read when they are first needed."""

    project: Project
    known_roots: frozenset[str]
    counts: Counts = field(default_factory=Counts)
    problems: list[Finding] = field(default_factory=list)
    _index: dict[str, list[_Entry]] = field(default_factory=dict)
    _packages: set[str] = field(default_factory=set)
    _modules: dict[str, Module | None] = field(default_factory=dict)
    _resolved: dict[tuple[str, str], SourceFile | None] = field(default_factory=dict)
    _read: dict[str, Any] = field(default_factory=dict)
    """By file name: facts that workers have read and nothing has asked for yet."""
    _order: dict[str, int] = field(default_factory=dict)
    _based: dict[str | None, list[Klass]] = field(default_factory=lambda: defaultdict(list))
    """The classes of the modules read so far, by the last names of their bases."""
    sought: set[str] = field(default_factory=set)
    """Names that were looked for in the project's texts, in strings and comments, too."""
    studied: set[str] = field(default_factory=set)
    """The names of files of whose functions the syntax was looked at, and not the facts alone."""
    _package_roots: set[str] = field(default_factory=set)
    """The directories of packages: what lies in one is imported by its plain name by scripts beside it alone."""
    _unread: dict[str, list[SourceFile]] | None = None
    """By word: files that hold it and were not read when that was first asked for."""

    def __post_init__(self) -> None:
        self._order = {file.name: i for i, file in enumerate(self.project.files)}
        for file in self.project.files:
            if file.is_package and file.text is not None:
                self._package_roots.add(str(PurePath(file.path).parent))
        above: dict[str, list[tuple[str, str]]] = {}
        for file in self.project.files:
            if file.text is None:
                continue
            for name in (file.module, *getattr(file, "aliases", ())):
                parts = name.split(".")
                depth = len(parts) + (1 if file.is_package else 0)
                root = PurePath(file.path)
                for _ in range(depth):
                    root = root.parent
                self._index.setdefault(name, []).append(_Entry(file, str(root)))
                for i in range(1, len(parts)):
                    self._packages.add(".".join(parts[:i]))
            folder, base = os.path.split(file.path)
            if folder not in above:
                above[folder] = list(self._importing_folders(folder))
            stem = "" if file.is_package else os.path.splitext(base)[0]
            for prefix, top in above[folder]:
                name = f"{prefix}.{stem}" if stem else prefix
                entries = self._index.setdefault(name, [])
                if all(one.file is not file for one in entries):
                    entries.append(_Entry(file, top, guessed=True))
                while "." in name:
                    name = name.rpartition(".")[0]
                    self._packages.add(name)

    def _importing_folders(self, folder: str) -> Iterator[tuple[str, str]]:
        """Folders from which what lies in `folder` may be imported without being installed, with the dotted name of `folder` there.

        `backend` for `backend/app/services`, where `app` has no `__init__.py`: who starts it there imports `app.services`.
        """
        root = str(self.project.root)
        names: list[str] = []
        found: list[tuple[str, str]] = []
        while folder.startswith(root + os.sep) and os.path.basename(folder).isidentifier():
            if folder in self._package_roots:
                found.clear()
            names.insert(0, os.path.basename(folder))
            folder = os.path.dirname(folder)
            found.append((".".join(names), folder))
        yield from found

    # -- modules ----------------------------------------------------------------------------------

    def load(self, file: SourceFile) -> Module | None:
        """The module of a file; None when it does not parse (the finding is in `problems`)."""
        key = file.name
        if key in self._modules:
            return self._modules[key]
        module: Module | None = None
        try:
            facts = self._facts(file)
            if facts.newer is not None and not self._is_meant(file, facts.newer[-1]):
                self.problems.append(too_new(file, *facts.newer))
            module = Module(file, facts)
            for klass in module.klasses:
                for base in {base_name(b) for b in klass.facts.bases}:
                    self._based[base].append(klass)
            self.counts.functions += len(facts.functions)
            self.counts.calls += len(facts.calls)
        except SyntaxError as error:
            self.problems.append(syntax_error(file, error))
        except TooDeep:
            span = Span(1, 1, 1, 1)
            self.problems.append(
                Finding(
                    "syntax-error",
                    "error",
                    file.name,
                    span,
                    "expressions nest too deeply to be read",
                )
            )
        self._modules[key] = module
        return module

    def _is_meant(self, file: SourceFile, needed: tuple[int, int]) -> bool:
        """Whether the project says that it runs on nothing older than a file needs."""
        pythons = self.project.pythons
        lowest = pythons.around(file.path) if pythons is not None else None
        return lowest is not None and lowest >= needed

    def _facts(self, file: SourceFile) -> ModuleFacts:
        """A module's facts, from an earlier run where one read the same text."""
        text = file.text or ""
        memory = self.project.memory
        data = memory.facts(text) if memory is not None else None
        if data is not None:
            return decode(data, file.module, file.is_package)
        self.counts.files_parsed += 1
        self.counts.lines_parsed += text.count("\n") + 1
        data = self._read.pop(file.name, None) if memory is not None else None
        if memory is not None and data is not None:
            memory.keep_facts(text, data)
            return decode(data, file.module, file.is_package)
        plain = self._read.pop(file.name, None)
        if plain is not None:
            return restored(plain, file.module, file.is_package)
        facts = extract(text, file.module, file.is_package)
        if memory is not None:
            memory.keep_facts(text, encode(facts))
        return facts

    def read(
        self,
        files: Sequence[SourceFile],
        jobs: int | None,
        afterwards: Afterwards | None = None,
        meanwhile: Callable[[], None] | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> tuple[list[Module], Worker | None]:
        """The modules of some files, in their order; read in several processes where that is quicker.

        Also returns the worker that does `afterwards`, where there is one.
        """
        memory = self.project.memory
        problems = len(self.problems)
        new = [f for f in files if memory is None or not memory.knows(f.text or "")]
        reading = Reading(new, jobs, memory is not None, afterwards)
        if reading.shared and meanwhile is not None:
            meanwhile()
        by_name = {f.name: f for f in files}
        # What the largest syntax trees took is room for the facts of the others.
        for number, file in enumerate(sorted(files, key=lambda f: -len(f.text or ""))):
            if progress is not None:
                progress(f"reading: {number}/{len(files)} files")
            if reading.take(file):
                self.load(file)
                # What others have read is taken in now: at the end, they would have nothing to do meanwhile.
                for name, facts in reading.ready():
                    self._read[name] = facts
                    self.load(by_name[name])
        for name, facts in reading.results():
            self._read[name] = facts
            self.load(by_name[name])
        modules = [m for f in files if (m := self.load(f)) is not None]
        # The order of problems is that of the files, whoever read them.
        if len(self.problems) > problems:
            self.problems.sort(key=lambda p: self._order.get(p.path, 0))
        return modules, reading.idle

    def check(self, file: SourceFile) -> None:
        """Parse a file in which there is nothing to find, for its syntax errors."""
        text = file.text or ""
        memory = self.project.memory
        if memory is not None and memory.parses(text):
            data = memory.facts(text) if memory.knows(text) else None
            if data is not None and decode(data, file.module, file.is_package).newer is not None:
                self.load(file)
            return
        try:
            compile_only(text)
            if memory is not None:
                memory.keep_parses(text)
        except (SyntaxError, RecursionError, MemoryError):
            self.load(file)

    def loaded(self) -> list[Module]:
        """The modules read so far, in the order of the project's files."""
        return [m for f in self.project.files if (m := self._modules.get(f.name)) is not None]

    def unread(self) -> list[SourceFile]:
        """The files of which no facts were asked for."""
        return [file for file in self.project.files if file.name not in self._modules]

    def load_mentioning(self, word: str) -> list[Module]:
        """All modules whose text contains `word`."""
        files = (f for f in self.project.files if f.text and word in f.text)
        return [m for f in files if (m := self.load(f)) is not None]

    def based_on(self, name: str) -> list[Klass]:
        """All classes that have a base of that name, whatever it refers to, in file order."""
        if self._unread is None:
            self._unread = defaultdict(list)
            for file in self.project.files:
                if file.name not in self._modules and file.text and "class" in file.text:
                    for word in set(re.findall(r"\w+", file.text)):
                        self._unread[word].append(file)
        for file in self._unread.pop(name, ()):
            self.load(file)
        order = self._order
        return sorted(self._based.get(name, ()), key=lambda one: order[one.module.file.name])

    def find(self, name: str, importer: SourceFile) -> Module | None:
        """The project's module of that dotted name, as `importer` would import it."""
        key = (name, importer.name)
        if key in self._resolved:
            file = self._resolved[key]
        else:
            file = self._resolved[key] = self._choose(name, importer)
        return self.load(file) if file is not None else None

    def _choose(self, name: str, importer: SourceFile) -> SourceFile | None:
        entries = self._index.get(name)
        if not entries:
            return None
        top = name.partition(".")[0]
        where = str(importer.path)
        best: tuple[tuple[bool, int], SourceFile] | None = None
        for entry in entries:
            near = where.startswith(entry.root.rstrip("/") + "/")
            if entry.guessed and (not near or top in SHADOWABLE or top in self.known_roots):
                continue
            if not near and (top in SHADOWABLE or top in self.known_roots):
                # A script called `queue.py` elsewhere does not hide the standard library; what lies in `src` is installed.
                if top in SHADOWABLE or os.path.basename(entry.root) != "src" or "." not in name:
                    continue
            if entry.file is importer and "." not in name and top in SHADOWABLE:
                continue
            if entry.root in self._package_roots and self._hides(top, importer):
                continue
            # Tests are often laid out like what they test, and do not hide it.
            score = (near and not entry.guessed, len(entry.root) if near else -1)
            if best is None or score > best[0]:
                best = (score, entry.file)
            elif score == best[0] and _is_behind(best[1], entry.file):
                # `cache.py` beside the package `cache` cannot be imported.
                best = (score, entry.file)
            elif score == best[0] and _is_behind(entry.file, best[1]):
                continue
            elif score == best[0] and not near and entry.file is not best[1]:
                # Two modules of one name, neither near: which one is meant is unknown.
                best = (score, best[1]) if entry.file.module != name else (score, entry.file)
        return best[1] if best else None

    def _hides(self, top: str, importer: SourceFile) -> bool:
        """Whether a library has the name by which a module of a package would be found, were the importer run as a script."""
        if top in SHADOWABLE:
            return True
        return top in self.known_roots and RELATIVE.search(importer.text or "") is not None

    def is_ours(self, name: str, importer: SourceFile) -> bool:
        """Whether a dotted name lies in a package of the project, even when the module is not there."""
        top = name.partition(".")[0]
        if top in self._packages or top in self._index:
            if top in SHADOWABLE or top in self.known_roots:
                return self._choose(top, importer) is not None
            return True
        return False

    def is_package(self, name: str) -> bool:
        """Whether a dotted name is a (namespace) package of the project."""
        return name in self._packages

    def absolute(self, module: Module, level: int, name: str) -> str | None:
        """The dotted name that `from <dots><name> import …` means in `module`."""
        if not level:
            return name
        parts = module.name.split(".")
        if not module.file.is_package:
            parts = parts[:-1]
        drop = level - 1
        if drop > len(parts):
            return None
        parts = parts[: len(parts) - drop] if drop else parts
        return ".".join([*parts, name] if name else parts)

    # -- bindings ---------------------------------------------------------------------------------

    def final_bindings(self, module: Module, bindings: list[Binding]) -> list[Binding]:
        """The bindings that may hold when the scope has run: what a closure or an importer sees."""
        result: list[Binding] = []
        for binding in reversed(bindings):
            block = module.blocks[binding.block]
            if block.kind == "comp":
                continue
            if binding.kind in ("ann", "aug") and len(bindings) > 1 and binding.annotation is None:
                continue
            result.append(binding)
            if module.blocks[module.solid(binding.block)].parent < 0 and binding.kind != "ann":
                break
        in_try = [b for b in result if not self._in_handler(module, b.block)]
        return in_try or result

    def _in_handler(self, module: Module, block: int) -> bool:
        return any(b.kind == "except" for b in module.chain(block))

    def reaching_bindings(
        self, module: Module, bindings: list[Binding], line: int, col: int, block: int
    ) -> tuple[list[Binding], bool]:
        """The bindings whose value a read at that place may see, and whether one of them surely came before it."""
        result: list[Binding] = []
        later: list[Binding] = []
        done = False
        for binding in reversed(bindings):
            where = module.blocks[binding.block]
            if where.kind == "comp" and binding.kind == "for":
                if module.inside(block, binding.block):
                    return [binding], True
                continue
            if (binding.line, binding.col) >= (line, col):
                later.append(binding)
                continue
            if done or binding.kind == "ann":
                continue
            if module.inside(block, binding.block):
                result.append(binding)
                done = True
                continue
            if module.excludes(binding.block, block) or module.leaves(binding.block, block):
                continue
            result.append(binding)
            done = module.inside(block, module.solid(binding.block))
        if later:
            for binding in later:
                if binding.kind == "ann":
                    continue
                loop = self._shared_loop(module, binding.block, block)
                if loop >= 0 and not any(
                    module.inside(r.block, loop) and module.inside(block, module.solid(r.block))
                    for r in result
                ):
                    result.append(binding)
        return result, done

    def _shared_loop(self, module: Module, one: int, other: int) -> int:
        block = one
        while block >= 0:
            if module.blocks[block].kind in LOOPS and module.inside(other, block):
                return block
            block = module.blocks[block].parent
        return -1


def _is_behind(file: SourceFile, other: SourceFile) -> bool:
    """Whether an import never finds a module because a package of its name lies beside it."""
    return (
        other.is_package
        and not file.is_package
        and PurePath(other.path).parent == PurePath(file.path).with_suffix("")
    )


def syntax_error(file: SourceFile, error: SyntaxError) -> Finding:
    """The finding for a file that does not parse, with the Python that would be needed where that shows."""
    needed = _python_needed(file.text or "", error.msg or "", error.lineno or 1)
    return _unparsed(file, error.lineno or 1, error.offset or 1, error.msg or "", needed)


def too_new(
    file: SourceFile, line: int, column: int, message: str, needed: tuple[int, int]
) -> Finding:
    """The finding for a file that is read, but runs on a newer Python only."""
    return _unparsed(file, line, column, message, f"{needed[0]}.{needed[1]}")


def _unparsed(
    file: SourceFile, line: int, column: int, message: str, needed: str | None
) -> Finding:
    line = max(1, min(line, (file.text or "").count("\n") + 1))
    column = max(1, column)
    message = (message or "invalid syntax").strip().rstrip(".")
    if needed:
        message = f"{message} on Python {sys.version_info[0]}.{sys.version_info[1]}; this file needs Python {needed}"
    message = message[:1].lower() + message[1:]
    return Finding(
        "syntax-error", "error", file.name, Span(line, column, line, column + 1), message
    )


def _python_needed(text: str, message: str, line: int) -> str | None:
    """The oldest Python that reads a construct newer than the running one; None when it is simply wrong."""
    version = sys.version_info[:2]
    if version < (3, 12) and message.startswith("f-string expression part cannot include"):
        return "3.12"
    lines = text.splitlines()
    around = lines[line - 1] if line <= len(lines) else ""
    newer: list[tuple[tuple[int, int], str]] = [
        ((3, 11), r"^\s*except\s*\*"),
        ((3, 12), r"^\s*type\s+\w+(\[.*\])?\s*="),
        ((3, 12), r"^\s*(async\s+def|def|class)\s+\w+\["),
        ((3, 12), r"\bf(['\"]).*\{[^}]*\1[^}]*\1[^}]*\}"),
        ((3, 12), r"\bf(['\"])(?:(?!\1).)*\{[^}'\"]*\1.*\1"),
        ((3, 13), r"^\s*class\s+\w+\[[^\]]*="),
        ((3, 14), r"^\s*except\s+\w[\w.]*\s*,\s*\w"),
        ((3, 14), r"\bt['\"]"),
    ]
    for needed, pattern in newer:
        if needed > version and re.search(pattern, around):
            return f"{needed[0]}.{needed[1]}"
    return None


def base_name(recipe: Recipe) -> str | None:
    """The last name of a base class: of `abc.Mapping[str, T]` "Mapping"."""
    if not recipe:
        return None
    if recipe[0] == "sub":
        return base_name(recipe[1])
    if recipe[0] in ("name", "const"):
        return str(recipe[1])
    if recipe[0] == "attr":
        return str(recipe[2])
    return None


def parts_of(test: Recipe) -> tuple[Recipe, ...]:
    """What stands on both sides of `and` or `or` in a test; the test alone where it has none."""
    return tuple(test[1]) if test and test[0] == "any" else (test,)


def mentions(recipe: Recipe, part: Recipe) -> bool:
    """Whether a recipe is another one, or has it somewhere in it."""
    if recipe == part:
        return True
    return isinstance(recipe, tuple) and any(mentions(one, part) for one in recipe)


def recipe_name(recipe: Recipe) -> str:
    """A recipe as the reader wrote it, roughly: "self.client.get"."""
    if not recipe:
        return "…"
    tag = recipe[0]
    if tag == "name":
        return str(recipe[1])
    if tag == "attr":
        return f"{recipe_name(recipe[1])}.{recipe[2]}"
    if tag == "call":
        return "…()"
    if tag == "sub":
        return f"{recipe_name(recipe[1])}[…]"
    return "…"
