"""Tasks that nothing keeps: the garbage collector may take them before they end."""

from __future__ import annotations

from typing import Any

from asynclint.facts import reads
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.known_calls import argument_for, known_callee
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function
from asynclint.facts.types import Inst, LibMethod, members
from asynclint.facts.view import LostTask

Role = tuple[Any, ...]

WATCHES = frozenset({"add_done_callback", "set_name"})
"""What is done with a task that keeps nothing of it."""

RUNS_LOOP = frozenset({"run", "run_forever", "run_until_complete", "run_app"})
"""Methods that come back when the loop has ended, whose ever it is: `reactor.run()`."""


class TaskFacts:
    """Every task of a program that its creator drops."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator

    def lost(self, function: Function, site: CallSite) -> LostTask | None:
        """Whether the task that a call starts is kept by nothing."""
        if site.kind != "call":
            return None
        if site.role[0] in ("await", "return", "yield"):
            return None
        callee = self.evaluator.callee(function.module, site)
        if callee is None:
            return None
        name = ""
        for member in members(callee):
            known = known_callee(self.evaluator, member)
            if known is None or known.spawns is None or known.keeps or known.spawns_call:
                return None
            if known.returns is None or "Task" not in known.returns:
                return None
            if self._is_task(function, site, known.spawns):
                return None
            if isinstance(member, LibMethod):
                name = f"{member.cls.removeprefix('builtins.')}.{member.name}"
                if "Loop" in member.cls:
                    name = f"loop.{member.name}"
            else:
                name = known.name
        role = site.role
        if role[0] == "bool":
            role = role[1]
        if role[0] == "stmt":
            return LostTask(name, "", ())
        if role[0] == "attr" and role[1] in WATCHES:
            return LostTask(name, "a callback does not keep it", ())
        if role[0] == "comp" and isinstance(role[2], tuple) and role[2][0] == "stmt":
            return LostTask(name, "", ())
        if role[0] == "assign":
            return self._task_assigned(function, str(role[1]), name, site)
        if role[0] == "arg":
            return self._task_added(function, role, name)
        if role[0] == "return" and function.facts.kind == "lambda":
            return None
        return None

    def _is_task(self, function: Function, site: CallSite, param: int | str) -> bool:
        """`ensure_future(task)` starts nothing: it gives the task back. So may one of a value that is not known."""
        known = known_callee(self.evaluator, self.evaluator.callee(function.module, site))
        if known is None:
            return False
        recipe = argument_for(site, known, param)
        value = self.evaluator.at_site(recipe, site, function.module)
        if value is None:
            named = bool(recipe) and recipe[0] in ("name", "attr")
            return named and known.name.endswith("future") and not _tested(function, site, recipe)
        return any(
            isinstance(m, Inst) and str(m.of).endswith((".Task", ".Future")) for m in members(value)
        )

    def _task_assigned(
        self, function: Function, variable: str, name: str, site: CallSite
    ) -> LostTask | None:
        facts = function.facts
        if (
            facts.kind in ("module", "class")
            or variable in facts.globals
            or variable in facts.nonlocals
        ):
            return None
        if variable in facts.loaded or reads.closed_over(function, variable):
            return None
        if facts.generator:
            return None
        uses = reads.of_value(self.evaluator.program, function, variable, site)
        if uses is None:
            return None
        for use in uses:
            if use.role[0] == "attr" and use.role[1] in WATCHES:
                continue
            if use.role[0] == "arg" and self._task_added(function, use.role, name) is not None:
                continue
            return None
        if self._stays(function, site):
            return None
        return LostTask(name, f"nothing reads `{variable}`", ())

    def _stays(self, function: Function, site: CallSite) -> bool:
        """The frame itself keeps the task as long as it awaits afterwards, or runs the loop."""
        if function.is_async:
            return max((line for line, _ in function.facts.awaits), default=0) > site.end_line
        return any(
            other.line > site.end_line and other.callee and other.callee[-1] in RUNS_LOOP
            for other in function.sites
        )

    def _task_added(self, function: Function, role: Role, name: str) -> LostTask | None:
        """`tasks.add(create_task(…))` where `tasks` is local and nothing else reads it."""
        module = function.module
        outer = module.site(role[1])
        callee = outer.callee
        if (
            not callee
            or callee[0] != "attr"
            or callee[2] not in ("add", "append")
            or outer.role[0] != "stmt"
        ):
            return None
        base = callee[1]
        if not base or base[0] != "name":
            return None
        variable = base[1]
        facts = function.facts
        bindings = facts.bindings.get(variable)
        if (
            not bindings
            or len(bindings) != 1
            or variable in facts.globals
            or variable in facts.nonlocals
            or variable in facts.loaded
            or facts.kind in ("module", "class")
            or reads.closed_over(function, variable)
        ):
            return None
        recipe = bindings[0].recipe
        if not recipe or recipe[0] not in ("display", "call"):
            return None
        if recipe[0] == "call" and module.site(recipe[1]).callee not in (
            ("name", "set"),
            ("name", "list"),
        ):
            return None
        for use in facts.uses.get(variable, ()):
            if use.role[0] != "attr" or use.role[1] not in ("add", "append", "discard", "remove"):
                return None
        if self._stays(function, outer) or _goes_on(function, outer, bindings[0].block):
            return None
        return LostTask(name, f"`{variable}` is local and dies with the call", ())


def _goes_on(function: Function, site: CallSite, outside: int) -> bool:
    """Whether a coroutine that does not end comes by a place again and again: what it held before, it holds all the time."""
    module = function.module
    for index, block in enumerate(module.blocks):
        endless = block.kind == "afor" or (block.kind == "while" and block.info == ("const", True))
        if endless and module.inside(site.block, index) and not module.inside(outside, index):
            return function.is_async
    return False


def _tested(function: Function, site: CallSite, recipe: Recipe) -> bool:
    """`if iscoroutine(x):` around the site."""
    module = function.module
    for block in module.chain(site.block):
        if block.kind == "if" and block.info and block.info[0] == "call":
            asked = module.site(block.info[1])
            if asked.callee and asked.callee[-1] == "iscoroutine" and asked.args:
                return bool(asked.args[0][0] == recipe)
    return False
