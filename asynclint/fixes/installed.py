"""Whether a library that a fix would import is there wherever the module is imported."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.facts.program import Module
from asynclint.findings import Refused

if TYPE_CHECKING:
    from asynclint.fixes.place import Workshop

NEEDING_HTTPX = frozenset(
    {
        "anthropic",
        "chainlit",
        "claude-agent-sdk",
        "cohere",
        "elevenlabs",
        "fastmcp",
        "google-genai",
        "gradio",
        "groq",
        "httpx",
        "langsmith",
        "litellm",
        "litestar",
        "mcp",
        "mistralai",
        "nicegui",
        "ollama",
        "openai",
        "pydantic-ai",
        "pydantic-ai-slim",
        "python-telegram-bot",
        "replicate",
        "supabase",
    }
)
"""Distributions that are not installed without httpx; most are imported under the same name, with `_` or a dot for `-`."""

NEEDING_ANYIO = NEEDING_HTTPX | {
    "anyio",
    "asyncer",
    "fastapi",
    "jupyter-server",
    "sse-starlette",
    "starlette",
    "watchfiles",
}
"""The same for anyio, which httpx needs."""

BRINGING = {
    "anyio": NEEDING_ANYIO,
    "asgiref": frozenset({"asgiref", "channels", "django"}),
    "httpx": NEEDING_HTTPX,
    "starlette": frozenset({"starlette", "fastapi", "fastmcp", "mcp"}),
    "trio": frozenset({"trio", "trio-websocket", "pytest-trio"}),
}
"""Libraries that a fix may import where only another module does, and what brings them along; the rest by themselves."""


def refuse_missing(workshop: Workshop, module: Module, library: str) -> None:
    """Raise Refused where a module could be imported without a library, and could not be with an import of it."""
    program = workshop.facts.program
    top = library.partition(".")[0]
    if top in sys.stdlib_module_names or program.is_ours(library, module.file):
        return
    bringing = BRINGING.get(top) or frozenset(_distributions(library))
    if _imported(workshop, module, bringing):
        return
    requirements = program.project.requirements
    needed = requirements.around(module.file.path) if requirements is not None else None
    sure = _is_taken_for_granted(workshop, top) if needed is None else needed & bringing
    if not sure:
        raise Refused(f"`{library}` may not be installed where `{module.name}` is imported")


def _distributions(library: str) -> Iterator[str]:
    """What a distribution with a module may be called: `google.cloud.storage` comes with google-cloud-storage."""
    parts = library.replace("_", "-").lower().split(".")
    for count in range(1, len(parts) + 1):
        yield "-".join(parts[:count])


def _imported(workshop: Workshop, module: Module, bringing: frozenset[str]) -> bool:
    """Whether a module imports one of some libraries whatever happens, itself or through the project's other modules."""
    program = workshop.facts.program
    found, queue = {module}, [module]
    while queue:
        one = queue.pop()
        for path in (*_packages(one), *_unguarded(workshop, one)):
            other = program.find(path, one.file)
            if other is None:
                if bringing.intersection(_distributions(path)) and not program.is_ours(
                    path, one.file
                ):
                    return True
            elif other not in found:
                found.add(other)
                queue.append(other)
    return False


def _packages(module: Module) -> Iterator[str]:
    """The packages that are imported before a module of theirs."""
    name = module.name
    while name := name.rpartition(".")[0]:
        yield name


def _unguarded(workshop: Workshop, module: Module) -> Iterator[str]:
    """The dotted names that a module imports under no condition and in no `try`, as it is imported itself."""
    facts = module.body.facts
    for bindings in facts.bindings.values():
        for binding in bindings:
            recipe = binding.recipe
            if binding.kind != "import" or not recipe or binding.block != facts.root_block:
                continue
            if recipe[0] == "import":
                yield recipe[1]
            elif recipe[0] == "from":
                path = workshop.facts.program.absolute(module, recipe[1], recipe[2] or "")
                if path:
                    yield path
                    yield f"{path}.{recipe[3]}"


def _is_taken_for_granted(workshop: Workshop, library: str) -> bool:
    """Whether modules of the project import a library at their tops, and none as if it could be missing."""
    line = re.compile(rf"^([ \t]*)(?:import|from)[ \t]+{library}\b", re.MULTILINE)
    texts = [one.text or "" for one in workshop.saying(library) if not one.is_test]
    found = [(text, match) for text in texts for match in line.finditer(text)]
    return any(not match[1] for _, match in found) and all(
        not match[1] or _is_for_types(text[: match.start()]) for text, match in found
    )


def _is_for_types(above: str) -> bool:
    """Whether a text ends in the suite of `if TYPE_CHECKING:`."""
    heads = [line for line in above.splitlines() if line[:1].strip()]
    return bool(heads) and "TYPE_CHECKING" in heads[-1]
