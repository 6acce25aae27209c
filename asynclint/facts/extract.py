"""One module's text → ModuleFacts, in one walk over the standard library's `ast`; no other module is needed."""

from __future__ import annotations

import ast
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

from asynclint.facts.model import (
    AttributeBinding,
    Binding,
    Block,
    CallSite,
    ClassFacts,
    FunctionFacts,
    ModuleFacts,
    Parameter,
    Recipe,
    Use,
)

Role = tuple[Any, ...]

STMT: Role = ("stmt",)
RETURN: Role = ("return",)
YIELD: Role = ("yield",)
TEST: Role = ("test",)
NOT: Role = ("not",)
CMP: Role = ("cmp",)
IN: Role = ("in",)
FSTR: Role = ("fstr",)
OP: Role = ("op",)
SUB: Role = ("sub",)
INDEX: Role = ("index",)
DICTKEY: Role = ("dictkey",)
STORE: Role = ("store",)
CALLEE: Role = ("callee",)
WITH: Role = ("with",)
AWITH: Role = ("awith",)
FOR: Role = ("for",)
AFOR: Role = ("afor",)
DECORATOR: Role = ("decorator",)
DEFAULT: Role = ("default",)
ANNOTATION: Role = ("annotation",)
BASE: Role = ("base",)
RAISE: Role = ("raise",)
UNPACK: Role = ("unpack",)

LAZY = frozenset({"assign", "return", "store", "elem", "dictval", "attr"})
"""How a generator expression stands when it is only made here, and run by whoever iterates over it."""

MAX_STRING = 120
DEEP_STACK = 256 * 1024 * 1024
DEEP_RECURSION = 60_000


class TooDeep(Exception):
    """The source nests deeper than can be followed."""


def extract(text: str, module: str, is_package: bool) -> ModuleFacts:
    """Read one module.

    Text that only a newer Python parses is read as far as it can be spelled for this one. Raises SyntaxError (also for
    NUL bytes) for text that does not parse, and TooDeep where it nests beyond reason.
    """
    try:
        return _extract(text, module, is_package)
    except (RecursionError, MemoryError):
        return _in_deep_thread(lambda: _extract(text, module, is_package))


