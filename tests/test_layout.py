"""Calls that are handed to a thread are broken as ruff would break them."""

from __future__ import annotations

import ast
import difflib
import subprocess
import sys
import textwrap
from pathlib import Path

import fixing
import pytest

from asynclint.fixes.columns import columns, within_strings
from asynclint.fixes.source import Source
from asynclint.testing import examples, fixed, unmarked
from asynclint.widths import Width

RULES = Path(__file__).resolve().parent.parent / "rules"

HEAD = """\
import asyncio
import json
import time


def load(path, mode="r", encoding="utf-8", errors="strict", limit=1000):
    time.sleep(1)
    return path


class Record:
    @classmethod
    def of(cls, data, source=None):
        return data


async def handler(record_of_the_first_user, path_of_the_first_record, other, items):
"""

STATEMENTS = [
    "value = load(path_of_the_first_record)",
    'value = load(path_of_the_first_record, errors="ignore")',
    'value = load(path_of_the_first_record, mode="rb", errors="ignore", limit=2000)',
    'value = load(path_of_the_first_record, mode="rb", encoding="utf-8-sig", errors="ignore")',
    "value = load(path_of_the_first_record, {\"mode\": other, \"encoding\": 2}, [1, 2, 3, 4, 5])",
    'value = json.loads(load(path_of_the_first_record, encoding="utf-8-s"))',
    'value = json.loads(load(record_of_the_first_user.path_of_the_first_record, errors="ignore"))',
    'value = json.loads(load(record_of_the_first_user.path_of_the_record, errors="i"), strict=True)',
    'value = Record.of(json.loads(load(path_of_the_first_record, errors="ignore")), source=other)',
    'value = Record.of(source=json.loads(load(path_of_the_first_record, errors="i")), data=1)',
    'value = load(path_of_the_first_record, errors="ignore", mode="r").strip()',
    'value = load(path_of_the_first_record, errors="ignore", mode="r")["key"]',
    'value = load(path_of_the_first_record, errors="ignore", mode="r").get("key")',
    'value = Record.of(load(path_of_the_first_record, errors="ignore", mode="r").strip())',
    'value = [load(path_of_the_first_record, "ignore", mode="r"), other]',
    'value = {"first": load(path_of_the_first_record, "ignore"), "other": other}',
    'return load(path_of_the_first_record, errors="ignore", mode="rb")',
    'return other, load(path_of_the_first_record, errors="ignore", mode="r")',
    'if load(path_of_the_first_record, errors="ignore", mode="rb+"):\n    return other',
    'if not load(path_of_the_first_record, errors="ignore", mode="rb+"):\n    return other',
    'if load(path_of_the_first_record, errors="ignore", mode="rb") == 1:\n    return other',
    'if other and load(path_of_the_first_record, errors="ignore", mode="r"):\n    return other',
    'for one in load(path_of_the_first_record, errors="ignore", mode="r"):\n    print(one)',
    'for one in load(path_of_the_first_record, errors="ignore").splitlines():\n    print(one)',
    'for one, more in enumerate(\n    load(path_of_the_first_record, errors="strict").splitlines(), start=1\n):\n    print(one, more)',
    "value = [load(one, encoding=\"utf-8-sig\", errors=\"i\") for one in items]",
    'value = "first" + load(path_of_the_first_record, errors="ignore")',
    'value = load(path_of_the_first_record, errors="ignore", mode="r") or other',
    'self_first = other_first = load(path_of_the_first_record, errors="ignore")',
    'assert load(path_of_the_first_record, errors="ignore", mode="rb")',
    'assert load(path_of_the_first_record, errors="ignore", mode="rb"), "nothing"',
    'raise ValueError(load(path_of_the_first_record, errors="ignore", mode="r"))',
    'print("the first record", load(path_of_the_first_record, errors="ignore"))',
    'value = load(path_of_the_first_record, errors="ignore")  # the first one',
    'value = load(\n    path_of_the_first_record, mode="rb", encoding="utf-8-sig", errors="ignore"\n)',
    'value = load(\n    path_of_the_first_record, mode="rb", encoding="utf-8-sig", limit=10_000_000_000_00\n)',
    'value = load(\n    path_of_the_first_record,\n    mode="rb",\n)',
    'value = load(\n    path_of_the_first_record,\n    mode={\n        "rb": other,\n    },\n)',
    'value = load("""\n    select\n""")',
    'value = print(\n    other,\n    load(path_of_the_first_record, encoding="utf-8-sig", errors="ignore"),\n    1,\n)',
    'value = print(\n    other,\n    end=load(path_of_the_first_record, encoding="utf-8-sig", errors="i"),\n)',
    'value = {\n    "first": load(path_of_the_first_record, encoding="utf-8-sig", errors="i"),\n}',
]  # fmt: skip

