"""Coroutines that nothing will ever run."""

from __future__ import annotations

import re
from typing import Any

from asynclint.facts import guards, places, reads
from asynclint.facts.annotations import annotation_type, holds_none, is_vague
from asynclint.facts.classes import implementations, is_overridden_plainly
from asynclint.facts.decorators import is_veiled
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.graph import Graph
from asynclint.facts.known_calls import known_callee
from asynclint.facts.model import AttributeBinding, CallSite, Recipe, Use
from asynclint.facts.operations import fields
from asynclint.facts.program import Function, Klass, Module
from asynclint.facts.runs import Runs
from asynclint.facts.types import (
    NONE,
    Const,
    Coro,
    Func,
    Gen,
    Inst,
    Lib,
    LibMethod,
    Tup,
    Type,
    members,
)
from asynclint.facts.view import LostCoroutine
from asynclint.findings import Link

Role = tuple[Any, ...]

BARE_ATTRIBUTES = frozenset({
    "send", "throw", "close", "cr_await", "cr_code", "cr_frame", "cr_running", "cr_origin", "cr_suspended",
    "__await__", "__name__", "__qualname__", "__class__", "__del__",
})  # fmt: skip
"""What a coroutine has; reading anything else takes it for its result."""

COROUTINE_ATTRIBUTES = BARE_ATTRIBUTES | {
    "add_done_callback", "cancel", "done", "result", "set_name", "get_name", "exception", "cancelled",
    "remove_done_callback", "get_coro",
}  # fmt: skip
"""What a coroutine or a future has."""

TAKES_VALUES = frozenset({
    "builtins.print", "builtins.str", "builtins.len", "builtins.int", "builtins.float", "builtins.bool",
    "builtins.repr", "builtins.sum", "builtins.sorted", "builtins.list", "builtins.tuple", "builtins.set",
    "builtins.dict", "builtins.max", "builtins.min", "builtins.any", "builtins.all", "builtins.abs",
    "builtins.round", "builtins.enumerate", "builtins.zip", "builtins.range", "builtins.bytes", "builtins.open",
    "builtins.format", "json.dumps", "json.dump", "json.loads", "builtins.reversed",
})  # fmt: skip
"""Functions that use their argument's value at once and cannot use a coroutine."""

TESTS_MEMBERS = frozenset({"builtins.any", "builtins.all", "builtins.sum"})
FORMATS_MEMBERS = frozenset({"builtins.print", "builtins.str", "json.dumps", "json.dump"})

COLLECTS = frozenset({"builtins.list", "builtins.tuple", "builtins.set", "builtins.sorted"})

TAKES_VALUES_TOO = {
    "str": frozenset({"format", "join", "replace", "startswith", "endswith", "split", "count", "find", "index"}),
    "list": frozenset({"extend", "index", "count"}),
    "set": frozenset({"update", "union", "intersection", "difference"}),
    "dict": frozenset({"update"}),
}  # fmt: skip
"""Methods of builtins that cannot use a coroutine."""

AWAITABLE_BASES = frozenset({"Awaitable", "Coroutine", "Future", "Task"})

MAY_BE_AWAITED = re.compile(
    r"Any\b|object|Awaitable|Coroutine|Future|Task\b|Deferred|Callable|Generator|Iterator"
)
"""In a type as it is written: what a coroutine may be, too."""

CERTAIN: dict[str, str] = {
    "test": "is always true in a test",
    "not": "is always true in a test",
    "cmp": "is compared",
    "in": "is searched",
    "is": "is compared",
    "fstr": "is formatted into a string",
    "op": "is used in an operation",
    "sub": "is subscripted",
    "unpack": "is unpacked",
    "for": "is iterated",
    "raise": "is raised",
}


HTTP_CLIENTS = frozenset({"httpx", "httpx2", "aiohttp", "requests", "niquests"})
REQUEST_PARTS = frozenset({"json", "params", "headers", "cookies"})
"""Arguments of theirs that are written into the request."""

LOG_METHODS = frozenset({"debug", "info", "warning", "error", "exception", "critical"})

ASKS_KIND = re.compile(r"is_?(coro|async|awaitable)", re.IGNORECASE)
"""Functions that tell whether they are handed a coroutine function."""

STARTS = ("task", "future", "gather", "wait", "run", "spawn", "start")
"""Words in the names of functions that run a coroutine."""

ASKS = frozenset(
    {"isawaitable", "iscoroutine", "isinstance", "hasattr", "callable", "type", "isfuture"}
)
"""Functions that are asked before a value is awaited."""

RUNNERS = frozenset({"gather", "wait", "wait_for", "shield", "create_task", "ensure_future", "run"})
"""Names of what runs a coroutine; `STARTS` takes in more, for names of which less is known."""

RAISES = frozenset({"attr", "sub", "unpack", "for", "op", "call", "in"})
"""Uses of a coroutine that fail."""

DECLARED = "which is no coroutine"
"""Of an argument: its parameter is declared to be something else."""

