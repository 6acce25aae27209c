"""A client that a method builds for every call becomes one of its object: opened at the first call, closed with the object."""

from __future__ import annotations

import ast
import re

from asynclint.facts.decorators import decorator_paths
from asynclint.facts.program import Function, Klass
from asynclint.facts.types import Lib
from asynclint.findings import Fix, Refused
from asynclint.fixes import imports
from asynclint.fixes.client_plan import Part, Plan
from asynclint.fixes.constructor import Constructor
from asynclint.fixes.loops import refuse_loops
from asynclint.fixes.mocked import refuse_replaced
from asynclint.fixes.owner import CLOSERS, Owner
from asynclint.fixes.place import Place
from asynclint.fixes.rewriting import Rewriting

BOUND = frozenset({"builtins.classmethod", "builtins.staticmethod"})

OPENS = "Opened at the first call; `{closer}` closes it."
"""The docstring of the method that gives the object's client."""


def keep(place: Place) -> Fix:
    """The fix of one constructor in a method. Raises Refused with the reason where the object cannot own the client."""
    place.refuse_field()
    return _Keeping(place).fix()


class _Keeping(Part):
    def __init__(self, place: Place) -> None:
        super().__init__(place, Plan())
        klass, own = place.function.klass, place.function.self_name
        if klass is None:
            raise Refused(
                f"nothing here outlives a call of `{place.function.name}` and could close the client"
            )
        if own is None or decorator_paths(self.evaluator, place.function) & BOUND:
            raise Refused(f"`{place.function.name}` has no object that could keep the client")
        self.klass: Klass = klass
        self.own: str = own
        self.constructor = Constructor(place, self.plan)
        self.rewriting = Rewriting(place, self.plan, self.constructor)

    def fix(self) -> Fix:
        call = self.place.call
        path = self._keepable(call)
        self.owner = Owner(self.workshop, self.klass)
        if self.function.facts.name in CLOSERS:
            raise Refused(f"it is built while `{self.function.name}` closes the object")
        name = ast.unparse(call.func).partition(".")[0]
        refuse_replaced(self.workshop, self.module.name.rpartition(".")[2], name)
        refuse_loops(self.workshop, [self.function])
        self._static(call)
        written = self.constructor.written(call, call, self.source, self.own)
        getter = self._getter(written, ast.unparse(call.func), path)
        self.rewriting.rewrite(call, call, f"{self.own}.{getter}()")
        self.rewriting.tidy()
        building = self.place.facts.building
        assert building is not None
        title = f"keep one `{building.name}` in the object, which `{self.owner.closer.facts.name}` closes"
        return self.place.fix(title, *self.plan.checked())

    def _keepable(self, call: ast.Call) -> str:
        """The class that is built. Raises Refused where an attribute cannot hold its objects for long."""
        building = self.place.facts.building
        assert building is not None
        client = building.client
        if building.depends is not None:
            raise Refused(f"the arguments depend on {building.depends}")
        if client.what == "connection":
            raise Refused("a connection serves one task at a time; what can be kept is a pool")
        callee = self.evaluator.callee(self.module, self.place.site)
        if not isinstance(callee, Lib) or not building.name[:1].isupper():
            raise Refused(f"`{building.name}` gives what has to be entered, or awaited, each time")
        if isinstance(self.tree.parent(call), ast.Await):
            raise Refused("opening it is awaited, and two calls may open one at the same time")
        if client.close is None:
            raise Refused("how it is closed is not known")
        if not client.is_async:
            raise Refused("it is synchronous, and several threads would use it at once")
        if not re.fullmatch(r"[\w.]+", ast.unparse(call.func)):
            raise Refused("it is not called by its name")
        return callee.path

    # -- the arguments ----------------------------------------------------------------------------------

    def _static(self, call: ast.Call) -> None:
        """Raise Refused where the arguments read what changes while the object lives, or what only the method knows."""
        own = [n for n in ast.walk(call) if isinstance(n, ast.Name) and n.id == self.own]
        for node in own:
            parent = self.tree.parent(node)
            if not isinstance(parent, ast.Attribute):
                raise Refused(f"`{self.own}` is handed to it")
            self._set_once(parent)
        for name in sorted({n.id for n in ast.walk(call) if isinstance(n, ast.Name)} - {self.own}):
            bindings = self.function.facts.bindings.get(name, ())
            if any(b.kind == "import" for b in bindings):
                raise Refused(f"`{name}` is imported in `{self.function.name}` alone")

    def _set_once(self, node: ast.Attribute) -> None:
        """`self.x` that nothing but `__init__` sets, and its own attributes where nothing sets them at all."""
        name, text = node.attr, ast.unparse(node)
        holders = self.owner.holders
        known = [k for k in self.evaluator.mro(self.klass) if isinstance(k, Klass)]
        if any(k.own_method(name) is not None for k in known):
            raise Refused(f"`{text}` is computed")
        if not any(name in k.body.facts.bindings or name in k.self_attributes() for k in known):
            raise Refused(f"where `{text}` comes from could not be found")
        for reading, one in holders.mentions(holders.held(self.klass, name)):
            if isinstance(one.ctx, ast.Load) or reading.module.file.is_test:  # type: ignore[attr-defined]
                continue
            scope = reading.scope(one)
            if scope.facts.kind != "class" and scope.facts.name != "__init__":
                raise Refused(f"`{scope.name}` sets `{text}`")
        above = self.tree.parent(node)
        while isinstance(above, ast.Attribute):
            self._never_set(above)
            above = self.tree.parent(above)
        if isinstance(above, ast.Call) and above.func is not self.place.call.func:
            if self.tree.parent(node) is not above or above.func is node:
                raise Refused(f"what `{ast.unparse(above)}` gives is not known")

    def _never_set(self, node: ast.Attribute) -> None:
        stored = re.compile(rf"\.{re.escape(node.attr)}\s*=(?!=)")
        for module in self.workshop.facts.program.loaded():
            if not module.file.is_test and stored.search(module.file.text or ""):
                raise Refused(f"`{module.name}` sets an attribute `{node.attr}`")

    # -- the object -------------------------------------------------------------------------------------

    def _getter(self, constructor: str, annotation: str, path: str) -> str:
        """The method that gives the object's client: one that is there, or a new one with its attribute and its end."""
        kind = "session" if path.endswith("Session") else "client"
        library = path.partition(".")[0]
        for number in range(1, 100):
            suffix = f"_{number}" if number > 1 else ""
            attribute = f"_{library}_{kind}{suffix}"
            getter = f"_open{attribute}"
            text = self._method(getter, attribute, constructor, annotation)
            own = self.klass.own_method(getter)
            if own is not None and self._text(own) == text.strip():
                return getter
            if self._is_free(getter) and self._is_free(attribute):
                self._declare(attribute, annotation, text)
                self._close(attribute)
                return getter
        raise Refused("the object has no free name for it")

    def _is_free(self, name: str) -> bool:
        for klass in self.owner.family:
            for base in self.evaluator.mro(klass):
                if isinstance(base, Klass) and (
                    name in base.body.facts.bindings or name in base.self_attributes()
                ):
                    return False
        return not re.search(rf"\.{name}\b", self.source.text)

    def _text(self, function: Function) -> str:
        lines = function.module.lines[function.facts.line - 1 : function.facts.end_line]
        return "\n".join(lines).strip()

    def _method(self, getter: str, attribute: str, constructor: str, annotation: str) -> str:
        found = self.source.definition(self.owner.closer)
        if found is None:
            raise Refused(f"`{self.owner.closer.name}` could not be read")
        indent, unit = self.source.indent(found[1]), self.source.unit(found[1])
        held = f"{self.own}.{attribute}"
        lines = [
            f"def {getter}({self.own}) -> {annotation}:",
            f'{unit}"""{OPENS.format(closer=self.owner.closer.facts.name)}"""',
            f"{unit}if {held} is None:",
            f"{unit}{unit}{held} = {constructor}",
            f"{unit}return {held}",
        ]
        return "".join(f"{indent}{line}\n" for line in lines)

    def _declare(self, attribute: str, annotation: str, method: str) -> None:
        """The attribute at the top of the class, and the method before the one that closes."""
        source = self.source
        tree, closer = source.definition(self.owner.closer) or (None, None)
        top = source.top(self.klass.facts.line)
        node = next(
            (
                n
                for n in ast.walk(top.root)
                if isinstance(n, ast.ClassDef) and n.lineno == self.klass.facts.line
            ),
            None,
        )
        if node is None or closer is None or tree is None:
            raise Refused(f"`{self.klass.name}` could not be read")
        first = node.body[0]
        if first.lineno == node.lineno:
            raise Refused(f"`{self.klass.name}` stands on one line")
        optional, edits = imports.optional(source, annotation)
        self.plan.add(*edits)
        line = f"{source.indent(first)}{attribute}: {optional} = None\n"
        start = source.line_start(source.comments_above(closer))
        fields: list[ast.stmt] = [
            n for n in node.body[:2] if isinstance(n, (ast.Assign, ast.AnnAssign))
        ]
        if fields:
            self.plan.add(source.insert(source.line_start(source.first_line(fields)), line))
        elif isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            self.plan.add(source.insert(source.after(first), f"\n{line}"))
        elif source.line_start(source.first_line(node.body)) == start:
            method = f"{line}\n{method}"
        else:
            self.plan.add(
                source.insert(source.line_start(source.first_line(node.body)), f"{line}\n")
            )
        self.plan.add(source.insert(start, f"{method}\n"))

    def _close(self, attribute: str) -> None:
        """The end of the client, behind all else that the closing method does."""
        source, building = self.source, self.place.facts.building
        assert building is not None
        found = source.definition(self.owner.closer)
        if found is None or not isinstance(found[1], ast.AsyncFunctionDef):
            raise Refused(f"`{self.owner.closer.name}` could not be read")
        node = found[1]
        unit, indent = source.unit(node), source.indent(node) + source.unit(node)
        held = f"{self.owner.closer.self_name}.{attribute}"
        wait = "await " if building.client.close_async else ""
        lines = [
            f"if {held} is not None:",
            f"{unit}{wait}{held}.{building.client.close}()",
            f"{unit}{held} = None",
        ]
        body = list(node.body)
        if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body.pop(0)
        head = source.line_start(node.body[0].lineno)
        if source.text[head : source.start(node.body[0])].strip():
            raise Refused(f"`{self.owner.closer.name}` stands on one line")
        last = node.body[-1]
        after = source.after(last)
        if not source.text[:after].endswith(("\n", "\r")):
            raise Refused(f"nothing ends the last line of `{self.owner.closer.name}`")
        if not body:
            self.plan.add(source.insert(after, "".join(f"{indent}{line}\n" for line in lines)))
            return
        if len(body) == 1 and isinstance(body[0], ast.Pass) and source.alone(body[0]):
            text = "".join(f"{indent}{line}\n" for line in lines)
            self.plan.add(source.edit(source.line_start(body[0].lineno), after, text))
            return
        if len(body) == 1 and isinstance(last, ast.Try) and self._only_closes(last):
            # The end of another one that the object keeps.
            self.plan.add(source.insert(after, "".join(f"{indent}{unit}{one}\n" for one in lines)))
            return
        first = source.first_line(body)
        self.plan.add(source.insert(source.line_start(first), f"{indent}try:\n{unit}"))
        self.plan.add(*source.push(first + 1, last.end_lineno or last.lineno, unit, node))
        text = "".join(f"{indent}{unit}{line}\n" for line in lines)
        self.plan.add(source.insert(after, f"{indent}finally:\n{text}"))

    def _only_closes(self, node: ast.Try) -> bool:
        """`try: … finally: if self._x is not None: …`, as another fix wrote it."""
        own = self.owner.closer.self_name
        return (
            not node.handlers
            and not node.orelse
            and all(
                isinstance(one, ast.If)
                and ast.unparse(one.test).startswith(f"{own}._")
                and ast.unparse(one.test).endswith(" is not None")
                for one in node.finalbody
            )
        )