def parse(text: str) -> ast.Module:
    """`ast.parse` without the warnings that the compiler has about other people's string escapes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text.removeprefix("\ufeff"))
        except ValueError as error:
            raise SyntaxError(str(error)) from None


def _extract(text: str, module: str, is_package: bool) -> ModuleFacts:
    newer = None
    try:
        tree = parse(text)
    except SyntaxError as error:
        tree, newer = _respelled(text, error)
    extractor = _Extractor(module, is_package)
    extractor.module_body(tree)
    extractor.facts.newer = newer
    return extractor.facts


def _respelled(
    text: str, error: SyntaxError
) -> tuple[ast.Module, tuple[int, int, str, tuple[int, int]]]:
    """The tree of a text that is too new for the running Python, and what that said of it; raises the error for any other."""
    from asynclint.facts.newer import older

    found = older(text.removeprefix("\ufeff"))
    if found is None or found[1] <= sys.version_info[:2]:
        raise error
    try:
        tree = parse(found[0])
    except SyntaxError:
        raise error from None
    return tree, (error.lineno or 1, error.offset or 1, error.msg or "", found[1])


def _in_deep_thread(work: Callable[[], ModuleFacts]) -> ModuleFacts:
    """Run `work` with a stack that deep nesting needs: generated code has thousands of chained calls."""
    outcome: list[ModuleFacts | BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            outcome.append(error)

    limit = sys.getrecursionlimit()
    size = threading.stack_size(DEEP_STACK)
    sys.setrecursionlimit(DEEP_RECURSION)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(size)
    result = outcome[0]
    if isinstance(result, (RecursionError, MemoryError)):
        raise TooDeep
    if isinstance(result, BaseException):
        raise result
    return result


class _Extractor:
    """The walk. `fn` is the function whose body is being read, `block` the innermost suite."""

    def __init__(self, module: str, is_package: bool) -> None:
        self.facts = ModuleFacts(module, is_package)
        self.fn: FunctionFacts = None  # type: ignore[assignment]
        self.loaded: set[str] = set()
        """What `fn` reads."""
        self.all_loaded: list[set[str]] = []
        """The same of every function, by its index."""
        self.block = 0
        self.group = 0
        self.depth = 0
        self.statement: tuple[int, int, bool] | None = None
        self.arms: tuple[int, ...] = ()
        """The blocks of which the last compound statement ran one; none where it may run none."""
        self.left: set[int] = set()
        """The blocks behind which nothing runs, from whatever they hold."""
        self.bound_at: tuple[int, int] | None = None
        """Where an assignment takes effect: at its end, so that its own value sees the names before it."""

    # -- scopes ---------------------------------------------------------------------------------

    def module_body(self, tree: ast.Module) -> None:
        self._open(
            "<module>", "<module>", "module", -1, 1, 0, len(tree.body) and _end(tree.body), 1
        )
        self._statements(tree.body)
        for fn, loaded in zip(self.facts.functions, self.all_loaded, strict=True):
            # A set would take ten times the room.
            fn.loaded = tuple(loaded)

    def _open(
        self,
        name: str,
        qualname: str,
        kind: str,
        cls: int,
        line: int,
        col: int,
        end_line: int,
        first_line: int,
    ) -> FunctionFacts:
        facts = self.facts
        fn = FunctionFacts(
            len(facts.functions),
            name,
            qualname,
            kind,
            self.fn.index if self.fn else -1,
            cls,
            line,
            col,
            end_line,
            first_line,
        )
        facts.functions.append(fn)
        fn.root_block = self._new_block(-1, "body", None, line)
        self.loaded = set()
        self.all_loaded.append(self.loaded)
        self.fn = fn
        self.block = fn.root_block
        return fn

    def _close(self, outer: FunctionFacts, block: int) -> None:
        self.fn, self.block, self.loaded = outer, block, self.all_loaded[outer.index]

    def _new_block(self, parent: int, kind: str, info: Recipe, line: int, group: int = 0) -> int:
        blocks = self.facts.blocks
        blocks.append(Block(parent, kind, group, info, _INTEGERS[line]))
        return len(blocks) - 1

    def _suite(
        self,
        body: list[ast.stmt],
        kind: str,
        info: Recipe,
        line: int,
        group: int = 0,
        reached: bool = True,
    ) -> int:
        outer = self.block
        inside = self.block = self._new_block(outer, kind, info, line, group)
        if reached:
            self._statements(body)
        else:
            self._unreached(body)
        self.block = outer
        return inside

    def _statements(self, body: list[ast.stmt]) -> None:
        for node in body:
            kind = type(node)
            handler = _STATEMENTS.get(kind)
            if handler is not None:
                if kind in _COMPOUND:
                    self.statement = _header(node)
                else:
                    line = _INTEGERS[node.lineno]
                    self.statement = (line, _INTEGERS[node.end_lineno or line], False)
                handler(self, node)
            if kind in _LEAVING and self._leaves(node):
                if node is not body[-1]:
                    self._unreached(body[body.index(node) + 1 :])
                break
        self.statement = None

    def _leaves(self, node: ast.stmt) -> bool:
        """Whether nothing behind a statement runs; what the block then is."""
        kind = type(node)
        blocks = self.facts.blocks
        block = blocks[self.block]
        arms: tuple[int, ...] = ()
        if kind is ast.Return or kind is ast.Raise:
            block.raises = True
        elif kind is ast.While or kind is ast.Assert:
            if kind is ast.While and not _is_endless(node):  # type: ignore[arg-type]
                return False
            if kind is ast.Assert and _constant(node.test) is not False:  # type: ignore[attr-defined]
                return False
            block.raises = True
        elif kind is not ast.Continue and kind is not ast.Break:
            # `if a: return … else: raise …` ends the block that holds it.
            arms = self.arms
            if not arms or not all(blocks[arm].ends for arm in arms):
                return False
            block.raises = all(blocks[arm].raises for arm in arms)
        block.ends = True
        if all(arm in self.left for arm in arms):
            self.left.add(self.block)
            return True
        return False

    def _unreached(self, body: list[ast.stmt]) -> None:
        """Read statements that never run: they bind names, and make a generator of a function, but call nothing."""
        fn = self.fn
        kept = fn.calls, fn.returns, fn.loads, fn.awaits, fn.operations
        first = len(self.facts.functions)
        fn.calls, fn.returns, fn.loads, fn.awaits, fn.operations = [], [], [], [], []
        block = self.facts.blocks[self.block]
        ends, raises = block.ends, block.raises
        self._statements(body)
        block.ends, block.raises = ends, raises
        fn.calls, fn.returns, fn.loads, fn.awaits, fn.operations = kept
        for inner in self.facts.functions[first:]:
            inner.calls, inner.loads, inner.operations = [], [], []

    # -- statements -----------------------------------------------------------------------------

    def s_expr(self, node: ast.Expr) -> None:
        value = node.value
        if type(value) is ast.Constant:
            return
        self.expr(value, STMT)

    def s_assign(self, node: ast.Assign) -> None:
        targets = node.targets
        first = targets[0]
        role: Role = STORE
        if type(first) is ast.Name:
            role = ("assign", first.id) if len(targets) == 1 else ("assign", first.id, "more")
        elif type(first) in (ast.Tuple, ast.List):
            role = UNPACK
        value = self.expr(node.value, role)
        if role[0] == "assign" and len(role) == 2 and self._may_be_coroutine(value):
            self._track(role[1])
        self.bound_at = (node.end_lineno or node.lineno, node.end_col_offset or 0)
        for target in targets:
            self._bind(target, value, None, "assign")
        self.bound_at = None
        if (
            type(first) is ast.Name
            and first.id == "__all__"
            and self.fn.kind == "module"
            and type(node.value) in (ast.List, ast.Tuple)
        ):
            self.facts.exports = tuple(
                e.value
                for e in node.value.elts  # type: ignore[attr-defined]
                if type(e) is ast.Constant and isinstance(e.value, str)
            )

    def s_ann_assign(self, node: ast.AnnAssign) -> None:
        annotation = self.annotation(node.annotation)
        value: Recipe = None
        target = node.target
        if node.value is not None:
            role: Role = ("assign", target.id) if type(target) is ast.Name else STORE
            value = self.expr(node.value, role)
            if role[0] == "assign" and self._may_be_coroutine(value):
                self._track(role[1])
        self.bound_at = (node.end_lineno or node.lineno, node.end_col_offset or 0)
        self._bind(target, value, annotation, "ann" if node.value is None else "assign")
        self.bound_at = None

    def s_aug_assign(self, node: ast.AugAssign) -> None:
        self.expr(node.value, OP)
        if type(node.target) is ast.Name:
            self.loaded.add(node.target.id)
            self._bind(node.target, None, None, "aug")
        else:
            self.expr(node.target, OP)

    def s_return(self, node: ast.Return) -> None:
        recipe = self.expr(node.value, RETURN) if node.value is not None else ("const", None)
        self.fn.returns.append((recipe, node.lineno, self.block))

    def s_raise(self, node: ast.Raise) -> None:
        if node.exc is not None:
            self.expr(node.exc, RAISE)
        if node.cause is not None:
            self.expr(node.cause, RAISE)

    def s_if(self, node: ast.If) -> None:
        test = self.expr(node.test, TEST)
        self.group += 1
        group = self.group
        holds = _constant(node.test)
        body = self._suite(node.body, "if", test, node.lineno, group, holds is not False)
        arms: tuple[int, ...] = () if holds is not True else (body,)
        if node.orelse:
            orelse = self._suite(node.orelse, "else", test, node.lineno, group, holds is not True)
            arms = arms or ((body, orelse) if holds is None else (orelse,))
        self.arms = arms

    def s_while(self, node: ast.While) -> None:
        outer = self.block
        self.block = self._new_block(outer, "while", None, node.lineno)
        inside = self.block
        test = self.expr(node.test, TEST)
        self.facts.blocks[inside].info = test
        holds = _constant(node.test)
        if holds is False:
            self._unreached(node.body)
        else:
            self._statements(node.body)
        # A loop body that ends in `break` or `continue` does not end what follows the loop.
        self.block = outer
        if node.orelse:
            self._suite(node.orelse, "loopelse", test, node.lineno, reached=holds is not True)

    def s_for(self, node: ast.For | ast.AsyncFor) -> None:
        is_async = type(node) is ast.AsyncFor
        iterable = self.expr(node.iter, AFOR if is_async else FOR)
        self._site("afor" if is_async else "for", iterable, node.iter)
        if is_async:
            self.fn.awaits.append((node.lineno, self.block))
        outer = self.block
        self.block = self._new_block(outer, "afor" if is_async else "for", iterable, node.lineno)
        self._bind(node.target, ("iter", iterable, is_async), None, "for")
        self._statements(node.body)
        self.block = outer
        if node.orelse:
            self._suite(node.orelse, "loopelse", iterable, node.lineno)

    def s_with(self, node: ast.With | ast.AsyncWith) -> None:
        is_async = type(node) is ast.AsyncWith
        outer = self.block
        items: list[Recipe] = []
        if is_async:
            self.fn.awaits.append((node.lineno, self.block))
        for item in node.items:
            recipe = self.expr(item.context_expr, AWITH if is_async else WITH)
            self._site("awith" if is_async else "with", recipe, item.context_expr)
            items.append(recipe)
            if item.optional_vars is not None:
                # Later items of the same statement see the names of the earlier ones.
                self._bind(item.optional_vars, ("enter", recipe, is_async), None, "with")
        self.block = self._new_block(
            outer, "awith" if is_async else "with", tuple(items), node.lineno
        )
        inside = self.block
        self._statements(node.body)
        self.block = outer
        # A final return leaves the function; a final raise may be swallowed by the manager. So may be what the value of the
        # return raises: what follows is read as if it ran.
        self.left.discard(inside)
        returns = self.facts.blocks[inside].raises and type(node.body[-1]) is ast.Return
        self.arms = (inside,) if returns else ()

    def s_try(self, node: ast.Try) -> None:
        self.group += 1
        group = self.group
        arms = [self._suite(node.body, "try", None, node.lineno, 0)]
        for handler in node.handlers:
            outer = self.block
            caught = self.expr(handler.type, INDEX) if handler.type is not None else None
            self.block = self._new_block(outer, "except", caught, handler.lineno, group)
            if handler.name:
                self._bind_name(handler.name, ("caught", caught), None, "except", handler)
            self._statements(handler.body)
            arms.append(self.block)
            self.block = outer
        if node.orelse:
            reached = arms[0] not in self.left
            orelse = self._suite(node.orelse, "tryelse", None, node.lineno, group, reached)
            if not self.facts.blocks[arms[0]].ends:
                arms[0] = orelse
        if node.finalbody:
            final = self._suite(node.finalbody, "finally", None, node.lineno)
            if self.facts.blocks[final].ends:
                arms = [final]
        self.arms = tuple(arms)

    def s_match(self, node: ast.Match) -> None:
        subject = self.expr(node.subject, TEST)
        self.group += 1
        group = self.group
        arms = []
        for case in node.cases:
            outer = self.block
            self.block = self._new_block(outer, "case", subject, case.pattern.lineno, group)
            self._pattern(case.pattern)
            if case.guard is not None:
                self.expr(case.guard, TEST)
            self._statements(case.body)
            arms.append(self.block)
            self.block = outer
        last = node.cases[-1]
        self.arms = tuple(arms) if last.guard is None and _takes_all(last.pattern) else ()

    def _pattern(self, pattern: ast.pattern) -> None:
        for node in ast.walk(pattern):
            name = getattr(node, "name", None) or getattr(node, "rest", None)
            if isinstance(name, str):
                of = node.pattern if isinstance(node, ast.MatchAs) else None
                kind = self.annotation(of.cls) if isinstance(of, ast.MatchClass) else None
                self._bind_name(name, None, kind, "match", pattern)
            elif isinstance(node, ast.MatchClass):
                self.expr(node.cls, INDEX)

    def s_import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.asname:
                self._bind_name(alias.asname, ("import", alias.name), None, "import", node)
            else:
                top = alias.name.partition(".")[0]
                # `import a.b` binds a, and makes a.b reachable through it.
                self._bind_name(top, ("import", top), None, "import", node)

    def s_import_from(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        for alias in node.names:
            if alias.name == "*":
                self.facts.stars.append((node.level, module))
            else:
                self._bind_name(
                    alias.asname or alias.name,
                    ("from", node.level, module, alias.name),
                    None,
                    "import",
                    node,
                )

    def s_global(self, node: ast.Global) -> None:
        self.fn.globals |= frozenset(node.names)

    def s_nonlocal(self, node: ast.Nonlocal) -> None:
        self.fn.nonlocals |= frozenset(node.names)

    def s_delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if type(target) is ast.Name:
                self._bind(target, None, None, "del")
            else:
                self.expr(target, INDEX)

    def s_assert(self, node: ast.Assert) -> None:
        self.expr(node.test, TEST)
        if node.msg is not None:
            self.expr(node.msg, OP)

    def s_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        outer = self.fn
        decorators = [self.expr(d, DECORATOR) for d in node.decorator_list]
        params = self._params(node.args, annotations=True)
        returns = self.annotation(node.returns)
        cls = self._class_index(outer)
        qualname = node.name if outer.kind == "module" else f"{outer.qualname}.{node.name}"
        first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
        outer_block, outer_depth = self.block, self.depth
        fn = self._open(
            node.name,
            qualname,
            "async" if type(node) is ast.AsyncFunctionDef else "def",
            cls,
            node.lineno,
            node.col_offset,
            node.end_lineno or node.lineno,
            first,
        )
        fn.decorators = decorators
        fn.params = params
        fn.returns_annotation = returns
        fn.stub = _is_stub(node.body)
        self.depth = 0
        self._statements(node.body)
        self._close(outer, outer_block)
        self.depth = outer_depth
        self._bind_name(node.name, ("def", fn.index), None, "def", node)

    def s_class(self, node: ast.ClassDef) -> None:
        outer = self.fn
        decorators = [self.expr(d, DECORATOR) for d in node.decorator_list]
        bases = [self.expr(b, BASE) for b in node.bases]
        keywords = [(k.arg, self.expr(k.value, BASE)) for k in node.keywords]
        qualname = node.name if outer.kind == "module" else f"{outer.qualname}.{node.name}"
        index = len(self.facts.classes)
        cls = ClassFacts(
            index, node.name, qualname, -1, outer.index, node.lineno, bases, keywords, decorators
        )
        self.facts.classes.append(cls)
        outer_block = self.block
        first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
        body = self._open(
            node.name,
            qualname,
            "class",
            -1,
            node.lineno,
            node.col_offset,
            node.end_lineno or node.lineno,
            first,
        )
        cls.body = body.index
        body.cls = index
        self._statements(node.body)
        self._close(outer, outer_block)
        self._bind_name(node.name, ("class", index), None, "class", node)

    def _class_index(self, outer: FunctionFacts) -> int:
        return outer.cls if outer.kind == "class" else -1

    def _params(self, args: ast.arguments, annotations: bool) -> list[Parameter]:
        params: list[Parameter] = []
        positional = args.posonlyargs + args.args
        missing = len(positional) - len(args.defaults)
        for i, arg in enumerate(positional):
            default = self.expr(args.defaults[i - missing], DEFAULT) if i >= missing else None
            params.append(Parameter(arg.arg, "pos", self.annotation(arg.annotation), default))
        if args.vararg:
            params.append(
                Parameter(args.vararg.arg, "args", self.annotation(args.vararg.annotation), None)
            )
        for arg, value in zip(args.kwonlyargs, args.kw_defaults, strict=False):
            default = self.expr(value, DEFAULT) if value is not None else None
            params.append(Parameter(arg.arg, "kw", self.annotation(arg.annotation), default))
        if args.kwarg:
            params.append(
                Parameter(args.kwarg.arg, "kwargs", self.annotation(args.kwarg.annotation), None)
            )
        return params

    # -- bindings -------------------------------------------------------------------------------

    def _bind(self, target: ast.expr, value: Recipe, annotation: Recipe, kind: str) -> None:
        cls = type(target)
        if cls is ast.Name:
            self._bind_name(target.id, value, annotation, kind, target)  # type: ignore[attr-defined]
        elif cls is ast.Attribute:
            attr: Role = ("attr", target.attr, "store")  # type: ignore[attr-defined]
            named = type(target.value) is _Name  # type: ignore[attr-defined]
            base = self.expr(target.value, attr if named else CALLEE)  # type: ignore[attr-defined]
            self.fn.attribute_bindings.append(
                AttributeBinding(
                    base,
                    target.attr,  # type: ignore[attr-defined]
                    value,
                    annotation,
                    target.lineno,
                    target.col_offset,
                    self.block,
                )
            )
        elif cls is ast.Subscript:
            named = type(target.value) is _Name  # type: ignore[attr-defined]
            base = self.expr(target.value, SUB if named else CALLEE)  # type: ignore[attr-defined]
            self.expr(target.slice, INDEX)  # type: ignore[attr-defined]
            if base is not None and base[0] in _OPERATED:
                self._operation("__setitem__", base, target)
            self.fn.attribute_bindings.append(
                AttributeBinding(
                    base, "[]", value, annotation, target.lineno, target.col_offset, self.block
                )
            )
        elif cls in (ast.Tuple, ast.List):
            for i, element in enumerate(target.elts):  # type: ignore[attr-defined]
                if type(element) is ast.Starred:
                    rest: Recipe = ("display", "list", (("star", value),)) if value else None
                    self._bind(element.value, rest, None, "unpack")
                else:
                    self._bind(element, ("item", value, i), None, "unpack")
        elif cls is ast.Starred:
            self._bind(target.value, None, None, "unpack")  # type: ignore[attr-defined]

    def _bind_name(
        self, name: str, value: Recipe, annotation: Recipe, kind: str, node: ast.AST
    ) -> None:
        line, col = self.bound_at or (node.lineno, node.col_offset)  # type: ignore[attr-defined]
        binding = Binding(value, annotation, _INTEGERS[line], col, self.block, kind)
        bindings = self.fn.bindings
        if name in bindings:
            bindings[name].append(binding)
        else:
            bindings[name] = [binding]

    def _may_be_coroutine(self, value: Recipe) -> bool:
        """Whether a value is what a call gives, or in a coroutine what an attribute holds, which may be a property."""
        return _holds_call(value) or (self.fn.kind == "async" and _holds_attribute(value))

    def _track(self, name: str) -> None:
        """From here on, remember how `name` is read: it may hold a coroutine or a task."""
        self.fn.uses.setdefault(name, [])

    # -- expressions ----------------------------------------------------------------------------

    def expr(self, node: ast.expr, role: Role) -> Recipe:
        kind = type(node)
        if kind is _Name:
            name: str = node.id  # type: ignore[attr-defined]
            fn = self.fn
            if name in fn.uses:
                fn.uses[name].append(Use(role, _INTEGERS[node.lineno], node.col_offset, self.block))
            else:
                self.loaded.add(name)
            return _NAMES[name]
        handler = _EXPRESSIONS.get(kind)
        if handler is None:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self.expr(child, OP)
            return None
        return handler(self, node, role)

    def e_constant(self, node: ast.Constant, role: Role) -> Recipe:
        value = node.value
        if isinstance(value, (str, bytes)) and len(value) > MAX_STRING:
            value = value[:MAX_STRING]
        shared = _CONSTANTS.get(type(value))
        return ("const", value) if shared is None else shared[value]

    def e_attribute(self, node: ast.Attribute, role: Role) -> Recipe:
        fn = self.fn
        value = node.value
        if type(value) is _Name and value.id not in fn.uses:
            # As `expr` would read it: of all attributes, most are read of a name.
            self.loaded.add(value.id)
            recipe = _OF_NAMES[value.id, node.attr]
        else:
            base = self.expr(value, ("attr", node.attr, role[0]))
            recipe = _attribute(base, node.attr)
        if role[0] != "callee" and type(node.ctx) is _Load:
            fn.loads.append(
                (
                    recipe,
                    node.lineno,
                    node.col_offset,
                    node.end_lineno or node.lineno,
                    node.end_col_offset or 0,
                    role,
                    self.block,
                )
            )
        return recipe

    def e_call(self, node: ast.Call, role: Role) -> Recipe:
        fn = self.fn
        depth = self.depth = self.depth + 1
        if depth > fn.depth:  # noqa: PLR1730 - called for every call site
            fn.depth = depth
        callee = self.expr(node.func, CALLEE)
        calls = self.facts.calls
        index = _INTEGERS[len(calls)]
        site = CallSite(
            index,
            "call",
            fn.index,
            callee,
            (),
            role,
            self.block,
            _INTEGERS[node.lineno],
            node.col_offset,
            _INTEGERS[node.end_lineno or node.lineno],
            node.end_col_offset or 0,
            self.statement,
        )
        calls.append(site)
        fn.calls.append(index)
        if node.args or node.keywords:
            expr = self.expr
            args: list[tuple[Recipe, str | None]] = []
            for i, arg in enumerate(node.args):
                kind = type(arg)
                if kind is _Constant:
                    args.append((self.e_constant(arg, OP), None))  # type: ignore[arg-type]
                elif kind is not _Name:
                    args.append((expr(arg, ("arg", index, i)), None))
                else:
                    name: str = arg.id  # type: ignore[attr-defined]
                    if name in fn.uses:
                        expr(arg, ("arg", index, i))
                    else:
                        self.loaded.add(name)
                    args.append(_ARGUMENTS[name])
            for keyword in node.keywords:
                name = keyword.arg or "**"
                if type(keyword.value) is _Constant:
                    args.append((self.e_constant(keyword.value, OP), name))
                else:
                    args.append((expr(keyword.value, ("arg", index, name)), name))
            site.args = tuple(args)
        self.depth = depth - 1
        return _CALLS[index]

    def e_await(self, node: ast.Await, role: Role) -> Recipe:
        self.fn.awaits.append((node.lineno, self.block))
        return ("await", self.expr(node.value, ("await", role)))

    def e_subscript(self, node: ast.Subscript, role: Role) -> Recipe:
        base = self.expr(node.value, SUB)
        if base is not None and base[0] in _OPERATED:
            self._operation("__delitem__" if type(node.ctx) is _Del else "__getitem__", base, node)
        return ("sub", base, self.expr(node.slice, INDEX))

    def _operation(self, method: str, base: Recipe, node: ast.expr) -> None:
        """Record that the operator at `node` calls a method of what `base` gives."""
        self.fn.operations.append(
            (
                method,
                base,
                _INTEGERS[node.lineno],
                node.col_offset,
                _INTEGERS[node.end_lineno or node.lineno],
                node.end_col_offset or 0,
                self.block,
                self.statement,
            )
        )

    def e_bool_op(self, node: ast.BoolOp, role: Role) -> Recipe:
        # All but the last value are tested; the last one is the expression's own value, with `or` each of them.
        awaited = role[0] == "await" and isinstance(node.op, ast.Or)
        recipes = [self.expr(v, role if awaited else TEST) for v in node.values[:-1]]
        outer = self.block
        self.block = self._new_block(
            outer,
            "if",
            recipes[-1] if isinstance(node.op, ast.And) else ("not", recipes[-1]),
            node.lineno,
        )
        recipes.append(self.expr(node.values[-1], ("bool", role) if role[0] == "stmt" else role))
        self.block = outer
        if isinstance(node.op, ast.And):
            return ("any", tuple(recipes), "and")
        return ("any", tuple(recipes), "or")

    def e_if_exp(self, node: ast.IfExp, role: Role) -> Recipe:
        test = self.expr(node.test, TEST)
        self.group += 1
        group = self.group
        outer = self.block
        self.block = self._new_block(outer, "if", test, node.lineno, group)
        body = self.expr(node.body, role)
        self.block = self._new_block(outer, "else", test, node.lineno, group)
        orelse = self.expr(node.orelse, role)
        self.block = outer
        return ("any", (body, orelse), "if")

    def e_compare(self, node: ast.Compare, role: Role) -> Recipe:
        identity = all(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops)
        inner: Role = ("is",) if identity else CMP
        left = self.expr(node.left, inner)
        rights = [
            self.expr(c, IN if isinstance(op, (ast.In, ast.NotIn)) else inner)
            for op, c in zip(node.ops, node.comparators, strict=True)
        ]
        for op, recipe, right in zip(node.ops, rights, node.comparators, strict=True):
            if type(op) in (ast.In, ast.NotIn) and recipe is not None and recipe[0] in _OPERATED:
                self._operation("__contains__", recipe, right)
        if len(rights) == 1:
            return ("cmp", type(node.ops[0]).__name__, left, rights[0])
        return ("cmp", "?", left, None)

    def e_unary(self, node: ast.UnaryOp, role: Role) -> Recipe:
        if isinstance(node.op, ast.Not):
            return ("not", self.expr(node.operand, NOT))
        operand = self.expr(node.operand, OP)
        if operand and operand[0] == "const" and isinstance(operand[1], (int, float)):
            return ("const", -operand[1]) if isinstance(node.op, ast.USub) else operand
        return None

    def e_binop(self, node: ast.BinOp, role: Role) -> Recipe:
        self.depth += 1
        self.fn.depth = max(self.fn.depth, self.depth)
        recipe: Recipe = ("binop", self.expr(node.left, OP), self.expr(node.right, OP))
        if type(node.op) is ast.Div:
            recipe += ("/",)
        self.depth -= 1
        return recipe

    def e_display(self, node: ast.List | ast.Tuple | ast.Set, role: Role) -> Recipe:
        kind = type(node).__name__.lower()
        element: Role = ("elem", role)
        return ("display", kind, tuple([self.expr(e, element) for e in node.elts]))

    def e_dict(self, node: ast.Dict, role: Role) -> Recipe:
        keys = tuple([self.expr(k, DICTKEY) if k is not None else None for k in node.keys])
        value_role: Role = ("dictval", role)
        values = tuple([self.expr(v, value_role) for v in node.values])
        return ("dict", keys, values)

    def e_comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, role: Role
    ) -> Recipe:
        kind = _COMPREHENSIONS[type(node)]
        outer = self.block
        first: Recipe = None
        for i, generator in enumerate(node.generators):
            is_async = bool(generator.is_async)
            iterable = self.expr(generator.iter, AFOR if is_async else FOR)
            self._site("afor" if is_async else "for", iterable, generator.iter)
            if is_async:
                self.fn.awaits.append((node.lineno, self.block))
            if i == 0:
                first = iterable
            self.block = self._new_block(self.block, "comp", iterable, node.lineno)
            if kind == "generator" and role[0] in LAZY:
                self.facts.blocks[self.block].lazy = True
            self._bind(generator.target, ("iter", iterable, is_async), None, "for")
            for test in generator.ifs:
                recipe = self.expr(test, TEST)
                self.block = self._new_block(self.block, "if", recipe, node.lineno)
        if isinstance(node, ast.DictComp):
            self.expr(node.key, DICTKEY)
            elt = self.expr(node.value, ("comp", kind, role))
        else:
            elt = self.expr(node.elt, ("comp", kind, role))
            if type(node.elt) is _Name and len(node.generators) == 1:
                target, is_async = node.generators[0].target, bool(node.generators[0].is_async)
                if type(target) is _Name and target.id == node.elt.id:
                    elt = ("iter", first, is_async)
        self.block = outer
        return ("comp", kind, elt, first)

    def e_lambda(self, node: ast.Lambda, role: Role) -> Recipe:
        params = self._params(node.args, annotations=False)
        outer, outer_block, outer_depth = self.fn, self.block, self.depth
        fn = self._open(
            "<lambda>",
            f"{outer.qualname}.<lambda>" if outer.kind != "module" else "<lambda>",
            "lambda",
            -1,
            node.lineno,
            node.col_offset,
            node.end_lineno or node.lineno,
            node.lineno,
        )
        fn.params = params
        fn.returns.append((self.expr(node.body, RETURN), node.lineno, self.block))
        self._close(outer, outer_block)
        self.depth = outer_depth
        return ("lambda", fn.index)

    def e_joined_str(self, node: ast.JoinedStr, role: Role) -> Recipe:
        parts: list[Recipe] = []
        for value in node.values:
            if type(value) is ast.Constant and not parts:
                parts.append(self.expr(value, FSTR))
            elif type(value) is ast.FormattedValue:
                parts.append(self.expr(value.value, FSTR))
                if value.format_spec is not None:
                    self.expr(value.format_spec, FSTR)
        return ("str", tuple(parts))

    def e_starred(self, node: ast.Starred, role: Role) -> Recipe:
        return ("star", self.expr(node.value, ("star", role)))

    def e_yield(self, node: ast.Yield, role: Role) -> Recipe:
        recipe = self.expr(node.value, YIELD) if node.value is not None else ("const", None)
        self.fn.generator = True
        self.fn.yields.append((recipe, node.lineno, self.block))
        return None

    def e_yield_from(self, node: ast.YieldFrom, role: Role) -> Recipe:
        recipe = self.expr(node.value, FOR)
        self._site("for", recipe, node.value)
        self.fn.generator = True
        self.fn.yields.append((("iter", recipe, False), node.lineno, self.block))
        return None

    def e_named(self, node: ast.NamedExpr, role: Role) -> Recipe:
        value = self.expr(node.value, ("walrus", role, node.target.id))
        if _holds_call(value):
            self._track(node.target.id)
        self._bind(node.target, value, None, "walrus")
        return value

    def e_slice(self, node: ast.Slice, role: Role) -> Recipe:
        parts = [self.expr(p, INDEX) if p is not None else None for p in (node.lower, node.upper)]
        if node.step is not None:
            self.expr(node.step, INDEX)
        return ("slice", parts[0], parts[1])

    def _site(self, kind: str, callee: Recipe, node: ast.expr) -> None:
        """Record an implicit call on the object that `node` gives."""
        calls = self.facts.calls
        index = len(calls)
        calls.append(
            CallSite(
                index,
                kind,
                self.fn.index,
                callee,
                (),
                STMT,
                self.block,
                node.lineno,
                node.col_offset,
                node.end_lineno or node.lineno,
                node.end_col_offset or 0,
                self.statement,
            )
        )
        self.fn.calls.append(index)

    # -- annotations ----------------------------------------------------------------------------

    def annotation(self, node: ast.expr | None) -> Recipe:
        """An annotation as a recipe; strings in it are parsed, calls (`Depends(f)` in Annotated) are call sites."""
        if node is None:
            return None
        cls = type(node)
        if cls is ast.Name:
            self.loaded.add(node.id)  # type: ignore[attr-defined]
            return _NAMES[node.id]  # type: ignore[attr-defined]
        if cls is ast.Attribute:
            return _attribute(self.annotation(node.value), node.attr)  # type: ignore[attr-defined]
        if cls is ast.Constant:
            value = node.value  # type: ignore[attr-defined]
            if isinstance(value, str):
                return self._string_annotation(value)
            return ("const", value)
        if cls is ast.Subscript:
            base = self.annotation(node.value)  # type: ignore[attr-defined]
            if base and base[-1] == "Literal":
                return ("sub", base, None)
            return ("sub", base, self.annotation(node.slice))  # type: ignore[attr-defined]
        if cls in (ast.Tuple, ast.List):
            return ("display", "tuple", tuple([self.annotation(e) for e in node.elts]))  # type: ignore[attr-defined]
        if cls is ast.BinOp:
            return ("any", (self.annotation(node.left), self.annotation(node.right)), "or")  # type: ignore[attr-defined]
        if cls is ast.Call:
            return self.expr(node, ANNOTATION)
        return None

    def _string_annotation(self, text: str) -> Recipe:
        if text.isidentifier():
            return ("name", text)
        if len(text) > 2000:
            return None
        try:
            node = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        if any(isinstance(n, (ast.Call, ast.Lambda)) for n in ast.walk(node)):
            return None
        return self.annotation(node)


class _Shared(dict[Any, Recipe]):
    """Recipes that are made again and again, once each: a third of the memory that facts take."""

    def __init__(self, make: Callable[[Any], Recipe]) -> None:
        self.make = make

    def __missing__(self, key: Any) -> Recipe:
        recipe = self[key] = self.make(key)
        return recipe


_INTEGERS = _Shared(lambda number: number)
_NAMES = _Shared(lambda name: ("name", name))
_CALLS = _Shared(lambda index: ("call", index))
_OF_NAMES = _Shared(lambda key: ("attr", _NAMES[key[0]], key[1]))
_ATTRIBUTES = _Shared(lambda key: ("attr", *key))
_ARGUMENTS = _Shared(lambda name: (_NAMES[name], None))
_CONSTANTS: dict[type, _Shared] = {
    kind: _Shared(lambda value: ("const", value)) for kind in (str, int, bool, type(None))
}
"""By type: 1 and True are equal, and not the same."""


def _attribute(base: Recipe, name: str) -> Recipe:
    """`base.name`, shared where the base is one name or `name.attribute`."""
    if base and base[0] == "name":
        return _OF_NAMES[base[1], name]
    if base and base[0] == "attr" and base[1] and base[1][0] == "name":
        return _ATTRIBUTES[base, name]
    return ("attr", base, name)


def _header(node: ast.stmt) -> tuple[int, int, bool] | None:
    """The lines of a compound statement's header; None where a piece cannot be cut out."""
    if not isinstance(node, (ast.If, ast.While, ast.For, ast.AsyncFor, ast.With, ast.AsyncWith)):
        return None
    first = node.body[0]
    line = first.lineno
    if (
        isinstance(first, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        and first.decorator_list
    ):
        line = first.decorator_list[0].lineno
    return (node.lineno, line - 1, True) if line > node.lineno else None


def _constant(test: ast.expr) -> bool | None:
    """Whether a test always holds, or never; None for all that is no constant."""
    if type(test) is _Constant:
        return bool(test.value)
    if type(test) is ast.UnaryOp and type(test.op) is ast.Not:
        inner = _constant(test.operand)
        return None if inner is None else not inner
    if type(test) is ast.BoolOp:
        # One that is false decides an `and`, one that is true an `or`.
        decides = type(test.op) is ast.Or
        parts = [_constant(part) for part in test.values]
        if decides in parts:
            return decides
        return None if None in parts else not decides
    return None


def _is_endless(loop: ast.While) -> bool:
    """`while True:` without a `break` of its own."""
    if not _constant(loop.test):
        return False
    waiting: list[ast.stmt] = list(loop.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Break):
            return False
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            waiting += node.orelse
            continue
        for part in ("body", "orelse", "finalbody"):
            waiting += getattr(node, part, ())
        for arm in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            waiting += arm.body
    return True


def _takes_all(pattern: ast.pattern) -> bool:
    """`case _:`, `case other:`."""
    if isinstance(pattern, ast.MatchOr):
        return _takes_all(pattern.patterns[-1])
    return isinstance(pattern, ast.MatchAs) and (
        pattern.pattern is None or _takes_all(pattern.pattern)
    )


def _end(body: list[ast.stmt]) -> int:
    return body[-1].end_lineno or body[-1].lineno


def _holds_call(recipe: Recipe) -> bool:
    """Whether a value may be the very result of a call, awaited or not, or a fresh container of such."""
    if not recipe:
        return False
    if recipe[0] == "call" or recipe[0] in ("display", "comp"):
        return True
    if recipe[0] == "await":
        return _holds_call(recipe[1])
    return recipe[0] == "any" and any(_holds_call(r) for r in recipe[1])


def _holds_attribute(recipe: Recipe) -> bool:
    """Whether a value may be that of an attribute."""
    if not recipe:
        return False
    return recipe[0] == "attr" or (
        recipe[0] == "any" and any(_holds_attribute(r) for r in recipe[1])
    )


def _is_stub(body: list[ast.stmt]) -> bool:
    for node in body:
        if isinstance(node, ast.Pass):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.Raise) and node.exc is not None:
            exc = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(exc, ast.Name) and exc.id == "NotImplementedError":
                continue
        return False
    return True


