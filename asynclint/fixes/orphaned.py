"""Objects that a coroutine has put into a container of others, or taken from it, and changes behind a wait, while others may fill the container anew.

What is changed then is an object that nobody finds any more, and what the others have read goes into the file in its place.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from asynclint.facts import syntax
from asynclint.facts.program import Function
from asynclint.facts.types import Func, members
from asynclint.fixes.effects import MAKING, OBJECT, PARTS
from asynclint.fixes.source import NESTED, own_nodes
from asynclint.fixes.step import Step

FILLS = frozenset({"append", "appendleft", "add", "insert", "setdefault"})
"""Methods of containers that put something into them."""

EMPTY = (ast.Constant, ast.Dict, ast.List, ast.Set, ast.Tuple)


def left_behind(step: Step) -> str | None:
    """Why a wait lets others leave behind what is changed afterwards; None where it does not."""
    kept = dict(_kept(step))
    for name, changed in _changed(step, set(kept)) if kept else ():
        filler = _filled_anew(step, kept[name])
        if filler is not None:
            return (
                f"`{changed}` is changed behind it, and `{filler.name}` may have filled "
                f"`{kept[name]}` anew by then, where others look for it"
            )
    return None


# -- what is kept where ----------------------------------------------------------------------------


def _kept(step: Step) -> Iterator[tuple[str, str]]:
    """The names of the coroutine's for what stands in a container, and that container, nearest last."""
    for node in reversed(step.earlier()):
        for one in _within(node):
            if isinstance(one, ast.Assign):
                yield from _by_assignment(step, one)
            elif isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute):
                given = one.args[-1] if one.args else None
                if one.func.attr in FILLS and isinstance(given, ast.Name):
                    yield from _in_container(step, given.id, one.func.value)


def _by_assignment(step: Step, one: ast.Assign) -> Iterator[tuple[str, str]]:
    """`self.jobs[key] = job`, `job = self.jobs[key]`, `job = self.jobs.get(key)`."""
    value = one.value
    for target in one.targets:
        if isinstance(target, ast.Subscript) and isinstance(value, ast.Name):
            yield from _in_container(step, value.id, target.value)
        elif isinstance(target, ast.Name) and isinstance(value, ast.Subscript):
            yield from _in_container(step, target.id, value.value)
        elif isinstance(target, ast.Name) and isinstance(value, ast.Call):
            func = value.func
            if isinstance(func, ast.Attribute) and func.attr in PARTS:
                yield from _in_container(step, target.id, func.value)


def _in_container(step: Step, name: str, container: ast.expr) -> Iterator[tuple[str, str]]:
    own = f"{step.at.function.self_name}."
    text = ast.unparse(container)
    if (text.startswith(own) and text[len(own) :].isidentifier()) or (
        isinstance(container, ast.Name) and step.is_shared(container)
    ):
        yield name, text


# -- what is changed -------------------------------------------------------------------------------


def _changed(step: Step, names: set[str]) -> Iterator[tuple[str, str]]:
    """Which of some names' objects are changed behind the wait, and what of them."""
    for node in step.later():
        for one in _within(node):
            for target in _targets(one):
                if isinstance(target, (ast.Attribute, ast.Subscript)):
                    if isinstance(target.value, ast.Name) and target.value.id in names:
                        yield target.value.id, ast.unparse(target)
            if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute):
                base = one.func.value
                if isinstance(base, ast.Name) and base.id in names and _changes_itself(step, one):
                    yield base.id, base.id


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, (ast.AugAssign, ast.AnnAssign)) else []


def _changes_itself(step: Step, call: ast.Call) -> bool:
    """Whether a method of the project's changes its object."""
    function, effects = step.at.function, step.effects
    site = step.sites.get(syntax.extent(call))
    if site is None:
        return False
    evaluator = step.at.workshop.facts.graph.evaluator
    return any(
        effect.root.whose == OBJECT
        for member in members(evaluator.callee(function.module, site))
        if isinstance(member, Func)
        for effect in effects.of(member.function)
    )


# -- who fills it anew -----------------------------------------------------------------------------


def _filled_anew(step: Step, container: str) -> Function | None:
    """A function that gives a container's name another one, which is neither empty nor made from the old one."""
    own = step.at.function
    for one in _others(own, container):
        node = syntax.definition(one) if _runs_later(step, one) else None
        if node is None:
            continue
        name = container
        if own.self_name and container.startswith(f"{own.self_name}."):
            name = f"{one.self_name}{container[len(own.self_name) :]}"
        if any(_is_new(inner, name) for inner in own_nodes(node)):
            return one
    return None


def _others(function: Function, container: str) -> Iterable[Function]:
    """Other functions that give a container's name a value."""
    owner, _, name = container.rpartition(".")
    if not owner:
        return [
            one
            for one in function.module.functions
            if one is not function and name in one.facts.globals
        ]
    klass = function.klass
    bound = klass.self_attributes().get(name, []) if klass is not None else []
    return [one for one, _ in bound if one is not function]


def _runs_later(step: Step, function: Function) -> bool:
    """Whether a function runs when its object is made already."""
    if function.facts.name in MAKING:
        return False
    callers = [edge.caller for edge in step.at.workshop.facts.graph.into.get(function, ())]
    return not callers or any(one.facts.name not in MAKING for one in callers)


def _is_new(node: ast.AST, container: str) -> bool:
    if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
        return False
    if not any(ast.unparse(target) == container for target in _targets(node)):
        return False
    value = node.value
    if isinstance(value, EMPTY) and not any(
        isinstance(one, (ast.Name, ast.Call)) for one in ast.iter_child_nodes(value)
    ):
        return False
    if isinstance(value, ast.Call) and not (value.args or value.keywords):
        if isinstance(value.func, ast.Name):
            return False  # `dict()`, `OrderedDict()`
    return not any(
        isinstance(one, (ast.Attribute, ast.Name)) and ast.unparse(one) == container
        for one in ast.walk(value)
    )


def _within(node: ast.AST) -> Iterator[ast.AST]:
    if not isinstance(node, NESTED):
        yield node
        yield from own_nodes(node)
