"""Files of the kernel's: what lies under `/proc` and `/sys` is in memory, and is read in microseconds."""

from __future__ import annotations

from asynclint.facts.annotations import alias_of
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import END, AttributeBinding, Binding, CallSite, Place, Recipe
from asynclint.facts.program import Function

ROOTS = ("/proc", "/sys")

JOINING = frozenset(
    {"Path", "PosixPath", "PurePath", "str", "fspath", "join", "abspath", "realpath", "normpath"}
    | {"joinpath", "with_name", "with_suffix", "resolve", "absolute", "open"}
)
"""Calls that give a path, or a file, which begins as what they are made of or called on."""

LISTING = frozenset(
    {"iterdir", "glob", "iglob", "rglob", "scandir", "sorted", "list", "set", "reversed"}
)
"""Calls that give several of them."""

COPYING = frozenset(
    {"copy", "copy2", "copyfile", "copytree", "move", "rename", "replace", "symlink"}
)
"""Calls that work with a second path."""

Bound = Binding | AttributeBinding

DEEP = 12
"""Parts of expressions within one another."""


def is_virtual(evaluator: Evaluator, function: Function, site: CallSite) -> bool:
    """Whether a call works with a file whose path is written as one that lies there."""
    callee, at = site.callee, (site.line, site.col, site.block)
    if callee and callee[-1] in COPYING:
        return False
    given = site.args[0][0] if site.args else None
    on = callee[1] if callee and callee[0] == "attr" else None
    return any(_begins(evaluator, one, function, at, 0) for one in (on, given))


def _begins(
    evaluator: Evaluator, recipe: Recipe, function: Function, at: Place, depth: int
) -> bool:
    """Whether an expression, as it is read at a place, begins with one of the roots."""
    if not recipe or depth > DEEP:
        return False
    tag, depth = recipe[0], depth + 1
    if tag == "const":
        return _is_below(recipe[1])
    if tag == "str":
        return bool(recipe[1]) and _begins(evaluator, recipe[1][0], function, at, depth)
    if tag in ("binop", "enter"):
        return _begins(evaluator, recipe[1], function, at, depth)
    if tag == "any":
        return all(_begins(evaluator, one, function, at, depth) for one in recipe[1])
    if tag == "iter":
        return _holds(evaluator, recipe[1], function, at, depth)
    if tag == "call":
        return _comes_from(evaluator, recipe, JOINING, function, depth)
    if tag == "name":
        return _is_named(evaluator, recipe[1], function, at, depth)
    return tag == "attr" and _is_kept(evaluator, recipe, function, depth)


def _is_below(text: object) -> bool:
    """Whether a text is one of the roots, or what lies there."""
    return isinstance(text, str) and any(
        text == root or text.startswith(f"{root}/") for root in ROOTS
    )


def _holds(evaluator: Evaluator, recipe: Recipe, function: Function, at: Place, depth: int) -> bool:
    """Whether a container holds such paths only."""
    if recipe and recipe[0] == "display":
        parts = recipe[2]
        return bool(parts) and all(_begins(evaluator, p, function, at, depth) for p in parts)
    return _comes_from(evaluator, recipe, LISTING, function, depth)


def _comes_from(
    evaluator: Evaluator, recipe: Recipe, names: frozenset[str], function: Function, depth: int
) -> bool:
    """Whether a call of one of some names is made of such a path, or is a method of it."""
    if not recipe or recipe[0] != "call" or depth > DEEP:
        return False
    made = function.module.site(recipe[1])
    callee, at = made.callee, (made.line, made.col, made.block)
    if not callee or callee[-1] not in names:
        return False
    given = made.args[0][0] if made.args else None
    on = callee[1] if callee[0] == "attr" else None
    if any(_begins(evaluator, one, function, at, depth) for one in (on, given)):
        return True
    # `sorted(path.glob("*"))`.
    return names is LISTING and _comes_from(evaluator, given, names, function, depth + 1)


def _is_named(evaluator: Evaluator, name: str, function: Function, at: Place, depth: int) -> bool:
    scope: Function | None = function
    while scope is not None and scope.facts.kind != "module":
        bindings = scope.facts.bindings.get(name)
        if bindings and scope is function:
            bindings, _ = evaluator.program.reaching_bindings(scope.module, bindings, *at)
        if bindings:
            return _are_bound(evaluator, [(scope, one) for one in bindings], depth)
        if name in scope.parameters:
            return False
        scope = scope.parent
    found = alias_of(evaluator, name, function)
    return found is not None and _begins(evaluator, found[1], found[0], (END, 0, -1), depth)


def _is_kept(evaluator: Evaluator, recipe: Recipe, function: Function, depth: int) -> bool:
    """Whether an attribute of an object's own, or of its class, is such a path."""
    method = function.method_around()
    if method is None or method.klass is None or recipe[1] != ("name", method.self_name):
        return False
    klass, name = method.klass, recipe[2]
    found: list[tuple[Function, Bound]] = list(klass.self_attributes().get(name, ()))
    found += [(klass.body, one) for one in klass.body.facts.bindings.get(name, ())]
    return _are_bound(evaluator, found, depth)


def _are_bound(evaluator: Evaluator, found: list[tuple[Function, Bound]], depth: int) -> bool:
    """Whether all that a name may stand for are such paths."""
    return bool(found) and all(
        _begins(evaluator, one.recipe, scope, (one.line, one.col, one.block), depth)
        for scope, one in found
    )
