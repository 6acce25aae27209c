"""Coroutines that the members of something make themselves: of data, or of the parts that a program is set up with."""

from __future__ import annotations

from collections.abc import Iterator

from asynclint.facts.evaluate import Evaluator
from asynclint.facts.fixed_lengths import LIMITS, SAME_LENGTH
from asynclint.facts.lengths import SIZED, Lengths, loops_around
from asynclint.facts.model import Binding, CallSite, Recipe
from asynclint.facts.program import Function, Klass
from asynclint.facts.registered import names_part
from asynclint.facts.types import Cls, Func, Inst, Lib, LibMethod, members

WAITING = frozenset(
    {"asyncio.wait_for", "asyncio.shield", "asyncio.ensure_future", "asyncio.create_task"}
)
"""Functions that wait for, or start, the coroutine that they are given."""

QUERIES = frozenset({
    "all", "fetch", "fetchall", "fetchmany", "filter", "find", "find_all", "findall", "getlist", "glob", "iterdir",
    "json", "rglob", "scalars", "splitlines", "to_list",
})  # fmt: skip
"""Methods that give as many as there are."""

RECORDS = frozenset(
    {"sqlalchemy", "sqlmodel", "beanie", "django", "tortoise", "peewee", "odmantic"}
)
"""Libraries whose classes stand for rows."""

ROWS = frozenset({"DeclarativeBase", "SQLModel", "Document", "Model"})
"""What base classes of rows are called."""

DATACLASSES = frozenset({"dataclass", "define", "frozen"})

UPLOADS = ("UploadFile",)


