"""Files that are none: what reads and writes a `BytesIO`, or writes into a pipe, waits for no disk."""

from __future__ import annotations

from collections.abc import Iterator

from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Module
from asynclint.facts.types import Inst, Lib, members

BUFFERS = frozenset({"io.BytesIO", "io.StringIO"})

PUTS_ON_DISK = frozenset({"extract", "extractall"})
"""Methods of what reads a buffer that write files."""

BETWEEN = frozenset({"copyfileobj"})
"""Functions that work with two files."""


DESCRIPTORS = frozenset({"os.write"})
"""Functions that write what a number stands for: a pipe's end, a terminal, seldom a file."""

OPENED = (Lib("os.open"), Lib("tempfile.mkstemp"))


def in_memory(evaluator: Evaluator, site: CallSite, module: Module) -> bool:
    """Whether a call that would wait for a file gets a buffer in its place, or is of an object that was made with one."""
    callee = evaluator.callee(module, site)
    if isinstance(callee, Lib) and callee.path in DESCRIPTORS:
        return not _is_opened_here(evaluator, site, module)
    name = site.callee[-1] if site.callee else None
    given = [recipe for recipe, _ in site.args[:3]]
    if any(_is_buffer(evaluator, recipe, site, module) for recipe in given):
        return name not in BETWEEN or all(
            _is_buffer(evaluator, recipe, site, module) for recipe in given[:2]
        )
    if not site.callee or site.callee[0] != "attr" or name in PUTS_ON_DISK:
        return False
    made = _made(site.callee[1], site, module)
    return made is not None and any(
        _is_buffer(evaluator, recipe, made, module) for recipe, _ in made.args
    )


def _is_buffer(evaluator: Evaluator, recipe: Recipe, site: CallSite, module: Module) -> bool:
    if not recipe or recipe[0] not in ("name", "attr", "call"):
        return False
    value = evaluator.at_site(recipe, site, module)
    return value is not None and all(
        isinstance(one, Inst) and one.of in BUFFERS for one in members(value)
    )


def _made(base: Recipe, site: CallSite, module: Module) -> CallSite | None:
    """The call that makes the object of a method call: of `with ZipFile(…) as archive`, the constructor."""
    if base and base[0] == "name":
        bindings = module.functions[site.function].facts.bindings.get(base[1], ())
        before = [b for b in bindings if b.line <= site.line]
        if not before or not (len(bindings) == 1 or module.inside(site.block, before[-1].block)):
            return None
        base = before[-1].recipe
        if base and base[0] == "enter":
            base = base[1]
    return module.site(base[1]) if base and base[0] == "call" else None


def _is_opened_here(evaluator: Evaluator, site: CallSite, module: Module) -> bool:
    """Whether a function opened a file for the number that it hands over."""
    recipe = site.args[0][0] if site.args else None
    if not recipe or recipe[0] != "name":
        return False
    bound = module.functions[site.function].facts.bindings.get(recipe[1], ())
    return any(
        evaluator.callee(module, module.site(index)) in OPENED
        for binding in bound
        for index in _calls(binding.recipe)
    )


def _calls(recipe: object) -> Iterator[int]:
    """The calls in an expression, by the numbers of their sites."""
    if isinstance(recipe, tuple):
        if recipe[:1] == ("call",) and isinstance(recipe[1], int):
            yield recipe[1]
        for part in recipe:
            yield from _calls(part)
