"""Imports that fixes have left without use."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from asynclint.project import Project, SourceFile

Statement = ast.Import | ast.ImportFrom
Scope = tuple[str, ...]
"""The names of the functions and classes around a statement, outermost first."""

BLOCKS = (ast.If, ast.With, ast.AsyncWith, ast.For, ast.AsyncFor, ast.While)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

UNREAD = (ast.Constant, ast.Attribute, ast.alias, ast.keyword, ast.ImportFrom)
"""Nodes whose own words are no names of the module."""

DYNAMIC = re.compile(
    r"\b(?:__all__|globals|locals|vars|eval|exec|__dict__|__getattr__)\b|\bsys\.modules\b"
)
"""What may find an import by a string that is its name."""

REPLACING = re.compile(
    r"\b(?:setattr|getattr|delattr|patch|import_module|spec_from_\w+|__import__|runpy|reload)\b|\bsys\.modules\b"
)
"""What may reach into a module in other words than an import."""


def without_left_over(
    project: Project, before: Mapping[str, str], after: Mapping[str, str]
) -> dict[str, str]:
    """Those of the fixed texts that shrink: without the imports that were used in the texts before, and are no more.

    An import stays in doubt: where anything may find it that is not written as a use of its name.
    """
    if not project.whole:
        return {}
    texts = {f.name: f.text for f in project.files if f.text is not None} | dict(after)
    files = {f.name: f for f in project.files}
    outside = _Outside(project.files, texts)
    found = {}
    for name, text in after.items():
        file = files.get(name)
        if file is None or file.is_package or name not in before or before[name] == text:
            continue
        left = _without(file, before[name], text, outside)
        if left != text:
            found[name] = left
    return found


def _without(file: SourceFile, before: str, text: str, outside: _Outside) -> str:
    old = _Module.read(before)
    if old is None:
        return text
    used = {one.key for one in old.imports if old.uses(one)}
    while used:
        module = _Module.read(text)
        if module is None:
            return text
        gone = (
            shorter
            for one in module.imports
            if one.key in used and not module.uses(one)
            if (shorter := module.taken_out(one)) is not None
            if outside.lets_go(file, module, one)
        )
        shorter = next(gone, None)
        if shorter is None:
            return text
        text = shorter
    return text


@dataclass(slots=True, frozen=True)
class _Import:
    """One name of an import."""

    statement: Statement
    alias: ast.alias
    scope: Scope
    within: ast.AST
    """The function, or the module."""
    block: list[ast.stmt]
    """The suite in which the statement stands."""

    @property
    def name(self) -> str:
        return self.alias.asname or self.alias.name.partition(".")[0]

    @property
    def module(self) -> tuple[int, str]:
        """How many packages up, and the dotted name."""
        if isinstance(self.statement, ast.Import):
            return 0, self.alias.name
        return self.statement.level, self.statement.module or ""

    @property
    def key(self) -> tuple[Scope, str, tuple[int, str], str]:
        """What tells it from others of the same file."""
        return self.scope, self.name, self.module, self.alias.name


def _imports(body: list[ast.stmt], scope: Scope, within: ast.AST) -> Iterator[_Import]:
    """The imports of a suite that may go: none of a class's own, and none in a `try`."""
    for statement in body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            if not isinstance(within, ast.ClassDef):
                for alias in statement.names:
                    yield _Import(statement, alias, scope, within, body)
        elif isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
            yield from _imports(statement.body, (*scope, statement.name), statement)
        elif isinstance(statement, BLOCKS):
            yield from _imports(statement.body, scope, within)
            yield from _imports(getattr(statement, "orelse", []), scope, within)


