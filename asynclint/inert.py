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
    import _symtable  # type: ignore[import-not-found]

    bound = (
        _symtable.DEF_BOUND | _symtable.DEF_GLOBAL | _symtable.DEF_NONLOCAL | _symtable.DEF_ANNOT
    )
    try:
        tables = [_symtable.symtable(text, "text", "exec")]
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
