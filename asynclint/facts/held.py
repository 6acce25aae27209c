"""What lasts over an `await` and must not: a thread's lock, and a stream whose step a timeout cancels."""

from __future__ import annotations

from asynclint.facts import guards
from asynclint.facts.entered import ENTERS, Entered, Kept
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function, Klass, Module, recipe_name
from asynclint.facts.types import Func, Gen, Inst, Lib, Type, members
from asynclint.facts.view import Mistake

TIMEOUTS = frozenset({"TimeoutError"})
LEAVING = ("break", "return", "raise")
ITERATORS = frozenset(
    f"{module}.{name}"
    for module in ("typing", "collections.abc")
    for name in ("AsyncIterator", "AsyncGenerator", "AsyncIterable")
)


class HeldFacts:
    """Every such place in the program."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.entered = Entered(evaluator)

    def lock(self, function: Function, site: CallSite) -> Mistake | None:
        """`with lock:` around an `await`, or a `with` whose manager holds one."""
        if site.kind not in ENTERS or not function.facts.awaits or not function.is_async:
            return None
        module = function.module
        held = self._lock(function, site)
        if held is None:
            return None
        for index in module.entered(site):
            if any(
                module.inside(b, index) and line >= site.line for line, b in function.facts.awaits
            ):
                name = held.name if held.by else recipe_name(site.callee)
                return Mistake("held", name, held.by, held.because)
        return None

    def _lock(self, function: Function, site: CallSite) -> Kept | None:
        """The lock that is held in any case, whichever of several values is entered."""
        ways = self.entered.kept(function, site)
        found = [next((k for k in way if k.is_lock and k.is_certain), None) for way in ways]
        return found[0] if found and None not in found else None

    def stream(self, function: Function, site: CallSite) -> Mistake | None:
        """`wait_for(anext(stream))` in a loop that goes on after a timeout."""
        if site.kind != "call" or not site.args:
            return None
        module = function.module
        callee = self.evaluator.callee(module, site)
        if not isinstance(callee, Lib) or callee.path != "asyncio.wait_for":
            return None
        stream = self._stepped(function, site.args[0][0])
        if stream is None or not self._goes_on(module, site):
            return None
        return Mistake("timed", stream, "asyncio.wait_for", ())

    def _stepped(self, function: Function, recipe: Recipe) -> str | None:
        """The async generator or stream of which a call takes the next item."""
        if not recipe or recipe[0] != "call":
            return None
        inner = function.module.site(recipe[1])
        if inner.callee == ("name", "anext") and inner.args:
            stream = inner.args[0][0]
        elif inner.callee and inner.callee[0] == "attr" and inner.callee[2] == "__anext__":
            stream = inner.callee[1]
        else:
            return None
        value = self.evaluator.at_site(self._made_from(function, stream), inner, function.module)
        if value is None or not all(self._breaks(m) for m in members(value)):
            return None
        name = recipe_name(stream)
        return "the stream" if "…" in name else name

    def _made_from(self, function: Function, recipe: Recipe) -> Recipe:
        """What `aiter(x)` and `x.__aiter__()` iterate over: x, which of generators is the same."""
        if recipe and recipe[0] == "name":
            bindings = function.facts.bindings.get(recipe[1], [])
            if len(bindings) == 1 and bindings[0].recipe and bindings[0].recipe[0] == "call":
                inner = function.module.site(bindings[0].recipe[1])
                if inner.callee == ("name", "aiter") and inner.args:
                    return inner.args[0][0]
                if inner.callee and inner.callee[0] == "attr" and inner.callee[2] == "__aiter__":
                    return inner.callee[1]
        return recipe

    def _breaks(self, value: Type) -> bool:
        """Whether cancelling a step of it ends it: an async generator, or what a library makes of one."""
        if isinstance(value, Gen):
            return value.is_async
        if not isinstance(value, Inst):
            return False
        if isinstance(value.of, Klass):
            method, _ = self.evaluator.member(value.of, "__aiter__")
            return isinstance(method, Func) and method.function.facts.generator
        cls = self.evaluator.known.cls(value.of)
        return value.of in ITERATORS or (cls is not None and cls.iter == "async")

    def _goes_on(self, module: Module, site: CallSite) -> bool:
        """Whether the loop around a call goes on when the call times out."""
        for index in module.around(site.block):
            block = module.blocks[index]
            if block.kind in ("while", "for", "afor"):
                return False
            if block.kind == "try":
                handler = guards.handler(module, index, TIMEOUTS)
                if handler is not None:
                    return self._in_loop(module, index) and not _leaves(module, handler)
        return False

    def _in_loop(self, module: Module, index: int) -> bool:
        return any(b.kind in ("while", "for", "afor") for b in module.chain(index))


def _leaves(module: Module, handler: int) -> bool:
    """Whether the last statement of a handler leaves the loop."""
    line = module.blocks[handler].line
    lines = module.lines
    head = lines[line - 1]
    indent = len(head) - len(head.lstrip())
    last = head.partition(":")[2].strip()
    for text in lines[line:]:
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        if len(text) - len(text.lstrip()) <= indent:
            break
        last = text.strip()
    return last.startswith(LEAVING)