TAKES_NONE = "which takes no coroutine"
"""Of an argument: the standard library's function is not one for coroutines."""

PLAIN_LIBRARIES = frozenset({
    "os", "posixpath", "ntpath", "json", "re", "shutil", "pathlib", "glob", "fnmatch", "urllib", "base64", "binascii",
    "hashlib", "hmac", "uuid", "datetime", "time", "calendar", "math", "statistics", "decimal", "fractions", "random",
    "secrets", "string", "textwrap", "html", "csv", "io", "struct", "zlib", "gzip", "bz2", "lzma", "zipfile", "tarfile",
    "subprocess", "shlex", "tempfile", "mimetypes", "ipaddress", "difflib", "array", "codecs",
    "unicodedata", "configparser", "tomllib", "sqlite3", "socket", "ssl", "email", "smtplib",
})  # fmt: skip
"""Modules of the standard library that do not use an argument without its value."""


ASKED = frozenset({"test", "not", "is", "cmp", "bool"})
"""How a value stands that may be None."""


BECAME_COROUTINES = {
    "discord.": (
        re.compile(r"(add|remove)_cog|(load|unload|reload)_extension"),
        re.compile(
            r"\bawait\s[^\n]*\.((add|remove)_cog|(load|unload|reload)_extension)\("
            r"|^async def setup\(|\basync def (setup_hook|cog_load)\(|\bapp_commands\b",
            re.MULTILINE,
        ),
    ),
    "telegram.": (
        re.compile(r"\w+"),
        re.compile(
            r"\btelegram\b.*(\bApplicationBuilder\b|\bApplication\.builder\b|\bContextTypes\b"
            r"|\bawait\s+(\w+\.)*(_?bot|message|query|update|context)\.\w+)",
            re.DOTALL,
        ),
    ),
    "redis.asyncio.": (
        re.compile("close"),
        re.compile(
            r"\bredis\.asyncio\b|\bfrom redis import asyncio\b|\baioredis\.(from_url|Redis\()"
        ),
    ),
}
"""By library: methods that are plain in earlier releases of it or in libraries like it (discord.py 1, nextcord, disnake, python-telegram-bot 13,
aioredis 1), and how code looks that was written for later ones."""


LOOKING = frozenset({"attr", "sub", "op", "in", "for", "test", "not", "cmp", "is", "stmt"})
"""Roles of an attribute in which nothing can await it."""


