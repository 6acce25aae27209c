"""What reads a holder, and what fills it: parameters and their arguments, factories and their callers, fields, dependencies."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from asynclint.facts.dependencies import dependency_of
from asynclint.facts.program import Function, Klass
from asynclint.facts.types import Cls, Func
from asynclint.findings import Refused
from asynclint.fixes.mentions import Global, Held, Holder, Local, Mentions, Place, Result
from asynclint.fixes.reading import FUNCTIONS, Reading

DEPENDS = frozenset({"Depends", "Security"})


class Holders(Mentions):
    """The uses and sources of all holders of a project."""

    def uses(self, holder: Holder) -> Iterator[Place | Local]:
        """All expressions that read a holder; the parameters that a framework fills with it."""
        if isinstance(holder, Result):
            yield from self._results(holder.function)
            return
        for reading, node in self.mentions(holder):
            if isinstance(node.ctx, ast.Load):  # type: ignore[attr-defined]
                yield reading, node

    # -- functions ----------------------------------------------------------------------------------------

    def references(self, function: Function) -> Iterator[Place]:
        """All expressions that name a function. Raises Refused where another method stands for it."""
        facts = function.facts
        if function.klass is None:
            assert function.parent is not None
            holder: Holder = (
                Global(function.module, facts.name)
                if function.parent.facts.kind == "module"
                else Local(function.parent, facts.name)
            )
            yield from ((r, n) for r, n in self.mentions(holder))
            return
        held = self.held(function.klass, facts.name)
        for klass in self.family(held):
            if klass.own_method(facts.name) not in (None, function):
                raise Refused(f"`{function.name}` is overridden")
        yield from self._of_class(held)

    def calls(self, function: Function) -> Iterator[tuple[Reading, ast.Call]]:
        """All calls of a function; what a framework calls is left out. Raises Refused where it is handed on."""
        if function.klass is not None and function.facts.name == "__init__":
            yield from self.constructions(function.klass)
            return
        for reading, node in self.references(function):
            parent = reading.tree.parent(node)
            if isinstance(parent, ast.Call) and parent.func is node:
                yield reading, parent
            elif not self._depends(reading, node):
                raise Refused(f"`{function.name}` is handed on")

    def constructions(self, klass: Klass) -> Iterator[tuple[Reading, ast.Call]]:
        """All calls of a class, and of its `__init__` by those below it."""
        outer = klass.module.functions[klass.facts.function]
        if outer.facts.kind == "class":
            raise Refused(f"`{klass.name}` is a class within another one")
        holder: Holder = (
            Global(klass.module, klass.facts.name)
            if outer.facts.kind == "module"
            else Local(outer, klass.facts.name)
        )
        for reading, node in self.mentions(holder):
            parent = reading.tree.parent(node)
            if isinstance(parent, ast.Call) and parent.func is node:
                yield reading, parent
            elif isinstance(parent, (ast.ClassDef, ast.Attribute)):
                continue
            elif not self.in_annotation(reading, node) and not _only_tested(reading, node):
                raise Refused(f"`{klass.name}` is handed on")
        for sub in self.evaluator.subclasses(klass):
            own = sub.own_method("__init__")
            if own is None:
                yield from self.constructions(sub)
                continue
            reading = self.reading(sub.module)
            for one in reading.attributes.get("__init__", ()):
                call = reading.tree.parent(one)
                if isinstance(call, ast.Call) and reading.scope(call) is own:
                    yield reading, call

    def _results(self, function: Function) -> Iterator[Place | Local]:
        self.refuse_decorated(function)
        name = function.facts.name
        if function.klass is not None and self.property_of(function.klass, name) is function:
            yield from self.references(function)
            return
        for reading, node in self.references(function):
            parent = reading.tree.parent(node)
            if isinstance(parent, ast.Call) and parent.func is node:
                if function.facts.generator:
                    raise Refused(f"`{function.name}` is a generator")
                above = reading.tree.parent(parent)
                if function.is_async and not isinstance(above, ast.Await):
                    raise Refused(f"what `{function.name}` gives is not awaited at once")
                yield reading, above if isinstance(above, ast.Await) else parent
                continue
            filled = self._depends(reading, node)
            if not filled:
                raise Refused(f"`{function.name}` is handed on")
            yield from (one for one in filled if one is not None)

    def refuse_decorated(self, function: Function) -> None:
        """Raise Refused where a decorator may change what a function gives."""
        if not isinstance(self.evaluator.function_value(function), Func):
            raise Refused(f"`{function.name}` has a decorator")

    def _depends(self, reading: Reading, node: ast.expr) -> list[Local | None]:
        """The parameters that are filled by what `Depends(f)` says; empty where it is something else."""
        call = reading.tree.parent(node)
        if not (isinstance(call, ast.Call) and node in call.args):
            return []
        last = (
            call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        )
        if last not in DEPENDS:
            return []
        below: ast.AST = call
        for one in reading.tree.above(call):
            if isinstance(one, ast.arg):
                return [self._parameter(reading, one)]
            if isinstance(one, ast.arguments):
                return [self._parameter(reading, _defaulted(one, below))]
            if isinstance(one, (ast.Assign, ast.AnnAssign)):
                return self._aliased(reading, one)
            if isinstance(one, ast.keyword) and one.arg == "dependencies":
                return [None]
            below = one
        return []

    def _parameter(self, reading: Reading, node: ast.arg) -> Local:
        for one in reading.tree.above(node):
            function = reading.function(one) if isinstance(one, FUNCTIONS) else None
            if function is not None:
                return Local(function, node.arg)
        raise Refused("the parameter that a dependency fills could not be found")

    def _aliased(self, reading: Reading, node: ast.Assign | ast.AnnAssign) -> list[Local | None]:
        """`ClientDep = Annotated[Client, Depends(f)]`: all parameters that are annotated with it."""
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        holder = self.of(reading, target)
        if not isinstance(holder, Global):
            raise Refused("a dependency is stored")
        found: list[Local | None] = []
        for where, use in self.mentions(holder):
            if use is target:
                continue
            around = next((n for n in where.tree.above(use) if isinstance(n, ast.arg)), None)
            if around is None:
                raise Refused(f"`{holder.name}` is used in a way that could not be read")
            found.append(self._parameter(where, around))
        return found

    def in_annotation(self, reading: Reading, node: ast.AST) -> bool:
        """Whether a node is part of an annotation."""
        below = node
        for one in reading.tree.above(node):
            if isinstance(one, ast.arg):
                return True
            if isinstance(one, ast.AnnAssign):
                return below is one.annotation
            if isinstance(one, FUNCTIONS):
                return below is one.returns
            if isinstance(one, ast.stmt):
                return False
            below = one
        return False

    # -- sources --------------------------------------------------------------------------------------------

    def sources(self, holder: Holder) -> Iterator[Place | Holder]:
        """All expressions and holders whose value comes into a holder; `with` gives what is entered."""
        if isinstance(holder, Result):
            yield from self._returned(holder.function)
            return
        if isinstance(holder, Local) and holder.name in holder.function.parameters:
            yield from self._arguments(holder)
        if isinstance(holder, (Local, Global)):
            body = holder.function if isinstance(holder, Local) else holder.module.body
            for binding in body.facts.bindings.get(holder.name, ()):
                if binding.kind in ("import", "def", "class", "except", "match", "aug"):
                    raise Refused(f"`{holder.name}` has more than one meaning")
        for reading, node in self.mentions(holder):
            if isinstance(node.ctx, ast.Store):  # type: ignore[attr-defined]
                yield from self._given(reading, node)
        if isinstance(holder, Held):
            for klass in self.family(holder):
                if klass.own_method(holder.name) is not None:
                    raise Refused(f"`{klass.name}.{holder.name}` is a method")
                yield from self._filled(klass, holder.name)

    def is_field(self, klass: Klass, name: str) -> bool:
        """Whether calling a class may fill an attribute: that of a dataclass or model."""
        bindings = klass.body.facts.bindings.get(name, ())
        init, _ = self.evaluator.member(klass, "__init__")
        return not isinstance(init, Func) and any(b.annotation is not None for b in bindings)

    def _filled(self, klass: Klass, name: str) -> Iterator[Place]:
        """What calls of a dataclass or model pass for one of its fields."""
        if not self.is_field(klass, name):
            return
        for reading, call in self.constructions(klass):
            if call.args or any(k.arg is None for k in call.keywords):
                raise Refused(f"what `{klass.name}` is given could not be read")
            yield from ((reading, k.value) for k in call.keywords if k.arg == name)

    def _given(self, reading: Reading, target: ast.expr) -> Iterator[Place]:
        parent = reading.tree.parent(target)
        if isinstance(parent, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
            if parent.value is not None:
                yield reading, parent.value
        elif isinstance(parent, ast.withitem):
            yield reading, parent.context_expr
        elif isinstance(parent, (ast.Tuple, ast.List)):
            above = reading.tree.parent(parent)
            value = above.value if isinstance(above, ast.Assign) else None
            if not isinstance(value, (ast.Tuple, ast.List)) or len(value.elts) != len(parent.elts):
                raise Refused(f"what `{ast.unparse(target)}` is given could not be read")
            yield reading, value.elts[parent.elts.index(target)]
        else:
            raise Refused(f"what `{ast.unparse(target)}` is given could not be read")

    def _returned(self, function: Function) -> Iterator[Place]:
        reading = self.reading(function.module)
        node = reading.definition(function)
        found = False
        for one in ast.walk(node):
            if isinstance(one, (ast.Return, ast.Yield)) and reading.scope(one) is function:
                found = True
                if one.value is not None:
                    yield reading, one.value
            elif isinstance(one, ast.YieldFrom) and reading.scope(one) is function:
                raise Refused(f"what `{function.name}` gives could not be read")
        if not found:
            raise Refused(f"what `{function.name}` gives could not be read")

    def _arguments(self, holder: Local) -> Iterator[Place | Holder]:
        function = holder.function
        reading = self.reading(function.module)
        parameter = function.parameters[holder.name]
        if function.facts.kind not in ("def", "async") or parameter.kind in ("args", "kwargs"):
            raise Refused(f"what `{holder.name}` is given could not be read")
        node = reading.definition(function)
        default = _default(node.args, holder.name)
        provider = dependency_of(self.evaluator, parameter, function.parent or function)
        if isinstance(provider, Func):
            yield Result(provider.function)
        elif provider is not None:
            raise Refused(f"what `{holder.name}` is given could not be read")
        elif default is not None:
            yield reading, default
        called = False
        for where, call in self.calls(function):
            called = True
            given = self.argument(where, call, function, holder.name)
            if given is not None:
                yield where, given
        if not called and provider is None:
            raise Refused(f"who gives `{function.name}` its `{holder.name}` could not be found")

    def argument(
        self, reading: Reading, call: ast.Call, function: Function, name: str
    ) -> ast.expr | None:
        """What a call passes for a parameter; None where it leaves that to the default."""
        for keyword in call.keywords:
            if keyword.arg is None:
                raise Refused(f"what `{function.name}` is given could not be read")
            if keyword.arg == name:
                return keyword.value
        positional = [p.name for p in function.facts.params if p.kind == "pos"]
        if name not in positional:
            return None
        index = positional.index(name) - self.shift(reading, call, function)
        if any(isinstance(a, ast.Starred) for a in call.args):
            raise Refused(f"what `{function.name}` is given could not be read")
        return call.args[index] if 0 <= index < len(call.args) else None

    def shift(self, reading: Reading, call: ast.Call, function: Function) -> int:
        """How many parameters a call does not name: 1 for methods that are called on an object."""
        callee = reading.type(call.func)
        if isinstance(callee, Cls) or function.facts.name == "__init__":
            return 1
        return 1 if isinstance(callee, Func) and callee.bound is not None else 0

    # -- annotations ------------------------------------------------------------------------------------------

    def annotations(self, holder: Holder) -> Iterator[Place]:
        """The annotations of a holder."""
        if isinstance(holder, Result):
            reading = self.reading(holder.function.module)
            returns = reading.definition(holder.function).returns
            if returns is not None:
                yield reading, returns
            return
        if isinstance(holder, Local) and holder.name in holder.function.parameters:
            reading = self.reading(holder.function.module)
            arguments = reading.definition(holder.function).args
            for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
                if one.arg == holder.name and one.annotation is not None:
                    yield reading, one.annotation
        for reading, node in self.mentions(holder):
            parent = reading.tree.parent(node)
            if isinstance(parent, ast.AnnAssign) and parent.target is node:
                yield reading, parent.annotation


def _only_tested(reading: Reading, node: ast.expr) -> bool:
    """`isinstance(x, Class)`, and the class itself as a statement's subject, such as an import's name."""
    parent = reading.tree.parent(node)
    return (
        isinstance(parent, ast.Call)
        and isinstance(parent.func, ast.Name)
        and parent.func.id in ("isinstance", "issubclass", "cast")
    )


def _default(arguments: ast.arguments, name: str) -> ast.expr | None:
    positional = [*arguments.posonlyargs, *arguments.args]
    for one, default in zip(reversed(positional), reversed(arguments.defaults), strict=False):
        if one.arg == name:
            return default
    for one, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if one.arg == name:
            return value
    return None


def _defaulted(arguments: ast.arguments, default: ast.AST) -> ast.arg:
    """The parameter whose default a node is."""
    for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if _default(arguments, one.arg) is default:
            return one
    raise Refused("the parameter that a dependency fills could not be found")
