"""The page runner: how a page is read, and how a wrong page fails."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from asynclint import testing
from asynclint.findings import Finding, Level, Span

FENCE = "`" * 3

PAGE = """\
# no-shouting

Shouting wakes the neighbours.

## Flagged

A direct call is reported.

~python
shout("hello")  # flagged: `shout` is loud
~

## Through helpers

### In another module

`voice.py`:

~python
def speak():
    shout("hello")
~

`app.py`:

~python
from voice import speak

speak()  # flagged
~

### In a package

`voice/__init__.py`:

~python
~

## Not flagged

With a configuration:

~toml
[tool.asynclint]
quiet-hours = false
~

~python
text = "shout()  # flagged: in a string"
whisper("hello")
~

## Limits

None.
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return write(tmp_path, PAGE)


def write(folder: Path, text: str, name: str = "no_shouting.md") -> Path:
    path = folder / name
    path.write_text(text.replace("~", FENCE), encoding="utf-8")
    return path


def example_of(folder: Path, code: str) -> testing.Example:
    text = f"# no-shouting\n\nSummary.\n\n## Flagged\n\n~python\n{code}~\n"
    [example] = testing.examples(write(folder, text))
    return example


def finding(
    line: int,
    message: str = "`shout` is loud",
    *,
    rule: str = "no-shouting",
    level: Level = "error",
    path: str = testing.UNNAMED,
) -> Finding:
    return Finding(rule, level, path, Span(line, 1, line, 2), message)


def shouts(files: Mapping[str, str], config: Mapping[str, Any]) -> list[Finding]:
    """A rule without an engine: reports lines that begin with `shout(` or `speak(`."""
    return [
        finding(number, path=path)
        for path, text in files.items()
        for number, line in enumerate(text.splitlines(), 1)
        if line.startswith(("shout(", "speak("))
    ]


def test_examples_are_projects(page: Path) -> None:
    first, second, third, fourth = testing.examples(page)
    assert list(first.files) == [testing.UNNAMED]
    assert list(second.files) == ["voice.py", "app.py"]
    assert list(third.files) == ["voice/__init__.py"]
    assert list(fourth.files) == [testing.UNNAMED]
    assert (second.section, second.heading) == ("Through helpers", "In another module")
    assert fourth.config == {"quiet-hours": False}
    assert not second.config


def test_identity_leads_to_the_fence(page: Path) -> None:
    for example in testing.examples(page):
        name, line = str(example).split(":")
        assert name == "no_shouting.md"
        assert page.read_text(encoding="utf-8").splitlines()[int(line) - 1] == FENCE + "python"


def test_right_page_passes(page: Path) -> None:
    for example in testing.examples(page):
        testing.verify(example, checker=shouts)


def test_directory_reads_all_pages(tmp_path: Path) -> None:
    write(tmp_path, PAGE)
    write(tmp_path, PAGE, "other_rule.md")
    assert [e.rule for e in testing.examples(tmp_path)] == ["no-shouting"] * 4 + ["other-rule"] * 4


def test_configuration_selects_the_rule_and_loads_the_pack(page: Path) -> None:
    seen: list[Mapping[str, Any]] = []

    def checker(files: Mapping[str, str], config: Mapping[str, Any]) -> list[Finding]:
        seen.append(config)
        return []

    testing.run(testing.examples(page)[-1], checker)
    [config] = seen
    assert config["quiet-hours"] is False
    assert config["extend-select"] == ["no-shouting"]
    assert config["rules"] == [str(page.parent.resolve())]


@pytest.mark.parametrize(
    ("code", "findings", "sentence"),
    [
        ("shout()  # flagged\n", [], "missed alarm at {page}:8 (`shout()  # flagged`)"),
        ("shout()\n", [finding(1)], "false alarm at {page}:8 (`shout()`): `shout` is loud"),
        (
            "x = 1\nshout()  # flagged: is quiet\n",
            [finding(2)],
            (
                "message at {page}:9 (`shout()  # flagged: is quiet`): "
                "'is quiet' is not in '`shout` is loud'"
            ),
        ),
        (
            "shout()  # flagged\n",
            [finding(1), finding(1)],
            "false alarm at {page}:8 (`shout()  # flagged`): `shout` is loud",
        ),
        (
            "shout()  # missed: behind a wall\n",
            [finding(1)],
            (
                "repaired at {page}:8 (`shout()  # missed: behind a wall`): "
                "change # missed to # flagged"
            ),
        ),
        (
            "shout()  # flagged\n",
            [finding(1, level="note")],
            (
                "level at {page}:8 (`shout()  # flagged`): note where error or warning is expected: "
                "`shout` is loud"
            ),
        ),
        (
            "shout()  # note\n",
            [finding(1)],
            "level at {page}:8 (`shout()  # note`): error where note is expected: `shout` is loud",
        ),
        (
            "sing()\n",
            [finding(1, "`sing` is off key", rule="no-singing")],
            "false alarm at {page}:8 (`sing()`): no-singing: `sing` is off key",
        ),
    ],
)
def test_wrong_page_fails_in_a_sentence(
    tmp_path: Path, code: str, findings: list[Finding], sentence: str
) -> None:
    example = example_of(tmp_path, code)
    assert testing.problems(example, findings) == [sentence.format(page=example.page)]


