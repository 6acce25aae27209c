"""Calls that may wait and have nothing to wait for: a future that is done, a lock that is free or held for a moment."""

from __future__ import annotations

import re
from collections.abc import Iterable

from asynclint.facts.guards import handler
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Module
from asynclint.facts.readable import READS, is_readable
from asynclint.knowledge.model import Function as Known

STARTERS = frozenset({"submit", "run_coroutine_threadsafe", "call", "start_task_soon"})
"""Calls that give a future of work that has just been started."""

DATA_NAME = re.compile(r"data_?ur[il]", re.IGNORECASE)
"""How a name tells that it holds an address of the kind `data:`."""

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
    if known.name.startswith(("queue.", "multiprocessing.")) and known.name.endswith(".get"):
        return _known_filled(site, base, module)
    if known.name.endswith((".result", ".exception")):
        return (
            _known_done(site, base, module)
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
    return site.callee[:2] == ("attr", ("name", "self")) and _known_filled(site, queue, module)


def _known_filled(site: CallSite, base: Recipe, module: Module) -> bool:
    """`while not queue.empty():` around `queue.get()`, or `while queue.empty(): …` before it."""
    around = list(module.chain(site.block))
    if any(b.kind in ("if", "while") and _tests_filled(b.info, base, module) for b in around):
        return True
    return any(
        block.kind == "while"
        and block.line < site.line
        and block.parent >= 0
        and module.blocks[block.parent] in around
        and _tests_filled(("not", block.info), base, module)
        for block in module.blocks
    )


def _tests_filled(test: Recipe, base: Recipe, module: Module) -> bool:
    """Whether a test holds only where a queue has something: `not q.empty()`, `q.qsize()`, `q.qsize() > 0`."""
    if not test:
        return False
    if test[0] == "any" and test[2] == "and":
        return any(_tests_filled(t, base, module) for t in test[1])
    wanted = "qsize"
    if test[0] == "not":
        test, wanted = test[1], "empty"
        if test and test[0] == "not":
            return _tests_filled(test[1], base, module)
    elif test[0] == "cmp" and test[1] in ("Gt", "GtE", "NotEq"):
        test = test[2]
    if not test or test[0] != "call":
        return False
    callee = module.site(test[1]).callee
    return bool(callee) and callee[0] == "attr" and callee[2] == wanted and callee[1] == base


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


def _known_done(site: CallSite, base: Recipe, module: Module) -> bool:
    """`if future.done():` around `future.result()`, or a future that `as_completed` gave."""
    if _asked_before(site, base, module):
        return True
    for block in module.chain(site.block):
        if block.kind == "if" and _tests_done(block.info, base, module):
            return True
        if block.kind in ("for", "comp") and block.info and block.info[0] == "call":
            text = module.site(block.info[1]).callee
            if text and text[-1] == "as_completed":
                # The wait was in the iteration.
                return True
    return False


def _asked_before(site: CallSite, base: Recipe, module: Module) -> bool:
    """`future.done() and future.result() is None`, and `while not future.done(): …` before `future.result()`."""
    chain = list(module.chain(site.block))
    for block in module.blocks:
        if block.kind == "while" and block.line < site.line and block.info:
            if block.info[0] == "not" and _tests_done(block.info[1], base, module):
                if block.parent >= 0 and module.blocks[block.parent] in chain:
                    return True
    return any(
        other.role[0] == "test"
        and other.block == site.block
        and other.statement == site.statement
        and other.index < site.index
        and _tests_done(("call", other.index), base, module)
        for other in module.functions[site.function].sites
    )


def _tests_done(test: Recipe, base: Recipe, module: Module) -> bool:
    if not test:
        return False
    if test[0] == "any" and test[2] == "and":
        return any(_tests_done(t, base, module) for t in test[1])
    if test[0] != "call":
        return False
    callee = module.site(test[1]).callee
    return bool(callee) and callee[0] == "attr" and callee[2] == "done" and callee[1] == base


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
