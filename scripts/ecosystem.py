"""Print how the findings on real packages differ between two revisions of asynclint.

    python scripts/ecosystem.py               # HEAD against the working tree
    python scripts/ecosystem.py main feature  # one revision against another
    python scripts/ecosystem.py --package mcp --package chainlit

Lines that begin with `-` are findings that are gone, with `+` those that are new. A finding that
only moved, with its message and source line unchanged, is neither.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT / "benchmarks"))

from fetch_packages import cache_directory, pinned, unpacked
from process import checkout_environment, measure

WORKING_TREE = "."
TIMEOUT = 1800.0  # seconds for one package


class Found(NamedTuple):
    """A finding, as far as it says the same in two runs: no positions."""

    path: str
    rule: str
    level: str
    message: str
    source: str


def checkout(revision: str, cache: Path) -> Path:
    """A directory that holds asynclint at a revision; `.` is the working tree.

    Written with `git archive`, which leaves the repository as it is, and kept for the next time.
    Raises SystemExit when there is no such revision.
    """
    if revision == WORKING_TREE:
        return CHECKOUT
    git = ["git", "-C", str(CHECKOUT)]
    asked = [*git, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"]
    name = subprocess.run(asked, check=False, capture_output=True, text=True).stdout.strip()
    if not name:
        raise SystemExit(f"no such revision: {revision}")
    target = cache / "revisions" / name
    if not target.is_dir():
        archive = subprocess.run([*git, "archive", name], check=True, capture_output=True).stdout
        scratch = target.with_suffix(".part")
        scratch.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(archive)) as bundle:
            bundle.extractall(scratch)
        scratch.rename(target)
    return target


def findings(asynclint: Path, package: Path, options: list[str]) -> list[dict[str, Any]]:
    """What asynclint of a checkout says about a package; raises RuntimeError when it fails."""
    command = [sys.executable, "-m", "asynclint", "check", "--isolated"]
    run = measure(
        [*command, "--output-format", "json", *options, "."],
        package,
        environment=checkout_environment(asynclint),
        timeout=TIMEOUT,
    )
    if run.code not in {0, 1} or not run.output.strip():
        raise RuntimeError((run.errors.strip().splitlines() or [f"exit {run.code}"])[-1])
    return json.loads(run.output)


def counted(package: Path, rows: list[dict[str, Any]]) -> tuple[Counter[Found], dict[Found, int]]:
    """How often each finding is made, and on which line first."""
    texts: dict[str, list[str]] = {}
    count: Counter[Found] = Counter()
    lines: dict[Found, int] = {}
    for row in rows:
        path = Path(package, row["path"]).relative_to(package).as_posix()
        if path not in texts:
            texts[path] = (package / path).read_text("utf-8", "replace").splitlines()
        text = texts[path]
        source = text[row["line"] - 1].strip() if row["line"] <= len(text) else ""
        found = Found(path, row["rule"], row["level"], row["message"], source)
        count[found] += 1
        lines.setdefault(found, row["line"])
    return count, lines


def difference(package: Path, old: Path, new: Path, options: list[str]) -> Iterator[str]:
    """One line for each finding that is gone or new."""
    before, old_lines = counted(package, findings(old, package, options))
    after, new_lines = counted(package, findings(new, package, options))
    for sign, change, lines in (
        ("-", before - after, old_lines),
        ("+", after - before, new_lines),
    ):
        for found, times in sorted(change.items()):
            often = f" ({times} times)" if times > 1 else ""
            yield f"{sign} {found.path}:{lines[found]}: {found.rule}: {found.message}{often}"
            yield f"      {found.source}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", nargs="?", default="HEAD", help="a revision (default: HEAD)")
    parser.add_argument("new", nargs="?", default=WORKING_TREE, help="default: the working tree")
    parser.add_argument("--package", action="append", default=[], help="only this one")
    parser.add_argument("--all-rules", action="store_true", help="with rules that are off, too")
    parser.add_argument("--cache", help="directory for downloads (default: $ASYNCLINT_BENCH)")
    options = parser.parse_args()
    cache = cache_directory(options.cache)
    if unknown := set(options.package) - {package.name for package in pinned()}:
        parser.error(f"not in packages.toml: {', '.join(sorted(unknown))}")
    old, new = checkout(options.old, cache), checkout(options.new, cache)
    extra = ["--extend-select", "all"] if options.all_rules else []
    total: Counter[str] = Counter()
    for package in pinned():
        if options.package and package.name not in options.package:
            continue
        try:
            lines = list(difference(unpacked(package, cache), old, new, extra))
        except (RuntimeError, TimeoutError, ValueError) as error:
            lines = [f"! {error}"]
        count = Counter(line[0] for line in lines if line[0] in "-+!")
        total += count
        print(f"{package.name} {package.version}: +{count['+']} -{count['-']}", flush=True)
        print("".join(f"  {line}\n" for line in lines), end="")
    print(f"all: +{total['+']} -{total['-']}, failed: {total['!']}")
    sys.exit(1 if total["!"] else 0)


if __name__ == "__main__":
    main()
