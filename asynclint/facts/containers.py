"""The containers that the evaluator knows by their names, and what may go into one."""

from __future__ import annotations

from dataclasses import replace

from asynclint.facts.types import Any_, Gen, Inst, Tup, Type

SEQUENCES = {
    "builtins.list", "builtins.set", "builtins.frozenset", "builtins.tuple", "collections.deque",
    "typing.List", "typing.Set", "typing.Sequence", "typing.Iterable", "typing.Collection",
    "typing.Iterator", "typing.Tuple", "typing.FrozenSet", "typing.Deque", "typing.AbstractSet",
    "typing.MutableSequence", "collections.abc.Sequence", "collections.abc.Iterable",
    "collections.abc.Collection", "collections.abc.Iterator", "collections.abc.Set",
    "typing.Generator", "collections.abc.Generator",
}  # fmt: skip
MAPPINGS = {
    "builtins.dict", "typing.Dict", "typing.Mapping", "typing.MutableMapping", "collections.abc.Mapping",
    "collections.abc.MutableMapping", "collections.defaultdict", "typing.DefaultDict", "collections.OrderedDict",
}  # fmt: skip
MAX_NESTED = 4
"""Containers in one another, of which the outermost counts, too."""


def shallow(type_: Type) -> Type:
    """A type that may go into a container; unknown where containers nest beyond what anybody asks for."""
    return None if _nesting(type_) > MAX_NESTED else type_


def _nesting(type_: Type) -> int:
    if isinstance(type_, Inst):
        return 1 + max((_nesting(a) for a in type_.args), default=0) if type_.args else 0
    if isinstance(type_, Tup):
        return 1 + max((_nesting(i) for i in type_.items), default=0)
    if isinstance(type_, Any_):
        return max(_nesting(m) for m in type_.members)
    if isinstance(type_, Gen):
        return 1 + _nesting(type_.element)
    return 0


DECLARED = {
    "builtins.dict": frozenset({"Dict", "Mapping", "MutableMapping"}),
    "builtins.list": frozenset({"List", "Sequence", "MutableSequence", "Collection", "Iterable"}),
    "builtins.set": frozenset({"Set", "AbstractSet", "MutableSet", "Collection", "Iterable"}),
    "collections.defaultdict": frozenset({"DefaultDict", "Dict", "dict", "Mapping", "MutableMapping"}),
    "collections.OrderedDict": frozenset({"OrderedDict", "Dict", "dict", "Mapping", "MutableMapping"}),
    "collections.deque": frozenset({"Deque", "MutableSequence", "Sequence"}),
}  # fmt: skip
"""How a container may be declared beside its own name."""


def fuller(declared: Type, value: Inst) -> Type:
    """A value's own type, unless it is an empty container of which the annotation says what it holds."""
    bare = all(a is None for a in value.args)
    if not bare or not isinstance(declared, Inst) or not declared.args:
        return value
    if declared.of == value.of:
        return declared
    said = declared.of.rpartition(".")[2] if isinstance(declared.of, str) else ""
    if said in DECLARED.get(str(value.of), ()) and len(declared.args) == len(value.args):
        return replace(value, args=declared.args)
    return value
