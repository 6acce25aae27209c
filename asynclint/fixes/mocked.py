"""Tests that put something else in the place of what a plan changes."""

from __future__ import annotations

import re

from asynclint.facts.program import Module, Program
from asynclint.findings import Refused
from asynclint.fixes.holders import Holders
from asynclint.fixes.mentions import Global, Held, Holder, Result
from asynclint.fixes.source import Source

REPLACING = ("patch", "setattr", "dependency_overrides")
"""One of these is in every text that puts something in the place of something else."""


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
        refuse_replaced(holders.program, owner.rpartition(".")[2], name)


def refuse_replaced(program: Program, owner: str, name: str) -> None:
    """Raise Refused where a file puts something else in the place of `owner.name`; the owner is a module's or class's last name.

    In a test any string that names it counts: it may be handed to `patch` by way of a constant or a helper.
    """
    word, first = re.escape(name), re.escape(owner)
    named = re.compile(rf"[\"'](?:[\w.]+\.)?{first}\.{word}\b[\w.]*[\"']")
    patched = re.compile(
        rf"(?:patch(?:\.\w+)?|setattr)\(\s*f?[\"'][\w.]*\b{first}\.{word}\b"
        rf"|(?:setattr|patch\.object)\([^)]*\b{first}\b[^)]*,\s*[\"']{word}[\"']"
        rf"|dependency_overrides\[[^\]]*\b{word}\]"
    )
    for file in program.project.files:
        text = file.text or ""
        if name not in text or not (owner in text or "dependency_overrides" in text):
            continue
        if not file.is_test and not any(word in text for word in REPLACING):
            continue
        if patched.search(text) or (file.is_test and named.search(text)):
            raise Refused(f"`{file.name}` puts something else in the place of `{owner}.{name}`")


def refuse_patched(holders: Holders, library: str, module: Module) -> None:
    """Raise Refused where a file that speaks of a module patches its library: for the synchronous client."""
    root, last = re.escape(library), module.name.rpartition(".")[2]
    patched = re.compile(rf"(?:patch(?:\.object)?|setattr)\(\s*(?:f?[\"']{root}\.|{root}[.,])")
    for file in holders.program.project.files:
        text = file.text or ""
        if library not in text or not ("patch" in text or "setattr" in text):
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


def refuse_without_threads(program: Program, module: Module) -> None:
    """Raise Refused where a test that speaks of a module replaces what would run its calls in threads."""
    word = re.compile(rf"\b{re.escape(module.name.rpartition('.')[2])}\b")
    for file in program.project.files:
        text = file.text or ""
        if not file.is_test or not ("run_in_executor" in text or "to_thread" in text):
            continue
        found = NO_THREADS.search(text)
        if found is not None and word.search(text):
            raise Refused(f"`{file.name}` puts something else in the place of threads")
