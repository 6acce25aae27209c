"""Applies the fixes that findings carry: in rounds, in memory, each round proved by a new check; then writes the files."""

from __future__ import annotations

import difflib
import gc
import os
import stat
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from asynclint.findings import Edit, Finding, Fix, Safety
from asynclint.fixes.left_over import without_left_over
from asynclint.fixes.unbound import unbound
from asynclint.project import Project, declared_encoding

ROUNDS = 30
"""Fixes that touch each other wait for the next round, and so do those that stood beside a wrong one; what is left is left."""

Key = tuple[str, str, str, str]
"""A finding without its line numbers: path, rule, message, the source line itself."""

Chosen = tuple[Finding, Fix]

Check = Callable[[Project], Sequence[Finding]]
"""The findings of a project, with their fixes."""

Wanted = Callable[[Finding, Fix], bool]
"""Whether a fix is to be applied: its safety, and what the configuration says of its rule."""


@dataclass(slots=True)
class Outcome:
    """What fixing would change, or has changed."""

    before: dict[str, str]
    """Text of the files that change, by name."""
    after: dict[str, str]
    applied: list[Chosen] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Why a fix was not applied, a sentence each."""
    findings: Sequence[Finding] = ()
    """What the last check of the fixed text says."""


def run(
    project: Project, findings: Sequence[Finding], check: Check, wanted: Wanted, yields: Yields
) -> Outcome:
    """Apply all fixes that are wanted, in memory, until there are none left; the project's files stay as they are.

    A fix is applied whole or not at all. Of fixes that touch each other the first is applied, the others wait for the next
    round. A fix after which a file would not compile, its finding would still be there or a new one would be, is refused.
    """

    def again(fixed: Project) -> Sequence[Finding]:
        # What the last check has inferred is garbage, and full of cycles; nobody else collects it in a run.
        gc.collect()
        return check(fixed)

    outcome = Outcome({}, {}, findings=findings)
    refused: set[tuple[Key, str]] = set()
    blocked = _Blocked(project)
    current = project
    for _ in range(ROUNDS):
        texts = {f.name: f.text for f in current.files if f.text is not None}
        waiting: list[Chosen] = []
        while True:
            chosen = [
                c
                for c in _choose(outcome.findings, texts, wanted, refused, blocked)
                if c not in waiting
            ]
            if not chosen:
                break
            new, bad = _apply(chosen, texts)
            fixed = with_texts(current, new)
            said = () if bad else again(fixed)
            why = "the result would use a name that nothing binds"
            if not all(compiles(new[path]) for _, fix in bad for path in _paths(fix)):
                why = "the result would not compile"
            suspects: list[Chosen] = []
            if not bad:
                bad, suspects = _regressions(outcome.findings, said, chosen, texts, yields)
                why = "the finding would still be there, or another one would"
            if not bad and not suspects:
                outcome.applied += chosen
                outcome.findings = said
                for name, text in new.items():
                    outcome.before.setdefault(name, texts[name])
                    outcome.after[name] = text
                current = fixed
                break
            if len(suspects) > 1 and not bad:
                # One of them is to blame: the first half is tried by itself, the other waits for the next round.
                waiting += suspects[(len(suspects) + 1) // 2 :]
                continue
            for finding, fix in bad or suspects:
                refused.add((_key(finding, texts), fix.title))
                outcome.problems.append(
                    f"{finding.path}:{finding.span.line}: not fixed ({finding.rule}): {why}"
                )
        if not chosen and not waiting:
            break
    outcome.problems += blocked.problems
    _tidy(outcome, current, again)
    changed = {n for n, text in outcome.after.items() if text != outcome.before[n]}
    outcome.after = {n: outcome.after[n] for n in sorted(changed)}
    return outcome


def _tidy(outcome: Outcome, fixed: Project, check: Check) -> None:
    """Take out the imports that the fixes have left without use, of files of which the same is said then."""
    shorter = without_left_over(fixed, outcome.before, outcome.after)
    while shorter:
        said = check(with_texts(fixed, shorter))
        was, now = _said(outcome.findings), _said(said)
        odd = {path for path, *_ in (was - now) + (now - was)}
        if not odd:
            outcome.findings = said
            outcome.after |= shorter
            return
        shorter = {n: t for n, t in shorter.items() if n not in odd} if odd & set(shorter) else {}


def _said(findings: Iterable[Finding]) -> Counter[tuple[str, str, tuple[str, ...]]]:
    """Findings without their places: path, rule and what would fix them."""
    return Counter((f.path, f.rule, tuple(fix.title for fix in f.fixes)) for f in findings)


Yields = Mapping[str, frozenset[str]]
"""Rule → the rules that say the same defect better: a fix may leave its milder finding."""


class _Blocked:
    """Files that cannot be written: each is named once."""

    def __init__(self, project: Project) -> None:
        self.files = {f.name: f for f in project.files}
        self.problems: list[str] = []
        self._known: dict[str, bool] = {}

    def __contains__(self, name: str) -> bool:
        if name not in self._known:
            why = self._why(name)
            if why is not None:
                self.problems.append(f"{name}: not fixed: {why}")
            self._known[name] = why is not None
        return self._known[name]

    def _why(self, name: str) -> str | None:
        file = self.files.get(name)
        if file is None or file.text is None:
            return "it is not a file of the project"
        try:
            if not file.path.exists():
                return None  # Text without a file: stdin, or an example on a page.
            if not stat.S_IMODE(file.path.stat().st_mode) & 0o222:
                return "it is read-only"
        except OSError as error:
            return (error.strerror or str(error)).lower()
        return None


def _choose(
    findings: Sequence[Finding],
    texts: Mapping[str, str],
    wanted: Wanted,
    refused: set[tuple[Key, str]],
    blocked: _Blocked,
) -> list[Chosen]:
    """The fixes of one round: in the order of the findings, none touching another one's edits."""
    taken: dict[str, set[Edit]] = defaultdict(set)
    moved: dict[str, list[tuple[int, int]]] = defaultdict(list)
    chosen: list[Chosen] = []
    marks: set[str] = set()
    for finding in findings:
        key = _key(finding, texts)
        for fix in finding.fixes:
            if not fix.edits or not wanted(finding, fix) or (key, fix.title) in refused:
                continue
            if any(edit.path in blocked for edit in fix.edits):
                continue
            if fix.once in marks and any(edit not in taken[edit.path] for edit in fix.edits):
                break
            new = [edit for edit in fix.edits if edit not in taken[edit.path]]
            moving = _moved(new, texts)
            if not any(
                _hit(edit, taken[edit.path])
                or _hit_lines([edit], moved[edit.path], texts)
                or _hit_lines(taken[edit.path], moving[edit.path], texts)
                for edit in new
            ):
                for edit in new:
                    taken[edit.path].add(edit)
                for path, lines in moving.items():
                    moved[path] += lines
                chosen.append((finding, fix))
                if fix.once:
                    marks.add(fix.once)
            break
    return chosen


