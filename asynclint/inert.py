"""Code on which no finding can depend: functions that only compute a value from what they are given, and constants.

They may call builtins that give a value, or print one. Nothing is inferred; a builtin is one where the text binds its
name nowhere. It is read from syntax trees that have their names, for to import `ast` takes longer than to parse.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    Docstring = tuple[int, int, list[str]]
    """How many lines come before and behind it, and its lines."""

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

BUILTINS = frozenset(
    {
        "abs",
        "ascii",
        "bool",
        "chr",
        "float",
        "int",
        "len",
        "ord",
        "print",
        "repr",
        "round",
        "str",
    }
)
"""Builtins that do nothing else, as far as the tables say that come with asynclint."""

TELLING = ("asynclint", "async", "await", "coding", "global", "startup", "yield")
"""Words by which a comment says something to Python, to this tool, or to what it looks for in a text."""


DOCUMENTED = frozenset({"Module", "FunctionDef", "AsyncFunctionDef", "ClassDef"})

LEADING = ("@", "break", "continue", "from", "import", "raise", "return")
"""What lines of a statement begin with that somebody looks for in a text, and not in its tree."""

READ = (*TELLING, "setattr", "defaultlifespan")
"""Words that are looked for in texts, strings and comments not left out."""

CALLED = ("pop(", "attr(", "(app", "(state", "(self")
"""The same of calls."""


LOGGING = frozenset({"critical", "debug", "error", "info", "warning"})
"""Methods of a logger that take a message and what stands in it."""

CALLED_NAMES = BUILTINS | LOGGING
"""What is handed to functions of such a name would be looked at."""

FUNCTIONS = frozenset({"FunctionDef", "AsyncFunctionDef"})
BINDING = frozenset(
    {"annotation", "decorator_list", "optional_vars", "pattern", "target", "targets"}
)
"""Parts of a statement in which names are not only read."""

CALM = frozenset({"AnnAssign", "Assert", "Assign", "AugAssign", "Expr"})
"""Statements that go on with the next one, and open no block."""


class Definition:
    """A definition of which no finding depends: the name that it gives, and the builtins that it calls."""

    __slots__ = ("_parameters", "calls", "name")

    def __init__(self, name: str, parameters: frozenset[str]) -> None:
        self.name = name
        self.calls: set[str] = set()
        self._parameters = parameters

    def computes(self, statement: Any) -> bool:
        """Whether a statement does nothing but decide, print and return."""
        kind = type(statement).__name__
        if kind == "Pass":
            return True
        if kind == "Return":
            return statement.value is None or self._is_value(statement.value)
        if kind == "Expr":
            kind = type(statement.value).__name__
            return kind in ("Constant", "Call") and self._is_value(statement.value)
        if kind != "If" or not self._is_value(statement.test):
            return False
        return all(map(self.computes, (*statement.body, *statement.orelse)))

    def _is_value(self, node: Any) -> bool:
        """Whether an expression is made of parameters and constants, and of what builtins make of those."""
        kind = type(node).__name__
        if kind == "Constant":
            return tells_nothing(node)
        if kind == "Call":
            return self._is_plain(node)
        if kind not in VALUES or (kind == "Name" and node.id not in self._parameters):
            return False
        return all(map(self._is_value, _operands(node)))

    def _is_plain(self, call: Any) -> bool:
        """Whether a call is one of a builtin, and hands it no result of another call."""
        name = getattr(call.func, "id", None)
        if name not in BUILTINS or name in self._parameters or call.keywords:
            return False
        self.calls.add(name)
        return not any(map(_calls, call.args)) and all(map(self._is_value, call.args))


def definition(node: Any, fixes: bool) -> Definition | None:
    """A top-level statement that only defines a function which computes a value, or a constant; None for any other.

    `fixes` says that the output shows fixes, which depend on more of a text than findings do.
    """
    kind = type(node).__name__
    if kind == "Assign":
        plain = len(node.targets) == 1 and type(node.targets[0]).__name__ == "Name"
        constant = plain and type(node.value).__name__ == "Constant" and tells_nothing(node.value)
        return Definition(str(node.targets[0].id), frozenset()) if constant else None
    if kind != "FunctionDef" or node.decorator_list or node.returns or _variables(node):
        return None
    given = node.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    every += [one for one in (given.vararg, given.kwarg) if one is not None]
    defaults = [*given.defaults, *(one for one in given.kw_defaults if one is not None)]
    if any(one.annotation is not None for one in every) or (every and fixes):
        return None
    if not all(type(one).__name__ == "Constant" and tells_nothing(one) for one in defaults):
        return None
    found = Definition(str(node.name), frozenset(one.arg for one in every))
    if not all(map(found.computes, node.body)) or (found.calls and fixes):
        return None
    return found


def are_builtins(names: set[str], text: str) -> bool:
    """Whether names mean the builtins wherever a text reads them."""
    if any(part.lstrip(" \t\\\n")[:1] == "*" for part in text.split("import")[1:]):
        return False
    bound = _bound()
    try:
        tables = [_symbols().symtable(text, "text", "exec")]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    for table in tables:
        if any(table.symbols.get(name, 0) & bound for name in names):
            return False
        tables += table.children
    return True


def documentation(tree: Any, lines: list[str], first: int, end: int) -> Docstring | None:
    """The docstring to which lines of a text belong; None where there is none, or more than it stands on its lines."""
    stack = [tree]
    while stack:
        around = stack.pop()
        for index, one in enumerate(_statements(around)):
            if not one.lineno - 1 <= first <= end <= one.end_lineno:
                continue
            if index == 0 and type(around).__name__ in DOCUMENTED and _is_string(one):
                own = lines[one.lineno - 1 : one.end_lineno]
                alone = not own[-1].encode()[one.end_col_offset :].strip()
                indent = own[0][: one.col_offset]
                if not alone or indent.strip():
                    return None
                if any(line.strip() and not line.startswith(indent) for line in own):
                    return None
                return one.lineno - 1, len(lines) - one.end_lineno, own
            stack.append(one)
    return None


def _is_string(node: Any) -> bool:
    return type(node).__name__ == "Expr" and isinstance(getattr(node.value, "value", None), str)


def _statements(node: Any) -> Iterator[Any]:
    """The statements, handlers and cases directly in another one, those of its body first."""
    for name in ("body", "orelse", "handlers", "finalbody", "cases"):
        for one in getattr(node, name, ()):
            if hasattr(one, "pattern"):
                yield from one.body
            elif hasattr(one, "lineno"):
                yield one


# -- what prints -----------------------------------------------------------------------------------


def printing(
    text: str, tree: Any, lines: list[str], edited: tuple[int, int], sought: Sequence[str]
) -> set[str] | None:
    """What is called by statements that only print or log, if nothing else stands on some lines; else None.

    `edited` says where the lines begin and end. `sought` are names that are looked for in texts.
    """
    found = _Printing(text, tree, lines, *edited, sought)
    return found.called if found.is_all() else None


class _Printing:
    """Statements on some lines of a text, each of them in a function, that print or log their parameters."""

    def __init__(
        self, text: str, tree: Any, lines: list[str], first: int, end: int, sought: Sequence[str]
    ) -> None:
        self.text = text
        self.tree = tree
        self.lines = lines
        self.first = first
        self.end = end
        self.sought = sought
        self.called: set[str] = set()
        self._covered: set[int] = set()
        self._tables: list[Any] = []

    def is_all(self) -> bool:
        """Whether nothing else stands on the lines."""
        own = self.lines[self.first : self.end]
        lowered = "\n".join(own).lower()
        squeezed = "".join(lowered.split())
        if any(word in lowered for word in READ) or any(sign in squeezed for sign in CALLED):
            return False
        if any(name in line for name in self.sought for line in own):
            return False
        if any(line.lstrip().startswith(LEADING) for line in own):
            return False
        if not self._takes(self.tree, None):
            return False
        code = {
            number
            for number, line in enumerate(own, self.first + 1)
            if line.strip() and not line.lstrip().startswith("#")
        }
        comments = (line.lstrip() for line in own)
        return code <= self._covered and all(
            is_prose(one[1:]) for one in comments if one.startswith("#")
        )

    def _takes(self, around: Any, function: Any) -> bool:
        """Whether what begins on the lines, below a node, are such statements."""
        if type(around).__name__ in FUNCTIONS:
            function = around
        elif type(around).__name__ == "ClassDef":
            function = None
        for suite in _suites(around):
            here = [one for one in suite if self.first < _start(one) <= self.end]
            if here and not self._are_quiet(here, suite, function):
                return False
            for one in suite:
                if _start(one) <= self.first < one.end_lineno and not self._goes_into(
                    one, function
                ):
                    return False
        return True

    def _goes_into(self, statement: Any, function: Any) -> bool:
        """Whether the lines lie in the suites of a statement that begins before them, and not in anything else of it."""
        if not any(_suites(statement)) or any(
            one.lineno <= self.end and one.end_lineno > self.first for one in _header(statement)
        ):
            return False
        return self._takes(statement, function)

    def _are_quiet(self, here: list[Any], suite: list[Any], function: Any) -> bool:
        rest = [one for one in suite if one not in here]
        if function is None or not rest or here[-1].end_lineno > self.end:
            return False
        if here[-1] is suite[-1]:
            last = self.lines[rest[-1].end_lineno - 1].lstrip()
            if type(rest[-1]).__name__ not in CALM or last.startswith(LEADING):
                return False
        if suite is function.body and all(_is_stub(one) for one in rest):
            return False
        if not all(self._is_quiet(one, function) for one in here):
            return False
        for one in here:
            own = self.lines[one.lineno - 1 : one.end_lineno]
            if any(line[: one.col_offset].strip() for line in own):
                return False
            self._covered.update(range(one.lineno, one.end_lineno + 1))
        return True

    def _is_quiet(self, statement: Any, function: Any) -> bool:
        call: Any = getattr(statement, "value", None)
        if type(statement).__name__ != "Expr" or type(call).__name__ != "Call":
            return False
        given = [*call.args, *(one.value for one in call.keywords)]
        if any(one.arg is None for one in call.keywords):
            return False
        return self._is_printer(call.func) and all(self._is_shown(one, function) for one in given)

    def _is_printer(self, func: Any) -> bool:
        name = getattr(func, "id", None)
        if name == "print":
            self.called.add(name)
            return are_builtins({name}, self.text)
        base = getattr(getattr(func, "value", None), "id", None)
        if base is None or func.attr not in LOGGING or "loop" in base:
            return False
        self.called.add(func.attr)
        return self._is_logger(base)

    def _is_logger(self, name: str) -> bool:
        """Whether a name of the module is what `logging.getLogger(…)` gave, and nothing else, everywhere."""
        if not are_builtins(set(), self.text):
            return False
        whole, *inner = self._scopes()
        names = (name, "logging")
        signs = [whole.symbols.get(one, 0) & _bound() for one in names]
        if signs != [_symbols().DEF_LOCAL, _symbols().DEF_IMPORT]:
            return False
        if any(table.symbols.get(one, 0) & _bound() for table in inner for one in names):
            return False
        made = [one for one in self.tree.body if _makes_logger(one, name)]
        imported = [one for one in self.tree.body if _imports_logging(one)]
        return len(made) == len(imported) == 1 and len(list(_bindings(self.tree, names))) == 2

    def _is_shown(self, node: Any, function: Any) -> bool:
        kind = type(node).__name__
        if kind == "Constant":
            return not isinstance(node.value, str) or is_text(node.value.split("\n"), self.sought)
        if kind == "JoinedStr":
            return all(self._is_shown(one, function) for one in node.values)
        if kind == "FormattedValue":
            spec = node.format_spec
            return self._is_shown(node.value, function) and (
                spec is None or self._is_shown(spec, function)
            )
        return kind == "Name" and self._is_read(node.id, function)

    def _is_read(self, name: str, function: Any) -> bool:
        """Whether a name is a parameter that the function only reads, and reads elsewhere, too."""
        place = (function.name, function.lineno)
        tables = [one for one in self._scopes() if (one.name, one.lineno) == place]
        if len(tables) != 1:
            return False
        if tables[0].symbols.get(name, 0) & _bound() != _symbols().DEF_PARAM:
            return False
        stack = [one for one in function.body if not self.first < _start(one) <= self.end]
        while stack:
            node = stack.pop()
            kind = type(node).__name__
            if kind in ("Lambda", "ClassDef", *FUNCTIONS):
                continue
            if kind in ("Call", "Compare", "Return") and any(
                getattr(one, "id", None) == name for one in _operands(node)
            ):
                return True
            for field in node._fields:
                value = getattr(node, field, None) if field not in BINDING else None
                stack += [
                    one
                    for one in (value if isinstance(value, list) else (value,))
                    if hasattr(one, "_fields")
                    and not self.first < getattr(one, "lineno", 0) <= self.end
                ]
        return False

    def _scopes(self) -> list[Any]:
        if not self._tables:
            self._tables = [_symbols().symtable(self.text, "text", "exec")]
            for table in self._tables:
                self._tables += table.children
        return self._tables


def _makes_logger(node: Any, name: str) -> bool:
    """`log = logging.getLogger(…)`."""
    func: Any = getattr(getattr(node, "value", None), "func", None)
    return (
        type(node).__name__ == "Assign"
        and [getattr(one, "id", None) for one in node.targets] == [name]
        and getattr(func, "attr", None) == "getLogger"
        and getattr(func.value, "id", None) == "logging"
    )


def _imports_logging(node: Any) -> bool:
    return type(node).__name__ == "Import" and any(
        one.name == "logging" and one.asname is None for one in node.names
    )


def _symbols() -> Any:
    """What tells of the scopes of a text."""
    import _symtable  # type: ignore[import-not-found]

    return _symtable


def _bound() -> int:
    """The signs by which a table of symbols says that a scope binds a name, or takes it for one of another scope."""
    known = _symbols()
    found: int = known.DEF_BOUND | known.DEF_GLOBAL | known.DEF_NONLOCAL | known.DEF_ANNOT
    return found


def _bindings(tree: Any, names: Sequence[str]) -> Iterator[Any]:
    """The nodes of a module, not of its functions and classes, that bind one of some names."""
    stack = [tree]
    while stack:
        for one in _below(stack.pop()):
            kind = type(one).__name__
            bound = [getattr(one, "name", None), getattr(one, "rest", None)]
            if kind == "Name" and type(one.ctx).__name__ != "Load":
                bound = [one.id]
            elif kind == "alias":
                bound = [one.asname or one.name.partition(".")[0]]
            yield from (one for name in bound if name in names)
            if kind not in ("Lambda", "ClassDef", *FUNCTIONS):
                stack.append(one)


def _below(node: Any) -> Iterator[Any]:
    for field in node._fields:
        value = getattr(node, field, None)
        for one in value if isinstance(value, list) else (value,):
            if hasattr(one, "_fields"):
                yield one


def _suites(node: Any) -> Iterator[list[Any]]:
    """The lists of statements directly in a statement."""
    for name in ("body", "orelse", "finalbody"):
        suite = getattr(node, name, None)
        if isinstance(suite, list):
            yield suite
    for one in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield one.body


def _header(node: Any) -> Iterator[Any]:
    """The expressions of a statement that stand in none of its suites."""
    for field in node._fields:
        value = getattr(node, field, None)
        if field in ("body", "orelse", "finalbody"):
            continue
        for one in value if isinstance(value, list) else (value,):
            if hasattr(one, "_fields"):
                if hasattr(one, "lineno") and not isinstance(getattr(one, "body", None), list):
                    yield one
                else:
                    yield from _header(one)


def _start(node: Any) -> int:
    above = getattr(node, "decorator_list", None) or [node]
    line: int = above[0].lineno
    return line


def _is_stub(node: Any) -> bool:
    """Whether a statement may stand in a function that is not written yet."""
    kind = type(node).__name__
    return kind in ("Pass", "Raise") or (kind == "Expr" and type(node.value).__name__ == "Constant")


# -- text -------------------------------------------------------------------------------------------


def is_text(lines: list[str], sought: Sequence[str]) -> bool:
    """Whether the lines of a docstring hold nothing that is looked for in texts: these names, and what looks like code."""
    text = "\n".join(lines)
    lowered = text.lower()
    if any(sign in lowered for sign in READ) or any(name in text for name in sought):
        return False
    squeezed = "".join(lowered.split())
    if any(sign in squeezed for sign in CALLED):
        return False
    behind = (part.lstrip()[:1] for part in text.split(".")[1:])
    if any(one.islower() or one == "_" for one in behind):
        return False
    return not any(line.lstrip().startswith(LEADING) for line in lines)


def is_prose(comment: str) -> bool:
    """Whether a comment is for people alone, and no code that somebody has put aside."""
    words = comment.strip().rstrip(".").lower()
    return not any(sign in words for sign in (*TELLING, "(", "=", ".", "["))


def tells_nothing(constant: Any) -> bool:
    """Whether a constant is none that reads like code."""
    value = constant.value
    return is_prose(value) if isinstance(value, str) else not isinstance(value, bytes)


def _variables(node: Any) -> bool:
    return bool(getattr(node, "type_params", None))


def _calls(node: Any) -> bool:
    """Whether an expression holds a call."""
    return type(node).__name__ == "Call" or any(map(_calls, _operands(node)))


def _operands(node: Any) -> Iterator[Any]:
    for field in node._fields:
        value = getattr(node, field)
        for one in value if isinstance(value, list) else (value,):
            # Operators and contexts have no position.
            if hasattr(one, "lineno"):
                yield one
