"""The place of a finding, as a rule's fixer sees it."""

from __future__ import annotations

import ast
import contextlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from asynclint.config import Config
from asynclint.facts.entered import Entered
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.model import CallSite
from asynclint.facts.program import Function, Module
from asynclint.facts.types import Cls, Func, members
from asynclint.facts.view import CallFacts
from asynclint.findings import Edit, Finding, Fix, Refused, Safety
from asynclint.fixes import imports, installed, trio
from asynclint.fixes.generated import is_generated
from asynclint.fixes.layout import Layout, Wrapper, handed, rebroken
from asynclint.fixes.source import Source, Tree, own_nodes
from asynclint.fixes.texts import Texts
from asynclint.project import SourceFile

if TYPE_CHECKING:
    from asynclint.facts.infer import ProjectFacts

Made = TypeVar("Made")
Key = TypeVar("Key")
Read = TypeVar("Read", bound=ast.expr)

HELD = re.compile(
    r"lock|mutex|semaphore|chdir|redirect_std|catch_warnings|pool|engine\.(connect|begin)\(|\.begin(_nested)?\(|transaction|\batomic\("
    r"|no_grad|inference_mode|autocast|enable_grad|set_grad_enabled|GradientTape|\.as_default\(|\btorch\.device\("
    r"|\bcuda\.(device|stream)\(|\b(tf|tensorflow)\.device\(|\bdb_session\b|\b(option|rc)_context\(",
    re.IGNORECASE,
)
"""`with` items that must not be held while other tasks run: locks of threads, and what changes the thread or the whole process."""

PROCESS = re.compile(
    r"\bsys\.(stdout|stderr|stdin|argv|path|modules)\b[^\n=]*(=[^=]|\.insert|\.append)"
    r"|\bos\.(chdir|environ\[[^\n]*\]\s*=[^=]|environ\.update|umask|dup2)|\bredirect_std|^\s*global\s",
    re.MULTILINE,
)
"""What a context manager does that changes the process for all tasks."""

CANCELLATION = frozenset({"BaseException", "CancelledError"})
"""Exceptions whose handlers clean up after a cancellation."""

TELLS = re.compile(r"\b_?log\w*\b|\bprint\b", re.IGNORECASE)
"""What is called so at the end of a clean-up only says that it is done."""

SCOPES = re.compile(r"^[ \t]*(?:import|from)[ \t]+(?:mcp|fastmcp|anyio)\b", re.MULTILINE)
"""What runs functions in scopes of anyio's."""

LOOPS = ("asyncio", "anyio", "trio")
FOREIGN = ("twisted", "curio")
"""Libraries whose event loop runs the coroutines of those that import them; with the second ones no fix is at home."""

IMPORTED = re.compile(
    r"^[ \t]*(?:import|from)[ \t]+(asyncio|anyio|trio|twisted|curio)\b", re.MULTILINE
)

ABOUT_BLOCKING = re.compile(r"(?<!a)sync|block|hang|stall|freez|starv|busy", re.IGNORECASE)
"""In the names of tests, and of what stands in them: the waiting is what they are about."""

ON_PURPOSE = re.compile(
    r"\bon the (event )?loop\b|\busing await\b|\bnot offloaded\b|\bnot (in|from) a thread\b|\bblock(s|ing)? (is|on purpose)"
)
NOQA = re.compile(r"#\s*noqa:[^#]*\bASYNC2\d\d\b")
"""A comment that says the same to ruff."""

NEAR = 8
"""What a comment says about code that is to stay on the event loop, and how many lines above it may stand."""

STOPPED = re.compile(r"loop(\(\))?\.(stop|close)$")
"""Calls after which an `await` may never come back."""

WAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp)

CHANGES = "append|pop|popitem|remove|add|discard|clear|update|insert|extend|setdefault"
"""Methods that change what a container holds."""

DEEPER = (ast.Attribute, ast.Subscript, ast.Call, ast.BinOp, ast.UnaryOp, ast.Await, ast.Compare)


