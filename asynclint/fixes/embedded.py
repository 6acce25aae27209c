"""Databases that run within the process: those without locks are used by one thread at a time, and some are opened by one at a time.

What is said of the libraries was tried with several threads: qdrant_client 1.20 (its local mode), duckdb 2.0 and faiss 1.15 lose
data, mix answers or crash, and langchain's stores in memory are plain dictionaries. chromadb 1.5, lancedb 0.40 and milvus-lite 3.2
do well once they are open; a client of chromadb that is built while another thread builds one fails.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from asynclint.facts.body import is_none
from asynclint.facts.graph import Edge, argument_of
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Klass, recipe_name
from asynclint.facts.types import Cls, Func, Lib, LibMethod, members
from asynclint.findings import Refused
from asynclint.fixes.effects import ALL, GIVEN, Effect, Effects, Root, in_order
from asynclint.fixes.place import Place, Workshop

QDRANT = ("qdrant_client.", "langchain_qdrant.")
"""Databases on a server, or within the process: how they are built decides."""

UNLOCKED = (
    "duckdb.",
    "faiss.",
    "langchain_core.vectorstores.InMemoryVectorStore",
    "langchain_community.vectorstores.FAISS",
    "langchain_community.vectorstores.faiss.",
    "langchain_community.vectorstores.DuckDB",
)
"""Roots of other classes, and of functions that make their objects, which have no locks."""

UNKNOWN = ("faiss", "langchain_community")
"""Libraries of those whose methods no knowledge file describes: their objects are known by what made them."""

WRITERS = frozenset({"faiss.write_index", "faiss.serialize_index"})
"""Functions that go through the object that they get."""

CHROMA = frozenset(f"chromadb.{one}" for one in ("Client", "PersistentClient", "EphemeralClient"))

QDRANT_CLIENT = "qdrant_client.QdrantClient"

OPENED_ONCE = CHROMA | {"duckdb.connect", "lancedb.connect", QDRANT_CLIENT}
"""Functions and classes that open a database, of which a program has one."""

CLASSES = ("QdrantClient", "QdrantVectorStore", "Qdrant")
BUILDERS = frozenset({"from_documents", "from_texts", "from_existing_collection"})
"""Qdrant's classes, and the methods of langchain's that build a client of their own."""

DEEP = 4
"""Steps from a name to the call that made what it stands for, and from a coroutine to those that call it."""


class Uses(Effects):
    """Which databases without locks a function uses that it did not open itself, told as effects are."""

    def __init__(self, workshop: Workshop) -> None:
        super().__init__(workshop)
        self.workshop = workshop
        self.runs = workshop.facts.runs
        self.has_unknown = workshop.once(has_unknown)

    def at(self, function: Function, site: CallSite) -> Iterator[Effect]:
        """Those that a call uses, as its function sees them."""
        if not self.is_locked(function, site):
            yield from self._direct(function, site)
            for member in members(self.evaluator.callee(function.module, site)):
                if isinstance(member, Func):
                    yield from self.across(function, site, member.function)
                elif isinstance(member, Cls):
                    init, _ = self.evaluator.member(member.klass, "__init__")
                    if isinstance(init, Func):
                        yield from self.across(function, site, init.function)

    def opens_once(self, path: str) -> bool:
        """Whether what is called opens a database of the process."""
        return path in OPENED_ONCE and (path != QDRANT_CLIENT or self._has_local_qdrant())

    def is_shared(self, function: Function, root: Root, deep: int = 0) -> bool:
        """Whether others know what a function uses: what it is given counts as theirs, but where all its callers made it."""
        if root.whose != GIVEN or deep > DEEP:
            return True
        edges = self.graph.into.get(function, ())
        return not edges or any(self._is_given(edge, root.name, deep) for edge in edges)

    def _is_given(self, edge: Edge, name: str, deep: int) -> bool:
        given = argument_of(edge, name)
        if given is None:
            return True
        roots = self.roots(edge.caller, given)
        return any(self.is_shared(edge.caller, root, deep + 1) for root in roots)

    def _changes(self, function: Function) -> Iterator[Effect]:
        for site in function.sites:
            if not self.is_locked(function, site):
                yield from self._direct(function, site)

    def _direct(self, function: Function, site: CallSite) -> Iterator[Effect]:
        used = self._used(function, site)
        for root in self.roots(function, used) if used else ():
            yield Effect(root, recipe_name(used), function)

    def _used(self, function: Function, site: CallSite) -> Recipe:
        """The database whose method a call is, or that a library's function gets; None for other calls."""
        callee = site.callee
        if site.kind != "call" or not callee or callee[0] != "attr":
            return None
        for member in members(self.evaluator.callee(function.module, site)):
            if isinstance(member, LibMethod):
                return callee[1] if self._is_unlocked(member.cls) and _is_object(member) else None
            if isinstance(member, Lib):
                return self._used_by(member.path, site)
            if member is None and self.has_unknown:
                made = self._made_by(function, callee[1])
                return callee[1] if any(map(self._is_unlocked, made)) else None
        return None

    def _used_by(self, path: str, site: CallSite) -> Recipe:
        """What `faiss.write_index(index, path)` and `duckdb.execute(query)` use."""
        if path in WRITERS and site.args:
            return site.args[0][0]
        known = self.evaluator.known.function(path)
        is_duckdb = path.startswith("duckdb.") and path != "duckdb.connect"
        return site.callee[1] if is_duckdb and known is not None and known.blocks else None

    def _is_unlocked(self, path: str) -> bool:
        if path.startswith(QDRANT):
            return "Async" not in path and self._has_local_qdrant()
        return path.startswith(UNLOCKED)

    def _has_local_qdrant(self) -> bool:
        return self.workshop.once(has_local_qdrant)

    def _results(self, function: Function) -> frozenset[Root]:
        if self.runs.cached(function):
            return frozenset({Root(ALL, function.name)})
        return super()._results(function)

    def _made_by(self, function: Function, recipe: Recipe, deep: int = 0) -> Iterator[str]:
        """The libraries' functions, and classes, that make what an expression stands for."""
        if not recipe or deep > DEEP:
            return
        if recipe[0] == "call":
            site = function.module.site(recipe[1])
            for member in members(self.evaluator.callee(function.module, site)):
                if isinstance(member, Lib):
                    yield member.path
                elif isinstance(member, Func):
                    for given, _, _ in member.function.facts.returns:
                        yield from self._made_by(member.function, given, deep + 1)
        elif recipe[0] == "any":
            for one in recipe[1]:
                yield from self._made_by(function, one, deep + 1)
        for scope, one in self._bound_to(function, recipe):
            yield from self._made_by(scope, one, deep + 1)

    def _bound_to(self, function: Function, recipe: Recipe) -> Iterator[tuple[Function, Recipe]]:
        """Where a name, or an attribute of the function's object, gets its values."""
        if recipe[0] == "name":
            scope = function if recipe[1] in function.facts.bindings else function.module.body
            yield from ((scope, one.recipe) for one in scope.facts.bindings.get(recipe[1], ()))
        elif recipe[0] == "attr" and recipe[1] == ("name", function.self_name):
            klass = function.klass
            for one in self.evaluator.mro(klass) if klass is not None else ():
                if isinstance(one, Klass):
                    kept = one.self_attributes().get(recipe[2], ())
                    yield from ((method, binding.recipe) for method, binding in kept)