ODD = [
    'value = (load(path_of_the_first_record, errors="ignore", mode="r")).strip()',
    'value = (load)(path_of_the_first_record, errors="ignore", mode="rb", limit=1)',
    'return (other, 1), load(path_of_the_first_record, errors="ignore", mode="r").x',
    'return (other, 1), load(path_of_the_first_record, errors="ignore", mode="r")',
    'return (other), load(path_of_the_first_record, errors="ignore", mode="r")',
    'value = [(load(path_of_the_first_record, errors="ignore", mode="r")) for _ in items]',
    'value = [load(path_of_the_first_record, errors="ignore", mode="r") for _ in items if (_)]',
    'value = other[load(path_of_the_first_record, errors="ignore", mode="rb")]',
    'value = {(load(path_of_the_first_record, errors="ignore")): other, "b": 1}',
    'value = {"a": (load(path_of_the_first_record, errors="ignore")), "b": 1}',
    'value = {**load(path_of_the_first_record, errors="ignore", mode="rb"), "b": 1}',
    'value = print(*load(path_of_the_first_record, errors="ignore"), **{"end": other})',
    'value = load(path_of_the_first_record, errors="ignore", mode="rb", limit=10,)',
    'value = load(*[path_of_the_first_record, "ignoooooooore"], **{"limit": 10000})',
    'value = load(path_of_the_first_record, errors="ignore", mode="rb") + [\n    1,\n]',
    'value = load(path_of_the_first_record, errors="ignore", mode="rbbb") \\\n    + other',
    'value = \\\n    load(path_of_the_first_record, errors="ignore", mode="rb", limit=111)',
    'assert load(path_of_the_first_record, errors="ignore", mode="rbbb"), \\\n    "none"',
    'if other: value = load(path_of_the_first_record, errors="ignore", mode="rb")',
    'other = 1; value = load(path_of_the_first_record, errors="ignore", mode="rb"); other = 2',
    'value = print(load(path_of_the_first_record, errors="ignore", mode="rb"),  # one\n    2)',
    'value = print(other, load(path_of_the_first_record, errors="ignore", mode="rb"),\n    2)',
    'value = print(\n    load(path_of_the_first_record, errors="ignore", mode="rb", limit=11), 2)',
    'value = f"{load(path_of_the_first_record)} and {other} and {path_of_the_first_record}"',
    'value = load(path_of_the_first_record, errors="ignore") if other else load(items)',
    'value = other < load(path_of_the_first_record, errors="ignore", mode="rb") < 7',
    'value = not (load(path_of_the_first_record, errors="ignore", mode="rb")) or other',
    'value = -load(path_of_the_first_record, errors="ignore", mode="rb", limit=12) ** 2',
    'value = load(path_of_the_first_record, errors="ignore", mode="rb", limit=1) ** 2',
    'value = load(load(path_of_the_first_record, errors="ignore"), load(items), "ignore")',
    'value = load(\n    path_of_the_first_record, # one\n    mode="rb"\n)',
    'value = load(path_of_the_first_record,\n    mode="rb", errors="ignore")',
    'value = load(\n    path_of_the_first_record, mode="rb",\n)',
    'value = load(f"""\n    {other}\n""")',
    'value = load("""\n    select\n""",)',
    'value = load("""\n    select\n"""  # one\n)',
    'value = load("a"\n    "b")',
]  # fmt: skip


def _formatted(text: str, width: int = 88) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", f"--line-length={width}", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def _whole(statement: str) -> str:
    return HEAD + textwrap.indent(statement, "    ") + "\n"


def _fixed(text: str) -> str:
    return fixing.applied({"app.py": text}, "blocking-sleep").after["app.py"]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_as_ruff_would_write_it(statement: str) -> None:
    text = _formatted(_whole(statement))
    after = _fixed(text)
    assert "to_thread" in after
    assert after == _formatted(after)


