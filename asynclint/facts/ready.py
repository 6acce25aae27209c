"""Calls that may wait and have nothing to wait for: a future that is done, a lock that is free or held for a moment."""

from __future__ import annotations

import re
from collections.abc import Iterable

from asynclint.facts.guards import handler
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Module
from asynclint.facts.readable import READS, is_readable
from asynclint.facts.tested import DONE, ENDED, EXITED, FILLED, READY, SENT, SET, tested
from asynclint.knowledge.model import Function as Known

STARTERS = frozenset({"submit", "run_coroutine_threadsafe", "call", "start_task_soon"})
"""Calls that give a future of work that has just been started."""

DATA_NAME = re.compile(r"data_?ur[il]", re.IGNORECASE)
"""How a name tells that it holds an address of the kind `data:`."""

ANSWERS = {
    "Queue.get": FILLED,
    ".result": DONE,
    ".exception": DONE,
    "Thread.join": ENDED,
    "Process.join": ENDED,
    "Event.wait": SET,
    "Connection.recv": SENT,
    "Connection.recv_bytes": SENT,
    "AsyncResult.get": READY,
    "Popen.wait": EXITED,
    "Popen.communicate": EXITED,
}
"""What has answered that a call will not wait."""

WOULD_BLOCK = frozenset({"BlockingIOError", "InterruptedError", "SSLWantReadError"})


def ready(known: Known, site: CallSite, module: Module) -> bool:
    """Whether a call of a library function that may wait returns at once, by what the code around it says."""
    if _would_block(site, module):
        return True
    if known.name in READS:
        return is_readable(site, module)
    if known.name.endswith("request.urlopen"):
        return _of_data(site, module)
    base = site.callee[1] if site.callee and site.callee[0] == "attr" else None
    if not base:
        return False
    if known.name.endswith(".acquire"):
        # A lock that has a name elsewhere (a file's, a key of redis) is held there, too.
        here = known.name.startswith(("threading.", "multiprocessing."))
        return (here and _made_here(site, base, module)) or (
            is_lock(known.name) and _released(site, base, module)
        )
    if known.name.startswith("http.client.HTTPResponse."):
        return any(_of_data(opened, module) for opened in _entered(site, base, module))
    if any(
        known.name.endswith(end) and tested(site, base, answers, module)
        for end, answers in ANSWERS.items()
    ):
        return True
    if known.name.endswith((".result", ".exception")):
        return (
            _given_done(site, module)
            or _told(site, base, module)
            or _told_by_callback(site, base, module)
        )
    if known.name.endswith("Thread.join"):
        return _ended(site, base, module)
    return known.name.startswith("socket.") and _told_not_to_wait(site, base, module)


def is_lock(name: str) -> bool:
    """Whether a library call acquires a lock between threads: those are held for a few statements."""
    return name in ("threading.Lock.acquire", "threading.RLock.acquire")


def given_back(
    caller: Function, site: CallSite, others: Iterable[tuple[CallSite, Function]]
) -> bool:
    """Whether a function that gets a lock through one helper gives it back through another before anything is awaited.

    `others` are the functions that it calls, with their places.
    """
    ends = [
        other.line
        for other, target in others
        if other.line > site.line
        and any(s.callee and s.callee[-1] == "release" for s in target.sites)
    ]
    return bool(ends) and not _awaits(caller.module, site.function, site.line, max(ends))


def _awaits(module: Module, function: int, after: int, until: int) -> bool:
    """Whether something is awaited on the lines between two others."""
    return any(after < line < until for line, _ in module.functions[function].facts.awaits)


def _bindings(site: CallSite, base: Recipe, module: Module) -> list[CallSite]:
    """The calls before a site that gave the local name which it is made on."""
    if base[0] != "name":
        return []
    return [
        module.site(b.recipe[1])
        for b in module.functions[site.function].facts.bindings.get(base[1], ())
        if b.recipe and b.recipe[0] == "call" and b.line < site.line
    ]


def _calls(site: CallSite, base: Recipe, module: Module, name: str) -> list[CallSite]:
    """The calls of a method of the same object in the same function."""
    wanted = ("attr", base, name)
    return [s for s in module.functions[site.function].sites if s.callee == wanted]


def _told_by_callback(site: CallSite, base: Recipe, module: Module) -> bool:
    """`future.add_done_callback(…)`, an `await`, and then `future.result()`: the callback has ended the wait."""
    return any(
        _awaits(module, site.function, told.line, site.line)
        for told in _calls(site, base, module, "add_done_callback")
        if told.line < site.line
    )


