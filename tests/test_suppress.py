"""Suppression comments: which findings they silence, and what is said of those that silence none."""

from __future__ import annotations

import ast
import io
import tokenize

import pytest

from asynclint.findings import Finding, Safety, Span
from asynclint.suppress import apply, read

KNOWN = {
    "blocking-sleep": "blocking",
    "blocking-wait": "blocking",
    "lost-task": "coroutines",
    "syntax-error": "engine",
    "unused-ignore": "engine",
}
PATH = "app.py"


def finding(line: int, rule: str = "blocking-sleep", end: int | None = None) -> Finding:
    return Finding(rule, "error", PATH, Span(line, 1, end or line, 9), f"`{rule}` of line {line}")


def left(
    text: str, *findings: Finding, active: set[str] | None = None, judge: bool = False
) -> list[Finding]:
    ran = set(KNOWN) if active is None else active
    return apply(list(findings), {PATH: text}, KNOWN, ran, judge)


def silenced(text: str, *findings: Finding) -> list[bool]:
    kept = left(text, *findings)
    return [f not in kept for f in findings]


# -- what is silenced ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comment", "sleep", "task"),
    [
        ("# asynclint: ignore", True, True),
        ("#asynclint:ignore", True, True),
        ("# asynclint: ignore a reason", True, True),
        ("# asynclint: ignore[blocking-sleep]", True, False),
        ("# asynclint: ignore[blocking-sleep] the device needs it [sic]", True, False),
        ("# asynclint: ignore[ lost-task,blocking-sleep , ]", True, True),
        ("# asynclint: ignore [blocking-sleep]", True, False),
        ("# asynclint: ignore[blocking]", True, False),
        ("# asynclint: ignore[blocking-wait]", False, False),
        ("# asynclint: ignore[blocking-slep]", False, False),
        ("# asynclint: ignore[]", False, False),
        ("# asynclint: ignore[blocking-sleep", False, False),
        ("# asynclint: ignore-line", False, False),
        ("# asynclint: ignored", False, False),
        ("# asynclint ignore", False, False),
        ("# noqa", False, False),
        ("# noqa: E501  # asynclint: ignore[blocking-sleep]", True, False),
        ("# asynclint: ignore[blocking-sleep]  # noqa: E501", True, False),
    ],
)
def test_comment_on_the_line(comment: str, sleep: bool, task: bool) -> None:
    text = f"f()  {comment}\ng()\n"
    found = (finding(1), finding(1, "lost-task"), finding(2))
    assert silenced(text, *found) == [sleep, task, False]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# asynclint: ignore\nf()\ng()\n", 2),
        ("# asynclint: ignore\n\n# why\n\nf()\ng()\n", 5),
        ("if x:\n    # asynclint: ignore\n    f()\n    g()\n", 3),
        ("if x:\n    a()\n    # asynclint: ignore\nf()\ng()\n", 4),
        ("a(\n    # asynclint: ignore\n    f(),\n    g(),\n)\n", 3),
        ("# asynclint: ignore\r\nf()\r\ng()\r\n", 2),
        ("a = '''\n\n'''\n# asynclint: ignore\nf()\ng()\n", 5),
        ("x = '\x0c\u2028'\n# asynclint: ignore\nf()\ng()\n", 3),
    ],
)
def test_comment_of_its_own_is_for_the_next_code(text: str, line: int) -> None:
    last = len(text.splitlines()) + 1
    findings = [finding(n) for n in range(1, last)]
    kept = [f.span.line for f in left(text, *findings)]
    assert line not in kept
    assert line + 1 in kept
    assert 1 in kept or text.startswith("#")


def test_first_and_last_line_of_a_long_call() -> None:
    text = "f(  # {0}\n    1,  # {1}\n)  # {2}\n"
    for place, hit in enumerate((True, False, True)):
        words = ["", "", ""]
        words[place] = "asynclint: ignore[blocking-sleep]"
        assert silenced(text.format(*words), finding(1, end=3)) == [hit]


