"""Lint real projects at the revision before a defect was fixed, and count the defects found.

The defects come from a JSON-lines file, one a line: `repo`, `parent` (the revision to lint), `path`,
`line`, `category`, `reach`, `polarity` (`bug` must be reported, `quiet` must not) and `line_sha256`.
The repositories are read from bare clones under `--repos`; trees are written to `<cache>/trees` and
what asynclint said to `<cache>/findings`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from fetch_packages import cache_directory
from process import Run, asynclint_command, checkout_environment, measure

# The rules that report each category; `*` matches any part of a name.
RULES_OF_CATEGORY = {
    # Blocks the event loop.
    "A": "blocking-*,nested-event-loop,called-before-offload,lock-held-across-await",
    # A client is built too often.
    "B": "client-*",
    # Never awaited.
    "C": "unawaited-coroutine,mismatched-async-protocol,bare-coroutine-in-wait,"
    "coroutine-in-thread,cached-coroutine",
    # Unbounded.
    "D": "unbounded-gather,semaphore-per-call",
    # A task that nothing keeps.
    "E": "lost-task",
    # Everything else.
    "F": "swallowed-cancellation,nested-event-loop,wait-for-on-stream,abandoned-stream,"
    "session-shared-between-tasks,client-across-event-loops,state-changed-across-await",
}

# What a linter of Python reads; repositories carry films and models beside it.
KEPT = (".py", ".pyi", ".toml", ".cfg", ".ini", ".gitignore")

NEAR = 2  # lines
TIMEOUT = 900.0  # seconds for one tree


class Defect(NamedTuple):
    """One line of the file of defects."""

    id: str
    repo: str
    parent: str
    path: str
    line: int
    category: str
    reach: str
    polarity: str
    note: str
    line_sha256: str

    @property
    def tree(self) -> str:
        return f"{self.repo.replace('/', '+')}@{self.parent[:12]}"


class Verdict(NamedTuple):
    """How one defect was judged, and the rules (with their lines) that led to it."""

    word: str
    why: str


def read_defects(file: Path, patterns: list[str]) -> list[Defect]:
    """The defects whose id matches one of the patterns (all, without patterns)."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    defects = [Defect(**{field: row[field] for field in Defect._fields}) for row in rows]
    if not patterns:
        return defects
    return [d for d in defects if any(fnmatchcase(d.id, pattern) for pattern in patterns)]


# --- trees ------------------------------------------------------------------------------------


def bare_repository(repos: Path, repo: str) -> Path:
    """Where a clone lies: `<owner>+<name>/repo`, `<owner>/<name>` or either with `.git`."""
    flat = repo.replace("/", "+")
    candidates = [repos / flat / "repo", repos / flat, repos / repo, repos / f"{repo}.git"]
    for candidate in candidates:
        if (candidate / "HEAD").is_file():
            return candidate
        if (candidate / ".git").is_dir():
            return candidate / ".git"
    raise LookupError(f"no clone of {repo} under {repos}")


def checked_out(defect: Defect, repos: Path, cache: Path) -> Path:
    """The tree of a defect's revision, written first if need be.

    Objects are read one by one, not through `git archive`, because a clone may lack large files.
    Raises LookupError when the repository or the revision is not there.
    """
    tree = cache / "trees" / defect.tree
    if tree.is_dir():
        return tree
    git = ["git", "--git-dir", str(bare_repository(repos, defect.repo))]
    listing = subprocess.run(
        [*git, "ls-tree", "-r", "-z", defect.parent], check=False, capture_output=True
    )
    if listing.returncode:
        raise LookupError(f"{defect.repo} has no revision {defect.parent}")
    scratch = tree.with_name(f"{tree.name}.part")
    for path, text in blobs(git, list(kept_files(listing.stdout.decode()))):
        file = scratch / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)
    scratch.rename(tree)
    return tree


def kept_files(listing: str) -> Iterator[tuple[str, str]]:
    """(object, path) of each regular file worth having in the output of `git ls-tree -r -z`."""
    for row in filter(None, listing.split("\0")):
        description, path = row.split("\t", 1)
        mode, kind, name = description.split()
        if kind == "blob" and mode != "120000" and path.endswith(KEPT):
            yield name, path


