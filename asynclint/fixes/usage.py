"""What a function does with a client that it got: whether it may be shared, and the edits that stop it from closing it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from asynclint.findings import Edit, Refused
from asynclint.fixes.source import Source, Tree

CLOSING = frozenset({"close", "aclose", "dispose", "disconnect", "closeall"})

CHANGING = frozenset(
    {"update", "set", "clear", "pop", "setdefault", "add", "extend", "append", "delete", "insert"}
)
"""Methods that change a mapping or list."""

STATE = frozenset(
    {"headers", "cookies", "auth", "params", "event_hooks", "hooks", "proxies", "default_headers"}
)
"""Attributes of clients that hold what is sent with every request."""

JARS = frozenset({"cookie_jar", "cookiejar"})

SOCKETS = frozenset({"ws_connect", "websocket", "websocket_connect"})
"""Methods that hold a connection as long as the other side wants: one client has so many for all."""

LOGIN = re.compile(r"log_?in|sign_?in|csrf|logon", re.IGNORECASE)
"""What the address says whose cookies the next calls send."""

PASSWORD = re.compile(r"pass(?:w|\b|_|['\"])|pwd|credential", re.IGNORECASE)
"""What a call sends with which somebody logs in."""

READS = frozenset({"get", "getlist", "getall", "get_all", "getone"})

CLOSERS = frozenset(
    {"closing", "aclosing", "enter_async_context", "enter_context", "push_async_callback"}
)


@dataclass
class Usage:
    """The uses of one object in one function, by the name or attribute that holds it."""

    source: Source
    tree: Tree
    within: ast.AST
    """The function, or the class for an attribute of `self`."""
    holder: str
    """"client", or "self.client"."""
    edits: list[Edit] = field(default_factory=list)
    cookies: bool = False
    """Whether the object keeps the cookies of what answers."""
    passed: list[tuple[ast.Call, ast.expr]] = field(default_factory=list)
    """Calls that get the object as an argument, with that argument."""

    def settle(self) -> None:
        """Collect the edits that leave the object open. Raises Refused where it is changed, stored or closed oddly."""
        closings: list[ast.Expr] = []
        entered: list[tuple[ast.With | ast.AsyncWith, ast.withitem]] = []
        for node in self._uses():
            parent = self.tree.parent(node)
            if isinstance(parent, ast.withitem) and parent.context_expr is node:
                statement = self.tree.parent(parent)
                assert isinstance(statement, (ast.With, ast.AsyncWith))
                entered.append((statement, parent))
                continue
            closing = self._closing(node)
            if closing is not None:
                closings.append(closing)
                continue
            self._judge(node)
        if self.cookies:
            self._refuse_mixed()
        for statement, item in entered:
            self.edits += unwrapped(self.source, self.tree, statement, item, None)
        self.edits += self._without(closings)

    def _refuse_mixed(self) -> None:
        """Raise Refused where the cookies of one user would be sent with the requests of another one."""
        if forwards(self.tree, self.within):
            raise Refused("a shared one would mix the cookies of those whose headers it forwards")
        calls = [one for one in map(self._called, self._uses()) if one is not None]
        logins = [c for c in calls if any(LOGIN.search(ast.unparse(a)) for a in c.args[:2])]
        if logins and (len(calls) > 1 or any(PASSWORD.search(ast.unparse(c)) for c in logins)):
            raise Refused("a shared one would mix the cookies of those who log in")
        if any(map(_reads_cookies, ast.walk(self.within))):
            raise Refused("a shared one would mix the cookies that it is answered with")

    def _called(self, node: ast.expr) -> ast.Call | None:
        """`client.get(…)`."""
        attribute = self.tree.parent(node)
        call = self.tree.parent(attribute) if isinstance(attribute, ast.Attribute) else None
        return call if isinstance(call, ast.Call) and call.func is attribute else None

    def _uses(self) -> Iterator[ast.expr]:
        name, _, attribute = self.holder.partition(".")
        for node in ast.walk(self.within):
            if attribute:
                if (
                    isinstance(node, ast.Attribute)
                    and node.attr == attribute
                    and isinstance(node.value, ast.Name)
                    and node.value.id == name
                    and isinstance(node.ctx, ast.Load)
                ):
                    yield node
            elif isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                yield node

    def _closing(self, node: ast.expr) -> ast.Expr | None:
        """The statement that closes the object here."""
        attribute = self.tree.parent(node)
        if not isinstance(attribute, ast.Attribute) or attribute.attr not in CLOSING:
            return None
        call = self.tree.parent(attribute)
        if not isinstance(call, ast.Call) or call.func is not attribute:
            raise Refused(f"`{self.holder}.{attribute.attr}` is handed on")
        above = self.tree.parent(call)
        if isinstance(above, ast.Await):
            above = self.tree.parent(above)
        if not isinstance(above, ast.Expr):
            raise Refused(f"`{self.holder}` is closed within an expression")
        return above

    def _judge(self, node: ast.expr) -> None:
        names: list[str] = []
        top: ast.expr = node
        parent = self.tree.parent(top)
        while isinstance(parent, (ast.Attribute, ast.Subscript)) and parent.value is top:
            if isinstance(parent, ast.Attribute):
                names.append(parent.attr)
            if not isinstance(parent.ctx, ast.Load):
                raise Refused(f"`{self.holder}` is changed: {ast.unparse(parent)}")
            top = parent
            parent = self.tree.parent(top)
        called = isinstance(parent, ast.Call) and parent.func is top
        if called and len(names) > 1 and names[-1] in CHANGING and set(names[:-1]) & STATE:
            raise Refused(f"`{self.holder}` is changed: {ast.unparse(top)}")
        if names:
            if called and isinstance(parent, ast.Call):
                refuse_own(parent, names[-1])
            if names[0] in JARS:
                raise Refused(f"`{ast.unparse(top)}` would be that of all")
            if names[0] in ("is_closed", "closed"):
                raise Refused(f"`{ast.unparse(top)}` is asked for")
            if (
                not called
                and names[0] in STATE
                and not isinstance(parent, (ast.Compare, ast.Await))
            ):
                raise Refused(f"`{ast.unparse(top)}` is handed on")
            return
        if isinstance(parent, ast.keyword):
            parent = self.tree.parent(parent)
        if isinstance(parent, ast.Call):
            function = parent.func
            last = (
                function.attr
                if isinstance(function, ast.Attribute)
                else getattr(function, "id", "")
            )
            if last in CLOSERS:
                raise Refused(f"`{last}` closes `{self.holder}`")
            if last in ("setattr", "delattr"):
                raise Refused(f"`{self.holder}` is changed by `{last}`")
            self.passed.append((parent, top))
            return
        if isinstance(
            parent,
            (
                ast.Return,
                ast.Yield,
                ast.Compare,
                ast.BoolOp,
                ast.If,
                ast.UnaryOp,
                ast.FormattedValue,
                ast.IfExp,
            ),
        ):
            return
        raise Refused(f"`{self.holder}` is stored or handed on")

    # -- closing --------------------------------------------------------------------------------------

    def _without(self, closings: list[ast.Expr]) -> list[Edit]:
        edits: list[Edit] = []
        for statement in closings:
            parent = self.tree.parent(statement)
            if isinstance(parent, ast.Try) and statement in parent.finalbody:
                if any(s not in closings for s in parent.finalbody):
                    edits.append(self._removed(statement, closings))
                elif statement is parent.finalbody[0]:
                    edits += self._finally(parent)
                continue
            if isinstance(parent, ast.If) and parent.body == [statement] and not parent.orelse:
                if self._tests(parent.test):
                    above = self.tree.parent(parent)
                    if isinstance(above, ast.Try) and above.finalbody == [parent]:
                        edits += self._finally(above)
                        continue
                    edits.append(self._removed(parent, closings))
                    continue
            edits.append(self._removed(statement, closings))
        return edits

    def _tests(self, node: ast.expr) -> bool:
        """`if client:` or `if client is not None:`."""
        if isinstance(node, ast.Compare):
            node = node.left
        return ast.unparse(node) == self.holder

    def _removed(self, statement: ast.stmt, closings: list[ast.Expr]) -> Edit:
        parent = self.tree.parent(statement)
        if self.tree.suite(statement) == [statement]:
            raise Refused("closing it is all that a block does")
        start = self.source.line_start(statement.lineno)
        end = self.source.after(statement)
        goes = (
            isinstance(parent, ast.Try)
            and bool(parent.finalbody)
            and all(s in closings for s in parent.finalbody)
            and not parent.handlers
            and not parent.orelse
        )
        indent = self.source.indent(parent if goes and isinstance(parent, ast.Try) else statement)
        kept = _comments(self.source.text[start:end], indent)
        return self.source.edit(start, end, kept)

    def _finally(self, node: ast.Try) -> list[Edit]:
        """Take out a `finally` that only closes; and the `try` with it where nothing is left for that."""
        source = self.source
        last = node.finalbody[-1]
        before = (node.orelse or (node.handlers[-1].body if node.handlers else node.body))[-1]
        start = source.line_start((before.end_lineno or before.lineno) + 1)
        end = source.line_start((last.end_lineno or last.lineno) + 1)
        edits = [source.edit(start, end, _comments(source.text[start:end], source.indent(node)))]
        if node.handlers or node.orelse:
            return edits
        head = source.line_start(node.lineno)
        head_end = source.line_start(node.lineno + 1)
        if source.text[head:head_end].strip() != "try:":
            raise Refused("something else stands on the line of the `try`")
        edits.append(source.edit(head, head_end, ""))
        return edits + source.dedent(node.body, source.indent(node))


def refuse_own(call: ast.Call, name: str) -> None:
    """Raise Refused for the call of a client's method that gets one user's cookies, or keeps a connection."""
    if any(k.arg == "cookies" and not _is_empty(k.value) for k in call.keywords):
        raise Refused("a shared one would mix the cookies that its calls get and are answered with")
    if name in SOCKETS:
        raise Refused(
            f"each `{name}` keeps a connection, of which a shared one has so many for all"
        )


def _reads_cookies(node: ast.AST) -> bool:
    """Whether the cookies of an answer are read, and not those of who asks."""
    if not isinstance(node, ast.Attribute) or node.attr != "cookies":
        return False
    return isinstance(node.ctx, ast.Load) and not _is_asked(node.value)


def _is_asked(node: ast.expr) -> bool:
    """Whether an object is called like the request that a route answers."""
    return ast.unparse(node).lower().endswith(("request", "req", "websocket"))


def _is_empty(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Dict) and not node.keys)


def forwards(tree: Tree, within: ast.AST) -> bool:
    """Whether a function sends a `Cookie` header of its own, or all headers of the request that it answers."""
    for node in ast.walk(within):
        parent = tree.parent(node)
        if isinstance(node, ast.Constant) and str(node.value).lower() == "cookie":
            if isinstance(parent, ast.Dict) and node in parent.keys:
                return True
            if isinstance(parent, ast.Subscript) and isinstance(parent.ctx, ast.Store):
                return True
        if isinstance(node, ast.Attribute) and node.attr == "headers":
            if not _is_asked(node.value):
                continue
            if isinstance(parent, (ast.Subscript, ast.Compare)):
                continue
            if not (isinstance(parent, ast.Attribute) and parent.attr in READS):
                return True
    return False


def _comments(text: str, indent: str) -> str:
    """The comments of lines that go, on lines of their own."""
    found = (line.partition("#") for line in text.splitlines())
    return "".join(f"{indent}#{comment.rstrip()}\n" for _, sign, comment in found if sign)


def unwrapped(
    source: Source,
    tree: Tree,
    statement: ast.With | ast.AsyncWith,
    item: ast.withitem,
    binding: str | None,
) -> list[Edit]:
    """Take an item out of a `with`, and the `with` away where it has no other; `binding` is put in front on a line."""
    indent = source.indent(statement)
    start = source.offset(statement.lineno, statement.col_offset)
    if source.text[source.line_start(statement.lineno) : start].strip():
        raise Refused("something else stands on the line of the `with`")
    line = f"{binding}\n" if binding else ""
    if len(statement.items) > 1:
        index = statement.items.index(item)
        if index + 1 < len(statement.items):
            following = statement.items[index + 1].context_expr
            edit = source.edit(
                source.offset(item.context_expr.lineno, item.context_expr.col_offset),
                source.offset(following.lineno, following.col_offset),
                "",
            )
        else:
            previous = statement.items[index - 1]
            edit = source.edit(
                source.end(previous.optional_vars or previous.context_expr),
                source.end(item.optional_vars or item.context_expr),
                "",
            )
        if "#" in source.text[edit.start : edit.end]:
            raise Refused("a comment stands beside the client in the `with`")
        if binding is None:
            return [edit]
        return [source.insert(source.line_start(statement.lineno), f"{indent}{line}"), edit]
    body = statement.body
    end = source.end(item.optional_vars or item.context_expr)
    colon = source.text.index(":", end)
    first = body[0]
    if "#" in source.text[start:colon]:
        raise Refused("a comment stands in the header of the `with`")
    if first.lineno == (item.optional_vars or item.context_expr).end_lineno:
        # The body stands behind the colon.
        after = source.offset(first.lineno, first.col_offset)
        return [source.edit(start, after, f"{line}{indent}" if binding else "")]
    rest_end = source.line_start(_line_of(source, colon) + 1)
    rest = source.text[colon + 1 : rest_end].strip()
    if binding is None and not rest:
        edits = [source.edit(source.line_start(statement.lineno), rest_end, "")]
    elif binding is None:
        edits = [source.edit(start, rest_end, f"{rest}\n")]
    else:
        edits = [source.edit(start, colon + 1, binding)]
    return edits + source.dedent(body, indent)


def _line_of(source: Source, offset: int) -> int:
    import bisect

    return bisect.bisect_right(source.starts, offset)
