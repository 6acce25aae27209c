"""One module's text as a fixer edits it: syntax nodes by position, and edits that keep the file's own layout."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from asynclint.facts.program import Function, Module, Program
from asynclint.facts.syntax import extent
from asynclint.findings import Edit, Refused, Span
from asynclint.fixes.columns import columns, within_strings
from asynclint.project import SourceFile

Node = TypeVar("Node", bound=ast.AST)


PLAIN = frozenset({
    "ctx", "op", "ops", "id", "attr", "arg", "asname", "module", "level", "kind", "type_comment", "conversion", "simple", "is_async",
})  # fmt: skip
"""Fields of nodes that hold no nodes, or only what says how another field is meant."""

_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}


def below(node: ast.AST) -> list[ast.AST]:
    """The nodes right below another one, in their order; what is `PLAIN` is left out."""
    kind = type(node)
    names = _FIELDS.get(kind)
    if names is None:
        names = _FIELDS[kind] = tuple(name for name in kind._fields if name not in PLAIN)
    found: list[ast.AST] = []
    for name in names:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            found.append(value)
        elif type(value) is list:
            found += [one for one in value if isinstance(one, ast.AST)]
    return found


STRINGS = frozenset({"Constant", "JoinedStr", "TemplateStr"})
"""Nodes of strings; the last one is of newer Pythons."""


class Tree:
    """A parsed piece of a module, a whole top-level statement at least, with positions as in the file."""

    def __init__(self, text: str) -> None:
        try:
            self.root = root = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise Refused("the code around it cannot be parsed for a rewrite") from None
        self._parents: dict[ast.AST, ast.AST] = {}
        self._own: dict[ast.AST, list[ast.AST]] = {}
        parents = self._parents
        stack: list[ast.AST] = [root]
        while stack:
            node = stack.pop()
            found = below(node)
            for one in found:
                parents[one] = node
            stack += found

    @cached_property
    def _at(self) -> dict[tuple[int, int, int, int], list[ast.expr]]:
        at: dict[tuple[int, int, int, int], list[ast.expr]] = {}
        for node in self._parents:
            if isinstance(node, ast.expr):
                at.setdefault(extent(node), []).append(node)
        return at

    def at(self, where: tuple[int, int, int, int], kind: type[Node]) -> Node | None:
        """The node of a kind with exactly this extent, the outermost one of several."""
        for node in self._at.get(where, ()):
            if isinstance(node, kind):
                return node
        return None

    def own(self, node: ast.AST) -> list[ast.AST]:
        """The nodes of a function of this piece without those of the functions and classes in it; asked for again and again."""
        found = self._own.get(node)
        if found is None:
            found = self._own[node] = list(own_nodes(node))
        return found

    def parent(self, node: ast.AST) -> ast.AST | None:
        """The node around another one."""
        return self._parents.get(node)

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around another one, innermost first."""
        current = self._parents.get(node)
        while current is not None:
            yield current
            current = self._parents.get(current)

    def suite(self, statement: ast.AST) -> list[ast.stmt]:
        """The list of statements that holds one; empty for what stands in none."""
        parent = self._parents.get(statement)
        for name in ("body", "orelse", "finalbody"):
            suite = getattr(parent, name, None)
            if isinstance(suite, list) and statement in suite:
                return suite
        return []

    def statement(self, node: ast.AST) -> ast.stmt:
        """The statement that holds a node, or the node when it is one."""
        for one in (node, *self.above(node)):
            if isinstance(one, ast.stmt):
                return one
        raise Refused("the code around it is not a statement")

    def function(self, node: ast.AST) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | None:
        """The function whose body executes a node."""
        below = node
        for one in self.above(node):
            if isinstance(one, ast.Lambda) and below is one.body:
                return one
            if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)) and below in one.body:
                return one
            below = one
        return None


class Words:
    """What the names, strings and imports of a whole module are."""

    def __init__(self, root: ast.Module) -> None:
        self.names: dict[str, list[ast.Name]] = {}
        self.strings: list[str] = []
        self.imports: list[tuple[ast.Import | ast.ImportFrom, bool]] = []
        """With whether they stand at the top level."""
        top = set(root.body)
        for node in ast.walk(root):
            if isinstance(node, ast.Name):
                self.names.setdefault(node.id, []).append(node)
            elif isinstance(node, ast.Constant):
                if isinstance(node.value, str):
                    self.strings.append(node.value)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                self.imports.append((node, node in top))