def test_two_comments_for_one_line() -> None:
    text = "# asynclint: ignore[lost-task]\n# asynclint: ignore[blocking-sleep]\nf()\n"
    assert silenced(text, finding(3), finding(3, "lost-task")) == [True, True]


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("# asynclint: ignore-file\nf()\n", True),
        ("# asynclint: ignore-file[blocking] generated\nf()\n", True),
        ("# asynclint: ignore-file[lost-task]\nf()\n", False),
        ('#!/bin/x\n"""Docs."""\n\n# asynclint: ignore-file\nf()\n', True),
        ("import x\n# asynclint: ignore-file\nf()\n", False),
        ("x = 1  # asynclint: ignore-file\nf()\n", False),
    ],
)
def test_comment_for_the_file(text: str, hit: bool) -> None:
    line = text.count("\n")
    assert silenced(text, finding(line)) == [hit]


@pytest.mark.parametrize(
    "text",
    [
        "f('# asynclint: ignore')\n",
        "f('''\n# asynclint: ignore\n''')\n",
        "f(f'{x} # asynclint: ignore')\n",
        "f(b'''# asynclint: ignore''')\n",
    ],
)
def test_strings_are_no_comments(text: str) -> None:
    assert silenced(text, *(finding(n) for n in range(1, 4))) == [False] * 3
    assert read(text) == []


