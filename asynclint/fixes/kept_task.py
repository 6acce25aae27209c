"""A task that nothing keeps is put into a set of the module until it is done."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from asynclint.findings import Edit, Fix, Refused
from asynclint.fixes import imports
from asynclint.fixes.place import Place
from asynclint.fixes.source import Source

NAMES = ("background_tasks", "running_tasks", "kept_tasks")


KEPT = re.compile(r"\.add_done_callback\(([A-Za-z_]\w*)\.discard\)")

TITLE = "keep the task in a set until it is done"


def _watched(statement: ast.stmt, call: ast.Call) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and isinstance(statement.value.func, ast.Attribute)
        and statement.value.func.value is call
        and statement.value.func.attr == "add_done_callback"
    )


def keep(place: Place) -> Iterable[Fix]:
    """The fix of one task. Raises Refused where its statement cannot be followed by others."""
    place.narrow()
    source, call = place.source, place.call
    statement = place.tree.statement(call)
    if isinstance(statement, ast.Expr) and statement.value is call:
        name = place.free_name("task", "background_task", "new_task")
        start = [source.insert(source.start(call), f"{name} = ")]
    elif (
        isinstance(statement, ast.Assign)
        and statement.value is call
        and len(statement.targets) == 1
        and isinstance(statement.targets[0], ast.Name)
    ):
        target = statement.targets[0]
        name, start = target.id, []
        if name == "_":
            name = place.free_name("task", "background_task", "new_task")
            start = [source.replace(target, name)]
    elif (
        isinstance(statement, ast.AnnAssign)
        and statement.value is call
        and isinstance(statement.target, ast.Name)
    ):
        name, start = statement.target.id, []
    elif _watched(statement, call):
        # `create_task(x).add_done_callback(f)`
        name = place.free_name("task", "background_task", "new_task")
        kept, declared = _set(place, source)
        indent = source.indent(statement)
        source.after(statement)
        lines = f"\n{indent}{kept}.add({name})\n{indent}{name}.add_done_callback({kept}.discard)\n"
        yield place.fix(
            TITLE,
            source.insert(source.start(call), f"{name} = "),
            source.insert(source.end(call), f"{lines}{indent}{name}"),
            *declared,
            safe=True,
        )
        return
    else:
        raise Refused("the task is made within an expression")
    kept, declared = _set(place, source)
    after = source.after(statement)
    indent = source.indent(statement)
    lines = f"{indent}{kept}.add({name})\n{indent}{name}.add_done_callback({kept}.discard)\n"
    if not source.text[:after].endswith(("\n", "\r")):
        lines = "\n" + lines.rstrip("\n")
    yield place.fix(
        TITLE,
        *start,
        source.insert(after, lines),
        *declared,
        safe=True,
    )


def _set(place: Place, source: Source) -> tuple[str, tuple[Edit, ...]]:
    """The name of the module's set of tasks, and the edits that declare it where it is not there."""
    body = place.function.module.body.facts
    for name in _there(place, source):
        return name, ()
    for name in NAMES:
        if place.is_local(name):
            continue
        bindings = body.bindings.get(name)
        if bindings is None:
            annotation, brought = _annotation(source)
            return name, (*brought, source.declare(f"{name}: {annotation} = set()\n"))
        if len(bindings) == 1 and _is_set(place, bindings[0].recipe):
            return name, ()
    raise Refused(f"`{NAMES[0]}` means something else here")


def _annotation(source: Source) -> tuple[str, tuple[Edit, ...]]:
    """How to write the type of the set, as the oldest Python of the project evaluates it."""
    asyncio, one = imports.bring(source, "asyncio")
    if imports.knows(source, imports.BRACKETS):
        any_, two = imports.bring(source, "typing", "Any")
        return f"set[{asyncio}.Task[{any_}]]", (*one, *two)
    if any(isinstance(node, ast.ImportFrom) and node.module == "typing" for node in source.head):
        any_, two = imports.bring(source, "typing", "Any")
        set_, three = imports.bring(source, "typing", "Set")
        return f'{set_}["{asyncio}.Task[{any_}]"]', (*one, *two, *three)
    typing, two = imports.bring(source, "typing")
    return f'{typing}.Set["{asyncio}.Task[{typing}.Any]"]', (*one, *two)


def _there(place: Place, source: Source) -> Iterator[str]:
    """The module's own sets of this kind, into which tasks are put until they are done, and with which nothing else is done."""
    bindings = place.function.module.body.facts.bindings
    for name in dict.fromkeys(KEPT.findall(source.text)):
        word = re.escape(name)
        mentions = len(re.findall(rf"(?<![\w.]){word}\b", source.text))
        usual = rf"(?<![\w.]){word}(?:\.add\(|\.discard\)|\s*(?::[^=\n]*)?=\s*set\(\))"
        found = bindings.get(name, ())
        if (
            len(found) == 1
            and _is_set(place, found[0].recipe)
            and not place.is_local(name)
            and mentions == len(re.findall(usual, source.text))
            and not _elsewhere(place, name)
        ):
            yield name


def _elsewhere(place: Place, name: str) -> bool:
    """Whether another file speaks of a module's set."""
    own = place.function.module.file
    files = place.workshop.facts.program.project.files
    return name not in NAMES and any(name in (f.text or "") for f in files if f is not own)


def _is_set(place: Place, recipe: object) -> bool:
    if not isinstance(recipe, tuple) or recipe[0] != "call":
        return False
    return bool(place.function.module.site(recipe[1]).callee == ("name", "set"))
