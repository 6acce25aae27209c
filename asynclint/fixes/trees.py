"""Directories that are taken away, copied or moved as a whole, in a step that does more with files: others would meet half of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from asynclint.facts import syntax
from asynclint.facts.model import CallSite
from asynclint.facts.program import Function
from asynclint.facts.types import Lib, members
from asynclint.findings import Refused
from asynclint.fixes.awaiting import frames
from asynclint.fixes.effects import shown
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.source import NESTED, own_nodes
from asynclint.fixes.step import GUARD, LOOPS, Step, spot

WHOLE = frozenset({"shutil.rmtree", "shutil.copytree", "shutil.move", "shutil.unpack_archive"})

CHANGES = frozenset(
    {"rmtree", "copytree", "copy", "copy2", "copyfile", "unpack_archive", "mkdir", "makedirs"}
    | {"unlink", "rmdir", "removedirs", "symlink_to", "write_text", "write_bytes"}
)
CHANGES_OF_OS = frozenset({"os.remove", "os.rename", "os.replace", "shutil.move"})
"""Calls that change what is in a directory, by their last names and by their whole ones."""

FRESH = re.compile(r"te?mp|scratch", re.IGNORECASE)
"""Names of directories that nobody else knows."""

HALF = "others would meet the directory as it is between two steps"


def refuse(place: Place) -> None:
    """Raise Refused where a thread would work on such a directory, and no lock keeps others away."""
    if not _is_on_tree(place.workshop, place.function, place.site):
        return
    at = spot(place)
    if at is None:
        return
    for one in place.tree.above(place.node):
        if isinstance(one, (ast.With, ast.AsyncWith)):
            if any(GUARD.search(ast.unparse(item.context_expr)) for item in one.items):
                return
        if isinstance(one, NESTED):
            break
        if isinstance(one, LOOPS):
            raise Refused(HALF)
    step = Step(at)
    if any(map(_changes, (*step.earlier(), *step.later()))):
        raise Refused(HALF)
    told = sorted(step.after().sets)
    if told:
        raise Refused(
            f"`{shown(told[0])}` is changed as soon as the directory is done, and others would meet the one without the other"
        )
    for frame in frames(at):
        if any(map(_changes, (*frame.earlier(), *frame.later()))):
            raise Refused(
                f"`{frame.function.name}` changes the directory in the same step, and {HALF}"
            )


def worked_on(workshop: Workshop, function: Function) -> str | None:
    """How a function works on such a directory in several steps; None where it does not."""
    if not any(_is_on_tree(workshop, function, site) for site in function.sites):
        return None
    node = syntax.definition(function)
    if node is None or sum(_is_change(one) for one in own_nodes(node)) < 2:
        return None
    return f"`{function.name}` changes a directory in several steps, and others would meet it in between"


def _is_on_tree(workshop: Workshop, function: Function, site: CallSite) -> bool:
    evaluator = workshop.facts.graph.evaluator
    found = members(evaluator.callee(function.module, site))
    return any(isinstance(m, Lib) and m.path in WHOLE for m in found) and not _is_fresh(
        function, site
    )


def _is_fresh(function: Function, site: CallSite) -> bool:
    """Whether the directory was made for this once: `tempfile.mkdtemp()`."""
    words = [word for recipe, _ in site.args for word in _words(function, recipe)]
    made = [b.recipe for word in words for b in function.facts.bindings.get(word, ())]
    words += [word for recipe in made for word in _words(function, recipe)]
    return any(FRESH.search(word) for word in words)


def _words(function: Function, recipe: object) -> Iterator[str]:
    """The names in an expression."""
    if isinstance(recipe, str):
        yield recipe
    elif isinstance(recipe, tuple) and recipe[:1] == ("call",) and isinstance(recipe[1], int):
        site = function.module.site(recipe[1])
        for part in (site.callee, *(given for given, _ in site.args)):
            yield from _words(function, part)
    elif isinstance(recipe, tuple):
        for part in recipe[1:]:
            yield from _words(function, part)


def _changes(node: ast.AST) -> bool:
    nodes: Iterable[ast.AST] = (node, *own_nodes(node))
    return not isinstance(node, NESTED) and any(map(_is_change, nodes))


def _is_change(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = ast.unparse(node.func)
    return name in CHANGES_OF_OS or name.rpartition(".")[2] in CHANGES
