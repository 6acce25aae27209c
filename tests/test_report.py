"""What the formats make of findings: places, chains, escapes, and the programs that read them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from asynclint.config import FORMATS, Config
from asynclint.findings import Edit, Finding, Fix, Link, Safety, Span
from asynclint.report import MODULES, SHOW_FIXES, Context, render

APP = "from store import load\n\n\nasync def handler():\n    return load()\n"
STORE = "import time\n\n\ndef load():\n    time.sleep(1)\n"
THROUGH = Finding(
    rule="blocking-sleep",
    level="error",
    path="app.py",
    span=Span(5, 12, 5, 18),
    message="`store.load` blocks the event loop through `time.sleep`",
    because=(
        Link("app.py", Span(5, 12, 5, 18), "`app.handler` calls `store.load`"),
        Link("store.py", Span(5, 5, 5, 18), "`store.load` calls `time.sleep`"),
    ),
)


def context(texts: dict[str, str] | None = None, **options: Any) -> Context:
    given = {"app.py": APP, "store.py": STORE} if texts is None else texts
    return Context(given, Config(root=Path()), **options)


def one(source: str, span: Span, **fields: Any) -> tuple[list[Finding], Context]:
    """A finding in a file of one line, and what belongs to it."""
    finding = Finding(
        "some-rule", fields.pop("level", "warning"), "a.py", span, "`x` is y", **fields
    )
    return [finding], context({"a.py": source})


def test_every_format_has_a_module() -> None:
    assert set(MODULES) == set(FORMATS)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_formats_are_repeatable_and_end_with_a_newline(name: str) -> None:
    text = render(name, [THROUGH, THROUGH], context())
    assert text == render(name, [THROUGH, THROUGH], context())
    assert text.endswith("\n")


@pytest.mark.parametrize("name", sorted(MODULES))
def test_fixes_are_looked_for_where_they_are_shown(name: str) -> None:
    fix = Fix("await it", Safety.SAFE, (Edit("app.py", 45, 45, "await "),))
    plain = render(name, [THROUGH], context())
    assert (render(name, [replace(THROUGH, fixes=(fix,))], context()) != plain) == (
        name in SHOW_FIXES
    )
    assert (render(name, [replace(THROUGH, refusal="why not")], context()) == plain) or (
        name in SHOW_FIXES
    )


# -- full ---------------------------------------------------------------------------------------------


def test_full_shows_place_and_chain_with_their_lines() -> None:
    assert render("full", [THROUGH], context()) == (
        "error[blocking-sleep]: `store.load` blocks the event loop through `time.sleep`\n"
        " --> app.py:5:12\n"
        "5 |     return load()\n"
        "  |            ^^^^^^\n"
        "  = `app.handler` calls `store.load`\n"
        " --> app.py:5:12\n"
        "5 |     return load()\n"
        "  |            ------\n"
        "  = `store.load` calls `time.sleep`\n"
        " --> store.py:5:5\n"
        "5 |     time.sleep(1)\n"
        "  |     -------------\n"
        "\n"
        "Found 1 finding (1 error)\n"
    )


def test_full_says_when_all_is_well_unless_quiet() -> None:
    assert render("full", [], context()) == "All checks passed\n"
    assert render("full", [], context(quiet=True)) == ""


def test_full_counts_by_level() -> None:
    findings = [
        Finding("r", level, "gone.py", Span(1, 1, 1, 1), "m")
        for level in ("error", "error", "warning", "note")
    ]
    last = render("full", findings, context()).splitlines()[-1]
    assert last == "Found 4 findings (2 errors, 1 warning, 1 note)"


def marked(source: str, span: Span) -> tuple[str, str]:
    """The source line and its underline, without the margin."""
    lines = render("full", *one(source, span)).splitlines()
    return lines[2].partition("| ")[2], lines[3].partition("| ")[2]


def test_full_underlines_below_tabs() -> None:
    source, below = marked("\tx = 1; f()\n", Span(1, 9, 1, 12))
    assert source == "    x = 1; f()"
    assert below == "           ^^^"


def test_full_underlines_tabs_within() -> None:
    shown = render("full", *one("\tf(a,\tb)\t# x\n", Span(1, 2, 1, 9)))
    line, marks = shown.splitlines()[2:4]
    assert line == "1 |     f(a,    b)  # x"
    assert marks == "  |     ^^^^^^^^^^"


def test_full_underlines_below_wide_and_combining_characters() -> None:
    _, below = marked("x = '日本'; f()\n", Span(1, 11, 1, 14))
    assert below == " " * 12 + "^^^"
    _, below = marked("x = 'e\u0301'; f()\n", Span(1, 11, 1, 14))
    assert below == " " * 9 + "^^^"


def test_full_cuts_long_lines_around_the_place() -> None:
    source, below = marked(f"x = '{'a' * 500}'; f(); y = '{'b' * 500}'\n", Span(1, 509, 1, 512))
    assert len(source) < 120
    assert source.startswith("…")
    assert source.endswith("…")
    start = below.index("^")
    assert source[start : start + 3] == "f()"


def test_full_underlines_the_first_of_several_lines() -> None:
    source, below = marked("x = f(\n    1,\n)\n", Span(1, 5, 3, 2))
    assert (source, below) == ("x = f(", "    ^^")


def test_full_does_not_steer_the_terminal() -> None:
    text = render("full", *one("f('\x1b[2J\x07')\n", Span(1, 1, 1, 2)))
    assert "\x1b" not in text
    assert "\x07" not in text


def test_full_places_without_source() -> None:
    text = render(
        "full", [Finding("syntax-error", "error", "b.py", Span(1, 1, 1, 1), "m")], context()
    )
    assert text.startswith("error[syntax-error]: m\n --> b.py:1:1\n\n")
    assert "^" in render("full", *one("f()\n", Span(1, 99, 1, 99)))
    assert "b.py" in render(
        "full", *one("f()\n", Span(7, 1, 7, 2), because=(Link("b.py", Span(1, 1, 1, 1), "t"),))
    )


def test_full_tells_of_fixes_and_refusals() -> None:
    edit = Edit("a.py", 0, 1, "g")
    fixes = (Fix("use `g`", Safety.SAFE, (edit,)), Fix("use `h`", Safety.UNSAFE, (edit,)))
    text = render("full", *one("f()\n", Span(1, 1, 1, 4), fixes=fixes))
    assert "= [fix available] use `g`" in text
    assert "= [unsafe fix] use `h`" in text
    text = render("full", *one("f()\n", Span(1, 1, 1, 4), refusal="`f` is also called elsewhere"))
    assert "= no fix: `f` is also called elsewhere" in text


def test_full_in_colour_differs_in_nothing_else() -> None:
    coloured = render("full", [THROUGH], context(colour=True))
    assert "\x1b[" in coloured
    assert re.sub("\x1b\\[[0-9;]*m", "", coloured) == render("full", [THROUGH], context())


# -- for programs -------------------------------------------------------------------------------------


def test_concise_is_one_line_each() -> None:
    assert render("concise", [THROUGH], context()) == (
        "app.py:5:12: error blocking-sleep `store.load` blocks the event loop through `time.sleep`\n"
    )
    assert render("concise", [], context()) == ""


def test_json() -> None:
    assert render("json", [], context()) == "[]\n"
    edit = Edit("app.py", 3, 4, "x")
    finding = Finding(
        "r", "warning", "app.py", Span(5, 12, 6, 1), "m", THROUGH.because,
        (Fix("do", Safety.UNSAFE, (edit,)),), "why",
    )  # fmt: skip
    [row] = json.loads(render("json", [finding], context()))
    assert {key: row[key] for key in ("rule", "level", "path", "message", "refusal")} == {
        "rule": "r",
        "level": "warning",
        "path": "app.py",
        "message": "m",
        "refusal": "why",
    }
    place = {"line": 5, "column": 12, "end_line": 6, "end_column": 1}
    assert row["span"] == place
    assert {key: row[key] for key in place} == place
    assert row["because"][1] | {"span": None} == {
        "path": "store.py",
        "line": 5,
        "column": 5,
        "end_line": 5,
        "end_column": 18,
        "span": None,
        "text": "`store.load` calls `time.sleep`",
    }
    edits = [{"path": "app.py", "start": 3, "end": 4, "text": "x"}]
    assert row["fixes"] == [{"title": "do", "safety": "unsafe", "edits": edits}]
    assert row["page"] is None


def test_json_names_the_page() -> None:
    [row] = json.loads(render("json", [THROUGH], context()))
    assert row["page"] == "rules/blocking_sleep.md"


def test_github_escapes_what_would_end_a_command() -> None:
    finding = Finding("r", "note", "a,b:c%.py", Span(2, 3, 2, 9), "100% of\nit: a, b")
    assert render("github", [finding], context()) == (
        "::notice file=a%2Cb%3Ac%25.py,line=2,endLine=2,col=3,endColumn=9,title=asynclint r"
        "::100%25 of%0Ait: a, b\n"
    )


def test_github_gives_columns_only_within_one_line() -> None:
    [finding], about = one("f(\n)\n", Span(1, 1, 2, 2))
    assert "col=" not in render("github", [finding], about)


def test_github_shows_the_chain() -> None:
    text = render("github", [THROUGH], context())
    assert text.count("\n") == 1
    assert "%0Astore.py:5: `store.load` calls `time.sleep`" in text


def sarif(findings: list[Finding], about: Context) -> dict[str, Any]:
    document = json.loads(render("sarif", findings, about))
    assert document["version"] == "2.1.0"
    [run] = document["runs"]
    return dict(run)


def test_sarif_rules_carry_their_pages() -> None:
    [rule] = sarif([THROUGH, THROUGH], context())["tool"]["driver"]["rules"]
    assert rule["id"] == "blocking-sleep"
    assert rule["help"]["markdown"].startswith("# blocking-sleep")
    assert rule["defaultConfiguration"] == {"level": "error"}
    unknown = Finding("syntax-error", "error", "app.py", Span(1, 1, 1, 1), "m")
    assert sarif([unknown], context())["tool"]["driver"]["rules"][0]["id"] == "syntax-error"


def test_sarif_chain_is_a_code_flow() -> None:
    [result] = sarif([THROUGH], context())["results"]
    [flow] = result["codeFlows"]
    steps = flow["threadFlows"][0]["locations"]
    uris = [s["location"]["physicalLocation"]["artifactLocation"]["uri"] for s in steps]
    assert uris == ["app.py", "app.py", "store.py"]
    assert steps[-1]["location"]["message"]["text"] == "`store.load` calls `time.sleep`"
    assert [place["id"] for place in result["relatedLocations"]] == [0, 1]
    assert "codeFlows" not in sarif(*one("f()\n", Span(1, 1, 1, 4)))["results"][0]


def test_sarif_columns_count_utf16_units() -> None:
    run = sarif(*one("x = '😀'; f()\n", Span(1, 10, 1, 13)))
    assert run["columnKind"] == "utf16CodeUnits"
    region = run["results"][0]["locations"][0]["physicalLocation"]["region"]
    assert (region["startColumn"], region["endColumn"]) == (11, 14)


def test_sarif_fixes_replace_regions() -> None:
    text = "x = 1\r\ny = '😀'; f()\n"
    start = text.index("f()")
    edits = (Edit("a.py", 0, 0, "import g\n"), Edit("a.py", start, start + 3, "g()"))
    fixes = (Fix("use `g`", Safety.SAFE, edits), Fix("x", Safety.UNSAFE, (Edit("z.py", 0, 1, ""),)))
    [result] = sarif(*one(text, Span(2, 10, 2, 13), fixes=fixes))["results"]
    [fix] = result["fixes"]  # The other is of a file whose text is not at hand.
    assert fix["description"]["text"] == "use `g`"
    assert fix["properties"] == {"safety": "safe"}
    [change] = fix["artifactChanges"]
    assert change["artifactLocation"] == {"uri": "a.py", "uriBaseId": "SRCROOT"}
    assert [r["insertedContent"]["text"] for r in change["replacements"]] == ["import g\n", "g()"]
    assert [tuple(r["deletedRegion"].values()) for r in change["replacements"]] == [
        (1, 1, 1, 1),
        (2, 11, 2, 14),
    ]
    assert "fixes" not in sarif([THROUGH], context())["results"][0]


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("my app/ä#?.py", "my%20app/%C3%A4%23%3F.py"),
        ("a:b.py", "a%3Ab.py"),
        ("\udcff.py", "%FF.py"),
        ("/srv/my app.py", "file:///srv/my%20app.py"),
    ],
)
def test_sarif_uris(path: str, uri: str) -> None:
    finding = Finding("r", "error", path, Span(1, 1, 1, 1), "m")
    run = sarif([finding], context({}))
    artifact = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact["uri"] == uri
    assert ("uriBaseId" in artifact) == (not path.startswith("/"))


def moved(name: str) -> tuple[list[str], list[str]]:
    """Fingerprints of two equal findings, before and after a line is put above them."""
    results = []
    for above in (0, 1):
        text = "\n" * above + "f()\nf()\n"
        spans = [Span(above + n, 1, above + n, 4) for n in (1, 2)]
        findings = [Finding("r", "error", "a.py", span, "m") for span in spans]
        document = json.loads(render(name, findings, context({"a.py": text})))
        if name == "sarif":
            rows = document["runs"][0]["results"]
            results.append([row["partialFingerprints"]["asynclint/v1"] for row in rows])
        else:
            results.append([row["fingerprint"] for row in document])
    return results[0], results[1]


@pytest.mark.parametrize("name", ["sarif", "gitlab"])
def test_fingerprints_stay_when_lines_move(name: str) -> None:
    before, after = moved(name)
    assert before == after
    assert len(set(before)) == 2


def test_gitlab() -> None:
    assert json.loads(render("gitlab", [], context())) == []
    [row] = json.loads(render("gitlab", [THROUGH], context()))
    assert row["check_name"] == "blocking-sleep"
    assert row["severity"] == "major"
    assert row["location"]["path"] == "app.py"
    assert row["location"]["positions"]["begin"] == {"line": 5, "column": 12}
    assert re.fullmatch("[0-9a-f]{32}", row["fingerprint"])


def test_junit() -> None:
    strange = Finding("r", "warning", 'a"<&>.py', Span(1, 1, 1, 1), "`x < 'y'` & \x1b\udcff")
    note = Finding("r", "note", "a.py", Span(1, 1, 1, 1), "m")
    root = ElementTree.fromstring(render("junit", [THROUGH, strange, note], context()).encode())
    [suite] = root
    assert (suite.get("tests"), suite.get("failures")) == ("3", "2")
    assert [case.get("classname") for case in suite] == ["app.py", 'a"<&>.py', "a.py"]
    failure = suite[0].find("failure")
    assert failure is not None
    assert failure.text is not None
    assert "store.py:5: `store.load` calls `time.sleep`" in failure.text


def test_junit_without_findings_has_one_case_that_passes() -> None:
    root = ElementTree.fromstring(render("junit", [], context()).encode())
    assert [len(case) for case in root[0]] == [0]
