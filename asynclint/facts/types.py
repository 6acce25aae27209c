"""The values that inference works with: what an expression is, as far as it can be shown.

`None` stands for unknown everywhere. A value is either a thing that has a name (a module, a class, a function) or
an instance, a coroutine, an iterator of such. Values are never changed; they are made in great numbers, and `frozen` would make
that three times slower.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Union

from asynclint.facts.model import CallSite
from asynclint.facts.program import Function, Klass, Module
from asynclint.knowledge.model import Function as KnownFunction


@dataclass(slots=True, unsafe_hash=True)
class Mod:
    """A module of the project."""

    module: Module


@dataclass(slots=True, unsafe_hash=True)
class Lib:
    """Something of a library or of the standard library, by dotted path: module, class or function."""

    path: str


@dataclass(slots=True, unsafe_hash=True)
class Func:
    """A function of the project, with its receiver when it is bound."""

    function: Function
    bound: Type = None


@dataclass(slots=True, unsafe_hash=True)
class Cls:
    """A class of the project."""

    klass: Klass


@dataclass(slots=True, unsafe_hash=True)
class Inst:
    """An instance: of a project class, or of a library class by canonical path. `args` are type arguments."""

    of: Klass | str
    args: tuple[Type, ...] = ()
    exact: bool = False
    """Built here: not an instance of a subclass."""


@dataclass(slots=True, unsafe_hash=True)
class LibMethod:
    """A method of a library class, read from an instance (or from the class itself)."""

    cls: str
    name: str
    known: KnownFunction
    receiver: Type = None


@dataclass(slots=True, unsafe_hash=True)
class Coro:
    """What calling a coroutine function gives: awaited, it is `result`."""

    result: Type
    name: str
    """For messages: the function's name as the reader knows it."""
    function: Function | None = None
    enters: bool = False
    """It may be entered with `async with` instead."""
    iterates: bool = False
    """It may be iterated with `async for` instead."""
    eager: bool = False
    """It runs even when nobody awaits it (`gather`)."""
    answers: bool = False
    """An awaitable object with methods of its own (a call of grpc), not a bare coroutine."""


@dataclass(slots=True, unsafe_hash=True)
class Gen:
    """A generator object or another one-pass iterator made by a project generator function."""

    element: Type
    is_async: bool
    function: Function | None = None


@dataclass(slots=True, unsafe_hash=True)
class Manager:
    """The context manager that a decorated generator function gives."""

    result: Type
    is_async: bool
    function: Function


@dataclass(slots=True, unsafe_hash=True)
class LibManager:
    """The context manager that a library call gives; entering it may be what blocks."""

    result: Type
    is_async: bool
    known: KnownFunction | None


@dataclass(slots=True, unsafe_hash=True)
class Part:
    """`functools.partial`, and other callables that stand for another one."""

    of: Type
    site: CallSite | None = None


@dataclass(slots=True, unsafe_hash=True)
class Threaded:
    """A coroutine function made from a sync one, which runs in a thread (`sync_to_async(f)`)."""

    of: Type
    name: str


@dataclass(slots=True, unsafe_hash=True)
class Taking:
    """A mapping's method that gives what is kept in it: `get`, `setdefault`, `pop`, `items`, `values`."""

    of: Type
    by_key: bool = False
    """What it gives is an item of the mapping `of`."""


@dataclass(slots=True, unsafe_hash=True)
class Const:
    """A constant."""

    value: Any


@dataclass(slots=True, unsafe_hash=True)
class Tup:
    """A tuple of known length."""

    items: tuple[Type, ...]


@dataclass(slots=True, unsafe_hash=True)
class Super:
    """`super()`: lookup starts behind `after` in the mro of `klass`."""

    klass: Klass
    after: Klass


@dataclass(slots=True, unsafe_hash=True)
class Any_:
    """One of several."""

    members: tuple[Type, ...]


Type = Union[  # noqa: UP007 - evaluated at run time, on Python 3.10, too
    Mod, Lib, Func, Cls, Inst, LibMethod, Coro, Gen, Manager, LibManager, Part, Threaded, Taking,
    Const, Tup, Super, Any_, None,
]  # fmt: skip

NONE = Const(None)


def union(members: Sequence[Type]) -> Type:
    """One of `members`; unknown when one of them is, and None values leave out when others remain."""
    if len(members) == 1 and not isinstance(members[0], Any_):
        return members[0]
    seen: list[Type] = []
    for member in members:
        if member is None:
            return None
        for one in member.members if isinstance(member, Any_) else (member,):
            if one not in seen:
                seen.append(one)
    others = [m for m in seen if m != NONE]
    if len(others) > 1:
        # A constant beside an instance says nothing of the instance's methods.
        return Any_(tuple(others[:6]))
    return others[0] if others else (NONE if seen else None)


def agreed(values: Iterable[Type]) -> Type:
    """The object that all values are, None aside; unknown where one of them is, or has no class of its own.

    What is true of a text or a number is true of any. Values that are not seen may be instances of a subclass.
    """
    found: Type = None
    for value in values:
        if value == NONE:
            continue
        if not isinstance(value, Inst) or str(value.of).startswith("builtins."):
            return None
        plain = Inst(value.of, value.args)
        if found not in (None, plain):
            return None
        found = plain
    return found


def members(type_: Type) -> tuple[Type, ...]:
    """The alternatives of a type; a single one for anything but `Any_`."""
    return type_.members if isinstance(type_, Any_) else (type_,)