@dataclass(slots=True)
class Workshop:
    """What all fixers of one run share."""

    facts: ProjectFacts
    config: Config
    sources: dict[str, Source] = field(default_factory=dict)
    _made: dict[object, Any] = field(default_factory=dict)

    def once(self, kind: Callable[[Workshop], Made]) -> Made:
        """What `kind(workshop)` gives, made at the first call."""
        if kind not in self._made:
            self._made[kind] = kind(self)
        made: Made = self._made[kind]
        return made

    def each(self, kind: Callable[[Workshop, Key], Made], key: Key) -> Made:
        """What `kind(workshop, key)` gives, made at the first call for each key."""
        if (kind, key) not in self._made:
            self._made[kind, key] = kind(self, key)
        made: Made = self._made[kind, key]
        return made

    def saying(self, *words: str) -> list[SourceFile]:
        """The files of the project that have each of some words, tests included."""
        return self.once(_texts).saying(*words)

    def declared(self, function: Function, site: CallSite) -> bool:
        """Whether the code says what a site calls, and not only what callers hand over or is put into a container."""
        if site.index < 0 or site.callee is None:
            return True
        usual, strict, module = self.facts.graph.evaluator, self.once(_strict), function.module
        try:
            return strict.callee(module, site) == usual.callee(module, site)
        except RecursionError:
            return False

    def source(self, module: Module) -> Source:
        """The text of a module. Raises Refused for one that is generated, or not for this Python."""
        name = module.file.name
        if name not in self.sources:
            self.sources[name] = Source(module, self.facts.program)
        if is_generated(module.lines):
            raise Refused(f"`{name}` says that it is generated")
        if module.facts.newer is not None:
            raise Refused(f"`{name}` is written for a newer Python than this one")
        return self.sources[name]


def _texts(workshop: Workshop) -> Texts:
    return Texts(workshop.facts.program.project.files)


def _strict(workshop: Workshop) -> Evaluator:
    """An evaluator that goes by what the code says at the place itself."""
    usual = workshop.facts.graph.evaluator
    return Evaluator(usual.program, usual.known, trusting=False)


def _cancels_again(workshop: Workshop) -> bool:
    """Whether servers of the project run their functions in scopes of anyio's, which cancel each wait of one that they have cancelled."""
    said = (file for word in ("mcp", "fastmcp", "anyio") for file in workshop.saying(word))
    return any(SCOPES.search(file.text or "") for file in said if not file.is_test)


def _loops_used(workshop: Workshop) -> Counter[str]:
    """How many of the project's modules import each library that has an event loop, tests left out."""
    files = {one.name: one for name in (*LOOPS, *FOREIGN) for one in workshop.saying(name)}
    texts = (one.text or "" for one in files.values() if not one.is_test)
    return Counter(name for text in texts for name in set(IMPORTED.findall(text)))


def taken_below(workshop: Workshop, function: Function, entered: ast.expr) -> str | None:
    """What a manager of the project's holds, when a function has entered it, and must not hold while other tasks run."""
    at = (entered.lineno, entered.col_offset)
    known = workshop.once(_entered)
    for site in function.sites:
        if (site.line, site.col) != at:
            continue
        for one in (one for way in known.kept(function, site) for one in way):
            if one.by and (one.is_lock or (one.is_lock is None and HELD.search(one.name))):
                return f"`{one.name}`, which `{one.by}` takes,"
    return None


def says_lock(entered: ast.With | ast.AsyncWith) -> bool:
    """Whether something that is entered is called a lock."""
    return any("lock" in ast.unparse(item.context_expr).lower() for item in entered.items)


def _entered(workshop: Workshop) -> Entered:
    return Entered(workshop.facts.graph.evaluator)


