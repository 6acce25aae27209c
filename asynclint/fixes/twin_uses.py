"""What is done with a client: each use of it, and of what it gives, is made to wait."""

from __future__ import annotations

import ast
from dataclasses import replace

from asynclint.facts.body import is_none
from asynclint.facts.program import Function, Klass
from asynclint.facts.types import Cls, Coro, Func, Gen, Inst, Lib, LibMethod
from asynclint.findings import Refused
from asynclint.fixes import taken
from asynclint.fixes.mentions import Local, Result, State
from asynclint.fixes.reading import Reading
from asynclint.fixes.twin_sources import SHARED_POOL, Sources
from asynclint.fixes.twins import Pair

REACH = 400
"""Expressions that a plan looks at before it gives up."""

HARMLESS = frozenset({"builtins.bool", "builtins.id", "builtins.print", "builtins.repr"}) | {
    "builtins.str", "builtins.callable", "builtins.type",
}  # fmt: skip
"""Functions that may get a client, since they only look at it."""

COLLECTED = {
    "builtins.list": ("[", "]"),
    "builtins.tuple": ("tuple([", "])"),
    "builtins.set": ("{", "}"),
}
"""Functions that go over what they get, as comprehensions that do."""

TRUSTED = frozenset({"openai", "anthropic", "groq", "together", "httpx", "httpx2", "redis", "pymongo"}) | {
    "google", "cohere", "ollama", "mistralai", "tavily", "exa_py",
}  # fmt: skip
"""Libraries of which all results are known that are tied to a client."""

SYNC_METHODS = frozenset({"tool_runner", "register_script", "transaction"})
"""Methods that take functions, or give them, which would have to be coroutines."""

SYNC_ARGUMENTS = frozenset({"event_handler"})

LOOPS = (ast.For, ast.AsyncFor, ast.comprehension)

LOOKED_AT = (
    ast.UnaryOp,
    ast.Compare,
    ast.If,
    ast.While,
    ast.IfExp,
    ast.Assert,
    ast.Expr,
    ast.FormattedValue,
)
"""Nodes that look at a value and do not keep it."""


