"""Imports that a fix needs, and those that it leaves without use."""

from __future__ import annotations

import ast
import itertools
import re
import sys
from collections.abc import Iterable, Mapping
from itertools import takewhile

from asynclint.facts.model import Binding, Recipe
from asynclint.facts.program import Function
from asynclint.findings import Edit, Refused
from asynclint.fixes.source import Source


def is_bound(source: Source, name: str, function: Function | None = None) -> bool:
    """Whether a name means something in a module, or in a function of it and the functions around that."""
    current = function
    while current is not None:
        if name in current.facts.bindings or name in current.parameters:
            return True
        current = current.parent
    return name in source.module.body.facts.bindings


def named(source: Source, module: str, name: str | None) -> str | None:
    """The name under which a module, or a name of it, is imported at the top of another one."""
    facts = source.module.body.facts
    for local, bindings in facts.bindings.items():
        if any(b.recipe != bindings[0].recipe for b in bindings):
            # `import anyio` and `import anyio.abc` bind the same.
            continue
        if _means(source, bindings[0], local, module, name):
            return local
    return None


def _means(source: Source, binding: Binding, local: str, module: str, name: str | None) -> bool:
    recipe = binding.recipe
    if binding.kind != "import" or not recipe or not _is_always_run(source, binding.block):
        return False
    if recipe[0] == "from" and not _keeps(source, binding.line):
        return False
    return _recipe_means(source, recipe, module, name)


def _is_always_run(source: Source, index: int) -> bool:
    """Whether what stands at the top of a module has run once it is imported: also under `try: … except ImportError: raise`."""
    root = source.module.body.facts.root_block
    blocks = source.module.blocks
    if index == root or blocks[index].kind != "try" or blocks[index].parent != root:
        return index == root
    beside = (one for one in blocks[index + 1 :] if one.parent == root)
    return all(one.raises for one in takewhile(lambda one: one.kind == "except", beside))


def _recipe_means(source: Source, recipe: Recipe, module: str, name: str | None) -> bool:
    if recipe and recipe[0] == "import":
        return bool(name is None and recipe[1] == module)
    if recipe and recipe[0] == "from":
        _, level, base, item = recipe
        full = _absolute(source, level, base or "")
        if name is None:
            return f"{full}.{item}" == module and not source.shadows(full, str(item))
        return bool(full == module and item == name)
    return False


def _keeps(source: Source, line: int) -> bool:
    """Whether an import stands in the module's own body and not under a condition."""
    return source.line(line)[:1] not in (" ", "\t")


def _absolute(source: Source, level: int, base: str) -> str:
    if not level:
        return base
    parts = source.module.name.split(".")
    if not source.module.file.is_package:
        parts = parts[:-1]
    parts = parts[: len(parts) - level + 1]
    return ".".join([*parts, base] if base else parts)


BRACKETS, UNIONS = (3, 9), (3, 10)
"""The Python from which on annotations may be `collections.abc.AsyncIterator[None]`, and `X | None`."""

UNPLACED = -1
"""The offset of an import whose place is chosen when all imports of a fix are known."""


def iterator(source: Source, function: Function | None = None) -> tuple[str, tuple[Edit, ...]]:
    """How to write the annotation `AsyncIterator`; Python 3.8 evaluates `[None]` behind that of `typing` only."""
    home = "collections.abc" if knows(source, BRACKETS) else "typing"
    return bring(source, home, "AsyncIterator", function)


def mapping(source: Source) -> tuple[str, tuple[Edit, ...]]:
    """How to write the annotation `dict`."""
    return ("dict", ()) if knows(source, BRACKETS) else bring(source, "typing", "Dict")


def optional(source: Source, annotation: str) -> tuple[str, tuple[Edit, ...]]:
    """How to write the annotation of what may be None."""
    if "Optional" in source.module.body.facts.bindings:
        return f"Optional[{annotation}]", ()
    if knows(source, UNIONS):
        return f"{annotation} | None", ()
    name, edits = bring(source, "typing", "Optional")
    return f"{name}[{annotation}]", edits


def knows(source: Source, version: tuple[int, int]) -> bool:
    """Whether annotations of a module may be written as a version of Python evaluates them."""
    lowest = source.lowest
    return lowest is None or lowest >= version or "import annotations" in source.text


