"""Code behind the end of the process: what has killed its own process, or left it, keeps nobody waiting."""

from __future__ import annotations

from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function
from asynclint.facts.types import Lib

LEAVING = frozenset({"sys.exit", "os._exit", "os.abort"})
KILLING = frozenset({"os.kill", "os.killpg"})
RAISING = frozenset({"signal.raise_signal"})

LAST_NAMES = frozenset(path.rpartition(".")[2] for path in LEAVING | KILLING | RAISING)

OWN = frozenset({"os.getpid", "os.getpgrp", "os.getpgid"})
"""Calls that give the number of the process itself, or of its group."""

LASTING = frozenset(
    {
        "SIGALRM", "SIGCHLD", "SIGCONT", "SIGHUP", "SIGIO", "SIGPROF", "SIGSTOP", "SIGTSTP",
        "SIGUSR1", "SIGUSR2", "SIGVTALRM", "SIGWINCH",
    }
)  # fmt: skip
"""Signals after which a process goes on, or is asked for something else than its end."""


def is_behind_end(evaluator: Evaluator, function: Function, site: CallSite) -> bool:
    """Whether the suite of a site, or one around it, ends the process before it."""
    around: set[int] | None = None
    for other in function.sites:
        if other.line >= site.line or other.kind != "call" or other.role != ("stmt",):
            continue
        if not other.callee or other.callee[-1] not in LAST_NAMES:
            continue
        if around is None:
            around = set(function.module.around(site.block))
        if other.block in around and _ends(evaluator, function, other):
            return True
    return False


def _ends(evaluator: Evaluator, function: Function, site: CallSite) -> bool:
    callee = evaluator.callee(function.module, site)
    if not isinstance(callee, Lib):
        return False
    given = [recipe for recipe, _ in site.args]
    if callee.path in KILLING:
        return (
            len(given) == 2
            and _is_own(evaluator, function, given[0])
            and not _is_survived(given[1])
        )
    if callee.path in RAISING:
        return len(given) == 1 and not _is_survived(given[0])
    return callee.path in LEAVING


def _is_own(evaluator: Evaluator, function: Function, recipe: Recipe) -> bool:
    """`os.getpid()`, a name that holds it, or 0 for the whole group."""
    if recipe and recipe[0] == "name":
        bindings = function.facts.bindings.get(recipe[1], ())
        recipe = bindings[0].recipe if len(bindings) == 1 else None
    if recipe and recipe[0] == "const":
        return recipe[1] == 0 and not isinstance(recipe[1], bool)
    if not recipe or recipe[0] != "call":
        return False
    made = evaluator.callee(function.module, function.module.site(recipe[1]))
    return isinstance(made, Lib) and made.path in OWN


def _is_survived(signal: Recipe) -> bool:
    if signal and signal[0] == "const":
        return bool(signal[1] == 0)
    return bool(signal) and signal[0] in ("attr", "name") and signal[-1] in LASTING
