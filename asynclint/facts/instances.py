"""What `isinstance` says of objects of plain classes, which are of one class and of few others."""

from __future__ import annotations

from asynclint.facts.evaluate import Evaluator
from asynclint.facts.program import Klass

PATHS = ("pathlib.PurePath", "os.PathLike")

PLAIN: dict[str, tuple[str, ...]] = {
    "builtins.str": (),
    "builtins.bytes": (),
    "builtins.int": (),
    "builtins.float": (),
    "builtins.bool": ("builtins.int",),
    "pathlib.PurePath": ("os.PathLike",),
    "pathlib.Path": PATHS,
    "pathlib.PosixPath": ("pathlib.Path", *PATHS),
    "pathlib.WindowsPath": ("pathlib.Path", *PATHS),
    "io.BytesIO": ("io.BufferedIOBase", "io.IOBase"),
    "io.StringIO": ("io.TextIOBase", "io.IOBase"),
}
"""Class → those above it."""

ABSTRACT = ("collections.abc.", "typing.", "numbers.", "builtins.object", "os.PathLike")
"""Roots of classes that say what an object can do: others may be instances of them, too."""

PROMOTED = ("builtins.float", "builtins.int")
"""What is annotated as the first may be of the second."""


def is_of(evaluator: Evaluator, of: str, wanted: list[Klass | str | None]) -> bool | None:
    """Whether what is said to be of a plain class is an instance of one of some; None where it may be, or is no plain one.

    True says so of an object, and not of the None that may be in its place.
    """
    above = PLAIN.get(of)
    if above is None or None in wanted:
        return None
    if any(one == of or one in above for one in wanted):
        return True
    return None if any(_may_be(evaluator, of, one) for one in wanted) else False


def _may_be(evaluator: Evaluator, of: str, wanted: Klass | str | None) -> bool:
    """Whether an object of a class may be of another one that is not above it."""
    if isinstance(wanted, Klass):
        bases = evaluator.mro(wanted)
        return None in bases or of in bases or _in_bases(wanted, of)
    if wanted is None or wanted.startswith(ABSTRACT) or (of, wanted) == PROMOTED:
        return True
    return of in PLAIN.get(wanted, ())


def _in_bases(klass: Klass, of: str) -> bool:
    """Whether a class is written as one below another: what is empty of methods is not among those above it."""
    name = of.rpartition(".")[2]
    return any(base and base[-1] == name for base in klass.facts.bases)