@pytest.mark.parametrize(
    ("code", "findings"),
    [
        ("shout()  # flagged  # flagged\n", [finding(1), finding(1)]),
        ("shout()  # flagged: b  # flagged: a\n", [finding(1, "`a`"), finding(1, "`b`")]),
        ("shout()  # note: loud\n", [finding(1, level="note")]),
        ("shout()  # missed\n", []),
        ("sing()  # also: no-singing\n", [finding(1, rule="no-singing")]),
        ("sing()\n", [finding(1, rule="no-singing", level="warning")]),
        ("shout()  # flagged as usual\n", []),
        ("# flagged: in prose\nx = 1\n", None),
    ],
)
def test_marks(tmp_path: Path, code: str, findings: list[Finding] | None) -> None:
    example = example_of(tmp_path, code)
    if findings is None:
        assert len(testing.problems(example, [])) == 1
    else:
        assert testing.problems(example, findings) == []


def test_findings_in_unknown_files_are_false_alarms(page: Path) -> None:
    example = testing.examples(page)[1]
    [sentence] = testing.problems(example, [finding(3, path="app.py"), finding(1, path="gone.py")])
    assert sentence == "false alarm at gone.py:1: `shout` is loud"


def test_verify_raises_all_sentences(tmp_path: Path) -> None:
    example = example_of(tmp_path, "shout()\nquiet()  # flagged\n")
    with pytest.raises(AssertionError, match=r"missed alarm at .*\nfalse alarm at .*"):
        testing.verify(example, checker=shouts)


def test_facts_are_asked_of_the_hook(tmp_path: Path) -> None:
    example = example_of(tmp_path, "def load():  # fact: blocks\n    pass\n")
    testing.verify(example, checker=shouts, facts_of=lambda files, path, line: {"blocks"})
    with pytest.raises(AssertionError, match=r"missing fact at .*'blocks' is not among"):
        testing.verify(example, checker=shouts, facts_of=lambda files, path, line: {"sings"})
    with pytest.raises(AssertionError, match="unchecked fact at"):
        testing.verify(example, checker=shouts)


TOP = "# blocking-sleep\n\nS.\n\n## Flagged\n\n"
SLEEP = "~python\nimport time\n\n\nasync def f():\n    time.sleep(1)  # flagged\n~\n"
DIFF = """-import time
+import asyncio


 async def f():
-    time.sleep(1)
+    await asyncio.sleep(1)
"""


def _sleeps(folder: Path, text: str) -> Path:
    """A page of a rule that has a fix."""
    page = folder / "blocking_sleep.md"
    page.write_text((TOP + text).replace("~", "```"), encoding="utf-8")
    return page


def test_diff_belongs_to_the_example_above(tmp_path: Path) -> None:
    [example] = testing.examples(_sleeps(tmp_path, f"{SLEEP}\n~diff\n-x\n~\n"))
    assert example.diff == "-x\n"
    [sentence] = testing.fix_problems(example)
    assert "the fix at" in sentence and DIFF in sentence


def test_diff_is_wanted_where_a_fix_changes_something(tmp_path: Path) -> None:
    [example] = testing.examples(_sleeps(tmp_path, SLEEP))
    [sentence] = testing.fix_problems(example)
    assert "unmentioned fix" in sentence and DIFF in sentence
    [example] = testing.examples(_sleeps(tmp_path, "~python\nx = 1\n~\n\n~diff\n-x\n~\n"))
    [sentence] = testing.fix_problems(example)
    assert "fixing changes nothing" in sentence


def test_diffs_are_written_by_update(tmp_path: Path) -> None:
    page = _sleeps(tmp_path, f"{SLEEP}\nProse.\n\n~python\nx = 1\n~\n\n~diff\n-x\n~\n\nMore.\n")
    assert testing.update_diffs(page)
    after = (TOP + f"{SLEEP}\n~diff\n{DIFF}~\n\nProse.\n\n~python\nx = 1\n~\n\nMore.\n").replace(
        "~", "```"
    )
    assert page.read_text(encoding="utf-8") == after
    assert not testing.update_diffs(page)
    assert [testing.fix_problems(e) for e in testing.examples(page)] == [[], []]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("~python\nx = 1\n", "never closed"),
        ("`a.py`:\n\n~python\n~\n\n`a.py`:\n\n~python\n~\n", "`a.py` is there already"),
        ("~toml\nx = \n~\n\n~python\n~\n", "does not parse"),
        ("~toml\nx = 1\n~\n\n## Next\n", "belongs to no example"),
        ("~toml\nx = 1\n~\n", "belongs to no example"),
        ("~diff\n-x\n~\n", "follows no example"),
    ],
)
def test_senseless_pages_are_refused(tmp_path: Path, body: str, reason: str) -> None:
    path = write(tmp_path, f"# no-shouting\n\nSummary.\n\n## Flagged\n\n{body}")
    with pytest.raises(testing.PageError, match=reason):
        testing.read_page(path)