def _is_object(member: LibMethod) -> bool:
    """Whether a method is an object's: those of a class make one."""
    return not isinstance(member.receiver, Lib)


def refuse(place: Place) -> None:
    """Raise Refused where a thread would use a database that the event loop, or another thread, may use meanwhile."""
    refuse_at(place, place.site)


def refuse_at(place: Place, site: CallSite) -> None:
    """The same for a call within a block that a thread is to run."""
    uses = place.workshop.once(Uses)
    for effect in in_order(uses.at(place.function, site)):
        if uses.is_shared(place.function, effect.root):
            raise Refused(
                f"`{effect.text}` is a database within the process without locks, which others use meanwhile"
            )


def is_used(workshop: Workshop, function: Function) -> bool:
    """Whether a function would use such a database in its thread."""
    return bool(workshop.once(Uses).of(function))


def opening(workshop: Workshop, function: Function) -> str | None:
    """Why a function should not open the database that it opens in a thread; None where it opens none."""
    evaluator = workshop.facts.graph.evaluator
    runs = workshop.facts.runs
    uses = workshop.once(Uses)
    for site in function.sites:
        for member in members(evaluator.callee(function.module, site)):
            if not isinstance(member, Lib):
                continue
            if runs.cached(function) and uses.opens_once(member.path):
                return f"`{function.name}` opens a database at its first call, which two threads would both do"
            if function in runs.once or uses.is_locked(function, site):
                continue
            if member.path in CHROMA or (member.path == QDRANT_CLIENT and _has_path(site)):
                return f"`{function.name}` opens a database, which two threads cannot do at the same time"
    return None


def _has_path(site: CallSite) -> bool:
    return any(name == "path" and given != ("const", None) for given, name in site.args)


# -- what the project builds -----------------------------------------------------------------------------


def has_unknown(workshop: Workshop) -> bool:
    """Whether the project uses a library of which only the names are known."""
    return any(not file.is_test for word in UNKNOWN for file in workshop.saying(word))


def has_local_qdrant(workshop: Workshop) -> bool:
    """Whether one of Qdrant's clients may run within the process: the project builds such a one, or is given its clients."""
    files = {file.name: file for word in CLASSES for file in workshop.saying(word)}
    texts = [file.text or "" for file in files.values() if not file.is_test]
    calls = [call for text in texts for call in _qdrant_calls(text)]
    return not calls or any(map(_is_local, calls))


def _qdrant_calls(text: str) -> Iterator[ast.Call]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            _, _, name = ast.unparse(node.func).rpartition(".")
            if name == "QdrantClient" or (name in BUILDERS and "Qdrant" in ast.unparse(node.func)):
                yield node


def _is_local(call: ast.Call) -> bool:
    """`QdrantClient(":memory:")`, `QdrantClient(path=folder)`: whatever else is given speaks with a server."""
    named = {one.arg: one.value for one in call.keywords}
    if None in named or any(isinstance(one, ast.Starred) for one in call.args):
        return True
    first = call.args[:1] if ast.unparse(call.func).endswith("QdrantClient") else []
    places = [*first, *(value for name, value in named.items() if name == "location")]
    if any(not isinstance(one, ast.Constant) or one.value == ":memory:" for one in places):
        return True
    path = named.get("path")
    return path is not None and not is_none(path)
