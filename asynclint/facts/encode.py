"""ModuleFacts ↔ bytes, for what is kept between runs or handed from one process to another.

Facts are nested tuples and lists of plain values, so `marshal` carries them: it is several times faster than
`pickle`, and reading what somebody else wrote runs no code. Its form belongs to one Python version, and the order
of fields to one version of asynclint; whoever keeps the bytes has to keep both in mind.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any

from asynclint.facts.model import (
    AttributeBinding,
    Binding,
    Block,
    CallSite,
    ClassFacts,
    FunctionFacts,
    ModuleFacts,
    Parameter,
    Use,
)


def _names(kind: type) -> list[str]:
    return [one.name for one in fields(kind)]


def _values(kind: type) -> Callable[[Any], tuple[Any, ...]]:
    return attrgetter(*_names(kind))


_function = _values(FunctionFacts)
_PARAMS, _BINDINGS, _ATTRIBUTES, _USES = (
    _names(FunctionFacts).index(name)
    for name in ("params", "bindings", "attribute_bindings", "uses")
)
_class = _values(ClassFacts)
_call = _values(CallSite)
_block = _values(Block)
_parameter = _values(Parameter)
_binding = _values(Binding)
_attribute = _values(AttributeBinding)
_use = _values(Use)


def encode(facts: ModuleFacts) -> bytes | None:
    """The facts without the module's name, which the text does not say; None when they nest too deeply."""
    try:
        return marshal.dumps(plain(facts))
    except ValueError:
        return None


def decode(data: bytes, module: str, is_package: bool) -> ModuleFacts:
    """What was encoded, as the facts of a module of that name."""
    return restored(marshal.loads(data), module, is_package)


def plain(facts: ModuleFacts) -> Any:
    """The facts without the module's name as lists and tuples."""
    functions = []
    for function in facts.functions:
        row = list(_function(function))
        row[_PARAMS] = [_parameter(p) for p in function.params]
        row[_BINDINGS] = {n: [_binding(b) for b in some] for n, some in function.bindings.items()}
        row[_ATTRIBUTES] = [_attribute(b) for b in function.attribute_bindings]
        row[_USES] = {n: [_use(u) for u in some] for n, some in function.uses.items()}
        functions.append(row)
    return (
        functions,
        [_class(c) for c in facts.classes],
        [_call(c) for c in facts.calls],
        [_block(b) for b in facts.blocks],
        facts.stars,
        facts.exports,
        facts.newer,
    )


def restored(facts: Any, module: str, is_package: bool) -> ModuleFacts:
    """What was plain, as the facts of a module of that name; it is used up."""
    functions, classes, calls, blocks, stars, exports, newer = facts
    for row in functions:
        row[_PARAMS] = [Parameter(*p) for p in row[_PARAMS]]
        row[_BINDINGS] = {n: [Binding(*b) for b in some] for n, some in row[_BINDINGS].items()}
        row[_ATTRIBUTES] = [AttributeBinding(*b) for b in row[_ATTRIBUTES]]
        row[_USES] = {n: [Use(*u) for u in some] for n, some in row[_USES].items()}
    return ModuleFacts(
        module,
        is_package,
        [FunctionFacts(*row) for row in functions],
        [ClassFacts(*row) for row in classes],
        [CallSite(*row) for row in calls],
        [Block(*row) for row in blocks],
        stars,
        exports,
        newer,
    )