def test_projects_in_memory() -> None:
    project = testing.in_memory(
        {"src/app/__init__.py": "", "src/app/llm.py": "x = 1\n", "tests/test_app.py": ""}
    )
    by_name = {source.name: source for source in project.files}
    assert by_name["src/app/__init__.py"].module == "app"
    assert by_name["src/app/__init__.py"].is_package
    assert by_name["src/app/llm.py"].module == "app.llm"
    assert by_name["src/app/llm.py"].text == "x = 1\n"
    assert by_name["tests/test_app.py"].is_test
    assert not by_name["src/app/llm.py"].is_test


def test_new_rule_breaks_the_conventions_until_filled(tmp_path: Path) -> None:
    code, page = testing.new_rule("no-shouting", tmp_path / "pack")
    assert [code.name, page.name] == ["no_shouting.py", "no_shouting.md"]
    compile(code.read_text(encoding="utf-8"), str(code), "exec")
    sentences = testing.conventions(code)
    assert [s for s in sentences if s.startswith(str(code)) and "placeholder" in s]
    assert [s for s in sentences if s.startswith(str(page)) and "placeholder" in s]

    for path in (code, page):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(testing.PLACEHOLDER, "a voice"), encoding="utf-8")
    assert testing.conventions(code) == []
    assert testing.conventions(page) == []


@pytest.mark.parametrize("name", ["NoShouting", "no_shouting", "1st", "", "no--shouting", "../no"])
def test_new_rule_refuses_bad_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a rule name"):
        testing.new_rule(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_new_rule_overwrites_nothing(tmp_path: Path) -> None:
    kept = tmp_path / "no_shouting.md"
    kept.write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError):
        testing.new_rule("no-shouting", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["no_shouting.md"]
    assert kept.read_text(encoding="utf-8") == "mine"


def test_conventions_name_what_is_missing(page: Path) -> None:
    [sentence] = testing.conventions(page)
    assert sentence == f"{page.with_suffix('.py')} is missing"


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("# no-shouting\n", "# no shouting\n", "the first line is not"),
        ("Shouting wakes the neighbours.\n\n", "", "no summary paragraph"),
        ("## Flagged\n", "## Examples\n", "the first section is not ## Flagged"),
        ("## Limits\n", "## Known\n", "the last sections are not"),
        ("## Through helpers\n", "## Flagged\n", "is there twice"),
        ("### In a package\n", "#### In a package\n", "deeper than ###"),
        ("## Through helpers\n", "## Fix safety\n", "the last sections are not"),
        ('shout("hello")  # flagged: `shout` is loud', 'shout("hello")', "no flagged example"),
        ('whisper("hello")\n', 'shout("hello")  # flagged\n', "no silent example"),
        ('whisper("hello")\n', 'text = = "hello"\n', "invalid syntax"),
    ],
)
def test_conventions_of_pages(tmp_path: Path, before: str, after: str, reason: str) -> None:
    assert before in PAGE
    code, page = testing.new_rule("no-shouting", tmp_path)
    code.write_text(code.read_text(encoding="utf-8").replace(testing.PLACEHOLDER, "a voice"))
    write(tmp_path, PAGE.replace(before, after, 1))
    assert [s for s in testing.conventions(page) if reason in s], testing.conventions(page)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ('"no-shouting"', '"no-singing"', "the file says 'no-shouting'"),
        ('level = "error"', 'level = "fatal"', "level is 'fatal'"),
        ('    since = "a voice"\n', "", "since is missing"),
        ("(Rule)", "", "0 subclasses of Rule"),
        ("on one line.", "on\n    two lines.", "docstring of one line"),
        ("import libcst as cst\n", "import libcst as cst\n" + "\n" * 200, "longer than 200 lines"),
    ],
)
def test_conventions_of_code(tmp_path: Path, before: str, after: str, reason: str) -> None:
    for path in testing.new_rule("no-shouting", tmp_path):
        text = path.read_text(encoding="utf-8").replace(testing.PLACEHOLDER, "a voice")
        if path.suffix == ".py":
            assert before in text
            text = text.replace(before, after, 1)
        path.write_text(text, encoding="utf-8")
    assert [s for s in testing.conventions(path) if reason in s], testing.conventions(path)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("`time.sleep` blocks the event loop", None),
        ("`AsyncOpenAI` is built for every request", None),
        ("time.sleep blocks", "does not start with a name"),
        ("`time.sleep` blocks.", "full stop"),
        ("`time.sleep` blocks, use `asyncio.sleep`", "advice ('use')"),
        ("`use` is called", None),
        ("`x` Blocks the loop", "a capital outside"),
        ("`x` blocks\nthe loop", "longer than one line"),
    ],
)
def test_message_conventions(message: str, reason: str | None) -> None:
    report = testing.message_problems(message)
    assert report == [] if reason is None else [s for s in report if reason in s]
