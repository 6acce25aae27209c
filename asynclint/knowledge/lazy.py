"""Dicts of classes and functions that are built when they are first asked for: most of a library's are never."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from asynclint.knowledge.model import Class, Function


class Source(Protocol):
    """Who knows classes by name, and how to build them."""

    def maker(self, path: str) -> Callable[[], Class] | None:
        """What builds the class at a path; None where there is none."""

    def paths(self) -> Iterator[str]:
        """The names of all classes."""


class Lazy(dict[str, Class]):
    """Looks like a plain dict; iterating builds everything."""

    def __init__(self) -> None:
        super().__init__()
        self._sources: list[Source] = []

    def later(self, source: Source) -> None:
        """Build what `source` knows when it is wanted."""
        self._sources.append(source)

    def __contains__(self, path: object) -> bool:
        return super().__contains__(path) or any(
            source.maker(str(path)) is not None for source in self._sources
        )

    def __missing__(self, path: str) -> Class:
        for source in self._sources:
            make = source.maker(path)
            if make is not None:
                self[path] = made = make()
                return made
        raise KeyError(path)

    def get(self, path: str, default: Any = None) -> Any:
        """The class at a path, built now if it was not yet."""
        try:
            return self[path]
        except KeyError:
            return default

    def paths(self) -> Iterator[str]:
        """All names, without building anything."""
        names = dict.fromkeys(super().keys())
        for source in self._sources:
            names.update(dict.fromkeys(source.paths()))
        yield from names

    def everything(self) -> dict[str, Class]:
        """A plain dict with all classes built."""
        return {path: self[path] for path in sorted(self.paths())}


class LazyFunctions(dict[str, Function]):
    """Looks like a plain dict; the functions of a module are built when one of them is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._later: dict[str, Callable[[], Iterator[Function]]] = {}

    def later(self, module: str, make: Callable[[], Iterator[Function]]) -> None:
        """Build the functions of `module` with `make` when one is wanted."""
        self._later[module] = make

    def _build(self, module: str) -> None:
        make = self._later.get(module)
        if make is not None:
            self.update((function.name, function) for function in make())
            self._later.pop(module, None)

    def __contains__(self, path: object) -> bool:
        self._build(str(path).rpartition(".")[0])
        return super().__contains__(path)

    def __missing__(self, path: str) -> Function:
        if path in self:
            return self[path]
        raise KeyError(path)

    def everything(self) -> LazyFunctions:
        """The same with all functions built."""
        for module in list(self._later):
            self._build(module)
        return self

    def __iter__(self) -> Iterator[str]:
        self.everything()
        return super().__iter__()

    def keys(self) -> Any:
        self.everything()
        return super().keys()

    def values(self) -> Any:
        self.everything()
        return super().values()

    def items(self) -> Any:
        self.everything()
        return super().items()
