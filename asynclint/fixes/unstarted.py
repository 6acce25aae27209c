"""Tests that reach what an application's lifespan is to open, and do not start the application."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cached_property

from asynclint.facts.program import Function
from asynclint.facts.syntax import called
from asynclint.findings import Refused
from asynclint.fixes.place import Workshop
from asynclint.fixes.source import Tree
from asynclint.project import SourceFile

CLIENTS = frozenset(
    {"TestClient", "AsyncTestClient", "ASGITransport", "create_test_client", "test_client"}
)
"""What calls an application in its own process, and starts it where it is entered."""

TRANSPORTS = frozenset({"ASGITransport", "test_client"})
"""Those that never start it."""

STARTS = re.compile(
    r"\bLifespanManager\(|\blifespan_context\(|\bwith\s+\w*lifespan\w*\(|\btest_app\(|\.router\.startup\("
)
"""What starts an application for transports."""

ENTERING = frozenset(
    {"enter_context", "enter_async_context", "enterContext", "enterAsyncContext", "__enter__"}
)
"""Methods that enter what they are given, or what they are called on."""

ENTERS = re.compile(r"\bwith\s+\(?\s*[\w.]+\s*(?:as\b|[:,])|" + "|".join(sorted(ENTERING)))

VERBS = frozenset(
    {"get", "post", "put", "patch", "delete", "options", "head", "request", "stream",
     "websocket_connect", "open", "build_request"}
)  # fmt: skip
METHODS = frozenset({"get", "post", "put", "patch", "delete", "options", "head"})

TOOLS = frozenset({"call_tool", "read_resource", "get_prompt", "get_tool", "get_tools"})
"""Methods of a tool server that run its tools, or hand them out, with nobody connected."""

CALLER = re.compile(r"client|http|api|app\b|session|server|transport|^ac$|^c$|^tc$", re.IGNORECASE)
"""What is named so is asked for a path that the test does not spell out."""

GAP = "\0"
"""What a path has where it is not written out."""

OVERRIDES = "dependency_overrides"

SERVES = re.compile(
    r"\binclude_router\(|\bmount\(|\w*(?:rout|configur|register|middleware)\w*\(\s*app\b"
)
"""Calls that let an application serve what others have written."""

WORD = re.compile(r"[^\W\d]\w*")


class TestFile:
    """One file of tests: what it names, and what it asks an application for."""

    __test__ = False

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text

    @cached_property
    def tree(self) -> Tree:
        """The parsed file; an empty one where it cannot be parsed."""
        try:
            return Tree(self.text)
        except Refused:
            return Tree("")

    @property
    def root(self) -> ast.Module:
        return self.tree.root

    @property
    def is_for_others(self) -> bool:
        """Whether its clients may be used by the tests of other files."""
        return not re.match(r"test_|.*_test\.py$", self.name.rpartition("/")[2])

    def calls(self) -> Iterator[ast.Call]:
        return (node for node in ast.walk(self.root) if isinstance(node, ast.Call))

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(WORD.findall(self.text))

    @cached_property
    def parts(self) -> dict[str, str]:
        """What stands at its top, by each name that it binds: the text. Fixtures that nobody names are under ""."""
        found: dict[str, str] = {}
        lines = self.text.split("\n")
        for node in self.root.body:
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
            text = "\n".join(lines[first - 1 : node.end_lineno]) + "\n"
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                names = {node.name}
                if any("autouse" in ast.unparse(one) for one in node.decorator_list):
                    names.add("")
            else:
                stored = (n for n in ast.walk(node) if isinstance(n, ast.Name))
                names = {n.id for n in stored if isinstance(n.ctx, ast.Store)}
            for name in names:
                found[name] = found.get(name, "") + text
        return found

    @cached_property
    def asks(self) -> bool:
        """Whether it makes a client of an application, or asks for a path: of which application is not known."""
        if not self.words.isdisjoint(CLIENTS) or STARTS.search(self.text):
            return True
        return any(_written(path).startswith(("/", GAP)) for path in self.asked)

    @cached_property
    def entered(self) -> set[str]:
        """The names of what a `with`, or a stack, enters; of what is called there, that of the function."""
        if not ENTERS.search(self.text):
            return set()
        found = [
            item.context_expr
            for node in ast.walk(self.root)
            if isinstance(node, (ast.With, ast.AsyncWith))
            for item in node.items
        ]
        for call in self.calls():
            if called(call) in ENTERING and isinstance(call.func, ast.Attribute):
                found += [*call.args, call.func.value]
        return {ast.unparse(one.func if isinstance(one, ast.Call) else one) for one in found}

    def asks_through(self, name: str) -> bool:
        """Whether it asks through a client of this name, as it is: `client.get(…)`."""
        return any(
            called(call) in VERBS and ast.unparse(call.func.value) == name
            for call in self.calls()
            if name in self.text and isinstance(call.func, ast.Attribute)
        )

    def unstarted(self, files: list[TestFile]) -> bool:
        """Whether it makes a client of an application that neither it nor another file of tests starts."""
        if STARTS.search(self.text):
            return False
        return any(
            called(call) in TRANSPORTS or not self._is_entered(call, files)
            for call in self.calls()
            if called(call) in CLIENTS
        )

    def _is_entered(self, call: ast.Call, files: list[TestFile]) -> bool:
        parent = self.tree.parent(call)
        if isinstance(parent, ast.withitem):
            return True
        if isinstance(parent, ast.Call):
            return called(parent) in ENTERING
        if isinstance(parent, ast.Attribute):
            return parent.attr in ENTERING
        names: set[str] = set()
        if isinstance(parent, (ast.Assign, ast.AnnAssign)):
            targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
            names = {ast.unparse(target) for target in targets}
        if names & self.entered:
            return True
        given = self._gives(call, names)
        used = [f for f in files if given and f.asks_through(given)]
        return any(given in f.entered for f in files) and all(given in f.entered for f in used)

    def _gives(self, call: ast.Call, names: set[str]) -> str:
        """The function around a client's making that gives it to others, such as a fixture; "" without."""
        function: ast.AST | None = self.tree.parent(call)
        while function is not None and not isinstance(
            function, (ast.FunctionDef, ast.AsyncFunctionDef)
        ):
            function = self.tree.parent(function)
        if function is None:
            return ""
        for node in ast.walk(function):
            if isinstance(node, (ast.Return, ast.Yield)) and node.value is not None:
                if node.value is call or ast.unparse(node.value) in names:
                    return function.name
        return ""

    @cached_property
    def asked(self) -> list[ast.expr]:
        """The paths that it asks for, as it writes them."""
        return list(self._asked())

    def _asked(self) -> Iterator[ast.expr]:
        for call in self.calls():
            if called(call) not in VERBS or not isinstance(call.func, ast.Attribute):
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
        """Whether it calls a function of the project, or hands it on, and does not only replace it."""
        name = function.facts.name
        names, modules = self._imported(name, function.module.name.split("."))
        for node in ast.walk(self.root):
            if isinstance(node, ast.Name) and node.id in names and self._is_used(node):
                return True
            if isinstance(node, ast.Attribute) and node.attr == name and self._is_used(node):
                if ast.unparse(node.value).rpartition(".")[2] in modules:
                    return True
        return False

    def uses_method(self, name: str) -> bool:
        """Whether it calls a method of this name of whatever object, or hands it on."""
        modules = self._imported("", [])[1]
        return any(
            isinstance(node, ast.Attribute)
            and node.attr == name
            and self._is_used(node)
            and ast.unparse(node.value) not in modules
            for node in ast.walk(self.root)
        )

    def _imported(self, name: str, path: list[str]) -> tuple[set[str], set[str]]:
        """What the file calls a function of a module; and that module, or all modules without one."""
        names, modules = set(), set()
        for node in ast.walk(self.root):
            if isinstance(node, ast.ImportFrom):
                inside = bool(node.level) or (node.module or "").rpartition(".")[2] in path
                for alias in node.names:
                    if inside and alias.name in (name, "*"):
                        names.add(alias.asname or name)
                    if path and alias.name == path[-1]:
                        modules.add(alias.asname or alias.name)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    last = alias.name.rpartition(".")[2]
                    if not path or last == path[-1]:
                        modules.add(alias.asname or last)
        return names, modules

    def _is_used(self, node: ast.expr) -> bool:
        if not isinstance(node.ctx, ast.Load):  # type: ignore[attr-defined]
            return False
        parent = self.tree.parent(node)
        return not (
            isinstance(parent, ast.Attribute)
            or (isinstance(parent, ast.Subscript) and OVERRIDES in ast.unparse(parent.value))
        )


