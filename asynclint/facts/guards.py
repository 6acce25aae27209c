"""Guards of what is made once: the test that it is not there yet, beside the statement that keeps it.

A test alone is no guard: `if cached: return` may look at anything. What is tested has to be what the code then sets, stores or
returns: an attribute, a global, an entry of a container, or the very name to which the new object is assigned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from asynclint.facts.model import Block, CallSite, Recipe
from asynclint.facts.program import Function, Module

MISSING_ERRORS = frozenset({"KeyError", "AttributeError", "LookupError", "NameError"})

ANY = ("anything",)
"""The state of a test that speaks of the object itself: `hasattr(…)`, `client.is_closed`."""


Filled = Callable[[Function, str], bool]
"""Whether anything puts an object into an attribute of the object whose method a function is."""


def guarded(function: Function, site: CallSite, filled: Filled) -> bool:
    """Whether the site runs only while something is not there that is kept afterwards."""
    module = function.module
    for index in module.around(site.block):
        block = module.blocks[index]
        if block.kind in ("if", "else", "while") and any(
            _kept(function, state, site, filled)
            for state in missing(block.info, block.kind != "else", module)
        ):
            return True
        if block.kind == "except" and last_name(block.info) in MISSING_ERRORS:
            return True
        if _returned_before(function, index, site, filled):
            return True
    return False


def _returned_before(function: Function, parent: int, site: CallSite, filled: Filled) -> bool:
    """`if self.client is not None: return self.client` before the site."""
    module = function.module
    for index in module.children.get(parent, ()):
        block = module.blocks[index]
        if block.line >= site.line:
            return False
        if block.kind not in ("if", "try") or not block.raises:
            continue
        returned = [recipe for recipe, _, where in function.facts.returns if where == index]
        if not returned:
            continue
        if block.kind == "try":
            if _handles_missing(module, index):
                return True
            continue
        if any(("name", name) in returned for name in _named_in(function, block)):
            return True
        for state in (*present(block.info, module), *missing(block.info, False, module)):
            given = state[0] == "name" and state[1] in function.parameters
            if state in returned and not given:
                if not _is_own(function, state) or filled(function, state[2]):
                    return True
            if _kept(function, state, site, filled, local=False):
                return True
    return False


def _is_own(function: Function, state: Recipe) -> bool:
    """Whether a test speaks of an attribute of the object whose method this is."""
    method = function.method_around()
    return bool(
        method is not None
        and state[0] == "attr"
        and state[1]
        and state[1] == ("name", method.self_name)
    )


def handler(module: Module, tried: int, errors: frozenset[str]) -> int | None:
    """The first handler of a `try` that names one of some errors."""
    parent = module.blocks[tried].parent
    for index in range(tried + 1, len(module.blocks)):
        block = module.blocks[index]
        if block.parent != parent:
            continue
        if block.kind != "except":
            return None
        caught = block.info
        names = caught[2] if caught and caught[0] == "display" else (caught,)
        if any(last_name(one) in errors for one in names):
            return index
    return None


def _handles_missing(module: Module, tried: int) -> bool:
    """`try: return cache[key]` with an `except KeyError:`."""
    for index in module.children[module.blocks[tried].parent]:
        if index <= tried:
            continue
        block = module.blocks[index]
        if block.kind != "except":
            return False
        if last_name(block.info) in MISSING_ERRORS:
            return True
    return False


def _named_in(function: Function, block: Block) -> Iterator[str]:
    """The names that a test binds: `if found := await lookup(key):`."""
    for name, bindings in function.facts.bindings.items():
        if any(b.kind == "walrus" and b.recipe == block.info for b in bindings):
            yield name


def _kept(
    function: Function, state: Recipe, site: CallSite, filled: Filled, local: bool = True
) -> bool:
    """Whether what a test found missing is there the next time."""
    module = function.module
    if state == ANY:
        return True
    if state[0] == "attr":
        if _is_own(function, state):
            return state[2] in module.set_attributes and filled(function, state[2])
        return state[2] in module.set_attributes
    if state[0] == "sub":
        return state[1] in module.filled
    name = str(state[1])
    scope: Function | None = function
    while scope is not None and scope.facts.kind != "module":
        if name in scope.facts.globals:
            return True
        if name in scope.parameters or name in scope.facts.bindings:
            if local and any(name == one for one in _assigned(site.role)):
                return True
            return name in function.facts.nonlocals
        scope = scope.parent
    return name in module.global_bindings


def _assigned(role: tuple[object, ...]) -> Iterator[str]:
    """The names to which the result of a call goes."""
    while role:
        if role[0] in ("assign", "walrus") and len(role) > 1 and isinstance(role[1], str):
            yield role[1]
        inner = role[-1]
        if not isinstance(inner, tuple):
            return
        role = inner


def missing(test: Recipe, holds: bool, module: Module) -> Iterator[Recipe]:
    """What a test, when it holds or fails, says is not there: `x is None`, `not x`, `k not in d`, `not hasattr(…)`."""
    if not test:
        return
    tag = test[0]
    if tag == "not":
        if holds and test[1] and test[1][0] in ("name", "attr", "sub"):
            yield test[1]
        else:
            yield from missing(test[1], not holds, module)
    elif tag == "any":
        for one in test[1]:
            yield from missing(one, holds, module)
    elif tag == "cmp":
        _, operator, left, right = test
        if right == ("const", None):
            if (operator in ("Is", "Eq")) == holds:
                yield from _state(left, module)
        elif operator in ("NotIn", "In") and (operator == "NotIn") == holds:
            yield ("sub", right, left)
    elif tag in ("name", "attr"):
        if not holds:
            yield test
    elif tag == "call":
        callee = module.site(test[1]).callee
        closed = bool(callee) and callee[-1] in ("is_closed", "closed")
        if closed or (callee == ("name", "hasattr") and not holds):
            yield ANY


def present(test: Recipe, module: Module) -> Iterator[Recipe]:
    """What a test says is there: `x`, `x is not None`, `k in d`, `hasattr(…)`."""
    if not test:
        return
    tag = test[0]
    if tag in ("name", "attr"):
        yield test
    elif tag == "cmp" and test[1] in ("IsNot", "NotEq"):
        yield from _state(test[2], module)
    elif tag == "cmp" and test[1] == "In":
        yield ("sub", test[3], test[2])
    elif tag == "call":
        if module.site(test[1]).callee == ("name", "hasattr"):
            yield ANY
    elif tag == "any":
        for one in test[1]:
            yield from present(one, module)


def _state(recipe: Recipe, module: Module) -> Iterator[Recipe]:
    if recipe and recipe[0] in ("name", "attr", "sub"):
        yield recipe
    elif recipe and recipe[0] == "call":
        # `(client := clients.get(key)) is None`
        site = module.site(recipe[1])
        if site.callee and site.callee[0] == "attr" and site.callee[2] == "get":
            yield ("sub", site.callee[1], site.args[0][0] if site.args else None)


def last_name(recipe: Recipe) -> str | None:
    """The last name of a recipe: of `functools.lru_cache(…)` "lru_cache" needs its call's callee."""
    if not recipe:
        return None
    if recipe[0] in ("name", "attr"):
        return str(recipe[-1])
    if recipe[0] == "display" and recipe[2]:
        return last_name(recipe[2][0])
    return None