def bring(
    source: Source,
    module: str,
    name: str | None = None,
    function: Function | None = None,
    alias: str | None = None,
    line: int = 0,
) -> tuple[str, tuple[Edit, ...]]:
    """How to write `module`, or `name` of it, in a function of a module, with the edits that import it.

    `line` is the one on which it is written, where an import of the function's own may do. Raises Refused where the name means
    something else there.
    """
    own = _own_import(source, module, name, function, line)
    if own is not None:
        return own, ()
    local = named(source, module, name)
    if local is not None and not _hidden(local, function):
        return local, ()
    if name is not None:
        # `fastapi.Request` where `import fastapi` is there.
        through = named(source, module, None)
        if through is not None and not _hidden(through, function):
            return f"{through}.{name}", ()
    wanted = alias or name or module.partition(".")[0]
    if local is None and name is None and "." in module and alias is None:
        package, _, last = module.rpartition(".")
        if source.shadows(package, last):
            raise Refused(f"`{last}` is something else in `{package}`")
        return bring(source, package, last, function)
    if is_bound(source, wanted, function):
        raise Refused(f"`{wanted}` means something else in `{source.module.name}`")
    return wanted, (_insertion(source, module, name, alias),)


def known(source: Source, module: str, name: str, function: Function | None = None) -> bool:
    """Whether a name of another module can be written in a function without a new import."""
    local = named(source, module, name)
    return local is not None and not _hidden(local, function)


def _own_import(
    source: Source, module: str, name: str | None, function: Function | None, line: int
) -> str | None:
    """The name under which a function, or one around it, imports it before a line."""
    current = function
    while current is not None and current.facts.kind != "module":
        for local, bindings in current.facts.bindings.items():
            if (
                len(bindings) == 1
                and bindings[0].kind == "import"
                and bindings[0].block == current.facts.root_block
                and bindings[0].line < line
                and _recipe_means(source, bindings[0].recipe, module, name)
                and not _hidden_below(local, function, current)
            ):
                return local
        current = current.parent
    return None


def _hidden_below(name: str, function: Function | None, outer: Function) -> bool:
    current = function
    while current is not None and current is not outer:
        if name in current.facts.bindings or name in current.parameters:
            return True
        current = current.parent
    return False


def _hidden(name: str, function: Function | None) -> bool:
    current = function
    while current is not None and current.facts.kind != "module":
        if name in current.facts.bindings or name in current.parameters:
            return True
        current = current.parent
    return False


def _insertion(source: Source, module: str, name: str | None, alias: str | None) -> Edit:
    imports = [node for node in source.head if isinstance(node, (ast.Import, ast.ImportFrom))]
    bound = f"{name} as {alias}" if alias and name else name
    if name is not None:
        first = _prepared(source) if source.is_ours(module) else 0
        for node in imports:
            if node.lineno < first:
                continue
            if isinstance(node, ast.ImportFrom) and not node.level and node.module == module:
                edit = _extended(source, node, bound or name)
                if edit is not None:
                    return edit
    if name is not None:
        text = f"from {module} import {bound}\n"
    elif alias:
        text = f"import {module} as {alias}\n"
    else:
        text = f"import {module}\n"
    return Edit(source.path, UNPLACED, UNPLACED, text)


def _extended(source: Source, node: ast.ImportFrom, text: str) -> Edit | None:
    """`from x import a, c` with one more name, in order."""
    if node.names[0].name == "*":
        return None
    after = next((a for a in node.names if order(a.name) > order(text)), None)
    one_line = node.lineno == node.end_lineno
    if after is not None:
        start = source.offset(after.lineno, after.col_offset)
        line = source.line(after.lineno)
        own_line = not line[: len(line) - len(line.lstrip())].strip() and line.lstrip().startswith(
            source.segment(after)
        )
        separator = f",\n{source.indent(after)}" if own_line and not one_line else ", "
        return source.insert(start, text + separator)
    last = node.names[-1]
    end = source.end(last)
    if one_line or source.line(last.lineno).lstrip() != source.line(node.lineno).lstrip():
        own_line = not one_line and source.line(last.lineno).lstrip().startswith(
            source.segment(last)
        )
        separator = f",\n{source.indent(last)}" if own_line else ", "
        return source.insert(end, separator + text)
    return source.insert(end, ", " + text)


def beside(source: Source, node: ast.ImportFrom, name: str) -> Edit:
    """One more name in an import. Raises Refused where it imports everything."""
    edit = _extended(source, node, name)
    if edit is None:
        raise Refused(f"`{node.module}` is imported with `*`")
    return edit


