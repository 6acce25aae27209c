"""Code that runs in a browser, too: Pyodide has an event loop, and no threads."""

from __future__ import annotations

import re
from collections.abc import Iterator

from asynclint.facts.program import Module
from asynclint.findings import Refused
from asynclint.fixes.place import Place, Workshop

IN_BROWSER = re.compile(r"^\s*(?:import|from)\s+(?:js|pyodide|pyodide_js)\b", re.MULTILINE)
ASKS = re.compile(r"[\"']emscripten[\"']|\bis_pyodide\(|\bIS_WASM\b")


def refuse(place: Place) -> None:
    """Raise Refused in a module that what starts in a browser imports, or that asks whether it runs there."""
    module = place.function.module
    if module in place.workshop.once(_in_browser) or module in place.workshop.once(_asking):
        raise Refused("it may run in a browser, which has no threads")


def _asking(workshop: Workshop) -> set[Module]:
    """The modules that ask whether they run in a browser."""
    return set(_speaking(workshop, ASKS, "emscripten", "is_pyodide", "IS_WASM"))


def _speaking(workshop: Workshop, pattern: re.Pattern[str], *words: str) -> Iterator[Module]:
    """The modules whose texts have a pattern, which has one of some words."""
    names = {file.name for word in words for file in workshop.saying(word)}
    for module in workshop.facts.program.loaded():
        if module.file.name in names and pattern.search(module.file.text or ""):
            yield module


def _in_browser(workshop: Workshop) -> set[Module]:
    """The modules that import what a browser has, and all that they import."""
    program = workshop.facts.program
    found = {
        module
        for module in _speaking(workshop, IN_BROWSER, "js", "pyodide", "pyodide_js")
        if not module.file.is_test
    }
    queue = list(found)
    while queue:
        module = queue.pop()
        for path in _imported(workshop, module):
            other = program.find(path, module.file)
            if other is not None and other not in found:
                found.add(other)
                queue.append(other)
    return found


def _imported(workshop: Workshop, module: Module) -> Iterator[str]:
    """The dotted names that a module imports as it is imported itself, and their packages."""
    program = workshop.facts.program
    for bindings in module.body.facts.bindings.values():
        for binding in bindings:
            recipe = binding.recipe
            if binding.kind != "import" or not recipe or _for_types(module, binding.block):
                continue
            if recipe[0] == "import":
                yield recipe[1]
            elif recipe[0] == "from":
                path = program.absolute(module, recipe[1], recipe[2] or "")
                if path:
                    yield path
                    yield f"{path}.{recipe[3]}"


def _for_types(module: Module, block: int) -> bool:
    """`if TYPE_CHECKING:`."""
    return any("TYPE_CHECKING" in module.lines[b.line - 1] for b in module.chain(block) if b.line)