def _moved(edits: Iterable[Edit], texts: Mapping[str, str]) -> dict[str, list[tuple[int, int]]]:
    """By file, the stretches of whole lines that edits put deeper or less deep, each with its line end."""
    moved: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for edit in sorted(edits):
        text = texts[edit.path]
        start = text.rfind("\n", 0, edit.start) + 1
        if (edit.text + text[start : edit.end]).strip(" \t"):
            continue
        end = text.find("\n", edit.end) + 1 or len(text)
        lines = moved[edit.path]
        if lines and not text[lines[-1][1] : start].strip():
            start = lines.pop()[0]
        lines.append((start, end))
    return moved


def _hit_lines(
    edits: Iterable[Edit], moved: Sequence[tuple[int, int]], texts: Mapping[str, str]
) -> bool:
    """Whether one of the edits writes or takes lines, with their indentation, where others move."""
    return any(
        start <= edit.end and edit.start <= end
        for start, end in moved
        for edit in edits
        if "\n" in edit.text or "\n" in texts[edit.path][edit.start : edit.end]
    )


def _hit(edit: Edit, others: Iterable[Edit]) -> bool:
    return any(edit.start <= other.end and other.start <= edit.end for other in others)


def _apply(chosen: list[Chosen], texts: Mapping[str, str]) -> tuple[dict[str, str], list[Chosen]]:
    """The new texts, and the fixes after which, by themselves, a file does not compile that did before.

    Fixes that break a file only together are taken out of `chosen` but for the first: they wait for the next round.
    """
    new, broken = _edited(chosen, texts)
    if not broken:
        return new, []
    beside = [c for c in chosen if broken & {e.path for e in c[1].edits}]
    bad = [c for c in beside if _edited([c], texts)[1]]
    if bad:
        return new, bad
    together: list[Chosen] = []
    for one in beside:
        if not _edited([*together, one], texts)[1]:
            together.append(one)
    chosen[:] = [c for c in chosen if c not in beside or c in together]
    return _edited(chosen, texts)[0], []