@dataclass
class Place:
    """Where a finding is, the facts about it, and verbs to build edits with."""

    finding: Finding
    facts: CallFacts
    site: CallSite
    function: Function
    """The function whose body executes the place."""
    workshop: Workshop

    @cached_property
    def source(self) -> Source:
        """The module's text."""
        return self.workshop.source(self.function.module)

    @cached_property
    def tree(self) -> Tree:
        """The piece of the module that holds the place."""
        return self.source.tree(self.site.line)

    @cached_property
    def node(self) -> ast.expr:
        """The expression that the finding marks. Raises Refused where the text does not show one."""
        return self._read(ast.expr, "the expression could not be found in the text")

    @cached_property
    def call(self) -> ast.Call:
        """The call that the finding marks. Raises Refused where it marks none."""
        return self._read(ast.Call, "it is not called in words")

    @property
    def attribute(self) -> ast.Attribute:
        """The attribute that the finding marks. Raises Refused where it marks none."""
        return self._read(ast.Attribute, "it is not read in words")

    def _read(self, kind: type[Read], reason: str) -> Read:
        node = self.tree.at(self.source.where(self.finding.span), kind)
        if node is None:
            raise Refused(reason)
        # Positions inside f-strings are not to be trusted before Python 3.12.
        try:
            shown = ast.parse(f"({self.source.segment(node)})", mode="eval").body
        except SyntaxError:
            raise Refused(reason) from None
        if ast.dump(shown) != ast.dump(node):
            raise Refused(reason)
        return node

    @property
    def in_coroutine(self) -> bool:
        """Whether `await` may stand here: in the body of an `async def`, and not in a generator expression."""
        if not self.function.is_async:
            return False
        return not any(
            isinstance(one, (ast.GeneratorExp, ast.Lambda)) for one in self.tree.above(self.node)
        )

    def narrow(self) -> None:
        """Look at the statement alone, which is quicker; for fixers that need nothing around it."""
        if self.site.statement is not None:
            with contextlib.suppress(Refused):
                self.__dict__["tree"] = self.source.statement(*self.site.statement)

    @property
    def is_tried(self) -> bool:
        """Whether a `try` with handlers stands around the place."""
        below: ast.AST = self.node
        for one in self.tree.above(self.node):
            if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                return False
            if isinstance(one, ast.Try) and one.handlers and below in one.body:
                return True
            below = one
        return False

    @property
    def is_handled(self) -> bool:
        """Whether the place stands in the handler of an exception."""
        for one in self.tree.above(self.node):
            if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                return False
            if isinstance(one, ast.ExceptHandler):
                return True
        return False

    @property
    def is_locked(self) -> bool:
        """Whether the coroutine holds a lock of the event loop's here, for which those wait who change what it guards."""
        return any(
            isinstance(one, ast.AsyncWith) and says_lock(one) for one in self.tree.above(self.node)
        )

    @property
    def held(self) -> str | None:
        """What a `with` around the place holds that must not be held while other tasks run, such as a thread's lock."""
        for one in self.tree.above(self.node):
            if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                return None
            for item in one.items if isinstance(one, (ast.With, ast.AsyncWith)) else ():
                if item.context_expr is self.node:
                    continue
                text = self.source.segment(item.context_expr)
                if isinstance(one, ast.With):
                    if HELD.search(text) or self._changes_process(item.context_expr):
                        return f"`{text}`"
                below = taken_below(self.workshop, self.function, item.context_expr)
                if below is not None:
                    return below
        return None

    def _changes_process(self, entered: ast.expr) -> bool:
        """Whether a context manager of the project's changes what belongs to the whole process."""
        module = self.function.module
        evaluator = self.workshop.facts.graph.evaluator
        for site in module.facts.calls if isinstance(entered, ast.Call) else ():
            if site.kind != "call" or (site.line, site.col) != (entered.lineno, entered.col_offset):
                continue
            for member in members(evaluator.callee(module, site)):
                body = member.function if isinstance(member, Func) else None
                if isinstance(member, Cls):
                    body = member.klass.own_method("__enter__")
                if body is not None:
                    facts = body.facts
                    text = "\n".join(body.module.span(facts.line, facts.end_line))
                    if PROCESS.search(text):
                        return True
        return False

    def refuse_held(self) -> None:
        """Raise Refused where an `await` would let other tasks run while a thread's lock is held, or meet a value half made."""
        held = self.held
        if held is not None:
            raise Refused(f"{held} would be held while other tasks run")
        function = self.source.definition(self.function)
        for one in ast.walk(function[1]) if function is not None else ():
            if isinstance(one, ast.Call) and one.lineno < self.node.lineno:
                if STOPPED.search(ast.unparse(one.func)):
                    raise Refused(f"`{ast.unparse(one.func)}` stops the event loop before")
        below: ast.AST = self.node
        for one in self.tree.above(self.node):
            if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                return
            if isinstance(one, ast.AugAssign) and self._is_shared(one.target):
                raise Refused(
                    f"what other tasks do to `{ast.unparse(one.target)}` in the meantime would be lost"
                )
            iterated = _iterated(one, below)
            if iterated is not None and self._is_shared(iterated) and self._is_changed(iterated):
                raise Refused(
                    f"other tasks could change `{ast.unparse(iterated)}` while it is gone through"
                )
            below = one

    def _is_shared(self, node: ast.expr) -> bool:
        """Whether other tasks may know what an expression stands for: an attribute, an item of it, or a global."""
        while isinstance(node, ast.Subscript):
            node = node.value
        if isinstance(node, ast.Attribute):
            return True
        facts = self.function.facts
        return isinstance(node, ast.Name) and (
            (node.id not in facts.bindings and node.id not in self.function.parameters)
            or node.id in facts.globals | facts.nonlocals
        )

    def _is_changed(self, node: ast.expr) -> bool:
        """Whether the module adds to a container, or takes something out of it."""
        while isinstance(node, ast.Subscript):
            node = node.value
        name = re.escape(ast.unparse(node).rpartition(".")[2])
        changes = re.compile(
            rf"\b{name}(\[.*\])?\.({CHANGES})\(|\b{name}\[.*\]\s*=[^=]|\bdel\b.*\b{name}\["
        )
        return any(changes.search(line) for line in self.function.module.lines)

    def refuse_meant(self) -> None:
        """Raise Refused where a comment above, in the same suite, says that the code runs on the event loop on purpose.

        So does the name of a test that is about what blocks.
        """
        if self.function.module.file.is_test:
            for name in self.function.facts.qualname.split("."):
                if ABOUT_BLOCKING.search(name):
                    raise Refused(f"`{name}` is about what blocks")
        for line in {self.node.lineno, self.node.end_lineno or self.node.lineno}:
            if NOQA.search(self.source.line(line)):
                raise Refused("a comment says that it is done on the event loop")
        number = self.tree.statement(self.node).lineno - 1
        statement = self.tree.parent(self.tree.statement(self.node))
        if isinstance(statement, ast.If):
            number = min(number, statement.lineno - 1)
        for above in range(number, max(0, number - NEAR), -1):
            comment = self.source.line(above).partition("#")[2].lower()
            if not self.source.line(above).strip():
                return
            if ON_PURPOSE.search(comment):
                raise Refused("a comment says that it is done on the event loop")

    def refuse_field(self) -> None:
        """Raise Refused where a field of a class builds what each object gets: `client: Client = field(default_factory=Client)`."""
        outer = self.function.parent
        if self.function.facts.kind == "class" or (
            self.function.facts.kind == "lambda"
            and outer is not None
            and outer.facts.kind == "class"
        ):
            raise Refused("a field of its class builds it for each object")

    def refuse_cleanup(self) -> None:
        """Raise Refused where a cancellation is handled: where it comes again, an `await` would cut the clean-up short."""
        below: ast.AST = self.node
        for one in self.tree.above(self.node):
            if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                return
            if isinstance(one, ast.ExceptHandler) and below is not one.type:
                kinds = one.type.elts if isinstance(one.type, ast.Tuple) else [one.type]
                names = [
                    k.attr if isinstance(k, ast.Attribute) else k and getattr(k, "id", "")
                    for k in kinds
                ]
                if None in names or CANCELLATION.intersection(names):
                    raise Refused("it cleans up after a cancellation, which could cut it short")
                tried = self.tree.parent(one)
                if isinstance(tried, ast.Try) and any(
                    _in_thread(n) for t in tried.body for n in ast.walk(t)
                ):
                    raise Refused("it is what is done where no thread can be had")
            ends = isinstance(one, ast.Try) and below in one.finalbody
            first = isinstance(one, ast.Try) and self._is_first_of(one.finalbody)
            again = self.loop != "asyncio" or self.workshop.once(_cancels_again)
            if ends and (first or again or self.function.facts.generator):
                raise Refused("it cleans up after a cancellation, which could cut it short")
            below = one

    def _is_first_of(self, cleanup: list[ast.stmt]) -> bool:
        """Whether a clean-up that nothing interrupts today has more to do behind the place."""
        nodes = [node for one in cleanup for node in (one, *own_nodes(one))]
        if any(isinstance(one, (ast.Await, ast.AsyncFor, ast.AsyncWith)) for one in nodes):
            return False
        end = self.node.end_lineno or 0, self.node.end_col_offset or 0
        return any(
            isinstance(one, ast.Call)
            and (one.lineno, one.col_offset) > end
            and not TELLS.search(ast.unparse(one.func))
            for one in nodes
        )

    @property
    def loop(self) -> str:
        """The library whose functions a coroutine of this module may await. Raises Refused where that is none of ours.

        A module that imports none of them is run by the loop that the others of the project use.
        """
        used = [one for one in (*FOREIGN, *LOOPS) if self.uses(one)]
        if not used:
            count = self.workshop.once(_loops_used)
            used = sorted(count, key=lambda one: (-count[one], one not in FOREIGN, one))
        if used and used[0] in FOREIGN:
            raise Refused(f"its coroutines may run on the event loop of {used[0]}")
        if not used and self._awaits_what_it_gets():
            raise Refused(
                "it awaits what it is given, in a project that imports no event loop: another one than asyncio's may run it"
            )
        if not used or used[0] == LOOPS[0]:
            return self._of_asyncio("anyio" in used)
        return used[0]

    def _awaits_what_it_gets(self) -> bool:
        """Whether the coroutine awaits a parameter, or what it calls is one of a function around it: `await fn(*args)`."""
        around: set[str] = set()
        scope = self.function.parent
        while scope is not None:
            around |= set(scope.parameters)
            scope = scope.parent
        found = self.source.definition(self.function)
        awaited = (
            [n.value for n in own_nodes(found[1]) if isinstance(n, ast.Await)] if found else []
        )
        own = self.function.parameters
        return any(
            (isinstance(one, ast.Name) and one.id in own)
            or (isinstance(one, ast.Call) and getattr(one.func, "id", None) in around)
            for one in awaited
        )

    def _of_asyncio(self, anyio: bool) -> str:
        """`asyncio`, where no coroutine of the project runs on another loop. Raises Refused.

        Where the module imports anyio, too, that is at home on either.
        """
        if not trio.supported(self):
            return LOOPS[0]
        if not anyio:
            raise Refused("the project runs on trio, too, where functions of `asyncio` do not work")
        return "anyio"

    def is_local(self, name: str) -> bool:
        """Whether a name is bound in a function of the module, so that a global of that name would be hidden."""
        return any(
            name in f.facts.bindings or name in f.parameters
            for f in self.function.module.functions[1:]
        )

    def free_name(self, *names: str) -> str:
        """The first of some names that means nothing here, nor in a function around or inside. Raises Refused."""
        scopes = {self.function}
        current = self.function.parent
        while current is not None:
            scopes.add(current)
            current = current.parent
        scopes |= {
            f
            for f in self.function.module.functions
            if f.parent in scopes and f.parent and f.parent.facts.kind != "module"
        }
        for name in names:
            if not any(
                name in f.facts.bindings or name in f.parameters or name in f.facts.loaded
                for f in scopes
            ):
                return name
        raise Refused(f"`{names[0]}` means something else here")

    def awaited(self, node: ast.expr, text: str) -> str:
        """`await text` in a node's place, with parentheses where the code around it needs them."""
        parent = self.tree.parent(node)
        tight = isinstance(parent, DEEPER) and not (
            isinstance(parent, ast.Call) and node is not parent.func
        )
        if isinstance(parent, ast.Subscript) and node is parent.slice:
            tight = False
        if isinstance(parent, (ast.BinOp, ast.Compare, ast.UnaryOp)):
            # `await` binds tighter than all operators but `**`, whose left side it may be.
            tight = False
        if isinstance(parent, ast.Await):
            tight = True
        return f"(await {text})" if tight else f"await {text}"

    def awaiting(self, call: ast.Call) -> Edit:
        """`await f(a)` in the place of `f(a)`, broken over lines where its line would become too long."""
        text = self.source.segment(call)
        function, *parts = handed(self.source, call)
        made = Wrapper(str(function), tuple(parts))
        before, _, behind = self.awaited(call, "\n").partition("\n")
        if parts and "\n" not in text:
            layout = Layout(self.source, self.tree, call, made, before, behind)
            if layout.flat == f"{before}{text}{behind}":
                return layout.edit()
        return self.source.replace(call, f"{before}{text}{behind}")

    def handed(self, call: ast.Call) -> str:
        """A call as arguments of a function that will make it: `f(a, b=c)` → `f, a, b=c`.

        Raises Refused for a function without a name.
        """
        if isinstance(call.func, ast.Lambda):
            raise Refused("a lambda is called")
        source = self.source
        function = source.segment(call.func)
        opening = source.text.index("(", source.end(call.func))
        inner = source.text[opening + 1 : source.end(call) - 1]
        behind = inner.lstrip()
        if not behind:
            return function
        if len(call.args) == 1 and isinstance(call.args[0], ast.GeneratorExp):
            if source.segment(call.args[0]) == f"({inner})":
                return f"{function}, ({inner})"
        gap = inner[: len(inner) - len(behind)]
        if "\n" in gap:
            return f"{gap}{function},{inner}"
        return f"{function},{inner}" if behind.startswith("#") else f"{function}, {behind}"

    def offloaded(self, call: ast.Call, function: str, partial: str = "") -> Edit:
        """`await function(f, a)` in the place of `f(a)`; `await function(partial(f, a))` where one is named."""
        if call.lineno != call.end_lineno:
            arguments = rebroken(self.source, call) or self.handed(call)
            arguments = f"{partial}({arguments})" if partial else arguments
            text = self.awaited(call, f"{function}({arguments})")
            return self.source.replace(call, text)
        made = Wrapper(function, handed(self.source, call))
        if partial:
            made = Wrapper(function, (Wrapper(partial, made.parts),))
        before, _, behind = self.awaited(call, "\n").partition("\n")
        return Layout(self.source, self.tree, call, made, before, behind).edit()

    def is_module(self, node: ast.expr) -> bool:
        """Whether an expression is the name of an imported module."""
        if not isinstance(node, ast.Name):
            return False
        current: Function | None = self.function
        while current is not None:
            bindings = current.facts.bindings.get(node.id)
            if bindings or node.id in current.parameters:
                return bool(bindings) and all(b.kind == "import" for b in bindings or ())
            current = current.parent
        return False

    def imported(self, module: str, name: str | None = None) -> tuple[str, tuple[Edit, ...]]:
        """How to write a module, or a name of it, here, with the edits that import it. Raises Refused."""
        found = imports.bring(self.source, module, name, self.function, line=self.site.line)
        if found[1]:
            installed.refuse_missing(self.workshop, self.function.module, module)
        return found

    def uses(self, module: str) -> bool:
        """Whether the file imports a library."""
        top = module.partition(".")[0]
        for bindings in self.function.module.body.facts.bindings.values():
            for binding in bindings:
                recipe = binding.recipe
                if binding.kind != "import" or not recipe:
                    continue
                path = recipe[1] if recipe[0] == "import" else recipe[2] if not recipe[1] else None
                if path and path.partition(".")[0] == top:
                    return True
        return False

    def fix(self, title: str, *edits: Edit, safe: bool = False, once: str = "") -> Fix:
        """A fix of these edits, which are made all together or not at all."""
        made = imports.placed(self.workshop.sources, dict.fromkeys(edits))
        return Fix(title, Safety.SAFE if safe else Safety.UNSAFE, tuple(made), once)


def _iterated(loop: ast.AST, below: ast.AST) -> ast.expr | None:
    """The container that a loop goes through in one go today: nothing in its body waits."""
    body: list[ast.stmt] = []
    if isinstance(loop, ast.For) and below in loop.body:
        node, body = loop.iter, loop.body
    elif isinstance(loop, COMPREHENSIONS) and not isinstance(below, ast.comprehension):
        node = loop.generators[-1].iter
    else:
        return None
    if any(isinstance(n, WAITS) for statement in body for n in ast.walk(statement)):
        return None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in ("enumerate", "reversed") and node.args:
            node = node.args[0]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args:
        if node.func.attr in ("items", "values", "keys"):
            node = node.func.value
    return node if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) else None


def _in_thread(node: ast.AST) -> bool:
    """Whether a node awaits a call that a thread runs."""
    called = node.value if isinstance(node, ast.Await) else None
    name = ast.unparse(called.func).rpartition(".")[2] if isinstance(called, ast.Call) else ""
    return name in ("to_thread", "run_in_executor", "run_sync")
