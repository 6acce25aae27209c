"""The optional build: what it spells out for mypyc says what the sources say, and what comes of it finds the same."""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib.util
import os
import shutil
import subprocess
import sys
import types
import zipfile
from pathlib import Path

import pytest

from asynclint.facts import model
from asynclint.facts import types as values

ROOT = Path(__file__).resolve().parent.parent
WANTED = "ASYNCLINT_COMPILE"

sys.path.insert(0, str(ROOT))
from scripts import compile_facts


def spelled(module: types.ModuleType, folder: Path) -> types.ModuleType:
    """A module as it is compiled, run by the interpreter."""
    stem = module.__name__.rpartition(".")[2]
    source = (ROOT / compile_facts.FACTS / f"{stem}.py").read_text("utf-8")
    path = folder / f"spelled_{stem}.py"
    path.write_text(compile_facts.spelled_out(source, methods=True), "utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    made = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.mark.parametrize("path", compile_facts.modules_compiled(), ids=str)
def test_lines_stay_where_they_are(path: Path) -> None:
    """So that a traceback of a compiled module leads to the source beside it."""
    text = (ROOT / path).read_text("utf-8")
    changed = compile_facts.spelled_out(text, methods=False)
    compile(changed, str(path), "exec")
    assert changed.count("\n") == text.count("\n")


@pytest.mark.parametrize("path", compile_facts.modules_compiled(), ids=str)
def test_no_property_is_cached(path: Path) -> None:
    """mypyc takes a cached property for a plain one, and would compute it at every use."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert "cached_property" not in [alias.name for node in imports for alias in node.names]


@pytest.mark.parametrize("path", compile_facts.modules_compiled(), ids=str)
def test_no_tuple_is_known_by_identity(path: Path) -> None:
    """mypyc keeps a constant tuple by its parts, and makes another one wherever it is compared."""
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Is, ast.IsNot)):
            compared = {ast.unparse(one) for one in (node.left, *node.comparators)}
            assert not compared & _tuples(), f"{path}:{node.lineno}"


@functools.cache
def _tuples() -> frozenset[str]:
    """The constants of all modules that are tuples."""
    texts = [(ROOT / path).read_text("utf-8") for path in compile_facts.modules_compiled()]
    statements = [one for text in texts for one in ast.parse(text).body]
    return frozenset(
        ast.unparse(target)
        for one in statements
        if isinstance(one, (ast.Assign, ast.AnnAssign)) and isinstance(one.value, ast.Tuple)
        for target in (one.targets if isinstance(one, ast.Assign) else [one.target])
    )


def test_constants_are_final_and_types_are_not() -> None:
    text = (
        "from typing import Any, TypeVar\n"
        'K = TypeVar("K")\n'
        "Role = tuple[Any, ...]\n"
        "Spot = CallSite | Binding\n"
        "NAMES = BARE | {1}\n"
        "OTHERS = BARE | NAMES\n"
        'STMT: Role = ("stmt",)\n'
        "MAX = 12\n"
    )
    assert compile_facts.spelled_out(text, methods=True) == (
        "from typing import Any, TypeVar; from typing import Final\n"
        'K = TypeVar("K")\n'
        "Role = tuple[Any, ...]\n"
        "Spot = CallSite | Binding\n"
        "NAMES: Final = BARE | {1}\n"
        "OTHERS: Final = BARE | NAMES\n"
        'STMT: Final[Role] = ("stmt",)\n'
        "MAX: Final = 12\n"
    )


@pytest.mark.parametrize("module", [model, values], ids=["model", "types"])
def test_spelled_classes_are_the_dataclasses(module: types.ModuleType, tmp_path: Path) -> None:
    made = spelled(module, tmp_path)
    classes = [c for c in vars(module).values() if isinstance(c, type)]
    own = [c for c in classes if c.__module__ == module.__name__ and dataclasses.is_dataclass(c)]
    assert own
    for cls in own:
        twin = getattr(made, cls.__name__)
        fields = dataclasses.fields(cls)
        assert [f.name for f in dataclasses.fields(twin)] == [f.name for f in fields]
        required = [
            f.name
            for f in fields
            if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        ]
        # What is not given is the same, and is made anew for each.
        least, again = (twin(**{name: name for name in required}) for _ in range(2))
        assert repr(least) == repr(cls(**{name: name for name in required}))
        for field in fields:
            if field.default_factory is not dataclasses.MISSING:
                assert getattr(least, field.name) is not getattr(again, field.name)
        assert least == again
        every = tuple(f.name for f in fields)
        assert repr(twin(*every)) == repr(cls(*every))
        for name in every:
            assert twin(*every) != dataclasses.replace(twin(*every), **{name: "other"})
        assert twin(*every) != every
        assert (cls.__hash__ is None) == (twin.__hash__ is None)
        if cls.__hash__ is not None:
            assert hash(twin(*every)) == hash(twin(*every)) == hash(cls(*every))


@pytest.mark.skipif(
    WANTED not in os.environ, reason=f"compiling takes minutes: `make compiled`, or {WANTED}=1"
)
@pytest.mark.skipif(
    importlib.util.find_spec("mypyc") is None or importlib.util.find_spec("setuptools") is None,
    reason="mypyc and setuptools are not installed",
)
@pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="there is no C compiler"
)
def test_the_compiled_wheel_finds_the_same(tmp_path: Path) -> None:
    program = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    built = tmp_path / "built"
    subprocess.run([sys.executable, "-c", program, str(built)], cwd=ROOT, check=True)
    [wheel] = built.glob("*.whl")
    assert "none-any" not in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
        names = archive.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"asynclint"}

    def run(path: Path, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT / "examples",
            env={**os.environ, "PYTHONPATH": str(path)},
            check=False,
            capture_output=True,
            text=True,
        )
        assert not done.stderr
        return done.stdout

    for path in compile_facts.modules_compiled():
        name = ".".join(path.with_suffix("").parts)
        assert path.suffix not in run(
            tmp_path / "site", "-c", f"import {name}; print({name}.__file__)"
        )
    for jobs in ("1", "2"):
        arguments = ("-m", "asynclint", "check", "--no-cache", "--jobs", jobs)
        format_ = ("--output-format", "json")
        found = run(tmp_path / "site", *arguments, *format_)
        assert "client-per-request" in found
        assert found == run(ROOT, *arguments, *format_)