class CoroutineFacts:
    """What becomes of the coroutines that call sites make."""

    def __init__(self, evaluator: Evaluator, graph: Graph, runs: Runs) -> None:
        self.evaluator = evaluator
        self.graph = graph
        self.runs = runs
        self._shown: dict[str, bool] = {}

    def lost(self, function: Function, site: CallSite) -> LostCoroutine | None:
        """Whether the coroutine that a call makes is lost, and how."""
        if site.kind != "call" or site.role[0] in ("await", "awith", "afor"):
            return None
        type_ = self.evaluator.call_type(function.module, site.index)
        if type_ is None:
            return None
        alternatives = members(type_)
        if site.role[0] == "stmt":
            # Nothing iterates over what is dropped, either.
            alternatives = tuple(
                m for m in alternatives if not isinstance(m, Gen) or not m.is_async
            )
        if not alternatives or not all(isinstance(m, Coro) for m in alternatives):
            return None
        coroutine = alternatives[0]
        assert isinstance(coroutine, Coro)
        if self._expected(function, site) or function.module.dead(site.block):
            return None
        if _is_known_plain(function, site):
            return None
        found = self._lost(function, site.role, coroutine, site)
        if found is None:
            return None
        made_by = coroutine.function
        if made_by is not None and is_overridden_plainly(
            self.evaluator, made_by, self._receiver(function, site)
        ):
            return None
        if made_by is not None and not function.is_async and is_veiled(self.evaluator, made_by):
            return None  # A decorator may run it where there is no loop.
        how, detail = found
        if how in ASKED and self._may_give_none(function, site):
            return None
        if made_by is None and self._was_plain(function, site):
            return None
        if made_by is not None and how in ("call", "attr") and made_by.facts.name == "__call__":
            if site.callee and site.callee[0] == "name" and site.callee[1] in function.parameters:
                # Who annotates a parameter with a class may hand over the class itself.
                return None
        name = self._name(site, coroutine)
        return LostCoroutine(name, how, detail, function.is_async, self._because(coroutine))

    def lost_property(self, function: Function, site: CallSite) -> LostCoroutine | None:
        """Whether the coroutine is lost that the reading of an `async def` property makes, and how."""
        if site.role[0] in ("await", "awith", "afor") or function.module.dead(site.block):
            return None
        made = members(self.evaluator.at_site(site.callee, site, function.module))
        if not all(isinstance(m, Coro) and m.function and m.function.is_async for m in made):
            return None
        if not made or self._expected(function, site):
            return None
        coroutine = made[0]
        assert isinstance(coroutine, Coro) and coroutine.function is not None
        found = self._lost(function, site.role, coroutine, site)
        if found is None or is_overridden_plainly(
            self.evaluator, coroutine.function, self._receiver(function, site)
        ):
            return None
        name = self._name(site, coroutine)
        return LostCoroutine(name, *found, function.is_async, self._because(coroutine))

    def _receiver(self, function: Function, site: CallSite) -> Type:
        """What a method is called on."""
        if not site.callee or site.callee[0] != "attr":
            return None
        return self.evaluator.at_site(site.callee[1], site, function.module)

    def _may_give_none(self, function: Function, site: CallSite) -> bool:
        """Whether a plain function makes the coroutine in some cases only, so that a test of what it gives makes sense."""
        for member in members(self.evaluator.callee(function.module, site)):
            if isinstance(member, Func) and not member.function.is_async:
                facts = member.function.facts
                given = [facts.returns_annotation, *(recipe for recipe, _, _ in facts.returns)]
                if any(holds_none(one) for one in given):
                    return True
        return False

    def _was_plain(self, function: Function, site: CallSite) -> bool:
        """Whether an earlier release of the library has a plain method there, and nothing shows that it is not the one in use."""
        for member in members(self.evaluator.callee(function.module, site)):
            if not isinstance(member, LibMethod):
                continue
            for root, (names, shown) in BECAME_COROUTINES.items():
                if member.cls.startswith(root) and names.fullmatch(member.name):
                    return not self._is_shown(root, shown)
        return False

    def _is_shown(self, root: str, shown: re.Pattern[str]) -> bool:
        if root not in self._shown:
            files = self.evaluator.program.project.files
            self.evaluator.program.sought.add("")
            self._shown[root] = any(shown.search(file.text or "") for file in files)
        return self._shown[root]

    def _expected(self, function: Function, site: CallSite) -> bool:
        """Inside `with pytest.raises(…)`, a call is often meant to fail before it makes a coroutine."""
        for block in function.module.chain(site.block):
            if block.kind == "with" and block.info:
                for item in block.info:
                    if item and item[0] == "call":
                        callee = function.module.site(item[1]).callee
                        if callee and callee[-1] in (
                            "raises",
                            "assertRaises",
                            "warns",
                            "assertRaisesRegex",
                        ):
                            return True
        return False

    def _name(self, site: CallSite, coroutine: Coro) -> str:
        if coroutine.function is not None:
            recipe = site.callee
            parts: list[str] = []
            while recipe and recipe[0] == "attr":
                parts.append(recipe[2])
                recipe = recipe[1]
            if recipe and recipe[0] == "name":
                parts.append(recipe[1])
                return ".".join(reversed(parts))
            return parts[0] if parts else coroutine.function.name
        return coroutine.name or "call"

    def _because(self, coroutine: Coro) -> tuple[Link, ...]:
        if coroutine.function is None:
            return ()
        function = coroutine.function
        word = "is a coroutine function" if function.is_async else "returns a coroutine"
        return (places.head(function, f"`{function.name}` {word}"),)

    def _lost(
        self, function: Function, role: Role, coroutine: Coro, site: CallSite
    ) -> tuple[str, str] | None:
        tag = role[0]
        if tag == "stmt":
            return ("stmt", "")
        if tag == "bool" or tag == "elem" or tag == "dictval" or tag == "comp":
            inner = role[-1]
            if isinstance(inner, tuple) and inner[0] == "stmt":
                return ("stmt", "")
            if (
                isinstance(inner, tuple)
                and inner[0] == "arg"
                and self._consumer(function, inner, tag)
            ):
                return ("arg", f"is passed to `{self._consumer(function, inner, tag)}`")
            if _is_in_returned(role) and self._is_route(function):
                return ("return", "is put into a response")
            if tag == "elem" and isinstance(inner, tuple) and inner[0] == "fstr":
                return ("fstr", CERTAIN["fstr"])
            if tag == "bool" and isinstance(inner, tuple) and inner[0] == "return":
                return self._returned(function, coroutine)
            if tag == "bool" and isinstance(inner, tuple) and inner[0] == "assign":
                return self._assigned(function, str(inner[1]), coroutine, site)
            return None
        if tag == "walrus":
            if self._awaited_by_name(function, site):
                return None
            return self._lost(function, role[1], coroutine, site)
        if tag == "attr":
            made_by = coroutine.function
            bare = made_by is not None and made_by.is_async
            if role[1] in (BARE_ATTRIBUTES if bare else COROUTINE_ATTRIBUTES):
                return None
            if coroutine.enters and role[1].startswith("__a"):
                return None
            if coroutine.answers:
                return None
            return ("attr", f"has no attribute `{role[1]}`")
        if tag == "callee":
            return ("call", "is called")
        if tag == "star":
            return None if coroutine.iterates else ("unpack", CERTAIN["unpack"])
        if tag in ("with",) and not coroutine.enters:
            return ("with", "is entered without `async`")
        if tag == "for" and _is_generator_coroutine(function):
            return None
        if tag in CERTAIN:
            return (tag, CERTAIN[tag])
        if tag == "return":
            if self._is_route(function):
                return ("return", "is returned by a route")
            return self._returned(function, coroutine)
        if tag == "arg":
            return self._argument(function, role, coroutine)
        if tag == "assign":
            return self._assigned(function, str(role[1]), coroutine, site)
        if tag == "store":
            return self._stored(function, site)
        return None

    def _returned(self, function: Function, coroutine: Coro) -> tuple[str, str] | None:
        """A coroutine function hands out a coroutine that its callers, who await once, do not run.

        What it says it returns shows that, or another `return` of it that awaits, or that it is a coroutine of its own.
        """
        facts = function.facts
        if not function.is_async or facts.generator:
            return None
        if facts.returns_annotation is not None:
            declared = self._declared_return(function)
            if self._is_plain(declared):
                how = "which is declared to return a value"
            elif self._is_declared_result(function, coroutine, declared):
                how = "which is declared to return what the coroutine gives"
            else:
                return None
            return ("return", f"is returned by `{facts.name}`, {how}")
        if coroutine.function is function:
            return ("return", "is returned by the function that it is of")
        if any(_awaits(recipe) for recipe, _, _ in facts.returns):
            return ("return", f"is returned by `{facts.name}`, which awaits what else it returns")
        if any(_is_value(recipe) for recipe, _, _ in facts.returns):
            return ("return", f"is returned by `{facts.name}`, which returns values otherwise")
        if self._is_taken_for_value(function):
            return ("return", f"is returned by `{facts.name}`, whose callers take it for its value")
        if (kin := self._relative_that_gives(function)) is not None:
            return ("return", f"is returned by `{facts.name}`, while `{kin.name}` returns a value")
        return None

    def _declared_return(self, function: Function) -> Type:
        """What a function is annotated to return."""
        annotation = function.facts.returns_annotation
        return annotation_type(self.evaluator, annotation, function.parent or function)

    def _is_declared_result(self, function: Function, coroutine: Coro, declared: Type) -> bool:
        """`async def get(self) -> Page: return self._get()`, where `_get` gives a `Page`, whatever that is."""
        if any(
            is_vague(one) or (isinstance(one, Inst) and self._is_awaitable(one))
            for one in members(declared)
        ):
            return False
        if declared is not None and declared == coroutine.result:
            return True
        own, made_by = function.facts.returns_annotation, coroutine.function
        return (
            made_by is not None
            and made_by.is_async
            and made_by.facts.returns_annotation == own
            and not MAY_BE_AWAITED.search(str(own))
        )

    def _relative_that_gives(self, function: Function) -> Function | None:
        """A method that this one overrides, or that overrides the same one, whose callers need not await what it returns."""
        klass = function.klass
        if klass is None:
            return None
        name = function.facts.name
        for base in self.evaluator.mro(klass):
            overridden = base.own_method(name) if isinstance(base, Klass) else None
            if overridden is None or overridden is function:
                continue
            for one in (overridden, *implementations(self.evaluator, overridden)):
                if one is not function and one.is_async and self._gives(one):
                    return one
        return None

    def _gives(self, function: Function) -> bool:
        """Whether a coroutine function says, or shows, that it returns a value."""
        facts = function.facts
        if facts.generator:
            return False
        if facts.returns_annotation is not None:
            declared = self._declared_return(function)
            return declared != NONE and self._is_plain(declared)
        return any(_awaits(recipe) or _is_value(recipe) for recipe, _, _ in facts.returns)

    def _is_taken_for_value(self, function: Function) -> bool:
        """Whether all calls await a function once, and one of them uses what comes in a way that fails for a coroutine."""
        found = False
        for edge in self.graph.into.get(function, ()):
            if edge.caller.module.file.is_test:
                continue
            role = edge.site.role
            if edge.site.kind != "call" or role[0] != "await" or edge.how != "async":
                return False
            roles, mixed = [role[1]], False
            if role[1][0] == "assign":
                roles = [use.role for use in edge.caller.facts.uses.get(str(role[1][1]), ())]
                # The uses of a name that is bound again may be of something else.
                mixed = len(edge.caller.facts.bindings.get(str(role[1][1]), ())) != 1
            if any(self._may_await(edge.caller.module, one) for one in roles):
                return False
            found = found or (not mixed and any(_needs_value(one) for one in roles))
        return found

    def _may_await(self, module: Module, role: Role) -> bool:
        return role[0] in ("?", "await") or self._asks_or_runs(module, role)

    def _is_plain(self, declared: Type) -> bool:
        """Whether a declared type has only values that are no coroutines."""
        if declared is None:
            return False
        for one in members(declared):
            if one == NONE or isinstance(one, Tup):
                continue
            if not isinstance(one, Inst):
                return False
            if isinstance(one.of, str):
                if one.of not in _PLAIN and not one.of.endswith("Response"):
                    return False
            elif self._is_awaitable(one):
                return False
        return True

    def _is_awaitable(self, one: Inst) -> bool:
        """Whether objects of a class of the project can be awaited."""
        return isinstance(one.of, Klass) and (
            self.evaluator.member(one.of, "__await__") != (None, None)
            or any(base and base[-1] in AWAITABLE_BASES for base in one.of.facts.bases)
        )

    def _awaited_by_name(self, function: Function, site: CallSite) -> bool:
        """`if (coro := start()) is not None: await coro`: the test is about the coroutine itself."""
        return any(
            binding.kind == "walrus"
            and binding.recipe == ("call", site.index)
            and any(_runs(function.module, u.role) for u in function.facts.uses.get(name, ()))
            for name, bindings in function.facts.bindings.items()
            for binding in bindings
        )

    def _consumer(self, function: Function, role: Role, tag: str) -> str | None:
        """The function that tests or formats the members of its argument."""
        callee = self.evaluator.callee(function.module, function.module.site(role[1]))
        wanted = TESTS_MEMBERS if tag == "comp" else FORMATS_MEMBERS
        if isinstance(callee, Lib) and callee.path in wanted:
            return _short(callee.path)
        return _request(callee, role) if tag in ("elem", "dictval") else None

    def _is_route(self, function: Function) -> bool:
        points = self.graph.entries.get(function, [])
        return (
            bool(points)
            and any(
                p.entry.role in ("route", "tool")
                and not p.entry.awaits
                and not p.where.file.is_test
                for p in points
            )
            and function.facts.kind in ("async", "def")
        )

    def _argument(self, function: Function, role: Role, coroutine: Coro) -> tuple[str, str] | None:
        module = function.module
        outer = module.site(role[1])
        if role[2] == "**":
            return None if coroutine.iterates else ("unpack", CERTAIN["unpack"])
        callee = self.evaluator.callee(module, outer)
        if isinstance(callee, Lib):
            path = callee.path
            if path.partition(".")[0] in PLAIN_LIBRARIES:
                return ("arg", f"is passed to `{_short(path)}`, {TAKES_NONE}")
            if path in COLLECTS or path == "builtins.dict":
                return (
                    ("arg", f"is passed to `{_short(path)}`") if path != "builtins.dict" else None
                )
            if path in TAKES_VALUES:
                return ("arg", f"is passed to `{_short(path)}`")
        if (request := _request(callee, role)) is not None:
            return ("arg", f"is passed to `{request}`, {TAKES_NONE}")
        if isinstance(callee, LibMethod) and callee.cls.partition(".")[0] in PLAIN_LIBRARIES:
            called = f"{callee.cls.rpartition('.')[2]}.{callee.name}"
            return ("arg", f"is passed to `{called}`, {TAKES_NONE}")
        taking = self._takes_values(module, outer)
        if taking:
            return ("arg", f"is passed to `{taking}`")
        if _logs(outer.callee):
            return ("arg", f"is passed to `{outer.callee[2]}` of a logger")
        return self._declared_otherwise(callee, outer, role, function) or self._handed_through(
            callee, outer, role, function
        )

    def _handed_through(
        self, callee: Type, outer: CallSite, role: Role, function: Function
    ) -> tuple[str, str] | None:
        """`to_thread(work, fetch())`: an argument of the function that is called there."""
        known = known_callee(self.evaluator, callee)
        if known is None or not isinstance(known.offloads, int) or not isinstance(role[2], int):
            return None
        first = known.offloads
        if role[2] <= first or len(outer.args) <= first:
            return None
        target = self.evaluator.at_site(outer.args[first][0], outer, function.module)
        moved = ("arg", role[1], role[2] - first - 1)
        return self._declared_otherwise(target, outer, moved, function)

    def _takes_values(self, module: Module, outer: CallSite) -> str:
        """`"…".format(x)`, `[].extend(x)`: the name of the builtin's method that is called; empty otherwise."""
        callee = outer.callee
        if not callee or callee[0] != "attr" or callee[2] not in _TAKING_METHODS:
            return ""
        base = self.evaluator.at_site(callee[1], outer, module)
        if base is None and callee[2] in TAKES_VALUES_TOO["str"] & {"startswith", "endswith"}:
            return f"str.{callee[2]}"
        if isinstance(base, Const):
            kind = type(base.value).__name__
        elif isinstance(base, Inst) and isinstance(base.of, str):
            kind = base.of.removeprefix("builtins.")
        else:
            return ""
        return f"{kind}.{callee[2]}" if callee[2] in TAKES_VALUES_TOO.get(kind, ()) else ""

    def _declared_otherwise(
        self, callee: Type, outer: CallSite, role: Role, function: Function
    ) -> tuple[str, str] | None:
        """An argument whose parameter's annotation names a type that no coroutine is."""
        from asynclint.facts.types import Cls

        target: Function | None = None
        skip = 0
        if isinstance(callee, Func):
            target = callee.function
            skip = 1 if callee.bound is not None and target.klass is not None else 0
        elif isinstance(callee, Cls):
            method, _ = self.evaluator.member(callee.klass, "__init__")
            if isinstance(method, Func):
                target, skip = method.function, 1
            else:
                return self._field(callee.klass, role[2])
        if target is None or (
            target.facts.decorators and callee.__class__ is Func and target.klass is None
        ):
            return None
        positional = [p for p in target.facts.params if p.kind == "pos"][skip:]
        where = role[2]
        parameter = None
        if isinstance(where, int):
            if any(r and r[0] == "star" for r, _ in outer.args):
                return None
            rest = [p for p in target.facts.params if p.kind == "args"]
            parameter = next(iter([*positional, *rest][where:]), None) or next(iter(rest), None)
        else:
            parameter = target.parameters.get(where)
        if parameter is None or parameter.annotation is None:
            return None
        declared = annotation_type(self.evaluator, parameter.annotation, target.parent or target)
        if not self._is_plain(declared):
            return None
        return ("arg", f"is passed as `{parameter.name}`, {DECLARED}")

    def _field(self, klass: Klass, name: object) -> tuple[str, str] | None:
        """An argument of the constructor of a dataclass or a model, whose field holds something else."""
        if isinstance(name, int):
            names = fields(self.evaluator, klass)
            name = names[name] if name < len(names) else None
        if not isinstance(name, str):
            return None
        for one in self.evaluator.mro(klass):
            if not isinstance(one, Klass):
                continue
            for binding in one.body.facts.bindings.get(name, ()):
                column = binding.recipe and binding.recipe[0] == "call"
                if (
                    column
                    and guards.last_name(one.module.site(binding.recipe[1]).callee) == "Column"
                ):
                    return ("arg", f"is passed as `{name}`, which is a column")
                if binding.annotation is not None:
                    declared = annotation_type(self.evaluator, binding.annotation, one.body)
                    plain = self._is_plain(declared)
                    return ("arg", f"is passed as `{name}`, {DECLARED}") if plain else None
        return None

    def _stored(self, function: Function, site: CallSite) -> tuple[str, str] | None:
        """A coroutine in an attribute of an object which is declared, or used, as something else, and never awaited."""
        stored = next(
            (b for b in function.facts.attribute_bindings if b.recipe == ("call", site.index)), None
        )
        if stored is None or stored.attr == "[]":
            return None
        method = function.method_around()
        own = method is not None and stored.base == ("name", method.self_name)
        klass = method.klass if method is not None and own else self._class_of(function, stored)
        if klass is None:
            return None
        name = stored.attr
        family = [k for k in self.evaluator.mro(klass) if isinstance(k, Klass)]
        annotations = [
            (binding.annotation, k.body)
            for k in family
            for binding in k.body.facts.bindings.get(name, ())
        ]
        annotations += [
            (binding.annotation, holder)
            for k in family
            for holder, binding in k.self_attributes().get(name, ())
        ]
        declared = [
            annotation_type(self.evaluator, one, holder)
            for one, holder in annotations
            if one is not None
        ]
        if not declared and own and self._is_used_as_value(function, klass, name):
            return ("assign", f"is assigned to `{name}`, which is used as a value")
        if not declared or not all(self._is_plain(one) for one in declared):
            return None
        for k in family:
            for reader in k.module.functions:
                for recipe, *_, role, _ in reader.facts.loads:
                    if recipe and recipe[-1] == name and role[0] in ("await", "arg"):
                        return None
        return ("assign", f"is assigned to `{name}`, which is declared as a value")

    def _class_of(self, function: Function, stored: AttributeBinding) -> Klass | None:
        """The class of the object whose attribute is set; None where it may be another one."""
        at = (stored.line, stored.col, stored.block)
        owner = self.evaluator.eval(stored.base, function, at)
        return owner.of if isinstance(owner, Inst) and isinstance(owner.of, Klass) else None

    def _is_used_as_value(self, function: Function, klass: Klass, name: str) -> bool:
        """Whether all that reads an attribute fails for a coroutine, or looks at it at most, and nothing else is put there."""
        for holder, binding in klass.self_attributes().get(name, ()):
            recipe = binding.recipe
            if recipe == ("const", None):
                continue
            if not recipe or recipe[0] != "call":
                return False
            made = self.evaluator.call_type(holder.module, recipe[1])
            if made is None or not all(map(_is_bare, members(made))):
                return False
        found = False
        for module in self.evaluator.program.loaded():
            for reader in module.functions:
                for recipe, *_, role, _ in reader.facts.loads:
                    if not recipe or recipe[-1] != name:
                        continue
                    if role[0] not in LOOKING:
                        return False
                    own = recipe[1] == ("name", reader.self_name) and module is klass.module
                    found = found or (own and _needs_value(role))
        return found

    def _assigned(
        self, function: Function, name: str, coroutine: Coro, site: CallSite
    ) -> tuple[str, str] | None:
        facts = function.facts
        if facts.kind in ("module", "class") or name in facts.globals or name in facts.nonlocals:
            return None
        if reads.closed_over(function, name):
            return None
        if self._declared_as_value(function, name):
            return ("assign", f"is assigned to `{name}`, which is declared as a value")
        if name in facts.loaded:
            return None
        uses = reads.of_value(self.evaluator.program, function, name, site)
        if uses is None:
            return None
        if not uses:
            if name.startswith("_") and name != "_" and len(name) > 1:
                return ("unused", "is assigned and not used")
            return ("unused", "is assigned and not used")
        verdicts: list[tuple[str, str]] = []
        alone: list[tuple[str, str]] = []
        program = self.evaluator.program
        unclear = handed_out = False
        for use in uses:
            if use.role[0] == "assign" and use.role[1] != name:
                return None
            verdict: tuple[str, str] | None
            if use.role[:2] == ("attr", "send") and _sends_value(function, use):
                verdict = ("attr", "is sent a value before it runs")
            elif use.role[0] != "assign":
                verdict = self._lost(function, use.role, coroutine, site)
            else:
                verdict = None
            if use.role[0] == "stmt":
                continue
            if use.role[0] == "is" or use.role[0] in ("test", "not"):
                # `if task is None`, `if coro:` before the await elsewhere.
                verdict = (use.role[0], CERTAIN[use.role[0]])
            if verdict is None:
                verdict = self._in_list(function, use)
            if verdict is not None:
                verdicts.append(verdict)
                if _is_certain(verdict) and reads.is_alone(program, function, name, use):
                    alone.append(verdict)
            elif function.is_async and _hands_out(use.role):
                handed_out = True
            elif self._is_handed_out(function.module, use.role):
                unclear = True
            else:
                return None
        if handed_out:
            # `if not x: …`, `return x`: who asks takes it for the value.
            tested = [v for v in verdicts if v[0] in ("test", "not") or _is_certain(v)]
            if len(function.facts.bindings.get(name, ())) != 1:
                tested = alone
            return tested[0] if tested else None
        if unclear:
            # Whatever an unknown function does with the coroutine: this use of it raises, or asks what is always so.
            bindings = function.facts.bindings.get(name, [])
            if len(bindings) != 1:
                return None
            made_by = coroutine.function
            always = (
                made_by is not None
                and made_by.is_async
                and bindings[0].recipe == ("call", site.index)
                and not function.module.file.is_test
            )
            return next(
                (v for v in verdicts if _is_certain(v) or (always and v[0] in ("test", "not"))),
                None,
            )
        return verdicts[0] if verdicts else ("unused", "is assigned and not used")

    def _declared_as_value(self, function: Function, name: str) -> bool:
        """Whether a local name is declared to hold no coroutine, and nothing awaits it all the same."""
        facts = function.facts
        parameter = function.parameters.get(name)
        annotation = parameter.annotation if parameter is not None else None
        for binding in facts.bindings.get(name, ()):
            annotation = annotation or binding.annotation
        if annotation is None:
            return False
        for use in facts.uses.get(name, ()):
            if use.role[0] == "await":
                return False
            if use.role[0] == "arg":
                callee = function.module.site(use.role[1]).callee
                if callee and (callee[-1] in ASKS or callee[-1] in RUNNERS):
                    return False
        return self._is_plain(
            annotation_type(self.evaluator, annotation, function.parent or function)
        )

    def _asks_or_runs(self, module: Module, role: Role) -> bool:
        """Whether an argument goes to what starts a coroutine, or asks whether it is one."""
        if role[0] != "arg":
            return False
        callee = module.site(role[1]).callee
        return _runs(module, role) or bool(callee and callee[-1] in ASKS)

    def _is_handed_out(self, module: Module, role: Role) -> bool:
        """Whether a value is given, alone or among others, to something that nothing says to run it."""
        inner: Role = role
        while inner[0] in ("elem", "dictval") and isinstance(inner[-1], tuple):
            inner = inner[-1]
        return inner[0] == "arg" and not self._asks_or_runs(module, inner)

    def _in_list(self, function: Function, use: Use) -> tuple[str, str] | None:
        """A value put into a list that the function returns as a list of something else."""
        role = use.role
        if (
            role[0] != "elem"
            or not isinstance(role[1], tuple)
            or role[1][0] not in ("op", "return")
        ):
            return None
        from asynclint.facts.types import Inst

        declared = self._declared_return(function)
        if isinstance(declared, Inst) and declared.args and isinstance(declared.args[0], Inst):
            element = declared.args[0]
            if not isinstance(element.of, str) or element.of in _PLAIN:
                return ("elem", "is put into a list of something else")
        return None


