"""Where settings come from, which are refused and how, and which rules they choose."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from asynclint.config import (
    Config,
    ConfigError,
    enabled,
    from_table,
    load,
    named,
    override,
    validate_names,
)

KNOWN = {
    "blocking-sleep": "blocking",
    "blocking-wait": "blocking",
    "client-per-item": "clients",
    "missing-timeout": "cancellation",
    "syntax-error": "engine",
}


def refused(call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        call(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


# -- where settings come from -----------------------------------------------------------------------------


def test_no_configuration(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert config == Config(root=tmp_path)
    assert (config.source, config.select, config.fail_on) == (None, None, "warning")


def test_nearest_file_with_a_table(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[tool.asynclint]\nignore = ["x"]\n', "utf-8")
    (tmp_path / "a" / "pyproject.toml").write_text("# asynclint\n[tool.other]\n", "utf-8")
    (deep / "x.py").write_text("", "utf-8")
    for start in (deep, deep / "x.py"):
        config = load(start)
        assert config.ignore == ("x",)
        assert config.source == tmp_path / "pyproject.toml"
        assert config.root == tmp_path
    (tmp_path / "a" / "asynclint.toml").write_text('ignore = ["y"]\n', "utf-8")
    assert load(deep).ignore == ("y",)
    assert load(deep, isolated=True) == Config(root=deep)


def test_own_file_wins_over_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.asynclint]\nnotes = true\n", "utf-8")
    (tmp_path / "asynclint.toml").write_text("exit-zero = true\n", "utf-8")
    config = load(tmp_path)
    assert (config.notes, config.exit_zero) == (False, True)


def test_own_file_with_the_prefix_of_pyproject(tmp_path: Path) -> None:
    (tmp_path / "asynclint.toml").write_text("[tool.asynclint]\nnotes = true\n", "utf-8")
    assert load(tmp_path).notes


def test_an_empty_own_file_ends_the_search(tmp_path: Path) -> None:
    (tmp_path / "asynclint.toml").write_text("notes = true\n", "utf-8")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "asynclint.toml").write_text("", "utf-8")
    assert not load(tmp_path / "a").notes


def test_named_file(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "lint.toml").write_text('rules = ["lint"]\n', "utf-8")
    (tmp_path / "asynclint.toml").write_text("notes = true\n", "utf-8")
    config = load(tmp_path, config_file=str(tmp_path / "conf" / "lint.toml"))
    assert (config.rules, config.notes) == (("lint",), False)
    assert config.root == tmp_path / "conf"
    missing = str(tmp_path / "gone.toml")
    assert refused(load, tmp_path, config_file=missing) == f"{missing}: no such configuration file"


def test_a_byte_order_mark_is_no_syntax_error(tmp_path: Path) -> None:
    (tmp_path / "asynclint.toml").write_bytes(b"\xef\xbb\xbfnotes = true\r\n")
    assert load(tmp_path).notes


def test_overrides_win(tmp_path: Path) -> None:
    (tmp_path / "asynclint.toml").write_text('ignore = ["x"]\nnotes = true\n', "utf-8")
    config = load(tmp_path, overrides={"ignore": ["y"]})
    assert (config.ignore, config.notes) == (("y",), True)


# -- what is accepted ---------------------------------------------------------------------------------------


def test_every_setting() -> None:
    table = {
        "select": ["blocking"],
        "ignore": ["blocking-wait"],
        "extend-select": ["clients"],
        "per-file-ignores": {"tests/*": ["clients"]},
        "exclude": ["a"],
        "extend-exclude": ["b"],
        "force-exclude": True,
        "respect-gitignore": False,
        "src": ["lib"],
        "levels": {"blocking-wait": "note"},
        "rules": ["lint"],
        "knowledge": {"clients": ["x.Client"], "anything": {"goes": 1}},
        "notes": True,
        "fail-on": "error",
        "output-format": "json",
        "exit-zero": True,
        "max-file-size": 5,
        "jobs": 2,
        "cache": False,
        "python": ".venv/bin/python",
        "fixable": ["all"],
        "unfixable": ["blocking"],
        "fix": {"client": "module", "limit": 3},
    }
    config = from_table(table, Path("/p"))
    assert {f.name for f in fields(Config)} == {
        "root",
        "source",
        "client_style",
        "limit",
        *(key.replace("-", "_") for key in table if key != "fix"),
    }
    assert (config.client_style, config.limit) == ("module", 3)
    assert config.knowledge == table["knowledge"]
    assert config.per_file_ignores == {"tests/*": ("clients",)}
    assert config.select == ("blocking",)
    assert (config.max_file_size, config.fail_on, config.respect_gitignore) == (5, "error", False)
    assert config == override(
        Config(Path("/p")), {key.replace("-", "_"): value for key, value in table.items()}
    )


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("slect", [], "unknown key `slect`; did you mean `select`?"),
        ("per_file_ignore", {}, "did you mean `per-file-ignores`?"),
        ("zzzzzz", 1, "unknown key `zzzzzz`"),
        ("select", "blocking", "`select` must be a list of strings"),
        ("ignore", [1], "`ignore` must be a list of strings"),
        ("notes", "yes", "`notes` must be true or false"),
        ("notes", 1, "`notes` must be true or false"),
        ("max-file-size", True, "`max-file-size` must be a positive number"),
        ("max-file-size", 0, "`max-file-size` must be a positive number"),
        ("max-file-size", "10 MB", "`max-file-size` must be a positive number"),
        ("fail-on", "fatal", "`fail-on` must be one of note, warning, error"),
        ("fail-on", ["error"], "`fail-on` must be one of note, warning, error"),
        ("output-format", "yaml", "`output-format` must be one of full, concise, json"),
        ("jobs", 0, "`jobs` must be a positive number"),
        ("python", 3.12, "`python` must be a string"),
        ("fix", 3, "`fix` must be a table"),
        ("fix", {"clint": "module"}, "unknown key `fix.clint`; did you mean `client`?"),
        ("fix", {"client": "x"}, "`fix.client` must be one of app-state, lifespan-state"),
        ("client-style", "module", "unknown key `client-style`"),
        ("levels", [], "`levels` must be a table"),
        ("levels", {"x": "off"}, "`levels.x` must be one of note, warning, error"),
        ("knowledge", ["x"], "`knowledge` must be a table"),
        ("per-file-ignores", {"*": "x"}, "`per-file-ignores.*` must be a list of strings"),
    ],
)
def test_what_is_refused(key: str, value: Any, says: str) -> None:
    message = refused(from_table, {key: value}, Path("/p"), Path("/p/asynclint.toml"))
    assert message.startswith("/p/asynclint.toml: ")
    assert says in message


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("pyproject.toml", "[tool.asynclint]\nselect = [\n", "pyproject.toml:3: not valid TOML"),
        ("asynclint.toml", "a = 1\nb 2\n", "asynclint.toml:2: not valid TOML: expected '='"),
        ("asynclint.toml", "a = 1\na = 2\n", "asynclint.toml:2: not valid TOML"),
        ("pyproject.toml", "tool = 'asynclint'\n", "`tool` must be a table"),
        ("pyproject.toml", "[tool]\nasynclint = 3\n", "`tool.asynclint` must be a table"),
        ("asynclint.toml", "[tool]\nasynclint = 3\n", "`tool.asynclint` must be a table"),
    ],
)
def test_broken_files_name_file_and_line(name: str, text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    message = refused(load, tmp_path)
    assert message.startswith(str(tmp_path / name))
    assert says in message
    assert says in refused(load, tmp_path, config_file=str(tmp_path / name))


def test_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "asynclint.toml").write_bytes(b"\xff\xfe")
    assert "asynclint.toml: cannot be read: is not UTF-8" in refused(load, tmp_path)


def test_broken_pyproject_that_does_not_mention_asynclint(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project\n", "utf-8")
    assert load(tmp_path).source is None


# -- names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"select": ["blocking-slep"]}, "`select` names an unknown rule `blocking-slep`; did you mean `blocking-sleep`?"),
        ({"ignore": ["client"]}, "did you mean `clients`?"),
        ({"extend-select": ["qqq"]}, "`extend-select` names an unknown rule `qqq`"),
        ({"levels": {"bloking-wait": "note"}}, "did you mean `blocking-wait`?"),
        ({"levels": {"blocking": "note"}}, "`levels` names the group `blocking`"),
        ({"levels": {"all": "note"}}, "`levels`"),
        ({"levels": {"ALL": "note"}}, "`levels`"),
        ({"per-file-ignores": {"x/*": ["clientz"]}}, "`per-file-ignores.x/*`"),
    ],
)  # fmt: skip
def test_unknown_names(table: dict[str, Any], says: str) -> None:
    config = from_table(table, Path("/p"), Path("/p/pyproject.toml"))
    message = refused(validate_names, config, KNOWN)
    assert message.startswith("/p/pyproject.toml: ")
    assert says in message


def test_known_names() -> None:
    table = {
        "select": ["all", "blocking", "blocking-sleep", "syntax-error"],
        "levels": {"blocking-wait": "note"},
        "per-file-ignores": {"*": ["clients"]},
    }
    validate_names(from_table(table, Path("/p")), KNOWN)


@pytest.mark.parametrize(
    ("table", "chosen"),
    [
        ({}, "blocking-sleep blocking-wait client-per-item"),
        ({"select": []}, ""),
        ({"select": ["blocking"]}, "blocking-sleep blocking-wait"),
        ({"select": ["all"]}, "blocking-sleep blocking-wait client-per-item missing-timeout"),
        ({"select": ["ALL"]}, "blocking-sleep blocking-wait client-per-item missing-timeout"),
        ({"select": ["missing-timeout"]}, "missing-timeout"),
        ({"select": ["cancellation"]}, ""),
        ({"extend-select": ["missing-timeout"]}, "blocking-sleep blocking-wait client-per-item missing-timeout"),
        ({"extend-select": ["cancellation"]}, "blocking-sleep blocking-wait client-per-item missing-timeout"),
        ({"select": ["clients"], "extend-select": ["blocking-wait"]}, "blocking-wait client-per-item"),
        ({"ignore": ["blocking"]}, "client-per-item"),
        ({"ignore": ["all"]}, ""),
        ({"ignore": ["blocking-wait"]}, "blocking-sleep client-per-item"),
        ({"select": ["blocking-sleep"], "ignore": ["blocking"]}, "blocking-sleep"),
        ({"select": ["blocking"], "ignore": ["blocking-sleep"]}, "blocking-wait"),
        ({"select": ["blocking"], "ignore": ["all"]}, "blocking-sleep blocking-wait"),
        ({"select": ["blocking-sleep"], "ignore": ["blocking-sleep"]}, ""),
        ({"ignore": ["blocking"], "extend-select": ["blocking-wait"]}, "blocking-wait client-per-item"),
    ],
)  # fmt: skip
def test_the_more_exact_name_wins(table: dict[str, Any], chosen: str) -> None:
    config = from_table(table, Path("/p"))
    rules = {name: group for name, group in KNOWN.items() if group != "engine"}
    runs = [
        name
        for name, group in rules.items()
        if enabled(config, name, group, name != "missing-timeout")
    ]
    assert runs == chosen.split()


@pytest.mark.parametrize(
    ("glob", "path", "ignored"),
    [
        ("tests/*", "tests/a.py", True),
        ("tests/*", "tests/deep/a.py", True),
        ("tests", "tests/a.py", True),
        ("tests/", "tests/a.py", True),
        ("tests/*", "app/tests/a.py", False),
        ("**/tests/*", "app/tests/a.py", True),
        ("conftest.py", "app/conftest.py", True),
        ("app/a.py", "app/a.py", True),
        ("app/a.py", "app/b.py", False),
        ("*_pb2.py", "app/x_pb2.py", True),
    ],
)
def test_ignores_by_file(
    glob: str, path: str, ignored: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = from_table({"per-file-ignores": {glob: ["blocking"]}}, tmp_path)
    assert enabled(config, "blocking-sleep", "blocking", True, path) is not ignored
    assert enabled(config, "client-per-item", "clients", True, path)
    assert enabled(config, "blocking-sleep", "blocking", True)


def test_ignores_by_file_start_at_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tests").mkdir()
    monkeypatch.chdir(tmp_path / "tests")
    config = from_table({"per-file-ignores": {"tests/*": ["all"]}}, tmp_path)
    assert not enabled(config, "blocking-sleep", "blocking", True, "a.py")
    assert not enabled(config, "blocking-sleep", "blocking", True, str(tmp_path / "tests/a.py"))


def test_rules_that_are_named_themselves() -> None:
    config = from_table({"select": ["blocking", "blocking-wait"]}, Path("/p"))
    assert named(config, "blocking-wait")
    assert not named(config, "blocking-sleep")
    assert named(from_table({"extend-select": ["lost-task"]}, Path("/p")), "lost-task")