def test_files_without_the_word_are_not_tokenized(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("tokenized")

    monkeypatch.setattr(tokenize, "generate_tokens", refuse)
    assert left("f()  # noqa\n", finding(1), judge=True) == [finding(1)]


def test_other_files_are_not_silenced() -> None:
    other = Finding("blocking-sleep", "error", "b.py", Span(1, 1, 1, 2), "m")
    assert left("f()  # asynclint: ignore\n", other) == [other]
    assert left("f()  # asynclint: ignore\n", finding(1), other) == [other]


@pytest.mark.parametrize("rule", ["syntax-error", "unreadable-file"])
def test_what_stops_the_engine_is_not_silenced(rule: str) -> None:
    assert silenced("# asynclint: ignore-file\nf(\n", finding(2, rule)) == [False]


# -- what silences nothing --------------------------------------------------------------------------------


def unused(text: str, *findings: Finding, active: set[str] | None = None) -> tuple[list[str], str]:
    """The messages of `unused-ignore`, and the text once their fixes are applied."""
    notes = [f for f in left(text, *findings, active=active, judge=True) if f not in findings]
    fixed = text
    for note in sorted(notes, key=lambda n: n.span, reverse=True):
        assert (note.rule, note.level, note.path) == ("unused-ignore", "note", PATH)
        [fix] = note.fixes
        assert fix.safety is Safety.SAFE
        [edit] = fix.edits
        fixed = fixed[: edit.start] + edit.text + fixed[edit.end :]
    ast.parse(fixed)
    return [note.message for note in notes], fixed


@pytest.mark.parametrize(
    ("text", "message", "fixed"),
    [
        ("f()  # asynclint: ignore\n", "`ignore` suppresses nothing", "f()\n"),
        ("f()  # asynclint: ignore why  \r\n", "`ignore` suppresses nothing", "f()\r\n"),
        ("f()  # asynclint: ignore", "`ignore` suppresses nothing", "f()"),
        ("# asynclint: ignore\nf()\n", "`ignore` suppresses nothing", "f()\n"),
        (
            "if x:\n    # asynclint: ignore\n    f()\n",
            "`ignore` suppresses nothing",
            "if x:\n    f()\n",
        ),
        ("# asynclint: ignore-file\nf()\n", "`ignore-file` suppresses nothing", "f()\n"),
        (
            "f()\n# asynclint: ignore-file\ng()\n",
            "`ignore-file` stands below code and has no effect",
            "f()\ng()\n",
        ),
        ("f()  # asynclint: ignore[lost-task]\n", "`lost-task` suppresses nothing here", "f()\n"),
        ("f()  # asynclint: ignore[blocking]\n", "`blocking` suppresses nothing here", "f()\n"),
        (
            "f()  # asynclint: ignore[lost-task, blocking-wait]\n",
            "`lost-task`, `blocking-wait` suppress nothing here",
            "f()\n",
        ),
        (
            "f()  # asynclint: ignore[lost-tsk] why\n",
            "`lost-tsk` is no rule; the nearest is `lost-task`",
            "f()\n",
        ),
        ("f()  # asynclint: ignore[zzz]\n", "`zzz` is no rule", "f()\n"),
        ("f()  # asynclint: ignore[]\n", "`ignore[]` names no rule", "f()\n"),
        (
            "f()  # asynclint: ignore[lost-task\n",
            "`ignore[` has no closing bracket and suppresses nothing",
            "f()\n",
        ),
        (
            "f()  # noqa: E501  # asynclint: ignore[lost-task]\n",
            "`lost-task` suppresses nothing here",
            "f()  # noqa: E501\n",
        ),
        (
            "f()  # asynclint: ignore[lost-task] see #12  # noqa: E501\n",
            "`lost-task` suppresses nothing here",
            "f()  # noqa: E501\n",
        ),
        (
            "if x:\n    # asynclint: ignore[lost-task] # type: ignore\n    f()\n",
            "`lost-task` suppresses nothing here",
            "if x:\n    # type: ignore\n    f()\n",
        ),
        (
            "x = '\x0c\u2028\x1c'\rf()  # asynclint: ignore\r",
            "`ignore` suppresses nothing",
            "x = '\x0c\u2028\x1c'\rf()\r",
        ),
    ],
)
def test_unused_comment_and_its_removal(text: str, message: str, fixed: str) -> None:
    assert unused(text) == ([message], fixed)


def test_unused_names_are_removed_from_a_used_comment() -> None:
    text = "f()  # asynclint: ignore[lost-task, blocking-sleep, no-rule] kept\n"
    messages, fixed = unused(text, finding(1))
    assert messages == ["`no-rule` is no rule"]
    assert fixed == "f()  # asynclint: ignore[blocking-sleep] kept\n"
    assert unused(fixed, finding(1)) == ([], fixed)


def test_place_of_the_note() -> None:
    [note] = left("if x:\n    f()  # asynclint: ignore[lost-task] why\n", judge=True)
    assert note.span == Span(2, 10, 2, 44)


def test_used_comments_are_left_alone() -> None:
    for names in ("", "[blocking-sleep]", "[blocking]", "[blocking, blocking-sleep]"):
        text = f"f()  # asynclint: ignore{names}\n"
        messages, fixed = unused(text, finding(1))
        assert (messages, fixed) == ([], text), names
    text = "# asynclint: ignore-file[blocking-sleep]\nf()\n"
    assert unused(text, finding(2)) == ([], text)


@pytest.mark.parametrize(
    ("names", "active", "judged"),
    [
        ("[lost-task]", {"blocking-sleep"}, False),
        ("[lost-task]", {"lost-task"}, True),
        ("[blocking]", {"blocking-sleep"}, False),
        ("[blocking]", {"blocking-sleep", "blocking-wait"}, True),
        ("", {"blocking-sleep", "blocking-wait"}, False),
        ("[no-rule]", {"blocking-sleep"}, True),
    ],
)
def test_only_what_ran_is_judged(names: str, active: set[str], judged: bool) -> None:
    text = f"f()  # asynclint: ignore{names}\n"
    messages, _ = unused(text, active=active)
    assert bool(messages) is judged


def test_nothing_is_judged_where_the_file_does_not_parse() -> None:
    text = "f()  # asynclint: ignore[lost-task]\ng(\n"
    broken = finding(2, "syntax-error")
    assert left(text, broken, judge=True) == [broken]


def test_nothing_is_judged_unless_asked() -> None:
    assert left("f()  # asynclint: ignore[lost-task]\n") == []


@pytest.mark.parametrize(
    "text",
    ["f(  # asynclint: ignore\n", "'''\n# asynclint: ignore\n", "\tx\n  y # asynclint: ignore\n"],
)
def test_text_that_does_not_tokenize_is_no_crash(text: str) -> None:
    assert isinstance(read(text), list)


def test_columns_are_those_of_the_text() -> None:
    text = "ä = '😀'  # asynclint: ignore[lost-task]\n"
    [comment] = read(text)
    assert comment.column == text.index("#")
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    assert comment.text == next(t.string for t in tokens if t.type == tokenize.COMMENT)
