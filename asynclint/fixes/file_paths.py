"""What a path is made of, so that two functions' paths can be told apart: where it begins, and the names of folders and files behind that."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from asynclint.facts import syntax
from asynclint.facts.program import Function
from asynclint.fixes.source import own_nodes

OWN, EVERYBODYS = "self", "::"
"""What the paths begin with that hang on the function's object, and on what the whole module knows."""

ANY, NEW = "*", "?"
"""A name of a folder or file that is not known, and one that nobody has had before."""

DEEP = 8
"""Names and calls that are followed to what a path is made of."""

SAME = frozenset(
    {
        "Path",
        "PurePath",
        "str",
        "fspath",
        "abspath",
        "realpath",
        "normpath",
        "expandvars",
        "resolve",
    }
    | {"absolute", "expanduser", "as_posix", "AnyPath", "UPath"}
)
"""Functions, and methods, that give the path that they get."""

JOINS = frozenset({"join", "joinpath"})
ALTERS = frozenset({"with_suffix", "with_stem", "with_name"})
LISTS = frozenset({"glob", "iterdir", "rglob"})
COPIES = frozenset({"sorted", "list", "reversed", "tuple", "set"})

UNIQUE = re.compile(r"te?mp(?![lt])|uuid|ulid|token|random|unique|\btime_ns\b", re.IGNORECASE)
"""What gives another path at each call is called so."""

FIELD = re.compile(r"\{\w+\}")

STEM = re.compile(r"\w[^/]*\.\w")
"""`state.json`: the name of a file, and not of a folder."""

WORD = re.compile(r"(\w+)(?:\(\))?$")
"""The last name of what a path begins with."""

PLAIN = frozenset(
    {"path", "file", "folder", "dir", "directory", "root", "name", "filename", "filepath", "file_path", "file_name"}
    | {"_path", "_file", "_folder", "_dir", "_root", "base", "_base", "self", "target", "source", "output", "get_path"}
    | {"getenv", "get", "cwd", "getcwd", "home", "dirname", "basename", "gettempdir", "mkdtemp", "parent", "Path"}
    | {"environ", "pop", "format", "str", "next", "files", "__file__", "__name__", "expanduser"}
)  # fmt: skip
"""Names of paths that tell nothing of them."""


@dataclass(frozen=True, slots=True)
class FilePath:
    """A path as a function spells it."""

    root: str
    """`self.folder`, `folder` of a parameter or a local variable, `::FOLDER` of a global or of a function's result."""
    parts: tuple[str, ...] = ()
    """The names behind it: `*` for what is not known, `{name}` for a parameter; behind `~`, what is added to the last one."""

    @property
    def is_known(self) -> bool:
        """Whether it begins with the same at each call, and not with what a caller gives, or the function makes."""
        return self.root.startswith((EVERYBODYS, f"{OWN}."))

    @property
    def is_new(self) -> bool:
        """Whether nobody has had it before, by what it is called."""
        return UNIQUE.search(self.root) is not None or any(NEW in one for one in self.parts)

    @property
    def name(self) -> str:
        """The first name that its root consists of."""
        return self.root.partition(".")[0]

    def within(self, *parts: str) -> FilePath:
        """A path below it."""
        return FilePath(self.root, (*self.parts, *(one for one in parts if one not in ("", "."))))

    def added(self, text: str) -> FilePath:
        """The path with something behind its last name."""
        return FilePath(self.root, (*self.parts, f"~{text}"))

    def may_be(self, other: FilePath) -> bool:
        """Whether both can name the same file."""
        if self.root != other.root or any(NEW in one for one in self.parts + other.parts):
            return False
        if "**" in self.parts + other.parts:
            return True
        return len(self.parts) == len(other.parts) and all(
            ANY in (one, two) or one == two
            for one, two in zip(_plain(self.parts), _plain(other.parts), strict=True)
        )

    @property
    def file_name(self) -> str:
        """The name of the file, where it is written out and is no more than that of a kind of files: "" for `*.json`."""
        last = list(self.parts)
        name = ""
        while last:
            part = last.pop()
            name = part.removeprefix("~") + name
            if not part.startswith("~"):
                break
        return "" if set(name) & set(f"{ANY}{NEW}{{|") or not STEM.match(name) else name

    @property
    def word(self) -> str:
        """What the object, or the module, calls the place where it begins; "" for what a library's function gives."""
        found = WORD.search(self.root) if self.is_known else None
        return "" if found is None or found[1] in PLAIN else found[1]

    def is_kin(self, other: FilePath) -> bool:
        """Whether both may name the same file, though other objects or modules begin them."""
        if self.file_name and other.file_name:
            return self.file_name == other.file_name
        alike = bool(self.word) and self.word == other.word
        return alike and replace(other, root=self.root).may_be(self)

    def may_be_given(self, other: FilePath) -> bool:
        """Whether a method gives one of both, of which no more is known, that may be the other one, whose name is made anew each time."""
        given, made = (self, other) if self.root.endswith("()") else (other, self)
        return given.root.endswith("()") and (made.root.endswith("()") or _varies(made))

    def __str__(self) -> str:
        root = self.root.removeprefix(EVERYBODYS)
        return "/".join((root, *self.parts) if root else self.parts).replace("/~", "")


