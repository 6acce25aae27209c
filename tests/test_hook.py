"""The pre-commit hook, run by the real pre-commit in a temporary git repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pre_commit", reason="pre-commit is not installed")
yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parent.parent
WHEELHOUSE = os.environ.get("ASYNCLINT_WHEELHOUSE", "")
"""A directory with what a fresh environment needs to install asynclint; `.ci/run` fills one."""

HELPERS = """\
import time


def load():
    time.sleep(1)
    return []
"""
DIRECT = """\
import time


async def handler():
    time.sleep(1)
"""
THROUGH_HELPER = """\
from helpers import load


async def handler():
    return load()
"""
CLEAN = """\
import asyncio

from helpers import load


async def handler():
    return await asyncio.to_thread(load)
"""


class Repository:
    """A git repository of somebody who uses asynclint."""

    def __init__(self, path: Path, environment: dict[str, str]) -> None:
        self.path = path
        self.environment = environment
        path.mkdir()
        self.run("git", "init", "--quiet", "--initial-branch=main")

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run to the end; standard error is part of the output."""
        return subprocess.run(
            [str(part) for part in command],
            cwd=self.path,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=300,
            check=False,
        )

    def pre_commit(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "pre_commit", *arguments)

    def add(self, name: str, text: str) -> None:
        (self.path / name).write_text(text, "utf-8")
        assert self.run("git", "add", name).returncode == 0

    def commit(self, *options: str) -> subprocess.CompletedProcess[str]:
        return self.run("git", "commit", "--quiet", "--message", "A change", *options)

    def commits(self) -> int:
        return int(self.run("git", "rev-list", "--all", "--count").stdout)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Empty; `asynclint` on its PATH is the tree under test."""
    programs = tmp_path / "bin"
    programs.mkdir()
    shim = programs / "asynclint"
    shim.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m asynclint "$@"\n')
    shim.chmod(0o755)
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("GIT_", "PRE_COMMIT"))
    }
    environment = kept | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PRE_COMMIT_HOME": str(tmp_path / "pre-commit"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "NO_COLOR": "1",
    }
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{role}_NAME": "Ada", f"GIT_{role}_EMAIL": "ada@example.org"}
    return Repository(tmp_path / "project", environment)


def hooks() -> list[dict[str, Any]]:
    """The hooks that this repository offers."""
    return list(yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8")))


@pytest.fixture
def installed(repository: Repository) -> Repository:
    """The offered hook is installed; the tree under test stands in for a fresh environment."""
    hook = next(hook for hook in hooks() if hook["id"] == "asynclint") | {"language": "system"}
    hook.pop("minimum_pre_commit_version", None)
    config = {"repos": [{"repo": "local", "hooks": [hook]}]}
    repository.add(".pre-commit-config.yaml", yaml.safe_dump(config))
    result = repository.pre_commit("install")
    assert result.returncode == 0, result.stdout
    return repository


def test_hooks_are_complete() -> None:
    offered = {hook["id"]: hook for hook in hooks()}
    assert offered.keys() == {"asynclint", "asynclint-fix"}
    for hook in offered.values():
        assert hook["language"] == "python"
        assert hook["entry"].startswith("asynclint")
    assert "--fix" in offered["asynclint-fix"]["entry"] + str(offered["asynclint-fix"].get("args"))


def test_defect_is_refused_and_its_repair_accepted(installed: Repository) -> None:
    installed.add("app.py", DIRECT)
    refused = installed.commit()
    assert refused.returncode == 1, refused.stdout
    assert "app.py:5:5" in refused.stdout
    assert "blocking-sleep" in refused.stdout
    assert installed.commits() == 0

    installed.add(
        "app.py", DIRECT.replace("time.sleep", "await asyncio.sleep").replace("time", "asyncio")
    )
    accepted = installed.commit()
    assert accepted.returncode == 0, accepted.stdout
    assert installed.commits() == 1


def test_proof_may_lie_in_an_unchanged_file(installed: Repository) -> None:
    installed.add("helpers.py", HELPERS)
    accepted = installed.commit()
    assert accepted.returncode == 0, accepted.stdout

    installed.add("app.py", THROUGH_HELPER)
    refused = installed.commit()
    assert refused.returncode == 1, refused.stdout
    assert "app.py:5:12" in refused.stdout
    assert "helpers.py:5" in refused.stdout, "the chain leads to the proof"
    assert installed.commits() == 1

    installed.add("app.py", CLEAN)
    accepted = installed.commit()
    assert accepted.returncode == 0, accepted.stdout
    assert installed.commits() == 2


def test_only_the_changed_files_are_judged(installed: Repository) -> None:
    installed.add("old.py", DIRECT)
    assert installed.commit("--no-verify").returncode == 0

    installed.add("app.py", "async def handler():\n    return 1\n")
    accepted = installed.commit()
    assert accepted.returncode == 0, accepted.stdout

    everything = installed.pre_commit("run", "--all-files")
    assert everything.returncode == 1
    assert "old.py:5:5" in everything.stdout


def test_other_files_do_not_start_the_hook(installed: Repository) -> None:
    installed.add("notes.txt", "time.sleep(1)\n")
    accepted = installed.commit()
    assert accepted.returncode == 0, accepted.stdout
    assert "no files to check" in accepted.stdout


def test_stubs_and_removed_files_pass(installed: Repository) -> None:
    installed.add("app.py", DIRECT)
    assert installed.commit("--no-verify").returncode == 0
    assert installed.run("git", "rm", "--quiet", "app.py").returncode == 0
    installed.add("helpers.pyi", "def load() -> list[int]: ...\n")
    accepted = installed.commit()
    assert accepted.returncode == 0, accepted.stdout


@pytest.mark.skipif(
    not WHEELHOUSE,
    reason="a new environment needs packages, and ASYNCLINT_WHEELHOUSE names none",
)
def test_try_repo_installs_and_refuses(repository: Repository, tmp_path: Path) -> None:
    """The real installation: clone, new environment, build, install, run; without a network."""
    repository.environment |= {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(Path(WHEELHOUSE).resolve()),
    }
    clone = Repository(tmp_path / "asynclint", repository.environment)
    for name in (
        "asynclint",
        "rules",
        "pyproject.toml",
        "hatch_build.py",
        "README.md",
        "LICENSE",
        ".pre-commit-hooks.yaml",
    ):
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, clone.path / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / name, clone.path)
    clone.run("git", "add", "--all")
    committed = clone.commit()
    assert committed.returncode == 0, committed.stdout

    repository.add("helpers.py", HELPERS)
    assert repository.commit().returncode == 0
    repository.add("app.py", THROUGH_HELPER)
    refused = repository.pre_commit("try-repo", clone.path, "asynclint", "--verbose")
    assert refused.returncode == 1, refused.stdout
    assert "app.py:5:12" in refused.stdout, refused.stdout
    assert "blocking-sleep" in refused.stdout

    repository.add("app.py", CLEAN)
    accepted = repository.pre_commit("try-repo", clone.path, "asynclint", "--verbose")
    assert accepted.returncode == 0, accepted.stdout