@pytest.mark.parametrize("statement", [*STATEMENTS, *ODD])
def test_the_layout_changes_nothing_else(statement: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = _whole(statement)
    after = ast.dump(ast.parse(_fixed(text)))
    assert "to_thread" in after
    monkeypatch.setattr(Source, "columns", 10_000)
    assert ast.dump(ast.parse(_fixed(text))) == after


AWAITED = [
    "read(record_of_the_first_user, path_of_the_first_record, of=other, and_=it)",
    "for one in read(record_of_the_first_user, path_of_the_first_record, of=other):\n    print(one)",
    "value = [read(record_of_the_first_user, path_of_the_first_record, of=other)[1]]",
    "read(record_of_the_first_user, of=other)",
]


@pytest.mark.parametrize("statement", AWAITED)
def test_what_is_awaited_is_broken_as_well(statement: str) -> None:
    head = HEAD.replace(
        "def load(", "async def read(*one, **more):\n    return [one]\n\n\ndef load("
    )
    text = _formatted(head + textwrap.indent(statement, "    "))
    after = fixing.applied({"app.py": text}, "unawaited-coroutine").after["app.py"]
    assert "await " in after
    assert after == _formatted(after)


def test_lines_are_as_long_as_the_others() -> None:
    lines = "".join(f"    value_{n} = Record.of({n}, source={'x' * 62})\n" for n in range(60))
    statement = "value = load(record_of_the_first_user.the_path, errors='ignore', limit=10)\n"
    text = _formatted(HEAD + lines + "    " + statement, 100)
    after = _fixed(text)
    assert after == _formatted(after, 100)
    assert max(map(len, after.splitlines())) > 88


@pytest.mark.parametrize(
    "long",
    ["# " + "a comment " * 12, 'value = "' + "a text " * 16 + '"', '"""' + "a " * 50 + '"""'],
)
def test_one_long_line_does_not_make_others_long(long: str) -> None:
    text = _whole(f"{long}\nvalue = load(path_of_the_first_record, errors='ignore', mode='rb')")
    assert "    value = await asyncio.to_thread(\n" in _fixed(text)


@pytest.mark.parametrize(
    "page", ["blocking_http_call", "blocking_sdk_call", "blocking_subprocess", "blocking_file_stat"]
)
def test_what_pages_show_is_as_ruff_would_write_it(page: str) -> None:
    count = 0
    for example in examples(RULES / f"{page}.md"):
        files = {path: unmarked(text) for path, text in example.files.items()}
        if "to_thread(" not in (example.diff or ""):
            continue
        for path, after in fixed(example).items():
            if files[path] != _formatted(files[path]):
                continue
            count += 1
            lines = difflib.ndiff(after.splitlines(), _formatted(after).splitlines())
            assert not [one for one in lines if one.startswith("- ") and "to_thread" in one]
    assert count > 2


@pytest.mark.parametrize(
    ("name", "text", "told", "allowed"),
    [
        ("pyproject.toml", "[tool.ruff]\nline-length = 100\n", 100, None),
        ("pyproject.toml", "[tool.black]\nline-length = 79\n", 79, None),
        ("pyproject.toml", "[tool.black]\npreview = true\n", 88, None),
        ("pyproject.toml", "[tool.ruff.format]\npreview = true\n", 88, None),
        ("pyproject.toml", "[tool.ruff.lint]\nselect = ['E']\n", None, None),
        ("pyproject.toml", "[tool.ruff\n", None, None),
        ("pyproject.toml", "tool = 1\n", None, None),
        ("ruff.toml", "line-length = 110\n", 110, None),
        (".ruff.toml", "line-length = 99999\n", None, None),
        ("setup.cfg", "[metadata]\nname = x\n\n[flake8]\nmax-line-length = 90\n", None, 90),
        ("tox.ini", "[tox]\n[pycodestyle]\nmax_line_length=90\n", None, 90),
        (".flake8", "[flake8]\nextend-ignore = E501\n", None, None),
        ("tox.ini", "[flake8]\nx = 1\n[other]\nmax-line-length = 90\n", None, None),
    ],
)
def test_where_a_width_is_read(
    tmp_path: Path, name: str, text: str, told: int | None, allowed: int | None
) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    width = Width(tmp_path)
    assert (width.told, width.allowed) == (told, allowed)


def _lines(*lengths: int) -> str:
    """Lines of code of some lengths."""
    return "".join(f"value{n:03} = {'x' * (length - 11)}\n" for n, length in enumerate(lengths))


@pytest.mark.parametrize(
    ("text", "told", "allowed", "expected"),
    [
        ("", None, None, 88),
        (_lines(70, 78), None, None, 88),
        (_lines(*[70, 79] * 20), None, None, 79),
        (_lines(*[70] * 90, 80), None, None, 80),
        (_lines(*[70, 88] * 20), None, None, 88),
        (_lines(*[70, 100] * 20), None, None, 100),
        (_lines(*[70] * 60, 100), None, None, 79),
        (_lines(*[70, 140] * 20), None, None, 120),
        (_lines(*[70, 100] * 20), 100, None, 100),
        (_lines(*[70, 78] * 20), 100, None, 100),
        (_lines(*[70, 118] * 20), 88, None, 120),
        (_lines(*[70, 118] * 20), None, 90, 90),
        (_lines(*[70] * 20) + f"value = 'a {'x' * 120}'\n" * 9, None, None, 79),
        (_lines(*[70] * 20) + f"value = 1  # {'x' * 120}\n" * 9, None, None, 79),
        (_lines(*[70] * 20) + f"value = '''\n{'x' * 120}\n'''\n" * 9, None, None, 79),
        (_lines(*[70] * 20) + "(", None, None, 79),
    ],
)
def test_how_long_lines_are(
    tmp_path: Path, text: str, told: int | None, allowed: int | None, expected: int
) -> None:
    width = Width(tmp_path)
    width.told, width.allowed = told, allowed
    assert columns(text, width) == expected


@pytest.mark.parametrize(
    ("text", "within"),
    [
        ('"a"', []),
        ('"a"\n    f"b {c}"\n  "d"', []),
        ('"""a\n  b"""', [1]),
        ('"a"\n    """b\nc\n"""\n  "d"', [2, 3]),
        ('f"""a {b}\n  c"""\n    "d"', [1]),
        ('"a"  # one "b\n    "c"', []),
        ('"a\\\n  b"\n  "c"', [1]),
        ('b"a"\n    b"c"', []),
        ('"""a', None),
    ],
)
def test_lines_within_strings_that_stand_side_by_side(text: str, within: list[int] | None) -> None:
    found = within_strings(text)
    assert (None if found is None else sorted(found)) == within