class Uses(Sources):
    """The way on to everything that is done with it."""

    def _follow(self, reading: Reading, node: ast.expr, pair: Pair) -> None:
        """A value is here; look at what is done with it."""
        known = self._followed.get(id(node))
        if known is not None:
            return
        self._followed[id(node)] = pair
        if len(self._followed) > REACH:
            raise Refused("it is used in too many places")
        parent = reading.tree.parent(node)
        if isinstance(parent, ast.Attribute):
            self._attribute(reading, parent, pair)
        elif isinstance(parent, ast.Subscript) and parent.value is node:
            self._value(reading, parent, self.twins.subscript(pair, reading.scope(node)))
        elif isinstance(parent, ast.Call) and parent.func is node:
            self._call(reading, parent, pair)
        elif isinstance(parent, ast.Call):
            self._pass(reading, parent, node, pair)
        elif isinstance(parent, ast.keyword):
            call = reading.tree.parent(parent)
            if not isinstance(call, ast.Call):
                raise Refused("it is an argument of a class statement")
            self._pass(reading, call, node, pair)
        elif isinstance(parent, ast.withitem):
            self._enter(reading, parent, node, pair)
        elif isinstance(parent, LOOPS) and parent.iter is node:
            self._iterate(reading, parent, node, pair)
        elif isinstance(parent, ast.Assign):
            for target in parent.targets:
                self._assign(reading, target, pair)
        elif isinstance(parent, (ast.AnnAssign, ast.NamedExpr)):
            self._assign(reading, parent.target, pair)
            if isinstance(parent, ast.NamedExpr):
                self._follow(reading, parent, pair)
        elif isinstance(parent, (ast.Tuple, ast.List)):
            self._unpack(reading, parent, node, pair)
        elif isinstance(parent, (ast.Return, ast.Yield)):
            self._give(reading, parent, pair)
        elif isinstance(parent, (ast.Await, ast.BoolOp)) or (
            isinstance(parent, ast.IfExp) and parent.test is not node
        ):
            self._follow(reading, parent, pair)
        elif isinstance(parent, ast.Compare) and any(
            isinstance(op, (ast.In, ast.NotIn)) and side is node
            for op, side in zip(parent.ops, parent.comparators, strict=True)
        ):
            raise Refused(f"`{ast.unparse(parent)}` goes over it")
        elif isinstance(parent, ast.Dict):
            self._state(reading, parent, node, pair)
        elif isinstance(parent, ast.Lambda) and parent.body is node:
            self._default(reading, parent)
        elif not isinstance(parent, LOOKED_AT):
            raise Refused(f"`{ast.unparse(node)}` is stored or handed on")

    def _default(self, reading: Reading, node: ast.Lambda) -> None:
        """`default_factory=lambda: OpenAI()` fills a field, which is followed by itself."""
        keyword = reading.tree.parent(node)
        if not isinstance(keyword, ast.keyword) or keyword.arg != "default_factory":
            raise Refused("it is given by a lambda")

    def _value(self, reading: Reading, node: ast.expr, pair: Pair) -> None:
        """What an operation gives: followed where it is not the same on both sides."""
        if not self.twins.plain(pair):
            self._follow(reading, node, pair)

    def _attribute(self, reading: Reading, node: ast.Attribute, pair: Pair) -> None:
        if not isinstance(node.ctx, ast.Load):
            if isinstance(pair.sync, Inst) and self.twins.client(pair.sync) and node.attr != "auth":
                return
            raise Refused(f"`{ast.unparse(node)}` is changed")
        if node.attr in ("close", "aclose") and self.twins.client(pair.sync):
            self._ended = True
        found = self.twins.attribute(pair, node.attr, reading.scope(node))
        if found is None:
            parent = reading.tree.parent(node)
            if isinstance(parent, ast.Call) and parent.func is node:
                raise Refused(f"what `{pair.name}.{node.attr}` does is not known")
            return
        there, name = found
        if name != node.attr:
            end = reading.source.end(node)
            edit = reading.source.edit(end - len(node.attr), end, name)
            self._change(reading).edits.append(edit)
        self._follow(reading, node, there)

    def _call(self, reading: Reading, call: ast.Call, pair: Pair) -> None:
        self._refuse_streaming(reading, call, pair)
        self._refuse_handed(reading, call, pair)
        streams = any(k.arg == "stream" and not _is_false(k.value) for k in call.keywords)
        there = self.twins.call(pair, reading.site(call), reading.module, streams)
        if not isinstance(there.twin, Coro):
            if there.twin is None and self._is_vague(reading, call, pair):
                raise Refused(f"what `{pair.name}` gives is not known")
            self._value(reading, call, there)
            return
        assert isinstance(pair.twin, LibMethod)
        site = reading.site(call)
        if site is not None:
            function = reading.module.functions[site.function]
            taken.refuse_at(reading.workshop, function, site)
        parent = reading.tree.parent(call)
        result = replace(there, twin=there.twin.result)
        if pair.twin.known.iterates == "async" and _gone_over(parent, call):
            self._follow(reading, call, result)
            return
        if (
            result.twin is None
            and not self._is_trusted(pair)
            and not self._only_read(reading, call)
        ):
            raise Refused(f"what `{pair.name}` gives is not known")
        self._value(reading, self._wait(reading, call), result)

    def _is_trusted(self, pair: Pair) -> bool:
        """Whether all that a library's calls give is known that is more than plain data."""
        return isinstance(pair.sync, LibMethod) and pair.sync.cls.partition(".")[0] in TRUSTED

    def _is_vague(self, reading: Reading, call: ast.Call, pair: Pair) -> bool:
        """Whether a call that does not wait gives something unknown, which may be tied to the client."""
        assert isinstance(pair.sync, LibMethod) and isinstance(pair.twin, LibMethod)
        same = pair.sync.cls == pair.twin.cls
        dropped = isinstance(reading.tree.parent(call), ast.Expr)
        return not (same or dropped or pair.sync.name in ("close", "aclose"))

    def _refuse_handed(self, reading: Reading, call: ast.Call, pair: Pair) -> None:
        """Raise Refused where a call gets what only a synchronous client can use."""
        assert not isinstance(pair.sync, LibMethod) or pair.sync.name
        if isinstance(pair.sync, LibMethod) and pair.sync.name in SYNC_METHODS:
            raise Refused(f"`{pair.name}` takes other arguments there")
        for keyword in call.keywords:
            if keyword.arg in SYNC_ARGUMENTS and not is_none(keyword.value):
                raise Refused(f"its `{keyword.arg}` belongs to a synchronous client")
            if keyword.arg not in ("content", "data"):
                continue
            given = reading.type(keyword.value)
            lazy = isinstance(keyword.value, (ast.GeneratorExp, ast.Lambda))
            if lazy or isinstance(given, Gen) or self._is_file(reading, keyword.value):
                raise Refused(f"its `{keyword.arg}` is read piece by piece")

    def _is_file(self, reading: Reading, node: ast.expr) -> bool:
        given = reading.type(node)
        path = given.of if isinstance(given, Inst) and isinstance(given.of, str) else ""
        return path.startswith("io.") or path.endswith(("IO", "File", "SpooledTemporaryFile"))

    def _refuse_streaming(self, reading: Reading, call: ast.Call, pair: Pair) -> None:
        """Raise Refused where only the running program knows whether the answer is a stream."""
        if not isinstance(pair.sync, LibMethod) or not pair.sync.known.returns_if:
            return
        asked = [k for k in call.keywords if k.arg in ("stream", None)]
        for keyword in asked:
            if keyword.arg is None or not isinstance(keyword.value, ast.Constant):
                if not self._only_read(reading, call):
                    raise Refused("only the running program knows whether the answer is a stream")

    def _only_read(self, reading: Reading, call: ast.expr) -> bool:
        """Whether nothing is done with an answer but reading its attributes."""
        parent = reading.tree.parent(call)
        if isinstance(parent, (ast.Attribute, ast.Expr)):
            return True
        if not isinstance(parent, ast.Assign) or not isinstance(parent.targets[0], ast.Name):
            return False
        holder = self.holders.of(reading, parent.targets[0])
        if not isinstance(holder, Local) or len(parent.targets) > 1:
            return False
        return all(
            isinstance(use, tuple) and isinstance(use[0].tree.parent(use[1]), ast.Attribute)
            for use in self.holders.uses(holder)
        )

    def _wait(self, reading: Reading, node: ast.expr) -> ast.expr:
        """`await` before a call, in parentheses where the code around it needs them; the expression that has the result."""
        self._stop(reading, node)
        self.changed.add(id(node))
        parent = reading.tree.parent(node)
        if isinstance(parent, ast.Await):
            # It was awaited by mistake.
            return parent
        tight = (isinstance(parent, (ast.Attribute, ast.Subscript)) and parent.value is node) or (
            isinstance(parent, ast.Call) and parent.func is node
        )
        source = reading.source
        text = source.text
        start, end = source.offset(node.lineno, node.col_offset), source.end(node)
        if tight and text[start - 1 : start] == "(" and text[end : end + 1] == ")":
            tight = isinstance(parent, ast.Call) and text[start - 2 : start - 1].isidentifier()
        if tight:
            self._change(reading).wrap(node, "(await ", ")")
        else:
            self._change(reading).wrap(node, "await ")
        return node

    def _enter(self, reading: Reading, item: ast.withitem, node: ast.expr, pair: Pair) -> None:
        statement = reading.tree.parent(item)
        entered = self.twins.entered(pair)
        if self.twins.client(pair.sync):
            self._ended = True
        if isinstance(statement, ast.With):
            _, _, items = self._withs.setdefault(id(statement), (reading, statement, set()))
            items.add(id(item))
        self.changed.add(id(node))
        if item.optional_vars is not None and entered.sync is None and entered.twin is None:
            raise Refused(f"what `{ast.unparse(node)}` gives is not known")
        if item.optional_vars is not None and not self.twins.plain(entered):
            self._assign(reading, item.optional_vars, entered)

    def _iterate(
        self,
        reading: Reading,
        parent: ast.For | ast.AsyncFor | ast.comprehension,
        node: ast.expr,
        pair: Pair,
    ) -> None:
        element = self.twins.iterated(pair)
        self.changed.add(id(node))
        if isinstance(parent, ast.AsyncFor) or _is_async(parent):
            # It was so by mistake.
            self._stop(reading, parent.target)
        elif isinstance(parent, ast.For):
            self._stop(reading, parent)
            self._change(reading).wrap(parent, "async ")
        else:
            around = reading.tree.parent(parent)
            if isinstance(around, ast.GeneratorExp):
                raise Refused("it is gone over in a generator expression")
            # The place inside, so that the comprehension itself counts.
            self._stop(reading, parent.target)
            source = reading.source
            target = source.offset(parent.target.lineno, parent.target.col_offset)
            start = source.text.rindex("for", 0, target)
            self._change(reading).edits.append(source.insert(start, "async "))
        if not self.twins.plain(element):
            self._assign(reading, parent.target, element)

    def _assign(self, reading: Reading, target: ast.expr, pair: Pair) -> None:
        if not isinstance(target, (ast.Name, ast.Attribute)):
            raise Refused(f"it is stored in `{ast.unparse(target)}`")
        self._hold(self.holders.of(reading, target), pair, ast.unparse(target))

    def _unpack(
        self, reading: Reading, parent: ast.Tuple | ast.List, node: ast.expr, pair: Pair
    ) -> None:
        above = reading.tree.parent(parent)
        if isinstance(above, ast.Assign) and above.value is parent and len(above.targets) == 1:
            target = above.targets[0]
            if isinstance(target, (ast.Tuple, ast.List)) and len(target.elts) == len(parent.elts):
                self._assign(reading, target.elts[parent.elts.index(node)], pair)
                return
        raise Refused(f"`{ast.unparse(node)}` is stored or handed on")

    def _give(self, reading: Reading, node: ast.Return | ast.Yield, pair: Pair) -> None:
        function = reading.scope(node)
        if function.facts.kind not in ("def", "async"):
            raise Refused("it is given by a lambda")
        self._hold(Result(function), pair, function.name)

    def _state(self, reading: Reading, parent: ast.Dict, node: ast.expr, pair: Pair) -> None:
        """`yield {"client": client}` of a lifespan."""
        above = reading.tree.parent(parent)
        key = parent.keys[parent.values.index(node)] if node in parent.values else None
        if not isinstance(above, ast.Yield) or not isinstance(key, ast.Constant):
            raise Refused(f"`{ast.unparse(node)}` is stored in a dictionary")
        self._hold(State(str(key.value)), pair, str(key.value))

    # -- arguments ------------------------------------------------------------------------------------------

    def _pass(self, reading: Reading, call: ast.Call, node: ast.expr, pair: Pair) -> None:
        callee = reading.type(call.func)
        if isinstance(callee, Lib):
            self._pass_library(reading, call, node, pair, callee.path)
            return
        if isinstance(callee, LibMethod) and self._build_around(reading, call, node):
            return
        function = callee.function if isinstance(callee, Func) else None
        if isinstance(callee, Cls):
            function = self._initializer(reading, call, node, pair, callee.klass)
            if function is None:
                return
        if function is None:
            name = ast.unparse(call.func)
            if self._join(reading, call, node, pair):
                return
            raise Refused(f"`{name}` gets it, and what that does with it is not known")
        self._hold(
            Local(function, self._parameter(reading, call, node, function)), pair, function.name
        )

    def _build_around(self, reading: Reading, call: ast.Call, node: ast.expr) -> bool:
        """`OpenAI(http_client=client)`."""
        if any(k.arg in SHARED_POOL and k.value is node for k in call.keywords):
            return self._build(reading, call)
        return False

    def _pass_library(
        self, reading: Reading, call: ast.Call, node: ast.expr, pair: Pair, path: str
    ) -> None:
        if path in HARMLESS or self._build_around(reading, call, node):
            return
        if path in COLLECTED and call.args == [node] and not call.keywords:
            self._collect(reading, call, node, pair, *COLLECTED[path])
            return
        known = self.twins.known.function(path)
        if known is not None and known.offloads is not None and isinstance(pair.sync, LibMethod):
            self._back(reading, call, node, pair)
            return
        raise Refused(
            f"`{ast.unparse(call.func)}` gets it, and what that does with it is not known"
        )

    def _collect(
        self, reading: Reading, call: ast.Call, node: ast.expr, pair: Pair, before: str, behind: str
    ) -> None:
        """`list(stream)` → `[item async for item in stream]`."""
        if not self.twins.plain(self.twins.iterated(pair)):
            raise Refused(f"what `{ast.unparse(call)}` collects has to be awaited")
        self._stop(reading, call)
        if any(isinstance(one, ast.GeneratorExp) for one in reading.tree.above(call)):
            raise Refused("it is gone over in a generator expression")
        source = reading.source
        start, end = source.offset(call.lineno, call.col_offset), source.end(call)
        first, last = source.offset(node.lineno, node.col_offset), source.end(node)
        if "#" in source.text[start:first] + source.text[last:end]:
            raise Refused("a comment stands between the arguments")
        self.changed |= {id(call), id(node)}
        change = self._change(reading)
        change.edits.append(source.edit(start, first, f"{before}item async for item in "))
        change.edits.append(source.edit(last, end, behind))

    def _join(self, reading: Reading, call: ast.Call, node: ast.expr, pair: Pair) -> bool:
        """`"".join(stream.text_stream)` → `"".join([item async for item in stream.text_stream])`."""
        func = call.func
        if not (isinstance(func, ast.Attribute) and func.attr == "join" and call.args == [node]):
            return False
        if not isinstance(func.value, ast.Constant) or not isinstance(func.value.value, str):
            return False
        if not self.twins.plain(self.twins.iterated(pair)):
            return False
        self._stop(reading, call)
        self.changed.add(id(node))
        self._change(reading).wrap(node, "[item async for item in ", "]")
        return True

    def _back(self, reading: Reading, call: ast.Call, node: ast.expr, pair: Pair) -> None:
        """`await to_thread(client.create, x)` → `await client.create(x)`."""
        source = reading.source
        name = ast.unparse(call.func)
        if not call.args or call.args[0] is not node:
            raise Refused(f"`{name}` gets it, and what that does with it is not known")
        if not name.endswith(("to_thread", "run_in_threadpool")):
            raise Refused(f"`{name}` runs it in a thread")
        there = self.twins.call(pair, None, reading.module, False)
        assert isinstance(pair.sync, LibMethod)
        if not isinstance(there.twin, Coro) or pair.sync.known.returns_if:
            raise Refused(f"`{name}` runs it in a thread")
        if not self.twins.plain(replace(there, twin=there.twin.result)):
            raise Refused(f"`{name}` runs it in a thread")
        reading.refuse_waiting(call)
        end = source.end(node)
        rest = source.text[end : source.end(call)]
        behind = rest.lstrip()
        if not behind.startswith((",", ")")):
            raise Refused(f"how `{name}` is called could not be read")
        skipped = len(rest) - len(behind)
        if behind.startswith(","):
            skipped += 1 + len(behind[1:]) - len(behind[1:].lstrip(" "))
        change = self._change(reading)
        start = source.offset(call.lineno, call.col_offset)
        change.edits.append(source.edit(start, source.offset(node.lineno, node.col_offset), ""))
        change.edits.append(source.edit(end, end + skipped, "("))
        self.changed.add(id(call))
        change.gone.append(call)

    def _initializer(
        self, reading: Reading, call: ast.Call, node: ast.expr, pair: Pair, klass: Klass
    ) -> Function | None:
        """The `__init__` that gets an argument; None where it is a field of a dataclass or model, which holds it."""
        method, _ = self.evaluator.member(klass, "__init__")
        if isinstance(method, Func):
            return method.function
        name = next((k.arg for k in call.keywords if k.value is node), None)
        if name is None or not self.holders.is_field(klass, name):
            raise Refused(f"what `{klass.name}` does with it is not known")
        self._hold(self.holders.held(klass, name), pair, f"{klass.name}.{name}")
        return None

    def _parameter(
        self, reading: Reading, call: ast.Call, node: ast.expr, function: Function
    ) -> str:
        for parameter in function.facts.params:
            if parameter.kind in ("args", "kwargs"):
                continue
            if self.holders.argument(reading, call, function, parameter.name) is node:
                return parameter.name
        raise Refused(f"which parameter of `{function.name}` gets it could not be read")


def _gone_over(parent: ast.AST | None, node: ast.expr) -> bool:
    """`for … in node`, `list(node)`."""
    if isinstance(parent, LOOPS):
        return parent.iter is node
    name = (
        parent.func.id if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) else ""
    )
    return f"builtins.{name}" in COLLECTED


def _is_async(node: ast.AST) -> bool:
    return isinstance(node, ast.comprehension) and bool(node.is_async)


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not node.value
