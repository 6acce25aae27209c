"""What a thread would go through while the event loop changes it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function
from asynclint.facts.types import Cls, Lib
from asynclint.findings import Refused
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.reached import reached

VIEWS = frozenset({"items", "values", "keys"})

STEPS = frozenset({"enumerate", "islice", "chain", "zip", "map", "filter"})
"""Functions that go through what they get one by one, as they are asked."""

WRITERS = frozenset({"json.dump", "yaml.dump", "yaml.safe_dump", "pickle.dump", "deepcopy"})
"""Functions that go through what they get to the bottom."""

SIZE = r"add|discard|setdefault|update|popitem|pop|popleft|appendleft|clear|remove"
"""Methods that change the size of a dictionary, a set or a deque."""

EMPTIED = re.compile(
    r"\bself\.(\w+)(?:\s*:[^=\n]+)?\s*=\s*(?:\{\}|\[\]|dict\(\)|list\(\)|set\(\))|\bself\.(\w+)\.clear\(\)"
)

LISTS = r"append|extend|insert|sort"


def refuse(place: Place, site: CallSite, called: Function) -> None:
    """Raise Refused where a thread that runs what is called goes through what others of a module add to or take from."""
    if _is_own(place, site):
        return
    locked = place.is_locked
    ran = list(reached(place.workshop, called))
    known = place.function.klass, ran[0].klass if ran else None
    for function in ran:
        if function.klass is not None and function.klass not in known:
            # An object of its own, as far as can be seen.
            continue
        half = _emptied(function, locked) or _set_together(function, locked)
        if half is not None:
            raise Refused(f"`{function.name}` {half}")
        if locked:
            continue
        for name in place.workshop.each(_names_gone_through, function):
            if _is_changed(function, name, ran):
                raise Refused(
                    f"the event loop could change `{name}` while a thread goes through it"
                )


def _is_own(place: Place, site: CallSite) -> bool:
    """Whether the object whose method is called is made in the coroutine itself: nobody else changes it."""
    module = place.function.module
    base = site.callee
    while base and base[0] in ("attr", "sub"):
        base = base[1]
    made = [base]
    if base and base[0] == "name":
        made = [b.recipe for b in place.function.facts.bindings.get(base[1], ())]
    evaluator = place.workshop.facts.graph.evaluator
    return bool(made) and all(
        bool(one)
        and one[0] == "call"
        and isinstance(evaluator.callee(module, module.site(one[1])), (Cls, Lib))
        for one in made
    )


def _unlocked(function: Function, locked: bool) -> str:
    """The text of a function; none where it waits for the lock that the coroutine holds."""
    text = "\n".join(function.module.span(function.facts.line, function.facts.end_line))
    return "" if locked and re.search(r"with [^\n]*lock", text, re.IGNORECASE) else text


def _emptied(function: Function, locked: bool) -> str | None:
    """The container of its object that a method empties, and that other methods use."""
    facts, module = function.facts, function.module
    if function.klass is None or facts.name in ("__init__", "__post_init__"):
        return None
    text = "\n".join(module.span(facts.line, facts.end_line))
    for match in EMPTIED.finditer(text):
        name = match[1] or match[2]
        word = re.compile(rf"\bself\.{name}\b")
        for other in function.klass.methods():
            if other is function or other.facts.name == "__init__":
                continue
            if word.search(_unlocked(other, locked)):
                return f"empties `self.{name}`, which others read meanwhile"
    return None


def _set_together(function: Function, locked: bool) -> str | None:
    """Two attributes of its object that a method sets, and that a coroutine of the class reads, which sees one of them new."""
    facts = function.facts
    if function.klass is None or facts.name in ("__init__", "__post_init__", "__new__"):
        return None
    own = ("name", function.self_name)
    names = list(
        dict.fromkeys(b.attr for b in facts.attribute_bindings if b.base == own and b.attr != "[]")
    )
    if len(names) < 2:
        return None
    for other in function.klass.methods():
        if other is function or not other.is_async:
            continue
        text = _unlocked(other, locked)
        read = [n for n in names if re.search(rf"\bself\.{n}\b(?!\s*=[^=])", text)]
        if len(read) > 1:
            return f"sets `self.{read[0]}` and `self.{read[1]}` one after the other, which `{other.name}` reads together"
    return None


def refuse_written(place: Place, call: ast.Call) -> None:
    """The same for the call itself: `json.dump(self.jobs, file)`."""
    if not place.is_locked and _is_writer(call):
        _refuse_names(place, _shared(call.args[0]))


def refuse_block(place: Place, block: ast.AST) -> None:
    """The same for what a block of the coroutine goes through."""
    if place.is_locked:
        return
    for one in ast.walk(block):
        if isinstance(one, (ast.For, ast.comprehension)):
            _refuse_names(place, _shared(one.iter))
        elif isinstance(one, ast.Call) and _is_writer(one):
            _refuse_names(place, _shared(one.args[0]))


def _refuse_names(place: Place, names: Iterable[str]) -> None:
    for name in names:
        if _is_global(place.function, name) and _is_changed(place.function, name, ()):
            raise Refused(f"the event loop could change `{name}` while a thread goes through it")


def _names_gone_through(workshop: Workshop, function: Function) -> tuple[str, ...]:
    return tuple(_gone_through(function))


def _gone_through(function: Function) -> Iterator[str]:
    """The attributes of its object, and the globals, that a function goes through."""
    module = function.module
    for index, block in enumerate(module.blocks):
        if block.kind in ("for", "comp") and module.inside(index, function.facts.root_block):
            yield from _container(function, block.info)
    for site in function.sites:
        callee = site.callee
        if not callee or not site.args or callee[0] not in ("name", "attr"):
            continue
        base = callee[1][-1] if callee[0] == "attr" and callee[1] else ""
        path = f"{base}.{callee[-1]}" if callee[0] == "attr" else callee[-1]
        indented = path == "json.dumps" and any(keyword == "indent" for _, keyword in site.args)
        if indented or path in WRITERS or callee[-1] in WRITERS:
            yield from _container(function, site.args[0][0])


def _container(function: Function, recipe: Recipe) -> Iterator[str]:
    """`self.jobs`, `JOBS.items()`, `islice(self.jobs.values(), 3)`."""
    if not recipe:
        return
    if recipe[0] == "call":
        site = function.module.site(recipe[1])
        if site.callee and site.callee[0] == "attr" and site.callee[2] in VIEWS and not site.args:
            yield from _container(function, site.callee[1])
        elif site.callee and site.callee[-1] in STEPS:
            for argument, _ in site.args:
                yield from _container(function, argument)
    elif recipe[0] == "attr" and recipe[1] == ("name", function.self_name or "self"):
        yield f"self.{recipe[2]}"
    elif recipe[0] == "name" and _is_global(function, str(recipe[1])):
        yield str(recipe[1])


def _is_global(function: Function, name: str) -> bool:
    """Whether a name is that of a module's variable, or an attribute of the object."""
    if name.startswith("self."):
        return True
    scope: Function | None = function
    while scope is not None and scope.facts.kind != "module":
        if name in scope.parameters or name in scope.facts.bindings:
            return False
        scope = scope.parent
    bindings = function.module.body.facts.bindings.get(name, ())
    return bool(bindings) and all(b.kind in ("assign", "ann") for b in bindings)


