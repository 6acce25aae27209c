"""Tests that put something else in the place of what a plan changes."""

from __future__ import annotations

import re

from asynclint.facts.program import Module
from asynclint.findings import Refused
from asynclint.fixes.holders import Holders
from asynclint.fixes.mentions import Global, Held, Holder, Result


def refuse_mocked(holders: Holders, holder: Holder) -> None:
    """Raise Refused where a file patches a holder: what it puts there would not be awaited."""
    if isinstance(holder, Global):
        owner, name = holder.module.name.rpartition(".")[2], holder.name
    elif isinstance(holder, Held):
        owner, name = holder.klass.facts.name, holder.name
    elif isinstance(holder, Result):
        klass = holder.function.klass
        owner = klass.facts.name if klass else holder.function.module.name.rpartition(".")[2]
        name = holder.function.facts.name
    else:
        return
    if not name:
        return
    word, first = re.escape(name), re.escape(owner)
    patterns = (
        rf"patch(?:\.object)?\(\s*f?[\"'][\w.]*\b{first}\.{word}\b",
        rf"(?:setattr|patch\.object)\([^)]*\b{first}\b[^)]*,\s*[\"']{word}[\"']",
        rf"setattr\(\s*[\"'][\w.]*\b{first}\.{word}[\"']",
        rf"dependency_overrides\[[^\]]*\b{word}\]",
    )
    for file in holders.program.project.files:
        text = file.text or ""
        if name not in text or not ("patch" in text or "setattr" in text or "overrides" in text):
            continue
        if any(re.search(pattern, text) for pattern in patterns):
            raise Refused(f"`{file.name}` replaces `{name}` by something else")


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
