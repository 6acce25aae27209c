"""Measure asynclint against its peers on a real package: whole processes, interleaved, medians.

Every measurement is a process of its own, started cold from Python's point of view and warm from
the file system's (one unmeasured round comes first). Ratios are of medians of the same run.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

from fetch_packages import cache_directory, pinned, python_files, size, unpacked
from process import Run, asynclint_command, checkout_environment, measure

TOOLS = Path(__file__).with_name("tools.txt")

# What parsing alone costs, in the interpreter that also runs asynclint.
FLOOR = """\
import ast, pathlib, warnings
warnings.simplefilter("ignore")
for path in sorted(pathlib.Path(".").rglob("*.py")):
    try:
        ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        pass
"""

PYLINT_RULES = "await-outside-async,yield-inside-async-function,not-async-context-manager"

# numerator, denominator, what is compared, bound on open-webui (see the closing notes for others)
RATIOS = [
    ("asynclint cold", "hydroid-cli cold", "wall", 0.25),
    ("asynclint cold", "flake8-async", "wall", 0.01),
    ("asynclint cold", "floor", "cpu", 2.0),
    ("asynclint warm", "ruff", "wall", 2.0),
    ("asynclint warm", "hydroid-cli warm", "wall", 0.5),
    ("asynclint warm, another command", "asynclint warm", "wall", None),
    ("asynclint leaf changed", "asynclint warm", "wall", 2.0),
    ("asynclint leaf changed, a call", "asynclint warm", "wall", 2.0),
    ("asynclint leaf changed, a file opened", "asynclint warm", "wall", 2.0),
    ("asynclint leaf changed, a file opened", "asynclint cold", "wall", None),
    ("asynclint central changed", "asynclint warm", "wall", None),
    ("asynclint --version", "python -c pass", "wall", 3.0),
]

UNPLOTTED = {"python -c pass", "asynclint --version"}
"""Contenders that check nothing."""

LARGE = 1_000_000
LARGE_BOUNDS = {("asynclint warm", "ruff"): 0.5}
"""Bounds that are others on packages of that many lines."""

SLOW = {"flake8-async", "pylint", "fixit"}


class Contender(NamedTuple):
    """One line of the table: what to run, and what to do (unmeasured) before each run."""

    name: str
    command: list[str]
    directory: Path
    before: Callable[[], object] = lambda: None
    stdin: Path | None = None
    codes: frozenset[int] = frozenset({0, 1})


def environments() -> dict[str, list[str]]:
    """Each virtual environment of tools.txt and its requirements."""
    lines = (line.split("#")[0].split() for line in TOOLS.read_text("utf-8").splitlines())
    return {name: requirements for name, *requirements in filter(None, lines)}


def create_environments(tools: Path, wanted: set[str]) -> None:
    """Make those of the virtual environments that are not there yet."""
    for name, requirements in environments().items():
        home = tools / name
        if name not in wanted or (home / "bin" / "python").exists():
            continue
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        if requirements:
            pip = [str(home / "bin" / "pip"), "install", "--quiet", *requirements]
            subprocess.run(pip, check=True)


def contenders(package: Path, tools: Path, asynclint: list[str], scratch: Path) -> list[Contender]:
    """Everything that can be measured on a package, cheap ones first."""

    def tool(environment: str, program: str) -> str:
        return str(tools / environment / "bin" / program)

    check = [*asynclint, "check", "--isolated", "--output-format", "concise"]
    hydroid = [tool("hydroid-cli", "hydroid"), "--python", str(tools / "empty")]
    unchanged = copied(package, scratch / "unchanged")
    changing = copied(package, scratch / "changing")
    calling = copied(package, scratch / "calling")
    opening = copied(package, scratch / "opening")
    leaf, central = leaf_and_central(changing)
    single = package / central.relative_to(changing)
    stdin_name = str(single.relative_to(package))
    pylint = [tool("pylint", "pylint"), "--disable=all", f"--enable={PYLINT_RULES}", "-j0"]
    return [
        Contender("python -c pass", [sys.executable, "-c", "pass"], package),
        Contender("floor", [sys.executable, "-c", FLOOR], package),
        Contender("asynclint --version", [*asynclint, "--version"], package),
        Contender("asynclint cold", [*check, "--no-cache", "."], package),
        Contender("asynclint warm", [*check, "."], unchanged),
        # Its findings are known, but not what it prints.
        Contender("asynclint warm, another command", [*check, "--debug-stats", "."], unchanged),
        Contender("asynclint leaf changed", [*check, "."], changing, lambda: change(leaf)),
        Contender("asynclint central changed", [*check, "."], changing, lambda: change(central)),
        Contender(
            "asynclint leaf changed, a call",
            [*check, "."],
            calling,
            lambda: change(leaf_and_central(calling)[0], "print()"),
        ),
        Contender(
            "asynclint leaf changed, a file opened",
            [*check, "."],
            opening,
            lambda: change(leaf_and_central(opening)[0], "open(__file__)"),
        ),
        Contender(
            "asynclint stdin",
            [*check, "-", "--stdin-filename", stdin_name],
            unchanged,
            stdin=single,
        ),
        Contender(
            "ruff",
            [tool("ruff", "ruff"), "check", "--no-cache", "--isolated", "--select=ASYNC", "."],
            package,
        ),
        Contender("hydroid-cli cold", [*hydroid, "--no-cache", "."], package),
        Contender("hydroid-cli warm", [*hydroid, "."], unchanged),
        Contender(
            "flake8-async",
            [tool("flake8-async", "flake8"), "--isolated", "--select=ASYNC", "."],
            package,
        ),
        Contender("pylint", [*pylint, "--recursive=y", "."], package, codes=frozenset(range(32))),
        Contender(
            "fixit",
            [tool("fixit", "fixit"), "--rules", "fixit.rules:UseAsyncSleepInAsyncDef", "lint", "."],
            package,
        ),
    ]


def copied(package: Path, directory: Path) -> Path:
    """A copy of a package which a tool may write its cache to."""
    shutil.copytree(package, directory, ignore=shutil.ignore_patterns(".*_cache"))
    return directory


def change(file: Path, value: str = "None") -> None:
    """Change a module's text and one of its facts: a function more, of which a call may matter, and None does not."""
    with file.open("a", encoding="utf-8") as text:
        text.write(f"\n\ndef _added_{file.stat().st_size}():\n    return {value}\n")