def _varies(path: FilePath) -> bool:
    return any(ANY in one or FIELD.search(one) for one in path.parts)


def _plain(parts: tuple[str, ...]) -> list[str]:
    return [FIELD.sub(ANY, one) for one in parts]


class Spelling:
    """The paths of one function."""

    def __init__(
        self,
        function: Function,
        node: ast.AST,
        made: Callable[[ast.Call], FilePath | None] = lambda call: None,
    ) -> None:
        """`made` says what a call gives of a function whose result is a path."""
        self.function = function
        self.made = made
        self.own = own_name(function)
        self._asked: set[str] = set()
        self.set: dict[str, list[ast.expr]] = {}
        self.listed: dict[str, ast.expr] = {}
        """What is gone through, by the names that its items get."""
        for one in own_nodes(node):
            if isinstance(one, (ast.Assign, ast.AnnAssign)) and one.value is not None:
                targets = one.targets if isinstance(one, ast.Assign) else [one.target]
                if isinstance(targets[0], ast.Name):
                    self.set.setdefault(targets[0].id, []).append(one.value)
            elif isinstance(one, (ast.For, ast.comprehension)) and isinstance(one.target, ast.Name):
                self.listed[one.target.id] = one.iter
        bound = function.facts.bindings
        self.set = {k: v for k, v in self.set.items() if len(v) == len(bound.get(k, ())) == 1}

    def path(self, node: ast.expr, deep: int = DEEP) -> FilePath | None:
        """What an expression spells; None where that is no path."""
        if deep == 0:
            return None
        if isinstance(node, ast.Name):
            return self._named(node.id, deep)
        if isinstance(node, ast.Attribute):
            return self._attribute(node, deep)
        if isinstance(node, ast.Call):
            return self._called(node, deep)
        if isinstance(node, ast.Constant):
            return _behind(FilePath(EVERYBODYS), str(node.value)) if node.value else None
        if isinstance(node, ast.JoinedStr):
            return self._joined(node, deep)
        if isinstance(node, ast.BinOp):
            left = self.path(node.left, deep - 1)
            if left is None:
                return None
            text = self.text(node.right, deep - 1)
            return _behind(left, text) if isinstance(node.op, ast.Div) else _followed(left, text)
        if isinstance(node, ast.Subscript):
            base = self.path(node.value, deep - 1)
            return base and base.within(self.text(node.slice, deep - 1).replace("/", "|"))
        if isinstance(node, (ast.BoolOp, ast.IfExp)):
            values = node.values if isinstance(node, ast.BoolOp) else [node.body, node.orelse]
            found = [one for value in values if (one := self.path(value, deep - 1)) is not None]
            return next((one for one in found if one.is_known), found[0] if found else None)
        if isinstance(node, (ast.NamedExpr, ast.Await)):
            return self.path(node.value, deep - 1)
        return None

    def text(self, node: ast.expr, deep: int = DEEP) -> str:
        """What an expression adds to a path, with `*` for what is not known."""
        if deep == 0:
            return ANY
        if isinstance(node, ast.Constant):
            return str(node.value)
        if isinstance(node, ast.Name):
            return self._name_in(node.id, deep)
        if isinstance(node, ast.JoinedStr):
            return "".join(self.text(one, deep - 1) for one in node.values)
        if isinstance(node, ast.FormattedValue):
            return self.text(node.value, deep - 1)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self.text(node.left, deep - 1) + self.text(node.right, deep - 1)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            return f"{self.text(node.left, deep - 1)}/{self.text(node.right, deep - 1)}"
        if isinstance(node, ast.Call) and syntax.called(node) in SAME and len(node.args) == 1:
            return self.text(node.args[0], deep - 1)
        return NEW if _is_new(node) else ANY

    def _name_in(self, name: str, deep: int) -> str:
        """What a name adds to a path."""
        bound = name in self.function.facts.bindings
        if name in self.set:
            return self.text(self.set[name][0], deep - 1)
        if name in self.function.parameters:
            return ANY if bound else f"{{{name}}}"
        return ANY if bound or not name.isupper() else f"${name}"

    def _named(self, name: str, deep: int) -> FilePath | None:
        if name == self.own:
            return FilePath(OWN)
        if name in self.set and name not in self._asked:
            self._asked.add(name)
            found = self.path(self.set[name][0], deep - 1)
            self._asked.remove(name)
            # What is new at each call is known by the name that it gets.
            return found or FilePath(name)
        if name in self.listed:
            return self._item(self.listed[name], deep - 1) or FilePath(name)
        scope: Function | None = self.function
        while scope is not None and scope.facts.kind != "module":
            bound = scope.facts.bindings.get(name, ())
            if any(one.kind == "import" for one in bound):
                break
            if bound or name in scope.parameters:
                inner = scope is self.function
                return FilePath(name if inner else f"{EVERYBODYS}{scope.facts.qualname}:{name}")
            scope = scope.parent
        return FilePath(f"{EVERYBODYS}{name}")

    def _attribute(self, node: ast.Attribute, deep: int) -> FilePath | None:
        base = self.path(node.value, deep - 1)
        if base is None:
            return None
        if node.attr == "parent" and base.parts:
            return FilePath(base.root, base.parts[:-1])
        return (
            base.within(f".{node.attr}")
            if base.parts
            else replace(base, root=f"{base.root}.{node.attr}")
        )

    def _called(self, call: ast.Call, deep: int) -> FilePath | None:
        name, func = syntax.called(call), call.func
        if name in SAME and call.args:
            first = self.path(call.args[0], deep - 1)
            return first and self._below(first, call.args[1:], deep)
        if isinstance(func, ast.Attribute) and (name in SAME or name == "open"):
            return self.path(func.value, deep - 1)
        if name in JOINS and isinstance(func, ast.Attribute):
            if name == "joinpath":
                base, given = self.path(func.value, deep - 1), call.args
            else:
                base = self.path(call.args[0], deep - 1) if call.args else None
                given = call.args[1:]
            return base and self._below(base, given, deep)
        if name in ALTERS and isinstance(func, ast.Attribute) and call.args:
            base = self.path(func.value, deep - 1)
            text = self.text(call.args[0], deep - 1)
            if base is not None and name == "with_name" and base.parts:
                return FilePath(base.root, base.parts[:-1]).within(text)
            return base and base.added(text)
        if _is_new(call):
            return None
        return self.made(call) or self._opaque(call, deep)

    def _below(self, base: FilePath, given: list[ast.expr], deep: int) -> FilePath:
        for one in given:
            base = _behind(base, self.text(one, deep - 1))
        return base

    def _opaque(self, call: ast.Call, deep: int) -> FilePath | None:
        """`self.path_of(key)`, of which only the name is known."""
        base = self.path(call.func, deep - 1)
        if base is None or base.parts:
            return None
        given = (self.text(one, deep - 1) for one in call.args)
        return replace(base, root=f"{base.root}()").within(
            *(one.replace("/", "|") for one in given)
        )

    def _joined(self, node: ast.JoinedStr, deep: int) -> FilePath | None:
        first, *rest = node.values or [ast.Constant("")]
        text = "".join(self.text(one, deep - 1) for one in rest)
        if not isinstance(first, ast.FormattedValue):
            return _behind(FilePath(EVERYBODYS), self.text(first, deep - 1) + text)
        base = self.path(first.value, deep - 1)
        return base and _followed(base, text)

    def _item(self, listed: ast.expr, deep: int) -> FilePath | None:
        """What a folder that is gone through gives."""
        while isinstance(listed, ast.Call) and syntax.called(listed) in COPIES and listed.args:
            listed = listed.args[0]
        if isinstance(listed, ast.Name) and listed.id in self.set and deep:
            return self._item(self.set[listed.id][0], deep - 1)
        if not isinstance(listed, ast.Call) or syntax.called(listed) not in LISTS:
            return None
        if not isinstance(listed.func, ast.Attribute):
            return None
        base = self.path(listed.func.value, deep - 1)
        if base is None or syntax.called(listed) == "rglob":
            return base and base.within("**")
        return _behind(base, self.text(listed.args[0], deep - 1) if listed.args else ANY)


