"""What is kept of earlier runs changes how long a run takes, and nothing else."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from asynclint import cache, cli, project, replay

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
PARTS = ("service_layer", "reexports", "fastapi_routers", "namespace_packages")

LONG = """\
async def handler(command: list[str]) -> None:
    import subprocess

    subprocess.run(command, check=True, capture_output=True)
"""
SLEEP = "import time\n\n\nasync def handler():\n    time.sleep(1)\n"
LATER = SLEEP.replace("time.sleep(1)", "time.sleep(2)")
CALM = SLEEP.replace("time.sleep(1)", "print(time)  ")
SETTINGS = (
    "[tool.asynclint]\n",
    '[tool.asynclint]\nselect = ["blocking"]\n',
    '[tool.asynclint]\nignore = ["blocking-sleep"]\nnotes = true\n',
    '[tool.asynclint]\nextend-exclude = ["reexports"]\n',
    '[tool.asynclint]\nper-file-ignores = {"**/main.py" = ["all"]}\n',
    '[tool.asynclint]\nlevels = {"unawaited-coroutine" = "note"}\n',
)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of several fixtures, which is the working directory."""
    root = tmp_path / "tree"
    root.mkdir()
    for part in PARTS:
        shutil.copytree(FIXTURES / part, root / part, ignore=shutil.ignore_patterns("*.json"))
    (root / "pyproject.toml").write_text(SETTINGS[0], "utf-8")
    monkeypatch.chdir(root)
    return root


