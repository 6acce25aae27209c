"""pyproject.toml or asynclint.toml → Config."""

from __future__ import annotations

import contextlib
import fnmatch
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_EXCLUDE = (
    ".bzr", ".direnv", ".eggs", ".git", ".git-rewrite", ".hg", ".ipynb_checkpoints", ".mypy_cache", ".nox",
    ".pants.d", ".pyenv", ".pytest_cache", ".pytype", ".ruff_cache", ".svn", ".tox", ".venv", ".vscode",
    ".asynclint_cache", "__pypackages__", "_build", "buck-out", "build", "dist", "node_modules",
    "site-packages", "venv",
)  # fmt: skip

LEVELS = ("note", "warning", "error")
FORMATS = ("full", "concise", "json", "github", "gitlab", "sarif", "junit")
CLIENT_STYLES = ("app-state", "lifespan-state", "dependency", "module")
ALL = ("all", "ALL")
"""Every rule; users of ruff write the second."""


class ConfigError(Exception):
    """A setting that cannot be used; the message is one line that names the file, the key and what to do."""


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one run."""

    root: Path
    """Where the configuration was found, else the project's root; relative settings start here."""
    source: Path | None = None
    """The file that was read."""
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    exclude: tuple[str, ...] = DEFAULT_EXCLUDE
    extend_exclude: tuple[str, ...] = ()
    force_exclude: bool = False
    respect_gitignore: bool = True
    src: tuple[str, ...] = (".", "src")
    levels: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    """Directories of further rules."""
    knowledge: Mapping[str, Any] = field(default_factory=dict)
    notes: bool = False
    fail_on: str = "warning"
    output_format: str = "full"
    exit_zero: bool = False
    max_file_size: int = 10_000_000
    """Bytes; larger files are not read."""
    jobs: int | None = None
    """Processes to read files with; None: as many as pay off."""
    cache: bool = True
    python: str | None = None
    """An interpreter whose installed packages are read beside what ships as knowledge."""
    fixable: tuple[str, ...] = ALL[:1]
    unfixable: tuple[str, ...] = ()
    client_style: str = "app-state"
    """`fix.client`: where a shared client is kept."""
    limit: int = 10
    """`fix.limit`: how much a bounded fan-out runs at once."""


_STRINGS = (
    "select",
    "ignore",
    "extend_select",
    "exclude",
    "extend_exclude",
    "src",
    "rules",
    "fixable",
    "unfixable",
)
_FLAGS = ("force_exclude", "respect_gitignore", "notes", "exit_zero", "cache")
_TABLES = ("per_file_ignores", "levels", "knowledge")
_CHOICES = {"fail_on": LEVELS, "output_format": FORMATS, "client_style": CLIENT_STYLES}
_NUMBERS = ("max_file_size", "jobs", "limit")
_WORDS = ("python",)
_FIX = {"client": "client_style", "limit": "limit"}
"""The keys of `[tool.asynclint.fix]`, and the settings that they are."""
_KEYS = (
    *(
        name
        for name in (*_STRINGS, *_FLAGS, *_TABLES, *_CHOICES, *_NUMBERS, *_WORDS)
        if name not in _FIX.values()
    ),
    "fix",
)


def load(
    start: Path,
    *,
    config_file: str | None = None,
    isolated: bool = False,
    overrides: Mapping[str, Any] | None = None,
) -> Config:
    """The configuration that holds at a path.

    `overrides` are values in the form of the TOML table, which win. Raises ConfigError.
    """
    table: Mapping[str, Any] = {}
    source: Path | None = None
    root = start if start.is_dir() else start.parent
    if config_file is not None:
        source = Path(config_file)
        if not source.is_file():
            raise ConfigError(f"{config_file}: no such configuration file")
        table = _table(source)
        root = source.resolve().parent
    elif not isolated:
        for directory in (root.resolve(), *root.resolve().parents):
            found = _in_directory(directory)
            if found is not None:
                source, table = found
                root = directory
                break
    config = from_table(table, root, source)
    return override(config, overrides) if overrides else config


def _in_directory(directory: Path) -> tuple[Path, Mapping[str, Any]] | None:
    own = directory / "asynclint.toml"
    if own.is_file():
        return own, _table(own)
    project = directory / "pyproject.toml"
    if project.is_file():
        text = _text(project)
        if "asynclint" in text:
            document = _parse(project, text)
            tool = _mapping(document.get("tool", {}), project, "tool")
            table = tool.get("asynclint")
            if table is not None:
                return project, _mapping(table, project, "tool.asynclint")
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: cannot be read: is not UTF-8") from None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ConfigError(f"{path}: cannot be read: {why}") from None


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = tomllib.loads(text)
        return document
    except tomllib.TOMLDecodeError as error:
        message, _, place = str(error).partition(" (at ")
        number = re.match(r"line (\d+)", place)
        line = int(number[1]) if number else text.count("\n") + 1
        message = f"{message[:1].lower()}{message[1:]}"
        raise ConfigError(f"{path}:{line}: not valid TOML: {message}") from None


def _table(path: Path) -> Mapping[str, Any]:
    document = _parse(path, _text(path))
    if path.name == "pyproject.toml":
        table = _mapping(document.get("tool", {}), path, "tool").get("asynclint", {})
        return _mapping(table, path, "tool.asynclint")
    if set(document) == {"tool"}:
        table = _mapping(document["tool"], path, "tool").get("asynclint", {})
        return _mapping(table, path, "tool.asynclint")
    return document


