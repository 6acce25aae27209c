"""What one module's text says by itself: scopes, bindings, functions, classes and call sites.

Expressions are kept as **recipes**, nested tuples that `evaluate` gives a type when it is asked for. The first item
is the tag:

=============================  =====================================================================
``("name", id)``               a name, looked up in the scope of the function that holds the recipe
``("attr", base, attr)``       attribute access
``("call", index)``            the result of ``ModuleFacts.calls[index]``
``("await", recipe)``          the awaited value
``("sub", base, index)``       subscription
``("any", (recipe, …))``       one of several: conditional expressions, ``or``, ``and``
``("const", value)``           a constant; values of long strings and bytes are cut
``("display", kind, (…))``     list, tuple or set display
``("dict", keys, values)``     dict display, ``None`` for unpacked keys
``("comp", kind, elt, iter)``  comprehension or generator expression, element and first iterable
``("lambda", index)``          the function ``ModuleFacts.functions[index]``
``("def", index)``             a function defined by ``def``
``("class", index)``           a class
``("import", module)``         a module bound by ``import``: ("import", "a.b") gives module a.b
``("from", level, mod, name)`` a name bound by ``from … import``
``("enter", recipe, async)``   what a ``with`` statement binds
``("iter", recipe, async)``    what a ``for`` statement binds
``("item", recipe, index)``    one element of an unpacked value
``("cmp", op, left, right)``   a comparison with one operator
``("not", recipe)``            negation
``("binop", left, right)``     arithmetic; of a division, with ``"/"`` behind
``("star", recipe)``           ``*x``
``("str", (recipe, …))``       an f-string and its values
``("yield", recipe)``          the value sent into a generator
``None``                       anything else: unknown
=============================  =====================================================================

Lines are 1-based, columns are 0-based UTF-8 byte offsets, as `ast` gives them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Recipe = Any
"""A nested tuple as described in the module's docstring; recursive types do not pay here."""

MISSING: Recipe = ("missing",)
"""Stands for the argument that a call does not hand over, so that its parameter has its default. Compare with `==`."""

Place = tuple[int, int, int]
"""(line, column, block): where an expression is read."""

END = 1 << 30
"""A line, or a column, after all others."""


@dataclass(slots=True)
class Block:
    """A suite of statements: what its execution depends on."""

    parent: int
    """Index of the enclosing block, -1 for the body of a function, class or module."""
    kind: str
    """body, if, else, for, afor, while, loopelse, try, except, finally, tryelse, with, awith, case, comp."""
    group: int
    """The same number for blocks of one statement; two if/else/case/except blocks of one group exclude each other."""
    info: Recipe
    """if/else/while: the test; for/comp: the iterable; with: a tuple of the items' recipes."""
    line: int
    ends: bool = False
    """The block ends in return, raise, break or continue."""
    lazy: bool = False
    """The body of a generator expression that is not consumed where it stands."""
    raises: bool = False
    """The block ends in return or raise: nothing after the statement runs from here."""


@dataclass(slots=True)
class Binding:
    """One place where a name of a scope gets a value."""

    recipe: Recipe
    annotation: Recipe
    line: int
    col: int
    block: int
    kind: str
    """assign, ann, for, with, import, def, class, unpack, aug, del, except, walrus, global, match."""


@dataclass(slots=True)
class AttributeBinding:
    """One place where an attribute or subscript of an object gets a value: ``base.attr = recipe``."""

    base: Recipe
    attr: str
    """The attribute's name, or "[]" for a subscript."""
    recipe: Recipe
    annotation: Recipe
    line: int
    col: int
    block: int


@dataclass(slots=True)
class Parameter:
    """One parameter of a function."""

    name: str
    kind: str
    """pos, kw, args, kwargs."""
    annotation: Recipe
    default: Recipe


@dataclass(slots=True)
class Use:
    """One place where a local name that holds the result of a call is read."""

    role: tuple[Any, ...]
    line: int
    col: int
    block: int


