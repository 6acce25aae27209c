"""Clients that are built once and that nothing closes: at startup, or in a program's own coroutine."""

from __future__ import annotations

import re
from collections.abc import Iterator

from asynclint.facts import places
from asynclint.facts.clients import ClientFacts
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import CallSite
from asynclint.facts.program import Function, Module
from asynclint.facts.runs import Runs
from asynclint.facts.view import Unclosed
from asynclint.findings import Link
from asynclint.knowledge.model import Client

VERBS = frozenset({
    "close", "aclose", "close_async", "close_all", "close_pool", "closing", "aclosing", "cleanup", "disconnect",
    "dispose", "end", "ensure_closed", "exit", "quit", "release", "shutdown", "stop", "teardown", "terminate",
    "wait_closed", "__aexit__", "__exit__", "__aenter__", "__enter__",
})  # fmt: skip
"""Methods that close something, or enter it so that something closes it."""

VERB = "(?:" + "|".join(sorted(VERBS)) + r")\b"

LOOKING = frozenset(
    {
        "attr",
        "await",
        "test",
        "not",
        "is",
        "cmp",
        "in",
        "fstr",
        "for",
        "afor",
        "sub",
        "op",
        "callee",
    }
)
"""What may be done with a client without anybody else taking it over."""

NOTICED = frozenset({"pool", "connection", "session"})
"""What a program that ends without closing it leaves open at the other side, or complains about."""


class UnclosedFacts:
    """What becomes of the clients that are built once."""

    def __init__(self, evaluator: Evaluator, clients: ClientFacts, runs: Runs) -> None:
        self.evaluator = evaluator
        self.clients = clients
        self.runs = runs

    def unclosed(self, function: Function, site: CallSite) -> Unclosed | None:
        """A client that a call builds and nothing closes; None where anything might."""
        if site.kind != "call" or function not in self.runs.once:
            return None
        if function.facts.kind not in ("def", "async") or function.module.file.is_test:
            return None
        made = self.clients.built(function.module, site)
        if made is None:
            return None
        client, name = made
        if not client.is_async or client.close is None or self.runs.cached(function):
            return None
        if self.runs.guarded(function, site) or function.module.dead(site.block):
            return None
        startup = function in self.runs.startup
        if not startup and not self._is_program(function, client):
            return None
        kept = self._kept(function, site, startup)
        if kept is None:
            return None
        if any(self._is_closed(attribute, function) for attribute in kept):
            return None
        return Unclosed(client, name, kept, self._because(function, startup))

    def _is_program(self, function: Function, client: Client) -> bool:
        """The coroutine that `asyncio.run` runs: what it leaves open stays open, or is complained about, at its end."""
        if not function.is_async or function.facts.generator or client.what not in NOTICED:
            return False
        edges = self.runs.graph.into.get(function, ())
        return bool(edges) and all(e.how == "run" for e in edges)

    def _because(self, function: Function, startup: bool) -> tuple[Link, ...]:
        text = "runs at startup" if startup else "is a program's main coroutine"
        return (places.head(function, f"`{function.name}` {text}"),)

    # -- where it is kept ---------------------------------------------------------------------------------

    def _kept(self, function: Function, site: CallSite, startup: bool) -> tuple[str, ...] | None:
        """The attributes and globals that hold it, none for a local variable; None where it is handed over or closed."""
        role = site.role
        recipe: object = ("call", site.index)
        if role[0] == "await":
            role, recipe = role[1], ("await", recipe)
        if role[0] == "stmt":
            return ()
        if role[0] == "store" and startup:
            return self._attributes(function, recipe)
        if role[0] != "assign" or len(role) != 2:
            return None
        name = str(role[1])
        if name in function.facts.globals:
            return (name,) if startup else None
        if name in function.facts.nonlocals or len(function.facts.bindings.get(name, ())) != 1:
            return None
        return self._local(function, name, startup)

    def _attributes(self, function: Function, recipe: object) -> tuple[str, ...] | None:
        found = []
        for binding in function.facts.attribute_bindings:
            if binding.recipe == recipe:
                own = binding.base == ("name", function.self_name)
                if own or binding.attr == "[]":
                    return None
                found.append(binding.attr)
        return tuple(found) or None

    def _local(self, function: Function, name: str, startup: bool) -> tuple[str, ...] | None:
        """The attributes in which a local variable's client is kept, too; None where it is closed or handed over."""
        kept: tuple[str, ...] = ()
        if name in function.facts.loaded or self._seen_inside(function, name):
            return None
        for use in function.facts.uses.get(name, ()):
            tag = use.role[0]
            if tag == "store" and startup:
                found = self._attributes(function, ("name", name))
                if found is None:
                    return None
                kept = (*kept, *found)
            elif tag not in LOOKING or (tag == "attr" and use.role[1] in VERBS):
                return None
        return kept

    def _seen_inside(self, function: Function, name: str) -> bool:
        """Whether a function in it reads a local variable."""
        for other in function.module.functions[function.facts.index + 1 :]:
            if other.facts.line > function.facts.end_line:
                break
            if name in other.facts.loaded or name in other.facts.uses:
                return True
        return False

    # -- whether anything closes it -----------------------------------------------------------------------

    def _is_closed(self, name: str, function: Function) -> bool:
        """Whether the project's text closes something of this name, or hands it to what may."""
        self.evaluator.program.sought.add(name)
        direct = re.compile(
            rf"\b{re.escape(name)}\)?\s*\.\s*{VERB}"
            rf"|(?:getattr|hasattr|delattr|pop)\([^()]*[\"']{re.escape(name)}[\"']"
        )
        alias = re.compile(rf"(\w+)\s*(?::[^=\n]*)?:?=\s*(?:await\s+)?[\w.]*\b{re.escape(name)}\b")
        for file in self.evaluator.program.project.files:
            text = file.text or ""
            if name not in text or file.is_test:
                continue
            if direct.search(text):
                return True
            for other in {m.group(1) for m in alias.finditer(text)} - {name}:
                if re.search(rf"\b{other}\s*\.\s*{VERB}", text):
                    return True
        return any(
            self._mentions(other, name, function) for other in self._lifecycle(function.module)
        )

    def _lifecycle(self, module: Module) -> Iterator[Function]:
        """What runs at startup or shutdown, in the module of the client or any other."""
        for function in self.runs.startup:
            if function.facts.kind in ("def", "async") and not function.module.file.is_test:
                yield function

    def _mentions(self, function: Function, name: str, builder: Function) -> bool:
        """Whether a function of the lifecycle does anything with the attribute but fill it."""
        lines = function.module.lines[function.facts.line - 1 : function.facts.end_line]
        behind = False
        for line in lines:
            if line.lstrip().startswith("#"):
                continue
            word = re.search(rf"\b{re.escape(name)}\b", line)
            filled = re.search(rf"\b{re.escape(name)}\b\s*(?::[^=]*)?=[^=]|\bglobal\b", line)
            if word and not filled and "yield" not in line:
                return True
            if behind and function is builder and re.search(r"\(\s*(?:app|state|self)\b", line):
                # `await close_all(app)` behind the `yield`.
                return True
            behind = behind or "yield" in line
        return False
