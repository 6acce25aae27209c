"""What a program registers or is put together from, by its name: as many as somebody wrote down, and no data."""

from __future__ import annotations

import re

REGISTERED = frozenset({
    "handler", "listener", "callback", "hook", "plugin", "middleware", "observer", "subscriber", "config",
    "coordinator", "integration", "component", "platform", "extension", "service", "provider", "backend", "guardrail",
    "capabilit", "toolset", "server", "factor", "registr", "validator", "scanner", "rail",
})  # fmt: skip
"""The last words, in the singular, of names for things that a program registers."""

PARTS = REGISTERED | {
    "adapter", "agent", "client", "driver", "engine", "evaluator", "executor", "exporter", "loader", "manager", "metric", "model",
    "processor", "runner", "sink", "store", "stage", "step", "task", "tool", "worker",
}  # fmt: skip
"""The last words of the names of classes whose objects do something."""


def names_registered(variable: str) -> bool:
    """`self.handlers`, `plugin_configs`."""
    last = variable.lower().rpartition("_")[2]
    return last.removesuffix("s").removesuffix("ie") in REGISTERED


def names_part(klass: str) -> bool:
    """`RemoteStore`; not a name without words: `rows`."""
    words = re.findall("[A-Z][a-z]*", klass)
    return bool(words) and words[-1].lower() in PARTS