def _is_new(node: ast.expr) -> bool:
    """`uuid4().hex`, `tempfile.mkdtemp()`: what is another one at each call."""
    called = (one.func for one in ast.walk(node) if isinstance(one, ast.Call))
    return any(UNIQUE.search(ast.unparse(one)) for one in called)


def _behind(base: FilePath, text: str) -> FilePath:
    return base.within(*text.split("/"))


def _followed(base: FilePath, text: str) -> FilePath:
    """The path with a text right behind it: `f"{folder}/x.json"`, `path + ".new"`."""
    if text.startswith("/") or not text:
        return _behind(base, text)
    return base.added(text)


def own_name(function: Function) -> str | None:
    """The name of a method's object, or class; None in a static one."""
    static = any(one == ("name", "staticmethod") for one in function.facts.decorators)
    return None if static else function.self_name


def given(call: ast.Call, function: Function) -> dict[str, ast.expr]:
    """What a call writes out for the parameters of a function, by their names."""
    names = [one.name for one in function.facts.params if one.kind == "pos"]
    names = names[1:] if own_name(function) is not None else names
    found: dict[str, ast.expr] = {}
    for name, value in zip(names, call.args, strict=False):
        if isinstance(value, ast.Starred):
            break
        found[name] = value
    return found | {one.arg: one.value for one in call.keywords if one.arg}


