"""Completes lines of names in the knowledge tables from the source of installed packages: `python scripts/harvest_names.py`.

A class that has a line of `coroutines` gets all public coroutine methods of the real one; a synchronous class of TWINS gets
those that the asynchronous one awaits. What is there stays as it is, what came is written at the end; what went is an error of
`verify_knowledge.py`. Nothing is imported.
"""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harvest import KNOWLEDGE, Klass, Package

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from asynclint.knowledge.compiled import parse
from asynclint.knowledge.load import NAMES

LEFT_OUT = {
    "grpc": "its methods are called through stubs",
    "sanic": "its classes have coroutines that only the server calls",
    "tasks": "its workers have coroutines that only they call",
    "tornado": "its classes have coroutines that only the server calls",
}
"""Files whose lines are written by hand, and why."""
TWINS = {
    "slack_sdk.WebClient": ("sdk", "slack_sdk.web.async_client.AsyncWebClient"),
    "slack_sdk.webhook.WebhookClient": ("sdk", "slack_sdk.webhook.async_client.AsyncWebhookClient"),
}
"""Synchronous class → the line for what its asynchronous twin awaits."""
WRAPPED = {
    "cohere.AsyncClient": {"check_api_key"},
    "mysql.connector.aio.connection.MySQLConnection": {"cmd_query_iter"},
}
"""Class → methods that are no coroutines, though they are written as such: what a decorator or a `yield` makes of them."""
SUFFIXES = {"stripe": "_async"}
"""Packages whose classes have both sides: `create` blocks where there is `create_async`."""


def coroutines(package: Package, klass: Klass, known: frozenset[str], top: bool = True) -> set[str]:
    """Public coroutine methods of a class and of those bases that the tables do not speak of; not those that are for overriding."""
    if not top and klass.path in known:
        return set()
    found = {
        name
        for name, method in klass.methods.items()
        if method.is_async
        and not method.generates
        and not method.is_property
        and not name.startswith(("_", "on_"))
        and not name.endswith(("_hook", "_check", "_listeners"))
    }
    for base in klass.bases:
        found |= coroutines(package, package.find(base), known, top=False)
    return found


def real(package: Package, path: str) -> Klass | None:
    """The class at a public path; None where the installed package has none."""
    module, _, name = path.rpartition(".")
    found = package.resolve(module, name)
    return package.klass(*found) if found else None


def wanted(
    package: Package, path: str, table: dict[str, Any], known: frozenset[str]
) -> dict[str, set[str]]:
    """Key → the names that its line must have."""
    klass = real(package, path)
    if klass is None:
        return {}
    found: dict[str, set[str]] = {}
    if "coroutines" in table:
        found["coroutines"] = coroutines(package, klass, known)
        suffix = SUFFIXES.get(package.name)
        if suffix is not None:
            twins = {
                name.removesuffix(suffix) for name in found["coroutines"] if name.endswith(suffix)
            }
            found["sdk"] = {name for name in twins if name in klass.methods}
    if path in TWINS:
        key, twin = TWINS[path]
        other = real(package, twin)
        assert other is not None, twin
        found[key] = coroutines(package, other, known) & public(package, klass)
    told = set(table.get("methods", {})) | WRAPPED.get(path, set())
    lines = {key: set(listed(table[key])) for key in NAMES if isinstance(table.get(key), str)}
    for key, value in found.items():
        value -= told.union(*(names for other, names in lines.items() if other != key))
    return found


def public(package: Package, klass: Klass) -> set[str]:
    """All public methods, inherited ones included."""
    found = {name for name in klass.methods if not name.startswith("_")}
    for base in klass.bases:
        found |= public(package, package.find(base))
    return found


def listed(text: str) -> list[str]:
    """The names of a line."""
    return [n.rstrip("!") for word in text.split() for n in word.partition(":")[0].split(",")]


def line(text: str, found: set[str]) -> str:
    """The words of a line, and what it lacks at the end."""
    return " ".join([*text.split(), *sorted(found - set(listed(text)))])


def harvest(text: str) -> str:
    """The file's text with its lines completed."""
    tables = parse(text)
    roots = dict.fromkeys(root.partition(".")[0] for root in tables["roots"])
    for name in roots:
        spec = find_spec(name)
        if spec is None or spec.origin is None or not spec.origin.endswith("__init__.py"):
            continue
        package = Package(name)
        known = frozenset(definitions(package, tables["classes"]))
        for path, table in tables["classes"].items():
            if path.partition(".")[0] != name:
                continue
            for key, found in wanted(package, path, table, known).items():
                before = table.get(key, "")
                after = line(before, found)
                if before != after:
                    text = replaced(text, path, key, before, after)
    return text


def definitions(package: Package, classes: dict[str, object]) -> list[str]:
    """Where the classes of the tables are defined."""
    found = (real(package, path) for path in classes if path.startswith(f"{package.name}."))
    return [klass.path for klass in found if klass is not None]


def replaced(text: str, path: str, key: str, before: str, after: str) -> str:
    """One line of one class replaced."""
    head = f'[classes."{path}"]\n'
    start = text.index(head)
    end = text.find("\n[", start + len(head))
    part = text[start : end if end != -1 else len(text)]
    old, new = f'{key} = "{before}"', f'{key} = "{after}"'
    done = part.replace(old, new) if old in part else part.replace(head, f"{head}{new}\n")
    return text.replace(part, done)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", help="stems of knowledge files; all by default")
    parser.add_argument("--check", action="store_true", help="fail where a file would change")
    arguments = parser.parse_args()
    changed = 0
    for target in sorted(KNOWLEDGE.glob("*.toml")):
        text = target.read_text("utf-8")
        if target.stem in LEFT_OUT or (arguments.files and target.stem not in arguments.files):
            continue
        tables = parse(text)
        if "classes" not in tables or not is_verified(tables):
            continue
        new = harvest(text)
        if new == text:
            continue
        changed += 1
        print(f"{target.name} {'differs' if arguments.check else 'written'}", file=sys.stderr)
        if not arguments.check:
            target.write_text(new, "utf-8")
    return int(arguments.check and changed > 0)


def is_verified(tables: dict[str, Any]) -> bool:
    """Whether the installed versions are the ones that the file was verified with."""
    verified = tables.get("verified", {})
    try:
        return bool(verified) and all(version(name) == v for name, v in verified.items())
    except PackageNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(main())