def blobs(git: list[str], files: list[tuple[str, str]]) -> Iterator[tuple[str, bytes]]:
    """(path, content) of each file whose object the clone has."""
    asked = "".join(f"{name}\n" for name, _ in files).encode()
    answer = subprocess.run(
        [*git, "cat-file", "--batch"], check=True, input=asked, capture_output=True
    ).stdout
    start = 0
    for _, path in files:
        end = answer.index(b"\n", start)
        _, *found = answer[start:end].split()
        start = end + 1
        if found == [b"missing"]:
            continue
        size = int(found[1])
        yield path, answer[start : start + size]
        start += size + 1


def line_differs(defect: Defect, tree: Path) -> str:
    """Why the line is not the one that was described; empty when it is."""
    file = tree / defect.path
    if not file.is_file():
        return "the file is not there"
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    if defect.line > len(lines):
        return "the file is shorter"
    text = lines[defect.line - 1].strip()
    if not hashlib.sha256(text.encode()).hexdigest().startswith(defect.line_sha256):
        return f"the line is another one: {text}"
    return ""


# --- judging ----------------------------------------------------------------------------------


def lint(tree: Path, command: list[str], options: list[str]) -> tuple[list[dict[str, Any]], Run]:
    """What asynclint finds in a tree; raises RuntimeError when it did not run."""
    arguments = ["check", "--isolated", "--output-format", "json", *options, "."]
    run = measure([*command, *arguments], tree, environment=checkout_environment(), timeout=TIMEOUT)
    if run.code not in {0, 1} or not run.output.strip():
        last = (run.errors.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"exit {run.code}: {last}")
    try:
        return json.loads(run.output), run
    except ValueError as error:
        raise RuntimeError(f"not JSON: {error}") from error


def judged(defect: Defect, findings: list[dict[str, Any]], tree: Path, rules: str) -> Verdict:
    """Whether the findings of a category's rules say what they should about one line."""
    here = [f for f in findings if same_file(f["path"], defect.path, tree)]
    ours = [f for f in findings if any(fnmatchcase(f["rule"], rule) for rule in rules.split(","))]
    ours_here = [f for f in ours if f in here]
    starting = [f for f in ours_here if f["line"] == defect.line]
    others = [f for f in here if f["line"] == defect.line and f not in ours]
    if defect.polarity == "quiet":
        if starting:
            return Verdict("FALSE ALARM", described(starting))
        return Verdict("ok", f"(other: {described(others)})" if others else "")
    if starting:
        return Verdict("found", described(starting))
    spanning = [f for f in ours_here if f["line"] <= defect.line <= (f["end_line"] or f["line"])]
    if spanning:
        return Verdict("found", f"spans: {described(spanning)}")
    linked = [
        f
        for f in ours
        if any(
            same_file(link["path"], defect.path, tree) and link["line"] == defect.line
            for link in f["because"]
        )
    ]
    if linked:
        return Verdict("near", f"because of: {described(linked)}")
    close = [f for f in ours_here if abs(f["line"] - defect.line) <= NEAR]
    if close:
        return Verdict("near", described(close))
    return Verdict("missed", f"(other: {described(others)})" if others else "")


def same_file(found: str, path: str, tree: Path) -> bool:
    """Whether a finding's path, absolute or relative to the tree, is the defect's."""
    return Path(tree, found) == tree / path


def described(findings: Iterable[dict[str, Any]]) -> str:
    return ", ".join(
        dict.fromkeys(f"{f['rule']} {Path(f['path']).name}:{f['line']}" for f in findings)
    )


# --- printing ---------------------------------------------------------------------------------


def print_table(judgements: list[tuple[Defect, Verdict]]) -> None:
    for defect, verdict in judgements:
        where = f"{defect.repo.split('/')[1]}:{defect.path}:{defect.line}"
        print(f"{defect.id}  {verdict.word:<11}  {defect.reach:<12}  {where}")
        if verdict.word not in {"found", "ok"}:
            print(f"      {defect.note}")
        if verdict.why:
            print(f"      {verdict.why}")


