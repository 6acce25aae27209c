"""The lifespan of a tool server: what it yields is what tools, resources and prompts read from their context."""

from __future__ import annotations

import ast
import re

from asynclint.facts.program import Klass
from asynclint.facts.types import Cls
from asynclint.findings import Edit, Refused
from asynclint.fixes import allowed, imports
from asynclint.fixes.application import Application
from asynclint.fixes.lifespan import Lifespan, Opening
from asynclint.fixes.place import Workshop


class ToolServer(Lifespan):
    """The lifespan of an `MCPServer` or `FastMCP`: the one that is there, or a new one."""

    called = "server"

    def __init__(self, workshop: Workshop, application: Application) -> None:
        super().__init__(workshop, application)
        mounted = re.compile(rf"\.(?:mount|import_server)\([^)\n]*\b{application.name}\s*[,)]")
        for module in workshop.facts.program.loaded():
            text = module.file.text or ""
            if mounted.search(text):
                raise Refused(f"`{module.name}` mounts `{application}` in another server")
            if application.framework == "mcp 1" and re.search(r"stateless_http\s*=\s*True", text):
                raise Refused("a stateless server runs its lifespan for every request")

        if self.existing is None:
            allowed.refuse_lifespan(workshop, self.module, application.framework)

    def _moved(self) -> list[object]:  # type: ignore[override]
        return []

    def free(self, name: str) -> str:
        """A name that the lifespan, and what it yields, do not have yet."""
        names = (name, *(f"{name}_{i}" for i in range(2, 1000)))
        taken = self.existing[0].facts.bindings if self.existing else {}
        return next(
            n
            for n in names
            if n not in taken and not re.search(rf"[\"']{n}[\"']", self.source.text)
        )

    def reading(self, context: str, name: str) -> str:
        """How a tool reads what the lifespan yields under a name."""
        direct = allowed.is_direct(
            self.workshop, self.module, self.application.framework
        ) and not any(
            "request_context.lifespan_context" in (m.file.text or "")
            for m in self.workshop.facts.program.loaded()
        )
        base = context if direct else f"{context}.request_context"
        if self._record() is not None:
            return f"{base}.lifespan_context.{name}"
        return f'{base}.lifespan_context["{name}"]'

    # -- what is there ------------------------------------------------------------------------------------

    def _yield(self) -> ast.Yield | None:
        if self.existing is None:
            return None
        yields = [n for n in ast.walk(self.existing[2]) if isinstance(n, ast.Yield)]
        if len(yields) != 1:
            raise Refused("its lifespan has more than one `yield`")
        return yields[0]

    def _record(self) -> ast.Call | None:
        """`AppContext(db=db)`, which the lifespan yields."""
        found = self._yield()
        return found.value if found is not None and isinstance(found.value, ast.Call) else None

    def yielded(self, constructor: str) -> str | None:
        """The key or the field under which the lifespan already yields an object built in the same way."""
        record = self._record()
        if record is None:
            return super().yielded(constructor)
        assert self.existing is not None
        wanted = ast.unparse(ast.parse(constructor, mode="eval"))
        built = {
            one.optional_vars.id
            for one in ast.walk(self.existing[2])
            if isinstance(one, ast.withitem)
            and isinstance(one.optional_vars, ast.Name)
            and ast.unparse(one.context_expr) == wanted
        }
        for keyword in record.keywords:
            if isinstance(keyword.value, ast.Name) and keyword.value.id in built:
                return keyword.arg
        return None

    def open_yielded(self, name: str, opening: Opening) -> list[Edit]:
        """The edits after which the lifespan builds an object, yields it under a name, and closes it."""
        if opening.enter is None:
            raise Refused("it is no context manager, which the lifespan's context needs")
        found, record = self._yield(), self._record()
        if record is not None:
            return [
                *self._extend(name, opening),
                *self._field(record, name, opening),
            ]
        edits = super().open_yielded(name, opening)
        if found is not None and found.value is None:
            edits += self._annotated()
        return edits

    def _annotated(self) -> list[Edit]:
        """`AsyncIterator[None]` of a lifespan that yields something now."""
        assert self.existing is not None
        returns = self.existing[2].returns
        if not (isinstance(returns, ast.Subscript) and isinstance(returns.slice, ast.Constant)):
            return []
        if returns.slice.value is not None:
            return []
        any_, edits = imports.bring(self.source, "typing", "Any", self.existing[0])
        return [*edits, self.source.replace(returns.slice, f"dict[str, {any_}]")]

    def _field(self, record: ast.Call, name: str, opening: Opening) -> list[Edit]:
        """One more field of the dataclass that the lifespan yields. Raises Refused for another class."""
        assert self.existing is not None
        function = self.existing[0]
        value = None
        if isinstance(record.func, ast.Name):
            value = self.workshop.facts.graph.evaluator.global_name(record.func.id, self.module)
        if not isinstance(value, Cls) or function.parent is not self.module.body:
            raise Refused("what its lifespan yields could not be read")
        klass = value.klass
        node = self._dataclass(klass)
        if klass.module is not self.module or record.args:
            raise Refused(f"where `{klass.name}` is filled could not be read")
        made = rf"(?<!class )(?<![\w.]){re.escape(klass.facts.name)}\("
        for module in self.workshop.facts.program.loaded():
            count = len(re.findall(made, module.file.text or ""))
            if count > (1 if module is self.module else 0):
                raise Refused(f"`{klass.name}` is also made elsewhere")
        if any(isinstance(s, ast.AnnAssign) and s.value is not None for s in node.body):
            raise Refused(f"`{klass.name}` has fields with a default")
        fields = [s for s in node.body if isinstance(s, ast.AnnAssign)]
        last = fields[-1] if fields else None
        if last is None or not self.source.alone(last):
            raise Refused(f"the fields of `{klass.name}` could not be read")
        kind = opening.constructor.partition("(")[0]
        if not re.fullmatch(r"[\w.]+", kind) or not kind.rpartition(".")[2][:1].isupper():
            raise Refused("the type of the shared object has no name in this module")
        return [
            self.source.insert(
                self.source.end(last), f"\n{self.source.indent(last)}{name}: {kind}"
            ),
            self._keyword(record, name),
        ]

    def _dataclass(self, klass: Klass) -> ast.ClassDef:
        decorators = klass.facts.decorators
        plain = len(decorators) == 1 and decorators[0] and decorators[0][-1] == "dataclass"
        if not plain or klass.facts.bases or klass.own_method("__init__") is not None:
            raise Refused(f"`{klass.name}`, which its lifespan yields, is no plain dataclass")
        for node in self.source.top(klass.facts.line).root.body:
            if isinstance(node, ast.ClassDef) and node.lineno == klass.facts.line:
                return node
        raise Refused(f"`{klass.name}` could not be read")

    def _keyword(self, record: ast.Call, name: str) -> Edit:
        source = self.source
        if not record.keywords:
            inner = source.text[source.end(record.func) : source.end(record)]
            if inner.strip("() \t\r\n"):
                raise Refused("what its lifespan yields could not be read")
            return source.edit(source.end(record.func), source.end(record), f"({name}={name})")
        last = record.keywords[-1]
        line = source.line(last.lineno)
        alone = last.lineno != record.lineno and line.lstrip().startswith(source.segment(last))
        gap = f",\n{source.indent(last)}" if alone else ", "
        return source.insert(source.end(last), f"{gap}{name}={name}")