class _Module:
    """The imports of a text, and what uses them."""

    def __init__(self, text: str, tree: ast.Module) -> None:
        self.text = text
        self.tree = tree
        self.starts = [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", text)), len(text)]
        self.imports = list(_imports(tree.body, (), tree))
        self._keys = Counter(one.key for one in self.imports)
        self._words: dict[ast.AST, tuple[set[str], list[str], Counter[str]]] = {}

    @classmethod
    def read(cls, text: str) -> _Module | None:
        """None where it cannot be parsed."""
        try:
            return cls(text, ast.parse(text))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None

    def uses(self, one: _Import) -> bool:
        """Whether anything in the text may use an import, in its function or in the module."""
        names, strings, bound = self._spoken(one.within)
        word = re.compile(rf"\b{re.escape(one.name)}\b")
        return (
            one.name in names
            or bound[one.name] > 1
            or self._keys[one.key] > 1
            or re.search(rf"#\s*type:[^\n]*{word.pattern}", self.text) is not None
            or any(self._names(string, one) for string in strings if word.search(string))
        )

    def _spoken(self, within: ast.AST) -> tuple[set[str], list[str], Counter[str]]:
        """The names, the strings and the names of imports in a function or module."""
        if within not in self._words:
            names: set[str] = set()
            strings: list[str] = []
            bound: Counter[str] = Counter()
            for node in ast.walk(within):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    strings.append(node.value)
                elif isinstance(node, ast.alias):
                    bound[node.asname or node.name.partition(".")[0]] += 1
                elif not isinstance(node, UNREAD):
                    names.update(_words(node))
            self._words[within] = names, strings, bound
        return self._words[within]

    def _names(self, string: str, one: _Import) -> bool:
        """Whether a string that holds the word may mean the import."""
        if ">>>" in string:
            return True
        if string.strip() == one.name:
            # A lone word may be an annotation, which a module is not.
            is_module = isinstance(one.statement, ast.Import)
            return not is_module or DYNAMIC.search(self.text) is not None
        try:
            tree = ast.parse(string.strip())
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
        return any(isinstance(n, ast.Name) and n.id == one.name for n in ast.walk(tree))

    # -- taking out -----------------------------------------------------------------------------------

    def taken_out(self, one: _Import) -> str | None:
        """The text without an import; None where it has to stay as it is written."""
        statement, names = one.statement, one.statement.names
        if one.alias.asname == one.alias.name or one.alias.name == "*":
            return None  # `import x as x` says that others may have it.
        if one.module == (0, "__future__"):
            return None
        first, last = statement.lineno, statement.end_lineno or statement.lineno
        if any("#" in self._line(number) for number in (first, last, one.alias.lineno)):
            return None
        if len(names) == 1:
            return self._without_lines(one, first, last)
        index = names.index(one.alias)
        if index + 1 < len(names):
            start, end = self._start(one.alias), self._start(names[index + 1])
        else:
            start, end = self._end(names[index - 1]), self._end(one.alias)
        return None if "#" in self.text[start:end] else self.text[:start] + self.text[end:]

    def _without_lines(self, one: _Import, first: int, last: int) -> str | None:
        start, end = self.starts[first - 1], self.starts[last]
        around = (
            self.text[start : self._start(one.statement)],
            self.text[self._end(one.statement) : end],
        )
        if "".join(around).strip() or "#" in self.text[start:end] or len(one.block) == 1:
            return None
        above, below = self._line(first - 1), self._line(last + 1)
        if above.startswith("#"):
            about = re.search(rf"\b{re.escape(one.name)}\b", above) is not None
            if about or not below.startswith(("import ", "from ")):
                return None
        opens = one.block is not self.tree.body and one.block[0] is one.statement
        behind = self._blank(last + 1, 1)
        spare = behind if opens or first == 1 else min(self._blank(first - 1, -1), behind)
        return self.text[:start] + self.text[self.starts[min(last + spare, len(self.starts) - 1)] :]

    def _blank(self, number: int, step: int) -> int:
        """How many empty lines follow each other, from a line on."""
        count = 0
        while 1 <= number < len(self.starts) - 1 and not self._line(number):
            number, count = number + step, count + 1
        return count

    def _line(self, number: int) -> str:
        """A line, counted from 1, without the white space around it; nothing where there is none."""
        if not 1 <= number < len(self.starts):
            return ""
        return self.text[self.starts[number - 1] : self.starts[number]].strip()

    def _start(self, node: ast.stmt | ast.alias) -> int:
        return self._offset(node.lineno, node.col_offset)

    def _end(self, node: ast.stmt | ast.alias) -> int:
        return self._offset(node.end_lineno or 0, node.end_col_offset or 0)

    def _offset(self, line: int, column: int) -> int:
        start = self.starts[line - 1]
        text = self.text[start : self.starts[line]]
        return start + len(text.encode()[:column].decode(errors="ignore"))


def _words(node: ast.AST) -> Iterator[str]:
    """The names that a node itself is made of."""
    for _, value in ast.iter_fields(node):
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (one for one in value if isinstance(one, str))


class _Outside:
    """What the files of a project know of each other."""

    def __init__(self, files: Iterable[SourceFile], texts: Mapping[str, str]) -> None:
        self._files = list(files)
        self._texts = texts
        modules = {name for f in self._files for name in (f.module, *f.aliases) if name}
        self._roots = {name.partition(".")[0] for name in modules}
        self._lasts = {name.rpartition(".")[2] for name in modules}

    def lets_go(self, file: SourceFile, module: _Module, one: _Import) -> bool:
        """Whether nothing outside a module's own text is in the way of taking out an import."""
        if self._runs_more(module, one):
            return False
        return one.within is not module.tree or not self._is_seen(file, one)

    def _runs_more(self, module: _Module, one: _Import) -> bool:
        """Whether an import may do more than to bind its name."""
        level, name = one.module
        root = name.partition(".")[0]
        if not level and root not in self._roots:
            dotted = isinstance(one.statement, ast.Import) and "." in name
            return dotted and root not in sys.stdlib_module_names
        if isinstance(one.statement, ast.Import) or one.alias.name in self._lasts or not name:
            return True
        return not any(
            other.module == one.module and other.alias is not one.alias
            for other in module.imports
            if other.statement in module.tree.body or other.within is one.within
        )

    def _is_seen(self, file: SourceFile, one: _Import) -> bool:
        """Whether some file may use a name by way of the module that imports it."""
        last = file.module.rpartition(".")[2]
        about = re.compile(rf"\b{re.escape(last)}\b")
        for other in self._files:
            text = self._texts.get(other.name, "")
            if last not in text or not about.search(text):
                continue
            if other is not file and re.search(
                rf"\bfrom\s+[\w.]*\b{re.escape(last)}\s+import\s*(?:\([^)]*|(?:\\\r?\n|[^\n])*)(?:\b{re.escape(one.name)}\b|\*)",
                text,
            ):
                return True
            if one.name in text and _reaches(text, last, one, other.is_test):
                return True
        return False


def _reaches(text: str, last: str, one: _Import, is_test: bool) -> bool:
    """Whether a text that speaks of a module may use a name of it, be it in a string."""
    name = re.escape(one.name)
    others = re.findall(rf"\b{re.escape(last)}\s+as\s+(\w+)", text)
    owners = "|".join(map(re.escape, {last, *others}))
    if re.search(rf"\b(?:{owners})\.{name}\b", text):
        return True
    if not REPLACING.search(text):
        return False
    # A module is not called: `response.json()` is something else.
    called = r"(?!\s*\()" if isinstance(one.statement, ast.Import) else ""
    return re.search(rf"[\"']{name}[\"']|[\w)\]}}\"']\.{name}\b{called}", text) is not None
