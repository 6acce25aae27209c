"""Tests that reach what an application's lifespan is to open, and do not start the application."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from asynclint.facts.program import Function
from asynclint.findings import Refused
from asynclint.fixes.place import Workshop

CLIENTS = frozenset(
    {"TestClient", "AsyncTestClient", "ASGITransport", "create_test_client", "test_client"}
)
"""What calls an application in its own process; all but transports start it where they are entered."""

STARTS = re.compile(
    r"\bLifespanManager\(|\blifespan_context\(|\bwith\s+\w*lifespan\w*\(|\btest_app\(|\.router\.startup\("
)
"""What starts an application for transports."""

ENTERING = frozenset(
    {"enter_context", "enter_async_context", "enterContext", "enterAsyncContext", "__enter__"}
)
"""Methods that enter what they are given, or what they are called on."""

VERBS = frozenset(
    {"get", "post", "put", "patch", "delete", "options", "head", "request", "stream",
     "websocket_connect", "open", "build_request"}
)  # fmt: skip
METHODS = frozenset({"get", "post", "put", "patch", "delete", "options", "head"})

CALLER = re.compile(r"client|http|api|app\b|session|server|transport|^ac$|^c$|^tc$", re.IGNORECASE)
"""What is named so is asked for a path that the test does not spell out."""

GAP = "\0"
"""What a path has where it is not written out."""

OVERRIDES = "dependency_overrides"


class TestFile:
    """One file of tests: what it names, and what it asks an application for."""

    __test__ = False

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.root = ast.parse(text)
        self.parents = {
            child: node for node in ast.walk(self.root) for child in ast.iter_child_nodes(node)
        }

    @property
    def is_for_others(self) -> bool:
        """Whether its clients may be used by the tests of other files."""
        return not re.match(r"test_|.*_test\.py$", self.name.rpartition("/")[2])

    def calls(self) -> Iterator[ast.Call]:
        return (node for node in ast.walk(self.root) if isinstance(node, ast.Call))

    def entered(self) -> set[str]:
        """The names of what a `with`, or a stack, enters."""
        found = {
            ast.unparse(item.context_expr)
            for node in ast.walk(self.root)
            if isinstance(node, (ast.With, ast.AsyncWith))
            for item in node.items
        }
        for call in self.calls():
            if _last(call) in ENTERING and isinstance(call.func, ast.Attribute):
                found |= {ast.unparse(one) for one in (*call.args, call.func.value)}
        return found

    def unstarted(self, entered: set[str]) -> bool:
        """Whether it makes a client of an application that it does not start; `entered` is what all tests enter."""
        return any(
            not (_last(call) != "ASGITransport" and self._is_entered(call, entered))
            and not STARTS.search(self.text)
            for call in self.calls()
            if _last(call) in CLIENTS
        )

    def _is_entered(self, call: ast.Call, entered: set[str]) -> bool:
        parent = self.parents.get(call)
        if isinstance(parent, ast.withitem):
            return True
        if isinstance(parent, ast.Call):
            return _last(parent) in ENTERING
        if isinstance(parent, ast.Attribute):
            return parent.attr in ENTERING
        if isinstance(parent, (ast.Return, ast.Yield)):
            return self._function(call) in entered
        if isinstance(parent, ast.Assign):
            names = {ast.unparse(target) for target in parent.targets}
            given = self._given(call, names)
            return bool((names | given) & entered)
        return False

    def _given(self, call: ast.Call, names: set[str]) -> set[str]:
        """The function around a call, where that gives the client on under its own name."""
        function: ast.AST | None = self.parents.get(call)
        while function is not None and not isinstance(function, ast.FunctionDef):
            function = self.parents.get(function)
        if not isinstance(function, ast.FunctionDef):
            return set()
        gives = any(
            isinstance(n, (ast.Return, ast.Yield)) and n.value and ast.unparse(n.value) in names
            for n in ast.walk(function)
        )
        return {function.name} if gives else set()

    def _function(self, node: ast.AST) -> str:
        above: ast.AST | None = node
        while above is not None:
            if isinstance(above, (ast.FunctionDef, ast.AsyncFunctionDef)):
                return above.name
            above = self.parents.get(above)
        return ""

    def asked(self) -> Iterator[ast.expr]:
        """The paths that it asks for, as it writes them."""
        for call in self.calls():
            if _last(call) not in VERBS or not isinstance(call.func, ast.Attribute):
                continue
            arguments = [*call.args, *(k.value for k in call.keywords if k.arg in ("url", "path"))]
            if arguments and ast.unparse(arguments[0]).strip("'\"").lower() in METHODS:
                arguments.pop(0)
            if not arguments:
                continue
            path = arguments[0]
            if not isinstance(path, (ast.Constant, ast.JoinedStr)):
                if not CALLER.search(ast.unparse(call.func.value)):
                    continue
            yield path

    # -- functions of the project ----------------------------------------------------------------------

    def uses(self, function: Function) -> bool:
        """Whether it calls a function or a method of the project, or hands it on, and does not only replace it."""
        name, module = function.facts.name, function.module.name.rpartition(".")[2]
        if function.klass is not None:
            klass = re.escape(function.klass.facts.name)
            if not re.search(rf"\b{klass}\b", self.text) or name.startswith("__"):
                return False
            return any(
                isinstance(node, ast.Attribute) and node.attr == name and self._is_used(node)
                for node in ast.walk(self.root)
            )
        names, modules = self._imported(name, module)
        for node in ast.walk(self.root):
            if isinstance(node, ast.Name) and node.id in names and self._is_used(node):
                return True
            if isinstance(node, ast.Attribute) and node.attr == name and self._is_used(node):
                if ast.unparse(node.value).rpartition(".")[2] in modules:
                    return True
        return False

    def _imported(self, name: str, module: str) -> tuple[set[str], set[str]]:
        """What the file calls a function of a module, and the module."""
        names, modules = set(), set()
        for node in ast.walk(self.root):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if alias.name == name or alias.name == "*":
                        names.add(alias.asname or name)
                    if alias.name == module:
                        modules.add(alias.asname or module)
            elif isinstance(node, ast.Import):
                modules |= {
                    alias.asname or module
                    for alias in node.names
                    if alias.name.rpartition(".")[2] == module
                }
        return names, modules

    def _is_used(self, node: ast.expr) -> bool:
        if not isinstance(node.ctx, ast.Load):  # type: ignore[attr-defined]
            return False
        parent = self.parents.get(node)
        return not (
            isinstance(parent, ast.Attribute)
            or (isinstance(parent, ast.Subscript) and OVERRIDES in ast.unparse(parent.value))
        )


@dataclass
class Tests:
    """The tests of a project that can be read."""

    __test__ = False

    workshop: Workshop
    files: list[TestFile] = field(default_factory=list)

    def __post_init__(self) -> None:
        for file in self.workshop.facts.program.project.files:
            if file.is_test and file.text:
                try:
                    self.files.append(TestFile(file.name, file.text))
                except (SyntaxError, ValueError):
                    continue
        self.entered = {name for file in self.files for name in file.entered()}

    def refuse_used(self, functions: Iterable[Function]) -> None:
        """Raise Refused where tests use one of some functions by themselves."""
        for function in functions if self.files else ():
            for file in self.files:
                if function.name.rpartition(".")[2] in file.text and file.uses(function):
                    raise Refused(f"`{file.name}` uses `{function.name}` without an application")
            for edge in self.workshop.facts.graph.into.get(function, ()):
                if edge.caller.module.file.is_test:
                    name = edge.caller.module.file.name
                    raise Refused(f"`{name}` uses `{function.name}` without an application")

    def refuse_unstarted(self, entries: Iterable[Function]) -> None:
        """Raise Refused where tests ask an application that they do not start for what needs its lifespan."""
        unstarted = [file for file in self.files if file.unstarted(self.entered)]
        if not unstarted:
            return
        routes = [route for entry in entries for route in routed(entry)]
        common = any(file.is_for_others for file in unstarted)
        for file in self.files if common else unstarted:
            for path in file.asked():
                for route in routes:
                    if may_match(path, route):
                        what = f"`{route}`" if route else "the application"
                        raise Refused(
                            f"`{file.name}` asks for {what} without starting the application"
                        )


def routed(entry: Function) -> list[str]:
    """The paths under which an entry point is registered; "" where one is not written beside it."""
    found = []
    for recipe in entry.facts.decorators:
        path = ""
        if recipe and recipe[0] == "call":
            for argument, keyword in entry.module.site(int(recipe[1])).args[:1]:
                if keyword in (None, "path") and argument and argument[0] == "const":
                    path = argument[1] if isinstance(argument[1], str) else ""
        found.append(path if path.strip("/") else "")
    return found or [""]


def may_match(path: ast.expr, route: str) -> bool:
    """Whether a path that a test asks for may be that of a route, whatever prefix its router has."""
    text = _written(path)
    if not text.startswith(("/", "http:", "https:", GAP)) or "{" in text:
        return False
    text = text.partition("?")[0].partition("#")[0].rstrip("/")
    if GAP not in text:
        return _pattern(route).search(text) is not None
    asked, wanted = text.split("/")[::-1], route.strip("/").split("/")[::-1]
    return all(
        one == other or GAP in one or "{" in other or "<" in other
        for one, other in zip(asked, wanted, strict=False)
    )


def _pattern(route: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]*\}|<[^>]*>)", route.strip("/"))
    text = "".join(
        (".+" if ":path" in part else "[^/]+") if part[:1] in ("{", "<") else re.escape(part)
        for part in parts
    )
    return re.compile(rf"(?:^|/){text}$")


def _written(node: ast.expr) -> str:
    """A path, with a gap for what is not written out in it."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_written(value) for value in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _written(node.left) + _written(node.right)
    return GAP


def _last(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