_TAKING_METHODS = frozenset().union(*TAKES_VALUES_TOO.values())


_PLAIN = frozenset({
    "builtins.str", "builtins.int", "builtins.float", "builtins.bool", "builtins.bytes", "builtins.dict",
    "builtins.list", "builtins.set", "builtins.frozenset", "builtins.tuple", "typing.List", "typing.Dict",
    "typing.Set", "typing.FrozenSet", "typing.Tuple", "typing.Deque", "typing.DefaultDict", "typing.Sequence",
    "typing.MutableSequence", "typing.Mapping", "typing.MutableMapping", "collections.abc.Sequence",
    "collections.abc.MutableSequence", "collections.abc.Mapping", "collections.abc.MutableMapping",
    "collections.abc.Set", "collections.deque", "collections.defaultdict", "collections.OrderedDict",
})  # fmt: skip


def _is_certain(verdict: tuple[str, str]) -> bool:
    """Whether a use takes a coroutine for its value, whatever becomes of it elsewhere."""
    return verdict[0] in RAISES or verdict[1].endswith((DECLARED, TAKES_NONE))


def _is_bare(one: Type) -> bool:
    """A coroutine that can be awaited, and nothing else."""
    return isinstance(one, Coro) and not (one.enters or one.iterates or one.answers or one.eager)


