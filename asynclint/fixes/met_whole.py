"""Files that are written in place: who reads one in another thread than the writer's meets half of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from asynclint.facts.graph import SYNC
from asynclint.facts.program import Function, Klass, Module
from asynclint.findings import Refused
from asynclint.fixes.effects import MAKING
from asynclint.fixes.file_paths import OWN, FilePath
from asynclint.fixes.file_uses import READS, WRITES, Use, file_uses
from asynclint.fixes.place import Workshop

LOG = re.compile(r"(?:^|[^a-zA-Z])logs?(?![a-z])|(?<=[a-z])Logs?(?:File|Path|Dir)?(?![a-z])|LOG")
"""What keeps a protocol is called so: who reads it takes what is there."""

Known = dict[str, list[tuple[Function, Use]]]
"""What functions read, and write in place, by where their paths begin, or by what tells them from others."""


def refuse(workshop: Workshop, function: Function, found: Iterable[Use]) -> None:
    """Raise Refused where a function reads what others write in place, or writes in place what others read."""
    for use in found:
        if use.how not in (READS, WRITES) or LOG.search(str(use.path)):
            continue
        for other, one in (*_others(workshop, function, use.path), *_strangers(workshop, use.path)):
            if other in (function, use.by) or one.how is use.how or (one.held and use.held):
                continue
            if LOG.search(str(one.path)):
                continue
            raise Refused(_reason(one))


def _reason(other: Use) -> str:
    if other.how is WRITES:
        return f"`{other.by.name}` writes such files in place, and this would meet one half written"
    return f"`{other.by.name}` reads such files, and would meet this one half written"


def _others(
    workshop: Workshop, function: Function, path: FilePath
) -> Iterator[tuple[Function, Use]]:
    """What the functions of a function's class, or of its module, do with files that may be the same."""
    owners: list[Module | Klass] = []
    if path.is_known and path.name != OWN:
        owners = [function.module]
    elif path.is_known and function.klass is not None:
        evaluator = workshop.facts.graph.evaluator
        family = {one: None for one in evaluator.mro(function.klass) if isinstance(one, Klass)}
        owners += family | dict.fromkeys(evaluator.subclasses(function.klass))
    for owner in owners:
        known = workshop.each(_by_roots, owner)
        yield from (one for one in known.get(path.root, ()) if one[1].path.may_be(path))
        if path.name == OWN:
            others = (
                one for name, root in known.items() if name.startswith(f"{OWN}.") for one in root
            )
            yield from (one for one in others if one[1].path.may_be_given(path))


def _strangers(workshop: Workshop, path: FilePath) -> Iterator[tuple[Function, Use]]:
    """What functions anywhere do with files whose names, or places, are written alike."""
    program = workshop.facts.program
    for word in _words(path):
        for file in workshop.saying(word):
            module = program.load(file) if not file.is_test else None
            known = workshop.each(_by_words, module) if module is not None else Known()
            yield from (one for one in known.get(word, ()) if one[1].path.is_kin(path))


def _words(path: FilePath) -> list[str]:
    return [one for one in (path.file_name, path.word) if one and not path.is_new]


def _by_roots(workshop: Workshop, owner: Module | Klass) -> Known:
    functions = owner.functions if isinstance(owner, Module) else owner.methods()
    return _table(workshop, functions, lambda path: [path.root])


def _by_words(workshop: Workshop, module: Module) -> Known:
    return _table(workshop, module.functions, _words)


def _table(
    workshop: Workshop, functions: Iterable[Function], keys: Callable[[FilePath], list[str]]
) -> Known:
    table = Known()
    for function, one in _done(workshop, functions):
        for key in keys(one.path):
            table.setdefault(key, []).append((function, one))
    return table


def _done(workshop: Workshop, functions: Iterable[Function]) -> Iterator[tuple[Function, Use]]:
    """What functions do with files that others may know."""
    uses = workshop.once(file_uses)
    for function in functions:
        if _runs_meanwhile(workshop, function):
            for one in uses.of(function):
                if one.how in (READS, WRITES):
                    yield function, one


def _runs_meanwhile(workshop: Workshop, function: Function) -> bool:
    """Whether a function may run on the event loop while a thread works."""
    if function.facts.kind not in ("def", "async") or function.facts.name in MAKING:
        return False
    if function in workshop.once(_on_loop):
        return True
    # Whoever uses the class may call it there.
    return function.klass is not None and not workshop.facts.graph.into.get(function)


def _on_loop(workshop: Workshop) -> set[Function]:
    """The coroutines that are more than a start or a command, and what they call."""
    graph, runs = workshop.facts.graph, workshop.facts.runs
    found: set[Function] = set()
    queue = [
        one
        for module in workshop.facts.program.loaded()
        for one in (module.functions if not module.file.is_test else ())
        if (one.is_async or one in graph.on_loop)
        and one not in runs.startup
        and one not in runs.commands
    ]
    while queue:
        one = queue.pop()
        if one not in found:
            found.add(one)
            queue += (edge.target for edge in graph.out.get(one, ()) if edge.how in SYNC)
    return found
