"""Plain functions that become `async def`: only where every caller is known, and can wait."""

from __future__ import annotations

import re

from asynclint.facts.decorators import PROPERTIES, decorator_paths
from asynclint.facts.program import Function, Klass, base_name
from asynclint.facts.types import Func
from asynclint.findings import Refused
from asynclint.fixes.holders import Holders
from asynclint.fixes.owner import PLAIN_BASES


def refuse_called_elsewhere(holders: Holders, function: Function, why: str) -> None:
    """Raise Refused, with a reason that starts so, where others than its visible callers may call a function."""
    facts = function.facts
    if facts.kind != "def" or facts.generator or facts.stub:
        raise Refused(why)
    if decorator_paths(holders.evaluator, function) & PROPERTIES or facts.decorators:
        raise Refused(f"{why}, and has a decorator")
    if holders.workshop.facts.graph.entries.get(function):
        raise Refused(f"{why}, and is called by a framework")
    around = function.klass.body if function.klass is not None else function.parent
    bare = facts.name.lstrip("_")
    mark = facts.name[: len(facts.name) - len(bare)]
    for name in (f"{mark}a{bare}", f"{mark}async_{bare}", f"{mark}{bare}_async"):
        if around is not None and name in around.facts.bindings:
            raise Refused(f"{why}, and `{name}` is its asynchronous form")
    for module in holders.program.loaded():
        if module.file.is_package and facts.name in module.body.facts.bindings:
            value = holders.evaluator.global_name(facts.name, module)
            if module is not function.module and isinstance(value, Func):
                if value.function is function:
                    raise Refused(f"{why}, and `{module.name}` offers it to others")
    if function.klass is not None:
        _refuse_method(holders, function, function.klass, why)


def _refuse_method(holders: Holders, function: Function, klass: Klass, why: str) -> None:
    name = function.facts.name
    if name.startswith("__"):
        raise Refused(why)
    for base in holders.evaluator.mro(klass)[1:]:
        if base is None or (isinstance(base, str) and base not in PLAIN_BASES):
            raise Refused(f"{why}, and a base class of `{klass.name}` may call it")
        if isinstance(base, Klass) and base.own_method(name) is not None:
            raise Refused(f"{why}, and overrides `{base.name}.{name}`")
    _refuse_protocols(holders, klass, name, why)
    family = {klass, *holders.evaluator.subclasses(klass)}
    for file in holders.program.project.files:
        if f".{name}" not in (file.text or ""):
            continue
        module = holders.program.load(file)
        if module is None:
            raise Refused(f"{why}, and `{file.name}` may call it")
        reading = holders.reading(module)
        for node in reading.attributes.get(name, ()):
            own = reading.scope(node).method_around()
            if reading.type(node.value) is None and not (own is not None and own.klass in family):
                raise Refused(f"{why}, and `{file.name}` may call it")


def _refuse_protocols(holders: Holders, klass: Klass, name: str, why: str) -> None:
    """Raise Refused where the class has all that a protocol with this method asks for: who takes the one may get the other."""
    program, evaluator = holders.program, holders.evaluator
    declared = re.compile(rf"\bdef {re.escape(name)}\b")
    for file in holders.workshop.saying("Protocol", name):
        module = program.load(file) if declared.search(file.text or "") else None
        for one in module.klasses if module is not None else ():
            if one.own_method(name) is None or "Protocol" not in map(base_name, one.facts.bases):
                continue
            asked = [f.facts.name for f in one.module.functions if f.klass is one]
            if all(evaluator.member(klass, method)[0] is not None for method in asked):
                raise Refused(f"{why}, and a `{klass.name}` may stand for a `{one.name}`")