@dataclass(slots=True)
class CallSite:
    """A place where something is called, in words or implicitly."""

    index: int
    kind: str
    """call, with, awith, for, afor, attr, item, in, decorator."""
    function: int
    """Index of the function whose body executes it."""
    callee: Recipe
    """What is called; for implicit calls the object that is entered, iterated or read."""
    args: tuple[tuple[Recipe, str | None], ...]
    """(recipe, keyword) in order; ``*x`` is a ("star", …) recipe, ``**x`` has the keyword "**"."""
    role: tuple[Any, ...]
    """How the result stands: ("stmt",), ("await", role), ("assign", name), ("arg", call index, position or keyword),
    ("return",), ("with",), ("awith",), ("for",), ("afor",), ("test",), ("cmp",), ("in",), ("fstr",), ("op",), ("attr", name),
    ("sub",), ("elem",), ("dictval",), ("store",), ("yield",), ("star", …), ("decorator",), ("comp", kind), …"""
    block: int
    line: int
    col: int
    end_line: int
    end_col: int
    statement: tuple[int, int, bool] | None = None
    """First and last line of the statement that holds it; for a compound one, of its header, and True."""

    def __hash__(self) -> int:
        return hash((self.line, self.col, self.index))

    @property
    def extent(self) -> tuple[int, int, int, int]:
        """First line and column, last line and column, as `ast` gives them for an expression."""
        return self.line, self.col, self.end_line, self.end_col


@dataclass(slots=True)
class FunctionFacts:
    """A function, lambda, class body or module body: one scope."""

    index: int
    name: str
    qualname: str
    kind: str
    """def, async, lambda, class, module."""
    parent: int
    """Index of the enclosing function, -1 for the module body."""
    cls: int
    """Index of the class whose body defines it directly, else -1."""
    line: int
    """Of the `def`, not of its decorators."""
    col: int
    end_line: int
    first_line: int
    """Of the first decorator, else `line`."""
    root_block: int = 0
    generator: bool = False
    stub: bool = False
    """The body is only a docstring, ``...``, ``pass`` or ``raise NotImplementedError``."""
    depth: int = 0
    """Greatest nesting of expressions."""
    params: list[Parameter] = field(default_factory=list)
    decorators: list[Recipe] = field(default_factory=list)
    returns_annotation: Recipe = None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    attribute_bindings: list[AttributeBinding] = field(default_factory=list)
    returns: list[tuple[Recipe, int, int]] = field(default_factory=list)
    """(recipe, line, block)."""
    yields: list[tuple[Recipe, int, int]] = field(default_factory=list)
    globals: frozenset[str] = frozenset()
    nonlocals: frozenset[str] = frozenset()
    calls: list[int] = field(default_factory=list)
    loads: list[tuple[Recipe, int, int, int, int, tuple[Any, ...], int]] = field(
        default_factory=list
    )
    """Attributes read and not called: (recipe, line, col, end line, end col, role, block)."""
    operations: list[tuple[str, Recipe, int, int, int, int, int, tuple[int, int, bool] | None]] = (
        field(default_factory=list)
    )
    """Subscripts and tests with `in`: (method, recipe of the object, line, col, end line, end col, block, statement)."""
    loaded: tuple[str, ...] = ()
    """Names read, except reads that are in `uses`."""
    uses: dict[str, list[Use]] = field(default_factory=dict)
    """Reads of names that hold the result of a call, by name."""
    awaits: list[tuple[int, int]] = field(default_factory=list)
    """(line, block) of each await, async for and async with."""


@dataclass(slots=True)
class ClassFacts:
    """A class statement. Its body is a function of kind "class", whose bindings are the class attributes."""

    index: int
    name: str
    qualname: str
    body: int
    """Index of the body in `functions`."""
    function: int
    """Index of the function that holds the class statement."""
    line: int
    bases: list[Recipe]
    keywords: list[tuple[str | None, Recipe]]
    decorators: list[Recipe]


@dataclass(slots=True)
class ModuleFacts:
    """Everything that one module's text says by itself."""

    module: str
    is_package: bool
    functions: list[FunctionFacts] = field(default_factory=list)
    classes: list[ClassFacts] = field(default_factory=list)
    calls: list[CallSite] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    stars: list[tuple[int, str]] = field(default_factory=list)
    """``from … import *``: (level, module)."""
    exports: tuple[str, ...] | None = None
    """``__all__``, where it is a literal."""
    newer: tuple[int, int, str, tuple[int, int]] | None = None
    """What the running Python says of a text that only a newer one reads: line, column, message, and which one."""
