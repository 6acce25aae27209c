"""What a function sees only from the thread, and under the caller, that it is called in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from asynclint.facts.graph import SYNC
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function
from asynclint.facts.types import Lib, members
from asynclint.fixes.place import Workshop

CONTEXT = frozenset(
    {
        "opentelemetry.context.attach",
        "opentelemetry.context.detach",
        "structlog.contextvars.bind_contextvars",
        "structlog.contextvars.unbind_contextvars",
        "structlog.contextvars.clear_contextvars",
        "structlog.contextvars.reset_contextvars",
        "django.utils.translation.activate",
        "django.utils.timezone.activate",
        "decimal.setcontext",
    }
)
"""Functions that set a context variable of their library."""

THREADS = frozenset(
    {
        "threading.get_ident",
        "threading.get_native_id",
        "threading.current_thread",
        "threading.main_thread",
    }
)
"""Functions that tell one thread from another."""

CALLERS = frozenset({"inspect.currentframe", "inspect.stack", "sys._getframe"})
"""Functions that show who called; of what was handed over, a thread shows itself."""

HANDLED = frozenset({"sys.exc_info", "traceback.format_exc", "traceback.print_exc"})
"""Functions that show the exception that the thread is handling."""

MADE = re.compile(
    r"\bopen\([^\n]*['\"][bt+]*x[bt+]*['\"]|\btouch\([^\n]*exist_ok\s*=\s*False|\bmkdir\((?!(?:[^()]|\([^()]*\))*exist_ok)[^\n]*(?<![bc])lock|\bO_EXCL\b"
)
"""What fails where the file, or the directory, is there."""

LOCK = re.compile(r"(?<![bc])lock|mutex", re.IGNORECASE)

PARSERS = re.compile(r"^(\w+)\s*(?::[^=\n]+)?=\s*(?:ruamel\.yaml\.)?YAML\(", re.MULTILINE)

FOR_THREAD = frozenset(
    {"set_device", "set_default_device", "set_grad_enabled", "set_default_dtype", "setcontext"}
)
"""Functions of torch, cupy and decimal that set something for one thread."""

MEANT = re.compile(
    r"#.*\b(?:intentional|deliberate|on purpose)\w*\b.*\bblock|#.*\bblock\w*\b.*\b(?:intentional|deliberate|on purpose)"
    r"|#.*\basync\b.*\bto block\b",
    re.IGNORECASE,
)

INTERRUPT = re.compile(r"\bexcept\b.*\bKeyboardInterrupt\b")

FLOCK = re.compile(r"\b(?:flock|lockf|locking)\(")
"""Functions that lock an open file until it is closed."""

LEFT = re.compile(r"\bLOCK_UN\b|\bLK_UNLCK\b|\bwith open\(|\.open\(.* as ")
"""What gives such a lock back, at the latest at the end of a `with`."""

PROCESS = re.compile(
    r"\bregister_pickle_by_value\(|\bf?chdir\(|\bos\.umask\(|\bsetlocale\(|\bsetdefaulttimeout\(|\bset(?:recursionlimit|switchinterval)\(|\bredirect_std(?:out|err)\(|\bcatch_warnings\(|\b(?:option|rc)_context\(|\bsys\.(?:stdout|stderr|stdin|argv)\s*=[^=]"
)
"""What changes the whole process for a time, during which today nothing else runs."""

SET = re.compile(r"\bos\.environ\[[^\]\n]*\]\s*=[^=]|\bos\.environ\.update\(|\bos\.putenv\(")
UNSET = re.compile(r"\bdel os\.environ\[|\bos\.environ\.(?:pop|clear|update)\(|\bos\.unsetenv\(")

LOGGERS = frozenset({"logger", "log", "logging"})


def works_in_repository(workshop: Workshop, function: Function) -> bool:
    """Whether a function opens a git repository that is there: its index takes one writer at a time."""
    return any(
        site.callee and site.callee[-1] == "Repo" and "git.Repo" in _paths(workshop, function, site)
        for site in function.sites
    )


def answers_interrupt(function: Function) -> bool:
    """Whether a function handles Ctrl-C, which only the main thread gets."""
    facts, module = function.facts, function.module
    return any(INTERRUPT.search(line) for line in module.span(facts.line, facts.end_line))


def listens_to_all(function: Function) -> bool:
    """Whether a function may open a raw socket: it gets what another thread waits for."""
    facts, module = function.facts, function.module
    return any("SOCK_RAW" in line for line in module.span(facts.line, facts.end_line))


def means_to_block(function: Function) -> bool:
    """Whether a comment in a function says that it stops the event loop on purpose."""
    facts, module = function.facts, function.module
    return any(MEANT.search(line) for line in module.span(facts.line, facts.end_line))


def sets_for_thread(function: Function) -> str | None:
    """The function of a library that sets something for the thread in which it is called."""
    for site in function.sites:
        if site.kind == "call" and site.callee and site.callee[-1] in FOR_THREAD:
            return str(site.callee[-1])
    return None


def shares_parser(function: Function) -> str | None:
    """The name of the module's `ruamel.yaml.YAML` that a function uses: such an object keeps where it is in its text."""
    text = function.module.file.text or ""
    names = PARSERS.findall(text) if "YAML(" in text else ()
    for site in function.sites:
        callee = site.callee
        if callee and callee[0] == "attr" and callee[1] and callee[1][0] == "name":
            name = callee[1][1]
            if name in names and name not in function.facts.bindings:
                return str(name)
    return None