def _dotted(file: SourceFile, directory: Path) -> str | None:
    """The name of a module as it is imported from a directory above it; None where it has none."""
    if directory not in file.path.parents:
        return None
    parts = file.path.relative_to(directory).with_suffix("").parts
    parts = parts[:-1] if file.is_package else parts
    return ".".join(parts) if parts and all(part.isidentifier() for part in parts) else None


def _root(file: SourceFile, name: str) -> Path:
    """The directory from which a dotted name leads to a file."""
    depth = name.count(".") + (1 if file.is_package else 0)
    return file.path.parents[depth]


class Source:
    """The text of one module with the nodes and offsets in it."""

    def __init__(self, module: Module, program: Program) -> None:
        self.module = module
        self._program = program
        self.path = module.file.name
        self.text = module.file.text or ""
        self._trees: dict[tuple[int, int, bool], Tree] = {}

    # -- places ---------------------------------------------------------------------------------------

    @cached_property
    def starts(self) -> list[int]:
        """Offset of each line's first character."""
        ends = (match.end() for match in re.finditer(r"\r\n|\r|\n", self.text))
        # A byte order mark stands before the first line.
        return [int(self.text.startswith("\ufeff")), *ends, len(self.text)]

    def line(self, number: int) -> str:
        """A line's text without its end; lines count from 1."""
        return self.module.lines[number - 1]

    def offset(self, line: int, column: int) -> int:
        """Offset in characters of a place that `ast` gives: line from 1, column from 0 in UTF-8 bytes."""
        if line > len(self.module.lines):
            return len(self.text)
        text = self.line(line)
        if not text.isascii():
            column = len(text.encode()[:column].decode(errors="ignore"))
        return self.starts[line - 1] + column

    def start(self, node: ast.AST) -> int:
        """Offset of a node's first character; of a decorated function that of its first decorator's `@`."""
        decorators = getattr(node, "decorator_list", None)
        if decorators:
            first = self.offset(decorators[0].lineno, decorators[0].col_offset)
            return self.text.rindex("@", 0, first)
        return self.offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]

    def end(self, node: ast.AST) -> int:
        """Offset after a node's last character."""
        return self.offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def segment(self, node: ast.AST) -> str:
        """A node's own text."""
        return self.text[self.offset(node.lineno, node.col_offset) : self.end(node)]  # type: ignore[attr-defined]

    def indent(self, node: ast.AST) -> str:
        """The white space before the line on which a node starts."""
        text = self.line(node.lineno)  # type: ignore[attr-defined]
        return text[: len(text) - len(text.lstrip())]

    def line_start(self, number: int) -> int:
        """Offset of a line's first character; the end of the text for the line after the last."""
        return self.starts[min(number - 1, len(self.starts) - 1)]

    @property
    def lowest(self) -> tuple[int, int] | None:
        """The lowest Python that the project around the module says it runs on; None where it does not."""
        pythons = self._program.project.pythons
        return pythons.around(self.module.file.path) if pythons is not None else None

    def is_ours(self, name: str) -> bool:
        """Whether a dotted module name belongs to the project."""
        return self._program.is_ours(name, self.module.file)

    def shadows(self, package: str, name: str) -> bool:
        """Whether a package of the project calls something else like its module `name`: `from .sync import sync`."""
        found = self._program.find(package, self.module.file)
        if found is None or not found.file.is_package:
            return False
        modules = (("from", 1, "", name), ("from", 1, None, name), ("from", 0, package, name))
        bindings = found.body.facts.bindings.get(name, ())
        return any(b.recipe not in modules for b in bindings)

    def spelled(self, module: Module) -> str:
        """The name of another module as this one imports it: counted from the same directory, where that can be.

        Raises Refused where the project imports it from another directory only: under two names it would be there twice.
        """
        usual = set(self._importers(module)) or self._deepest(module)
        for here in dict.fromkeys((*self._own_roots, *usual)):
            name = _dotted(module.file, here) if not usual or here in usual else None
            if name is not None and self._program.find(name, self.module.file) is module:
                return name
        if usual and _root(module.file, module.name) not in usual:
            raise Refused(f"`{self.path}` cannot import `{module.file.name}` as others do")
        return module.name

    @cached_property
    def _own_roots(self) -> list[Path]:
        """The directories from which the module counts what it imports, and itself."""
        found = [_root(file, path) for file, path in self._imports(self.module)]
        return list(dict.fromkeys((*found, _root(self.module.file, self.module.name))))

    def _importers(self, module: Module) -> Iterator[Path]:
        """The directories from which the project counts a module where it imports it."""
        last = module.file.path.parent.name if module.file.is_package else module.file.path.stem
        for file in self._program.project.files:
            other = None
            if file.text and last in file.text and not file.is_test:
                other = self._program.load(file)
            for found, path in self._imports(other, last) if other is not None else ():
                if found is module.file:
                    yield _root(found, path)

    def _deepest(self, module: Module) -> set[Path]:
        """The nearest of the directories around a module from which it counts what it imports; none where it imports nothing."""
        found = (_root(file, path) for file, path in self._imports(module))
        around = [root for root in found if root in module.file.path.parents]
        return {max(around, key=lambda root: len(root.parts))} if around else set()

    def _imports(self, module: Module, last: str = "") -> Iterator[tuple[SourceFile, str]]:
        """The project's modules that a module imports by their whole names, at its top: the file, and the name.

        Of those whose names end so, where `last` says how.
        """
        for bindings in module.body.facts.bindings.values():
            for binding in bindings:
                recipe = binding.recipe
                if binding.kind != "import" or not recipe:
                    continue
                if recipe[0] == "import":
                    paths = [recipe[1]]
                else:
                    paths = [f"{recipe[2]}.{recipe[3]}", recipe[2]] if not recipe[1] else []
                for path in paths:
                    if not path or (last and path.rpartition(".")[2] != last):
                        continue
                    found = self._program.find(path, module.file)
                    if found is not None and _dotted(found.file, _root(found.file, path)) == path:
                        yield found.file, path
                        break

    @cached_property
    def code(self) -> str:
        """The text without what stands behind a `#`."""
        return re.sub(r"#[^\n]*", "", self.text)

    @cached_property
    def columns(self) -> int:
        """How long a line may be."""
        return columns(self.text, self._program.project.width)

    @cached_property
    def words(self) -> Words | None:
        """The names, strings and imports of the module; None where it cannot be parsed."""
        try:
            return Words(ast.parse(self.text))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None

    # -- nodes ----------------------------------------------------------------------------------------

    @cached_property
    def _tops(self) -> list[tuple[int, int]]:
        """First and last line of the functions and classes that start at the left edge."""
        return sorted(
            (f.facts.first_line, f.facts.end_line)
            for f in self.module.functions
            if f.facts.parent == 0
            and f.facts.col == 0
            and f.facts.kind in ("def", "async", "class")
        )

    def top(self, line: int) -> Tree:
        """The piece of the module that holds a line: a top-level function or class, or what stands between two."""
        first, last = 1, len(self.module.lines)
        for start, end in self._tops:
            if start <= line <= end:
                first, last = start, end
                break
            if end < line:
                first = end + 1
            else:
                last = start - 1
                break
        return self._piece(first, last)

    def tree(self, line: int) -> Tree:
        """The outermost function that holds a line, alone; the top-level piece where there is none."""
        outer: tuple[int, int] | None = None
        for function in self.module.functions:
            facts = function.facts
            if facts.kind in ("def", "async") and facts.first_line <= line <= facts.end_line:
                outer = (facts.first_line, facts.end_line)
                break
        return self._piece(*outer) if outer else self.top(line)

    def statement(self, first: int, last: int, header: bool) -> Tree:
        """One statement alone, or the header of a compound one. Raises Refused where it does not stand alone."""
        return self._piece(first, last, header)

    def _piece(self, first: int, last: int, header: bool = False) -> Tree:
        key = (first, last, header)
        if key not in self._trees:
            lines = self.module.lines[first - 1 : last]
            before = "\n" * (first - 1)
            if lines and lines[0][:1] in (" ", "\t"):
                if first == 1:
                    raise Refused("the code around it cannot be parsed for a rewrite")
                before = "\n" * (first - 2) + "if 1:\n"
            if header:
                indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
                lines = [*lines, f"{indent} pass"]
            self._trees[key] = Tree(before + "\n".join(lines) + "\n")
        return self._trees[key]

    @cached_property
    def whole(self) -> Tree:
        """The whole module."""
        return self._piece(1, len(self.module.lines))

    @cached_property
    def head(self) -> list[ast.stmt]:
        """The statements before the first top-level function or class, imports among them."""
        last = self._tops[0][0] - 1 if self._tops else len(self.module.lines)
        return self.top(1).root.body if last else []

    def where(self, span: Span) -> tuple[int, int, int, int]:
        """A finding's span as `ast` gives extents."""
        return (
            span.line,
            len(self.line(span.line)[: span.column - 1].encode()),
            span.end_line,
            len(self.line(span.end_line)[: span.end_column - 1].encode()),
        )

    def definition(
        self, function: Function
    ) -> tuple[Tree, ast.FunctionDef | ast.AsyncFunctionDef] | None:
        """The `def` of a function of this module, and the piece that holds it."""
        tree = self.tree(function.facts.line)
        for node in ast.walk(tree.root):
            if (
                isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
                and node.lineno == function.facts.line
                and node.name == function.facts.name
            ):
                return tree, node
        return None

    # -- edits ----------------------------------------------------------------------------------------

    def edit(self, start: int, end: int, text: str) -> Edit:
        """Replace the characters between two offsets; line ends become the file's own."""
        line_end = self.module.file.line_end
        if line_end != "\n":
            text = text.replace(line_end, "\n").replace("\n", line_end)
        return Edit(self.path, start, end, text)

    def replace(self, node: ast.AST, text: str) -> Edit:
        """Put text in a node's place."""
        return self.edit(self.offset(node.lineno, node.col_offset), self.end(node), text)  # type: ignore[attr-defined]

    def insert(self, offset: int, text: str) -> Edit:
        """Put text between two characters."""
        return self.edit(offset, offset, text)

    def alone(self, statement: ast.stmt) -> bool:
        """Whether a statement has its lines for itself: no `;`, no header before it, no comment behind it."""
        first = self.line_start(statement.lineno)
        last = self.line_start(statement.end_lineno + 1)  # type: ignore[operator]
        before = self.text[first : self.start(statement)]
        after = self.text[self.end(statement) : last]
        return not before.strip() and not after.strip()

    def remove(self, statement: ast.stmt) -> Edit:
        """Take a statement's lines out. Raises Refused where something else stands on them."""
        if not self.alone(statement):
            raise Refused("something else stands on the line of a statement that would go")
        first = self.line_start(statement.lineno)
        return self.edit(first, self.line_start(statement.end_lineno + 1), "")  # type: ignore[operator]

    def after(self, statement: ast.stmt) -> int:
        """Offset behind the line on which a statement ends. Raises Refused where another one shares its lines."""
        first = self.line_start(statement.lineno)
        last = self.line_start((statement.end_lineno or statement.lineno) + 1)
        behind = self.text[self.end(statement) : last].strip()
        if self.text[first : self.start(statement)].strip() or (behind and behind[0] != "#"):
            raise Refused("something else stands on the line of the statement")
        return last

    def unit(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
        """One level of indentation, as a function shows it."""
        own, inner = self.indent(node), self.indent(node.body[-1])
        return inner[len(own) :] or "    "

    def declare(self, line: str) -> Edit:
        """A line of its own at the top of the module, below the imports."""
        number = self.below_imports
        if number == self.first_code:
            return self.insert_behind(self.line_start(number), f"{line}\n\n")
        return self.insert_behind(self.line_start(number), f"\n{line}")

    @cached_property
    def first_code(self) -> int:
        """The line of the first statement or its comment, after `#!`, an encoding and a comment that stands by itself."""
        lines = self.module.lines
        number = 1
        for text in lines[:2]:
            if text.startswith("#!") or (text.startswith("#") and "coding" in text):
                number += 1
        behind = number
        while behind <= len(lines) and self.line(behind).startswith("#"):
            behind += 1
        if number < behind <= len(lines) and not self.line(behind).strip():
            # A licence, or another comment about the whole file.
            return behind + 1
        return number

    def define(self, text: str) -> Edit:
        """A class or function at the top of the module, below the imports, parted by two blank lines."""
        offset = self.line_start(self.below_imports)
        rest = self.text[offset:]
        blank = rest.count("\n") - rest.lstrip("\r\n").count("\n")
        return self.insert_behind(offset, f"\n\n{text}" + "\n" * max(0, 2 - blank))

    @cached_property
    def below_imports(self) -> int:
        """The line after the docstring and the imports at the top, those under a condition with them."""
        number = self.first_code
        for statement in self.head:
            if (
                statement is self.head[0]
                and isinstance(statement, ast.Expr)
                and isinstance(statement.value, ast.Constant)
                and isinstance(statement.value.value, str)
            ):
                number = (statement.end_lineno or statement.lineno) + 1
            if isinstance(statement, (ast.Import, ast.ImportFrom)) or (
                isinstance(statement, (ast.If, ast.Try, ast.With))
                and any(isinstance(n, (ast.Import, ast.ImportFrom)) for n in ast.walk(statement))
            ):
                number = (statement.end_lineno or statement.lineno) + 1
        return number

    def insert_behind(self, offset: int, text: str) -> Edit:
        """Put text at an offset behind what other edits insert there, such as imports."""
        return self.edit(
            offset, min(offset + 1, len(self.text)), text + self.text[offset : offset + 1]
        )

    def push(self, first: int, last: int, unit: str, within: ast.AST) -> list[Edit]:
        """Lines one level in; empty ones and those inside strings stay as they are."""
        inner = self.within_strings([within])
        return [
            self.insert(self.line_start(number), unit)
            for number in range(first, last + 1)
            if number not in inner and self.line(number).strip()
        ]

    def dedent(self, body: list[ast.stmt], prefix: str) -> list[Edit]:
        """Take `prefix`'s last part off the lines of a suite, so that its statements start behind `prefix`.

        Lines inside strings keep their white space.
        """
        first, last = body[0], body[-1]
        own = self.indent(first)
        if not own.startswith(prefix) or own == prefix:
            raise Refused("the indentation is mixed")
        inner = self.within_strings(body)
        edits = []
        for number in range(self.first_line(body), (last.end_lineno or last.lineno) + 1):
            text = self.line(number)
            if number not in inner and text.startswith(own):
                start = self.line_start(number) + len(prefix)
                edits.append(self.edit(start, start + len(own) - len(prefix), ""))
        return edits

    def within_strings(self, nodes: Sequence[ast.AST]) -> set[int]:
        """The lines that begin within a string: their white space belongs to it. Strings side by side are several."""
        found: set[int] = set()
        stack = list(nodes)
        while stack:
            node = stack.pop()
            if isinstance(node, ast.expr) and type(node).__name__ in STRINGS:
                first, last = node.lineno, node.end_lineno or node.lineno
                if first != last:
                    inner = within_strings(self.segment(node))
                    lines = range(1, last - first + 1) if inner is None else inner
                    found.update(first + one for one in lines)
            else:
                stack.extend(ast.iter_child_nodes(node))
        return found

    def comments_above(self, statement: ast.stmt) -> int:
        """The line on which a statement starts, or that of the first comment right above it; lines count from 1."""
        return self.first_line([statement])

    def first_line(self, body: list[ast.stmt]) -> int:
        """The first line of a suite with the comments above it; lines count from 1."""
        statement = body[0]
        decorators = getattr(statement, "decorator_list", None)
        number = decorators[0].lineno if decorators else statement.lineno
        while number > 1 and self.line(number - 1).lstrip().startswith("#"):
            number -= 1
        return int(number)


def handed(call: ast.Call, function: Function) -> dict[str, ast.expr]:
    """What a call writes out for the parameters of a function of the project, by their names."""
    given = dict(zip(function.positional, call.args, strict=False))
    return given | {one.arg: one.value for one in call.keywords if one.arg}


NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of the functions and classes in it."""
    stack = below(node)[::-1]
    while stack:
        one = stack.pop()
        if not isinstance(one, NESTED):
            yield one
            stack += below(one)[::-1]
