"""Stand-ins for services that tests put in their place: they answer from memory."""

from __future__ import annotations

import re
from collections.abc import Iterator

from asynclint.facts.program import Module, Program
from asynclint.knowledge.model import BlockKind

DATABASES: frozenset[BlockKind] = frozenset({"database"})
SERVICES: frozenset[BlockKind] = frozenset({"http", "sdk"})

FAKES: dict[str, frozenset[BlockKind]] = {
    "fakeredis": DATABASES,
    "mongomock": DATABASES,
    "mongomock_motor": DATABASES,
    "pymongo_inmemory": DATABASES,
    "moto": SERVICES,
    "httpretty": SERVICES,
    "pook": SERVICES,
    "requests_mock": SERVICES,
    "responses": SERVICES,
    "vcr": SERVICES,
    "pyfakefs": frozenset({"file", "stat"}),
}
"""Import root → what does not wait where it stands in."""


def faked(program: Program, module: Module) -> frozenset[BlockKind]:
    """The kinds of blocking that a test has stand-ins for, itself or in a `conftest` beside or above it."""
    if not module.file.is_test:
        return frozenset()
    found: frozenset[BlockKind] = frozenset()
    for one in (module, *_shared(program, module)):
        for root in one.imported_roots:
            found |= FAKES.get(root, frozenset())
    return found


def _shared(program: Program, module: Module) -> Iterator[Module]:
    package = module.name
    while package:
        package = package.rpartition(".")[0]
        one = program.find(f"{package}.conftest" if package else "conftest", module.file)
        if one is not None and one.file.path.parent in module.file.path.parents:
            yield one


def replaced(module: Module, name: str) -> bool:
    """Whether a test puts something else in the place of a function: `patch("time.sleep")`, `setattr(time, "sleep", …)`."""
    owner, _, last = name.rpartition(".")
    text = module.file.text or ""
    if last not in text or ("patch" not in text and "setattr" not in text):
        return False
    first = re.escape(owner.rpartition(".")[2]) if owner else "builtins"
    path = rf"patch(?:\.\w+)*\(\s*[\"'](?:[\w.]+\.)?{first}\.{last}[\"']"
    given = rf"\(\s*(?:[\w.]+\.)?{first}\s*,\s*[\"']{last}[\"']"
    spelled = rf"setattr\(\s*[\"'](?:[\w.]+\.)?{first}\.{last}[\"']"
    patterns = (path, rf"patch\.object{given}", rf"setattr{given}", spelled)
    return any(re.search(one, text) for one in patterns)
