"""Descriptors that have something to read: what is read from them right after such a wait comes at once."""

from __future__ import annotations

import re

from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Module, mentions

READS = frozenset({"os.read"})
"""Library functions that wait until a descriptor has something."""

WAITS = re.compile(r"readable$|wait\w*_read(?:er)?$|^add_reader$")
"""Names of what waits for that, of asyncio, anyio, trio and the project's own."""

SELECTS = frozenset({"select", "poll"})
SELECTOR = re.compile(r"poll|sel", re.IGNORECASE)
"""What an object is called that watches many descriptors: `poller.poll(10)`, `self._selector.select()`."""


def is_readable(site: CallSite, module: Module) -> bool:
    """Whether the function has waited before a site until a descriptor can be read, or is called when it can.

    The site reads the descriptor, or hands it to a helper that does.
    """
    function = module.functions[site.function]
    given = [recipe for recipe, _ in site.args if recipe and recipe[0] != "const"]
    return _is_reader(function) or any(
        other.line < site.line
        and not module.excludes(other.block, site.block)
        and _waits(other, given)
        for other in function.sites
    )


def _waits(site: CallSite, given: list[Recipe]) -> bool:
    if site.kind != "call" or not site.callee:
        return False
    name = str(site.callee[-1])
    if name in SELECTS:
        owner = site.callee[1] if site.callee[0] == "attr" else None
        return site.callee[0] == "name" or bool(owner and SELECTOR.search(str(owner[-1])))
    if not WAITS.search(name):
        return False
    named = tuple(recipe for recipe, _ in site.args)
    return not named or not given or any(mentions(named, one) for one in given)


def _is_reader(function: Function) -> bool:
    """Whether the module hands a function to `add_reader`, which calls it when there is something."""
    name = function.name.rpartition(".")[2]
    return any(
        site.callee
        and site.callee[-1] == "add_reader"
        and any(
            recipe and recipe[0] in ("name", "attr") and recipe[-1] == name
            for recipe, _ in site.args
        )
        for site in function.module.facts.calls
    )