def leaf_and_central(package: Path) -> tuple[Path, Path]:
    """A module which no other imports and the one which most others import, by name."""
    modules = {}
    for path in python_files(package):
        dotted = ".".join(path.relative_to(package).with_suffix("").parts)
        modules[dotted.removesuffix(".__init__")] = path
    imported: Counter[str] = Counter()
    for path in modules.values():
        for name in imports(path):
            # `from a.b import c` names a.b, and a.b.c where that is a module.
            imported.update({name} & modules.keys())
    central = max(modules, key=lambda name: (imported[name], name))
    leaves = [
        name
        for name, path in modules.items()
        if not imported[name] and path.name != "__init__.py" and b"async def" in path.read_bytes()
    ]
    leaf = min(leaves, default=min(modules, key=lambda name: imported[name]))
    return modules[leaf], modules[central]


def imports(path: Path) -> set[str]:
    """The absolute dotted names which a module imports."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return set()
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def measured(entries: list[Contender], rounds: int, timeout: float) -> dict[str, list[Run]]:
    """The runs of each contender, in turn; one that fails is named and left out."""
    runs: dict[str, list[Run]] = {entry.name: [] for entry in entries}
    environment = checkout_environment()
    for turn in range(rounds + 1):
        for entry in entries:
            if entry.name not in runs:
                continue
            if turn == 0 and entry.name in SLOW:
                continue  # The others have already warmed the file system.
            entry.before()
            try:
                run = measure(
                    entry.command,
                    entry.directory,
                    environment=environment,
                    stdin=entry.stdin,
                    timeout=timeout,
                )
            except (OSError, TimeoutError) as error:
                failure = str(error)
            else:
                # An interpreter that finds no such module also exits with 1, and prints nothing.
                silent = run.code and not run.output.strip()
                failed = silent or run.code not in entry.codes
                failure = f"exit {run.code}: {last_line(run)}" if failed else ""
            if failure:
                print(f"{entry.name} is left out: {failure}", file=sys.stderr)
                del runs[entry.name]
            elif turn:
                runs[entry.name].append(run)
                print(f"{turn}/{rounds} {entry.name}: {run.wall:.2f} s", file=sys.stderr)
    return runs


def last_line(run: Run) -> str:
    return ((run.errors or run.output).strip().splitlines() or ["no message"])[-1]


def report(name: str, directory: Path, runs: dict[str, list[Run]]) -> dict[str, object]:
    """Print the tables; return the same as data."""
    files, lines, _ = size(directory)
    medians = {
        entry: {field: median(getattr(run, field) for run in some) for field in Run._fields[3:]}
        for entry, some in runs.items()
    }
    rounds = max(map(len, runs.values()), default=0)
    print(f"\n{name}: {files:,} files, {lines:,} lines; medians of {rounds}; {machine()}\n")
    print("| | wall, s | CPU, s | peak, MiB |\n|---|---:|---:|---:|")
    for entry, row in medians.items():
        print(f"| {entry} | {row['wall']:.3f} | {row['cpu']:.3f} | {row['peak']:.0f} |")
    print("\n| ratio | of | value | bound |\n|---|---|---:|---:|")
    ratios = []
    for above, below, field, usual in RATIOS:
        bound = LARGE_BOUNDS.get((above, below), usual) if lines >= LARGE else usual
        if above not in medians or below not in medians:
            continue
        value = medians[above][field] / medians[below][field]
        said = "" if bound is None else f"≤ {bound}{'' if value <= bound else ' (not met)'}"
        print(f"| {above} ÷ {below} | {field} | {value:.3f} | {said} |")
        ratios.append({"of": above, "by": below, "field": field, "value": value, "bound": bound})
    every = {
        entry: [{field: getattr(run, field) for field in Run._fields[3:]} for run in some]
        for entry, some in runs.items()
    }
    return {
        "package": name,
        "files": files,
        "lines": lines,
        "machine": machine(),
        "medians": medians,
        "ratios": ratios,
        "runs": every,
    }


def plot(data: dict[str, object], path: Path) -> None:
    """One bar for the wall time of each contender, on a logarithmic scale."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    medians = data["medians"]
    assert isinstance(medians, dict)
    wall = {name: row["wall"] for name, row in medians.items() if name not in UNPLOTTED}
    names = sorted(wall, key=wall.__getitem__, reverse=True)
    colours = ["#1f77b4" if name.startswith("asynclint") else "#9aa5b1" for name in names]
    figure, axis = pyplot.subplots(figsize=(9, 0.6 + 0.36 * len(names)), layout="constrained")
    bars = axis.barh(names, [wall[name] for name in names], color=colours)
    axis.bar_label(bars, fmt=seconds, padding=4)
    axis.set_xscale("log")
    axis.set_xlim(min(wall.values()) / 2, 3 * max(wall.values()))
    axis.set_xlabel(f"seconds for {data['package']}, {data['lines']:,} lines")
    axis.grid(axis="x", alpha=0.3)
    axis.set_axisbelow(True)
    figure.savefig(path, dpi=130)


