"""The same findings whether or not the libraries are installed: none is imported, and no file of one is read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from asynclint.knowledge.index import FILES

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
OWN = {"click", "libcst", "pathspec", "tomli", "yaml"}
"""What asynclint itself stands on."""
LIBRARIES = sorted(
    {root.partition(".")[0] for _, _, roots in FILES.values() for root in roots}
    - sys.stdlib_module_names
    - OWN
)

PROGRAM = """\
import os, sys

def seen(event, args):
    if event == "import":
        name, path = args[0], ""
    elif event == "open" and isinstance(args[0], (str, bytes)):
        name, path = "", os.fsdecode(args[0])
    else:
        return
    for library in libraries:
        if name.partition(".")[0] == library or f"{os.sep}{installed}{os.sep}{library}" in path:
            print("touched", name or path, file=sys.stderr)

installed, libraries = sys.argv[1], set(sys.argv[2].split(","))
sys.addaudithook(seen)
sys.argv[1:3] = []
from asynclint.__main__ import main
main()
"""
CHECK = ["check", "--no-cache", "--isolated", "--jobs", "1", "--select", "all"]
EACH = 6
"""For one of so many examples fixes are looked for, which takes longer than all findings."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The examples of all libraries; a module of the project that is called like a library would hide it."""
    folder = tmp_path / "project"
    folder.mkdir()
    for path in sorted(FIXTURES.glob("knowledge_*/*.py")):
        shutil.copy(path, folder / f"{path.parent.name}_{path.name}")
    return folder


def findings(project: Path, python_path: str, *arguments: str) -> str:
    """What a check prints; that nothing of a library was touched is told on the way."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "installed", ",".join(LIBRARIES), *CHECK, *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": python_path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "touched" not in done.stderr
    return done.stdout


def test_installed_libraries_are_neither_imported_nor_read(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "installed"
    for name in LIBRARIES:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise SystemExit('it is imported')\n")
        (folder / name / "py.typed").touch()
    with_them = os.pathsep.join((str(ROOT), str(folder)))
    concise = ("--output-format", "concise")
    without = findings(project, str(ROOT), *concise)
    assert without.count("\n") > 1500
    assert findings(project, with_them, *concise) == without
    some = tmp_path / "some"
    some.mkdir()
    for path in sorted(project.iterdir())[::EACH]:
        path.rename(some / path.name)
    full = findings(some, str(ROOT), "--output-format", "json")
    assert sum(bool(row["fixes"]) for row in json.loads(full)) > 100
    assert findings(some, with_them, "--output-format", "json") == full


@pytest.mark.parametrize("library", ["httpx", "openai"])
def test_an_import_of_one_is_seen(tmp_path: Path, library: str) -> None:
    folder = tmp_path / "installed"
    (folder / library).mkdir(parents=True)
    (folder / library / "__init__.py").touch()
    program = PROGRAM.replace("from asynclint.__main__", f"import {library}\n#")
    done = subprocess.run(
        [sys.executable, "-c", program, "installed", ",".join(LIBRARIES)],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"touched {library}" in done.stderr, done.stderr
