"""What a module imports."""

from __future__ import annotations

from collections.abc import Iterator

from asynclint.facts.program import Module


def imported_roots(module: Module) -> Iterator[str]:
    """The import roots of a module, in its functions, too."""
    for function in module.functions:
        for bindings in function.facts.bindings.values():
            for binding in bindings:
                recipe = binding.recipe
                if binding.kind != "import" or not recipe:
                    continue
                path = recipe[1] if recipe[0] == "import" else recipe[2] if not recipe[1] else None
                if isinstance(path, str):
                    yield path.partition(".")[0]