def _is_writer(call: ast.Call) -> bool:
    path = ast.unparse(call.func)
    indented = path == "json.dumps" and any(k.arg == "indent" for k in call.keywords)
    return bool(call.args) and (indented or path in WRITERS or path.rpartition(".")[2] in WRITERS)


def _shared(node: ast.expr) -> Iterator[str]:
    """`self.jobs`, `JOBS.items()` as they are named where the object's method says so."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in VIEWS:
            node = node.func.value
    text = ast.unparse(node)
    if isinstance(node, ast.Name) or re.fullmatch(r"self\.\w+", text):
        yield text


def _is_changed(function: Function, name: str, ran: Iterable[Function]) -> bool:
    """Whether others of the module change the size of a container: not what makes the object, nor what the thread runs itself."""
    module = function.module
    word = re.escape(name.rpartition(".")[2])
    before = r"\." if "." in name else r"(?<![\w.])"
    held = rf"{before}{word}"
    changes = re.compile(rf"{held}\.(?:{SIZE})\(|{held}\[[^\]\n]*\]\s*=[^=]|\bdel\b.*{held}\[")
    listed = re.compile(rf"{held}\.(?:{LISTS})\(|{held}\s*(?::[^=\n]*)?=\s*\[|{held}\s*:\s*list\b")
    text = module.file.text or ""
    if not changes.search(text) or listed.search(text):
        return False
    own = {
        line
        for one in ran
        if one.module is module
        for line in range(one.facts.line, one.facts.end_line + 1)
    }
    for number, line in enumerate(module.lines, 1):
        if number in own or not changes.search(line):
            continue
        around = _around(function, number)
        if around is not None and around.facts.name not in ("__init__", "__post_init__"):
            return True
    return False


def _around(function: Function, line: int) -> Function | None:
    """The function of the module that holds a line; None for the module's own lines, and those of classes."""
    found = [
        one
        for one in function.module.functions
        if one.facts.kind in ("def", "async") and one.facts.line <= line <= one.facts.end_line
    ]
    return max(found, key=lambda one: one.facts.line, default=None)
