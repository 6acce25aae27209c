"""Places that start one task for every item of something of unknown length, with no bound on the way."""

from __future__ import annotations

from asynclint.facts import places
from asynclint.facts.bounds import Bounds
from asynclint.facts.components import Components
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.fixed_lengths import SAME_LENGTH
from asynclint.facts.graph import Edge, Graph
from asynclint.facts.known_calls import argument_for, known_callee
from asynclint.facts.lengths import Lengths, loops_around
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, parts_of
from asynclint.facts.types import (
    Func,
    Lib,
    LibMethod,
    members,
)
from asynclint.facts.view import FanOut
from asynclint.findings import Link, Span

MAPS = frozenset({"builtins.map", "itertools.starmap"})


class FanOutFacts:
    """Unbounded concurrency of a program."""

    def __init__(self, evaluator: Evaluator, graph: Graph) -> None:
        self.evaluator = evaluator
        self.graph = graph
        self.bounds = Bounds(evaluator, graph)
        self.lengths = Lengths(evaluator, graph)
        self.components = Components(evaluator, self.lengths)

    def at(self, function: Function) -> list[tuple[CallSite, FanOut]]:
        """The unbounded fan-outs of a function."""
        module = function.module
        if module.file.is_test:
            return []
        found: list[tuple[CallSite, FanOut]] = []
        asked: bool | None = None
        for site in self.graph.speaking[function]:
            if site.kind != "call":
                continue
            callee = self.evaluator.callee(module, site)
            for member in members(callee):
                known = known_callee(self.evaluator, member)
                if known is None:
                    continue
                if known.gathers or known.gathers_iterable:
                    made = self._gathered(function, site, known.gathers_iterable)
                elif known.spawns is not None:
                    made = self._spawned(function, site)
                else:
                    continue
                if made is not None:
                    if asked is None:
                        asked = self._bounded_on_demand(function)
                    if asked:
                        return []
                    name = known.name
                    if isinstance(member, LibMethod):
                        name = f"{member.cls.rpartition('.')[2]}.{member.name}"
                    found.append((site, FanOut(name, made)))
                break
        return found

    def _bounded_on_demand(self, function: Function) -> bool:
        """Whether a function makes a semaphore under a test: where it makes none, that is what was asked for."""
        module = function.module
        for site in function.sites:
            if site.kind != "call" or not any(
                b.kind in ("if", "else") for b in module.chain(site.block)
            ):
                continue
            callee = self.evaluator.callee(module, site)
            cls = self.evaluator.known.cls(callee.path) if isinstance(callee, Lib) else None
            if cls is not None and cls.bounds:
                return True
        return False

    def note_items(self, function: Function) -> None:
        """Tell the graph which coroutine functions run once for each item."""
        module = function.module
        facts = function.facts
        for site in function.sites if "map" in facts.loaded or "map" in facts.uses else ():
            if site.callee == ("name", "map") and site.role[0] == "star" and site.args:
                value = self.evaluator.at_site(site.args[0][0], site, module)
                if isinstance(value, Func) and value.function.is_async:
                    edge = Edge(function, site, value.function, "async")
                    self.graph.fanned[value.function].append(edge)
        for edge in self.graph.out.get(function, ()):
            if edge.how not in ("async", "spawn"):
                continue
            site = edge.site
            if not any(b.kind in ("for", "afor", "comp") for b in module.chain(site.block)):
                continue
            if (
                edge.how == "spawn"
                or self._handed_on(function, site)
                or self._in_turn(function, site)
            ):
                self.graph.fanned[edge.target].append(edge)

    def _in_turn(self, function: Function, site: CallSite) -> bool:
        """Awaited for one item after the other; not tried again and again."""
        module = function.module
        if site.role[0] != "await":
            return False
        for block in module.chain(site.block):
            if block.kind in ("for", "afor", "comp"):
                info = block.info
                if not info or info[0] != "call":
                    return True
                callee = module.site(info[1]).callee
                # `for attempt in range(3)`, `async for attempt in AsyncRetrying()`: tried again, not another item.
                return (
                    callee != ("name", "range")
                    and "retry" not in str(callee[-1] if callee else "").lower()
                )
        return False

    def _handed_on(self, function: Function, site: CallSite) -> bool:
        """Whether the coroutine of a call goes into a fan-out instead of being awaited in turn."""
        role = site.role
        if role[0] == "comp":
            return True
        if role[0] == "arg":
            outer = function.module.site(role[1])
            if outer.callee and outer.callee[0] == "attr" and outer.callee[2] in ("append", "add"):
                return True
            known = known_callee(self.evaluator, self.evaluator.callee(function.module, outer))
            return known is not None and known.spawns is not None
        return False

    def _gathered(
        self, function: Function, site: CallSite, iterable: bool
    ) -> tuple[Link, ...] | None:
        positional = [r for r, k in site.args if k is None]
        for recipe in positional:
            if iterable:
                target = recipe
            elif recipe and recipe[0] == "star":
                target = recipe[1]
            else:
                continue
            found = self._collection(function, site, target, 0)
            if found is not None:
                return found
            if iterable:
                break
        return None

    def _collection(
        self, function: Function, site: CallSite, recipe: Recipe, depth: int
    ) -> tuple[Link, ...] | None:
        """Why a collection of coroutines has as many members as the data; None when it has not, or is unknown."""
        if not recipe or depth > 4:
            return None
        module = function.module
        tag = recipe[0]
        if tag == "comp":
            if self._starts_tasks(function, recipe[2]):
                return None
            if not self.lengths.unknown(function, recipe[3], site):
                return None
            if not self._makes_work(function, recipe[2]):
                return None
            return ()
        if tag == "call":
            inner = module.site(recipe[1])
            callee = self.evaluator.callee(module, inner)
            path = callee.path if isinstance(callee, Lib) else ""
            if inner.callee and inner.callee[0] == "attr" and inner.callee[2] == "values":
                # `{x: f(x) for x in xs}.values()`
                return self._collection(function, inner, inner.callee[1], depth + 1)
            if path in MAPS and len(inner.args) >= 2:
                if not self.bounds.mapped(function, inner) or self.components.mapped(
                    function, inner
                ):
                    return None
                return (
                    ()
                    if all(self.lengths.unknown(function, r, inner) for r, _ in inner.args[1:])
                    else None
                )
            if path in SAME_LENGTH and inner.args:
                return self._collection(function, inner, inner.args[0][0], depth + 1)
            return None
        if tag == "name":
            return self._named(function, site, recipe[1], depth)
        if tag == "any" and recipe[2] == "if":
            for part in recipe[1]:
                found = self._collection(function, site, part, depth + 1)
                if found is not None:
                    return found
        if tag == "binop":
            for part in recipe[1:3]:
                found = self._collection(function, site, part, depth + 1)
                if found is not None:
                    return found
        return None

    def _named(
        self, function: Function, site: CallSite, name: str, depth: int
    ) -> tuple[Link, ...] | None:
        """`tasks = [f(x) for x in xs]`, or an empty list filled in a loop."""
        module = function.module
        bindings = function.facts.bindings.get(name)
        if not bindings:
            return None
        reaching, _ = self.evaluator.program.reaching_bindings(
            module, bindings, site.line, site.col, site.block
        )
        for binding in reaching:
            if binding.kind not in ("assign", "ann"):
                continue
            found = self._collection(function, site, binding.recipe, depth + 1)
            if found is not None:
                span = Span(binding.line, 1, binding.line, max(2, binding.col + 1))
                return (
                    Link(module.file.name, span, f"`{name}` has one member for every item"),
                    *found,
                )
            if binding.recipe and (
                (binding.recipe[0] == "display" and not binding.recipe[2])
                or (
                    binding.recipe[0] == "call"
                    and module.site(binding.recipe[1]).callee in (("name", "list"), ("name", "set"))
                )
            ):
                return self._filled(function, name, binding.block, site)
        return None

    def _filled(
        self, function: Function, name: str, home: int, gather: CallSite
    ) -> tuple[Link, ...] | None:
        module = function.module
        for inner in function.sites:
            if inner.callee == ("attr", ("name", name), "extend") and inner.args:
                found = None
                if inner.line <= gather.line:
                    found = self._collection(function, inner, inner.args[0][0], 2)
                if found is not None:
                    text = f"`{name}` gets one member for every item"
                    return (places.link(function, inner, text), *found)
                continue
            if inner.callee not in (
                ("attr", ("name", name), "append"),
                ("attr", ("name", name), "add"),
            ):
                continue
            if inner.line > gather.line or not inner.args:
                continue
            loops = loops_around(module, inner, home)
            if not loops or any(module.inside(gather.block, i) for i, _ in loops):
                continue
            if self._starts_tasks(function, inner.args[0][0]):
                # The task starts in the loop: reported there.
                continue
            if _is_picked(function, inner, loops[0][0]) or _counted(function, loops[-1][0]):
                continue
            if all(
                self.lengths.unknown_in(function, b, inner) for _, b in loops[-1:]
            ) and self._makes_work(function, inner.args[0][0]):
                return (places.link(function, inner, f"`{name}` gets one member for every item"),)
        return None

    def _spawned(self, function: Function, site: CallSite) -> tuple[Link, ...] | None:
        """A task started in a loop."""
        module = function.module
        if site.role[0] == "await":
            return None
        loops = loops_around(module, site, self._home(function, site))
        if not loops:
            return None
        if any(b.kind == "while" for _, b in loops):
            # A server or consumer loop: one task for each arrival, often paced by what it awaits.
            return None
        first = loops[0][1]
        if first.kind == "afor" or any(b.kind == "afor" for _, b in loops):
            return None
        if self._joined_inside(function, site, loops[0][0]) or _is_picked(
            function, site, loops[0][0]
        ):
            return None
        if any(_counted(function, index) for index, _ in loops):
            return None
        if not all(self.lengths.unknown_in(function, b, site) for _, b in loops[:1]):
            return None
        known = known_callee(
            self.evaluator, next(iter(members(self.evaluator.callee(module, site))), None)
        )
        recipe = None
        if known is not None and known.spawns is not None:
            recipe = argument_for(site, known, known.spawns)
        if known is not None and known.spawns_call:
            value = self.evaluator.at_site(recipe, site, module)
            if isinstance(value, Func) and self.bounds.is_bounded(value.function):
                return None
            return None if self.components.called(function, recipe, site) else ()
        if recipe is None or not self._makes_work(function, recipe):
            return None
        return ()

    def _makes_work(self, function: Function, recipe: Recipe) -> bool:
        """Whether a member is a coroutine that nothing bounds, and not one of a part that the program is set up with."""
        return self.bounds.coroutine(function, recipe) and not self.components.make(
            function, recipe
        )

    def _home(self, function: Function, site: CallSite) -> int:
        """The block in which the task group of a spawning call is entered: loops around it start it anew."""
        callee = site.callee
        if not callee or callee[0] != "attr" or not callee[1] or callee[1][0] != "name":
            return -1
        for binding in function.facts.bindings.get(callee[1][1], ()):
            if binding.kind == "with" and (binding.line, binding.col) < (site.line, site.col):
                if function.module.inside(site.block, binding.block):
                    return binding.block
        return -1

    def _joined_inside(self, function: Function, site: CallSite, loop: int) -> bool:
        """The loop itself waits for what it started, or waits in turn for a place."""
        module = function.module
        return (
            any(
                module.inside(block, loop)
                for line, block in function.facts.awaits
                if line >= (site.statement[0] if site.statement else site.line)
            )
            or any(
                module.inside(block, loop)
                and any(
                    other.callee and other.callee[-1] in ("acquire", "wait", "get")
                    for other in function.sites
                    if other.line == line
                )
                for line, block in function.facts.awaits
            )
            or any(
                module.inside(other.block, loop)
                and bool(other.callee)
                and other.callee[0] == "attr"
                and other.callee[2].startswith("acquire")
                for other in function.sites
            )
        )

    def _starts_tasks(self, function: Function, recipe: Recipe) -> bool:
        """`create_task(f(x))`: the task starts where it is made, and is reported there."""
        if not recipe or recipe[0] != "call":
            return False
        site = function.module.site(recipe[1])
        known = known_callee(self.evaluator, self.evaluator.callee(function.module, site))
        return known is not None and known.spawns is not None