def _needs_value(role: Role) -> bool:
    """Whether a coroutine fails where it stands so."""
    if role[0] == "attr":
        return role[1] not in COROUTINE_ATTRIBUTES
    return role[0] in RAISES


def _sends_value(function: Function, use: Use) -> bool:
    """`channel.send("text")` of a coroutine that has not run: it can be sent one thing, `None`, and nothing awaits what comes."""
    for site in function.sites:
        if site.kind == "call" and (site.line, site.col) == (use.line, use.col):
            if site.callee and site.callee[0] == "attr" and site.callee[2] == "send":
                if site.role[0] == "await":
                    return True
                given = [recipe for recipe, keyword in site.args if keyword is None]
                if len(given) != 1 or len(site.args) != 1:
                    return True
                return given[0] != ("const", None) and _is_value(given[0])
    return False


def _is_known_plain(function: Function, site: CallSite) -> bool:
    """`if not iscoroutinefunction(fn): fn()`: the code asks which kind it calls, and knows it better here."""
    module = function.module
    if site.callee is None:
        return False
    asking = [
        (("call", other.index), other.args[0][0])
        for other in function.sites
        if other.args and other.callee and ASKS_KIND.search(str(other.callee[-1]))
    ]
    asked = [call for call, about in asking if about == site.callee]
    if asked and not any(b.kind == "if" and b.info in asked for b in module.chain(site.block)):
        return True
    if site.callee[0] != "attr":
        return False
    # `if iscoroutinefunction(self.start): … else: self.stop()`: the same object has the other kind of methods there.
    beside = [
        call
        for call, about in asking
        if about and about[0] == "attr" and about[1] == site.callee[1]
    ]
    return any(
        (b.kind == "else" and b.info in beside)
        or (b.kind == "if" and b.info and b.info[0] == "not" and b.info[1] in beside)
        for b in module.chain(site.block)
    )


