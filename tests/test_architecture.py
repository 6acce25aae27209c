"""The sentences of the design about layout, imports and packaging, as tests."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import libcst as cst
import pytest

from asynclint import packs
from asynclint.knowledge import compiled

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "asynclint"
RULES = ROOT / "rules"

# Reading order is import order: a module imports only what stands on its own line or above it.
# Findings are words that everything speaks; knowledge and configuration are what facts are inferred with.
LAYERS = (
    ("replay", "inert", "silent", "watch", "progress"),
    ("findings",),
    ("knowledge",),
    ("config", "metadata", "pythons", "requirements", "widths"),
    ("project",),
    ("facts",),
    ("fixes",),
    ("rule",),
    ("packs",),
    ("slices",),
    ("walk",),
    ("repairs",),
    ("suppress",),
    ("cache",),
    ("check",),
    ("fix",),
    ("report",),
    ("testing",),
    ("cli",),
    ("__main__",),
)
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}

FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "core", "base", "manager", "misc"}

MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] != "rules"
)
RULE_FILES = sorted(RULES.glob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Absolute names of all modules that a file imports anywhere, with their lines."""
    package = ".".join(path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = (
                ".".join([*above, node.module or ""]).rstrip(".")
                if node.level
                else node.module or ""
            )
            yield base, node.lineno
            if base == "asynclint":
                yield from ((f"asynclint.{alias.name}", node.lineno) for alias in node.names)


def part(path: Path) -> str:
    """The first name below the package: "facts" for asynclint/facts/infer.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def identify(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_imports_follow_reading_order(path: Path) -> None:
    if part(path) == "__init__":
        return  # It opens the package to rules, and may name anything.
    assert part(path) in LAYER, f"{identify(path)}: say in LAYERS where it stands"
    for name, line in imports(path):
        if not name.startswith("asynclint."):
            continue
        imported = name.split(".")[1]
        if imported in LAYER:
            assert LAYER[imported] <= LAYER[part(path)], f"{identify(path)}:{line} imports {name}"
        else:
            # `from asynclint import __version__` and the like: a name of the package, not a module.
            assert not (PACKAGE / imported).exists(), f"{identify(path)}:{line} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_engine_names_no_rule(path: Path) -> None:
    names = {rule.stem.replace("_", "-") for rule in RULE_FILES}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom | ast.Import):
            continue
        if isinstance(node, ast.Constant) and node.value in names:
            pytest.fail(f"{identify(path)}:{node.lineno} names the rule {node.value}")


@pytest.mark.parametrize("path", RULE_FILES, ids=identify)
def test_rules_import_only_the_engine_and_libcst(path: Path) -> None:
    allowed = {"asynclint", "libcst", "__future__"} | sys.stdlib_module_names
    stems = {rule.stem for rule in RULE_FILES}
    for name, line in imports(path):
        where = f"{identify(path)}:{line}"
        first, *rest = name.split(".")
        assert first in allowed, f"{where} imports {name}"
        assert first not in stems - sys.stdlib_module_names, f"{where} imports another rule"
        assert rest[:1] != ["rules"], f"{where} imports another rule"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{identify(path)}:{node.lineno} is a relative import"


def test_rules_are_visitors_of_libcst() -> None:
    """What flags is a visitor, which people read and write as any other one of libcst."""
    for rule in packs.load([packs.builtin()]):
        assert issubclass(rule, cst.CSTVisitor), rule.name
        assert any(name.startswith(("visit_", "leave_")) for name in dir(rule)), rule.name


def test_rules_is_a_directory_and_not_a_package() -> None:
    assert not list(RULES.rglob("__init__.py"))
    assert not [path for path in RULES.iterdir() if path.is_dir() and path.name != "__pycache__"]


def test_depth_is_at_most_two() -> None:
    deep = [identify(path) for path in MODULES if len(path.relative_to(PACKAGE).parts) > 2]
    assert not deep


def test_names_say_something() -> None:
    vague = [
        identify(path)
        for path in [*MODULES, *RULE_FILES]
        if FORBIDDEN & {piece.removesuffix(".py") for piece in path.relative_to(ROOT).parts}
    ]
    assert not vague


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_modules_say_their_idea(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if tree.body:
        assert ast.get_docstring(tree), f"{identify(path)} has no docstring"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel that hatchling builds of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    program = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "ASYNCLINT_COMPILE"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"hatchling is needed to build the wheel:\n{done.stderr}"
    [path] = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_wheel_is_pure_python(wheel: zipfile.ZipFile) -> None:
    assert str(wheel.filename).endswith("-py3-none-any.whl")
    assert not [name for name in wheel.namelist() if name.endswith((".so", ".pyd", ".c"))]


def test_wheel_carries_the_rules(wheel: zipfile.ZipFile) -> None:
    shipped = {
        name.removeprefix("asynclint/rules/"): wheel.read(name)
        for name in wheel.namelist()
        if name.startswith("asynclint/rules/")
    }
    here = {path.name: path.read_bytes() for path in RULES.iterdir() if path.is_file()}
    assert shipped.keys() == here.keys()
    assert shipped == here


def test_wheel_ships_one_import_name(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"asynclint"}


def test_wheel_carries_the_engine(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {identify(path) for path in MODULES} <= names
    assert {identify(path) for path in PACKAGE.rglob("*.toml")} <= names
    assert "asynclint/py.typed" in names


def test_wheel_carries_the_compiled_tables(wheel: zipfile.ZipFile) -> None:
    assert wheel.read(f"asynclint/knowledge/{compiled.NAME}") == compiled.pack()


def imported_by(*arguments: str) -> tuple[str, set[str]]:
    """What `asynclint` prints, and the modules that it imported to do so."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "asynclint", *arguments],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = re.findall(r"^import time:\s+\d+ \|\s+\d+ \|\s+(\S+)$", done.stderr, re.MULTILINE)
    return done.stdout, set(found)


def test_version_imports_neither_libcst_nor_engine() -> None:
    printed, modules = imported_by("--version")
    assert re.search(r"\d+\.\d+", printed)
    assert "re" in modules or "os" in modules, "importtime was not understood"
    engine = {"facts", "knowledge", "rule", "packs", "check", "fix", "fixes", "report", "cache"}
    heavy = {
        name
        for name in modules
        if name.split(".")[0] == "libcst"
        or (name.startswith("asynclint.") and name.split(".")[1] in engine)
    }
    assert not heavy
