"""Findings → text, one module a format: `render(findings, context) -> str`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from asynclint import packs
from asynclint.config import Config
from asynclint.findings import Finding

MODULES = {
    "full": "full",
    "concise": "concise",
    "json": "as_json",
    "github": "github",
    "gitlab": "gitlab",
    "sarif": "sarif",
    "junit": "junit",
}

SHOW_FIXES = frozenset({"full", "json", "sarif"})
"""The formats in which a finding's fixes, or the reason why there are none, can be read."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a format may need beside the findings."""

    texts: Mapping[str, str]
    """Source text by the path that findings name."""
    config: Config
    colour: bool = False
    """Whether ANSI colours are wanted."""
    quiet: bool = False
    """No summary."""
    known: Mapping[str, packs.Meta] | None = None
    """What the rules say of themselves, where that was read already."""
    _lines: dict[str, list[str]] = field(default_factory=dict, init=False, repr=False)

    def line(self, path: str, number: int) -> str | None:
        """A source line (1-based) without its end."""
        lines = self._lines.get(path)
        if lines is None:
            text = self.texts.get(path)
            if text is None:
                return None
            lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            self._lines[path] = lines
        return lines[number - 1] if 0 < number <= len(lines) else None

    def rules(self) -> Mapping[str, packs.Meta]:
        """What the rules say of themselves, by name."""
        if self.known is not None:
            return self.known
        config = self.config
        return packs.known([packs.builtin(), *(config.root / r for r in config.rules)])


def render(name: str, findings: Sequence[Finding], context: Context) -> str:
    """The findings in one of the formats of `MODULES`."""
    module = importlib.import_module(f"asynclint.report.{MODULES[name]}")
    text: str = module.render(findings, context)
    return text