def _mapping(value: Any, path: Path | None, key: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{path or 'configuration'}: `{key}` must be a table")
    return value


def from_table(table: Mapping[str, Any], root: Path, source: Path | None = None) -> Config:
    """A Config from the content of `[tool.asynclint]`. Raises ConfigError."""
    return override(Config(root=root, source=source), table)


def override(config: Config, table: Mapping[str, Any]) -> Config:
    """A Config with the values of a table in place of its own. Raises ConfigError."""
    where = str(config.source) if config.source else "configuration"
    values: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in _KEYS:
            raise ConfigError(_unknown(key, _KEYS, where))
        if name == "fix":
            for below, setting in _mapping(value, config.source, key).items():
                if below not in _FIX:
                    raise ConfigError(_unknown(below, _FIX, where, f"{key}."))
                values[_FIX[below]] = _value(_FIX[below], setting, where, f"{key}.{below}")
        else:
            values[name] = _value(name, value, where, key)
    return replace(config, **values)


def _unknown(key: str, keys: Iterable[str], where: str, above: str = "") -> str:
    hint = _nearest(key, [k.replace("_", "-") for k in keys])
    return f"{where}: unknown key `{above}{key}`{hint}"


def _value(name: str, value: Any, where: str, key: str) -> Any:
    """What a setting becomes in Config."""
    if name in _STRINGS:
        return _strings(value, where, key)
    if name in _FLAGS:
        if not isinstance(value, bool):
            raise ConfigError(f"{where}: `{key}` must be true or false")
    elif name in _NUMBERS:
        if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
            raise ConfigError(f"{where}: `{key}` must be a positive number")
    elif name in _WORDS:
        if not isinstance(value, str):
            raise ConfigError(f"{where}: `{key}` must be a string")
    elif name in _CHOICES:
        if value not in _CHOICES[name]:
            raise ConfigError(f"{where}: `{key}` must be one of {', '.join(_CHOICES[name])}")
    else:
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: `{key}` must be a table")
        return _tables(name, value, where, key)
    return value


def _tables(name: str, value: Mapping[str, Any], where: str, key: str) -> Mapping[str, Any]:
    if name == "per_file_ignores":
        return {glob: _strings(names, where, f"{key}.{glob}") for glob, names in value.items()}
    if name == "levels":
        for rule, level in value.items():
            if level not in LEVELS:
                raise ConfigError(f"{where}: `{key}.{rule}` must be one of {', '.join(LEVELS)}")
    return dict(value)


def _strings(value: Any, where: str, key: str) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
        raise ConfigError(f"{where}: `{key}` must be a list of strings")
    return tuple(value)


def _nearest(word: str, words: Iterable[str]) -> str:
    import difflib

    close = difflib.get_close_matches(word, list(words), n=1, cutoff=0.5)
    return f"; did you mean `{close[0]}`?" if close else ""


# -- which rules ------------------------------------------------------------------------------------


def validate_names(config: Config, known: Mapping[str, str]) -> None:
    """Raise ConfigError where a setting names a rule or group that there is not; `known` maps rules to groups."""
    words = {*known, *known.values(), *ALL}
    where = str(config.source) if config.source else "configuration"
    named: list[tuple[str, Iterable[str]]] = [
        ("select", config.select or ()),
        ("ignore", config.ignore),
        ("extend-select", config.extend_select),
        ("fixable", config.fixable),
        ("unfixable", config.unfixable),
        *((f"per-file-ignores.{glob}", names) for glob, names in config.per_file_ignores.items()),
    ]
    for name in config.levels:
        if name in words and name not in known:
            raise ConfigError(
                f"{where}: `levels` names the group `{name}`; name its rules one by one"
            )
    named.append(("levels", config.levels))
    for key, names in named:
        for name in names:
            if name not in words:
                raise ConfigError(
                    f"{where}: `{key}` names an unknown rule `{name}`{_nearest(name, words)}"
                )


def _strength(names: Iterable[str], rule: str, group: str) -> int:
    """How exactly a list of selectors means a rule: 3 by name, 2 by group, 1 by "all", 0 not at all."""
    strength = 0
    for name in names:
        if name == rule:
            return 3
        if name == group:
            strength = max(strength, 2)
        elif name in ALL:
            strength = max(strength, 1)
    return strength


def enabled(config: Config, rule: str, group: str, default: bool, path: str | None = None) -> bool:
    """Whether a rule runs, for a file where `path` is given. The more exact selector wins; `ignore` wins a draw."""
    chosen = _strength(config.extend_select, rule, group)
    if config.select is not None:
        strength = _strength(config.select, rule, group)
        # A rule that is off by default runs when it is named, or with "all".
        chosen = max(chosen, strength if default or strength in (1, 3) else 0)
    elif default:
        chosen = max(chosen, 1)
    if not chosen or _strength(config.ignore, rule, group) >= chosen:
        return False
    if path is None:
        return True
    return not any(
        _strength(names, rule, group) and _matches(path, glob, config.root)
        for glob, names in config.per_file_ignores.items()
    )


def _matches(path: str, glob: str, root: Path) -> bool:
    candidates = [path, Path(path).name]
    with contextlib.suppress(ValueError):
        candidates.append(Path(path).resolve().relative_to(root.resolve()).as_posix())
    patterns = [glob, f"{glob.rstrip('/')}/*"]
    return any(fnmatch.fnmatch(c, p) for c in candidates for p in patterns)


def fixable(config: Config, rule: str, groups: Mapping[str, str]) -> bool:
    """Whether fixes of a rule may be applied. The more exact selector wins; `unfixable` wins a draw."""
    group = groups.get(rule, rule)
    chosen = _strength(config.fixable, rule, group)
    return bool(chosen) and _strength(config.unfixable, rule, group) < chosen


def named(config: Config, rule: str) -> bool:
    """Whether the rule is named itself, so that its notes are shown."""
    return rule in (config.select or ()) or rule in config.extend_select