@pytest.fixture(params=["starlette", "httpcore"])
def package(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A copy of an installed package, which is the working directory."""
    found = importlib.util.find_spec(request.param)
    assert found is not None and found.origin is not None
    root = tmp_path / "package"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(found.origin).parent, root / request.param, ignore=ignored)
    (root / "pyproject.toml").write_text(SETTINGS[0], "utf-8")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one file with one finding, which is the working directory."""
    root = tmp_path / "small"
    root.mkdir()
    (root / "pyproject.toml").write_text(SETTINGS[0], "utf-8")
    (root / "app.py").write_text(SLEEP, "utf-8")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are old enough as soon as they are written: what looks the same is the same."""
    monkeypatch.setattr(cache, "HOT", 0)


def run(*arguments: str) -> tuple[int, str, str]:
    """The exit code and what goes to stdout and stderr."""
    out, err = io.BytesIO(), io.StringIO()
    stdout = io.TextIOWrapper(out, "utf-8")
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(err):
        code = replay.replay(["check", *arguments])
        replayed.append(code is not None)
        if code is None:
            code = cli.run(["check", *arguments])
        stdout.flush()
    return code, out.getvalue().decode(), err.getvalue()


replayed: list[bool] = []
"""Of each run, whether it printed what an earlier one had."""


def uncached(*arguments: str) -> tuple[int, str, str]:
    return run("--no-cache", *arguments)


def parsed(*arguments: str, of: str = "files parsed") -> int:
    """How many files, or something else, a run parses."""
    _, _, errors = run("--debug-stats", *arguments)
    found = re.search(rf"^{of}: (\d+)", errors, re.MULTILINE)
    assert found, errors
    return int(found[1])


def program(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "asynclint", "check", *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}


def results(root: Path) -> Path:
    return root / cache.FOLDER / cache.NAME


# -- the same findings ----------------------------------------------------------------------------


def files(root: Path) -> list[Path]:
    return sorted(p for p in root.rglob("*.py") if cache.FOLDER not in p.parts)


def edit(root: Path, chance: random.Random) -> str:
    """Change something in a project, as people and their tools do; what was done."""
    path = chance.choice(files(root))
    lines = path.read_text("utf-8", "surrogateescape").splitlines(keepends=True)
    what = chance.choice(
        [
            "append",
            "insert",
            "drop",
            "swap",
            "sleep",
            "same-size",
            "copy",
            "delete",
            "rename",
            "add",
            "empty",
            "package",
            "ignore",
            "settings",
            "touch",
            "broken",
            "bytes",
            "comment",
        ]
    )
    if what == "append":
        path.write_text(
            "".join(lines) + "\n\ndef added():\n    return None\n", "utf-8", "surrogateescape"
        )
    elif what == "insert":
        lines.insert(chance.randint(0, len(lines)), "\n")
        path.write_text("".join(lines), "utf-8", "surrogateescape")
    elif what == "drop" and lines:
        del lines[chance.randrange(len(lines))]
        path.write_text("".join(lines), "utf-8", "surrogateescape")
    elif what == "swap":
        other = chance.choice(files(root))
        text = path.read_text("utf-8", "surrogateescape")
        path.write_text(other.read_text("utf-8", "surrogateescape"), "utf-8", "surrogateescape")
        other.write_text(text, "utf-8", "surrogateescape")
    elif what in ("sleep", "same-size"):
        path.write_text(chance.choice((SLEEP, LATER, CALM)), "utf-8", "surrogateescape")
    elif what == "copy":
        shutil.copy2(path, chance.choice(files(root)).with_name("copied.py"))
    elif what == "delete" and len(files(root)) > 5:
        path.unlink()
    elif what == "rename":
        path.rename(path.with_name(chance.choice(("renamed.py", "main.py", "__init__.py"))))
    elif what == "add":
        (path.parent / "more").mkdir(exist_ok=True)
        (path.parent / "more" / "extra.py").write_text(
            chance.choice((SLEEP, CALM)), "utf-8", "surrogateescape"
        )
    elif what == "empty":
        path.write_text("", "utf-8", "surrogateescape")
    elif what == "package":
        (path.parent / "__init__.py").touch()
    elif what == "ignore":
        (root / ".git").mkdir(exist_ok=True)
        (root / ".gitignore").write_text(f"{path.name}\n", "utf-8", "surrogateescape")
    elif what == "settings":
        (root / "pyproject.toml").write_text(chance.choice(SETTINGS), "utf-8", "surrogateescape")
    elif what == "touch":
        stamp = chance.choice((0, time.time() - 60, time.time() + 3600))
        os.utime(path, (stamp, stamp))
    elif what == "broken":
        path.write_text("async def broken(:\n", "utf-8", "surrogateescape")
    elif what == "bytes":
        path.write_bytes(b"name = '\xff\xfe'\n")
    elif what == "comment":
        path.write_text("# asynclint: ignore-file\n" + "".join(lines), "utf-8", "surrogateescape")
    return f"{what} {path.relative_to(root)}"


@pytest.mark.parametrize("hot", [0, 1 << 60])
@pytest.mark.parametrize("seed", range(6))
def test_no_sequence_of_edits_makes_a_difference(
    tree: Path, seed: int, hot: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "HOT", hot)
    chance = random.Random(seed)
    done: list[str] = []
    replayed.clear()
    for _ in range(10):
        for number in range(2):
            arguments = chance.choice(
                ([], [], ["service_layer"], ["--select", "unawaited-coroutine"], ["--isolated"])
            )
            style = chance.choice(("json", "concise", "full", "sarif", "gitlab"))
            arguments = [*arguments, "--output-format", style]
            expected = uncached(*arguments)
            arguments += chance.choice(([], ["--jobs", "1"], ["--jobs", "2"], ["--jobs", "8"]))
            assert run(*arguments) == expected, (arguments, done)
            if number:
                assert run(*arguments) == expected, (arguments, done)
                assert parsed(*arguments) == 0
                assert run(*arguments) == expected, (arguments, done)
        time.sleep(0.02)  # A clock tick: edits within one cannot be told apart.
        done += [edit(tree, chance) for _ in range(chance.choice((1, 1, 1, 4)))]

    assert any(replayed) is (hot == 0)


@pytest.mark.parametrize("seed", range(3))
def test_no_edit_of_a_real_package_makes_a_difference(package: Path, seed: int) -> None:
    chance = random.Random(f"{package.name} {seed}")
    done: list[str] = []
    for _ in range(4):
        done += [edit(package, chance) for _ in range(chance.choice((1, 1, 3)))]
        style = chance.choice(("json", "concise", "full", "sarif"))
        arguments = ["--output-format", style]
        expected = uncached(*arguments, "--jobs", "1")
        for jobs in ("1", "2", "8"):
            assert uncached(*arguments, "--jobs", jobs) == expected, (style, jobs, done)
        jobs = chance.choice(("1", "2", "8"))
        for _ in range(2):
            assert run(*arguments, "--jobs", jobs) == expected, (style, jobs, done)
        time.sleep(0.02)


def test_rules_look_only_at_files_of_which_something_new_is_known(tree: Path) -> None:
    concise = ("--output-format", "concise")
    everything = parsed(*concise, of="slices parsed by libcst")
    assert everything > 5
    path = tree / "service_layer" / "main.py"
    path.write_text(path.read_text("utf-8") + "\nADDED = 1\n", "utf-8")
    expected = uncached(*concise)
    assert 0 < parsed(*concise, of="slices parsed by libcst") < everything
    assert run(*concise) == expected
    (tree / "calm.py").write_text("import asyncio\n", "utf-8")
    expected = uncached(*concise)
    assert parsed(*concise, of="slices parsed by libcst") == 0
    assert run(*concise) == expected


def test_what_shows_no_fixes_answers_only_what_shows_none(tree: Path) -> None:
    full = uncached("--output-format", "full")
    concise = run("--output-format", "concise")
    assert run("--output-format", "full") == full
    assert parsed("--output-format", "concise") == 0
    assert run("--output-format", "concise") == concise


def test_a_state_that_was_there_before_is_known(tree: Path) -> None:
    path = tree / "service_layer" / "main.py"
    before = path.read_text("utf-8")
    expected = run()
    path.write_text(SLEEP, "utf-8")
    assert run() != expected
    path.write_text(before, "utf-8")
    assert parsed() == 0
    assert run() == expected


def test_only_what_changed_is_parsed(tree: Path) -> None:
    everything = parsed()
    assert everything > 10
    path = tree / "service_layer" / "main.py"
    path.write_text(path.read_text("utf-8") + "\nADDED = 1\n", "utf-8")
    assert parsed() == 1
    (tree / "fresh.py").write_text(SLEEP, "utf-8")
    assert parsed() == 1
    (tree / "fresh.py").rename(tree / "other.py")
    assert parsed() == 0, "a text is known whatever its file is called"


def test_an_edit_that_does_not_show_from_outside_is_noticed(small: Path, cold: None) -> None:
    path = small / "app.py"
    assert run() == uncached()
    look = path.stat()
    path.write_text(CALM, "utf-8")
    os.utime(path, ns=(look.st_atime_ns, look.st_mtime_ns))
    assert path.stat().st_size == look.st_size
    assert run() == uncached()
    assert run()[0] == 0


def test_a_file_that_was_written_just_now_is_read(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its times may be too coarse to tell two edits apart."""
    coarse = (len(SLEEP), 10**18, 10**18, 1)
    now = 10**18 + cache.HOT
    monkeypatch.setattr(project, "look_of", lambda status: coarse)
    monkeypatch.setattr(cache, "look", lambda path: coarse)
    monkeypatch.setattr(project.time, "time_ns", lambda: now - 1)
    assert run("--statistics")[0] == 1
    (small / "app.py").write_text(CALM, "utf-8")
    assert run("--statistics")[0] == 0
    # Once it is old enough it is believed.
    monkeypatch.setattr(project.time, "time_ns", lambda: now + 1)
    assert run("--statistics")[0] == 0
    (small / "app.py").write_text(SLEEP, "utf-8")
    assert run("--statistics")[0] == 0


def test_a_touched_file_is_not_parsed_again(small: Path, cold: None) -> None:
    run()
    os.utime(small / "app.py", (0, 0))
    assert parsed() == 0
    os.utime(small / "app.py", (time.time() + 9999,) * 2)
    assert parsed() == 0


def test_a_file_that_changes_during_the_run_is_found_changed(
    small: Path, cold: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = project.Listing.read

    def meanwhile(listing: project.Listing, memory: object = None) -> project.Project:
        found = read(listing, memory)  # type: ignore[arg-type]
        (small / "app.py").write_text(CALM, "utf-8")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(project.Listing, "read", meanwhile)
        assert run()[0] == 1
    assert run() == uncached()
    assert run()[0] == 0


def test_stdin_uses_facts_and_keeps_no_answer(tree: Path) -> None:
    run()
    command = program("--stdin-filename", "service_layer/main.py", "-", "--debug-stats")
    for text in (SLEEP, CALM):
        done = subprocess.run(
            command,
            check=False,
            cwd=tree,
            env=environment(),
            input=text,
            capture_output=True,
            text=True,
        )
        assert done.returncode == (1 if text == SLEEP else 0)
        assert "files parsed: 1 " in done.stderr
    assert parsed() == 0


# -- what an answer depends on --------------------------------------------------------------------


def test_edited_rules_of_ones_own_are_noticed(small: Path) -> None:
    pack = small.parent / "lint"
    pack.mkdir()
    for name in ("blocking_sleep.py", "blocking_sleep.md"):
        shutil.copy(ROOT / "rules" / name, pack / name.replace("sleep", "nap"))
    rule = pack / "blocking_nap.py"
    text = rule.read_text("utf-8").replace("blocking-sleep", "blocking-nap")
    rule.write_text(text, "utf-8")
    old = time.time() - 60
    os.utime(rule, (old, old))
    (small / "pyproject.toml").write_text('[tool.asynclint]\nrules = ["../lint"]\n', "utf-8")
    command = program("--select", "blocking-nap", "--output-format", "json")

    def levels() -> set[str]:
        done = subprocess.run(
            command, check=False, cwd=small, env=environment(), capture_output=True, text=True
        )
        return {row["level"] for row in json.loads(done.stdout)}

    [level] = levels()
    other = "note" if level == "warning" else "warning"
    rule.write_text(text.replace(f'level = "{level}"', f'level = "{other}"'), "utf-8")
    assert levels() == {other}


def test_a_package_around_the_project_is_noticed(small: Path) -> None:
    """It changes the names of modules, though no file of the project."""
    (small / "__init__.py").touch()
    above = small.parent.name
    text = f"from ...{above}.small.slow import wait\n\n\nasync def handler():\n    wait()\n"
    (small / "app.py").write_text(text, "utf-8")
    (small / "slow.py").write_text(SLEEP.replace("async def handler", "def wait"), "utf-8")
    assert run()[0] == 0
    (small.parent / "__init__.py").touch()
    assert run() == uncached()
    assert run()[0] == 1


def test_what_is_reported_on_is_noticed(small: Path) -> None:
    (small / "other.py").write_text(CALM, "utf-8")
    assert [run(name)[0] for name in ("app.py", "other.py", ".")] == [1, 0, 1]
    assert [parsed(name) for name in ("app.py", "other.py", ".")] == [0, 0, 0]


def test_a_width_that_changes_is_noticed(small: Path) -> None:
    (small / "app.py").write_text(LONG, "utf-8")
    for width in (60, 160):
        (small / "ruff.toml").write_text(f"line-length = {width}\n", "utf-8")
        for _ in range(2):
            assert run("--output-format", "json") == uncached("--output-format", "json")


def test_an_answer_is_found_by_another_process(small: Path) -> None:
    """Sets are in another order there."""
    needed = ["fastapi", "httpx", "anthropic", "openai", "aiohttp"]
    settings = f'[project]\nname = "x"\ndependencies = {needed}\n{SETTINGS[1]}'
    (small / "pyproject.toml").write_text(settings, "utf-8")
    (small / "requirements.txt").write_text("\n".join(needed), "utf-8")
    said = [
        subprocess.run(
            program("--debug-stats"),
            env={**environment(), "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=False,
        )
        for seed in range(1, 5)
    ]
    assert "functions:" in said[0].stderr
    for one in said[1:]:
        assert "functions:" not in one.stderr
        assert one.stdout == said[0].stdout


NEWER = "import time\n\n\ndef first[T](one: T) -> T:\n    return one\n" + SLEEP[13:]


@pytest.mark.usefixtures("cold")
def test_an_answer_goes_by_what_projects_below_the_root_need(small: Path) -> None:
    """Whether code of a later Python is a mistake depends on a file that is no code."""
    below = small / "service"
    below.mkdir()
    (below / "app.py").write_text(NEWER, "utf-8")
    said = below / "pyproject.toml"
    older, newer = (
        f'[project]\nname = "service"\nrequires-python = ">={one}"\n' for one in ("3.10", "3.12")
    )
    for text in (older, newer, older):
        said.write_text(text, "utf-8")
        expected = uncached("--output-format", "json")
        assert run("--output-format", "json") == expected
        # What prints otherwise is not printed again, but answered all the same: nothing is inferred.
        assert "functions:" not in run("--output-format", "concise", "--debug-stats")[2]
        assert run("--output-format", "concise") == uncached("--output-format", "concise")
        assert run("--output-format", "json") == expected
    said.unlink()
    assert run("--output-format", "json") == uncached("--output-format", "json")


@pytest.mark.usefixtures("cold")
def test_an_answer_goes_by_what_fixes_read_of_projects_below_the_root(tree: Path) -> None:
    """Also where another process looked for the fixes."""
    below = tree / "service"
    below.mkdir()
    names = [f"f{number}" for number in range(80)]
    body = "".join(
        f"\n\nasync def {name}(path: str) -> None:\n    with open(path) as file:\n        print(file.read())\n"
        for name in names
    )
    (below / "app.py").write_text(body.lstrip(), "utf-8")
    said = below / "pyproject.toml"
    for version in ("3.7", "3.10", "3.8"):
        said.write_text(f'[project]\nname = "x"\nrequires-python = ">={version}"\n', "utf-8")
        expected = uncached("--output-format", "json")
        assert run("--output-format", "json", "--jobs", "2") == expected
        assert run("--output-format", "json", "--statistics")[0] == expected[0]
        assert run("--output-format", "json", "--jobs", "2") == expected


def test_names_are_validated_although_there_is_an_answer(small: Path) -> None:
    run()
    assert run("--select", "no-such-rule")[0] == 2
    (small / "pyproject.toml").write_text('[tool.asynclint]\nselect = ["nothing"]\n', "utf-8")
    assert run()[0] == 2


def test_another_version_reads_nothing(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = parsed()
    assert parsed() == 0
    with monkeypatch.context() as patch:
        patch.setattr(cache, "tool_digest", lambda: "another")
        assert parsed() == everything
    assert parsed() == everything


def test_the_number_of_answers_is_bounded(small: Path) -> None:
    for number in range(cache.MAX_ANSWERS + 4):
        (small / "app.py").write_text(f"{SLEEP}\n\nX = {number}\n", "utf-8")
        run()
    size = results(small).stat().st_size
    for number in range(cache.MAX_ANSWERS):
        (small / "app.py").write_text(f"{SLEEP}\n\nY = {number}\n", "utf-8")
        run()
    assert results(small).stat().st_size < size * 1.1


# -- what can go wrong ----------------------------------------------------------------------------


def offsets(length: int) -> Iterator[int]:
    yield from range(0, min(length, 48), 3)
    yield from range(48, length, max(1, length // 40))
    yield length - 1


def test_a_truncated_file_is_dropped(tree: Path) -> None:
    expected = run("--output-format", "json")
    whole = results(tree).read_bytes()
    for offset in offsets(len(whole)):
        results(tree).write_bytes(whole[:offset])
        assert run("--output-format", "json") == expected, offset


def test_a_corrupted_file_is_dropped(tree: Path) -> None:
    expected = run("--output-format", "json")
    whole = results(tree).read_bytes()
    path = tree / "service_layer" / "main.py"
    text = path.read_text("utf-8")
    for number, offset in enumerate(offsets(len(whole))):
        broken = bytearray(whole)
        broken[offset] ^= 0x55
        results(tree).write_bytes(broken)
        if number % 2:
            path.write_text(f"{text}\n# {number}\n", "utf-8")
        assert run("--output-format", "json") == expected, offset


@pytest.mark.parametrize("content", [b"", b"x", b"asynclint", b"\0" * 500, os.urandom(4000)])
def test_what_is_no_cache_is_dropped(small: Path, content: bytes) -> None:
    expected = run()
    results(small).write_bytes(content)
    assert run() == expected
    assert parsed() == 0


def test_a_cache_that_is_a_directory_gives_one_warning(small: Path) -> None:
    results(small).mkdir(parents=True)
    code, out, errors = run()
    assert (code, out) == uncached()[:2]
    assert re.fullmatch(r"asynclint: warning: \S+: results are not kept: .+\n", errors)
    assert not list(results(small).parent.glob("*.tmp"))


def test_a_directory_that_cannot_be_made_gives_one_warning(small: Path) -> None:
    (small / cache.FOLDER).write_text("in the way", "utf-8")
    code, out, errors = run()
    assert (code, out) == uncached()[:2]
    assert re.fullmatch(r"asynclint: warning: \S+: results are not kept: .+\n", errors)
    assert run("--quiet")[2] == ""


def test_a_full_disk_gives_one_warning(tree: Path) -> None:
    resource = pytest.importorskip("resource")

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(
        program("--output-format", "json"),
        check=False,
        cwd=tree,
        env={**environment(), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        preexec_fn=limit,
    )
    assert (done.returncode, done.stdout) == uncached("--output-format", "json")[:2]
    assert re.fullmatch(r"asynclint: warning: \S+: results are not kept: .+\n", done.stderr)
    assert not list((tree / cache.FOLDER).glob("*.tmp"))


def test_runs_at_once_do_no_harm(tree: Path) -> None:
    expected = uncached("--output-format", "json")
    for _ in range(2):
        runs = [
            subprocess.Popen(
                program("--output-format", "json", *more),
                cwd=tree,
                env=environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for more in ([], ["--notes"], [])
        ]
        outputs = [(*one.communicate(timeout=120), one.returncode) for one in runs]
        for out, errors, code in (outputs[0], outputs[2]):
            assert (code, out, errors) == expected
    assert parsed() == 0
    assert not list((tree / cache.FOLDER).glob("*.tmp"))


def test_a_killed_run_leaves_nothing_that_harms(tree: Path) -> None:
    expected = uncached()
    for delay in (0.1, 0.2, 0.3, 0.4):
        one = subprocess.Popen(
            program(),
            cwd=tree,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        time.sleep(delay)
        one.kill()
        one.communicate()
    left = tree / cache.FOLDER / "1-1.tmp"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    assert run() == expected
    run("--notes")
    assert not left.exists()


# -- what it is for -------------------------------------------------------------------------------


def test_an_unchanged_project_is_answered_without_the_engine(tree: Path) -> None:
    for style in ("full", "json", "concise"):
        run("--output-format", style)
        done = subprocess.run(
            [sys.executable, "-X", "importtime", *program("--output-format", style)[1:]],
            check=False,
            cwd=tree,
            env=environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        names = re.findall(r"^import time:\s+\d+ \|\s+\d+ \|\s+(\S+)$", done.stderr, re.MULTILINE)
        assert "asynclint.cache" in names or "asynclint.cli" not in names
        heavy = ("libcst", "pathspec", "asynclint.facts", "asynclint.knowledge",
                 "asynclint.rule", "asynclint.check", "asynclint.suppress", "asynclint.fix")  # fmt: skip
        assert not [n for n in names for h in heavy if n == h or n.startswith(f"{h}.")]


def test_an_unchanged_project_is_not_read(
    tree: Path, cold: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run("--output-format", "json")

    def read(*_: object) -> None:
        raise AssertionError("a file is read")

    monkeypatch.setattr(project.Listing, "text", read)
    monkeypatch.setattr(project.Listing, "read", read)
    assert run("--output-format", "json") == expected


def test_a_checkout_that_is_old_enough_is_not_read_again(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    with monkeypatch.context() as patch:
        patch.setattr(cache, "HOT", 0)
        run()
    reads: list[str] = []
    text = project.Listing.text
    monkeypatch.setattr(
        project.Listing, "text", lambda listing, path: reads.append(path) or text(listing, path)
    )
    run("--output-format", "concise")
    assert not reads


# -- the same output ------------------------------------------------------------------------------


@pytest.fixture
def known(small: Path, cold: None) -> tuple[int, str, str]:
    """What is printed for a project whose output is kept."""
    (small / "below").mkdir()
    (small / "below" / "other.py").write_text(CALM, "utf-8")
    run()
    run()
    replayed.clear()
    expected = run()
    assert replayed == [True]
    return expected


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("app.py", CALM),
        ("below/new.py", SLEEP),
        ("below/deeper/new.py", SLEEP),
        ("below/__init__.py", ""),
        ("below/.gitignore", "app.py\n"),
        ("asynclint.toml", 'ignore = ["all"]\n'),
        ("pyproject.toml", '[tool.asynclint]\nignore = ["all"]\n'),
        ("ruff.toml", "line-length = 60\n"),
        (".flake8", "[flake8]\nmax-line-length = 60\n"),
        ("below/requirements.txt", ""),
        ("below/pyproject.toml", ""),
        ("../__init__.py", ""),
        ("../.gitignore", ""),
        ("../.git/HEAD", ""),
    ],
)
def test_output_is_printed_again_only_while_nothing_changed(
    small: Path, known: tuple[int, str, str], path: str, text: str
) -> None:
    time.sleep(0.02)
    (small / path).parent.mkdir(exist_ok=True)
    (small / path).write_text(text, "utf-8")
    replayed.clear()
    assert run() == uncached()
    assert replayed == [False, False]
    run()
    run()
    assert replayed[-1]


def test_output_belongs_to_a_command_and_its_circumstances(
    small: Path, known: tuple[int, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    replayed.clear()
    run("--exit-zero")
    run("app.py")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\033[" in run()[1]
    monkeypatch.delenv("FORCE_COLOR")
    monkeypatch.chdir(small / "below")
    assert run()[0] == 0
    monkeypatch.setattr(replay, "tool_digest", lambda: "another")
    monkeypatch.chdir(small)
    run()
    assert not any(replayed)


def test_a_deleted_file_is_noticed(small: Path, known: tuple[int, str, str]) -> None:
    (small / "app.py").unlink()
    assert run()[0] == 0


def test_damaged_output_is_dropped(small: Path, known: tuple[int, str, str]) -> None:
    path = small / cache.FOLDER / replay.NAME
    whole = path.read_bytes()
    for offset in offsets(len(whole)):
        path.write_bytes(whole[:offset])
        assert run() == known
        broken = bytearray(whole)
        broken[offset] ^= 0x55
        path.write_bytes(broken)
        assert run() == known


def test_a_closed_pipe_is_no_error(small: Path, known: tuple[int, str, str]) -> None:
    for _ in range(3):
        done = subprocess.run(
            f"{shlex.join(program())} | true",
            shell=True,
            check=False,
            cwd=small,
            env=environment(),
            capture_output=True,
            text=True,
        )
        assert done.stderr == ""


# -- leaving it out -------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["cache = false", ""])
def test_the_cache_can_be_left_out(small: Path, setting: str) -> None:
    (small / "pyproject.toml").write_text(f"[tool.asynclint]\n{setting}\n", "utf-8")
    run(*([] if setting else ["--no-cache"]))
    assert not (small / cache.FOLDER).exists()


def test_git_ignores_it_and_clean_removes_it(small: Path) -> None:
    run()
    assert (small / cache.FOLDER / ".gitignore").read_text("utf-8") == "*\n"
    assert results(small).is_file()
    with contextlib.redirect_stdout(io.StringIO()):
        assert cli.run(["clean"]) == 0
    assert not (small / cache.FOLDER).exists()


def test_fixing_uses_what_is_known_and_leaves_it_right(tree: Path) -> None:
    run()
    path = tree / "calm.py"
    path.write_text(SLEEP, "utf-8")
    run("--fix", "--unsafe-fixes")
    assert run() == uncached()


# -- watching -------------------------------------------------------------------------------------


def test_watching_checks_again_after_every_change(small: Path) -> None:
    command = program("--watch", "--output-format", "concise")
    one = subprocess.Popen(
        command,
        cwd=small,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Where the tests run in the background of a shell, interrupts are ignored, also by what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert one.stdout is not None
    try:
        assert "app.py:5:5: error" in one.stdout.readline()
        (small / "app.py").write_text(f"\n{SLEEP}", "utf-8")
        assert "app.py:6:5: error" in one.stdout.readline()
        (small / "pyproject.toml").write_text("[tool.asynclint]\nnonsense = 1\n", "utf-8")
        assert one.stdout.readline().startswith("asynclint: error: ")
        (small / "pyproject.toml").write_text(SETTINGS[0], "utf-8")
        assert "app.py:6:5: error" in one.stdout.readline()
    finally:
        one.send_signal(signal.SIGINT)
        left, _ = one.communicate(timeout=20)
    assert "Traceback" not in left


@pytest.mark.parametrize("option", ["--fix", "--diff", "-"])
def test_watching_does_not_go_with_everything(small: Path, option: str) -> None:
    code, _, errors = run("--watch", option)
    assert code == 2
    assert errors.startswith("asynclint: error: `--watch`")
