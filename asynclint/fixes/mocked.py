"""Tests that put something else in the place of what a plan changes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from asynclint.facts.program import Function, Module
from asynclint.findings import Refused
from asynclint.fixes.holders import Holders
from asynclint.fixes.mentions import Global, Held, Holder, Result
from asynclint.fixes.place import Workshop
from asynclint.fixes.source import Source
from asynclint.fixes.unstarted import Tests

REPLACING = ("patch", "setattr", "dependency_overrides")
"""One of these is in every text that puts something in the place of something else."""

ENTERS = r"__(?:init|new|enter|aenter|exit|aexit)__"
"""What the fix that shares a client has called at another time."""


def refuse_mocked(holders: Holders, holder: Holder) -> None:
    """Raise Refused where a file patches a holder: what it puts there would not be awaited."""
    if isinstance(holder, Global):
        owner, name = holder.module.name, holder.name
    elif isinstance(holder, Held):
        owner, name = holder.klass.facts.name, holder.name
    elif isinstance(holder, Result):
        klass = holder.function.klass
        owner = klass.facts.name if klass else holder.function.module.name
        name = holder.function.facts.name
    else:
        return
    if name:
        refuse_replaced(holders.workshop, owner.rpartition(".")[2], name)


def refuse_replaced(workshop: Workshop, owner: str, name: str) -> None:
    """Raise Refused where a file puts something else in the place of `owner.name`; the owner is a module's or class's last name.

    In a test any string that names it counts: it may be handed to `patch` by way of a constant or a helper.
    """
    quoted, dotted = (f'"{name}"', f"'{name}'"), f"{owner}.{name}"
    for file in workshop.saying(name):
        text = file.text or ""
        if not file.is_test and not any(word in text for word in REPLACING):
            continue
        wanted: list[str] = []
        if dotted in text:
            wanted += _by_path(owner, name, file.is_test)
        if owner in text and any(one in text for one in quoted):
            wanted += _by_object(owner, name)
        if "dependency_overrides" in text:
            wanted.append(rf"dependency_overrides\[[^\]]*\b{re.escape(name)}\]")
        if any(re.search(pattern, text) for pattern in wanted):
            raise Refused(f"`{file.name}` puts something else in the place of `{owner}.{name}`")


def _by_path(owner: str, name: str, test: bool) -> list[str]:
    """Patterns of `patch("app.owner.name")`; each begins with plain text, by which it is found fast."""
    first, word = re.escape(owner), re.escape(name)
    path = rf"\(\s*f?[\"'][\w.]*\b{first}\.{word}\b"
    found = [rf"patch{path}", rf"patch\.\w+{path}", rf"setattr{path}"]
    if test:
        found += [rf"{quote}(?:[\w.]+\.)?{first}\.{word}\b[\w.]*[\"']" for quote in "\"'"]
    return found


def _by_object(owner: str, name: str) -> list[str]:
    """Patterns of `patch.object(owner, "name")`."""
    first, word = re.escape(owner), re.escape(name)
    given = rf"\([^)]*\b{first}\b[^)]*,\s*[\"']{word}[\"']"
    return [rf"setattr{given}", rf"patch\.object{given}"]


def refuse_constructor(workshop: Workshop, path: str, functions: Iterable[Function]) -> None:
    """Raise Refused where a test puts something else in the place of a library's class, or of how it is made or entered,
    and may come to one of the functions between what is served and the constructor.

    Its other methods may be replaced: those of an object that is there already are replaced, too.
    """
    library, last = path.partition(".")[0], path.rpartition(".")[2]
    root, name = re.escape(library), re.escape(last)
    object_ = rf"\(\s*(?:[\w.]*\b{root}\s*,\s*[\"']{name}|[\w.]*\b{name}\s*,\s*[\"']{ENTERS})[\"']"
    dotted = rf"(?:[\w.]+\.)?{root}\.(?:[\w.]+\.)?{name}(?:\.{ENTERS})?"
    patterns = [
        rf"setattr{object_}",
        rf"patch\.object{object_}",
        rf"\"{dotted}\"",
        rf"'{dotted}'",
        rf"(?m)^[ \t]*(?:[\w.]+\.)?{root}\.{name}\s*=(?!=)",
    ]
    for file in workshop.saying(library, last):
        text = file.text or ""
        if file.is_test and any(re.search(pattern, text) for pattern in patterns):
            if workshop.once(Tests).may_reach(file, functions):
                what = f"{library}.{last}"
                raise Refused(f"`{file.name}` puts something else in the place of `{what}`")


def refuse_patched(holders: Holders, library: str, module: Module) -> None:
    """Raise Refused where a file that speaks of a module patches its library: for the synchronous client."""
    root, last = re.escape(library), module.name.rpartition(".")[2]
    patched = re.compile(rf"(?:patch(?:\.object)?|setattr)\(\s*(?:f?[\"']{root}\.|{root}[.,])")
    for file in holders.workshop.saying(library):
        text = file.text or ""
        if "patch" not in text and "setattr" not in text:
            continue
        if patched.search(text) and re.search(rf"\b{re.escape(last)}\b", text):
            raise Refused(f"`{file.name}` replaces parts of `{library}`")


def refuse_spelled(source: Source, path: str) -> None:
    """Raise Refused where a module spells the import of a class in strings: `ImportFromModule("openai", ("OpenAI",))`."""
    module, _, name = path.rpartition(".")
    library = re.escape(module.partition(".")[0])
    spelled = rf"[\"']{library}[\w.]*[\"'][^\n]*[\"']{re.escape(name)}[\"']"
    if re.search(spelled, source.text):
        raise Refused(f"`{name}` is also named in a string, as what is to be imported")


NO_THREADS = re.compile(
    r"(?:patch(?:\.\w+)?|setattr)\([^)\n]*[\"'](?:[\w.]+\.)?(?:run_in_executor|to_thread|run_sync)[\"']"
)
"""A test that puts something in the place of what runs functions in threads."""


def refuse_without_threads(workshop: Workshop, module: Module) -> None:
    """Raise Refused where a test that speaks of a module replaces what would run its calls in threads."""
    for file in workshop.saying(module.name.rpartition(".")[2]):
        text = file.text or ""
        if not file.is_test or not ("run_in_executor" in text or "to_thread" in text):
            continue
        if NO_THREADS.search(text):
            raise Refused(f"`{file.name}` puts something else in the place of threads")