def _edited(chosen: Iterable[Chosen], texts: Mapping[str, str]) -> tuple[dict[str, str], set[str]]:
    """The new texts, and the names of those that do not compile any more, or read names that they did not and nothing binds."""
    edits: dict[str, set[Edit]] = defaultdict(set)
    for _, fix in chosen:
        for edit in fix.edits:
            edits[edit.path].add(edit)
    new = {path: edited(texts[path], some) for path, some in sorted(edits.items())}
    return new, {p for p, text in new.items() if _breaks(texts[p], text)}


def _paths(fix: Fix) -> set[str]:
    return {edit.path for edit in fix.edits}


def _breaks(before: str, after: str) -> bool:
    if not compiles(after):
        return compiles(before)
    return not unbound(after) <= unbound(before)


def edited(text: str, edits: Iterable[Edit]) -> str:
    """A text with edits made that do not overlap."""
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def compiles(text: str) -> bool:
    """Whether the running Python compiles a module's text."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "<fixed>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def with_texts(project: Project, texts: Mapping[str, str]) -> Project:
    """The project with other texts of some files."""
    files = [replace(f, text=texts[f.name]) if f.name in texts else f for f in project.files]
    return replace(project, files=files)


def _key(finding: Finding, texts: Mapping[str, str]) -> Key:
    text = texts.get(finding.path, "")
    lines = text.splitlines()
    line = lines[finding.span.line - 1].strip() if finding.span.line <= len(lines) else ""
    return (finding.path, finding.rule, finding.message, line)


def _regressions(
    before: Sequence[Finding],
    after: Sequence[Finding],
    chosen: list[Chosen],
    old: Mapping[str, str],
    yields: Yields,
) -> tuple[list[Chosen], list[Chosen]]:
    """The fixes whose finding is still there; where there are none, those of which one has brought a new finding."""
    lines = _Lines(chosen, old)
    # What a fix leaves of its own defect, such as a client hoisted out of a loop, is a milder finding, not another one.
    after = [
        f
        for f in after
        if not any(
            one[0].rule in yields.get(f.rule, ()) and lines.near(index, f)
            for index, one in enumerate(chosen)
        )
    ]
    now: dict[Shape, list[Finding]] = defaultdict(list)
    for finding in after:
        now[_shape(finding)].append(finding)
    was = Counter(_shape(f) for f in before)
    bad = []
    fixed = Counter(_shape(f) for f, _ in chosen)
    for index, one in enumerate(chosen):
        shape = _shape(one[0])
        same = now.get(shape, ())
        if len(same) <= was[shape] - fixed[shape]:
            continue
        # One that looks like it elsewhere is another defect, as another fix of the round has renamed it.
        line = lines.moved(one[0])
        if any(lines.near(index, f) or abs(f.span.line - line) <= 1 for f in same):
            bad.append(one)
    if bad:
        return bad, []
    left = Counter((f.path, f.rule, lines.moved(f)) for f in before)
    left.subtract(Counter((f.path, f.rule, lines.moved(f)) for f, _ in chosen))
    gone = Counter((f.path, f.rule) for f in before)
    gone.subtract(Counter((f.path, f.rule) for f in after))
    suspects: list[Chosen] = []
    for finding in after:
        where = (finding.path, finding.rule, finding.span.line)
        if left[where] > 0:
            # It was there before, under another name perhaps.
            left[where] -= 1
            continue
        if finding.level == "note" or len(now[_shape(finding)]) <= was[_shape(finding)]:
            continue
        better = next((r for r in yields.get(finding.rule, ()) if gone[finding.path, r] > 0), None)
        if better is not None:
            # The same defect, said in a milder way: it was there before.
            gone[finding.path, better] -= 1
            continue
        beside = [
            (index, one)
            for index, one in enumerate(chosen)
            if any(e.path == finding.path for e in one[1].edits)
        ]
        close = [one for index, one in beside if lines.near(index, finding)]
        some = close or [one for _, one in beside] or chosen
        suspects += [one for one in some if one not in suspects]
    return [], suspects


Shape = tuple[str, str, str]
"""A finding without its place: path, rule, message."""


def _shape(finding: Finding) -> Shape:
    return (finding.path, finding.rule, finding.message)


class _Lines:
    """Where the lines of the old texts stand in the new ones, and which of these the fixes of a round wrote."""

    def __init__(self, chosen: list[Chosen], old: Mapping[str, str]) -> None:
        edits: dict[str, set[Edit]] = defaultdict(set)
        for _, fix in chosen:
            for edit in fix.edits:
                edits[edit.path].add(edit)
        written: dict[Edit, tuple[int, int]] = {}
        self._shifts: dict[str, list[tuple[int, int]]] = {}
        """By path: the old line of each edit, and how many lines all edits so far add."""
        for path, some in edits.items():
            added = 0
            self._shifts[path] = []
            for edit in sorted(some):
                line = old[path].count("\n", 0, edit.start) + 1
                written[edit] = (line + added, line + added + edit.text.count("\n"))
                added += edit.text.count("\n") - old[path].count("\n", edit.start, edit.end)
                self._shifts[path].append((line, added))
        self._written: list[dict[str, list[tuple[int, int]]]] = []
        for _, fix in chosen:
            by_path: dict[str, list[tuple[int, int]]] = defaultdict(list)
            for edit in fix.edits:
                by_path[edit.path].append(written[edit])
            self._written.append(by_path)

    def near(self, index: int, finding: Finding) -> bool:
        """Whether a finding of the new text stands on or beside a line that the fix of this index wrote."""
        return any(
            first - 1 <= finding.span.line <= last + 1
            for first, last in self._written[index].get(finding.path, ())
        )

    def moved(self, finding: Finding) -> int:
        """The line of the new text on which a finding of the old one would stand."""
        shift = 0
        for line, added in self._shifts.get(finding.path, ()):
            if line >= finding.span.line:
                break
            shift = added
        return finding.span.line + shift


# -- showing and writing ----------------------------------------------------------------------------


def diff(outcome: Outcome) -> Iterator[str]:
    """What would change, as `diff -u` says it, line by line with line ends."""
    for name, text in outcome.after.items():
        for line in difflib.unified_diff(
            outcome.before[name].splitlines(keepends=True),
            text.splitlines(keepends=True),
            name,
            name,
        ):
            yield line if line.endswith(("\n", "\r")) else f"{line}\n\\ No newline at end of file\n"


def write(project: Project, outcome: Outcome) -> list[str]:
    """Write the changed files; why any was not written, a line each.

    Files that one fix changes together are written together or not at all. Each keeps its mode, encoding, byte order mark and
    line ends, and is written only while it still has the text that was checked.
    """
    files = {f.name: f for f in project.files}
    ready: dict[str, tuple[Path, str]] = {}
    problems: list[str] = []
    failed: set[str] = set()
    for name, text in outcome.after.items():
        try:
            ready[name] = _prepare(files[name].path, outcome.before[name], text)
        except (OSError, SyntaxError, UnicodeError, _Changed) as error:
            why = (getattr(error, "strerror", None) or str(error)).lower()
            problems.append(f"{name}: not fixed: {why}")
            failed.add(name)
    growing = bool(failed)
    while growing:
        growing = False
        for _, fix in outcome.applied:
            paths = {e.path for e in fix.edits}
            if paths & failed and not paths <= failed:
                failed |= paths
                growing = True
    for name, (path, temporary) in ready.items():
        if name in failed:
            os.unlink(temporary)
            if not any(p.startswith(f"{name}:") for p in problems):
                problems.append(
                    f"{name}: not fixed: a file that would change with it cannot be written"
                )
            continue
        try:
            os.replace(temporary, path)
        except OSError as error:
            problems.append(f"{name}: not fixed: {(error.strerror or str(error)).lower()}")
            failed.add(name)
    outcome.after = {n: t for n, t in outcome.after.items() if n not in failed}
    outcome.applied = [c for c in outcome.applied if not failed & {e.path for e in c[1].edits}]
    return problems


class _Changed(Exception):
    """The file is not what was checked."""


def _prepare(path: Path, before: str, after: str) -> tuple[Path, str]:
    """The file to replace, and the name of the finished one beside it."""
    path = Path(os.path.realpath(path))
    data = path.read_bytes()
    encoding = declared_encoding(data)
    if encoding == "utf-8-sig" and before.startswith("\ufeff"):
        encoding = "utf-8"
    if data.decode(encoding) != before:
        raise _Changed("the file has changed since it was read")
    encoded = after.encode(encoding)
    mode = path.stat().st_mode
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".asynclint-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(encoded)
        os.chmod(name, mode & 0o7777)
    except BaseException:
        os.unlink(name)
        raise
    return path, name


def allowed(safe_only: bool) -> Wanted:
    """Fixes of every rule, safe ones or all."""

    def wanted(finding: Finding, fix: Fix) -> bool:
        return fix.safety is Safety.SAFE or not safe_only

    return wanted