# -- locks ----------------------------------------------------------------------------------------


def _made_here(site: CallSite, base: Recipe, module: Module) -> bool:
    """`lock = Lock()` and `lock.acquire()` in one function: nobody else has it yet."""
    return any(made.block == site.block for made in _bindings(site, base, module))


def _released(site: CallSite, base: Recipe, module: Module) -> bool:
    """`lock.acquire()` and, a few statements without an `await` later, `lock.release()`."""
    ends = [s.line for s in _calls(site, base, module, "release") if s.line > site.line]
    return bool(ends) and not _awaits(module, site.function, site.line, max(ends))


# -- queues and sockets -----------------------------------------------------------------------------


def filled_for(site: CallSite, getter: CallSite, module: Module) -> bool:
    """Whether the caller of a method that takes an element from a queue of its object has seen that there is one."""
    queue = getter.callee[1] if getter.callee and getter.callee[0] == "attr" else None
    if not queue or queue[0] != "attr" or queue[1] != ("name", "self"):
        return False
    return site.callee[:2] == ("attr", ("name", "self")) and tested(site, queue, FILLED, module)


def _told_not_to_wait(site: CallSite, base: Recipe, module: Module) -> bool:
    """`connection.setblocking(False)` before `connection.recv(…)`."""
    for name, never in (("setblocking", False), ("settimeout", 0)):
        for call in _calls(site, base, module, name):
            value = call.args[0][0] if call.args else None
            if call.line < site.line and value and value[0] == "const" and value[1] == never:
                return True
    return False


def _would_block(site: CallSite, module: Module) -> bool:
    """`try: … except BlockingIOError:` around a call: its descriptor was told not to wait."""
    for index in module.around(site.block):
        if module.blocks[index].kind == "try" and handler(module, index, WOULD_BLOCK) is not None:
            return True
    return False


def _of_data(site: CallSite, module: Module) -> bool:
    """`urlopen(data_uri)`: what an address of the kind `data:` names is in the address itself."""
    recipe = site.args[0][0] if site.args else None
    if not recipe:
        return False
    if recipe[0] == "const":
        return str(recipe[1]).startswith("data:")
    if recipe[0] in ("name", "attr") and DATA_NAME.search(str(recipe[-1])):
        return True
    return any(
        block.kind == "if" and _tests_data(block.info, recipe, module)
        for block in module.chain(site.block)
    )


def _entered(site: CallSite, base: Recipe, module: Module) -> list[CallSite]:
    """The call that a site is made on, or those that a `with` around it enters under that name."""
    if base[0] == "call":
        return [module.site(base[1])]
    return [
        module.site(binding.recipe[1][1])
        for binding in module.functions[site.function].facts.bindings.get(str(base[1]), ())
        if base[0] == "name"
        and binding.recipe
        and binding.recipe[0] == "enter"
        and binding.recipe[1]
        and binding.recipe[1][0] == "call"
        and module.inside(site.block, binding.block)
    ]


def _tests_data(test: Recipe, address: Recipe, module: Module) -> bool:
    """`address.startswith("data:")`."""
    if not test or test[0] != "call":
        return False
    asked = module.site(test[1])
    wanted = asked.args[0][0] if asked.args else None
    return (
        asked.callee == ("attr", address, "startswith")
        and wanted is not None
        and wanted[0] == "const"
        and str(wanted[1]).startswith("data:")
    )


# -- futures and threads ----------------------------------------------------------------------------


def _given_done(site: CallSite, module: Module) -> bool:
    """A future that `as_completed` gave: the wait was in the iteration."""
    for block in module.chain(site.block):
        if block.kind in ("for", "comp") and block.info and block.info[0] == "call":
            text = module.site(block.info[1]).callee
            if text and text[-1] == "as_completed":
                return True
    return False


def _told(site: CallSite, base: Recipe, module: Module) -> bool:
    """A future of work that others do, asked after something else was awaited, which tells that it is done."""
    if base[0] not in ("name", "attr"):
        return False
    made = _bindings(site, base, module)
    if any(call.callee and call.callee[-1] in STARTERS for call in made):
        return False
    since = max((call.line for call in made), default=0)
    return _awaits(module, site.function, since, site.line)


def _ended(site: CallSite, base: Recipe, module: Module) -> bool:
    """`thread.start()`, then an `await` of what the thread does, then `thread.join()`."""
    starts = [s.line for s in _calls(site, base, module, "start") if s.line < site.line]
    return bool(starts) and _awaits(module, site.function, max(starts), site.line)
