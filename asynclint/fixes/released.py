"""Which release of a library first has what a fix uses: the oldest one that the project allows has to have it, too."""

from __future__ import annotations

import re

from asynclint.facts.program import Module
from asynclint.findings import Refused
from asynclint.fixes.place import Workshop
from asynclint.requirements import Version

FIRST = re.compile(r"([\w.-]+) (\d+(?:\.\d+)*)")
"""A distribution and its release, as tables of knowledge name them: "pymongo 4.9"."""


def refuse_newer(workshop: Workshop, module: Module, path: str) -> None:
    """Raise Refused for a name of a library that some release does not have which the project around a module allows.

    Where the project names no version, it has a current one.
    """
    since = _since(workshop, path)
    requirements = workshop.facts.program.project.requirements
    if since is None or requirements is None:
        return
    name, first = since
    older = requirements.older(module.file.path, name, first)
    if older is not None:
        version = ".".join(map(str, older))
        raise Refused(
            f"the project allows `{name}` {version}, which has no `{path.rpartition('.')[2]}`"
        )


def _since(workshop: Workshop, path: str) -> tuple[str, Version] | None:
    """The distribution and the first release that has a name, or the module in which it is."""
    known = workshop.facts.graph.evaluator.known
    while path:
        told = known.history(path)
        match = FIRST.fullmatch(told.since) if told is not None and told.since else None
        if match is not None:
            return match[1], tuple(map(int, match[2].split(".")))
        path = path.rpartition(".")[0]
    return None