def order(name: str) -> tuple[int, str]:
    """As isort orders members: constants, classes, functions."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return (kind, name)


def _section(source: Source, module: str) -> int:
    """As isort parts them: future, standard library, third party, first party, relative."""
    if module.startswith("."):
        return 4
    top = module.partition(".")[0]
    if top == "__future__":
        return 0
    if top in sys.stdlib_module_names:
        return 1
    return 3 if source.is_ours(module) else 2


def _named(node: ast.Import | ast.ImportFrom) -> tuple[str, bool]:
    if isinstance(node, ast.Import):
        return node.names[0].name, False
    return "." * node.level + (node.module or ""), True


PREPARING = re.compile(
    r"load_dotenv|\benviron\s*(?:\[[^\]]*\]\s*=(?!=)|\.(?:setdefault|update|pop|clear)\b|\|=)"
    r"|\bdel\s.*\benviron\b|putenv|\.setup\(|sys\.path|patch_all|set_event_loop_policy"
)
"""What code does that is to run before other modules are imported."""

LOGGING = re.compile(r"basicConfig|dictConfig")
"""What is to run before them as well, where it runs before all of them."""


def _prepared(source: Source) -> int:
    """The line from which on the project's own modules may be imported: those before it may have to be without them.

    That is the line behind the last one of them that is imported at the top, where other code stands among the imports, and
    behind what prepares for the imports. 0 where no other code stands before one.
    """
    line, other, ours = 0, False, False
    for node in source.head:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            if _section(source, _named(node)[0]) > 2:
                ours = True
                line = node.lineno if other else line
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        other = other or not docstring
        text = source.segment(node)
        if PREPARING.search(text) or (not ours and LOGGING.search(text)):
            line = (node.end_lineno or node.lineno) + 1
    return line


def placed(sources: Mapping[str, Source], edits: Iterable[Edit]) -> list[Edit]:
    """The edits with a place for each new import, in order and parted by sections."""
    found = [e for e in edits if e.start != UNPLACED]
    for path in sorted({e.path for e in edits if e.start == UNPLACED}):
        texts = {e.text for e in edits if e.start == UNPLACED and e.path == path}
        found += _placed(sources[path], texts)
    return found


def _placed(source: Source, texts: set[str]) -> list[Edit]:
    wanted = sorted(
        ((_section(source, (words := text.split())[1]), words[0] == "from", words[1]), text)
        for text in texts
    )
    late = _prepared(source)
    if late:
        own = [one for one in wanted if one[0][0] > 2]
        wanted = [one for one in wanted if one[0][0] <= 2]
        edits = [_late(source, late, "".join(text for _, text in own))] if own else []
        return [*edits, *_among(source, wanted)]
    return _among(source, wanted)


def _late(source: Source, line: int, text: str) -> Edit:
    """Imports behind those that other code precedes, or behind what prepares for them."""
    behind = line
    for node in source.head:
        if isinstance(node, (ast.Import, ast.ImportFrom)) and node.lineno == line:
            behind = (node.end_lineno or node.lineno) + 1
    return source.insert(source.line_start(behind), text)


def _among(source: Source, wanted: list[tuple[tuple[int, bool, str], str]]) -> list[Edit]:
    """New imports in order among those at the top."""
    if not wanted:
        return []
    imports = [node for node in source.head if isinstance(node, (ast.Import, ast.ImportFrom))]
    leading = _leading(source, imports)
    if not leading:
        return [_first_imports(source, [(key[0], text) for key, text in wanted])]
    slots: dict[int, list[tuple[int, str]]] = {}
    ordered = [((_section(source, name := _named(n)[0]), _named(n)[1], name), n) for n in leading]
    if _is_mixed(ordered):
        # Sections that nobody keeps apart are one; what is imported from the future comes first all the same.
        ordered = [((min(key[0], 1), *key[1:]), node) for key, node in ordered]
        wanted = sorted(((min(key[0], 1), *key[1:]), text) for key, text in wanted)
    for key, text in wanted:
        same = [n for other, n in ordered if other[0] == key[0]]
        after = [n for other, n in ordered if other[0] == key[0] and other < key]
        earlier = [n for other, n in ordered if other[0] < key[0]]
        if after:
            offset = source.line_start((after[-1].end_lineno or after[-1].lineno) + 1)
        elif same:
            offset = source.line_start(same[0].lineno)
        elif earlier:
            offset = source.line_start((earlier[-1].end_lineno or earlier[-1].lineno) + 1)
        else:
            offset = source.line_start(leading[0].lineno)
        slots.setdefault(offset, []).append((key[0], text))
    edits = []
    for offset, chosen in slots.items():
        before = next((k[0] for k, n in reversed(ordered) if source.start(n) < offset), None)
        following = next((k[0] for k, n in ordered if source.start(n) >= offset), None)
        if before is not None and before != chosen[0][0]:
            # Right behind another section, whose blank line comes after what is put in.
            blank = source.text[:offset].endswith(("\n\n", "\n\r\n"))
            text = ("" if blank else "\n") + _sections(chosen)
            following = None
        else:
            text = _sections(chosen)
        if (
            following is not None
            and following != chosen[-1][0]
            and source.text[offset:].lstrip(" \t")[:1] not in "\r\n"
        ):
            text += "\n"
        edits.append(source.insert(offset, text))
    return edits


def _is_mixed(ordered: list[tuple[tuple[int, bool, str], ast.Import | ast.ImportFrom]]) -> bool:
    """Whether imports stand in one block whatever section they are of: a later one right above an earlier one."""
    return any(
        key[0] > following[0] and below.lineno == (node.end_lineno or node.lineno) + 1
        for (key, node), (following, below) in itertools.pairwise(ordered)
    )


def _sections(chosen: list[tuple[int, str]]) -> str:
    """Import lines with a blank line between sections."""
    text = ""
    for index, (section, line) in enumerate(chosen):
        if index and chosen[index - 1][0] != section:
            text += "\n"
        text += line
    return text


def _first_imports(source: Source, chosen: list[tuple[int, str]]) -> Edit:
    """The first imports of a module: after its docstring, else before its code."""
    body = source.head
    text = _sections(chosen)
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        return source.insert(source.line_start((body[0].end_lineno or 1) + 1), "\n" + text)
    return source.insert(
        source.line_start(source.first_code), text + ("\n\n" if source.text.strip() else "")
    )


def _leading(
    source: Source, imports: list[ast.Import | ast.ImportFrom]
) -> list[ast.Import | ast.ImportFrom]:
    """The imports at the top: those before any other code but a docstring, else the first run of them."""
    found: list[ast.Import | ast.ImportFrom] = []
    for node in source.head:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            if not source.alone(node) and ";" in source.line(node.lineno):
                raise Refused("imports stand several on a line")
            found.append(node)
        elif found and not (_is_text(node) and all(_named(n)[0] == "__future__" for n in found)):
            break
    return found


def _is_text(node: ast.stmt) -> bool:
    """A docstring that stands behind `from __future__ import annotations` is none, and left where it is."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def unused(source: Source, name: str, gone: list[ast.AST], users: bool) -> tuple[Edit, ...]:
    """The edits that remove a top-level import which has no use but in nodes that go; none where that is not sure.

    `users` says that another module imports the name from this one.
    """
    if users or source.module.file.is_package or name in (source.module.facts.exports or ()):
        return ()
    code = source.code
    word = re.compile(rf"(?<![\w.]){re.escape(name)}\b")
    if len(word.findall(code)) > 1 + sum(len(word.findall(source.segment(node))) for node in gone):
        return ()
    inside = {id(n) for node in gone for n in ast.walk(node)}
    where = {
        (n.lineno, n.col_offset) for node in gone for n in ast.walk(node) if isinstance(n, ast.Name)
    }
    words = source.words
    if words is None:
        return ()
    for node in words.names.get(name, ()):
        if id(node) not in inside and (node.lineno, node.col_offset) not in where:
            return ()
    annotation = re.compile(rf"[\w.\[\], |]*\b{re.escape(name)}\b[\w.\[\], |]*")
    if any(name in text and annotation.fullmatch(text) for text in words.strings):
        return ()
    statement: ast.Import | ast.ImportFrom | None = None
    chosen: ast.alias | None = None
    for one, top in words.imports:
        for alias in one.names:
            if (alias.asname or alias.name.partition(".")[0]) == name:
                if statement is not None or not top:
                    return ()
                statement, chosen = one, alias
    if statement is None or chosen is None:
        return ()
    if len(statement.names) == 1:
        if not source.alone(statement):
            return ()
        return (source.remove(statement),)
    index = statement.names.index(chosen)
    if index + 1 < len(statement.names):
        following = statement.names[index + 1]
        start = source.offset(chosen.lineno, chosen.col_offset)
        end = source.offset(following.lineno, following.col_offset)
    else:
        start = source.end(statement.names[index - 1])
        end = source.end(chosen)
    if "#" in source.text[start:end]:
        return ()
    return (source.edit(start, end, ""),)
