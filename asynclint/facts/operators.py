"""What operators and builtins call of an object: `cache[key]`, `key in cache`, `len(cache)`, `list(cache)`."""

from __future__ import annotations

BUILTINS: dict[str, tuple[str, ...]] = {
    "builtins.len": ("__len__",),
    "builtins.str": ("__str__",),
    "builtins.repr": ("__repr__",),
    "builtins.bool": ("__bool__", "__len__"),
    "builtins.next": ("__next__",),
    **dict.fromkeys(
        (
            "builtins.iter",
            "builtins.list",
            "builtins.set",
            "builtins.frozenset",
            "builtins.tuple",
            "builtins.sorted",
            "builtins.sum",
            "builtins.max",
            "builtins.min",
            "builtins.any",
            "builtins.all",
        ),
        ("__iter__", "__next__"),
    ),
}
"""Builtins, and the methods of their first argument that they call: of several the ones that there are."""

METHODS = frozenset(
    {
        "__getitem__",
        "__setitem__",
        "__delitem__",
        "__contains__",
        *(method for methods in BUILTINS.values() for method in methods),
    }
)
"""Methods that are called without being named."""