_OPERATED = frozenset({"name", "attr", "call", "sub", "await"})
"""Recipes of objects whose methods an operator may call."""

_Name = ast.Name
_Constant = ast.Constant
_Load = ast.Load
_Del = ast.Del
_COMPOUND = frozenset({
    ast.If, ast.While, ast.For, ast.AsyncFor, ast.With, ast.AsyncWith,
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Try, ast.Match,
})  # fmt: skip

_LEAVING = frozenset({
    ast.Return, ast.Raise, ast.Assert, ast.Continue, ast.Break, ast.If, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match,
})  # fmt: skip

_COMPREHENSIONS = {
    ast.ListComp: "list",
    ast.SetComp: "set",
    ast.GeneratorExp: "generator",
    ast.DictComp: "dict",
}

_STATEMENTS: dict[type[ast.stmt], Callable[[Any, Any], None]] = {
    ast.Expr: _Extractor.s_expr,
    ast.Assign: _Extractor.s_assign,
    ast.AnnAssign: _Extractor.s_ann_assign,
    ast.AugAssign: _Extractor.s_aug_assign,
    ast.Return: _Extractor.s_return,
    ast.Raise: _Extractor.s_raise,
    ast.If: _Extractor.s_if,
    ast.While: _Extractor.s_while,
    ast.For: _Extractor.s_for,
    ast.AsyncFor: _Extractor.s_for,
    ast.With: _Extractor.s_with,
    ast.AsyncWith: _Extractor.s_with,
    ast.Try: _Extractor.s_try,
    ast.Match: _Extractor.s_match,
    ast.Import: _Extractor.s_import,
    ast.ImportFrom: _Extractor.s_import_from,
    ast.Global: _Extractor.s_global,
    ast.Nonlocal: _Extractor.s_nonlocal,
    ast.Delete: _Extractor.s_delete,
    ast.Assert: _Extractor.s_assert,
    ast.FunctionDef: _Extractor.s_function,
    ast.AsyncFunctionDef: _Extractor.s_function,
    ast.ClassDef: _Extractor.s_class,
}
if sys.version_info >= (3, 11):
    _STATEMENTS[ast.TryStar] = _Extractor.s_try
    _LEAVING |= {ast.TryStar}