class Tests:
    """The tests of a project."""

    __test__ = False

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        files = workshop.facts.program.project.files
        self.files = [TestFile(f.name, f.text) for f in files if f.is_test and f.text]
        self._by_name = {file.name: file for file in self.files}
        self._whole: dict[str, TestFile] = {}
        """By name: files of tests with what they use of those that are there for tests."""

    @cached_property
    def unstarted(self) -> list[TestFile]:
        """Those that make a client of an application which they do not start."""
        made = [file for file in self.files if any(name in file.text for name in CLIENTS)]
        return [file for file in made if file.unstarted(self.files)]

    def may_reach(self, file: SourceFile, functions: Iterable[Function]) -> bool:
        """Whether the tests of a file may come to one of some functions: they name it, its class or its module, or ask an application.

        What they take from other files of tests, fixtures among it, is theirs. A file that is there for others may be
        used by any test.
        """
        test = self._by_name.get(file.name)
        if test is None or test.is_for_others:
            return True
        whole = self._with_parts(test)
        return whole.asks or not whole.words.isdisjoint(_naming(functions))

    def may_serve(self, file: SourceFile, functions: Iterable[Function]) -> bool:
        """Whether the application that a file of tests builds may serve one of some functions.

        It names one, or its module, or a module of the project that hands routes on and names it.
        """
        test = self._by_name.get(file.name)
        if test is None:
            return True
        wanted = _naming(functions)
        words = set(self._with_parts(test).words)
        waiting = dict(self._serving)
        while words.isdisjoint(wanted):
            named = [name for name in waiting if name in words]
            if not named:
                return False
            for name in named:
                words |= waiting.pop(name)
        return True

    @cached_property
    def _serving(self) -> dict[str, frozenset[str]]:
        """The modules of the project that hand routes on, by their last names: the words in them."""
        found: dict[str, frozenset[str]] = {}
        for file in self.workshop.facts.program.project.files:
            if not file.is_test and file.text and SERVES.search(file.text):
                name = file.path.parent.name if file.path.stem == "__init__" else file.path.stem
                found[name] = found.get(name, frozenset()) | frozenset(WORD.findall(file.text))
        return found

    def _with_parts(self, test: TestFile) -> TestFile:
        """A file of tests with what it uses of the files that are there for tests; each is read once."""
        if test.name in self._whole:
            return self._whole[test.name]
        text, words = test.text, test.words | {""}
        waiting = dict(self._parts)
        while named := [name for name in waiting if name in words]:
            new = "".join(waiting.pop(name) for name in named)
            text += "\n" + new
            words = frozenset(WORD.findall(new))
        whole = self._whole[test.name] = TestFile(test.name, text)
        return whole

    @cached_property
    def _parts(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for file in self.files:
            for name, text in file.parts.items() if file.is_for_others else ():
                found[name] = found.get(name, "") + text
        return found

    def refuse_used(self, functions: Iterable[Function]) -> None:
        """Raise Refused where tests use one of some functions by themselves."""
        for function in functions if self.files else ():
            for file in self._saying(function.facts.name):
                if self._is_used(function, file):
                    raise Refused(f"`{file.name}` uses `{function.name}` without an application")
            for edge in self.workshop.facts.graph.into.get(function, ()):
                if edge.caller.module.file.is_test:
                    name = edge.caller.module.file.name
                    raise Refused(f"`{name}` uses `{function.name}` without an application")

    def _is_used(self, function: Function, file: TestFile) -> bool:
        """Whether a file uses a function; a method, where tests speak of its class: an object may come from a fixture."""
        if function.klass is None:
            parent = function.parent
            return parent is not None and parent.facts.kind == "module" and file.uses(function)
        name = function.facts.name
        if name.startswith("__"):
            return False
        speaking = self._saying(function.klass.facts.name)
        known = file in speaking if name in VERBS else bool(speaking)
        return known and file.uses_method(name)

    def _saying(self, word: str) -> list[TestFile]:
        found = (self._by_name.get(file.name) for file in self.workshop.saying(word))
        return [file for file in found if file is not None]

    def refuse_unstarted(self, entries: Iterable[Function]) -> None:
        """Raise Refused where tests ask an application that they do not start for what needs its lifespan."""
        if not self.unstarted:
            return
        routes = [route for entry in entries for route in routed(entry)]
        common = any(file.is_for_others for file in self.unstarted)
        for file in self.files if common else self.unstarted:
            for path in file.asked:
                for route in routes:
                    if may_match(path, route):
                        what = f"`{route}`" if route else "the application"
                        raise Refused(
                            f"`{file.name}` asks for {what} without starting the application"
                        )

    def refuse_called(self, server: str) -> None:
        """Raise Refused where tests call the tools of a server without a session, in which there is no context."""
        for file in self._saying(server):
            for call in file.calls():
                if called(call) in TOOLS and isinstance(call.func, ast.Attribute):
                    if ast.unparse(call.func.value).rpartition(".")[2] == server:
                        raise Refused(f"`{file.name}` calls tools of `{server}` without a session")


def _naming(functions: Iterable[Function]) -> set[str]:
    """The last names of some functions, of their classes and of their modules."""
    found: set[str] = set()
    for function in functions:
        found |= {function.facts.name, function.module.name.rpartition(".")[2]}
        if function.klass is not None:
            found.add(function.klass.facts.name)
    return found


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
    """Whether a path that a test asks for may be that of a route, whatever prefix its router has; "" may be any."""
    text = _written(path)
    if not text.startswith(("/", "http:", "https:", GAP)) or "{" in text:
        return False
    if not route:
        return True
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