def seconds(value: float) -> str:
    """Two digits that count."""
    return f"{value:.0f} s" if value >= 10 else f"{value:.2g} s"


def machine() -> str:
    return f"{platform.system()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", nargs="?", default="open-webui", help="one of packages.toml")
    parser.add_argument("--cache", help="directory for downloads (default: $ASYNCLINT_BENCH)")
    parser.add_argument("--tools", type=Path, help="directory of tools (default: <cache>/tools)")
    parser.add_argument("--create-tools", action="store_true", help="install missing ones first")
    parser.add_argument("--asynclint", metavar="CMD", help="default: this interpreter's asynclint")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=900, help="seconds for one process")
    parser.add_argument("--only", help="regular expression of names, e.g. 'cold|floor'")
    parser.add_argument("--slow", action="store_true", help=f"with {', '.join(sorted(SLOW))}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers there")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="a PNG (needs matplotlib)")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    cache = cache_directory(options.cache)
    tools = options.tools.resolve() if options.tools else cache / "tools"
    packages = {package.name: package for package in pinned()}
    if options.package not in packages:
        parser.error(f"{options.package} is not in packages.toml")
    directory = unpacked(packages[options.package], cache)
    if options.create_tools:
        create_environments(tools, environments().keys() - (set() if options.slow else SLOW))
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        asynclint = asynclint_command(options.asynclint)
        chosen = [
            entry
            for entry in contenders(directory, tools, asynclint, Path(scratch))
            if (options.slow or entry.name not in SLOW)
            and re.search(options.only or "", entry.name)
        ]
        data = report(options.package, directory, measured(chosen, options.rounds, options.timeout))
    if options.plot:
        plot(data, options.plot)
    if options.json:
        options.json.write_text(json.dumps(data, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