def _hands_out(role: Role) -> bool:
    """`return x`, `return x, y`."""
    while role[0] in ("elem", "dictval") and isinstance(role[-1], tuple):
        role = role[-1]
    return bool(role[0] == "return")


def _awaits(recipe: Recipe) -> bool:
    """`await x`, `await x or y`."""
    if not recipe:
        return False
    return bool(recipe[0] == "await" or (recipe[0] == "any" and any(map(_awaits, recipe[1]))))


def _is_value(recipe: Recipe) -> bool:
    """A constant that is not None, a comparison, a text, a collection that is written down."""
    if not recipe:
        return False
    if recipe[0] == "const":
        return recipe[1] is not None
    return recipe[0] in ("cmp", "not", "str")


def _request(callee: Type, role: Role) -> str | None:
    """The method of an HTTP client that an argument is written into a request for."""
    if isinstance(callee, LibMethod) and callee.cls.partition(".")[0] in HTTP_CLIENTS:
        if role[2] in REQUEST_PARTS:
            return f"{callee.cls.rpartition('.')[2]}.{callee.name}"
    return None


def _logs(callee: Recipe) -> bool:
    """`logger.info(…)`, `self._log.warning(…)`, `logging.error(…)`: the values are formatted."""
    if not callee or callee[0] != "attr" or callee[2] not in LOG_METHODS or not callee[1]:
        return False
    base = callee[1]
    return base[0] in ("name", "attr") and "log" in str(base[-1]).lower()


def _runs(module: Module, role: Role) -> bool:
    """Whether a read of a name awaits its value, or hands it to what says that it starts it."""
    if role[0] == "await":
        return True
    if role[0] != "arg":
        return False
    callee = module.site(role[1]).callee
    name = str(callee[-1]) if callee else ""
    if name == "add_task" and role[2] not in (0, None):
        return False  # `add_task(function, argument)`
    return any(word in name for word in STARTS)


def _short(path: str) -> str:
    return path.removeprefix("builtins.")


def _is_in_returned(role: Role) -> bool:
    """Whether a value is part of the containers that a function returns: `return {"all": [load(key) for key in keys]}`."""
    while role[0] in ("elem", "dictval") or (role[0] == "comp" and role[1] != "generator"):
        if not isinstance(role[-1], tuple):
            return False
        role = role[-1]
    return bool(role[0] == "return")


def _is_generator_coroutine(function: Function) -> bool:
    """Whether `yield from` awaits in a function: `@types.coroutine`."""
    return any(guards.last_name(recipe) == "coroutine" for recipe in function.facts.decorators)
