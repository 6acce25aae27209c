"""Which releases of a tool server's library the project allows: what a fix writes has to work in the oldest one, too.

Where the project names no version, it has a current one. What is said of releases was read in their wheels.
"""

from __future__ import annotations

import re

from asynclint.facts.program import Module
from asynclint.findings import Refused
from asynclint.fixes.place import Workshop
from asynclint.requirements import Version

DISTRIBUTIONS = {"mcp 1": "mcp", "fastmcp": "fastmcp"}
"""Framework → distribution, where its releases differ."""

LIFESPAN: dict[str, Version] = {"mcp": (1, 3)}
"""Distribution → the first release whose servers have a lifespan."""

TEXTS: dict[str, Version] = {"mcp": (1, 14), "fastmcp": (2, 11)}
"""Distribution → the first release that evaluates annotations to find the parameter that takes the context."""

PROMPTS: dict[str, Version] = {"fastmcp": (2, 3)}
"""Distribution → the first release that gives not only tools a context."""

DIRECT: dict[str, Version] = {"fastmcp": (3,)}
"""Distribution → the first release whose context has `lifespan_context` itself."""

LATER = re.compile(r"^from\s+__future__\s+import\b[^#]*\bannotations\b", re.MULTILINE)


def refuse_lifespan(workshop: Workshop, module: Module, framework: str) -> None:
    """Raise Refused for a new lifespan where a server may have none."""
    found = _older(workshop, module, framework, LIFESPAN)
    if found is not None:
        raise Refused(f"the project also allows {found}, whose servers have no lifespan")


def refuse_context(workshop: Workshop, module: Module, framework: str, roles: set[str]) -> None:
    """Raise Refused for a new parameter that a server may not take for its context."""
    if roles != {"tool"}:
        if framework == "mcp 1" or _older(workshop, module, framework, PROMPTS) is not None:
            raise Refused("some releases give only tools a context")
    if LATER.search(module.file.text or ""):
        found = _older(workshop, module, framework, TEXTS)
        if found is not None:
            raise Refused(
                f"the project also allows {found}, whose tools do not take `ctx: Context` where annotations are not evaluated"
            )


def is_direct(workshop: Workshop, module: Module, framework: str) -> bool:
    """Whether the context of a server always has `lifespan_context` itself."""
    return framework == "fastmcp" and _older(workshop, module, framework, DIRECT) is None


def _older(
    workshop: Workshop, module: Module, framework: str, first: dict[str, Version]
) -> str | None:
    """The release that the project allows before the first one that will do; None where it allows none."""
    name = DISTRIBUTIONS.get(framework)
    requirements = workshop.facts.program.project.requirements
    if name is None or name not in first or requirements is None:
        return None
    older = requirements.older(module.file.path, name, first[name])
    return None if older is None else f"`{name}` {'.'.join(map(str, older))}"