def imports_by_name(function: Function) -> bool:
    """`importlib.import_module(name)`, `spec.loader.exec_module(module)`: what code that is loaded does at once is not known."""
    for site in function.sites:
        last = site.callee[-1] if site.callee else None
        if last == "exec_module":
            return True
        if last in ("import_module", "__import__") and site.args:
            name = site.args[0][0]
            if not name or name[0] != "const":
                return True
    return False


def asks_caller(workshop: Workshop, function: Function) -> str | None:
    """The name of the function that looks at its caller: this one, or one that it calls itself."""
    below = [e.target for e in workshop.facts.graph.out.get(function, ()) if e.how in SYNC]
    for one in (function, *below):
        if any(_named(workshop, one, site, CALLERS) for site in one.sites):
            return one.name
    return None


def reads_exception(workshop: Workshop, function: Function) -> bool:
    """Whether a function reads the exception that is handled, and handles none itself there."""
    return any(
        not any(b.kind == "except" for b in function.module.chain(site.block))
        for site in function.sites
        if _named(workshop, function, site, HANDLED) or _shows_exception(site)
    )


def _shows_exception(site: CallSite) -> bool:
    """`logger.exception(…)`, `logger.error(…, exc_info=True)`."""
    if not is_logger(site.callee):
        return False
    if site.callee[-1] == "exception":
        return True
    return any(keyword == "exc_info" for _, keyword in site.args)


def has_own_values(function: Function) -> bool:
    """Whether a function reads what `threading.local()` keeps for each thread."""
    text = function.module.file.text or ""
    if "local()" not in text:
        return False
    names = set(re.findall(r"(\w+)(?:\s*:[^=\n]+)?\s*=\s*(?:threading\.)?local\(\)", text))
    lines = function.module.lines[function.facts.line - 1 : function.facts.end_line]
    return bool(names.intersection(re.findall(r"\w+", "\n".join(lines)))) if names else False


def locks_file(function: Function) -> bool:
    """Whether a function takes a lock that is a file, and leaves it: nobody gives it back who is cancelled meanwhile."""
    lines = function.module.lines[function.facts.line - 1 : function.facts.end_line]
    return takes_lock("\n".join(lines), function)


def changes_process(function: Function) -> bool:
    """Whether a function sets for a time what all threads see: the directory, the output, the environment."""
    text = "\n".join(function.module.lines[function.facts.line - 1 : function.facts.end_line])
    return bool(PROCESS.search(text) or (SET.search(text) and UNSET.search(text)))


def takes_lock(text: str, function: Function) -> bool:
    """The same for a part of a function."""
    if FLOCK.search(text) and not LEFT.search(text):
        return True
    if not MADE.search(text):
        return False
    whole = (function.module.file.text or "") if "O_EXCL" in text else text
    return bool(LOCK.search(f"{function.module.name} {function.facts.qualname} {whole}"))


def is_logger(callee: Recipe) -> bool:
    """`logger.info`, `self._log.write`: whether the receiver of a method is called a logger."""
    base = callee[1] if callee and callee[0] == "attr" else None
    name = base[-1] if isinstance(base, tuple) and base and base[0] in ("name", "attr") else None
    return isinstance(name, str) and name.strip("_").lower() in LOGGERS


def _named(workshop: Workshop, function: Function, site: CallSite, names: frozenset[str]) -> bool:
    return any(path in names for path in _paths(workshop, function, site))


def _paths(workshop: Workshop, function: Function, site: CallSite) -> Iterator[str]:
    for member in members(workshop.facts.graph.evaluator.callee(function.module, site)):
        if isinstance(member, Lib):
            yield member.path
