"""What stays entered, or acquired, while the body of a `with` runs: what it names, and what the project's own managers take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from asynclint.facts import places
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Klass, recipe_name
from asynclint.facts.types import Func, Inst, Manager, Type, members
from asynclint.findings import Link

TAKES = frozenset({"acquire", "__enter__"})
GIVES = frozenset({"release", "__exit__"})
FILE_LOCKS = frozenset({"flock", "lockf", "locking"})
UNLOCKS = frozenset({"LOCK_UN", "LK_UNLCK"})
ENTERS = {"with": ("__enter__", "__exit__"), "awith": ("__aenter__", "__aexit__")}
KINDS = {"thread": True, "async": False}

DEEP = 3
"""Managers, or helpers, within one another that are looked at."""

LAST = 1 << 30


@dataclass(slots=True)
class Kept:
    """Something that is held while a `with` runs."""

    name: str
    """How it reads where it is taken."""
    by: str
    """The function that takes it; "" for what the `with` names itself."""
    is_lock: bool | None
    """Whether it is a lock of threads; None where that is not known."""
    is_certain: bool = True
    """Whether it is held whatever way leads into the body, and was waited for."""
    because: tuple[Link, ...] = ()


class Entered:
    """The same for every `with` in the program."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator

    def kept(self, function: Function, site: CallSite, deep: int = DEEP) -> list[list[Kept]]:
        """What is held in the body of a `with` or an `async with`, for each of the values that it may enter."""
        if site.kind not in ENTERS or deep < 0:
            return []
        value = self.evaluator.callee(function.module, site)
        return [list(self._by(function, site, one, deep)) for one in members(value)]

    def _by(self, function: Function, site: CallSite, value: Type, deep: int) -> Iterator[Kept]:
        if site.kind == "with":
            yield Kept(_text(function, site), "", self._is_lock(value))
        yield from self._inside(value, site.kind, deep)

    def _inside(self, value: Type, kind: str, deep: int) -> Iterator[Kept]:
        """What a manager of the project holds when it has been entered."""
        if isinstance(value, Manager) and value.is_async == (kind == "awith"):
            yield from self._over_yield(value.function, deep)
        elif isinstance(value, Inst) and isinstance(value.of, Klass):
            yield from self._between(value.of, kind, deep)

    def _is_lock(self, value: Type) -> bool | None:
        """Whether something is a lock of threads; None where nothing is known of it."""
        if not isinstance(value, Inst):
            return None
        for base in self.evaluator.mro(value.of) if isinstance(value.of, Klass) else (value.of,):
            cls = self.evaluator.known.cls(base) if isinstance(base, str) else None
            if cls is not None and cls.lock in KINDS:
                return KINDS[cls.lock]
        return None

    # -- generators -------------------------------------------------------------------------------

    def _over_yield(self, function: Function, deep: int) -> Iterator[Kept]:
        """What a function with `@contextmanager` holds as it yields."""
        yields = function.facts.yields
        if not yields:
            return
        for site in function.sites:
            for index in function.module.entered(site) if site.kind in ENTERS else ():
                over = [y for y in yields if function.module.inside(y[2], index)]
                for ways in self.kept(function, site, deep - 1) if over else ():
                    for one in ways:
                        yield _told(one, function, site, len(over) == len(yields))
        first, last = yields[0][1], yields[-1][1]
        given = set(self._given(function, last, LAST, deep))
        for key, site, one in self._taken(function, first, deep):
            if key is None or key in given:
                yield _told(one, function, site, False if key is None else one.is_certain)

    # -- objects ----------------------------------------------------------------------------------

    def _between(self, klass: Klass, kind: str, deep: int) -> Iterator[Kept]:
        """What an object takes when it is entered, and gives back when it is left."""
        entering, leaving = (self.evaluator.member(klass, name)[0] for name in ENTERS[kind])
        if not isinstance(entering, Func) or not isinstance(leaving, Func):
            return
        enter, leave = entering.function, leaving.function
        given = set(self._given(leave, 0, LAST, deep))
        again = {key for key, _, _ in self._taken(leave, LAST, deep, passing=True)}
        for key, site, one in self._taken(enter, LAST, deep):
            if key is None or (key in given and key not in again):
                yield _told(one, enter, site, False if key is None else one.is_certain)

    # -- what is taken and given by calls ---------------------------------------------------------

    def _taken(
        self, function: Function, until: int, deep: int, passing: bool = False
    ) -> Iterator[tuple[Recipe, CallSite, Kept]]:
        """What calls of a function acquire before a line and do not give back there; with `passing`, that as well."""
        for site in function.sites:
            if site.kind != "call" or site.line >= until or site.role[0] == "await":
                continue
            for key, one in self._taken_by(function, site, deep):
                back = self._given(function, site.line, until, 0) if not passing else ()
                if key is None or key not in back:
                    yield key, site, one

    def _taken_by(
        self, function: Function, site: CallSite, deep: int
    ) -> Iterator[tuple[Recipe, Kept]]:
        name = site.callee[-1] if site.callee else None
        base = site.callee[1] if site.callee and site.callee[0] == "attr" else None
        if name in TAKES and base:
            value = self.evaluator.at_site(base, site, function.module)
            waits = name != "acquire" or not site.args
            key = _key(function, base)
            yield key, Kept(recipe_name(base), function.name, self._is_lock(value), waits)
            for one in self._inside(value, "with", deep - 1) if deep else ():
                yield key, one
        elif name == "enter_context" and site.args:
            entered = site.args[0][0]
            for value in members(self.evaluator.at_site(entered, site, function.module)):
                yield None, Kept(recipe_name(entered), function.name, self._is_lock(value))
                for one in self._inside(value, "with", deep - 1) if deep else ():
                    yield None, one
        elif name in FILE_LOCKS and not _unlocks(site):
            yield None, Kept(recipe_name(site.callee), function.name, None)
        elif deep:
            for helper in self._helpers(function, site):
                for key, _, one in self._taken(helper, LAST, deep - 1):
                    if key is not None and key[0] != "local":
                        yield key, one

    def _given(self, function: Function, after: int, until: int, deep: int) -> Iterator[Recipe]:
        """What a function gives back between two lines, other than where it handles an error."""
        module = function.module
        for site in function.sites:
            if site.kind != "call" or not after < site.line < until or not site.callee:
                continue
            if any(block.kind == "except" for block in module.chain(site.block)):
                continue
            if site.callee[0] == "attr" and site.callee[2] in GIVES:
                yield _key(function, site.callee[1])
            for helper in self._helpers(function, site) if deep else ():
                for key in self._given(helper, 0, LAST, deep - 1):
                    if key is not None and key[0] != "local":
                        yield key

    def _helpers(self, function: Function, site: CallSite) -> Iterator[Function]:
        """The functions that a call runs for the same object: `self._take()`, or a plain function."""
        callee = site.callee
        own = callee and callee[0] == "attr" and callee[1] == ("name", function.self_name)
        if not own and not (callee and callee[0] == "name"):
            return
        for value in members(self.evaluator.callee(function.module, site)):
            if isinstance(value, Func) and not value.function.facts.generator:
                yield value.function


def _told(one: Kept, function: Function, site: CallSite, always: bool) -> Kept:
    """The same as seen by who enters the manager."""
    text = f"`{function.name}` holds `{one.name}` in the meantime"
    link = places.link(function, site, text)
    by = one.by or function.name
    return Kept(one.name, by, one.is_lock, one.is_certain and always, (link, *one.because))


def _key(function: Function, base: Recipe) -> Recipe:
    """What is acquired, in words that mean the same in all methods of an object, or in all functions; None for what has none."""
    if not base or base[0] not in ("attr", "name"):
        return None
    if base[0] == "attr":
        inner = _key(function, base[1])
        return (*inner, base[2]) if inner is not None else None
    name = base[1]
    if name == function.self_name:
        return ("self",)
    if name in function.facts.bindings or name in function.parameters:
        return ("local", name)
    return ("global", function.module.file.name, name)


def _unlocks(site: CallSite) -> bool:
    return any(recipe and recipe[-1] in UNLOCKS for recipe, _ in site.args)


def _text(function: Function, site: CallSite) -> str:
    """What a site enters, as it is written; roughly where it takes several lines."""
    if site.line != site.end_line:
        return recipe_name(site.callee)
    return function.module.line(site.line).encode()[site.col : site.end_col].decode()
