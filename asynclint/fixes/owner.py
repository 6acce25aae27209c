"""The method of a class that closes its objects, and whether the project calls it for each object that it builds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from asynclint.facts.classes import implementations
from asynclint.facts.graph import Edge
from asynclint.facts.program import Function, Klass
from asynclint.facts.syntax import extent
from asynclint.findings import Refused
from asynclint.fixes.holders import Holders
from asynclint.fixes.mentions import Global, Held, Holder, Local, State
from asynclint.fixes.place import Workshop
from asynclint.fixes.reading import Reading

CLOSERS = ("aclose", "close", "shutdown", "stop", "__aexit__")
"""Methods after which an object is done with, those that others call first."""

PLAIN_BASES = frozenset(
    {
        "builtins.object", "abc.ABC", "typing.Generic", "typing.Protocol", "typing_extensions.Protocol",
        "contextlib.AbstractAsyncContextManager", "contextlib.AbstractContextManager",
        "typing.AsyncContextManager", "typing.ContextManager",
    }
)  # fmt: skip
"""Library classes that let their subclasses have any attribute."""

PLAIN_DECORATORS = frozenset({"final", "runtime_checkable"})

OWN_STORAGE = frozenset(
    {"__slots__", "__setattr__", "__getstate__", "__reduce__", "__reduce_ex__", "__deepcopy__", "__copy__"}
)  # fmt: skip
"""What a class says about its attributes, and about copies of its objects."""

STACKS = frozenset({"enter_async_context", "push_async_exit"})


class Owner:
    """A class, as the owner of what its objects open. Raises Refused where nothing is known to close them."""

    def __init__(self, workshop: Workshop, klass: Klass) -> None:
        self.workshop = workshop
        self.klass = klass
        self.holders = Holders(workshop)
        self.graph = workshop.facts.graph
        self.evaluator = self.graph.evaluator
        self.family = [klass, *self.evaluator.subclasses(klass)]
        self._refuse_closed_attributes()
        self.closer = self._closer()

    def _refuse_closed_attributes(self) -> None:
        """Raise Refused where objects of the class may not have one more attribute."""
        for klass in self.family:
            for base in self.evaluator.mro(klass):
                if base is None or (isinstance(base, str) and base not in PLAIN_BASES):
                    known = f"`{base}`" if base else f"a base class of `{klass.name}`"
                    raise Refused(f"{known} is not in the project, and may not allow attributes")
                if isinstance(base, Klass):
                    self._refuse_odd(base)

    def _refuse_odd(self, klass: Klass) -> None:
        for recipe in klass.facts.decorators:
            if not (recipe and recipe[-1] in PLAIN_DECORATORS):
                raise Refused(f"`{klass.name}` has a decorator")
        if any(value and value[-1] != "ABCMeta" for _, value in klass.facts.keywords):
            raise Refused(f"`{klass.name}` has a metaclass")
        odd = sorted(OWN_STORAGE & set(klass.body.facts.bindings))
        if odd:
            raise Refused(f"`{klass.name}` has `{odd[0]}`")

    # -- who closes -------------------------------------------------------------------------------------

    def _closer(self) -> Function:
        """The method that closes the objects, and is called for each that the project builds."""
        refused: Refused | None = None
        for name in CLOSERS:
            method = self.klass.own_method(name)
            if method is None:
                continue
            try:
                self._refuse_unclosed(method)
            except Refused as reason:
                refused = refused or reason
            else:
                return method
        if refused is not None:
            raise refused
        inherited = next(
            (n for n in CLOSERS if self.evaluator.member(self.klass, n)[0] is not None), None
        )
        if inherited is not None:
            raise Refused(f"`{self.klass.name}` does not close itself: it inherits `{inherited}`")
        raise Refused(f"who closes a client that a `{self.klass.name}` keeps is not known")

    def _refuse_unclosed(self, closer: Function) -> None:
        name, label = closer.facts.name, f"{self.klass.name}.{closer.facts.name}"
        if not closer.is_async or closer.facts.generator:
            raise Refused(f"`{label}` is not `async def`, and cannot close it")
        if closer.facts.decorators:
            raise Refused(f"`{label}` has a decorator")
        for sub in self.family[1:]:
            own = sub.own_method(name)
            if own is not None and f"super().{name}(" not in _text(own):
                raise Refused(f"`{sub.name}.{name}` does not call `{label}`")
        ends = list(self._ends(closer))
        if not ends:
            raise Refused(f"where `{label}` is called could not be found")
        for edge in ends:
            if edge.site.kind == "awith":
                self._refuse_reentered(edge)
        for klass in self.family:
            for reading, call in self.holders.constructions(klass):
                if not reading.module.file.is_test:
                    self._refuse_left_open(reading, call, ends, label)

    def _ends(self, closer: Function) -> Iterator[Edge]:
        """The places outside of the class that lead to the closing method; those that enter an object among them."""
        above = [k for k in self.evaluator.mro(self.klass) if isinstance(k, Klass)]
        queue = [m for k in above if (m := k.own_method(closer.facts.name)) is not None]
        for method in list(queue):
            if method.facts.stub:
                # Who closes what implements an abstract class may show another of its implementations.
                queue += implementations(self.evaluator, method)
        seen = set(queue)
        while queue:
            for edge in self.graph.into.get(queue.pop(), ()):
                caller = edge.caller
                if caller.module.file.is_test or caller in seen:
                    continue
                if caller.klass not in self.family and caller.klass not in above:
                    if not _on_super(edge):
                        yield edge
                elif caller.facts.name in CLOSERS and caller.klass in above:
                    seen.add(caller)
                    queue.append(caller)

    def _refuse_reentered(self, edge: Edge) -> None:
        """Raise Refused where an object is entered that others may enter at the same time."""
        site = edge.site
        if site.callee and site.callee[0] == "call":
            return
        if site.callee and site.callee[0] == "name":
            bindings = edge.caller.facts.bindings.get(site.callee[1], ())
            if bindings and all(b.recipe and b.recipe[0] == "call" for b in bindings):
                return
        raise Refused(f"`{edge.caller.name}` may enter one `{self.klass.name}` again and again")

    def _refuse_left_open(
        self, reading: Reading, call: ast.Call, ends: list[Edge], label: str
    ) -> None:
        """Raise Refused where nothing closes the object that a call builds."""
        parent = reading.tree.parent(call)
        entered = any(e.site.kind == "awith" for e in ends)
        if isinstance(parent, ast.withitem) and entered:
            return
        if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Attribute):
            if parent.func.attr in STACKS and self.klass.own_method("__aexit__") is not None:
                return
        holder: Holder | None = None
        if isinstance(parent, (ast.Assign, ast.AnnAssign)):
            targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
            holder = self.holders.of(reading, targets[0]) if len(targets) == 1 else None
        if holder is not None and any(self._closes(edge, holder) for edge in ends):
            return
        where = f"{reading.source.path}:{call.lineno}"
        raise Refused(f"nothing calls `{label}` for the object that is built at {where}")

    def _closes(self, edge: Edge, holder: Holder) -> bool:
        """Whether a place closes, or leaves, the object in a holder."""
        reading = self.holders.reading(edge.caller.module)
        site = edge.site
        for one in ast.walk(reading.tree.root):
            if not isinstance(one, ast.expr) or one.lineno != site.line:
                continue
            if extent(one) != site.extent:
                continue
            node: ast.expr = one
            if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute):
                node = one.func.value
            if self._same(self.holders.of(reading, node), holder):
                return True
        return False

    def _same(self, one: Holder | None, other: Holder) -> bool:
        return isinstance(one, (Local, Global, Held, State)) and one == other


def _on_super(edge: Edge) -> bool:
    """`super().close()`, in another class with the same base."""
    callee = edge.site.callee
    if not (callee and callee[0] == "attr" and callee[1] and callee[1][0] == "call"):
        return False
    inner = edge.caller.module.site(int(callee[1][1]))
    return bool(inner.callee == ("name", "super"))


def _text(function: Function) -> str:
    lines = function.module.lines[function.facts.line - 1 : function.facts.end_line]
    return re.sub(r"#[^\n]*", "", "\n".join(lines))
