"""asynclint finds what makes async Python services slow or fall over. This module is what rules and embedding programs may use."""

from __future__ import annotations

TYPE_CHECKING = False

__version__ = "0.1.0"

__all__ = ["Edit", "Finding", "Fix", "Link", "Refused", "Rule", "Safety", "Span", "__version__"]

if TYPE_CHECKING:
    from typing import Any

    from asynclint.findings import Edit, Finding, Fix, Link, Refused, Safety, Span
    from asynclint.rule import Rule


def __getattr__(name: str) -> Any:
    # Imported when asked for: `asynclint --version` needs neither libcst nor the engine.
    if name == "Rule":
        from asynclint.rule import Rule

        return Rule
    if name in __all__:
        from asynclint import findings

        return getattr(findings, name)
    raise AttributeError(f"module 'asynclint' has no attribute {name!r}")
