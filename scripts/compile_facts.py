"""Compiles `asynclint/facts` with mypyc, an optional build:

    ASYNCLINT_COMPILE=1 pip install .      a wheel that holds the compiled modules beside their sources (hatch_build.py)
    make compiled                          the same in a copy of the checkout, and all tests there

What is compiled is a copy in which two things are spelled out that mypyc leaves to the interpreter: that a module's constants are
final, and the methods that `dataclass` makes for what there is most of.
"""

from __future__ import annotations

import argparse
import ast
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FACTS = Path("asynclint", "facts")
REQUIREMENTS = ["mypy>=2.4,<3", "setuptools>=65"]

INTERPRETED = {"__init__.py", "infer.py", "newer.py", "syntax.py", "view.py", "workers.py"}
"""What runs seldom, or holds what mypyc cannot compile: classes in functions, fields whose types are imported for checking only."""

SPELLED = {"model.py", "types.py"}
"""Whose classes are made in great numbers."""

BUILD = """\
import sys
from setuptools import setup
from mypyc.build import mypycify

modules = sys.argv[1:]
sys.argv = ["compile_facts", "-q", "build_ext", "--inplace"]
options = ["--config-file=", "--follow-imports=silent", "--ignore-missing-imports"]
setup(
    name="asynclint",
    packages=[],
    ext_modules=mypycify(options + modules, opt_level="2", debug_level="0", group_name="asynclint.facts"),
)
"""


def compile_facts(target: Path) -> list[Path]:
    """Compile the facts into `target`; the paths below it of what was made."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        binaries = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
        shutil.copytree(ROOT / "asynclint", folder / "asynclint", ignore=binaries)
        modules = modules_compiled()
        for module in modules:
            text = Path(ROOT, module).read_text("utf-8")
            spelled = spelled_out(text, methods=module.name in SPELLED)
            Path(folder, module).write_text(spelled, "utf-8")
        command = [sys.executable, "-c", BUILD, *map(str, modules)]
        subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)
        made = [
            path.relative_to(folder)
            for path in (folder / "asynclint").rglob("*")
            if path.suffix in (".so", ".pyd")
        ]
        for path in made:
            Path(target, path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(folder, path), Path(target, path))
    return sorted(made)


def modules_compiled() -> list[Path]:
    """The modules that are compiled, by their path in the checkout."""
    files = sorted((ROOT / FACTS).glob("*.py"))
    return [FACTS / path.name for path in files if path.name not in INTERPRETED]


def spelled_out(text: str, methods: bool) -> str:
    """A module's text with final constants and, where they are wanted, the methods of its dataclasses."""
    lines = text.split("\n")
    tree = ast.parse(text)
    for node in reversed(tree.body):
        if isinstance(node, ast.ClassDef) and methods:
            _spell_methods(node, lines)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            kind = ast.get_source_segment(text, node.annotation)
            _replace(lines, node.lineno, f": {kind} =", f": Final[{kind}] =")
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if not _is_type(node.value):
                _replace(lines, node.lineno, " =", ": Final =")
    # On the line of another import, so that no line moves.
    first = next(node for node in tree.body if isinstance(node, ast.ImportFrom))
    lines[first.lineno - 1] += "; from typing import Final"
    return "\n".join(lines)


def _replace(lines: list[str], line: int, old: str, new: str) -> None:
    lines[line - 1] = lines[line - 1].replace(old, new, 1)


def _is_type(value: ast.expr) -> bool:
    """Whether what is assigned to a name is a type: `Role = tuple[Any, ...]`, `Spot = CallSite | Binding`, `K = TypeVar("K")`."""
    if isinstance(value, ast.BinOp):
        return all(_is_type(one) and not _is_constant(one) for one in (value.left, value.right))
    if isinstance(value, ast.Call):
        return ast.unparse(value.func) == "TypeVar"
    if isinstance(value, ast.Attribute):
        return value.attr[:1].isupper()
    return isinstance(value, (ast.Subscript, ast.Name))


def _is_constant(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id.isupper()


def _spell_methods(node: ast.ClassDef, lines: list[str]) -> None:
    """Write what `dataclass` would make at the end of a class; defaults are then those of `__init__`."""
    decorator = next((d for d in node.decorator_list if "dataclass" in ast.unparse(d)), None)
    if decorator is None:
        return
    options = ast.unparse(decorator)
    fields = [
        one
        for one in node.body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    ]
    names = [ast.unparse(field.target) for field in fields]
    methods = _constructor(fields)
    if "unsafe_hash=True" in options:
        methods += _comparison(node.name, names)
        options = options.replace("unsafe_hash=True", "eq=False")
    lines[node.end_lineno : node.end_lineno] = [f"    {line}" for line in methods]
    for field, name in zip(fields, names, strict=True):
        if field.value is not None:
            rest = (field.end_lineno or field.lineno) - field.lineno
            declared = f"    {name}: {ast.unparse(field.annotation)}"
            lines[field.lineno - 1 : field.end_lineno] = [declared, *[""] * rest]
    lines[decorator.lineno - 1] = f"@{options.replace(')', ', init=False)')}"


def _constructor(fields: list[ast.AnnAssign]) -> list[str]:
    parameters, body = [], []
    for field in fields:
        name, kind, value = (
            ast.unparse(field.target),
            ast.unparse(field.annotation),
            field.value,
        )
        if isinstance(value, ast.Call) and ast.unparse(value.func) == "field":
            made = f"{ast.unparse(value.keywords[0].value)}()"
            parameters.append(f"{name}: {kind} | None = None")
            body.append(f"    self.{name} = {name} if {name} is not None else {made}")
        else:
            default = f" = {ast.unparse(value)}" if value is not None else ""
            parameters.append(f"{name}: {kind}{default}")
            body.append(f"    self.{name} = {name}")
    return [f"def __init__(self, {', '.join(parameters)}) -> None:", *body]


def _comparison(cls: str, names: list[str]) -> list[str]:
    mine, theirs = (
        f"({', '.join(f'{one}.{name}' for name in names)},)" for one in ("self", "other")
    )
    return [
        "def __hash__(self) -> int:",
        f"    return hash({mine})",
        "def __eq__(self, other: object) -> bool:",
        "    if self is other:",
        "        return True",
        f"    return type(other) is {cls} and {mine} == {theirs}",
    ]


def main() -> None:
    """Compile into a copy of the checkout."""
    parser = argparse.ArgumentParser(description="Compile asynclint/facts with mypyc.")
    parser.add_argument("target", type=Path, help="a copy of this checkout")
    for path in compile_facts(parser.parse_args().target):
        print(path)


if __name__ == "__main__":
    main()