def _counted(function: Function, loop: int) -> bool:
    """Whether a loop ends, or passes over an item, where enough are there: `if len(tasks) >= slots: break`."""
    module = function.module
    for index, block in enumerate(module.blocks):
        if block.kind != "if" or not block.ends or not module.inside(block.parent, loop):
            continue
        for part in parts_of(block.info):
            if part and part[0] == "cmp" and part[1] in ("Gt", "GtE", "Lt", "LtE", "Eq"):
                if any(other in (("const", 0), ("const", 1)) for other in part[2:]):
                    continue
                if any(_is_count(function, one, loop, index) for one in part[2:]):
                    return True
    return False


def _is_count(function: Function, recipe: Recipe, loop: int, test: int) -> bool:
    """`len(tasks)` of what is made before the loop, or a number that the loop increases."""
    module = function.module
    if recipe and recipe[0] == "call":
        site = module.site(recipe[1])
        recipe = site.args[0][0] if site.callee == ("name", "len") and site.args else None
        bindings = function.facts.bindings.get(recipe[1]) if recipe and recipe[0] == "name" else ()
        return bool(bindings) and not any(module.inside(b.block, loop) for b in bindings or ())
    if not recipe or recipe[0] != "name":
        return False
    bindings = function.facts.bindings.get(recipe[1], ())
    return any(b.kind == "aug" and module.inside(b.block, loop) for b in bindings)


def _is_picked(function: Function, site: CallSite, loop: int) -> bool:
    """Whether a test lets only a certain item of a loop come to a site: `if kind == Kind.TRACK:`."""
    blocks = function.module.blocks
    index = site.block
    while index >= 0 and index != loop:
        test = blocks[index].info if blocks[index].kind == "if" else None
        parts = test[1] if test and test[0] == "any" and test[2] == "and" else (test,)
        for part in parts:
            if part and part[0] == "cmp" and part[1] in ("Eq", "Is"):
                if any(_is_item(function, one, loop) for one in part[2:]) and any(
                    one and one[0] in ("const", "attr") for one in part[2:]
                ):
                    return True
        index = blocks[index].parent
    return False


def _is_item(function: Function, recipe: Recipe, loop: int) -> bool:
    """Whether a name is the target of a loop."""
    if not recipe or recipe[0] != "name":
        return False
    bindings = function.facts.bindings.get(recipe[1], ())
    return any(b.kind == "for" and b.block == loop for b in bindings)
