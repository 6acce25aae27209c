"""A dict of classes of which each is built when it is first asked for: most of a library's are never."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from asynclint.knowledge.model import Class


class Lazy(dict[str, Class]):
    """Looks like a plain dict; iterating builds everything."""

    def __init__(self) -> None:
        super().__init__()
        self._later: dict[str, Callable[[], Class]] = {}

    def later(self, path: str, make: Callable[[], Class]) -> None:
        """Build `path` with `make` when it is wanted."""
        self._later[path] = make

    def __contains__(self, path: object) -> bool:
        return path in self._later or super().__contains__(path)

    def __missing__(self, path: str) -> Class:
        make = self._later.pop(path, None)
        if make is None:
            raise KeyError(path)
        self[path] = made = make()
        return made

    def get(self, path: str, default: Any = None) -> Any:
        """The class at a path, built now if it was not yet."""
        try:
            return self[path]
        except KeyError:
            return default

    def paths(self) -> Iterator[str]:
        """All names, without building anything."""
        yield from self._later
        yield from super().keys()

    def everything(self) -> dict[str, Class]:
        """A plain dict with all classes built."""
        return {path: self[path] for path in sorted(self.paths())}