_EXPRESSIONS: dict[type[ast.expr], Callable[[Any, Any, Role], Recipe]] = {
    ast.Constant: _Extractor.e_constant,
    ast.Attribute: _Extractor.e_attribute,
    ast.Call: _Extractor.e_call,
    ast.Await: _Extractor.e_await,
    ast.Subscript: _Extractor.e_subscript,
    ast.BoolOp: _Extractor.e_bool_op,
    ast.IfExp: _Extractor.e_if_exp,
    ast.Compare: _Extractor.e_compare,
    ast.UnaryOp: _Extractor.e_unary,
    ast.BinOp: _Extractor.e_binop,
    ast.List: _Extractor.e_display,
    ast.Tuple: _Extractor.e_display,
    ast.Set: _Extractor.e_display,
    ast.Dict: _Extractor.e_dict,
    ast.ListComp: _Extractor.e_comprehension,
    ast.SetComp: _Extractor.e_comprehension,
    ast.GeneratorExp: _Extractor.e_comprehension,
    ast.DictComp: _Extractor.e_comprehension,
    ast.Lambda: _Extractor.e_lambda,
    ast.JoinedStr: _Extractor.e_joined_str,
    ast.Starred: _Extractor.e_starred,
    ast.Yield: _Extractor.e_yield,
    ast.YieldFrom: _Extractor.e_yield_from,
    ast.NamedExpr: _Extractor.e_named,
    ast.Slice: _Extractor.e_slice,
}