def told(path: FilePath, call: ast.Call, target: Function, caller: Spelling) -> FilePath | None:
    """A path of a function as one spells it that calls it; None where the caller cannot know it."""
    values = given(call, target)
    parts = tuple(
        FIELD.sub(lambda m: _filled(m[0][1:-1], values, caller), one) for one in path.parts
    )
    if path.root.startswith(EVERYBODYS):
        return FilePath(path.root, parts)
    rest = path.root[len(path.name) :]
    if path.name == OWN and own_name(target) is not None:
        base = _receiver(call, caller)
    elif path.name in target.parameters:
        base = (
            caller.path(values[path.name]) if path.name in values else _default(path.name, target)
        )
    else:
        return None
    if base is None or (rest and base.parts):
        return None
    return FilePath(base.root + rest, (*base.parts, *parts))


def _filled(name: str, values: dict[str, ast.expr], caller: Spelling) -> str:
    text = caller.text(values[name]) if name in values else ANY
    return ANY if "/" in text else text


def _default(name: str, target: Function) -> FilePath | None:
    """What a parameter stands for that no caller fills: a text, or a global."""
    recipe = target.parameters[name].default
    if recipe and recipe[0] == "name":
        return FilePath(f"{EVERYBODYS}{recipe[1]}")
    if recipe and recipe[0] == "const" and isinstance(recipe[1], str) and recipe[1]:
        return _behind(FilePath(EVERYBODYS), recipe[1])
    return None


def _receiver(call: ast.Call, caller: Spelling) -> FilePath | None:
    """The object whose method is called."""
    if not isinstance(call.func, ast.Attribute):
        return None
    value = call.func.value
    if isinstance(value, ast.Call) and syntax.called(value) == "super":
        return FilePath(OWN)
    return caller.path(value)
