"""A child process that is only waited for may be awaited by the event loop itself, without a thread."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from asynclint.findings import Fix, Refused
from asynclint.fixes.place import Place

WAITING = frozenset({"subprocess.run", "subprocess.call"})

KEYWORDS = frozenset({"cwd", "env", "stdin", "stdout", "stderr", "start_new_session", "close_fds"})
"""Arguments that mean the same in `asyncio.create_subprocess_exec`."""


def await_exit(place: Place) -> Iterator[Fix]:
    """The fix of `run` and `call` that give nothing but the exit code; none where the two forms might differ.

    `check`, `timeout`, pipes and a shell need more than one expression: a thread does them better.
    """
    blocking = place.facts.blocks_as("subprocess")
    if blocking is None or blocking.through is not None or blocking.name not in WAITING:
        return
    call, node = place.call, _whole(place, blocking.name)
    arguments = call.args[0] if len(call.args) == 1 else None
    if node is None or not isinstance(arguments, (ast.List, ast.Tuple)) or not arguments.elts:
        return
    if place.loop != "asyncio":
        return
    for keyword in call.keywords:
        piped = isinstance(keyword.value, ast.Attribute) and keyword.value.attr == "PIPE"
        if keyword.arg not in KEYWORDS or piped or isinstance(keyword.value, ast.Name):
            return
    source = place.source
    if "#" in source.segment(call):
        return
    try:
        asyncio, edits = place.imported("asyncio")
    except Refused:
        return
    parts = [source.segment(one) for one in (*arguments.elts, *call.keywords)]
    started = f"(await {asyncio}.create_subprocess_exec({', '.join(parts)})).wait()"
    yield place.fix(
        "await the process with `asyncio.create_subprocess_exec`",
        source.replace(node, place.awaited(node, started)),
        *edits,
    )


def _whole(place: Place, name: str) -> ast.expr | None:
    """What gives the exit code, or nothing: `call(…)`, the statement `run(…)`, or `run(…).returncode`."""
    call = place.call
    parent = place.tree.parent(call)
    if name == "subprocess.call":
        return call
    if isinstance(parent, ast.Expr):
        return call
    if isinstance(parent, ast.Attribute) and parent.attr == "returncode":
        return parent
    return None
