"""A synchronous client becomes its asynchronous twin, with every use of it awaited: a plan over files.

The plan starts at one blocking call and follows the client both ways: back to where it is built, and on to everything that is
done with it. It is made when all of that stands where it can wait, and refused with the reason otherwise.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator

from asynclint.facts.body import is_none
from asynclint.facts.types import Func
from asynclint.facts.view import Blocking
from asynclint.findings import Fix, Refused
from asynclint.fixes.holders import Holders
from asynclint.fixes.mentions import Global, Held, Holder, Result, State
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.reading import Reading
from asynclint.fixes.twin_uses import Uses
from asynclint.fixes.twins import Pair, Twins


def use_twin(place: Place) -> Fix:
    """The fix of one blocking call through a synchronous client. Raises Refused with the reason where there is none.

    Raises NoClient where the call does not go through a client that has an asynchronous twin.
    """
    return place.workshop.once(_Plans).fix(place)


def or_else(place: Place, other: Callable[[Place], Iterable[Fix]]) -> Iterator[Fix]:
    """The fix by the twin, and behind it the fixes of another kind. Raises Refused where there is none."""
    refusals: list[str] = []
    try:
        yield use_twin(place)
    except NoClient:
        pass
    except Refused as reason:
        refusals.append(f"no asynchronous client: {reason}")
    else:
        refusals.append("")
    try:
        yield from other(place)
    except Refused as reason:
        if refusals and not refusals[0]:
            return
        raise Refused("; ".join([str(reason), *refusals])) from None


class NoClient(Refused):
    """There is nothing to say about an asynchronous client here."""


class _Plans:
    """The plans of one run: a client whose uses were all followed needs no second plan."""

    def __init__(self, workshop: Workshop) -> None:
        self.holders = Holders(workshop)
        self.twins = Twins(self.holders.evaluator)
        self._made: dict[int | Holder, Uses | Refused] = {}

    def fix(self, place: Place) -> Fix:
        if place.site.kind not in ("call", "with", "for"):
            raise NoClient("it is no call of a client")
        reading = self.holders.reading(place.function.module)
        here = node = reading.tree.at(reading.source.where(place.finding.span), ast.expr)
        through = [b for b in place.facts.blocking.values() if b.through is not None]
        if through:
            reading, node = self._below(through[0])
        if here is None or node is None:
            raise NoClient("the expression could not be found in the text")
        try:
            at, root, pair = self._root(reading, node, 0)
        except Refused as reason:
            raise NoClient(str(reason)) from None
        key: int | Holder = id(root)
        if self.twins.accessor(pair) is None:
            key = self.holders.of(at, root) or key
        made = self._made.get(key)
        if made is None:
            made = self._planned(at, root, pair)
            self._made[key] = made
            if isinstance(made, Uses):
                for holder in made.kept:
                    self._made.setdefault(holder, made)
        if isinstance(made, Refused):
            raise made
        if id(node) not in made.changed or id(here) not in made.changed:
            raise Refused("how the client is used here could not be read")
        return place.fix(made.title, *made.edits(), once=made.mark)

    def _below(self, blocking: Blocking) -> tuple[Reading, ast.expr | None]:
        """The call of a client to which a call of the project's own function leads."""
        last = blocking.because[-1] if blocking.because else None
        for file in self.holders.program.project.files:
            module = self.holders.program.load(file) if last and file.name == last.path else None
            if last is not None and module is not None:
                reading = self.holders.reading(module)
                return reading, reading.tree.at(reading.source.where(last.span), ast.expr)
        raise NoClient("it is no call of a client")

    def _planned(self, at: Reading, root: ast.expr, pair: Pair) -> Uses | Refused:
        plan = Uses(self.holders, self.twins)
        try:
            plan.begin(at, root, pair)
            plan.edits()
        except Refused as reason:
            return Refused(str(reason))
        return plan

    def _root(self, reading: Reading, node: ast.expr, depth: int) -> tuple[Reading, ast.expr, Pair]:
        """The expression that is the client itself, from which a value comes."""
        for _ in range(30):
            pair = self.twins.client(reading.type(node))
            if pair is not None:
                return reading, node, pair
            if isinstance(node, ast.Call) and isinstance(node.func, (ast.Attribute, ast.Name)):
                if isinstance(reading.type(node.func), Func):
                    break
                node = node.func
            elif isinstance(node, (ast.Attribute, ast.Subscript)):
                if isinstance(node, ast.Attribute) and self._kept(reading, node):
                    break
                node = node.value
            elif isinstance(node, (ast.NamedExpr, ast.Await)):
                node = node.value
            else:
                break
        holder = self.holders.of(reading, node)
        if holder is not None and depth < 4:
            for source in self.holders.sources(holder):
                if isinstance(source, tuple) and not is_none(source[1]):
                    return self._root(*source, depth + 1)
        raise NoClient("it does not go through a client that has an asynchronous twin")

    def _kept(self, reading: Reading, node: ast.Attribute) -> bool:
        """Whether an attribute belongs to the project's own code."""
        return isinstance(self.holders.of(reading, node), (Held, State, Global, Result))
