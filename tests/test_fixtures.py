"""Whole small projects give what their `expected.txt` says, and bad input stops nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nursery
import pytest
from nursery import ASYNCLINT

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
PROJECTS = sorted(expected.parent.name for expected in FIXTURES.glob("*/expected.txt"))
RULES = (
    "blocking-sleep",
    "blocking-sdk-call",
    "blocking-http-call",
    "blocking-wait",
    "blocking-subprocess",
    "client-per-request",
    "client-per-item",
    "client-per-call",
    "unawaited-coroutine",
    "unbounded-gather",
    "lost-task",
)
"""The expected findings are of these rules; a new rule gets projects of its own."""

FINDING = re.compile(
    r"^(?P<path>[^:\n]+):(?P<line>\d+):(?P<column>\d+): \w+ (?P<rule>[\w-]+) .+$", re.MULTILINE
)
SECONDS = 60
"""No input may keep a run longer."""


def check(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `asynclint check` inside the project, with the tree under test."""
    done = nursery.run(
        ASYNCLINT,
        ["check", "--output-format", "concise", *arguments],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
        timeout=SECONDS,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def findings(result: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines that are findings; a traceback or an error in usage fails here."""
    assert result.returncode in (0, 1), result.stdout + result.stderr
    assert "Traceback" not in result.stderr, result.stderr
    return [match[0] for match in FINDING.finditer(result.stdout)]


def copied(name: str, target: Path) -> Path:
    """A copy outside this repository, so that neither its configuration nor git's says anything."""
    return Path(
        shutil.copytree(
            FIXTURES / name,
            target / name,
            ignore=shutil.ignore_patterns("expected.txt", "README.md"),
        )
    )


@pytest.mark.parametrize("name", PROJECTS)
def test_project(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    found = findings(check(copied(name, tmp_path), "--select", ",".join(RULES)))
    expected = FIXTURES / name / "expected.txt"
    if request.config.getoption("--update", default=False):
        expected.write_text("".join(f"{line}\n" for line in found), "utf-8")
    assert found == expected.read_text("utf-8").splitlines()


@pytest.mark.parametrize("name", PROJECTS)
def test_file_alone_is_judged_by_its_project(name: str, tmp_path: Path) -> None:
    """A hook names single files; their findings are those of the whole run."""
    expected = (FIXTURES / name / "expected.txt").read_text("utf-8").splitlines()
    path = expected[0].partition(":")[0]
    found = findings(check(copied(name, tmp_path), "--select", ",".join(RULES), path))
    assert found == [line for line in expected if line.startswith(f"{path}:")]


@pytest.mark.parametrize("name", PROJECTS)
def test_project_is_described(name: str) -> None:
    lines = (FIXTURES / name / "README.md").read_text("utf-8").splitlines()
    assert len(lines) == 3
    assert all(line.endswith(".") for line in lines)


@pytest.fixture
def bad_input(tmp_path: Path) -> Path:
    """tests/fixtures/bad_input, in which `app.py` alone is good."""
    return copied("bad_input", tmp_path)


GOOD = "app.py:5:5: error blocking-sleep `time.sleep` blocks the event loop"


def problems(project: Path) -> dict[str, str]:
    """Run over everything: path → rule of each bad file; the good one is checked all the same."""
    found = findings(check(project))
    assert GOOD in found
    matches = [FINDING.match(line) for line in found if line != GOOD]
    paths = [match["path"] for match in matches if match]
    assert len(paths) == len(set(paths)), "one line a file"
    return {match["path"]: match["rule"] for match in matches if match}


def test_files_that_cannot_be_parsed(bad_input: Path) -> None:
    assert problems(bad_input) == {
        "cookie.py": "syntax-error",
        "latin1.py": "syntax-error",
        "syntax.py": "syntax-error",
    }


@pytest.fixture
def good(bad_input: Path) -> Path:
    """The same without the bad files, for one bad thing at a time."""
    for name in ("cookie.py", "latin1.py", "syntax.py"):
        (bad_input / name).unlink()
    return bad_input


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python reads it")
@pytest.mark.parametrize(
    "text",
    [
        'x = f\'{"a".join(["\\n"])}\'\n',
        "x = f'{f' {y}' if y else 1} z'\n",
        "type Alias = list[int]\n",
        "def f[T](x: T) -> T: ...\n",
    ],
)
def test_syntax_of_a_newer_python_names_it(good: Path, text: str) -> None:
    (good / "newer.py").write_text(text, "utf-8")
    [line] = [line for line in findings(check(good)) if line.startswith("newer.py:")]
    assert "this file needs Python 3.12" in line


def test_syntax_error_names_its_place(bad_input: Path) -> None:
    assert any(line.startswith("syntax.py:4:") for line in findings(check(bad_input)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("nul_bytes", b"import time\n\x00\x00\x00\n"),
        ("binary", bytes(range(256)) * 64),
        ("utf16", "import time\n".encode("utf-16")),
        ("unclosed", b"text = '''never closed\n"),
        ("tabs_and_spaces", b"if True:\n        x = 1\n\ty = 2\n"),
    ],
)
def test_spoiled_file_is_one_finding(name: str, content: bytes, good: Path) -> None:
    (good / f"{name}.py").write_bytes(content)
    assert problems(good) == {f"{name}.py": "syntax-error"}


def test_ten_thousand_parentheses(good: Path) -> None:
    (good / "deep.py").write_text(f"x = {'(' * 10_000}1{')' * 10_000}\n", "utf-8")
    assert problems(good).keys() <= {"deep.py"}


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("calls", "x" + ".a()" * 3_000),
        ("sums", "1" + " + 1" * 3_000),
        ("calls in calls", "f(" * 150 + ")" * 150),
        ("lists", "[" * 150 + "]" * 150),
        ("lambdas", "lambda: " * 1_000 + "0"),
        ("nots", "not " * 3_000 + "x"),
    ],
)
@pytest.mark.parametrize("place", ["module", "coroutine"])
def test_deep_expression_neither_crashes_nor_hangs(
    name: str, expression: str, place: str, good: Path
) -> None:
    """Some Pythons parse it, some do not; either way it costs one line at most."""
    text = f"value = {expression}\n"
    if place == "coroutine":
        text = f"import time\n\n\nasync def deep(f, x):\n    time.sleep(1)\n    {text}"
    (good / "deep.py").write_text(text, "utf-8")
    assert problems(good).keys() <= {"deep.py"}


def test_many_branches_and_long_functions(good: Path) -> None:
    branches = "".join(f"    elif x == {n}:\n        pass\n" for n in range(2_000))
    text = f"async def long(x):\n    if x is None:\n        pass\n{branches}"
    (good / "long.py").write_text(text, "utf-8")
    assert problems(good).keys() <= {"long.py"}


def test_file_of_fifty_megabytes(good: Path) -> None:
    with (good / "huge.py").open("wb") as file:
        file.truncate(50_000_000)
    assert problems(good).keys() == {"huge.py"}


def test_empty_file_and_byte_order_mark(good: Path) -> None:
    (good / "empty.py").write_bytes(b"")
    (good / "marked.py").write_bytes(b"\xef\xbb\xbfx = 1\r\n")
    assert problems(good) == {}


def test_directory_loop_by_symlink(good: Path) -> None:
    (good / "package").mkdir()
    (good / "package" / "again").symlink_to(good, target_is_directory=True)
    (good / "package" / "self").symlink_to(good / "package" / "self")
    (good / "dangling.py").symlink_to(good / "nowhere.py")
    assert problems(good).keys() <= {"dangling.py"}


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
def test_unreadable_file(good: Path) -> None:
    (good / "secret.py").write_text("x = 1\n")
    (good / "secret.py").chmod(0)
    assert problems(good) == {"secret.py": "unreadable-file"}


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("[tool.asynclint\n", "pyproject.toml"),
        ('[tool.asynclint]\nslect = ["blocking-sleep"]\n', "slect"),
        ('[tool.asynclint]\nselect = ["blocking-slep"]\n', "blocking-sleep"),
        ("[tool.asynclint]\nselect = 3\n", "select"),
        ('tool = "asynclint"\n', "pyproject.toml"),
    ],
    ids=["syntax", "unknown key", "unknown rule", "wrong type", "no table"],
)
def test_broken_configuration_is_one_line_and_exit_2(toml: str, says: str, good: Path) -> None:
    (good / "pyproject.toml").write_text(toml, "utf-8")
    result = check(good)
    assert result.returncode == 2, result.stdout + result.stderr
    assert says in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


def test_missing_path_is_exit_2(good: Path) -> None:
    result = check(good, "app.py", "nowhere.py")
    assert result.returncode == 2
    assert "nowhere.py" in result.stderr
    assert "Traceback" not in result.stderr


DOCUMENTED = re.findall(
    r"^```toml\n(.*?)^```$",
    (ROOT / "docs" / "configuration.md").read_text("utf-8"),
    re.MULTILINE | re.DOTALL,
)


@pytest.mark.parametrize("toml", DOCUMENTED)
def test_documented_configuration_is_accepted(toml: str, good: Path) -> None:
    """Each block of docs/configuration.md, as it stands and bare in asynclint.toml."""
    (good / "tools" / "lint").mkdir(parents=True)
    (good / "pyproject.toml").write_text(toml, "utf-8")
    assert findings(check(good)) == [GOOD]
    (good / "pyproject.toml").unlink()
    bare = toml.replace("[tool.asynclint.", "[").replace("[tool.asynclint]\n", "")
    (good / "asynclint.toml").write_text(bare, "utf-8")
    assert findings(check(good)) == [GOOD]
