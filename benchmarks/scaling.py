"""Measure what a line costs as a project grows: 10,000 to 3,000,000 lines of real packages side by side.

A project of each size holds the packages of packages.toml in their order, the last one cut where the size is
reached. Packages differ in what a line holds, so the floor (`ast.parse` of every file) is measured beside it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from compare import FLOOR, machine
from fetch_packages import cache_directory, pinned, python_files, unpacked
from process import Run, asynclint_command, checkout_environment, measure

SIZES = [10_000, 100_000, 500_000, 1_000_000, 3_000_000]

GROWTH_BOUND = 1.2
"""CPU a line of the largest project ÷ that at 100,000 lines."""
MEMORY_BOUND = 600
"""MiB at 1,000,000 lines."""


class Row(NamedTuple):
    """The medians of one size."""

    files: int
    lines: int
    wall: float
    cpu: float
    peak: float
    floor: float
    """CPU of the floor."""
    warm: float
    """Wall time of a run over an unchanged project."""

    @property
    def line(self) -> float:
        """Microseconds of CPU a line."""
        return 1e6 * self.cpu / self.lines


def grown(sources: list[Path], directory: Path, lines: int) -> tuple[int, int]:
    """Copy modules until there are that many lines; how many files and lines there are then."""
    files = copied = 0
    for source in sources:
        for path in python_files(source):
            if copied >= lines:
                return files, copied
            target = directory / source.name / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            files += 1
            copied += path.read_bytes().count(b"\n")
    return files, copied


def measured(directory: Path, command: list[str], rounds: int, timeout: float) -> dict[str, Run]:
    """The median run of each kind, by wall time; the first round is not counted."""
    check = [*command, "check", "--isolated", "--output-format", "concise", "."]
    kinds = {
        "cold": [*check, "--no-cache"],
        "floor": [sys.executable, "-c", FLOOR],
        "warm": check,
    }
    runs: dict[str, list[Run]] = {kind: [] for kind in kinds}
    environment = checkout_environment()
    for turn in range(rounds + 1):
        for kind, line in kinds.items():
            run = measure(line, directory, environment=environment, timeout=timeout)
            if run.code not in (0, 1):
                raise RuntimeError(f"{kind}: exit {run.code}: {run.errors.strip()[-500:]}")
            if turn:
                runs[kind].append(run)
    return {
        kind: sorted(some, key=lambda run: run.wall)[len(some) // 2] for kind, some in runs.items()
    }


def report(rows: list[Row]) -> None:
    """Print the tables."""
    print(f"\n{machine()}\n")
    print(
        "| lines | files | wall, s | CPU, s | CPU a line, µs | CPU ÷ floor | peak, MiB | MiB / 100k lines | warm, s |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        print(
            f"| {row.lines:,} | {row.files:,} | {row.wall:.2f} | {row.cpu:.2f} | {row.line:.1f} | {row.cpu / row.floor:.2f}"
            f" | {row.peak:.0f} | {1e5 * row.peak / row.lines:.0f} | {row.warm:.3f} |"
        )
    print("\n| | value | bound |\n|---|---:|---:|")
    small = min(rows, key=lambda row: abs(row.lines - 100_000))
    large = rows[-1]
    growth = large.line / small.line
    relative = (large.cpu / large.floor) / (small.cpu / small.floor)
    print(
        f"| CPU a line, {large.lines:,} ÷ {small.lines:,} lines | {growth:.2f} | ≤ {GROWTH_BOUND} |"
    )
    print(f"| the same of CPU ÷ floor | {relative:.2f} | |")
    million = min(rows, key=lambda row: abs(row.lines - 1_000_000))
    print(f"| peak MiB, {million.lines:,} lines | {million.peak:.0f} | ≤ {MEMORY_BOUND} |")


def plot(rows: list[Row], path: Path) -> None:
    """Time and memory over lines, both on log scales."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    lines = [row.lines for row in rows]
    figure, (time, memory) = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    series = (
        ("asynclint, cold", [row.wall for row in rows], "#1f77b4"),
        ("ast.parse of every file", [row.floor for row in rows], "#7f7f7f"),
        ("asynclint, nothing changed", [row.warm for row in rows], "#2ca02c"),
    )
    for label, values, colour in series:
        time.plot(lines, values, color=colour, label=label, linewidth=2, marker="o")
    memory.plot(lines, [row.peak for row in rows], color="#1f77b4", linewidth=2, marker="o")
    time.set_ylabel("seconds")
    memory.set_ylabel("peak memory (MiB)")
    for axis in (time, memory):
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel("lines of Python")
        axis.grid(alpha=0.3)
    time.legend(frameon=False)
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", help="directory for downloads (default: $ASYNCLINT_BENCH)")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="lines, with commas")
    parser.add_argument("--asynclint", metavar="CMD", help="default: this interpreter's asynclint")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for one process")
    parser.add_argument("--plot", type=Path, help="write a PNG (needs matplotlib)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers there")
    options = parser.parse_args()
    cache = cache_directory(options.cache)
    sources = [unpacked(package, cache) for package in pinned()]
    command = asynclint_command(options.asynclint)
    rows: list[Row] = []
    for size in sorted(int(one) for one in options.sizes.split(",")):
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            directory = Path(scratch, "project")
            files, lines = grown(sources, directory, size)
            runs = measured(directory, command, options.rounds, options.timeout)
        cold = runs["cold"]
        row = Row(
            files, lines, cold.wall, cold.cpu, cold.peak, runs["floor"].cpu, runs["warm"].wall
        )
        rows.append(row)
        print(
            f"{lines:,} lines: {cold.wall:.2f} s, CPU {cold.cpu:.2f} s, {cold.peak:.0f} MiB",
            file=sys.stderr,
        )
    report(rows)
    if options.plot:
        plot(rows, options.plot)
    if options.json:
        data = {"machine": machine(), "rows": [row._asdict() for row in rows]}
        options.json.write_text(json.dumps(data, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
