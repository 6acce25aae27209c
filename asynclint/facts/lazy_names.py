"""Names that a module makes when they are asked for: its `__getattr__` (PEP 562)."""

from __future__ import annotations

from collections.abc import Iterator

from asynclint.facts.model import Recipe
from asynclint.facts.program import Function, Module


def lazy_imports(name: str, module: Module) -> Iterator[tuple[Function, Recipe]]:
    """The imports that may make a name in a module's `__getattr__`, written in it or in a table of the module that it reads."""
    if "__getattr__" not in module.body.facts.bindings:
        return
    for function in module.functions:
        if function.name == "__getattr__" and function.parent is module.body:
            for binding in function.facts.bindings.get(name, ()):
                yield function, binding.recipe
            for level, source, attribute in _listed(name, module, function):
                yield function, ("from", level, source, attribute)


def _listed(name: str, module: Module, function: Function) -> Iterator[tuple[int, str, str]]:
    here = 1 if module.file.is_package else 0
    for table, bindings in module.body.facts.bindings.items():
        if table not in function.facts.loaded:
            continue
        for binding in bindings:
            if not binding.recipe or binding.recipe[0] != "dict":
                continue
            for source, attribute in _entries(binding.recipe, name):
                bare = source.lstrip(".")
                level = len(source) - len(bare)
                yield level, bare, attribute
                if not level and here:
                    yield here, bare, attribute  # `import_module(f".{table[name]}", __name__)`


def _entries(table: Recipe, name: str) -> Iterator[tuple[str, str]]:
    """The module, and the name in it, that a table gives for a name.

    `{"Client": ".client"}`, `{"Client": (".client", "Client")}`, `{"Client": "pkg.client:Client"}`, `{".client": ["Client"]}`.
    """
    for key, value in zip(table[1], table[2], strict=True):
        if not key or key[0] != "const":
            continue
        if key[1] == name:
            texts = [one[1] for one in _items(value) or (value,) if one and one[0] == "const"]
            if texts and all(isinstance(text, str) for text in texts):
                source, _, attribute = texts[0].partition(":")
                yield source, attribute or (texts[1] if len(texts) > 1 else name)
                yield source.removesuffix(f".{name}"), name
        elif isinstance(key[1], str) and ("const", name) in _items(value):
            yield key[1], name


def _items(value: Recipe) -> tuple[Recipe, ...]:
    return tuple(value[2]) if value and value[0] == "display" else ()