def print_totals(judgements: list[tuple[Defect, Verdict]]) -> None:
    bugs = [(d, v) for d, v in judgements if d.polarity == "bug"]
    quiet = [(d, v) for d, v in judgements if d.polarity == "quiet"]
    print("\n| bugs | found | near | missed | of |\n|---|---:|---:|---:|---:|")
    for category in sorted({d.category for d, _ in bugs}):
        print_row(f"category {category}", [v for d, v in bugs if d.category == category])
    for reach in ("local", "same-module", "cross-module", "needs-types"):
        print_row(reach, [v for d, v in bugs if d.reach == reach])
    print_row("all", [v for _, v in bugs])
    alarms = sum(v.word == "FALSE ALARM" for _, v in quiet)
    print(f"\nquiet lines: {len(quiet)}, false alarms: {alarms}")


def print_row(name: str, verdicts: list[Verdict]) -> None:
    if not verdicts:
        return
    count = Counter(v.word for v in verdicts)
    missed = len(verdicts) - count["found"] - count["near"]
    print(f"| {name} | {count['found']} | {count['near']} | {missed} | {len(verdicts)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("defects", type=Path, help="the JSON-lines file of defects")
    parser.add_argument("--repos", type=Path, required=True, help="where the bare clones lie")
    parser.add_argument("--cache", help="directory for trees and findings (or $ASYNCLINT_BENCH)")
    parser.add_argument("--asynclint", metavar="CMD", help="default: this interpreter's asynclint")
    parser.add_argument("--id", action="append", default=[], help="only this one, e.g. 'A0*'")
    parser.add_argument("--all-rules", action="store_true", help="with rules that are off, too")
    parser.add_argument("--jobs", type=int, default=1, help="trees linted at a time")
    parser.add_argument("--prepare", action="store_true", help="write the trees, lint nothing")
    parser.add_argument(
        "--rules-of-category",
        action="append",
        default=[],
        metavar="C=RULE,RULE",
        help="which rules may report a category",
    )
    options = parser.parse_args()
    rules = RULES_OF_CATEGORY | dict(given.split("=", 1) for given in options.rules_of_category)
    cache = cache_directory(options.cache)
    defects = read_defects(options.defects, options.id)
    command = asynclint_command(options.asynclint)
    extra = ["--extend-select", "all"] if options.all_rules else []

    trees: dict[str, Path] = {}
    failed: dict[str, str] = {}
    for defect in defects:
        try:
            trees[defect.tree] = checked_out(defect, options.repos, cache)
        except LookupError as error:
            failed[defect.tree] = str(error)
    for defect in defects:
        if defect.tree in trees and (why := line_differs(defect, trees[defect.tree])):
            print(f"{defect.id}: {why}", file=sys.stderr)
    if options.prepare:
        print(f"{len(trees)} trees are in {cache / 'trees'}; {len(failed)} are not to be had")
        for name, why in failed.items():
            print(f"{name}: {why}")
        return

    findings: dict[str, list[dict[str, Any]]] = {}
    (cache / "findings").mkdir(parents=True, exist_ok=True)

    def linted(name: str) -> str:
        try:
            findings[name], run = lint(trees[name], command, extra)
        except (RuntimeError, TimeoutError) as error:
            failed[name] = str(error)
            return f"{name}: {error}"
        kept = cache / "findings" / f"{name}.json"
        kept.write_text(json.dumps(findings[name], indent=1), encoding="utf-8")
        return f"{name}: {len(findings[name])} findings, {run.wall:.1f} s, {run.peak:.0f} MiB"

    with ThreadPoolExecutor(options.jobs) as pool:
        for said in pool.map(linted, trees):
            print(said, file=sys.stderr, flush=True)

    judgements = [
        (
            defect,
            Verdict("FAILED", failed[defect.tree])
            if defect.tree in failed
            else judged(defect, findings[defect.tree], trees[defect.tree], rules[defect.category]),
        )
        for defect in defects
    ]
    print_table(judgements)
    print_totals(judgements)


if __name__ == "__main__":
    main()
