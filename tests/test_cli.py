"""The command line: options, exit codes, and one line on stderr for whatever the user can repair."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nursery
import pytest
from nursery import ASYNCLINT

from asynclint import __version__

ROOT = Path(__file__).resolve().parent.parent

APP = """\
import asyncio
import time


async def handler(urls):
    time.sleep(1)
    await asyncio.gather(*(fetch(url) for url in urls))


async def fetch(url):
    await asyncio.sleep(0)
"""
CLEAN = "import asyncio\n\n\nasync def handler():\n    await asyncio.sleep(1)\n"
FAN_OUT = APP.replace("    time.sleep(1)\n", "")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with an error on line 6 and a warning on line 7 of app.py."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "p"\n[tool.asynclint]\n', "utf-8")
    (tmp_path / "app.py").write_text(APP, "utf-8")
    return tmp_path


def run(
    directory: Path,
    *arguments: str,
    stdin: bytes = b"",
    process: bool = False,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run a command, forked from what has imported asynclint, or as a `process` of its own."""
    variables = (
        {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
        | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
        | environment
    )
    if process:
        done = subprocess.run(
            ASYNCLINT.line(arguments),
            cwd=directory,
            env=variables,
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )
    else:
        done = nursery.run(ASYNCLINT, arguments, cwd=directory, env=variables, stdin=stdin)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def lines(project: Path, *arguments: str) -> list[tuple[int, str]]:
    """Line and rule of each finding."""
    done = run(project, *arguments, "--output-format", "json")
    assert done.returncode in (0, 1), done.stderr
    return [(row["line"], row["rule"]) for row in json.loads(done.stdout)]


BOTH = [(6, "blocking-sleep"), (7, "unbounded-gather")]


def refused(done: subprocess.CompletedProcess[str], *says: str) -> None:
    """Exit code 2, nothing on stdout, one line on stderr."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("asynclint: error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    for word in says:
        assert word in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--color", "always", "--statistics"),
        ("--select", "nothing"),
        ("--show-settings",),
        ("-", "--stdin-filename", "other.py", "--output-format", "sarif"),
        ("check", "nowhere.py"),
        ("explain", "app.py:6"),
        ("--diff",),
        ("rule", "--all"),
        ("--help",),
        ("--version",),
    ],
    ids=" ".join,
)
def test_what_is_forked_says_what_a_process_says(arguments: tuple[str, ...], project: Path) -> None:
    stdin = APP.encode() if "-" in arguments else b""
    said = []
    for process in (True, False):
        said.append(run(project, *arguments, stdin=stdin, process=process))
        shutil.rmtree(project / ".asynclint_cache", ignore_errors=True)
    assert vars(said[1]) == vars(said[0])


# -- check -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), (".",), ("app.py",), ("check",), ("check", "app.py")])
def test_check_is_the_default_command(arguments: tuple[str, ...], project: Path) -> None:
    assert lines(project, *arguments) == BOTH


def test_full_is_the_default_format(project: Path) -> None:
    done = run(project)
    assert (
        "error[blocking-sleep]: `time.sleep` blocks the event loop\n --> app.py:6:5\n"
        in done.stdout
    )
    assert done.stdout.endswith("Found 2 findings (1 error, 1 warning)\n")
    assert done.returncode == 1
    assert "Found" not in run(project, "-q").stdout


def test_nothing_to_read_is_said(project: Path) -> None:
    """Each time, and not as if all were well."""
    (project / "empty").mkdir()
    for arguments in (("empty",), ("--exclude", "app.py")):
        for _ in range(2):
            done = run(project, *arguments)
            assert done.returncode == 0
            assert done.stderr == "asynclint: warning: no Python files below the paths given\n"
        assert run(project, *arguments, "--quiet").stderr == ""
    assert run(project, "-", stdin=b"x = 1\n").stderr == ""


def test_clean_project(project: Path) -> None:
    (project / "app.py").write_text(CLEAN, "utf-8")
    done = run(project)
    assert (done.returncode, done.stdout, done.stderr) == (0, "All checks passed\n", "")
    assert run(project, "--output-format", "json").stdout == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--select", "blocking-sleep"), BOTH[:1]),
        (("--select", "concurrency"), BOTH[1:]),
        (("--select", "concurrency, blocking"), BOTH),
        (("--select", "concurrency", "--select", "blocking-sleep"), BOTH),
        (("--select", "concurrency", "--extend-select", "blocking-sleep"), BOTH),
        (("--ignore", "blocking"), BOTH[1:]),
        (("--ignore", "blocking", "--ignore", "concurrency"), []),
    ],
)
def test_choice_of_rules(
    arguments: tuple[str, ...], expected: list[tuple[int, str]], project: Path
) -> None:
    assert lines(project, *arguments) == expected


def test_exit_code_by_level(project: Path) -> None:
    (project / "app.py").write_text(FAN_OUT, "utf-8")
    assert run(project).returncode == 1
    assert run(project, "--fail-on", "error").returncode == 0
    assert run(project, "--fail-on", "note").returncode == 1
    assert run(project, "--exit-zero").returncode == 0


def test_notes_are_shown_on_demand(project: Path) -> None:
    (project / "asynclint.toml").write_text('levels = { blocking-sleep = "note" }\n', "utf-8")
    assert lines(project) == BOTH[1:]
    assert lines(project, "--notes") == BOTH
    assert lines(project, "--select", "blocking-sleep") == BOTH[:1]
    assert run(project, "--select", "blocking-sleep").returncode == 0
    assert run(project, "--select", "blocking-sleep", "--fail-on", "note").returncode == 1


def test_configuration_and_what_wins_over_it(project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.asynclint]\nignore = ["blocking"]\n', "utf-8")
    (project / "other.toml").write_text('ignore = ["concurrency"]\n', "utf-8")
    assert lines(project) == BOTH[1:]
    assert lines(project, "--ignore", "concurrency") == []
    assert lines(project, "--isolated") == BOTH
    assert lines(project, "--config", "other.toml") == BOTH[:1]
    assert lines(project, "--config", "ignore = []") == BOTH
    assert (
        lines(project, "--config", 'select = ["blocking-wait"]', "--config", "notes = true") == []
    )


def test_what_the_file_ignores_can_be_selected(project: Path) -> None:
    """As in ruff, where `--select` starts afresh."""
    (project / "pyproject.toml").write_text(
        '[tool.asynclint]\nignore = ["blocking-sleep"]\nextend-select = ["concurrency"]\n', "utf-8"
    )
    assert lines(project, "--select", "blocking-sleep") == BOTH[:1]
    assert lines(project, "--select", "blocking-sleep", "--ignore", "blocking-sleep") == []
    assert lines(project, "--extend-select", "blocking") == BOTH[1:]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere",), ("nowhere: no such file or directory",)),
        (("check", "app.py", "nowhere.py"), ("nowhere.py",)),
        (("--bogus",), ("--bogus",)),
        (("--output-format", "yaml"), ("yaml", "concise")),
        (("--select", "blocking-slep"), ("command line", "blocking-slep", "`blocking-sleep`")),
        (("--ignore", "clientz"), ("command line", "`clients`")),
        (("--fail-on", "fatal"), ("fatal",)),
        (("--config", "nowhere.toml"), ("nowhere.toml",)),
        (("--config", "select=("), ("--config select=(", "not valid TOML")),
        (("--config", "slect=[]"), ("command line", "slect", "`select`")),
        (("--config", "ignore=3", "--ignore", "blocking"), ("command line", "ignore")),
        (("--config", 'ignore=["blocking-slep"]'), ("command line", "`blocking-sleep`")),
        (("--config", "a.toml", "--config", "b.toml"), ("a.toml", "b.toml")),
        (("-", "app.py"), ("stdin",)),
        (("--stdin-filename", "app.py"), ("--stdin-filename",)),
        (("-o", "missing/report.txt"), ("missing/report.txt: cannot be written",)),
        (("-o", "."), (".",)),
        (("rule", "blocking-slep"), ("`blocking-sleep`",)),
        (("rule", "--bogus"), ("--bogus",)),
        (("explain",), ("FILE:LINE",)),
        (("explain", "app.py"), ("FILE:LINE",)),
        (("explain", ".:3"), ("FILE:LINE",)),
        (("explain", "app.py:99"), ("app.py:99", "no such line", "11")),
        (("explain", "app.py:0"), ("no such line",)),
        (("--jobs", "0"), ("--jobs",)),
        (("clean", "all"), ("all",)),
        (("explain", "nowhere.py:3"), ("nowhere.py",)),
        (("knowledge", "no-such-library"), ("no-such-library",)),
        (("new-rule", "Not A Name"), ("Not A Name",)),
        (("--config", 'rules=["nowhere"]'), ("nowhere",)),
    ],
)
def test_what_the_user_can_repair_is_one_line(
    arguments: tuple[str, ...], says: tuple[str, ...], project: Path
) -> None:
    refused(run(project, *arguments), *says)


def test_broken_pack_is_one_line(project: Path) -> None:
    (project / "lint").mkdir()
    (project / "lint" / "no_rule.py").write_text("x = 1\n", "utf-8")
    refused(run(project, "--config", 'rules=["lint"]'), "no_rule.py")


def test_output_file(project: Path) -> None:
    done = run(project, "--output-format", "concise", "-o", "report.txt")
    assert (done.returncode, done.stdout) == (1, "")
    text = (project / "report.txt").read_text("utf-8")
    assert text == run(project, "--output-format", "concise").stdout
    assert len(text.splitlines()) == 2


def test_statistics(project: Path) -> None:
    done = run(project, "--statistics")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["1", "blocking-sleep"],
        ["1", "unbounded-gather"],
    ]
    assert done.returncode == 1
    rows = json.loads(run(project, "--statistics", "--output-format", "json").stdout)
    assert rows[0] == {"rule": "blocking-sleep", "count": 1}


def test_debug_stats_go_to_stderr(project: Path) -> None:
    done = run(project, "--debug-stats", "--no-cache", "--output-format", "json")
    json.loads(done.stdout)
    assert "slices parsed by libcst: 2 (2 lines)" in done.stderr


def test_show_files_and_exclusions(project: Path) -> None:
    for name in ("vendor", "made"):
        (project / name).mkdir()
        (project / name / "thing.py").write_text("x = 1\n", "utf-8")
    (project / "notes.txt").write_text("", "utf-8")

    def shown(*arguments: str) -> list[str]:
        done = run(project, "--show-files", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert shown() == ["app.py", "made/thing.py", "vendor/thing.py"]
    assert shown("--exclude", "vendor,made") == ["app.py"]
    assert shown("--extend-exclude", "vendor", "--extend-exclude", "app.py") == ["made/thing.py"]
    assert shown("app.py", "--exclude", "app.py") == ["app.py"]
    assert shown("app.py", "--exclude", "app.py", "--force-exclude") == []


def test_show_settings(project: Path) -> None:
    done = run(project, "--show-settings", "--ignore", "clients", "--fail-on", "error")
    assert done.returncode == 0
    assert "pyproject.toml" in done.stdout
    assert "  blocking-sleep (error)\n" in done.stdout
    assert "client-per-request" not in done.stdout
    assert 'fail-on = "error"' in done.stdout


def test_show_settings_tells_what_wins_over_what_ships(project: Path) -> None:
    setting = 'knowledge = { blocking = { "mylib.f" = "http" } }'
    done = run(project, "--show-settings", "--config", setting)
    assert "knowledge that wins over what ships: none\n" in done.stdout
    setting = 'knowledge = { modules = { time = { plain = "sleep" } } }'
    done = run(project, "--show-settings", "--config", setting)
    assert "wins over what ships:\n  time.sleep: neither blocks" in done.stdout
    assert "what ships says: blocks (sleep)" in done.stdout


def test_stdin_is_judged_with_the_project_around_it(project: Path) -> None:
    (project / "helpers.py").write_text(
        "import time\n\n\ndef load():\n    time.sleep(1)\n", "utf-8"
    )
    text = b"from helpers import load\n\n\nasync def handler():\n    return load()\n"
    done = run(project, "-", "--stdin-filename", "app.py", "--output-format", "concise", stdin=text)
    assert done.stdout.startswith("app.py:5:12: error blocking-sleep ")
    assert len(done.stdout.splitlines()) == 1
    assert done.returncode == 1
    assert (project / "app.py").read_text("utf-8") == APP


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + APP.encode(),
        b"# -*- coding: latin-1 -*- \xe4\n" + APP.partition("\n")[2].encode(),
        APP.replace("\n", "\r\n").encode(),
    ],
    ids=["byte order mark", "latin-1", "line ends"],
)
def test_stdin_in_its_encoding(text: bytes, tmp_path: Path) -> None:
    arguments = ("-", "--output-format", "concise", "--select", "blocking")
    done = run(tmp_path, *arguments, stdin=text, process=True)
    assert done.returncode == 1
    assert done.stdout == "stdin.py:6:5: error blocking-sleep `time.sleep` blocks the event loop\n"


def test_empty_stdin(tmp_path: Path) -> None:
    assert run(tmp_path, "-", "--output-format", "json").stdout == "[]\n"


def test_colour(project: Path) -> None:
    assert "\x1b[" not in run(project).stdout
    assert "\x1b[" in run(project, "--color", "always").stdout
    assert "\x1b[" in run(project, FORCE_COLOR="1").stdout
    assert "\x1b[" not in run(project, FORCE_COLOR="1", NO_COLOR="1").stdout
    assert "\x1b[" not in run(project, "--color", "never", FORCE_COLOR="1").stdout
    assert "\x1b[" not in run(project, "--output-format", "concise", FORCE_COLOR="1").stdout


def test_narrow_encodings_and_strange_names(project: Path) -> None:
    strange = os.fsencode(project) + b"/\xff\xe4.py"
    try:
        with open(strange, "wb") as file:
            file.write(APP.encode())
    except OSError:
        pytest.skip("the file system refuses such names")
    for form in ("full", "concise", "json", "github", "sarif", "gitlab", "junit"):
        done = run(project, "--output-format", form, process=True, PYTHONIOENCODING="ascii")
        assert done.returncode == 1, done.stderr
        done = run(project, "--output-format", form, "-o", "report")
        assert done.returncode == 1, done.stderr
        (project / "report").read_text("utf-8")


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_closed_pipe_is_quiet(project: Path) -> None:
    for number in range(300):
        (project / f"copy{number}.py").write_text(APP, "utf-8")
    command = f'"{sys.executable}" -m asynclint | head -n 1'
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [(), ("rule", "--all"), ("--show-settings",)])
def test_full_disk_is_one_line(arguments: tuple[str, ...], project: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "asynclint", *arguments],
            cwd=project,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (2, "asynclint: error: no space left on device\n")


def test_interrupt_is_quiet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    from asynclint import check, cli

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(project)
    monkeypatch.setattr(check, "check", interrupted)
    assert cli.run(["check"]) == 130
    assert "Traceback" not in capsys.readouterr().err


# -- the other commands -----------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version(option: str, project: Path) -> None:
    assert run(project, option).stdout == f"asynclint {__version__}\n"


@pytest.mark.parametrize(
    "command", [(), ("check",), ("rule",), ("explain",), ("new-rule",), ("knowledge",), ("clean",)]
)
def test_help(command: tuple[str, ...], project: Path) -> None:
    done = run(project, *command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: asynclint")


def test_rule(project: Path) -> None:
    page = (ROOT / "rules" / "blocking_sleep.md").read_text("utf-8")
    assert run(project, "rule", "blocking-sleep").stdout == page
    row = json.loads(run(project, "rule", "blocking-sleep", "--output-format", "json").stdout)
    assert (row["name"], row["group"], row["level"]) == ("blocking-sleep", "blocking", "error")
    assert row["page"] == page


def test_rule_all(project: Path) -> None:
    names = sorted(path.stem.replace("_", "-") for path in (ROOT / "rules").glob("*.py"))
    text = run(project, "rule", "--all").stdout
    assert [line.split()[0] for line in text.splitlines()] == names
    assert run(project, "rule").stdout == text
    rows = json.loads(run(project, "rule", "--all", "--output-format", "json").stdout)
    assert [row["name"] for row in rows] == names


def test_explain(project: Path) -> None:
    (project / "helpers.py").write_text(
        "import time\n\n\ndef load():\n    time.sleep(1)\n", "utf-8"
    )
    (project / "app.py").write_text(
        "from helpers import load\n\n\nasync def handler():\n"
        "    return load()  # asynclint: ignore[blocking-sleep] shown all the same\n",
        "utf-8",
    )
    done = run(project, "explain", "app.py:5")
    assert done.returncode == 0
    assert "error[blocking-sleep]" in done.stdout
    assert "--> helpers.py:5:5\n5 |     time.sleep(1)\n" in done.stdout
    done = run(project, "explain", "app.py:1")
    assert (done.returncode, done.stdout) == (0, "app.py:1: nothing to report\n")
    assert "error[blocking-sleep]" in run(project, "explain", "app.py:5:12").stdout


def test_explain_with_another_configuration(project: Path) -> None:
    (project / "app.py").write_text(
        "import time\n\n\nasync def handler():\n    time.sleep(1)\n", "utf-8"
    )
    (project / "pyproject.toml").write_text(
        '[tool.asynclint]\nignore = ["blocking-sleep"]\n', "utf-8"
    )
    (project / "loud.toml").write_text('levels = { blocking-sleep = "warning" }\n', "utf-8")
    assert "nothing to report" in run(project, "explain", "app.py:5").stdout
    assert "error[blocking-sleep]" in run(project, "explain", "--isolated", "app.py:5").stdout
    done = run(project, "explain", "--config", "loud.toml", "app.py:5")
    assert "warning[blocking-sleep]" in done.stdout
    done = run(project, "explain", "--config", "nowhere.toml", "app.py:5")
    assert done.returncode == 2 and "nowhere.toml" in done.stderr


def test_explain_tells_of_excluded_files_too(project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[tool.asynclint]\nexclude = ["app.py"]\nforce-exclude = true\n', "utf-8"
    )
    assert run(project, "app.py").stdout == "All checks passed\n"
    assert "error[blocking-sleep]" in run(project, "explain", "app.py:6").stdout


def test_options_that_change_no_finding(project: Path) -> None:
    assert lines(project, "--jobs", "2", "--no-cache", "--python", sys.executable) == BOTH


def test_clean(project: Path) -> None:
    cache = project / ".asynclint_cache"
    cache.mkdir()
    (cache / "facts").write_bytes(b"x")
    (project / "app").mkdir()
    done = run(project / "app", "clean")
    assert (done.returncode, done.stdout) == (0, f"removed {cache}\n")
    assert sorted(path.name for path in project.iterdir()) == ["app", "app.py", "pyproject.toml"]
    assert (run(project, "clean").returncode, run(project, "clean").stdout) == (0, "")


def test_clean_follows_no_link(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    precious = tmp_path_factory.mktemp("precious")
    (precious / "letter").write_text("dear", "utf-8")
    (project / ".asynclint_cache").symlink_to(precious)
    assert run(project, "clean").returncode == 0
    assert (precious / "letter").read_text("utf-8") == "dear"


def test_knowledge(project: Path) -> None:
    assert "httpx" in run(project, "knowledge").stdout
    assert "httpx.get" in run(project, "knowledge", "httpx").stdout


def test_new_rule(project: Path) -> None:
    done = run(project, "new-rule", "slow-thing", "--directory", "lint")
    assert done.returncode == 0, done.stderr
    assert {Path(line).name for line in done.stdout.splitlines()} == {
        "slow_thing.py",
        "slow_thing.md",
    }
    assert (project / "lint" / "slow_thing.py").is_file()
    again = run(project, "new-rule", "slow-thing", "--directory", "lint")
    refused(again)


def test_configuration_reaches_suppressions_that_silence_nothing(project: Path) -> None:
    (project / "app.py").write_text("x = 1  # asynclint: ignore[blocking-sleep]\n", "utf-8")
    settings = project / "asynclint.toml"
    settings.write_text('levels = { unused-ignore = "error" }\n', "utf-8")
    assert lines(project) == [(1, "unused-ignore")]
    assert run(project).returncode == 1
    settings.write_text(
        'levels = { unused-ignore = "error" }\nper-file-ignores = { "app.py" = ["unused-ignore"] }\n',
        "utf-8",
    )
    assert lines(project) == []
