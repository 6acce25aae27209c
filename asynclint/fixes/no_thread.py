"""Where no thread can be had, or where one would not see what the event loop's own thread sees."""

from __future__ import annotations

import ast
import re

from asynclint.facts.syntax import called
from asynclint.findings import Refused
from asynclint.fixes import sight
from asynclint.fixes.place import Place, Workshop

MODE = re.compile(r"[bt]*[wxa+][bt+]*")
"""With which a file is opened to be written."""

ONE_THREAD = re.compile(r"""\bcheck_same_thread["']?\s*[:=]\s*True""")

SESSION_EACH = re.compile(r"\bscoped_session\(")

FORK = re.compile(r"\b(?:os|pty)\.fork\(|\bforkpty\(")


def refuse(place: Place) -> None:
    """Raise Refused where the place is such a one."""
    _refuse_old_python(place)
    if isinstance(place.node, ast.Call) and called(place.node) == "enter_context":
        raise Refused("what a thread has entered would be left in another one")
    _refuse_changed(place)
    _refuse_half_written(place)
    _refuse_secret(place)
    _refuse_at_exit(place)
    reason = keeps_connections(place)
    if reason is not None:
        raise Refused(reason)
    _refuse_here(place)


def _refuse_old_python(place: Place) -> None:
    """Raise Refused where the project runs on a Python that has no `asyncio.to_thread`."""
    lowest = place.source.lowest
    if lowest is not None and lowest < (3, 9) and place.loop == "asyncio":
        raise Refused("the project runs on Python 3.8, too, which has no `asyncio.to_thread`")


def _refuse_changed(place: Place) -> None:
    """Raise Refused where other tasks would run while the process has another directory, output or environment."""
    if sight.changes_process(place.function):
        raise Refused(f"`{place.function.name}` changes for a time what the whole process sees")


def opens(call: ast.Call) -> bool:
    """`open(path)`, `path.open("wb")`."""
    return ast.unparse(call.func).rpartition(".")[2] == "open"


def _refuse_half_written(place: Place) -> None:
    """Raise Refused within a block that writes a file: others would find it empty, or half of it."""
    for one in place.tree.above(place.node):
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            return
        for item in one.items if isinstance(one, ast.With) else ():
            call = item.context_expr
            if call is not place.node and isinstance(call, ast.Call) and opens(call):
                modes = [*call.args, *(k.value for k in call.keywords if k.arg == "mode")]
                if any(isinstance(m, ast.Constant) and MODE.fullmatch(str(m.value)) for m in modes):
                    raise Refused("others would meet the file half written")


def _refuse_secret(place: Place) -> None:
    """Raise Refused for what asks for a password: who breaks off there would be left with a terminal that shows nothing."""
    hidden = "hide_input=True" in place.source.segment(place.call)
    if hidden or any(b.name.endswith("getpass") for b in place.facts.blocking.values()):
        raise Refused("it hides what is typed, and a thread would go on hiding it")


def _refuse_at_exit(place: Place) -> None:
    """Raise Refused where the module does something at the end of the process, when no thread starts any more."""
    if "atexit.register(" in (place.function.module.file.text or ""):
        raise Refused("the module does work as the process ends, when no thread can be started")


def keeps_connections(place: Place) -> str | None:
    """How the project keeps its connections of a database to threads; None where it does not, or asks no database."""
    if not place.finding.rule.endswith("database-call"):
        return None
    if place.workshop.once(_one_thread):
        return "the project's SQLite connections belong to the thread that opens them"
    if place.workshop.once(_session_each):
        return "the project keeps a session for each thread, and nothing would close that"
    return None


def _one_thread(workshop: Workshop) -> bool:
    return _anywhere(workshop, "check_same_thread", ONE_THREAD)


def _session_each(workshop: Workshop) -> bool:
    return _anywhere(workshop, "scoped_session", SESSION_EACH)


def _anywhere(workshop: Workshop, word: str, pattern: re.Pattern[str]) -> bool:
    files = workshop.saying(word)
    return any(pattern.search(file.text or "") for file in files if not file.is_test)


def _refuse_here(place: Place) -> None:
    """Raise Refused for what the coroutine itself does: work in a repository, or as a child process."""
    if sight.works_in_repository(place.workshop, place.function):
        raise Refused("it works in a git repository, whose index takes one writer at a time")
    end = place.tree.statement(place.node).end_lineno or place.site.line
    lines = place.function.module.span(place.function.facts.line, end)
    if any(FORK.search(line) for line in lines):
        raise Refused("the process may be a child here, which has none of its parent's threads")