class Components:
    """What the members of iterables are."""

    def __init__(self, evaluator: Evaluator, lengths: Lengths) -> None:
        self.evaluator = evaluator
        self.lengths = lengths

    def make(self, function: Function, recipe: Recipe) -> bool:
        """Whether a coroutine is a call of a loop's element, or of a method of it, and the elements are no data."""
        if not recipe:
            return False
        if recipe[0] == "any":
            return any(self.make(function, part) for part in recipe[1])
        if recipe[0] != "call":
            return False
        site = function.module.site(recipe[1])
        if self.called(function, site.callee, site):
            return True
        return any(self.make(function, inner) for inner in self._waited_for(function, site))

    def called(self, function: Function, callee: Recipe, site: CallSite) -> bool:
        """The same for what is called: `store.search`, `handler`."""
        name = _root(callee)
        iterable = _looped(function, name, site) if name else None
        if name is None or iterable is None:
            return False
        return not self._is_row(function, name, site) and not self._is_data(
            function, iterable, site, 0
        )

    def mapped(self, function: Function, site: CallSite) -> bool:
        """The same for `map(lambda store: store.search(query), stores)`."""
        value = self.evaluator.at_site(site.args[0][0], site, function.module)
        if not isinstance(value, Func) or value.function.facts.kind != "lambda":
            return False
        made = [r for r, _, _ in value.function.facts.returns if r and r[0] == "call"]
        names = {_root(function.module.site(r[1]).callee) for r in made}
        return bool(names & set(value.function.parameters)) and not any(
            self._is_data(function, recipe, site, 0) for recipe, _ in site.args[1:]
        )

    def _waited_for(self, function: Function, site: CallSite) -> Iterator[Recipe]:
        """The arguments that a call waits for: those of `wait_for`, and of functions that await what they get."""
        for member in members(self.evaluator.callee(function.module, site)):
            if isinstance(member, Lib) and member.path in WAITING and site.args:
                yield site.args[0][0]
            elif isinstance(member, Func):
                target = member.function
                awaited = {r[1][1] for r, _, _ in target.facts.returns if _awaits_name(r)}
                given = iter(target.positional)
                for recipe, keyword in site.args:
                    if (keyword or next(given, None)) in awaited:
                        yield recipe

    def _is_row(self, function: Function, name: str, site: CallSite) -> bool:
        """Whether an element is a row, or a file that was sent."""
        found = members(self.evaluator.at_site(("name", name), site, function.module))
        return any(isinstance(one, Inst) and self._stands_for_row(one.of) for one in found)

    def _stands_for_row(self, cls: Klass | str) -> bool:
        if isinstance(cls, str):
            return cls.endswith(UPLOADS) or cls.partition(".")[0] in RECORDS
        for one in self.evaluator.mro(cls):
            if isinstance(one, str):
                if one.partition(".")[0] in RECORDS:
                    return True
            elif one is not None and (
                "__tablename__" in one.body.facts.bindings
                or any(base and base[-1] in ROWS for base in one.facts.bases)
                or any(_is_dataclass(one, decorator) for decorator in one.facts.decorators)
            ):
                return True
        return False

    def _is_data(self, function: Function, recipe: Recipe, site: CallSite, depth: int) -> bool:
        """Whether an iterable surely holds data: what a query gives, or what is built for each item of data."""
        if not recipe or depth > 6:
            return False
        tag = recipe[0]
        if tag == "name":
            return self._holds_data(function, recipe[1], site, depth)
        if tag == "call":
            return self._gives_data(function, recipe, site, depth)
        if tag == "await":
            return self._is_answer(function, recipe[1], site, depth)
        if tag == "comp":
            if recipe[2] and recipe[2][0] == "name":
                return self._is_data(function, recipe[3], site, depth + 1)
            return self._builds(function, recipe[2]) and self.lengths.unknown(
                function, recipe[3], site
            )
        if tag in ("iter", "item", "sub", "star"):
            return self._is_data(function, recipe[1], site, depth + 1)
        parts = recipe[1] if tag == "any" else recipe[1:3] if tag == "binop" else ()
        return any(self._is_data(function, part, site, depth + 1) for part in parts)

    def _gives_data(self, function: Function, recipe: Recipe, site: CallSite, depth: int) -> bool:
        inner = function.module.site(recipe[1])
        text = inner.callee
        if text and text[0] == "attr":
            if text[2] in QUERIES:
                return True
            if text[2] in ("items", "values", "copy"):
                return self._is_data(function, text[1], site, depth + 1)
        callee = self.evaluator.callee(function.module, inner)
        path = callee.path if isinstance(callee, Lib) else ""
        if path in SAME_LENGTH | SIZED | LIMITS or path.startswith("itertools."):
            return any(self._is_data(function, r, site, depth + 1) for r, _ in inner.args)
        return False

    def _is_answer(self, function: Function, recipe: Recipe, site: CallSite, depth: int) -> bool:
        """Whether what is awaited is the answer of a library that asks somebody."""
        if self._is_data(function, recipe, site, depth + 1):
            return True
        if not recipe or recipe[0] != "call":
            return False
        inner = function.module.site(recipe[1])
        found = members(self.evaluator.callee(function.module, inner))
        paths = [m.cls for m in found if isinstance(m, LibMethod)]
        paths += [m.path for m in found if isinstance(m, Lib)]
        return bool(paths) and not any(path.startswith(("asyncio.", "anyio.")) for path in paths)

    def _holds_data(self, function: Function, name: str, site: CallSite, depth: int) -> bool:
        scope = function.binder_of(name)
        if scope is None:
            return False
        bindings = scope.facts.bindings[name]
        return any(
            self._is_data(scope, one.recipe, site, depth + 1) for one in bindings
        ) or self._is_filled(scope, name)

    def _is_filled(self, function: Function, name: str) -> bool:
        """Whether a loop over data adds to a list what it builds."""
        added = (("attr", ("name", name), "append"), ("attr", ("name", name), "add"))
        for site in function.sites:
            if site.callee not in added or not site.args:
                continue
            loops = loops_around(function.module, site)
            if (
                loops
                and self._builds(function, site.args[0][0])
                and any(self.lengths.unknown_in(function, block, site) for _, block in loops)
            ):
                return True
        return False

    def _builds(self, function: Function, recipe: Recipe) -> bool:
        """Whether an expression builds an object, as it stands or in the variable that it is."""
        if recipe and recipe[0] == "name":
            bindings = function.facts.bindings.get(recipe[1], ())
            return any(
                one.recipe and one.recipe[0] == "call" and self._builds(function, one.recipe)
                for one in bindings
            )
        if not recipe or recipe[0] != "call":
            return False
        site = function.module.site(recipe[1])
        callee = self.evaluator.callee(function.module, site)
        if callee is None:
            name = site.callee[-1] if site.callee else None
            return isinstance(name, str) and name[:1].isupper()
        return isinstance(callee, Cls) or (
            isinstance(callee, Lib) and self.evaluator.known.cls(callee.path) is not None
        )


def _is_dataclass(klass: Klass, decorator: Recipe) -> bool:
    """`@dataclass`, `@dataclasses.dataclass(slots=True)`, `@attrs.define`; not of what is named for a part of the program."""
    if decorator and decorator[0] == "call":
        decorator = klass.module.site(decorator[1]).callee
    if not decorator or decorator[-1] not in DATACLASSES:
        return False
    return not names_part(klass.facts.name)


def _awaits_name(recipe: Recipe) -> bool:
    """`await coroutine`, of a name."""
    return bool(recipe and recipe[0] == "await" and recipe[1] and recipe[1][0] == "name")


def _root(callee: Recipe) -> str | None:
    """The name at which what is called begins: `store` of `store.index.search`."""
    while callee and callee[0] in ("attr", "sub"):
        callee = callee[1]
    return callee[1] if callee and callee[0] == "name" else None


def _looped(function: Function, name: str, site: CallSite) -> Recipe:
    """The iterable of the loop around a site whose element a name is."""
    module = function.module
    around = [
        one for one in function.facts.bindings.get(name, ()) if module.inside(site.block, one.block)
    ]
    return _iterable(max(around, key=lambda one: (one.block, one.line))) if around else None


def _iterable(binding: Binding) -> Recipe:
    recipe = binding.recipe
    if binding.kind not in ("for", "unpack"):
        return None
    while recipe and recipe[0] == "item":
        recipe = recipe[1]
    return recipe[1] if recipe and recipe[0] == "iter" else None
